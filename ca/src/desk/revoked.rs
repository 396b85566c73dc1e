//! What targets are to refuse: the session certificates of grants that ended early.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::keys::KeyName;
use config::limits;
use config::words::TargetName;
use record::clock::UnixTime;
use record::digest::Digest;
use record::entry::{Authority, Whom};
use record::krl::{Krl, KrlError};

use super::hall::Hall;
use crate::lint::read_to_be_signed;
use crate::state::{Certificate, State};

impl Hall {
    /// The revocation list of the log as it is now. It follows from the log's lines alone, the time of the last
    /// one included, so that at one size of the log it is the same bytes each time.
    pub(super) fn krl(&self) -> Result<Vec<u8>, KrlError> {
        Ok(self.numbered_krl()?.1)
    }

    /// The same, with its number.
    pub(super) fn numbered_krl(&self) -> Result<(u64, Vec<u8>), KrlError> {
        let state = self.state();
        let at = state.last.unwrap_or(UnixTime::from_secs(0));
        let mut krl = Krl::new(state.size, at);
        krl.comment("hallpass session certificates")?;
        // A serial is one certificate's, whichever key of the session CA has signed it.
        let serials: Vec<u64> = revoked(&state, at).collect();
        for ca in state.ring.trusted(KeyName::Session, at) {
            krl.revoke_serials(ca, serials.iter().copied())?;
        }
        for key in state.excluded.keys() {
            // Wherever else a target would take it, in an authorized_keys file that was forgotten.
            krl.revoke_fingerprint(key.digest());
        }
        Ok((state.size, krl.encode()?))
    }

    /// What people's `ssh` is to refuse (`RevokedHostKeys`): door certificates of bastions, host certificates of targets
    /// and host keys that are shut out, and host certificates for a key that its target has another one instead of.
    pub(super) fn host_krl(&self) -> Result<Vec<u8>, KrlError> {
        let state = self.state();
        let at = state.last.unwrap_or(UnixTime::from_secs(0));
        let mut krl = Krl::new(state.size, at);
        krl.comment("hallpass host certificates")?;
        for (authority, name) in [
            (Authority::Door, KeyName::Door),
            (Authority::Host, KeyName::Host),
        ] {
            let out = state.certificates.values().filter(|one| {
                one.authority == authority && is_good_after(one, at) && is_out(&state, one)
            });
            let serials: Vec<u64> = out.map(|one| one.serial).collect();
            for ca in state.ring.trusted(name, at) {
                krl.revoke_serials(ca, serials.iter().copied())?;
            }
        }
        for key in state.excluded.keys() {
            krl.revoke_fingerprint(key.digest());
        }
        krl.encode()
    }
}

/// Whether a host or door certificate is of somebody who is shut out, or for a host key that its target has no more.
fn is_out(state: &State, certificate: &Certificate) -> bool {
    let bytes = STANDARD.decode(&certificate.to_be_signed);
    let fields = bytes.as_deref().ok().and_then(read_to_be_signed);
    let Some(fields) = fields else { return true };
    let mut words = fields.key_id.split(':').skip(1);
    match (words.next(), words.next()) {
        (Some("door"), Some(name)) => {
            let whom = name.parse().map(Whom::Bastion);
            whom.is_ok_and(|whom| state.excluded.of(&whom).is_some())
        }
        (Some("host"), Some(name)) => {
            let Ok(target) = name.parse::<TargetName>() else {
                return false;
            };
            let subject = Digest::of(&fields.subject());
            let own = state.machines.enrolled.get(&target);
            let replaced = own.is_none_or(|own| own.fingerprint.digest() != subject);
            replaced || state.excluded.of(&Whom::Target(target)).is_some()
        }
        _ => false,
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
    let sessions = sessions.filter_map(|id| state.sessions.get(id));
    let bastions = state.sessions.values().filter(|session| {
        let whom = Whom::Bastion(session.bastion.clone());
        state.excluded.of(&whom).is_some()
    });
    let serials = sessions
        .chain(bastions)
        .filter_map(|session| session.certificate);
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
