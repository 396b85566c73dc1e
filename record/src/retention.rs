//! How long recordings are kept: which of a bastion's are kept no longer.
//!
//! A bastion knows how large its recordings are, and the CA everything else: whose they are, since when their sessions are
//! over, and whether somebody holds them. So the bastion proposes, and the CA decides and writes it down before
//! anything is removed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use config::duration;
use config::words::{RoleName, SessionId};
use serde::{Deserialize, Serialize};

use crate::api::retention::Kept;

/// By which rule a recording was removed, as it was then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The session had been over for longer than so many seconds.
    Age(u64),
    /// Its bastion held more than so many bytes of its role's recordings, and this was the oldest that might go.
    Size(u64),
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Age(seconds) => {
                let age = duration::show(Duration::from_secs(*seconds));
                write!(f, "its role's recordings are kept for {age}")
            }
            Self::Size(bytes) => {
                write!(f, "its role's recordings are kept up to {bytes} bytes")
            }
        }
    }
}

/// The recordings that are kept no longer, the oldest first, each with the rule. `stored`: what the CA said of each, and
/// its bytes.
pub fn due(stored: &[(Kept, u64)]) -> Vec<(SessionId, Rule)> {
    let mut roles: BTreeMap<&RoleName, Vec<&(Kept, u64)>> = BTreeMap::new();
    for one in stored {
        roles.entry(&one.0.role).or_default().push(one);
    }
    let mut due: Vec<(SessionId, Rule)> = Vec::new();
    for (_, mut all) in roles {
        // Identifiers are in the order of time.
        all.sort_by(|(a, _), (b, _)| a.session.cmp(&b.session));
        let mut total: u64 = all.iter().map(|(_, bytes)| bytes).sum();
        for (kept, bytes) in all {
            let old = kept.retention.age.map(|age| age.as_secs());
            let old = old.filter(|age| kept.over_s >= *age).map(Rule::Age);
            let large = kept.retention.size.filter(|most| total > *most);
            if let (Some(rule), false) = (old.or(large.map(Rule::Size)), kept.stays) {
                due.push((kept.session.clone(), rule));
                total -= bytes;
            }
        }
    }
    due.sort_by(|(a, _), (b, _)| a.cmp(b));
    due
}

#[cfg(test)]
mod tests {
    use config::retention::Retention;

    use super::*;

    const GIB: u64 = 1 << 30;

    fn kept(n: u64, role: &str, over_s: u64, retention: Retention) -> Kept {
        Kept {
            session: SessionId::from_parts(n, [0; 10]),
            role: role.parse().unwrap(),
            retention,
            over_s,
            stays: false,
        }
    }

    fn id(n: u64) -> SessionId {
        SessionId::from_parts(n, [0; 10])
    }

    #[test]
    fn a_recording_goes_at_its_age_and_not_a_second_before() {
        let days = Retention {
            age: Some(Duration::from_secs(100)),
            size: None,
        };
        let stored = [
            (kept(1, "a", 101, days), 5),
            (kept(2, "a", 100, days), 5),
            (kept(3, "a", 99, days), 5),
            (kept(4, "b", 9_999, Retention::default()), 5),
        ];
        let rule = Rule::Age(100);
        assert_eq!(due(&stored), [(id(1), rule), (id(2), rule)]);
        assert_eq!(rule.to_string(), "its role's recordings are kept for 1m40s");
    }

    #[test]
    fn the_oldest_go_until_the_rest_fits_and_what_stays_counts() {
        let small = Retention {
            age: None,
            size: Some(2 * GIB),
        };
        let mut stored: Vec<(Kept, u64)> = (1..=4)
            .rev()
            .map(|n| (kept(n, "a", 10, small), GIB))
            .collect();
        stored.push((kept(9, "b", 10, small), 2 * GIB));
        let rule = Rule::Size(2 * GIB);
        assert_eq!(due(&stored), [(id(1), rule), (id(2), rule)]);
        for (kept, _) in &mut stored {
            kept.stays = kept.session == id(1);
        }
        assert_eq!(due(&stored), [(id(2), rule), (id(3), rule)]);
        for (kept, _) in &mut stored {
            kept.stays = true;
        }
        assert_eq!(due(&stored), []);
    }
}
