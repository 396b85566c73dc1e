//! A connection that can be cut, whatever the code above it waits for.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

/// Cuts a [`Line`]. To drop it does not.
#[derive(Debug)]
pub(crate) struct Cut(watch::Sender<bool>);

impl Cut {
    /// From now on, the line gives an error to whoever reads or writes.
    pub(crate) fn cut(&self) {
        self.0.send_replace(true);
    }
}

/// A stream, until it is cut.
pub(crate) struct Line<S> {
    stream: S,
    severed: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
    dead: bool,
}

impl<S> Line<S> {
    pub(crate) fn new(stream: S) -> (Self, Cut) {
        let (sender, mut receiver) = watch::channel(false);
        let severed = Box::pin(async move {
            if receiver.wait_for(|cut| *cut).await.is_err() {
                // Nobody can cut it any more.
                std::future::pending::<()>().await;
            }
        });
        (
            Self {
                stream,
                severed,
                dead: false,
            },
            Cut(sender),
        )
    }

    fn alive(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        self.dead = self.dead || self.severed.as_mut().poll(cx).is_ready();
        if self.dead {
            Err(io::ErrorKind::ConnectionAborted.into())
        } else {
            Ok(())
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Line<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Err(e) = self.alive(cx) {
            return Poll::Ready(Err(e));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Line<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Err(e) = self.alive(cx) {
            return Poll::Ready(Err(e));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Err(e) = self.alive(cx) {
            return Poll::Ready(Err(e));
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
