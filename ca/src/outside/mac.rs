//! A secret that is shared with somebody outside, and HMAC-SHA256 (RFC 2104) by it.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use config::limits;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// A secret. It is never shown, and is wiped when it is dropped.
pub(crate) struct Secret(Zeroizing<Vec<u8>>);

/// Why a secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else on this machine can read it.
    #[error("{}: others can read it: chmod 600", path.display())]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// It is too short or too long.
    #[error("{}: a secret has {} to {} bytes: make one with `openssl rand -hex 32`", path.display(), limits::SECRET_BYTES.start(), limits::SECRET_BYTES.end())]
    Length {
        /// The file.
        path: PathBuf,
    },
}

impl Secret {
    /// Reads a secret: the file's bytes, without white space at the end.
    pub(crate) fn read(path: &Path) -> Result<Self, SecretError> {
        let unreadable = |source| SecretError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.mode() & 0o077 != 0 {
            return Err(SecretError::Open {
                path: path.to_owned(),
            });
        }
        let most = *limits::SECRET_BYTES.end() + 2;
        // Room for all that is read: a vector that grows would leave copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(most + 64));
        let read = file.take(most as u64).read_to_end(&mut bytes);
        read.map_err(unreadable)?;
        let end = bytes.trim_ascii_end().len();
        bytes.truncate(end);
        if !limits::SECRET_BYTES.contains(&bytes.len()) {
            return Err(SecretError::Length {
                path: path.to_owned(),
            });
        }
        Ok(Self(bytes))
    }

    /// The code of these parts, one after the other, in lower-case hexadecimal digits.
    pub(crate) fn sign(&self, parts: &[&[u8]]) -> String {
        let Some(mac) = self.mac(parts) else {
            return String::new();
        };
        mac.finalize()
            .into_bytes()
            .iter()
            .fold(String::new(), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            })
    }

    /// Whether this is the code of these parts; in a time that does not tell how much of it is right.
    pub(crate) fn agrees(&self, parts: &[&[u8]], code: &str) -> bool {
        let (Some(mac), Some(code)) = (self.mac(parts), bytes(code)) else {
            return false;
        };
        mac.verify_slice(&code).is_ok()
    }

    fn mac(&self, parts: &[&[u8]]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        for part in parts {
            mac.update(part);
        }
        Some(mac)
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let good = hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let pairs = good.then(|| hex.as_bytes().chunks_exact(2))?;
    let each = pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    each.collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn secret(text: &str, mode: u32) -> Result<Secret, SecretError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        Secret::read(&path)
    }

    /// RFC 4231 §4.7: a key of 131 bytes.
    #[test]
    fn the_code_is_that_of_the_standard() {
        let secret = Secret(Zeroizing::new(vec![0xaa; 131]));
        let text = b"Test Using Larger Than Block-Size Key - Hash Key First";
        let code = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54";
        assert_eq!(secret.sign(&[text]), code);
        assert_eq!(secret.sign(&[&text[..7], &text[7..]]), code);
        assert!(secret.agrees(&[text], code));
        for wrong in ["", "60", &code.to_uppercase(), &code.replace("54", "55")] {
            assert!(!secret.agrees(&[text], wrong), "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_long_enough_and_nobody_elses() {
        let good = "0123456789abcdef0123456789abcdef";
        let plain = secret(good, 0o600).ok().unwrap();
        let fed = secret(&format!("{good}\n"), 0o400).ok().unwrap();
        assert_eq!(plain.sign(&[b"x"]), fed.sign(&[b"x"]));
        let open = secret(good, 0o640).err();
        assert!(matches!(open, Some(SecretError::Open { .. })));
        for text in [&good[1..], &"x".repeat(4097)] {
            let refused = secret(text, 0o600).err();
            assert!(matches!(refused, Some(SecretError::Length { .. })));
        }
        assert!(secret(&"x".repeat(4096), 0o600).is_ok());
    }
}
