//! Connections that have not authenticated yet: how many there may be, and for how long.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use config::limits;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Counts half-open connections, over all sources and for each.
#[derive(Debug, Default)]
pub(super) struct Gate {
    open: Mutex<HashMap<IpAddr, usize>>,
}

impl Gate {
    /// Lets one more connection of this source in; none if it or all sources together have too
    /// many half-open ones ([`limits::HALF_OPEN_PER_SOURCE`], [`limits::HALF_OPEN`]).
    pub(super) fn enter(self: &Arc<Self>, source: IpAddr) -> Option<HalfOpen> {
        let source = network(source);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = open.values().sum();
        let own = open.entry(source).or_default();
        if all >= limits::HALF_OPEN || *own >= limits::HALF_OPEN_PER_SOURCE {
            return None;
        }
        *own += 1;
        Some(HalfOpen {
            gate: Arc::clone(self),
            source,
        })
    }

    fn leave(&self, source: IpAddr) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        match open.get_mut(&source) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(open.remove(&source)),
        }
    }
}

/// The place of one half-open connection; given back when it is dropped.
#[derive(Debug)]
pub(super) struct HalfOpen {
    gate: Arc<Gate>,
    source: IpAddr,
}

impl Drop for HalfOpen {
    fn drop(&mut self) {
        self.gate.leave(self.source);
    }
}

/// One who has a /64 has all its addresses (RFC 6177): they count as one source.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

/// A stream that ends at a deadline unless its peer has authenticated by then. The deadline is in
/// the stream itself, because a peer that sends one byte a second keeps everything above it busy.
pub(super) struct Graced<S> {
    stream: S,
    authenticated: Arc<AtomicBool>,
    deadline: Pin<Box<Sleep>>,
}

impl<S> Graced<S> {
    /// `authenticated` becomes true when the peer has authenticated.
    pub(super) fn new(stream: S, grace: Duration, authenticated: Arc<AtomicBool>) -> Self {
        Self {
            stream,
            authenticated,
            deadline: Box::pin(tokio::time::sleep_until(Instant::now() + grace)),
        }
    }

    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if !self.authenticated.load(Ordering::Acquire) && self.deadline.as_mut().poll(cx).is_ready()
        {
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

    #[test]
    fn promise_16_one_source_cannot_take_all_places() {
        let gate = Arc::new(Gate::default());
        let noisy: IpAddr = "192.0.2.1".parse().unwrap();
        let held: Vec<_> = (0..limits::HALF_OPEN_PER_SOURCE)
            .map(|_| gate.enter(noisy).unwrap())
            .collect();
        assert!(gate.enter(noisy).is_none());
        assert!(gate.enter("::ffff:192.0.2.1".parse().unwrap()).is_none());
        assert!(gate.enter("192.0.2.2".parse().unwrap()).is_some());
        drop(held);
        assert!(gate.enter(noisy).is_some());
        assert!(gate.open.lock().unwrap().is_empty(), "nothing is kept");
    }

    #[test]
    fn promise_16_all_sources_together_are_bounded() {
        let gate = Arc::new(Gate::default());
        let source = |n: usize| {
            IpAddr::from([
                10,
                0,
                u8::try_from(n / 200).unwrap(),
                u8::try_from(n % 200).unwrap(),
            ])
        };
        let held: Vec<_> = (0..limits::HALF_OPEN)
            .map(|n| gate.enter(source(n)).unwrap())
            .collect();
        assert!(gate.enter("192.0.2.1".parse().unwrap()).is_none());
        drop(held);
        assert!(gate.enter("192.0.2.1".parse().unwrap()).is_some());
    }

    #[tokio::test]
    async fn promise_17_a_stream_ends_unless_its_peer_authenticates() {
        let (ours, _theirs) = tokio::io::duplex(16);
        let flag = Arc::new(AtomicBool::new(false));
        let mut graced = Graced::new(ours, Duration::from_millis(20), Arc::clone(&flag));
        let error = graced.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        flag.store(true, Ordering::Release);
        let more = tokio::time::timeout(Duration::from_millis(50), graced.read_u8()).await;
        assert!(more.is_err(), "an authenticated one goes on waiting");
    }
}
