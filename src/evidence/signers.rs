//! The public keys that evidence is checked against: where they are, and what is said of that.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use record::recording::verify::Trusted;
use ssh_key::PublicKey;

use crate::failure::{Failure, Result};

/// The file of public keys that lies in a site's directory.
pub(crate) const SIGNERS: &str = "allowed_signers";

/// The public keys of an issuance log, from the given file or the nearest one; says from which.
pub(crate) fn log_keys(
    given: Option<&Path>,
    dir: &Path,
    notes: &mut dyn Write,
) -> Result<Vec<PublicKey>> {
    let (file, trusted) = signers(given, dir)?;
    writeln!(notes, "{}", checked_against(given, &file))?;
    keys_of_log(&trusted)
}

/// One is enough, also an older one: each vouches for the next, in the log itself.
pub(super) fn keys_of_log(trusted: &Trusted) -> Result<Vec<PublicKey>> {
    let keys: Vec<PublicKey> = trusted.keys("log").cloned().collect();
    if keys.is_empty() {
        return Err(Failure::new(
            "the public keys name no key for `log`: give one",
        ));
    }
    Ok(keys)
}

pub(super) fn signers(given: Option<&Path>, path: &Path) -> Result<(PathBuf, Trusted)> {
    let file = match given {
        Some(file) => file.to_owned(),
        None => nearest_signers(path)?,
    };
    let text = fs::read_to_string(&file).map_err(|e| Failure::file("read", &file, &e))?;
    let trusted = Trusted::from_allowed_signers(&text)
        .map_err(|e| Failure::new(format!("{}: {e}", file.display())))?;
    Ok((file, trusted))
}

pub(super) fn checked_against(given: Option<&Path>, file: &Path) -> String {
    let found = if given.is_some() {
        ""
    } else {
        " (found beside what is checked; give --trust to use a copy that you keep)"
    };
    format!("checked against {}{found}", file.display())
}

/// Whether a file is the one that is checked against, which needs no word beside that.
pub(super) fn is_same(file: &Path, signers: Option<&Path>) -> bool {
    let place = |path: &Path| fs::canonicalize(path).ok();
    let signers = signers.and_then(place);
    signers.is_some() && signers == place(file)
}

fn nearest_signers(path: &Path) -> Result<PathBuf> {
    let path = fs::canonicalize(path).map_err(|e| Failure::file("read", path, &e))?;
    path.ancestors().map(|dir| dir.join(SIGNERS)).find(|file| file.is_file()).ok_or_else(|| {
        Failure::new(format!(
            "no public keys to check {} against: give --trust FILE, as `hallpass trust` prints it",
            path.display()
        ))
    })
}
