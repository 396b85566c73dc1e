//! The gates of a connection's channels, for russh's questions about windows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use russh::ChannelId;

use crate::flow::{Gate, OPEN};

/// Of each channel of one connection, what waits that its peer has sent. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gates(Arc<Mutex<HashMap<ChannelId, Arc<Gate>>>>);

impl Gates {
    /// A channel is open: gives the gate that counts what comes from it.
    pub(crate) fn enter(&self, id: ChannelId) -> Arc<Gate> {
        Arc::clone(self.all().entry(id).or_default())
    }

    /// A channel is closed.
    pub(crate) fn leave(&self, id: ChannelId) {
        self.all().remove(&id);
    }

    /// The next size of the window. What has no gate is taken as it comes.
    pub(crate) fn window(&self, id: ChannelId) -> u32 {
        self.all().get(&id).map_or(OPEN, |gate| gate.window())
    }

    /// Rests the connection after so many bytes of a channel, for as long as that channel's peer is ahead.
    pub(crate) async fn rest(&self, id: ChannelId, bytes: usize) {
        let rest = self.all().get(&id).and_then(|gate| gate.rest(bytes));
        if let Some(rest) = rest {
            tokio::time::sleep(rest).await;
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<ChannelId, Arc<Gate>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
