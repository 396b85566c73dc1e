use super::*;
use record::api::retention::{ExpireAsk, Kept, KeptAsk};
use record::api::review::{ListAsk, ReadAsk, Shown};
use record::reading::Reading;
use record::retention::Rule;

const KEEPER: &str = r#"
[role.keeper]
review = true
hold = true
erase = true
groups = ["sre"]
logins = ["postgres"]
targets = ["db1.prod"]
approvals = { count = 0 }
"#;

const DAY: u64 = 86_400;

/// A world whose sessions are kept for thirty days, and one session of it that has begun.
async fn kept_for_days() -> (World, Arc<Desk>) {
    let mut world = World::new();
    let retention = "retention = \"30d\"\nlongest = \"30m\"";
    world.text = world.text.replacen("longest = \"30m\"", retention, 1) + KEEPER;
    let desk = world.open();
    let id = granted(&desk).await;
    let issued = collected(&desk, &id).await;
    let ask = session_ask(1, &issued.certificate);
    desk.open_session(&gate(), ask).await.unwrap();
    (world, desk)
}

async fn ends(desk: &Desk) {
    let end = api::SessionEnd {
        session: session(1),
        reason: "exit".to_owned(),
        root: Digest::of(b"root"),
        frames: 3,
    };
    desk.end_session(&gate(), end).await.unwrap();
}

async fn kept(desk: &Desk, bastion: &str) -> Vec<Kept> {
    let sessions = vec![session(1), session(9)];
    let bastion = bastion.parse().unwrap();
    let given = desk.kept(&bastion, KeptAsk { sessions }).await;
    given.unwrap().kept
}

async fn expire(desk: &Desk, bastion: &str, rule: Rule) -> Result<api::Done, Refused> {
    let session = session(1);
    let ask = ExpireAsk { session, rule };
    desk.expire(&bastion.parse().unwrap(), ask).await
}

/// What bob shows who reviews at the bastion.
async fn shown(desk: &Desk) -> Shown {
    let bob = caller("bob", "bob");
    let asked = desk.request(&bob, ask("review@gate")).await.unwrap();
    let issued = desk.collect(&bob, &asked.id).await.unwrap();
    Shown {
        certificate: issued.certificate,
        access: "review@gate".parse().unwrap(),
        source: "192.0.2.7".parse().unwrap(),
    }
}

fn read_ask(shown: &Shown, reading: Reading) -> ReadAsk {
    ReadAsk {
        shown: shown.clone(),
        session: session(1),
        reading,
    }
}

async fn reads(desk: &Desk, shown: &Shown, reading: Reading) -> Result<(), Refused> {
    let ask = read_ask(shown, reading);
    desk.read_for_review(&gate(), ask).await.map(drop)
}

#[tokio::test]
async fn whether_something_might_be_read_is_decided_alike_and_is_no_entry() {
    let (world, desk) = kept_for_days().await;
    let bob = shown(&desk).await;
    let may = async |reading| desk.may_review(&gate(), read_ask(&bob, reading)).await;
    let before = world.lines().len();
    let runs = may(Reading::Erase(why())).await;
    assert_eq!(
        runs,
        Err(reads(&desk, &bob, Reading::Erase(why())).await.unwrap_err())
    );
    ends(&desk).await;
    assert_eq!(may(Reading::Erase(why())).await, Ok(api::Done {}));
    assert_eq!(world.lines().len(), before + 1, "its end alone");
    reads(&desk, &bob, Reading::Hold(why())).await.unwrap();
    let held = reads(&desk, &bob, Reading::Erase(why())).await;
    assert_eq!(may(Reading::Erase(why())).await, Err(held.unwrap_err()));
}

fn why() -> Reason {
    "case 12".parse().unwrap()
}

