//! What the policy would say, and why: for whoever writes one. It decides nothing that [`super::decide`] does not.

mod log;
mod notes;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use config::rules::Role;
use config::words::{CheckName, PersonName, RequestId, RoleName, RosterName};
use config::{Config, limits, span};
use record::clock::UnixTime;
use record::digest::Digest;
use record::request::Request;
use serde::Serialize;
use ssh_key::HashAlg;

use super::{Asking, Decision, History, Outside, Owed, Why, decide, shape};
use crate::desk::{Ask, Need, Refused};

pub use log::Remembered;

/// A request that nobody has made, and what stands in the log and outside of it.
#[derive(Debug, Clone)]
pub struct Question {
    /// Who asks.
    pub person: PersonName,
    /// For what.
    pub ask: Ask,
    /// From where.
    pub source: IpAddr,
    /// When.
    pub at: UnixTime,
    /// Who has approved, if asked to.
    pub approved_by: Vec<PersonName>,
    /// Who has said no.
    pub denied_by: Option<PersonName>,
    /// Who is on call, by every roster.
    pub on_call: BTreeSet<PersonName>,
    /// Which automated checks have approved.
    pub checked: BTreeSet<CheckName>,
    /// Who is on call by which roster, as the rosters themselves say.
    pub rosters: BTreeMap<RosterName, BTreeSet<PersonName>>,
    /// The roles of the person's other grants that run then, each as often as it does.
    pub running: Vec<RoleName>,
    /// When the person took the role before, with break-glass.
    pub taken: Vec<UnixTime>,
    /// Under which roles the person owes an overdue review.
    pub owes: Vec<RoleName>,
    /// Whether the person proves with the PIN of a token that it is they.
    pub proven: bool,
    /// What the log says; none: it is not asked.
    pub log: Option<Arc<Remembered>>,
    /// Whether the configuration has the groups that a program says.
    pub grouped: bool,
}

/// What the policy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Verdict {
    /// Yes.
    Granted {
        /// Until when.
        until: UnixTime,
        /// By whose approvals.
        approved_by: Vec<PersonName>,
    },
    /// Not yet.
    Needs {
        /// Whose approvals are missing.
        approvals: Vec<Need>,
        /// Which checks have not said yes.
        checks: Vec<CheckName>,
    },
    /// No.
    Refused {
        /// Why.
        why: String,
    },
}

/// One role, and what became of the question under it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Judged {
    /// The role.
    pub role: RoleName,
    /// The key of the role that decided.
    pub rule: &'static str,
    /// The line of the configuration where that stands, or where the role does.
    pub line: Option<usize>,
    /// What the role says.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// What the policy says, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Explained {
    /// The role that is meant, if one is.
    pub role: Option<RoleName>,
    /// What it comes to.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// What of the ask is narrowed, each a sentence.
    pub narrowed: Vec<String>,
    /// What the answer does not show by itself, each a sentence.
    pub notes: Vec<String>,
    /// Every role, by name.
    pub roles: Vec<Judged>,
}

/// Asks the policy as the desk would.
pub fn explain(config: &Config, question: &Question) -> Explained {
    let meant = judge(config, question, &question.ask);
    let keys = span::Keys::of(&config.text);
    let roles = config.roles.iter().map(|(name, role)| {
        let under = Ask {
            role: Some(name.clone()),
            ..question.ask.clone()
        };
        let said = judge(config, question, &under);
        let rule = said.rule(question, role);
        Judged {
            line: line(&keys, name, rule),
            role: name.clone(),
            rule,
            verdict: said.verdict(),
        }
    });
    let roles = roles.collect();
    let (role, verdict) = (meant.role(), meant.verdict());
    Explained {
        notes: notes::of(config, question, role.as_ref(), &verdict),
        role,
        narrowed: meant.narrowed(),
        verdict,
        roles,
    }
}

/// What the policy said, as it said it.
enum Said {
    /// The person does not exist.
    Nobody(PersonName),
    /// Before it was a request.
    Early(Refused),
    /// To the request.
    Late(RoleName, Vec<String>, Decision),
}

