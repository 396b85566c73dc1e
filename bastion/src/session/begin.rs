//! Before a session: permission, recorder, target, in this order.

use std::collections::VecDeque;
use std::sync::Arc;

use config::limits;
use config::rules::Channel;
use config::words::SessionId;
use record::api::SessionGiven;
use record::entry::Sign;
use record::recording::{Recorder, Size};
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::sync::mpsc;
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use super::fault::{Fault, in_words};
use super::opening::open_recorder;
use super::permission::{Permission, ask};
use super::reach::{self, Asked, Reached, reach};
use super::runs::{Running, What, allowed, text};
use super::{Herald, Teller};
use crate::alarm::{self, Alarm, Subject};
use crate::files::Files;
use crate::prelude::{Prelude, Start, Terminal};
use crate::relay::{Bounds, Masks, News, Rules, SharedBounds, Stop};
use crate::route::Route;
use crate::running::{Grant, Registered};
use crate::scp::head::Head;
use crate::scp::{self, Scp};
use crate::sftp::Sftp;
use crate::site::{Phase, Site};
use crate::target::{Arrival, Connection, Guests};
use crate::watch::{self, Stage};

/// A session that may begin: the recorder stands, and nothing has been sent to the target.
pub(super) struct Prepared {
    pub(super) recorder: Recorder,
    pub(super) way: Way,
}

/// The way to the target of such a session.
pub(super) struct Way {
    permission: Permission,
    prelude: Prelude,
    command: Asked,
    copy: Option<Head>,
    registered: Registered,
    stage: Arc<Stage>,
    /// The grant's deadline, for people.
    pub(super) until: String,
    /// The target's name.
    pub(super) name: String,
}

/// A session that has begun: the target runs what it should.
pub(super) struct Begun {
    pub(super) target: Connection,
    pub(super) target_read: ChannelReadHalf,
    pub(super) target_write: Arc<ChannelWriteHalf<russh::client::Msg>>,
    pub(super) target_said: VecDeque<ChannelMsg>,
    pub(super) news: mpsc::UnboundedReceiver<News>,
    pub(super) herald: Herald,
    /// It runs as long as this is held.
    pub(super) registered: Registered,
    pub(super) rules: Rules,
    /// What the target opens, if it may open anything.
    pub(super) arrivals: Option<mpsc::Receiver<Arrival>>,
    /// How much may pass by that.
    pub(super) beside: SharedBounds,
}

/// A connection on which the target runs nothing.
pub(super) struct Bare {
    pub(super) target: Connection,
    pub(super) bounds: SharedBounds,
    pub(super) news: mpsc::UnboundedReceiver<News>,
    pub(super) herald: Herald,
    /// It runs as long as this is held.
    pub(super) registered: Registered,
}

/// A session that may not begin.
pub(super) struct Failed {
    pub(super) fault: Fault,
    /// There is a recording already, which has to end.
    pub(super) recorder: Option<Recorder>,
}

impl From<Fault> for Box<Failed> {
    fn from(fault: Fault) -> Self {
        Box::new(Failed {
            fault,
            recorder: None,
        })
    }
}

/// Asks the CA, and opens the recorder. Once begun, this has to run to its end: the CA waits for the end of
/// every session that it has let begin.
pub(super) async fn prepare(
    site: &Arc<Site>,
    route: &Route,
    start: Start,
) -> Result<Prepared, Box<Failed>> {
    let asked = text(&start.runs)?;
    let permission = ask(site, route).await?;
    let registered = site
        .running
        .begin(&permission.session, &permission.given.request);
    let terminal = start.prelude.terminal.as_ref();
    let screen = terminal.map(|t| Size::asked(t.cols, t.rows));
    let stage = Stage::new(permission.given.person.clone(), screen);
    registered.show(&stage);
    let forced = route
        .command()
        .or(permission.given.command.as_deref())
        .map(str::to_owned);
    let what = What::of(&start.runs);
    let forced = forced.filter(|_| matches!(what, What::Runs | What::Files));
    let runs = Running::new((asked, forced), what, &permission.given, terminal.is_some());
    let mut recorder = open_recorder(site, route, &permission, &start, &runs).await?;
    let known = permission.given.alerted.as_ref();
    let known = known.map_or(Ok(()), |name| {
        alarm::mark(&mut recorder, name, Sign::NewSource)
    });
    let judged = match known
        .map_err(Fault::from)
        .and_then(|()| allowed(route, &permission.given, &runs))
    {
        Ok(()) => look_at(site, &permission, &runs, &mut recorder).await,
        refused => refused,
    };
    if let Err(fault) = judged.and_then(|()| copies(&permission.given, &runs, &mut recorder)) {
        let recorder = Some(recorder);
        return Err(Box::new(Failed { fault, recorder }));
    }
    let way = Way {
        until: permission.given.until.time_of_day(),
        name: route.access().target.to_string(),
        command: runs.target_runs(),
        copy: runs.copy().cloned(),
        prelude: narrowed(start.prelude, &permission.given),
        permission,
        registered,
        stage,
    };
    Ok(Prepared { recorder, way })
}

