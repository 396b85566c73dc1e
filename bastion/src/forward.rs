//! Hands on what was recorded. Nothing else in this crate gives a byte of one side to the other.

use bytes::Bytes;
use record::recording::Recorded;
use russh::server::Handle;
use russh::{ChannelId, ChannelMsg, ChannelWriteHalf, Sig};

/// The extended data type of standard error (RFC 4254 §5.2).
pub(crate) const STDERR: u32 = 1;

/// One thing that goes to a side, in its order.
#[derive(Debug)]
pub(crate) enum Item {
    /// Bytes of the main stream.
    Bytes(Recorded<Bytes>),
    /// Bytes of standard error.
    Errors(Recorded<Bytes>),
    /// No more bytes come.
    Eof,
    /// The terminal has a new size: columns and rows, then pixels.
    Resize(Recorded<(u32, u32)>, u32, u32),
    /// A signal; its name stands in the recording.
    Signal(Recorded<()>, Sig),
    /// Whether the person's side may stop and go on by itself when `^S` and `^Q` are typed (RFC 4254 §6.8), and the
    /// connection that it is said on: it goes from a target to a person alone.
    FlowControl(Recorded<()>, bool, Handle),
}

/// Hands one thing to a channel. Returns when the channel has taken it, which may be never.
pub(crate) async fn forward<S>(to: &ChannelWriteHalf<S>, item: Item) -> Result<(), russh::Error>
where
    S: From<(ChannelId, ChannelMsg)> + Send + Sync + 'static,
{
    match item {
        Item::Bytes(bytes) => to.data_bytes(bytes.into_inner()).await,
        Item::Errors(bytes) => to.extended_data_bytes(STDERR, bytes.into_inner()).await,
        Item::Eof => to.eof().await,
        Item::Resize(size, width, height) => {
            let (cols, rows) = size.into_inner();
            to.window_change(cols, rows, width, height).await
        }
        Item::Signal(recorded, signal) => {
            recorded.into_inner();
            to.signal(signal).await
        }
        Item::FlowControl(recorded, may, handle) => {
            recorded.into_inner();
            let said = handle.xon_xoff_request(to.id(), may).await;
            said.map_err(|()| russh::Error::SendError)
        }
    }
}
