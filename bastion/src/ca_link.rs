//! The bastion's side of the CA's API (see [`record::api`]).

mod wire;

use std::time::Duration;

use config::limits;
use config::rules::HostPort;
use config::words::BastionName;
use hyper::Method;
use record::api::retention::{ExpireAsk, KeptAsk, KeptGiven};
use record::api::{self, path};
use serde::Serialize;
use serde::de::DeserializeOwned;
use ssh_key::{PrivateKey, PublicKey};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How long the CA keeps a question about ended grants open.
const LONG_POLL: Duration = Duration::from_secs(25);

/// Calls at once: each is a channel of one connection, and the CA allows so many.
const CALLS: usize = 6;

/// Of those, what people who choose may take: the CA answers a choice when it is witnessed, and sessions do not wait behind it.
const CHOICES: usize = 2;

/// Why the CA gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaError {
    /// It answered, and refused. Its words may be shown to the person.
    #[error("{0}")]
    Refused(String),
    /// It did not answer, or not in a way that can be used. Why is for the log.
    #[error("the CA cannot be reached: {0}")]
    Gone(String),
}

/// The CA, as a bastion calls it. Every call is bounded by [`limits::CA_ANSWER`].
pub struct CaLink {
    wire: wire::Wire,
    calls: Semaphore,
    choices: Semaphore,
}

impl CaLink {
    /// Will call the CA at `address`, which must show `host_key`, as the bastion that holds `identity`. Connects with
    /// the first call.
    pub fn new(
        address: HostPort,
        host_key: PublicKey,
        name: &BastionName,
        identity: PrivateKey,
    ) -> Self {
        Self {
            wire: wire::Wire::new(address, host_key, name, identity),
            calls: Semaphore::new(CALLS),
            choices: Semaphore::new(CHOICES),
        }
    }

    /// The public keys that the bastion trusts.
    pub async fn trust(&self) -> Result<api::Trust, CaError> {
        self.call(Method::GET, path::TRUST, None::<&()>).await
    }

    /// A door certificate.
    pub async fn door(&self, ask: &api::DoorAsk) -> Result<api::DoorGiven, CaError> {
        self.call(Method::POST, path::DOORS, Some(ask)).await
    }

    /// Permission and certificate for one session.
    pub async fn session(&self, ask: &api::SessionAsk) -> Result<api::SessionGiven, CaError> {
        self.call(Method::POST, path::SESSIONS, Some(ask)).await
    }

    /// What a person may reach now.
    pub async fn reach(&self, ask: &api::reach::ReachAsk) -> Result<api::reach::Reach, CaError> {
        self.choice(path::REACH, ask).await
    }

    /// The certificate of one of these grants.
    pub async fn take(&self, ask: &api::reach::TakeAsk) -> Result<api::reach::Taken, CaError> {
        self.choice(path::REACH_TAKE, ask).await
    }

    /// Tells the end of a session.
    pub async fn session_end(&self, end: &api::SessionEnd) -> Result<api::Done, CaError> {
        self.call(Method::POST, path::SESSIONS_END, Some(end)).await
    }

    /// Tells of something that happened in a session.
    pub async fn alert(&self, alert: &api::SessionAlert) -> Result<api::Done, CaError> {
        self.call(Method::POST, path::ALERTS, Some(alert)).await
    }

    /// The sessions that a reviewer may read.
    pub(crate) async fn review_list(
        &self,
        ask: &api::review::ListAsk,
    ) -> Result<api::review::Listing, CaError> {
        self.call(Method::POST, path::REVIEW_LIST, Some(ask)).await
    }

    /// Whether permission to read a session would be given now; nothing stands in the CA's log.
    pub(crate) async fn review_may(
        &self,
        ask: &api::review::ReadAsk,
    ) -> Result<api::Done, CaError> {
        self.call(Method::POST, path::REVIEW_MAY, Some(ask)).await
    }

    /// Permission to read a session; when it is given, it stands in the CA's log.
    pub(crate) async fn review_read(
        &self,
        ask: &api::review::ReadAsk,
    ) -> Result<api::review::ReadGiven, CaError> {
        self.call(Method::POST, path::REVIEW_READ, Some(ask)).await
    }

