use super::*;
use crate::deck::tests::{damaged, out, steps, tape};
use crate::survey::Survey;
use crate::tape::{Change, Tape};

const LOOK: Look = Look {
    colour: false,
    timeline: true,
    typed: true,
    here: None,
};

fn deck(tape: Tape) -> Deck {
    let mut deck = Deck::new(tape.clone(), None);
    let mut survey = Survey::new(tape, &mut |news| deck.learn(news));
    while survey.work(&mut |news| deck.learn(news)).unwrap() {}
    deck.seek(u64::MAX);
    while deck.work() {}
    deck
}

fn rows(deck: &Deck, over: Over<'_>, width: u16, height: u16) -> Vec<String> {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    draw(deck, LOOK, over, None, area, &mut buffer);
    let row = |y| {
        (0..width)
            .map(|x| buffer[(x, y)].symbol().to_owned())
            .collect::<String>()
    };
    (0..height).map(row).collect()
}

fn drawn(output: &str, width: u16, height: u16) -> Vec<String> {
    rows(
        &deck(tape(vec![(0, out(output))])),
        Over::Nothing,
        width,
        height,
    )
}

#[test]
fn the_screen_stands_over_the_timeline_and_the_status() {
    let rows = drawn("hello\r\nw\x1b[31mor\x1b[0mld", 80, 26);
    assert_eq!(rows[0].trim_end(), "hello");
    assert_eq!(rows[1].trim_end(), "world");
    assert!(rows[25].contains("alice postgres@db1.prod"), "{}", rows[25]);
    assert!(!rows[25].contains("part of"), "{}", rows[25]);
}

#[test]
fn a_larger_screen_is_shown_around_its_cursor() {
    let rows = drawn("top\x1b[24;1Hbottom", 80, 11);
    assert_eq!(rows[8].trim_end(), "bottom");
    assert!(rows[10].contains("part of 80×24"), "{}", rows[10]);
}

#[test]
fn a_window_of_one_row_or_none_shows_what_it_can() {
    assert_eq!(drawn("x", 3, 1).len(), 1);
    assert!(drawn("x", 3, 0).is_empty());
    for (width, height) in [(1, 1), (2, 2), (1, 9), (30, 3), (300, 80)] {
        let deck = deck(tape(vec![
            (0, Change::Input(b"ls".to_vec())),
            (9, out("複製")),
        ]));
        rows(&deck, Over::Help(&mut Helping::default()), width, height);
        let listing = &mut Listing::new("all".into(), vec![(0, "a".into())], 0);
        rows(&deck, Over::List(listing), width, height);
        rows(
            &deck,
            Over::Selection(&Selection::new(deck.screen())),
            width,
            height,
        );
    }
}

#[test]
fn a_timeline_has_the_bars_and_the_marks_at_their_times() {
    let deck = deck(tape(vec![
        (0, out("a")),
        (2_500_000, Change::Marker("alert root".into())),
        (5_000_000, out(&"x".repeat(5000))),
        (10_000_000, Change::Exit(0)),
    ]));
    let rows = rows(&deck, Over::Nothing, 40, 20);
    let timeline: Vec<char> = rows[18].chars().collect();
    assert_eq!(timeline.len(), 40);
    assert_eq!((timeline[10], timeline[39], timeline[15]), ('!', '■', ' '));
    assert!(('▁'..='█').contains(&timeline[20]), "{timeline:?}");
}

#[test]
fn what_was_typed_stands_beside_the_screen_or_under_it() {
    let deck = deck(tape(vec![
        (0, Change::Input(b"ls\rpwd".to_vec())),
        (1, out("out")),
    ]));
    let wide = rows(&deck, Over::Nothing, 120, 30);
    assert_eq!(
        wide[0].trim_end(),
        format!("{:<80}│ typed", "out"),
        "{wide:?}"
    );
    assert!(wide[1].ends_with(&format!("│{:<39}", "ls⏎")), "{wide:?}");
    let narrow = rows(&deck, Over::Nothing, 80, 24);
    assert_eq!(narrow[21].trim_end(), " typed: ls⏎pwd");
}

#[test]
fn what_combines_stands_on_its_letter_and_moves_nothing() {
    let rows = drawn("cafe\u{301}| 複製|", 80, 26);
    assert_eq!(rows[0].trim_end(), "cafe\u{301}| 複 製 |");
    // Nor does a tower of them.
    let rows = drawn(&format!("e{}|", "\u{301}".repeat(60)), 80, 26);
    assert_eq!(rows[0].trim_end(), format!("e{}|", "\u{301}".repeat(4)));
}

