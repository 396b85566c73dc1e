//! `hallpass check`: everything that would keep a service from starting.

use std::io::{self, Write};

use config::Config;
use config::rules::HostTrust;

use crate::cli::Site;
use crate::failure::Result;

/// Checks the configuration, and the keys where they lie on this machine.
pub(crate) fn check(site: &Site) -> Result<()> {
    let config = site.load()?;
    if config.ca.data.exists() {
        ca::check_keys(&config)?;
    }
    for bastion in config
        .bastions
        .values()
        .filter(|bastion| bastion.data.exists())
    {
        bastion::identity::load(&bastion.data.join("identity"), &bastion.identity)?;
    }
    Ok(writeln!(io::stdout(), "{}", summary(&config))?)
}

fn summary(config: &Config) -> String {
    let pinned = config
        .targets
        .values()
        .filter(|t| matches!(t.host, HostTrust::Pinned(_)))
        .count();
    format!(
        "good: {}, {} ({pinned} with a pinned host key), {}, {}",
        counted(config.persons.len(), "person"),
        counted(config.targets.len(), "target"),
        counted(config.roles.len(), "role"),
        counted(config.bastions.len(), "bastion"),
    )
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
