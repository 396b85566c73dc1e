//! The one writer: operations decide against a state that runs ahead of the disk; nobody is answered before it has
//! caught up.
//!
//! An operation is a method of [`Writer`] that returns [`Decided`]:
//!
//! ```text
//! pub(super) fn example(&mut self, caller: &Caller, id: &RequestId) -> Decided<Issued> {
//!     let config = self.hall.config();                     // one snapshot, and decide by it
//!     let case = self.case(&config, caller, id)?;          // reads self.state; a refusal is an answer too
//!     self.commit(Entry::…)?;                              // can follow? then it counts from here on,
//!                                                          // but is not durable
//!     let intent = self.issue(plan, Some(id), None)?;      // builds, lints, commits the intent
//!     Ok(Answer::after(move |press| {                      // runs when all of this is durable
//!         let signed = press.sign(intent)?;
//!         tracing::info!("…");                             // whatever leaves this process stands here
//!         Ok(Issued { … })
//!     }))
//! }
//! ```
//!
//! [`super::batch`] runs it. What an operation has committed before it refuses stands, as if the process had died
//! there: each entry has to be possible without the next one.

use std::sync::Arc;

use config::limits;
use config::words::{RequestId, SessionId};
use record::clock::UnixTime;
use record::digest::Digest;
use record::entry::{Entry, Line};
use record::log::{Encoded, LogKeys};

use super::Refused;
use super::alarms;
use super::hall::Hall;
use super::outside::InForce;
use super::strays::{self, Strays};
use crate::cert::{NONCE, Plan};
use crate::issue::{Intent, IssueError, Ledger, Signed};
use crate::journal::{Durable, Journal};
use crate::keys::Signers;
use crate::lint::lint;
use crate::state::{Fact, Gone, State, Taken};
use crate::store::StoreError;

/// What an operation has decided. A refusal, too, may rest on lines that are not durable yet, and waits for them.
pub(super) type Decided<T> = Result<Answer<T>, Refused>;

/// An answer that cannot be given yet: only the proof that its batch is durable opens it.
#[must_use]
pub(super) struct Answer<T>(Box<Make<T>>);

type Make<T> = dyn FnOnce(&Press<'_>) -> Result<T, Refused> + Send;

impl<T: 'static> Answer<T> {
    /// This value, once everything before it is durable.
    pub(super) fn of(value: T) -> Self
    where
        T: Send,
    {
        Self::after(|_| Ok(value))
    }

    /// What this makes, once everything before it is durable. It may sign, and may take its time: it runs on a thread
    /// of its own, and the desk does not wait for it.
    pub(super) fn after(
        make: impl FnOnce(&Press<'_>) -> Result<T, Refused> + Send + 'static,
    ) -> Self {
        Self(Box::new(make))
    }

    /// Opens it.
    pub(super) fn give(self, press: &Press<'_>) -> Result<T, Refused> {
        (self.0)(press)
    }
}

/// Signs what is durable.
pub(super) struct Press<'a> {
    pub(super) durable: &'a Durable,
    pub(super) hall: &'a Hall,
    pub(super) now: UnixTime,
}

impl Press<'_> {
    /// Signs an intent, if the log bears it out.
    pub(super) fn sign(&self, intent: Intent) -> Result<Signed, Refused> {
        let signers = self.hall.signers();
        let logged = intent.logged(self.durable);
        // What is durable by now, and nothing that whoever asks brings along.
        let warranted = logged.and_then(|logged| logged.warranted(&self.hall.state()));
        let signed = warranted.and_then(|warranted| warranted.sign(&signers, self.now));
        signed.map_err(|why| {
            tracing::error!(%why, "a certificate was not released");
            match why {
                IssueError::Wrong(_) => unavailable("a defect was found after signing"),
                IssueError::Unsigned(_) => unavailable("its signing key does not answer"),
                IssueError::Unwarranted(_) => unavailable("its log does not bear that out"),
            }
        })
    }
}

