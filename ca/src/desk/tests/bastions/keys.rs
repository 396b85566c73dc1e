//! Certificates and the keys of CAs are nobody's keys.

use super::*;

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
