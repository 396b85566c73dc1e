//! What russh calls. Every kind of channel and request that there is has its answer here.

use std::sync::Arc;

use config::words::shown;
use russh::server::{
    Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Response, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, MethodKind, MethodSet, Pty};
use ssh_key::Certificate;

use super::forwards::{NO_AGENT, NO_X11};
use super::{Doorman, HEARD, Who, answer, client, tell};
use crate::destination::{Destination, Listening};
use crate::prelude::{Display, Runs, Terminal};
use crate::route::Route;
use crate::visitor::{Entry, Refusal};

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
            Entry::Reviewer(reviewer) => {
                tracing::info!(source = %self.source, access = %reviewer.access, "let in to review");
                Who::Reviewing(Arc::new(reviewer))
            }
            Entry::Passage(passage) => Who::Passing(Arc::new(passage)),
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
        self.gates.leave(id);
        self.told.retain(|(channel, _)| *channel != id);
        Ok(())
    }

    /// The next size of the window, of this channel or whichever sends next. What has no gate is taken as it comes.
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
        from: &str,
        from_port: u32,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        if matches!(self.who, Who::Passing(_)) {
            self.open_way(channel, host, port, reply).await;
        } else {
            let to = Destination::Tcp {
                host: host.to_owned(),
                port,
                from: (from.to_owned(), from_port),
            };
            self.open_forward(channel, to, reply, client(session)).await;
        }
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
        channel: Channel<Msg>,
        path: &str,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let to = Destination::Socket(path.to_owned());
        self.open_forward(channel, to, reply, client(session)).await;
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
        if name == "sftp" {
            return self.start(id, Runs::Sftp, session);
        }
        let what = "this subsystem is not carried: it cannot be recorded";
        if !self.is_news(id, what) {
            return session.channel_failure(id);
        }
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
        let given = self.permits().agent;
        if let Some(prelude) = self.prelude(id).filter(|_| given) {
            prelude.agent = true;
            return Ok(true);
        }
        self.refuse(id, NO_AGENT, session)?;
        Ok(false)
    }

    async fn x11_request(
        &mut self,
        id: ChannelId,
        single: bool,
        protocol: &str,
        cookie: &str,
        screen: u32,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let given = self.permits().x11;
        let display = Display {
            single,
            protocol: protocol.to_owned(),
            cookie: cookie.to_owned(),
            screen,
        };
        if let Some(prelude) = self.prelude(id).filter(|_| given) {
            let taken = prelude.take_display(display);
            return answer(id, taken, session);
        }
        self.refuse(id, NO_X11, session)
    }

    /// The connection waits for the target's answer: russh answers when this returns, and requests like this one are
    /// answered in their order. What is waited for needs nothing of this connection, and is bounded.
    async fn tcpip_forward(
        &mut self,
        address: &str,
        port: &mut u32,
        session: &mut Session,
    ) -> Result<bool, russh::Error> {
        let at = Listening::Tcp(address.to_owned(), *port);
        let listening = self.listen(at, session).await?;
        if let Some(Listening::Tcp(_, chosen)) = &listening {
            *port = *chosen;
        }
        Ok(listening.is_some())
    }

    async fn cancel_tcpip_forward(
        &mut self,
        address: &str,
        port: u32,
        _: &mut Session,
    ) -> Result<bool, russh::Error> {
        let at = Listening::Tcp(address.to_owned(), port);
        Ok(self.listening.remove(&at).is_some())
    }

    async fn streamlocal_forward(
        &mut self,
        path: &str,
        session: &mut Session,
    ) -> Result<bool, russh::Error> {
        let at = Listening::Socket(path.to_owned());
        Ok(self.listen(at, session).await?.is_some())
    }

    async fn cancel_streamlocal_forward(
        &mut self,
        path: &str,
        _: &mut Session,
    ) -> Result<bool, russh::Error> {
        let at = Listening::Socket(path.to_owned());
        Ok(self.listening.remove(&at).is_some())
    }
}
