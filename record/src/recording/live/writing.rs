//! How lines come into the tails.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use config::words::SessionId;

use super::super::event::{self, Data, End, Event};
use super::super::frame::Effort;
use super::super::seal;
use super::super::store::Shared;
use super::{Live, Tail, Writing, follows};

/// A tail that is full after less than this is filled faster than anybody reads: 1 MiB/s.
const QUICK: Duration = Duration::from_millis(250);

/// So many of them after each other are a listing that somebody asked for, 2 MiB; what follows is a flood, whose frames are
/// compressed fast.
const BURST: u32 = 8;

impl Writing {
    /// Writes events, beginning a new tail where one has `full` bytes.
    pub(super) fn write(
        &mut self,
        shared: &Shared,
        live: &Live,
        now_us: u64,
        events: &mut dyn Iterator<Item = Data>,
        full: u64,
    ) -> io::Result<()> {
        let (mut batch, mut end) = (Vec::new(), None);
        // What was masked stands in one frame with the bytes that it was masked in, so that each frame is read alone.
        let mut joined = 0_usize;
        let mut at_us = self.at_us;
        for data in events {
            if joined == 0 && self.tail.length + batch.len() as u64 >= full {
                self.flush(shared, live, &batch, at_us, None)?;
                batch.clear();
                self.rotate(shared, live)?;
            }
            match &data {
                Data::Masked(masked) => joined = masked.bytes,
                Data::Bytes(_, bytes) => joined = joined.saturating_sub(bytes.len()),
                Data::End(found) => end = Some(found.clone()),
                _ => {}
            }
            let event = Event {
                at_us: now_us.max(at_us),
                data,
            };
            event::write_line(&mut batch, &mut at_us, &event);
        }
        self.flush(shared, live, &batch, at_us, end.as_ref())
    }

    fn flush(
        &mut self,
        shared: &Shared,
        live: &Live,
        lines: &[u8],
        at_us: u64,
        end: Option<&End>,
    ) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let (tail, index) = (self.tail.number, self.tail.chunks);
        let batch = match &live.vault {
            None => Cow::Borrowed(lines),
            Some(vault) => Cow::Owned(vault.chunk(tail, index, at_us, end, lines)?),
        };
        shared
            .disk
            .write(&self.tail.file, &batch, self.tail.length)?;
        // If we die here, these lines are in the recording. If we lose power here, they may be lost in part,
        // which recovery cuts.
        self.tail.length += batch.len() as u64;
        self.tail.chunks += 1;
        self.at_us = at_us;
        if !self
            .unsynced
            .last()
            .is_some_and(|file| Arc::ptr_eq(file, &self.tail.file))
        {
            self.unsynced.push(Arc::clone(&self.tail.file));
        }
        Ok(())
    }

    /// Begins the next tail; the last one waits to be sealed.
    pub(super) fn rotate(&mut self, shared: &Shared, live: &Live) -> io::Result<()> {
        let number = self.tail.number + 1;
        let comment = follows(number, self.tail.length);
        let next = Tail::create(shared, &live.session, number, comment.as_bytes())?;
        // If we die here, the new tail has no events; recovery ends the recording in it.
        self.unsynced.push(Arc::clone(&next.file));
        self.entries = true;
        let quick = next.opened.saturating_sub(self.tail.opened) < QUICK;
        self.quick = if quick {
            self.quick.saturating_add(1)
        } else {
            0
        };
        let mut last = std::mem::replace(&mut self.tail, next);
        last.to_us = self.at_us;
        if self.quick > BURST {
            last.effort = Effort::Fast;
        }
        live.queue(self, last);
        Ok(())
    }
}

impl Tail {
    pub(super) fn create(
        shared: &Shared,
        session: &SessionId,
        number: u32,
        head: &[u8],
    ) -> io::Result<Self> {
        let path = seal::tail_path(&shared.dir, session, number);
        let file = shared.disk.create(&path)?;
        let made = shared
            .disk
            .reserve(&file, 0, seal::TAIL_BYTES)
            .and_then(|()| shared.disk.write(&file, head, 0));
        if let Err(e) = made {
            // The number must be free for another try, and an empty tail means nothing.
            let _ = shared.disk.remove(&path);
            return Err(e);
        }
        let length = head.len() as u64;
        let opened = shared.clock.monotonic();
        Ok(Self {
            number,
            file: Arc::new(file),
            length,
            head: length,
            opened,
            to_us: 0,
            chunks: 0,
            effort: Effort::Small,
        })
    }
}
