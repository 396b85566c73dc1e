//! The terms of a role's sessions.

use std::collections::BTreeSet;
use std::time::Duration;

use toml::Spanned;

use super::files::size;
use super::{Checked, flaw};
use crate::pattern::Pattern;
use crate::terms::{Mask, Maskable, Terms};
use crate::words::shown;
use crate::{file, limits};

pub(super) fn terms(given: file::Terms) -> Checked<Terms> {
    Ok(Terms {
        mask: mask(given.mask)?,
        idle: idle(given.idle.as_ref())?,
        largest: size(given.largest_session.as_ref())?,
    })
}

fn idle(given: Option<&Spanned<String>>) -> Checked<Option<Duration>> {
    let Some(given) = given else { return Ok(None) };
    let idle = crate::duration::parse(given.get_ref());
    let (least, most) = (limits::IDLE_SHORTEST, limits::GRANT_LONGEST);
    match idle {
        Some(idle) if idle >= least && idle <= most => Ok(Some(idle)),
        _ => flaw(
            given.span(),
            format!("{} is not between 10s and 12h", shown(given.get_ref())),
            "write it like 10m or 1h",
        ),
    }
}

fn mask(given: Option<Spanned<Vec<Spanned<file::Masked>>>>) -> Checked<Mask> {
    let Some(given) = given else {
        return Ok(Mask::default());
    };
    if given.get_ref().is_empty() {
        return flaw(
            given.span(),
            "mask is empty",
            "name what is masked, or remove it: then nothing is",
        );
    }
    let (mut known, mut patterns) = (BTreeSet::new(), Vec::new());
    for masked in given.into_inner() {
        let at = masked.span();
        let twice = match masked.into_inner() {
            file::Masked::Known(name) => {
                let named = Maskable::ALL.into_iter().find(|m| m.to_string() == name);
                let Some(named) = named else {
                    return flaw(
                        at,
                        format!("{} is nothing that is known by name", shown(&name)),
                        "name some of cards, keys and tokens, or write { pattern = '…' }",
                    );
                };
                !known.insert(named)
            }
            file::Masked::Own(file::OwnMask { pattern }) => {
                let pattern = self::pattern(&pattern)?;
                let twice = patterns.contains(&pattern);
                patterns.push(pattern);
                twice
            }
        };
        if twice {
            return flaw(at, "this stands in mask twice", "remove one of the two");
        }
        if patterns.len() > limits::MASK_PATTERNS {
            let most = limits::MASK_PATTERNS;
            return flaw(
                at,
                format!("mask has more than {most} patterns"),
                "join some of them with |",
            );
        }
    }
    Ok(Mask { known, patterns })
}

/// A pattern that compiles.
pub(super) fn pattern(given: &Spanned<String>) -> Checked<Pattern> {
    match given.get_ref().parse() {
        Ok(pattern) => Ok(pattern),
        Err(e) => flaw(
            given.span(),
            format!("{} is no pattern: {e}", shown(given.get_ref())),
            "write a regular expression, best in single quotes: 'AB-\\d{6}'",
        ),
    }
}
