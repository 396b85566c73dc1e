//! The policy, where people meet it: hours, grants at once, and commands that nobody has to approve.

use std::fs;

use hallpass_tests::process::LIMIT;
use hallpass_tests::world::Setup;
use hallpass_tests::{Result, World};

/// Roles of Alice's on `web1.prod` and `db1.prod`, beside those of the usual world.
const ROLES: &str = r#"
[role.web-never]
groups = ["oncall"]
logins = ["never"]
targets = ["web1.prod"]
approvals = { count = 0 }
hours = { zone = "Pacific/Auckland", days = ["DAY"], from = "08:00", to = "08:01" }

[role.web-one]
groups = ["oncall"]
logins = ["one"]
targets = ["web1.prod"]
approvals = { count = 0 }
live = 1

[role.db-fix]
groups = ["oncall"]
logins = ["LOGIN"]
targets = ["db1.prod"]
approvals = { count = 0 }
commands = [["echo", "fixed", "{what}"]]
"#;

fn world() -> Result<World> {
    // A day on which the window is closed now, wherever the day is just changing.
    let now = std::process::Command::new("date")
        .args(["-u", "-d", "3 days", "+%a"])
        .output()?;
    let day = String::from_utf8_lossy(&now.stdout).trim().to_lowercase();
    World::with(&Setup {
        extra: ROLES.replace("DAY", &day),
        ..Setup::default()
    })
}

#[test]
fn outside_of_its_hours_a_role_says_when_it_is_given_next() -> Result<()> {
    let world = world()?;
    let ask = ["ca", "request", "never@web1.prod", "--reason", "too early"];
    let refused = world.alice.ssh(&ask)?.exits(1)?;
    let said = refused.err();
    assert!(
        said.contains("08:00-08:01 Pacific/Auckland only, next from "),
        "{said}"
    );
    assert!(!said.contains("request "), "nothing was taken: {said}");
    let log = fs::read_to_string(world.log().join("entries"))?;
    assert!(!log.contains("too early"), "{log}");
    world
        .alice
        .ssh(&["ca", "roles"])?
        .ok()?
        .prints("08:00-08:01 Pacific/Auckland")?;
    world.end()
}

#[test]
fn one_grant_at_once_is_one() -> Result<()> {
    let world = world()?;
    let id = world.take(&world.alice, "one@web1.prod", &[])?;
    let again = ["ca", "request", "one@web1.prod", "--reason", "another"];
    let no = "alice has 1 grant of role web-one running, and it gives no more at once: give one back first";
    world.alice.ssh(&again)?.exits(1)?.says(no)?;
    world.alice.ssh(&["ca", "return", &id])?.ok()?;
    world.alice.ssh(&again)?.ok()?;
    world.end()
}

/// The certificate of a command that nobody approved runs that command, whatever is asked of the bastion.
#[test]
fn a_command_of_the_list_runs_and_nothing_else() -> Result<()> {
    let world = world()?;
    let at = world.at_db1();
    world.take(&world.alice, &at, &["--command", "echo fixed disk-2"])?;
    for more in [&[][..], &["id"], &["echo fixed disk-2; id"]] {
        let output = world.jump(&[&[at.as_str()], more].concat())?.ok()?;
        assert_eq!(output.out().trim(), "fixed disk-2", "{output}");
    }
    world.wait_finished(3, LIMIT)?;
    // Anything that a shell could read otherwise waits for an approval, under the role that needs one.
    for other in [
        "echo fixed disk-2;id",
        "echo fixed $(id)",
        "echo broken disk-2",
        "echo fixed -n",
    ] {
        let asked = world.ask(&world.alice, &at, &["--no-wait", "--command", other])?;
        let err = asked.live.finish(LIMIT)?.err();
        assert!(
            err.contains("role db-oncall, needs 1 of group sre"),
            "{other}: {err}"
        );
    }
    let fix = [
        "ca", "request", &at, "--role", "db-fix", "--reason", "a shell",
    ];
    world
        .alice
        .ssh(&fix)?
        .exits(1)?
        .says("role db-fix is only for these commands: ask with --command echo fixed {what}")?;
    world.end()
}

