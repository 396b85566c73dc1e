//! What `ssh-audit` says of the doors: of the CA's, and of the bastion's.

use std::path::Path;

use hallpass_tests::{Failure, Output, Result, World, process, programs};

/// What it says of X25519 alone, which clients of before 2024 need: stock OpenSSH 9.2 and `PuTTY` 0.78 know no exchange that is
/// both safe from a quantum computer and known to this side. The policy takes it.
const CLASSICAL: &str = "does not provide protection against post-quantum attacks";

fn audit(port: u16, args: &[&str]) -> Result<Output> {
    let mut command = programs::ssh_audit()?;
    command.args(["--port", &port.to_string(), "--skip-rate-test"]);
    process::run(command.args(args).arg("127.0.0.1"))
}

/// All lines of failures and warnings of the report about one port.
fn complaints(port: u16) -> Result<Vec<String>> {
    let report = audit(port, &["--json"])?.out();
    let report: serde_json::Value =
        serde_json::from_str(&report).map_err(|e| Failure::new(format!("{e} in {report}")))?;
    let mut found = Vec::new();
    let mut offered = 0;
    for part in ["kex", "key", "enc", "mac"] {
        for row in report
            .get(part)
            .and_then(|rows| rows.as_array())
            .into_iter()
            .flatten()
        {
            offered += 1;
            for degree in ["fail", "warn"] {
                let notes = row
                    .pointer(&format!("/notes/{degree}"))
                    .and_then(|notes| notes.as_array());
                let notes = notes.into_iter().flatten().filter_map(|note| note.as_str());
                let name = row
                    .get("algorithm")
                    .and_then(|name| name.as_str())
                    .unwrap_or_default();
                found.extend(notes.map(|note| format!("{name}: {degree}: {note}")));
            }
        }
    }
    assert!(offered > 8, "{report}");
    let known = report.get("cves").and_then(|known| known.as_array());
    assert_eq!(known.map(Vec::len), Some(0), "{report}");
    Ok(found)
}

#[test]
fn ssh_audit_finds_nothing_at_either_door_and_its_hardened_policy_passes() -> Result<()> {
    let world = World::new()?;
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("audit/hardened.policy");
    let policy = policy.to_str().unwrap_or_default();
    for port in [world.ca_port, world.bastion_port] {
        audit(port, &["--policy", policy])?.ok()?.prints("Passed")?;
        let mut complaints = complaints(port)?;
        complaints
            .retain(|line| !(line.starts_with("curve25519-sha256") && line.ends_with(CLASSICAL)));
        assert!(complaints.is_empty(), "{complaints:#?}");
    }
    world.end()
}

#[test]
fn the_policy_is_the_one_that_ssh_audit_brings() -> Result<()> {
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("audit/hardened.policy");
    let python = programs::ssh_audit()?;
    let script = "import sys\n\
        from ssh_audit.builtin_policies import BUILTIN_POLICIES as all\n\
        own = all['Hardened OpenSSH Server v9.9 (version 1)']\n\
        said = dict(l.split(' = ', 1) for l in open(sys.argv[1]).read().splitlines() if ' = ' in l)\n\
        for ours, theirs in (('key exchanges', 'kex'), ('ciphers', 'ciphers'), ('macs', 'macs')):\n    \
            assert said[ours].split(', ') == own[theirs], ours\n\
        print('the same')\n";
    let program = python.get_program().to_owned();
    let mut command = std::process::Command::new(program);
    command.env("PYTHONPATH", programs::SSH_AUDIT.directory());
    process::run(command.args(["-c", script]).arg(policy))?
        .ok()?
        .prints("the same")?;
    Ok(())
}
