//! What reviewers and auditors look at, and what is announced to them.

use std::sync::Arc;
use std::time::Duration;

use config::words::RequestId;
use record::log::{LogError, LogView};
use record::review::Verdict;
use record::text::Remark;
use tokio::sync::{broadcast, watch};

use super::super::{Caller, DebtRow, Desk, OwedRow, Refused, SessionFilter, SessionRow};
use crate::alert::{self, Alert};
use crate::report::{self, Report, Scope};

/// How often whoever watches debts looks again.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

impl Desk {
    /// The canonical text that a reviewer signs now.
    pub fn review_text(
        &self,
        caller: &Caller,
        id: &RequestId,
        verdict: Verdict,
        remark: &Remark,
    ) -> Result<String, Refused> {
        let said = (verdict, remark.clone());
        let (config, state) = (self.hall.config(), self.hall.state());
        let review = self.hall.review_of(&state, &config, caller, id, said)?;
        Ok(review.text())
    }

    /// Somebody else reviews what was done with break-glass, with an armoured SSHSIG over [`Desk::review_text`].
    pub async fn review(
        &self,
        caller: &Caller,
        id: &RequestId,
        said: (Verdict, Remark),
        sshsig_pem: &str,
    ) -> Result<DebtRow, Refused> {
        let (caller, id, signature) = (caller.clone(), id.clone(), sshsig_pem.to_owned());
        self.run(move |writer| writer.review(&caller, &id, said, &signature))
            .await
    }

    /// The grants that wait for a review by the person, and the person's own that wait for others.
    pub fn owed(&self, caller: &Caller) -> Vec<OwedRow> {
        self.hall.owed(caller)
    }

    /// Changes whenever the log has grown.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.hall.durable()
    }

    /// Hears every alert from now on.
    pub(crate) fn alerts(&self) -> broadcast::Receiver<Arc<Alert>> {
        self.hall.alerts.listen()
    }

    /// Who asked, got, used and never used what, read from the issuance log; for auditors only.
    pub async fn report(&self, caller: &Caller, scope: Scope) -> Result<Report, Refused> {
        let config = self.hall.config();
        let person = config.persons.get(&caller.person);
        if person.is_none_or(|person| person.groups.is_disjoint(&config.auditors)) {
            let auditors = config.auditors.iter().cloned().collect();
            return Err(Refused::NotAuditor(auditors));
        }
        let (keys, now) = (self.hall.log_keys().public(), self.hall.now());
        // It is never closed.
        let _place = self.reports.acquire().await;
        let read = tokio::task::spawn_blocking(move || {
            let mut reader = report::Reader::new(scope);
            let dir = config.ca.data.join("log");
            LogView::read(&dir, &keys, |_, line| reader.take(line))?;
            Ok::<_, LogError>(reader.close(&config, now))
        });
        match read.await {
            Ok(Ok(report)) => Ok(report),
            Ok(Err(why)) => Err(Refused::Unavailable(format!("the log: {why}"))),
            Err(_) => Err(Refused::Unavailable("a defect stopped it".to_owned())),
        }
    }

    /// For as long as the CA serves: hands alerts to whoever is to be told, and announces what is overdue.
    pub async fn keep_watch(&self) {
        let hall = self.hall.clone();
        let dir = hall.config().ca.data.join("alerts");
        let Some(coming) = hall.alerts.take() else {
            return;
        };
        let spool = alert::run(dir, hall.clock.clone(), coming, || {
            hall.config().alert.clone()
        });
        tokio::join!(spool, self.announce());
    }

    async fn announce(&self) {
        loop {
            let (due, next) = self.hall.due();
            for id in due {
                if let Err(why) = self.run(move |writer| writer.announce(&id)).await {
                    tracing::error!(%why, "an overdue review is not announced");
                }
            }
            // Looked at again and again: new debts begin, and clocks are stepped.
            let pause = next
                .unwrap_or(LOOK_AGAIN)
                .clamp(Duration::from_secs(1), LOOK_AGAIN);
            tokio::time::sleep(pause).await;
        }
    }

    /// The sessions that concern the person, the newest first.
    pub fn sessions(&self, caller: &Caller, filter: &SessionFilter) -> Vec<SessionRow> {
        self.hall.sessions(caller, filter)
    }
}
