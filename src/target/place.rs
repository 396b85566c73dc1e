//! Where things lie on a target, and how files there are replaced.
//!
//! sshd reads `revoked` at each login, and refuses everybody when it cannot: a file is replaced whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use config::rules::HostPort;
use config::words::TargetName;
use record::krl;
use serde::{Deserialize, Serialize};
use ssh_key::{PrivateKey, PublicKey};

use crate::failure::{Failure, Result};

/// The version of the file of pins that this program writes, and the newest that it reads.
const VERSION: u32 = 1;

/// The directory of a target's sshd configuration, and what Hallpass keeps below it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    etc: PathBuf,
}

/// What this target believes, and who it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pins {
    v: u32,
    /// Its name in the inventory.
    pub(super) target: TargetName,
    /// Where the CA is.
    ca: String,
    /// The CA's host key, OpenSSH's one-line form.
    ca_key: String,
    /// The keys that orders may be signed by.
    signers: Vec<String>,
    /// The private host key that it is known by.
    pub(super) host_key: PathBuf,
    /// The host certificate that it keeps good; none if its key is pinned.
    pub(super) certificate: Option<PathBuf>,
}

impl Pins {
    pub(super) fn new(
        target: TargetName,
        ca: &HostPort,
        ca_key: &PublicKey,
        signers: &[PublicKey],
        host_key: PathBuf,
        certificate: Option<PathBuf>,
    ) -> Result<Self> {
        let lines = signers.iter().map(line).collect::<Result<_>>()?;
        Ok(Self {
            v: VERSION,
            target,
            ca: ca.to_string(),
            ca_key: line(ca_key)?,
            signers: lines,
            host_key,
            certificate,
        })
    }

    pub(super) fn ca(&self) -> Result<HostPort> {
        Ok(self.ca.parse()?)
    }

    pub(super) fn ca_key(&self) -> Result<PublicKey> {
        Ok(PublicKey::from_openssh(&self.ca_key)?)
    }

    pub(super) fn signers(&self) -> Result<Vec<PublicKey>> {
        let keys = self.signers.iter().map(|key| PublicKey::from_openssh(key));
        Ok(keys.collect::<std::result::Result<_, _>>()?)
    }

    /// The same, but for whom orders may be signed by.
    pub(super) fn signed_by(mut self, signers: &[PublicKey]) -> Result<Self> {
        self.signers = signers.iter().map(line).collect::<Result<_>>()?;
        Ok(self)
    }

    /// As the file holds them.
    pub(super) fn text(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

impl Place {
    /// `etc` goes into shell scripts and into sshd's configuration: a plain path, or it is refused.
    pub(super) fn new(etc: &str) -> Result<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_');
        if etc.starts_with('/') && etc.chars().all(plain) {
            return Ok(Self { etc: etc.into() });
        }
        Err(Failure::new(format!(
            "{} is not a plain absolute path: --etc goes into sshd's configuration",
            config::words::shown(etc)
        )))
    }

    /// The directory as it was given.
    pub(super) fn etc(&self) -> &Path {
        &self.etc
    }

    /// What `HostKey` names when nobody said otherwise.
    pub(super) fn host_key(&self) -> PathBuf {
        self.etc.join("ssh_host_ed25519_key")
    }

    pub(super) fn dir(&self) -> PathBuf {
        self.etc.join("hallpass")
    }

    pub(super) fn revoked(&self) -> PathBuf {
        self.dir().join("revoked")
    }

    pub(super) fn session_cas(&self) -> PathBuf {
        self.dir().join("session_ca.pub")
    }

    pub(super) fn principals(&self) -> PathBuf {
        self.dir().join("principals")
    }

    pub(super) fn pins_file(&self) -> PathBuf {
        self.dir().join("ca.json")
    }

    pub(super) fn snippet(&self) -> PathBuf {
        self.etc.join("sshd_config.d/50-hallpass.conf")
    }

    /// Makes the directories; those that are there stay as they are.
    pub(super) fn make(&self) -> Result<()> {
        let drop_ins = self.etc.join("sshd_config.d");
        for dir in [self.dir(), self.principals(), drop_ins] {
            if dir.is_dir() {
                continue;
            }
            let made = fs::DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(&dir)
                // Whatever the umask: sshd reads below it as the account that is logged in to.
                .and_then(|()| fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)));
            made.map_err(|e| Failure::file("made", &dir, &e))?;
        }
        Ok(())
    }

    /// Held while files are replaced, so that two syncs do not mix.
    pub(super) fn lock(&self) -> Result<File> {
        let path = self.dir().join(".lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|e| Failure::file("opened", &path, &e))?;
        file.lock()
            .map_err(|e| Failure::file("locked", &path, &e))?;
        Ok(file)
    }

    /// The pins of this target.
    pub(super) fn pins(&self) -> Result<Pins> {
        let path = self.pins_file();
        let text = fs::read_to_string(&path).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => Failure::new(format!(
                "{} is not there: this target has not joined; `hallpass target join`, or paste what `hallpass target setup` prints",
                path.display()
            )),
            _ => Failure::file("read", &path, &e),
        })?;
        let pins: Pins = serde_json::from_str(&text)
            .map_err(|e| Failure::new(format!("{} cannot be read: {e}", path.display())))?;
        if pins.v == VERSION {
            return Ok(pins);
        }
        Err(Failure::new(format!(
            "{} is of version {}: use the hallpass that wrote it",
            path.display(),
            pins.v
        )))
    }

    /// The list that sshd refuses by now; none if there is none, or none that sshd would take for one.
    pub(super) fn installed(&self) -> Option<Vec<u8>> {
        let list = fs::read(self.revoked()).ok()?;
        krl::look(&list).is_ok().then_some(list)
    }
}

