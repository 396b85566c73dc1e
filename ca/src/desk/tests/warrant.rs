//! The signer's own look at the approvals: a desk that grants what nobody approved gets no signature.

mod lying;
mod real;

use super::*;
use crate::cert::{Permit, Plan};
use crate::desk::writer::Decided;
use crate::keys::Signers;
use crate::signer::{SignFault, Signer};
use crate::state::Case;
use crate::warrant::{self, Auditor};
use record::entry::Authority;
use record::request::{PROOF_NAMESPACE, Request};
use ssh_key::{HashAlg, PublicKey};
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting(Arc<dyn Signer>, Arc<AtomicUsize>);

impl Signer for Counting {
    fn public(&self) -> &PublicKey {
        self.0.public()
    }

    fn sign(&self, to_be_signed: &[u8]) -> Result<Vec<u8>, SignFault> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.sign(to_be_signed)
    }
}

/// A desk without its thread, whose signatures are counted.
fn counted(world: &World) -> (Opened, Arc<AtomicUsize>) {
    let opened = Opened::open(world.config(), world.clock.clone()).unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let signers: Signers = (*opened.writer.hall.signers()).clone();
    let signers = signers.map(|inner| Arc::new(Counting(inner, count.clone())));
    opened.writer.hall.set_signers(signers);
    (opened, count)
}

/// What a grant that should not be there looks like.
#[derive(Clone, Copy)]
struct Bug {
    role: &'static str,
    access: &'static str,
    break_glass: bool,
    /// Who has approved, and whose key has signed.
    approvals: &'static [(&'static str, &'static str)],
    approved_by: &'static [&'static str],
    /// Whether whoever approved was on call by `primary` then, and at the grant.
    on_call: (bool, bool),
    /// What the check `ticket` has said.
    checked: Option<record::entry::Verdict>,
    /// The one command.
    command: Option<&'static str>,
    /// Seconds that the grant lasts longer than was asked for.
    longer: u64,
}

const BUG: Bug = Bug {
    role: "db-oncall",
    access: "postgres@db1.prod",
    break_glass: false,
    approvals: &[],
    approved_by: &[],
    on_call: (false, false),
    checked: None,
    command: None,
    longer: 0,
};

fn primary() -> config::words::RosterName {
    "primary".parse().unwrap()
}

/// Alice asks, and the desk writes and signs whatever the bug says, without asking the policy.
fn grant(writer: &mut Writer, bug: &Bug) -> Decided<String> {
    let config = writer.hall.config();
    let now = writer.hall.now();
    let alice = caller("alice", "alice");
    let request = Request {
        id: RequestId::from_random([1; 5]),
        person: alice.person.clone(),
        key: alice.key.fingerprint(HashAlg::Sha256).to_string(),
        access: bug.access.parse().unwrap(),
        role: bug.role.parse().unwrap(),
        command: bug.command.map(|text| text.parse().unwrap()),
        seconds: 600,
        break_glass: bug.break_glass,
        reason: "INC-42".parse().unwrap(),
        policy: Digest::of(config.text.as_bytes()),
        asked: now,
        expires: now.after(config::limits::REQUEST_OPEN),
    };
    let id = request.id.clone();
    let until = now.after(Duration::from_secs(600 + bug.longer));
    writer.commit(Entry::Request {
        text: request.text(),
        source: alice.source,
    })?;
    for (person, key) in bug.approvals {
        writer.commit(Entry::Approval {
            request: id.clone(),
            person: person.parse().unwrap(),
            signature: approval(key, &request.text()),
            on_call: bug.on_call.0.then(primary).into_iter().collect(),
        })?;
    }
    if let Some(verdict) = bug.checked {
        writer.commit(Entry::Verdict {
            request: id.clone(),
            check: "ticket".parse().unwrap(),
            verdict,
            reason: "because".parse().unwrap(),
        })?;
    }
    let on_call = bug.approved_by.iter().filter(|_| bug.on_call.1);
    let on_call = on_call.map(|person| person.parse().unwrap()).collect();
    writer.commit(Entry::Grant {
        request: id.clone(),
        digest: request.digest(),
        until,
        approved_by: bug.approved_by.iter().map(|p| p.parse().unwrap()).collect(),
        policy: request.policy,
        on_call: [(primary(), on_call)].into(),
    })?;
    let plan = Plan {
        authority: Authority::User,
        subject: alice.key,
        serial: writer.state.next_serial(),
        key_id: format!("hallpass:{id}:alice"),
        principals: vec![request.access.to_string()],
        after: now,
        before: until,
        force_command: bug.command.map(str::to_owned),
        source_address: Vec::new(),
        permits: [Permit::Pty].into(),
    };
    let intent = writer.issue(plan, Some(id), None)?;
    Ok(Answer::after(move |press| Ok(press.sign(intent)?.line)))
}

