//! Commands that are granted at once: that a shell reads them as they are written.

use std::collections::BTreeSet;

use toml::Spanned;

use super::{Checked, flaw};
use crate::command::{NotAPattern, Pattern};
use crate::limits;
use crate::rules::Channel;

pub(super) fn commands(
    given: Option<&Spanned<Vec<Spanned<Vec<String>>>>>,
    forced: bool,
    channels: &BTreeSet<Channel>,
) -> Checked<Vec<Pattern>> {
    let Some(given) = given else {
        return Ok(Vec::new());
    };
    let (at, list) = (given.span(), given.get_ref());
    if !(1..=limits::COMMANDS).contains(&list.len()) {
        return flaw(
            at,
            format!("commands names {} commands", list.len()),
            format!("name 1 to {}, or remove it", limits::COMMANDS),
        );
    }
    if forced {
        return flaw(
            at,
            "both command and commands",
            "a forced command is the only one: remove one of the two",
        );
    }
    if !channels.contains(&Channel::Exec) {
        return flaw(
            at,
            "commands without the exec channel",
            "add \"exec\" to channels",
        );
    }
    let mut patterns: Vec<Pattern> = Vec::new();
    for words in list {
        let pattern = Pattern::read(words.get_ref());
        let pattern = pattern.or_else(|why| flaw(words.span(), why.to_string(), hint(&why)))?;
        if patterns.contains(&pattern) {
            return flaw(
                words.span(),
                "this command stands here twice",
                "remove one of the two",
            );
        }
        patterns.push(pattern);
    }
    Ok(patterns)
}

const fn hint(why: &NotAPattern) -> &'static str {
    match why {
        NotAPattern::Count => {
            "write each command as a list of its words; a long one belongs into a script"
        }
        NotAPattern::Program(_) => "begin with the program's name or whole path",
        NotAPattern::Word(_) => {
            "write ASCII letters, digits and _ - . / : , + @ % = only; there are no globs: {name} stands for one name"
        }
        NotAPattern::Place(_) => "write {name} for one name of the asker's choice, or {one|two}",
    }
}
