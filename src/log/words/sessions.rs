//! The entries of sessions and of their recordings.

use record::entry::Entry;

pub(super) fn told(entry: &Entry) -> String {
    match entry {
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
        _ => String::new(),
    }
}
