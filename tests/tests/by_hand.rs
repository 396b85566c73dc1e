//! An auditor checks a recording with stock tools, by the script of `record/CHECKING.md`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hallpass_tests::process::{self, LIMIT, Output};
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Result, World, keys, programs};

/// What the auditor holds: the page's script, the recording and the keys.
struct Auditor {
    script: PathBuf,
    signers: PathBuf,
    recording: PathBuf,
}

impl Auditor {
    fn of(world: &World, recording: &Path) -> Result<Self> {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../record/CHECKING.md");
        let page = fs::read_to_string(page)?;
        let script = page
            .split_once("```sh\n")
            .and_then(|(_, rest)| rest.split_once("```"))
            .ok_or_else(|| Failure::new("the page has no script"))?
            .0;
        let desk = world.root().join("auditor");
        fs::create_dir(&desk)?;
        let auditor = Self {
            script: desk.join("check.sh"),
            signers: desk.join("allowed_signers"),
            recording: desk.join(recording.file_name().unwrap_or_default()),
        };
        fs::write(&auditor.script, script)?;
        fs::write(
            &auditor.signers,
            world.hallpass(&["trust"])?.ok()?.out().as_bytes(),
        )?;
        fs::copy(recording, &auditor.recording)?;
        Ok(auditor)
    }

    fn check(&self) -> Result<Output> {
        let mut bash = Command::new(programs::find("bash")?);
        bash.args([&self.script, &self.recording, &self.signers]);
        process::run(&mut bash)
    }

    /// Checks these bytes in the recording's place.
    fn check_bytes(&self, bytes: &[u8]) -> Result<Output> {
        fs::write(&self.recording, bytes)?;
        self.check()
    }
}

/// Where a zstd frame begins whose checkpoint is the `n`th, from 0, and where the one after that begins.
fn frame(bytes: &[u8], n: usize) -> Result<(usize, usize)> {
    const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    let mut starts = bytes
        .windows(4)
        .enumerate()
        .filter(|(_, window)| *window == ZSTD)
        .map(|(at, _)| at)
        .skip(n);
    match (starts.next(), starts.next()) {
        (Some(from), Some(to)) => Ok((from, to)),
        _ => Err(Failure::new(format!(
            "there is no frame {n} before another"
        ))),
    }
}

#[test]
fn a_recording_is_checked_with_stock_tools_alone() -> Result<()> {
    let (world, at) = World::on_web1()?;
    // Lines of half a megabyte make several frames.
    world.jump(&[&at, "seq 150000"])?.ok()?;
    let recording = world.first_recording(LIMIT)?;
    world
        .hallpass(&["verify", &recording.display().to_string()])?
        .ok()?;
    let auditor = Auditor::of(&world, &recording)?;

    let whole = auditor.check()?.ok()?.prints("sealed by bastion")?.out();
    let root = whole
        .split_once("root ")
        .map(|(_, root)| root.trim().to_owned())
        .ok_or_else(|| Failure::new(whole.clone()))?;
    let entries = fs::read_to_string(world.log().join("entries"))?;
    let told = entries.lines().filter(|line| line.contains(&root));
    assert_eq!(
        told.count(),
        1,
        "the log knows the root that the script prints"
    );

    let bytes = fs::read(&recording)?;
    let (second, third) = frame(&bytes, 1)?;

    let mut altered = bytes.clone();
    if let Some(byte) = altered.get_mut(second + 2000) {
        *byte ^= 1;
    }
    auditor
        .check_bytes(&altered)?
        .exits(1)?
        .prints("WRONG: frame 1")?;

    // A frame is left out with its checkpoint, and the table is not told: the next one is not where it says.
    let cut = [&bytes[..second], &bytes[third..]].concat();
    auditor.check_bytes(&cut)?.exits(1)?.prints("WRONG: ")?;

    auditor
        .check_bytes(&bytes[..bytes.len() - 1])?
        .exits(1)?
        .prints("WRONG: there is no seek table at the end")?;

    // The same bytes under the name of another session.
    let renamed = auditor
        .recording
        .with_file_name("01JD0000000000000000000000.cast.zst");
    fs::write(&renamed, &bytes)?;
    Auditor {
        recording: renamed,
        ..auditor
    }
    .check()?
    .exits(1)?
    .prints("WRONG: the first line is that of another session")?;
    world.end()
}