#[test]
fn a_policy_is_explained_and_held_against_expectations() -> Result<()> {
    let world = world()?;
    let at = world.at_db1();
    let explain = [
        "policy",
        "explain",
        "alice",
        &at,
        "--command",
        "echo fixed it",
    ];
    let output = world.hallpass(&explain)?.ok()?;
    let output = output.prints("under role db-fix: granted until ")?;
    let line = fs::read_to_string(world.config())?;
    let line = line.lines().position(|line| line.contains("{what}"));
    let place = format!(
        "hallpass.toml:{}): granted",
        line.map_or(0, |line| line + 1)
    );
    output.prints(&place)?;
    let file = world.root().join("expectations.toml");
    let path = file.display().to_string();
    let case = format!("[[case]]\nperson = \"alice\"\naccess = \"{at}\"\nrole = \"db-oncall\"\n");
    let good = format!(
        "{case}expect = \"needs\"\nwhy = \"1 of group sre\"\n\n{case}approved-by = [\"bob\"]\nexpect = \"granted\"\n"
    );
    fs::write(&file, &good)?;
    world
        .hallpass(&["policy", "test", &path])?
        .ok()?
        .prints("good: 2 expectations")?;
    fs::write(&file, good.replace("\"bob\"", "\"alice\""))?;
    let failed = world.hallpass(&["policy", "test", &path])?.exits(1)?;
    failed.prints(&format!(
        "{path}:8: alice for {at}: needs 1 of group sre (bob or carol)"
    ))?;
    fs::write(&file, good.replace("expect", "expects"))?;
    world
        .hallpass(&["policy", "test", &path])?
        .exits(1)?
        .says("unknown field `expects`")?;
    world.end()
}

/// A program that says that Alice is in `night`, and a role that only they have.
fn night(world: &std::path::Path) -> Result<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let program = world.join("groups");
    let said = r#"{"version":1,"groups":{"night":["alice"]}}"#;
    fs::write(&program, format!("#!/bin/sh\necho '{said}'\n"))?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700))?;
    Ok(format!(
        "[groups]\ncommand = [\"{}\"]\nnames = [\"night\"]\n\n[role.night]\ngroups = [\"night\"]\nlogins = [\"night\"]\n\
         targets = [\"web1.prod\"]\napprovals = {{ count = 0 }}\n",
        program.display()
    ))
}

#[test]
fn an_explanation_can_rest_on_the_log_and_on_programs() -> Result<()> {
    let programs = tempfile::tempdir()?;
    let extra = format!("{ROLES}\n{}", night(programs.path())?).replace("DAY", "mon");
    let world = World::with(&Setup {
        extra,
        ..Setup::default()
    })?;
    let explain = |world: &World, more: &[&str]| {
        let args = [&["policy", "explain", "alice"][..], more].concat();
        world.hallpass(&args)?.ok()
    };
    // Who is in a program's group nobody knows who does not ask it.
    let unasked = explain(&world, &["night@web1.prod"])?;
    unasked
        .prints("refused: no role lets you use night@web1.prod")?
        .prints("note: who is in night is said by a program that was not asked")?;
    explain(&world, &["night@web1.prod", "--try"])?.prints("under role night: granted until")?;
    // The CA has asked it, and what it heard stands in the log.
    let end = std::time::Instant::now() + LIMIT;
    while !fs::read_to_string(world.log().join("entries"))?.contains("\"groups\"") {
        assert!(std::time::Instant::now() < end, "the CA asks its program");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    explain(&world, &["night@web1.prod", "--log"])?.prints("under role night: granted until")?;

    let one = "one@web1.prod";
    explain(&world, &[one])?.prints("note: what alice did before was not looked up")?;
    explain(&world, &[one, "--log"])?.prints("under role web-one: granted until")?;
    let ask = ["ca", "request", one, "--reason", "the only one"];
    world.alice.ssh(&ask)?.ok()?;
    explain(&world, &[one, "--log"])?.prints("alice has 1 grant of role web-one running")?;
    let later = "2030-01-01T00:00:00Z";
    explain(&world, &[one, "--log", "--at", later])?.prints("web-one: granted until 2030")?;
    let mistyped = ["policy", "explain", "alice", one, "--running", "web-three"];
    world
        .hallpass(&mistyped)?
        .exits(1)?
        .says("there is no role web-three")?;
    world.end()
}
