//! A verdict, in words and as facts.

use record::log::SessionFacts;
use record::recording::verify::{Checked, Closed, Verdict};
use record::recording::{Fault, Problem};
use serde_json::{Value, json};

use super::Found;

/// The fact of what could not be read, and may be whole.
pub(super) const UNREAD: &str = "unread";

/// How it ends: what is wrong is kept as it is, and what could not be read is no word on the recording.
pub(super) fn ending(found: Found) -> String {
    let Found { good, bad, unread } = found;
    let (all, wrong) = (good + bad, bad - unread);
    let keep = "keep everything as it is, and find out why";
    let again = "put that right, and check again";
    match (good, wrong, unread) {
        (0, 0, 0) => "nothing there to check".to_owned(),
        (1, 0, 0) => "it is whole".to_owned(),
        (_, 0, 0) => format!("all {good} are whole"),
        (0, 1, 0) => format!("it is wrong: {keep}"),
        (_, _, 0) => format!("{wrong} of {all} are wrong: {keep}"),
        (0, 0, 1) => format!("it could not be read: {again}"),
        (_, 0, _) => format!("{unread} of {all} could not be read: {again}"),
        _ => format!("{wrong} of {all} are wrong, and {unread} could not be read: {keep}"),
    }
}

/// Whether a verdict is a good one, in words and as facts. `begun` is what the log knows of the session.
pub(super) fn told(verdict: &Verdict, begun: Option<&SessionFacts>) -> (bool, String, Value) {
    match verdict {
        // Somebody with the bastion's disk did that, and nobody was asked.
        Verdict::Good(checked) | Verdict::Unfinished(checked) | Verdict::NotInLog(checked)
            if is_erased(checked) && begun.is_some_and(|it| !it.erased) =>
        {
            (
                false,
                format!(
                    "{}, and the log knows of nobody who was let erase it",
                    summary(checked)
                ),
                facts(checked),
            )
        }
        // Where the log speaks of the session, another key than the first one may be a copy's, or no key at all.
        Verdict::Good(checked) | Verdict::NotInLog(checked)
            if is_rewrapped(checked) && begun.is_some() =>
        {
            (
                false,
                format!(
                    "{}; whether that key opens it, only --identity with a recipient's private key tells",
                    summary(checked)
                ),
                facts(checked),
            )
        }
        Verdict::Good(checked) => (true, summary(checked), facts(checked)),
        Verdict::Unfinished(checked) => (
            true,
            format!(
                "{}, not finished: whole as far as it is sealed",
                summary(checked)
            ),
            facts(checked),
        ),
        // The bastion tells the CA of the end a moment later, or when the CA is back.
        Verdict::NotInLog(checked) if begun.is_some() => (
            true,
            format!("{}, its end is not in the log yet", summary(checked)),
            facts(checked),
        ),
        Verdict::NotInLog(checked) => (
            false,
            "the log knows of no such session".to_owned(),
            facts(checked),
        ),
        Verdict::OtherRoot { logged, found } => {
            let said = format!(
                "this is not the recording that the log speaks of: its root is {found}, logged is {logged}"
            );
            (false, said, json!({}))
        }
        // That is no word on the recording.
        Verdict::Bad(Problem {
            fault: Fault::Io(e),
            ..
        }) => (
            false,
            format!("it could not be read, and may be whole: {e}"),
            json!({UNREAD: true}),
        ),
        Verdict::Bad(problem) => (
            false,
            problem.to_string(),
            json!({"offset": problem.offset, "frame": problem.frame, "at_us": problem.at_us}),
        ),
        Verdict::SetAside => (
            false,
            "its bastion could not recover it: what is left of it is in aside/".to_owned(),
            json!({"aside": true}),
        ),
        Verdict::Missing => (false, "missing".to_owned(), json!({"missing": true})),
    }
}

fn summary(checked: &Checked) -> String {
    let seconds = checked.duration.as_secs();
    let length = format!("{}:{:02}", seconds / 60, seconds % 60);
    let who = checked
        .header
        .as_ref()
        .map_or_else(String::new, |h| format!("{} {}, ", h.person, h.access));
    let end = checked
        .end
        .as_ref()
        .map_or_else(String::new, |end| format!(", {}", end.reason));
    let frames = if checked.frames == 1 {
        "1 frame".to_owned()
    } else {
        format!("{} frames", checked.frames)
    };
    let sealed = checked.closed.as_ref().map_or_else(String::new, sealed);
    format!("{who}{length}, {frames}{end}{sealed}")
}

fn is_erased(checked: &Checked) -> bool {
    checked.closed.as_ref().is_some_and(|closed| closed.erased)
}

/// Whether its key is wrapped otherwise than in the beginning, and was not shown to open it.
fn is_rewrapped(checked: &Checked) -> bool {
    let closed = checked.closed.as_ref();
    closed.is_some_and(|closed| !closed.erased && !closed.original && !closed.opened)
}

fn sealed(closed: &Closed) -> String {
    if closed.erased {
        return ", erased: its key was destroyed, and nobody can read it".to_owned();
    }
    let to = match closed.recipients.as_slice() {
        [one] => one.clone(),
        several if closed.threshold > 1 => {
            format!(
                "{} of {} recipients together",
                closed.threshold,
                several.len()
            )
        }
        several => format!("{} recipients", several.len()),
    };
    let copy = if closed.original {
        ""
    } else {
        ", a copy for others than it began with"
    };
    let opened = if closed.opened {
        ", opened and read through"
    } else {
        ""
    };
    format!(", sealed to {to}{copy}{opened}")
}

fn facts(checked: &Checked) -> Value {
    json!({
        "root": checked.root,
        "frames": checked.frames,
        "bytes": checked.bytes,
        "sealed": checked.closed.as_ref().map(|closed| json!({
            "recipients": closed.recipients,
            "threshold": closed.threshold,
            "erased": closed.erased,
            "original": closed.original,
            "opened": closed.opened,
        })),
        "end": checked.end.as_ref().map(|end| end.reason.as_str()),
    })
}

#[cfg(test)]
mod tests;
