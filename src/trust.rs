//! The public keys that evidence is checked against.

use std::io::{self, Write};

use config::Config;
use config::keys::KeyName;
use record::checkpoint::note::NoteKey;
use record::{checkpoint, krl};
use ssh_key::PublicKey;

use crate::cli::Site;
use crate::failure::Result;

/// Prints the site's `allowed_signers`.
pub(crate) fn print(site: &Site) -> Result<()> {
    let text = allowed_signers(&site.load()?)?;
    Ok(io::stdout().write_all(text.as_bytes())?)
}

/// Prints the log's key as the tools of transparency logs take it (<https://c2sp.org/signed-note>).
pub(crate) fn print_note(site: &Site) -> Result<()> {
    let config = site.load()?;
    let name = record::log::public_name(&config.ca.address.host)?;
    let key = NoteKey::new(name, &log_key(&config)?)?;
    Ok(writeln!(io::stdout(), "{key}")?)
}

/// An OpenSSH `allowed_signers` file (`ssh-keygen(1)`): the log's key and each bastion's identity.
pub(crate) fn allowed_signers(config: &Config) -> Result<String> {
    let namespaces = format!("{},{}", checkpoint::NAMESPACE, krl::NAMESPACE);
    let mut lines = line("log", &namespaces, &log_key(config)?)?;
    for (name, bastion) in &config.bastions {
        lines += &line(name.as_str(), checkpoint::NAMESPACE, &bastion.identity)?;
    }
    Ok(lines)
}

/// The public half of the log's key.
pub(crate) fn log_key(config: &Config) -> Result<PublicKey> {
    Ok(ca::public_half(config, KeyName::Log)?)
}

fn line(principal: &str, namespaces: &str, key: &PublicKey) -> Result<String> {
    let bare = PublicKey::from(key.key_data().clone()).to_openssh()?;
    Ok(format!(
        "{principal} namespaces=\"{namespaces}\" {}\n",
        bare.trim()
    ))
}
