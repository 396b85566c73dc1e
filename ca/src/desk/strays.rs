//! Certificates that a CA key of ours has signed and our log does not hold: somebody else has the key.

use std::collections::BTreeSet;
use std::net::IpAddr;

use config::Config;
use config::limits;
use config::words::{BastionName, PersonName, Principal, shown};
use record::clock::UnixTime;
use record::digest::Digest;
use record::entry::Entry;

use super::Refused;
use super::hall::Hall;
use super::writer::Writer;
use crate::alert::Event;
use crate::issue::Ledger as _;

/// Why a certificate opens nothing.
pub(super) enum NoCase {
    /// It is refused.
    Refused(Refused),
    /// It is refused, and it should not exist.
    Stray(Stray),
}

/// A certificate with a valid signature that this CA never logged.
pub(super) struct Stray {
    /// Its serial, which may be another certificate's too.
    pub(super) serial: u64,
    /// Its key id, as it stands in it.
    pub(super) key_id: String,
    /// What it is known by.
    pub(super) digest: Digest,
}

/// Which strays were spoken of in this hour: each once, and no more of them than [`limits::STRAYS_PER_HOUR`], so that
/// whoever has the key cannot fill the log with it.
#[derive(Default)]
pub(super) struct Strays {
    hour: u64,
    seen: BTreeSet<Digest>,
}

impl Strays {
    fn is_news(&mut self, digest: Digest, now: UnixTime) -> bool {
        let hour = now.secs() / 3600;
        if hour != self.hour {
            self.hour = hour;
            self.seen.clear();
        }
        self.seen.len() < limits::STRAYS_PER_HOUR && self.seen.insert(digest)
    }
}

impl Writer {
    /// Raises the alarm, puts the attempt into the log, and says no.
    pub(super) fn stray(
        &mut self,
        stray: &Stray,
        bastion: &BastionName,
        access: &Principal,
        source: IpAddr,
    ) -> Refused {
        let refused = Refused::Certificate("this CA never issued it");
        if !self.strays.is_news(stray.digest, self.hall.now()) {
            return refused;
        }
        let key_id = shown(&stray.key_id);
        tracing::error!(
            serial = stray.serial,
            id = %key_id,
            %bastion,
            %access,
            %source,
            "ALARM: the user CA's key has signed a certificate that is not in the log; the key is stolen, or the log is not ours"
        );
        let entry = Entry::Stray {
            serial: stray.serial,
            key_id,
            certificate: stray.digest,
            access: access.clone(),
            bastion: bastion.clone(),
            source,
        };
        // If the log does not take it, the desk stops, and says so itself.
        self.commit(entry).map_or_else(|why| why, |_| refused)
    }
}

/// Alerts those who can act on it, once the log has the attempt.
pub(super) fn tell(hall: &Hall, entry: &Entry) {
    let Entry::Stray {
        serial,
        key_id,
        access,
        bastion,
        source,
        ..
    } = entry
    else {
        return;
    };
    let event = Event::StrayCertificate {
        bastion: bastion.clone(),
        what: format!("serial {serial}, {key_id}, for {access}, shown from {source}"),
    };
    hall.alerts
        .tell(hall.now(), concerned(&hall.config()), event);
}

/// Those who may shut others out, and those who watch the whole.
pub(super) fn concerned(config: &Config) -> Vec<PersonName> {
    let concerned = config.persons.iter().filter(|(_, person)| {
        let own = &person.groups;
        !own.is_disjoint(&config.ca.revokers) || !own.is_disjoint(&config.auditors)
    });
    concerned.map(|(name, _)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stray_is_spoken_of_once_an_hour_and_only_so_many() {
        let mut strays = Strays::default();
        let now = UnixTime::from_secs(7200);
        let digest = |n: usize| Digest::of(&n.to_be_bytes());
        for n in 0..limits::STRAYS_PER_HOUR {
            assert!(strays.is_news(digest(n), now));
            assert!(!strays.is_news(digest(n), now));
        }
        assert!(!strays.is_news(digest(limits::STRAYS_PER_HOUR), now));
        let later = UnixTime::from_secs(10_800);
        assert!(strays.is_news(digest(0), later));
    }
}
