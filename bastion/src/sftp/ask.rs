//! What a client may ask, by packet type; the numbers are those of draft-ietf-secsh-filexfer-02 §3.

use record::recording::{FileOp, OpenMode};

use super::wire::Fields;

pub(super) const INIT: u8 = 1;
pub(super) const VERSION: u8 = 2;
pub(super) const STATUS: u8 = 101;
pub(super) const HANDLE: u8 = 102;
pub(super) const DATA: u8 = 103;
pub(super) const NAME: u8 = 104;
pub(super) const ATTRS: u8 = 105;
pub(super) const EXTENDED_REPLY: u8 = 201;

/// The extensions that are let through: what their packets hold is known. `copy-data` is not among them: what it
/// moves passes nobody who could measure it.
pub(super) const EXTENSIONS: [&str; 10] = [
    "posix-rename@openssh.com",
    "statvfs@openssh.com",
    "fstatvfs@openssh.com",
    "hardlink@openssh.com",
    "fsync@openssh.com",
    "lsetstat@openssh.com",
    "limits@openssh.com",
    "expand-path@openssh.com",
    "home-directory",
    "users-groups-by-id@openssh.com",
];

/// One request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ask<'a> {
    /// Opens a file.
    Open(&'a [u8], OpenMode),
    /// Closes a file or a directory.
    Close(&'a [u8]),
    /// Reads from an opened file.
    Read { handle: &'a [u8], offset: u64 },
    /// Writes into an opened file.
    Write {
        handle: &'a [u8],
        offset: u64,
        data: &'a [u8],
    },
    /// Does something with one path.
    One(FileOp, &'a [u8]),
    /// Does something with two paths.
    Two(FileOp, &'a [u8], &'a [u8]),
    /// Changes the attributes of an opened file.
    Fsetstat(&'a [u8]),
    /// Asks about something opened, or about nothing in particular.
    Harmless,
}

/// A packet from the client behind its type and identifier.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read<'a> {
    /// A request that is known.
    Known(Ask<'a>),
    /// A type or an extension that is not.
    Unknown,
    /// Not a packet of its type.
    Garbled,
}

/// Reads a request of type `kind`; `fields` stands behind its identifier.
pub(super) fn read<'a>(kind: u8, fields: &mut Fields<'a>) -> Read<'a> {
    if !matches!(kind, 3..=20 | 200) {
        return Read::Unknown;
    }
    known(kind, fields).unwrap_or(Read::Garbled)
}

/// None if it is garbled.
fn known<'a>(kind: u8, fields: &mut Fields<'a>) -> Option<Read<'a>> {
    let ask = match kind {
        3 => {
            let path = fields.string()?;
            let mode = mode(fields.u32()?)?;
            attributes(fields)?;
            Ask::Open(path, mode)
        }
        4 => Ask::Close(fields.string()?),
        5 => {
            let (handle, offset) = (fields.string()?, fields.u64()?);
            fields.u32()?;
            Ask::Read { handle, offset }
        }
        6 => Ask::Write {
            handle: fields.string()?,
            offset: fields.u64()?,
            data: fields.string()?,
        },
        7 => Ask::One(FileOp::Lstat, fields.string()?),
        8 | 12 => {
            fields.string()?;
            Ask::Harmless
        }
        9 => with_attributes(FileOp::Setstat, fields)?,
        10 => {
            let handle = fields.string()?;
            attributes(fields)?;
            Ask::Fsetstat(handle)
        }
        11 => Ask::One(FileOp::List, fields.string()?),
        13 => Ask::One(FileOp::Remove, fields.string()?),
        14 => with_attributes(FileOp::Mkdir, fields)?,
        15 => Ask::One(FileOp::Rmdir, fields.string()?),
        16 => Ask::One(FileOp::Realpath, fields.string()?),
        17 => Ask::One(FileOp::Stat, fields.string()?),
        18 => Ask::Two(FileOp::Rename, fields.string()?, fields.string()?),
        19 => Ask::One(FileOp::Readlink, fields.string()?),
        20 => Ask::Two(FileOp::Symlink, fields.string()?, fields.string()?),
        _ => return extended(fields),
    };
    fields.end()?;
    Some(Read::Known(ask))
}

fn extended<'a>(fields: &mut Fields<'a>) -> Option<Read<'a>> {
    let ask = match fields.string()? {
        b"posix-rename@openssh.com" => Ask::Two(FileOp::Rename, fields.string()?, fields.string()?),
        b"hardlink@openssh.com" => Ask::Two(FileOp::Hardlink, fields.string()?, fields.string()?),
        b"statvfs@openssh.com" => Ask::One(FileOp::Statvfs, fields.string()?),
        b"expand-path@openssh.com" => Ask::One(FileOp::Realpath, fields.string()?),
        b"lsetstat@openssh.com" => with_attributes(FileOp::Setstat, fields)?,
        b"fstatvfs@openssh.com" | b"fsync@openssh.com" | b"home-directory" => {
            fields.string()?;
            Ask::Harmless
        }
        b"users-groups-by-id@openssh.com" => {
            fields.string()?;
            fields.string()?;
            Ask::Harmless
        }
        b"limits@openssh.com" => Ask::Harmless,
        _ => return Some(Read::Unknown),
    };
    fields.end()?;
    Some(Read::Known(ask))
}

fn with_attributes<'a>(op: FileOp, fields: &mut Fields<'a>) -> Option<Ask<'a>> {
    let path = fields.string()?;
    attributes(fields)?;
    Some(Ask::One(op, path))
}

/// Passes over attributes (§5 of the draft); a flag that is not known hides what follows.
fn attributes(fields: &mut Fields<'_>) -> Option<()> {
    const SIZE: u32 = 1;
    const OWNER: u32 = 2;
    const PERMISSIONS: u32 = 4;
    const TIMES: u32 = 8;
    const EXTENDED: u32 = 0x8000_0000;
    let flags = fields.u32()?;
    if flags & !(SIZE | OWNER | PERMISSIONS | TIMES | EXTENDED) != 0 {
        return None;
    }
    if flags & SIZE != 0 {
        fields.u64()?;
    }
    if flags & OWNER != 0 {
        fields.u64()?;
    }
    if flags & PERMISSIONS != 0 {
        fields.u32()?;
    }
    if flags & TIMES != 0 {
        fields.u64()?;
    }
    if flags & EXTENDED != 0 {
        for _ in 0..fields.u32()? {
            fields.string()?;
            fields.string()?;
        }
    }
    Some(())
}

/// The flags of §6.3; one that is not known, or one that opens for nothing, is none.
fn mode(flags: u32) -> Option<OpenMode> {
    let mode = OpenMode {
        read: flags & 1 != 0,
        write: flags & 2 != 0,
        append: flags & 4 != 0,
        create: flags & 8 != 0,
        truncate: flags & 16 != 0,
    };
    (flags & !0x3f == 0).then_some(mode)
}
