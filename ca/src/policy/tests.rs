use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use config::Config;
use proptest::prelude::*;
use record::digest::Digest;
use record::request::Request;

use super::*;
use crate::desk::{Ask, Refused};
use crate::testing::{START, ask, config, config_text, public};

mod laws;

const PEOPLE: [&str; 10] = [
    "alice", "mallory", "bob", "carol", "dave", "erin", "frank", "grace", "guest", "nobody",
];
const ACCESS: [&str; 7] = [
    "admin@db1.prod",
    "postgres@db1.prod",
    "root@db1.prod",
    "root@db2.prod",
    "viewer@db1.prod",
    "postgres@db2.prod",
    "root@db9.prod",
];
const ROLES: [&str; 6] = [
    "db-oncall",
    "db-root",
    "db-both",
    "db-look",
    "db-status",
    "gone",
];
const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
const STATUS: &str = "systemctl status postgresql";

fn rules() -> &'static Config {
    static RULES: LazyLock<Config> =
        LazyLock::new(|| config(Path::new("/nowhere"), &config_text()));
    &RULES
}

prop_compose! {
    fn requests()(
        person in prop::sample::select(&PEOPLE[..]),
        access in prop::sample::select(&ACCESS[..]),
        role in prop::sample::select(&ROLES[..]),
        command in prop::sample::select(vec![None, Some(STATUS), Some("id")]),
        seconds in 10_u64..43_200,
        break_glass in any::<bool>(),
        own_key in prop::bool::weighted(0.9),
    ) -> Request {
        let key = if own_key { person } else { "stranger" };
        Request {
            id: "7F3K-9QMD".parse().unwrap(),
            person: person.parse().unwrap(),
            key: public(key).fingerprint(HashAlg::Sha256).to_string(),
            access: access.parse().unwrap(),
            role: role.parse().unwrap(),
            command: command.map(|text| text.parse().unwrap()),
            seconds,
            break_glass,
            reason: "because".parse().unwrap(),
            policy: Digest::of(b"policy"),
            asked: UnixTime::from_secs(START),
            expires: UnixTime::from_secs(START + 3600),
        }
    }
}

fn approvals() -> impl Strategy<Value = Vec<PersonName>> {
    let person = prop::sample::select(&PEOPLE[..]).prop_map(|name| name.parse().unwrap());
    prop::collection::vec(person, 0..8)
}

fn asking<'a>(
    config: &'a Config,
    request: &'a Request,
    approvals: &'a [PersonName],
    denied: Option<&'a PersonName>,
    now: UnixTime,
) -> Asking<'a> {
    static NOTHING: LazyLock<(History, Outside)> = LazyLock::new(Default::default);
    Asking {
        config,
        request,
        source: HOME,
        approvals,
        denied,
        history: &NOTHING.0,
        outside: &NOTHING.1,
        now,
    }
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::from_secs(START + seconds)
}

/// carol asks under the databases' role, and is of those who approve it.
fn of_carol(seconds: u64) -> Request {
    Request {
        id: "7F3K-9QMD".parse().unwrap(),
        person: "carol".parse().unwrap(),
        key: public("carol").fingerprint(HashAlg::Sha256).to_string(),
        access: "postgres@db1.prod".parse().unwrap(),
        role: "db-oncall".parse().unwrap(),
        command: None,
        seconds,
        break_glass: false,
        reason: "because".parse().unwrap(),
        policy: Digest::of(b"policy"),
        asked: UnixTime::from_secs(START),
        expires: UnixTime::from_secs(START + 3600),
    }
}

#[test]
fn promise_30_an_approver_who_asks_does_not_count_for_themselves() {
    let request = of_carol(600);
    let (carol, bob) = ("carol".parse().unwrap(), "bob".parse().unwrap());
    let alone = [carol];
    let decision = decide(&asking(rules(), &request, &alone, None, at(1)));
    assert!(matches!(decision, Decision::Needs(_)), "{decision:?}");
    let by = [alone[0].clone(), bob];
    let decision = decide(&asking(rules(), &request, &by, None, at(1)));
    let Decision::Granted { approved_by, .. } = decision else {
        panic!("{decision:?}");
    };
    assert_eq!(approved_by, by[1..]);
}

#[test]
fn promise_33_a_request_is_past_its_time_and_a_grant_is_no_longer_than_the_role_gives() {
    // The role gives half an hour; it gave more when this was asked.
    let request = of_carol(3000);
    let by = ["bob".parse().unwrap()];
    let at_once = |seconds| decide(&asking(rules(), &request, &by, None, at(seconds)));
    let Decision::Granted { until, .. } = at_once(3599) else {
        panic!("it is still open");
    };
    assert_eq!(until, at(3599 + 1800));
    assert_eq!(at_once(3600), Decision::Refused(Why::Expired));
}

