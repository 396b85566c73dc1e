//! Recordings are searched as a reviewer searches them.

use std::fs;
use std::path::PathBuf;

use hallpass_tests::process::LIMIT;
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Result, World, watch};

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
    hits.prints("alice")?.prints(&at)?.prints("  needle-4711")?;
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

/// The index is there a moment after its session, is the bastion's own, and hides nothing when somebody alters it.
#[test]
fn an_index_makes_a_search_fast_and_no_altered_one_hides_anything() -> Result<()> {
    let world = World::with(&Setup::default())?;
    let at = world.at_web1();
    world.take(&world.alice, &at, &[])?;
    world.jump(&[&at, "printf 'needle-%s\n' 4711"])?.ok()?;
    world.jump(&[&at, "echo hay"])?.ok()?;
    world.wait_finished(2, LIMIT)?;
    let recordings = world.root().join("site/bastion/recordings");
    let indexes = || -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&recordings)? {
            found.push(entry?.path());
        }
        found.retain(|path| path.to_string_lossy().ends_with(".index.zst"));
        found.sort();
        Ok(found)
    };
    watch::until("both sessions have their index", || {
        Ok(indexes()?.len() == 2)
    })?;
    world.verify()?.ok()?;
    let finds = || -> Result<()> {
        let output = world.hallpass(&["search", "needle-[0-9]+"])?.ok()?;
        output.prints("  needle-4711").map(drop)
    };
    finds()?;
    let all = indexes()?;
    let [needle, hay] = all.as_slice() else {
        return Err(Failure::new(format!("{all:?}")));
    };
    // Another session's, cut, or none.
    let own = fs::read(needle)?;
    fs::copy(hay, needle)?;
    finds()?;
    fs::write(needle, &own[..own.len() / 2])?;
    finds()?;
    fs::remove_file(needle)?;
    finds()?;
    let made = world.hallpass(&["index"])?.ok()?;
    made.says("1 made, 1 had one, 0 without")?;
    assert_eq!(fs::read(needle)?, own);
    finds()?;
    world.end()
}
