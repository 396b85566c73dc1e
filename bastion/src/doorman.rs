//! Answers one SSH connection of a person. Nothing here waits for another side: what takes time is begun
//! elsewhere.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use config::limits;
use config::words::{TargetName, shown};
use russh::server::{
    Auth, ChannelOpenHandle, Handle, Handler, Msg, PublicKeyOffer, Response, Session,
    VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelOpenFailure, MethodKind, MethodSet, Pty};
use ssh_key::Certificate;
use tokio::sync::oneshot;

use crate::forward::STDERR;
use crate::jump::{self, Place};
use crate::prelude::{Prelude, Runs, Start, Terminal};
use crate::route::{self, Route};
use crate::session;
use crate::site::Site;
use crate::visitor::{self, Entry, Passage, Refusal, Shown};

/// Longest identification of a client's program that is kept: RFC 4253 §4.2 allows 255 bytes.
const CLIENT_CHARS: usize = 255;

/// How long a line takes to be shown, before a failure makes `ssh` leave at once without showing it.
pub(crate) const HEARD: Duration = Duration::from_millis(200);

/// One connection of a person.
pub(crate) struct Doorman {
    site: Arc<Site>,
    inside: Option<TargetName>,
    source: IpAddr,
    known: Option<oneshot::Sender<()>>,
    who: Who,
    refusal: Option<Refusal>,
    places: Arc<AtomicUsize>,
    sessions: HashMap<ChannelId, Opened>,
}

