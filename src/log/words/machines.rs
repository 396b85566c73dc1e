//! Entries about machines that join, and about who is shut out.

use record::entry::Entry;
use record::fingerprint::Fingerprint;

/// What happened to machines, and to what was shut out.
pub(super) fn told(entry: &Entry) -> String {
    match entry {
        Entry::Invitation {
            target,
            until,
            person,
            ..
        } => {
            let by = person.as_ref().map_or("the operator", |name| name.as_str());
            format!("invitation: {by} made a join token for {target}, until {until}")
        }
        Entry::Enrolment { target, key, token } => {
            let key = ssh_key::PublicKey::from_openssh(key);
            let key = key.map_or_else(
                |why| format!("a key that cannot be read: {why}"),
                |key| Fingerprint::of(&key).to_string(),
            );
            let how = token.map_or("by the operator", |_| "with a token");
            format!("enrolment: {target} {how}, host key {key}")
        }
        Entry::Renewal { target, key } => format!("renewal: {target}, host key {key}"),
        Entry::Exclusion {
            whom,
            person,
            reason,
            ..
        } => format!("exclusion: {person} shut out {whom}: {reason}"),
        Entry::Restoration {
            whom,
            person,
            reason,
        } => format!("restoration: {person} let {whom} in again: {reason}"),
        _ => String::new(),
    }
}
