//! The terms of a role's sessions.

use std::collections::BTreeSet;
use std::time::Duration;

use toml::Spanned;

use super::files::size;
use super::{Checked, flaw};
use crate::pattern::Pattern;
use crate::recipients::Recipients;
use crate::terms::{Alert, Mask, Maskable, Terms, Trigger};
use crate::words::shown;
use crate::{file, limits};

pub(super) fn terms(given: file::Terms) -> Checked<Terms> {
    let original = original(given.mask_original.as_ref(), given.mask.is_some())?;
    Ok(Terms {
        mask: Mask {
            original,
            ..mask(given.mask)?
        },
        idle: idle(given.idle.as_ref())?,
        largest: size(given.largest_session.as_ref())?,
        alerts: alerts(given.alerts)?,
        observer: observer(given.observer.as_ref())?,
    })
}

fn observer(given: Option<&Spanned<file::Observer>>) -> Checked<Option<Duration>> {
    let terms = match given.map(Spanned::get_ref) {
        None | Some(file::Observer::Flag(false)) => return Ok(None),
        Some(file::Observer::Flag(true)) => return Ok(Some(limits::OBSERVER_GRACE)),
        Some(file::Observer::Terms(terms)) => terms,
    };
    let (least, most) = (limits::OBSERVER_GRACE_SHORTEST, limits::GRANT_LONGEST);
    match crate::duration::parse(terms.grace.get_ref()) {
        Some(grace) if grace >= least && grace <= most => Ok(Some(grace)),
        _ => flaw(
            terms.grace.span(),
            format!("{} is not between 1s and 12h", shown(terms.grace.get_ref())),
            "write it like 30s or 5m",
        ),
    }
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
    Ok(Mask {
        known,
        patterns,
        original: Recipients::nobody(),
    })
}

/// Who may read what was masked.
fn original(given: Option<&Spanned<file::Recipients>>, masks: bool) -> Checked<Recipients> {
    match given {
        None => Ok(Recipients::nobody()),
        Some(given) if given.get_ref().of().is_empty() => flaw(
            given.span(),
            "mask-original is empty",
            "name who may read what was masked, or remove it: then it is kept nowhere",
        ),
        Some(given) if masks => super::recipients::recipients(given),
        Some(given) => flaw(
            given.span(),
            "mask-original without mask: nothing is masked, and the recording is the original",
            "write what is masked, like mask = [\"cards\"], or remove mask-original",
        ),
    }
}

fn alerts(given: Option<Spanned<Vec<Spanned<file::SessionAlert>>>>) -> Checked<Vec<Alert>> {
    let Some(given) = given else {
        return Ok(Vec::new());
    };
    let count = given.get_ref().len();
    if count == 0 || count > limits::SESSION_ALERTS {
        let most = limits::SESSION_ALERTS;
        return flaw(
            given.span(),
            format!("alerts names {count} things"),
            format!("name 1 to {most}, or remove it: then nothing is told"),
        );
    }
    let mut alerts: Vec<Alert> = Vec::new();
    for alert in given.into_inner() {
        let at = alert.span();
        let alert = alert.into_inner();
        let name = alert.name.get_ref().clone();
        if alerts.iter().any(|other| other.name == name) {
            return flaw(
                alert.name.span(),
                format!("two alerts of one role are called {name}"),
                "give each a name of its own: it is what everybody hears",
            );
        }
        let on = [
            pattern_of(alert.command.as_ref())?.map(Trigger::Command),
            pattern_of(alert.screen.as_ref())?.map(Trigger::Screen),
            size(alert.rate.as_ref())?.map(Trigger::Rate),
            size(alert.volume.as_ref())?.map(Trigger::Volume),
        ];
        let mut on: Vec<Trigger> = on.into_iter().flatten().collect();
        let (Some(on), true) = (on.pop(), on.is_empty()) else {
            return flaw(
                at,
                format!("alert {name} is of nothing, or of several things"),
                "write one of command, screen, rate and volume: { name = \"shadow\", command = '/etc/shadow' }",
            );
        };
        let kill = alert.kill;
        alerts.push(Alert { name, on, kill });
    }
    Ok(alerts)
}

fn pattern_of(given: Option<&Spanned<String>>) -> Checked<Option<Pattern>> {
    given.map(pattern).transpose()
}

/// Within how long an address counts as known.
pub(super) fn new_source(given: Option<&Spanned<String>>) -> Checked<Option<Duration>> {
    let Some(given) = given else { return Ok(None) };
    let within = crate::duration::parse(given.get_ref());
    let (least, most) = limits::SOURCE_KNOWN;
    match within {
        Some(within) if within >= least && within <= most => Ok(Some(within)),
        _ => flaw(
            given.span(),
            format!("{} is not between 1h and 90d", shown(given.get_ref())),
            "write it like 30d",
        ),
    }
}

/// A pattern that compiles.
fn pattern(given: &Spanned<String>) -> Checked<Pattern> {
    match given.get_ref().parse() {
        Ok(pattern) => Ok(pattern),
        Err(e) => flaw(
            given.span(),
            format!("{} is no pattern: {e}", shown(given.get_ref())),
            "write a regular expression, best in single quotes: 'AB-\\d{6}'",
        ),
    }
}
