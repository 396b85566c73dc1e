//! The bytes of SFTP packets: read with every bound checked, written whole.

use bytes::{BufMut as _, Bytes, BytesMut};
use config::limits;

/// Reads fields from a packet's payload, in their order.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*first))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*first))
    }

    /// A string of RFC 4251 §5: any bytes, behind their length.
    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        let (string, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(string)
    }

    pub(super) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// Cuts a stream of bytes into packets.
#[derive(Debug, Default)]
pub(super) struct Framer(BytesMut);

/// A packet's length that no packet has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadLength;

impl Framer {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next whole packet, its length in front, if it is there.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, BadLength> {
        let Some(mut head) = self.0.get(..4).map(Fields) else {
            return Ok(None);
        };
        let length = head.u32().and_then(|n| usize::try_from(n).ok());
        let length = length.filter(|n| (1..=limits::SFTP_PACKET_BYTES).contains(n));
        let whole = 4 + length.ok_or(BadLength)?;
        if self.0.len() < whole {
            return Ok(None);
        }
        Ok(Some(self.0.split_to(whole).freeze()))
    }
}

/// A packet that is being written.
pub(super) struct Packet(BytesMut);

impl Packet {
    pub(super) fn new(kind: u8) -> Self {
        let mut bytes = BytesMut::with_capacity(64);
        bytes.put_u32(0);
        bytes.put_u8(kind);
        Self(bytes)
    }

    pub(super) fn u32(mut self, value: u32) -> Self {
        self.0.put_u32(value);
        self
    }

    pub(super) fn string(mut self, value: &[u8]) -> Self {
        // What is written is ours, or came out of a packet that was shorter than a `u32` counts.
        self.0
            .put_u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
        self.0.put_slice(value);
        self
    }

    pub(super) fn done(mut self) -> Bytes {
        let length = u32::try_from(self.0.len().saturating_sub(4)).unwrap_or(u32::MAX);
        if let Some(head) = self.0.first_chunk_mut() {
            *head = length.to_be_bytes();
        }
        self.0.freeze()
    }
}