#[test]
fn another_command_and_another_network_than_the_role_s_are_refused() {
    let request = Request {
        access: "postgres@db2.prod".parse().unwrap(),
        role: "db-status".parse().unwrap(),
        command: Some("id".parse().unwrap()),
        ..of_carol(600)
    };
    let decision = decide(&asking(rules(), &request, &[], None, at(1)));
    let other = Why::OtherCommand(request.role.clone());
    assert_eq!(decision, Decision::Refused(other));
    let role = "[role.db-status]\n";
    let text = config_text().replace(role, &format!("{role}sources = [\"198.51.100.0/24\"]\n"));
    let far = config(Path::new("/nowhere"), &text);
    let request = Request {
        command: Some(STATUS.parse().unwrap()),
        ..request
    };
    let decision = decide(&asking(&far, &request, &[], None, at(1)));
    let (role, address) = (request.role.clone(), HOME);
    assert_eq!(
        decision,
        Decision::Refused(Why::Elsewhere { role, address })
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whoever approves, the one who asks is never among those who count, nor anybody outside the group, nor one twice.
    #[test]
    fn promise_30_only_other_persons_of_the_group_count_each_once(request in requests(), by in approvals()) {
        let config = rules();
        if let Decision::Granted { approved_by, .. } = decide(&asking(config, &request, &by, None, at(1))) {
            let role = &config.roles[&request.role];
            let distinct: std::collections::BTreeSet<_> = approved_by.iter().collect();
            prop_assert_eq!(distinct.len(), approved_by.len());
            prop_assert!(!approved_by.contains(&request.person));
            let counts = role.quorums.iter().map(|quorum| quorum.count as usize);
            let all = if request.break_glass { 0 } else { counts.sum() };
            prop_assert_eq!(approved_by.len(), all, "one person for each place");
            for name in &approved_by {
                prop_assert!(by.contains(name));
            }
            for quorum in role.quorums.iter().filter(|_| !request.break_glass) {
                let able = |name: &&PersonName| config.persons[*name].groups.contains(&quorum.from);
                prop_assert!(approved_by.iter().filter(able).count() >= quorum.count as usize);
            }
        }
    }

    /// More approvals never turn a yes into anything else, and their order and number of times do not matter.
    #[test]
    fn approvals_only_ever_help(request in requests(), by in approvals(), more in approvals()) {
        let config = rules();
        let before = decide(&asking(config, &request, &by, None, at(1)));
        let all: Vec<_> = by.iter().chain(&more).cloned().collect();
        let after = decide(&asking(config, &request, &all, None, at(1)));
        if let Decision::Granted { until, .. } = before {
            let kept = matches!(after, Decision::Granted { until: later, .. } if later == until);
            prop_assert!(kept);
        }
        let mut turned: Vec<_> = all.iter().chain(&all).cloned().collect();
        turned.reverse();
        prop_assert_eq!(decide(&asking(config, &request, &turned, None, at(1))), after);
    }

    /// One no, and nothing is granted.
    #[test]
    fn a_denial_wins(request in requests(), by in approvals()) {
        let carol: PersonName = "carol".parse().unwrap();
        let decision = decide(&asking(rules(), &request, &by, Some(&carol), at(1)));
        prop_assert_eq!(decision, Decision::Refused(Why::Denied(carol)));
    }

    /// What is granted is within the role: its persons, its accesses, its command, its longest life, its break-glass.
    #[test]
    fn a_grant_is_never_wider_than_its_role(request in requests(), by in approvals(), after in 0_u64..4_000) {
        let config = rules();
        if let Decision::Granted { until, .. } = decide(&asking(config, &request, &by, None, at(after))) {
            let role = &config.roles[&request.role];
            prop_assert!(after < 3600, "past its expiry nothing is granted");
            prop_assert!(until.since(at(after)) <= role.longest);
            prop_assert!(until.since(at(after)) <= request.life());
            prop_assert!(role.covers(&request.access));
            prop_assert!(!role.groups.is_disjoint(&config.persons[&request.person].groups));
            prop_assert!(!request.break_glass || role.break_glass.is_some());
            let command = request.command.as_ref().map(Command::as_str);
            prop_assert!(role.command.is_none() || role.command.as_deref() == command);
            let keys = &config.persons[&request.person].keys;
            let own = keys.iter().any(|key| key.fingerprint(HashAlg::Sha256).to_string() == request.key);
            prop_assert!(own);
        }
    }

    /// A request waits only for persons who may still say yes, and enough of them.
    #[test]
    fn whoever_is_waited_for_can_help(request in requests(), by in approvals()) {
        let config = rules();
        let missing = |by: &[PersonName]| match decide(&asking(config, &request, by, None, at(1))) {
            Decision::Needs(needs) => needs.iter().map(Need::missing).sum(),
            _ => 0,
        };
        if let Decision::Needs(needs) = decide(&asking(config, &request, &by, None, at(1))) {
            let before = missing(&by);
            prop_assert!(before > 0);
            let mut all = by.clone();
            for need in &needs {
                prop_assert!(need.who.len() >= need.missing() as usize);
                prop_assert_eq!(need.who.is_empty(), need.missing() == 0);
                prop_assert!(!need.who.contains(&request.person));
                all.extend(need.who.iter().cloned());
            }
            let granted = matches!(decide(&asking(config, &request, &all, None, at(1))), Decision::Granted { .. });
            prop_assert!(granted);
            // Whoever is waited for helps by themselves, and nobody else does.
            for name in config.persons.keys() {
                let one: Vec<_> = by.iter().chain([name]).cloned().collect();
                let waited = needs.iter().any(|need| need.who.contains(name));
                prop_assert_eq!(missing(&one) < before, waited, "{}", name);
            }
        }
    }

    /// Whoever comes from outside a role's networks gets nothing of it, approved or not; inside, they change nothing.
    #[test]
    fn a_role_is_given_to_its_networks_only(
        request in requests(),
        by in approvals(),
        block in prop::sample::select(vec!["192.0.2.0/24", "192.0.2.7/32", "10.0.0.0/8", "2001:db8::/32", "0.0.0.0/0"]),
    ) {
        let mut config = rules().clone();
        let anywhere = decide(&asking(&config, &request, &by, None, at(1)));
        let block: config::cidr::Cidr = block.parse().unwrap();
        for role in config.roles.values_mut() {
            role.sources = vec![block];
        }
        let here = decide(&asking(&config, &request, &by, None, at(1)));
        let why = Why::Elsewhere { role: request.role.clone(), address: HOME };
        match anywhere {
            Decision::Refused(_) => prop_assert_eq!(here, anywhere),
            _ if block.contains(HOME) => prop_assert_eq!(here, anywhere),
            _ => prop_assert_eq!(here, Decision::Refused(why)),
        }
    }

    /// Whatever is asked, what comes out is within the role, and decides to something.
    #[test]
    fn an_ask_is_only_ever_narrowed(
        person in prop::sample::select(&PEOPLE[..]),
        access in prop::sample::select(&ACCESS[..]),
        seconds in prop::option::of(0_u64..100_000),
        command in prop::sample::select(vec![None, Some(STATUS), Some("id")]),
    ) {
        let config = rules();
        let ask = Ask {
            life: seconds.map(Duration::from_secs),
            command: command.map(|text| text.parse().unwrap()),
            ..ask(access)
        };
        if let Ok(shaped) = shape(config, &person.parse().unwrap(), HOME, &ask, at(0)) {
            let role = &config.roles[&shaped.role];
            prop_assert!(shaped.life <= role.longest);
            prop_assert!(seconds.is_none_or(|s| shaped.life <= Duration::from_secs(s)));
            prop_assert!(shaped.life >= limits::GRANT_SHORTEST);
            let given = shaped.command.as_ref().map(Command::as_str);
            let wanted = role.command.as_deref().or(command);
            prop_assert_eq!(given, wanted);
        }
    }
}

#[test]
fn several_roles_are_named_and_one_is_chosen_by_name() {
    let text = config_text().replace(
        "[role.db-status]",
        "[role.db-promote]\ngroups = [\"oncall\"]\nlogins = [\"postgres\"]\ntargets = [\"db1.prod\"]\n\
         command = \"pg_ctl promote\"\napprovals = { count = 0 }\n\n[role.db-status]",
    );
    let config = config(Path::new("/nowhere"), &text);
    let alice = "alice".parse().unwrap();
    let mut wanted = ask("postgres@db1.prod");
    let names = ["db-oncall", "db-promote"].map(|name| name.parse().unwrap());
    assert_eq!(
        shape(&config, &alice, HOME, &wanted, at(0)),
        Err(Refused::SeveralRoles(names.to_vec()))
    );
    wanted.role = Some("db-promote".parse().unwrap());
    let shaped = shape(&config, &alice, HOME, &wanted, at(0)).unwrap();
    assert_eq!(shaped.command.unwrap().as_str(), "pg_ctl promote");
}
