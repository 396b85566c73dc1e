//! What roles give of files: that it can be enforced.

use toml::Spanned;

use super::{Checked, flaw};
use crate::files::FileRules;
use crate::words::shown;
use crate::{file, limits};

/// The rules of a role's transfers; `carried`: the role gives them at all.
pub(super) fn files(given: Option<Spanned<file::Files>>, carried: bool) -> Checked<FileRules> {
    let Some(given) = given else {
        return Ok(FileRules::default());
    };
    let at = given.span();
    if !carried {
        return flaw(
            at,
            "files without the sftp channel",
            "add \"sftp\" to channels, or remove files",
        );
    }
    let given = given.into_inner();
    let (read, write) = (given.read.unwrap_or(true), given.write.unwrap_or(true));
    if !read && !write {
        return flaw(
            at,
            "files that may be neither read nor written",
            "remove \"sftp\" from channels, or give one of the two",
        );
    }
    Ok(FileRules {
        read,
        write,
        paths: paths(given.paths.as_ref())?,
        largest: size(given.largest.as_ref())?,
    })
}

fn paths(given: Option<&Spanned<Vec<Spanned<String>>>>) -> Checked<Vec<String>> {
    let Some(given) = given else {
        return Ok(Vec::new());
    };
    let count = given.get_ref().len();
    if count == 0 || count > limits::FILE_PATHS {
        return flaw(
            given.span(),
            format!("paths names {count} directories"),
            format!(
                "name 1 to {}, or remove it for every path",
                limits::FILE_PATHS
            ),
        );
    }
    let mut paths = Vec::new();
    for path in given.get_ref() {
        let text = path.get_ref();
        let odd = text
            .split('/')
            .skip(1)
            .any(|part| matches!(part, "." | ".."))
            || text.contains("//")
            || text.chars().any(char::is_control);
        if !text.starts_with('/') || odd {
            return flaw(
                path.span(),
                format!("{} is not a full path", shown(text)),
                "write it from the root on, like /srv/app, without . and ..",
            );
        }
        paths.push(text.clone());
    }
    Ok(paths)
}

/// A size as people write it: `500`, `64K`, `20M`, `2G`, in powers of 1,024.
pub(super) fn size(given: Option<&Spanned<String>>) -> Checked<Option<u64>> {
    let Some(given) = given else { return Ok(None) };
    let text = given.get_ref();
    let (digits, shift) = match text.char_indices().last() {
        Some((at, 'K')) => (text.get(..at), 10),
        Some((at, 'M')) => (text.get(..at), 20),
        Some((at, 'G')) => (text.get(..at), 30),
        _ => (Some(text.as_str()), 0),
    };
    let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits.and_then(|digits| digits.parse::<u64>().ok());
    let size = number.and_then(|number| number.checked_mul(1 << shift));
    match size {
        Some(size) if size > 0 => Ok(Some(size)),
        _ => flaw(
            given.span(),
            format!("{} is not a size", shown(text)),
            "write it like 500, 64K, 20M or 2G",
        ),
    }
}
