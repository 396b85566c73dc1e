//! Lets the target in if it proves itself.

use std::sync::{Arc, Mutex, PoisonError};

use config::words::TargetName;
use record::clock::UnixTime;
use russh::client::{self, ChannelOpenHandle, Msg, Session};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelId};
use tokio::sync::mpsc;

use super::forward::{Arrival, Guest, Guests};
use crate::gates::Gates;
use crate::host::{self, HostFault, HostShown, Proof};

/// Lets the target in if it proves itself, and takes only the channels that it was asked for.
pub(super) struct Usher {
    pub(super) name: TargetName,
    pub(super) proof: Proof,
    pub(super) now: UnixTime,
    pub(super) fault: Arc<Mutex<Option<HostFault>>>,
    pub(super) guests: Guests,
    pub(super) gates: Gates,
    pub(super) arrivals: mpsc::Sender<Arrival>,
}

impl client::Handler for Usher {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        let shown = match key {
            PublicKeyOrCertificate::PublicKey { key, .. } => HostShown::Key(key),
            PublicKeyOrCertificate::Certificate(certificate) => HostShown::Certificate(certificate),
        };
        match host::check(shown, &self.name, &self.proof, self.now) {
            Ok(()) => Ok(true),
            Err(fault) => {
                *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
                Ok(false)
            }
        }
    }

    /// The next size of the window, of this channel or whichever sends next. A session's channel has no gate: it is alone, or
    /// its connection waits.
    fn adjust_window(&mut self, id: ChannelId, _: u32) -> u32 {
        self.gates.window(id)
    }

    async fn data(
        &mut self,
        id: ChannelId,
        data: &[u8],
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        self.gates.rest(id, data.len()).await;
        Ok(())
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        from: &str,
        from_port: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        let guest = Guest::Tcp {
            at: (host.to_owned(), port),
            from: (from.to_owned(), from_port),
        };
        self.arrives(self.guests.forwarded, guest, channel, reply);
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        channel: Channel<Msg>,
        path: &str,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        let guest = Guest::Socket(path.to_owned());
        self.arrives(self.guests.forwarded, guest, channel, reply);
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        self.arrives(self.guests.agent, Guest::Agent, channel, reply);
        Ok(())
    }

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        drop(reply);
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        drop(reply);
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        drop(reply);
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        channel: Channel<Msg>,
        from: &str,
        from_port: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        let guest = Guest::X11((from.to_owned(), from_port));
        self.arrives(self.guests.x11, guest, channel, reply);
        Ok(())
    }
}

impl Usher {
    /// Hands a channel to the session that waits for it. To drop the reply refuses it.
    fn arrives(
        &self,
        welcome: bool,
        guest: Guest,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
    ) {
        if welcome {
            let _ = self.arrivals.try_send(Arrival {
                guest,
                channel,
                reply,
            });
        }
    }
}