/// The host key, which nobody else may have been able to read.
pub(super) fn host_key(path: &Path) -> Result<PrivateKey> {
    let failed = |e: &io::Error| Failure::file("read", path, e);
    let mode = fs::metadata(path)
        .map_err(|e| failed(&e))?
        .permissions()
        .mode()
        & 0o777;
    if mode & 0o077 != 0 {
        return Err(Failure::new(format!(
            "{}: others may read this key (mode {mode:03o}): chmod 600, and if others could read it, make a new one",
            path.display()
        )));
    }
    let text = zeroize::Zeroizing::new(fs::read(path).map_err(|e| failed(&e))?);
    PrivateKey::from_openssh(&*text)
        .map_err(|e| Failure::new(format!("{}: not a host key: {e}", path.display())))
}

/// Replaces a file, whole or not at all: a reader sees the one before or this one, and so does whoever comes after
/// the power was lost. One that has these bytes and this mode already is left alone.
pub(super) fn replace(path: &Path, mode: u32, bytes: &[u8]) -> Result<bool> {
    if is(path, mode, bytes) {
        return Ok(false);
    }
    let draft = draft(path);
    let written = write(&draft, mode, bytes)
        // If we die before this, the draft is left behind, and the next replacement removes it.
        .and_then(|()| fs::rename(&draft, path))
        .and_then(|()| sync_dir(path));
    if let Err(e) = written {
        // It may never have been made, and it may have its name already.
        let _ = fs::remove_file(&draft);
        return Err(Failure::file("replaced", path, &e));
    }
    Ok(true)
}

/// Says that what a file holds is of now.
pub(super) fn touch(path: &Path) -> Result<()> {
    let touched = OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|file| file.set_times(fs::FileTimes::new().set_modified(now())));
    touched.map_err(|e| Failure::file("dated", path, &e))
}

/// Removes a file that may be gone already.
pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Failure::file("removed", path, &e)),
        _ => sync_dir(path).map_err(|e| Failure::file("removed", path, &e)),
    }
}

fn now() -> std::time::SystemTime {
    use record::clock::{Clock as _, SystemClock};
    let since = std::time::Duration::from_millis(SystemClock::new().wall_ms());
    std::time::SystemTime::UNIX_EPOCH + since
}

fn is(path: &Path, mode: u32, bytes: &[u8]) -> bool {
    let same = |meta: fs::Metadata| meta.is_file() && meta.permissions().mode() & 0o7777 == mode;
    fs::symlink_metadata(path).is_ok_and(same) && fs::read(path).is_ok_and(|held| held == bytes)
}

fn draft(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.new"))
}

fn write(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.sync_all()
}

fn sync_dir(path: &Path) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    File::open(dir)?.sync_all()
}

/// A key in one line, without its comment.
pub(super) fn line(key: &PublicKey) -> Result<String> {
    let bare = PublicKey::from(key.key_data().clone()).to_openssh()?;
    Ok(bare.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("revoked");
        assert!(replace(&path, 0o644, b"one").unwrap());
        assert!(!replace(&path, 0o644, b"one").unwrap());
        assert_eq!(
            (fs::read(&path).unwrap(), mode(&path)),
            (b"one".to_vec(), 0o644)
        );
        // One that sshd could not read is made again, even with the same bytes.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(replace(&path, 0o644, b"one").unwrap());
        assert_eq!(mode(&path), 0o644);
        // What a replacement that died left behind is not in the way, even as a link elsewhere.
        let elsewhere = dir.path().join("elsewhere");
        fs::write(&elsewhere, b"kept").unwrap();
        std::os::unix::fs::symlink(&elsewhere, dir.path().join(".revoked.new")).unwrap();
        assert!(replace(&path, 0o644, b"two").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read(&elsewhere).unwrap(), b"kept");
        // A draft that cannot be written leaves the file as it was.
        fs::create_dir(dir.path().join(".revoked.new")).unwrap();
        let failure = replace(&path, 0o644, b"three").unwrap_err().to_string();
        assert!(failure.contains("cannot be replaced"), "{failure}");
        assert_eq!(fs::read(&path).unwrap(), b"two");
    }

    #[test]
    fn only_plain_paths_go_into_a_configuration() {
        for wrong in ["etc", "/etc/ssh;reboot", "/etc/\n", "", "/etc/s sh"] {
            let failure = Place::new(wrong).unwrap_err().to_string();
            assert!(
                failure.contains("is not a plain absolute path"),
                "{failure}"
            );
        }
    }
}
