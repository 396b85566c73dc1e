//! The command that `scp -O` has the target run: `scp -t PATH` to write, `scp -f PATH` to read.

use config::command;

/// Who sends the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sends {
    /// The client: the target's `scp` is its sink (`-t`).
    Client,
    /// The target: its `scp` is the source (`-f`).
    Target,
}

/// Such a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(super) sends: Sends,
    /// Directories too (`-r`).
    pub(super) recursive: bool,
    /// The path is a directory, or nothing is written (`-d`).
    pub(super) directory: bool,
    path: Path,
}

/// What stands behind the options.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Path {
    /// Every shell takes it for this one path.
    Plain(String),
    /// The target's shell makes paths of it: wildcards, variables, several words.
    Shell(String),
}

/// What no shell needs to begin another command, a list, or a redirection.
const OPERATORS: [char; 9] = [';', '|', '&', '<', '>', '(', ')', '`', '#'];

impl Head {
    /// Parses a command; none, if it is not one `scp` with the options that a client gives, and nothing beside it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut rest = text.strip_prefix("scp ")?;
        let (mut to, mut from, mut recursive, mut directory) = Default::default();
        let mut options_end = false;
        while let Some((letters, behind)) = option(rest) {
            rest = behind;
            if letters == "-" {
                options_end = true;
                break;
            }
            for letter in letters.chars() {
                match letter {
                    't' => to = true,
                    'f' => from = true,
                    'r' => recursive = true,
                    'd' => directory = true,
                    'p' | 'v' | 'q' => {}
                    _ => return None,
                }
            }
        }
        let sends = match (to, from) {
            (true, false) => Sends::Client,
            (false, true) => Sends::Target,
            _ => return None,
        };
        let head = Self {
            sends,
            recursive,
            directory,
            path: Path::parse(rest)?,
        };
        // The target's `scp` would take it for options, in whatever quotes.
        let option = head.path().starts_with('-') && !options_end;
        (!option).then_some(head)
    }

    /// Whether a command names `scp`, or a server of `sftp`, anywhere: with a path before it, in quotes, behind something else.
    pub(crate) fn is_named(text: &str) -> bool {
        let bare: String = text
            .chars()
            .filter(|c| !matches!(c, '\'' | '"' | '\\'))
            .collect();
        let mut words =
            bare.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-' | '.'));
        words.any(|word| matches!(word, "scp" | "sftp-server" | "internal-sftp"))
    }

    /// Whether it is known without a shell which path it is about.
    pub(crate) const fn is_plain(&self) -> bool {
        matches!(self.path, Path::Plain(_))
    }

    /// The path, or what the target's shell makes paths of.
    pub(super) fn path(&self) -> &str {
        match &self.path {
            Path::Plain(path) | Path::Shell(path) => path,
        }
    }

    /// The directory that files are read from, with a slash behind it; empty, if that is the login's own, or not known.
    pub(super) fn directory_of(&self) -> &str {
        let path = match &self.path {
            Path::Plain(path) => path.trim_end_matches('/'),
            Path::Shell(path) => path,
        };
        let end = path.rfind('/').map_or(0, |at| at + 1);
        let directory = path.get(..end).unwrap_or_default();
        if self.is_plain() || is_plain(directory) {
            directory
        } else {
            ""
        }
    }

    /// Whether what is written goes into the path, and never takes its place.
    pub(super) fn is_into(&self) -> bool {
        let path = self.path();
        let last = path.rsplit('/').next();
        self.directory || matches!(last, Some("" | "." | ".." | "~"))
    }
}

/// The first option, without its dash, and what stands behind it.
fn option(text: &str) -> Option<(&str, &str)> {
    let (word, behind) = text.split_once(' ')?;
    let letters = word.strip_prefix('-').filter(|letters| !letters.is_empty());
    Some((letters?, behind))
}

impl Path {
    fn parse(text: &str) -> Option<Self> {
        let home = text.strip_prefix("~/").unwrap_or(text);
        if is_plain(home) || matches!(text, "~" | "~/") {
            return Some(Self::Plain(text.to_owned()));
        }
        if let Some(quoted) = quoted(text) {
            return Some(Self::Plain(quoted.to_owned()));
        }
        let alone = !text.contains(OPERATORS) && !text.contains(char::is_control);
        let begins = !text.is_empty() && !text.starts_with(' ');
        (alone && begins).then(|| Self::Shell(text.to_owned()))
    }
}

