use super::*;
use crate::deck::tests::{out, steps, tape};
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
        rows(&deck, Over::Help, width, height);
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
