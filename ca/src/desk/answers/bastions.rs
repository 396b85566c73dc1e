//! What bastions ask.

use std::time::Duration;

use config::limits;
use config::words::BastionName;
use record::api;
use record::entry::Whom;
use ssh_key::PublicKey;

use super::super::exclusions::is_out;
use super::super::{Desk, Refused};

/// How long [`Desk::ended`] waits for news: shorter than any proxy's patience.
const LONG_POLL: Duration = Duration::from_secs(25);

/// How long [`Desk::take`] waits for the log's witnesses: so that the bastion, which counts the CA as gone after
/// [`limits::CA_ANSWER`], still hears that they are missing.
const WITNESSED: Duration = Duration::from_secs(limits::CA_ANSWER.as_secs() / 2);

impl Desk {
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

    /// A bastion asks what somebody may reach who has proven the key of a certificate.
    pub async fn reach(
        &self,
        bastion: &BastionName,
        ask: api::reach::ReachAsk,
    ) -> Result<api::reach::Reach, Refused> {
        let bastion = bastion.clone();
        self.run(move |writer| writer.reach(&bastion, &ask)).await
    }

    /// A bastion asks for the certificate of another of these grants. What its person could not have been given yet, because
    /// witnesses are missing, is not given here either.
    pub async fn take(
        &self,
        bastion: &BastionName,
        ask: api::reach::TakeAsk,
    ) -> Result<api::reach::Taken, Refused> {
        let (bastion, request) = (bastion.clone(), ask.request.clone());
        let taken = self
            .run(move |writer| writer.take_again(&bastion, &ask))
            .await?;
        if !self.hall.is_glass(&request) {
            let covered = tokio::time::timeout(WITNESSED, self.covered(&request)).await;
            // A no for the person, and not a CA that is away.
            let why = || Refused::NotNow(Refused::Unwitnessed(request.clone()).to_string());
            covered.ok().and_then(Result::ok).ok_or_else(why)?;
        }
        Ok(taken)
    }

    /// A bastion asks which of its sessions a reviewer may read.
    pub async fn list_for_review(
        &self,
        bastion: &BastionName,
        ask: api::review::ListAsk,
    ) -> Result<api::review::Listing, Refused> {
        let bastion = bastion.clone();
        self.run(move |writer| writer.list(&bastion, &ask)).await
    }

    /// A bastion asks whether a reviewer might read one of its sessions now.
    pub async fn may_review(
        &self,
        bastion: &BastionName,
        ask: api::review::ReadAsk,
    ) -> Result<api::Done, Refused> {
        let bastion = bastion.clone();
        self.run(move |writer| writer.may(&bastion, &ask)).await
    }

    /// A bastion asks to let a reviewer read one of its sessions.
    pub async fn read_for_review(
        &self,
        bastion: &BastionName,
        ask: api::review::ReadAsk,
    ) -> Result<api::review::ReadGiven, Refused> {
        let bastion = bastion.clone();
        self.run(move |writer| writer.read(&bastion, &ask)).await
    }

    /// A bastion asks how long its recordings are kept.
    pub async fn kept(
        &self,
        bastion: &BastionName,
        ask: api::retention::KeptAsk,
    ) -> Result<api::retention::KeptGiven, Refused> {
        let bastion = bastion.clone();
        self.run(move |writer| writer.kept(&bastion, &ask)).await
    }

    /// A bastion asks to remove a recording that is kept no longer.
    pub async fn expire(
        &self,
        bastion: &BastionName,
        ask: api::retention::ExpireAsk,
    ) -> Result<api::Done, Refused> {
        let bastion = bastion.clone();
        self.run(move |writer| writer.expire(&bastion, &ask)).await
    }

    /// A bastion says that something happened in a session that its role is alerted of.
    pub async fn session_alert(
        &self,
        bastion: &BastionName,
        alert: api::SessionAlert,
    ) -> Result<api::Done, Refused> {
        let bastion = bastion.clone();
        self.run(move |writer| writer.session_alert(&bastion, alert))
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
}
