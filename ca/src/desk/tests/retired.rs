//! What is over leaves the memory, and nothing else changes.

use super::*;
use crate::report::Scope;
use crate::warrant::Auditor;
use record::clock::UnixTime;
use record::review::{REVIEW_NAMESPACE, Verdict};
use std::collections::BTreeSet;

/// So long that every grant and request of before is over.
const LATER: Duration = Duration::from_secs(2 * 3600);

/// A grant with a session; whether the session has ended.
async fn lived(desk: &Desk, n: u8, ended: bool) -> (RequestId, String) {
    let id = granted(desk).await;
    let issued = collected(desk, &id).await;
    desk.open_session(&gate(), session_ask(n, &issued.certificate))
        .await
        .unwrap();
    if ended {
        desk.end_session(&gate(), end(n)).await.unwrap();
    }
    (id, issued.certificate)
}

fn end(n: u8) -> api::SessionEnd {
    api::SessionEnd {
        session: session(n),
        reason: "exit".to_owned(),
        root: Digest::of(b"root"),
        frames: 1,
    }
}

/// What the state holds of cases, sessions and certificates.
fn held(desk: &Desk) -> (usize, usize, usize) {
    let state = desk.hall.state();
    (
        state.cases.len(),
        state.sessions.len(),
        state.certificates.len(),
    )
}

fn folded(world: &World) -> State {
    let mut state = State::default();
    for line in world.lines() {
        state.apply(line).unwrap();
    }
    state
}

#[tokio::test]
async fn what_is_over_leaves_the_memory_and_can_be_looked_up() {
    let world = World::new();
    let alice = caller("alice", "alice");
    let desk = world.open();
    let (id, certificate) = lived(&desk, 1, true).await;
    let (returned, _) = lived(&desk, 2, true).await;
    desk.give_back(&alice, &returned).await.unwrap();
    let before = desk.show(&alice, &id).unwrap();
    assert_eq!(held(&desk), (2, 2, 4));
    world.clock.pass(LATER);
    asked(&desk).await;
    assert_eq!(held(&desk), (1, 0, 0));
    drop(desk);
    for _ in 0..2 {
        let desk = world.open();
        assert_eq!(held(&desk), (1, 0, 0));
        assert_eq!(*desk.hall.state(), folded(&world));
        let shown = desk.show(&alice, &id).unwrap();
        assert_eq!(shown.standing, Standing::Expired);
        assert_eq!(shown.sessions, before.sessions);
        assert_eq!(shown.certificates, before.certificates);
        assert_eq!(desk.standing(&returned), Some(Standing::Returned));
        let sessions = desk.sessions(&alice, &SessionFilter::default());
        assert_eq!(sessions.len(), 2);
        assert_eq!(desk.ended(0, 0).await.next, 1);
        // Nothing can happen to it any more.
        assert_eq!(
            desk.collect(&alice, &id).await,
            Err(Refused::Closed(Standing::Expired))
        );
        let again = desk
            .open_session(&gate(), session_ask(3, &certificate))
            .await;
        assert_eq!(again.err(), Some(Refused::Closed(Standing::Expired)));
        assert!(
            desk.end_session(&gate(), end(1)).await.is_ok(),
            "told twice"
        );
        drop(desk);
    }
}

#[tokio::test]
async fn a_clock_that_was_put_back_brings_nothing_back() {
    let world = World::new();
    let alice = caller("alice", "alice");
    let desk = world.open();
    let (id, certificate) = lived(&desk, 1, true).await;
    world.clock.pass(LATER);
    asked(&desk).await;
    world.clock.set_wall(crate::testing::START);
    assert_eq!(
        desk.collect(&alice, &id).await,
        Err(Refused::Closed(Standing::Expired))
    );
    // It is a certificate that this CA did give: no alarm, and no way in.
    let late = desk
        .open_session(&gate(), session_ask(3, &certificate))
        .await;
    assert_eq!(late.err(), Some(Refused::Closed(Standing::Expired)));
    // A step of the clock ends nothing that is asked after it.
    let (_, certificate) = lived(&desk, 4, true).await;
    let used = desk
        .open_session(&gate(), session_ask(1, &certificate))
        .await;
    assert_eq!(used.err(), Some(Refused::SessionUsed(session(1))));
    drop(desk);
    drop(world.open());
}

