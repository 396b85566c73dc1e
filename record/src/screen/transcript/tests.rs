use super::*;
use crate::recording::Size;
use crate::screen::Screen;

fn fed(screen: &mut Screen, text: &str, transcript: &mut Transcript) -> Vec<String> {
    let mut lines = Vec::new();
    screen.feed_with(text.as_bytes(), transcript, &mut |line| lines.push(line));
    lines
}

fn transcribed(cols: u32, rows: u32, pieces: &[&str]) -> Vec<String> {
    let mut screen = Screen::new(Size::recorded(cols, rows).unwrap(), false);
    let mut transcript = Transcript::new();
    let mut lines = Vec::new();
    for piece in pieces {
        lines.extend(fed(&mut screen, piece, &mut transcript));
    }
    lines.extend(screen.transcribed(transcript));
    lines
}

#[test]
fn what_is_wiped_is_told_whatever_wipes_it() {
    let text = "one\r\ntwo\r\n\r\nfour";
    // As `clear` does under xterm, screen and linux; upwards from the end; a reset.
    for wipe in [
        "\x1b[H\x1b[2J\x1b[3J",
        "\x1b[H\x1b[J\x1b[3J",
        "\x1b[24;80H\x1b[1J",
        "\x1bc",
    ] {
        let lines = transcribed(80, 24, &[text, wipe, "\x1b[Hnew"]);
        assert_eq!(lines, ["one", "two", "", "four", "new"], "{wipe:?}");
    }
}

#[test]
fn a_part_that_is_wiped_is_told_alone_and_what_stays_once() {
    let below = transcribed(20, 6, &["$ ls\r\na\r\nb", "\x1b[1;5H\x1b[J!"]);
    assert_eq!(below, ["a", "b", "$ ls!"]);
    let above = transcribed(20, 6, &["a\r\nb\r\ncd", "\x1b[2;20H\x1b[1J\x1b[4;1H"]);
    assert_eq!(above, ["a", "b", "", "", "cd"]);
    // A prompt that is drawn with nothing below it wipes nothing.
    let prompt = transcribed(20, 6, &["$ \x1b[J", "x\x1b[J", "y\x1b[J"]);
    assert_eq!(prompt, ["$ xy"]);
}

#[test]
fn what_a_wrapped_line_begins_above_the_screen_is_one_with_what_is_wiped() {
    let lines = transcribed(4, 2, &["abcdefghij", "\x1b[H\x1b[J", "k"]);
    assert_eq!(lines, ["abcdefghij", "k"]);
}

#[test]
fn another_screen_is_told_when_it_is_left_wiped_resized_or_reset() {
    let alternate = "\x1b[?1049h\x1b[Htext\r\n}\r\n}";
    for end in ["\x1b[?1049l", "\x1b[2J\x1b[?1049l", "\x1bc", ""] {
        let lines = transcribed(20, 5, &["$ vi\r\n", alternate, end]);
        assert_eq!(lines, ["text", "}", "}", "$ vi"], "{end:?}");
    }
    let mut screen = Screen::new(Size::recorded(20, 5).unwrap(), false);
    let mut transcript = Transcript::new();
    fed(&mut screen, "\x1b[?1049h\x1b[4;1Hbelow", &mut transcript);
    let smaller = Size::recorded(20, 2).unwrap();
    assert_eq!(screen.resize_with(smaller, &mut transcript), ["below"]);
}

#[test]
fn what_is_drawn_again_on_another_screen_is_told_once() {
    let frame = "\x1b[H\x1b[2Jfirst\r\n}\r\nsecond\r\n}";
    let mut pieces = vec!["\x1b[?1049h"];
    pieces.extend([frame; 1000]);
    pieces.push("\x1b[?1049l");
    assert_eq!(transcribed(20, 5, &pieces), ["first", "}", "second", "}"]);
}

#[test]
fn what_scrolls_on_another_screen_and_within_margins_is_told_row_by_row() {
    let expected: Vec<String> = (0..50).map(|n| format!("line {n}")).collect();
    let rows = "\r\n".to_owned() + &expected.join("\r\n");
    for before in ["\x1b[?1049h", "\x1b[?1049h\x1b[2;3r", "\x1b[2;5r\x1b[3;1H"] {
        let lines = transcribed(20, 6, &[before, &rows, "\x1b[?1049l"]);
        let told: Vec<&String> = lines.iter().filter(|line| !line.is_empty()).collect();
        assert_eq!(told, expected.iter().collect::<Vec<_>>(), "{before:?}");
    }
    let wrapped = "x".repeat(20) + &"y".repeat(20) + &"z".repeat(20);
    let lines = transcribed(20, 2, &["\x1b[?1049h", &wrapped, "\x1b[?1049l"]);
    assert_eq!(lines.concat(), wrapped);
}