    /// How long recordings are kept.
    pub(crate) async fn kept(&self, ask: &KeptAsk) -> Result<KeptGiven, CaError> {
        self.call(Method::POST, path::KEPT, Some(ask)).await
    }

    /// Permission to remove a recording; when it is given, it stands in the CA's log.
    pub(crate) async fn expire(&self, ask: &ExpireAsk) -> Result<api::Done, CaError> {
        self.call(Method::POST, path::EXPIRE, Some(ask)).await
    }

    /// Grants that ended early since `after`; waits for news, of them or of other keys than `keys`, as long as the CA
    /// does.
    pub async fn ended(&self, after: u64, keys: u64) -> Result<api::Ended, CaError> {
        let path = format!("{}?after={after}&keys={keys}", path::ENDED);
        self.bounded(
            LONG_POLL + limits::CA_ANSWER,
            Method::GET,
            &path,
            None::<&()>,
        )
        .await
    }

    async fn choice<A: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        ask: &A,
    ) -> Result<T, CaError> {
        let choosing = async {
            // Never closed.
            let _permit = self.choices.acquire().await;
            self.call(Method::POST, path, Some(ask)).await
        };
        timeout(limits::CA_ANSWER, choosing)
            .await
            .unwrap_or_else(|_| Err(too_late()))
    }

    async fn call<A: Serialize, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&A>,
    ) -> Result<T, CaError> {
        let calling = async {
            // Never closed.
            let _permit = self.calls.acquire().await;
            self.bounded(limits::CA_ANSWER, method, path, body).await
        };
        timeout(limits::CA_ANSWER, calling)
            .await
            .unwrap_or_else(|_| Err(too_late()))
    }

    async fn bounded<A: Serialize, T: DeserializeOwned>(
        &self,
        most: Duration,
        method: Method,
        path: &str,
        body: Option<&A>,
    ) -> Result<T, CaError> {
        let body = match body {
            None => Vec::new(),
            Some(body) => serde_json::to_vec(body).map_err(|e| CaError::Gone(e.to_string()))?,
        };
        let Ok(answered) = timeout(most, self.wire.exchange(method, path, body)).await else {
            self.wire.forget().await;
            return Err(too_late());
        };
        let (status, answer) = answered.map_err(CaError::Gone)?;
        match status {
            200 => serde_json::from_slice(&answer)
                .map_err(|e| CaError::Gone(format!("its answer is not known here: {e}"))),
            403 => Err(CaError::Refused(why(&answer))),
            other => Err(CaError::Gone(format!("status {other}: {}", why(&answer)))),
        }
    }
}

fn too_late() -> CaError {
    CaError::Gone(format!(
        "no answer within {} s",
        limits::CA_ANSWER.as_secs()
    ))
}

/// A refusal's words, without what a terminal would act on.
fn why(answer: &[u8]) -> String {
    match serde_json::from_slice::<api::Refusal>(answer) {
        Ok(refusal) => refusal
            .why
            .chars()
            .filter(|c| !c.is_control())
            .take(500)
            .collect(),
        Err(_) => "it gave no reason".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use record::api::reach::{Held, ReachAsk};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn those_who_choose_leave_calls_for_sessions() {
        // A CA that never says anything.
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = silent.local_addr().unwrap().to_string();
        let key = crate::identity::fresh().unwrap();
        let link = Arc::new(CaLink::new(
            address.parse().unwrap(),
            key.public_key().clone(),
            &"bastion".parse().unwrap(),
            key,
        ));
        let held = Held {
            certificate: String::new(),
            access: "root@db1.prod".parse().unwrap(),
            source: "127.0.0.1".parse().unwrap(),
        };
        let ask = ReachAsk { held };
        let choosing: Vec<_> = (0..2 * CALLS)
            .map(|_| {
                let (link, ask) = (Arc::clone(&link), ask.clone());
                tokio::spawn(async move { link.reach(&ask).await })
            })
            .collect();
        let _connection = silent.accept().await.unwrap();
        assert_eq!(link.calls.available_permits(), 4);
        for choice in choosing {
            choice.abort();
        }
    }
}
