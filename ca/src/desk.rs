//! The desk: one writer; every decision, log append and change of state happens under one lock,
//! in that order.

mod refused;
mod rows;

use std::net::IpAddr;
use std::sync::Arc;

use config::Config;
use config::words::{BastionName, PersonName, RequestId};
use record::api;
use record::clock::Clock;
use record::text::Reason;
use ssh_key::{PrivateKey, PublicKey};
use tokio::sync::watch;

use crate::keys::{KeysError, PublicKeys};

pub use refused::{Refused, Status};
pub use rows::{
    ApprovalRow, Ask, Asked, Caller, CertificateRow, EndRow, Issued, Need, PendingRow, RoleRow,
    SessionFilter, SessionRow, Shown, Standing,
};

/// Why the desk cannot open. Nothing is served then.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// A key is missing, too open, or not what it should be.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

/// The one place where requests are decided and certificates made.
pub struct Desk {}

impl Desk {
    /// Loads the keys, checks and locks the log, compares or rebuilds the store.
    pub fn open(_config: Arc<Config>, _clock: Arc<dyn Clock>) -> Result<Arc<Self>, DeskError> {
        todo!()
    }

    /// Puts another configuration in force, at once and whole.
    pub fn reload(&self, _config: Config) -> Result<(), DeskError> {
        todo!()
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        todo!()
    }

    /// The CA's own SSH host key.
    pub fn identity(&self) -> &PrivateKey {
        todo!()
    }

    /// The public halves of the CA's keys.
    pub fn public_keys(&self) -> &PublicKeys {
        todo!()
    }

    /// The person who has this key, if anybody has.
    pub fn caller(&self, _key: &PublicKey, _source: IpAddr) -> Option<Caller> {
        todo!()
    }

    /// The bastion whose identity key this is, if it is one.
    pub fn bastion(&self, _key: &PublicKey) -> Option<BastionName> {
        todo!()
    }

    /// A person asks for access.
    pub async fn request(&self, _caller: &Caller, _ask: Ask) -> Result<Asked, Refused> {
        todo!()
    }

    /// A person approves, with an armoured SSHSIG over the request's canonical text.
    pub async fn approve(
        &self,
        _caller: &Caller,
        _id: &RequestId,
        _sshsig_pem: &str,
    ) -> Result<Standing, Refused> {
        todo!()
    }

    /// An approver says no.
    pub async fn deny(
        &self,
        _caller: &Caller,
        _id: &RequestId,
        _reason: Reason,
    ) -> Result<(), Refused> {
        todo!()
    }

    /// The person takes the request back while it waits.
    pub async fn withdraw(&self, _caller: &Caller, _id: &RequestId) -> Result<(), Refused> {
        todo!()
    }

    /// The person gives the grant back early.
    pub async fn give_back(&self, _caller: &Caller, _id: &RequestId) -> Result<(), Refused> {
        todo!()
    }

    /// Somebody ends another one's grant.
    pub async fn revoke(
        &self,
        _caller: &Caller,
        _id: &RequestId,
        _reason: Reason,
    ) -> Result<(), Refused> {
        todo!()
    }

    /// The access certificate of a granted request; the same one each time.
    pub async fn collect(&self, _caller: &Caller, _id: &RequestId) -> Result<Issued, Refused> {
        todo!()
    }

    /// The request's canonical text: what an approver signs.
    pub fn text(&self, _caller: &Caller, _id: &RequestId) -> Result<String, Refused> {
        todo!()
    }

    /// Where the request stands, and each change of it. Time alone changes nothing here: whoever waits past
    /// `expires` or `until` asks [`Desk::standing`].
    pub fn watch(&self, _id: &RequestId) -> Option<watch::Receiver<Standing>> {
        todo!()
    }

    /// Where the request stands now.
    pub fn standing(&self, _id: &RequestId) -> Option<Standing> {
        todo!()
    }

    /// One request with everything that happened to it.
    pub fn show(&self, _caller: &Caller, _id: &RequestId) -> Result<Shown, Refused> {
        todo!()
    }

    /// The roles that the person may ask for.
    pub fn roles(&self, _caller: &Caller) -> Vec<RoleRow> {
        todo!()
    }

    /// The requests that wait for the person, and the person's own that wait for others.
    pub fn pending(&self, _caller: &Caller) -> Vec<PendingRow> {
        todo!()
    }

    /// The sessions that concern the person, the newest first.
    pub fn sessions(&self, _caller: &Caller, _filter: &SessionFilter) -> Vec<SessionRow> {
        todo!()
    }

    /// What a bastion trusts.
    pub fn trust(&self) -> api::Trust {
        todo!()
    }

    /// A bastion asks for a door certificate.
    pub async fn door(
        &self,
        _bastion: &BastionName,
        _ask: api::DoorAsk,
    ) -> Result<api::DoorGiven, Refused> {
        todo!()
    }

    /// A bastion asks to begin a session.
    pub async fn open_session(
        &self,
        _bastion: &BastionName,
        _ask: api::SessionAsk,
    ) -> Result<api::SessionGiven, Refused> {
        todo!()
    }

    /// A bastion says that a session is over.
    pub async fn end_session(
        &self,
        _bastion: &BastionName,
        _end: api::SessionEnd,
    ) -> Result<api::Done, Refused> {
        todo!()
    }

    /// The grants that ended early after `after`; waits up to 25 s for one.
    pub async fn ended(&self, _after: u64) -> api::Ended {
        todo!()
    }

    /// Who a name belongs to, for messages: whether the person is still registered.
    pub fn knows(&self, _person: &PersonName) -> bool {
        todo!()
    }
}
