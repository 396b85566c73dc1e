//! Connections that have not authenticated yet: how many there may be, and for how long.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use config::half_open;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep};

/// The connections that have not authenticated yet; to drop what each leaves there shows it out.
pub(super) type Gate = half_open::HalfOpen<oneshot::Sender<()>>;

/// The place of one of them; given back when it is dropped.
pub(super) type HalfOpen = half_open::Held<oneshot::Sender<()>>;

/// A stream that ends at a deadline, or when it has to make room, unless its peer has authenticated by then. Both
/// are in the stream itself, because a peer that sends one byte a second keeps everything above it busy.
pub(super) struct Graced<S> {
    stream: S,
    authenticated: Arc<AtomicBool>,
    deadline: Pin<Box<Sleep>>,
    shown_out: oneshot::Receiver<()>,
    over: bool,
}

impl<S> Graced<S> {
    /// `authenticated` becomes true when the peer has authenticated; the sender of `shown_out` is dropped
    /// when it has to make room.
    pub(super) fn new(
        stream: S,
        grace: Duration,
        authenticated: Arc<AtomicBool>,
        shown_out: oneshot::Receiver<()>,
    ) -> Self {
        Self {
            stream,
            authenticated,
            deadline: Box::pin(tokio::time::sleep_until(Instant::now() + grace)),
            shown_out,
            over: false,
        }
    }

    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.authenticated.load(Ordering::Acquire) {
            return Ok(());
        }
        self.over = self.over
            || self.deadline.as_mut().poll(cx).is_ready()
            || Pin::new(&mut self.shown_out).poll(cx).is_ready();
        if self.over {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Graced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Graced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;

    #[tokio::test]
    async fn promise_17_a_stream_ends_unless_its_peer_authenticates() {
        let (ours, _theirs) = tokio::io::duplex(16);
        let flag = Arc::new(AtomicBool::new(false));
        let (_room, shown_out) = oneshot::channel();
        let grace = Duration::from_millis(20);
        let mut graced = Graced::new(ours, grace, Arc::clone(&flag), shown_out);
        let error = graced.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        flag.store(true, Ordering::Release);
        let more = tokio::time::timeout(Duration::from_millis(50), graced.read_u8()).await;
        assert!(more.is_err(), "an authenticated one goes on waiting");
    }
    #[tokio::test]
    async fn promise_16_a_stream_makes_room_unless_its_peer_has_authenticated() {
        for authenticated in [false, true] {
            let (ours, _theirs) = tokio::io::duplex(16);
            let flag = Arc::new(AtomicBool::new(authenticated));
            let (room, shown_out) = oneshot::channel::<()>();
            let mut graced = Graced::new(ours, Duration::from_secs(60), flag, shown_out);
            drop(room);
            let read = tokio::time::timeout(Duration::from_millis(50), graced.read_u8()).await;
            let kind = read.ok().map(|read| read.unwrap_err().kind());
            assert_eq!(kind, (!authenticated).then_some(io::ErrorKind::TimedOut));
        }
    }
}
