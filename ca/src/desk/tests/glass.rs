//! Break-glass: who proves, who reviews, and who is told.

use super::*;
use crate::testing::{token, token_signs};
use record::fingerprint::Fingerprint;
use record::request::PROOF_NAMESPACE;
use record::review::REVIEW_NAMESPACE;
use record::sshsig::SigError;

/// The databases' role is taken first on these terms; alice has a token beside her two keys.
pub(super) fn world(terms: &str) -> World {
    let mut world = World::new();
    let keys = format!("\"{}\"]", line("alice2"));
    let more = format!(
        "\"{}\", \"{}\"]",
        line("alice2"),
        token("stick").to_openssh().unwrap()
    );
    for (from, to) in [
        (
            "break-glass = true",
            format!("break-glass = {terms}").as_str(),
        ),
        ("[ca]\n", "[ca]\nrevokers = [\"sre\"]\n"),
        (&keys, &more),
    ] {
        assert!(world.text.contains(from), "{from}");
        world.text = world.text.replacen(from, to, 1);
    }
    world
}

pub(super) fn emergency() -> Ask {
    Ask {
        break_glass: true,
        ..ask("postgres@db1.prod")
    }
}

fn because() -> Reason {
    "lost laptop".parse().unwrap()
}

fn key_of(key: &PublicKey) -> Whom {
    Whom::Key(Fingerprint::of(key))
}

pub(super) async fn prove(desk: &Desk, id: &RequestId, flags: u8) -> Result<Standing, Refused> {
    let alice = caller("alice", "alice");
    let text = desk.text(&alice, id).unwrap();
    let proof = token_signs("stick", flags, PROOF_NAMESPACE, &text);
    desk.prove(&alice, id, &proof).await
}

#[tokio::test]
async fn what_has_to_be_proven_is_proven_by_a_token_that_is_not_shut_out() {
    let world = world("{ verify = true }");
    let desk = world.open();
    let alice = caller("alice", "alice");
    let id = desk.request(&alice, emergency()).await.unwrap().id;
    let other = desk.request(&alice, emergency()).await.unwrap().id;
    let touched = prove(&desk, &id, 1).await;
    assert_eq!(touched, Err(Refused::Proof(SigError::NoVerification)));
    let plain = desk.text(&alice, &id).unwrap();
    let plain = record::sshsig::sign(
        &crate::testing::key("alice"),
        PROOF_NAMESPACE,
        plain.as_bytes(),
    );
    let plain = desk.prove(&alice, &id, &plain.unwrap()).await;
    assert_eq!(plain, Err(Refused::Proof(SigError::NoToken)));
    // The proof of another request is none of this one.
    let replayed = token_signs(
        "stick",
        5,
        PROOF_NAMESPACE,
        &desk.text(&alice, &other).unwrap(),
    );
    let replayed = desk.prove(&alice, &id, &replayed).await;
    assert_eq!(replayed, Err(Refused::Proof(SigError::Invalid)));
    let good = prove(&desk, &id, 5).await;
    assert!(matches!(good, Ok(Standing::Granted { .. })), "{good:?}");
    desk.collect(&alice, &id).await.unwrap();
    desk.exclude(&alice, key_of(&token("stick")), because())
        .await
        .unwrap();
    let stolen = prove(&desk, &other, 5).await;
    assert!(
        matches!(&stolen, Err(Refused::Proof(SigError::UnknownKey(_)))),
        "{stolen:?}"
    );
}

async fn review(desk: &Desk, id: &RequestId, person: &str, key: &str) -> Result<DebtRow, Refused> {
    let who = caller(person, "bob");
    let said = (Verdict::Accept, "it was right".parse().unwrap());
    let text = desk.review_text(&who, id, said.0, &said.1)?;
    let signed = record::sshsig::sign(&crate::testing::key(key), REVIEW_NAMESPACE, text.as_bytes());
    desk.review(&who, id, said, &signed.unwrap()).await
}

#[tokio::test]
async fn a_debt_is_paid_with_a_key_that_is_not_shut_out() {
    let world = world("true");
    let desk = world.open();
    let alice = caller("alice", "alice");
    let (asked, issued) = desk.obtain(&alice, emergency()).await.unwrap();
    assert!(issued.is_some());
    world.clock.pass(Duration::from_secs(1000));
    let bob = caller("bob", "bob");
    let (gone, second) = (
        crate::testing::public("bob2"),
        key_of(&crate::testing::public("bob2")),
    );
    assert_eq!(key_of(&gone), second);
    desk.exclude(&bob, second, because()).await.unwrap();
    let stolen = review(&desk, &asked.id, "bob", "bob2").await;
    assert!(
        matches!(
            &stolen,
            Err(Refused::ReviewSignature(SigError::UnknownKey(_)))
        ),
        "{stolen:?}"
    );
    assert!(review(&desk, &asked.id, "bob", "bob").await.unwrap().paid);
}