/// Whether it gets a signature; if not, why the log does not bear it out.
fn tried(bug: &Bug) -> Result<(), String> {
    tried_in(&World::new(), bug)
}

fn tried_in(world: &World, bug: &Bug) -> Result<(), String> {
    let (mut opened, count) = counted(world);
    let done = batch::alone(&mut opened.writer, |writer| grant(writer, bug));
    let stranger = audited(world);
    assert_eq!(count.load(Ordering::Relaxed), usize::from(done.is_ok()));
    let state = opened.writer.hall.state();
    let certificate = state.certificates.values().next_back().unwrap();
    let why = warrant::judge(&state, certificate).map_err(|why| why.to_string());
    match (done, &why) {
        (Ok(_), Ok(())) => assert_eq!(stranger, Ok(1)),
        (Err(refused), Err(why)) => {
            let words = "its log does not bear that out".to_owned();
            assert_eq!(refused, Refused::Unavailable(words));
            assert_eq!(
                stranger,
                Err(format!("certificate {}: {why}", certificate.serial))
            );
        }
        other => panic!("{other:?}"),
    }
    why
}

/// What somebody says who has the log and nothing else.
fn audited(world: &World) -> Result<u64, String> {
    let mut auditor = Auditor::default();
    let mut lines = world.lines().into_iter();
    lines
        .try_for_each(|line| auditor.take(line))
        .map_err(|why| why.to_string())?;
    Ok(auditor.judged().grants)
}

fn unborne(bug: &Bug, why: &str) {
    let said = tried(bug).unwrap_err();
    assert_eq!(said, format!("the log does not bear it out: {why}"));
}

#[test]
fn promise_28_a_desk_that_grants_what_nobody_approved_gets_no_signature() {
    unborne(&BUG, "the approvals do not fill the role's quorums");
    let two = Bug {
        role: "db-root",
        access: "root@db1.prod",
        approvals: &[("bob", "bob")],
        approved_by: &["bob"],
        ..BUG
    };
    unborne(&two, "the approvals do not fill the role's quorums");
    let twice = Bug {
        approved_by: &["bob", "bob"],
        ..two
    };
    unborne(&twice, "somebody counts twice");
    // Somebody who is in no group that counts.
    let stranger = Bug {
        approvals: &[("erin", "erin")],
        approved_by: &["erin"],
        ..BUG
    };
    unborne(&stranger, "the approvals do not fill the role's quorums");
    let nobody = Bug {
        approvals: &[("mallory", "mallory")],
        approved_by: &["mallory"],
        ..BUG
    };
    unborne(&nobody, "mallory could not approve anything");
}

#[test]
fn promise_31_an_approval_that_its_person_did_not_sign_gets_no_signature() {
    let forged = Bug {
        approvals: &[("bob", "mallory")],
        approved_by: &["bob"],
        ..BUG
    };
    let said = tried(&forged).unwrap_err();
    let words = "the log does not bear it out: bob's approval: signed by an unknown key, SHA256:";
    assert!(said.starts_with(words), "{said}");
}

#[test]
fn promise_33_a_grant_that_is_too_long_gets_no_signature() {
    let long = Bug {
        approvals: &[("bob", "bob")],
        approved_by: &["bob"],
        longer: 31,
        ..BUG
    };
    unborne(
        &long,
        "the grant lasts longer than was asked for, or than the role gives",
    );
}

#[test]
fn what_was_approved_is_signed_and_a_stranger_agrees() {
    for good in [
        Bug {
            approvals: &[("bob", "bob2")],
            approved_by: &["bob"],
            ..BUG
        },
        Bug {
            break_glass: true,
            ..BUG
        },
        Bug {
            role: "db-look",
            access: "viewer@db1.prod",
            ..BUG
        },
    ] {
        tried(&good).unwrap();
    }
    let hidden = Bug {
        role: "db-root",
        access: "root@db1.prod",
        break_glass: true,
        ..BUG
    };
    unborne(&hidden, "the role cannot be taken before its approval");
}

