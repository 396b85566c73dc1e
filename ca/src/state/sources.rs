//! From where each person came lately. An IPv6 network of 64 bits counts as one address.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use config::half_open::network;
use config::limits;
use config::words::PersonName;
use record::clock::UnixTime;

/// When each person was seen last at each address: of the last [`limits::SOURCE_KNOWN`], and so many of them as
/// [`limits::SOURCES_KNOWN`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sources(BTreeMap<PersonName, BTreeMap<IpAddr, UnixTime>>);

impl Sources {
    /// Whether the person was not seen at this address within this time.
    pub(crate) fn is_new(
        &self,
        person: &PersonName,
        source: IpAddr,
        now: UnixTime,
        within: Duration,
    ) -> bool {
        let own = self.0.get(person);
        let last = own.and_then(|own| own.get(&network(source)));
        last.is_none_or(|last| now.since(*last) > within)
    }

    /// The person was seen.
    pub(super) fn seen(&mut self, person: &PersonName, source: IpAddr, at: UnixTime) {
        let own = self.0.entry(person.clone()).or_default();
        own.insert(network(source), at);
        let (_, most) = limits::SOURCE_KNOWN;
        own.retain(|_, last| at.since(*last) <= most);
        if own.len() > limits::SOURCES_KNOWN {
            let oldest = own.iter().min_by_key(|(_, last)| **last);
            if let Some(oldest) = oldest.map(|(source, _)| *source) {
                own.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_known_for_as_long_as_the_role_says() {
        let mut sources = Sources::default();
        let (alice, hour) = ("alice".parse().unwrap(), Duration::from_secs(3600));
        let (home, away) = ("2001:db8::1".parse().unwrap(), "192.0.2.7".parse().unwrap());
        let start = UnixTime::from_secs(1_000_000);
        assert!(sources.is_new(&alice, home, start, hour));
        sources.seen(&alice, home, start);
        assert!(!sources.is_new(&alice, home, start.after(hour), hour));
        let near = "2001:db8::2".parse().unwrap();
        assert!(!sources.is_new(&alice, near, start, hour), "one network");
        assert!(sources.is_new(&alice, away, start, hour));
        assert!(sources.is_new(&"bob".parse().unwrap(), home, start, hour));
        let late = start.after(hour).after(Duration::from_secs(1));
        assert!(sources.is_new(&alice, home, late, hour));
    }

    #[test]
    fn one_address_past_the_bound_takes_the_oldest_ones_place() {
        let mut sources = Sources::default();
        let alice: PersonName = "alice".parse().unwrap();
        let address = |n: u64| IpAddr::from(u32::try_from(n).unwrap().to_be_bytes());
        let most = limits::SOURCES_KNOWN as u64;
        for n in 0..=most {
            sources.seen(&alice, address(n), UnixTime::from_secs(n));
        }
        let (now, day) = (UnixTime::from_secs(most), Duration::from_secs(86_400));
        assert!(sources.is_new(&alice, address(0), now, day));
        assert!(!sources.is_new(&alice, address(1), now, day));
        assert_eq!(
            sources.0.get(&alice).map(BTreeMap::len),
            Some(limits::SOURCES_KNOWN)
        );
    }
}
