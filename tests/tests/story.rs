//! The day of the README, from the request at night to the review in the morning.

use std::fs;
use std::process::Command;
use std::time::Duration;

use hallpass_tests::process::{self, LIMIT};
use hallpass_tests::{Result, World, access, keys, programs};

#[test]
fn a_day_with_it() -> Result<()> {
    let world = World::new()?;
    let at = world.at_db1();
    let (alice, bob, carol) = (&world.alice, &world.bob, &world.carol);

    // On call, 03:12. The request waits, and says for whom.
    let mut asked = world.ask(alice, &at, &["--for", "15m"])?;
    asked.live.wait_err("waiting for approval", LIMIT)?;
    assert!(
        asked
            .live
            .err()
            .contains("role db-oncall, needs 1 of group sre (bob or carol)"),
        "{}",
        asked.live.err()
    );

    // Nobody approves themselves; whoever approves sees what it is about.
    alice
        .ssh(&["-A", "ca", "approve", &asked.id])?
        .exits(1)?
        .says("nobody approves their own request")?;
    bob.ssh(&["ca", "pending"])?.ok()?.prints(&asked.id)?;
    bob.ssh(&["-A", "ca", "approve", &asked.id])?.ok()?;

    // The certificate alone is on standard output, for `> ~/.ssh/id_ed25519-cert.pub`.
    let output = asked.live.finish(LIMIT)?.ok()?.says("approved by bob")?;
    assert_eq!(output.out().lines().count(), 1, "{output}");
    alice.save_certificate(&output.stdout)?;
    let shown = keys::show(&alice.certificate())?;
    assert!(shown.contains("user certificate"), "{shown}");
    assert!(
        shown.contains(&format!("                {at}\n")),
        "{shown}"
    );

    // Through the bastion, with a terminal, and the exit status comes back.
    let mut live = alice.ssh_live(&["-tt", "-J", "bastion", &at])?;
    live.send("echo \"i am $(id -un)\"; exit 7\n")?;
    live.wait_out(&format!("i am {}", world.login), LIMIT)?;
    live.finish(LIMIT)?.exits(7)?;

    // Another login on the same machine was not asked for.
    let refused = alice.ssh(&["-J", "bastion", "backup@db1.prod", "id"])?;
    assert_ne!(refused.status, 0, "{refused}");
    assert_eq!(refused.out(), "", "{refused}");
    let logins = world.db1.logins();
    assert_eq!(logins, 1, "the target has seen one login, the allowed one");

    // Nobody awake: in at once, and everybody can see it.
    let glass = [
        "ca",
        "request",
        &at,
        "--break-glass",
        "--reason",
        "INC-43 disk full",
    ];
    let output = alice.ssh(&glass)?.ok()?;
    let id = access::request_id(&output.err())?;
    alice.save_certificate(&output.stdout)?;
    alice
        .ssh(&["-J", "bastion", &at, "echo fixed"])?
        .ok()?
        .prints("fixed\n")?;
    bob.ssh(&["ca", "show", &id])?
        .ok()?
        .prints("INC-43 disk full")?;

    // The reviewer, next morning.
    let recordings = world.wait_finished(2, LIMIT)?;
    carol
        .ssh(&["ca", "sessions", "--target", "db1.prod"])?
        .ok()?
        .prints("alice")?;
    carol
        .ssh(&["ca", "sessions", "--target", "web1.prod"])?
        .ok()?;
    for recording in &recordings {
        // Stock tools read the recording: zstd its frames, asciinema what is exported.
        let path = recording.to_str().unwrap_or_default();
        let mut zstd = Command::new(programs::find("zstd")?);
        let cast = process::run(zstd.arg("-dc").arg(path))?.ok()?;
        assert!(cast.out().starts_with("{\"version\":3"), "{cast}");
        let exported = world.hallpass(&["export", "--format", "v2", path])?.ok()?;
        let file = world.root().join("exported.cast");
        fs::write(&file, &exported.stdout)?;
        let mut asciinema = Command::new(programs::find("asciinema")?);
        process::run(&mut process::in_terminal(asciinema.arg("cat").arg(&file))?)?.ok()?;
        world.hallpass(&["export", "--format", "txt", path])?.ok()?;
    }
    world
        .hallpass(&["verify", recordings[0].to_str().unwrap_or_default()])?
        .ok()?;

    // One changed byte is found and named.
    let bytes = fs::read(&recordings[0])?;
    let mut changed = bytes.clone();
    changed[bytes.len() / 2] ^= 1;
    fs::write(&recordings[0], &changed)?;
    let name = recordings[0]
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let found = world.verify()?;
    assert_ne!(found.status, 0, "{found}");
    assert!(format!("{found}").contains(&name), "{found}");
    fs::write(&recordings[0], &bytes)?;
    world.end()
}

#[test]
fn a_request_that_is_interrupted_is_withdrawn() -> Result<()> {
    let world = World::new()?;
    let asked = world.ask(&world.alice, &world.at_db1(), &[])?;
    asked.live.signal("INT")?;
    asked.live.finish(Duration::from_secs(10))?;
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    loop {
        let pending = world.bob.ssh(&["ca", "pending"])?.ok()?;
        if !pending.out().contains(&asked.id) {
            break;
        }
        assert!(
            std::time::Instant::now() < deadline,
            "still pending: {pending}"
        );
    }
    world
        .bob
        .ssh(&["-A", "ca", "approve", &asked.id])?
        .exits(1)?
        .says("withdrawn")?;
    world.end()
}
