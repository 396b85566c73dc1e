//! A session that is a place where the target listens, and the connections out of it: `ssh -R`.

use std::sync::Arc;

use config::limits;
use record::recording::{EndReason, Forwards};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::begin::{self, Bare, Failed, Prepared, Way};
use super::direct::{leave, refuse, stop};
use super::ending::{farewell, seal};
use super::fault::Fault;
use crate::destination::Listening;
use crate::links::{Links, Near, Serving};
use crate::places::Taken;
use crate::prelude::{Runs, Start};
use crate::relay::Over;
use crate::route::Route;
use crate::site::Site;

/// Where the target shall listen, for whom, and until when.
pub(crate) struct Wanted {
    pub(crate) near: Near,
    pub(crate) at: Listening,
    pub(crate) place: Taken,
    /// Ready, or closed, when it shall listen no more.
    pub(crate) enough: oneshot::Receiver<()>,
}

/// What the person's client is answered: where the target listens, or why it does not.
type Answer = oneshot::Sender<Result<Listening, String>>;

/// Has the target listen. The answer is ready when it does, or will not.
pub(crate) fn begin(
    site: Arc<Site>,
    route: Arc<Route>,
    client: String,
    wanted: Wanted,
) -> oneshot::Receiver<Result<Listening, String>> {
    let (answer, answered) = oneshot::channel();
    let attending = async move {
        let counted = site.running.count();
        attend(&site, &route, client, wanted, answer).await;
        drop(counted);
    };
    tokio::spawn(Box::pin(attending));
    answered
}

async fn attend(site: &Arc<Site>, route: &Route, client: String, wanted: Wanted, answer: Answer) {
    let start = Start::bare(Runs::Listen(wanted.at.clone()), client);
    match begin::prepare(site, route, start).await {
        Ok(Prepared { recorder, way }) => {
            let forwards = recorder.forwards();
            let reason = go(site, route, way, forwards, wanted, answer).await;
            // A failure is logged.
            let _ = seal(site, recorder, reason).await;
        }
        Err(failed) => {
            let Failed { fault, recorder } = *failed;
            refuse(site, route, &fault, recorder).await;
            let _ = answer.send(Err(fault.to_string()));
        }
    }
}

/// Carries what comes; says why it ended.
async fn go(
    site: &Arc<Site>,
    route: &Route,
    way: Way,
    forwards: Forwards,
    wanted: Wanted,
    mut answer: Answer,
) -> EndReason {
    let (name, until) = (way.name.clone(), way.until.clone());
    let stopped = way.stopped(site);
    let reaching = async {
        let bare = way.connect(site, route).await?;
        let at = timeout(limits::FORWARD_TARGET, bare.target.listen(&wanted.at)).await;
        let at = at.map_err(|_| Fault::Silent(name.clone()))?;
        let at = at.map_err(Fault::Refused)?;
        forwards.listening(&at.place())?.into_inner();
        Ok::<_, Fault>((bare, at))
    };
    let reached = tokio::select! {
        reached = Box::pin(reaching) => reached,
        // Nobody waits for the answer any more: the person's connection is closed, or took too long.
        () = answer.closed() => return EndReason::ClientClosed,
        stop = stopped => {
            let _ = answer.send(Err("the session has to end".to_owned()));
            return farewell(Over::Stopped(stop), &name, &until).0;
        }
    };
    match reached {
        Ok((bare, at)) => {
            let _ = answer.send(Ok(at.clone()));
            let over = carry(site, bare, forwards, wanted, at).await;
            farewell(over, &name, &until).0
        }
        Err(fault) => {
            tracing::info!(access = %route.access(), source = %route.source(), "nothing is forwarded: {fault}");
            let _ = answer.send(Err(fault.to_string()));
            fault.reason()
        }
    }
}

async fn carry(
    site: &Arc<Site>,
    bare: Bare,
    forwards: Forwards,
    wanted: Wanted,
    at: Listening,
) -> Over {
    let Bare {
        mut target,
        bounds,
        mut news,
        herald,
        registered,
    } = bare;
    let Some(arrivals) = target.arrivals() else {
        return Over::TargetClosed;
    };
    let (closing, closes) = oneshot::channel();
    let mut closing = Some(closing);
    let mut serving = Serving::begin(
        Links {
            near: wanted.near,
            far: target.gates(),
            forwards,
            bounds: bounds.clone(),
            listening: Some(at.clone()),
            arrivals,
        },
        closes,
    );
    let mut enough = wanted.enough;
    let over = loop {
        tokio::select! {
            done = serving.done() => break match done {
                Ok(()) if closing.is_none() => Over::ClientClosed,
                Ok(()) => Over::TargetClosed,
                Err(over) => over,
            },
            over = bounds.idle() => break over,
            stop = stop(&mut news) => break Over::Stopped(stop),
            _ = &mut enough, if closing.is_some() => {
                // What has been opened goes on.
                let _ = tokio::time::timeout(super::LAST_WORD, target.unlisten(&at)).await;
                closing = None;
            }
        }
    };
    serving.end().await;
    drop((herald, registered));
    leave(site, target, &over, wanted.place).await;
    over
}
