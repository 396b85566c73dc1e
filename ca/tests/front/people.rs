//! People and what they type.

use std::fs;
use std::process::Stdio;

use crate::site::{Site, add_to, keygen, public, until};

#[test]
fn a_request_is_approved_with_a_forwarded_agent() {
    let site = Site::new();
    let live = site.alice.live(&[
        "ca",
        "request",
        "postgres@db1.prod",
        "--for",
        "15m",
        "--reason",
        "INC-42 it's stuck",
    ]);
    live.wait_err("waiting for approval … ");
    let err = live.err();
    let id = err[8..17].to_owned();
    assert!(
        err.starts_with(&format!(
            "request {id}: role db-oncall, needs 1 of group sre (bob or carol)\n"
        )),
        "{err}"
    );
    assert!(err.contains(&format!("ssh -A ca approve {id}\n")), "{err}");

    let pending = site.bob.ca(&["pending"]);
    assert!(
        pending.out.contains(&id) && pending.out.contains("INC-42 it's stuck"),
        "{pending:?}"
    );
    let approved = site
        .bob
        .with(&["-A", "ca", "approve", &id.to_lowercase()], b"");
    assert_eq!(approved.status, 0, "{approved:?}");
    assert!(approved.err.contains("INC-42 it's stuck"), "{approved:?}");
    assert!(
        approved
            .err
            .contains("approved: alice has postgres@db1.prod until "),
        "{approved:?}"
    );
    assert_eq!(approved.out, "");

    let granted = live.finish();
    assert_eq!(granted.status, 0, "{granted:?}");
    assert!(granted.err.contains("approved by bob, "), "{granted:?}");
    assert!(
        granted.err.contains("postgres@db1.prod, valid 15m, until "),
        "{granted:?}"
    );
    assert!(
        granted.out.starts_with("ssh-ed25519-cert-v01@openssh.com ") && granted.out.ends_with('\n')
    );
    assert_eq!(granted.out.lines().count(), 1);
    fs::write(site.alice.certificate(), &granted.out).unwrap();
    let shown = keygen(&["-L", "-f", site.alice.certificate().to_str().unwrap()]);
    assert!(shown.contains("postgres@db1.prod"), "{shown}");

    let again = site.alice.ca(&["collect", &id]);
    assert_eq!((again.status, &again.out), (0, &granted.out));
    let show = site.bob.ca(&["show", &id]);
    assert!(
        show.out.contains("APPROVED BY") && show.out.contains("granted until"),
        "{show:?}"
    );
}

#[test]
fn a_request_is_approved_with_stock_ssh_keygen() {
    let site = Site::new();
    let id = site.alice.ask("postgres@db1.prod");
    let text = site.bob.ca(&["show", &id, "--text"]);
    assert!(
        text.out.starts_with("hallpass-request-v1\nid: "),
        "{text:?}"
    );
    let file = site.path("r");
    fs::write(&file, &text.out).unwrap();
    let key = site.bob.key();
    keygen(&[
        "-q",
        "-Y",
        "sign",
        "-n",
        "approval@hallpass",
        "-f",
        key.to_str().unwrap(),
        file.to_str().unwrap(),
    ]);
    let signature = fs::read(site.path("r.sig")).unwrap();
    let approved = site.bob.with(&["ca", "approve", &id], &signature);
    assert_eq!(approved.status, 0, "{approved:?}");
    assert_eq!(site.alice.ca(&["collect", &id]).status, 0);
}

#[test]
fn without_agent_and_signature_both_ways_are_told() {
    let site = Site::new();
    let id = site.alice.ask("postgres@db1.prod");
    let told = site.bob.ca(&["approve", &id]);
    assert_eq!(told.status, 2);
    for way in [
        format!("ssh -A ca approve {id}\n"),
        format!(
            "ssh ca show {id} --text > r && ssh-keygen -Y sign -n approval@hallpass -f KEY r && ssh ca approve {id} < r.sig\n"
        ),
    ] {
        assert!(told.err.contains(&way), "{told:?}");
    }
    let long = site.bob.with(
        &["ca", "approve", &id],
        &vec![b'x'; config::limits::SSHSIG_BYTES + 1],
    );
    assert_eq!(long.status, 2);
    assert!(
        long.err.contains("too long for an SSH signature"),
        "{long:?}"
    );
}

