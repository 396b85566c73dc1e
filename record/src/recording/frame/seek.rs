//! The table at a recording's end that other readers seek by.

use super::{ENCRYPTED_PREAMBLE, PREAMBLE, SEEK_FOOTER, SEEK_MAGIC, SKIPPABLE_HEAD, skippable};

/// What each frame takes in the table, in bytes.
const ENTRY: usize = 8;

/// And what follows them: how many there are, flags, and a magic number.
const FOOT: usize = 9;

/// The sizes of the frames so far, stored and decompressed, for the seek table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::recording) struct SeekTable(Vec<(u32, u32)>);

impl SeekTable {
    /// The table of a recording that has only begun: the preamble, and a wrapped content key of so many bytes.
    pub(in crate::recording) fn beginning(keys: Option<usize>) -> Self {
        let mut table = Self::default();
        match keys {
            None => table.add(PREAMBLE.len() + SKIPPABLE_HEAD, 0),
            Some(keys) => {
                table.add(ENCRYPTED_PREAMBLE.len() + SKIPPABLE_HEAD, 0);
                table.add(keys + SKIPPABLE_HEAD, 0);
            }
        }
        table
    }

    /// Adds a frame. A skippable one decompresses to nothing.
    pub(in crate::recording) fn add(&mut self, stored: usize, lines: usize) {
        let size = |n| u32::try_from(n).unwrap_or(u32::MAX);
        self.0.push((size(stored), size(lines)));
    }

    /// How many bytes [`Self::store`] gives.
    pub(in crate::recording) fn stored_bytes(&self) -> u64 {
        (SKIPPABLE_HEAD + self.0.len() * ENTRY + FOOT) as u64
    }

    /// The payload of the table's frame.
    pub(in crate::recording) fn payload(&self) -> Vec<u8> {
        let mut payload = Vec::with_capacity(self.0.len() * ENTRY + FOOT);
        for (stored, lines) in &self.0 {
            payload.extend_from_slice(&stored.to_le_bytes());
            payload.extend_from_slice(&lines.to_le_bytes());
        }
        payload.extend_from_slice(
            &u32::try_from(self.0.len())
                .unwrap_or(u32::MAX)
                .to_le_bytes(),
        );
        payload.push(0);
        payload.extend_from_slice(&SEEK_FOOTER.to_le_bytes());
        payload
    }

    /// The stored frame.
    pub(in crate::recording) fn store(&self) -> Vec<u8> {
        skippable(SEEK_MAGIC, &self.payload())
    }
}
