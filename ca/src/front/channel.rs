//! One session channel, from its opening to its end (RFC 4254 §6).

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use record::api::SUBSYSTEM;
use russh::server::{Handle, Msg};
use russh::{Channel, ChannelMsg};
use ssh_key::PublicKey;
use tokio::task::JoinHandle;

use super::call::Call;
use super::connection::Shared;
use super::peer::Peer;
use super::{api, machine, run};
use crate::desk::Machine;

/// Whom a connection belongs to, by the key that it proved.
#[derive(Debug, Clone)]
pub(super) enum Who {
    /// A person.
    Person(PublicKey),
    /// A bastion.
    Bastion(PublicKey),
    /// A target, or a machine that would be one.
    Machine(Machine),
}

/// What a channel belongs to.
pub(super) struct Origin {
    pub(super) shared: Arc<Shared>,
    pub(super) who: Who,
    pub(super) source: IpAddr,
    pub(super) handle: Handle,
}

/// One of the channels that a connection may have at once; given back when it is dropped.
pub(super) struct Place(Arc<AtomicUsize>);

impl Place {
    /// Takes a place if fewer than `most` are taken.
    pub(super) fn take(taken: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        taken
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| {
                (now < most).then_some(now + 1)
            })
            .is_ok()
            .then(|| Self(Arc::clone(taken)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What the client wants of the channel.
enum Wanted {
    Shell,
    Command(Vec<u8>),
    Subsystem(String),
}

/// What came before that.
#[derive(Default)]
struct Settings {
    columns: Option<usize>,
    agent: bool,
}

/// Serves one channel to its end.
pub(super) async fn serve(origin: Origin, mut channel: Channel<Msg>, place: Place) {
    let Some((wanted, settings)) = wait(&mut channel).await else {
        return;
    };
    match (wanted, origin.who.clone()) {
        (Wanted::Subsystem(name), Who::Bastion(key)) if name == SUBSYSTEM => {
            let stopping = origin.shared.stopping.clone();
            api::serve(Arc::clone(&origin.shared.desk), key, stopping, channel).await;
        }
        (Wanted::Shell, Who::Person(key)) => command(&origin, &key, channel, settings, None).await,
        (Wanted::Command(line), Who::Person(key)) => {
            command(&origin, &key, channel, settings, Some(line)).await;
        }
        (Wanted::Command(line), Who::Machine(machine)) => {
            command_of(&origin, machine, channel, &line).await;
        }
        // Refused when it was asked for; there is nothing to say to it.
        _ => {
            let _ = channel.close().await;
        }
    }
    drop(place);
}

/// Reads requests until one starts something; none if the channel ends before.
async fn wait(channel: &mut Channel<Msg>) -> Option<(Wanted, Settings)> {
    let mut settings = Settings::default();
    loop {
        match channel.wait().await? {
            ChannelMsg::RequestPty { col_width, .. } => {
                settings.columns = Some(usize::try_from(col_width).unwrap_or_default());
            }
            ChannelMsg::AgentForward { .. } => settings.agent = true,
            ChannelMsg::RequestShell { .. } => return Some((Wanted::Shell, settings)),
            ChannelMsg::Exec { command, .. } => return Some((Wanted::Command(command), settings)),
            ChannelMsg::RequestSubsystem { name, .. } => {
                return Some((Wanted::Subsystem(name), settings));
            }
            ChannelMsg::Close => return None,
            _ => {}
        }
    }
}

async fn command_of(origin: &Origin, machine: Machine, channel: Channel<Msg>, line: &[u8]) {
    let (read, write) = channel.split();
    let peer = Arc::new(Peer::new(write, None));
    let reader = tokio::spawn({
        let peer = Arc::clone(&peer);
        async move { peer.drain(read).await }
    });
    let status = machine::run(&origin.shared.desk, machine, &peer, line).await;
    part(&peer, status, &reader).await;
}

async fn command(
    origin: &Origin,
    key: &PublicKey,
    channel: Channel<Msg>,
    settings: Settings,
    line: Option<Vec<u8>>,
) {
    let (read, write) = channel.split();
    let peer = Arc::new(Peer::new(write, settings.columns));
    let reader = tokio::spawn({
        let peer = Arc::clone(&peer);
        async move { peer.drain(read).await }
    });
    // The configuration may have changed since the login: who this is, is asked each time.
    let status = if let Some(caller) = origin.shared.desk.caller(key, origin.source) {
        let call = Call {
            desk: Arc::clone(&origin.shared.desk),
            caller,
            peer: Arc::clone(&peer),
            agent: settings.agent.then(|| origin.handle.clone()),
            clock: Arc::clone(&origin.shared.clock),
            stopping: origin.shared.stopping.clone(),
        };
        run::run(&call, line.as_deref()).await
    } else {
        let (status, words) = run::STRANGER;
        let _ = peer.say(words).await;
        status
    };
    part(&peer, status, &reader).await;
}

/// Says how it ended and closes the channel, however long the connection takes nothing: a channel whose end its client never hears
/// of stands there for ever. The client's own close is not waited for: russh (0.65) hands on nothing of a channel that was
/// closed here first.
async fn part(peer: &Peer, status: u8, reader: &JoinHandle<()>) {
    // A client that has gone needs no status.
    let _ = peer.exit(status).await;
    reader.abort();
}
