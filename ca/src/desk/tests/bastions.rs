mod keys;

use super::*;
use crate::testing::{key, public};
use base64::Engine as _;
use record::entry::Authority;
use record::tree::leaf_hash;

fn door(key: &str) -> api::DoorAsk {
    api::DoorAsk {
        door: api::Door::Own,
        key: key.to_owned(),
    }
}

fn end(n: u8) -> api::SessionEnd {
    api::SessionEnd {
        session: session(n),
        reason: "exit".to_owned(),
        root: Digest::of(b"root"),
        frames: 3,
    }
}

#[tokio::test]
async fn a_session_begins_and_ends_once() {
    let world = World::new();
    let desk = world.open();
    let id = granted(&desk).await;
    let issued = collected(&desk, &id).await;
    let ask = session_ask(1, &issued.certificate);
    let given = desk.open_session(&gate(), ask.clone()).await.unwrap();
    assert_eq!((given.serial, given.left_ms), (1, 900_000));
    let said = serde_json::to_string(&given).unwrap();
    assert!(
        !said.contains("alerted"),
        "a bastion from before this word takes it"
    );
    let read = ssh_key::Certificate::from_openssh(&given.certificate).unwrap();
    assert_eq!(read.valid_principals(), ["postgres@db1.prod"]);
    assert_eq!(
        read.critical_options().get("source-address").unwrap(),
        "10.0.0.5/32"
    );
    assert_eq!(read.valid_before(), world.clock.wall().secs() + 60);
    assert_eq!(read.signature_key(), ca(&desk, KeyName::Session).key_data());

    assert_eq!(
        desk.open_session(&gate(), ask).await,
        Err(Refused::SessionUsed(session(1)))
    );
    let other: BastionName = "other".parse().unwrap();
    assert_eq!(
        desk.end_session(&other, end(1)).await,
        Err(Refused::UnknownSession(session(1))),
        "only the bastion that began it"
    );
    for reason in ["", "two\nlines", "\u{202e}tixe", &"x".repeat(65)] {
        let reason = reason.to_owned();
        let wrong = api::SessionEnd { reason, ..end(1) };
        assert_eq!(
            desk.end_session(&gate(), wrong).await,
            Err(Refused::Because("why the session ended is a word or two"))
        );
    }
    desk.end_session(&gate(), end(1)).await.unwrap();
    desk.end_session(&gate(), end(1)).await.unwrap();
    let forged = api::SessionEnd {
        root: Digest::of(b"other"),
        ..end(1)
    };
    assert_eq!(
        desk.end_session(&gate(), forged).await,
        Err(Refused::Because(
            "the session has ended with another recording"
        ))
    );
    let rows = desk.sessions(&caller("bob", "bob"), &SessionFilter::default());
    assert_eq!(rows[0].ended.as_ref().unwrap().frames, 3);
    assert_eq!(
        desk.sessions(&caller("guest", "guest"), &SessionFilter::default()),
        []
    );
}

#[tokio::test]
async fn promise_33_a_late_session_has_only_the_time_that_is_left() {
    let world = World::new();
    let desk = world.open();
    let id = granted(&desk).await;
    let issued = collected(&desk, &id).await;
    world.clock.pass(Duration::from_secs(880));
    let given = desk
        .open_session(&gate(), session_ask(1, &issued.certificate))
        .await
        .unwrap();
    assert_eq!(given.left_ms, 20_000);
    let read = ssh_key::Certificate::from_openssh(&given.certificate).unwrap();
    assert_eq!(
        read.valid_before(),
        given.until.secs(),
        "not a minute past the deadline"
    );
    world.clock.pass(Duration::from_secs(20));
    assert_eq!(
        desk.open_session(&gate(), session_ask(2, &issued.certificate))
            .await,
        Err(Refused::Closed(Standing::Expired))
    );
}

#[tokio::test]
async fn promise_25_a_certificate_opens_only_what_the_log_says() {
    let world = World::new();
    let desk = world.open();
    let id = granted(&desk).await;
    let issued = collected(&desk, &id).await;
    let good = session_ask(1, &issued.certificate);
    let elsewhere = api::SessionAsk {
        access: "root@db1.prod".parse().unwrap(),
        ..good.clone()
    };
    assert_eq!(
        desk.open_session(&gate(), elsewhere).await,
        Err(Refused::OtherAccess {
            given: "postgres@db1.prod".parse().unwrap(),
            asked: "root@db1.prod".parse().unwrap()
        })
    );
    let refused = |line: String| {
        let desk = desk.clone();
        async move {
            desk.open_session(&gate(), session_ask(2, &line))
                .await
                .unwrap_err()
        }
    };
    assert_eq!(
        refused("ssh-ed25519-cert-v01@openssh.com AAAA".to_owned()).await,
        Refused::Certificate("it cannot be read")
    );
    let given = desk.open_session(&gate(), good).await.unwrap();
    assert_eq!(
        refused(given.certificate).await,
        Refused::Certificate("the user CA has not signed it"),
        "a session certificate opens no session"
    );
    desk.give_back(&caller("alice", "alice"), &id)
        .await
        .unwrap();
    assert_eq!(
        refused(issued.certificate).await,
        Refused::Closed(Standing::Returned)
    );
}

