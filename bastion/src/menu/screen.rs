//! Where somebody chooses: a screen, or, where the terminal cannot move its cursor, lines and a number.

use std::io;

use bytes::Bytes;
use tokio::time::Instant;

use super::choice::{CHANGED, Choice, Step};
use super::keys::Key;
use super::view::{self, Head};
use super::words;
use crate::prelude::Terminal;
use crate::watch::paper::Paper;

/// Most digits of a number: one more than any list has rows.
const DIGITS: usize = 4;

/// A person's terminal.
pub(super) enum Screen {
    Cells(Paper),
    Lines {
        /// The number so far.
        typed: String,
        /// The list is to be printed (again).
        fresh: bool,
    },
}

impl Screen {
    /// That terminal, and what brings it there.
    pub(super) fn of(terminal: &Terminal) -> io::Result<(Self, Bytes)> {
        if terminal.name.is_empty() || terminal.name == "dumb" {
            let lines = Self::Lines {
                typed: String::new(),
                fresh: true,
            };
            return Ok((lines, Bytes::new()));
        }
        let (paper, begin) = Paper::new(terminal.cols, terminal.rows)?;
        Ok((Self::Cells(paper), begin))
    }

    /// Takes a key; gives what it asks for, and what is to be shown at once.
    pub(super) fn press(&mut self, choice: &mut Choice, key: Key) -> (Step, Bytes) {
        let Self::Lines { typed, fresh } = self else {
            return (choice.press(key), Bytes::new());
        };
        match key {
            Key::Char(c) if c.is_ascii_digit() && typed.len() < DIGITS => {
                typed.push(c);
                (Step::Stay, Bytes::from(c.to_string()))
            }
            Key::Backspace if typed.pop().is_some() => {
                (Step::Stay, Bytes::from_static(b"\x08 \x08"))
            }
            Key::Leave | Key::Char('q') => (Step::Leave, Bytes::new()),
            Key::Enter | Key::Char('r') => {
                let number = std::mem::take(typed).parse::<usize>().ok();
                let at = number.and_then(|number| number.checked_sub(1));
                *fresh = true;
                choice.note = None;
                if choice.changed && at.is_some() {
                    // They count rows that were never printed.
                    choice.note = Some(CHANGED.to_owned());
                    return (Step::Stay, Bytes::from_static(b"\r\n"));
                }
                let step = match at {
                    _ if key != Key::Enter => Step::Again,
                    Some(at) if choice.put_mark(at) => Step::Go,
                    _ => Step::Stay,
                };
                (step, Bytes::from_static(b"\r\n"))
            }
            _ => (Step::Stay, Bytes::new()),
        }
    }

    /// What changes the terminal into this.
    pub(super) fn draw(
        &mut self,
        choice: &mut Choice,
        head: &Head<'_>,
        now: Instant,
    ) -> io::Result<Bytes> {
        match self {
            Self::Cells(paper) => paper.draw(|frame| {
                let area = frame.area();
                choice.page = view::page(area.height);
                view::draw(choice, head, now, area, frame.buffer_mut());
            }),
            Self::Lines { fresh, .. } => {
                let printed = std::mem::take(fresh).then(|| lines(choice, head));
                if printed.is_some() {
                    choice.changed = false;
                }
                Ok(printed.map(Bytes::from).unwrap_or_default())
            }
        }
    }

    /// The terminal has another size.
    pub(super) fn resize(&mut self, cols: u32, rows: u32) -> io::Result<()> {
        match self {
            Self::Cells(paper) => paper.resize(cols, rows),
            Self::Lines { .. } => Ok(()),
        }
    }

    /// What brings the terminal back.
    pub(super) fn end(&self) -> Bytes {
        match self {
            Self::Cells(_) => Paper::end(),
            Self::Lines { .. } => Bytes::from_static(b"\r\n"),
        }
    }
}

fn lines(choice: &Choice, head: &Head<'_>) -> String {
    let note = choice.note.as_ref().map(|note| format!("{note}\r\n"));
    let note = note.unwrap_or_default();
    let (person, bastion) = (head.person, head.bastion);
    let table = words::table(&choice.shown(), true, "\r\n");
    let ask = if choice.is_empty() {
        "nothing any more; q leaves: "
    } else {
        "number, or q to leave: "
    };
    format!("{note}{person}: what you may reach through {bastion}\r\n{table}{ask}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::choice::tests::rows;
    use super::*;

    #[test]
    fn a_terminal_that_moves_no_cursor_takes_numbers() {
        let now = Instant::now();
        let mut choice = Choice::of(rows(&["root@db1.prod", "www@web1.prod"], now));
        let terminal = Terminal {
            name: "dumb".to_owned(),
            cols: 80,
            rows: 24,
            width: 0,
            height: 0,
            modes: Vec::new(),
        };
        let (mut screen, begin) = Screen::of(&terminal).unwrap();
        assert!(begin.is_empty());
        let head = Head {
            person: "alice",
            bastion: "bastion",
            colours: false,
        };
        let printed = screen.draw(&mut choice, &head, now).unwrap();
        let printed = String::from_utf8(printed.to_vec()).unwrap();
        assert!(!printed.contains('\u{1b}'), "{printed:?}");
        assert!(printed.ends_with("number, or q to leave: "), "{printed:?}");
        assert!(screen.draw(&mut choice, &head, now).unwrap().is_empty());
        let mut press = |key| screen.press(&mut choice, key).0;
        assert_eq!(press(Key::Char('3')), Step::Stay);
        assert_eq!(press(Key::Enter), Step::Stay, "there is no third");
        assert_eq!(press(Key::Enter), Step::Stay, "nor a number");
        assert_eq!(press(Key::Char('0')), Step::Stay);
        assert_eq!(press(Key::Enter), Step::Stay, "they count from one");
        assert_eq!(press(Key::Char('r')), Step::Again);
        for key in [Key::Char('1'), Key::Backspace, Key::Char('2')] {
            assert_eq!(press(key), Step::Stay);
        }
        assert_eq!(press(Key::Enter), Step::Go);
        assert_eq!(press(Key::Leave), Step::Leave);
        assert_eq!(choice.at(), 1);
        // Numbers are those of the list that was printed.
        screen.draw(&mut choice, &head, now).unwrap();
        choice.expire(now + Duration::from_secs(60));
        for there in [Step::Stay, Step::Go] {
            screen.press(&mut choice, Key::Char('1'));
            assert_eq!(screen.press(&mut choice, Key::Enter).0, there);
            let printed = screen.draw(&mut choice, &head, now).unwrap();
            let printed = String::from_utf8(printed.to_vec()).unwrap();
            assert_eq!(
                printed.contains(CHANGED),
                there == Step::Stay,
                "{printed:?}"
            );
        }
    }
}
