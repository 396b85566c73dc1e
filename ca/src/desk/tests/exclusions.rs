//! Who is shut out gets nothing, and what they had ends.

use super::*;
use crate::testing::public;
use record::fingerprint::Fingerprint;

fn world() -> World {
    let mut world = World::new();
    world.text = world
        .text
        .replacen("[ca]\n", "[ca]\nrevokers = [\"sre\"]\n", 1);
    world
}

fn because() -> Reason {
    "lost laptop".parse().unwrap()
}

fn person(name: &str) -> Whom {
    Whom::Person(name.parse().unwrap())
}

fn key_of(name: &str) -> Whom {
    Whom::Key(Fingerprint::of(&public(name)))
}

fn from_here() -> IpAddr {
    "192.0.2.7".parse().unwrap()
}

#[tokio::test]
async fn promise_32_a_person_a_key_or_a_target_that_is_shut_out_loses_its_grants() {
    for whom in [
        person("alice"),
        key_of("alice"),
        Whom::Target("db1.prod".parse().unwrap()),
    ] {
        let world = world();
        let desk = world.open();
        let id = granted(&desk).await;
        let issued = collected(&desk, &id).await;
        desk.open_session(&gate(), session_ask(1, &issued.certificate))
            .await
            .unwrap();
        let waiting = asked(&desk).await;
        let bob = caller("bob", "bob");
        let ended = desk.exclude(&bob, whom.clone(), because()).await;
        assert_eq!(ended, Ok(1), "{whom}");
        let told = desk.ended(0, desk.trust().keys).await.requests;
        assert_eq!(told, std::slice::from_ref(&id), "{whom}");
        let again = desk
            .open_session(&gate(), session_ask(2, &issued.certificate))
            .await;
        assert!(
            matches!(again, Err(Refused::Closed(Standing::Revoked { .. }))),
            "{again:?}"
        );
        let closed = desk.standing(&waiting);
        assert!(
            matches!(closed, Some(Standing::Denied { .. })),
            "{closed:?}"
        );
        let next = desk
            .request(&caller("alice", "alice"), ask("postgres@db1.prod"))
            .await;
        assert!(matches!(next, Err(Refused::ShutOut(_))), "{whom}: {next:?}");
        let lost = !matches!(whom, Whom::Target(_));
        assert_eq!(desk.caller(&public("alice"), from_here()).is_none(), lost);

        // It stays so over a restart, until somebody lets it in again; what ended stays ended.
        drop(desk);
        let desk = world.open();
        let twice = desk.exclude(&bob, whom.clone(), because()).await;
        assert_eq!(twice, Err(Refused::AlreadyOut(whom.clone())));
        desk.restore(&bob, whom.clone(), because()).await.unwrap();
        let over = desk.restore(&bob, whom.clone(), because()).await;
        assert_eq!(over, Err(Refused::NotOut(whom.clone())));
        assert!(matches!(desk.standing(&id), Some(Standing::Revoked { .. })));
        asked(&desk).await;
    }
}

