//! The desk: one writer, on a thread of its own. Operations decide one after the other, become durable together, and
//! only then is a certificate signed or anybody answered.
//!
//! * [`rows`]: what is asked and answered; [`refused`]: every no.
//! * [`hall`]: what everybody may look at: configuration, state, deadlines; [`facts`]: what of it a decision rests on.
//! * [`start`]: from the log to a state, and the store held against it; [`archive`]: what is over, from the store.
//! * [`writer`]: the one writer, and how an operation is written; [`batch`]: many operations, one sync.
//! * [`outside`]: what programs, calendars and checks say.
//! * [`people`], [`bastions`]: the operations; [`looks`]: the questions that change nothing; [`revoked`]: what targets
//!   are to refuse.

mod archive;
mod bastions;
mod batch;
mod exclusions;
mod facts;
mod glass;
mod hall;
mod looks;
mod may;
pub(crate) mod outside;
mod people;
mod refused;
mod revoked;
mod rows;
mod rules;
mod start;
mod strays;
mod targets;
mod writer;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use config::Config;
use config::keys::KeyName;
use config::limits;
use config::words::{BastionName, RequestId, TargetName};
use record::api;
use record::clock::Clock;
use record::entry::Whom;
use record::krl;
use record::log::{LogError, LogView};
use record::review::Verdict;
use record::sshsig;
use record::text::{Reason, Remark};
use record::token::JoinToken;
use ssh_key::{PrivateKey, PublicKey};
use tokio::sync::{Semaphore, broadcast, watch};

use crate::alert::{self, Alert};
use crate::keys::{Keys, KeysError};
use crate::publish::Published;
use crate::report::{self, Report, Scope};

pub use crate::publish::Unasked;
pub use crate::state::Impossible;
pub use crate::store::StoreError;

pub use start::rebuild;
pub use targets::Machine;

pub use refused::{Refused, Status};
pub use rows::{
    ApprovalRow, Ask, Asked, Caller, CertificateRow, CheckRow, DebtRow, EndRow, Issued, Need,
    OwedRow, PendingRow, ReviewRow, RoleRow, SessionFilter, SessionRow, Shown, Standing,
};

use batch::Queue;
use exclusions::is_out;
use hall::Hall;
use start::{Opened, apart};
use writer::{Decided, Writer};

/// How long [`Desk::ended`] waits for news: shorter than any proxy's patience.
const LONG_POLL: Duration = Duration::from_secs(25);

/// How often whoever watches debts looks again.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Why the desk cannot open. Nothing is served then.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// A key is missing, too open, or not what it should be.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The issuance log is held by another process, damaged, or not all there.
    #[error("the issuance log: {0}")]
    Log(#[from] LogError),
    /// A line of the log does not follow from those before it.
    #[error("the issuance log, line {line}: {why}: restore the log, or keep it as evidence")]
    Line {
        /// The line, counted from one.
        line: usize,
        /// What is wrong.
        why: Impossible,
    },
    /// The store knows lines that the log does not have.
    #[error(
        "the issuance log has {log} lines, and the state store has seen {store}: lines were removed; restore the log, or keep both as evidence"
    )]
    Behind {
        /// Lines in the log.
        log: u64,
        /// Lines that the store has seen.
        store: u64,
    },
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The desk cannot write.
    #[error("{0}")]
    Unavailable(Refused),
    /// A witness of the configuration cannot be asked.
    #[error(transparent)]
    Witness(#[from] Unasked),
    /// The system gives the desk no thread.
    #[error("the desk's thread: {0}")]
    Thread(std::io::Error),
}

/// The one place where requests are decided and certificates made.
pub struct Desk {
    hall: Arc<Hall>,
    queue: Queue,
    identity: PrivateKey,
    /// How far the log's witnesses are.
    published: Published,
    /// Each report reads the whole log: so many at once, and whoever else asks waits.
    reports: Semaphore,
}

impl Desk {
    /// Loads the keys, checks and locks the log, compares or rebuilds the store.
    pub fn open(config: Arc<Config>, clock: Arc<dyn Clock>) -> Result<Arc<Self>, DeskError> {
        Self::serve(Opened::open(config, clock)?)
    }