#[test]
fn a_resize_in_the_middle_changes_the_screen() {
    let small = record::recording::Size::recorded(20, 5).unwrap();
    let deck = deck(tape(vec![
        (0, out("abc")),
        (1, Change::Resize(small)),
        (2, out("\x1b[5;20Hz")),
    ]));
    let rows = rows(&deck, Over::Nothing, 80, 26);
    assert_eq!(rows[4].trim_end(), format!("{:>20}", "z"));
}

#[test]
fn a_list_begins_at_what_is_shown_now() {
    let places = (0..100)
        .map(|n| (n * 1_000_000, format!("place {n}\x1b[2J")))
        .collect();
    let mut listing = Listing::new("places".into(), places, 42_500_000);
    assert_eq!(listing.chosen(), Some(42_000_000));
    let deck = deck(tape(vec![(0, out("x"))]));
    let shown = rows(&deck, Over::List(&mut listing), 80, 24);
    assert!(
        shown
            .iter()
            .any(|row| row.contains("▸     0:42  place 42\u{fffd}[2J")),
        "{shown:?}"
    );
    for (by, at) in [
        (i32::MAX, 99),
        (1, 99),
        (-1, 98),
        (i32::MIN, 0),
        (-1, 0),
        (20, 20),
    ] {
        listing.go(by);
        assert_eq!(listing.chosen(), Some(at * 1_000_000), "{by}");
    }
    let none = Listing::new("none".into(), Vec::new(), 0);
    assert_eq!(none.chosen(), None);
}

#[test]
fn colours_are_drawn_only_where_they_are_wanted() {
    let of = steps(vec![
        (0, out("\x1b[31mred")),
        (9, Change::Marker("alert x".into())),
    ]);
    let deck = deck(Tape::new(std::sync::Arc::new(of)));
    let area = Rect::new(0, 0, 40, 8);
    for colour in [true, false] {
        let mut buffer = Buffer::empty(area);
        draw(
            &deck,
            Look { colour, ..LOOK },
            Over::Nothing,
            None,
            area,
            &mut buffer,
        );
        let coloured = buffer
            .content
            .iter()
            .any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset);
        assert_eq!(coloured, colour);
    }
}

#[test]
fn a_damaged_recording_says_so_and_from_when_on_in_every_width() {
    let deck = deck(damaged());
    for (width, said) in [
        (80, "DAMAGED from 0:13 on"),
        (40, "DAMAGED"),
        (20, "DAMAGED"),
    ] {
        let last = rows(&deck, Over::Nothing, width, 24).pop().unwrap();
        assert!(last.contains(said), "{width}: {last}");
    }
    let cut = std::sync::Arc::new(crate::deck::tests::Steps {
        state: record::recording::ReadState::Damaged,
        ..steps(vec![(0, out("a")), (5_000_000, out("b"))])
    });
    let deck = self::deck(Tape::new(cut));
    let last = rows(&deck, Over::Nothing, 80, 24).pop().unwrap();
    assert!(last.contains("DAMAGED from 0:05 on"), "{last}");
    assert!(!last.contains("no end yet"), "{last}");
}

#[test]
fn what_the_person_saw_masked_is_said_to_be_the_original() {
    let of = crate::deck::tests::Steps {
        unmasked: true,
        ..steps(vec![(0, out("a"))])
    };
    let deck = deck(Tape::new(std::sync::Arc::new(of)));
    for (width, said) in [(80, "ORIGINAL, masked for the person"), (30, "ORIGINAL")] {
        let last = rows(&deck, Over::Nothing, width, 24).pop().unwrap();
        assert!(last.contains(said), "{last}");
    }
}

#[test]
fn the_status_is_shortened_by_what_matters_least_and_never_cut() {
    let deck = deck(tape(vec![(0, out("a")), (9_000_000, out("b"))]));
    let shown = |width| {
        let last = rows(&deck, Over::Nothing, width, 10).pop().unwrap();
        last.trim_end().to_owned()
    };
    let all = " ■ 0:09 / 0:09  ? help  1×  alice postgres@db1.prod  no end  part of 80×24";
    assert_eq!(shown(80), all);
    assert_eq!(
        shown(70),
        " ■ 0:09 / 0:09  ? help  alice postgres@db1.prod  no end  part of 80×24"
    );
    assert_eq!(shown(60), " ■ 0:09 / 0:09  alice postgres@db1.prod  no end");
    assert_eq!(shown(40), " ■ 0:09 / 0:09  alice postgres@db1.prod");
    assert_eq!(shown(24), " ■ 0:09 / 0:09  alice");
    assert_eq!(shown(16), " ■ 0:09 / 0:09");
    assert_eq!(shown(9), " ■ 0:09");
    assert_eq!(shown(5), " ■ 0…");
}

