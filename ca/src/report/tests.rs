use std::path::Path;
use std::time::Duration;

use record::digest::Digest;

use super::*;
use crate::testing::{START, config, config_text};

const KEY: &str = "SHA256:uNiVztksCsDhcc0u9e8BrrOX9gGr1EYgHqRCDMRqVVs";

fn at(hours: u64) -> UnixTime {
    UnixTime::from_secs(START).after(Duration::from_secs(hours * 3600))
}

fn asks(id: &str, person: &str, role: &str, access: &str, break_glass: bool) -> Entry {
    let request = Request {
        id: id.parse().unwrap(),
        person: person.parse().unwrap(),
        key: KEY.to_owned(),
        access: access.parse().unwrap(),
        role: role.parse().unwrap(),
        command: None,
        seconds: 900,
        break_glass,
        reason: "because".parse().unwrap(),
        policy: Digest::of(b"policy"),
        asked: at(0),
        expires: at(1),
    };
    Entry::Request {
        text: request.text(),
        source: "192.0.2.7".parse().unwrap(),
    }
}

fn grant(id: &str, until: UnixTime) -> Entry {
    Entry::Grant {
        request: id.parse().unwrap(),
        digest: Digest::of(b"text"),
        until,
        approved_by: Vec::new(),
        on_call: BTreeMap::new(),
        policy: Digest::of(b"policy"),
    }
}

fn session(id: &str, n: u8) -> Entry {
    Entry::SessionBegin {
        session: SessionId::from_parts(START, [n; 10]),
        request: id.parse().unwrap(),
        person: "alice".parse().unwrap(),
        access: "postgres@db1.prod".parse().unwrap(),
        bastion: "gate".parse().unwrap(),
        source: "192.0.2.7".parse().unwrap(),
    }
}

fn scope() -> Scope {
    Scope {
        since: at(0),
        until: at(100),
        person: None,
        role: None,
        target: None,
    }
}

fn report(scope: Scope, now: UnixTime, entries: Vec<(u64, Entry)>) -> Report {
    let rules = config(Path::new("/nowhere"), &config_text());
    let mut reader = Reader::new(scope);
    for (hours, entry) in entries {
        reader.take(Line::new(at(hours), entry));
    }
    reader.close(&rules, now)
}

fn story() -> Vec<(u64, Entry)> {
    let debt = Entry::Debt {
        request: "BBBB-BBBB".parse().unwrap(),
        count: 1,
        from: vec!["sre".parse().unwrap()],
        until: at(20),
        blocks: false,
        blocks_break_glass: false,
    };
    vec![
        (
            1,
            asks(
                "AAAA-AAAA",
                "alice",
                "db-oncall",
                "postgres@db1.prod",
                false,
            ),
        ),
        (1, grant("AAAA-AAAA", at(2))),
        (1, session("AAAA-AAAA", 1)),
        (2, session("AAAA-AAAA", 2)),
        (
            3,
            asks("BBBB-BBBB", "alice", "db-oncall", "postgres@db1.prod", true),
        ),
        (3, grant("BBBB-BBBB", at(4))),
        (3, debt),
        (
            5,
            asks("CCCC-CCCC", "mallory", "db-root", "root@db2.prod", false),
        ),
        (
            200,
            asks("DDDD-DDDD", "mallory", "db-root", "root@db2.prod", false),
        ),
    ]
}

fn row<'a>(report: &'a Report, person: &str, role: &str) -> &'a Row {
    let mut rows = report.rows.iter();
    rows.find(|row| row.person.as_str() == person && row.role.as_str() == role)
        .unwrap()
}

#[test]
fn who_asked_got_used_and_never_used_what() {
    let report = report(scope(), at(10), story());
    let alice = row(&report, "alice", "db-oncall");
    assert_eq!(
        (alice.asked, alice.granted, alice.used, alice.sessions),
        (2, 2, 1, 2)
    );
    assert_eq!((alice.break_glass, alice.owed, alice.overdue), (1, 1, 0));
    assert_eq!(alice.last_used, Some(at(2)));
    let mallory = row(&report, "mallory", "db-root");
    assert_eq!(
        (mallory.asked, mallory.granted, mallory.not_granted),
        (1, 0, 1)
    );
    let never = row(&report, "carol", "db-oncall");
    assert!(never.held && never.asked == 0 && never.last_used.is_none());
    let unused: Vec<&str> = report.unused_roles.iter().map(RoleName::as_str).collect();
    assert_eq!(unused, ["db-both", "db-look", "db-root", "db-status"]);
    assert_eq!(report.requests.len(), 3, "the last one is past the period");
}

#[test]
fn a_debt_is_overdue_until_it_is_paid() {
    let unpaid = report(scope(), at(20), story());
    assert_eq!(row(&unpaid, "alice", "db-oncall").overdue, 1);
    let review = Review::of(
        ("BBBB-BBBB".parse().unwrap(), Digest::of(b"request")),
        "bob".parse().unwrap(),
        (Verdict::Accept, "fine".parse().unwrap()),
        Vec::new(),
    );
    let paid = Entry::Review {
        text: review.text(),
        signature: String::new(),
    };
    let mut entries = story();
    entries.push((21, paid));
    let paid = report(scope(), at(22), entries);
    assert_eq!(row(&paid, "alice", "db-oncall").owed, 0);
    assert!(paid.requests[1].reviewed);
}

#[test]
fn a_scope_leaves_out_what_is_not_meant() {
    let of = |scope| report(scope, at(10), story());
    let alice = of(Scope {
        person: Some("alice".parse().unwrap()),
        ..scope()
    });
    assert!(alice.rows.iter().all(|row| row.person.as_str() == "alice"));
    assert_eq!(alice.requests.len(), 2);
    let db2 = of(Scope {
        target: Some("db2.prod".parse().unwrap()),
        ..scope()
    });
    assert_eq!(db2.requests.len(), 1);
    assert!(
        !db2.unused_roles
            .iter()
            .any(|role| role.as_str() == "db-both"),
        "it does not reach db2"
    );
    let late = of(Scope {
        since: at(4),
        ..scope()
    });
    assert_eq!(late.requests.len(), 1);
    let root = of(Scope {
        role: Some("db-root".parse().unwrap()),
        ..scope()
    });
    assert!(root.rows.iter().all(|row| row.role.as_str() == "db-root"));
}
