//! The CA's keys outside of its own files: in a real ssh-agent, a real PKCS#11 token, and an encrypted file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use hallpass_tests::process::{self, LIMIT, Service};
use hallpass_tests::world::Setup;
use hallpass_tests::{Live, Result, World, keys, programs, ring};

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// A token with an Ed25519 key `host` and a P-256 key `session`.
fn token(world: &mut World) -> Result<()> {
    let dir = world.root().join("tokens");
    fs::create_dir_all(&dir)?;
    let conf = world.root().join("softhsm2.conf");
    fs::write(&conf, format!("directories.tokendir = {}\n", dir.display()))?;
    let conf = conf.to_string_lossy().into_owned();
    let mut made = Command::new(programs::find("softhsm2-util")?);
    made.args([
        "--init-token",
        "--free",
        "--label",
        "hallpass",
        "--pin",
        "4321",
        "--so-pin",
        "9999",
    ]);
    process::run(made.env("SOFTHSM2_CONF", &conf))?.ok()?;
    for (label, kind) in [("host", "EC:edwards25519"), ("session", "EC:prime256v1")] {
        let mut made = Command::new(programs::find("pkcs11-tool")?);
        made.args([
            "--module",
            MODULE,
            "--token-label",
            "hallpass",
            "--login",
            "--pin",
            "4321",
        ])
        .args(["--keypairgen", "--key-type", kind, "--label", label]);
        process::run(made.env("SOFTHSM2_CONF", &conf))?.ok()?;
    }
    world.set_env("SOFTHSM2_CONF", &conf);
    Ok(())
}

