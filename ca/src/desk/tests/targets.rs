//! Machines that join with a token, and renew with their key.

use super::*;
use crate::testing::public;
use record::orders::Joined;
use record::token::JoinToken;

const DB1: &str = "db1.prod";

fn world() -> World {
    let mut world = World::new();
    world.text = world.text.replacen(
        "[ca]\n",
        "[ca]\nenrollers = [\"sre\"]\nrevokers = [\"sre\"]\n",
        1,
    );
    world
}

fn machine(key: &str, token: Option<&JoinToken>) -> Machine {
    Machine {
        key: public(key),
        token: token.cloned(),
    }
}

fn target(name: &str) -> TargetName {
    name.parse().unwrap()
}

async fn invited(desk: &Desk, name: &str) -> JoinToken {
    let bob = caller("bob", "bob");
    desk.invite(&bob, &target(name)).await.unwrap()
}

async fn joined(desk: &Desk, key: &str, token: &JoinToken) -> Result<Joined, Refused> {
    desk.join(machine(key, Some(token)), &target(DB1)).await
}

fn read(line: &str) -> ssh_key::Certificate {
    ssh_key::Certificate::from_openssh(line.trim()).unwrap()
}

#[tokio::test]
async fn a_machine_joins_once_with_a_token_and_renews_with_its_key() {
    let world = world();
    let desk = world.open();
    let token = invited(&desk, DB1).await;
    assert!(desk.is_invited(&token, &public("host")));
    assert_eq!(desk.target(&public("host")), None);
    let given = joined(&desk, "host", &token).await.unwrap();
    let certificate = read(&given.certificate);
    assert_eq!(certificate.valid_principals(), [DB1]);
    assert_eq!(certificate.public_key(), public("host").key_data());
    assert_eq!(
        certificate.valid_before(),
        world.clock.wall().after(limits::JOINED_CERT_LIFE).secs()
    );
    assert_eq!(desk.target(&public("host")), Some(target(DB1)));

    // Asked for again it is the same; so is a join without a token, by the same key and name alone.
    let again = desk.renew(machine("host", None)).await.unwrap();
    assert_eq!(again, given.certificate);
    let rejoined = desk.join(machine("host", None), &target(DB1)).await;
    assert_eq!(rejoined.unwrap().certificate, given.certificate);
    let other = desk.join(machine("host", None), &target("db2.prod")).await;
    let why = Refused::Join("this host key is another target's");
    assert_eq!(other.unwrap_err(), why);

    // At half of its life there is another one.
    world.clock.pass(limits::JOINED_CERT_LIFE / 2);
    let next = read(&desk.renew(machine("host", None)).await.unwrap());
    assert!(next.serial() > certificate.serial());
    assert!(next.valid_before() > certificate.valid_before());

    // What the log says is what a restart finds.
    drop(desk);
    let desk = world.open();
    assert_eq!(desk.target(&public("host")), Some(target(DB1)));
    let same = read(&desk.renew(machine("host", None)).await.unwrap());
    assert_eq!(same.serial(), next.serial());
    let secret = token.reveal();
    let log = std::fs::read_to_string(world.path().join("ca/log/entries")).unwrap();
    let digits = secret.rsplit_once('-').unwrap().1;
    assert!(!log.contains(digits), "the token stands in the log");
    for entry in ["invitation", "enrolment", "renewal"] {
        assert_eq!(log.matches(&format!("\"{entry}\"")).count(), 1, "{entry}");
    }
}

#[tokio::test]
async fn a_token_is_refused_the_second_time() {
    let world = world();
    let desk = world.open();
    let token = invited(&desk, DB1).await;
    joined(&desk, "host", &token).await.unwrap();
    for key in ["host", "another"] {
        assert!(!desk.is_invited(&token, &public(key)));
        let again = joined(&desk, key, &token).await;
        let why = Refused::Join("the token has been used");
        assert_eq!(again.unwrap_err(), why, "{key}");
    }
    assert_eq!(world.issues(record::entry::Authority::Host), 1);
}

#[tokio::test]
async fn a_hundred_machines_with_one_token_are_one_target() {
    let world = world();
    let desk = world.open();
    let token = invited(&desk, DB1).await;
    let all = (0..100).map(|n| {
        let (desk, token) = (desk.clone(), token.clone());
        tokio::spawn(async move { joined(&desk, &format!("host{n}"), &token).await })
    });
    let mut good = 0;
    for one in all.collect::<Vec<_>>() {
        match one.await.unwrap() {
            Ok(_) => good += 1,
            Err(why) => assert_eq!(why, Refused::Join("the token has been used")),
        }
    }
    assert_eq!(good, 1);
    assert_eq!(world.issues(record::entry::Authority::Host), 1);
}

#[tokio::test]
async fn another_target_s_token_is_refused_and_not_spent() {
    let world = world();
    let desk = world.open();
    let token = invited(&desk, DB1).await;
    let other = desk
        .join(machine("host", Some(&token)), &target("db2.prod"))
        .await;
    let why = Refused::Join("this token is for another target");
    assert_eq!(other.unwrap_err(), why);
    joined(&desk, "host", &token).await.unwrap();
}

