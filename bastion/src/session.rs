//! One session, from the request for a shell or a command to its signed End.

mod begin;
mod client;
pub(crate) mod direct;
mod ending;
mod fault;
mod opening;
mod permission;
mod reach;
pub(crate) mod remote;
mod runs;

use std::sync::Arc;
use std::time::Duration;

use record::recording::{Exit, Recorder};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use crate::alarm::{self, Alarm, Claim};
use crate::forward::Item;
use crate::links::{Links, Serving};
use crate::prelude::Start;
use crate::relay::{self, News, Over, Sides, Stop};
use crate::route::Route;
use crate::scp::complaint;
use crate::site::Site;

use begin::{Begun, Prepared};
pub(crate) use client::{Client, Fresh, Reply};
pub(crate) use ending::ENDED;
use ending::{Words, end, farewell};
use fault::Fault;
pub(crate) use fault::gone;

/// How long the person's side may take a last word; one that stands still does not get it.
const LAST_WORD: Duration = Duration::from_secs(2);

/// Begins to attend to a session channel.
pub(crate) fn begin(site: Arc<Site>, route: Arc<Route>, fresh: Fresh) {
    fresh.begin(|client, start| async move {
        Box::pin(attend(&site, &route, client, start)).await;
    });
}

/// Carries what was asked for on a channel, to its end.
pub(crate) async fn attend(site: &Arc<Site>, route: &Route, mut client: Client, start: Start) {
    let counted = site.running.count();
    let pty = start.prelude.terminal.is_some();
    let prepared = client
        .meanwhile(Box::pin(begin::prepare(site, route, start)))
        .await;
    match prepared {
        Ok(prepared) => go(site, route, client, prepared, pty).await,
        Err(failed) => {
            let begin::Failed { fault, recorder } = *failed;
            refuse(site, route, client, fault, recorder, pty).await;
        }
    }
    drop(counted);
}

/// Reaches the target and carries the session, unless something ends it before.
async fn go(site: &Arc<Site>, route: &Route, mut client: Client, prepared: Prepared, pty: bool) {
    let Prepared { mut recorder, way } = prepared;
    if let Some(line) = way.waits(site) {
        match relay::said(&mut recorder, &line, pty) {
            Ok(said) => client.hand(Item::Errors(said)).await,
            Err(e) => {
                return refuse(site, route, client, Fault::Recorder(e), Some(recorder), pty).await;
            }
        }
    }
    let observed = way.observed();
    let (name, until) = (way.name.clone(), way.until.clone());
    let stopped = way.stopped(site);
    let person = &client.person;
    let (handle, id) = (person.near.handle.clone(), person.id);
    let answered = person.answered;
    let reaching = Box::pin(async {
        // Until then the target hears of nothing.
        observed.await;
        let begun = Box::pin(way.reach(site, route)).await?;
        if !answered {
            let _ = handle.channel_success(id).await;
        }
        Ok::<_, Fault>(begun)
    });
    let reached = client.while_held(async {
        tokio::select! {
            reached = reaching => Ok(reached),
            stop = stopped => Err(stop),
        }
    });
    match reached.await {
        Some(Ok(Ok(begun))) => carry(site, client, recorder, begun, (&name, &until), pty).await,
        Some(Ok(Err(fault))) => refuse(site, route, client, fault, Some(recorder), pty).await,
        Some(Err(stop)) => {
            let (reason, mut words) = farewell(Over::Stopped(stop), &name, &until);
            let person = client.deaf();
            end(site, recorder, reason, &mut words, pty, &person).await;
            person.leave(Reply::Success, words.exit).await;
        }
        None => {
            let (reason, mut words) = farewell(Over::ClientClosed, &name, &until);
            let person = client.deaf();
            end(site, recorder, reason, &mut words, pty, &person).await;
            person.close().await;
        }
    }
}

