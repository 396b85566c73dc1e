//! An entry of the log in one line, for people.

use config::words::PersonName;
use record::entry::{Authority, Entry};

mod cases;
mod glass;
mod machines;
mod sessions;

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
        Entry::Request { .. }
        | Entry::Approval { .. }
        | Entry::Verdict { .. }
        | Entry::Denial { .. }
        | Entry::Withdrawal { .. }
        | Entry::Grant { .. }
        | Entry::Return { .. }
        | Entry::Revocation { .. } => cases::told(entry),
        Entry::SessionBegin { .. }
        | Entry::Stray { .. }
        | Entry::Reading { .. }
        | Entry::Expiry { .. }
        | Entry::SessionAlert { .. }
        | Entry::SessionEnd { .. } => sessions::told(entry),
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
