//! Who may open recordings.

use std::ops::Range;

use toml::Spanned;

use super::{Checked, flaw};
use crate::file;
use crate::limits;
use crate::recipient::Recipient;
use crate::recipients::Recipients;

/// Those of every role that names none of its own.
pub(super) fn by_default(given: Option<&file::Recordings>) -> Checked<Recipients> {
    let given = given.and_then(|given| given.recipients.as_ref());
    given.map_or(Ok(Recipients::nobody()), recipients)
}

/// Each of a list alone, or so many of them together.
pub(super) fn recipients(given: &Spanned<file::Recipients>) -> Checked<Recipients> {
    let at = given.span();
    let (threshold, at, of) = match given.get_ref() {
        file::Recipients::Any(of) => (1, at.clone(), keys(of, at)?),
        file::Recipients::Together(together) => {
            let threshold = &together.threshold;
            let count = usize::try_from(*threshold.get_ref()).unwrap_or(usize::MAX);
            (count, threshold.span(), keys(&together.of, at)?)
        }
    };
    let count = of.len();
    match Recipients::together(threshold, of) {
        Ok(recipients) => Ok(recipients),
        Err(_) => flaw(
            at,
            format!("{threshold} of {count} recipients cannot come together"),
            format!(
                "write a threshold from 1, which is each of them alone, to {count}, which is all of them"
            ),
        ),
    }
}

/// These, and who may read what was masked in their recordings: it stands in there, so that a recording that is sealed has to open
/// for them first.
pub(super) fn with(
    recipients: Recipients,
    original: &Recipients,
    at: Range<usize>,
) -> Checked<Recipients> {
    if recipients.is_empty() || original.are_all_in(&recipients) {
        return Ok(recipients);
    }
    if recipients.threshold() > 1 {
        return flaw(
            at,
            "mask-original names a key that is none of the recipients, who open these recordings only together",
            "name it in recipients too, those of the role or of [recordings]: what was masked stands in the recording",
        );
    }
    let is_new = |one: &&Recipient| recipients.of().iter().all(|of| of.key() != one.key());
    let new = original.of().iter().filter(is_new);
    let all: Vec<Recipient> = recipients.of().iter().chain(new).cloned().collect();
    match Recipients::any(all) {
        Ok(all) => Ok(all),
        Err(_) => flaw(
            at,
            format!(
                "recipients and mask-original name more than {} keys",
                limits::RECIPIENTS
            ),
            "name fewer: each of them opens the recording",
        ),
    }
}

fn keys(given: &[Spanned<String>], at: Range<usize>) -> Checked<Vec<Recipient>> {
    if given.is_empty() {
        return flaw(
            at,
            "recipients is empty",
            "name who may open the recordings, or leave recipients out: then whoever has a file can read it",
        );
    }
    if given.len() > limits::RECIPIENTS {
        return flaw(
            at,
            format!("there are {} recipients", given.len()),
            format!("name at most {}", limits::RECIPIENTS),
        );
    }
    let mut all: Vec<Recipient> = Vec::new();
    for text in given {
        let recipient: Recipient = match text.get_ref().parse() {
            Ok(recipient) => recipient,
            Err(e) => {
                return flaw(
                    text.span(),
                    format!("this is no recipient: {e}"),
                    "write the line of an ssh-ed25519 .pub file, or a key of age (age1…)",
                );
            }
        };
        if all.iter().any(|other| other.key() == recipient.key()) {
            return flaw(
                text.span(),
                "this recipient stands here twice",
                "remove one of the two",
            );
        }
        all.push(recipient);
    }
    Ok(all)
}