/// The user CA's key moves into an agent, which holds it alone from then on.
fn agent(world: &World) -> Result<Service> {
    let socket = world.root().join("signer");
    // What an agent leaves behind that was killed would keep the next one from its place.
    let _ = fs::remove_file(&socket);
    let mut command = Command::new(programs::find("ssh-agent")?);
    command.arg("-D").arg("-a").arg(&socket);
    let agent = Service::start("ssh-agent", &mut command, &world.root().join("signer.log"))?;
    let mut tries = 0;
    loop {
        let mut add = Command::new(programs::find("ssh-add")?);
        add.arg("-q")
            .arg(saved(world))
            .env("SSH_AUTH_SOCK", &socket);
        match process::run(&mut add)?.ok() {
            Err(failure) if tries == 100 => return Err(failure),
            Err(_) => tries += 1,
            Ok(_) => return Ok(agent),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn saved(world: &World) -> PathBuf {
    world.root().join("saved")
}

/// The world's configuration, with these tables instead of the CA's files, and its targets told of the new keys.
fn laid_out() -> Result<(World, Service)> {
    let mut world = World::lay_out(&Setup::default())?;
    token(&mut world)?;
    let public = world.public_of("user")?;
    fs::rename(world.ca_key("user"), saved(&world))?;
    let agent = agent(&world)?;
    // A P-256 key under a passphrase, which a systemd credential brings.
    let door = world.ca_key("door");
    for old in [door.clone(), keys::public(&door)] {
        fs::remove_file(old)?;
    }
    keys::make_as(&door, "door", "ecdsa")?;
    let mut locked = Command::new(programs::find("ssh-keygen")?);
    locked
        .args(["-q", "-p", "-P", "", "-N", "open sesame", "-f"])
        .arg(&door);
    process::run(&mut locked)?.ok()?;
    fs::set_permissions(&door, fs::Permissions::from_mode(0o600))?;
    let credentials = world.root().join("credentials");
    fs::create_dir(&credentials)?;
    fs::write(credentials.join("door"), "open sesame\n")?;
    fs::write(credentials.join("pin"), "4321")?;
    world.set_env("CREDENTIALS_DIRECTORY", &credentials.to_string_lossy());
    let mut text = fs::read_to_string(world.config())?;
    let tables = format!(
        "\n[ca.key.user]\nagent = \"{}\"\npublic = \"{public}\"\n\
         [ca.key.door]\nfile = \"{}\"\npassphrase = \"credential:door\"\n",
        world.root().join("signer").display(),
        door.display()
    );
    text.push_str(&tables);
    for name in ["host", "session"] {
        let tables = format!(
            "[ca.key.{name}]\npkcs11 = \"{MODULE}\"\ntoken = \"hallpass\"\nlabel = \"{name}\"\npin = \"credential:pin\"\n"
        );
        text.push_str(&tables);
    }
    fs::write(world.config(), text)?;
    world.hallpass(&["check"])?.ok()?;
    certify(&mut world)?;
    Ok((world, agent))
}

/// The targets hear of the session CA and get a certificate of the host CA, both of the token.
fn certify(world: &mut World) -> Result<()> {
    let public = keys::public(&world.db1.host_key());
    let public = public.to_string_lossy();
    let line = world
        .hallpass(&["target", "certify", "db1.prod", &public])?
        .ok()?;
    fs::write(keys::certificate(&world.db1.host_key()), line.stdout)?;
    let setup = world
        .hallpass(&["target", "setup", "web1.prod"])?
        .ok()?
        .out();
    let mut keys = setup.lines();
    let ca = keys.find(|line| line.starts_with("ecdsa-sha2-nistp256 "));
    let (ca, login) = (ca.unwrap_or_default().to_owned(), world.login.clone());
    for target in [&mut world.db1, &mut world.web1] {
        target.stop();
        target.start(&ca, &login, "")?;
    }
    Ok(())
}

#[test]
fn a_day_with_keys_in_hardware() -> Result<()> {
    let (mut world, agent) = laid_out()?;
    world.start_ca()?;
    world.start_bastion()?;
    for person in [&world.alice, &world.bob] {
        world.introduce(person)?;
    }
    let at = world.at_db1();
    let id = world.grant(&world.alice, &at, &[])?;
    let shown = keys::show(&world.alice.certificate())?;
    assert!(shown.contains("Signing CA: ED25519 "), "{shown}");
    world.jump(&[&at, "echo in"])?.ok()?.prints("in\n")?;
    assert!(
        world.db1.log().contains("CA ECDSA SHA256:"),
        "{}",
        world.db1.log()
    );

    // The agent dies: nothing is signed, and whoever asks is told so. It comes back: the same certificate.
    let first = fs::read(world.alice.certificate())?;
    drop(agent);
    world
        .alice
        .ssh(&["ca", "collect", &id])?
        .exits(5)?
        .says("its signing key does not answer")?;
    let _agent = self::agent(&world)?;
    let again = world.alice.ssh(&["ca", "collect", &id])?.ok()?;
    assert_eq!(again.stdout, first);
    world.end()
}

#[test]
fn promise_44_a_key_that_is_not_there_stops_the_start() -> Result<()> {
    let (world, agent) = laid_out()?;
    drop(agent);
    world
        .hallpass(&["check"])?
        .exits(1)?
        .says("the user key: the ssh-agent at ")?;
    let _agent = self::agent(&world)?;
    let pin = world.root().join("credentials/pin");
    fs::write(&pin, "1111")?;
    world
        .hallpass(&["check"])?
        .exits(1)?
        .says("the PIN is wrong")?;
    fs::remove_file(&pin)?;
    world
        .hallpass(&["check"])?
        .exits(1)?
        .says("there is no credential pin")?;
    fs::write(&pin, "4321\n")?;
    let door = world.root().join("credentials/door");
    fs::write(&door, "open barley\n")?;
    world
        .hallpass(&["check"])?
        .exits(1)?
        .says("it does not open the key")?;
    fs::write(&door, "open sesame")?;
    world.hallpass(&["check"])?.ok()?;
    world.end()
}

/// Puts a table in the place of another one in the configuration.
fn edit(world: &World, from: &str, to: &str) -> Result<()> {
    let text = fs::read_to_string(world.config())?;
    assert!(text.contains(from), "{from} stands in:\n{text}");
    Ok(fs::write(world.config(), text.replacen(from, to, 1))?)
}

/// A key that is not a file of ours follows another one by two edits of the configuration; one under a passphrase by the
/// same commands as a plain one.
#[test]
fn keys_in_an_agent_a_token_and_under_a_passphrase_follow_one_another() -> Result<()> {
    let (mut world, _agent) = laid_out()?;
    world.start_ca()?;
    world.start_bastion()?;
    world.introduce(&world.alice)?;
    let at = world.at_web1();
    world.take(&world.alice, &at, &[])?;
    world.jump(&[&at, "echo in"])?.ok()?.prints("in\n")?;

    // The agent.
    let refused = world.hallpass(&["keys", "rotate", "user"])?.exits(1)?;
    refused.says("name it in [ca.key.user.next]")?;
    let second = world.root().join("second");
    keys::make(&second, "second")?;
    let socket = world.root().join("signer");
    let mut add = Command::new(programs::find("ssh-add")?);
    add.arg("-q").arg(&second).env("SSH_AUTH_SOCK", &socket);
    process::run(&mut add)?.ok()?;
    let line = keys::public_line(&second)?;
    let table = format!("agent = \"{}\"\npublic = \"{line}\"\n", socket.display());
    let own = format!("agent = \"{}\"\npublic = ", socket.display());
    let next = format!("[ca.key.user.next]\n{table}[ca.key.door]\n");
    edit(&world, "[ca.key.door]\n", &next)?;
    ring::reload(&mut world, "user", &["current", "announced"])?;
    edit(&world, &next, "[ca.key.door]\n")?;
    let before = fs::read_to_string(world.config())?;
    let before = before.lines().find(|line| line.starts_with("public = "));
    let before = before.unwrap_or_default().to_owned();
    edit(
        &world,
        &format!("{own}{}", before.trim_start_matches("public = ")),
        table.trim_end(),
    )?;
    ring::reload(&mut world, "user", &["old", "current"])?;
    // Who is inside by the old one stays so, and who comes now has one of the new.
    world.jump(&[&at, "echo still"])?.ok()?.prints("still\n")?;
    world.take(&world.alice, &at, &[])?;
    let shown = keys::show(&world.alice.certificate())?;
    assert!(shown.contains(&keys::fingerprint(&second)?), "{shown}");
    world.jump(&[&at, "echo new"])?.ok()?.prints("new\n")?;

    // The token: another key under another label. The first of each was of the world's making.
    let conf = world.root().join("softhsm2.conf");
    let mut made = Command::new(programs::find("pkcs11-tool")?);
    made.args(["--module", MODULE, "--token-label", "hallpass", "--login"])
        .args(["--pin", "4321", "--keypairgen", "--key-type"])
        .args(["EC:edwards25519", "--label", "host-2"])
        .env("SOFTHSM2_CONF", &conf);
    process::run(&mut made)?.ok()?;
    let token = |label: &str| {
        format!(
            "pkcs11 = \"{MODULE}\"\ntoken = \"hallpass\"\nlabel = \"{label}\"\npin = \"credential:pin\"\n"
        )
    };
    let (host, host_2) = (token("host"), token("host-2"));
    edit(
        &world,
        &host,
        &format!("{host}[ca.key.host.next]\n{host_2}"),
    )?;
    ring::reload(&mut world, "host", &["old", "current", "announced"])?;
    edit(
        &world,
        &format!("{host}[ca.key.host.next]\n{host_2}"),
        &host_2,
    )?;
    ring::reload(&mut world, "host", &["old", "old", "current"])?;
    let db1 = world.at_db1();
    world.grant(&world.alice, &db1, &[])?;
    // Its certificate is of the host CA's key before, which is believed until it has run out.
    world.jump(&[&db1, "echo in"])?.ok()?.prints("in\n")?;

    // The file under a passphrase, which a credential brings.
    world.hallpass(&["keys", "rotate", "door"])?.ok()?;
    ring::reload(&mut world, "door", &["old", "current", "announced"])?;
    world.hallpass(&["keys", "switch", "door"])?.ok()?;
    ring::reload(&mut world, "door", &["old", "old", "current"])?;
    let mut open = Command::new(programs::find("ssh-keygen")?);
    open.args(["-y", "-P", "open sesame", "-f"])
        .arg(world.ca_key("door"));
    process::run(&mut open)?.ok()?;
    world.introduce(&world.alice)?;
    world.jump(&[&db1, "echo in"])?.ok()?.prints("in\n")?;
    world.end()
}

/// What somebody types is asked for on the terminal, shown nowhere, and wrong once is wrong.
#[test]
fn a_passphrase_is_typed_where_nobody_sees_it() -> Result<()> {
    let mut world = World::lay_out(&Setup::default())?;
    let user = world.ca_key("user");
    let mut locked = Command::new(programs::find("ssh-keygen")?);
    locked
        .args(["-q", "-p", "-P", "", "-N", "open sesame", "-f"])
        .arg(&user);
    process::run(&mut locked)?.ok()?;
    let tables = format!(
        "\n[ca.key.user]\nfile = \"{}\"\npassphrase = \"prompt\"\n",
        user.display()
    );
    let text = fs::read_to_string(world.config())? + &tables;
    fs::write(world.config(), text)?;
    world.hallpass(&["check"])?.ok()?;
    let typed = |world: &World, args: &[&str], words: &str| -> Result<Live> {
        let command = process::in_terminal(&world.hallpass_command(args)?)?;
        let mut live = Live::start(&mut { command })?;
        live.wait_out(&format!("passphrase of {}: ", user.display()), LIMIT)?;
        live.send(format!("{words}\n"))?;
        Ok(live)
    };
    // Without a terminal there is nobody to ask.
    let mut alone = Command::new(programs::find("setsid")?);
    let serve = world.hallpass_command(&["ca"])?;
    alone
        .arg("-w")
        .arg(serve.get_program())
        .args(serve.get_args());
    let nobody = process::run(&mut alone)?;
    nobody.exits(1)?.says("no terminal to ask for it on")?;

    let wrong = typed(&world, &["ca"], "open barley")?.finish(LIMIT)?;
    let wrong = wrong.exits(1)?.prints("it does not open the key")?;
    assert!(!wrong.out().contains("barley"), "{wrong}");
    let wrong = typed(&world, &["keys", "rotate", "user"], "open barley")?.finish(LIMIT)?;
    wrong.exits(1)?.prints("it does not open the key")?;
    let next = world.ca_key("user.next");
    assert!(!next.exists(), "nobody could open it");

    let made = typed(&world, &["keys", "rotate", "user"], "open sesame")?.finish(LIMIT)?;
    let made = made.ok()?.prints("start the CA again where it can ask")?;
    assert!(!made.out().contains("sesame"), "{made}");
    let mut open = Command::new(programs::find("ssh-keygen")?);
    open.args(["-y", "-P", "open sesame", "-f"]).arg(&next);
    process::run(&mut open)?.ok()?;

    // It asks for each of the two, and then it serves.
    let mut ca = typed(&world, &["ca"], "open sesame")?;
    ca.wait_out(&format!("passphrase of {}: ", next.display()), LIMIT)?;
    ca.send("open sesame\n")?;
    hallpass_tests::ports::wait_for(world.ca_port, LIMIT)?;
    assert!(!ca.out().contains("sesame"), "{}", ca.out());
    ring::wait(&world, "user", &["current", "announced"])?;
    drop(ca);
    world.kill_ca();
    world.end()
}
