//! The public keys that evidence is checked against.

use std::io::{self, Write};

use config::Config;
use config::keys::KeyName;
use record::checkpoint::note::NoteKey;
use record::clock::{Clock as _, SystemClock};
use record::{checkpoint, krl};
use ssh_key::PublicKey;

use crate::cli::Site;
use crate::failure::Result;

/// Prints the site's `allowed_signers`.
pub(crate) fn print(site: &Site) -> Result<()> {
    let text = allowed_signers(&site.load()?)?;
    Ok(io::stdout().write_all(text.as_bytes())?)
}

/// Prints the log's key as the tools of transparency logs take it (<https://c2sp.org/signed-note>); several, the one that
/// signs first, while one follows another.
pub(crate) fn print_note(site: &Site) -> Result<()> {
    let config = site.load()?;
    let name = record::log::public_name(&config.ca.address.host)?;
    let mut out = io::stdout().lock();
    for key in log_keys(&config)? {
        writeln!(out, "{}", NoteKey::new(name.clone(), &key)?)?;
    }
    Ok(())
}

/// An OpenSSH `allowed_signers` file (`ssh-keygen(1)`): the log's keys and each bastion's identity.
pub(crate) fn allowed_signers(config: &Config) -> Result<String> {
    let namespaces = format!("{},{}", checkpoint::NAMESPACE, krl::NAMESPACE);
    let mut lines = String::new();
    for key in log_keys(config)? {
        lines += &line("log", &namespaces, &key)?;
    }
    for (name, bastion) in &config.bastions {
        lines += &line(name.as_str(), checkpoint::NAMESPACE, &bastion.identity)?;
    }
    Ok(lines)
}

/// The log's keys that count now, the one that signs first.
fn log_keys(config: &Config) -> Result<Vec<PublicKey>> {
    let now = SystemClock::new().wall();
    Ok(ca::believed(config, KeyName::Log, now)?)
}

fn line(principal: &str, namespaces: &str, key: &PublicKey) -> Result<String> {
    let bare = PublicKey::from(key.key_data().clone()).to_openssh()?;
    Ok(format!(
        "{principal} namespaces=\"{namespaces}\" {}\n",
        bare.trim()
    ))
}