/// Refuses a copy by the old `scp` that the role does not give, and records that.
fn copies(given: &SessionGiven, runs: &Running, recorder: &mut Recorder) -> Result<(), Fault> {
    let commands = given.channels.contains(&Channel::Exec);
    let refusal = |head| scp::refusal(head, &given.files, commands);
    let Some((events, why)) = runs.copy().and_then(refusal) else {
        return Ok(());
    };
    recorder.files_left(events)?;
    Err(Fault::Copy(why))
}

/// Tells of a command that the role is alerted of, before it runs, and refuses one that would end its session.
async fn look_at(
    site: &Arc<Site>,
    permission: &Permission,
    runs: &Running,
    recorder: &mut Recorder,
) -> Result<(), Fault> {
    let Some(command) = runs.command() else {
        return Ok(());
    };
    let found = alarm::of_command(&permission.given.terms.alerts, command);
    for alert in &found {
        let report = alarm::report(&permission.session, alert, Sign::Command, alert.kill);
        alarm::kept::keep(site, report).await;
        alarm::mark(recorder, &alert.name, Sign::Command)?;
    }
    match found.into_iter().find(|alert| alert.kill) {
        Some(alert) => Err(Fault::Alert(alert.name)),
        None => Ok(()),
    }
}

/// What the client said, without what the role does not give by now.
fn narrowed(mut prelude: Prelude, given: &SessionGiven) -> Prelude {
    let refusal = |channel| format!("role {} does not allow {}", given.role, in_words(channel));
    if prelude.agent && !given.channels.contains(&Channel::Agent) {
        prelude.agent = false;
        prelude.refused.push(refusal(Channel::Agent));
    }
    if prelude.display.is_some() && !given.channels.contains(&Channel::X11) {
        prelude.display = None;
        prelude.refused.push(refusal(Channel::X11));
    }
    prelude
}

impl Way {
    /// Reaches the target, and has it run nothing. To give this up closes the connection to the target.
    pub(super) async fn connect(self, site: &Arc<Site>, route: &Route) -> Result<Bare, Fault> {
        let (teller, news) = mpsc::unbounded_channel();
        let deadline = self.permission.deadline;
        let bounds = Bounds::new(&self.permission.given.terms, false, Instant::now());
        let guests = Guests {
            forwarded: true,
            ..Guests::default()
        };
        let spool = site.spools.of(&self.permission.given.person);
        let target = reach::connect(site, route, self.permission, guests, false).await?;
        let grant = self.registered.watch();
        let herald = Herald::new(tell(Arc::clone(site), teller, grant, deadline, false));
        Ok(Bare {
            target,
            bounds: SharedBounds::new(bounds, spool),
            news,
            herald,
            registered: self.registered,
        })
    }

