//! Programs, calendars and services: that each is named whole, and that no group has two sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use toml::Spanned;

use super::{Checked, flaw};
use crate::outside::{Calendar, Check, Feed, Groups, Means, Roster, Url};
use crate::rules::Person;
use crate::words::{CheckName, PersonName, RosterName, shown};
use crate::{duration, file, limits};

pub(super) fn groups(
    given: Option<file::Groups>,
    persons: &BTreeMap<PersonName, Person>,
) -> Checked<Option<Groups>> {
    let Some(given) = given else { return Ok(None) };
    if given.names.get_ref().is_empty() {
        return flaw(
            given.names.span(),
            "names is empty",
            "name the groups whose members the program says, or remove [groups]",
        );
    }
    let mut names = BTreeSet::new();
    for name in given.names.get_ref() {
        let group = name.get_ref();
        let held = persons
            .iter()
            .find(|(_, person)| person.groups.contains(group));
        if let Some((person, _)) = held {
            return flaw(
                name.span(),
                format!("group {group} is {person}'s by this file, and the program's too"),
                "a group has one source: remove it here, or from the persons' groups",
            );
        }
        names.insert(group.clone());
    }
    let feed = feed(
        &given.command,
        given.every.as_ref(),
        given.timeout.as_ref(),
        given.stale.as_ref(),
    )?;
    Ok(Some(Groups { names, feed }))
}

pub(super) fn rosters(
    base: &Path,
    given: BTreeMap<Spanned<RosterName>, file::Roster>,
    persons: &BTreeMap<PersonName, Person>,
) -> Checked<BTreeMap<RosterName, Roster>> {
    let mut rosters = BTreeMap::new();
    for (name, roster) in given {
        let checked = self::roster(base, &name, roster, persons)?;
        rosters.insert(name.into_inner(), checked);
    }
    Ok(rosters)
}

fn roster(
    base: &Path,
    name: &Spanned<RosterName>,
    given: file::Roster,
    persons: &BTreeMap<PersonName, Person>,
) -> Checked<Roster> {
    match (given.calendar, given.command) {
        (Some(file), None) => {
            let timed = [&given.every, &given.timeout, &given.stale];
            if let Some(one) = timed.into_iter().flatten().next() {
                return flaw(
                    one.span(),
                    "a calendar file has no every, timeout or stale",
                    "remove it: the file is read again when it changes",
                );
            }
            Ok(Roster::Calendar(Calendar {
                file: base.join(file.get_ref()),
                zone: given.zone.map(Spanned::into_inner),
                persons: mapping(given.persons, persons)?,
            }))
        }
        (None, Some(command)) => {
            if let Some(zone) = &given.zone {
                return flaw(zone.span(), "zone is for calendars", "remove it");
            }
            if let Some(mapped) = &given.persons {
                return flaw(
                    mapped.span(),
                    "persons is for calendars",
                    "remove it: the program prints the names of this file",
                );
            }
            let (every, timeout, stale) = (&given.every, &given.timeout, &given.stale);
            feed(&command, every.as_ref(), timeout.as_ref(), stale.as_ref()).map(Roster::Command)
        }
        _ => flaw(
            name.span(),
            format!("{} needs one source", name.get_ref()),
            "say either calendar = \"FILE.ics\" or command = [\"/PROGRAM\"]",
        ),
    }
}

fn mapping(
    given: Option<Spanned<BTreeMap<String, Spanned<PersonName>>>>,
    persons: &BTreeMap<PersonName, Person>,
) -> Checked<BTreeMap<String, PersonName>> {
    let mut mapped = BTreeMap::new();
    for (text, name) in given.map(Spanned::into_inner).unwrap_or_default() {
        if !persons.contains_key(name.get_ref()) {
            return flaw(
                name.span(),
                format!("there is no person {}", name.get_ref()),
                "add the person, or correct the name",
            );
        }
        let key = if text.contains('@') {
            text.to_lowercase()
        } else {
            text
        };
        mapped.insert(key, name.into_inner());
    }
    Ok(mapped)
}