    /// Starts the writer.
    fn serve(opened: Opened) -> Result<Arc<Self>, DeskError> {
        let hall = &opened.writer.hall;
        let (ca, keys) = (&hall.config().ca, hall.log_keys().public());
        let (published, job) = Published::begin(ca, &keys, hall.durable())?;
        if let Some(job) = job {
            let runtime = tokio::runtime::Handle::try_current();
            let runtime = runtime.map_err(|e| DeskError::Thread(std::io::Error::other(e)))?;
            runtime.spawn(job);
        }
        Ok(Arc::new(Self {
            published,
            reports: Semaphore::new(limits::REPORTS_AT_ONCE),
            hall: opened.writer.hall.clone(),
            queue: Queue::start(opened.writer).map_err(DeskError::Thread)?,
            identity: opened.identity,
        }))
    }

    /// Puts another configuration in force, at once and whole; if it is refused, the one before stays.
    pub async fn reload(&self, config: Config) -> Result<(), DeskError> {
        let hall = self.hall.clone();
        // Files, an agent, a token: not on a thread that serves others.
        let opening = move || {
            let keys = Keys::again(&config, &hall.signers(), Some(&hall.log_keys()))?;
            let steps = rules::steps(&hall.state().ring, &keys)?;
            apart(&hall.state().ring, &steps, &config)?;
            Ok::<_, DeskError>((config, keys))
        };
        let opened = tokio::task::spawn_blocking(opening).await;
        let (config, keys) = opened.map_err(|_| DeskError::Keys(KeysError::Unmade))??;
        let work = move |writer: &mut Writer| writer.reload(Arc::new(config), keys);
        self.run(work).await.map_err(DeskError::Unavailable)
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        self.hall.config()
    }

    /// The CA's own SSH host key.
    pub const fn identity(&self) -> &PrivateKey {
        &self.identity
    }

    /// The door CA's keys that people have to believe, the current one first.
    pub fn door_cas(&self) -> Vec<PublicKey> {
        self.hall.believed(KeyName::Door)
    }

    /// The person who has this key, if anybody has who is not shut out.
    pub fn caller(&self, key: &PublicKey, source: IpAddr) -> Option<Caller> {
        if key.key_data().is_certificate() {
            return None;
        }
        let config = self.hall.config();
        let (person, _) = config.person_of(key)?;
        if is_out(&self.hall.state(), &Whom::Person(person.clone()), key) {
            return None;
        }
        Some(Caller {
            person: person.clone(),
            key: PublicKey::from(key.key_data().clone()),
            source,
        })
    }

    /// A person asks for access.
    pub async fn request(&self, caller: &Caller, ask: Ask) -> Result<Asked, Refused> {
        let caller = caller.clone();
        self.run(move |writer| writer.request(&caller, &ask)).await
    }

    /// A person asks for access; if it is granted at once, here is the certificate too: the log is synced once for both.
    pub async fn obtain(
        &self,
        caller: &Caller,
        ask: Ask,
    ) -> Result<(Asked, Option<Issued>), Refused> {
        let (caller, glass) = (caller.clone(), ask.break_glass);
        let (asked, issued) = self.run(move |writer| writer.obtain(&caller, &ask)).await?;
        if issued.is_some() && !glass {
            self.covered(&asked.id).await?;
        }
        Ok((asked, issued))
    }

    /// Returns when as many witnesses as are needed have cosigned everything that stands in the log now. Break-glass
    /// does not come here: it has to work with everything else down, and its entry is cosigned with the next batch.
    async fn covered(&self, id: &RequestId) -> Result<(), Refused> {
        let size = *self.hall.durable().borrow();
        let covered = self.published.covers(size).await;
        covered.map_err(|_| Refused::Unwitnessed(id.clone()))
    }

    /// Whether a certificate that is asked for now would have to wait for the log's witnesses.
    pub fn waits_for_witnesses(&self) -> bool {
        let size = *self.hall.durable().borrow();
        !self.published.is_covered(size)
    }

