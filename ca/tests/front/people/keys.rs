//! Which of the keys that a client has gets its person in.

use std::fs;
use std::process::Stdio;

use crate::site::{Site, add_to, keygen, new_key, public};

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
    new_key(&other);
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
