//! Recordings are searched as a reviewer searches them.

use std::fs;

use hallpass_tests::process::LIMIT;
use hallpass_tests::world::Setup;
use hallpass_tests::{Result, World};

#[test]
fn a_reviewer_finds_who_did_what_and_when() -> Result<()> {
    let world = World::with(&Setup::default())?;
    let at = world.at_web1();
    world.take(&world.alice, &at, &[])?;
    // Put together on the screen, so that the command itself does not hold it.
    world.jump(&[&at, "printf 'needle-%s\\n' 4711"])?.ok()?;
    world.jump(&[&at, "echo hay"])?.ok()?;
    world.first_recording(LIMIT)?;

    let hits = world.hallpass(&["search", "needle-[0-9]+"])?.ok()?;
    hits.prints("alice")?
        .prints(&at)?
        .prints("0:00  needle-4711")?;
    let json = world
        .hallpass(&["search", "--json", "--person", "alice", "NEEDLE"])?
        .exits(1)?;
    json.says("nothing found in 2 recordings")?;
    world
        .hallpass(&["search", "--json", "--since", "1h", "(?i)NEEDLE-4711"])?
        .ok()?
        .prints("\"text\":\"needle-4711\"")?;
    world
        .hallpass(&["search", "--target", "db9.prod", "needle"])?
        .exits(1)?
        .says("nothing found in 0 recordings")?;
    world
        .hallpass(&["search", "(", "."])?
        .exits(2)?
        .says("unclosed group")?;

    // What cannot be read is not passed over in silence.
    let recordings = world.root().join("site/bastion/recordings");
    fs::write(recordings.join("01JD0000000000000000000000.cast.zst"), "x")?;
    world
        .hallpass(&["search", "needle-4711"])?
        .exits(1)?
        .says("not searched:")?;
    fs::remove_file(recordings.join("01JD0000000000000000000000.cast.zst"))?;
    world.end()
}
