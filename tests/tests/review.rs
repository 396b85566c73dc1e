//! What a reviewer sees, and what never reaches the reviewer's terminal.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use hallpass_tests::process::{self, LIMIT, Live};
use hallpass_tests::{Failure, Result, World, programs};

/// What a hostile session prints: a title, the clipboard, questions that a terminal answers by typing,
/// another screen, a link, a bell, and bytes that are not UTF-8.
const HOSTILE: &str = r"printf '\033]0;owned\007\033]52;c;b3duZWQ=\007\033[6n\033[c\033[>c\033[5n\033P$qm\033\\\\\033]10;?\007\033[18t\033]8;;http://evil\007link\033]8;;\007\007\033[?1000h\033(0\033#8\033c\377\376'; printf 'still\040here\n'; sleep 1";

fn hostile_recording(world: &World, at: &str) -> Result<std::path::PathBuf> {
    let output = world
        .alice
        .ssh(&["-tt", "-J", "bastion", at, HOSTILE])?
        .ok()?;
    // It does reach the person who ran it: that is what a session is.
    assert!(output.out().contains("\u{1b}]0;owned\u{7}"), "{output}");
    world.first_recording(LIMIT)
}

/// Plays a recording in a terminal of its own; gives what was drawn.
fn play(world: &World, recording: &Path, until: &str) -> Result<Vec<u8>> {
    let mut play = world.hallpass_command(&["play"])?;
    play.arg(recording);
    let mut live = Live::start(&mut process::in_terminal(&play)?)?;
    live.wait_out(until, LIMIT)?;
    live.send("q")?;
    Ok(live.finish(LIMIT)?.ok()?.stdout)
}

/// The first thing in these bytes that is not text, colour, or the player's own cursor and screen.
fn beyond_text(drawn: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(drawn).into_owned();
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        let here: String = rest.chars().take(24).collect();
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            '\u{1b}' => {
                let Some(sequence) = rest.strip_prefix('[') else {
                    return Some(here);
                };
                let end = sequence.find(|c: char| ('@'..='~').contains(&c))?;
                let (arguments, last) = sequence.split_at(end);
                let modes = ["?25", "?1049", "?7", "?2004", "?2026", "?1"];
                let known = match last.chars().next() {
                    Some('m' | 'H' | 'A' | 'B' | 'C' | 'D' | 'G' | 'd' | 'J' | 'K' | 'X') => {
                        !arguments.contains(['?', '>', '='])
                    }
                    Some('h' | 'l') => modes.contains(&arguments),
                    _ => false,
                };
                if !known {
                    return Some(here);
                }
                rest = last.get(1..).unwrap_or_default();
            }
            '\r' | '\n' | '\t' => {}
            c if c.is_control() => return Some(here),
            _ => {}
        }
    }
    None
}

#[test]
fn promise_36_a_replay_writes_text_and_its_own_cursor_moves_only() -> Result<()> {
    assert_eq!(beyond_text(b"a\x1b[1;31mb\x1b[2;3H\r\n\x1b[?25l"), None);
    for bad in [
        "\u{1b}]0;x\u{7}",
        "\u{1b}[6n",
        "\u{1b}[c",
        "\u{1b}P",
        "\u{7}",
        "\u{9b}6n",
        "\u{1b}[?1000h",
        "\u{1b}c",
    ] {
        assert!(beyond_text(bad.as_bytes()).is_some(), "{bad:?}");
    }
    let (world, at) = World::on_web1()?;
    let recording = hostile_recording(&world, &at)?;
    let drawn = play(&world, &recording, "still")?;
    assert_eq!(beyond_text(&drawn), None);
    world.end()
}

