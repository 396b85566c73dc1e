//! Before a session: permission, recorder, target, in this order.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use config::limits;
use config::rules::Channel;
use config::words::SessionId;
use record::api::{SessionAsk, SessionGiven};
use record::recording::{EndReason, Header, Kind, Recorder, Size, Term};
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use ssh_key::{Certificate, PrivateKey};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::fault::Fault;
use super::reach::reach;
use super::{Herald, Reply, Teller};
use crate::ends::never_began;
use crate::identity;
use crate::prelude::{Prelude, Runs, Start};
use crate::relay::{News, Stop};
use crate::route::Route;
use crate::running::Registered;
use crate::site::{Phase, Site};
use crate::target::Connection;

/// A session that has begun: the recorder stands, and the target runs what it should.
pub(super) struct Begun {
    pub(super) recorder: Recorder,
    pub(super) target: Connection,
    pub(super) target_read: ChannelReadHalf,
    pub(super) target_write: Arc<ChannelWriteHalf<russh::client::Msg>>,
    pub(super) target_said: VecDeque<ChannelMsg>,
    pub(super) news: mpsc::UnboundedReceiver<News>,
    pub(super) herald: Herald,
    /// The grant's deadline, for people.
    pub(super) until: String,
    /// The target's name.
    pub(super) name: String,
}

/// A session that has not.
pub(super) struct Failed {
    pub(super) fault: Fault,
    /// There is a recording already, which has to end.
    pub(super) recorder: Option<Recorder>,
    pub(super) reply: Reply,
}

impl From<Fault> for Box<Failed> {
    fn from(fault: Fault) -> Self {
        Box::new(Failed {
            fault,
            recorder: None,
            reply: Reply::Success,
        })
    }
}

/// Asks the CA, opens the recorder, and only then reaches the target.
pub(super) async fn begin(
    site: &Arc<Site>,
    route: &Route,
    start: Start,
) -> Result<Begun, Box<Failed>> {
    let asked = text(&start.runs)?;
    let permission = ask(site, route).await?;
    // From here on the CA's log holds the session, and waits for its end.
    let registered = site
        .running
        .begin(&permission.session, &permission.given.request);
    let forced = route
        .command()
        .or(permission.given.command.as_deref())
        .map(str::to_owned);
    let runs = Running { asked, forced };
    let recorder = open_recorder(site, route, &permission, &start, &runs).await?;
    let failed = |recorder, fault: Fault| {
        let reply = if matches!(fault, Fault::Request(_)) {
            Reply::Failure
        } else {
            Reply::Success
        };
        Box::new(Failed {
            fault,
            recorder: Some(recorder),
            reply,
        })
    };
    if let Err(fault) = allowed(route, &permission.given, &runs) {
        return Err(failed(recorder, fault));
    }
    let until = permission.given.until.time_of_day();
    let name = route.access().target.to_string();
    let (teller, news) = mpsc::unbounded_channel();
    greet(&teller, &start.prelude, &permission.session, &until);
    let deadline = permission.deadline;
    let pty = start.prelude.terminal.is_some();
    let (target, channel, target_said) =
        match reach(site, route, permission, start.prelude, runs.command()).await {
            Ok(reached) => reached,
            Err(fault) => return Err(failed(recorder, fault)),
        };
    let (target_read, target_write) = channel.split();
    let herald = Herald::new(tell(Arc::clone(site), teller, registered, deadline, pty));
    let target_write = Arc::new(target_write);
    Ok(Begun {
        recorder,
        target,
        target_read,
        target_write,
        target_said,
        news,
        herald,
        until,
        name,
    })
}

/// What the CA gave for one session.
pub(super) struct Permission {
    pub(super) session: SessionId,
    pub(super) given: SessionGiven,
    pub(super) deadline: Instant,
    pub(super) key: PrivateKey,
    pub(super) certificate: Certificate,
}

async fn ask(site: &Site, route: &Route) -> Result<Permission, Fault> {
    let key = identity::fresh().map_err(|_| Fault::Random)?;
    let mut random = [0; 10];
    getrandom::fill(&mut random).map_err(|_| Fault::Random)?;
    let session = SessionId::from_parts(site.clock.wall_ms(), random);
    let asked = SessionAsk {
        session: session.clone(),
        certificate: route.certificate().to_owned(),
        access: route.access().clone(),
        key: key.public_key().to_openssh().map_err(|_| Fault::Defect)?,
        source: canonical(route.source()),
    };
    // What is left is counted from before the question: the session rather ends a moment early than late.
    let began = Instant::now();
    let given = site.link.session(&asked).await?;
    let certificate = Certificate::from_openssh(&given.certificate)
        .map_err(|_| Fault::Given("its session certificate"))?;
    if certificate.public_key() != key.public_key().key_data() {
        return Err(Fault::Given("a certificate for another key"));
    }
    let left = Duration::from_millis(given.left_ms).min(limits::GRANT_LONGEST);
    Ok(Permission {
        session,
        given,
        deadline: began + left,
        key,
        certificate,
    })
}

fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// What runs in the end: what was asked for, or what is forced.
struct Running {
    asked: Option<String>,
    forced: Option<String>,
}

impl Running {
    /// The command to run; none for a shell.
    fn command(&self) -> Option<&str> {
        self.forced.as_deref().or(self.asked.as_deref())
    }
}

/// The command that was asked for, as it will stand in the recording's header.
fn text(runs: &Runs) -> Result<Option<String>, Fault> {
    match runs {
        Runs::Shell => Ok(None),
        Runs::Command(bytes) if bytes.len() > limits::EVENT_BYTES => Err(Fault::Command),
        Runs::Command(bytes) => String::from_utf8(bytes.clone())
            .map(Some)
            .map_err(|_| Fault::Command),
    }
}

fn allowed(route: &Route, given: &SessionGiven, runs: &Running) -> Result<(), Fault> {
    if route.command().is_some_and(|own| {
        given
            .command
            .as_deref()
            .is_some_and(|granted| granted != own)
    }) {
        return Err(Fault::Forced);
    }
    let channel = if runs.command().is_some() {
        Channel::Exec
    } else {
        Channel::Shell
    };
    if given.channels.contains(&channel) {
        Ok(())
    } else {
        Err(Fault::Channel {
            role: given.role.clone(),
            channel,
        })
    }
}

async fn open_recorder(
    site: &Arc<Site>,
    route: &Route,
    permission: &Permission,
    start: &Start,
    runs: &Running,
) -> Result<Recorder, Fault> {
    let given = &permission.given;
    let terminal = start.prelude.terminal.as_ref();
    let header = Header {
        session: permission.session.clone(),
        person: given.person.clone(),
        access: route.access().clone(),
        role: given.role.clone(),
        request: given.request.clone(),
        serial: given.serial,
        bastion: site.name.clone(),
        source: canonical(route.source()),
        client: start.client.clone(),
        kind: if runs.command().is_some() {
            Kind::Exec
        } else {
            Kind::Shell
        },
        command: runs.asked.clone(),
        forced: runs.forced.clone(),
        term: terminal.map(|t| Term {
            size: Size::asked(t.cols, t.rows),
            name: t.name.clone(),
        }),
        record_input: given.record_input,
        started_ms: site.clock.wall_ms(),
    };
    let creating = Arc::clone(site);
    let created = tokio::task::spawn_blocking(move || {
        // If we die here, the CA waits for the end of a session that the next start does not know.
        if let Err(e) = creating.ends.begin(&header.session) {
            tracing::error!(session = %header.session, "its begin is not noted: {e}");
        }
        // If we die here, the next start tells the CA that the session never began.
        let created = creating.store.create(&header);
        if created.is_err() {
            let end = never_began(header.session, &EndReason::Recorder);
            if let Err(e) = creating.ends.keep(&end) {
                tracing::error!(session = %end.session, "the end is not kept for the CA: {e}");
            }
        }
        created
    });
    Ok(created.await.map_err(|_| Fault::Defect)??)
}

/// What the person reads at the start, if there is a terminal to read on.
fn greet(teller: &Teller, prelude: &Prelude, session: &SessionId, until: &str) {
    if prelude.terminal.is_some() {
        let _ = teller.send(News::Say(format!(
            "recorded session {session}, until {until}"
        )));
    }
    for what in &prelude.refused {
        let _ = teller.send(News::Say((*what).to_owned()));
    }
}

/// Tells a session what happens around it.
async fn tell(
    site: Arc<Site>,
    teller: Teller,
    mut registered: Registered,
    deadline: Instant,
    pty: bool,
) {
    let mut phase = site.phase.subscribe();
    let stop = async {
        if phase
            .wait_for(|phase| *phase >= Phase::Closing)
            .await
            .is_ok()
            && pty
        {
            let grace = limits::SHUTDOWN_GRACE.as_secs();
            let _ = teller.send(News::Say(format!(
                "this bastion is closing: the session ends in {grace} s"
            )));
        }
        let _ = phase.wait_for(|phase| *phase == Phase::Over).await;
    };
    let stop = tokio::select! {
        () = tokio::time::sleep_until(deadline) => Stop::Deadline,
        () = registered.ended() => Stop::GrantEnded,
        () = stop => Stop::Shutdown,
    };
    let _ = teller.send(News::Stop(stop));
    // Stays registered until the session lets go of this.
    std::future::pending::<()>().await;
}
