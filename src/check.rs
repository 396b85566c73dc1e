//! `hallpass check`: everything that would keep a service from starting.

use std::io::{self, Write};

use bastion::bucket::{Bucket, Locking};
use config::Config;
use config::rules::HostTrust;

use crate::cli::Site;
use crate::failure::{Result, safe};

/// Checks the configuration, the keys where they lie on this machine, calendars and the secrets of checks; with `run`,
/// asks the programs and services that it names too.
pub(crate) fn check(site: &Site, run: bool) -> Result<()> {
    let config = site.load()?;
    if config.ca.data.exists() {
        ca::check_keys(&config)?;
    }
    let mut out = io::stdout().lock();
    if run || config.ca.data.exists() {
        let runtime = tokio::runtime::Runtime::new()?;
        for heard in runtime.block_on(ca::trial(&config, run))? {
            let says = safe(&heard.says, "");
            writeln!(out, "[{}] {says}", heard.table)?;
        }
    }
    for bastion in config
        .bastions
        .values()
        .filter(|bastion| bastion.data.exists())
    {
        bastion::identity::load(&bastion.data.join("identity"), &bastion.identity)?;
    }
    if let Some(given) = &config.bucket
        && config.bastions.values().any(|own| own.data.exists())
    {
        let bucket = Bucket::open(given)?;
        if run {
            let locking = tokio::runtime::Runtime::new()?.block_on(bucket.locking())?;
            let says = match locking {
                Locking::Possible => "answers, and can lock objects",
                Locking::Impossible => "answers, and cannot lock objects",
            };
            writeln!(out, "[recordings.bucket] {says}")?;
        }
    }
    Ok(writeln!(out, "{}", summary(&config))?)
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
