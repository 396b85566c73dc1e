//! What targets are to refuse: the session certificates of grants that ended early.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::keys::KeyName;
use config::limits;
use record::clock::UnixTime;
use record::krl::{Krl, KrlError};

use super::hall::Hall;
use crate::lint::read_to_be_signed;
use crate::state::{Certificate, State};

impl Hall {
    /// The revocation list of the log as it is now. It follows from the log's lines alone, the time of the last
    /// one included, so that at one size of the log it is the same bytes each time.
    pub(super) fn krl(&self) -> Result<Vec<u8>, KrlError> {
        let state = self.state();
        let at = state.last.unwrap_or(UnixTime::from_secs(0));
        let mut krl = Krl::new(state.size, at);
        krl.comment("hallpass session certificates")?;
        // A serial is one certificate's, whichever key of the session CA has signed it.
        let serials: Vec<u64> = revoked(&state, at).collect();
        for ca in state.ring.trusted(KeyName::Session, at) {
            krl.revoke_serials(ca, serials.iter().copied())?;
        }
        krl.encode()
    }
}

/// The serials of session certificates that a target may still take at this time, and must not.
fn revoked(state: &State, at: UnixTime) -> impl Iterator<Item = u64> {
    // A target whose clock is behind takes a certificate for longer.
    let at = at.before(limits::CLOCK_SKEW);
    let ended = state.ended.iter().filter_map(|id| state.cases.get(id));
    // No certificate outlives its grant.
    let late = ended.filter(move |case| case.limit() > at);
    let sessions = late.flat_map(|case| &case.sessions);
    let serials = sessions.filter_map(|id| state.sessions.get(id)?.certificate);
    let certificates = serials.filter_map(|serial| state.certificates.get(&serial));
    certificates
        .filter(move |certificate| is_good_after(certificate, at))
        .map(|certificate| certificate.serial)
}

/// Whether it has not expired; what cannot be read counts as good, and so as one to revoke.
fn is_good_after(certificate: &Certificate, at: UnixTime) -> bool {
    let bytes = STANDARD.decode(&certificate.to_be_signed);
    let fields = bytes.as_deref().ok().and_then(read_to_be_signed);
    fields.is_none_or(|fields| fields.before > at.secs())
}
