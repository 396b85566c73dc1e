//! A replay in a real terminal: what it writes there makes the terminal say nothing back.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{header, recording};
use player::{PlayOptions, play};

/// Names the recording for [`the_replay`].
const REPLAY: &str = "HALLPASS_TEST_REPLAY";

/// What makes a terminal answer, or change what it shares with its other programs.
const HOSTILE: &str = "\x1b[c\x1b[>c\x1b[=c\x1b[5n\x1b[6n\x1b[?6n\x1b[18t\x1b[21t\x1bP$qm\x1b\\\x1bP+q544e\x1b\\\
    \x1b]0;owned\x07\x1b]52;c;?\x07\x1b]52;c;b3duZWQ=\x07\x1b]10;?\x07\x1b]11;?\x07\x1b[?1000h\x1b[?2004h\x1b[?1004h\
    \x1bZ\x05\x1b[?2026$p\u{9b}c\u{9b}6n\x1b(0\x07 \u{202e}\x1b(Bshown";

/// Not a test by itself: the process that the tests below run in a terminal.
#[test]
fn the_replay() {
    if let Some(path) = std::env::var_os(REPLAY) {
        play(
            Path::new(&path),
            record::age::Identities::default(),
            &record::recording::verify::Trusted::nobody(),
            PlayOptions::default(),
        )
        .unwrap();
    }
}

/// Replays a recording in a terminal of this size, presses `keys`, and gives what was written to the terminal.
fn replayed(path: &Path, size: (u16, u16), keys: &[u8]) -> Vec<u8> {
    let exe = std::env::current_exe().unwrap();
    let command = format!(
        "stty rows {} cols {}; exec '{}' --exact the_replay --nocapture --test-threads=1",
        size.1,
        size.0,
        exe.display()
    );
    let mut script = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .env(REPLAY, path)
        .env("TERM", "xterm-256color")
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = script.stdin.take().unwrap();
    for key in keys {
        std::thread::sleep(Duration::from_millis(400));
        stdin.write_all(&[*key]).unwrap();
    }
    let output = script.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

/// What a terminal, here tmux, sends to its programs when these bytes are written to it, and its title then.
fn answers(bytes: &[u8]) -> (Vec<u8>, String) {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("bytes"), bytes).unwrap();
    let run = |args: &[&str]| {
        let out = Command::new("tmux")
            .arg("-f/dev/null")
            .arg("-S")
            .arg(at("tmux"))
            .args(args)
            .output()
            .unwrap();
        String::from_utf8_lossy(&out.stdout).trim().to_owned()
    };
    let command = format!(
        "cd {}; stty raw -echo; cat bytes; timeout --foreground 1 cat > answers; mv answers all; sleep 60",
        dir.path().display()
    );
    run(&["-u", "new-session", "-d", "-x", "80", "-y", "24", &command]);
    let begun = Instant::now();
    while !at("all").exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "tmux hangs");
        std::thread::sleep(Duration::from_millis(20));
    }
    let title = run(&["display-message", "-p", "#{pane_title}"]);
    run(&["kill-server"]);
    (fs::read(at("all")).unwrap(), title)
}

#[test]
fn promise_36_a_terminal_answers_nothing_to_a_replay() {
    // The same bytes as they are do make it answer, so that silence means something.
    let (said, title) = answers(HOSTILE.as_bytes());
    assert!(said.len() > 10, "{said:?}");
    assert_eq!(title, "owned");

    let (_dir, path) = recording(&header(80, 24), |recorder, clock| {
        recorder.output(HOSTILE).unwrap().into_inner();
        recorder.marker(HOSTILE).unwrap().into_inner();
        clock.step(1000);
    });
    let drawn = replayed(&path, (80, 24), b"?0]q");
    assert!(String::from_utf8_lossy(&drawn).contains("shown"));
    let (said, title) = answers(&drawn);
    assert_eq!(said, b"", "{}", String::from_utf8_lossy(&said));
    assert_ne!(title, "owned");
}

#[test]
fn a_window_of_any_size_is_drawn_into_and_left() {
    let (_dir, path) = recording(&header(200, 50), |recorder, _| {
        recorder.output("x".repeat(20_000)).unwrap().into_inner();
    });
    for size in [(10, 3), (1, 1), (300, 100)] {
        replayed(&path, size, b"?q");
    }
}

#[test]
fn whoever_types_a_time_can_leave_all_the_same() {
    let (_dir, path) = recording(&header(80, 24), |recorder, _| {
        recorder.output("shown").unwrap().into_inner();
    });
    let drawn = replayed(&path, (80, 24), b"gq\x03");
    assert!(String::from_utf8_lossy(&drawn).contains("which"));
}
