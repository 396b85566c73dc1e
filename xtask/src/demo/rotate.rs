//! One key of a CA follows another, while people are inside.

use hallpass_tests::{Output, Result, World, ring};

use super::show::{Show, expect};

/// Announced, then signing; the one before is believed until its last certificate has run out.
pub(super) fn rotation(show: &mut Show, world: &mut World) -> Result<()> {
    show.title(
        "The user CA gets a new key; what the old one has signed stays good until it runs out",
    );
    hallpass(show, world, &["keys", "rotate", "user"])?;
    ring::reload(world, "user", &["current", "announced"])?;
    hallpass(show, world, &["keys", "switch", "user"])?;
    ring::reload(world, "user", &["old", "current"])?;
    let listed = hallpass(show, world, &["keys", "list"])?.out();
    expect(
        listed.contains("old until "),
        "an old key and until when it is believed",
        &listed,
    )?;
    let at = world.at_db1();
    let before = world.jump(&[&at, "reboot"])?.ok()?.prints("0\n")?;
    expect(
        before.status == 0,
        "that Alice's certificate still opens",
        &before.to_string(),
    )?;
    let next = [
        "ca",
        "request",
        &world.at_web1(),
        "--reason",
        "INC-44 the new key",
    ];
    let output = show.saved(&world.alice, &next)?;
    world.alice.save_certificate(&output.stdout)?;
    world
        .jump(&[&world.at_web1(), "echo in"])?
        .ok()?
        .prints("in\n")?;
    Ok(())
}

fn hallpass(show: &mut Show, world: &World, args: &[&str]) -> Result<Output> {
    show.operator(&format!("hallpass {}", args.join(" ")));
    let output = world.hallpass(args)?.ok()?;
    show.came(&output.out());
    Ok(output)
}
