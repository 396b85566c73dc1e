//! The same bytes in an independent terminal show the same screen.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;
use std::time::{Duration, Instant};

use player::screen::Screen;
use record::recording::Size;

/// What tmux shows of these bytes, in a window of its own server.
fn tmux(bytes: &[u8], cols: u16, rows: u16) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bytes");
    std::fs::write(&file, bytes).unwrap();
    let socket = dir.path().join("tmux");
    let run = |args: &[&str]| {
        let out = Command::new("tmux")
            .arg("-f/dev/null")
            .arg("-S")
            .arg(&socket)
            .args(args)
            .output()
            .unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    let command = format!(
        "stty raw -echo; cat {}; printf '\\033]2;done\\007'; sleep 60",
        file.display()
    );
    let (x, y) = (cols.to_string(), rows.to_string());
    run(&["-u", "new-session", "-d", "-x", &x, "-y", &y, &command]);
    let begun = Instant::now();
    while run(&["display-message", "-p", "#{pane_title}"]).trim() != "done" {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "tmux has not shown it all"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    let shown = run(&["capture-pane", "-p"]);
    run(&["kill-server"]);
    shown
        .split('\n')
        .take(usize::from(rows))
        .map(|line| line.trim_end().to_owned())
        .collect()
}

fn ours(bytes: &[u8], cols: u16, rows: u16) -> Vec<String> {
    let mut screen = Screen::new(Size::asked(cols.into(), rows.into()), false);
    screen.feed(bytes);
    (0..usize::from(rows))
        .map(|row| {
            let text: String = screen
                .row(row)
                .filter(|cell| cell.width > 0)
                .map(|cell| cell.char)
                .collect();
            text.trim_end().to_owned()
        })
        .collect()
}

#[test]
fn promise_37_the_screen_is_the_one_that_tmux_shows() {
    let editor = "\x1b[?1049h\x1b[2J\x1b[1;1Hfirst\x1b[2;1Hsecond\x1b[3;1Hthird\x1b[2;1H\x1b[Linserted\x1b[24;1H-- INSERT --\x1b[4;5H\x1b[1K#";
    let lines: Vec<String> = (0..60)
        .map(|n| format!("line {n} \u{8907}\u{88fd} caf\u{e9}\r\n"))
        .collect();
    let scrolling = lines.concat();
    let region = "\x1b[5;10r\x1b[10;1Ha\r\nb\r\nc\r\nd\x1b[5;1H\x1bMtop\x1b[r\x1b[12;1Hbelow";
    let line = format!(
        "{}\x1b[1;1H\x1b[4Pcut\x1b[3@\x1b[2;1Htab\tto\tstops\x1b[3;1H\x1b[7mx",
        "0123456789".repeat(17)
    );
    let cases = [
        ("an editor on the other screen", editor),
        ("scrolling with wide characters", scrolling.as_str()),
        ("a scroll region", region),
        ("wrapping, deleting, inserting, tabs", line.as_str()),
        (
            "back from the other screen",
            "before\x1b[?1049hother\x1b[?1049l after",
        ),
        (
            "repetition and erasure",
            "ab\x1b[5bc\x1b[1;3H\x1b[2Xd\x1b[3;3Hx\x1b[1J",
        ),
    ];
    for (name, bytes) in cases {
        assert_eq!(
            ours(bytes.as_bytes(), 80, 24),
            tmux(bytes.as_bytes(), 80, 24),
            "{name}"
        );
    }
}
