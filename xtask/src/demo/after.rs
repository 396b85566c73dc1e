//! Break-glass, and the review that it owes.

use std::thread::sleep;
use std::time::{Duration, Instant};

use hallpass_tests::process::LIMIT;
use hallpass_tests::{Failure, Result, World, access};

use super::show::{Show, ssh};

/// In first, and looked at afterwards: gives the request's id.
pub(super) fn break_glass(show: &mut Show, world: &World) -> Result<String> {
    let at = world.at_db1();
    show.title("Nobody is awake: the role lets her in first and be reviewed afterwards");
    let args = [
        "ca",
        "request",
        &at,
        "--break-glass",
        "--reason",
        "INC-43 disk full",
    ];
    let output = show.saved(&world.alice, &args)?;
    let asked = output.err();
    world.alice.save_certificate(&output.stdout)?;
    ssh(
        show,
        &world.alice,
        &["-J", "bastion", &at, "df -h / | tail -1"],
    )?
    .ok()?
    .prints("/")?;
    access::request_id(&asked)
}

/// Somebody else says what they think of it.
pub(super) fn reviewed(show: &mut Show, world: &World, id: &str) -> Result<()> {
    show.title(
        "What was taken first is looked at by somebody else, who signs what they think of it",
    );
    ssh(show, &world.alice, &["ca", "return", id])?.ok()?;
    // The bastion tells the end of a session a moment later.
    let end = Instant::now() + LIMIT;
    while world
        .bob
        .ssh(&["ca", "sessions"])?
        .out()
        .contains("running")
    {
        if Instant::now() > end {
            return Err(Failure::new("the session does not end"));
        }
        sleep(Duration::from_millis(50));
    }
    let own = ["-A", "ca", "review", id, "--accept", "it was me"];
    ssh(show, &world.alice, &own)?
        .exits(1)?
        .says("nobody reviews what they did themselves")?;
    let said = [
        "-A",
        "ca",
        "review",
        id,
        "--accept",
        "the disk was full, and nothing else was touched",
    ];
    ssh(show, &world.bob, &said)?
        .ok()?
        .says("nothing more is owed")?;
    Ok(())
}
