//! Keys on a token (`sk-` keys), with OpenSSH's own make-believe token from its regression tests: real keys, real
//! signatures, and a touch that can be left out.

use std::fs;
use std::path::{Path, PathBuf};

use hallpass_tests::process::{self, LIMIT};
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Output, Person, Result, World, keys};
use tempfile::TempDir;

/// What speaks to the token; `cargo xtask test` installs it.
const TOKEN: &str = "/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so";

/// The keys of somebody who has nothing but a token, made before the world that knows them.
struct Keys {
    directory: TempDir,
}

impl Keys {
    fn new() -> Result<Self> {
        if !Path::new(TOKEN).exists() {
            let text = format!("{TOKEN} is missing; `cargo xtask test` installs it");
            return Err(Failure::new(text));
        }
        let directory = tempfile::Builder::new().prefix("hp-").tempdir()?;
        Ok(Self { directory })
    }

    fn make(&self, name: &str, algorithm: &str, more: &[&str]) -> Result<PathBuf> {
        let path = self.directory.path().join(name);
        let mut command = std::process::Command::new("ssh-keygen");
        command
            .args(["-q", "-t", algorithm, "-w", TOKEN, "-N", "", "-f"])
            .arg(&path)
            .args(more);
        process::run(&mut command)?.ok()?;
        Ok(path)
    }
}

/// `[person.NAME]` with this key, in this group.
fn table(name: &str, group: &str, key: &Path) -> Result<String> {
    let line = keys::public_line(key)?;
    Ok(format!(
        "[person.{name}]\ngroups = [\"{group}\"]\nkeys = [\"{line}\"]\n\n"
    ))
}

/// An ssh configuration like Alice's, with another key.
fn config_with(world: &World, key: &Path) -> Result<PathBuf> {
    let alice = world.alice.key();
    let text = fs::read_to_string(world.alice.config())?;
    let text = text.replace(
        &format!("IdentityFile {}", alice.display()),
        &format!(
            "IdentityFile {}\n    SecurityKeyProvider {TOKEN}",
            key.display()
        ),
    );
    assert!(text.contains(TOKEN), "Alice's key stands in:\n{text}");
    let path = key.with_extension("config");
    fs::write(&path, text)?;
    Ok(path)
}

fn ssh(person: &Person, config: &Path, args: &[&str], input: &[u8]) -> Result<Output> {
    let mut command = person.command("ssh")?;
    command
        .env_remove("SSH_AUTH_SOCK")
        .arg("-F")
        .arg(config)
        .args(args);
    process::run_with(&mut command, input)
}

fn goes_in_with(algorithm: &str) -> Result<()> {
    let made = Keys::new()?;
    let key = made.make("dora", algorithm, &[])?;
    let extra = table("dora", "oncall", &key)?;
    let world = World::with(&Setup {
        extra,
        ..Setup::default()
    })?;
    let config = config_with(&world, &key)?;
    let at = world.at_web1();
    ssh(&world.alice, &config, &["ca", "whoami"], b"")?
        .ok()?
        .prints("dora")?;
    let asked = ["ca", "request", &at, "--reason", "INC-42"];
    let given = ssh(&world.alice, &config, &asked, b"")?.ok()?;
    assert!(given.out().starts_with("sk-"), "{given}");
    fs::write(keys::certificate(&key), &given.stdout)?;
    ssh(
        &world.alice,
        &config,
        &["-J", "bastion", &at, "echo touched"],
        b"",
    )?
    .ok()?
    .prints("touched\n")?;
    world.end()
}

#[test]
fn an_ed25519_key_on_a_token_asks_and_goes_in() -> Result<()> {
    goes_in_with("ed25519-sk")
}

#[test]
fn an_ecdsa_key_on_a_token_asks_and_goes_in() -> Result<()> {
    goes_in_with("ecdsa-sk")
}

/// Lets Erin, whose key is this one, approve what Alice asks for.
fn erin_approves(algorithm: &str, more: &[&str]) -> Result<(World, Output)> {
    let made = Keys::new()?;
    let key = made.make("erin", algorithm, more)?;
    let extra = table("erin", "sre", &key)?;
    let world = World::with(&Setup {
        extra,
        ..Setup::default()
    })?;
    let config = config_with(&world, &key)?;
    let asked = world.ask(&world.alice, &world.at_db1(), &[])?;
    let shown = ["ca", "show", &asked.id, "--text"];
    let text = ssh(&world.alice, &config, &shown, b"")?.ok()?.stdout;
    let mut sign = world.alice.command("ssh-keygen")?;
    sign.args(["-Y", "sign", "-n", "approval@hallpass", "-f"])
        .arg(&key)
        .env("SSH_SK_PROVIDER", TOKEN)
        .env_remove("SSH_AUTH_SOCK");
    let signature = process::run_with(&mut sign, &text)?.ok()?.stdout;
    let approve = ["ca", "approve", &asked.id];
    let answer = ssh(&world.alice, &config, &approve, &signature)?;
    if answer.status == 0 {
        asked.live.finish(LIMIT)?.ok()?;
    }
    Ok((world, answer))
}

