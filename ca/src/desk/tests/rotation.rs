//! One key follows another: what the log says, what is believed, and what still signs.

use super::*;
use crate::keys::rotate;
use crate::ring::Standing as Stands;
use record::keyring::KeyStep;
use ssh_key::HashAlg;

fn standing(desk: &Desk, name: KeyName) -> Vec<Stands> {
    let state = desk.hall.state();
    let keys = state.ring.keys().iter();
    keys.filter(|key| key.name == name)
        .map(|key| key.standing)
        .collect()
}

async fn again(world: &World, desk: &Desk) {
    desk.reload(config(world.path(), &world.text))
        .await
        .unwrap();
}

fn signer_of(line: &str) -> String {
    let read = ssh_key::Certificate::from_openssh(line).unwrap();
    read.signature_key()
        .fingerprint(HashAlg::Sha256)
        .to_string()
}

#[tokio::test]
async fn a_key_is_announced_then_signs_and_the_old_one_runs_out() {
    let world = World::new();
    let desk = world.open();
    let alice = caller("alice", "alice");
    let first = granted(&desk).await;
    let old = desk.collect(&alice, &first).await.unwrap();
    let before = desk.trust();
    assert_eq!(before.user_cas.len(), 1);

    let (_, next) = rotate::announce(&world.config(), KeyName::User, None).unwrap();
    let twice = rotate::announce(&world.config(), KeyName::User, None);
    assert!(matches!(twice, Err(rotate::RotateError::Announced { .. })));
    again(&world, &desk).await;
    let announced = desk.trust();
    assert_eq!(announced.user_cas.len(), 2);
    assert_eq!(announced.user_cas[0], before.user_cas[0]);
    assert!(announced.keys > before.keys);
    let same = desk.collect(&alice, &first).await.unwrap();
    assert_eq!(signer_of(&same.certificate), signer_of(&old.certificate));

    rotate::switch(&world.config(), KeyName::User).unwrap();
    again(&world, &desk).await;
    assert_eq!(
        standing(&desk, KeyName::User),
        [Stands::Old, Stands::Current]
    );
    let second = granted(&desk).await;
    let new = desk.collect(&alice, &second).await.unwrap();
    assert_eq!(
        signer_of(&new.certificate),
        next.fingerprint(HashAlg::Sha256).to_string()
    );
    // What was logged under the old key is signed by it, now and after a restart, and opens its session.
    drop(desk);
    let desk = world.open();
    let same = desk.collect(&alice, &first).await.unwrap();
    assert_eq!(same.certificate, old.certificate);
    assert_eq!(desk.trust().user_cas.len(), 2);
    desk.open_session(&gate(), session_ask(1, &old.certificate))
        .await
        .unwrap();

    // By itself, when its last certificate has run out.
    world.clock.pass(Duration::from_secs(3600));
    assert_eq!(desk.trust().user_cas.len(), 1);
    let late = desk
        .open_session(&gate(), session_ask(2, &old.certificate))
        .await;
    assert_eq!(
        late.unwrap_err(),
        Refused::Certificate("the user CA has not signed it")
    );
}

#[tokio::test]
async fn a_retired_key_opens_nothing_and_never_comes_back() {
    let world = World::new();
    let desk = world.open();
    let alice = caller("alice", "alice");
    let id = granted(&desk).await;
    let old = desk.collect(&alice, &id).await.unwrap();
    let stolen = std::fs::read(world.path().join("ca/keys/user")).unwrap();
    rotate::announce(&world.config(), KeyName::User, None).unwrap();
    again(&world, &desk).await;
    rotate::switch(&world.config(), KeyName::User).unwrap();
    again(&world, &desk).await;
    let public = desk.hall.state().ring.keys()[0].public.clone();
    rotate::retire(&world.config(), KeyName::User, &public).unwrap();
    again(&world, &desk).await;
    assert_eq!(
        standing(&desk, KeyName::User),
        [Stands::Retired, Stands::Current]
    );
    assert_eq!(desk.trust().user_cas.len(), 1);
    assert!(!world.path().join("ca/keys/user.old-1").exists());
    let refused = desk
        .open_session(&gate(), session_ask(1, &old.certificate))
        .await;
    assert_eq!(
        refused.unwrap_err(),
        Refused::Certificate("the user CA has not signed it")
    );
    std::fs::write(world.path().join("ca/keys/user"), stolen).unwrap();
    let back = desk.reload(config(world.path(), &world.text)).await;
    assert!(
        matches!(
            &back,
            Err(DeskError::Keys(KeysError::Ring("a retired key comes back")))
        ),
        "{back:?}"
    );
}

