//! Recordings that are sealed to their recipients: nothing that happened in the session can be read without a
//! recipient's private key, not even by the bastion that writes them.
//!
//! * [`key`]: the content key, which lives in locked memory and nowhere else.
//! * [`keys`]: the content key wrapped for each recipient, as the file holds it; erasing overwrites this.
//! * [`split`]: a content key that several open together, and nobody alone.
//! * [`statement`]: what is said in the clear, and signed.
//! * [`original`]: what a mask has replaced, for whoever may read that.
//! * [`chunk`]: the lines of a tail, batch by batch.
//! * [`reissue`]: a recording is erased, or copied for somebody else.

use std::io;

use config::recipients::Recipients;
use config::words::{BastionName, SessionId};
use zeroize::Zeroizing;

use super::event::End;
use crate::age::{Identities, WrapError};
use crate::digest::Digest;

pub(super) mod chunk;
mod key;
pub(super) mod keys;
pub mod original;
pub mod reissue;
mod split;
pub(super) mod statement;

pub(super) use self::key::{ContentKey, Opens};
use self::keys::Keys;
use self::statement::{Head, Statement};

/// Why an encrypted recording is not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockedError {
    /// No private key was given.
    #[error("the recording is sealed: give --identity with the private key of one of {}", said(.0))]
    NoIdentity(Vec<String>),
    /// None of the private keys fits.
    #[error("the recording is not sealed to this key, but to {}", said(.0))]
    NotForYou(Vec<String>),
    /// The private keys are of some who can open it together, and of too few.
    #[error("the recording is opened by {need} of these together, and the keys given belong to {have}: {}", said(.of))]
    TooFew {
        /// How many of them are here.
        have: usize,
        /// How many have to be.
        need: usize,
        /// All of them.
        of: Vec<String>,
    },
    /// Its key was destroyed.
    #[error("the recording was erased: its key was destroyed, and nobody can read it any more")]
    Erased,
    /// What the key opens is not what was sealed with it.
    #[error("the wrapped key was replaced: it is not the one that the recording was sealed with")]
    Replaced,
    /// The wrapped key is damaged.
    #[error("the wrapped key is damaged: {0}")]
    Damaged(String),
}

fn said(recipients: &[String]) -> String {
    recipients.join(", ")
}

/// An encrypted recording that can be written or read: its content key, and what it is bound to.
#[derive(Debug)]
pub(super) struct Vault {
    session: SessionId,
    key: ContentKey,
    statement: Statement,
}

impl Vault {
    /// Makes a content key for a new recording, and wraps it.
    pub(super) fn create(
        session: &SessionId,
        bastion: &BastionName,
        recipients: &Recipients,
    ) -> Result<(Self, Keys), WrapError> {
        let key = ContentKey::random()?;
        let keys = Keys::wrap(recipients, &key, Opens::Recording)?;
        let statement = Statement {
            session: session.clone(),
            bastion: bastion.clone(),
            commitment: key.commitment(session, Opens::Recording),
            keys: Digest::of(&keys.payload()),
        };
        let session = session.clone();
        let vault = Self {
            session,
            key,
            statement,
        };
        Ok((vault, keys))
    }

    /// Opens a recording with a private key of one of its recipients.
    pub(super) fn open(
        keys: &Keys,
        statement: &Statement,
        identities: &Identities,
    ) -> Result<Self, LockedError> {
        let key = keys.unwrap(identities, Opens::Recording)?;
        if key.commitment(&statement.session, Opens::Recording) != statement.commitment {
            return Err(LockedError::Replaced);
        }
        Ok(Self {
            session: statement.session.clone(),
            key,
            statement: statement.clone(),
        })
    }

    pub(super) const fn statement(&self) -> &Statement {
        &self.statement
    }

    pub(super) const fn key(&self) -> &ContentKey {
        &self.key
    }

    /// Encrypts what a frame holds. The head is bound to it, as are the recording and the frame's place.
    pub(super) fn close(&self, number: u64, head: &Head, body: &[u8]) -> io::Result<Vec<u8>> {
        self.key.encrypt(&self.bound(number, head), body)
    }

    /// What a frame holds.
    pub(super) fn disclose(&self, number: u64, head: &Head, body: &[u8]) -> Option<Vec<u8>> {
        self.key.decrypt(&self.bound(number, head), body)
    }

    /// Encrypts a block of the recording's index.
    pub(super) fn close_block(&self, number: u64, body: &[u8]) -> io::Result<Vec<u8>> {
        self.key.encrypt(&self.bound_block(number), body)
    }

    /// What a block of the recording's index holds.
    pub(super) fn open_block(&self, number: u64, body: &[u8]) -> Option<Vec<u8>> {
        self.key.decrypt(&self.bound_block(number), body)
    }

    fn bound_block(&self, number: u64) -> Vec<u8> {
        format!("hallpass index 1\n{}\n{number}\n", self.session).into_bytes()
    }

    fn bound(&self, number: u64, head: &Head) -> Vec<u8> {
        let mut bound = format!("hallpass frame 1\n{}\n{number}\n", self.session).into_bytes();
        bound.extend_from_slice(&head.line());
        bound
    }

    /// One batch of lines of a tail.
    pub(super) fn chunk(
        &self,
        tail: u32,
        index: u32,
        to_us: u64,
        end: Option<&End>,
        lines: &[u8],
    ) -> io::Result<Vec<u8>> {
        let head = chunk::Head::new(to_us, end);
        let bound = chunk::bound(&self.session, tail, index, &head);
        let body = self.key.encrypt(&bound, lines)?;
        Ok(chunk::write(&head, &body))
    }

    /// The lines of a tail, up to the first place that is not as it was written: what a clear tail holds.
    pub(super) fn tail(&self, number: u32, bytes: &[u8]) -> Tail {
        let first = chunk::first_line(bytes).unwrap_or_default();
        // The first line of the first tail is the statement; the header stands encrypted after it.
        let mut lines = if number == 0 {
            Vec::new()
        } else {
            first.to_vec()
        };
        let rest = bytes.get(first.len()..).unwrap_or_default();
        let (chunks, whole) = chunk::read(rest);
        for (index, chunk) in (0..).zip(&chunks) {
            let bound = chunk::bound(&self.session, number, index, &chunk.head);
            match self.key.decrypt(&bound, chunk.body) {
                Some(plain) => lines.extend(plain),
                None => {
                    return Tail {
                        lines,
                        whole: false,
                    };
                }
            }
        }
        Tail {
            lines,
            whole: whole == rest.len() && !first.is_empty(),
        }
    }
}

/// The lines of a tail.
pub(super) struct Tail {
    pub(super) lines: Vec<u8>,
    /// Whether they are all that the tail holds.
    pub(super) whole: bool,
}

/// The bytes of a content key, on their way.
type KeyBytes = Zeroizing<Vec<u8>>;
