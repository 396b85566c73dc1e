//! `hallpass init`: a new site, whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use config::sample::Sample;
use config::words::BastionName;

use crate::failure::{Failure, Result};
use crate::trust;

/// The name of the bastion that a new site begins with.
const BASTION: &str = "bastion";

/// Makes a site, and says what comes next.
pub(crate) fn init(dir: &Path) -> Result<()> {
    make(dir)?;
    told(dir)
}

/// Makes a site in a directory of its own beside `dir`, and moves it there when it is whole.
pub(crate) fn make(dir: &Path) -> Result<()> {
    if dir.exists() {
        return Err(Failure::new(format!(
            "{} exists: name a directory that does not",
            dir.display()
        )));
    }
    let draft = draft(dir)?;
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&draft)
        .map_err(|e| Failure::file("made", &draft, &e))?;
    if let Err(failure) = fill(&draft).and_then(|()| moved(&draft, dir)) {
        // Nothing but what was made just now lies there.
        let _ = fs::remove_dir_all(&draft);
        return Err(failure);
    }
    Ok(())
}

fn draft(dir: &Path) -> Result<PathBuf> {
    let name = dir
        .file_name()
        .ok_or_else(|| Failure::new("name the directory to make"))?;
    let hidden = format!(".{}.{}", name.to_string_lossy(), std::process::id());
    Ok(dir.with_file_name(hidden))
}

fn moved(draft: &Path, dir: &Path) -> Result<()> {
    fs::rename(draft, dir).map_err(|e| Failure::file("made", dir, &e))
}

fn fill(draft: &Path) -> Result<()> {
    ca::init_keys(&draft.join("ca"))?;
    let data = draft.join(BASTION);
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&data)
        .map_err(|e| Failure::file("made", &data, &e))?;
    let bastion: BastionName = BASTION.parse()?;
    let identity = ca::create_key(
        &data.join("identity"),
        &format!("hallpass bastion {bastion}"),
    )?;
    let identity = identity.to_openssh()?;
    let ca_host_key = draft.join("ca/keys/identity.pub");
    let pinned = fs::read(&ca_host_key).map_err(|e| Failure::file("read", &ca_host_key, &e))?;
    write(&data.join("ca_host_key.pub"), 0o644, &pinned)?;
    let sample = Sample {
        bastion: &bastion,
        identity: &identity,
    };
    write(
        &draft.join("hallpass.toml"),
        0o644,
        sample.text().as_bytes(),
    )?;
    let config = config::Config::load(&draft.join("hallpass.toml"))?;
    write(
        &draft.join("allowed_signers"),
        0o644,
        trust::allowed_signers(&config)?.as_bytes(),
    )
}

fn write(path: &Path, mode: u32, bytes: &[u8]) -> Result<()> {
    let failed = |e: &io::Error| Failure::file("written", path, e);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(|e| failed(&e))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(|e| failed(&e))
}

fn told(dir: &Path) -> Result<()> {
    let config = dir.join("hallpass.toml");
    let config = config.display();
    writeln!(
        io::stdout(),
        "{dir} is a new site: keys, and a configuration with nobody in it yet.\n\n\
         Next, put people, targets and roles into {config}, then:\n\n  \
         hallpass check --config {config}\n  \
         hallpass ca --config {config}\n  \
         hallpass bastion --config {config}",
        dir = dir.display(),
    )?;
    Ok(())
}