    /// A person approves, with an armoured SSHSIG over the request's canonical text.
    pub async fn approve(
        &self,
        caller: &Caller,
        id: &RequestId,
        sshsig_pem: &str,
    ) -> Result<Standing, Refused> {
        let (caller, id, signature) = (caller.clone(), id.clone(), sshsig_pem.to_owned());
        self.run(move |writer| writer.approve(&caller, &id, &signature))
            .await
    }

    /// An approver says no. One no outweighs every yes.
    pub async fn deny(
        &self,
        caller: &Caller,
        id: &RequestId,
        reason: Reason,
    ) -> Result<(), Refused> {
        let (caller, id) = (caller.clone(), id.clone());
        self.run(move |writer| writer.deny(&caller, &id, reason))
            .await
    }

    /// The person takes the request back while it waits.
    pub async fn withdraw(&self, caller: &Caller, id: &RequestId) -> Result<(), Refused> {
        let (caller, id) = (caller.clone(), id.clone());
        self.run(move |writer| writer.withdraw(&caller, &id)).await
    }

    /// The person gives the grant back early.
    pub async fn give_back(&self, caller: &Caller, id: &RequestId) -> Result<(), Refused> {
        let (caller, id) = (caller.clone(), id.clone());
        self.run(move |writer| writer.give_back(&caller, &id)).await
    }

    /// Somebody who may approve a role, or, where nobody has to, holds it too, ends another person's grant of it.
    pub async fn revoke(
        &self,
        caller: &Caller,
        id: &RequestId,
        reason: Reason,
    ) -> Result<(), Refused> {
        let (caller, id) = (caller.clone(), id.clone());
        self.run(move |writer| writer.revoke(&caller, &id, reason))
            .await
    }

    /// The access certificate of a granted request; the same one each time.
    pub async fn collect(&self, caller: &Caller, id: &RequestId) -> Result<Issued, Refused> {
        let (caller, wanted) = (caller.clone(), id.clone());
        let issued = self
            .run(move |writer| writer.collect(&caller, &wanted))
            .await?;
        if !self.hall.is_glass(id) {
            self.covered(id).await?;
        }
        Ok(issued)
    }

    /// The request's canonical text: what an approver signs.
    pub fn text(&self, caller: &Caller, id: &RequestId) -> Result<String, Refused> {
        self.hall.text(caller, id)
    }

    /// Where the request stands, and each change of it. Time alone changes nothing here: whoever waits past
    /// `expires` or `until` asks [`Desk::standing`].
    pub fn watch(&self, id: &RequestId) -> Option<watch::Receiver<Standing>> {
        self.hall.watch(id)
    }

    /// Where the request stands now.
    pub fn standing(&self, id: &RequestId) -> Option<Standing> {
        self.hall.standing(id)
    }

    /// One request with everything that happened to it.
    pub fn show(&self, caller: &Caller, id: &RequestId) -> Result<Shown, Refused> {
        self.hall.show(caller, id)
    }

    /// The roles that the person may ask for.
    pub fn roles(&self, caller: &Caller) -> Vec<RoleRow> {
        self.hall.roles(caller)
    }

    /// The requests that wait for the person, and the person's own that wait for others; the oldest first.
    pub fn pending(&self, caller: &Caller) -> Vec<PendingRow> {
        self.hall.pending(caller)
    }

    /// The person proves, with an armoured SSHSIG by a token that asked for its PIN, that it is they who break the glass.
    pub async fn prove(
        &self,
        caller: &Caller,
        id: &RequestId,
        sshsig_pem: &str,
    ) -> Result<Standing, Refused> {
        let (caller, id, signature) = (caller.clone(), id.clone(), sshsig_pem.to_owned());
        self.run(move |writer| writer.prove(&caller, &id, &signature))
            .await
    }

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

    /// The OpenSSH revocation list for targets: session certificates that have not expired, of grants that were
    /// given back or revoked. Its number is the log's size; at one size it is the same bytes each time.
    pub fn krl(&self) -> Result<Vec<u8>, Refused> {
        self.hall
            .krl()
            .map_err(|why| Refused::Unavailable(format!("the revocation list: {why}")))
    }

