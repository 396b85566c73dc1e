//! What everybody may look at: configuration, state, deadlines, and who waits for what.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use config::Config;
use config::words::RequestId;
use record::clock::{Clock, UnixTime};
use record::digest::Digest;
use record::log::LogKeys;
use ssh_key::PrivateKey;
use tokio::sync::watch;

use super::outside::{self, Heard, InForce};
use super::{Need, Refused, Standing};
use crate::alert::Alerts;
use crate::keys::Signers;
use crate::policy::{self, Decision};
use crate::state::{Case, End, Gone, State};
use crate::store::Store;

pub(super) struct Hall {
    pub(super) clock: Arc<dyn Clock>,
    /// What programs, calendars and checks say.
    pub(super) heard: Heard,
    signers: RwLock<Arc<Signers>>,
    /// The keys of the log. Which of them signs is what the log says.
    log_keys: RwLock<Arc<LogKeys>>,
    config: RwLock<InForce>,
    /// The digest of the configuration that was asked for last.
    policy: Mutex<(Arc<Config>, Digest)>,
    state: RwLock<State>,
    /// What the log said of everything that is over.
    pub(super) store: Arc<dyn Store>,
    /// When each request or grant is over on the clock that nobody can step.
    deadlines: Mutex<HashMap<RequestId, Duration>>,
    watches: Mutex<HashMap<RequestId, watch::Sender<Standing>>>,
    ended: watch::Sender<u64>,
    /// How many entries are durable in the log.
    durable: watch::Sender<u64>,
    /// Which keys the CA has: [`crate::ring::Ring::steps`].
    keys: watch::Sender<u64>,
    /// How often somebody was shut out or let in again.
    exclusions: watch::Sender<u64>,
    pub(super) alerts: Alerts,
}

impl Hall {
    pub(super) fn new(
        config: Arc<Config>,
        state: State,
        clock: Arc<dyn Clock>,
        (signers, log_keys): (Signers, LogKeys),
        store: Arc<dyn Store>,
    ) -> Self {
        // What was over by the log's own time stays over, even if the wall clock was put back since.
        let now = state
            .last
            .map_or(clock.wall(), |last| last.max(clock.wall()));
        let monotonic = clock.monotonic();
        let live = state
            .cases
            .iter()
            .filter(|(_, case)| case.end.is_none() && case.limit() > now);
        let deadlines = live.map(|(id, case)| (id.clone(), monotonic + case.limit().since(now)));
        let deadlines = Mutex::new(deadlines.collect());
        let (ended, _) = watch::channel(state.ended.count());
        let (durable, _) = watch::channel(state.size);
        Self {
            clock,
            heard: Heard::default(),
            policy: Mutex::new((config.clone(), digest(&config))),
            signers: RwLock::new(Arc::new(signers)),
            log_keys: RwLock::new(Arc::new(log_keys)),
            keys: watch::channel(state.ring.steps()).0,
            config: RwLock::new(InForce::fresh(config.clone(), config)),
            state: RwLock::new(state),
            store,
            deadlines,
            watches: Mutex::default(),
            ended,
            durable,
            exclusions: watch::Sender::new(0),
            alerts: Alerts::new(),
        }
    }

    /// One snapshot: an operation takes it once and decides by it.
    pub(super) fn config(&self) -> Arc<Config> {
        let held = self.config.read().unwrap_or_else(PoisonError::into_inner);
        held.config.clone()
    }

    /// The same, and the file that it comes from.
    pub(super) fn in_force(&self) -> InForce {
        let held = self.config.read().unwrap_or_else(PoisonError::into_inner);
        held.clone()
    }

