//! What a bastion may offer somebody who names no target, and why it may not.

use super::*;
use crate::testing::public;
use record::api::reach::{Held, ReachAsk, Reachable, TakeAsk};
use record::fingerprint::Fingerprint;

/// What alice shows at the bastion.
fn held(issued: &Issued) -> Held {
    Held {
        certificate: issued.certificate.clone(),
        access: "postgres@db1.prod".parse().unwrap(),
        source: "192.0.2.7".parse().unwrap(),
    }
}

async fn reach(desk: &Desk, held: &Held) -> Result<Vec<Reachable>, Refused> {
    let ask = ReachAsk { held: held.clone() };
    Ok(desk.reach(&gate(), ask).await?.rows)
}

async fn take(desk: &Desk, held: &Held, request: &RequestId) -> Result<String, Refused> {
    let ask = TakeAsk {
        held: held.clone(),
        request: request.clone(),
    };
    Ok(desk.take(&gate(), ask).await?.certificate)
}

/// A grant of alice's whose certificate is in her hand.
async fn shown(desk: &Desk) -> (RequestId, Held) {
    let id = granted(desk).await;
    let held = held(&collected(desk, &id).await);
    (id, held)
}

/// Somebody's request that is granted at once, and collected if they do that.
async fn other(desk: &Desk, person: &str, key: &str, collects: bool) -> RequestId {
    let who = caller(person, key);
    let asked = desk.request(&who, ask("viewer@db1.prod")).await.unwrap();
    if collects {
        desk.collect(&who, &asked.id).await.unwrap();
    }
    asked.id
}

/// Neither listed nor taken, for the same reason.
async fn is_refused(desk: &Desk, held: &Held, id: &RequestId, why: &Refused) {
    assert_eq!(reach(desk, held).await.as_ref(), Err(why));
    assert_eq!(take(desk, held, id).await.as_ref(), Err(why));
}

#[tokio::test]
async fn what_is_listed_is_of_the_same_key_and_collected_and_can_be_taken() {
    let world = World::new();
    let desk = world.open();
    let (id, held) = shown(&desk).await;
    let more = other(&desk, "alice", "alice", true).await;
    let of_another_key = other(&desk, "alice", "alice2", true).await;
    let of_another = other(&desk, "mallory", "mallory", true).await;
    let uncollected = {
        let alice = caller("alice", "alice");
        let asked = desk.request(&alice, ask("postgres@db2.prod")).await;
        asked.unwrap().id
    };
    let rows = reach(&desk, &held).await.unwrap();
    let listed: Vec<_> = rows.iter().map(|row| (&row.request, row.shown)).collect();
    assert_eq!(listed, [(&id, true), (&more, false)]);
    assert_eq!(take(&desk, &held, &id).await.unwrap(), held.certificate);
    take(&desk, &held, &more).await.unwrap();
    for hidden in [of_another_key, of_another, uncollected] {
        let refused = take(&desk, &held, &hidden).await;
        assert_eq!(refused, Err(Refused::UnknownRequest(hidden)));
    }
}

#[tokio::test]
async fn a_bastion_that_nobody_knows_hears_nothing() {
    let world = World::new();
    let desk = world.open();
    let (_, held) = shown(&desk).await;
    let stranger = "stranger".parse().unwrap();
    let ask = ReachAsk { held: held.clone() };
    let refused = desk.reach(&stranger, ask.clone()).await.unwrap_err();
    assert!(matches!(refused, Refused::Because(_)), "{refused:?}");
}

