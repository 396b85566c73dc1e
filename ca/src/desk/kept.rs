//! How long recordings are kept: what a bastion may remove, and what somebody holds.

use config::limits;
use config::rules::Reads;
use config::words::{BastionName, SessionId};
use record::api::Done;
use record::api::retention::{ExpireAsk, Kept, KeptAsk, KeptGiven};
use record::api::review::Pass;
use record::entry::Entry;
use record::reading::Reading;
use record::retention::Rule;

use super::Refused;
use super::bastions::known;
use super::hall::Hall;
use super::writer::{Answer, Decided, Writer};
use crate::glass::Debt;
use crate::issue::Ledger as _;
use crate::state::{Session, State};

impl Writer {
    /// How long these recordings of a bastion are kept.
    pub(super) fn kept(&mut self, bastion: &BastionName, ask: &KeptAsk) -> Decided<KeptGiven> {
        known(&self.state, &self.hall.config(), bastion)?;
        if ask.sessions.len() > limits::KEPT_ASKED {
            return Err(Refused::Because(
                "these are more recordings than are asked of at once",
            ));
        }
        let (hall, bastion, sessions) = (self.hall.clone(), bastion.clone(), ask.sessions.clone());
        Ok(Answer::after(move |_| {
            let state = hall.state();
            let kept = sessions
                .into_iter()
                .map(|id| hall.kept(&state, &bastion, id));
            let kept = kept.collect::<Result<Vec<_>, _>>()?;
            let kept = kept.into_iter().flatten().collect();
            Ok(KeptGiven { kept })
        }))
    }

    /// A bastion is about to remove a recording: from now on it stands in the log.
    pub(super) fn expire(&mut self, bastion: &BastionName, ask: &ExpireAsk) -> Decided<Done> {
        known(&self.state, &self.hall.config(), bastion)?;
        let found = self.hall.kept(&self.state, bastion, ask.session.clone())?;
        let kept = found.ok_or_else(|| Refused::UnknownSession(ask.session.clone()))?;
        if kept.stays {
            return Err(Refused::Because(
                "the recording is held, or its review is owed: it stays",
            ));
        }
        // By the rules that hold here and now, whatever the bastion has heard of before. How large its recordings are, only the
        // bastion knows.
        let so = match ask.rule {
            Rule::Age(age) => {
                kept.retention.age.map(|own| own.as_secs()) == Some(age) && kept.over_s >= age
            }
            Rule::Size(most) => kept.retention.size == Some(most),
        };
        if !so {
            return Err(Refused::Because("the recording's role keeps it still"));
        }
        self.commit(Entry::Expiry {
            session: ask.session.clone(),
            bastion: bastion.clone(),
            role: kept.role,
            rule: ask.rule,
        })?;
        Ok(Answer::of(Done {}))
    }

    /// Whether a role lets somebody hold this recording, or lift a hold.
    pub(super) fn may_hold(
        &self,
        reads: &Reads,
        pass: &Pass,
        (id, session): (&SessionId, &Session),
        reading: &Reading,
    ) -> Result<(), Refused> {
        if !reads.holds {
            return Err(Refused::Because(
                "the role reads recordings and holds none: that takes one with hold = true",
            ));
        }
        let held = self.state.held.contains(id);
        match reading {
            Reading::Hold(_) if held => Err(Refused::Because("the recording is held already")),
            Reading::Hold(_) if self.state.held.len() >= limits::HOLDS => Err(Refused::Because(
                "as many recordings are held as may be: lift a hold first",
            )),
            Reading::Release(_) if !held => Err(Refused::Because("nobody holds the recording")),
            Reading::Release(_) if session.person == pass.person => Err(Refused::Because(
                "nobody lifts the hold from the recording of their own session: ask somebody else",
            )),
            _ => Ok(()),
        }
    }
}

impl Hall {
    /// How long a recording is kept; none of a session that is not this bastion's, or has not ended.
    fn kept(
        &self,
        state: &State,
        bastion: &BastionName,
        id: SessionId,
    ) -> Result<Option<Kept>, Refused> {
        let session = self.any_session(state, &id)?;
        let own = session.filter(|session| session.bastion == *bastion);
        let Some((session, end)) = own.and_then(|own| own.end.clone().map(|end| (own, end))) else {
            return Ok(None);
        };
        let Some(case) = self.any_case(state, &session.request)? else {
            return Ok(None);
        };
        let config = self.config();
        let role = config.roles.get(&case.request.role);
        let owed = case.debt.as_ref().is_some_and(|debt| !Debt::is_paid(debt));
        Ok(Some(Kept {
            role: case.request.role.clone(),
            // What no role says is not removed.
            retention: role.map(|role| role.retention).unwrap_or_default(),
            over_s: self.now().since(end.at).as_secs(),
            stays: owed || state.held.contains(&id),
            session: id,
        }))
    }
}
