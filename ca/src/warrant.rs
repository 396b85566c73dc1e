//! Whether a certificate may be signed, by the log alone: what the signer asks last, and what a stranger asks later.
//!
//! The desk decides; this judges what it wrote. It takes nothing from the configuration, from the policy's decision or
//! from who asked, only what follows from the log's lines: the request's text, each approval's signature over it, and
//! what the log said at the grant about the role's quorums, its approvers' groups and their keys. So a defect of the
//! desk that grants too much gets no signature, and somebody who has a copy of the log finds every grant that lacks its
//! approvals.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::limits;
use config::quorum::Tally;
use config::rules::Quorum;
use config::words::{GroupName, PersonName};
use record::digest::Digest;
use record::entry::{Authority, Entry, Line, Verdict};
use record::law::{Approver, Terms};
use record::request::{APPROVAL_NAMESPACE, PROOF_NAMESPACE, Request};
use record::sshsig;
use record::text::Command;
use ssh_key::{HashAlg, PublicKey};

use crate::cert::Kind;
use crate::keys::plain_key;
use crate::lint::{Fields, read_to_be_signed};
use crate::state::{Approval, Basis, Case, Certificate, Grant, Impossible, State};

/// Why the log does not bear a certificate out. Nothing is signed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the log does not bear it out: {0}")]
pub struct Unwarranted(String);

fn no(why: impl Into<String>) -> Unwarranted {
    Unwarranted(why.into())
}

fn must(good: bool, why: &str) -> Result<(), Unwarranted> {
    good.then_some(()).ok_or_else(|| no(why))
}

/// Judges a certificate that stands in the log. The log does not say who is a bastion: a door is for any key, and is no
/// more than a host certificate.
pub(crate) fn judge(state: &State, certificate: &Certificate) -> Result<(), Unwarranted> {
    let bytes = STANDARD.decode(&certificate.to_be_signed);
    let fields = bytes.as_deref().ok().and_then(read_to_be_signed);
    let fields = fields.ok_or_else(|| no("the certificate cannot be read"))?;
    let kind = Kind::of(certificate.authority) as u32;
    must(fields.kind == kind, "it is of the wrong type")?;
    match certificate.authority {
        Authority::Door => return Ok(()),
        Authority::Host => return joined(state, &fields),
        Authority::User | Authority::Session => {}
    }
    let id = certificate.request.as_ref();
    let case = id.and_then(|id| state.cases.get(id));
    let case = case.ok_or_else(|| no("there is no such request"))?;
    let grant = granted(case)?;
    says_what_was_granted(&fields, certificate.authority, case, grant)?;
    comes_from_there(state, &fields, certificate.authority, case)
}

/// A host certificate is for one target, and for the key that the log knows it by.
fn joined(state: &State, fields: &Fields<'_>) -> Result<(), Unwarranted> {
    let known = match fields.principals.as_slice() {
        [name] => state.machines.enrolled.get(*name),
        _ => None,
    };
    let known = known.ok_or_else(|| no("no such target has joined"))?;
    let own = known.fingerprint.digest() == Digest::of(&fields.subject());
    must(own, "it is for another key than the target joined with")
}

/// The grant of a case, if its approvals bear it out.
fn granted(case: &Case) -> Result<&Grant, Unwarranted> {
    let grant = case.grant.as_ref().ok_or_else(|| no("there is no grant"))?;
    let basis = grant.basis.as_ref();
    let basis = basis.ok_or_else(|| {
        no("the log does not say who could approve the role when it was granted: ask again")
    })?;
    let life = Duration::from_secs(case.request.seconds.min(basis.terms.longest));
    // The line was written a moment after it was decided, by a clock that may have been set back in between.
    let latest = grant.at.after(life + limits::CLOCK_SKEW);
    must(
        grant.until <= latest,
        "the grant lasts longer than was asked for, or than the role gives",
    )?;
    if case.request.break_glass {
        must(
            basis.terms.break_glass,
            "the role cannot be taken before its approval",
        )?;
        proven(case, basis)?;
        return Ok(grant);
    }
    let terms = &basis.terms;
    let command = case.request.command.as_ref().map(Command::as_str);
    if command.is_some_and(|command| terms.preapproves(command)) {
        return Ok(grant);
    }
    let free = terms.quorums.is_empty() && terms.checks.is_empty();
    must(
        !free || terms.commands.is_empty(),
        "the role gives other commands only",
    )?;
    approved(case, grant, basis)?;
    Ok(grant)
}

