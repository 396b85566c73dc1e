//! People and what they type.

mod keys;
mod told;

use std::fs;
use std::process::Stdio;

use crate::site::{Site, keygen, until};

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
