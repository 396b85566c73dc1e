use super::*;

fn screen(cols: u32, rows: u32) -> Screen {
    Screen::new(Size::recorded(cols, rows).unwrap(), false)
}

fn text(screen: &Screen, row: usize) -> String {
    screen
        .row(row)
        .filter(|cell| cell.width > 0)
        .map(|cell| cell.char)
        .collect()
}

#[test]
fn bytes_that_are_cut_within_a_character_still_show_it() {
    let mut screen = screen(10, 1);
    for byte in "zürich 複".as_bytes() {
        screen.feed(&[*byte]);
    }
    assert_eq!(text(&screen, 0).trim_end(), "zürich 複");
    let mut decoder = Decoder::default();
    assert_eq!(decoder.decode(b"a\xffb\xc3"), "a\u{fffd}b");
    assert_eq!(decoder.decode(b"\xbc"), "ü");
    assert_eq!(
        decoder.decode(b"\xe8\xa4") + &decoder.decode(b"x"),
        "\u{fffd}x"
    );
}

#[test]
fn promise_36_cells_hold_no_control_and_no_format_character() {
    let mut screen = screen(40, 3);
    screen.feed(
        "a\u{202e}b\u{200b}c\u{9b}31md\u{7f}e\u{feff}\u{e0041}\x1b]0;t\x07\x1b[c\x1b[6n\x05"
            .as_bytes(),
    );
    for row in 0..3 {
        for cell in screen.row(row) {
            assert!(is_visible(cell.char), "{:?}", cell.char);
        }
    }
}

#[test]
fn a_snapshot_comes_back_as_it_was() {
    let mut screen = screen(20, 4);
    screen.feed(b"\x1b[1;31mred\x1b[0m\r\n\x1b[?1049halt\x1b[2;3H\x1b[7mX\x1b[3");
    let mut back = Screen::restore(&screen.snapshot().unwrap());
    for screen in [&mut screen, &mut back] {
        screen.feed(b"2mY\xc3");
        screen.feed(b"\xbc");
    }
    for row in 0..4 {
        assert!(screen.row(row).eq(back.row(row)), "row {row}");
    }
    assert_eq!(screen.cursor(), back.cursor());
}

#[test]
fn a_snapshot_between_any_two_bytes_comes_back_as_it_was() {
    let output = "a\x1b[3\n1mb\x1b]0;ti\x1b\\c\x1b]0;t\x07d\x1bP1$r\x1b\\e\u{9b}2Jf\x1b[?25lg\x1b[1;\x18h\x1b(0qi\x0e".as_bytes();
    for cut in 0..=output.len() {
        let (before, after) = output.split_at(cut);
        let mut whole = screen(20, 4);
        whole.feed(before);
        let snapshot = whole.snapshot().unwrap();
        let stored = Snapshot::from_bytes(&snapshot.to_bytes()).unwrap();
        let mut back = Screen::restore(&stored);
        whole.feed(after);
        back.feed(after);
        for row in 0..4 {
            assert!(whole.row(row).eq(back.row(row)), "cut at {cut}, row {row}");
        }
        assert_eq!(whole.cursor(), back.cursor(), "cut at {cut}");
    }
}

#[test]
fn the_pattern_that_a_screen_is_adjusted_by_is_not_drawn() {
    let mut screen = screen(6, 2);
    screen.feed(b"secret\x1b#8");
    assert_eq!(text(&screen, 0), "secret");
    assert_eq!(text(&screen, 1).trim_end(), "");
}

#[test]
fn promise_38_repetitions_cost_a_screen_at_most() {
    assert_eq!(
        bounded(Function::Rep(65535), Size::DEFAULT),
        Function::Rep(80 * 24)
    );
    assert_eq!(
        bounded(Function::Su(65535), Size::DEFAULT),
        Function::Su(24)
    );
}