/// Says why there is no session, and ends its recording if there is one.
async fn refuse(
    site: &Arc<Site>,
    route: &Route,
    client: Client,
    fault: Fault,
    recorder: Option<Recorder>,
    pty: bool,
) {
    let person = client.deaf();
    let line = fault.to_string();
    tracing::info!(access = %route.access(), source = %route.source(), "no session: {line}");
    let mut words = Words {
        line: Some(line),
        exit: Exit::Status(ENDED),
    };
    if let Some(mut recorder) = recorder {
        if let Fault::Copy(why) = fault
            && let Ok(said) = recorder.output(complaint(why))
        {
            // The client's `scp` shows it: a line of ours beside would say it twice.
            words.line = None;
            person.hand(Item::Bytes(said)).await;
        }
        end(site, recorder, fault.reason(), &mut words, pty, &person).await;
    } else {
        person.tell(words.line.take(), pty).await;
    }
    let reply = match fault {
        Fault::Request(_) => Reply::Failure,
        _ => Reply::Success,
    };
    person.leave(reply, words.exit).await;
}

/// Carries a session that has begun, and ends it.
async fn carry(
    site: &Arc<Site>,
    mut client: Client,
    mut recorder: Recorder,
    begun: Begun,
    (name, until): (&str, &str),
    pty: bool,
) {
    let Begun {
        target,
        mut target_read,
        target_write,
        target_said,
        mut news,
        herald,
        registered,
        rules,
        arrivals,
        beside,
    } = begun;
    // Whoever holds this lets connections of the target come.
    let (_open, closing) = oneshot::channel();
    let mut serving = arrivals.map(|arrivals| {
        let links = Links {
            near: client.person.near.clone(),
            far: target.gates(),
            forwards: recorder.forwards(),
            bounds: beside,
            listening: None,
            arrivals,
        };
        Serving::begin(links, closing)
    });
    let sides = Sides {
        client: &mut client.read,
        client_said: std::mem::take(&mut client.said),
        to_client: Arc::clone(&client.person.write),
        near: client.person.near.handle.clone(),
        target: &mut target_read,
        target_said,
        to_target: target_write,
        up: Arc::clone(&client.gate),
    };
    // Counted again as the relay takes it.
    client.gate.gave(std::mem::take(&mut client.held));
    let stage = Arc::clone(&rules.stage);
    let claim = rules.alarm.as_ref().map(Alarm::claim);
    let over = tokio::select! {
        over = relay::run(&mut recorder, rules, sides, &mut news) => over,
        over = failed(serving.as_mut()) => over,
    };
    // Whatever comes now is neither recorded nor forwarded.
    let person = client.deaf();
    if let Some(serving) = serving {
        serving.end().await;
    }
    drop(herald);
    // A target that stands still is not waited for.
    let (_, over) = tokio::join!(
        timeout(LAST_WORD, target.close()),
        heard(over, claim, &mut recorder, &mut news)
    );
    drop(news);
    let (reason, mut words) = farewell(over, name, until);
    stage.over(reason.as_str());
    // Whoever looks on has heard why; from here on it runs no more.
    drop(registered);
    end(site, recorder, reason, &mut words, pty, &person).await;
    person.leave(Reply::Given, words.exit).await;
}

/// Waits for what is still looked at, so that each alert stands in the recording; not longer than for a last word. What is found now ends
/// nothing any more: only an alert that was told as what ends the session does, whether or not the relay has heard of it in time.
async fn heard(
    over: Over,
    claim: Option<Arc<Claim>>,
    recorder: &mut Recorder,
    news: &mut mpsc::UnboundedReceiver<News>,
) -> Over {
    let Some(claim) = claim else {
        return over;
    };
    let ended = claim.over();
    let last = Instant::now() + LAST_WORD;
    while let Ok(Some(said)) = timeout_at(last, news.recv()).await {
        if let News::Alert { name, on, .. } = said
            && let Err(e) = alarm::mark(recorder, &name, on)
        {
            return e.into();
        }
    }
    match (over, ended) {
        (Over::Recorder(e), _) => e.into(),
        (_, Some(name)) => Over::Stopped(Stop::Alert(name)),
        (over, None) => over,
    }
}

/// Returns when the connections that the target opens end the session: they cannot be recorded, or are too large.
async fn failed(serving: Option<&mut Serving>) -> Over {
    if let Some(serving) = serving
        && let Err(over) = serving.done().await
    {
        return over;
    }
    std::future::pending().await
}

/// Tells a session what happens around it, until this is dropped.
#[derive(Debug)]
struct Herald(tokio::task::JoinHandle<()>);

impl Herald {
    fn new(telling: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(telling))
    }
}

impl Drop for Herald {
    fn drop(&mut self) {
        self.0.abort();
    }
}

type Teller = mpsc::UnboundedSender<News>;