#[test]
fn promise_31_a_touched_token_approves() -> Result<()> {
    for algorithm in ["ed25519-sk", "ecdsa-sk"] {
        let (world, answer) = erin_approves(algorithm, &[])?;
        answer.ok()?.says("approved")?;
        world.end()?;
    }
    Ok(())
}

#[test]
fn promise_31_a_token_that_nobody_touched_approves_nothing() -> Result<()> {
    let (world, answer) = erin_approves("ed25519-sk", &["-O", "no-touch-required"])?;
    answer.exits(1)?.says("without a touch")?;
    world.end()
}

/// A world in which Dora, whose key this is, may break the glass of one role by the PIN of her token.
fn dora(key: &Path) -> Result<(World, PathBuf)> {
    let role = "[role.proven]\ngroups = [\"oncall\"]\nlogins = [\"owner\"]\ntargets = [\"web1.prod\"]\n\
                approvals = { count = 1, from = \"sre\" }\nbreak-glass = { verify = true }\n";
    let extra = format!("{}{role}", table("dora", "oncall", key)?);
    let world = World::with(&Setup {
        extra,
        ..Setup::default()
    })?;
    let config = config_with(&world, key)?;
    Ok((world, config))
}

/// Dora asks with `--break-glass`, and proves it with this key, by `ssh-keygen`. Gives what `prove` answered.
fn proves(world: &World, config: &Path, key: &Path) -> Result<Output> {
    let at = "owner@web1.prod";
    let asked = [
        "ca",
        "request",
        at,
        "--role",
        "proven",
        "--break-glass",
        "--no-wait",
        "--reason",
        "INC-42",
    ];
    let asked = ssh(&world.alice, config, &asked, b"")?.ok()?;
    let id = asked.clone().says("ca prove")?.out().trim().to_owned();
    ssh(&world.alice, config, &["ca", "collect", &id], b"")?
        .exits(1)?
        .says("prove that it is you")?;
    let text = ssh(&world.alice, config, &["ca", "show", &id, "--text"], b"")?
        .ok()?
        .stdout;
    let pin = world.root().join("pin");
    fs::write(&pin, "#!/bin/sh\necho 1234\n")?;
    fs::set_permissions(&pin, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    let file = world.root().join("proof");
    fs::write(&file, text)?;
    let mut sign = world.alice.command("ssh-keygen")?;
    sign.args(["-Y", "sign", "-n", "break-glass@hallpass", "-f"])
        .arg(key)
        .arg(&file)
        .env("SSH_SK_PROVIDER", TOKEN)
        .env("SSH_ASKPASS", &pin)
        .env("SSH_ASKPASS_REQUIRE", "force")
        .env_remove("SSH_AUTH_SOCK");
    process::run(&mut sign)?.ok()?;
    let signature = fs::read(file.with_extension("sig"))?;
    ssh(&world.alice, config, &["ca", "prove", &id], &signature)
}

#[test]
fn promise_31_break_glass_is_proven_with_the_pin_of_a_token() -> Result<()> {
    for algorithm in ["ed25519-sk", "ecdsa-sk"] {
        let made = Keys::new()?;
        let key = made.make("dora", algorithm, &["-O", "verify-required"])?;
        let (world, config) = dora(&key)?;
        let given = proves(&world, &config, &key)?.ok()?;
        assert!(given.out().starts_with("sk-"), "{given}");
        world.end()?;
    }
    Ok(())
}

#[test]
fn promise_31_a_touch_without_the_pin_proves_nothing() -> Result<()> {
    let made = Keys::new()?;
    let key = made.make("dora", "ed25519-sk", &[])?;
    let (world, config) = dora(&key)?;
    proves(&world, &config, &key)?
        .exits(1)?
        .says("signed without the PIN of the token")?;
    world.end()
}

#[test]
fn who_has_no_token_cannot_break_a_glass_that_wants_one() -> Result<()> {
    let made = Keys::new()?;
    let key = made.make("dora", "ed25519-sk", &[])?;
    let (world, _) = dora(&key)?;
    let at = "owner@web1.prod";
    let asked = [
        "ca",
        "request",
        at,
        "--role",
        "proven",
        "--break-glass",
        "--reason",
        "INC-42",
    ];
    world
        .alice
        .ssh(&asked)?
        .exits(1)?
        .says("you have no key on one")?;
    world.end()
}