#[tokio::test]
async fn promise_32_a_bastion_that_is_shut_out_hears_so_at_once_and_gets_nothing() {
    let world = world();
    let desk = world.open();
    let id = granted(&desk).await;
    let issued = collected(&desk, &id).await;
    desk.open_session(&gate(), session_ask(1, &issued.certificate))
        .await
        .unwrap();
    let key = public("gate");
    let waiting = {
        let (desk, key) = (desk.clone(), key.clone());
        tokio::spawn(async move { desk.news(&gate(), &key, 0, desk.trust().keys).await })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    let bob = caller("bob", "bob");
    let whom = Whom::Bastion(gate());
    desk.exclude(&bob, whom.clone(), because()).await.unwrap();
    let news = tokio::time::timeout(Duration::from_secs(1), waiting);
    let news = news.await.unwrap().unwrap();
    assert!(news.shut_out && news.requests.is_empty(), "{news:?}");
    assert_eq!(desk.bastion(&key), None);
    assert_eq!(desk.bastion_at_the_door(&key), Some(gate()));
    let refused = Refused::ShutOut(whom.clone());
    let next = desk
        .open_session(&gate(), session_ask(2, &issued.certificate))
        .await;
    assert_eq!(next.unwrap_err(), refused);
    let door = api::DoorAsk {
        door: api::Door::Own,
        key: line("door"),
    };
    assert_eq!(desk.door(&gate(), door.clone()).await.unwrap_err(), refused);
    desk.restore(&bob, whom, because()).await.unwrap();
    assert_eq!(desk.bastion(&key), Some(gate()));
    desk.door(&gate(), door).await.unwrap();
}

#[tokio::test]
async fn who_shuts_out_is_named_and_everybody_shuts_out_their_own_key() {
    let world = world();
    let desk = world.open();
    let (alice, bob) = (caller("alice", "alice"), caller("bob", "bob"));
    for whom in [
        person("bob"),
        person("alice"),
        key_of("bob"),
        Whom::Bastion(gate()),
    ] {
        let refused = desk.exclude(&alice, whom, because()).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "only members of sre shut out and let in again"
        );
    }
    desk.exclude(&alice, key_of("alice"), because())
        .await
        .unwrap();
    assert!(desk.caller(&public("alice"), from_here()).is_none());
    let late = desk.exclude(&alice, person("alice"), because()).await;
    assert_eq!(late, Err(Refused::ShutOut(person("alice"))));
    // A thief has the other key of somebody who may: their own they do not let in again.
    desk.exclude(&bob, key_of("bob"), because()).await.unwrap();
    let unknown = [
        person("nobody"),
        Whom::Key(
            "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                .parse()
                .unwrap(),
        ),
        Whom::Target("db9.prod".parse().unwrap()),
        Whom::Bastion("nowhere".parse().unwrap()),
        Whom::Key(Fingerprint::of(
            &desk.hall.believed(config::keys::KeyName::Session)[0],
        )),
    ];
    drop(desk);
    let world = self::world();
    let desk = world.open();
    for whom in unknown {
        let refused = desk.exclude(&bob, whom.clone(), because()).await;
        // The session CA's key is another one in this world, and unknown all the same.
        assert_eq!(refused, Err(Refused::UnknownWhom(whom)));
    }
    let ours = Whom::Key(Fingerprint::of(
        &desk.hall.believed(config::keys::KeyName::Session)[0],
    ));
    let refused = desk.exclude(&bob, ours.clone(), because()).await;
    assert_eq!(refused, Err(Refused::UnknownWhom(ours)));
}

#[tokio::test]
async fn an_approval_of_somebody_who_was_shut_out_since_counts_for_nothing() {
    let mut world = world();
    world.text = world.text.replace(
        "approvals = { count = 1, from = \"sre\" }",
        "approvals = { count = 2, from = \"sre\" }",
    );
    let desk = world.open();
    let id = asked(&desk).await;
    let first = approve(&desk, &id, "carol", "carol").await;
    let Ok(Standing::Waiting { .. }) = first else {
        panic!("{first:?}");
    };
    let bob = caller("bob", "bob");
    desk.exclude(&bob, person("carol"), because())
        .await
        .unwrap();
    let second = approve(&desk, &id, "bob", "bob").await;
    assert!(matches!(second, Ok(Standing::Waiting { .. })), "{second:?}");
}

/// Two of sre have to agree, and bob has approved with his second key.
async fn half_approved() -> (World, Arc<Desk>, RequestId) {
    let mut world = world();
    world.text = world.text.replace(
        "approvals = { count = 1, from = \"sre\" }",
        "approvals = { count = 2, from = \"sre\" }",
    );
    let desk = world.open();
    let id = asked(&desk).await;
    let first = approve(&desk, &id, "bob", "bob2").await;
    assert!(matches!(first, Ok(Standing::Waiting { .. })), "{first:?}");
    (world, desk, id)
}

/// Whoever has stolen a key approves with it, and its owner finds out before the others have approved.
#[tokio::test]
async fn promise_31_an_approval_by_a_key_that_was_shut_out_since_counts_for_nothing() {
    let (_world, desk, id) = half_approved().await;
    let bob = caller("bob", "bob");
    desk.exclude(&bob, key_of("bob2"), because()).await.unwrap();
    let second = approve(&desk, &id, "carol", "carol").await;
    assert!(matches!(second, Ok(Standing::Waiting { .. })), "{second:?}");
    let third = approve(&desk, &id, "dave", "dave").await;
    assert!(matches!(third, Ok(Standing::Granted { .. })), "{third:?}");
    let mut named = world_grant(&desk, &id);
    named.sort();
    assert_eq!(named, ["carol", "dave"]);
}