/// Where the role wants it, whether a token of the person's that asked for its PIN has signed the request.
fn proven(case: &Case, basis: &Basis) -> Result<(), Unwarranted> {
    if !basis.terms.verify {
        return Ok(());
    }
    let proof = case.proof.as_ref();
    let proof = proof.ok_or_else(|| no("nobody has proven that it is that person"))?;
    let own = basis.approvers.get(&case.request.person);
    let keys = own.map(keys_of).unwrap_or_default();
    let text = case.request.text();
    sshsig::verify_user(&keys, PROOF_NAMESPACE, text.as_bytes(), proof)
        .map(drop)
        .map_err(|why| no(format!("the proof that it is that person: {why}")))
}

fn keys_of(approver: &Approver) -> Vec<PublicKey> {
    let lines = approver.keys.iter();
    lines.filter_map(|key| plain_key(key).ok()).collect()
}

/// Counts persons whose signatures hold, each once, and not the one who asked.
fn approved(case: &Case, grant: &Grant, basis: &Basis) -> Result<(), Unwarranted> {
    let mut counted: Vec<(&PersonName, BTreeSet<GroupName>)> = Vec::new();
    for person in &grant.approved_by {
        must(
            *person != case.request.person,
            "somebody approved their own request",
        )?;
        must(
            !counted.iter().any(|(name, _)| *name == person),
            "somebody counts twice",
        )?;
        let mut approvals = case.approvals.iter();
        let approval = approvals.find(|approval| approval.person == *person);
        let approval = approval.ok_or_else(|| no(format!("{person} has not approved it")))?;
        counted.push((person, word(&case.request, approval, basis, grant)?));
    }
    let members = counted.iter().map(|(name, groups)| (*name, groups));
    let tally = Tally::of(&basis.terms.quorums, members);
    must(
        tally.is_full(),
        "the approvals do not fill the role's quorums",
    )?;
    must(
        checked(case, basis),
        "an automated check has not approved it",
    )
}

/// The groups that a person's approval counts for, if its signature is theirs.
fn word(
    request: &Request,
    approval: &Approval,
    basis: &Basis,
    grant: &Grant,
) -> Result<BTreeSet<GroupName>, Unwarranted> {
    let person = &approval.person;
    let approver = basis.approvers.get(person);
    let approver = approver.ok_or_else(|| no(format!("{person} could not approve anything")))?;
    let text = request.text();
    sshsig::verify(
        &keys_of(approver),
        APPROVAL_NAMESPACE,
        text.as_bytes(),
        &approval.signature,
    )
    .map_err(|why| no(format!("{person}'s approval: {why}")))?;
    let mut groups = approver.groups.clone();
    for quorum in &basis.terms.quorums {
        if !is_present(quorum, approval, grant) {
            groups.remove(&quorum.from);
        }
    }
    Ok(groups)
}

/// Where only persons on call count: whether this one was so when approving, and when it was granted.
fn is_present(quorum: &Quorum, approval: &Approval, grant: &Grant) -> bool {
    quorum.on_call.as_ref().is_none_or(|roster| {
        let then = grant.on_call.get(roster);
        approval.on_call.contains(roster)
            && then.is_some_and(|persons| persons.contains(&approval.person))
    })
}

/// Whether every automated check that the role names has approved.
fn checked(case: &Case, basis: &Basis) -> bool {
    basis.terms.checks.iter().all(|check| {
        let mut own = case.verdicts.iter().filter(|spoken| spoken.check == *check);
        own.next_back()
            .is_some_and(|spoken| spoken.verdict == Verdict::Approve)
    })
}