/// Whoever asks again and again past their quota must not crowd out what approvers have to hear.
#[tokio::test]
async fn a_quota_that_is_used_up_is_told_once_an_hour() {
    let world = world("{ per-week = 1 }");
    let desk = world.open();
    let mut heard = desk.alerts();
    let alice = caller("alice", "alice");
    let taken = desk.request(&alice, emergency()).await.unwrap();
    assert!(matches!(taken.standing, Standing::Granted { .. }));
    let mut told = || std::iter::from_fn(|| heard.try_recv().ok()).count();
    assert_eq!(told(), 1);
    for _ in 0..20 {
        let refused = desk.request(&alice, emergency()).await;
        assert!(matches!(refused, Err(Refused::NotNow(_))), "{refused:?}");
    }
    assert_eq!(told(), 1);
    world.clock.pass(Duration::from_secs(3600));
    desk.request(&alice, emergency()).await.unwrap_err();
    assert_eq!(told(), 1);
}

/// Two of sre have to look at it afterwards, and nobody has yet.
async fn taken(world: &World) -> (Arc<Desk>, RequestId) {
    let desk = world.open();
    let alice = caller("alice", "alice");
    let (asked, issued) = desk.obtain(&alice, emergency()).await.unwrap();
    let certificate = issued.unwrap().certificate;
    desk.open_session(&gate(), session_ask(1, &certificate))
        .await
        .unwrap();
    (desk, asked.id)
}

async fn reviewed(desk: &Desk, id: &RequestId, person: &str) -> Result<DebtRow, Refused> {
    let who = caller(person, person);
    let said = (Verdict::Accept, "it was right".parse().unwrap());
    let text = desk.review_text(&who, id, said.0, &said.1)?;
    let key = crate::testing::key(person);
    let signed = record::sshsig::sign(&key, REVIEW_NAMESPACE, text.as_bytes());
    desk.review(&who, id, said, &signed.unwrap()).await
}

#[tokio::test]
async fn a_debt_is_paid_by_as_many_others_as_it_says_once_it_is_over() {
    let world = world("{ review = { count = 2 } }");
    let (desk, id) = taken(&world).await;
    assert_eq!(reviewed(&desk, &id, "alice").await, Err(Refused::OwnReview));
    let early = reviewed(&desk, &id, "bob").await;
    assert!(matches!(early, Err(Refused::StillRuns(_))), "{early:?}");
    world.clock.pass(Duration::from_secs(1000));
    let runs = reviewed(&desk, &id, "bob").await;
    assert_eq!(runs, Err(Refused::SessionRuns(session(1))));
    let end = api::SessionEnd {
        session: session(1),
        reason: "exit".to_owned(),
        root: Digest::of(b"root"),
        frames: 1,
    };
    desk.end_session(&gate(), end).await.unwrap();
    let holder = reviewed(&desk, &id, "mallory").await;
    assert!(matches!(holder, Err(Refused::NotReviewer(_))), "{holder:?}");
    assert!(!reviewed(&desk, &id, "bob").await.unwrap().paid);
    let twice = reviewed(&desk, &id, "bob").await;
    assert_eq!(twice, Err(Refused::AlreadyReviewed));
    assert!(reviewed(&desk, &id, "carol").await.unwrap().paid);
    let late = reviewed(&desk, &id, "dave").await;
    assert_eq!(late, Err(Refused::NothingOwed));
}

#[tokio::test]
async fn a_debt_is_announced_once_it_is_overdue_and_once() {
    let world = world("{ review = { within = \"1h\" } }");
    let (desk, id) = taken(&world).await;
    let mut heard = desk.alerts();
    let mut told = || {
        let all = std::iter::from_fn(|| heard.try_recv().ok());
        all.filter(|alert| alert.event.name() == "debt-unpaid")
            .count()
    };
    let announce = |id: RequestId| desk.run(move |writer| writer.announce(&id));
    announce(id.clone()).await.unwrap();
    assert_eq!(told(), 0, "it is not overdue");
    world.clock.pass(Duration::from_secs(900 + 3600));
    assert_eq!(desk.hall.due().0, std::slice::from_ref(&id));
    announce(id.clone()).await.unwrap();
    announce(id.clone()).await.unwrap();
    assert_eq!(told(), 1);
    assert_eq!(desk.hall.due().0, []);
}

#[tokio::test]
async fn what_nobody_wants_proven_is_not_proven() {
    let world = world("{ verify = true }");
    let desk = world.open();
    let id = asked(&desk).await;
    assert_eq!(prove(&desk, &id, 5).await, Err(Refused::NothingToProve));
}
