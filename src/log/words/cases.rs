//! The entries of requests and grants.

use config::words::PersonName;
use record::entry::Entry;
use record::request::Request;

pub(super) fn told(entry: &Entry) -> String {
    match entry {
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
        Entry::Return { request } => format!("return: {request}"),
        Entry::Revocation {
            request,
            person,
            reason,
        } => format!("revocation: {person} revoked {request}: {reason}"),
        _ => String::new(),
    }
}
