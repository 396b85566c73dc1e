//! What the policy would say, and why: for whoever writes one. It decides nothing that [`super::decide`] does not.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use config::Config;
use config::rules::Role;
use config::span;
use config::words::{CheckName, PersonName, RoleName};
use record::clock::UnixTime;
use record::digest::Digest;
use record::request::Request;
use serde::Serialize;
use ssh_key::HashAlg;

use super::{Asking, Decision, History, Outside, Why, decide, shape};
use crate::desk::{Ask, Need, Refused};

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
    /// The roles of the person's other grants that run then, each as often as it does.
    pub running: Vec<RoleName>,
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
    Explained {
        role: meant.role(),
        narrowed: meant.narrowed(),
        verdict: meant.verdict(),
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
        history: &question.history(),
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
            running: Vec::new(),
        }
    }

    fn history(&self) -> History {
        let mut running = BTreeMap::new();
        for role in &self.running {
            *running.entry(role.clone()).or_default() += 1;
        }
        History {
            running,
            ..History::default()
        }
    }

    fn outside(&self, config: &Config) -> Outside {
        let rosters = config.on_call.keys();
        let on_call = rosters.map(|roster| (roster.clone(), self.on_call.clone()));
        let all: BTreeSet<_> = config.on_call.keys().cloned().collect();
        let then = self.approved_by.iter();
        let then = then.filter(|person| self.on_call.contains(*person));
        Outside {
            on_call: on_call.collect(),
            were_on_call: then.map(|person| (person.clone(), all.clone())).collect(),
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