#[test]
fn a_sealed_recording_is_checked_with_stock_tools_and_no_key() -> Result<()> {
    let keys = tempfile::tempdir()?;
    let key = keys.path().join("reviewer");
    keys::make(&key, "reviewer")?;
    let recipient = keys::public_line(&key)?;
    let world = World::with(&Setup {
        extra: format!("[recordings]\nrecipients = [\"{}\"]\n", recipient.trim()),
        ..Setup::default()
    })?;
    let at = world.at_web1();
    world.take(&world.alice, &at, &[])?;
    world.jump(&[&at, "-tt", "seq 100000"])?.ok()?;
    let recording = world.first_recording(LIMIT)?;
    let auditor = Auditor::of(&world, &recording)?;
    let whole = auditor.check()?.ok()?.prints("sealed by bastion")?.out();
    assert!(!whole.contains("wrapped key"), "{whole}");
    let root = whole
        .split_once("root ")
        .map_or("", |(_, root)| root.trim());
    let entries = fs::read_to_string(world.log().join("entries"))?;
    assert!(entries.contains(root), "{whole}");

    let bytes = fs::read(&recording)?;
    let sealed: Vec<usize> = bytes
        .windows(4)
        .enumerate()
        .filter(|(_, window)| *window == [0x58, 0x2a, 0x4d, 0x18])
        .map(|(at, _)| at)
        .collect();
    let [_, second, third, ..] = sealed.as_slice() else {
        return Err(Failure::new(format!("{} frames", sealed.len())));
    };
    let mut altered = bytes.clone();
    if let Some(byte) = altered.get_mut(second + 2000) {
        *byte ^= 1;
    }
    auditor
        .check_bytes(&altered)?
        .exits(1)?
        .prints("WRONG: the checkpoint speaks of something else than frame 1")?;
    let cut = [&bytes[..*second], &bytes[*third..]].concat();
    auditor.check_bytes(&cut)?.exits(1)?.prints("WRONG: ")?;
    auditor
        .check_bytes(&bytes[..bytes.len() - 1])?
        .exits(1)?
        .prints("WRONG: there is no seek table at the end")?;

    // Erased, it is whole, and says so.
    let path = auditor.recording.display().to_string();
    fs::write(&auditor.recording, &bytes)?;
    world.hallpass(&["erase", "--yes", &path])?.ok()?;
    auditor
        .check()?
        .ok()?
        .prints(root)?
        .prints("not the one that it began with")?;
    let renamed = auditor
        .recording
        .with_file_name("01JD0000000000000000000000.cast.zst");
    fs::write(&renamed, &bytes)?;
    Auditor {
        recording: renamed,
        ..auditor
    }
    .check()?
    .exits(1)?
    .prints("WRONG: the first head is that of another session")?;
    world.end()
}

#[test]
fn a_recording_that_somebody_else_signed_is_not_believed() -> Result<()> {
    let (world, at) = World::on_web1()?;
    world.jump(&[&at, "true"])?.ok()?;
    let auditor = Auditor::of(&world, &world.first_recording(LIMIT)?)?;
    let other = world.root().join("other");
    keys::make(&other, "other")?;
    fs::write(
        &auditor.signers,
        format!("bastion {}", keys::public_line(&other)?),
    )?;
    auditor
        .check()?
        .exits(1)?
        .prints("WRONG: the checkpoint of frame 0 is not signed by bastion")?;
    world.end()
}
