//! What a target looks at before it gives a list to its sshd: one that sshd cannot read locks everybody out.

use crate::clock::UnixTime;

use super::{FORMAT, KRL_BYTES, MAGIC};

/// The head of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KrlHead {
    /// Its version.
    pub number: u64,
    /// The date that it carries.
    pub at: UnixTime,
}

/// Why sshd would not read a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KrlDamage(&'static str);

/// Reads a list's head, and walks its sections to the last byte. What is in a section is not looked at: our own encoder
/// wrote it, and the caller has checked whose it is.
pub fn look(list: &[u8]) -> Result<KrlHead, KrlDamage> {
    if list.len() > KRL_BYTES {
        return Err(KrlDamage("it is larger than OpenSSH reads"));
    }
    let rest = list.strip_prefix(MAGIC);
    let mut rest = rest.ok_or(KrlDamage("it is not a revocation list"))?;
    let cut = KrlDamage("it is cut");
    if take_u32(&mut rest).ok_or(cut)? != FORMAT {
        return Err(KrlDamage("its format is not known"));
    }
    let number = take_u64(&mut rest).ok_or(cut)?;
    let at = take_u64(&mut rest).ok_or(cut)?;
    let _flags = take_u64(&mut rest).ok_or(cut)?;
    let _reserved = string(&mut rest).ok_or(cut)?;
    let _comment = string(&mut rest).ok_or(cut)?;
    while let Some((_kind, body)) = rest.split_first() {
        rest = body;
        string(&mut rest).ok_or(cut)?;
    }
    Ok(KrlHead {
        number,
        at: UnixTime::from_secs(at),
    })
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_be_bytes(*head))
}

fn take_u64(bytes: &mut &[u8]) -> Option<u64> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u64::from_be_bytes(*head))
}

fn string<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take_u32(bytes)?).ok()?;
    let (body, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(body)
}
