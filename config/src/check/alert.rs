//! Who is told, and who may look at everything.

use std::collections::BTreeSet;
use std::path::Path;

use toml::Spanned;

use super::outside::means;
use super::roles::known_group;
use super::{Checked, Known, flaw};
use crate::file;
use crate::rules::Alert;
use crate::words::GroupName;

pub(super) fn alert(base: &Path, given: &Spanned<file::Alert>) -> Checked<Alert> {
    let (command, url, ca_file) = {
        let alert = given.get_ref();
        (&alert.command, &alert.url, &alert.ca_file)
    };
    let means = means(
        base,
        given,
        command.as_ref(),
        url.as_ref(),
        ca_file.as_ref(),
    )?;
    let secret = given.get_ref().secret_file.as_ref();
    let secret = secret.map(|file| base.join(file.get_ref()));
    Ok(Alert { means, secret })
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
