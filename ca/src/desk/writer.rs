//! The one writer: from a decided entry to a durable one, and from a plan to a certificate.

use std::collections::HashMap;
use std::sync::Arc;

use config::Config;
use config::words::{RequestId, SessionId};
use record::digest::Digest;
use record::entry::{Entry, Line};
use record::log::{Log, LogError, Position};

use super::Refused;
use super::hall::Hall;
use crate::cert::{NONCE, Plan};
use crate::issue::{IssueError, Ledger, Logged, Signed};
use crate::keys::Signers;
use crate::lint::lint;
use crate::store::{Store, StoreError};

/// Where lines become durable.
///
/// `append` returns `Ok` only when the line survives a power loss, and gives the position behind it. After an error it
/// is unknown whether the line is there, and the caller appends nothing more.
pub(super) trait Journal: Send {
    fn append(&mut self, line: &Line) -> Result<Position, LogError>;
}

impl Journal for Log {
    fn append(&mut self, line: &Line) -> Result<Position, LogError> {
        Self::append(self, line)
    }
}

pub(super) struct Writer {
    pub(super) hall: Arc<Hall>,
    journal: Box<dyn Journal>,
    store: Box<dyn Store>,
    pub(super) signers: Signers,
    /// Access certificates that were released since the start. Losing them loses nothing: the same bytes are
    /// signed again.
    pub(super) released: HashMap<RequestId, String>,
    /// A write has failed: what is on the disk is unknown until a restart has read it.
    broken: bool,
    /// An operation is under way, or one has panicked.
    inside: bool,
}

impl Writer {
    pub(super) fn new(
        hall: Arc<Hall>,
        journal: Box<dyn Journal>,
        store: Box<dyn Store>,
        signers: Signers,
    ) -> Self {
        Self {
            hall,
            journal,
            store,
            signers,
            released: HashMap::new(),
            broken: false,
            inside: false,
        }
    }

    /// Runs one operation. If it panics, nothing more is written: memory and log may differ.
    pub(super) fn whole<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        if self.broken || self.inside {
            return Err(unavailable(
                "an earlier write failed; mend the disk, then restart",
            ));
        }
        self.inside = true;
        let done = work(self);
        self.inside = false;
        done
    }

    pub(super) fn reload(&mut self, config: Arc<Config>) -> Result<(), Refused> {
        let policy = Digest::of(config.text.as_bytes());
        self.commit(Entry::Start { policy })?;
        self.hall.set_config(config);
        self.hall.tell_all();
        Ok(())
    }

    /// Builds, lints, logs and signs one certificate.
    pub(super) fn issue(
        &mut self,
        plan: Plan,
        request: Option<RequestId>,
        session: Option<SessionId>,
    ) -> Result<Signed, Refused> {
        let authority = plan.authority;
        let ca = self.signers.of(authority).public().clone();
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|_| unavailable("the system gives no random bytes"))?;
        let unsigned = plan.build(&ca, &nonce);
        let unsigned = unsigned.map_err(|_| unavailable("the certificate cannot be written"))?;
        let linted = lint(unsigned, &ca).map_err(|why| {
            tracing::error!(%why, ?authority, "a certificate was not issued");
            unavailable("a defect was found before signing")
        })?;
        let logged = linted.log(self, request, session)?;
        self.sign(logged)
    }

    /// Signs what stands in the log.
    pub(super) fn sign(&mut self, logged: Logged) -> Result<Signed, Refused> {
        let now = self.hall.now();
        let signer = self.signers.of(logged.authority());
        logged.sign(signer, now).map_err(|why| {
            tracing::error!(%why, "a certificate was not released");
            match why {
                IssueError::Wrong(_) => unavailable("a defect was found after signing"),
                IssueError::Unsigned(_) => unavailable("its signing key does not answer"),
            }
        })
    }

    fn write(&mut self, entry: Entry) -> Result<(), Refused> {
        let possible = self.hall.state().check(&entry);
        possible.map_err(|why| {
            tracing::error!(%why, "an entry was not written");
            unavailable("a defect was found before writing")
        })?;
        let touched = request_of(&entry);
        let line = Line::new(self.hall.now(), entry);
        // From here on memory and disk may differ until all three are done.
        self.broken = true;
        let position = self.journal.append(&line).map_err(|why| {
            tracing::error!(%why, "the issuance log failed: nothing is signed until a restart");
            unavailable("its issuance log failed")
        })?;
        let (changed, ended) = self.take(line)?;
        let rows = changed.map_err(StoreError::Row);
        let stored = rows.and_then(|rows| self.store.commit(position, rows));
        stored.map_err(|why| {
            tracing::error!(%why, "the state store failed: nothing is signed until a restart");
            unavailable("its state store failed")
        })?;
        self.broken = false;
        if ended {
            self.hall.tell_ended();
        }
        if let Some(id) = touched {
            self.hall.tell(&id);
        }
        Ok(())
    }

    fn take(
        &self,
        line: Line,
    ) -> Result<(Result<crate::state::Rows, serde_json::Error>, bool), Refused> {
        let mut state = self.hall.state_mut();
        let ended = state.ended.len();
        let keys = state
            .apply(line)
            .map_err(|_| unavailable("a defect was found after writing"))?;
        Ok((state.rows_of(&keys), state.ended.len() > ended))
    }
}

impl Ledger for Writer {
    type Error = Refused;

    /// If we die within, the next start folds the log, and finds the entry or not: nobody was answered.
    fn commit(&mut self, entry: Entry) -> Result<(), Refused> {
        if self.broken {
            return Err(unavailable(
                "an earlier write failed; mend the disk, then restart",
            ));
        }
        self.write(entry)
    }
}

pub(super) fn unavailable(why: &str) -> Refused {
    Refused::Unavailable(why.to_owned())
}

/// The request whose standing an entry may change.
fn request_of(entry: &Entry) -> Option<RequestId> {
    match entry {
        Entry::Approval { request, .. }
        | Entry::Denial { request, .. }
        | Entry::Withdrawal { request }
        | Entry::Grant { request, .. }
        | Entry::Return { request }
        | Entry::Revocation { request, .. } => Some(request.clone()),
        _ => None,
    }
}