#[tokio::test]
async fn a_running_session_keeps_its_request() {
    let world = World::new();
    let desk = world.open();
    lived(&desk, 1, false).await;
    world.clock.pass(LATER);
    asked(&desk).await;
    assert_eq!(held(&desk), (2, 1, 0));
    desk.end_session(&gate(), end(1)).await.unwrap();
    asked(&desk).await;
    assert_eq!(held(&desk), (2, 0, 0));
    assert_eq!(*desk.hall.state(), folded(&world));
}

/// Alice takes postgres@db1.prod before anybody approves.
async fn broken_glass(desk: &Desk) -> (RequestId, String) {
    let mut glass = ask("postgres@db1.prod");
    glass.break_glass = true;
    let alice = caller("alice", "alice");
    let (asked, issued) = desk.obtain(&alice, glass).await.unwrap();
    (asked.id, issued.unwrap().certificate)
}

async fn reviewed(desk: &Desk, id: &RequestId) -> Result<bool, Refused> {
    let bob = caller("bob", "bob");
    let said = (Verdict::Accept, "looked at it".parse().unwrap());
    let text = desk.review_text(&bob, id, said.0, &said.1)?;
    let key = crate::testing::key("bob");
    let signature = sshsig::sign(&key, REVIEW_NAMESPACE, text.as_bytes()).unwrap();
    let debt = desk.review(&bob, id, said, &signature).await?;
    Ok(debt.paid)
}

#[tokio::test]
async fn what_is_owed_stays_until_it_is_paid() {
    let world = World::new();
    let alice = caller("alice", "alice");
    let desk = world.open();
    let (id, certificate) = broken_glass(&desk).await;
    desk.open_session(&gate(), session_ask(1, &certificate))
        .await
        .unwrap();
    desk.end_session(&gate(), end(1)).await.unwrap();
    world.clock.pass(LATER);
    asked(&desk).await;
    assert_eq!(held(&desk), (2, 1, 0));
    drop(desk);
    let desk = world.open();
    assert_eq!(desk.owed(&caller("bob", "bob")).len(), 1);
    // The review names the session and its recording, as it does at once.
    let text = desk.review_text(
        &caller("bob", "bob"),
        &id,
        Verdict::Accept,
        &"ok".parse().unwrap(),
    );
    assert!(text.unwrap().contains(&format!("session: {}", session(1))));
    assert_eq!(reviewed(&desk, &id).await, Ok(true));
    asked(&desk).await;
    assert_eq!(held(&desk), (2, 0, 0));
    assert_eq!(*desk.hall.state(), folded(&world));
    assert_eq!(desk.owed(&caller("bob", "bob")).len(), 0);
    assert_eq!(reviewed(&desk, &id).await, Err(Refused::AlreadyReviewed));
    let shown = desk.show(&alice, &id).unwrap();
    assert!(shown.debt.unwrap().paid);
}

#[tokio::test]
async fn promise_28_what_is_over_is_never_taken_again() {
    let world = World::new();
    let alice = caller("alice", "alice");
    let desk = world.open();
    let waiting = asked(&desk).await;
    let text = desk.text(&alice, &waiting).unwrap();
    let signature = approval("bob", &text);
    let (id, certificate) = lived(&desk, 1, true).await;
    world.clock.pass(LATER);
    asked(&desk).await;
    drop(desk);
    let desk = world.open();
    assert_eq!(held(&desk), (1, 0, 0));
    let expired = Refused::Closed(Standing::Expired);
    let late = desk
        .approve(&caller("bob", "bob"), &waiting, &signature)
        .await;
    assert_eq!(late, Err(expired.clone()));
    for gone in [&waiting, &id] {
        assert_eq!(
            desk.collect(&alice, gone).await.err(),
            Some(expired.clone())
        );
    }
    let used = desk
        .open_session(&gate(), session_ask(2, &certificate))
        .await;
    assert_eq!(used.err(), Some(expired));
    // Another grant's certificate does not bring an old session's name back, and its serial is a new one.
    let next = granted(&desk).await;
    let issued = collected(&desk, &next).await;
    assert_eq!(issued.serial, 3);
    let again = desk
        .open_session(&gate(), session_ask(1, &issued.certificate))
        .await;
    assert_eq!(again.err(), Some(Refused::SessionUsed(session(1))));
    let strays = world.lines();
    let mut strays = strays.iter().map(|line| &line.entry);
    assert!(!strays.any(|entry| matches!(entry, Entry::Stray { .. })));
}

