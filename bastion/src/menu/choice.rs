//! What somebody may choose from, and what each key makes of it: without input or output.

use config::words::RequestId;
use record::api::reach::Reachable;
use tokio::time::Instant;

use super::keys::Key;
use super::words::left;

/// Longest text that is looked for, in bytes: no name is longer.
const FILTER_BYTES: usize = 64;

/// What somebody reads who chose from rows that are there no more.
pub(super) const CHANGED: &str = "the list has changed: look again";

/// One way to go.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) grant: Reachable,
    /// When the grant is over.
    pub(super) over: Instant,
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// To look on.
    Stay,
    /// To go where the mark stands.
    Go,
    /// To ask the CA again.
    Again,
    /// To go nowhere.
    Leave,
}

/// The rows, which of them are shown, and where the mark stands.
#[derive(Debug, Default)]
pub(super) struct Choice {
    rows: Vec<Row>,
    /// What the rows that are shown have in them.
    pub(super) filter: String,
    /// Whether that is being typed.
    pub(super) typing: bool,
    /// Among those that are shown.
    at: usize,
    /// The mark's grant is gone, and it stands at another one that nobody has chosen yet.
    moved: bool,
    /// The rows are others than those that were listed last.
    pub(super) changed: bool,
    /// Why the last thing that was asked for did not come.
    pub(super) note: Option<String>,
    /// How many rows a screen has.
    pub(super) page: usize,
}

impl Choice {
    /// Of these rows.
    pub(super) fn of(rows: Vec<Row>) -> Self {
        Self {
            rows,
            page: 1,
            ..Self::default()
        }
    }

    /// Puts other rows in the place of those that there are; the mark stays at its grant. Where that is gone, Return has to be
    /// pressed twice: the first time it may have been meant for what was marked before.
    pub(super) fn renew(&mut self, rows: Vec<Row>) {
        let at = self.marked().map(|row| row.grant.request.clone());
        let requests = |rows: &[Row]| -> Vec<RequestId> {
            rows.iter().map(|row| row.grant.request.clone()).collect()
        };
        self.changed |= requests(&self.rows) != requests(&rows);
        self.rows = rows;
        self.moved |= !self.mark(at.as_ref());
    }

    /// Lets go of what is over.
    pub(super) fn expire(&mut self, now: Instant) {
        if self.rows.iter().any(|row| row.over <= now) {
            let rows = self.rows.iter().filter(|row| row.over > now);
            self.renew(rows.cloned().collect());
        }
    }

    /// The rows that are shown.
    pub(super) fn shown(&self) -> Vec<&Row> {
        let wanted = self.filter.to_ascii_lowercase();
        let has = |row: &&Row| {
            let text = format!("{} {}", row.grant.access, row.grant.role);
            text.to_ascii_lowercase().contains(&wanted)
        };
        self.rows.iter().filter(has).collect()
    }

    /// Whether there is nothing at all.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How much time is left of each that is shown, in words: what a screen shows changes with it.
    pub(super) fn clock(&self, now: Instant) -> Vec<String> {
        let rows = self.shown().into_iter();
        rows.map(|row| left(row.over.saturating_duration_since(now)))
            .collect()
    }

    /// Where the mark stands, among those that are shown.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The row with the mark.
    pub(super) fn marked(&self) -> Option<&Row> {
        self.shown().get(self.at).copied()
    }

    /// Puts the mark on a row that is shown; says whether there is one.
    pub(super) fn put_mark(&mut self, at: usize) -> bool {
        let there = at < self.shown().len();
        if there {
            self.at = at;
        }
        there
    }

    /// Takes a key.
    pub(super) fn press(&mut self, key: Key) -> Step {
        self.note = None;
        let moved = std::mem::take(&mut self.moved);
        match key {
            Key::Enter if moved => self.note = Some(CHANGED.to_owned()),
            Key::Enter if self.marked().is_some() => return Step::Go,
            Key::Up => self.step(|at, _| at.saturating_sub(1)),
            Key::Down => self.step(|at, last| (at + 1).min(last)),
            Key::PageUp => {
                let page = self.page;
                self.step(|at, _| at.saturating_sub(page));
            }
            Key::PageDown => {
                let page = self.page;
                self.step(|at, last| (at + page).min(last));
            }
            Key::First => self.step(|_, _| 0),
            Key::Last => self.step(|_, last| last),
            Key::Escape => {
                self.typing = false;
                self.narrow(String::new());
            }
            Key::Backspace if self.typing && self.filter.is_empty() => self.typing = false,
            Key::Backspace => {
                let mut shorter = self.filter.clone();
                shorter.pop();
                self.narrow(shorter);
            }
            Key::Char(c) if self.typing => {
                if self.filter.len() < FILTER_BYTES {
                    self.narrow(format!("{}{c}", self.filter));
                }
            }
            Key::Char('/') => self.typing = true,
            Key::Leave | Key::Char('q') => return Step::Leave,
            Key::Char('r') => return Step::Again,
            Key::Char('j') => return self.press(Key::Down),
            Key::Char('k') => return self.press(Key::Up),
            Key::Char('g') => return self.press(Key::First),
            Key::Char('G') => return self.press(Key::Last),
            Key::Enter | Key::Char(_) => {}
        }
        Step::Stay
    }

    fn step(&mut self, step: impl FnOnce(usize, usize) -> usize) {
        let last = self.shown().len().saturating_sub(1);
        self.at = step(self.at, last).min(last);
    }

