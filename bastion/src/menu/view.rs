//! The choice, drawn into cells.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use tokio::time::Instant;

use super::choice::{Choice, Row};
use super::words::{channels, left, terms, widest};

/// Below this many rows, nothing but the list and one line of help is drawn.
const SMALL: u16 = 10;

/// Lines that say more of the grant with the mark.
const MORE: u16 = 3;

/// Time that is nearly over.
const SOON: u64 = 120;

/// What stands over the list.
pub(super) struct Head<'a> {
    pub(super) person: &'a str,
    pub(super) bastion: &'a str,
    pub(super) colours: bool,
}

/// How many grants a screen of this height has room for.
pub(super) fn page(height: u16) -> usize {
    let other = if height < SMALL { 1 } else { 4 + MORE };
    usize::from(height.saturating_sub(other)).max(1)
}

/// Draws everything.
pub(super) fn draw(
    choice: &Choice,
    head: &Head<'_>,
    now: Instant,
    area: Rect,
    buffer: &mut Buffer,
) {
    let mut lines = Lines { area, buffer, y: 0 };
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let dim = Style::new().add_modifier(Modifier::DIM);
    let small = area.height < SMALL;
    let rows = choice.shown();
    let columns = Columns::of(&rows, area.width);
    if !small {
        let title = format!(
            " {}: what you may reach through {}",
            head.person, head.bastion
        );
        lines.put(&title, bold);
        lines.put(&columns.line("  ", "LOGIN@TARGET", "ROLE", "LEFT"), dim);
    }
    let page = page(area.height);
    let first = (choice.at() + 1).saturating_sub(page);
    for (n, row) in rows.iter().enumerate().skip(first).take(page) {
        let (mark, style) = if n == choice.at() {
            ("> ", Style::new().add_modifier(Modifier::REVERSED))
        } else {
            ("  ", Style::new())
        };
        let over = row.over.saturating_duration_since(now);
        let style = if head.colours && over.as_secs() < SOON {
            style.fg(Color::Yellow)
        } else {
            style
        };
        let (access, role) = (row.grant.access.to_string(), row.grant.role.to_string());
        lines.put(&columns.line(mark, &access, &role, &left(over)), style);
    }
    if rows.is_empty() {
        lines.put(nothing(choice), dim);
    }
    if !small {
        lines.y = area.height.saturating_sub(MORE + 1);
        for line in more(choice, area.width) {
            lines.put(&line, Style::new());
        }
    }
    lines.y = area.height.saturating_sub(1);
    lines.put(&foot(choice, area.width), dim);
}

fn nothing(choice: &Choice) -> &'static str {
    if choice.is_empty() {
        "  nothing any more: ask for more with `ssh ca request LOGIN@TARGET`"
    } else {
        "  nothing has that in its name"
    }
}

/// What went wrong last, or else more of the grant with the mark.
fn more(choice: &Choice, width: u16) -> Vec<String> {
    let text = match (&choice.note, choice.marked()) {
        (Some(note), _) => note.clone(),
        (None, Some(row)) => {
            let (until, may) = (row.grant.until.time_of_day(), channels(&row.grant));
            format!("{}; until {until}; may open: {may}", terms(&row.grant))
        }
        (None, None) => String::new(),
    };
    wrap(&text, usize::from(width.saturating_sub(2)))
        .into_iter()
        .take(usize::from(MORE))
        .map(|line| format!(" {line}"))
        .collect()
}

fn foot(choice: &Choice, width: u16) -> String {
    if choice.typing || !choice.filter.is_empty() {
        let cursor = if choice.typing { "_" } else { "" };
        return format!(" /{}{cursor}", choice.filter);
    }
    let whole = " j/k or arrows choose   Return connects   / looks for   r asks again   q leaves";
    if usize::from(width) < whole.len() {
        " Return connects  / finds  q leaves".to_owned()
    } else {
        whole.to_owned()
    }
}

/// How wide the columns are; one that does not fit is left out.
struct Columns {
    access: usize,
    role: Option<usize>,
}

impl Columns {
    fn of(rows: &[&Row], width: u16) -> Self {
        const LEFT: usize = 8;
        let access = widest(rows.iter().map(|row| row.grant.access.to_string())).max(12);
        let role = widest(rows.iter().map(|row| row.grant.role.to_string())).max(4);
        let room = usize::from(width).saturating_sub(2 + LEFT);
        let fits = access + 2 + role <= room;
        Self {
            access: access.min(room),
            role: fits.then_some(role),
        }
    }

