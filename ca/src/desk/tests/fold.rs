//! What cannot follow is never taken, whatever the desk thinks: each refusal by its reason.

use super::*;
use crate::state::State;
use record::entry::{Authority, Verdict};
use record::review::{Review, Seen};

fn name<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().unwrap()
}

/// Whether an entry can follow now.
fn follows(state: &State, entry: &Entry) -> Result<(), Impossible> {
    let line = Line::new(state.last.unwrap(), entry.clone());
    state.clone().apply(line).map(drop)
}

fn why(state: &State, entry: &Entry) -> &'static str {
    match follows(state, entry) {
        Err(Impossible(why)) => why,
        Ok(()) => panic!("it can follow: {entry:?}"),
    }
}

/// bob has approved what needs one more.
async fn half(desk: &Desk) -> RequestId {
    let alice = caller("alice", "alice");
    let id = desk.request(&alice, ask("root@db1.prod")).await.unwrap().id;
    approve(desk, &id, "bob", "bob").await.unwrap();
    id
}

fn approval_of(id: &RequestId, person: &str) -> Entry {
    Entry::Approval {
        request: id.clone(),
        person: name(person),
        signature: String::new(),
        on_call: std::collections::BTreeSet::new(),
    }
}

#[tokio::test]
async fn promise_30_the_log_takes_no_approval_of_one_s_own_and_none_twice() {
    let world = World::new();
    let desk = world.open();
    let id = half(&desk).await;
    let state = desk.hall.state();
    let own = why(&state, &approval_of(&id, "alice"));
    assert_eq!(own, "a person approves their own request");
    let twice = why(&state, &approval_of(&id, "bob"));
    assert_eq!(twice, "a person approves twice");
    let denial = Entry::Denial {
        request: id.clone(),
        person: name("alice"),
        reason: name("no"),
    };
    assert_eq!(why(&state, &denial), "a person denies their own request");
    let grant = |digest: Digest, by: &[&str]| Entry::Grant {
        request: id.clone(),
        digest,
        until: world.clock.wall(),
        approved_by: by.iter().map(|person| name(person)).collect(),
        policy: digest,
        on_call: std::collections::BTreeMap::new(),
    };
    let own = state.cases[&id].request.digest();
    let other = why(&state, &grant(Digest::of(b"x"), &["bob"]));
    assert_eq!(other, "the grant is for another text");
    let stranger = why(&state, &grant(own, &["bob", "dave"]));
    assert_eq!(stranger, "the grant names somebody who has not approved");
    follows(&state, &grant(own, &["bob"])).unwrap();
}

#[tokio::test]
async fn the_log_takes_one_word_of_each_check() {
    let world = World::new();
    let desk = world.open();
    let id = half(&desk).await;
    let mut state = desk.hall.state().clone();
    let spoken = |verdict| Entry::Verdict {
        request: id.clone(),
        check: name("ticket"),
        verdict,
        reason: name("because"),
    };
    for verdict in [Verdict::Abstain, Verdict::Abstain, Verdict::Approve] {
        let line = Line::new(world.clock.wall(), spoken(verdict));
        state.apply(line).unwrap();
    }
    let again = why(&state, &spoken(Verdict::Deny));
    assert_eq!(again, "a check decides twice");
}

#[tokio::test]
async fn promise_28_the_log_takes_one_certificate_of_each_grant_and_of_each_session() {
    let world = World::new();
    let desk = world.open();
    let id = granted(&desk).await;
    let issued = collected(&desk, &id).await;
    desk.open_session(&gate(), session_ask(1, &issued.certificate))
        .await
        .unwrap();
    let (second, third) = (granted(&desk).await, granted(&desk).await);
    collected(&desk, &second).await;
    let state = desk.hall.state();
    let text = |authority| {
        let mut all = state.certificates.values();
        let one = all.find(|one| one.authority == authority).unwrap();
        one.to_be_signed.clone()
    };
    let issue = |serial, authority, request: &RequestId, session: Option<u8>| Entry::Issue {
        serial,
        authority,
        to_be_signed: text(authority),
        request: Some(request.clone()),
        session: session.map(self::session),
    };
    let (user, of_session) = (Authority::User, Authority::Session);
    let next = state.next_serial();
    follows(&state, &issue(next, user, &third, None)).unwrap();
    let serial = why(&state, &issue(next + 1, user, &third, None));
    assert_eq!(serial, "the serial is not the next one");
    let again = why(&state, &issue(next, user, &id, None));
    assert_eq!(again, "the grant has its certificate");
    let other = why(&state, &issue(next, of_session, &second, Some(1)));
    assert_eq!(other, "the session runs under another grant");
    let twice = why(&state, &issue(next, of_session, &id, Some(1)));
    assert_eq!(twice, "the session has its certificate");
    let wrong = Entry::Issue {
        serial: next,
        authority: user,
        to_be_signed: text(of_session),
        request: Some(third.clone()),
        session: None,
    };
    assert_eq!(why(&state, &wrong), "the certificate names another CA");
    let begin = |session: u8, person: &str, access: &str| Entry::SessionBegin {
        session: self::session(session),
        request: id.clone(),
        person: name(person),
        access: name(access),
        bastion: gate(),
        source: "192.0.2.7".parse().unwrap(),
    };
    let access = "postgres@db1.prod";
    follows(&state, &begin(2, "alice", access)).unwrap();
    assert_eq!(
        why(&state, &begin(1, "alice", access)),
        "the session exists"
    );
    let person = why(&state, &begin(2, "mallory", access));
    assert_eq!(person, "the session is another person's");
    let elsewhere = why(&state, &begin(2, "alice", "root@db1.prod"));
    assert_eq!(elsewhere, "the session is for another access");
}

