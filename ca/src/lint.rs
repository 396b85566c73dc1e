//! The last look at a certificate before it is logged: the very bytes that will be signed are
//! read again, strictly, and held against what the policy gave.

mod parse;

use config::limits;
use config::words::Principal;
use record::entry::Authority;
use ssh_key::PublicKey;
use std::time::Duration;

use crate::cert::{Kind, Permit, Plan, Unsigned, certified};

pub(crate) use parse::{Fields, Whole, read_line, read_to_be_signed};

/// What is wrong with a certificate. Ours alone: a defect of this program, and nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the certificate would be wrong: {0}")]
pub(crate) struct LintError(&'static str);

/// The very bytes that will be signed, found to say what the policy gave and nothing else.
#[derive(Debug)]
pub(crate) struct Linted {
    pub(crate) authority: Authority,
    pub(crate) serial: u64,
    pub(crate) bytes: Vec<u8>,
}

/// Reads the bytes again and holds them against the plan, against OpenSSH's rules, and against ours.
pub(crate) fn lint(unsigned: Unsigned, ca: &PublicKey) -> Result<Linted, LintError> {
    let fields = read_to_be_signed(&unsigned.bytes).ok_or(LintError("it cannot be read"))?;
    well_formed(&fields, &unsigned.plan, ca)?;
    narrow(&fields, unsigned.plan.authority)?;
    Ok(passed(unsigned))
}

/// The same without what only this product asks for, so that OpenSSH's own scripts get the certificates that they try.
#[cfg(test)]
pub(crate) fn lint_without_ours(unsigned: Unsigned, ca: &PublicKey) -> Result<Linted, LintError> {
    let fields = read_to_be_signed(&unsigned.bytes).ok_or(LintError("it cannot be read"))?;
    well_formed(&fields, &unsigned.plan, ca)?;
    Ok(passed(unsigned))
}

fn passed(unsigned: Unsigned) -> Linted {
    Linted {
        authority: unsigned.plan.authority,
        serial: unsigned.plan.serial,
        bytes: unsigned.bytes,
    }
}

/// What holds of every certificate that any CA should sign: it says what was given, names somebody, and OpenSSH
/// reads it.
fn well_formed(fields: &Fields<'_>, plan: &Plan, ca: &PublicKey) -> Result<(), LintError> {
    says_what_was_given(fields, plan, ca)?;
    principals(fields)?;
    must(fields.after < fields.before, "it is never good")?;
    options(fields)
}

/// What holds of this product's certificates beside that.
fn narrow(fields: &Fields<'_>, authority: Authority) -> Result<(), LintError> {
    one_way_in(fields, authority)?;
    key_id(fields)?;
    window(fields, authority)
}

fn must(good: bool, what: &'static str) -> Result<(), LintError> {
    if good { Ok(()) } else { Err(LintError(what)) }
}

fn says_what_was_given(fields: &Fields<'_>, plan: &Plan, ca: &PublicKey) -> Result<(), LintError> {
    let subject = plan
        .subject
        .to_bytes()
        .map_err(|_| LintError("its key cannot be written"))?;
    must(fields.subject() == subject, "it is for another key")?;
    let algorithm = plan.subject.algorithm();
    must(
        fields.algorithm == certified(algorithm.as_str()),
        "it is of another kind",
    )?;
    let signer = ca
        .to_bytes()
        .map_err(|_| LintError("its CA cannot be written"))?;
    must(fields.ca == signer, "it names another CA")?;
    must(fields.subject() != signer, "it certifies the CA's own key")?;
    must(
        fields.serial == plan.serial && plan.serial > 0,
        "its serial is another",
    )?;
    must(
        fields.kind == Kind::of(plan.authority) as u32,
        "its type is another",
    )?;
    must(fields.key_id == plan.key_id, "its key id is another")?;
    must(
        fields.principals == plan.principals,
        "its principals are others",
    )?;
    must(
        fields.after == plan.after.secs(),
        "it begins at another time",
    )?;
    must(
        fields.before == plan.before.secs(),
        "it ends at another time",
    )?;
    must(
        same(&fields.critical, &plan.critical()),
        "its critical options are others",
    )?;
    must(
        same(&fields.extensions, &plan.extensions()),
        "its extensions are others",
    )
}

fn same(read: &[(&str, &[u8])], given: &[(&str, Vec<u8>)]) -> bool {
    read.len() == given.len()
        && read
            .iter()
            .zip(given)
            .all(|((name, data), (wanted, value))| name == wanted && data == value)
}

fn principals(fields: &Fields<'_>) -> Result<(), LintError> {
    let count = fields.principals.len();
    must(
        (1..=limits::PRINCIPALS).contains(&count),
        "it has none or too many principals",
    )?;
    for name in &fields.principals {
        must(!name.is_empty(), "a principal is empty")?;
        must(
            name.len() <= limits::NAME_BYTES + limits::TARGET_BYTES,
            "a principal is too long",
        )?;
        let plain =
            |c: char| c.is_ascii_graphic() && !matches!(c, ',' | '*' | '?' | '!' | '"' | '\\');
        must(
            name.chars().all(plain),
            "a principal has a character that matches more than itself",
        )?;
    }
    Ok(())
}

fn one_way_in(fields: &Fields<'_>, authority: Authority) -> Result<(), LintError> {
    if Kind::of(authority) == Kind::User {
        let one = match fields.principals.as_slice() {
            [one] => one.parse::<Principal>().is_ok(),
            _ => false,
        };
        must(one, "it is not for one login on one target")?;
    }
    Ok(())
}

fn key_id(fields: &Fields<'_>) -> Result<(), LintError> {
    let id = fields.key_id;
    must(
        !id.is_empty() && id.len() <= 256,
        "its key id is empty or too long",
    )?;
    must(
        id.chars().all(|c| c.is_ascii_graphic()),
        "its key id would not stand on one line of a log",
    )
}

fn window(fields: &Fields<'_>, authority: Authority) -> Result<(), LintError> {
    let most = longest(authority).as_secs() + limits::CLOCK_SKEW.as_secs();
    must(
        fields.before - fields.after <= most,
        "it is good for too long",
    )
}

/// The longest life of an authority's certificates.
const fn longest(authority: Authority) -> Duration {
    match authority {
        Authority::User => limits::GRANT_LONGEST,
        Authority::Session => limits::SESSION_CERT_LIFE,
        Authority::Host => limits::HOST_CERT_LIFE,
        Authority::Door => limits::DOOR_CERT_LIFE,
    }
}

fn options(fields: &Fields<'_>) -> Result<(), LintError> {
    must(
        fields.nonce.len() == crate::cert::NONCE,
        "its nonce has another length",
    )?;
    must(
        sorted(&fields.critical) && sorted(&fields.extensions),
        "its options are not sorted",
    )?;
    let known = |names: &[&str], given: &[(&str, &[u8])]| {
        given.iter().all(|(name, _)| names.contains(name))
    };
    must(
        known(&["force-command", "source-address"], &fields.critical),
        "it has an unknown critical option",
    )?;
    must(
        known(&Permit::ALL.map(Permit::name), &fields.extensions),
        "it has an unknown extension",
    )?;
    let host = fields.kind == Kind::Host as u32;
    must(
        !host || fields.critical.is_empty() && fields.extensions.is_empty(),
        "a host certificate has options",
    )
}

/// In ascending order, each name once (draft §2.2).
fn sorted(options: &[(&str, &[u8])]) -> bool {
    options.is_sorted_by(|(a, _), (b, _)| a < b)
}

#[cfg(test)]
mod tests;