#[tokio::test]
async fn a_token_is_good_for_an_hour() {
    let world = world();
    let desk = world.open();
    let token = invited(&desk, DB1).await;
    world.clock.pass(limits::TOKEN_LIFE);
    assert!(!desk.is_invited(&token, &public("host")));
    let late = joined(&desk, "host", &token).await;
    let why = Refused::Join("the token has expired: make another one");
    assert_eq!(late.unwrap_err(), why);
}

#[tokio::test]
async fn a_target_that_left_the_inventory_neither_joins_nor_renews() {
    let mut world = world();
    let desk = world.open();
    let (token, second) = (invited(&desk, DB1).await, invited(&desk, DB1).await);
    joined(&desk, "host", &token).await.unwrap();
    world.text = world.text.replace("db1.prod", "other.prod");
    let config = Config::clone(&world.config());
    desk.reload(config).await.unwrap();
    let why = Refused::Join("the inventory has no such target");
    assert_eq!(joined(&desk, "new", &second).await.unwrap_err(), why);
    assert!(!desk.is_invited(&second, &public("new")));
    assert_eq!(desk.target(&public("host")), None);
    let renewed = desk.renew(machine("host", None)).await;
    let why = Refused::Join("this host key is not one that a target has joined with");
    assert_eq!(renewed.unwrap_err(), why);
}

#[tokio::test]
async fn nobody_joins_with_a_key_that_is_somebody_s_already() {
    let world = world();
    let desk = world.open();
    let token = invited(&desk, DB1).await;
    for (key, why) in [
        ("alice", Refused::Key("it is a person's key")),
        ("gate", Refused::Key("it is a bastion's key")),
    ] {
        assert!(!desk.is_invited(&token, &public(key)), "{key}");
        assert_eq!(joined(&desk, key, &token).await.unwrap_err(), why);
    }
    let session = Machine {
        key: desk.hall.believed(config::keys::KeyName::Session)[0].clone(),
        token: Some(token.clone()),
    };
    let why = Refused::Key("it is a key of the CA");
    assert_eq!(desk.join(session, &target(DB1)).await.unwrap_err(), why);
    // The key that joined before is replaced, and is nobody's from then on.
    joined(&desk, "host", &token).await.unwrap();
    let second = invited(&desk, DB1).await;
    joined(&desk, "new", &second).await.unwrap();
    assert_eq!(desk.target(&public("host")), None);
    assert_eq!(desk.target(&public("new")), Some(target(DB1)));
}

#[tokio::test]
async fn only_those_whom_the_configuration_names_make_tokens() {
    let world = world();
    let desk = world.open();
    let alice = caller("alice", "alice");
    let refused = desk.invite(&alice, &target(DB1)).await.unwrap_err();
    assert_eq!(refused.to_string(), "only members of sre make join tokens");
    let bob = caller("bob", "bob");
    let unknown = desk.invite(&bob, &target("db9.prod")).await.unwrap_err();
    assert_eq!(unknown, Refused::Join("the inventory has no such target"));
    drop(desk);
    let plain = World::new();
    let desk = plain.open();
    let nobody = desk.invite(&bob, &target(DB1)).await.unwrap_err();
    assert_eq!(
        nobody.to_string(),
        "nobody may make join tokens: the configuration names no enrollers"
    );
}

#[tokio::test]
async fn so_many_tokens_are_out_and_not_one_more() {
    let world = world();
    let desk = world.open();
    let bob = caller("bob", "bob");
    for _ in 0..limits::TOKENS_OUT {
        desk.invite(&bob, &target(DB1)).await.unwrap();
    }
    let refused = desk.invite(&bob, &target(DB1)).await.unwrap_err();
    assert_eq!(refused, Refused::TooManyTokens);
    world.clock.pass(limits::TOKEN_LIFE);
    desk.invite(&bob, &target(DB1)).await.unwrap();
}

#[tokio::test]
async fn a_target_or_a_host_key_that_is_shut_out_gets_nothing() {
    let world = world();
    let desk = world.open();
    let bob = caller("bob", "bob");
    let token = invited(&desk, DB1).await;
    let second = invited(&desk, DB1).await;
    joined(&desk, "host", &token).await.unwrap();
    let reason: Reason = "stolen disk".parse().unwrap();
    let out = |whom: Whom| desk.exclude(&bob, whom, "stolen disk".parse().unwrap());
    let key = Whom::Key(record::fingerprint::Fingerprint::of(&public("host")));
    out(key.clone()).await.unwrap();
    assert_eq!(desk.target(&public("host")), None);
    // The machine joins with another key.
    joined(&desk, "new", &second).await.unwrap();
    out(Whom::Target(target(DB1))).await.unwrap();
    assert_eq!(desk.target(&public("new")), None);
    let why = Refused::ShutOut(Whom::Target(target(DB1)));
    assert_eq!(desk.invite(&bob, &target(DB1)).await.unwrap_err(), why);
    desk.restore(&bob, Whom::Target(target(DB1)), reason)
        .await
        .unwrap();
    assert_eq!(desk.target(&public("new")), Some(target(DB1)));
    assert_eq!(desk.target(&public("host")), None);
}

