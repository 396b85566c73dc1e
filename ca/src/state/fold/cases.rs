//! What the lines of requests and grants change.

use std::net::IpAddr;

use config::words::{PersonName, RequestId};
use record::clock::UnixTime;
use record::entry::{Entry, Verdict, Whom};

use super::{Impossible, Possible};
use crate::state::fact::Said;
use crate::state::{Approval, Basis, Case, End, Grant, Spoken, State};

impl State {
    /// Takes an entry about a request, or about the grant that it became.
    pub(super) fn of_cases(&mut self, at: UnixTime, entry: Entry, said: Said) -> Possible {
        match entry {
            Entry::Request { source, .. } => {
                self.asked(said, source, at);
                Ok(())
            }
            Entry::Approval {
                request,
                person,
                signature,
                on_call,
            } => self.change(&request, |case| {
                case.approvals.push(Approval {
                    person,
                    at,
                    signature,
                    on_call,
                });
            }),
            Entry::Verdict {
                request,
                check,
                verdict,
                reason,
            } => {
                let spoken = Spoken {
                    check,
                    at,
                    verdict,
                    reason,
                };
                self.heard(&request, spoken)
            }
            Entry::Denial {
                request,
                person: by,
                reason,
            } => self.close(&request, End::Denied { by, reason }),
            Entry::Withdrawal { request } => self.close(&request, End::Withdrawn),
            Entry::Grant {
                request,
                until,
                approved_by,
                policy,
                on_call,
                ..
            } => {
                let grant = Grant {
                    at,
                    until,
                    basis: self.basis(&request, &approved_by),
                    approved_by,
                    policy,
                    on_call,
                };
                self.granted(&request, grant)
            }
            Entry::Return { request } => self.end(&request, End::Returned),
            Entry::Revocation {
                request,
                person: by,
                reason,
            } => self.end(&request, End::Revoked { by, reason }),
            _ => Err(Impossible("it is none of a request")),
        }
    }

    /// A check spoke; its no ends the request.
    fn heard(&mut self, request: &RequestId, spoken: Spoken) -> Possible {
        let end = (spoken.verdict == Verdict::Deny).then(|| End::Failed {
            check: spoken.check.clone(),
            reason: spoken.reason.clone(),
        });
        self.change(request, |case| case.verdicts.push(spoken))?;
        match end {
            Some(end) => self.close(request, end),
            None => Ok(()),
        }
    }

    fn asked(&mut self, said: Said, source: IpAddr, at: UnixTime) {
        let Said::Request(request, digest) = said else {
            return;
        };
        let id = request.id.clone();
        let case = Case {
            request,
            digest,
            source,
            approvals: Vec::new(),
            verdicts: Vec::new(),
            grant: None,
            end: None,
            certificate: None,
            sessions: Vec::new(),
            proof: None,
            debt: None,
        };
        self.name(Whom::Person(case.request.person.clone()));
        self.name(Whom::Target(case.request.access.target.clone()));
        if let Ok(key) = case.request.key.parse() {
            self.name(Whom::Key(key));
        }
        self.asked.count(&case.request, at);
        self.waits(&case.request.person, &id);
        self.cases.insert(id.clone(), case);
        self.due(&id);
    }

    /// What the log says now about those who approved a request, or proved that it is theirs, but for persons and keys
    /// that are shut out.
    fn basis(&self, id: &RequestId, approved_by: &[PersonName]) -> Option<Basis> {
        let request = &self.cases.get(id)?.request;
        let terms = self.law.role(&request.role)?.clone();
        let proves = request.break_glass && terms.verify;
        let still_in = |name: &&PersonName| {
            let whom = Whom::Person((*name).clone());
            self.excluded.of(&whom).is_none()
        };
        let proving = proves.then_some(&request.person);
        let known = approved_by.iter().chain(proving).filter(still_in);
        let known = known.filter_map(|name| {
            let mut own = self.law.person(name)?.clone();
            own.keys.retain(|key| !self.excluded.has_line(key));
            Some((name.clone(), own))
        });
        Some(Basis {
            terms,
            approvers: known.collect(),
        })
    }
}
