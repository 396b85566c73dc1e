//! The content key of one recording.

use std::fmt;
use std::io;

use chacha20poly1305::aead::{Aead as _, AeadInOut as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use config::words::SessionId;
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

use super::{KeyBytes, LockedError};
use crate::digest::Digest;

const KEY: usize = 32;
const NONCE: usize = 24;

/// What the cipher adds (RFC 8439 §2.8).
const TAG: usize = 16;

/// What a content key opens. Each has a label of its own in what is wrapped and in what is committed to, so that nobody who holds a key
/// of the one can be brought to take it for one of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::recording) enum Opens {
    /// The recording.
    Recording,
    /// What a mask has replaced in it.
    Original,
}

impl Opens {
    /// The first line of what a commitment is made of.
    const fn committed(self) -> &'static [u8] {
        match self {
            Self::Recording => b"hallpass content key 1\n",
            Self::Original => ORIGINAL,
        }
    }

    /// What stands before the key, or before a share of it, where that is wrapped. A recording's has nothing, and is known by its length.
    pub(super) const fn wrapped(self) -> &'static [u8] {
        match self {
            Self::Recording => b"",
            Self::Original => ORIGINAL,
        }
    }
}

const ORIGINAL: &[u8] = b"hallpass original key 1\n";

/// A page of memory that nothing else lies on, so that to lock and to unlock it concerns this key alone.
#[repr(align(4096))]
struct Page([u8; 4096]);

/// 32 random bytes. They are kept from the swap where the system lets this process lock memory, and overwritten when
/// they are not needed any more.
pub(in crate::recording) struct ContentKey {
    /// Unlocks when dropped, which must be before the page is given back.
    lock: Option<region::LockGuard>,
    page: Box<Page>,
}

impl ContentKey {
    /// A new one.
    pub(super) fn random() -> io::Result<Self> {
        let mut key = Self::empty();
        getrandom::fill(key.bytes_mut())?;
        Ok(key)
    }

    /// One that was unwrapped.
    pub(super) fn from_bytes(bytes: &KeyBytes) -> Result<Self, LockedError> {
        if bytes.len() != KEY {
            return Err(LockedError::Damaged("it has another length".into()));
        }
        let mut key = Self::empty();
        key.bytes_mut().copy_from_slice(bytes);
        Ok(key)
    }

    fn empty() -> Self {
        let page = Box::new(Page([0; 4096]));
        // A process that may not lock memory is told by its unit what it may swap (`MemorySwapMax=`).
        let lock = region::lock(page.0.as_ptr(), page.0.len()).ok();
        Self { lock, page }
    }

    /// Whether it stands in locked memory.
    #[cfg(test)]
    pub(in crate::recording) const fn is_locked(&self) -> bool {
        self.lock.is_some()
    }

    /// Its bytes, to be wrapped.
    pub(super) fn bytes(&self) -> &[u8] {
        self.page.0.split_at(KEY).0
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.page.0.split_at_mut(KEY).0
    }

    /// What can be told of it: whoever unwraps another key finds that it is another one, and the ciphers
    /// alone would not say so (they are not committing).
    pub(super) fn commitment(&self, session: &SessionId, opens: Opens) -> Digest {
        let mut hasher = Sha256::new();
        hasher.update(opens.committed());
        hasher.update(session.to_string());
        hasher.update(b"\n");
        hasher.update(self.bytes());
        Digest::from_bytes(hasher.finalize().into())
    }

    /// A random nonce, and the ciphertext. A nonce of 24 bytes may be random as often as anybody writes.
    pub(super) fn encrypt(&self, bound: &[u8], plain: &[u8]) -> io::Result<Vec<u8>> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce)?;
        let mut sealed = Vec::with_capacity(NONCE + plain.len() + TAG);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let (_, text) = sealed.split_at_mut(NONCE);
        let tag = self
            .cipher()
            .encrypt_inout_detached(&XNonce::from(nonce), bound, text.into())
            .map_err(|_| io::Error::other("too much to encrypt at once"))?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    /// What was encrypted; `None` if it, its place or what it is bound to was altered.
    pub(super) fn decrypt(&self, bound: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
        let payload = Payload {
            msg: sealed,
            aad: bound,
        };
        self.cipher().decrypt(&XNonce::from(*nonce), payload).ok()
    }

    /// Overwrites its copy of the key when dropped.
    fn cipher(&self) -> XChaCha20Poly1305 {
        let mut key = Zeroizing::new([0; KEY]);
        key.copy_from_slice(self.bytes());
        XChaCha20Poly1305::new(&Key::from(*key))
    }
}

impl Drop for ContentKey {
    fn drop(&mut self) {
        self.page.0.zeroize();
        self.lock = None;
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentKey")
    }
}
