//! Reads a target's connection in large pieces while it floods a terminal.
//!
//! A pty gives 4 KiB at once at most, and each piece would cost reads, wakes and writes of its own, here and at whoever is shown it.
//! So what comes faster than anybody reads may gather for a moment in the socket. Nothing else waits: a
//! keystroke's echo, a screen that is drawn and the beginning of a flood pass as they come, and so does all of a session without a
//! terminal, where programs may wait for each other's answers. Only how bytes are read depends on this, never which and in what order.

use std::future::Future;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How much is read at once in a flood: two packets of the size that OpenSSH makes at most.
const ROOM: usize = 64 << 10;

/// How long what comes in a flood may gather. Tokio's clock makes up to twice as much of it.
const REST: Duration = Duration::from_millis(1);

/// A connection to a target.
pub(super) struct Calm<S> {
    stream: S,
    /// What comes is shown at a terminal.
    shown: bool,
    flood: Flood,
    /// What is read in a flood; without room outside of one.
    room: Vec<u8>,
    /// What of it was read, and not taken yet.
    held: Range<usize>,
    rest: Option<Pin<Box<Sleep>>>,
}

impl<S> Calm<S> {
    /// `shown`: at a terminal.
    pub(super) fn new(stream: S, shown: bool) -> Self {
        Self {
            stream,
            shown,
            flood: Flood::default(),
            room: Vec::new(),
            held: 0..0,
            rest: None,
        }
    }

    /// Gives what is held, as far as there is room for it.
    fn give(&mut self, buf: &mut ReadBuf<'_>) {
        let held = self.room.get(self.held.clone()).unwrap_or_default();
        let given = held.get(..buf.remaining()).unwrap_or(held);
        buf.put_slice(given);
        self.held.start += given.len();
    }

    /// Lets what comes gather, unless it just did and nothing came: then the flood is over.
    fn rest(&mut self, cx: &mut Context<'_>, rested: bool) {
        if rested {
            self.flood = Flood::default();
            self.room = Vec::new();
            return;
        }
        let mut rest = Box::pin(sleep(REST));
        // It wakes whoever reads when it is over. If it is already, the socket does, and the next look sees it.
        let _ = rest.as_mut().poll(cx);
        self.rest = Some(rest);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Calm<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.held.is_empty() {
            this.give(buf);
            return Poll::Ready(Ok(()));
        }
        let rested = if let Some(rest) = &mut this.rest {
            ready!(rest.as_mut().poll(cx));
            this.rest = None;
            true
        } else {
            false
        };
        if !(this.shown && this.flood.is_on()) {
            if this.room.capacity() != 0 {
                // A flood that thins out has no moment in which nothing comes.
                this.room = Vec::new();
            }
            let before = buf.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
            let bytes = buf.filled().len() - before;
            this.flood.took(bytes, Instant::now());
            return Poll::Ready(Ok(()));
        }
        this.room.resize(ROOM, 0);
        let mut room = ReadBuf::new(&mut this.room);
        let read = Pin::new(&mut this.stream).poll_read(cx, &mut room);
        this.held = 0..room.filled().len();
        if read.is_pending() {
            this.rest(cx, rested);
            return Poll::Pending;
        }
        this.flood.took(this.held.len(), Instant::now());
        this.give(buf);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Calm<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// So long is looked at together …
const SPAN: Duration = Duration::from_millis(10);

/// … and so many bytes in it, 6 MiB a second, are a flood.
const MANY: usize = 64 << 10;

/// Whether more comes than anybody reads.
#[derive(Debug, Default)]
struct Flood {
    began: Option<Instant>,
    bytes: usize,
    /// How many came in the span before.
    before: usize,
}

impl Flood {
    fn took(&mut self, bytes: usize, now: Instant) {
        let began = *self.began.get_or_insert(now);
        let past = now.saturating_duration_since(began);
        if past >= SPAN {
            // None, if there was one in which nothing came.
            self.before = if past < 2 * SPAN { self.bytes } else { 0 };
            self.began = Some(now);
            self.bytes = 0;
        }
        self.bytes = self.bytes.saturating_add(bytes);
    }

    fn is_on(&self) -> bool {
        self.before.max(self.bytes) >= MANY
    }
}

#[cfg(test)]
mod tests;