#[test]
fn all_of_the_help_can_be_read_in_a_small_window() {
    let deck = deck(tape(vec![(0, out("x"))]));
    for (width, height) in [(80, 24), (80, 15), (20, 5), (300, 80)] {
        let mut helping = Helping::default();
        let mut seen = String::new();
        loop {
            let shown = rows(&deck, Over::Help(&mut helping), width, height);
            let end = shown.len() - 1;
            seen += &shown[..end].join("\n");
            let before = seen.len();
            helping.go(1);
            let next = rows(&deck, Over::Help(&mut helping), width, height);
            if next == shown {
                break;
            }
            assert!(helping.is_long() && before > 0);
        }
        for word in ["space", "clipboard", "leave", "proof"] {
            assert!(seen.contains(word), "{width}x{height}: {word} in {seen}");
        }
        assert_eq!(helping.is_long(), height < 24, "{width}x{height}");
    }
}

#[test]
fn a_list_keeps_what_is_chosen_in_view_in_a_small_window() {
    let deck = deck(tape(vec![(0, out("x"))]));
    let places = (0..100)
        .map(|n| (n * 1_000_000, format!("place {n}")))
        .collect();
    let mut listing = Listing::new("all".into(), places, 0);
    for (width, height) in [(20, 5), (80, 15), (10, 2)] {
        for by in [0, 7, 60, 1, i32::MAX, -3] {
            listing.go(by);
            let chosen = listing.chosen().unwrap() / 1_000_000;
            let shown = rows(&deck, Over::List(&mut listing), width, height);
            let row = shown.iter().find(|row| row.contains('▸')).unwrap();
            assert!(
                row.contains(&time(chosen * 1_000_000)),
                "{width}x{height}: {row}"
            );
            assert!(
                width < 20 || row.contains(&format!("place {chosen}")),
                "{row}"
            );
        }
    }
}

#[test]
fn wide_characters_that_were_typed_are_all_shown() {
    let typed = "複製".repeat(30);
    let deck = deck(tape(vec![
        (0, Change::Input(typed.clone().into_bytes())),
        (1, out("out")),
    ]));
    // A wide character takes two cells of the buffer, the second one blank.
    let kanji = |rows: &[String], from: usize| -> usize {
        let cells = rows.iter().flat_map(|row| row.chars().skip(from));
        cells.filter(|c| "複製".contains(*c)).count()
    };
    let beside = rows(&deck, Over::Nothing, 107, 30);
    assert_eq!(kanji(&beside, 80), 60, "{beside:?}");
    let below = rows(&deck, Over::Nothing, 80, 24);
    assert!(below[21].contains('…'), "{below:?}");
    assert_eq!(kanji(&below[21..22], 0), 35, "{below:?}");
    assert_eq!(below[21].trim_end().chars().last(), Some('製'));
}

#[test]
fn the_cursor_stands_behind_what_combines() {
    let deck = deck(tape(vec![(0, out("cafe\u{301}s 複"))]));
    let area = Rect::new(0, 0, 80, 26);
    let mut buffer = Buffer::empty(area);
    let cursor = draw(&deck, LOOK, Over::Nothing, None, area, &mut buffer);
    assert_eq!(cursor, Some(Position::new(8, 0)));
}

#[test]
fn a_long_pattern_is_typed_where_it_can_be_seen() {
    let hint = "(a pattern, Enter; Esc leaves it)";
    assert_eq!(
        asked("look for:", "x", hint, 80),
        "look for: x▏ (a pattern, Enter; Esc leaves it)"
    );
    let long: String = ('a'..='z').cycle().take(199).chain(['!']).collect();
    for width in [80, 40, 20, 5] {
        let shown = asked("look for:", &long, hint, width);
        assert!(shown.ends_with("!▏"), "{shown}");
        assert!(shown.width() < width.into(), "{shown}");
    }
    assert!(asked("look for:", &long, hint, 40).starts_with("look for: …"));
}