#[tokio::test]
async fn promise_44_a_key_that_was_something_else_is_refused() {
    let world = World::new();
    let desk = world.open();
    rotate::announce(&world.config(), KeyName::Session, None).unwrap();
    again(&world, &desk).await;
    rotate::switch(&world.config(), KeyName::Session).unwrap();
    again(&world, &desk).await;
    // The old session CA as the next door CA.
    let keys = world.path().join("ca/keys");
    rotate::announce(
        &world.config(),
        KeyName::Door,
        Some(&keys.join("session.old-1")),
    )
    .unwrap();
    let refused = desk.reload(config(world.path(), &world.text)).await;
    let words = "it is the CA's key for something else";
    assert!(
        matches!(&refused, Err(DeskError::Keys(KeysError::Ring(why))) if *why == words),
        "{refused:?}"
    );
    // Nor may a person have had it.
    std::fs::remove_file(keys.join("door.next")).unwrap();
    let old = std::fs::read_to_string(keys.join("session.old-1")).unwrap();
    let old = ssh_key::PrivateKey::from_openssh(old).unwrap();
    let line = old.public_key().to_openssh().unwrap();
    let text = world.text.replace(&crate::testing::line("grace"), &line);
    let refused = desk.reload(config(world.path(), &text)).await;
    assert!(
        matches!(&refused, Err(DeskError::Keys(KeysError::Shared { .. }))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn an_announcement_that_is_taken_back_is_retired() {
    let world = World::new();
    let desk = world.open();
    rotate::announce(&world.config(), KeyName::Door, None).unwrap();
    again(&world, &desk).await;
    assert_eq!(desk.door_cas().len(), 2);
    std::fs::remove_file(world.path().join("ca/keys/door.next")).unwrap();
    again(&world, &desk).await;
    assert_eq!(desk.door_cas().len(), 1);
    let steps: Vec<_> = world
        .lines()
        .into_iter()
        .filter_map(|line| match line.entry {
            Entry::Keys { steps } => Some(steps),
            _ => None,
        })
        .flatten()
        .map(|step| step.step)
        .collect();
    assert_eq!(&steps[..6], [KeyStep::Current; 6]);
    assert_eq!(&steps[6..], [KeyStep::Announced, KeyStep::Retired]);
}

#[tokio::test]
async fn a_bastion_that_waits_hears_of_another_key_at_once() {
    let world = World::new();
    let desk = world.open();
    let keys = desk.trust().keys;
    let waiting = {
        let desk = desk.clone();
        tokio::spawn(async move { desk.ended(0, keys).await })
    };
    tokio::task::yield_now().await;
    rotate::announce(&world.config(), KeyName::Host, None).unwrap();
    again(&world, &desk).await;
    let heard = tokio::time::timeout(Duration::from_secs(5), waiting).await;
    assert!(heard.unwrap().unwrap().keys > keys);
}

/// The log's keys as the desk's own files have them: the newest first.
fn log_keys(world: &World) -> Vec<PublicKey> {
    keys::log_anchors(&world.config()).unwrap()
}

fn verified(world: &World, key: &PublicKey) -> Result<(), LogError> {
    let dir = world.path().join("ca/log");
    record::log::verify_log(&dir, key).map(drop)
}

fn ring_says(found: &Result<(), DeskError>, words: &str) {
    assert!(
        matches!(found, Err(DeskError::Keys(KeysError::Ring(why))) if *why == words),
        "{found:?}"
    );
}

fn signing(desk: &Desk) -> ssh_key::public::KeyData {
    let key = desk.hall.log_key().unwrap();
    key.public_key().key_data().clone()
}

/// What is signed with the new key is believed by whoever knows either.
async fn switched(world: &World, desk: &Desk, old: &PublicKey, new: &PublicKey) {
    assert_eq!(signing(desk), *new.key_data());
    let standing = standing(desk, KeyName::Log);
    assert_eq!(standing, [Stands::Old, Stands::Current]);
    granted(desk).await;
    for known in [old, new] {
        verified(world, known).unwrap();
        let orders = desk.orders(None).unwrap();
        orders.open(std::slice::from_ref(known)).unwrap();
    }
    let (list, signature) = (desk.krl().unwrap(), desk.krl_signature().unwrap());
    let by = sshsig::verify([old, new], krl::NAMESPACE, &list, &signature).unwrap();
    assert_eq!(by.key_data(), new.key_data());
}

#[tokio::test]
async fn the_log_s_key_vouches_for_the_next_and_everything_follows() {
    let world = World::new();
    let desk = world.open();
    let old = log_keys(&world).remove(0);
    let (_, new) = rotate::announce(&world.config(), KeyName::Log, None).unwrap();
    again(&world, &desk).await;
    assert_eq!(desk.hall.believed(KeyName::Log).len(), 2);
    assert_eq!(signing(&desk), *old.key_data());
    let slept = desk.orders(None).unwrap();
    slept.open(std::slice::from_ref(&old)).unwrap();

    rotate::switch(&world.config(), KeyName::Log).unwrap();
    // Before the CA is told, everybody reads on, and so does a start of it.
    verified(&world, &old).unwrap();
    assert_eq!(crate::ring(&world.config()).unwrap().keys().len(), 7);
    again(&world, &desk).await;
    switched(&world, &desk, &old, &new).await;
    drop(desk);
    let desk = world.open();
    switched(&world, &desk, &old, &new).await;

    rotate::retire(&world.config(), KeyName::Log, &old).unwrap();
    again(&world, &desk).await;
    assert_eq!(
        standing(&desk, KeyName::Log),
        [Stands::Retired, Stands::Current]
    );
    assert_eq!(desk.hall.believed(KeyName::Log).len(), 1);
    assert!(!world.path().join("ca/keys/log.old-1").exists());
    verified(&world, &old).unwrap();
    let late = desk.orders(None).unwrap();
    late.open(std::slice::from_ref(&old)).unwrap();
    drop(desk);
    assert_eq!(signing(&world.open()), *new.key_data());
}

#[tokio::test]
async fn a_log_key_that_the_one_before_does_not_vouch_for_is_refused() {
    let world = World::new();
    let desk = world.open();
    let file = world.path().join("ca/keys/log");
    let first = std::fs::read(&file).unwrap();
    let put = |bytes: &[u8]| std::fs::write(&file, bytes).unwrap();
    // Exchanged by hand.
    let other = world.path().join("other");
    keys::create_key(&other, "other").unwrap();
    let other = std::fs::read(other).unwrap();
    put(&other);
    let reload = || async { desk.reload(config(world.path(), &world.text)).await };
    ring_says(&reload().await, "it was not announced before it signs");
    put(&first);
    // What was another CA's.
    rotate::announce(&world.config(), KeyName::Session, None).unwrap();
    again(&world, &desk).await;
    rotate::switch(&world.config(), KeyName::Session).unwrap();
    again(&world, &desk).await;
    let session = world.path().join("ca/keys/session.old-1");
    rotate::announce(&world.config(), KeyName::Log, Some(&session)).unwrap();
    ring_says(&reload().await, "it is the CA's key for something else");
    std::fs::remove_file(world.path().join("ca/keys/log.next")).unwrap();
    std::fs::remove_file(world.path().join("ca/keys/log.next.pub")).unwrap();
    // Back to the one before, as long as it counts and when it does not.
    rotate::announce(&world.config(), KeyName::Log, None).unwrap();
    again(&world, &desk).await;
    rotate::switch(&world.config(), KeyName::Log).unwrap();
    again(&world, &desk).await;
    let second = std::fs::read(&file).unwrap();
    put(&first);
    ring_says(&reload().await, "it was not announced before it signs");
    put(&second);
    let old = log_keys(&world).remove(1);
    rotate::retire(&world.config(), KeyName::Log, &old).unwrap();
    again(&world, &desk).await;
    put(&first);
    ring_says(&reload().await, "it was not announced before it signs");
    rotate::announce(&world.config(), KeyName::Identity, None).unwrap_err();
    drop(desk);
    // A start is as strict: neither the old one nor a stranger's signs on.
    for bytes in [&first, &other] {
        put(bytes);
        let opened = world.try_open();
        assert!(matches!(
            opened.map(drop),
            Err(DeskError::Log(_) | DeskError::Keys(_))
        ));
    }
    put(&second);
    world.open();
}

/// The last certificate to run out is not the last one that was made.
#[tokio::test]
async fn an_old_key_is_believed_until_the_longest_of_its_certificates_has_run_out() {
    let world = World::new();
    let desk = world.open();
    let alice = caller("alice", "alice");
    for minutes in [30, 1] {
        let mut wanted = ask("postgres@db1.prod");
        wanted.life = Some(Duration::from_secs(minutes * 60));
        let id = desk.request(&alice, wanted).await.unwrap().id;
        approve(&desk, &id, "bob", "bob").await.unwrap();
        desk.collect(&alice, &id).await.unwrap();
    }
    rotate::announce(&world.config(), KeyName::User, None).unwrap();
    rotate::switch(&world.config(), KeyName::User).unwrap();
    again(&world, &desk).await;
    world.clock.pass(Duration::from_secs(29 * 60));
    assert_eq!(desk.trust().user_cas.len(), 2);
    world
        .clock
        .pass(Duration::from_secs(60) + limits::CLOCK_SKEW);
    assert_eq!(desk.trust().user_cas.len(), 1);
}
