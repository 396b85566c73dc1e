//! What a role masks, kept for those whom it names: `mask-original`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hallpass_tests::process::{self, LIMIT, Live};
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Result, World, programs};

/// What the target prints, in two writes; the shell puts it together, so that the command does not hold it.
const CARD: &str = "4111 1111 1111 1111";
const SAY: &str = "printf 'card 4111 1111 11'; printf '11 %s.\\n' 1111";
const STARS: &str = "card **** **** **** ****.";

fn path(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

/// A pair of keys made by `ssh-keygen`: the private half, and the public one.
fn keypair(dir: &Path, name: &str) -> Result<(PathBuf, String)> {
    let key = dir.join(name);
    let mut keygen = Command::new(programs::find("ssh-keygen")?);
    keygen.args(["-q", "-t", "ed25519", "-C", name, "-N", "", "-f"]);
    process::run(keygen.arg(&key))?.ok()?;
    let public = fs::read_to_string(key.with_extension("pub"))?;
    Ok((key, public.trim().to_owned()))
}

struct Masked {
    world: World,
    at: String,
    reviewer: PathBuf,
    officer: PathBuf,
}

/// A world whose role masks cards and keeps them for the officer. Sealed: the reviewer opens its recordings.
fn masked(sealed: bool) -> Result<Masked> {
    let mut world = World::lay_out(&Setup::default())?;
    let (reviewer, open) = keypair(world.root(), "reviewer")?;
    let (officer, original) = keypair(world.root(), "officer")?;
    let sealed = if sealed {
        format!("recipients = [\"{open}\"]\n")
    } else {
        String::new()
    };
    let keys = format!("mask = [\"cards\"]\nmask-original = [\"{original}\"]\n{sealed}");
    let text = fs::read_to_string(world.config())?;
    let role = format!("[role.web-look]\n{keys}");
    fs::write(world.config(), text.replace("[role.web-look]\n", &role))?;
    world.start_ca()?;
    world.start_bastion()?;
    world.introduce(&world.alice)?;
    let at = world.at_web1();
    world.take(&world.alice, &at, &[])?;
    Ok(Masked {
        world,
        at,
        reviewer,
        officer,
    })
}

impl Masked {
    fn export(&self, recording: &Path, key: &Path, more: &[&str]) -> Result<process::Output> {
        let args = ["export", path(recording), "--identity", path(key)];
        self.world.hallpass(&[&args, more].concat())
    }

    /// The first file of the bastion in which the card stands.
    fn card_on_the_disk(&self) -> Result<String> {
        let mut grep = Command::new("grep");
        grep.args(["-rlaF", "-e", CARD, "-e", "1111 1111"]);
        Ok(process::run(grep.arg(self.world.root().join("site/bastion")))?.out())
    }
}

#[test]
fn the_person_and_the_reviewer_see_stars_and_the_named_officer_the_number() -> Result<()> {
    let all = masked(true)?;
    for args in [&["-tt"][..], &[]] {
        let output = all.world.jump(&[args, &[&all.at, SAY]].concat())?.ok()?;
        assert!(output.out().contains(STARS), "{output}");
        assert!(!output.out().contains("1111"), "{output}");
    }
    for recording in all.world.wait_finished(2, LIMIT)? {
        assert_eq!(all.card_on_the_disk()?, "");
        let txt = ["--format", "txt"];
        let original = ["--format", "txt", "--original"];
        // Both open the recording, and see what Alice saw.
        for key in [&all.reviewer, &all.officer] {
            let shown = all.export(&recording, key, &txt)?.ok()?.prints(STARS)?;
            assert!(!shown.out().contains("1111"), "{shown}");
        }
        all.export(&recording, &all.reviewer, &original)?
            .exits(1)?
            .says("the original of what was masked is not sealed to this key, but to SHA256:")?;
        let card = format!("card {CARD}.");
        all.export(&recording, &all.officer, &original)?
            .ok()?
            .prints(&card)?;
        // With its time.
        let events = ["--format", "v2", "--original"];
        let events = all.export(&recording, &all.officer, &events)?.ok()?.out();
        let card = events.lines().find(|line| line.contains("4111"));
        let time = card.and_then(|line| line.strip_prefix('[')?.split(',').next());
        let time = time.and_then(|time| time.parse::<f64>().ok());
        assert!(time.is_some_and(|time| time > 0.0), "{events}");

        let looked = ["search", CARD, path(&recording), "--identity"];
        let found = |key: &Path, more: &[&str]| {
            let args = [&looked, &[path(key)][..], more].concat();
            all.world.hallpass(&args)
        };
        found(&all.officer, &["--original"])?.ok()?.prints(CARD)?;
        found(&all.officer, &[])?.exits(1)?;
        found(&all.reviewer, &["--original"])?.exits(1)?.says(
            "not searched: the original of 1 recording is sealed to others: give --identity with the private key of one whom mask-original names",
        )?;
        let mut play = all.world.hallpass_command(&["play", "--original"])?;
        play.arg("--identity").arg(&all.officer).arg(&recording);
        let mut live = Live::start(&mut process::in_terminal(&play)?)?;
        live.wait_out("1111", LIMIT)?;
        live.send("q")?;
        live.finish(LIMIT)?.ok()?;
        all.world
            .hallpass(&[
                "verify",
                "--identity",
                path(&all.reviewer),
                path(&recording),
            ])?
            .ok()?;
    }
    all.world.verify()?.ok()?;
    all.world.end()
}

#[test]
fn what_a_killed_bastion_had_masked_is_there_after_it() -> Result<()> {
    let mut all = masked(true)?;
    let command = format!("{SAY}; sleep 1000");
    let mut live = all
        .world
        .alice
        .ssh_live(&["-tt", "-J", "bastion", &all.at, &command])?;
    live.wait_out(STARS, LIMIT)?;
    assert_eq!(all.card_on_the_disk()?, "");
    all.world.bastion()?.kill()?;
    live.finish(LIMIT)?;
    all.world.start_bastion()?;
    let recording = all.world.first_recording(LIMIT)?;
    assert_eq!(all.card_on_the_disk()?, "");
    let original = ["--format", "txt", "--original"];
    all.export(&recording, &all.officer, &original)?
        .ok()?
        .prints(CARD)?;
    all.export(&recording, &all.reviewer, &original)?.exits(1)?;
    all.world
        .hallpass(&["verify", path(&recording)])?
        .ok()?
        .prints("crash")?;
    all.world.end()
}

#[test]
fn a_search_says_in_which_recordings_there_is_no_original() -> Result<()> {
    let golden = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../record/src/recording/tests/golden/1.cast.zst"
    );
    let world = World::lay_out(&Setup::default())?;
    let recording = world.root().join("01M80F83D0040G2081040G2081.cast.zst");
    fs::copy(golden, &recording)?;
    let looked = ["search", "caf", path(&recording)];
    let without = "searched without an original: 1 recording";
    let original = [&looked[..], &["--original"]].concat();
    world.hallpass(&original)?.ok()?.says(without)?;
    let told = world.hallpass(&looked)?.ok()?;
    assert!(!told.err().contains(without), "{told}");
    world.end()
}

