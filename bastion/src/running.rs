//! The sessions that run, by the grant they run under.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use config::words::{RequestId, SessionId};
use tokio::sync::watch;

use crate::relay::Stop;
use crate::tally::{Counted, Tally};
use crate::watch::Stage;

/// The sessions that run.
#[derive(Debug)]
pub(crate) struct Running {
    grants: Mutex<Grants>,
    tally: Arc<Tally>,
}

#[derive(Debug, Default)]
struct Grants {
    sessions: HashMap<SessionId, Live>,
    /// Grants that ended early. A session that the CA let begin just before it ended finds it here.
    ended: HashSet<RequestId>,
}

#[derive(Debug)]
struct Live {
    request: RequestId,
    ended: watch::Sender<Option<Stop>>,
    /// What it shows; nothing, if it is no session but somebody who reads.
    stage: Option<Arc<Stage>>,
}

impl Running {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            grants: Mutex::default(),
            tally: Tally::new(),
        })
    }

    /// A session begins under a grant. What is returned says when the grant ends early.
    pub(crate) fn begin(self: &Arc<Self>, session: &SessionId, request: &RequestId) -> Registered {
        let mut grants = self.grants();
        let ended = grants.ended.contains(request).then_some(Stop::GrantEnded);
        let (sender, receiver) = watch::channel(ended);
        let live = Live {
            request: request.clone(),
            ended: sender,
            stage: None,
        };
        grants.sessions.insert(session.clone(), live);
        Registered {
            running: Arc::clone(self),
            session: session.clone(),
            grant: Grant(receiver),
        }
    }

    /// A grant ended early: its sessions end now, and none begins under it.
    pub(crate) fn end(&self, request: &RequestId) {
        let mut grants = self.grants();
        grants.ended.insert(request.clone());
        let live = grants.sessions.values();
        for live in live.filter(|live| live.request == *request) {
            end_for(&live.ended, Stop::GrantEnded);
        }
    }

    /// The bastion is shut out: every session ends now. The CA lets none begin.
    pub(crate) fn end_all(&self) {
        for live in self.grants().sessions.values() {
            end_for(&live.ended, Stop::GrantEnded);
        }
    }

    /// Ends one session, for this reason; says whether it runs here.
    pub(crate) fn kill(&self, session: &SessionId, stop: Stop) -> bool {
        let grants = self.grants();
        let found = grants.sessions.get(session);
        let found = found.filter(|live| live.stage.is_some());
        found.is_some_and(|live| {
            end_for(&live.ended, stop);
            true
        })
    }

    /// Whether this session runs here.
    pub(crate) fn runs(&self, session: &SessionId) -> bool {
        self.stage(session).is_some()
    }

    /// What this session shows, if it runs here.
    pub(crate) fn stage(&self, session: &SessionId) -> Option<Arc<Stage>> {
        self.grants().sessions.get(session)?.stage.clone()
    }

    /// Counts something that has to be over before the bastion may stop.
    pub(crate) fn count(&self) -> Counted {
        self.tally.count()
    }

    /// Waits until nothing runs, at most so long; says whether nothing does.
    pub(crate) async fn idle(&self, most: Duration) -> bool {
        self.tally.none(most).await
    }

    fn grants(&self) -> MutexGuard<'_, Grants> {
        self.grants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session that runs, until this is dropped.
#[derive(Debug)]
pub(crate) struct Registered {
    running: Arc<Running>,
    session: SessionId,
    grant: Grant,
}

impl Registered {
    /// It is a session, and this is what it shows.
    pub(crate) fn show(&self, stage: &Arc<Stage>) {
        if let Some(live) = self.running.grants().sessions.get_mut(&self.session) {
            live.stage = Some(Arc::clone(stage));
        }
    }

    /// The grant that it runs under.
    pub(crate) fn watch(&self) -> Grant {
        self.grant.clone()
    }
}

/// Says when a grant ends early.
#[derive(Debug, Clone)]
pub(crate) struct Grant(watch::Receiver<Option<Stop>>);

impl Grant {
    /// Returns when the grant has ended early, or somebody has ended the session.
    pub(crate) async fn ended(&mut self) -> Stop {
        let stop = match self.0.wait_for(Option::is_some).await {
            Ok(stop) => stop.clone(),
            Err(_) => None,
        };
        match stop {
            Some(stop) => stop,
            None => std::future::pending().await,
        }
    }
}

/// The first reason stands.
fn end_for(ended: &watch::Sender<Option<Stop>>, stop: Stop) {
    ended.send_if_modified(|before| {
        let first = before.is_none();
        if first {
            *before = Some(stop);
        }
        first
    });
}

impl Drop for Registered {
    fn drop(&mut self) {
        let live = self.running.grants().sessions.remove(&self.session);
        if let Some(stage) = live.and_then(|live| live.stage) {
            stage.over("closed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_grant_that_ended_ends_its_sessions_whenever_they_began() {
        let running = Running::new();
        let (request, other): (RequestId, RequestId) =
            ("7F3K-9QMD".parse().unwrap(), "7F3K-9QME".parse().unwrap());
        let before = running.begin(&SessionId::from_parts(1, [0; 10]), &request);
        let spared = running.begin(&SessionId::from_parts(2, [0; 10]), &other);
        spared.show(&Stage::new("alice".parse().unwrap(), None));
        running.end(&request);
        let after = running.begin(&SessionId::from_parts(3, [0; 10]), &request);
        assert_eq!(before.watch().ended().await, Stop::GrantEnded);
        assert_eq!(after.watch().ended().await, Stop::GrantEnded);
        let waited = tokio::time::timeout(Duration::from_millis(10), spared.watch().ended()).await;
        assert!(waited.is_err(), "another grant's session goes on");

        let killed = Stop::Killed {
            by: "bob".to_owned(),
            reason: "stuck".to_owned(),
        };
        assert!(running.kill(&SessionId::from_parts(2, [0; 10]), killed.clone()));
        running.end(&other);
        assert_eq!(
            spared.watch().ended().await,
            killed,
            "the first reason stands"
        );
        assert!(
            !running.kill(&SessionId::from_parts(9, [0; 10]), killed),
            "there is none"
        );
    }
}
