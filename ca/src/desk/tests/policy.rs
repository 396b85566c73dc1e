use super::*;

fn limited() -> World {
    let mut world = World::new();
    let role = "[role.db-oncall]\n";
    world.text = world.text.replace(role, &format!("{role}live = 1\n"));
    world
}

const FULL: &str = "alice has 1 grant of role db-oncall running, and it gives no more at once: give one back first";

/// Two requests that wait at once cannot both be granted past the role's number; the second one is not lost.
#[tokio::test]
async fn as_many_grants_run_as_the_role_gives_and_no_more() {
    let world = limited();
    let desk = world.open();
    let (first, second) = (asked(&desk).await, asked(&desk).await);
    approve(&desk, &first, "bob", "bob").await.unwrap();
    let full = Refused::NotNow(FULL.to_owned());
    let alice = caller("alice", "alice");
    assert_eq!(
        approve(&desk, &second, "bob", "bob").await,
        Err(full.clone())
    );
    assert_eq!(desk.collect(&alice, &second).await, Err(full.clone()));
    let third = desk.request(&alice, ask("postgres@db1.prod")).await;
    assert_eq!(third, Err(full));
    desk.give_back(&alice, &first).await.unwrap();
    desk.collect(&alice, &second).await.unwrap();
    world.clock.pass(Duration::from_secs(901));
    granted(&desk).await;
}

/// The number is each person's own, and other roles' grants do not count.
#[tokio::test]
async fn other_persons_and_other_roles_do_not_count() {
    let world = limited();
    let desk = world.open();
    granted(&desk).await;
    let alice = caller("alice", "alice");
    for access in ["viewer@db1.prod", "viewer@db1.prod", "postgres@db2.prod"] {
        let asked = desk.request(&alice, ask(access)).await.unwrap();
        assert!(matches!(asked.standing, Standing::Granted { .. }));
    }
    let mallory = caller("mallory", "mallory");
    let asked = desk.request(&mallory, ask("postgres@db1.prod")).await;
    let id = asked.unwrap().id;
    approve(&desk, &id, "carol", "carol").await.unwrap();
}
