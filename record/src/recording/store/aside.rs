//! Where recordings go that could not be recovered.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use config::words::SessionId;

use super::super::recover;
use super::ASIDE;

/// Moves all files of a recording out of the way, where nothing lists or touches them.
pub(in crate::recording) fn set_aside(dir: &Path, session: &SessionId) -> io::Result<()> {
    let names: Vec<_> = fs::read_dir(dir)?
        .map(|entry| Ok(entry?.file_name()))
        .collect::<io::Result<_>>()?;
    for name in names.iter().filter_map(|name| name.to_str()) {
        if recover::file_of(name).is_some_and(|(of, _)| of == *session) {
            move_aside(dir, name)?;
        }
    }
    Ok(())
}

/// Moves one tail out of the way, and says where it is now.
pub(in crate::recording) fn aside_tail(
    dir: &Path,
    session: &SessionId,
    number: u32,
) -> io::Result<String> {
    move_aside(dir, &format!("{session}.{number:06}.tail"))
}

/// Gives a file a name in `aside/` that is not taken: a session may come here more than once.
fn move_aside(dir: &Path, name: &str) -> io::Result<String> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir.join(ASIDE))?;
    let free = |n: u32| {
        Some(if n == 0 {
            format!("{ASIDE}/{name}")
        } else {
            format!("{ASIDE}/{name}.{n}")
        })
    };
    let to = (0..u32::MAX)
        .filter_map(free)
        .find(|to| !dir.join(to).exists())
        .unwrap_or_default();
    fs::rename(dir.join(name), dir.join(&to))?;
    Ok(to)
}
