mod approving;
mod asking;
mod revoking;

use super::*;
use crate::testing::{START, public};
use record::sshsig::SigError;
use record::text::Reason;

fn reason() -> Reason {
    "not now".parse().unwrap()
}

#[tokio::test]
async fn a_request_is_asked_approved_and_collected() {
    let world = World::new();
    let desk = world.open();
    let alice = caller("alice", "alice");
    let asked = desk
        .request(&alice, ask("postgres@db1.prod"))
        .await
        .unwrap();
    let Standing::Waiting { needs, .. } = &asked.standing else {
        panic!("{asked:?}");
    };
    assert_eq!(
        Need::all(needs),
        "needs 1 of group sre (bob or carol or dave)"
    );
    assert_eq!(
        desk.collect(&alice, &asked.id).await,
        Err(Refused::Waiting(needs.clone(), vec![]))
    );
    let mut watch = desk.watch(&asked.id).unwrap();
    let bob = caller("bob", "bob");
    assert_eq!(desk.pending(&bob).len(), 1);
    approve(&desk, &asked.id, "bob", "bob2").await.unwrap();
    watch.changed().await.unwrap();
    assert!(matches!(*watch.borrow(), Standing::Granted { .. }));
    let issued = desk.collect(&alice, &asked.id).await.unwrap();
    assert_eq!(issued.until.secs(), START + 900);
    assert_eq!(issued.serial, 1);
    assert_eq!(desk.pending(&bob), []);
    let shown = desk.show(&bob, &asked.id).unwrap();
    assert_eq!(shown.approvals[0].person.as_str(), "bob");
    assert_eq!(shown.certificates[0].serial, 1);
}

#[tokio::test]
async fn a_role_without_approvals_is_granted_at_once_and_keeps_its_command() {
    let world = World::new();
    let desk = world.open();
    let alice = caller("alice", "alice");
    let mut wide = ask("postgres@db2.prod");
    wide.command = Some("rm -rf /".parse().unwrap());
    wide.life = Some(Duration::from_secs(3600));
    let asked = desk.request(&alice, wide).await.unwrap();
    assert!(matches!(asked.standing, Standing::Granted { .. }));
    assert_eq!(asked.narrowed.len(), 2, "{:?}", asked.narrowed);
    let shown = desk.show(&alice, &asked.id).unwrap();
    assert_eq!(
        shown.command.unwrap().as_str(),
        "systemctl status postgresql"
    );
    let issued = desk.collect(&alice, &asked.id).await.unwrap();
    let read = ssh_key::Certificate::from_openssh(&issued.certificate).unwrap();
    assert_eq!(
        read.critical_options().get("force-command").unwrap(),
        "systemctl status postgresql"
    );
}

#[tokio::test]
async fn the_certificate_is_for_the_key_that_asked() {
    let world = World::new();
    let desk = world.open();
    let id = granted(&desk).await;
    let issued = desk.collect(&caller("alice", "alice2"), &id).await.unwrap();
    let read = ssh_key::Certificate::from_openssh(&issued.certificate).unwrap();
    assert_eq!(read.public_key(), public("alice").key_data());
}

#[tokio::test]
async fn promise_07_a_grant_is_over_at_its_deadline_whichever_clock_says_so() {
    let world = World::new();
    let alice = caller("alice", "alice");
    let expired = Err(Refused::Closed(Standing::Expired));
    let desk = world.open();
    let id = granted(&desk).await;
    world.clock.pass(Duration::from_secs(899));
    assert!(desk.collect(&alice, &id).await.is_ok());
    // Put back by an hour, the wall clock gives nobody another hour.
    world.clock.set_wall(START - 3600);
    world.clock.pass(Duration::from_secs(1));
    assert_eq!(desk.collect(&alice, &id).await, expired);
    world.clock.set_wall(START);
    let other = granted(&desk).await;
    world.clock.set_wall(START + 900);
    assert_eq!(desk.collect(&alice, &other).await, expired);
    assert_eq!(Refused::Closed(Standing::Expired).status(), Status::Expired);
}

