//! What was heard outside, at the desk: the configuration with the groups of a program, who is on call, and what
//! automated checks say. Nothing here asks anybody; see [`crate::outside`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use config::Config;
use config::outside::Groups;
use config::words::{CheckName, PersonName, RequestId, RosterName};
use record::digest::Digest;
use record::entry::{Entry, Verdict};
use tokio::sync::{Notify, watch};

use super::cases::any_case;
use super::hall::Hall;
use super::writer::{Answer, Decided, Writer, unavailable};
use super::{CheckRow, Desk, Refused, Standing, rules};
use crate::issue::Ledger as _;
use crate::keys::Keys;
use crate::outside::check::Said;
use crate::outside::groups::Told;
use crate::outside::oncall::{Known, Rosters};
use crate::policy::Outside;
use crate::state::Case;

/// The file's configuration, and the one that is decided by: the same with the groups that a program said.
#[derive(Debug, Clone)]
pub(super) struct InForce {
    pub(super) file: Arc<Config>,
    told: Option<Told>,
    pub(super) config: Arc<Config>,
}

impl InForce {
    /// Of a program's groups nothing is known yet: nobody is in them.
    pub(super) const fn fresh(file: Arc<Config>, same: Arc<Config>) -> Self {
        Self {
            file,
            told: None,
            config: same,
        }
    }

    fn with(file: Arc<Config>, told: Option<Told>) -> Self {
        let members = told.as_ref().map(|told| &told.members);
        let config = file.with_groups(members.unwrap_or(&BTreeMap::new()));
        Self {
            file,
            told,
            config: Arc::new(config),
        }
    }

    /// The entry that says who is in the program's groups.
    fn entry(&self) -> Entry {
        let names = self.config.groups.iter().flat_map(|groups| &groups.names);
        let groups = names.map(|group| {
            let members = self.config.members(group).cloned().collect();
            (group.clone(), members)
        });
        Entry::Groups {
            answer: self.told.as_ref().map(|told| told.answer),
            groups: groups.collect(),
            policy: Digest::of(self.config.text.as_bytes()),
        }
    }
}

/// What is known beside the log, and lost at a restart: it is asked for again.
#[derive(Default)]
pub(super) struct Heard {
    rosters: RwLock<Arc<Rosters>>,
    /// The requests that may wait for a check.
    unchecked: Mutex<BTreeSet<RequestId>>,
    /// Why a check has not been heard, in words.
    silent: Mutex<BTreeMap<(RequestId, CheckName), String>>,
    /// There is a request that may wait for a check.
    news: Notify,
    /// How often a configuration file was put in force.
    files: watch::Sender<u64>,
}

impl Heard {
    /// A request waits for a check.
    pub(super) fn ask(&self, id: RequestId) {
        lock(&self.unchecked).insert(id);
        self.news.notify_one();
    }

    /// Another configuration file is in force: whoever asks outside begins anew.
    pub(super) fn file_changed(&self) {
        self.files.send_modify(|count| *count += 1);
    }
}

/// A question that has to be put to a check.
#[derive(Debug, Clone)]
pub(crate) struct Due {
    /// The request.
    pub(crate) request: RequestId,
    /// The check.
    pub(crate) check: CheckName,
    /// The request's canonical text.
    pub(crate) text: String,
}

impl Desk {
    /// Changes each time a configuration file is put in force.
    pub(crate) fn files(&self) -> watch::Receiver<u64> {
        self.hall.heard.files.subscribe()
    }

    /// A program has spoken of its groups; or, with none, what it said is stale. What another program than the one in
    /// force said is not heard.
    pub(crate) async fn regroup(&self, rules: Groups, told: Option<Told>) -> Result<(), Refused> {
        let work = move |writer: &mut Writer| writer.regroup(&rules, told);
        self.run(work).await
    }

    /// What is known of a roster from now on.
    pub(crate) fn know(&self, roster: RosterName, known: Option<Known>) {
        {
            let held = self.hall.heard.rosters.write();
            let mut held = held.unwrap_or_else(PoisonError::into_inner);
            let mut rosters = Rosters::clone(&held);
            rosters.set(roster, known);
            *held = Arc::new(rosters);
        }
        self.hall.tell_all();
    }

