//! From what the CA says to what sshd reads: checked first, then put in place, what refuses before what lets in.

use std::collections::BTreeSet;
use std::fs;

use config::limits;
use config::words::TargetName;
use record::clock::UnixTime;
use record::krl;
use record::orders::{Opened, SignedOrders};
use ssh_key::PublicKey;

use super::place::{Place, line, remove, replace, touch};
use crate::failure::{Failure, Result};

/// Who these orders have to be for, and what they are held against.
pub(super) struct Expected<'a> {
    pub(super) target: &'a TargetName,
    pub(super) signers: &'a [PublicKey],
    pub(super) now: UnixTime,
    /// The list that is in force; none if there is none.
    pub(super) installed: Option<Vec<u8>>,
    /// Whether a list with a lower number is taken all the same.
    pub(super) accept_older: bool,
}

/// Orders that may be put in place. Made by [`checked`] alone.
pub(super) struct Checked(Opened);

impl Checked {
    pub(super) const fn signers(&self) -> &Vec<PublicKey> {
        &self.0.signers
    }

    pub(super) const fn bastions(&self) -> &Vec<config::cidr::Cidr> {
        &self.0.orders.bastions
    }

    pub(super) const fn number(&self) -> u64 {
        self.0.orders.number
    }
}

/// Holds orders against what this target knows.
pub(super) fn checked(signed: &SignedOrders, expected: &Expected<'_>) -> Result<Checked> {
    let refused = |why: String| Failure::new(format!("the CA's orders are refused: {why}"));
    let opened = signed.open(expected.signers);
    let opened = opened.map_err(|why| refused(why.to_string()))?;
    let orders = &opened.orders;
    if orders.target.as_ref() != Some(expected.target) {
        let other = orders
            .target
            .as_ref()
            .map_or("no target", |name| name.as_str());
        return Err(refused(format!("they are for {other}")));
    }
    let apart = orders
        .at
        .since(expected.now)
        .max(expected.now.since(orders.at));
    if apart > limits::ORDERS_AGE {
        return Err(refused(format!(
            "they are of {}, and it is {} here: set the clocks",
            orders.at, expected.now
        )));
    }
    if !expected.accept_older {
        not_older(&opened, expected.installed.as_deref()).map_err(refused)?;
    }
    Ok(Checked(opened))
}

/// A log only grows: a lower number is a CA that was set back, or somebody in its place.
fn not_older(opened: &Opened, installed: Option<&[u8]>) -> std::result::Result<(), String> {
    let Some(installed) = installed else {
        return Ok(());
    };
    let Ok(head) = krl::look(installed) else {
        return Ok(());
    };
    let number = opened.orders.number;
    if number < head.number {
        return Err(format!(
            "ALARM: list {number} is older than list {} which is in force; if the CA was restored from a backup, run this once with --accept-older",
            head.number
        ));
    }
    if number == head.number && opened.krl != installed {
        return Err(format!(
            "ALARM: there are two lists {number}: the CA's log was forked"
        ));
    }
    Ok(())
}

/// Puts orders in place. If we die within, sshd has the new list or the one before, and the next sync does the rest.
pub(super) fn install(place: &Place, checked: &Checked) -> Result<()> {
    let Opened {
        orders,
        krl,
        session_cas,
        ..
    } = &checked.0;
    replace(&place.revoked(), 0o644, krl)?;
    // Its date says when this target heard of the CA last.
    touch(&place.revoked())?;
    let kept: BTreeSet<String> = orders.logins.iter().map(ToString::to_string).collect();
    for name in principals(place)? {
        if !kept.contains(&name) {
            remove(&place.principals().join(name))?;
        }
    }
    let lines = session_cas.iter().map(line).collect::<Result<Vec<_>>>()?;
    let trusted = lines.join("\n") + "\n";
    replace(&place.session_cas(), 0o644, trusted.as_bytes())?;
    let Some(target) = &orders.target else {
        return Ok(());
    };
    for login in &orders.logins {
        let path = place.principals().join(login.as_str());
        replace(&path, 0o644, format!("{login}@{target}\n").as_bytes())?;
    }
    Ok(())
}

/// The logins that have a file of principals, and what replacements that died have left there.
fn principals(place: &Place) -> Result<Vec<String>> {
    let dir = place.principals();
    let failed = |e: &std::io::Error| Failure::file("read", &dir, e);
    let mut names = Vec::new();
    for entry in fs::read_dir(&dir).map_err(|e| failed(&e))? {
        let name = entry.map_err(|e| failed(&e))?.file_name();
        names.extend(name.into_string());
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