fn judge(config: &Config, question: &Question, ask: &Ask) -> Said {
    let Question {
        person, source, at, ..
    } = question;
    if !config.persons.contains_key(person) {
        return Said::Nobody(person.clone());
    }
    let out = question.log.as_ref();
    if let Some(out) = out.and_then(|log| log.shut_out(config, question)) {
        return Said::Early(out);
    }
    let shaped = match shape(config, person, *source, ask, *at) {
        Ok(shaped) => shaped,
        Err(refused) => return Said::Early(refused),
    };
    let request = Request {
        id: config::words::RequestId::from_random([0; 5]),
        person: person.clone(),
        key: key(config, person),
        access: ask.access.clone(),
        role: shaped.role.clone(),
        command: shaped.command,
        seconds: shaped.life.as_secs(),
        break_glass: ask.break_glass,
        reason: ask.reason.clone(),
        policy: Digest::of(config.text.as_bytes()),
        asked: *at,
        expires: at.after(config::limits::REQUEST_OPEN),
    };
    let decision = decide(&Asking {
        config,
        request: &request,
        source: *source,
        approvals: &question.approved_by,
        denied: question.denied_by.as_ref(),
        history: &question.history(config, &request),
        outside: &question.outside(config),
        now: *at,
    });
    Said::Late(shaped.role, shaped.narrowed, decision)
}

impl Question {
    /// A plain question: from this machine, at the beginning of time, without anybody's word.
    pub fn of(person: PersonName, ask: Ask) -> Self {
        Self {
            person,
            ask,
            source: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
            at: UnixTime::from_secs(0),
            approved_by: Vec::new(),
            denied_by: None,
            on_call: BTreeSet::new(),
            checked: BTreeSet::new(),
            rosters: BTreeMap::new(),
            running: Vec::new(),
            taken: Vec::new(),
            owes: Vec::new(),
            proven: false,
            log: None,
            grouped: false,
        }
    }

    /// What the log says, and what is supposed beside it.
    fn history(&self, config: &Config, request: &Request) -> History {
        let log = self.log.as_ref();
        let known = log.map(|log| log.history(request, self.at));
        let mut history = known.unwrap_or_default();
        for role in &self.running {
            *history.running.entry(role.clone()).or_default() += 1;
        }
        let taken = self.taken.iter().copied();
        let week = |at: &UnixTime| *at <= self.at && self.at.since(*at) < limits::BREAK_GLASS_WEEK;
        history.broken.extend(taken.filter(week));
        history.broken.sort();
        for (number, role) in (1..).zip(&self.owes) {
            let terms = config
                .roles
                .get(role)
                .and_then(|role| role.break_glass.as_ref());
            let owed = terms.map(|terms| Owed {
                until: self.at,
                from: terms.review.from.clone(),
                blocks: terms.blocks,
                blocks_break_glass: terms.blocks_break_glass,
            });
            // Not the request that is asked about, nor one of the log's.
            let id = RequestId::from_random([u8::MAX, 0, 0, 0, number]);
            history.owed.extend(owed.map(|owed| (id, owed)));
        }
        history.proven |= self.proven;
        history
    }

    fn outside(&self, config: &Config) -> Outside {
        let on_call = config.on_call.keys().map(|roster| {
            let said = self.rosters.get(roster).into_iter().flatten();
            let persons = self.on_call.iter().chain(said).cloned().collect();
            (roster.clone(), persons)
        });
        let on_call: BTreeMap<RosterName, BTreeSet<PersonName>> = on_call.collect();
        // Whoever approved did so just now.
        let then = self.approved_by.iter().map(|person| {
            let own = on_call
                .iter()
                .filter(|(_, persons)| persons.contains(person));
            (
                person.clone(),
                own.map(|(roster, _)| roster.clone()).collect(),
            )
        });
        Outside {
            were_on_call: then.collect(),
            on_call,
            checked: self.checked.clone(),
        }
    }
}