    fn narrow(&mut self, filter: String) {
        let at = self.marked().map(|row| row.grant.request.clone());
        self.filter = filter;
        self.mark(at.as_ref());
    }

    /// Puts the mark on this grant, or near where it stood; says whether the grant, if there was one, is still there.
    fn mark(&mut self, request: Option<&RequestId>) -> bool {
        let shown = self.shown();
        let found = request.and_then(|id| shown.iter().position(|row| row.grant.request == *id));
        self.at = found.unwrap_or(self.at.min(shown.len().saturating_sub(1)));
        found.is_some() || request.is_none()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;

    /// Rows for these, each with a minute more than the one before.
    pub(in crate::menu) fn rows(accesses: &[&str], now: Instant) -> Vec<Row> {
        let row = |(n, access): (u8, &&str)| Row {
            grant: Reachable {
                request: RequestId::from_random([n; 5]),
                access: access.parse().unwrap(),
                role: format!("role-{n}").parse().unwrap(),
                until: "2026-11-22T15:28:04Z".parse().unwrap(),
                left_ms: 0,
                shown: n == 0,
                command: None,
                channels: Vec::new(),
                terms: Vec::new(),
            },
            over: now + Duration::from_secs(60 * (u64::from(n) + 1)),
        };
        (0..).zip(accesses).map(row).collect()
    }

    fn three(now: Instant) -> Choice {
        let accesses = ["root@db1.prod", "root@db2.prod", "www@web1.prod"];
        Choice::of(rows(&accesses, now))
    }

    fn marked(choice: &Choice) -> Option<String> {
        choice.marked().map(|row| row.grant.access.to_string())
    }

    fn press(choice: &mut Choice, keys: &str) -> Step {
        keys.chars()
            .map(|c| choice.press(if c == '\r' { Key::Enter } else { Key::Char(c) }))
            .last()
            .unwrap()
    }

    #[test]
    fn the_mark_stays_among_the_rows() {
        let mut choice = three(Instant::now());
        for (keys, there) in [("kk", 0), ("j", 1), ("jjjj", 2), ("g", 0), ("G", 2)] {
            assert_eq!(press(&mut choice, keys), Step::Stay);
            assert_eq!(choice.at(), there, "{keys}");
        }
        choice.page = 2;
        assert_eq!(choice.press(Key::PageUp), Step::Stay);
        assert_eq!(choice.at(), 0);
        assert_eq!(press(&mut choice, "\r"), Step::Go);
        assert_eq!(press(&mut choice, "r"), Step::Again);
        assert_eq!(press(&mut choice, "q"), Step::Leave);
        assert_eq!(choice.press(Key::Leave), Step::Leave);
    }

    #[test]
    fn a_filter_narrows_and_letters_are_no_keys_meanwhile() {
        let mut choice = three(Instant::now());
        assert_eq!(press(&mut choice, "/DBq"), Step::Stay);
        assert_eq!(marked(&choice), None);
        assert_eq!(choice.press(Key::Enter), Step::Stay, "nothing is marked");
        choice.press(Key::Backspace);
        assert_eq!(choice.shown().len(), 2);
        choice.press(Key::Down);
        assert_eq!(marked(&choice).as_deref(), Some("root@db2.prod"));
        choice.press(Key::Escape);
        assert_eq!(choice.shown().len(), 3);
        assert_eq!(marked(&choice).as_deref(), Some("root@db2.prod"));
        press(&mut choice, "/role-2");
        assert_eq!(marked(&choice).as_deref(), Some("www@web1.prod"));
        assert_eq!(choice.press(Key::Enter), Step::Go);
        for _ in 0..=FILTER_BYTES {
            choice.press(Key::Char('x'));
        }
        assert_eq!(choice.filter.len(), FILTER_BYTES);
    }

    #[test]
    fn return_does_not_go_where_the_mark_was_put_because_its_grant_is_gone() {
        let now = Instant::now();
        let over = now + Duration::from_secs(60);
        let mut choice = three(now);
        choice.expire(over);
        assert_eq!(marked(&choice).as_deref(), Some("root@db2.prod"));
        assert_eq!(press(&mut choice, "\r"), Step::Stay);
        assert_eq!(choice.note.as_deref(), Some(CHANGED));
        assert_eq!(press(&mut choice, "\r"), Step::Go, "it was seen");
        let mut choice = three(now);
        press(&mut choice, "j");
        choice.expire(over);
        assert_eq!(press(&mut choice, "\r"), Step::Go, "it is the same grant");
        let mut choice = three(now);
        choice.expire(over);
        assert_eq!(
            press(&mut choice, "j\r"),
            Step::Go,
            "it was moved on purpose"
        );
        let mut choice = three(now);
        assert_eq!(press(&mut choice, "/WEB\r"), Step::Go, "it was looked for");
    }

    #[test]
    fn what_is_over_goes_and_the_mark_stays_at_its_grant() {
        let now = Instant::now();
        let mut choice = three(now);
        press(&mut choice, "jj");
        choice.expire(now + Duration::from_secs(60));
        assert_eq!(marked(&choice).as_deref(), Some("www@web1.prod"));
        assert_eq!(choice.at(), 1);
        choice.expire(now + Duration::from_secs(600));
        assert!(choice.is_empty());
        assert_eq!(marked(&choice), None);
        assert_eq!(choice.press(Key::Down), Step::Stay);
        assert_eq!(choice.press(Key::Enter), Step::Stay);
    }
}
