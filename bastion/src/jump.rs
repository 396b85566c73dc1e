//! The way from the outer connection of `ssh -J` to the connection inside it.
//!
//! The outer channel is drained always, so that a connection inside it that stands still stops neither the outer one
//! nor another one inside it. What waits is bounded by the windows of the channels inside.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use config::limits;
use config::words::TargetName;
use russh::server::{ChannelOpenHandle, Msg};
use russh::{Channel, ChannelMsg, ChannelOpenFailure, ChannelReadHalf};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;

use crate::front;
use crate::site::Site;

/// Attends to the connection inside this channel. Not `async` itself, so that the type of a connection does
/// not contain itself.
pub(crate) fn begin(
    site: Arc<Site>,
    channel: Channel<Msg>,
    reply: ChannelOpenHandle,
    target: TargetName,
    source: IpAddr,
    place: Place,
) {
    let jump: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
        let certificate = match site.doors.certificate(Some(&target)).await {
            Ok(certificate) => certificate,
            Err(e) => {
                tracing::warn!(%target, "no door certificate: {e}");
                let reason = format!("hallpass: {}", crate::session::gone(&e));
                reply
                    .reject(ChannelOpenFailure::Other { code: 2, reason })
                    .await;
                return;
            }
        };
        reply.accept().await;
        let (read, write) = channel.split();
        let inner = Inner::new(read, Box::pin(write.make_writer()));
        front::attend(site, inner, certificate, Some(target), source, None).await;
        let _ = write.close().await;
        drop(place);
    });
    tokio::spawn(jump);
}

/// A place among the bounded number of channels of one connection, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

impl Place {
    /// Takes a place, if fewer than `most` are taken.
    pub(crate) fn take(places: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let more = |taken| (taken < most).then_some(taken + 1);
        places
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more)
            .ok()?;
        Some(Self(Arc::clone(places)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The stream inside a channel.
struct Inner {
    incoming: mpsc::UnboundedReceiver<Bytes>,
    waiting: Arc<AtomicUsize>,
    rest: Bytes,
    writer: Pin<Box<dyn AsyncWrite + Send>>,
}

impl Inner {
    fn new(mut channel: ChannelReadHalf, writer: Pin<Box<dyn AsyncWrite + Send>>) -> Self {
        let (sender, incoming) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&waiting);
        tokio::spawn(async move {
            while let Some(message) = channel.wait().await {
                match message {
                    ChannelMsg::Data { data } => {
                        let before = counted.fetch_add(data.len(), Ordering::AcqRel);
                        if before > limits::SPOOL_HARD || sender.send(data).is_err() {
                            break;
                        }
                    }
                    ChannelMsg::Eof | ChannelMsg::Close => break,
                    _ => {}
                }
            }
        });
        Self {
            incoming,
            waiting,
            rest: Bytes::new(),
            writer,
        }
    }
}

impl AsyncRead for Inner {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match self.incoming.poll_recv(cx) {
                Poll::Ready(Some(bytes)) => self.rest = bytes,
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
        let some = self.rest.len().min(buf.remaining());
        buf.put_slice(&self.rest.split_to(some));
        self.waiting.fetch_sub(some, Ordering::AcqRel);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Inner {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writer.as_mut().poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_shutdown(cx)
    }
}