#[tokio::test]
async fn until_its_end_a_grant_gives_the_same_certificate() {
    let world = World::new();
    let desk = world.open();
    let id = granted(&desk).await;
    let first = collected(&desk, &id).await;
    // A minute before the grant's end, with lines and a start in between.
    let left = first.until.since(world.clock.wall());
    world
        .clock
        .pass(left.saturating_sub(Duration::from_secs(60)));
    asked(&desk).await;
    assert_eq!(collected(&desk, &id).await, first);
    drop(desk);
    let desk = world.open();
    assert_eq!(collected(&desk, &id).await, first);
    assert_eq!(held(&desk), (2, 0, 1));
}

#[tokio::test]
async fn a_door_is_known_until_its_certificate_expires() {
    let mut world = World::new();
    world.text = world
        .text
        .replacen("[ca]\n", "[ca]\nrevokers = [\"sre\"]\n", 1);
    let desk = world.open();
    let ask = api::DoorAsk {
        door: api::Door::Own,
        key: line("fresh"),
    };
    desk.door(&gate(), ask).await.unwrap();
    world.clock.pass(LATER);
    asked(&desk).await;
    assert_eq!(held(&desk), (1, 0, 1));
    let before = desk.host_krl().unwrap().len();
    let whom = Whom::Bastion(gate());
    let because = "stolen".parse().unwrap();
    desk.exclude(&caller("bob", "bob"), whom, because)
        .await
        .unwrap();
    assert!(desk.host_krl().unwrap().len() > before, "it is refused");
    world.clock.pass(limits::DOOR_CERT_LIFE);
    asked(&desk).await;
    assert_eq!(held(&desk), (1, 0, 0));
}

#[tokio::test]
async fn whoever_was_here_long_ago_can_still_be_shut_out() {
    let mut world = World::new();
    world.text = world
        .text
        .replacen("[ca]\n", "[ca]\nrevokers = [\"sre\"]\n", 1);
    let desk = world.open();
    lived(&desk, 1, true).await;
    drop(desk);
    world.clock.pass(LATER);
    let (start, rest) = world.text.split_once("[person.alice]").unwrap();
    let (_, end) = rest.split_once("[person.mallory]").unwrap();
    world.text = format!("{start}[person.mallory]{end}");
    let desk = world.open();
    assert_eq!(held(&desk), (0, 0, 0));
    let bob = caller("bob", "bob");
    let because = || "left in anger".parse().unwrap();
    let nobody = Whom::Person("alize".parse().unwrap());
    assert_eq!(
        desk.exclude(&bob, nobody.clone(), because()).await,
        Err(Refused::UnknownWhom(nobody))
    );
    for whom in [
        Whom::Person("alice".parse().unwrap()),
        Whom::Key(record::fingerprint::Fingerprint::of(
            &crate::testing::public("alice"),
        )),
    ] {
        assert_eq!(desk.exclude(&bob, whom, because()).await, Ok(0));
    }
}

#[tokio::test]
async fn reports_and_audits_read_all_of_it() {
    let mut world = World::new();
    world.text += "[report]\nauditors = [\"sre\"]\n";
    let desk = world.open();
    let began = world.clock.wall();
    let mut ids = BTreeSet::new();
    for n in 1..4 {
        ids.insert(lived(&desk, n, true).await.0);
        world.clock.pass(LATER);
    }
    asked(&desk).await;
    drop(desk);
    let desk = world.open();
    assert_eq!(held(&desk), (1, 0, 0));
    let scope = |until: UnixTime| Scope {
        since: began,
        until,
        person: None,
        role: None,
        target: None,
    };
    let now = world.clock.wall().after(Duration::from_secs(1));
    let bob = caller("bob", "bob");
    let report = desk.report(&bob, scope(now)).await.unwrap();
    let used = report.requests.iter().filter(|row| row.sessions == 1);
    let used: BTreeSet<_> = used.map(|row| row.request.clone()).collect();
    assert_eq!(used, ids);
    let mut auditor = Auditor::default();
    for line in world.lines() {
        auditor.take(line).unwrap();
    }
}
