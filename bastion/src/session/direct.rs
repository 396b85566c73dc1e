//! A session that is one forwarded connection to what the target reaches: `ssh -L`, `-W` and `-D`.

use std::sync::Arc;

use record::recording::{EndReason, Forwards, Link, RecordError, Recorder};
use russh::server::{ChannelOpenHandle, Msg};
use russh::{Channel, ChannelOpenFailure};

use super::begin::{self, Bare, Failed, Prepared, Way};
use super::ending::{farewell, seal};
use super::fault::Fault;
use crate::destination::Destination;
use crate::gates::Gates;
use crate::link::{self, End, LinkOver};
use crate::places::Taken;
use crate::prelude::{Runs, Start};
use crate::relay::{News, Over, Stop};
use crate::route::Route;
use crate::site::{Phase, Site};
use crate::target::Connection;
use config::limits;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// A channel that the person's client wants to open, and where it leads.
pub(crate) struct Wanted {
    pub(crate) channel: Channel<Msg>,
    pub(crate) reply: ChannelOpenHandle,
    pub(crate) to: Destination,
    /// The gates of the person's connection.
    pub(crate) gates: Gates,
    pub(crate) place: Taken,
    /// Closed when the person's connection is.
    pub(crate) alive: watch::Receiver<()>,
}

/// Begins to attend to such a channel.
pub(crate) fn begin(site: Arc<Site>, route: Arc<Route>, client: String, wanted: Wanted) {
    let attending = async move {
        let counted = site.running.count();
        attend(&site, &route, client, wanted).await;
        drop(counted);
    };
    tokio::spawn(Box::pin(attending));
}

async fn attend(site: &Arc<Site>, route: &Route, client: String, wanted: Wanted) {
    let start = Start::bare(Runs::Forward(wanted.to.clone()), client);
    match begin::prepare(site, route, start).await {
        Ok(Prepared { recorder, way }) => {
            let forwards = recorder.forwards();
            let reason = go(site, route, way, &forwards, wanted).await;
            // A failure is logged, and the person's connection is over.
            let _ = seal(site, recorder, reason).await;
        }
        Err(failed) => {
            let Failed { fault, recorder } = *failed;
            refuse(site, route, &fault, recorder).await;
            reject(wanted.reply, 1, &fault.to_string()).await;
        }
    }
}

/// Says why a forwarding does not begin, and ends its recording if there is one.
pub(super) async fn refuse(
    site: &Arc<Site>,
    route: &Route,
    fault: &Fault,
    recorder: Option<Recorder>,
) {
    tracing::info!(access = %route.access(), source = %route.source(), "nothing is forwarded: {fault}");
    if let Some(recorder) = recorder {
        let _ = seal(site, recorder, fault.reason()).await;
    }
}

async fn reject(reply: ChannelOpenHandle, code: u32, why: &str) {
    let reason = format!("hallpass: {why}");
    reply
        .reject(ChannelOpenFailure::Other { code, reason })
        .await;
}

/// Carries the connection; says why it ended.
async fn go(
    site: &Arc<Site>,
    route: &Route,
    way: Way,
    forwards: &Forwards,
    wanted: Wanted,
) -> EndReason {
    let (to, name, until) = (&wanted.to, way.name.clone(), way.until.clone());
    let link = match forwards.asked(to.kind(), &to.place(), &to.from()) {
        Ok(link) => link,
        Err(e) => return broken(e, wanted.reply).await,
    };
    let stopped = way.stopped(site);
    let reaching = async {
        let bare = way.connect(site, route).await?;
        let channel = timeout(limits::FORWARD_TARGET, bare.target.forward(to)).await;
        let channel = channel.map_err(|_| Fault::Silent(name.clone()))?;
        Ok::<_, Fault>((bare, channel.map_err(Fault::Refused)?))
    };
    let mut alive = wanted.alive.clone();
    let gone = async { while alive.changed().await.is_ok() {} };
    let reached = tokio::select! {
        reached = Box::pin(reaching) => reached,
        () = gone => {
            drop(link.refused("the person's connection is closed"));
            return EndReason::ClientClosed;
        }
        stop = stopped => {
            let (reason, _) = farewell(Over::Stopped(stop), &name, &until);
            drop(link.refused(reason.as_str()));
            reject(wanted.reply, 1, "the session has to end").await;
            return reason;
        }
    };
    match reached {
        Ok((bare, channel)) => {
            let over = carry(site, bare, channel, link, wanted).await;
            farewell(over, &name, &until).0
        }
        Err(fault) => {
            tracing::info!(access = %route.access(), source = %route.source(), "nothing is forwarded: {fault}");
            if let Err(e) = link.refused(&fault.to_string()) {
                return broken(e, wanted.reply).await;
            }
            reject(wanted.reply, 2, &fault.to_string()).await;
            fault.reason()
        }
    }
}

async fn broken(e: RecordError, reply: ChannelOpenHandle) -> EndReason {
    let fault = Fault::from(e);
    reject(reply, 4, &fault.to_string()).await;
    fault.reason()
}

async fn carry(
    site: &Arc<Site>,
    bare: Bare,
    channel: Channel<russh::client::Msg>,
    mut link: Link,
    wanted: Wanted,
) -> Over {
    let Bare {
        target,
        bounds,
        mut news,
        herald,
        registered,
    } = bare;
    match link.opened() {
        Ok(opened) => opened.into_inner(),
        Err(e) => return Over::Recorder(e),
    }
    let (near_id, far_id) = (wanted.channel.id(), channel.id());
    let far = End::new(channel, target.gates().enter(far_id));
    let near = End::new(wanted.channel, wanted.gates.enter(near_id));
    wanted.reply.accept().await;
    let over = tokio::select! {
        over = link::run(link, (None, bounds.clone()), near, far) => match over {
            LinkOver::Near | LinkOver::Garbled => Over::ClientClosed,
            LinkOver::Far => Over::TargetClosed,
            LinkOver::Over(over) => over,
        },
        over = bounds.idle() => over,
        stop = stop(&mut news) => Over::Stopped(stop),
    };
    drop((herald, registered));
    wanted.gates.leave(near_id);
    leave(site, target, &over, wanted.place).await;
    over
}

/// Closes the connection to a target. What the person sent before they closed may still wait in its `sshd`, which loses it
/// when the connection ends and does not say when it is gone: so that connection rests, with no channel open, for a while.
/// Until it is closed, it has its place among the person's connections, and is counted, so that there are never more of them.
pub(super) async fn leave(site: &Arc<Site>, target: Connection, over: &Over, place: Taken) {
    if matches!(over, Over::ClientClosed) {
        let (counted, mut phase) = (site.running.count(), site.phase.subscribe());
        tokio::spawn(async move {
            let closing = phase.wait_for(|phase| *phase == Phase::Over);
            let _ = timeout(limits::FORWARD_LINGER, closing).await;
            let _ = timeout(super::LAST_WORD, target.close()).await;
            drop((place, counted));
        });
    } else {
        let _ = timeout(super::LAST_WORD, target.close()).await;
        drop(place);
    }
}

/// Waits until something else than its two sides ends a forwarding. There is nowhere to say a word.
pub(super) async fn stop(news: &mut mpsc::UnboundedReceiver<News>) -> Stop {
    loop {
        match news.recv().await {
            Some(News::Stop(stop)) => return stop,
            // Whatever alerts are raised by is looked for in sessions that show something.
            Some(News::Say(_) | News::Alert { .. }) => {}
            None => std::future::pending().await,
        }
    }
}