#[test]
fn one_that_was_cut_off_is_called_damaged_where_it_is_seen_and_when_it_is_left() -> Result<()> {
    let (world, at) = World::on_web1()?;
    let recording = hostile_recording(&world, &at)?;
    let bytes = fs::read(&recording)?;
    let dir = tempfile::tempdir()?;
    let cut = dir.path().join(recording.file_name().unwrap_or_default());
    // Without the index of its frames, at its end.
    fs::write(&cut, &bytes[..bytes.len() - 41])?;
    let mut play = world.hallpass_command(&["play"])?;
    play.arg(&cut);
    let mut live = Live::start(&mut process::in_terminal(&play)?)?;
    live.wait_out("DAMAGED", LIMIT)?;
    live.send("q")?;
    let left = live.finish(LIMIT)?.exits(1)?;
    left.prints("the recording is damaged from")?;
    // What can be read of it is written, and stays.
    let (cut, part) = (cut.to_string_lossy(), dir.path().join("part"));
    let to = part.to_string_lossy();
    let args = ["export", "--format", "txt", "-o", &*to, &*cut];
    world
        .hallpass(&args)?
        .exits(1)?
        .says("this is only what comes before the damage")?;
    assert!(fs::read_to_string(&part)?.contains("still here"));
    let stdout = ["export", "--format", "txt", "-o", "-", &*cut];
    world.hallpass(&stdout)?.exits(1)?.prints("still here")?;
    world.end()
}

#[test]
fn a_player_whose_terminal_goes_away_ends() -> Result<()> {
    let (world, at) = World::on_web1()?;
    let recording = hostile_recording(&world, &at)?;
    let mut play = world.hallpass_command(&["play"])?;
    play.arg(&recording);
    let mut live = Live::start(&mut process::in_terminal(&play)?)?;
    live.wait_out("still", LIMIT)?;
    let id = live.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
    let player = children.trim().to_owned();
    drop(live);
    let end = Instant::now() + Duration::from_secs(10);
    let status = || fs::read_to_string(format!("/proc/{player}/status")).unwrap_or_default();
    // Gone, or dead and waiting for whoever adopted it to notice.
    while status().contains("State:") && !status().contains("State:\tZ") {
        assert!(Instant::now() < end, "it still runs");
        sleep(Duration::from_millis(50));
    }
    world.end()
}

#[test]
fn promise_36_nor_does_the_text_that_is_exported() -> Result<()> {
    let (world, at) = World::on_web1()?;
    let recording = hostile_recording(&world, &at)?;
    let recording = recording.to_str().unwrap_or_default();
    let text = world
        .hallpass(&["export", "--format", "txt", recording])?
        .ok()?
        .prints("here")?;
    assert_eq!(beyond_text(&text.stdout), None, "{text}");
    world.end()
}

#[test]
fn promise_39_asciinema_takes_what_is_exported() -> Result<()> {
    let (world, at) = World::on_web1()?;
    let recording = hostile_recording(&world, &at)?;
    let recording = recording.to_str().unwrap_or_default();
    let v2 = world
        .hallpass(&["export", "--format", "v2", recording])?
        .ok()?;
    let file = world.root().join("v2.cast");
    fs::write(&file, &v2.stdout)?;
    // Stock asciinema writes out what a terminal would have been sent.
    let mut cat = Command::new(programs::find("asciinema")?);
    let sent = process::run(&mut process::in_terminal(cat.arg("cat").arg(&file))?)?.ok()?;
    assert!(
        sent.out().contains("\u{1b}]0;owned\u{7}") && sent.out().contains("still here"),
        "{sent}"
    );

    // The third version holds the same output at the same times, as far as its digits go.
    let v3 = world
        .hallpass(&["export", "--format", "v3", recording])?
        .ok()?;
    assert_eq!(
        output_events(&v2.out(), false)?,
        output_events(&v3.out(), true)?
    );
    world.end()
}

/// The times, in milliseconds from the beginning, and the payloads of the output events of an asciicast.
fn output_events(cast: &str, relative: bool) -> Result<Vec<(u64, String)>> {
    let mut now = 0.0;
    let mut events = Vec::new();
    for line in cast.lines().skip(1).filter(|line| line.starts_with('[')) {
        let event: (f64, String, String) =
            serde_json::from_str(line).map_err(|error| Failure::new(format!("{line}: {error}")))?;
        now = if relative { now + event.0 } else { event.0 };
        // Version 2 has no room for bytes that are not UTF-8; version 3 keeps them in an event of their own.
        if event.1 == "o" && event.2 != "\u{fffd}\u{fffd}" {
            let time = Duration::from_secs_f64((now * 1000.0_f64).round() / 1000.0);
            events.push((u64::try_from(time.as_millis()).unwrap_or(u64::MAX), event.2));
        }
    }
    Ok(events)
}
