//! Answers one SSH connection of a person. Nothing here waits for another side: what takes time is begun
//! elsewhere.

pub(crate) mod forwards;
mod handler;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use config::limits;
use config::words::{TargetName, shown};
use russh::server::{Auth, ChannelOpenHandle, Handle, Msg, Session};
use russh::{Channel, ChannelId, ChannelOpenFailure, MethodKind, MethodSet};
use ssh_key::Certificate;
use tokio::sync::{oneshot, watch};

use crate::destination::Listening;
use crate::forward::STDERR;
use crate::gates::Gates;
use crate::jump::{self, Place};
use crate::menu;
use crate::places::Places;
use crate::prelude::{Prelude, Runs, Start};
use crate::review;
use crate::route::{self, Route};
use crate::session::{self, Fresh};
use crate::site::Site;
use crate::visitor::{self, Entry, Passage, Refusal, Reviewer, Shown};

/// Longest identification of a client's program that is kept: RFC 4253 §4.2 allows 255 bytes.
const CLIENT_CHARS: usize = 255;

/// How long a line takes to be shown, before a failure makes `ssh` leave at once without showing it.
pub(crate) const HEARD: Duration = Duration::from_millis(200);

/// What whoever comes while the bastion ends is told.
const CLOSING: &str = "this bastion is closing; try again, or use another one";

/// One connection of a person.
pub(crate) struct Doorman {
    site: Arc<Site>,
    inside: Option<TargetName>,
    source: IpAddr,
    known: Option<oneshot::Sender<()>>,
    who: Who,
    refusal: Option<Refusal>,
    places: Arc<AtomicUsize>,
    /// Sessions and ways that it has opened so far.
    opened: usize,
    /// Of forwarded connections.
    links: Places,
    /// Gone with the person's connection.
    alive: watch::Sender<()>,
    /// Where targets listen, until these are dropped.
    listening: HashMap<Listening, oneshot::Sender<()>>,
    sessions: HashMap<ChannelId, Opened>,
    /// Of each session, what waits that the person sent.
    gates: Gates,
    /// What was refused on which channel: said once, or a client that takes nothing would fill our memory with it.
    told: HashSet<(ChannelId, &'static str)>,
}

/// Who the person has been proven to be.
enum Who {
    Nobody,
    Passing(Arc<Passage>),
    Visiting(Arc<Route>),
    Reviewing(Arc<Reviewer>),
}

/// A session channel: before it begins, and after.
enum Opened {
    Waiting {
        prelude: Prelude,
        start: oneshot::Sender<Start>,
    },
    Begun {
        pty: bool,
    },
}

impl Doorman {
    pub(crate) fn new(
        site: Arc<Site>,
        inside: Option<TargetName>,
        source: IpAddr,
        known: oneshot::Sender<()>,
    ) -> Self {
        Self {
            site,
            inside,
            source,
            known: Some(known),
            who: Who::Nobody,
            refusal: None,
            places: Arc::default(),
            opened: 0,
            links: Places::new(),
            alive: watch::Sender::new(()),
            listening: HashMap::new(),
            sessions: HashMap::new(),
            gates: Gates::default(),
            told: HashSet::new(),
        }
    }

    fn judge(&self, user: &str, certificate: &Certificate) -> Result<Entry, Refusal> {
        let trust = self.site.trust.get().ok_or(Refusal::NoTrust)?;
        let shown = Shown {
            certificate,
            user,
            inside: self.inside.as_ref(),
            source: self.source,
            own: &self.site.name,
        };
        visitor::enter(shown, self.site.clock.wall(), &trust)
    }

    /// Turns somebody away. The reason is told by way of `keyboard-interactive`, without a question, to
    /// clients that then ask for that method (RFC 4256 §3.2): it is the one place for a word before a login.
    fn turn_away(&mut self, user: &str, refusal: Refusal) -> Auth {
        if refusal == Refusal::BareKey {
            // Most clients show the bare key before its certificate.
            tracing::debug!(source = %self.source, user = %shown(user), "turned away: {refusal}");
        } else {
            tracing::info!(source = %self.source, user = %shown(user), "turned away: {refusal}");
        }
        if self.refusal.is_none() || refusal != Refusal::BareKey {
            self.refusal = Some(refusal);
        }
        let methods = [MethodKind::PublicKey, MethodKind::KeyboardInteractive];
        Auth::Reject {
            proceed_with_methods: Some(MethodSet::from(methods.as_slice())),
            partial_success: false,
        }
    }

    /// Whether a refusal is still to be told.
    fn is_news(&mut self, id: ChannelId, what: &'static str) -> bool {
        self.sessions.contains_key(&id) && self.told.insert((id, what))
    }

    /// Refuses a request on a session channel by name, to the person and in the log.
    fn refuse(
        &mut self,
        id: ChannelId,
        what: &'static str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        if !self.is_news(id, what) {
            return session.channel_failure(id);
        }
        tracing::info!(source = %self.source, "refused: {what}");
        let pty = match self.sessions.get_mut(&id) {
            // Said through the recorder when the session begins.
            Some(Opened::Waiting { prelude, .. }) => {
                prelude.refused.push(what.to_owned());
                return session.channel_failure(id);
            }
            Some(Opened::Begun { pty }) => *pty,
            None => false,
        };
        tell(id, what, pty, session)?;
        session.channel_failure(id)
    }

