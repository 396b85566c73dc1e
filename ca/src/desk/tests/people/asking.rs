//! What a request needs before anybody is asked to approve it.

use super::*;

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
