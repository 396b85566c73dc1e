//! One connection: who it is, and which channels it may open.
//!
//! Identity is the key that was proven, and nothing else: the user name is not looked at (but for a join token), an offered
//! key is not a login, and a certificate beside the key counts for nothing. A client whose `ssh` offers a
//! certificate (of ours, of somebody else, expired or not) is taken by the key in it, once it has
//! proven possession of that key: the same person could have come with the bare key, and somebody
//! who touches a token does it once.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use config::limits;
use record::api::SUBSYSTEM;
use record::clock::Clock;
use record::entry::Whom;
use record::fingerprint::Fingerprint;
use record::token::JoinToken;
use russh::keys::Certificate;
use russh::server::{
    Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelOpenFailure, Pty};
use ssh_key::PublicKey;
use tokio::sync::watch;

use super::channel::{self, Origin, Place, Who};
use super::crowd::{Crowd, Seat};
use super::gate::HalfOpen;
use crate::desk::{Desk, Machine};

/// What all connections share.
pub(super) struct Shared {
    /// The desk.
    pub(super) desk: Arc<Desk>,
    /// The clocks.
    pub(super) clock: Arc<dyn Clock>,
    /// Becomes true when the CA stops.
    pub(super) stopping: watch::Receiver<bool>,
    /// Who has how many connections.
    pub(super) crowd: Arc<Crowd>,
}

/// One client's connection.
pub(super) struct Connection {
    shared: Arc<Shared>,
    source: IpAddr,
    half_open: Option<HalfOpen>,
    authenticated: Arc<AtomicBool>,
    who: Option<Who>,
    seat: Option<Seat>,
    open: Arc<AtomicUsize>,
    /// Session channels that it has opened so far.
    opened: usize,
    started: HashSet<ChannelId>,
}

impl Connection {
    /// A connection that has not authenticated yet. `authenticated` becomes true when it has.
    pub(super) fn new(
        shared: Arc<Shared>,
        source: IpAddr,
        half_open: HalfOpen,
        authenticated: Arc<AtomicBool>,
    ) -> Self {
        Self {
            shared,
            source,
            half_open: Some(half_open),
            authenticated,
            who: None,
            seat: None,
            open: Arc::default(),
            opened: 0,
            started: HashSet::new(),
        }
    }

    /// Whose key this is. A bastion's identity is looked for first: a key is never both. A machine that joins says its
    /// token instead of a user name, and is nobody without it.
    fn owner(&self, user: &str, key: &PublicKey) -> Option<Who> {
        let desk = &self.shared.desk;
        if desk.bastion_at_the_door(key).is_some() {
            return Some(Who::Bastion(key.clone()));
        }
        if let Some(caller) = desk.caller(key, self.source) {
            return Some(Who::Person(caller.key));
        }
        let token = user.parse::<JoinToken>().ok();
        let known = match &token {
            Some(token) => desk.is_invited(token, key),
            None => desk.target(key).is_some(),
        };
        let key = key.clone();
        known.then_some(Who::Machine(Machine { key, token }))
    }

    /// Lets in whoever has proven this key, unless they have too many connections already.
    fn enter(&mut self, user: &str, key: &PublicKey) {
        self.who = None;
        let Some(who) = self.owner(user, key) else {
            return;
        };
        let Some(whose) = self.whose(&who) else {
            return;
        };
        self.seat = self.shared.crowd.sit(whose.clone());
        if self.seat.is_some() {
            self.who = Some(who);
        } else {
            tracing::warn!(%whose, source = %self.source, "has too many connections");
        }
    }

    /// Under whose name the connection counts.
    fn whose(&self, who: &Who) -> Option<Whom> {
        let desk = &self.shared.desk;
        match who {
            Who::Person(key) => desk
                .caller(key, self.source)
                .map(|caller| Whom::Person(caller.person)),
            Who::Bastion(key) => desk.bastion_at_the_door(key).map(Whom::Bastion),
            Who::Machine(machine) => Some(Whom::Key(Fingerprint::of(&machine.key))),
        }
    }

    /// Starts one thing on a channel: a second one on the same channel is refused (RFC 4254 §6.5).
    fn start(
        &mut self,
        channel: ChannelId,
        allowed: bool,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        if allowed && self.started.insert(channel) {
            session.channel_success(channel)
        } else {
            session.channel_failure(channel)
        }
    }

    fn is_person(&self) -> bool {
        matches!(self.who, Some(Who::Person(_)))
    }
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        Ok(match self.owner(user, offer.public_key) {
            Some(_) => Auth::Accept,
            None => Auth::reject(),
        })
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        self.enter(user, key.public_key);
        Ok(match self.who {
            Some(_) => Auth::Accept,
            None => Auth::reject(),
        })
    }

    async fn auth_openssh_certificate(
        &mut self,
        user: &str,
        certificate: &Certificate,
    ) -> Result<Auth, Self::Error> {
        let key = PublicKey::new(certificate.public_key().clone(), "");
        self.enter(user, &key);
        if self.is_person() {
            return Ok(Auth::Accept);
        }
        (self.who, self.seat) = (None, None);
        Ok(Auth::reject())
    }

    async fn auth_succeeded(&mut self, _session: &mut Session) -> Result<(), Self::Error> {
        self.authenticated.store(true, Ordering::Release);
        self.half_open = None;
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let Some(who) = self.who.clone() else {
            reply
                .reject(ChannelOpenFailure::AdministrativelyProhibited)
                .await;
            return Ok(());
        };
        let most = match who {
            Who::Person(_) | Who::Machine(_) => limits::CHANNELS,
            Who::Bastion(_) => limits::API_CHANNELS,
        };
        if self.opened >= limits::CHANNELS_OPENED {
            let reason = format!(
                "hallpass: {} commands came over this connection, which is the most: connect again",
                limits::CHANNELS_OPENED
            );
            // Code 4 is `SSH_OPEN_RESOURCE_SHORTAGE` (RFC 4254 §5.1).
            let full = ChannelOpenFailure::Other { code: 4, reason };
            reply.reject(full).await;
            return Ok(());
        }
        let Some(place) = Place::take(&self.open, most) else {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        };
        self.opened += 1;
        reply.accept().await;
        let origin = Origin {
            shared: Arc::clone(&self.shared),
            who,
            source: self.source,
            handle: session.handle(),
        };
        tokio::spawn(channel::serve(origin, channel, place));
        Ok(())
    }

    async fn channel_close(
        &mut self,
        channel: ChannelId,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.started.remove(&channel);
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _col_width: u32,
        _row_height: u32,
        _pix_width: u32,
        _pix_height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        _variable_name: &str,
        _variable_value: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single_connection: bool,
        _x11_auth_protocol: &str,
        _x11_auth_cookie: &str,
        _x11_screen_number: u32,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn agent_request(
        &mut self,
        _channel: ChannelId,
        _session: &mut Session,
    ) -> Result<bool, Self::Error> {
        Ok(self.is_person())
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.start(channel, self.is_person(), session)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _data: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let allowed = matches!(self.who, Some(Who::Person(_) | Who::Machine(_)));
        self.start(channel, allowed, session)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let allowed = matches!(self.who, Some(Who::Bastion(_))) && name == SUBSYSTEM;
        self.start(channel, allowed, session)
    }
}
