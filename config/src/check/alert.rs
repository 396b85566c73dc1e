//! Who is told, and who may look at everything.

use std::collections::BTreeSet;
use std::path::Path;

use toml::Spanned;

use super::roles::known_group;
use super::{Checked, Known, flaw};
use crate::file;
use crate::rules::Alert;
use crate::words::{GroupName, shown};

pub(super) fn alert(given: Spanned<file::Alert>) -> Checked<Alert> {
    let at = given.span();
    let Some(command) = given.into_inner().command else {
        return flaw(
            at,
            "alert names nothing that could tell anybody",
            "add command = [\"/path/of/a/program\"], or remove [alert]",
        );
    };
    let at = command.span();
    let command = command.into_inner();
    let Some(program) = command.first() else {
        return flaw(at, "command is empty", "name a program, or remove [alert]");
    };
    if !Path::new(program).is_absolute() {
        return flaw(
            at,
            format!("{} is not the absolute path of a program", shown(program)),
            "nothing is looked up: write the program's whole path, and each argument as a string of its own",
        );
    }
    if command
        .iter()
        .any(|word| word.chars().any(char::is_control))
    {
        return flaw(
            at,
            "command has a control character",
            "write it in one line, each argument a string of its own",
        );
    }
    Ok(Alert { command })
}

pub(super) fn auditors(
    given: Option<file::Report>,
    known: Known<'_>,
) -> Checked<BTreeSet<GroupName>> {
    let Some(given) = given else {
        return Ok(BTreeSet::new());
    };
    let groups = given.auditors.get_ref();
    if groups.is_empty() {
        return flaw(
            given.auditors.span(),
            "auditors is empty",
            "name a group, or remove [report]: then nobody sees the report",
        );
    }
    for group in groups {
        known_group(group, known)?;
    }
    Ok(groups.iter().map(|group| group.get_ref().clone()).collect())
}
