//! The issuance log for the world: published behind each batch, and cosigned by witnesses.
//!
//! This runs beside the desk and never holds it up. What fails here is loud, is tried again, and stops nothing but the
//! release of access certificates, and that only where the configuration says that witnesses are needed.

mod ask;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use config::{limits, rules};
use record::log::tiles::{Advanced, Dir, PublishError, Publisher};
use ssh_key::PublicKey;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};

use ask::Asked;
pub use ask::Unasked;

/// Once enough witnesses have cosigned, how long the others have to be on the same checkpoint.
const GRACE: Duration = Duration::from_millis(200);

/// Whether what stands in the log is cosigned.
pub(crate) struct Published {
    need: usize,
    covered: watch::Receiver<u64>,
}

/// Not enough witnesses have cosigned in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the log's witnesses have not cosigned the certificate's entry")]
pub(crate) struct Uncovered;

impl Published {
    /// Begins to publish, if the configuration says so. `durable` is how many entries are durable in the log.
    pub(crate) fn begin(
        ca: &rules::Ca,
        keys: &[PublicKey],
        durable: watch::Receiver<u64>,
    ) -> Result<(Self, Option<impl Future<Output = ()> + use<>>), Unasked> {
        let (sender, covered) = watch::channel(0);
        let published = Self {
            need: ca.witnesses.need,
            covered,
        };
        let Some(out) = ca.publish.clone() else {
            return Ok((published, None));
        };
        let witnesses = ca.witnesses.by.iter().map(ask::Witness::new);
        let job = Job {
            log: ca.data.join("log"),
            out,
            keys: keys.to_vec(),
            need: ca.witnesses.need,
            witnesses: witnesses
                .map(|w| w.map(Arc::new))
                .collect::<Result<_, _>>()?,
        };
        Ok((published, Some(job.run(durable, sender))))
    }

    /// Whether the first `size` entries are cosigned by as many as are needed.
    pub(crate) fn is_covered(&self, size: u64) -> bool {
        self.need == 0 || *self.covered.borrow() >= size
    }

    /// Waits until the first `size` entries are cosigned; not for ever.
    pub(crate) async fn covers(&self, size: u64) -> Result<(), Uncovered> {
        if self.is_covered(size) {
            return Ok(());
        }
        let mut covered = self.covered.clone();
        let enough = covered.wait_for(|covered| *covered >= size);
        match timeout(limits::WITNESS_WAIT, enough).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Uncovered),
        }
    }
}

struct Job {
    log: PathBuf,
    out: PathBuf,
    /// Those that the log had at the start; what came since follows from the log itself.
    keys: Vec<PublicKey>,
    need: usize,
    witnesses: Vec<Arc<ask::Witness>>,
}

/// Why the newest entries are not published.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error("{got} of the {need} witnesses that are needed have cosigned")]
    Few { got: usize, need: usize },
    #[error("a defect stopped it")]
    Defect,
}

impl Job {
    /// Publishes until the desk is gone.
    async fn run(self, mut durable: watch::Receiver<u64>, covered: watch::Sender<u64>) {
        let mut publisher = None;
        let mut failing = false;
        loop {
            durable.mark_unchanged();
            match self.step(publisher.take(), &covered).await {
                Ok(next) => {
                    if failing {
                        tracing::info!("the log is published again");
                    }
                    failing = false;
                    publisher = Some(next);
                    if durable.changed().await.is_err() {
                        return;
                    }
                }
                Err(why) => {
                    if !failing {
                        tracing::error!(%why, "the log is not published: what was published before stays");
                    }
                    failing = true;
                    sleep(limits::WITNESS_PAUSE).await;
                    if durable.has_changed().is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Publishes what is durable now. If we die anywhere in it, the next start does it again.
    async fn step(
        &self,
        publisher: Option<Publisher>,
        covered: &watch::Sender<u64>,
    ) -> Result<Publisher, Fault> {
        let (log, out, keys) = (self.log.clone(), self.out.clone(), self.keys.clone());
        let advance = move || -> Result<_, PublishError> {
            let mut publisher = match publisher {
                Some(publisher) => publisher,
                None => Publisher::open(&log, &out, &keys)?,
            };
            let advanced = publisher.advance()?;
            Ok((publisher, advanced))
        };
        let done = spawn_blocking(advance).await;
        let (mut publisher, advanced) = done.map_err(|_| Fault::Defect)??;
        let note = self.cosigned(&advanced).await?;
        let put = move || publisher.put_checkpoint(&note).map(|()| publisher);
        let done = spawn_blocking(put).await;
        let publisher = done.map_err(|_| Fault::Defect)??;
        covered.send_replace(advanced.checkpoint.size);
        Ok(publisher)
    }

    /// The note with the cosignatures of all who answer in time; at least as many as are needed.
    async fn cosigned(&self, advanced: &Advanced) -> Result<String, Fault> {
        let mut asked = JoinSet::new();
        for witness in &self.witnesses {
            let (witness, advanced) = (Arc::clone(witness), advanced.clone());
            let tiles = Dir(self.out.clone());
            asked.spawn_blocking(move || witness.ask(&tiles, &advanced));
        }
        let mut lines = Vec::new();
        loop {
            let next = if lines.len() < self.need || lines.is_empty() {
                asked.join_next().await
            } else {
                timeout(GRACE, asked.join_next()).await.unwrap_or(None)
            };
            match next {
                Some(Ok(Asked::Cosigned(line))) => lines.push(line),
                Some(_) => {}
                None => break,
            }
        }
        // One that is late is not waited for here: it finishes by itself, and is passed over until then.
        asked.detach_all();
        if lines.len() < self.need {
            let (got, need) = (lines.len(), self.need);
            return Err(Fault::Few { got, need });
        }
        Ok(advanced.note.clone() + &lines.concat())
    }
}
