//! Passphrases and PINs: from a systemd credential, or from somebody at a terminal.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use config::keys::Secret;
use config::limits;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// Why there is no secret. The operator's side.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoSecret {
    /// The program was not started by a unit with that credential.
    #[error(
        "there is no credential {0}: start the CA by a unit with LoadCredentialEncrypted={0}:FILE (systemd.exec(5))"
    )]
    NoCredential(String),
    /// A file or the terminal cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is nobody to ask.
    #[error("no terminal to ask for it on: give it as a credential")]
    NoTerminal,
    /// Empty, too long ([`limits::PASSPHRASE_BYTES`]) or no text.
    #[error(
        "it is empty, longer than {} bytes, or no text",
        limits::PASSPHRASE_BYTES
    )]
    Unusable,
}

/// The secret, without the line feed that ends it. It is wiped when it is dropped, and shown nowhere.
pub(crate) fn read(from: &Secret, what: &str) -> Result<Zeroizing<String>, NoSecret> {
    match from {
        Secret::Credential(name) => {
            let dir = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
            let dir = dir.filter(|dir| dir.is_absolute());
            let dir = dir.ok_or_else(|| NoSecret::NoCredential(name.clone()))?;
            credential(&dir, name)
        }
        Secret::Prompt => prompt(what),
    }
}

/// A passphrase that somebody types at this terminal; `None` if there is none, or nothing usable was typed.
pub fn typed(what: &str) -> Option<Zeroizing<String>> {
    prompt(what).ok()
}

/// `name` has been checked: it is one plain file name.
fn credential(dir: &Path, name: &str) -> Result<Zeroizing<String>, NoSecret> {
    let path = dir.join(name);
    let file = match File::open(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Err(NoSecret::NoCredential(name.to_owned()));
        }
        other => other.map_err(|source| NoSecret::Io {
            path: path.clone(),
            source,
        })?,
    };
    line(file).map_err(|source| NoSecret::Io { path, source })?
}

fn prompt(what: &str) -> Result<Zeroizing<String>, NoSecret> {
    let path = PathBuf::from("/dev/tty");
    let mut options = File::options();
    let terminal = options.read(true).write(true).open(&path);
    let terminal = terminal.map_err(|_| NoSecret::NoTerminal)?;
    let silent = Silent::new(&terminal).map_err(|_| NoSecret::NoTerminal)?;
    let io = |source| NoSecret::Io {
        path: path.clone(),
        source,
    };
    write!(&terminal, "{what}: ").map_err(io)?;
    let typed = line(&terminal);
    drop(silent);
    // The line feed that was typed was not shown either.
    writeln!(&terminal).map_err(io)?;
    typed.map_err(io)?
}

/// The first line, in memory that is wiped: its size is fixed, so that no copy is left behind by growing.
fn line(from: impl io::Read) -> io::Result<Result<Zeroizing<String>, NoSecret>> {
    let most = limits::PASSPHRASE_BYTES + 2;
    let mut bytes = Zeroizing::new(Vec::with_capacity(most));
    // One byte at a time, so that no other buffer holds the secret.
    let mut reader = BufReader::with_capacity(1, from.take(most as u64));
    reader.read_until(b'\n', &mut bytes)?;
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let text = text.trim_end_matches(['\r', '\n']);
    let good = !text.is_empty() && text.len() <= limits::PASSPHRASE_BYTES;
    let secret = Zeroizing::new(text.to_owned());
    Ok(good.then_some(secret).ok_or(NoSecret::Unusable))
}

/// A terminal that shows nothing of what is typed, until this is dropped.
struct Silent<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Silent<'a> {
    fn new(terminal: &'a File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silent<'_> {
    fn drop(&mut self) {
        // Nothing better is left to do with a terminal that has gone.
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_line_and_bounded() {
        let read = |text: &str| line(text.as_bytes()).unwrap().ok();
        assert_eq!(read("secret\n").unwrap().as_str(), "secret");
        assert_eq!(read("secret").unwrap().as_str(), "secret");
        assert_eq!(read(" s \r\nmore").unwrap().as_str(), " s ");
        let most = "x".repeat(limits::PASSPHRASE_BYTES);
        assert_eq!(read(&most).unwrap().as_str(), most);
        assert!(read(&(most + "x")).is_none());
        assert!(read("").is_none());
        assert!(read("\n").is_none());
    }

    #[test]
    fn a_credential_that_is_not_there_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let missing = credential(dir.path(), "pin").unwrap_err().to_string();
        assert!(
            missing.starts_with("there is no credential pin:"),
            "{missing}"
        );
        std::fs::write(dir.path().join("pin"), "1234\n").unwrap();
        assert_eq!(credential(dir.path(), "pin").unwrap().as_str(), "1234");
    }
}
