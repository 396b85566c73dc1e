//! Who may open recordings.

use toml::Spanned;

use super::{Checked, flaw};
use crate::file;
use crate::limits;
use crate::recipient::Recipient;

/// Those of every role that names none of its own.
pub(super) fn by_default(given: Option<&file::Recordings>) -> Checked<Vec<Recipient>> {
    given.map_or(Ok(Vec::new()), |given| recipients(&given.recipients))
}

/// A list of recipients.
pub(super) fn recipients(given: &Spanned<Vec<Spanned<String>>>) -> Checked<Vec<Recipient>> {
    if given.get_ref().is_empty() {
        return flaw(
            given.span(),
            "recipients is empty",
            "name who may open the recordings, or leave recipients out: then whoever has a file can read it",
        );
    }
    if given.get_ref().len() > limits::RECIPIENTS {
        return flaw(
            given.span(),
            format!("there are {} recipients", given.get_ref().len()),
            format!("name at most {}", limits::RECIPIENTS),
        );
    }
    let mut all: Vec<Recipient> = Vec::new();
    for text in given.get_ref() {
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