/// The recording with other lines in its first frame, as stock `zstd` writes them.
fn forged(recording: &Path, lines: &str) -> Result<Vec<u8>> {
    /// A skippable frame of Hallpass's own follows the first frame: its checkpoint.
    const CHECKPOINT: [u8; 4] = 0x184D_2A56_u32.to_le_bytes();
    const LINES: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();
    let stored = fs::read(recording)?;
    let place = |magic: [u8; 4]| stored.windows(4).position(|at| at == magic);
    let (Some(from), Some(to)) = (place(LINES), place(CHECKPOINT)) else {
        return Err(Failure::new("no recording"));
    };
    let plain = recording.with_extension("plain");
    fs::write(&plain, lines)?;
    let mut zstd = Command::new(programs::find("zstd")?);
    let frame = process::run(zstd.args(["-qc", "--no-check"]).arg(&plain))?.ok()?;
    fs::remove_file(&plain)?;
    let (Some(before), Some(after)) = (stored.get(..from), stored.get(to..)) else {
        return Err(Failure::new("no place"));
    };
    Ok([before, frame.stdout.as_slice(), after].concat())
}

#[test]
fn an_original_that_was_removed_altered_or_swapped_is_found() -> Result<()> {
    let all = masked(false)?;
    for _ in 0..2 {
        all.world.jump(&["-tt", &all.at, SAY])?.ok()?;
    }
    let recordings = all.world.wait_finished(2, LIMIT)?;
    let [first, second] = recordings.as_slice() else {
        return Err(Failure::new("two recordings"));
    };
    let lines = |recording: &Path| -> Result<String> {
        let mut zstd = Command::new(programs::find("zstd")?);
        Ok(process::run(zstd.arg("-dcq").arg(recording))?.ok()?.out())
    };
    let (own, other) = (lines(first)?, lines(second)?);
    let kept = |text: &str| {
        let line = text.lines().find(|line| line.contains(", \"k\", "));
        line.map(|line| format!("{line}\n"))
    };
    let (Some(mine), Some(theirs)) = (kept(&own), kept(&other)) else {
        return Err(Failure::new(format!("nothing is kept: {own}")));
    };
    let good = fs::read(first)?;
    for lines in [
        own.replace(&mine, ""),
        own.replace(
            &mine,
            &mine
                .replace("==", "=")
                .replace("\"k\", \"o ", "\"k\", \"e "),
        ),
        own.replace(&mine, &theirs),
    ] {
        assert_ne!(lines, own);
        fs::write(first, forged(first, &lines)?)?;
        all.world
            .hallpass(&["verify", path(first)])?
            .exits(1)?
            .prints("the frame was not sealed at this place")?;
        fs::write(first, &good)?;
    }
    all.world.hallpass(&["verify", path(first)])?.ok()?;
    // Whoever has the file can read a recording that is not sealed, and not what was masked.
    let txt = ["--format", "txt"];
    all.export(first, &all.reviewer, &txt)?
        .ok()?
        .prints(STARS)?;
    let original = ["--format", "txt", "--original"];
    all.export(first, &all.reviewer, &original)?.exits(1)?;
    all.export(first, &all.officer, &original)?
        .ok()?
        .prints(CARD)?;
    all.world.end()
}
