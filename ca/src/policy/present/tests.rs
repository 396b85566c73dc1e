use std::path::Path;

use config::Config;
use proptest::prelude::*;
use record::clock::UnixTime;
use record::request::Request;

use super::*;
use crate::policy::{Decision, History, Outside, decide};
use crate::testing::{START, config, config_text, request};

/// `db-oncall` needs one of sre who is on call, two of security, and the ticket check.
fn rules() -> Config {
    let text = config_text().replacen(
        "approvals = { count = 1, from = \"sre\" }",
        "approvals = [{ count = 1, from = \"sre\", on-call = \"primary\" }, { count = 1, from = \"security\" }, { check = \"ticket\" }]",
        1,
    );
    let more = "[on-call.primary]\ncalendar = \"oncall.ics\"\n[check.ticket]\ncommand = [\"/x\"]\nsecret-file = \"s\"\n";
    config(Path::new("/nowhere"), &format!("{text}{more}"))
}

fn names(names: &[&str]) -> Vec<PersonName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

/// On call when they approved, on call now, and whether the ticket check said yes.
fn outside(then: &[&str], now: &[&str], checked: bool) -> Outside {
    let roster = || -> RosterName { "primary".parse().unwrap() };
    let then = names(then).into_iter();
    let checked = checked.then(|| "ticket".parse().unwrap());
    Outside {
        on_call: [(roster(), names(now).into_iter().collect())].into(),
        were_on_call: then.map(|name| (name, [roster()].into())).collect(),
        checked: checked.into_iter().collect(),
    }
}

fn decided(by: &[&str], outside: &Outside) -> Decision {
    let (config, request, by) = (rules(), request(), names(by));
    decide(&asking(
        &config,
        &request,
        &by,
        outside,
        &History::default(),
    ))
}

fn asking<'a>(
    config: &'a Config,
    request: &'a Request,
    approvals: &'a [PersonName],
    outside: &'a Outside,
    history: &'a History,
) -> Asking<'a> {
    Asking {
        config,
        request,
        source: "192.0.2.7".parse().unwrap(),
        approvals,
        denied: None,
        history,
        outside,
        now: UnixTime::from_secs(START + 1),
    }
}

#[test]
fn only_who_was_and_is_on_call_counts() {
    let by = ["bob", "erin"];
    let granted = decided(&by, &outside(&["bob"], &["bob"], true));
    let Decision::Granted { approved_by, .. } = granted else {
        panic!("{granted:?}");
    };
    assert_eq!(approved_by, names(&["bob", "erin"]));
    for (then, now) in [
        (&["bob"][..], &["carol"][..]),
        (&[], &["bob"]),
        (&["bob"], &[]),
        (&["carol"], &["carol"]),
    ] {
        let waits = decided(&by, &outside(then, now, true));
        let Decision::Needs(needs) = waits else {
            panic!("{waits:?}");
        };
        assert_eq!(needs[0].missing(), 1, "{then:?} {now:?}");
        let others: Vec<_> = now.iter().filter(|name| **name != "bob").copied().collect();
        assert_eq!(needs[0].who, names(&others));
    }
    let words = |now: &[&str]| match decided(&[], &outside(&[], now, true)) {
        Decision::Needs(needs) => crate::desk::Need::all(&needs),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        words(&[]),
        "needs 1 of group sre on call (nobody is, by roster primary) and 1 of group security (erin or frank)"
    );
    assert_eq!(
        words(&["carol", "mallory"]),
        "needs 1 of group sre on call (carol, by roster primary) and 1 of group security (erin or frank)"
    );
}

#[test]
fn a_check_is_needed_beside_the_persons_and_never_instead_of_one() {
    let by = ["bob", "erin"];
    let silent = decided(&by, &outside(&["bob"], &["bob"], false));
    assert_eq!(silent, Decision::Unchecked(vec!["ticket".parse().unwrap()]));
    let alone = decided(&["bob"], &outside(&["bob"], &["bob"], true));
    assert!(matches!(alone, Decision::Needs(_)), "{alone:?}");
}

#[test]
fn who_is_not_on_call_is_told_who_is() {
    let (config, request, history) = (rules(), request(), History::default());
    let role = &config.roles["db-oncall"];
    let may = |name: &str, now: &[&str]| {
        let outside = outside(&[], now, false);
        let asking = asking(&config, &request, &[], &outside, &history);
        let name: PersonName = name.parse().unwrap();
        may_approve(role, &name, &config.persons[&name].groups, &asking)
    };
    assert_eq!(may("bob", &["bob"]), Ok(()));
    assert_eq!(may("erin", &[]), Ok(()), "security needs not be on call");
    let refused = may("bob", &["carol"]).unwrap_err().to_string();
    assert!(
        refused.contains("by roster primary that is carol"),
        "{refused}"
    );
    let refused = may("bob", &[]).unwrap_err().to_string();
    assert!(refused.contains("that is nobody"), "{refused}");
    assert!(matches!(
        may("guest", &["guest"]),
        Err(Refused::NotApprover(_))
    ));
}

proptest! {
    /// Whatever is unknown outside, nothing is granted by it that would not be granted if all were known to agree,
    /// and each missing fact alone withholds.
    #[test]
    fn less_from_outside_never_gives_more(
        by in prop::sample::subsequence(vec!["bob", "carol", "erin", "frank", "mallory"], 0..5),
        then in prop::sample::subsequence(vec!["bob", "carol", "mallory"], 0..3),
        now in prop::sample::subsequence(vec!["bob", "carol", "mallory"], 0..3),
        checked in any::<bool>(),
    ) {
        let given = |then: &[&str], now: &[&str], checked| matches!(decided(&by, &outside(then, now, checked)), Decision::Granted { .. });
        if given(&then, &now, checked) {
            prop_assert!(checked);
            prop_assert!(by.iter().any(|name| ["bob", "carol"].contains(name) && then.contains(name) && now.contains(name)));
            prop_assert!(!given(&then, &now, false) && !given(&[], &now, true) && !given(&then, &[], true));
            prop_assert!(given(&["bob", "carol", "mallory"], &["bob", "carol", "mallory"], true));
        }
    }
}
