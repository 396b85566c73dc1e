//! What targets say of logins, held against the log: whoever has stolen the session CA's key shows itself here, and only
//! here, because a target that knows the CA asks nobody.
//!
//! The line is sshd's own, at its usual log level (`auth.c`, `auth_log`):
//!
//! ```text
//! Accepted publickey for root from 10.0.0.5 port 4242 ssh2: ED25519-CERT SHA256:… ID hallpass:… (serial 7) CA ED25519 SHA256:…
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use record::entry::{Authority, Entry, Line};
use ssh_key::HashAlg;
use ssh_key::public::KeyData;

use crate::failure::{Failure, Result, safe};

/// Longest line of a target's log that is read, in bytes.
const LINE_BYTES: u64 = 16 << 10;

/// The session certificates of a log: what a target may say of them.
#[derive(Default)]
pub(super) struct Sessions {
    /// By serial: the key's fingerprint and the key id.
    logged: BTreeMap<u64, (String, String)>,
    /// The fingerprints of the CAs that signed them.
    authorities: BTreeSet<String>,
}

/// What a line says of a login with a certificate.
#[derive(Debug, PartialEq, Eq)]
struct Login<'a> {
    key: &'a str,
    id: &'a str,
    serial: u64,
    ca: &'a str,
}

impl Sessions {
    /// Takes an entry of the log.
    pub(super) fn take(&mut self, line: &Line) {
        let Entry::Issue {
            serial,
            authority: Authority::Session,
            to_be_signed,
            ..
        } = &line.entry
        else {
            return;
        };
        // What cannot be read is not known, and so an alarm if a target takes it.
        let Some(said) = Said::read(to_be_signed) else {
            return;
        };
        self.logged.insert(*serial, (said.key, said.id));
        self.authorities.insert(said.ca);
    }

    /// Reads a target's log, and names each login with a session certificate that the issuance log does not hold.
    pub(super) fn hold(&self, path: &Path) -> Result<Vec<String>> {
        let unread = |e: &io::Error| Failure::file("read", path, e);
        let mut file = BufReader::new(File::open(path).map_err(|e| unread(&e))?);
        let mut strays = Vec::new();
        loop {
            let mut bytes = Vec::new();
            let count = (&mut file)
                .take(LINE_BYTES)
                .read_until(b'\n', &mut bytes)
                .map_err(|e| unread(&e))?;
            if count == 0 {
                return Ok(strays);
            }
            let line = String::from_utf8_lossy(&bytes);
            if login(line.trim_end()).is_some_and(|login| self.is_stray(&login)) {
                strays.push(safe(line.trim_end(), ""));
            }
        }
    }

    fn is_stray(&self, login: &Login<'_>) -> bool {
        if !self.authorities.is_empty() && !self.authorities.contains(login.ca) {
            // Signed by a CA that this log is not of: not ours to judge.
            return false;
        }
        let logged = self.logged.get(&login.serial);
        logged.is_none_or(|(key, id)| key != login.key || id != login.id)
    }
}

fn login(line: &str) -> Option<Login<'_>> {
    let (_, said) = line.split_once(": Accepted publickey for ").or_else(|| {
        let rest = line.strip_prefix("Accepted publickey for ")?;
        Some(("", rest))
    })?;
    let (_, said) = said.split_once(" ssh2: ")?;
    let (kind, said) = said.split_once(' ')?;
    if !kind.ends_with("-CERT") {
        return None;
    }
    let (key, said) = said.split_once(" ID ")?;
    // The key id may be anything, so that what stands behind it is read from the end.
    let (said, ca) = said.rsplit_once(") CA ")?;
    let (id, serial) = said.rsplit_once(" (serial ")?;
    Some(Login {
        key,
        id,
        serial: serial.parse().ok()?,
        ca: ca.split_once(' ')?.1,
    })
}

/// What stands in a certificate of ours that is about to be signed.
struct Said {
    key: String,
    id: String,
    ca: String,
}

impl Said {
    fn read(to_be_signed: &str) -> Option<Self> {
        let bytes = STANDARD.decode(to_be_signed).ok()?;
        let mut rest = bytes.as_slice();
        let algorithm = string(&mut rest)?;
        let plain = std::str::from_utf8(algorithm).ok()?;
        let plain = plain.strip_suffix("-cert-v01@openssh.com")?;
        let _nonce = string(&mut rest)?;
        let mut key = framed(plain.as_bytes());
        let parts = if plain.starts_with("ecdsa") { 2 } else { 1 };
        for _ in 0..parts {
            key.extend(framed(string(&mut rest)?));
        }
        rest = rest.get(8 + 4..)?;
        let id = String::from_utf8(string(&mut rest)?.to_vec()).ok()?;
        let _principals = string(&mut rest)?;
        rest = rest.get(16..)?;
        for _ in 0..3 {
            string(&mut rest)?;
        }
        let ca = string(&mut rest)?;
        Some(Self {
            key: fingerprint(&key)?,
            ca: fingerprint(ca)?,
            id,
        })
    }
}

fn fingerprint(blob: &[u8]) -> Option<String> {
    let key = ssh_key::PublicKey::from_bytes(blob).ok()?;
    let key: &KeyData = key.key_data();
    Some(key.fingerprint(HashAlg::Sha256).to_string())
}

fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, behind) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (string, behind) = behind.split_at_checked(length)?;
    *rest = behind;
    Some(string)
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), bytes].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "Nov 22 03:12:04 db1 sshd-session[77]: Accepted publickey for postgres from 10.0.0.5 port 4242 ssh2: \
        ED25519-CERT SHA256:aaaa ID hallpass:01J: (serial 3) CA x:alice (serial 7) CA ED25519 SHA256:bbbb";

    #[test]
    fn a_login_is_read_from_its_end_whatever_its_key_id_says() {
        let read = login(LINE).unwrap();
        assert_eq!(
            (read.key, read.serial, read.ca),
            ("SHA256:aaaa", 7, "SHA256:bbbb")
        );
        assert_eq!(read.id, "hallpass:01J: (serial 3) CA x:alice");
        for other in [
            "",
            "Accepted publickey for root from ::1 port 1 ssh2: ED25519 SHA256:aaaa",
            "Accepted password for root from ::1 port 1 ssh2",
            "Failed publickey for root from ::1 port 1 ssh2: ED25519-CERT SHA256:a ID x (serial 1) CA ED25519 SHA256:b",
        ] {
            assert_eq!(login(other), None, "{other}");
        }
    }

    #[test]
    fn another_key_or_another_key_id_under_a_logged_serial_is_a_stray() {
        let mut sessions = Sessions::default();
        let stands = |sessions: &Sessions, line: &str| !sessions.is_stray(&login(line).unwrap());
        assert!(!stands(&sessions, LINE));
        let id = "hallpass:01J: (serial 3) CA x:alice".to_owned();
        sessions.logged.insert(7, ("SHA256:aaaa".to_owned(), id));
        sessions.authorities.insert("SHA256:bbbb".to_owned());
        assert!(stands(&sessions, LINE));
        assert!(!stands(&sessions, &LINE.replace("aaaa", "cccc")));
        assert!(!stands(&sessions, &LINE.replace(":alice", ":mallory")));
        assert!(!stands(&sessions, &LINE.replace("serial 7", "serial 8")));
        assert!(stands(&sessions, &LINE.replace("bbbb", "dddd")));
    }
}
