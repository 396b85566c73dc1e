//! `hallpass target sync`: what a target does every minute.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use clap::Args;
use config::cidr::Cidr;
use config::limits;
use record::clock::{Clock as _, SystemClock, UnixTime};
use record::fingerprint::Fingerprint;
use record::orders::SignedOrders;
use ssh_key::certificate::CertType;
use ssh_key::{Certificate, PrivateKey, PublicKey};

use super::link::{Link, block_on};
use super::orders::{self, Expected};
use super::place::{Pins, Place, host_key, replace};
use super::sshd;
use crate::failure::{Failure, Result};

/// What a sync is told.
#[derive(Debug, Args)]
pub(crate) struct SyncArgs {
    /// The directory of this target's sshd configuration
    #[arg(long, value_name = "DIR", default_value = "/etc/ssh")]
    etc: String,
    /// Take a list that is older than the one in force, once: after the CA was restored from a backup
    #[arg(long)]
    accept_older: bool,
}

/// Asks the CA what to refuse, puts it in place, and renews the host certificate when half of its life is over.
pub(crate) fn sync(args: &SyncArgs) -> Result<()> {
    let place = Place::new(&args.etc)?;
    let _alone = place.lock()?;
    block_on(once(&place, args.accept_older)).map_err(|failure| match silence(&place) {
        Some(long) => Failure::new(format!(
            "{failure}\nWARNING: nothing new since {}: what was revoked since then is not refused here",
            config::duration::show(long)
        )),
        None => failure,
    })
}

async fn once(place: &Place, accept_older: bool) -> Result<()> {
    let pins = place.pins()?;
    let key = host_key(&pins.host_key)?;
    let pinned = Fingerprint::of(&pins.ca_key()?);
    let link = Link::open(&pins.ca()?, pinned, pins.target.as_str(), key.clone()).await?;
    let number = follow(place, &pins, &link, accept_older).await?;
    let renewed = renew(&pins, &link, &key).await?;
    let renewed = if renewed {
        "; the host certificate is renewed"
    } else {
        ""
    };
    Ok(writeln!(
        io::stdout(),
        "list {number} is in force{renewed}"
    )?)
}

async fn follow(place: &Place, pins: &Pins, link: &Link, accept_older: bool) -> Result<u64> {
    let signed: SignedOrders = serde_json::from_slice(&link.ask("sync").await?)
        .map_err(|e| Failure::new(format!("the CA's answer cannot be read: {e}")))?;
    let expected = Expected {
        target: &pins.target,
        signers: &pins.signers()?,
        now: now(),
        installed: place.installed(),
        accept_older,
    };
    let checked = orders::checked(&signed, &expected)?;
    orders::install(place, &checked)?;
    exempt(place, checked.bastions())?;
    let pins = pins.clone().signed_by(checked.signers())?;
    replace(&place.pins_file(), 0o644, pins.text()?.as_bytes())?;
    Ok(checked.number())
}

/// Lets sshd exempt the bastions of now from its penalties, in the file that a join or a setup has made; one that is not there
/// is not made.
fn exempt(place: &Place, bastions: &[Cidr]) -> Result<()> {
    let path = place.snippet();
    let text = match fs::read_to_string(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        read => read.map_err(|e| Failure::file("read", &path, &e))?,
    };
    match sshd::exempted(&text, bastions, sshd::knows) {
        Some(text) => replace(&path, 0o644, text.as_bytes()).map(drop),
        None => Ok(()),
    }
}

/// Renews the host certificate if it is time; says whether it did.
async fn renew(pins: &Pins, link: &Link, key: &PrivateKey) -> Result<bool> {
    let Some(path) = &pins.certificate else {
        return Ok(false);
    };
    if fresh(path, pins, key.public_key(), now()) {
        return Ok(false);
    }
    let given = link.ask("renew").await?;
    let text = certificate(&given, pins, key.public_key())?;
    replace(path, 0o644, format!("{text}\n").as_bytes())
}

/// A host certificate as the CA gave it: for this target and this key, and for nothing else.
pub(super) fn certificate(given: &[u8], pins: &Pins, key: &PublicKey) -> Result<String> {
    let no = |why: &str| Failure::new(format!("the CA's host certificate is refused: {why}"));
    let text = std::str::from_utf8(given).map_err(|_| no("it cannot be read"))?;
    let read = read(text.trim()).ok_or_else(|| no("it cannot be read"))?;
    if is_for(&read, pins, key) {
        return Ok(read.to_openssh()?);
    }
    Err(no("it is not for this target and this host key"))
}

fn read(text: &str) -> Option<Certificate> {
    if text.len() > limits::KEY_BLOB_BYTES {
        return None;
    }
    let read = Certificate::from_openssh(text).ok()?;
    read.verify_signature().ok().map(|()| read)
}

fn is_for(certificate: &Certificate, pins: &Pins, key: &PublicKey) -> bool {
    certificate.cert_type() == CertType::Host
        && certificate.public_key() == key.key_data()
        && certificate.valid_principals() == [pins.target.to_string()]
}

/// Whether the certificate that lies there is good for this target, and less than half of its life is over.
fn fresh(path: &Path, pins: &Pins, key: &PublicKey, now: UnixTime) -> bool {
    let text = fs::read_to_string(path).unwrap_or_default();
    let Some(certificate) = read(text.trim()) else {
        return false;
    };
    let (after, before) = (certificate.valid_after(), certificate.valid_before());
    let half = after + before.saturating_sub(after) / 2;
    is_for(&certificate, pins, key) && (after..half).contains(&now.secs())
}

/// How long this target has heard nothing, if that is too long.
fn silence(place: &Place) -> Option<Duration> {
    let heard = fs::metadata(place.revoked())
        .and_then(|meta| meta.modified())
        .ok()?;
    let heard = heard
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .ok()?;
    let long = now().since(UnixTime::from_secs(heard.as_secs()));
    (long > limits::ORDERS_STALE).then_some(long)
}

pub(super) fn now() -> UnixTime {
    SystemClock::new().wall()
}