/// Its certificate's CA key was stolen: it does not count any more, and the target must not go without for days.
#[tokio::test]
async fn a_target_renews_at_once_when_the_key_of_its_certificate_is_retired() {
    use crate::keys::rotate;
    let world = world();
    let desk = world.open();
    let token = invited(&desk, DB1).await;
    let given = joined(&desk, "host", &token).await.unwrap();
    let stolen = ca(&desk, KeyName::Host);
    rotate::announce(&world.config(), KeyName::Host, None).unwrap();
    rotate::switch(&world.config(), KeyName::Host).unwrap();
    desk.reload(Config::clone(&world.config())).await.unwrap();
    let same = desk.renew(machine("host", None)).await.unwrap();
    assert_eq!(same, given.certificate, "the old key still counts");
    rotate::retire(&world.config(), KeyName::Host, &stolen).unwrap();
    desk.reload(Config::clone(&world.config())).await.unwrap();
    let next = read(&desk.renew(machine("host", None)).await.unwrap());
    assert_eq!(next.signature_key(), ca(&desk, KeyName::Host).key_data());
}

#[tokio::test]
async fn a_token_that_has_expired_stays_so_when_the_clock_is_set_back() {
    let world = world();
    let desk = world.open();
    let token = invited(&desk, DB1).await;
    world.clock.pass(limits::TOKEN_LIFE);
    invited(&desk, DB1).await;
    world.clock.set_wall(crate::testing::START);
    let late = joined(&desk, "host", &token).await;
    let why = Refused::Join("the token has expired: make another one");
    assert_eq!(late.unwrap_err(), why);
}

/// The token was made before: what it opens is judged when it is used.
#[tokio::test]
async fn a_token_opens_nothing_for_whoever_was_shut_out_since() {
    let bob = caller("bob", "bob");
    let key = Whom::Key(record::fingerprint::Fingerprint::of(&public("alice")));
    for whom in [Whom::Target(target(DB1)), key] {
        let world = world();
        let desk = world.open();
        let token = invited(&desk, DB1).await;
        let reason = "stolen disk".parse().unwrap();
        desk.exclude(&bob, whom.clone(), reason).await.unwrap();
        let with = if matches!(whom, Whom::Key(_)) {
            "alice"
        } else {
            "host"
        };
        assert!(!desk.is_invited(&token, &public(with)));
        let refused = joined(&desk, with, &token).await.unwrap_err();
        assert_eq!(refused, Refused::ShutOut(Whom::Target(target(DB1))));
        assert_eq!(world.issues(record::entry::Authority::Host), 0);
    }
}

/// Neither the key that another target joined with, nor one that the configuration pins.
#[tokio::test]
async fn nobody_joins_with_another_target_s_host_key() {
    let mut world = world();
    world.text += "\n[target.\"db3.prod\"]\naddress = \"db3.internal:22\"\nhost = \"ca\"\n";
    let desk = world.open();
    let token = invited(&desk, DB1).await;
    joined(&desk, "host", &token).await.unwrap();
    let third = invited(&desk, "db3.prod").await;
    let why = Refused::Join("this host key is another target's");
    for key in ["host", "db2"] {
        assert!(!desk.is_invited(&third, &public(key)), "{key}");
        let name = target("db3.prod");
        let other = desk.join(machine(key, Some(&third)), &name).await;
        assert_eq!(other.unwrap_err(), why, "{key}");
    }
}

#[tokio::test]
async fn a_target_whose_key_is_pinned_neither_joins_nor_goes_on_with_the_key_that_it_joined_with() {
    let mut world = world();
    let desk = world.open();
    let bob = caller("bob", "bob");
    let pinned = Refused::Join("the configuration pins its host key; host = \"ca\" lets it join");
    let refused = desk.invite(&bob, &target("db2.prod")).await;
    assert_eq!(refused.unwrap_err(), pinned);
    let token = invited(&desk, DB1).await;
    joined(&desk, "host", &token).await.unwrap();
    let db1 = "address = \"db1.internal:22\"\nhost = \"ca\"";
    let now = format!(
        "address = \"db1.internal:22\"\nhost = \"{}\"",
        line("pinned")
    );
    assert!(world.text.contains(db1));
    world.text = world.text.replace(db1, &now);
    desk.reload(Config::clone(&world.config())).await.unwrap();
    assert_eq!(desk.target(&public("host")), None);
    assert_eq!(desk.target(&public("pinned")), Some(target(DB1)));
    let renewed = desk.renew(machine("pinned", None)).await;
    assert_eq!(renewed.unwrap_err(), pinned);
}