    /// The OpenSSH revocation list for people's own `ssh` (`RevokedHostKeys`): hosts that are shut out.
    pub fn host_krl(&self) -> Result<Vec<u8>, Refused> {
        self.hall
            .host_krl()
            .map_err(|why| Refused::Unavailable(format!("the revocation list: {why}")))
    }

    /// An armoured SSHSIG over the very bytes of [`Desk::krl`], by the log's key, in [`krl::NAMESPACE`].
    pub fn krl_signature(&self) -> Result<String, Refused> {
        sshsig::sign(&self.hall.log_key()?, krl::NAMESPACE, &self.krl()?)
            .map_err(|why| Refused::Unavailable(format!("the revocation list: {why}")))
    }

    /// What a bastion trusts.
    pub fn trust(&self) -> api::Trust {
        self.hall.trust()
    }

    /// A bastion asks for a door certificate.
    pub async fn door(
        &self,
        bastion: &BastionName,
        ask: api::DoorAsk,
    ) -> Result<api::DoorGiven, Refused> {
        let bastion = bastion.clone();
        self.run(move |writer| writer.door(&bastion, &ask)).await
    }

    /// A bastion asks to begin a session.
    pub async fn open_session(
        &self,
        bastion: &BastionName,
        ask: api::SessionAsk,
    ) -> Result<api::SessionGiven, Refused> {
        let bastion = bastion.clone();
        self.run(move |writer| writer.open_session(&bastion, &ask))
            .await
    }

    /// A bastion says that a session is over.
    pub async fn end_session(
        &self,
        bastion: &BastionName,
        end: api::SessionEnd,
    ) -> Result<api::Done, Refused> {
        let bastion = bastion.clone();
        self.run(move |writer| writer.end_session(&bastion, end))
            .await
    }

    /// The grants that ended early after `after`; waits up to 25 s for one, or for other keys than `keys`.
    pub async fn ended(&self, after: u64, keys: u64) -> api::Ended {
        let (mut count, mut steps) = (self.hall.ended_count(), self.hall.key_steps());
        tokio::select! {
            _ = count.wait_for(|count| *count > after) => {}
            _ = steps.wait_for(|steps| *steps != keys) => {}
            // Silence is an answer too: the bastion asks again.
            () = tokio::time::sleep(LONG_POLL) => {}
        }
        self.hall.ended_after(after)
    }

    /// The same for one bastion. One that is shut out hears that, at once, and nothing else.
    pub async fn news(
        &self,
        bastion: &BastionName,
        key: &PublicKey,
        after: u64,
        keys: u64,
    ) -> api::Ended {
        let out = || is_out(&self.hall.state(), &Whom::Bastion(bastion.clone()), key);
        let mut exclusions = self.hall.exclusions();
        let shut_out = async { while !out() && exclusions.changed().await.is_ok() {} };
        tokio::select! {
            news = self.ended(after, keys) => if !out() { return news },
            () = shut_out => {}
        }
        api::Ended {
            next: after,
            keys,
            requests: Vec::new(),
            shut_out: true,
        }
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Writer) -> Decided<T> + Send + 'static,
    ) -> Result<T, Refused> {
        self.queue.run(work).await
    }
}

/// Makes a target's host certificate; the desk opens for this one, and so refuses while the CA runs.
pub(crate) fn certify_host(
    config: Arc<Config>,
    clock: Arc<dyn Clock>,
    target: &TargetName,
    public_key: &str,
) -> Result<String, DeskError> {
    let mut opened = Opened::open(config, clock)?;
    let made = batch::alone(&mut opened.writer, |writer| writer.host(target, public_key));
    made.map_err(DeskError::Unavailable)
}

/// Makes a join token; the desk opens for this one, and so refuses while the CA runs.
pub(crate) fn invite_target(
    config: Arc<Config>,
    clock: Arc<dyn Clock>,
    target: &TargetName,
) -> Result<JoinToken, DeskError> {
    let mut opened = Opened::open(config, clock)?;
    let made = batch::alone(&mut opened.writer, |writer| writer.invite(None, target));
    made.map_err(DeskError::Unavailable)
}

#[cfg(test)]
mod tests;
