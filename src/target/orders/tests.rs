use std::os::unix::fs::PermissionsExt as _;

use config::words::Login;
use record::krl::Krl;
use record::orders::{Orders, VERSION, carried};
use ssh_key::PrivateKey;

use super::*;

const NOW: UnixTime = UnixTime::from_secs(1_795_312_324);

/// Stands for the log's key.
fn key() -> PrivateKey {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    ca::create_key(&path, "log").unwrap();
    PrivateKey::from_openssh(fs::read(path).unwrap()).unwrap()
}

fn list(number: u64, serial: u64, ca: &PublicKey) -> Vec<u8> {
    let mut krl = Krl::new(number, NOW);
    krl.revoke_serials(ca, [serial]).unwrap();
    krl.encode().unwrap()
}

fn orders(key: &PrivateKey, number: u64) -> Orders {
    let line = line(key.public_key()).unwrap();
    Orders {
        v: VERSION,
        at: NOW,
        number,
        target: Some("db1.prod".parse().unwrap()),
        session_cas: vec![line.clone()],
        signers: vec![line],
        logins: vec!["postgres".parse().unwrap()],
        bastions: Vec::new(),
        krl: carried(&list(number, number, key.public_key())),
    }
}

fn held(key: &PrivateKey, orders: &Orders, installed: Option<Vec<u8>>) -> Result<Checked> {
    held_at(key, orders, installed, NOW, false)
}

fn held_at(
    key: &PrivateKey,
    orders: &Orders,
    installed: Option<Vec<u8>>,
    now: UnixTime,
    accept_older: bool,
) -> Result<Checked> {
    let target = "db1.prod".parse().unwrap();
    let expected = Expected {
        target: &target,
        signers: &[key.public_key().clone()],
        now,
        installed,
        accept_older,
    };
    checked(&orders.sign(key).unwrap(), &expected)
}

#[track_caller]
fn refused(held: Result<Checked>, why: &str) {
    let failure = held.err().unwrap().to_string();
    assert!(failure.contains(why), "{failure:?} says nothing of {why:?}");
}

#[test]
fn a_list_that_is_older_than_the_one_in_force_is_refused() {
    let key = key();
    let installed = || Some(list(9, 9, key.public_key()));
    held(&key, &orders(&key, 9), installed()).unwrap();
    held(&key, &orders(&key, 10), installed()).unwrap();
    refused(
        held(&key, &orders(&key, 8), installed()),
        "ALARM: list 8 is older than list 9",
    );
    held_at(&key, &orders(&key, 8), installed(), NOW, true).unwrap();
    let forked = Some(list(9, 1, key.public_key()));
    refused(
        held(&key, &orders(&key, 9), forked),
        "ALARM: there are two lists 9",
    );
    // An empty file, as the setup makes it, is no list.
    held(&key, &orders(&key, 1), None).unwrap();
}

#[test]
fn orders_of_another_time_or_for_another_target_are_refused() {
    let key = key();
    let at = |now| held_at(&key, &orders(&key, 9), None, now, false);
    at(NOW.after(limits::ORDERS_AGE)).unwrap();
    at(NOW.before(limits::ORDERS_AGE)).unwrap();
    let second = std::time::Duration::from_secs(1);
    refused(at(NOW.after(limits::ORDERS_AGE + second)), "set the clocks");
    refused(
        at(NOW.before(limits::ORDERS_AGE + second)),
        "set the clocks",
    );
    let mut other = orders(&key, 9);
    other.target = Some("db2.prod".parse().unwrap());
    refused(held(&key, &other, None), "they are for db2.prod");
    other.target = None;
    refused(held(&key, &other, None), "they are for no target");
    let stranger = self::key();
    let target = "db1.prod".parse().unwrap();
    let expected = Expected {
        target: &target,
        signers: &[key.public_key().clone()],
        now: NOW,
        installed: None,
        accept_older: true,
    };
    let signed = orders(&key, 9).sign(&stranger).unwrap();
    refused(checked(&signed, &expected), "signed by an unknown key");
}

#[test]
fn what_lets_in_goes_with_the_orders() {
    let key = key();
    let etc = tempfile::tempdir().unwrap();
    let place = Place::new(etc.path().to_str().unwrap()).unwrap();
    place.make().unwrap();
    let mut told = orders(&key, 9);
    told.logins = ["postgres", "root"]
        .map(|name| name.parse::<Login>().unwrap())
        .to_vec();
    let second = self::key();
    told.session_cas.push(line(second.public_key()).unwrap());
    install(&place, &held(&key, &told, None).unwrap()).unwrap();
    let principals = |login: &str| fs::read_to_string(place.principals().join(login));
    assert_eq!(principals("root").unwrap(), "root@db1.prod\n");
    let trusted = fs::read_to_string(place.session_cas()).unwrap();
    assert_eq!(trusted.lines().count(), 2);
    assert_eq!(place.installed().unwrap(), list(9, 9, key.public_key()));
    for path in [
        place.revoked(),
        place.session_cas(),
        place.principals().join("root"),
    ] {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o644, "{}", path.display());
    }
    told.logins.pop();
    told.session_cas.pop();
    install(&place, &held(&key, &told, place.installed()).unwrap()).unwrap();
    principals("root").unwrap_err();
    principals("postgres").unwrap();
    let trusted = fs::read_to_string(place.session_cas()).unwrap();
    assert_eq!(trusted.lines().count(), 1);
}