impl Said {
    fn role(&self) -> Option<RoleName> {
        match self {
            Self::Early(Refused::Elsewhere { role, .. } | Refused::NotThatCommand { role, .. })
            | Self::Late(role, ..) => Some(role.clone()),
            Self::Early(_) | Self::Nobody(_) => None,
        }
    }

    fn narrowed(&self) -> Vec<String> {
        match self {
            Self::Early(_) | Self::Nobody(_) => Vec::new(),
            Self::Late(_, narrowed, _) => narrowed.clone(),
        }
    }

    fn verdict(&self) -> Verdict {
        match self {
            Self::Nobody(person) => Verdict::Refused {
                why: format!("there is no person {person}"),
            },
            Self::Early(refused) => Verdict::Refused {
                why: refused.to_string(),
            },
            Self::Late(.., Decision::Refused(why)) => Verdict::Refused {
                why: why.to_string(),
            },
            Self::Late(.., Decision::Needs(needs)) => Verdict::Needs {
                approvals: needs.clone(),
                checks: Vec::new(),
            },
            Self::Late(.., Decision::Unchecked(checks)) => Verdict::Needs {
                approvals: Vec::new(),
                checks: checks.clone(),
            },
            Self::Late(.., Decision::Unproven) => Verdict::Refused {
                why: "not before the PIN of a token proves that it is that person".to_owned(),
            },
            Self::Late(.., Decision::Granted { until, approved_by }) => Verdict::Granted {
                until: *until,
                approved_by: approved_by.clone(),
            },
        }
    }

    /// The key of the role that decided.
    fn rule(&self, question: &Question, role: &Role) -> &'static str {
        let access = &question.ask.access;
        match self {
            Self::Early(Refused::RoleDoesNotCover { .. }) => {
                let login = role.logins.contains(&access.login);
                if login { "targets" } else { "logins" }
            }
            Self::Early(Refused::Elsewhere { .. }) => "sources",
            Self::Early(Refused::NotThatCommand { .. }) => "commands",
            Self::Early(Refused::NoCommands(_)) => "channels",
            Self::Early(Refused::NoBreakGlass(_) | Refused::NoToken(_))
            | Self::Late(.., Decision::Unproven) => "break-glass",
            Self::Late(.., Decision::Refused(why)) => rule_of(why),
            Self::Late(.., Decision::Granted { .. }) if question.ask.break_glass => "break-glass",
            Self::Late(.., Decision::Granted { .. }) if question.is_preapproved(role) => "commands",
            Self::Early(_) | Self::Nobody(_) => "groups",
            Self::Late(..) => "approvals",
        }
    }
}

impl Question {
    fn is_preapproved(&self, role: &Role) -> bool {
        let command = self.ask.command.as_ref();
        command.is_some_and(|command| role.preapproves(command.as_str()))
    }
}

fn rule_of(why: &Why) -> &'static str {
    match why {
        Why::NotCovered { .. } => "targets",
        Why::OtherCommand(_) => "command",
        Why::NotThatCommand(_) => "commands",
        Why::Closed { .. } => "hours",
        Why::NoBreakGlass(_) | Why::Quota { .. } | Why::Owes { .. } => "break-glass",
        Why::TooManyLive { .. } => "live",
        Why::Elsewhere { .. } => "sources",
        Why::Denied(_) => "approvals",
        _ => "groups",
    }
}

/// The first key of theirs that can be certified; none that anybody has if they have none.
fn key(config: &Config, person: &PersonName) -> String {
    let keys = config.persons.get(person).map(|person| &person.keys);
    let mut plain = keys.into_iter().flatten();
    let plain = plain.find(|key| !key.key_data().is_certificate());
    plain.map_or_else(String::new, |key| {
        key.fingerprint(HashAlg::Sha256).to_string()
    })
}

fn line(keys: &span::Keys, name: &RoleName, rule: &str) -> Option<usize> {
    let of = |rule: &str| keys.line(&["role", name.as_str(), rule]);
    of(rule)
        .or_else(|| of("labels").filter(|_| rule == "targets"))
        .or_else(|| keys.line(&["role", name.as_str()]))
}

#[cfg(test)]
mod tests;