fn world_grant(desk: &Desk, id: &RequestId) -> Vec<String> {
    let state = desk.hall.state();
    let grant = state.cases[id].grant.clone().unwrap();
    grant.approved_by.iter().map(ToString::to_string).collect()
}

/// And the same where the key was taken out of the configuration.
#[tokio::test]
async fn promise_31_an_approval_by_a_key_that_is_not_the_persons_any_more_counts_for_nothing() {
    let (world, desk, id) = half_approved().await;
    let without = world.text.replace(&format!(", \"{}\"]", line("bob2")), "]");
    assert_ne!(without, world.text);
    let next = config(world.path(), &without);
    desk.reload(next).await.unwrap();
    let second = approve(&desk, &id, "carol", "carol").await;
    assert!(matches!(second, Ok(Standing::Waiting { .. })), "{second:?}");
}

/// The connection was there before: what it asks for now is judged by what stands in the log now.
#[tokio::test]
async fn whoever_was_shut_out_while_they_were_connected_does_nothing_more() {
    let world = world();
    let desk = world.open();
    let id = asked(&desk).await;
    let carol = caller("carol", "carol");
    let text = desk.text(&carol, &id).unwrap();
    let signature = approval("carol", &text);
    let bob = caller("bob", "bob");
    desk.exclude(&bob, person("carol"), because())
        .await
        .unwrap();
    let out = Err(Refused::ShutOut(person("carol")));
    assert_eq!(desk.approve(&carol, &id, &signature).await, out);
    assert_eq!(
        desk.deny(&carol, &id, because()).await,
        Err(Refused::ShutOut(person("carol")))
    );
    let revoked = desk.revoke(&carol, &id, because()).await;
    assert_eq!(revoked, Err(Refused::ShutOut(person("carol"))));
}

/// A key that is gone from the configuration asks for nothing more either, on a connection that it opened before.
#[tokio::test]
async fn whoever_lost_their_key_while_they_were_connected_does_nothing_more() {
    let world = world();
    let desk = world.open();
    let id = granted(&desk).await;
    let without = world
        .text
        .replace(&format!(", \"{}\"]", line("alice2")), "]");
    assert_ne!(without, world.text);
    let next = config(world.path(), &without);
    desk.reload(next).await.unwrap();
    let gone = Refused::Key("it is not registered any more");
    let late = caller("alice", "alice2");
    assert_eq!(desk.collect(&late, &id).await, Err(gone.clone()));
    assert_eq!(desk.give_back(&late, &id).await, Err(gone));
    desk.collect(&caller("alice", "alice"), &id).await.unwrap();
}

#[tokio::test]
async fn no_bastion_gets_a_door_of_a_target_that_is_shut_out() {
    let world = world();
    let desk = world.open();
    let whom = Whom::Target("db1.prod".parse().unwrap());
    let door = |target: &str| api::DoorAsk {
        door: api::Door::Target(target.parse().unwrap()),
        key: line("door"),
    };
    desk.door(&gate(), door("db1.prod")).await.unwrap();
    let bob = caller("bob", "bob");
    desk.exclude(&bob, whom.clone(), because()).await.unwrap();
    let refused = desk.door(&gate(), door("db1.prod")).await;
    assert_eq!(refused.unwrap_err(), Refused::ShutOut(whom));
    desk.door(&gate(), door("db2.prod")).await.unwrap();
}

/// Whoever has stolen one key of a revoker's must not undo what the owner did with another.
#[tokio::test]
async fn who_lets_in_again_is_named_and_nobody_lets_their_own_key_in() {
    let world = world();
    let desk = world.open();
    let (alice, bob, carol) = (
        caller("alice", "alice"),
        caller("bob", "bob"),
        caller("carol", "carol"),
    );
    let second = key_of("alice2");
    desk.exclude(&alice, second.clone(), because())
        .await
        .unwrap();
    let refused = desk.restore(&alice, second.clone(), because()).await;
    let who = "only members of sre shut out and let in again";
    assert_eq!(refused.unwrap_err().to_string(), who);
    let own = key_of("bob2");
    desk.exclude(&bob, own.clone(), because()).await.unwrap();
    let refused = desk.restore(&bob, own.clone(), because()).await;
    assert_eq!(refused, Err(Refused::OwnRestoration));
    desk.restore(&carol, own, because()).await.unwrap();
    desk.restore(&bob, second, because()).await.unwrap();
}