    /// The digest of a configuration's text: computed once for each that comes into force.
    pub(super) fn policy(&self, config: &Arc<Config>) -> Digest {
        let mut held = self.policy.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&held.0, config) {
            *held = (config.clone(), digest(config));
        }
        held.1
    }

    pub(super) fn set_config(&self, next: InForce) {
        let file = {
            let mut held = self.config.write().unwrap_or_else(PoisonError::into_inner);
            let file = !Arc::ptr_eq(&held.file, &next.file);
            *held = next;
            file
        };
        if file {
            self.heard.file_changed();
        }
    }

    /// What signs. It grows by what a reload brings, and loses nothing that something was logged under.
    pub(super) fn signers(&self) -> Arc<Signers> {
        let held = self.signers.read().unwrap_or_else(PoisonError::into_inner);
        held.clone()
    }

    pub(super) fn set_signers(&self, signers: Signers) {
        let mut held = self.signers.write().unwrap_or_else(PoisonError::into_inner);
        *held = Arc::new(signers);
    }

    /// The keys of the log.
    pub(super) fn log_keys(&self) -> Arc<LogKeys> {
        let held = self.log_keys.read();
        held.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn hold_log_keys(&self, keys: LogKeys) {
        let mut held = self
            .log_keys
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *held = Arc::new(keys);
    }

    /// The key that signs for the log now: checkpoints, revocation lists and orders.
    pub(super) fn log_key(&self) -> Result<PrivateKey, Refused> {
        let keys = self.log_keys();
        let signer = keys.signer(self.state().ring.chain()).cloned();
        signer.map_err(|why| Refused::Unavailable(why.to_string()))
    }

    pub(super) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> UnixTime {
        self.clock.wall()
    }

    /// Starts the monotonic clock of a request or a grant; it can only bring the end nearer.
    pub(super) fn start_clock(&self, id: &RequestId, life: Duration) {
        let deadline = self.clock.monotonic() + life;
        self.deadlines().insert(id.clone(), deadline);
    }

    /// Requests have left the state: they are over, and their clocks stop. Whoever watched one has long heard.
    pub(super) fn forget(&self, gone: &[Gone]) {
        for gone in gone {
            if let Gone::Case(case) = gone {
                self.deadlines().remove(&case.request.id);
                self.watches().remove(&case.request.id);
            }
        }
    }

    /// How much time is left, by whichever clock says less; zero when it is over.
    pub(super) fn left(&self, id: &RequestId, limit: UnixTime) -> Duration {
        let wall_ms = limit
            .secs()
            .saturating_mul(1000)
            .saturating_sub(self.clock.wall_ms());
        let deadlines = self.deadlines();
        let deadline = deadlines.get(id).copied().unwrap_or_default();
        let monotonic = deadline.saturating_sub(self.clock.monotonic());
        monotonic.min(Duration::from_millis(wall_ms))
    }

    pub(super) fn is_over(&self, case: &Case) -> bool {
        self.left(&case.request.id, case.limit()).is_zero()
    }

    pub(super) fn standing_of(&self, state: &State, config: &Config, case: &Case) -> Standing {
        if let Some(end) = &case.end {
            return match end.clone() {
                End::Denied { by, reason } => Standing::Denied { by, reason },
                End::Failed { check, reason } => Standing::Failed { check, reason },
                End::Withdrawn => Standing::Withdrawn,
                End::Returned => Standing::Returned,
                End::Revoked { by, reason } => Standing::Revoked { by, reason },
            };
        }
        if self.is_over(case) {
            return Standing::Expired;
        }
        if let Some(grant) = &case.grant {
            return Standing::Granted { until: grant.until };
        }
        let expires = case.request.expires;
        let checks = outside::unchecked(config, case);
        match policy::decide(&self.facts(state, config, &case.request).of(config, case)) {
            Decision::Unproven => Standing::Unproven { expires },
            Decision::Needs(needs) => Standing::Waiting {
                needs,
                checks,
                expires,
            },
            _ => Standing::Waiting {
                needs: Vec::new(),
                checks,
                expires,
            },
        }
    }

    /// Whose approvals are missing; nobody's if the policy has changed so that none would help.
    pub(super) fn needs(&self, state: &State, config: &Config, case: &Case) -> Vec<Need> {
        match policy::decide(&self.facts(state, config, &case.request).of(config, case)) {
            Decision::Needs(needs) => needs,
            _ => Vec::new(),
        }
    }

    pub(super) fn standing(&self, id: &RequestId) -> Option<Standing> {
        let config = self.config();
        let state = self.state();
        let case = self.any_case(&state, id).ok()??;
        Some(self.standing_of(&state, &config, &case))
    }

    pub(super) fn watch(&self, id: &RequestId) -> Option<watch::Receiver<Standing>> {
        let mut watches = self.watches();
        // Asked under the lock that `tell` takes, so that no change falls between the two.
        let now = self.standing(id)?;
        if !self.state().cases.contains_key(id) {
            // It has left the state: nothing of it changes any more.
            return Some(watch::channel(now).1);
        }
        let sender = watches
            .entry(id.clone())
            .or_insert_with(|| watch::Sender::new(now));
        Some(sender.subscribe())
    }

    /// Tells whoever waits for this request.
    pub(super) fn tell(&self, id: &RequestId) {
        let mut watches = self.watches();
        let (Some(sender), Some(now)) = (watches.get(id), self.standing(id)) else {
            return;
        };
        sender.send_if_modified(|before| {
            let news = *before != now;
            *before = now;
            news
        });
        if sender.is_closed() {
            watches.remove(id);
        }
    }

    /// Tells everybody who waits: the policy has changed.
    pub(super) fn tell_all(&self) {
        let waiting: Vec<_> = self.watches().keys().cloned().collect();
        for id in &waiting {
            self.tell(id);
        }
    }

    pub(super) fn tell_ended(&self) {
        let count = self.state().ended.count();
        self.ended.send_replace(count);
    }

    /// Whether this request was break-glass; what is not known was not.
    pub(super) fn is_glass(&self, id: &RequestId) -> bool {
        let state = self.state();
        let case = state.cases.get(id);
        case.is_some_and(|case| case.request.break_glass)
    }

    /// The log is durable up to here.
    pub(super) fn tell_durable(&self, size: u64) {
        self.durable.send_replace(size);
    }

    pub(super) fn durable(&self) -> watch::Receiver<u64> {
        self.durable.subscribe()
    }

    /// Tells the bastions that a key has come or gone.
    pub(super) fn tell_keys(&self) {
        let now = self.state().ring.steps();
        self.keys.send_if_modified(|before| {
            let news = *before != now;
            *before = now;
            news
        });
    }

    pub(super) fn key_steps(&self) -> watch::Receiver<u64> {
        self.keys.subscribe()
    }

    pub(super) fn tell_exclusions(&self) {
        self.exclusions.send_modify(|count| *count += 1);
    }

    pub(super) fn exclusions(&self) -> watch::Receiver<u64> {
        self.exclusions.subscribe()
    }

    pub(super) fn ended_count(&self) -> watch::Receiver<u64> {
        self.ended.subscribe()
    }

    fn deadlines(&self) -> MutexGuard<'_, HashMap<RequestId, Duration>> {
        self.deadlines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn watches(&self) -> MutexGuard<'_, HashMap<RequestId, watch::Sender<Standing>>> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest(config: &Config) -> Digest {
    Digest::of(config.text.as_bytes())
}