    /// What was said so far about a session that has not begun.
    fn prelude(&mut self, id: ChannelId) -> Option<&mut Prelude> {
        match self.sessions.get_mut(&id) {
            Some(Opened::Waiting { prelude, .. }) => Some(prelude),
            _ => None,
        }
    }

    fn start(
        &mut self,
        id: ChannelId,
        runs: Runs,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let client = client(session);
        match self.sessions.remove(&id) {
            Some(Opened::Waiting { prelude, start }) => {
                self.sessions.insert(
                    id,
                    Opened::Begun {
                        pty: prelude.terminal.is_some(),
                    },
                );
                // The session answers the request, once the target has. If it is gone, so is the channel.
                let _ = start.send(Start {
                    prelude,
                    runs,
                    client,
                });
                Ok(())
            }
            other => {
                self.sessions.extend(other.map(|opened| (id, opened)));
                session.channel_failure(id)
            }
        }
    }

    async fn no_channel(&self, what: &str, reply: ChannelOpenHandle) {
        tracing::info!(source = %self.source, "refused: {}", what.trim_end_matches(" is"));
        let reason = match self.who {
            Who::Passing(_) => {
                format!("hallpass: {what} not carried here; use `ssh -J BASTION LOGIN@TARGET`")
            }
            _ => format!("hallpass: {what} not carried"),
        };
        reply.reject(prohibited(reason)).await;
    }

    async fn open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        handle: Handle,
    ) {
        if matches!(self.who, Who::Nobody) {
            return self
                .no_channel("a session on the bastion itself is", reply)
                .await;
        }
        if !self.site.serving() {
            return reply.reject(no_room(CLOSING)).await;
        }
        if self.opened >= limits::CHANNELS_OPENED {
            return reply.reject(no_room(&no_more())).await;
        }
        let Some(place) = Place::take(&self.places, limits::CHANNELS) else {
            let why = format!(
                "{} sessions run on this connection, which is the most",
                limits::CHANNELS
            );
            return reply.reject(no_room(&why)).await;
        };
        self.opened += 1;
        let (start, started) = oneshot::channel();
        self.sessions.insert(
            channel.id(),
            Opened::Waiting {
                prelude: Prelude::default(),
                start,
            },
        );
        let fresh = Fresh {
            gate: self.gates.enter(channel.id()),
            near: self.near(handle),
            channel,
            started,
            place,
        };
        reply.accept().await;
        let site = Arc::clone(&self.site);
        match &self.who {
            Who::Visiting(route) => session::begin(site, Arc::clone(route), fresh),
            Who::Reviewing(reviewer) => review::begin(site, Arc::clone(reviewer), fresh),
            Who::Passing(passage) => menu::begin(site, Arc::clone(passage), fresh),
            Who::Nobody => {}
        }
    }

    async fn open_way(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        reply: ChannelOpenHandle,
    ) {
        let Who::Passing(passage) = &self.who else {
            return self.no_channel("forwarding a port is", reply).await;
        };
        let target = match route::way(passage, host, port, &self.site.config) {
            Ok(target) => target,
            Err(no_way) => {
                tracing::info!(source = %self.source, "refused: {no_way}");
                return reply.reject(prohibited(no_way.to_string())).await;
            }
        };
        if !self.site.serving() {
            return reply.reject(no_room(CLOSING)).await;
        }
        if self.opened >= limits::CHANNELS_OPENED {
            return reply.reject(no_room(&no_more())).await;
        }
        let Some(place) = Place::take(&self.places, limits::JUMPS) else {
            let why = format!(
                "{} connections pass through this one, which is the most",
                limits::JUMPS
            );
            return reply.reject(no_room(&why)).await;
        };
        self.opened += 1;
        jump::begin(
            Arc::clone(&self.site),
            channel,
            reply,
            target,
            passage.source,
            place,
        );
    }
}

/// The identification of the client's program, without what a terminal would obey.
fn client(session: &Session) -> String {
    let client = String::from_utf8_lossy(session.remote_sshid());
    let plain = client.chars().filter(|c| !c.is_control());
    plain.take(CLIENT_CHARS).collect()
}

/// Code 1 is `SSH_OPEN_ADMINISTRATIVELY_PROHIBITED` (RFC 4254 §5.1).
fn prohibited(reason: String) -> ChannelOpenFailure {
    ChannelOpenFailure::Other { code: 1, reason }
}

/// What is said once a connection has opened all channels that one opens.
fn no_more() -> String {
    format!(
        "{} channels were opened on this connection, which is the most: connect again",
        limits::CHANNELS_OPENED
    )
}

/// Code 4 is `SSH_OPEN_RESOURCE_SHORTAGE`: another time, or another bastion, may have room.
fn no_room(why: &str) -> ChannelOpenFailure {
    let reason = format!("hallpass: {why}");
    ChannelOpenFailure::Other { code: 4, reason }
}

fn answer(id: ChannelId, taken: bool, session: &mut Session) -> Result<(), russh::Error> {
    if taken {
        session.channel_success(id)
    } else {
        session.channel_failure(id)
    }
}

fn tell(id: ChannelId, what: &str, pty: bool, session: &mut Session) -> Result<(), russh::Error> {
    let end = if pty { "\r\n" } else { "\n" };
    session.extended_data(id, STDERR, format!("hallpass: {what}{end}").into_bytes())
}

#[cfg(test)]
pub(crate) mod tests;
