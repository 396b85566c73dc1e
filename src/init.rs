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
        .map_err(|e| Failure::file("made", dir, &e))?;
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
    let parent = draft.parent().filter(|dir| *dir != Path::new(""));
    // The keys must not be lost with the power once anybody has been told of them.
    fs::rename(draft, dir)
        .and_then(|()| fs::File::open(parent.unwrap_or(Path::new(".")))?.sync_all())
        .map_err(|e| Failure::file("made", dir, &e))
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let names = fs::read_dir(dir).unwrap();
        names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_site_is_made_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        make(&dir.path().join("site/")).unwrap();
        assert_eq!(names(dir.path()), ["site"]);
        let kept = fs::read(dir.path().join("site/ca/keys/user")).unwrap();
        let again = make(&dir.path().join("site")).unwrap_err();
        assert!(
            again
                .to_string()
                .ends_with("name a directory that does not"),
            "{again}"
        );
        assert_eq!(
            fs::read(dir.path().join("site/ca/keys/user")).unwrap(),
            kept
        );

        let nowhere = dir.path().join("none/site");
        let failure = make(&nowhere).unwrap_err().to_string();
        assert!(
            failure.starts_with(&format!("{} cannot be made: ", nowhere.display())),
            "{failure}"
        );
        // A name that leads nowhere is not replaced.
        std::os::unix::fs::symlink("nowhere", dir.path().join("link")).unwrap();
        make(&dir.path().join("link")).unwrap_err();
        assert_eq!(names(dir.path()).len(), 2);
    }

    #[test]
    fn secrets_are_their_owner_s_alone() {
        let dir = tempfile::tempdir().unwrap();
        let site = dir.path().join("site");
        make(&site).unwrap();
        let secrets = ["user", "session", "host", "door", "log", "identity"]
            .map(|name| site.join("ca/keys").join(name));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for secret in secrets.iter().chain([&site.join("bastion/identity")]) {
            assert_eq!(mode(secret), 0o600, "{}", secret.display());
        }
        for inner in ["", "ca", "ca/keys", "bastion"] {
            assert_eq!(mode(&site.join(inner)), 0o700, "{inner}");
        }
    }
}