/// A certificate gives what was granted, and nothing else.
fn says_what_was_granted(
    fields: &Fields<'_>,
    authority: Authority,
    case: &Case,
    grant: &Grant,
) -> Result<(), Unwarranted> {
    let request = &case.request;
    must(
        fields.principals == [request.access.to_string()],
        "it is for another access",
    )?;
    must(
        fields.before <= grant.until.secs(),
        "it is good for longer than the grant",
    )?;
    let asked = request.command.as_ref().map(ToString::to_string);
    must(
        fields.force_command() == asked.as_deref().map(str::as_bytes),
        "it is for another command",
    )?;
    if authority == Authority::User {
        let subject = PublicKey::from_bytes(&fields.subject());
        let subject = subject.map_err(|_| no("its key cannot be read"))?;
        let fingerprint = subject.fingerprint(HashAlg::Sha256).to_string();
        must(fingerprint == request.key, "it is for another key")?;
    }
    Ok(())
}

/// An access certificate is good from the role's networks only, as the role was when it was granted or is now.
fn comes_from_there(
    state: &State,
    fields: &Fields<'_>,
    authority: Authority,
    case: &Case,
) -> Result<(), Unwarranted> {
    if authority != Authority::User {
        return Ok(());
    }
    let then = case.grant.as_ref().and_then(|grant| grant.basis.as_ref());
    let then = then.map(|basis| &basis.terms);
    let now = state.law.role(&case.request.role);
    let given = fields.source_address();
    let mut own = then.into_iter().chain(now);
    must(
        own.any(|terms| given == sources(terms).as_deref().map(str::as_bytes)),
        "it is good from other networks than the role is",
    )
}

/// The networks of a role as a certificate names them; none for any.
fn sources(terms: &Terms) -> Option<String> {
    let blocks: Vec<String> = terms.sources.iter().map(ToString::to_string).collect();
    (!blocks.is_empty()).then(|| blocks.join(","))
}

/// Judges a whole log, line after line: that each line can follow from those before it, and that each certificate rests
/// on what was approved, or on a target that joined.
#[derive(Debug, Default)]
pub struct Auditor {
    state: State,
    told: bool,
    judged: Judged,
}

/// How much of a log was judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Judged {
    /// Grants whose access certificate is borne out by their approvals and by what the log said about the role.
    pub grants: u64,
    /// Grants from before the log said who may approve what.
    pub passed: u64,
}

/// Why a line of the log is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unbelievable {
    /// It cannot stand where it stands.
    #[error(transparent)]
    Impossible(#[from] Impossible),
    /// A certificate was to be signed that nobody had approved.
    #[error("certificate {serial}: {why}")]
    Unwarranted {
        /// Its serial.
        serial: u64,
        /// What the log lacks.
        why: Unwarranted,
    },
}

impl Auditor {
    /// Takes the next line. After an error nothing more is to be judged. Grants from before the log said who may
    /// approve what cannot be judged, and are passed.
    pub fn take(&mut self, line: Line) -> Result<(), Unbelievable> {
        self.told |= matches!(line.entry, Entry::Law { .. });
        let issued = match &line.entry {
            Entry::Issue { serial, .. } => Some(*serial),
            _ => None,
        };
        self.state.apply(line)?;
        let Some(serial) = issued else {
            return Ok(());
        };
        let certificate = self.state.certificates.get(&serial);
        let certificate = certificate.ok_or_else(|| Unbelievable::Unwarranted {
            serial,
            why: no("it is gone at once"),
        })?;
        let is_access = u64::from(certificate.authority == Authority::User);
        if !self.told {
            self.judged.passed += is_access;
            return Ok(());
        }
        judge(&self.state, certificate).map_err(|why| Unbelievable::Unwarranted { serial, why })?;
        self.judged.grants += is_access;
        Ok(())
    }

    /// How much was judged so far.
    pub const fn judged(&self) -> Judged {
        self.judged
    }
}

#[cfg(test)]
mod tests;