#[tokio::test]
async fn the_log_takes_one_debt_of_a_grant_and_no_review_of_one_s_own() {
    let world = glass::world("{ review = { count = 2 } }");
    let desk = world.open();
    let alice = caller("alice", "alice");
    let (asked, _) = desk.obtain(&alice, glass::emergency()).await.unwrap();
    let mut state = desk.hall.state().clone();
    let debt = |count| Entry::Debt {
        request: asked.id.clone(),
        count,
        from: vec![name("sre")],
        until: world.clock.wall(),
        blocks: false,
        blocks_break_glass: false,
    };
    assert_eq!(why(&state, &debt(1)), "the grant has its debt");
    let digest = state.cases[&asked.id].request.digest();
    let review = |digest: Digest, reviewer: &str| {
        let said = (record::review::Verdict::Accept, name("fine"));
        let seen: Vec<Seen> = Vec::new();
        let review = Review::of((asked.id.clone(), digest), name(reviewer), said, seen);
        Entry::Review {
            text: review.text(),
            signature: String::new(),
        }
    };
    let own = why(&state, &review(digest, "alice"));
    assert_eq!(own, "a person reviews themselves");
    let other = why(&state, &review(Digest::of(b"x"), "bob"));
    assert_eq!(other, "the review is of another text");
    let line = Line::new(world.clock.wall(), review(digest, "bob"));
    state.apply(line).unwrap();
    let twice = why(&state, &review(digest, "bob"));
    assert_eq!(twice, "a person reviews twice");
    let line = Line::new(world.clock.wall(), review(digest, "carol"));
    state.apply(line).unwrap();
    assert_eq!(why(&state, &review(digest, "dave")), "the debt is paid");
}

#[tokio::test]
async fn the_log_takes_a_token_once_for_its_target_and_a_renewal_by_the_key_that_joined() {
    use record::fingerprint::Fingerprint;
    use record::token::JoinToken;
    let world = World::new();
    let desk = world.open();
    let mut state = desk.hall.state().clone();
    let token = JoinToken::from_random([7; 32]).digest();
    let invitation = Entry::Invitation {
        target: name("db1.prod"),
        token,
        until: world.clock.wall().after(limits::TOKEN_LIFE),
        person: None,
    };
    let enrolment = |target: &str, key: &str| Entry::Enrolment {
        target: name(target),
        key: line(key).trim_end().to_owned(),
        token: Some(token),
    };
    let unknown = why(&state, &enrolment("db1.prod", "host"));
    assert_eq!(unknown, "there is no such token");
    let now = world.clock.wall();
    state.apply(Line::new(now, invitation.clone())).unwrap();
    assert_eq!(why(&state, &invitation), "the token exists");
    let other = why(&state, &enrolment("db2.prod", "host"));
    assert_eq!(other, "the token is for another target");
    let first = enrolment("db1.prod", "host");
    state.apply(Line::new(now, first.clone())).unwrap();
    assert_eq!(why(&state, &first), "the token is spent");
    let elsewhere = Entry::Enrolment {
        target: name("db2.prod"),
        key: line("host").trim_end().to_owned(),
        token: None,
    };
    assert_eq!(why(&state, &elsewhere), "the host key is another target's");
    let renewal = |key: &str| Entry::Renewal {
        target: name("db1.prod"),
        key: Fingerprint::of(&crate::testing::public(key)),
    };
    follows(&state, &renewal("host")).unwrap();
    let stranger = why(&state, &renewal("another"));
    assert_eq!(stranger, "the target has joined with another key");
}