#[test]
fn promise_30_an_agent_with_other_keys_approves_nothing() {
    let site = Site::new();
    let id = site.alice.ask("postgres@db1.prod");
    let own = site.alice.with(&["-A", "ca", "approve", &id], b"");
    assert_eq!(own.status, 1);
    assert!(
        own.err.contains("nobody approves their own request"),
        "{own:?}"
    );
    let mut command = site.bob.ssh(&["-A", "ca", "approve", &id]);
    command.env("SSH_AUTH_SOCK", site.alice.home.join("agent"));
    let other = command.stdin(Stdio::null()).output().unwrap();
    let err = String::from_utf8_lossy(&other.stderr);
    assert_eq!(other.status.code(), Some(1), "{err}");
    assert!(
        err.contains("your agent signed with none of your registered keys"),
        "{err}"
    );
}

#[test]
fn two_approvals_are_two_persons() {
    let site = Site::new();
    let live = site
        .alice
        .live(&["ca", "request", "backup@db1.prod", "--reason", "restore"]);
    live.wait_err("waiting for approval … ");
    let id = live.err()[8..17].to_owned();
    let first = site.bob.with(&["-A", "ca", "approve", &id], b"");
    assert!(
        first
            .err
            .contains("approved; still needs 1 of group sre (carol)"),
        "{first:?}"
    );
    live.wait_err("approved by bob; still needs 1 of group sre (carol) … ");
    let twice = site.bob.with(&["-A", "ca", "approve", &id], b"");
    assert_eq!(twice.status, 1, "{twice:?}");
    assert!(
        twice.err.contains("you have approved this request already"),
        "{twice:?}"
    );
    assert_eq!(
        site.carol.with(&["-A", "ca", "approve", &id], b"").status,
        0
    );
    let granted = live.finish();
    assert_eq!(granted.status, 0, "{granted:?}");
    assert!(
        granted.err.contains("approved by bob, carol, "),
        "{granted:?}"
    );
}

#[test]
fn a_certificate_beside_the_key_keeps_nobody_out() {
    let site = Site::new();
    let (alice, file) = (&site.alice, site.alice.certificate());
    let login = |why: &str| {
        let who = alice.ca(&["whoami"]);
        assert_eq!(who.status, 0, "{why}: {who:?}");
        assert!(who.out.contains("alice"), "{why}: {who:?}");
    };
    fs::write(&file, "").unwrap();
    login("an empty file, as `> id_ed25519-cert.pub` leaves it");
    let other = site.path("other");
    keygen(&[
        "-q",
        "-t",
        "ed25519",
        "-N",
        "",
        "-f",
        other.to_str().unwrap(),
    ]);
    let public_half = format!("{}.pub", alice.key().display());
    for (why, arguments) in [
        ("an expired one", ["-V", "-2h:-1h"]),
        ("one that is not valid yet", ["-V", "+1h:+2h"]),
        ("a foreign one", ["-V", "-1h:+1h"]),
        (
            "a foreign one with an unknown option",
            ["-O", "critical:nobody@knows=x"],
        ),
        (
            "one for another source",
            ["-O", "source-address=192.0.2.1/32"],
        ),
        ("a host certificate", ["-h", "-q"]),
    ] {
        let _ = fs::remove_file(&file);
        let mut all = vec!["-q", "-s", other.to_str().unwrap(), "-I", "x", "-n", "root"];
        all.extend(arguments);
        all.push(&public_half);
        keygen(&all);
        assert!(file.exists());
        login(why);
    }
    fs::write(&file, "not a certificate\n").unwrap();
    login("a broken file");
    let issued = alice.ca(&["request", "www@web1.prod", "--reason", "look"]);
    assert_eq!(issued.status, 0, "{issued:?}");
    fs::write(&file, &issued.out).unwrap();
    login("one of ours");
}

