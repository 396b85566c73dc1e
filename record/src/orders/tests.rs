use ssh_key::private::Ed25519Keypair;

use super::*;
use crate::krl::Krl;

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

fn line(seed: u8) -> String {
    key(seed).public_key().to_openssh().unwrap()
}

fn orders() -> Orders {
    let at = UnixTime::from_secs(1_795_312_324);
    Orders {
        v: VERSION,
        at,
        number: 7,
        target: Some("db1.prod".parse().unwrap()),
        session_cas: vec![line(1), line(2)],
        signers: vec![line(3)],
        logins: vec!["postgres".parse().unwrap()],
        bastions: Vec::new(),
        krl: carried(&Krl::new(7, at).encode().unwrap()),
    }
}

fn opened(orders: &Orders) -> Result<Opened, OrdersError> {
    orders
        .sign(&key(3))
        .unwrap()
        .open(&[key(3).public_key().clone()])
}

#[test]
fn what_was_signed_is_what_is_read() {
    let read = opened(&orders()).unwrap();
    assert_eq!(read.orders, orders());
    assert_eq!(read.session_cas.len(), 2);
    assert_eq!(krl::look(&read.krl).unwrap().number, 7);
}

#[test]
fn nobody_else_gives_orders_and_no_byte_of_them_is_changed() {
    let signed = orders().sign(&key(4)).unwrap();
    let pinned = [key(3).public_key().clone()];
    let other = key(4).public_key().clone();
    let fingerprint = other.fingerprint(ssh_key::HashAlg::Sha256).to_string();
    assert_eq!(
        signed.open(&pinned).unwrap_err(),
        OrdersError::Signature(SigError::UnknownKey(fingerprint))
    );
    let mut changed = orders().sign(&key(3)).unwrap();
    changed.orders = changed.orders.replace("db1", "db2");
    assert_eq!(
        changed.open(&pinned).unwrap_err(),
        OrdersError::Signature(SigError::Invalid)
    );
    let text = orders().sign(&key(3)).unwrap().orders;
    let elsewhere = SignedOrders {
        signature: sshsig::sign(&key(3), krl::NAMESPACE, text.as_bytes()).unwrap(),
        orders: text,
        succession: Vec::new(),
    };
    assert_eq!(
        elsewhere.open(&pinned).unwrap_err(),
        OrdersError::Signature(SigError::Namespace(config::words::shown(krl::NAMESPACE)))
    );
}

#[test]
fn a_target_that_slept_follows_the_keys_and_no_other() {
    let step = |seed, before| {
        let change = KeyChange {
            name: KeyName::Log,
            step: KeyStep::Current,
            key: line(seed),
            vouch: None,
        };
        change.vouched_by(&key(before)).unwrap()
    };
    let by = |signer, succession: Vec<KeyChange>| {
        let signed = orders().sign(&key(signer)).unwrap();
        let signed = SignedOrders {
            succession,
            ..signed
        };
        signed.open(&[key(3).public_key().clone()]).map(drop)
    };
    assert_eq!(by(3, vec![step(4, 3), step(5, 4)]), Ok(()));
    assert_eq!(by(5, vec![step(4, 3), step(5, 4)]), Ok(()));
    let unknown = |seed| {
        let fingerprint = key(seed).public_key().fingerprint(ssh_key::HashAlg::Sha256);
        Err(OrdersError::Signature(SigError::UnknownKey(
            fingerprint.to_string(),
        )))
    };
    // A gap, a vouch by another key, one for another key, one that only announces.
    assert_eq!(by(5, vec![step(5, 4)]), unknown(5));
    assert_eq!(by(4, vec![step(4, 9)]), unknown(4));
    let lent = KeyChange {
        key: line(9),
        ..step(4, 3)
    };
    assert_eq!(by(9, vec![lent]), unknown(9));
    let announced = KeyChange {
        step: KeyStep::Announced,
        vouch: None,
        ..step(4, 3)
    };
    let announced = announced.vouched_by(&key(3)).unwrap();
    assert_eq!(by(4, vec![announced]), unknown(4));
    let most = limits::LOG_KEYS_FOLLOWED;
    assert_eq!(by(3, vec![step(4, 3); most]), Ok(()));
    assert_eq!(
        by(3, vec![step(4, 3); most + 1]),
        Err(OrdersError::TooLarge)
    );
}

#[test]
fn orders_that_would_lock_everybody_out_are_not_followed() {
    let with = |change: &dyn Fn(&mut Orders)| {
        let mut orders = orders();
        change(&mut orders);
        opened(&orders).unwrap_err()
    };
    assert_eq!(
        with(&|o| o.session_cas.clear()),
        OrdersError::Key("there is none")
    );
    assert_eq!(
        with(&|o| o.signers.clear()),
        OrdersError::Key("there is none")
    );
    assert_eq!(
        with(&|o| o.session_cas.push("ssh-ed25519 AAAA".to_owned())),
        OrdersError::Key("it does not parse")
    );
    assert_eq!(
        with(&|o| o.session_cas = vec![format!("{}\n{}", line(1), line(2))]),
        OrdersError::Key("it is not a plain key in one line")
    );
    let list = Krl::new(7, UnixTime::from_secs(1)).encode().unwrap();
    for length in 0..list.len() {
        let damage = with(&|o| o.krl = carried(&list[..length]));
        assert!(matches!(damage, OrdersError::Krl(_)), "{length}: {damage}");
    }
    assert_eq!(with(&|o| o.number = 8), OrdersError::Number);
    assert_eq!(with(&|o| o.v = 2), OrdersError::TooNew(2));
    assert_eq!(
        with(&|o| o.v = 0),
        OrdersError::Malformed("version 0".to_owned())
    );
    let unreadable = with(&|o| o.krl = "?".to_owned());
    assert_eq!(
        unreadable,
        OrdersError::Malformed("the list is not base64".to_owned())
    );
}

#[test]
fn one_byte_past_the_limit_is_refused_unread() {
    let mut signed = orders().sign(&key(3)).unwrap();
    signed.orders = " ".repeat(limits::ORDERS_BYTES + 1);
    assert_eq!(
        signed.open(&[key(3).public_key().clone()]).unwrap_err(),
        OrdersError::TooLarge
    );
}