/// Who the person has been proven to be.
enum Who {
    Nobody,
    Passing(Passage),
    Visiting(Arc<Route>),
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
            sessions: HashMap::new(),
        }
    }

    fn judge(&self, user: &str, certificate: &Certificate) -> Result<Entry, Refusal> {
        let trust = self.site.trust.get().ok_or(Refusal::NoTrust)?;
        let shown = Shown {
            certificate,
            user,
            inside: self.inside.as_ref(),
            source: self.source,
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

    /// Refuses a request on a session channel by name, to the person and in the log.
    fn refuse(
        &mut self,
        id: ChannelId,
        what: &'static str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        tracing::info!(source = %self.source, "refused: {what}");
        let pty = match self.sessions.get_mut(&id) {
            // Said through the recorder when the session begins.
            Some(Opened::Waiting { prelude, .. }) => {
                prelude.refused.push(what);
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
        let client = String::from_utf8_lossy(session.remote_sshid());
        let client = client
            .chars()
            .filter(|c| !c.is_control())
            .take(CLIENT_CHARS)
            .collect();
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
        let Who::Visiting(route) = &self.who else {
            return self
                .no_channel("a session on the bastion itself is", reply)
                .await;
        };
        if !self.site.serving() {
            let reason =
                "hallpass: this bastion is closing; try again, or use another one".to_owned();
            return reply
                .reject(ChannelOpenFailure::Other { code: 4, reason })
                .await;
        }
        let Some(place) = Place::take(&self.places, limits::CHANNELS) else {
            let reason = format!(
                "hallpass: {} sessions run on this connection, which is the most",
                limits::CHANNELS
            );
            return reply
                .reject(ChannelOpenFailure::Other { code: 4, reason })
                .await;
        };
        let (start, started) = oneshot::channel();
        self.sessions.insert(
            channel.id(),
            Opened::Waiting {
                prelude: Prelude::default(),
                start,
            },
        );
        reply.accept().await;
        session::begin(
            Arc::clone(&self.site),
            Arc::clone(route),
            channel,
            handle,
            started,
            place,
        );
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
            let reason =
                "hallpass: this bastion is closing; try again, or use another one".to_owned();
            return reply
                .reject(ChannelOpenFailure::Other { code: 4, reason })
                .await;
        }
        let Some(place) = Place::take(&self.places, limits::JUMPS) else {
            let reason = format!(
                "hallpass: {} connections pass through this one, which is the most",
                limits::JUMPS
            );
            return reply
                .reject(ChannelOpenFailure::Other { code: 4, reason })
                .await;
        };
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

/// Code 1 is `SSH_OPEN_ADMINISTRATIVELY_PROHIBITED` (RFC 4254 §5.1).
fn prohibited(reason: String) -> ChannelOpenFailure {
    ChannelOpenFailure::Other { code: 1, reason }
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

impl Handler for Doorman {
    type Error = russh::Error;

    /// An offer proves nothing, and the key alone decides nothing: whether it has a certificate is seen when it signs.
    async fn auth_publickey_offered(
        &mut self,
        _: &str,
        _: PublicKeyOffer<'_>,
    ) -> Result<Auth, russh::Error> {
        Ok(Auth::Accept)
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        _: VerifiedPublicKey<'_>,
    ) -> Result<Auth, russh::Error> {
        Ok(self.turn_away(user, Refusal::BareKey))
    }

    async fn auth_openssh_certificate(
        &mut self,
        user: &str,
        certificate: &Certificate,
    ) -> Result<Auth, russh::Error> {
        let entry = match self.judge(user, certificate) {
            Ok(entry) => entry,
            Err(refusal) => return Ok(self.turn_away(user, refusal)),
        };
        self.who = match entry {
            Entry::Visitor(visitor) => {
                let route = Route::of(visitor);
                tracing::info!(source = %self.source, access = %route.access(), serial = route.serial(), "let in");
                Who::Visiting(Arc::new(route))
            }
            Entry::Passage(passage) => Who::Passing(passage),
        };
        Ok(Auth::Accept)
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        let only_keys = MethodSet::from([MethodKind::PublicKey].as_slice());
        Ok(match (response, &self.refusal) {
            (None, Some(refusal)) => Auth::Partial {
                name: "".into(),
                instructions: format!("hallpass: {refusal}").into(),
                prompts: Vec::new().into(),
            },
            _ => Auth::Reject {
                proceed_with_methods: Some(only_keys),
                partial_success: false,
            },
        })
    }

    async fn auth_succeeded(&mut self, _: &mut Session) -> Result<(), russh::Error> {
        if let Some(known) = self.known.take() {
            let _ = known.send(());
        }
        Ok(())
    }

    async fn channel_close(&mut self, id: ChannelId, _: &mut Session) -> Result<(), russh::Error> {
        self.sessions.remove(&id);
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.open_session(channel, reply, session.handle()).await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        self.open_way(channel, host, port, reply).await;
        Ok(())
    }

    async fn channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        self.no_channel("X11 is", reply).await;
        Ok(())
    }

    async fn channel_open_forwarded_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        self.no_channel("forwarding a port is", reply).await;
        Ok(())
    }

    async fn channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        self.no_channel("forwarding a socket is", reply).await;
        Ok(())
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        term: &str,
        cols: u32,
        rows: u32,
        width: u32,
        height: u32,
        modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let terminal = Terminal {
            name: term.to_owned(),
            cols,
            rows,
            width,
            height,
            modes: modes.to_vec(),
        };
        let taken = self
            .prelude(id)
            .is_some_and(|prelude| prelude.take_terminal(terminal));
        answer(id, taken, session)
    }

    async fn env_request(
        &mut self,
        id: ChannelId,
        name: &str,
        value: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let taken = self
            .prelude(id)
            .is_some_and(|prelude| prelude.take_variable(name, value));
        answer(id, taken, session)
    }

    async fn shell_request(
        &mut self,
        id: ChannelId,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.start(id, Runs::Shell, session)
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.start(id, Runs::Command(command.to_vec()), session)
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let what = if name == "sftp" {
            "sftp is not carried: it cannot be recorded yet; send a file with `ssh … 'cat > FILE' < FILE` (or scp -O)"
        } else {
            "this subsystem is not carried: it cannot be recorded"
        };
        tracing::info!(source = %self.source, "refused: subsystem {}", shown(name));
        tell(id, what, false, session)?;
        let handle = session.handle();
        tokio::spawn(async move {
            tokio::time::sleep(HEARD).await;
            let _ = handle.channel_failure(id).await;
        });
        Ok(())
    }

    async fn agent_request(
        &mut self,
        id: ChannelId,
        session: &mut Session,
    ) -> Result<bool, russh::Error> {
        self.refuse(id, "agent forwarding is not carried", session)?;
        Ok(false)
    }

    async fn x11_request(
        &mut self,
        id: ChannelId,
        _: bool,
        _: &str,
        _: &str,
        _: u32,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.refuse(id, "X11 is not carried", session)
    }

    async fn tcpip_forward(
        &mut self,
        address: &str,
        _: &mut u32,
        _: &mut Session,
    ) -> Result<bool, russh::Error> {
        tracing::info!(source = %self.source, "refused: forwarding from {}", shown(address));
        Ok(false)
    }

    async fn streamlocal_forward(
        &mut self,
        path: &str,
        _: &mut Session,
    ) -> Result<bool, russh::Error> {
        tracing::info!(source = %self.source, "refused: forwarding from {}", shown(path));
        Ok(false)
    }
}

#[cfg(test)]
mod tests;