#[test]
fn what_is_pushed_off_by_other_lines_is_told() {
    for push in ["\x1b[H\x1bM", "\x1b[T", "\x1b[2;1H\x1b[L"] {
        let lines = transcribed(20, 3, &["a\r\nb\r\nc", push, "\x1b[H"]);
        assert_eq!(
            lines.iter().filter(|line| *line == "c").count(),
            1,
            "{push:?}"
        );
    }
    let lines = transcribed(20, 3, &["a\r\nb\r\nc", "\x1b[2;1H\x1b[M"]);
    assert_eq!(lines, ["b", "a", "c"]);
    // A line feed below the margins, on the last row, scrolls nothing.
    let outside = ["\x1b[1;2r\x1b[3;1Hz", "\n", "\x1b[Hc"];
    assert_eq!(transcribed(20, 3, &outside), ["c", "", "z"]);
}

#[test]
fn a_line_that_leaves_a_range_of_one_row_is_told() {
    let secret = "\x1b[24;1Hsecret";
    for push in ["\x1b[M", "\x1b[L"] {
        let lines = transcribed(80, 24, &[secret, push, "\x1b[H"]);
        assert_eq!(lines, ["secret"], "{push:?}");
    }
    for push in ["\n", "\x1b[S", "\x1bM", "\x1b[T", "..........x", "\x1b[40b"] {
        let lines = transcribed(10, 1, &["\x1b[?1049h", "secret", push, "\x1b[2K"]);
        let told = lines.iter().filter(|line| line.starts_with("secret"));
        assert_eq!(told.count(), 1, "{push:?} {lines:?}");
    }
    let typed = transcribed(10, 1, &["\x1b[?1049h", "a", "b", "c"]);
    assert_eq!(typed, ["abc"]);
}

#[test]
fn what_a_smaller_window_cuts_off_below_the_cursor_is_told_once() {
    let text = "one\r\ntwo\r\nthree three\r\nfour";
    let expected = ["four", "one", "three three", "two"];
    for before in ["\x1b[H", "\x1b[2;2H", "", "\x1b[H\x1b[?1049h"] {
        for (cols, rows) in [(20, 2), (20, 1), (6, 5), (4, 2), (3, 1), (40, 9)] {
            let mut screen = Screen::new(Size::recorded(20, 5).unwrap(), false);
            let mut transcript = Transcript::new();
            let mut lines = fed(&mut screen, text, &mut transcript);
            lines.extend(fed(&mut screen, before, &mut transcript));
            for size in [(cols, rows), (20, 5)] {
                let size = Size::recorded(size.0, size.1).unwrap();
                lines.extend(screen.resize_with(size, &mut transcript));
            }
            lines.extend(screen.transcribed(transcript));
            // What is left of a line that is cut in its middle is told beside the whole.
            lines.retain(|line| !line.is_empty() && line != "thre");
            lines.sort();
            assert_eq!(lines, expected, "{before:?} {cols}x{rows}");
        }
    }
}

#[test]
fn a_row_that_is_wiped_is_told_once_until_another_screen_begins() {
    for wipe in ["\r\x1b[K", "\x1b[2K", "\x1b[20G\x1b[1K", "\x1b#8\x1b[2J"] {
        let lines = transcribed(20, 3, &["secret", wipe, "\x1b[Hdone"]);
        assert_eq!(lines, ["secret", "done"], "{wipe:?}");
    }
    let bar = "\r\x1b[K0 %\r\x1b[K1 %\r\x1b[K2 %".repeat(300);
    assert_eq!(transcribed(20, 3, &[&bar]), ["0 %", "1 %", "2 %", "2 %"]);
    let part = transcribed(20, 3, &["$ ls\x1b[3G\x1b[Kps"]);
    assert_eq!(part, ["$ ps"]);
}

#[test]
fn promise_38_what_wipes_a_screen_again_and_again_is_told_no_longer_than_it_was_written() {
    let wide = "w".repeat(200);
    let mut written = wide.clone();
    for n in 0..2000 {
        written += &[&(n % 10).to_string(), "\x1b[D\x1b[J"].concat();
    }
    for before in ["", "\x1b[?1049h", "\x1b[?7l\x1b[2;3r\x1b[3;1H"] {
        let told = transcribed(1000, 5, &[before, &written]).concat();
        assert!(told.len() <= written.len(), "{before:?} {}", told.len());
    }
    // What adjusts a screen would fill it by three bytes.
    let pattern = "\x1b#8\x1b[J\x1b#8\x1b[2J".repeat(100);
    assert_eq!(transcribed(200, 50, &[&pattern]).concat(), "");
}

#[test]
fn what_stood_on_another_screen_is_told_when_somebody_says_so() {
    let mut screen = Screen::new(Size::recorded(20, 3).unwrap(), false);
    let mut transcript = Transcript::new();
    fed(&mut screen, "own\x1b[?1049h\x1b[Hpage 1", &mut transcript);
    assert_eq!(screen.stood(&mut transcript), ["page 1"]);
    fed(&mut screen, "\x1b[Hpage 2", &mut transcript);
    assert_eq!(screen.stood(&mut transcript), ["page 2"]);
    assert_eq!(screen.stood(&mut transcript), Vec::<String>::new());
    assert_eq!(
        fed(&mut screen, "\x1b[?1049l", &mut transcript),
        Vec::<String>::new()
    );
    assert_eq!(screen.stood(&mut transcript), Vec::<String>::new());
    assert_eq!(screen.transcribed(transcript), ["own"]);
}
