//! On which terms somebody may take first what is approved afterwards, and what an unpaid debt withholds.

use config::rules::{BreakGlass, Role};
use record::sshsig::on_token;

use super::{Asking, Decision, Why};
use crate::glass::next_free;

/// Whether an overdue review keeps the person from this request. It keeps nobody from an emergency, unless the role
/// under which the debt was made says so.
pub(super) fn owes_nothing(asking: &Asking) -> Result<(), Why> {
    let request = asking.request;
    let due = asking.history.owed.iter().find(|(id, owed)| {
        let blocks = if request.break_glass {
            owed.blocks_break_glass
        } else {
            owed.blocks
        };
        **id != request.id && blocks && asking.now >= owed.until
    });
    match due {
        Some((id, owed)) => Err(Why::Owes {
            person: request.person.clone(),
            request: id.clone(),
            from: owed.from.clone(),
        }),
        None => Ok(()),
    }
}

/// Decides a request for break-glass, which the role gives on these terms; none if nothing is missing. No program,
/// approver or identity provider is asked.
pub(super) fn decide(terms: &BreakGlass, asking: &Asking) -> Option<Decision> {
    let request = asking.request;
    if let Some(per_week) = terms.per_week
        && let Some(free) = next_free(&asking.history.broken, per_week)
    {
        return Some(Decision::Refused(Why::Quota {
            person: request.person.clone(),
            role: request.role.clone(),
            per_week,
            free,
        }));
    }
    (terms.verify && !asking.history.proven).then_some(Decision::Unproven)
}

/// Whether somebody with these keys could ever prove what the role wants proven.
pub(super) fn could_prove(role: &Role, keys: &[ssh_key::PublicKey]) -> bool {
    let verify = role.break_glass.as_ref().is_some_and(|terms| terms.verify);
    !verify || keys.iter().any(on_token)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use config::Config;
    use proptest::prelude::*;
    use record::clock::UnixTime;
    use record::request::Request;

    use super::super::{History, Outside, Owed, decide};
    use super::*;
    use crate::testing::{self, START, config, config_text};

    fn rules(terms: &str) -> Config {
        let plain = "break-glass = true";
        let text = config_text();
        assert!(text.contains(plain));
        config(
            Path::new("/nowhere"),
            &text.replacen(plain, &format!("break-glass = {terms}"), 1),
        )
    }

    fn request(break_glass: bool) -> Request {
        Request {
            break_glass,
            asked: at(0),
            expires: at(3600),
            ..testing::request()
        }
    }

    fn at(seconds: u64) -> UnixTime {
        UnixTime::from_secs(START + 1_000_000 + seconds)
    }

    fn decided(terms: &str, break_glass: bool, history: &History) -> Decision {
        let (config, request) = (rules(terms), request(break_glass));
        let approvals = ["bob".parse().unwrap()];
        decide(&Asking {
            config: &config,
            request: &request,
            source: "192.0.2.7".parse().unwrap(),
            approvals: &approvals,
            denied: None,
            history,
            outside: &Outside::default(),
            now: at(0),
        })
    }

    fn granted(decision: &Decision) -> bool {
        matches!(decision, Decision::Granted { .. })
    }

    fn broken(ago: &[u64]) -> History {
        let times = ago
            .iter()
            .map(|ago| at(0).before(Duration::from_secs(*ago)));
        History {
            broken: times.collect(),
            ..History::default()
        }
    }

    fn owing(until: UnixTime, blocks: bool, blocks_break_glass: bool) -> History {
        let owed = Owed {
            until,
            from: vec!["sre".parse().unwrap()],
            blocks,
            blocks_break_glass,
        };
        History {
            owed: [("MMMM-MMMM".parse().unwrap(), owed)].into(),
            ..History::default()
        }
    }

    #[test]
    fn a_quota_refuses_with_the_time_of_the_next() {
        let two = broken(&[500_000, 3_600]);
        let decision = decided("{ per-week = 2 }", true, &two);
        let Decision::Refused(Why::Quota { free, .. }) = decision else {
            panic!("{decision:?}");
        };
        assert_eq!(free, at(604_800 - 500_000));
        assert!(granted(&decided("{ per-week = 3 }", true, &two)));
        assert!(granted(&decided("true", true, &two)), "as often as need be");
        assert!(
            granted(&decided("{ per-week = 2 }", false, &two)),
            "approved ones are not counted"
        );
    }

    #[test]
    fn what_has_to_be_proven_is_proven() {
        let terms = "{ verify = true }";
        assert_eq!(
            decided(terms, true, &History::default()),
            Decision::Unproven
        );
        let proven = History {
            proven: true,
            ..History::default()
        };
        assert!(granted(&decided(terms, true, &proven)));
        assert!(granted(&decided(terms, false, &History::default())));
    }

    #[test]
    fn an_overdue_debt_blocks_what_it_says() {
        let terms = "true";
        for (blocks, everything) in [(false, false), (true, false), (true, true)] {
            let due = owing(at(0), blocks, everything);
            assert_eq!(granted(&decided(terms, false, &due)), !blocks);
            assert_eq!(granted(&decided(terms, true, &due)), !everything);
            let in_time = owing(at(1), blocks, everything);
            assert!(granted(&decided(terms, false, &in_time)));
            assert!(granted(&decided(terms, true, &in_time)));
        }
    }

    proptest! {
        /// More history never opens what less history closed: quotas and debts only withhold, and only a proof helps.
        #[test]
        fn history_only_withholds(ago in prop::collection::vec(0_u64..604_800, 0..4), more in 0_u64..604_800, glass: bool, proven: bool) {
            let mut ago = ago;
            ago.sort_unstable_by(|a, b| b.cmp(a));
            let less = History { proven, ..broken(&ago) };
            ago.push(more);
            ago.sort_unstable_by(|a, b| b.cmp(a));
            let greater = History { proven, ..broken(&ago) };
            let terms = "{ verify = true, per-week = 2 }";
            if granted(&decided(terms, glass, &greater)) {
                prop_assert!(granted(&decided(terms, glass, &less)));
            }
        }
    }
}
