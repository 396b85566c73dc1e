//! `hallpass target join`: a machine becomes a target.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use config::rules::HostPort;
use config::words::TargetName;
use record::fingerprint::Fingerprint;
use record::orders::{self, Joined};
use record::token::JoinToken;
use ssh_key::PublicKey;

use super::link::{Link, block_on};
use super::orders::{Checked, Expected, checked, install};
use super::place::{Pins, Place, host_key, replace};
use super::sync::{certificate, now};
use super::{sshd, units};
use crate::failure::{Failure, Result};

/// Longest token that is read from standard input, line feed included.
const TOKEN_BYTES: u64 = 256;

/// What somebody says who lets a machine join.
#[derive(Debug, Args)]
pub(crate) struct JoinArgs {
    /// The name of this machine in the inventory
    target: TargetName,
    /// Where the CA listens
    #[arg(long, value_name = "HOST:PORT")]
    ca: HostPort,
    /// The fingerprint of the CA's host key, as `ssh-keygen -lf site/ca/keys/identity.pub` prints it
    #[arg(long, value_name = "SHA256:…")]
    ca_key: Fingerprint,
    /// The token that `ssh ca token TARGET` printed; - reads it from standard input. Left out, the host key has to be
    /// the one that this target joined with before
    #[arg(long)]
    token: Option<String>,
    /// The directory of this target's sshd configuration
    #[arg(long, value_name = "DIR", default_value = "/etc/ssh")]
    etc: String,
    /// The private host key to join with; `ssh_host_ed25519_key` there if left out
    #[arg(long, value_name = "FILE")]
    host_key: Option<PathBuf>,
    /// Where systemd's units go; none are written with ""
    #[arg(long, value_name = "DIR", default_value = units::DIRECTORY)]
    units: String,
}

/// Joins: proves possession of the host key to the pinned CA, and puts what it gives in place.
pub(crate) fn join(args: &JoinArgs) -> Result<()> {
    let place = Place::new(&args.etc)?;
    let path = args.host_key.clone().unwrap_or_else(|| place.host_key());
    let token = args.token.as_deref().map(token).transpose()?;
    // What could fail here is tried before the token is spent.
    place.make()?;
    let _alone = place.lock()?;
    let key = host_key(&path)?;
    let public = key.public_key().clone();
    let user = token.map_or_else(|| args.target.to_string(), |token| token.reveal());
    let (joined, ca_key) = block_on(async {
        let link = Link::open(&args.ca, args.ca_key, &user, key).await?;
        let given = link.ask(&format!("join {}", args.target)).await?;
        let joined: Joined = serde_json::from_slice(&given)
            .map_err(|e| Failure::new(format!("the CA's answer cannot be read: {e}")))?;
        let ca_key = link.ca_key();
        Ok((
            joined,
            ca_key.ok_or_else(|| Failure::new("the CA showed no key"))?,
        ))
    })?;
    put(args, &place, &path, &public, &joined, &ca_key)
}

/// The token is spent by now, and the host key known: whatever fails here can be tried again without one.
fn put(
    args: &JoinArgs,
    place: &Place,
    path: &Path,
    public: &PublicKey,
    joined: &Joined,
    ca_key: &PublicKey,
) -> Result<()> {
    let signers = orders::keys(&joined.signers)?;
    let beside = beside(path);
    let pins = Pins::new(
        args.target.clone(),
        &args.ca,
        ca_key,
        &signers,
        path.to_owned(),
        Some(beside.clone()),
    )?;
    let expected = Expected {
        target: &args.target,
        signers: &signers,
        now: now(),
        // Whoever joins anew may do so at another CA.
        installed: None,
        accept_older: false,
    };
    let checked = checked(&joined.orders, &expected)?;
    let text = certificate(joined.certificate.as_bytes(), &pins, public)?;
    replace(&beside, 0o644, format!("{text}\n").as_bytes())?;
    install(place, &checked)?;
    replace(&place.pins_file(), 0o644, pins.text()?.as_bytes())?;
    // sshd is told last: everything that it will read is there.
    let lines = lines(place, &beside, &checked);
    replace(&place.snippet(), 0o644, lines.as_bytes())?;
    if !args.units.is_empty() {
        units::install(place, Path::new(&args.units))?;
    }
    Ok(writeln!(
        io::stdout(),
        "{} has joined. Let sshd read it:  sshd -t && systemctl reload ssh",
        args.target
    )?)
}

fn lines(place: &Place, certificate: &Path, checked: &Checked) -> String {
    let lines = sshd::lines(place, Some(certificate));
    let exemption = sshd::exemption(checked.bastions()).filter(|line| sshd::knows(line));
    lines + &exemption.map_or_else(String::new, |line| line + "\n")
}

fn token(given: &str) -> Result<JoinToken> {
    if given != "-" {
        return Ok(given.parse()?);
    }
    let mut text = String::new();
    io::stdin().take(TOKEN_BYTES).read_to_string(&mut text)?;
    Ok(text.trim().parse()?)
}

fn beside(key: &Path) -> PathBuf {
    let mut name = key.as_os_str().to_owned();
    name.push("-cert.pub");
    PathBuf::from(name)
}