#[test]
fn an_agent_with_many_keys_gets_in() {
    let site = Site::new();
    let many = site.path("many");
    fs::create_dir(&many).unwrap();
    let agent = many.join("agent");
    let mut running = std::process::Command::new("ssh-agent")
        .args(["-D", "-a", agent.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let add = |key: &std::path::Path| {
        add_to(
            site.alice
                .program("ssh-add")
                .env("SSH_AUTH_SOCK", &agent)
                .arg("-q")
                .arg(key),
        );
    };
    for (n, kind) in ["rsa", "ecdsa", "ed25519", "rsa", "ed25519", "ecdsa"]
        .iter()
        .enumerate()
    {
        let key = many.join(format!("k{n}"));
        keygen(&["-q", "-t", kind, "-N", "", "-f", key.to_str().unwrap()]);
        add(&key);
    }
    add(&site.alice.key());
    let mut command = site.alice.ssh(&[
        "-o",
        "IdentitiesOnly=no",
        "-o",
        "IdentityFile=none",
        "ca",
        "whoami",
    ]);
    let who = command
        .env("SSH_AUTH_SOCK", &agent)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    running.kill().unwrap();
    running.wait().unwrap();
    let err = String::from_utf8_lossy(&who.stderr);
    assert!(
        String::from_utf8_lossy(&who.stdout).contains("alice"),
        "{err}"
    );
}

#[test]
fn promise_27_a_key_that_is_offered_and_not_proven_is_nothing() {
    let site = Site::new();
    // Alice's public key is known to everybody; the private one that lies there is Bob's.
    let stolen = site.path("stolen");
    fs::copy(site.bob.key(), &stolen).unwrap();
    fs::write(
        site.path("stolen.pub"),
        format!("{}\n", public(&site.alice.key())),
    )
    .unwrap();
    let login = |key: &std::path::Path| {
        let known = format!("UserKnownHostsFile={}", site.path("known_hosts").display());
        let port = site.port.to_string();
        let mut command = site.carol.program("ssh");
        command
            .args([
                "-F",
                "none",
                "-o",
                "IdentityAgent=none",
                "-o",
                "IdentitiesOnly=yes",
                "-o",
                "BatchMode=yes",
            ])
            .args(["-o", &known, "-p", &port, "-i"])
            .arg(key)
            .args(["127.0.0.1", "whoami"]);
        let tried = command.stdin(Stdio::null()).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&tried.stdout), "");
        assert_eq!(tried.status.code(), Some(255));
        String::from_utf8_lossy(&tried.stderr).into_owned()
    };
    // The offer of Alice's key is taken, and Bob's signature under it is not.
    let err = login(&stolen);
    assert!(err.contains("Permission denied (publickey)"), "{err}");
    let stranger = site.path("stranger");
    keygen(&[
        "-q",
        "-t",
        "ed25519",
        "-N",
        "",
        "-f",
        stranger.to_str().unwrap(),
    ]);
    let err = login(&stranger);
    assert!(err.contains("Permission denied (publickey)"), "{err}");
}

#[test]
fn whoever_stops_waiting_withdraws() {
    let site = Site::new();
    let nothing = || site.bob.ca(&["pending"]).err.contains("nothing waits");
    let ask = ["ca", "request", "postgres@db1.prod", "--reason", "INC-42"];
    for signal in ["INT", "KILL"] {
        let live = site.alice.live(&ask);
        live.wait_err("waiting for approval … ");
        assert!(!nothing());
        live.signal(signal);
        live.finish();
        until("the request is withdrawn", nothing);
    }
    let mut terminal = vec!["-tt"];
    terminal.extend(ask);
    let mut live = site.alice.live(&terminal);
    live.wait_err("waiting for approval … ");
    live.send(b"\x03");
    let said = live.finish();
    assert_eq!(said.status, 1);
    assert!(said.err.contains("withdrawn\r\n"), "{said:?}");
    assert!(nothing());
}

#[test]
fn an_end_of_standard_input_does_not_withdraw() {
    let site = Site::new();
    let mut live = site
        .alice
        .live(&["ca", "request", "postgres@db1.prod", "--reason", "INC-42"]);
    live.wait_err("waiting for approval … ");
    drop(live.child.stdin.take());
    std::thread::sleep(std::time::Duration::from_millis(300));
    let id = live.err()[8..17].to_owned();
    assert_eq!(site.bob.with(&["-A", "ca", "approve", &id], b"").status, 0);
    assert_eq!(live.finish().status, 0);
}

