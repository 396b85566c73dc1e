//! The CA's permission for one session.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use config::limits;
use config::words::SessionId;
use record::api::{SessionAsk, SessionGiven};
use ssh_key::{Certificate, PrivateKey};
use tokio::time::{Instant, timeout};

use super::fault::Fault;
use crate::ca_link::CaError;
use crate::ends::{Ends, never_began};
use crate::identity;
use crate::route::Route;
use crate::site::Site;

/// What the CA gave for one session.
pub(super) struct Permission {
    pub(super) session: SessionId,
    pub(super) given: SessionGiven,
    pub(super) deadline: Instant,
    pub(super) key: PrivateKey,
    pub(super) certificate: Certificate,
}

/// Asks the CA for a session on a fresh key.
pub(super) async fn ask(site: &Arc<Site>, route: &Route) -> Result<Permission, Fault> {
    let key = identity::fresh().map_err(|_| Fault::Random)?;
    let mut random = [0; 10];
    getrandom::fill(&mut random).map_err(|_| Fault::Random)?;
    let session = SessionId::from_parts(site.clock.wall_ms(), random);
    let asked = SessionAsk {
        session: session.clone(),
        certificate: route.certificate().to_owned(),
        access: route.access().clone(),
        key: key.public_key().to_openssh().map_err(|_| Fault::Defect)?,
        source: canonical(route.source()),
    };
    note(site, &session, Ends::begin).await;
    // If we die from here on, the next start tells the CA that the session never began.
    // What is left is counted from before the question: the session rather ends a moment early than late.
    let began = Instant::now();
    let given = site.link.session(&asked).await.map_err(Fault::from);
    let permission = given.and_then(|given| permission(session.clone(), given, key, began));
    if let Err(fault) = &permission {
        if matches!(fault, Fault::Ca(CaError::Refused(_))) {
            note(site, &session, Ends::forget).await;
        } else {
            // The CA may have let it begin, and its answer was lost.
            let end = never_began(session.clone(), &fault.reason());
            note(site, &session, move |ends, _| ends.keep(&end)).await;
        }
    }
    permission
}

fn permission(
    session: SessionId,
    given: SessionGiven,
    key: PrivateKey,
    began: Instant,
) -> Result<Permission, Fault> {
    let certificate = Certificate::from_openssh(&given.certificate)
        .map_err(|_| Fault::Given("its session certificate"))?;
    if certificate.public_key() != key.public_key().key_data() {
        return Err(Fault::Given("a certificate for another key"));
    }
    let left = Duration::from_millis(given.left_ms).min(limits::GRANT_LONGEST);
    Ok(Permission {
        session,
        given,
        deadline: began + left,
        key,
        certificate,
    })
}

/// Writes down, where blocking is allowed, what the CA will have to hear of a session.
async fn note(
    site: &Arc<Site>,
    session: &SessionId,
    what: impl FnOnce(&Ends, &SessionId) -> io::Result<()> + Send + 'static,
) {
    let (noting, noted) = (Arc::clone(site), session.clone());
    let writing = tokio::task::spawn_blocking(move || what(&noting.ends, &noted));
    let written = timeout(limits::RECORDING_PATIENCE, writing).await;
    let written = written.unwrap_or(Ok(Err(io::ErrorKind::TimedOut.into())));
    if let Err(e) = written.map_err(io::Error::from).flatten() {
        tracing::error!(%session, "what the CA has to hear is not noted: {e}");
    }
}

pub(super) fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}
