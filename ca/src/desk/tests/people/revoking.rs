//! Who may end a grant, and who hears of it.

use super::*;

#[tokio::test]
async fn promise_32_a_revoked_grant_is_told_to_bastions_at_once() {
    let world = World::new();
    let desk = world.open();
    let id = granted(&desk).await;
    collected(&desk, &id).await;
    let listening = tokio::spawn({
        let desk = desk.clone();
        async move { desk.ended(0, desk.trust().keys).await }
    });
    let bob = caller("bob", "bob");
    desk.revoke(&bob, &id, reason()).await.unwrap();
    let ended = listening.await.unwrap();
    assert_eq!(
        (ended.next, ended.requests.as_slice()),
        (1, [id.clone()].as_slice())
    );
    let alice = caller("alice", "alice");
    let revoked = Standing::Revoked {
        by: "bob".parse().unwrap(),
        reason: reason(),
    };
    assert_eq!(
        desk.collect(&alice, &id).await,
        Err(Refused::Closed(revoked))
    );
    world.clock.pass(Duration::from_secs(900));
    assert_eq!(
        desk.ended(0, desk.trust().keys).await.requests,
        [],
        "its deadline has passed"
    );
}

#[tokio::test]
async fn who_may_approve_may_revoke_and_nobody_else() {
    let world = World::new();
    let desk = world.open();
    let id = granted(&desk).await;
    let revoke = async |who: &str| desk.revoke(&caller(who, who), &id, reason()).await;
    assert_eq!(
        revoke("mallory").await,
        Err(Refused::NotRevoker(vec!["sre".parse().unwrap()])),
        "a fellow holder of the role"
    );
    assert_eq!(
        revoke("alice").await,
        Err(Refused::Own("give it back with `return`"))
    );
    assert_eq!(
        revoke("guest").await,
        Err(Refused::UnknownRequest(id.clone()))
    );
    assert_eq!(revoke("dave").await, Ok(()), "did not approve this one");
}

#[tokio::test]
async fn where_nobody_approves_a_fellow_holder_of_the_role_revokes() {
    let world = World::new();
    let desk = world.open();
    let alice = caller("alice", "alice");
    let id = desk
        .request(&alice, ask("viewer@db1.prod"))
        .await
        .unwrap()
        .id;
    let revoke = async |who: &str| desk.revoke(&caller(who, who), &id, reason()).await;
    assert_eq!(
        revoke("dave").await,
        Err(Refused::UnknownRequest(id.clone())),
        "an approver of other roles"
    );
    assert_eq!(
        revoke("alice").await,
        Err(Refused::Own("give it back with `return`"))
    );
    assert_eq!(revoke("mallory").await, Ok(()));
}

#[tokio::test]
async fn a_grant_whose_role_is_gone_is_revoked_by_who_approved_it() {
    let world = World::new();
    let desk = world.open();
    let id = granted(&desk).await;
    let text = crate::testing::config_text().replace("[role.db-oncall]", "[role.db-night]");
    desk.reload(crate::testing::config(world.path(), &text))
        .await
        .unwrap();
    let revoke = async |who: &str| desk.revoke(&caller(who, who), &id, reason()).await;
    assert_eq!(
        revoke("dave").await,
        Err(Refused::UnknownRequest(id.clone()))
    );
    assert_eq!(revoke("bob").await, Ok(()));
}