#[test]
fn exit_statuses_say_what_happened() {
    let site = Site::new();
    let refused = site
        .alice
        .ca(&["request", "root@db1.prod", "--reason", "x"]);
    assert_eq!(refused.status, 1);
    assert!(
        refused
            .err
            .starts_with("refused: no role lets you use root@db1.prod"),
        "{refused:?}"
    );

    let several = site
        .alice
        .ca(&["request", "root@web1.prod", "--reason", "it is down"]);
    assert_eq!(several.status, 2);
    for role in ["web-all", "web-fix"] {
        let line =
            format!("    ssh ca request root@web1.prod --role {role} --reason 'it is down'\n");
        assert!(several.err.contains(&line), "{several:?}");
    }

    let usage = site.alice.ca(&["request", "postgres@db1.prod"]);
    assert_eq!(usage.status, 2);
    assert!(usage.err.contains("Say why:"), "{usage:?}");
    assert_eq!(usage.out, "");

    let live = site
        .alice
        .live(&["ca", "request", "postgres@db1.prod", "--reason", "x"]);
    live.wait_err("waiting for approval … ");
    let id = live.err()[8..17].to_owned();
    let denied = site
        .bob
        .ca(&["deny", &id, "--reason", "not now, it's frozen"]);
    assert_eq!(denied.status, 0, "{denied:?}");
    let told = live.finish();
    assert_eq!(told.status, 3);
    assert!(
        told.err
            .contains("bob denied the request: not now, it's frozen"),
        "{told:?}"
    );
    assert_eq!(told.out, "");

    let waiting = site.alice.ask("postgres@db1.prod");
    let early = site.alice.ca(&["collect", &waiting]);
    assert_eq!(early.status, 1);
    assert!(
        early.err.contains("not granted yet: needs 1 of group sre"),
        "{early:?}"
    );
    let back = site.alice.ca(&["return", &waiting]);
    assert_eq!(back.status, 0, "{back:?}");
    assert!(
        back.err.starts_with(&format!("withdrew {waiting}")),
        "{back:?}"
    );
}

#[test]
fn a_request_that_nobody_answers_expires() {
    let site = Site::new();
    let live = site
        .alice
        .live(&["ca", "request", "postgres@db1.prod", "--reason", "x"]);
    live.wait_err("waiting for approval … ");
    site.clock.step(config::limits::REQUEST_OPEN);
    let told = live.finish();
    assert_eq!(told.status, 4, "{told:?}");
    assert!(told.err.contains("has expired: ask again"), "{told:?}");
    assert_eq!(told.out, "");
}

#[test]
fn break_glass_is_loud_and_at_once() {
    let site = Site::new();
    let taken = site.alice.ca(&[
        "request",
        "postgres@db1.prod",
        "--break-glass",
        "--reason",
        "INC-42 disk full",
    ]);
    assert_eq!(taken.status, 0, "{taken:?}");
    assert!(taken.err.contains("BREAK-GLASS"), "{taken:?}");
    assert!(taken.out.starts_with("ssh-ed25519-cert-v01@openssh.com "));
    let none = site
        .alice
        .ca(&["request", "www@web1.prod", "--break-glass", "--reason", "x"]);
    assert_eq!(none.status, 1);
    assert!(
        none.err.contains("cannot be taken with --break-glass"),
        "{none:?}"
    );
}

#[test]
fn grants_are_returned_and_revoked() {
    let site = Site::new();
    let asked = site
        .alice
        .ca(&["request", "www@web1.prod", "--reason", "x"]);
    let id = asked.err[8..17].to_owned();
    let back = site.alice.ca(&["return", &id]);
    assert_eq!(back.status, 0, "{back:?}");
    let gone = site.alice.ca(&["collect", &id]);
    assert_eq!(gone.status, 1);
    assert!(gone.err.contains("the grant was given back"), "{gone:?}");
    let id = site.alice.ask("postgres@db1.prod");
    assert_eq!(site.bob.with(&["-A", "ca", "approve", &id], b"").status, 0);
    let revoked = site.carol.ca(&["revoke", &id, "--reason", "wrong host"]);
    assert_eq!(revoked.status, 0, "{revoked:?}");
    let gone = site.alice.ca(&["collect", &id]);
    assert!(
        gone.err.contains("carol revoked the grant: wrong host"),
        "{gone:?}"
    );
}

