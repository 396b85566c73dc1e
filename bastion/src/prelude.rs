//! What a client says about a session before it begins (RFC 4254 §6.2, §6.4), within bounds.

use std::fmt;

use config::limits;
use russh::Pty;

use crate::destination::{Destination, Listening};

/// Longest name of a terminal type, in bytes: the longest in terminfo has 25.
const TERM_BYTES: usize = 64;

/// Longest name and secret of a display's authentication, in bytes: `MIT-MAGIC-COOKIE-1` has 18, its secret 32 digits.
const COOKIE_BYTES: usize = 256;

/// Everything that was said and accepted.
#[derive(Debug, Default)]
pub(crate) struct Prelude {
    /// The terminal, if one was asked for.
    pub(crate) terminal: Option<Terminal>,
    /// The environment variables that go to the target, which decides which of them it takes.
    pub(crate) environment: Vec<(String, String)>,
    /// Whether the person's agent is offered to the target (`auth-agent-req@openssh.com`).
    pub(crate) agent: bool,
    /// The person's display, if it is offered to the target.
    pub(crate) display: Option<Display>,
    /// What was refused so far: told once the session has begun.
    pub(crate) refused: Vec<String>,
}

/// A terminal, as the client asked for it.
#[derive(Debug, Clone)]
pub(crate) struct Terminal {
    pub(crate) name: String,
    pub(crate) cols: u32,
    pub(crate) rows: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) modes: Vec<(Pty, u32)>,
}

/// A display, as the client offered it (RFC 4254 §6.3.1). Its cookie is a secret: it goes to the target and nowhere else.
#[derive(Clone)]
pub(crate) struct Display {
    pub(crate) single: bool,
    pub(crate) protocol: String,
    pub(crate) cookie: String,
    pub(crate) screen: u32,
}

impl fmt::Debug for Display {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Display").finish_non_exhaustive()
    }
}

/// What a session runs (RFC 4254 §6.5), or carries without running anything (§7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Runs {
    /// A login shell.
    Shell,
    /// A command, in the client's bytes.
    Command(Vec<u8>),
    /// File transfers: the subsystem `sftp`.
    Sftp,
    /// One forwarded connection to what the target reaches.
    Forward(Destination),
    /// Forwarded connections out of where the target listens.
    Listen(Listening),
}

/// A session begins: what was said before, and what it runs.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) prelude: Prelude,
    pub(crate) runs: Runs,
    /// The identification of the client's program (RFC 4253 §4.2), escaped.
    pub(crate) client: String,
}

impl Start {
    /// A session without a session channel.
    pub(crate) fn bare(runs: Runs, client: String) -> Self {
        Self {
            prelude: Prelude::default(),
            runs,
            client,
        }
    }
}

impl Prelude {
    /// Takes a terminal; says whether it did. One session has one.
    pub(crate) fn take_terminal(&mut self, terminal: Terminal) -> bool {
        let name = terminal.name.as_bytes();
        let good = self.terminal.is_none()
            && name.len() <= TERM_BYTES
            && name.iter().all(u8::is_ascii_graphic);
        if good {
            self.terminal = Some(terminal);
        }
        good
    }

    /// Takes the offer of a display; says whether it did. One session has one.
    pub(crate) fn take_display(&mut self, display: Display) -> bool {
        let word = |text: &str| {
            text.len() <= COOKIE_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let good = self.display.is_none() && word(&display.protocol) && word(&display.cookie);
        if good {
            self.display = Some(display);
        }
        good
    }

    /// Takes an environment variable; says whether it did.
    pub(crate) fn take_variable(&mut self, name: &str, value: &str) -> bool {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let held: usize = self
            .environment
            .iter()
            .map(|(n, v)| n.len() + v.len())
            .sum();
        let good = self.environment.len() < limits::ENV_COUNT
            && held + name.len() + value.len() <= limits::ENV_ALL_BYTES
            && name.len() + value.len() <= limits::ENV_BYTES
            && !name.is_empty()
            && name.bytes().all(word)
            && !value.contains('\0');
        if good {
            self.environment.push((name.to_owned(), value.to_owned()));
        }
        good
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminal(name: &str) -> Terminal {
        Terminal {
            name: name.to_owned(),
            cols: 80,
            rows: 24,
            width: 0,
            height: 0,
            modes: Vec::new(),
        }
    }

    #[test]
    fn one_terminal_with_a_name_that_is_safe_to_pass_on() {
        let mut prelude = Prelude::default();
        assert!(!prelude.take_terminal(terminal("xterm\u{1b}[2J")));
        assert!(!prelude.take_terminal(terminal(&"x".repeat(TERM_BYTES + 1))));
        assert!(prelude.take_terminal(terminal("xterm-256color")));
        assert!(!prelude.take_terminal(terminal("xterm")), "a second one");
    }

    #[test]
    fn one_variable_past_each_bound_is_refused() {
        let mut prelude = Prelude::default();
        assert!(!prelude.take_variable("A", &"x".repeat(limits::ENV_BYTES)));
        assert!(!prelude.take_variable("A=B", "x"));
        assert!(!prelude.take_variable("A", "x\0y"));
        for _ in 0..limits::ENV_COUNT {
            assert!(prelude.take_variable("LANG", "C.UTF-8"));
        }
        assert!(!prelude.take_variable("LANG", "C.UTF-8"));
    }
}
