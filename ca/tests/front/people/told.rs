//! What people are told: exit statuses, lists, and what their ssh reads.

use std::fs;

use crate::site::{Site, keygen};

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
