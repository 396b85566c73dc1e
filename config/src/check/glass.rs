//! Break-glass: that a role which may be taken first is looked at afterwards, by somebody else.

use std::collections::BTreeSet;
use std::time::Duration;

use toml::Spanned;

use super::roles::known_group;
use super::{Checked, Known, flaw};
use crate::rules::{BreakGlass, Review};
use crate::words::{GroupName, PersonName, shown};
use crate::{duration, file, limits};

/// What else the role says.
pub(super) struct Asked<'a> {
    /// Whether anybody or anything has to agree.
    pub(super) approved: bool,
    /// Whether it is given at some times only.
    pub(super) timed: bool,
    /// The groups whose members approve.
    pub(super) approvers: Vec<GroupName>,
    /// The groups whose members ask.
    pub(super) askers: &'a BTreeSet<GroupName>,
}

pub(super) fn break_glass(
    given: Option<&Spanned<file::BreakGlass>>,
    role: &Asked<'_>,
    known: Known<'_>,
) -> Checked<Option<BreakGlass>> {
    let none = file::GlassTerms::default();
    let (given, terms) = match given.map(|given| (given, given.get_ref())) {
        None | Some((_, file::BreakGlass::Flag(false))) => return Ok(None),
        Some((given, file::BreakGlass::Flag(true))) => (given, &none),
        Some((given, file::BreakGlass::Terms(terms))) => (given, terms),
    };
    if !role.approved {
        return flaw(
            given.span(),
            "break-glass on a role that needs no approval",
            "remove break-glass, or say which approvals it goes before",
        );
    }
    if role.askers.iter().all(|group| known.is_told(group)) {
        return flaw(
            given.span(),
            "break-glass for groups that only a program fills",
            "name a group of persons in this file too: break-glass has to work while that program is down",
        );
    }
    if let Some(count) = &terms.per_week
        && !(1..=limits::BREAK_GLASS_PER_WEEK).contains(count.get_ref())
    {
        return flaw(
            count.span(),
            format!(
                "per-week is not between 1 and {}",
                limits::BREAK_GLASS_PER_WEEK
            ),
            "count how often a week may be, or remove it for as often as need be",
        );
    }
    let locks = terms.blocks_break_glass.as_ref();
    if let Some(flag) = locks.filter(|flag| *flag.get_ref() && !terms.blocks) {
        return flaw(
            flag.span(),
            "blocks-break-glass without blocks",
            "add blocks = true: what is kept from emergencies is kept from the rest first",
        );
    }
    let any_time = terms.any_time.as_ref();
    if let Some(flag) = any_time.filter(|flag| *flag.get_ref() && !role.timed) {
        return flaw(
            flag.span(),
            "any-time on a role without hours",
            "remove it: the role is given at any time",
        );
    }
    Ok(Some(BreakGlass {
        any_time: any_time.is_some_and(|flag| *flag.get_ref()),
        verify: terms.verify,
        per_week: terms.per_week.as_ref().map(|count| *count.get_ref()),
        review: review(given, &terms.review, role, known)?,
        blocks: terms.blocks,
        blocks_break_glass: locks.is_some_and(|flag| *flag.get_ref()),
    }))
}

fn review(
    at: &Spanned<file::BreakGlass>,
    given: &file::GlassReview,
    role: &Asked<'_>,
    known: Known<'_>,
) -> Checked<Review> {
    let from = match &given.from {
        Some(group) => {
            known_group(group, known)?;
            vec![group.get_ref().clone()]
        }
        None => role.approvers.clone(),
    };
    if from.is_empty() {
        return flaw(
            at.span(),
            "nobody approves this role, so nobody would review it",
            "say who does: break-glass = { review = { from = \"GROUP\" } }",
        );
    }
    let count = given.count.as_ref().map_or(1, |count| *count.get_ref());
    if count == 0 {
        return flaw(
            given.count.as_ref().map_or(at.span(), Spanned::span),
            "a review by 0 persons",
            "what is taken before its approval is looked at afterwards: count at least 1",
        );
    }
    let persons = known.persons;
    let able = |name: &PersonName| {
        let others = persons.iter().filter(|(other, _)| *other != name);
        let others =
            others.filter(|(_, person)| from.iter().any(|group| person.groups.contains(group)));
        others.count() >= count as usize
    };
    // Who is in a program's groups, nobody knows yet.
    let told = from.iter().any(|group| known.is_told(group));
    let mut askers = persons
        .iter()
        .filter(|(_, person)| !person.groups.is_disjoint(role.askers));
    let stuck = askers.find(|(name, _)| !told && !able(name));
    if let Some((name, _)) = stuck {
        let groups: Vec<&str> = from.iter().map(GroupName::as_str).collect();
        return flaw(
            given.from.as_ref().map_or(at.span(), Spanned::span),
            format!(
                "what {name} does could never be reviewed by {count} others of {}",
                groups.join(" or ")
            ),
            "nobody reviews themselves: put more persons in the group, or count fewer",
        );
    }
    Ok(Review {
        count,
        from,
        within: within(given.within.as_ref())?,
    })
}

fn within(given: Option<&Spanned<String>>) -> Checked<Duration> {
    let Some(given) = given else {
        return Ok(limits::REVIEW_DEFAULT);
    };
    let hint = "write it like 24h, 90m or 7d";
    let Some(within) = duration::parse(given.get_ref()) else {
        let what = format!("{} is not a duration", shown(given.get_ref()));
        return flaw(given.span(), what, hint);
    };
    let (least, most) = limits::REVIEW_WITHIN;
    if within < least || within > most {
        let (least, most) = (duration::show(least), duration::show(most));
        let what = format!("{} is not between {least} and {most}", given.get_ref());
        return flaw(given.span(), what, hint);
    }
    Ok(within)
}