#[tokio::test]
async fn nothing_is_removed_before_its_time() {
    let (world, desk) = kept_for_days().await;
    let month = Rule::Age(30 * DAY);
    assert_eq!(kept(&desk, "gate").await, [], "it runs");
    let unknown = Err(Refused::UnknownSession(session(1)));
    assert_eq!(expire(&desk, "gate", month).await, unknown);
    ends(&desk).await;
    assert_eq!(kept(&desk, "other").await, [], "it is another bastion's");
    assert_eq!(expire(&desk, "other", month).await, unknown);
    let still = Err(Refused::Because("the recording's role keeps it still"));
    world.clock.pass(Duration::from_secs(30 * DAY - 1));
    assert_eq!(kept(&desk, "gate").await[0].over_s, 30 * DAY - 1);
    assert_eq!(expire(&desk, "gate", month).await, still);
    world.clock.pass(Duration::from_secs(1));
    for other in [Rule::Age(DAY), Rule::Age(31 * DAY), Rule::Size(1)] {
        assert_eq!(expire(&desk, "gate", other).await, still, "{other:?}");
    }
    let before = world.lines().len();
    expire(&desk, "gate", month).await.unwrap();
    let lines = world.lines();
    assert_eq!(lines.len(), before + 1);
    assert_eq!(
        lines.last().unwrap().entry,
        Entry::Expiry {
            session: session(1),
            bastion: gate(),
            role: "db-oncall".parse().unwrap(),
            rule: month,
        }
    );
    drop(desk);
    let desk = world.open();
    let many = KeptAsk {
        sessions: vec![session(1); config::limits::KEPT_ASKED + 1],
    };
    let many = desk.kept(&gate(), many).await;
    let words = "these are more recordings than are asked of at once";
    assert_eq!(many, Err(Refused::Because(words)));
}

#[tokio::test]
async fn what_is_held_stays_until_somebody_else_lifts_it() {
    let (world, desk) = kept_for_days().await;
    ends(&desk).await;
    let bob = shown(&desk).await;
    reads(&desk, &bob, Reading::Hold(why())).await.unwrap();
    let twice = reads(&desk, &bob, Reading::Hold(why())).await;
    assert_eq!(
        twice,
        Err(Refused::Because("the recording is held already"))
    );
    let erased = reads(&desk, &bob, Reading::Erase(why())).await;
    assert!(
        matches!(erased, Err(Refused::Because(why)) if why.starts_with("the recording is held:")),
        "{erased:?}"
    );
    let list = ListAsk {
        session: None,
        shown: bob,
        person: None,
        target: None,
        live: false,
    };
    let listed = desk.list_for_review(&gate(), list).await.unwrap();
    assert!(listed.sessions[0].held);
    world.clock.pass(Duration::from_secs(40 * DAY));
    let month = Rule::Age(30 * DAY);
    let stays = Err(Refused::Because(
        "the recording is held, or its review is owed: it stays",
    ));
    assert!(kept(&desk, "gate").await[0].stays);
    assert_eq!(expire(&desk, "gate", month).await, stays);
    drop(desk);
    let desk = world.open();
    assert_eq!(expire(&desk, "gate", month).await, stays, "after a restart");
    let bob = shown(&desk).await;
    reads(&desk, &bob, Reading::Release(why())).await.unwrap();
    let none = reads(&desk, &bob, Reading::Release(why())).await;
    assert_eq!(none, Err(Refused::Because("nobody holds the recording")));
    expire(&desk, "gate", month).await.unwrap();
}

#[tokio::test]
async fn a_role_without_hold_holds_nothing() {
    let (mut world, desk) = kept_for_days().await;
    ends(&desk).await;
    drop(desk);
    world.text = world.text.replace("hold = true\n", "");
    let desk = world.open();
    let bob = shown(&desk).await;
    for reading in [Reading::Hold(why()), Reading::Release(why())] {
        let refused = reads(&desk, &bob, reading).await;
        assert!(
            matches!(refused, Err(Refused::Because(why)) if why.contains("that takes one with hold = true")),
            "{refused:?}"
        );
    }
}