#[test]
fn lists_are_tables_and_json() {
    let site = Site::new();
    let id = site.alice.ask("postgres@db1.prod");
    for (verb, field) in [("whoami", "person"), ("roles", "role"), ("pending", "id")] {
        let said = site.alice.ca(&[verb, "--json"]);
        let value: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        let first = value.get(0).unwrap_or(&value);
        assert!(first.get(field).is_some(), "{verb}: {value}");
    }
    let sessions = site.alice.ca(&["sessions", "--json"]);
    assert_eq!(sessions.out, "[]\n");
    let shown = site.alice.ca(&["show", &id, "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(shown["person"], "alice");
    let page = site.alice.ca(&[]);
    assert_eq!(page.status, 0);
    assert!(
        page.out.contains(&id) && page.out.contains("web-look"),
        "{page:?}"
    );
    let help = site.alice.ca(&["help"]);
    assert!(help.out.contains("Three commands"), "{help:?}");
    let unknown = site.alice.ca(&["aprove", &id]);
    assert_eq!(unknown.status, 2);
    assert!(unknown.err.contains("approve"), "{unknown:?}");
}

#[test]
fn others_see_nothing_of_a_request() {
    let site = Site::new();
    let asked = site
        .alice
        .ca(&["request", "www@web1.prod", "--reason", "x"]);
    let id = asked.err[8..17].to_owned();
    for args in [
        ["show", &id].as_slice(),
        &["collect", &id],
        &["return", &id],
        &["revoke", &id, "--reason", "x"],
    ] {
        let said = site.bob.ca(args);
        assert_ne!(said.status, 0, "{args:?}: {said:?}");
        assert!(
            said.err.contains("there is no request"),
            "{args:?}: {said:?}"
        );
        assert_eq!(said.out, "");
    }
}

#[test]
fn what_ssh_config_prints_is_what_ssh_reads() {
    let site = Site::new();
    let both = site.alice.ca(&["ssh-config"]);
    let config = site.alice.ca(&["ssh-config", "--config"]);
    let known = site.alice.ca(&["ssh-config", "--known-hosts"]);
    assert_eq!(both.out, format!("{}{}", config.out, known.out));
    assert!(both.err.contains(">> ~/.ssh/known_hosts"));
    let file = site.path("new-config");
    fs::write(&file, &config.out).unwrap();
    let read = site
        .alice
        .program("ssh")
        .arg("-F")
        .arg(&file)
        .args(["-G", "ca"])
        .output()
        .unwrap();
    let read = String::from_utf8(read.stdout).unwrap();
    assert!(read.contains(&format!("port {}\n", site.port)), "{read}");
    let hosts = site.path("new-hosts");
    fs::write(&hosts, &known.out).unwrap();
    for name in [
        "db1.prod",
        "web1.prod",
        "[127.0.0.1]:2",
        &format!("[127.0.0.1]:{}", site.port),
    ] {
        keygen(&["-F", name, "-f", hosts.to_str().unwrap()]);
    }
    let mut again = site.alice.program("ssh");
    again
        .arg("-F")
        .arg(&file)
        .args(["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"])
        .arg("-o")
        .arg(format!("UserKnownHostsFile={}", hosts.display()))
        .args(["ca", "whoami"]);
    let again = again.output().unwrap();
    assert!(
        again.status.success(),
        "{}",
        String::from_utf8_lossy(&again.stderr)
    );
}

/// Whoever is shut out hears nothing more, on a connection that they opened before.
#[test]
fn promise_32_a_watch_ends_when_its_person_is_shut_out() {
    let site = Site::new();
    let watching = site.bob.live(&["ca", "pending", "--watch"]);
    until("bob watches", || watching.out().contains("nothing waits"));
    let first = site.alice.ask("postgres@db1.prod");
    until("bob hears of it", || watching.out().contains(&first));
    let said = site
        .carol
        .ca(&["revoke", "--person", "bob", "--reason", "rogue"]);
    assert_eq!(said.status, 0, "{said:?}");
    until("his watch ends", || {
        watching
            .err()
            .contains("your key is not registered any more")
    });
    let second = site.alice.ask("postgres@db1.prod");
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(!watching.out().contains(&second), "{}", watching.out());
}