#[tokio::test]
async fn what_was_shown_for_something_else_or_is_not_ours_lists_nothing() {
    let world = World::new();
    let desk = world.open();
    let (id, held) = shown(&desk).await;
    let other = Held {
        access: "root@db1.prod".parse().unwrap(),
        ..held.clone()
    };
    let why = Refused::OtherAccess {
        given: held.access.clone(),
        asked: other.access.clone(),
    };
    is_refused(&desk, &other, &id, &why).await;
    let foreign = World::new();
    let theirs = foreign.open();
    let (_, foreign) = shown(&theirs).await;
    let refused = reach(&desk, &foreign).await.unwrap_err();
    assert!(matches!(refused, Refused::Certificate(_)), "{refused:?}");
    let refused = take(&desk, &foreign, &id).await.unwrap_err();
    assert!(matches!(refused, Refused::Certificate(_)), "{refused:?}");
}

#[tokio::test]
async fn what_is_over_lists_nothing_and_is_not_listed() {
    let world = World::new();
    let desk = world.open();
    let (id, held) = shown(&desk).await;
    let more = other(&desk, "alice", "alice", true).await;
    let alice = caller("alice", "alice");
    desk.give_back(&alice, &more).await.unwrap();
    assert_eq!(reach(&desk, &held).await.unwrap().len(), 1);
    let refused = take(&desk, &held, &more).await;
    assert_eq!(refused, Err(Refused::UnknownRequest(more)));
    desk.give_back(&alice, &id).await.unwrap();
    let refused = reach(&desk, &held).await.unwrap_err();
    assert!(matches!(refused, Refused::Closed(_)), "{refused:?}");

    let (id, held) = shown(&desk).await;
    world.clock.pass(Duration::from_secs(31 * 60));
    let refused = take(&desk, &held, &id).await.unwrap_err();
    assert!(matches!(refused, Refused::Closed(_)), "{refused:?}");
}

#[tokio::test]
async fn a_role_for_other_networks_lists_nothing_here() {
    let mut world = World::new();
    let longest = "longest = \"30m\"\nsources = [\"192.0.2.0/24\"]";
    world.text = world.text.replacen("longest = \"30m\"", longest, 1);
    let desk = world.open();
    let (id, held) = shown(&desk).await;
    reach(&desk, &held).await.unwrap();
    let away = Held {
        source: "198.51.100.1".parse().unwrap(),
        ..held
    };
    let why = Refused::Elsewhere {
        role: "db-oncall".parse().unwrap(),
        sources: vec!["192.0.2.0/24".parse().unwrap()],
        address: away.source,
    };
    is_refused(&desk, &away, &id, &why).await;
}

#[tokio::test]
async fn what_the_configuration_or_somebody_has_taken_away_is_not_offered() {
    let mut world = World::new();
    let revokers = "[ca]\nrevokers = [\"sre\"]\n";
    world.text = world.text.replacen("[ca]\n", revokers, 1);
    let desk = world.open();
    let (id, held) = shown(&desk).await;
    let more = other(&desk, "alice", "alice", true).await;
    // The role of the one is gone; that of the certificate that was shown is not.
    let text = world
        .text
        .replace("logins = [\"viewer\"]", "logins = [\"reader\"]");
    desk.reload(config(world.path(), &text)).await.unwrap();
    assert_eq!(reach(&desk, &held).await.unwrap().len(), 1);
    let refused = take(&desk, &held, &more).await;
    assert_eq!(refused, Err(Refused::UnknownRequest(more)));
    // Her key is registered no more.
    let text = world.text.replace(&format!("\"{}\", ", line("alice")), "");
    desk.reload(config(world.path(), &text)).await.unwrap();
    let refused = reach(&desk, &held).await.unwrap_err();
    assert!(
        matches!(refused, Refused::PolicyChanged(_) | Refused::Key(_)),
        "{refused:?}"
    );
    desk.reload(config(world.path(), &world.text))
        .await
        .unwrap();
    reach(&desk, &held).await.unwrap();
    let key = Whom::Key(Fingerprint::of(&public("alice")));
    let bob = caller("bob", "bob");
    let reason = "lost laptop".parse().unwrap();
    desk.exclude(&bob, key, reason).await.unwrap();
    let refused = take(&desk, &held, &id).await.unwrap_err();
    assert!(matches!(refused, Refused::Closed(_)), "{refused:?}");
}
