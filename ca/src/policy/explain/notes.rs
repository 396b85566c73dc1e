//! What an answer of the policy does not show by itself.

use std::collections::BTreeSet;

use config::Config;
use config::rules::Role;
use config::words::{GroupName, RoleName, RosterName};

use super::{Question, Verdict};

/// Each a sentence, for a person.
pub(super) fn of(
    config: &Config,
    question: &Question,
    meant: Option<&RoleName>,
    verdict: &Verdict,
) -> Vec<String> {
    let mut notes = Vec::new();
    let role = meant.and_then(|name| Some((name, config.roles.get(name)?)));
    if let (Some((name, role)), Verdict::Granted { until, .. }) = (role, verdict) {
        let others = !role.quorums.is_empty() || !role.checks.is_empty();
        if question.ask.break_glass {
            notes.extend(owed(role, *until));
        } else if question.is_preapproved(role) && others {
            notes.push(format!(
                "role {name} gives this command at once: nobody is asked, and no automated check"
            ));
        }
    }
    let covering = config.roles.values();
    let covering: Vec<&Role> = covering
        .filter(|role| role.covers(&question.ask.access))
        .collect();
    notes.extend(unasked_groups(config, question, &covering));
    notes.extend(unasked_rosters(question, &covering));
    if let Some((name, _)) = role.filter(|(_, role)| looks_back(question, role)) {
        notes.push(format!(
            "what {} did before was not looked up: --log counts the grants of role {name} that run, break-glass within \
             the week and reviews that are owed",
            question.person
        ));
    }
    notes
}

/// Who has to look at it afterwards.
fn owed(role: &Role, until: record::clock::UnixTime) -> Option<String> {
    let review = &role.break_glass.as_ref()?.review;
    let from: Vec<&str> = review.from.iter().map(GroupName::as_str).collect();
    Some(format!(
        "everybody who approves is told at once, and {} of {} have to review it until {}",
        review.count,
        from.join(" or "),
        until.after(review.within)
    ))
}

/// The groups of these roles whose members a program says that was not asked.
fn unasked_groups(config: &Config, question: &Question, roles: &[&Role]) -> Option<String> {
    let said = config.groups.as_ref().filter(|_| !question.grouped)?;
    let asking = roles.iter().flat_map(|role| &role.groups);
    let approving = roles.iter().flat_map(|role| &role.quorums);
    let wanted: BTreeSet<&GroupName> = asking.chain(approving.map(|quorum| &quorum.from)).collect();
    let names: Vec<&str> = wanted
        .into_iter()
        .filter(|name| said.names.contains(*name))
        .map(GroupName::as_str)
        .collect();
    (!names.is_empty()).then(|| {
        format!(
            "who is in {} is said by a program that was not asked, so nobody is: --try asks it, and --log takes what it \
             said last",
            names.join(" and ")
        )
    })
}

/// The rosters of these roles' quorums, if nothing was said about who is on call.
fn unasked_rosters(question: &Question, roles: &[&Role]) -> Option<String> {
    if !question.on_call.is_empty() || !question.rosters.is_empty() {
        return None;
    }
    let quorums = roles.iter().flat_map(|role| &role.quorums);
    let wanted: BTreeSet<&RosterName> = quorums.filter_map(|one| one.on_call.as_ref()).collect();
    let names: Vec<&str> = wanted.into_iter().map(RosterName::as_str).collect();
    (!names.is_empty()).then(|| {
        format!(
            "who is on call by {} was not asked, so nobody is: --try asks, and --on-call says",
            names.join(" and ")
        )
    })
}

/// Whether the answer may depend on what the person did before.
fn looks_back(question: &Question, role: &Role) -> bool {
    let supposed = question.log.is_some()
        || !question.running.is_empty()
        || !question.taken.is_empty()
        || !question.owes.is_empty();
    let counts = role.live.is_some()
        || role.break_glass.as_ref().is_some_and(|terms| {
            question.ask.break_glass && (terms.per_week.is_some() || terms.blocks_break_glass)
        });
    counts && !supposed
}
