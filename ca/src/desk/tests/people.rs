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
async fn what_no_role_gives_is_refused_with_its_reason() {
    let world = World::new();
    let desk = world.open();
    let alice = caller("alice", "alice");
    let mut no_glass = ask("root@db1.prod");
    no_glass.break_glass = true;
    let mut short = ask("postgres@db1.prod");
    short.life = Some(Duration::from_secs(9));
    let mut wrong_role = ask("root@db1.prod");
    wrong_role.role = Some("db-oncall".parse().unwrap());
    let mut no_role = ask("root@db1.prod");
    no_role.role = Some("nothing".parse().unwrap());
    let cases = [
        (
            ask("root@db9.prod"),
            Refused::NoRole("root@db9.prod".parse().unwrap()),
        ),
        (no_glass, Refused::NoBreakGlass("db-root".parse().unwrap())),
        (short, Refused::TooShort(Duration::from_secs(9))),
        (
            wrong_role,
            Refused::RoleDoesNotCover {
                role: "db-oncall".parse().unwrap(),
                access: "root@db1.prod".parse().unwrap(),
            },
        ),
        (no_role, Refused::UnknownRole("nothing".parse().unwrap())),
    ];
    for (ask, refused) in cases {
        assert_eq!(desk.request(&alice, ask).await, Err(refused));
    }
    let guest = caller("guest", "guest");
    assert_eq!(
        desk.request(&guest, ask("postgres@db1.prod")).await,
        Err(Refused::NoRole("postgres@db1.prod".parse().unwrap()))
    );
    let impostor = caller("alice", "mallory");
    assert_eq!(
        desk.request(&impostor, ask("postgres@db1.prod")).await,
        Err(Refused::Key("it is not registered any more"))
    );
}

#[tokio::test]
async fn one_request_past_those_of_an_hour_is_refused_also_when_each_is_taken_back() {
    let world = World::new();
    let desk = world.open();
    let alice = caller("alice", "alice");
    // By minutes, and never before an hour has passed.
    let again = world.clock.wall().after(Duration::from_secs(3660));
    let again = record::clock::UnixTime::from_secs(again.secs() / 60 * 60);
    for n in 0..config::limits::REQUESTS_PER_HOUR {
        let id = asked(&desk).await;
        assert_eq!(desk.withdraw(&alice, &id).await, Ok(()), "request {n}");
    }
    let refused = Err(Refused::TooManyAsked {
        most: config::limits::REQUESTS_PER_HOUR,
        again,
    });
    assert_eq!(
        desk.request(&alice, ask("postgres@db1.prod")).await,
        refused
    );
    // A restart forgets nothing of it, nobody else is held up, and break-glass is counted apart.
    drop(desk);
    let desk = world.open();
    assert_eq!(
        desk.request(&alice, ask("postgres@db1.prod")).await,
        refused
    );
    let bob = caller("bob", "bob");
    let others = desk.request(&bob, ask("postgres@db1.prod")).await;
    assert!(
        !matches!(others, Err(Refused::TooManyAsked { .. })),
        "{others:?}"
    );
    let emergency = Ask {
        break_glass: true,
        ..ask("postgres@db1.prod")
    };
    assert!(desk.request(&alice, emergency).await.is_ok());
    let wait = again.since(world.clock.wall());
    world
        .clock
        .pass(wait.saturating_sub(Duration::from_secs(1)));
    assert_eq!(
        desk.request(&alice, ask("postgres@db1.prod")).await,
        refused
    );
    world.clock.pass(Duration::from_secs(1));
    assert!(desk.request(&alice, ask("postgres@db1.prod")).await.is_ok());
}

#[tokio::test]
async fn one_request_past_the_limit_is_refused() {
    let world = World::new();
    let desk = world.open();
    for _ in 0..config::limits::REQUESTS_OPEN_PER_PERSON {
        asked(&desk).await;
    }
    let alice = caller("alice", "alice");
    let ask = ask("postgres@db1.prod");
    assert_eq!(
        desk.request(&alice, ask.clone()).await,
        Err(Refused::TooManyOpen)
    );
    world.clock.pass(Duration::from_secs(3600));
    assert!(
        desk.request(&alice, ask).await.is_ok(),
        "the old ones expired"
    );
}

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

#[tokio::test]
async fn promise_25_a_role_of_some_networks_is_asked_and_used_from_there_only() {
    let world = World::new();
    let desk = world.open();
    let far: std::net::IpAddr = "198.51.100.9".parse().unwrap();
    let text = world.text.replace(
        "logins = [\"viewer\"]",
        "logins = [\"viewer\"]\nsources = [\"192.0.2.0/24\"]",
    );
    desk.reload(config(world.path(), &text)).await.unwrap();
    let refused = Refused::Elsewhere {
        role: "db-look".parse().unwrap(),
        sources: vec!["192.0.2.0/24".parse().unwrap()],
        address: far,
    };
    let alice = caller("alice", "alice");
    let away = Caller {
        source: far,
        ..alice.clone()
    };
    let wanted = || ask("viewer@db1.prod");
    assert_eq!(desk.request(&away, wanted()).await, Err(refused.clone()));
    let id = desk.request(&alice, wanted()).await.unwrap().id;
    let issued = collected(&desk, &id).await;
    let read = ssh_key::Certificate::from_openssh(&issued.certificate).unwrap();
    let source = read.critical_options().get("source-address");
    assert_eq!(source.map(String::as_str), Some("192.0.2.0/24"));
    let good = api::SessionAsk {
        access: "viewer@db1.prod".parse().unwrap(),
        ..session_ask(1, &issued.certificate)
    };
    let elsewhere = api::SessionAsk {
        source: far,
        ..good.clone()
    };
    assert_eq!(desk.open_session(&gate(), elsewhere).await, Err(refused));
    desk.open_session(&gate(), good).await.unwrap();
}

#[tokio::test]
async fn what_waits_is_shown_to_whom_it_waits_for_and_a_report_to_auditors() {
    let world = World::new();
    let desk = world.open();
    asked(&desk).await;
    assert_eq!(desk.pending(&caller("alice", "alice")).len(), 1);
    assert_eq!(desk.pending(&caller("dave", "dave")).len(), 1);
    for other in ["mallory", "erin", "guest"] {
        assert_eq!(desk.pending(&caller(other, other)), [], "{other}");
    }
    let scope = crate::report::Scope {
        since: world.clock.wall(),
        until: world.clock.wall(),
        person: None,
        role: None,
        target: None,
    };
    let refused = desk.report(&caller("bob", "bob"), scope).await;
    assert!(matches!(refused, Err(Refused::NotAuditor(_))));
}