    fn line(&self, mark: &str, access: &str, role: &str, left: &str) -> String {
        let width = self.access;
        let access: String = access.chars().take(width).collect();
        match self.role {
            Some(wide) => format!("{mark}{access:<width$}  {role:<wide$}  {left}"),
            None => format!("{mark}{access:<width$}  {left}"),
        }
    }
}

/// Puts one line below the other, each as wide as the area.
struct Lines<'a> {
    area: Rect,
    buffer: &'a mut Buffer,
    y: u16,
}

impl Lines<'_> {
    fn put(&mut self, text: &str, style: Style) {
        if self.y < self.area.height {
            let width = usize::from(self.area.width);
            let (x, y) = (self.area.x, self.area.y + self.y);
            self.buffer
                .set_stringn(x, y, format!("{text:<width$}"), width, style);
        }
        self.y = self.y.saturating_add(1);
    }
}

/// Lines of at most this many characters, broken between words where there are any.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::choice::tests::rows;
    use super::super::keys::Key;
    use super::*;

    fn drawn(choice: &Choice, width: u16, height: u16, now: Instant) -> Vec<String> {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        let head = Head {
            person: "alice",
            bastion: "bastion",
            colours: true,
        };
        draw(choice, &head, now, area, &mut buffer);
        let row = |y| -> String { (0..width).map(|x| buffer[(x, y)].symbol()).collect() };
        (0..height).map(|y| row(y).trim_end().to_owned()).collect()
    }

    #[test]
    fn a_screen_of_80_columns_has_all_of_it() {
        let now = Instant::now();
        let mut choice = Choice::of(rows(&["root@db1.prod", "www@web1.prod"], now));
        choice.press(Key::Down);
        let screen = drawn(&choice, 80, 24, now);
        assert_eq!(screen[0], " alice: what you may reach through bastion");
        assert_eq!(screen[1], "  LOGIN@TARGET   ROLE    LEFT");
        assert_eq!(screen[2], "  root@db1.prod  role-0  60s");
        assert_eq!(screen[3], "> www@web1.prod  role-1  2m");
        assert_eq!(screen[20], " recorded; until 15:28:04 UTC; may open:");
        assert_eq!(
            screen[23],
            " j/k or arrows choose   Return connects   / looks for   r asks again   q leaves"
        );
        choice.note = Some("not now".to_owned());
        assert_eq!(drawn(&choice, 80, 24, now)[20], " not now");
    }

    #[test]
    fn a_narrow_and_low_one_has_the_list() {
        let now = Instant::now();
        let names = [
            "root@db1.prod",
            "root@db2.prod",
            "root@db3.prod",
            "root@db4.prod",
        ];
        let mut choice = Choice::of(rows(&names, now));
        choice.press(Key::Last);
        let screen = drawn(&choice, 24, 4, now);
        assert_eq!(screen[0], "  root@db2.prod  2m");
        assert_eq!(screen[2], "> root@db4.prod  4m");
        assert_eq!(screen[3], " Return connects  / find");
        // Whatever the size, nothing breaks.
        for (width, height) in [(1, 1), (2, 2), (5, 12), (500, 500)] {
            let screen = drawn(&choice, width, height, now);
            assert_eq!(screen.len(), usize::from(height));
        }
        assert_eq!(page(1), 1);
    }

    #[test]
    fn a_filter_that_finds_nothing_says_so() {
        let now = Instant::now();
        let mut choice = Choice::of(rows(&["root@db1.prod"], now));
        for c in "/zz".chars() {
            choice.press(Key::Char(c));
        }
        let screen = drawn(&choice, 80, 24, now);
        assert_eq!(screen[2], "  nothing has that in its name");
        assert_eq!(screen[23], " /zz_");
    }

    #[test]
    fn long_words_wrap_between_words() {
        assert_eq!(wrap("a bb ccc", 4), ["a bb", "ccc"]);
        assert_eq!(wrap("aaaaaa b", 3), ["aaaaaa", "b"]);
        assert_eq!(wrap("", 3), [""]);
    }
}
