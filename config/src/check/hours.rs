//! When a role is given: that its windows exist.

use std::ops::Range;

use toml::Spanned;

use super::{Checked, flaw};
use crate::hours::{Hours, NotAWindow, Window};
use crate::{file, limits};

pub(super) fn hours(given: Option<&Spanned<file::Several<file::Hours>>>) -> Checked<Option<Hours>> {
    let Some(given) = given else { return Ok(None) };
    let at = given.span();
    let windows = match given.get_ref() {
        file::Several::One(one) => vec![window(one, at.clone())?],
        file::Several::List(list) => list
            .iter()
            .map(|one| window(one.get_ref(), one.span()))
            .collect::<Checked<_>>()?,
    };
    let count = windows.len();
    match Hours::of(windows) {
        Some(hours) => Ok(Some(hours)),
        None => flaw(
            at,
            format!("hours names {count} windows"),
            format!(
                "name 1 to {}, or remove it for requests at any time",
                limits::WINDOWS
            ),
        ),
    }
}

fn window(given: &file::Hours, at: Range<usize>) -> Checked<Window> {
    let days = given.days.as_ref().map(|days| {
        let days = days.get_ref().iter();
        days.map(|day| day.get_ref().as_str()).collect::<Vec<_>>()
    });
    let (zone, from, to) = (&given.zone, &given.from, &given.to);
    let read = Window::read(
        zone.get_ref(),
        days.as_deref(),
        from.get_ref(),
        to.get_ref(),
    );
    read.or_else(|why| {
        let (at, hint) = match &why {
            NotAWindow::Zone(_) => (
                zone.span(),
                "name one of the IANA time zones, for example Europe/Zurich or UTC",
            ),
            NotAWindow::Day(wrong) => (
                day_at(given, wrong).unwrap_or(at),
                "write mon, tue, wed, thu, fri, sat, sun, or a run like mon-fri",
            ),
            NotAWindow::Time(wrong) => {
                let first = from.get_ref() == wrong;
                let at = if first { from.span() } else { to.span() };
                (at, "write it like 08:00; the end of a day is 24:00")
            }
            NotAWindow::Empty => (
                at,
                "let it end at another time than it begins; a whole day is 00:00 to 24:00",
            ),
        };
        flaw(at, why.to_string(), hint)
    })
}

fn day_at(given: &file::Hours, wrong: &str) -> Option<Range<usize>> {
    let mut days = given.days.as_ref()?.get_ref().iter();
    let found = days.find(|day| day.get_ref() == wrong)?;
    Some(found.span())
}
