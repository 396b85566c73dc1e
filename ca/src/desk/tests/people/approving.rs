//! Who approves, what an approval is for, and that it counts once.

use super::*;

#[tokio::test]
async fn promise_30_nobody_approves_themselves_by_any_route() {
    let world = World::new();
    let desk = world.open();
    let carol = caller("carol", "carol");
    let own = desk
        .request(&carol, ask("postgres@db1.prod"))
        .await
        .unwrap();
    let text = desk.text(&carol, &own.id).unwrap();
    assert_eq!(
        desk.approve(&carol, &own.id, &approval("carol", &text))
            .await,
        Err(Refused::OwnRequest)
    );
    let id = asked(&desk).await;
    // alice's second key proves alice, and alice's signature is nobody else's approval.
    assert_eq!(
        approve(&desk, &id, "alice", "alice2").await,
        Err(Refused::OwnRequest)
    );
    let text = desk.text(&caller("bob", "bob"), &id).unwrap();
    for key in ["alice", "alice2", "carol"] {
        let signature = approval(key, &text);
        assert!(matches!(
            desk.approve(&caller("bob", "bob"), &id, &signature).await,
            Err(Refused::Signature(SigError::UnknownKey(_)))
        ));
    }
    assert!(matches!(desk.standing(&id), Some(Standing::Waiting { .. })));
}

#[tokio::test]
async fn promise_30_persons_count_and_not_keys_or_groups() {
    let world = World::new();
    let desk = world.open();
    let alice = caller("alice", "alice");
    let two = desk.request(&alice, ask("root@db1.prod")).await.unwrap();
    let after = approve(&desk, &two.id, "bob", "bob").await.unwrap();
    let Standing::Waiting { needs, .. } = after else {
        panic!("{after:?}");
    };
    assert_eq!(needs[0].missing(), 1);
    assert_eq!(
        approve(&desk, &two.id, "bob", "bob2").await,
        Err(Refused::AlreadyApproved)
    );
    assert!(matches!(
        approve(&desk, &two.id, "carol", "carol").await,
        Ok(Standing::Granted { .. })
    ));
}

#[tokio::test]
async fn only_the_group_approves_and_denies() {
    let world = World::new();
    let desk = world.open();
    let id = asked(&desk).await;
    let mallory = caller("mallory", "mallory");
    assert_eq!(
        approve(&desk, &id, "mallory", "mallory").await,
        Err(Refused::NotApprover(vec!["sre".parse().unwrap()]))
    );
    assert_eq!(
        desk.deny(&mallory, &id, reason()).await,
        Err(Refused::NotApprover(vec!["sre".parse().unwrap()]))
    );
    let guest = caller("guest", "guest");
    assert_eq!(
        desk.show(&guest, &id),
        Err(Refused::UnknownRequest(id.clone()))
    );
    assert_eq!(
        desk.collect(&mallory, &id).await,
        Err(Refused::NotYours("alice".parse().unwrap()))
    );
}

#[tokio::test]
async fn one_no_outweighs_every_yes() {
    let world = World::new();
    let desk = world.open();
    let alice = caller("alice", "alice");
    let two = desk.request(&alice, ask("root@db1.prod")).await.unwrap().id;
    approve(&desk, &two, "bob", "bob").await.unwrap();
    desk.deny(&caller("carol", "carol"), &two, reason())
        .await
        .unwrap();
    let denied = Standing::Denied {
        by: "carol".parse().unwrap(),
        reason: reason(),
    };
    let refused = Refused::Closed(denied);
    assert_eq!(refused.status(), Status::Denied);
    assert_eq!(
        approve(&desk, &two, "dave", "dave").await,
        Err(refused.clone())
    );
    assert_eq!(desk.collect(&alice, &two).await, Err(refused));
}

#[tokio::test]
async fn promise_28_an_approval_is_for_one_text_and_counts_once() {
    let world = World::new();
    let desk = world.open();
    let (first, second) = (asked(&desk).await, asked(&desk).await);
    let bob = caller("bob", "bob");
    let text = desk.text(&bob, &first).unwrap();
    let good = approval("bob", &text);
    assert_eq!(
        desk.approve(&bob, &second, &good).await,
        Err(Refused::Signature(SigError::Invalid)),
        "a signature over another request"
    );
    let elsewhere =
        record::sshsig::sign(&crate::testing::key("bob"), "file", text.as_bytes()).unwrap();
    assert!(matches!(
        desk.approve(&bob, &first, &elsewhere).await,
        Err(Refused::Signature(SigError::Namespace(_)))
    ));
    desk.approve(&bob, &first, &good).await.unwrap();
    assert!(matches!(
        desk.approve(&bob, &first, &good).await,
        Err(Refused::Closed(Standing::Granted { .. }))
    ));
    let alice = caller("alice", "alice");
    desk.give_back(&alice, &first).await.unwrap();
    assert_eq!(
        desk.approve(&bob, &first, &good).await,
        Err(Refused::Closed(Standing::Returned))
    );
    drop(desk);
    let desk = world.open();
    assert_eq!(
        desk.approve(&bob, &first, &good).await,
        Err(Refused::Closed(Standing::Returned)),
        "after a restart"
    );
    world.clock.set_wall(START - 86_400);
    assert_eq!(
        desk.approve(&bob, &first, &good).await,
        Err(Refused::Closed(Standing::Returned)),
        "after a step of the clock"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn promise_28_a_hundred_redemptions_at_once_give_one_certificate() {
    let world = World::new();
    let desk = world.open();
    let id = granted(&desk).await;
    let calls = (0..100).map(|n| {
        let (desk, id) = (desk.clone(), id.clone());
        let key = if n % 2 == 0 { "alice" } else { "alice2" };
        tokio::spawn(async move { desk.collect(&caller("alice", key), &id).await.unwrap() })
    });
    let calls: Vec<_> = calls.collect();
    let mut certificates = std::collections::BTreeSet::new();
    for call in calls {
        certificates.insert(call.await.unwrap().certificate);
    }
    assert_eq!(certificates.len(), 1);
    assert_eq!(world.issues(record::entry::Authority::User), 1);
    drop(desk);
    let again = collected(&world.open(), &id).await;
    assert!(
        certificates.contains(&again.certificate),
        "after a restart too"
    );
    assert_eq!(world.issues(record::entry::Authority::User), 1);
}
