//! An entry of the log in one line, for people.

use config::words::PersonName;
use record::entry::{Authority, Entry};
use record::request::Request;

mod glass;
mod machines;

#[expect(clippy::too_many_lines, reason = "one arm for each kind of entry")]
pub(super) fn told(entry: &Entry) -> String {
    match entry {
        Entry::Start { policy } => format!("start: the CA serves under policy {policy}"),
        Entry::Law { change } => {
            let named = change.roles.keys().map(ToString::to_string);
            let persons = change.persons.keys().map(ToString::to_string);
            let all: Vec<String> = named.chain(persons).collect();
            format!("law: who may approve what has changed: {}", all.join(", "))
        }
        Entry::Keys { steps } => {
            let told = steps.iter().map(|step| {
                let key = ssh_key::PublicKey::from_openssh(&step.key);
                let key = key.map(|key| key.fingerprint(ssh_key::HashAlg::Sha256).to_string());
                let by = match &step.vouch {
                    Some(_) => ", vouched for by the one before",
                    None => "",
                };
                format!(
                    "{} {} {}{by}",
                    step.name,
                    key.unwrap_or_default(),
                    step.step
                )
            });
            format!("keys: {}", told.collect::<Vec<_>>().join(", "))
        }
        Entry::Request { text, source } => match Request::parse(text) {
            Ok(asked) => format!(
                "request: {} by {} from {source} for {} as {}{}: {}",
                asked.id,
                asked.person,
                asked.access,
                asked.role,
                if asked.break_glass {
                    ", break-glass"
                } else {
                    ""
                },
                asked.reason
            ),
            Err(why) => format!("request from {source} that cannot be read: {why}"),
        },
        Entry::Approval {
            request, person, ..
        } => format!("approval: {person} approved {request}"),
        Entry::Verdict {
            request,
            check,
            verdict,
            reason,
        } => format!("verdict: check {check} on {request}: {verdict}: {reason}"),
        Entry::Groups { groups, answer, .. } => {
            let each = groups.iter().map(|(group, members)| {
                let members: Vec<&str> = members.iter().map(PersonName::as_str).collect();
                format!("{group} is {}", members.join(", "))
            });
            let each: Vec<String> = each.collect();
            match answer {
                Some(_) => format!("groups: by the program, {}", each.join("; ")),
                None => {
                    "groups: nothing is known of the program's, and nobody is in them".to_owned()
                }
            }
        }
        Entry::Denial {
            request,
            person,
            reason,
        } => format!("denial: {person} denied {request}: {reason}"),
        Entry::Withdrawal { request } => format!("withdrawal: {request}"),
        Entry::Grant {
            request,
            until,
            approved_by,
            ..
        } => {
            let by: Vec<&str> = approved_by.iter().map(PersonName::as_str).collect();
            let by = if by.is_empty() {
                "no approval".to_owned()
            } else {
                by.join(", ")
            };
            format!("grant: {request} until {until}, by {by}")
        }
        Entry::Issue {
            serial,
            authority,
            request,
            ..
        } => {
            let whose = match authority {
                Authority::User => "access",
                Authority::Session => "session",
                Authority::Host => "host",
                Authority::Door => "door",
            };
            let under = request.as_ref().map(|id| format!(" under {id}"));
            format!(
                "issue: {whose} certificate, serial {serial}{}",
                under.unwrap_or_default()
            )
        }
        Entry::Return { request } => format!("return: {request}"),
        Entry::Revocation {
            request,
            person,
            reason,
        } => format!("revocation: {person} revoked {request}: {reason}"),
        Entry::SessionBegin {
            session,
            request,
            person,
            access,
            bastion,
            source,
        } => format!(
            "session: {session} of {person} to {access} from {source} through {bastion}, under {request}"
        ),
        Entry::Stray {
            serial,
            key_id,
            access,
            bastion,
            source,
            ..
        } => format!(
            "ALARM: a certificate that is not in this log, and yet signed by the user CA: serial {serial}, {key_id}, for {access} from {source} at {bastion}"
        ),
        Entry::Reading {
            session,
            reading,
            request,
            person,
            bastion,
            source,
        } => format!(
            "reading: {person} {reading} session {session} at {bastion}, from {source}, under {request}"
        ),
        Entry::Expiry {
            session,
            bastion,
            role,
            rule,
        } => format!("expiry: {bastion} removes the recording of {session}, role {role}: {rule}"),
        Entry::SessionAlert {
            session,
            alert,
            on,
            ended,
        } => format!(
            "alert: {alert} ({on}) in {session}{}",
            if *ended { ", which it ended" } else { "" }
        ),
        Entry::SessionEnd {
            session, reason, ..
        } => format!("end: {session}, {reason}"),
        Entry::Proof { .. } | Entry::Debt { .. } | Entry::Review { .. } | Entry::Overdue { .. } => {
            glass::told(entry)
        }
        Entry::Invitation { .. }
        | Entry::Enrolment { .. }
        | Entry::Renewal { .. }
        | Entry::Exclusion { .. }
        | Entry::Restoration { .. } => machines::told(entry),
    }
}