pub(super) struct Writer {
    pub(super) hall: Arc<Hall>,
    /// What follows from the log with the lines that are not durable yet: what operations decide by. Everybody else
    /// reads [`Hall::state`], which never runs ahead.
    pub(super) state: State,
    /// The policy whose law the log was told last.
    pub(super) told: Option<Digest>,
    journal: Box<dyn Journal>,
    /// The lines that are not durable yet.
    batch: Vec<(Taken, Encoded)>,
    /// How many lines the batch had when the operation began that is under way.
    began: usize,
    /// In force once the batch is durable; nothing else is decided before.
    next: Option<InForce>,
    /// What signs from then on, after a reload.
    signers: Option<Signers>,
    durable: Arc<Durable>,
    pub(super) strays: Strays,
    /// A write has failed, or an operation has panicked: memory and disk may differ until a restart.
    broken: bool,
}

impl Writer {
    pub(super) fn new(hall: Arc<Hall>, journal: Box<dyn Journal>) -> Self {
        let state = hall.state().clone();
        let durable = Durable::opened(journal.as_ref());
        Self {
            hall,
            state,
            told: None,
            signers: None,
            journal,
            batch: Vec::new(),
            began: 0,
            next: None,
            durable: Arc::new(durable),
            strays: Strays::default(),
            broken: false,
        }
    }

    /// Decides by this once the log says so.
    pub(super) fn put_in_force(&mut self, next: InForce) {
        self.next = Some(next);
    }

    /// Signs with these from then on.
    pub(super) fn sign_with(&mut self, signers: Signers) {
        self.signers = Some(signers);
    }

    /// Has these keys for the log from now on.
    pub(super) fn hold_log_keys(&mut self, keys: LogKeys) {
        self.journal.hold(keys.clone());
        self.hall.hold_log_keys(keys);
    }

    /// Builds and lints one certificate, and puts down the intent to sign it.
    pub(super) fn issue(
        &mut self,
        plan: Plan,
        request: Option<RequestId>,
        session: Option<SessionId>,
    ) -> Result<Intent, Refused> {
        let authority = plan.authority;
        let signers = self.hall.signers();
        let ca = signers.of(authority).map(|signer| signer.public().clone());
        let ca = ca.ok_or_else(|| unavailable("it has no such key"))?;
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|_| unavailable("the system gives no random bytes"))?;
        let unsigned = plan.build(&ca, &nonce);
        let unsigned = unsigned.map_err(|_| unavailable("the certificate cannot be written"))?;
        let linted = lint(unsigned, &ca).map_err(|why| {
            tracing::error!(%why, ?authority, "a certificate was not issued");
            unavailable("a defect was found before signing")
        })?;
        linted.intend(self, request, session)
    }

    /// Whether another operation fits into the batch.
    pub(super) fn has_room(&self) -> bool {
        let most = limits::LOG_BATCH_LINES - limits::LOG_OPERATION_LINES;
        self.next.is_none() && !self.broken && self.batch.len() <= most
    }

    /// Whether anything is taken at all.
    pub(super) const fn is_broken(&self) -> bool {
        self.broken
    }

    /// Nothing more is taken until a restart.
    pub(super) fn stop(&mut self) {
        self.broken = true;
    }

    /// Another operation begins.
    pub(super) fn begin(&mut self) {
        self.began = self.batch.len();
    }

    /// Makes the batch durable, with one sync; then lets everybody see it.
    pub(super) fn sync(&mut self) -> Result<Arc<Durable>, Refused> {
        if self.broken {
            return Err(stopped());
        }
        if self.batch.is_empty() {
            return Ok(self.durable.clone());
        }
        let (lines, encoded): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.batch).into_iter().unzip();
        // From here on memory and disk may differ until all of it is done.
        self.broken = true;
        // If we die within, the next start folds the log, and finds some of the lines or all: nobody was answered.
        let durable = Durable::append(self.journal.as_mut(), &encoded).map_err(|why| {
            tracing::error!(%why, "the issuance log failed: nothing is signed until a restart");
            unavailable("its issuance log failed")
        })?;
        // If we die here, the store is behind the log, and the next start mends it.
        let news = News::of(&lines);
        let ended = self.publish(lines, &durable)?;
        self.durable = Arc::new(durable);
        self.broken = false;
        if let Some(signers) = self.signers.take() {
            self.hall.set_signers(signers);
        }
        if let Some(next) = self.next.take() {
            self.hall.set_config(next);
            self.hall.tell_all();
        }
        news.tell(&self.hall, ended);
        self.hall.tell_keys();
        // Last, so that whoever looks again at each line of the log sees what is in force with it.
        self.hall.tell_durable(self.durable.position().size);
        Ok(self.durable.clone())
    }

    /// Applies durable lines to what everybody reads; what leaves it goes to the store. Says whether a grant ended early.
    fn publish(&self, lines: Vec<Taken>, durable: &Durable) -> Result<bool, Refused> {
        let (gone, ended) = self.take(lines)?;
        let rows = gone.iter().map(Gone::row).collect::<Result<_, _>>();
        let stored = rows
            .map_err(StoreError::Row)
            .and_then(|rows| self.hall.store.commit(durable.position(), rows));
        stored.map_err(|why| {
            tracing::error!(%why, "the state store failed: nothing is signed until a restart");
            unavailable("its state store failed")
        })?;
        self.hall.forget(&gone);
        Ok(ended)
    }

    fn take(&self, lines: Vec<Taken>) -> Result<(Vec<Gone>, bool), Refused> {
        let mut state = self.hall.state_mut();
        let before = state.ended.count();
        let mut gone = Vec::new();
        for line in lines {
            let left = state.catch_up(line);
            gone.extend(left.map_err(|_| unavailable("a defect was found after writing"))?);
        }
        Ok((gone, state.ended.count() > before))
    }
}