pub(super) fn checks(
    base: &Path,
    given: BTreeMap<Spanned<CheckName>, file::Check>,
) -> Checked<BTreeMap<CheckName, Check>> {
    let mut checks = BTreeMap::new();
    for (name, check) in given {
        let means = means(
            base,
            &name,
            check.command.as_ref(),
            check.url.as_ref(),
            check.ca_file.as_ref(),
        )?;
        let deadline = time(
            check.deadline.as_ref(),
            limits::CHECK_DEADLINE,
            limits::ASK_SHORTEST..=limits::CHECK_DEADLINE_LONGEST,
        )?;
        let secret = base.join(check.secret_file.get_ref());
        let checked = Check {
            means,
            secret,
            deadline,
        };
        checks.insert(name.into_inner(), checked);
    }
    Ok(checks)
}

/// A program or a service, exactly one of the two.
pub(super) fn means<N>(
    base: &Path,
    name: &Spanned<N>,
    given_command: Option<&Spanned<Vec<String>>>,
    given_url: Option<&Spanned<String>>,
    ca_file: Option<&Spanned<String>>,
) -> Checked<Means> {
    match (given_command, given_url) {
        (Some(given), None) => {
            if let Some(file) = ca_file {
                return flaw(file.span(), "ca-file is for https", "remove it");
            }
            command(given).map(Means::Command)
        }
        (None, Some(given)) => {
            let url = match Url::parse(given.get_ref()) {
                Ok(url) => url,
                Err(why) => {
                    return flaw(
                        given.span(),
                        format!("{} cannot be asked: {why}", shown(given.get_ref())),
                        "write it like https://checks.example.org/ticket or http://127.0.0.1:8080/",
                    );
                }
            };
            if let Some(file) = ca_file.filter(|_| !url.tls) {
                return flaw(file.span(), "ca-file is for https", "remove it");
            }
            let roots = ca_file.map(|file| base.join(file.get_ref()));
            Ok(Means::Post { url, roots })
        }
        _ => flaw(
            name.span(),
            "it needs one way to be reached",
            "say either command = [\"/PROGRAM\"] or url = \"https://…\"",
        ),
    }
}

fn feed(
    given: &Spanned<Vec<String>>,
    every: Option<&Spanned<String>>,
    timeout: Option<&Spanned<String>>,
    stale: Option<&Spanned<String>>,
) -> Checked<Feed> {
    let longest = limits::FEED_LONGEST;
    let feed = Feed {
        command: command(given)?,
        every: time(
            every,
            limits::FEED_EVERY,
            limits::ASK_SHORTEST..=limits::FEED_EVERY_LONGEST,
        )?,
        timeout: time(
            timeout,
            limits::FEED_TIMEOUT,
            limits::ASK_SHORTEST..=limits::FEED_EVERY_LONGEST,
        )?,
        stale: time(stale, limits::FEED_STALE, limits::ASK_SHORTEST..=longest)?,
    };
    if feed.stale < feed.every + feed.timeout {
        let at = stale
            .or(every)
            .or(timeout)
            .map_or(given.span(), Spanned::span);
        return flaw(
            at,
            format!(
                "an answer is stale after {}, before the next can be there",
                duration::show(feed.stale)
            ),
            "make stale longer than every and timeout together",
        );
    }
    Ok(feed)
}

fn command(given: &Spanned<Vec<String>>) -> Checked<Vec<String>> {
    let words = given.get_ref();
    let whole = words.first().is_some_and(|first| first.starts_with('/'));
    let long = words.iter().map(String::len).sum::<usize>() > limits::COMMAND_BYTES;
    if !whole || long || words.iter().any(|word| word.contains('\0')) {
        return flaw(
            given.span(),
            "the command is not a program's absolute path and its arguments",
            "write it like command = [\"/usr/local/bin/groups\", \"--json\"]; no shell reads it",
        );
    }
    Ok(words.clone())
}

fn time(
    given: Option<&Spanned<String>>,
    default: Duration,
    allowed: std::ops::RangeInclusive<Duration>,
) -> Checked<Duration> {
    let Some(given) = given else {
        return Ok(default);
    };
    match duration::parse(given.get_ref()).filter(|time| allowed.contains(time)) {
        Some(time) => Ok(time),
        None => flaw(
            given.span(),
            format!(
                "{} is not between {} and {}",
                shown(given.get_ref()),
                duration::show(*allowed.start()),
                duration::show(*allowed.end())
            ),
            "write it like 5s, 90s or 15m",
        ),
    }
}