    /// Reaches the target, and has it run what it should. To give this up closes the connection to the target.
    pub(super) async fn reach(self, site: &Arc<Site>, route: &Route) -> Result<Begun, Fault> {
        let (teller, news) = mpsc::unbounded_channel();
        greet(
            &teller,
            &self.prelude,
            &self.permission.session,
            &self.until,
        );
        let deadline = self.permission.deadline;
        let watched = self.observed();
        let pty = self.prelude.terminal.is_some();
        let rules = self.permission.given.files.clone();
        let files = match self.copy {
            Some(head) => Some(Files::Scp(Scp::new(head, rules))),
            None => (self.command == Asked::Sftp).then(|| Files::Sftp(Sftp::new(rules))),
        };
        let masks = Masks::new(&self.permission.given.terms.mask, Instant::now());
        let masks = masks.map_err(|_| Fault::Given("its masks"))?;
        let bounds = Bounds::new(&self.permission.given.terms, pty, Instant::now());
        let given = &self.permission.given;
        let shape = |t: &Terminal| Size::asked(t.cols, t.rows);
        let subject = Subject {
            session: self.permission.session.clone(),
            alerts: given.terms.alerts.clone(),
            terminal: self.prelude.terminal.as_ref().map(shape),
            // Without a terminal, what comes in is recorded like what goes out.
            input: given.record_input || !pty,
        };
        let alarm = Alarm::watch(site, subject, teller.clone());
        let observer = self.permission.given.terms.observer;
        let beside = SharedBounds::new(bounds.beside(), site.spools.of(&given.person));
        let reaching = reach(
            site,
            route,
            self.permission,
            self.prelude,
            &self.command,
            watched,
        );
        let Reached {
            mut target,
            channel,
            said: target_said,
            unwilling,
            guests,
        } = reaching.await?;
        for what in unwilling {
            let _ = teller.send(News::Say(what));
        }
        let arrivals = target.arrivals().filter(|_| guests != Guests::default());
        let (target_read, target_write) = channel.split();
        tokio::spawn(watch::follow(Arc::clone(&self.stage)));
        let herald = Herald::new(tell(
            Arc::clone(site),
            teller,
            self.registered.watch(),
            deadline,
            pty,
        ));
        Ok(Begun {
            target,
            target_read,
            target_write: Arc::new(target_write),
            target_said,
            news,
            herald,
            registered: self.registered,
            rules: Rules {
                pty,
                files,
                masks,
                bounds,
                alarm,
                stage: self.stage,
                observer,
            },
            arrivals,
            beside,
        })
    }

    /// What the person hears who has to wait for somebody else to look on; none, if nobody has to.
    pub(super) fn waits(&self, site: &Site) -> Option<String> {
        self.permission.given.terms.observer?;
        Some(format!(
            "waiting for somebody to watch: ssh -t review@{} watch {}",
            site.name, self.permission.session
        ))
    }

    /// Returns when somebody else looks on, if somebody has to.
    pub(super) fn observed(&self) -> impl Future<Output = ()> + Send + use<> {
        let needed = self.permission.given.terms.observer.is_some();
        let mut seats = self.stage.seats();
        async move {
            if needed && seats.wait_for(|seats| seats.others > 0).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Returns when the session must not begin any more.
    pub(super) fn stopped(&self, site: &Site) -> impl Future<Output = Stop> + Send + use<> {
        let (mut registered, mut phase) = (self.registered.watch(), site.phase.subscribe());
        let deadline = self.permission.deadline;
        async move { stopped(&mut registered, &mut phase, deadline).await }
    }
}

/// What the person reads at the start, if there is a terminal to read on.
fn greet(teller: &Teller, prelude: &Prelude, session: &SessionId, until: &str) {
    if prelude.terminal.is_some() {
        let _ = teller.send(News::Say(format!(
            "recorded session {session}, until {until}"
        )));
    }
    for what in &prelude.refused {
        let _ = teller.send(News::Say(what.clone()));
    }
}

/// Tells a session what happens around it.
async fn tell(site: Arc<Site>, teller: Teller, mut grant: Grant, deadline: Instant, pty: bool) {
    let (mut phase, mut closing) = (site.phase.subscribe(), site.phase.subscribe());
    let goodbye = async {
        let closes = closing.wait_for(|phase| *phase >= Phase::Closing);
        if closes.await.is_ok() && pty {
            let grace = limits::SHUTDOWN_GRACE.as_secs();
            let _ = teller.send(News::Say(format!(
                "this bastion is closing: the session ends in {grace} s"
            )));
        }
        std::future::pending().await
    };
    let stop = tokio::select! {
        stop = stopped(&mut grant, &mut phase, deadline) => stop,
        stop = goodbye => stop,
    };
    let _ = teller.send(News::Stop(stop));
    // Nobody hears that there is no more news until the session lets go of this.
    std::future::pending::<()>().await;
}

/// Returns when a session has to end, whatever its two sides do.
async fn stopped(grant: &mut Grant, phase: &mut Receiver<Phase>, deadline: Instant) -> Stop {
    tokio::select! {
        () = tokio::time::sleep_until(deadline) => Stop::Deadline,
        stop = grant.ended() => stop,
        _ = phase.wait_for(|phase| *phase == Phase::Over) => Stop::Shutdown,
    }
}