/// What a thief of the user CA's key would make.
fn forged(world: &World, id: &RequestId) -> String {
    let keys = Keys::load(&world.config()).unwrap();
    let signer = keys.signers.of(Authority::User).unwrap();
    let plan = crate::cert::Plan {
        authority: Authority::User,
        subject: public("mallory"),
        serial: 1,
        key_id: format!("hallpass:{id}:alice"),
        principals: vec!["postgres@db1.prod".to_owned()],
        after: world.clock.wall(),
        before: world.clock.wall().after(Duration::from_secs(600)),
        force_command: None,
        source_address: Vec::new(),
        permits: [crate::cert::Permit::Pty].into(),
    };
    let ca = signer.public().clone();
    let unsigned = plan.build(&ca, &[1; 32]).unwrap();
    let signature = signer.sign(&unsigned.bytes).unwrap();
    let mut blob = unsigned.bytes;
    crate::wire::put(&mut blob, &signature);
    let digits = base64::engine::general_purpose::STANDARD.encode(blob);
    format!("ssh-ed25519-cert-v01@openssh.com {digits}")
}

#[tokio::test]
async fn promise_25_a_stolen_user_ca_key_opens_nothing() {
    let world = World::new();
    let desk = world.open();
    let id = granted(&desk).await;
    collected(&desk, &id).await;
    let line = forged(&world, &id);
    assert!(
        ssh_key::Certificate::from_openssh(&line)
            .unwrap()
            .verify_signature()
            .is_ok()
    );
    let mut alerts = desk.alerts();
    for _ in 0..2 {
        assert_eq!(
            desk.open_session(&gate(), session_ask(1, &line)).await,
            Err(Refused::Certificate("this CA never issued it"))
        );
    }
    // Whoever audits or may shut out is alerted, once, when the log has it.
    let alert = alerts.try_recv().unwrap();
    let what =
        format!("serial 1, \"hallpass:{id}:alice\", for postgres@db1.prod, shown from 192.0.2.7");
    let event = crate::alert::Event::StrayCertificate {
        bastion: gate(),
        what,
    };
    assert_eq!(alert.event, event);
    assert!(alerts.try_recv().is_err());
    let told = world.lines().into_iter();
    let told = told.filter(|line| matches!(line.entry, Entry::Stray { .. }));
    assert_eq!(told.count(), 1);
}

#[tokio::test]
async fn doors_have_the_names_of_the_configuration() {
    let world = World::new();
    let desk = world.open();
    let own = desk.door(&gate(), door(&line("door"))).await.unwrap();
    let read = ssh_key::Certificate::from_openssh(&own.certificate).unwrap();
    assert_eq!(read.valid_principals(), ["gate.internal", "gate"]);
    assert!(read.cert_type().is_host());
    assert_eq!(read.signature_key(), ca(&desk, KeyName::Door).key_data());
    let target = api::DoorAsk {
        door: api::Door::Target("db2.prod".parse().unwrap()),
        key: line("door"),
    };
    let given = desk.door(&gate(), target.clone()).await.unwrap();
    let read = ssh_key::Certificate::from_openssh(&given.certificate).unwrap();
    assert_eq!(read.valid_principals(), ["db2.prod"]);
    let nowhere = api::DoorAsk {
        door: api::Door::Target("db9.prod".parse().unwrap()),
        ..target
    };
    assert_eq!(
        desk.door(&gate(), nowhere).await,
        Err(Refused::Because("there is no such target"))
    );
}

#[test]
fn a_host_certificate_is_made_by_hand_and_logged_first() {
    let world = World::new();
    drop(world.open());
    let certify = |target: &str, key: &str| {
        let target = target.parse().unwrap();
        crate::host::certify(world.config(), world.clock.clone(), &target, key)
    };
    let certificate = certify("db1.prod", &line("hostkey")).unwrap();
    let read = ssh_key::Certificate::from_openssh(&certificate).unwrap();
    assert_eq!(read.valid_principals(), ["db1.prod"]);
    assert!(read.cert_type().is_host());
    assert_eq!(world.issues(Authority::Host), 1);
    assert!(matches!(
        certify("db9.prod", &line("hostkey")),
        Err(DeskError::Unavailable(Refused::Join(
            "the inventory has no such target"
        )))
    ));
    assert!(matches!(
        certify("db1.prod", &certificate),
        Err(DeskError::Unavailable(Refused::Key(_)))
    ));
}
