//! The sessions that run, by the grant they run under.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use config::words::{RequestId, SessionId};
use tokio::sync::watch;

/// The sessions that run.
#[derive(Debug)]
pub(crate) struct Running {
    grants: Mutex<Grants>,
    count: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Grants {
    sessions: HashMap<SessionId, (RequestId, watch::Sender<bool>)>,
    /// Grants that ended early. A session that the CA let begin just before it ended finds it here.
    ended: HashSet<RequestId>,
}

impl Running {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            grants: Mutex::default(),
            count: watch::Sender::new(0),
        })
    }

    /// A session begins under a grant. What is returned says when the grant ends early.
    pub(crate) fn begin(self: &Arc<Self>, session: &SessionId, request: &RequestId) -> Registered {
        let mut grants = self.grants();
        let ended = grants.ended.contains(request);
        let (sender, receiver) = watch::channel(ended);
        grants
            .sessions
            .insert(session.clone(), (request.clone(), sender));
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
        for (_, ended) in grants
            .sessions
            .values()
            .filter(|(grant, _)| grant == request)
        {
            ended.send_replace(true);
        }
    }

    /// The bastion is shut out: every session ends now. The CA lets none begin.
    pub(crate) fn end_all(&self) {
        for (_, ended) in self.grants().sessions.values() {
            ended.send_replace(true);
        }
    }

    /// Counts something that has to be over before the bastion may stop.
    pub(crate) fn count(self: &Arc<Self>) -> Counted {
        self.count.send_modify(|count| *count += 1);
        Counted(Arc::clone(self))
    }

    /// Waits until nothing runs, at most so long; says whether nothing does.
    pub(crate) async fn idle(&self, most: Duration) -> bool {
        let mut count = self.count.subscribe();
        tokio::time::timeout(most, count.wait_for(|count| *count == 0))
            .await
            .is_ok()
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
    /// The grant that it runs under.
    pub(crate) fn watch(&self) -> Grant {
        self.grant.clone()
    }
}

/// Says when a grant ends early.
#[derive(Debug, Clone)]
pub(crate) struct Grant(watch::Receiver<bool>);

impl Grant {
    /// Returns when the grant has ended early.
    pub(crate) async fn ended(&mut self) {
        if self.0.wait_for(|ended| *ended).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.running.grants().sessions.remove(&self.session);
    }
}

/// Something that runs, until this is dropped.
#[derive(Debug)]
pub(crate) struct Counted(Arc<Running>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0
            .count
            .send_modify(|count| *count = count.saturating_sub(1));
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
        running.end(&request);
        let after = running.begin(&SessionId::from_parts(3, [0; 10]), &request);
        before.watch().ended().await;
        after.watch().ended().await;
        let waited = tokio::time::timeout(Duration::from_millis(10), spared.watch().ended()).await;
        assert!(waited.is_err(), "another grant's session goes on");
    }
}
