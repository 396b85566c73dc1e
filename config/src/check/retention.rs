//! How long recordings are kept: that it can be meant.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;

use super::files::size;
use super::{Checked, flaw};
use crate::retention::Retention;
use crate::words::shown;
use crate::{duration, file, limits};

/// That of every role that says nothing itself.
pub(super) fn by_default(given: Option<&file::Recordings>) -> Checked<Retention> {
    let given = given.and_then(|given| given.retention.as_ref());
    given.map_or(Ok(Retention::default()), retention)
}

/// By age, by size, or by both.
pub(super) fn retention(given: &Spanned<file::Retention>) -> Checked<Retention> {
    let at = given.span();
    let measures = match given.get_ref() {
        file::Retention::Age(text) => {
            return Ok(Retention {
                age: Some(age(text, at)?),
                size: None,
            });
        }
        file::Retention::Measures(measures) => measures,
    };
    let kept = Retention {
        age: measures
            .age
            .as_ref()
            .map(|text| age(text.get_ref(), text.span()))
            .transpose()?,
        size: size(measures.size.as_ref())?,
    };
    if kept.is_forever() {
        return flaw(
            at,
            "retention says neither an age nor a size",
            "write \"90d\" or { age = \"90d\", size = \"50G\" }; without retention, recordings are kept for ever",
        );
    }
    Ok(kept)
}

fn age(text: &str, at: Range<usize>) -> Checked<Duration> {
    let (least, most) = limits::RETENTION_AGE;
    match duration::parse(text) {
        Some(age) if age >= least && age <= most => Ok(age),
        _ => flaw(
            at,
            format!("{} is not between 1h and 36500d", shown(text)),
            "write it like 90d",
        ),
    }
}