    /// Resolves when [`Desk::due`] may have something new.
    pub(crate) async fn asked_of_checks(&self) {
        self.hall.heard.news.notified().await;
    }

    /// Looks through all requests for those that wait for a check: after a start, and when the roles have changed.
    pub(crate) fn look_for_unchecked(&self) {
        let config = self.hall.config();
        let state = self.hall.state();
        let open = state.cases.values().filter(|case| case.is_open());
        let waiting = open.filter(|case| {
            let role = config.roles.get(&case.request.role);
            role.is_some_and(|role| !role.checks.is_empty())
        });
        let waiting = waiting.map(|case| case.request.id.clone());
        lock(&self.hall.heard.unchecked).extend(waiting);
    }

    /// The questions that checks have not decided, of requests that wait.
    pub(crate) fn due(&self) -> Vec<Due> {
        let config = self.hall.config();
        let state = self.hall.state();
        let mut unchecked = lock(&self.hall.heard.unchecked);
        let mut due = Vec::new();
        unchecked.retain(|id| {
            let case = state.cases.get(id);
            let case = case.filter(|case| case.is_open() && !self.hall.is_over(case));
            let role = case.and_then(|case| config.roles.get(&case.request.role));
            let (Some(case), Some(role)) = (case, role) else {
                return false;
            };
            let before = due.len();
            let missing = role.checks.iter().filter(|check| !case.has_decided(check));
            due.extend(missing.map(|check| Due {
                request: id.clone(),
                check: check.clone(),
                text: case.request.text(),
            }));
            due.len() > before
        });
        lock(&self.hall.heard.silent).retain(|(id, _), _| unchecked.contains(id));
        due
    }

    /// A check was asked and not heard.
    pub(crate) fn unheard(&self, due: &Due, why: String) {
        let key = (due.request.clone(), due.check.clone());
        lock(&self.hall.heard.silent).insert(key, why);
    }

    /// A check has spoken.
    pub(crate) async fn verdict(&self, due: &Due, said: Said) -> Result<Standing, Refused> {
        let due = due.clone();
        self.run(move |writer| writer.verdict(&due, said)).await
    }
}

impl Writer {
    fn regroup(&mut self, rules: &Groups, told: Option<Told>) -> Decided<()> {
        let now = self.hall.in_force();
        if now.file.groups.as_ref() != Some(rules) {
            return Ok(Answer::of(()));
        }
        let next = InForce::with(now.file.clone(), told);
        if next.config.text != now.config.text {
            self.commit(next.entry())?;
            self.put_in_force(next);
        }
        Ok(Answer::of(()))
    }

    /// Another file. What the program said of its groups stays, if it is the same program.
    pub(super) fn reload(&mut self, file: Arc<Config>, keys: Keys) -> Decided<()> {
        let steps = rules::steps(&self.state.ring, &keys)
            .map_err(|why| unavailable(&format!("another reload came first: {why}")))?;
        // Held before the log is told: its next batch may be the first that another one signs.
        self.hold_log_keys(keys.log.clone());
        self.tell_keys(steps)?;
        let policy = Digest::of(file.text.as_bytes());
        self.commit(Entry::Start { policy })?;
        let now = self.hall.in_force();
        let program = |config: &Config| config.groups.as_ref().map(|groups| groups.feed.clone());
        let told = now.told.filter(|_| program(&now.file) == program(&file));
        let next = match told {
            None => InForce::fresh(file.clone(), file),
            told => InForce::with(file, told),
        };
        if next.told.is_some() {
            self.commit(next.entry())?;
        }
        self.tell_law(&next.config)?;
        self.put_in_force(next);
        self.sign_with(keys.signers);
        Ok(Answer::of(()))
    }

