//! What recording takes of a bulk session, end to end.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::Instant;

use hallpass_tests::{Failure, Result, keys, process};
use tempfile::NamedTempFile;

use super::measure;
use super::record::{name_of_index, wait_for};
use super::table::{Goal, Row, median};
use super::ways::{PLAIN, Way, Ways};

/// The thread of the bastion that seals and makes durable.
const SEALER: &str = "recordings";

/// The one that makes indexes, of sessions that are over: it is at work on one while the next is measured.
const INDEXER: &str = "indexes";

/// What goes through a terminal, in MiB.
const TEXT: u32 = 64;

/// What goes through a command without one, in MiB.
const BYTES: u32 = 256;

/// Prints the rows, each the median of so many runs, of a bastion whose recordings are sealed to one recipient. Returns MiB/s of the
/// session without a terminal, which the measurement of the recorder alone is held against.
pub(super) fn rows(json: bool, runs: usize) -> Result<f64> {
    let desk = tempfile::tempdir()?;
    let key = desk.path().join("reviewer");
    keys::make(&key, "reviewer")?;
    let recipient = keys::public_line(&key)?;
    let mut ways = Ways::with(&format!("[recordings]\nrecipients = [\"{recipient}\"]\n"))?;
    let text = text()?;
    let spring = measure::spring(u64::from(BYTES) << 20);
    let show = format!("exec cat {}", text.path().display());
    let plain = Bulk::take(&mut ways, runs, BYTES, |ways, way| {
        measure::transfer(&mut ways.ssh(way, PLAIN, &[&spring])?, None)
    })?;
    plain.print("without a terminal", json);
    let shown = Bulk::take(&mut ways, runs, TEXT, |ways, way| {
        shown(&mut ways.ssh(way, PLAIN, &["-tt", &show])?)
    })?;
    shown.print("in a terminal", json);
    ways.world.end()?;
    Ok(plain.rate)
}

/// What a session that moves bytes as fast as it can was seen to do, in the middle of some runs. Each begins when the index of
/// the one before is made, or that would be measured with it.
struct Bulk {
    /// MiB/s.
    rate: f64,
    /// The same through `ssh -J`, where nothing is recorded.
    unrecorded: f64,
    /// Processor time of the bastion until `ssh` has ended, which the seal comes before, in ms for each MiB.
    cost: f64,
    /// Of that, its thread that seals.
    sealing: f64,
    /// Of its thread that makes the index, after the session.
    indexing: f64,
}

impl Bulk {
    /// Runs both ways in turns, so that the machine's load meets both; `session` says how many seconds it took.
    fn take(
        ways: &mut Ways,
        runs: usize,
        mebibytes: u32,
        session: impl Fn(&Ways, Way) -> Result<f64>,
    ) -> Result<Self> {
        let size = f64::from(mebibytes);
        let bastion = ways.world.bastion()?.id();
        let (mut ours, mut peer) = (Vec::new(), Vec::new());
        let (mut cost, mut sealing, mut indexing) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..runs {
            peer.push(size / session(ways, Way::Jump)?);
            let before = Spent::of(bastion)?;
            ours.push(size / session(ways, Way::Door)?);
            let after = Spent::of(bastion)?;
            cost.push((after.all - before.all) * 1000.0 / size);
            sealing.push((after.sealing - before.sealing) * 1000.0 / size);
            for recording in ways.world.finished()? {
                wait_for(&recording.with_file_name(name_of_index(&recording)))?;
            }
            indexing.push((Spent::of(bastion)?.indexing - before.indexing) * 1000.0 / size);
        }
        Ok(Self {
            rate: median(ours),
            unrecorded: median(peer),
            cost: median(cost),
            sealing: median(sealing),
            indexing: median(indexing),
        })
    }

    fn print(&self, kind: &str, json: bool) {
        let row = |work: &str, unit, ours, peer, goal| {
            let work = format!("{work} {kind}");
            Row {
                work,
                unit,
                ours,
                peer,
                goal,
            }
            .print(json);
        };
        let unrecorded = Some(("ssh -J, unrecorded", self.unrecorded));
        let goal = Some(Goal::TimesAtLeast(0.9));
        row("bulk, recorded,", "MiB/s", self.rate, unrecorded, goal);
        row("bastion's CPU, bulk", "ms/MiB", self.cost, None, None);
        row("of it sealing, bulk", "ms/MiB", self.sealing, None, None);
        row(
            "index, afterwards, bulk",
            "ms/MiB",
            self.indexing,
            None,
            None,
        );
    }
}

/// Processor time of a bastion, in seconds.
struct Spent {
    /// All but what indexes take.
    all: f64,
    /// Of the thread that seals.
    sealing: f64,
    /// Of the thread that makes indexes.
    indexing: f64,
}

impl Spent {
    fn of(process: u32) -> Result<Self> {
        let (mut sealing, mut indexing) = (0.0, 0.0);
        for task in fs::read_dir(format!("/proc/{process}/task"))? {
            let task = task?.path();
            // One that has ended meanwhile is none of the two.
            let name = fs::read_to_string(task.join("comm")).unwrap_or_default();
            match name.trim_end() {
                SEALER => sealing = measure::spent(&task)?,
                INDEXER => indexing = measure::spent(&task)?,
                _ => {}
            }
        }
        let all = measure::processor(process)? - indexing;
        Ok(Self {
            all,
            sealing,
            indexing,
        })
    }
}

/// Lines as a log has them: the same ones again after 4 MiB, which is further than a frame looks back.
fn text() -> Result<NamedTempFile> {
    let mut piece = String::new();
    let mut random: u64 = 3;
    while piece.len() < 4 << 20 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let at = piece.len() >> 12;
        // A string takes everything.
        let _ = writeln!(
            piece,
            "Nov 22 10:{:02}:{:02} db1 postgres[{}]: connection {:08x} of worker {} authorized, lag {} ms",
            at / 60 % 60,
            at % 60,
            random >> 50,
            random >> 20 & 0xffff_ffff,
            random >> 40 & 0xff,
            random >> 33 & 0x3ff,
        );
    }
    piece.truncate(4 << 20);
    let mut file = NamedTempFile::new()?;
    for _ in 0..TEXT / 4 {
        file.write_all(piece.as_bytes())?;
    }
    Ok(file)
}

/// Seconds from the first byte on the screen to the end of `ssh`.
fn shown(command: &mut Command) -> Result<f64> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut screen = child.stdout.take().ok_or_else(|| Failure::new("no pipe"))?;
    let mut piece = vec![0; 64 << 10];
    let mut bytes = screen.read(&mut piece)?;
    let begin = Instant::now();
    loop {
        match screen.read(&mut piece)? {
            0 => break,
            more => bytes += more,
        }
    }
    let status = child.wait()?;
    let took = begin.elapsed().as_secs_f64();
    if status.success() && bytes >= usize::try_from(TEXT).unwrap_or_default() << 20 {
        Ok(took)
    } else {
        let text = process::spell(command);
        Err(Failure::new(format!(
            "{text} showed {bytes} bytes and ended with {status}"
        )))
    }
}
