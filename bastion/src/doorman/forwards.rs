//! Forwarded connections, as the person's client asks for them: refused at once where the certificate gives none.

use std::sync::Arc;

use config::limits;
use config::words::shown;
use russh::Channel;
use russh::server::{ChannelOpenHandle, Handle, Msg, Session};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{CLOSING, Doorman, Who, client, no_room};
use crate::destination::{Destination, Listening};
use crate::links::Near;
use crate::permits::Permits;
use crate::route::Route;
use crate::session::{direct, remote};

pub(crate) const NO_AGENT: &str =
    "agent forwarding is not carried: the role does not give the channel agent";
pub(crate) const NO_X11: &str = "X11 is not carried: the role does not give the channel x11";

impl Doorman {
    /// What the certificate gives beside sessions.
    pub(super) fn permits(&self) -> Permits {
        match &self.who {
            Who::Visiting(route) => route.permits(),
            Who::Passing(_) => Permits::OFFERED,
            Who::Nobody | Who::Reviewing(_) => Permits::default(),
        }
    }

    /// This connection, for those who open channels on it.
    pub(super) fn near(&self, handle: Handle) -> Near {
        Near {
            handle,
            gates: self.gates.clone(),
            places: self.links.clone(),
        }
    }

    fn forwarder(&self) -> Option<&Arc<Route>> {
        match &self.who {
            Who::Visiting(route) if route.permits().port => Some(route),
            _ => None,
        }
    }

    /// Opens a connection to what the target reaches.
    pub(super) async fn open_forward(
        &self,
        channel: Channel<Msg>,
        to: Destination,
        reply: ChannelOpenHandle,
        client: String,
    ) {
        let Some(route) = self.forwarder() else {
            let what = match to {
                Destination::Tcp { .. } => "forwarding a port is",
                Destination::Socket(_) => "forwarding a socket is",
            };
            return self.no_channel(what, reply).await;
        };
        if !self.site.serving() {
            return reply.reject(no_room(CLOSING)).await;
        }
        let (site, route) = (Arc::clone(&self.site), Arc::clone(route));
        let (gates, alive) = (self.gates.clone(), self.alive.subscribe());
        let begin = move |reply, place| {
            let wanted = direct::Wanted {
                channel,
                reply,
                to,
                gates,
                place,
                alive,
            };
            direct::begin(site, route, client, wanted);
        };
        if let Some(place) = self.links.take() {
            begin(reply, place);
        } else if let Some(waiting) = self.links.wait() {
            tokio::spawn(async move {
                match waiting.await {
                    Some(place) => begin(reply, place),
                    None => full(reply).await,
                }
            });
        } else {
            full(reply).await;
        }
    }

    /// Has the target listen; gives where it does. A refusal is said as a debug message, which `ssh -v` shows: an answer to such
    /// a request has no words.
    pub(super) async fn listen(
        &mut self,
        at: Listening,
        session: &mut Session,
    ) -> Result<Option<Listening>, russh::Error> {
        let (near, client) = (self.near(session.handle()), client(session));
        let why = match self.try_listen(at.clone(), near, client).await {
            Ok(listening) => return Ok(Some(listening)),
            Err(why) => why,
        };
        tracing::info!(source = %self.source, "refused: forwarding from {}: {why}", shown(&at.place()));
        session.debug(true, &format!("hallpass: {why}"), "en")?;
        Ok(None)
    }

    async fn try_listen(
        &mut self,
        at: Listening,
        near: Near,
        client: String,
    ) -> Result<Listening, String> {
        // Those that have ended by themselves.
        self.listening.retain(|_, until| !until.is_closed());
        let route = self
            .forwarder()
            .ok_or("forwarding from the target is not carried: the role does not give it")?;
        if !self.site.serving() {
            return Err("this bastion is closing".to_owned());
        }
        if self.listening.contains_key(&at) {
            return Err("the target listens there already".to_owned());
        }
        let place = self.links.take();
        let place = place.ok_or("too many connections are forwarded on this one")?;
        let (until, enough) = oneshot::channel();
        let wanted = remote::Wanted {
            near,
            at,
            place,
            enough,
        };
        let (site, route) = (Arc::clone(&self.site), Arc::clone(route));
        let answered = remote::begin(site, route, client, wanted);
        let listening = timeout(limits::FORWARD_ANSWER, answered)
            .await
            .map_err(|_| "the target does not answer in time")?
            .map_err(|_| "a part of the bastion failed")??;
        self.listening.insert(listening.clone(), until);
        Ok(listening)
    }
}

async fn full(reply: ChannelOpenHandle) {
    let most = limits::FORWARDED;
    let why = format!("{most} connections are forwarded on this one, which is the most");
    reply.reject(no_room(&why)).await;
}
