use config::limits;
use record::krl::{Krl, NAMESPACE};
use record::sshsig;

use super::*;

/// The list that revokes exactly these serials, at the log's last line.
fn expected(world: &World, desk: &Desk, serials: &[u64]) -> Vec<u8> {
    let lines = world.lines();
    let mut krl = Krl::new(lines.len() as u64, lines.last().unwrap().at);
    krl.comment("hallpass session certificates").unwrap();
    let ca = &ca(desk, KeyName::Session);
    krl.revoke_serials(ca, serials.iter().copied()).unwrap();
    krl.encode().unwrap()
}

/// A session of a new grant; gives the grant and the serial of its session certificate.
async fn begun(desk: &Desk, n: u8) -> (RequestId, u64) {
    let id = granted(desk).await;
    let issued = collected(desk, &id).await;
    let ask = session_ask(n, &issued.certificate);
    let given = desk.open_session(&gate(), ask).await.unwrap();
    let certificate = ssh_key::Certificate::from_openssh(&given.certificate).unwrap();
    (id, certificate.serial())
}

async fn revoke(desk: &Desk, id: &RequestId) {
    let reason = "lost laptop".parse().unwrap();
    let done = desk.revoke(&caller("carol", "carol"), id, reason).await;
    done.unwrap();
}

#[tokio::test]
async fn the_list_names_session_certificates_of_grants_that_ended_early() {
    let world = World::new();
    let desk = world.open();
    let (running, _) = begun(&desk, 1).await;
    let (returned, first) = begun(&desk, 2).await;
    let (revoked, second) = begun(&desk, 3).await;
    assert_eq!(desk.krl().unwrap(), expected(&world, &desk, &[]));
    let alice = caller("alice", "alice");
    desk.give_back(&alice, &returned).await.unwrap();
    assert_eq!(desk.krl().unwrap(), expected(&world, &desk, &[first]));
    revoke(&desk, &revoked).await;
    assert_eq!(
        desk.krl().unwrap(),
        expected(&world, &desk, &[first, second])
    );
    // A restart writes a line, and forgets nothing.
    drop(desk);
    let desk = world.open();
    assert_eq!(
        desk.krl().unwrap(),
        expected(&world, &desk, &[first, second])
    );
    assert!(matches!(
        desk.standing(&running),
        Some(Standing::Granted { .. })
    ));
}

#[tokio::test]
async fn the_list_drops_what_has_expired_on_a_slow_clock_too() {
    let world = World::new();
    let desk = world.open();
    let (id, serial) = begun(&desk, 1).await;
    revoke(&desk, &id).await;
    world.clock.pass(limits::SESSION_CERT_LIFE);
    asked(&desk).await;
    assert_eq!(desk.krl().unwrap(), expected(&world, &desk, &[serial]));
    // Time alone changes nothing: one size of the log is one list.
    world.clock.pass(limits::CLOCK_SKEW);
    assert_eq!(desk.krl().unwrap(), expected(&world, &desk, &[serial]));
    asked(&desk).await;
    assert_eq!(desk.krl().unwrap(), expected(&world, &desk, &[]));
}

#[tokio::test]
async fn the_signature_is_the_logs_over_the_very_bytes() {
    let world = World::new();
    let desk = world.open();
    let (id, _) = begun(&desk, 1).await;
    revoke(&desk, &id).await;
    let list = desk.krl().unwrap();
    let signature = desk.krl_signature().unwrap();
    assert_eq!(signature, desk.krl_signature().unwrap());
    let key = desk.hall.log_key().unwrap();
    let log = key.public_key();
    assert_eq!(sshsig::verify([log], NAMESPACE, &list, &signature), Ok(log));
    asked(&desk).await;
    assert_eq!(
        sshsig::verify([log], NAMESPACE, &desk.krl().unwrap(), &signature),
        Err(sshsig::SigError::Invalid)
    );
}
