//! What the CA issues, as the real `ssh-keygen` reads it.

use std::fs;

use hallpass_tests::process::LIMIT;
use hallpass_tests::world::Setup;
use hallpass_tests::{Result, World, keys};

/// The lines below a heading of `ssh-keygen -L`, without their indent.
fn below<'a>(shown: &'a str, heading: &str) -> Vec<&'a str> {
    shown
        .lines()
        .skip_while(|line| !line.trim_start().starts_with(heading))
        .skip(1)
        .take_while(|line| line.starts_with("                "))
        .map(str::trim)
        .collect()
}

#[test]
fn promise_24_a_certificate_carries_what_the_role_gives_and_nothing_else() -> Result<()> {
    let world = World::new()?;
    let at = world.at_web1();
    world.take(&world.alice, &at, &["--for", "12h"])?;
    let shown = keys::show(&world.alice.certificate())?;
    assert!(
        shown.contains("Type: ssh-ed25519-cert-v01@openssh.com user certificate"),
        "{shown}"
    );
    assert!(shown.contains("Critical Options: (none)"), "{shown}");
    assert_eq!(below(&shown, "Principals:"), [at.as_str()]);
    assert_eq!(below(&shown, "Extensions:"), ["permit-pty"]);
    // The role gives thirty minutes at most, whatever was asked for; the window begins a little early for clocks.
    let window = window(&world)?;
    assert!((1800..=1860).contains(&window), "{window} s");

    // Narrowed by the person: one command.
    world.take(&world.alice, &at, &["--command", "uptime --pretty"])?;
    let shown = keys::show(&world.alice.certificate())?;
    assert_eq!(
        below(&shown, "Critical Options:"),
        ["force-command uptime --pretty"]
    );
    world
        .jump(&[&at, "echo something else"])?
        .ok()?
        .prints("up ")?;
    world.end()
}

#[test]
fn promise_25_a_certificate_of_some_networks_says_so_and_opens_from_there() -> Result<()> {
    let extra =
        "[role.near]\ngroups = [\"security\"]\nlogins = [\"LOGIN\"]\ntargets = [\"web1.prod\"]\n\
                 sources = [\"127.0.0.0/8\", \"2001:db8::/32\"]\napprovals = { count = 0 }\n"
            .to_owned();
    let world = World::with(&Setup {
        extra,
        ..Setup::default()
    })?;
    let at = world.at_web1();
    world.take(&world.carol, &at, &["--role", "near"])?;
    let shown = keys::show(&world.carol.certificate())?;
    assert_eq!(
        below(&shown, "Critical Options:"),
        ["source-address 127.0.0.0/8,2001:db8::/32"]
    );
    world
        .carol
        .ssh(&["-J", "bastion", &at, "echo near"])?
        .ok()?
        .prints("near")?;
    world.end()
}

#[test]
fn promise_24_nobody_can_drop_a_restriction_of_the_role() -> Result<()> {
    let world = World::new()?;
    let at = world.at_db1();
    world.take(&world.bob, &at, &["--role", "db-disk"])?;
    let shown = keys::show(&world.bob.certificate())?;
    assert_eq!(
        below(&shown, "Critical Options:"),
        ["force-command echo forced; id -un"]
    );
    let asked = world
        .bob
        .ssh(&["ca", "request", &at, "--reason", "more", "--command", "sh"])?;
    if asked.status == 0 {
        world.bob.save_certificate(&asked.stdout)?;
        let shown = keys::show(&world.bob.certificate())?;
        assert_eq!(
            below(&shown, "Critical Options:"),
            ["force-command echo forced; id -un"]
        );
    } else {
        asked.exits(1)?.says("command")?;
    }
    for access in [
        "root,backup@db1.prod",
        "*@db1.prod",
        "@db1.prod",
        "root@*",
        "root@db1.prod,web1.prod",
    ] {
        let output = world
            .alice
            .ssh(&["ca", "request", access, "--reason", "more"])?;
        assert!(matches!(output.status, 1 | 2), "{output}");
        assert_eq!(output.out(), "", "{output}");
    }
    world.end()
}

#[test]
fn promise_24_every_serial_is_used_once() -> Result<()> {
    let world = World::new()?;
    let mut serials = Vec::new();
    for _ in 0..4 {
        world.take(&world.alice, &world.at_web1(), &[])?;
        let shown = keys::show(&world.alice.certificate())?;
        let serial = shown
            .lines()
            .find_map(|line| line.trim().strip_prefix("Serial: "));
        serials.push(
            serial
                .unwrap_or_default()
                .parse::<u64>()
                .unwrap_or_default(),
        );
    }
    assert!(
        serials.is_sorted_by(|a, b| a < b) && serials[0] > 0,
        "{serials:?}"
    );
    world.end()
}

#[test]
fn other_kinds_of_keys_are_certified_too() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut extra = "[person.dave]\ngroups = [\"oncall\"]\nkeys = [".to_owned();
    for bits in ["256", "384", "521"] {
        let key = directory.path().join(bits);
        keys::make_as(&key, bits, &format!("ecdsa-sha2-nistp{bits}"))?;
        let line = keys::public_line(&key)?;
        extra.push_str(&["\"", &line, "\", "].concat());
    }
    extra.push_str("]\n");
    let world = World::with(&Setup {
        extra,
        ..Setup::default()
    })?;
    let at = world.at_web1();
    for bits in ["256", "384", "521"] {
        let key = directory.path().join(bits);
        let identity = format!("IdentityFile={}", key.display());
        let config = world.root().join("dave_config");
        let text = fs::read_to_string(world.alice.config())?;
        let own = format!("IdentityFile {}", world.alice.key().display());
        fs::write(&config, text.replace(&own, &identity.replace('=', " ")))?;
        let config = config.to_str().unwrap_or_default();
        let ssh = |args: &[&str]| {
            let mut command = world.alice.command("ssh")?;
            command
                .arg("-F")
                .arg(config)
                .args(["-o", "IdentityAgent=none"])
                .args(args);
            hallpass_tests::process::run(&mut command)
        };
        let output = ssh(&["ca", "request", &at, "--reason", "another key"])?.ok()?;
        fs::write(keys::certificate(&key), &output.stdout)?;
        let shown = keys::show(&keys::certificate(&key))?;
        assert!(
            shown.contains(&format!(
                "ecdsa-sha2-nistp{bits}-cert-v01@openssh.com user certificate"
            )),
            "{shown}"
        );
        ssh(&["-J", "bastion", &at, "echo in"])?
            .ok()?
            .prints("in\n")?;
    }
    world.wait_finished(3, LIMIT)?;
    world.end()
}

/// How long Alice's certificate is good for, in seconds.
fn window(world: &World) -> Result<u64> {
    let text = fs::read_to_string(world.alice.certificate())?;
    let certificate = ssh_key::Certificate::from_openssh(text.trim())
        .map_err(|error| hallpass_tests::Failure::new(error.to_string()))?;
    Ok(certificate.valid_before() - certificate.valid_after())
}
