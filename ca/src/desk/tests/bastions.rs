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
            Err(Refused::Message("why the session ended is a word or two"))
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
        Err(Refused::Message(
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
        Err(Refused::Message("there is no such target"))
    );
}

/// A certificate whose CA key is a certificate, and so on.
fn nested(depth: usize) -> Vec<u8> {
    let mut ca = public("nest").to_bytes().unwrap();
    for _ in 0..depth {
        let mut blob = Vec::new();
        let name = b"ssh-ed25519-cert-v01@openssh.com";
        crate::wire::put(&mut blob, name);
        crate::wire::put(&mut blob, &[0; 32]);
        crate::wire::put(&mut blob, &[7; 32]);
        blob.extend_from_slice(&[0; 8]);
        blob.extend_from_slice(&1_u32.to_be_bytes());
        crate::wire::put(&mut blob, b"id");
        crate::wire::put(&mut blob, b"");
        blob.extend_from_slice(&[0; 8]);
        blob.extend_from_slice(&[0xff; 8]);
        for _ in 0..3 {
            crate::wire::put(&mut blob, b"");
        }
        crate::wire::put(&mut blob, &ca);
        crate::wire::put(&mut blob, b"sig");
        ca = blob;
    }
    ca
}

fn as_line(blob: &[u8]) -> String {
    let digits = base64::engine::general_purpose::STANDARD.encode(blob);
    format!("ssh-ed25519-cert-v01@openssh.com {digits}")
}

#[tokio::test]
async fn promise_26_no_certificate_and_no_ca_key_is_taken_for_a_key() {
    let world = World::new();
    let desk = world.open();
    let id = granted(&desk).await;
    let issued = collected(&desk, &id).await;
    let own_ca = |key: &ssh_key::PublicKey| key.to_openssh().unwrap();
    let public: Vec<_> = {
        let state = desk.hall.state();
        state
            .ring
            .keys()
            .iter()
            .map(|key| key.public.clone())
            .collect()
    };
    assert_eq!(public.len(), 6);
    let mut cases = vec![
        (
            issued.certificate.clone(),
            "it is a certificate, not a plain key",
        ),
        (line("alice"), "it is a person's key"),
        (line("gate"), "it is a bastion's key"),
        (line("other"), "it is a bastion's key"),
        (as_line(&nested(1)), "it is a certificate, not a plain key"),
        (as_line(&nested(1000)), "it is too long"),
        (
            issued
                .certificate
                .replace("ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519"),
            "it is a certificate, not a plain key",
        ),
    ];
    cases.extend(
        public
            .iter()
            .map(|key| (own_ca(key), "it is a key of the CA")),
    );
    for (n, (line, why)) in cases.into_iter().enumerate() {
        let refused = Err(Refused::Key(why));
        assert_eq!(
            desk.door(&gate(), door(&line)).await.map(drop),
            refused,
            "door {n}"
        );
        let ask = api::SessionAsk {
            key: line,
            ..session_ask(9, &issued.certificate)
        };
        assert_eq!(
            desk.open_session(&gate(), ask).await.map(drop),
            refused,
            "session {n}"
        );
    }
    for depth in [1, 2, 40, 1000] {
        let ask = session_ask(9, &as_line(&nested(depth)));
        assert_eq!(
            desk.open_session(&gate(), ask).await,
            Err(Refused::Certificate("it cannot be read"))
        );
    }
    assert!(
        desk.open_session(&gate(), session_ask(9, &issued.certificate))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn promise_26_an_approval_by_a_certified_key_or_a_ca_key_is_refused() {
    use record::sshsig::SigError;
    let world = World::new();
    let desk = world.open();
    let first = granted(&desk).await;
    let certificate = collected(&desk, &first).await.certificate;
    let id = asked(&desk).await;
    let bob = caller("bob", "bob");
    let text = desk.text(&bob, &id).unwrap();
    let good = approval("bob", &text);
    for blob in [
        ssh_key::Certificate::from_openssh(&certificate)
            .unwrap()
            .to_bytes()
            .unwrap(),
        nested(1000),
    ] {
        let mut forged = b"SSHSIG\0\0\0\x01".to_vec();
        crate::wire::put(&mut forged, &blob);
        for part in [b"approval@hallpass".as_slice(), b"", b"sha512", b"x"] {
            crate::wire::put(&mut forged, part);
        }
        let digits = base64::engine::general_purpose::STANDARD.encode(&forged);
        let armoured =
            format!("-----BEGIN SSH SIGNATURE-----\n{digits}\n-----END SSH SIGNATURE-----\n");
        assert!(matches!(
            desk.approve(&bob, &id, &armoured).await,
            Err(Refused::Signature(SigError::Algorithm | SigError::TooLong))
        ));
    }
    let keys = Keys::load(&world.config()).unwrap();
    let ca = keys.log_key().unwrap();
    let by_ca =
        record::sshsig::sign(ca, record::request::APPROVAL_NAMESPACE, text.as_bytes()).unwrap();
    assert!(matches!(
        desk.approve(&bob, &id, &by_ca).await,
        Err(Refused::Signature(SigError::UnknownKey(_)))
    ));
    assert!(
        desk.approve(&bob, &id, &good).await.is_ok(),
        "and the good one counts"
    );
    assert_eq!(key("bob").public_key(), &public("bob"));
    assert_ne!(leaf_hash(b"a"), leaf_hash(b"b"));
}

#[test]
fn promise_26_a_ca_key_is_nobodys_key_in_the_configuration() {
    let world = World::new();
    let user = std::fs::read_to_string(world.path().join("ca/keys/user.pub")).unwrap();
    for who in ["guest", "gate", "db2"] {
        let taken = World {
            text: world.text.replace(&line(who), user.trim()),
            dir: tempfile::tempdir().unwrap(),
            clock: world.clock.clone(),
        };
        let config = Arc::new(config(world.path(), &taken.text));
        let refused = Desk::open(config, world.clock.clone());
        assert!(
            matches!(refused, Err(DeskError::Keys(KeysError::Shared { .. }))),
            "{who}"
        );
    }
}

#[tokio::test]
async fn promise_26_a_certificate_is_nobodys_key_in_the_configuration() {
    let world = World::new();
    let desk = world.open();
    let id = granted(&desk).await;
    let certificate = collected(&desk, &id).await.certificate;
    let text = world.text.replace(&line("guest"), &certificate);
    let refused = Config::parse(&world.path().join("hallpass.toml"), text);
    assert!(refused.is_err());
    let parsed = ssh_key::PublicKey::from_openssh(&certificate);
    if let Ok(key) = parsed {
        assert!(desk.caller(&key, "192.0.2.7".parse().unwrap()).is_none());
        assert!(desk.bastion(&key).is_none());
    }
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