impl Ledger for Writer {
    type Error = Refused;

    fn commit(&mut self, entry: Entry) -> Result<u64, Refused> {
        if self.batch.len() - self.began >= limits::LOG_OPERATION_LINES {
            return Err(unavailable("one operation would write too much"));
        }
        let defect = |why: &dyn std::fmt::Display| {
            tracing::error!(%why, "an entry was not written");
            unavailable("a defect was found before writing")
        };
        let line = Line::new(self.hall.now(), entry);
        let encoded = Encoded::of(&line).map_err(|why| defect(&why))?;
        let fact = Fact::of(line).map_err(|why| defect(&why))?;
        let taken = self.state.lead(fact).map_err(|why| defect(&why))?;
        self.batch.push((taken, encoded));
        Ok(self.state.size)
    }
}

/// Whom a batch concerns.
struct News {
    requests: Vec<RequestId>,
    /// Somebody was shut out, or let in again: it may concern everybody.
    exclusions: bool,
    /// Certificates that should not exist, and what happened in sessions.
    strays: Vec<Entry>,
}

impl News {
    fn of(lines: &[Taken]) -> Self {
        let entries = lines.iter().map(Taken::entry);
        Self {
            requests: entries.clone().filter_map(request_of).collect(),
            exclusions: entries
                .clone()
                .any(|entry| matches!(entry, Entry::Exclusion { .. } | Entry::Restoration { .. })),
            strays: entries
                .filter(|entry| matches!(entry, Entry::Stray { .. } | Entry::SessionAlert { .. }))
                .cloned()
                .collect(),
        }
    }

    fn tell(&self, hall: &Hall, ended: bool) {
        if ended {
            hall.tell_ended();
        }
        if self.exclusions {
            hall.tell_exclusions();
            hall.tell_all();
        }
        for id in &self.requests {
            hall.tell(id);
        }
        for entry in &self.strays {
            strays::tell(hall, entry);
            alarms::tell(hall, entry);
        }
    }
}

pub(super) fn unavailable(why: &str) -> Refused {
    Refused::Unavailable(why.to_owned())
}

pub(super) fn stopped() -> Refused {
    unavailable("an earlier write failed; mend the disk, then restart")
}

/// The request whose standing an entry may change.
fn request_of(entry: &Entry) -> Option<RequestId> {
    match entry {
        Entry::Approval { request, .. }
        | Entry::Denial { request, .. }
        | Entry::Verdict { request, .. }
        | Entry::Withdrawal { request }
        | Entry::Grant { request, .. }
        | Entry::Return { request }
        | Entry::Revocation { request, .. }
        | Entry::Proof { request, .. } => Some(request.clone()),
        _ => None,
    }
}
