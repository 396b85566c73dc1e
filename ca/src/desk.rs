//! The desk: one writer, on a thread of its own. Operations decide one after the other, become durable together, and
//! only then is a certificate signed or anybody answered.
//!
//! * [`answers`]: what is answered, by who asks; [`rows`] and [`shown`]: in which values; [`refused`]: every no.
//! * [`hall`]: what everybody may look at: configuration, state, deadlines; [`facts`]: what of it a decision rests on.
//! * [`start`]: from the log to a state, and the store held against it; [`archive`]: what is over, from the store.
//! * [`writer`]: the one writer, and how an operation is written; [`batch`]: many operations, one sync.
//! * [`outside`]: what programs, calendars and checks say.
//! * [`people`], [`bastions`], [`reach`]: the operations; [`cases`]: who may know of a request; [`looks`]: the questions that change
//!   nothing; [`revoked`]: what targets are to refuse.

mod alarms;
mod answers;
mod archive;
mod bastions;
mod batch;
mod cases;
mod exclusions;
mod facts;
mod glass;
mod hall;
mod kept;
mod looks;
mod may;
pub(crate) mod outside;
mod people;
mod reach;
mod readings;
mod refused;
mod revoked;
mod rows;
mod rules;
mod shown;
mod start;
mod strays;
mod targets;
mod writer;

use std::net::IpAddr;
use std::sync::Arc;

use config::Config;
use config::keys::KeyName;
use config::limits;
use config::words::TargetName;
use record::clock::Clock;
use record::entry::Whom;
use record::krl;
use record::log::LogError;
use record::sshsig;
use record::token::JoinToken;
use ssh_key::{PrivateKey, PublicKey};
use tokio::sync::Semaphore;

use crate::keys::{Keys, KeysError};
use crate::publish::Published;

pub use crate::publish::Unasked;
pub use crate::state::Impossible;
pub use crate::store::StoreError;

pub use start::rebuild;
pub use targets::Machine;

pub use refused::{Refused, Status};
pub use rows::{Ask, Asked, Caller, Issued, Need, Standing};
pub use shown::{
    ApprovalRow, CertificateRow, CheckRow, DebtRow, EndRow, OwedRow, PendingRow, ReviewRow,
    RoleRow, SessionFilter, SessionRow, Shown,
};

use batch::Queue;
use exclusions::is_out;
use hall::Hall;
use start::{Opened, apart};
use writer::{Decided, Writer};

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
