//! What stood on a terminal, from what was written to it.

use std::collections::BTreeMap;

/// What stood in the terminal last: the player places each run of text by a cursor move, and
/// nothing else in what it writes changes a place.
pub(super) fn screen(drawn: &str) -> String {
    let mut rows: BTreeMap<usize, Vec<char>> = BTreeMap::new();
    let (mut row, mut column) = (1, 1);
    let mut rest = drawn.chars();
    while let Some(c) = rest.next() {
        if c != '\u{1b}' {
            let line = rows.entry(row).or_default();
            line.resize(line.len().max(column), ' ');
            if let Some(cell) = line.get_mut(column - 1) {
                *cell = c;
            }
            column += 1;
            continue;
        }
        let mut sequence = String::new();
        for c in rest.by_ref().skip(1) {
            sequence.push(c);
            if c.is_ascii_alphabetic() {
                break;
            }
        }
        if let Some(place) = sequence.strip_suffix('H') {
            let mut numbers = place
                .split(';')
                .map(|number| number.parse().unwrap_or(1).max(1));
            (row, column) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(1));
        }
    }
    let lines = rows
        .values()
        .map(|line| line.iter().collect::<String>().trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// What a shell wrote, without the switches that it sends to its terminal.
pub(super) fn readable(written: &str) -> String {
    let mut text = String::new();
    let mut pieces = written.split('\u{1b}');
    text.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let end = piece
            .find(|c: char| c.is_ascii_alphabetic())
            .map_or(piece.len(), |at| at + 1);
        text.push_str(piece.get(end..).unwrap_or_default());
    }
    text
}
