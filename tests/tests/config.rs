//! Promise 44: what cannot be meant refuses the start, with file, line and a hint.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use hallpass_tests::process;
use hallpass_tests::world::Setup;
use hallpass_tests::{Result, World};

/// A change to a good configuration, and what is said about it.
const WRONG: &[(&str, &str, &str)] = &[
    (
        "longest = \"30m\"",
        "longst = \"30m\"",
        "unknown field `longst`",
    ),
    (
        "longest = \"30m\"",
        "longest = \"30 minutes\"",
        "is not a duration",
    ),
    ("longest = \"30m\"", "longest = \"13h\"", "is not between"),
    (
        "groups = [\"oncall\"]\nlogins",
        "groups = []\nlogins",
        "groups is empty",
    ),
    (
        "logins = [\"LOGIN\", \"backup\"]",
        "logins = []",
        "logins is empty",
    ),
    (
        "logins = [\"LOGIN\", \"backup\"]",
        "logins = [\"a,b\"]",
        "a,b",
    ),
    ("logins = [\"LOGIN\", \"backup\"]", "logins = [\"*\"]", "*"),
    (
        "targets = [\"db1.prod\"]",
        "targets = [\"db9.prod\"]",
        "there is no target db9.prod",
    ),
    (
        "targets = [\"db1.prod\"]",
        "targets = []",
        "targets is empty",
    ),
    (
        "from = \"sre\"",
        "from = \"nobody\"",
        "nobody is in group nobody",
    ),
    ("count = 1", "count = 3", "could never get 3 approvals"),
    (
        "host = \"ca\"",
        "host = \"any\"",
        "this is not a public key",
    ),
    ("[role.web-look]", "[role.db-oncall]", "duplicate"),
    (
        "command = \"echo forced; id -un\"",
        "command = \"\"",
        "the command is empty",
    ),
    (
        "[role.web-look]",
        "[role.web-look]\nchannels = [\"tun\"]",
        "channel \"tun\" cannot be recorded",
    ),
    (
        "[role.web-look]",
        "[role.web-look]\nchannels = [\"x11\"]",
        "a display without a session that uses it",
    ),
    (
        "longest = \"30m\"\napprovals = { count = 0 }",
        "break-glass = true\napprovals = { count = 0 }",
        "needs no approval",
    ),
];

#[test]
fn promise_44_what_cannot_be_meant_refuses_the_start() -> Result<()> {
    let world = World::lay_out(&Setup::default())?;
    let good = fs::read_to_string(world.config())?;
    for (from, to, why) in WRONG {
        let (from, to) = (
            from.replace("LOGIN", &world.login),
            to.replace("LOGIN", &world.login),
        );
        let bad = good.replacen(&from, &to, 1);
        assert_ne!(bad, good, "{from:?} does not stand in the configuration");
        fs::write(world.config(), &bad)?;
        for command in ["check", "ca", "bastion"] {
            let output = process::run(&mut world.hallpass_command(&[command])?)?;
            assert_ne!(output.status, 0, "{to:?}: {output}");
            let line = format!("{}:", world.config().display());
            output.says(&line)?.says(why)?.says("hint: ")?;
        }
    }
    fs::write(world.config(), &good)?;
    world.hallpass(&["check"])?.ok()?;
    world.end_damaged();
    Ok(())
}

#[test]
fn promise_44_the_line_is_the_right_one() -> Result<()> {
    let world = World::lay_out(&Setup::default())?;
    let good = fs::read_to_string(world.config())?;
    let bad = good.replace(
        "approvals = { count = 1, from = \"sre\" }",
        "approvals = { count = 0, from = \"sre\" }",
    );
    let line = bad
        .lines()
        .position(|line| line.contains("count = 0, from"))
        .map_or(0, |at| at + 1);
    fs::write(world.config(), &bad)?;
    world
        .hallpass(&["check"])?
        .exits(1)?
        .says(&format!("hallpass.toml:{line}: "))?;
    world.end_damaged();
    Ok(())
}

#[test]
fn promise_44_a_key_file_that_others_can_read_refuses_the_start() -> Result<()> {
    let world = World::lay_out(&Setup::default())?;
    for name in ["user", "session", "host", "door", "log", "identity"] {
        let key = world.ca_key(name);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640))?;
        for command in ["check", "ca"] {
            let output = world.hallpass(&[command])?;
            assert_ne!(output.status, 0, "{name}: {output}");
            output.says(&key.display().to_string())?.says("chmod 600")?;
        }
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
    }
    fs::set_permissions(world.bastion_key(), fs::Permissions::from_mode(0o644))?;
    let output = world.hallpass(&["bastion"])?;
    assert_ne!(output.status, 0, "{output}");
    output
        .says(&world.bastion_key().display().to_string())?
        .says("chmod 600")?;
    world.end_damaged();
    Ok(())
}

#[test]
fn init_leaves_an_existing_directory_alone() -> Result<()> {
    let world = World::lay_out(&Setup::default())?;
    let before = fs::read(world.ca_key("user"))?;
    let site = world.root().join("site");
    let mut init = world.hallpass_command(&["init"])?;
    let output = process::run(init.arg(&site))?;
    assert_ne!(output.status, 0, "{output}");
    output.says("exists")?;
    assert!(
        fs::read(world.ca_key("user"))? == before,
        "the key is another one now"
    );
    for name in ["user", "session", "host", "door", "log", "identity"] {
        let mode = fs::metadata(world.ca_key(name))?.permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
    }
    world.end_damaged();
    Ok(())
}
