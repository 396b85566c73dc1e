//! What is done on the CA's machine, beside the stopped CA: a host certificate, a join token.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use config::words::TargetName;
use record::clock::SystemClock;

use crate::cli::Site;
use crate::failure::{Failure, Result};

/// Signs a target's host key and prints the certificate.
pub(crate) fn certify(site: &Site, name: &TargetName, public_key: &Path) -> Result<()> {
    let config = site.load()?;
    let text = fs::read_to_string(public_key).map_err(|e| Failure::file("read", public_key, &e))?;
    let clock = Arc::new(SystemClock::new());
    let certificate = ca::host::certify(Arc::new(config), clock, name, text.trim())?;
    Ok(writeln!(io::stdout(), "{certificate}")?)
}

/// Makes a join token and prints it.
pub(crate) fn invite(site: &Site, name: &TargetName) -> Result<()> {
    let config = site.load()?;
    let clock = Arc::new(SystemClock::new());
    let token = ca::host::invite(Arc::new(config), clock, name)?;
    Ok(writeln!(io::stdout(), "{}", token.reveal())?)
}
