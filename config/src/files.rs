//! What a role gives of a target's files, over SFTP and the old `scp`.

use serde::{Deserialize, Serialize};

/// What a file transfer may do. Without any key of its own, a role that gives the channel gives all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRules {
    /// Whether files may be read.
    pub read: bool,
    /// Whether anything may be changed.
    pub write: bool,
    /// The directories that are given, each with all that lies under it; empty for every path. A path is judged as it
    /// is asked for: a link on the target that leads elsewhere is followed by the target.
    pub paths: Vec<String>,
    /// The largest file, in bytes.
    pub largest: Option<u64>,
}

impl Default for FileRules {
    fn default() -> Self {
        Self {
            read: true,
            write: true,
            paths: Vec::new(),
            largest: None,
        }
    }
}

impl FileRules {
    /// Whether a path is given: where directories are named, only a full path in one of them, without a step back.
    pub fn covers(&self, path: &[u8]) -> bool {
        if self.paths.is_empty() {
            return true;
        }
        let steps_back = path.split(|byte| *byte == b'/').any(|part| part == b"..");
        let under = |given: &String| {
            let rest = path.strip_prefix(given.trim_end_matches('/').as_bytes());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        };
        path.starts_with(b"/") && !steps_back && !path.contains(&0) && self.paths.iter().any(under)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_gives_what_lies_under_it_and_nothing_beside_it() {
        let rules = FileRules {
            paths: vec!["/srv/app".to_owned(), "/var/log/".to_owned()],
            ..FileRules::default()
        };
        for given in [
            "/srv/app",
            "/srv/app/",
            "/srv/app/a/b",
            "/var/log",
            "/var/log/syslog",
            "/srv/app/..x",
        ] {
            assert!(rules.covers(given.as_bytes()), "{given}");
        }
        for other in [
            "",
            "srv/app",
            ".",
            "/",
            "/srv",
            "/srv/apple",
            "/srv/app/../x",
            "/srv/app/..",
            "//srv/app",
            "/var/lo",
            "/srv/app/\0",
        ] {
            assert!(!rules.covers(other.as_bytes()), "{other:?}");
        }
        assert!(FileRules::default().covers(b"anything"));
    }
}