#[tokio::test]
async fn promise_29_a_policy_that_changed_decides_anew() {
    let world = World::new();
    let desk = world.open();
    let alice = caller("alice", "alice");
    // carol approved, and left the group before the second approval came.
    let two = desk.request(&alice, ask("root@db1.prod")).await.unwrap().id;
    approve(&desk, &two, "carol", "carol").await.unwrap();
    let left = world
        .text
        .replace("groups = [\"sre\", \"oncall\"]", "groups = [\"oncall\"]");
    let left = left.replace("count = 2", "count = 2 ").replace(
        "[person.guest]",
        &format!(
            "[person.heidi]\ngroups = [\"sre\"]\nkeys = [\"{}\"]\n\n[person.guest]",
            line("heidi")
        ),
    );
    desk.reload(config(world.path(), &left)).await.unwrap();
    let after = approve(&desk, &two, "bob", "bob").await.unwrap();
    let Standing::Waiting { needs, .. } = after else {
        panic!("carol's approval counted: {after:?}");
    };
    assert_eq!(needs[0].missing(), 1);
    let last = approve(&desk, &two, "dave", "dave").await.unwrap();
    assert!(matches!(last, Standing::Granted { .. }));
    let lines = world.lines();
    let grant = lines.iter().find_map(|line| match &line.entry {
        Entry::Grant {
            policy,
            approved_by,
            ..
        } => Some((*policy, approved_by.clone())),
        _ => None,
    });
    let (policy, approved_by) = grant.unwrap();
    assert_eq!(
        policy,
        Digest::of(left.as_bytes()),
        "the policy that decided"
    );
    let names: Vec<_> = approved_by
        .iter()
        .map(config::words::PersonName::as_str)
        .collect();
    assert_eq!(names, ["bob", "dave"]);
    // The role goes between grant and certificate.
    let gone = left.replace("[role.db-root]", "[role.db-other]");
    desk.reload(config(world.path(), &gone)).await.unwrap();
    assert_eq!(
        desk.collect(&alice, &two).await,
        Err(Refused::PolicyChanged(
            "there is no role db-root any more".to_owned()
        ))
    );
}

#[tokio::test]
async fn promise_29_a_withdrawn_request_is_never_granted() {
    let world = World::new();
    let desk = world.open();
    let alice = caller("alice", "alice");
    let id = asked(&desk).await;
    let bob = caller("bob", "bob");
    let text = desk.text(&bob, &id).unwrap();
    desk.withdraw(&alice, &id).await.unwrap();
    let closed = Err(Refused::Closed(Standing::Withdrawn));
    assert_eq!(
        desk.approve(&bob, &id, &approval("bob", &text)).await,
        closed
    );
    assert_eq!(
        desk.collect(&alice, &id).await,
        Err(Refused::Closed(Standing::Withdrawn))
    );
    let key_gone = world.text.replace(&format!("\"{}\", ", line("alice")), "");
    let id = granted(&desk).await;
    desk.reload(config(world.path(), &key_gone)).await.unwrap();
    assert!(matches!(
        desk.collect(&caller("alice", "alice2"), &id).await,
        Err(Refused::PolicyChanged(_))
    ));
}

#[tokio::test]
async fn break_glass_is_granted_at_once_where_the_role_says_so() {
    let world = World::new();
    let desk = world.open();
    let alice = caller("alice", "alice");
    let mut glass = ask("postgres@db1.prod");
    glass.break_glass = true;
    let asked = desk.request(&alice, glass).await.unwrap();
    assert!(matches!(asked.standing, Standing::Granted { .. }));
    assert!(desk.show(&alice, &asked.id).unwrap().break_glass);
    assert!(
        desk.text(&alice, &asked.id)
            .unwrap()
            .contains("\nbreak-glass: yes\n")
    );
    assert!(desk.collect(&alice, &asked.id).await.is_ok());
}
