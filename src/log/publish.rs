//! `hallpass log publish`: the CA's log as tiles.

use std::io::Write;
use std::path::Path;

use record::log::tiles::Publisher;

use crate::cli::Site;
use crate::failure::Result;

/// Publishes what the log's newest note vouches for.
pub(super) fn run(site: &Site, out: &Path, said: &mut dyn Write) -> Result<()> {
    let config = site.load()?;
    let keys = ca::log_anchors(&config)?;
    let mut publisher = Publisher::open(&config.ca.data.join("log"), out, &keys)?;
    let advanced = publisher.advance()?;
    publisher.put_checkpoint(&advanced.note)?;
    let entries = advanced.checkpoint.size;
    Ok(writeln!(
        said,
        "{entries} entries are published in {}",
        out.display()
    )?)
}
