//! Who is shut out: sessions end at once, and keys open nothing more.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hallpass_tests::fresh::Fresh;
use hallpass_tests::process::{self, LIMIT};
use hallpass_tests::{Output, Result, keys, programs};

/// A second is promised, and some ten milliseconds is what it takes. Twice the promise is for a busy machine; a
/// bastion that only hears of it when it asks again, after up to five seconds, is found.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Runs a session of Alice's, revokes with these words, and says how the session took it.
fn ends_within_a_second(fresh: &Fresh, words: &[&str]) -> Result<Output> {
    let world = &fresh.world;
    world.take(&world.alice, &fresh.at(), &[])?;
    let mut live =
        world
            .alice
            .ssh_live(&["-J", "bastion", &fresh.at(), "echo started; sleep 600"])?;
    live.wait_out("started", LIMIT)?;
    let args = [&["ca", "revoke", "--reason", "stolen"], words].concat();
    world.carol.ssh(&args)?.ok()?.says("is shut out")?;
    let begin = Instant::now();
    let output = live.finish(LIMIT)?;
    let took = begin.elapsed();
    eprintln!("{words:?} ended the session after {took:?}");
    assert!(took < AT_ONCE, "{words:?} took {took:?}");
    assert_ne!(output.status, 0, "{output}");
    Ok(output)
}

#[test]
fn promise_32_shutting_out_ends_every_session_within_a_second() -> Result<()> {
    let fresh = Fresh::joined()?;
    let world = &fresh.world;
    let key = hallpass_tests::fresh::fingerprint(&keys::public_line(&world.alice.key())?)?;
    let at = fresh.at();
    for words in [
        ["--target", "new1.prod"],
        ["--bastion", "bastion"],
        ["--person", "alice"],
        ["--key", &key],
    ] {
        ends_within_a_second(&fresh, &words)?;
        let asks = ["ca", "request", &at, "--reason", "INC-42"];
        let goes = ["-J", "bastion", &at, "echo in"];
        match words.first().copied().unwrap_or_default() {
            "--target" => drop(
                world
                    .alice
                    .ssh(&asks)?
                    .exits(1)?
                    .says("target new1.prod is shut out")?,
            ),
            "--bastion" => assert_ne!(world.alice.ssh(&goes)?.status, 0),
            _ => drop(
                world
                    .alice
                    .ssh(&asks)?
                    .exits(255)?
                    .says("Permission denied")?,
            ),
        }
        let restore = [&["ca", "restore", "--reason", "found"][..], &words].concat();
        world.alice.ssh(&restore)?;
        world.carol.ssh(&restore)?.ok()?.says("is let in again")?;
        world.take(&world.alice, &at, &[])?;
        let end = Instant::now() + LIMIT;
        while world.alice.ssh(&goes)?.status != 0 {
            assert!(Instant::now() < end, "{words:?} stays shut out");
        }
    }
    fresh.world.end()
}

#[test]
fn a_key_that_is_shut_out_is_refused_wherever_it_was_forgotten() -> Result<()> {
    let mut fresh = Fresh::joined()?;
    // A line in authorized_keys that nobody remembers.
    let forgotten = fresh.directory.path().join("authorized_keys");
    fs::write(&forgotten, keys::public_line(&fresh.world.alice.key())?)?;
    fresh.target.stop();
    let include = format!(
        "Include {}/sshd_config.d/*.conf\nAuthorizedKeysFile {}",
        fresh.etc().display(),
        forgotten.display()
    );
    let nobody = fresh.world.public_of("door")?;
    fresh.target.start(&nobody, &fresh.world.login, &include)?;
    let port = fresh.target.port.to_string();
    let world = &fresh.world;
    let goes = [
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "CertificateFile=none",
        "-p",
        &port,
        "-l",
        &world.login,
        "127.0.0.1",
        "echo in",
    ];
    world.alice.ssh(&goes)?.ok()?.prints("in\n")?;
    let key = hallpass_tests::fresh::fingerprint(&keys::public_line(&world.alice.key())?)?;
    // Everybody shuts out their own key.
    world
        .alice
        .ssh(&["ca", "revoke", "--key", &key, "--reason", "lost laptop"])?
        .ok()?;
    fresh.sync()?.ok()?;
    world
        .alice
        .ssh(&goes)?
        .exits(255)?
        .says("Permission denied")?;
    assert!(
        fresh.target.log().contains(" revoked by file "),
        "{}",
        fresh.target.log()
    );
    fresh.world.end()
}

#[test]
fn the_doors_of_a_bastion_that_is_shut_out_are_refused_by_ssh() -> Result<()> {
    let fresh = Fresh::joined()?;
    let world = &fresh.world;
    world.take(&world.alice, &fresh.at(), &[])?;
    world
        .jump(&[&fresh.at(), "echo in"])?
        .ok()?
        .prints("in\n")?;
    let list = fresh.directory.path().join("hosts");
    let option = format!("RevokedHostKeys={}", list.display());
    let goes = ["-o", &option, "-J", "bastion", &fresh.at(), "echo in"];
    fs::write(
        &list,
        world.bob.ssh(&["ca", "krl", "--hosts"])?.ok()?.stdout,
    )?;
    world.alice.ssh(&goes)?.ok()?.prints("in\n")?;
    world
        .carol
        .ssh(&["ca", "revoke", "--bastion", "bastion", "--reason", "stolen"])?
        .ok()?;
    fs::write(
        &list,
        world.bob.ssh(&["ca", "krl", "--hosts"])?.ok()?.stdout,
    )?;
    is_listed(&list)?;
    let refused = world.alice.ssh(&[
        "-o",
        &option,
        "-p",
        &world.bastion_port.to_string(),
        "bastion",
        "true",
    ])?;
    refused.exits(255)?.says("revoked")?;
    fresh.world.end()
}

fn is_listed(list: &Path) -> Result<()> {
    let mut query = Command::new(programs::find("ssh-keygen")?);
    let shown = process::run(query.args(["-Q", "-l", "-f"]).arg(list))?.ok()?;
    shown.prints("serial: ")?;
    Ok(())
}