/// Whether every shell leaves it alone, as one word.
fn is_plain(text: &str) -> bool {
    let command = format!("scp {text}");
    command::split(&command).is_some_and(|words| words.len() == 2)
}

/// What stands between single quotes, if every shell takes it as it is.
fn quoted(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    let odd = |c: char| c.is_control() || matches!(c, '\'' | '\\' | '!');
    (!inner.is_empty() && !inner.contains(odd)).then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Head {
        Head::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn what_clients_ask_for_is_understood() {
        for (text, sends, flags, path) in [
            ("scp -t /srv/a", Sends::Client, (false, false), "/srv/a"),
            ("scp -f .", Sends::Target, (false, false), "."),
            (
                "scp -v -r -p -d -t /tmp",
                Sends::Client,
                (true, true),
                "/tmp",
            ),
            ("scp -r -p -f -- -odd", Sends::Target, (true, false), "-odd"),
            ("scp -t ~/x", Sends::Client, (false, false), "~/x"),
            // libssh2 and pscp.
            (
                "scp -pf '/srv/a b'",
                Sends::Target,
                (false, false),
                "/srv/a b",
            ),
            ("scp -q -t up", Sends::Client, (false, false), "up"),
        ] {
            let head = parsed(text);
            assert_eq!(head.sends, sends, "{text}");
            assert_eq!((head.recursive, head.directory), flags, "{text}");
            assert_eq!((head.path(), head.is_plain()), (path, true), "{text}");
        }
    }

    #[test]
    fn what_a_shell_makes_paths_of_is_not_plain() {
        for path in [
            "/srv/*",
            "a b",
            "$HOME/x",
            "~bob/x",
            "\"a b\"",
            "a\\ b",
            "{a,b}",
            "'a'b",
            "'a!b'",
            "=ls",
            "ü",
            "/srv/a /etc/shadow",
        ] {
            let head = parsed(&format!("scp -f {path}"));
            assert!(!head.is_plain(), "{path}");
            assert_eq!(head.path(), path);
        }
    }

    #[test]
    fn what_is_more_than_one_scp_is_none() {
        for text in [
            "scp",
            "scp ",
            "scp -t",
            "scp -t ",
            "scp /a",
            "scp -f -t a",
            "scp -S/bin/sh -f a",
            "scp -f a; id",
            "scp -f a && id",
            "scp -f $(id)",
            "scp -f `id`",
            "scp -f a > b",
            "scp -f a\nid",
            "scp -f  a",
            "/usr/bin/scp -f a",
            "scp -f a b | x",
            "Scp -f a",
            "scp\t-f a",
            "scp - a",
            "scp -f -x",
            "scp -f '-S/bin/sh'",
            "cat a",
        ] {
            assert_eq!(Head::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn scp_is_found_wherever_it_is_named() {
        for text in [
            "/usr/bin/scp -f a",
            "env scp -f a",
            "sh -c 'scp -f a'",
            "s'c'p -f a",
            "\\scp -f a",
            "id;scp -f a",
            "exec /usr/lib/openssh/sftp-server",
            "scp\t-f a",
        ] {
            assert!(Head::is_named(text), "{text}");
        }
        for text in ["id", "cat scp.txt", "ls /srv/scp-logs", "pscp x"] {
            assert!(!Head::is_named(text), "{text}");
        }
    }

    #[test]
    fn the_directory_that_is_read_from() {
        for (text, directory) in [
            ("scp -f /srv/a", "/srv/"),
            ("scp -r -f /srv/a/", "/srv/"),
            ("scp -f a", ""),
            ("scp -f /a", "/"),
            ("scp -f /var/log/*.log", "/var/log/"),
            ("scp -f /var/*/x", ""),
            ("scp -f /a/x /b/y", ""),
        ] {
            assert_eq!(parsed(text).directory_of(), directory, "{text}");
        }
    }
}