    fn verdict(&mut self, due: &Due, said: Said) -> Decided<Standing> {
        let config = self.hall.config();
        let case = any_case(&self.hall, &self.state, &due.request)?;
        self.hall.must_be_open(&self.state, &config, &case)?;
        let role = config.roles.get(&case.request.role);
        let asked = role.is_some_and(|role| role.checks.contains(&due.check));
        if !asked || case.has_decided(&due.check) {
            let standing = self.hall.standing_of(&self.state, &config, &case);
            return Ok(Answer::of(standing));
        }
        let verdict = said.verdict;
        self.commit(Entry::Verdict {
            request: due.request.clone(),
            check: due.check.clone(),
            verdict,
            reason: said.reason,
        })?;
        // If only this becomes durable, the verdict stands, and whoever collects next settles the request.
        let standing = match verdict {
            Verdict::Deny => {
                let case = any_case(&self.hall, &self.state, &due.request)?;
                self.hall.standing_of(&self.state, &config, &case)
            }
            Verdict::Approve | Verdict::Abstain => self.settle(&config, &due.request)?,
        };
        let due = due.clone();
        Ok(Answer::after(move |_| {
            tracing::info!(request = %due.request, check = %due.check, %verdict, "a check has spoken");
            Ok(standing)
        }))
    }
}

impl Hall {
    /// What is known outside about a request: who is on call by the rosters of its role, and what the log says.
    pub(super) fn outside(
        &self,
        config: &Config,
        role: &config::words::RoleName,
        case: Option<&Case>,
    ) -> Outside {
        let then = case.into_iter().flat_map(|case| &case.approvals);
        let then = then.map(|approval| (approval.person.clone(), approval.on_call.clone()));
        Outside {
            on_call: self.on_call(config, role),
            were_on_call: then.collect(),
            checked: case.map(Case::checked).unwrap_or_default(),
        }
    }

    fn on_call(
        &self,
        config: &Config,
        role: &config::words::RoleName,
    ) -> BTreeMap<RosterName, BTreeSet<PersonName>> {
        let quorums = config.roles.get(role).into_iter();
        let named = quorums.flat_map(|role| &role.quorums);
        let named: BTreeSet<&RosterName> = named.filter_map(|q| q.on_call.as_ref()).collect();
        if named.is_empty() {
            return BTreeMap::new();
        }
        let rosters = self.heard.rosters.read();
        let rosters = rosters.unwrap_or_else(PoisonError::into_inner).clone();
        let (now, monotonic) = (self.now(), self.clock.monotonic());
        let each = named.into_iter().map(|roster| {
            let persons = rosters.on_call(config, roster, now, monotonic);
            (roster.clone(), persons)
        });
        each.collect()
    }

    /// What the checks of a request's role have said, and those that have not been heard.
    pub(super) fn check_rows(&self, config: &Config, case: &Case) -> Vec<CheckRow> {
        let spoken = case.verdicts.iter().map(|spoken| CheckRow {
            check: spoken.check.clone(),
            at: Some(spoken.at),
            verdict: Some(spoken.verdict),
            reason: spoken.reason.to_string(),
        });
        let mut rows: Vec<CheckRow> = spoken.collect();
        let role = config.roles.get(&case.request.role);
        let asked = role.filter(|_| case.is_open() && !case.request.break_glass);
        let silent = lock(&self.heard.silent);
        for check in asked.into_iter().flat_map(|role| &role.checks) {
            if case.has_decided(check) {
                continue;
            }
            let why = silent.get(&(case.request.id.clone(), check.clone()));
            let why = why
                .cloned()
                .unwrap_or_else(|| "it is being asked".to_owned());
            rows.push(CheckRow {
                check: check.clone(),
                at: None,
                verdict: None,
                reason: why,
            });
        }
        rows
    }
}

/// The checks whose word is missing.
pub(super) fn unchecked(config: &Config, case: &Case) -> Vec<CheckName> {
    let role = config.roles.get(&case.request.role);
    let role = role.filter(|_| !case.request.break_glass);
    let missing = role.map(|role| role.checks.difference(&case.checked()).cloned().collect());
    missing.unwrap_or_default()
}

fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}