/// A desk that forgets where the role is given from, as peers did when a certificate was issued again.
#[test]
fn promise_33_a_certificate_without_the_role_s_networks_gets_no_signature() {
    let mut world = World::new();
    let role = "[role.db-oncall]\n";
    let from = format!("{role}sources = [\"192.0.2.0/24\"]\n");
    world.text = world.text.replace(role, &from);
    let wide = Bug {
        approvals: &[("bob", "bob")],
        approved_by: &["bob"],
        ..BUG
    };
    let said = tried_in(&world, &wide).unwrap_err();
    assert!(
        said.ends_with("it is good from other networks than the role is"),
        "{said}"
    );
}

/// The signature is bob's, and bob, or the key that made it, was shut out before the grant.
#[test]
fn promise_31_the_log_counts_no_approval_of_whoever_was_shut_out_before_the_grant() {
    use record::fingerprint::Fingerprint;
    let bob = Whom::Person("bob".parse().unwrap());
    let key = Whom::Key(Fingerprint::of(&crate::testing::public("bob")));
    for (whom, why) in [
        (bob, "bob could not approve anything"),
        (key, "bob's approval: signed by an unknown key, SHA256:"),
    ] {
        let world = World::new();
        let (mut opened, count) = counted(&world);
        let shut_out = Entry::Exclusion {
            whom,
            keys: Vec::new(),
            person: "carol".parse().unwrap(),
            reason: "stolen".parse().unwrap(),
        };
        let bug = Bug {
            approvals: &[("bob", "bob")],
            approved_by: &["bob"],
            ..BUG
        };
        let done = batch::alone(&mut opened.writer, |writer| {
            writer.commit(shut_out)?;
            grant(writer, &bug)
        });
        assert!(done.is_err());
        assert_eq!(count.load(Ordering::Relaxed), 0);
        let said = audited(&world).unwrap_err();
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn promise_30_who_was_not_on_call_and_a_check_that_said_nothing_are_missed_by_the_signer_too() {
    use record::entry::Verdict;
    let world = || {
        let mut world = World::new();
        world.text = world.text.replacen(
            "approvals = { count = 1, from = \"sre\" }",
            "approvals = [{ count = 1, from = \"sre\", on-call = \"primary\" }, { check = \"ticket\" }]",
            1,
        );
        world.text += "[on-call.primary]\ncommand = [\"/x\"]\n[check.ticket]\ncommand = [\"/x\"]\nsecret-file = \"s\"\n";
        world
    };
    let good = Bug {
        approvals: &[("bob", "bob")],
        approved_by: &["bob"],
        on_call: (true, true),
        checked: Some(Verdict::Approve),
        ..BUG
    };
    tried_in(&world(), &good).unwrap();
    let quorums = "the approvals do not fill the role's quorums";
    let check = "an automated check has not approved it";
    for (on_call, checked, why) in [
        ((false, true), good.checked, quorums),
        ((true, false), good.checked, quorums),
        ((true, true), None, check),
        ((true, true), Some(Verdict::Abstain), check),
    ] {
        let bad = Bug {
            on_call,
            checked,
            ..good
        };
        let said = tried_in(&world(), &bad).unwrap_err();
        assert!(said.ends_with(why), "{said}");
    }
}

#[test]
fn promise_33_a_command_that_the_role_does_not_give_gets_no_signature() {
    let with = |role: &str| {
        let mut world = World::new();
        let header = format!("[role.{role}]\n");
        let commands = format!("{header}commands = [[\"systemctl\", \"restart\", \"{{unit}}\"]]\n");
        world.text = world.text.replace(&header, &commands);
        world
    };
    let given = Bug {
        command: Some("systemctl restart www"),
        ..BUG
    };
    tried_in(&with("db-oncall"), &given).unwrap();
    let other = Bug {
        command: Some("systemctl stop www"),
        ..BUG
    };
    let said = tried_in(&with("db-oncall"), &other).unwrap_err();
    assert!(
        said.ends_with("the approvals do not fill the role's quorums"),
        "{said}"
    );
    let shell = Bug {
        role: "db-look",
        access: "viewer@db1.prod",
        ..BUG
    };
    let said = tried_in(&with("db-look"), &shell).unwrap_err();
    assert!(
        said.ends_with("the role gives other commands only"),
        "{said}"
    );
}
