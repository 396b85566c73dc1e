//! OpenSSH's own regress scripts, run against this CA.
//!
//! Debian's `openssh-tests` brings the scripts; nothing of them is copied into this tree. Each runs in a fresh
//! directory with [`shim`] as its `ssh-keygen -s` and `-k`, so that our code builds, lints, logs and signs the
//! certificates, and writes the revocation lists, that the real `ssh`, `sshd` and `ssh-keygen` then judge. What this CA
//! never issues is signed by the real `ssh-keygen` instead, and named with its reason in `regress/never_issued`: a script
//! passes only if it met exactly those. What our code signed and wrote is counted, so that nothing passes vacuously.
//!
//! `ssh -Q` names no RSA and no DSA key to the scripts: keys of these kinds are never certified.

mod lists;
mod shim;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use record::entry::{Entry, Line};

/// Where the package puts the scripts.
const SCRIPTS: &str = "/usr/lib/openssh/regress";

/// What this CA never issues and the scripts try: the script, how often, and the reason; one a line.
const NEVER_ISSUED: &str = include_str!("regress/never_issued");

/// A script's directory, with the programs that it is given.
struct Regress {
    script: &'static str,
    directory: tempfile::TempDir,
}

impl Regress {
    fn new(script: &'static str) -> Self {
        let directory = tempfile::Builder::new().prefix("rg-").tempdir().unwrap();
        let regress = Self { script, directory };
        fs::create_dir(regress.bin()).unwrap();
        fs::create_dir(regress.notes()).unwrap();
        let this = std::env::current_exe().unwrap();
        let keygen = format!(
            "#!/bin/sh\nfor word; do case $word in -s | -k* | -uk*) ours=1 ;; esac; done\n\
             [ -n \"$ours\" ] || exec /usr/bin/ssh-keygen \"$@\"\n\
             {}=$(printf '%s\\n' \"$@\"); export {}\n\
             exec '{}' --exact {} --ignored --nocapture >>'{}' 2>&1\n",
            shim::ARGUMENTS,
            shim::ARGUMENTS,
            this.display(),
            shim::TEST,
            regress.notes().join("shim").display(),
        );
        regress.program("ssh-keygen", &keygen);
        let ssh = "#!/bin/sh\ncase \" $* \" in *' -Q '*) /usr/bin/ssh \"$@\" | grep -Ev \
                   'rsa|dss|nistp384|nistp521'; exit ;; esac\nexec /usr/bin/ssh \"$@\"\n";
        regress.program("ssh", ssh);
        let mut copy = Command::new("cp");
        copy.arg("-a").arg(SCRIPTS).arg(regress.scripts());
        assert!(copy.status().unwrap().success(), "{SCRIPTS} is missing");
        regress
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn bin(&self) -> PathBuf {
        self.path("bin")
    }

    fn scripts(&self) -> PathBuf {
        self.path("r")
    }

    /// Where the shim keeps its log and its notes.
    fn notes(&self) -> PathBuf {
        self.path("notes")
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.bin().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A command that is ended after five minutes, in the environment that the package's own runner gives.
    fn command(&self, program: &str) -> Command {
        let scripts = self.scripts();
        let path = format!(
            "{}:{}",
            self.bin().display(),
            "/usr/sbin:/usr/bin:/sbin:/bin"
        );
        let mut command = Command::new("timeout");
        command
            .args(["600", program])
            .current_dir(&scripts)
            .stdin(std::process::Stdio::null())
            .env("PATH", path)
            .env("TZ", "UTC")
            .env("BUILDDIR", &scripts)
            .env("TEST_SHELL", "sh")
            .env("TEST_SSH_SSH", self.bin().join("ssh"))
            .env("TEST_SSH_SSHKEYGEN", self.bin().join("ssh-keygen"))
            .env("TEST_SSH_ECC", "yes")
            .env("TEST_SSH_UNSAFE_PERMISSIONS", "1")
            .env(shim::DIRECTORY, self.notes());
        command
    }

    /// Runs the script to its end, which has to be good.
    fn run(&self, more: &[(&str, &str)]) -> Counted {
        let scripts = self.scripts();
        let mut command = self.command("sh");
        command
            .arg(scripts.join("test-exec.sh"))
            .arg(&scripts)
            .arg(scripts.join(format!("{}.sh", self.script)))
            .envs(more.iter().copied());
        self.passes(&mut command);
        self.counted()
    }

    fn passes(&self, command: &mut Command) {
        let output = command.output().unwrap();
        let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
        assert!(
            output.status.success(),
            "{}: {}\n{}{}\nshim:\n{}\n{}",
            self.script,
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
            read(self.notes().join("shim")),
            read(self.scripts().join("failed-regress.log")),
        );
    }

    /// What our code did, after the whole check of its log; and what it refused has to be what is expected.
    fn counted(&self) -> Counted {
        let log = self.notes().join("log");
        let report = record::log::verify_log(&log, &crate::testing::public("log")).unwrap();
        let lines = fs::read_to_string(log.join("entries")).unwrap();
        let issued = lines
            .lines()
            .filter(|line| matches!(Line::parse(line).unwrap().entry, Entry::Issue { .. }))
            .count();
        assert_eq!(
            report.position.size, issued as u64,
            "nothing else is in this log"
        );
        let refused = tally(&self.notes().join("refused"));
        assert_eq!(refused, expected(self.script), "{}", self.script);
        let lists = fs::read_to_string(self.notes().join("lists")).unwrap_or_default();
        Counted {
            issued,
            lists: lists.lines().count(),
        }
    }
}

/// What our code did for one script.
#[derive(Debug, PartialEq, Eq)]
struct Counted {
    /// Certificates, by the entries of the log.
    issued: usize,
    /// Revocation lists.
    lists: usize,
}

/// How often each line stands in a file.
fn tally(path: &Path) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for line in fs::read_to_string(path).unwrap_or_default().lines() {
        *times.entry(line.to_owned()).or_default() += 1;
    }
    times
}

/// What one script tries that is never issued.
fn expected(script: &str) -> BTreeMap<String, usize> {
    let lines = NEVER_ISSUED.lines().filter(|line| !line.starts_with('#'));
    let rows = lines.filter_map(|line| {
        let mut words = line.splitn(3, '\t');
        let row = (words.next()?, words.next()?, words.next()?);
        (row.0 == script).then(|| (row.2.to_owned(), row.1.parse().unwrap()))
    });
    rows.collect()
}

#[test]
fn promise_24_openssh_s_cert_userkey_passes_with_this_ca() {
    let done = Regress::new("cert-userkey").run(&[]);
    assert_eq!(
        done,
        Counted {
            issued: 26,
            lists: 16
        }
    );
}

#[test]
fn promise_24_openssh_s_cert_hostkey_passes_with_this_ca() {
    // Most of the script's certificates for nobody are about something else: they get the host's name.
    let done = Regress::new("cert-hostkey").run(&[(shim::PRINCIPAL, "localhost-with-alias")]);
    assert_eq!(
        done,
        Counted {
            issued: 32,
            lists: 12
        }
    );
}

#[test]
fn promise_24_openssh_s_cert_file_passes_with_this_ca() {
    let done = Regress::new("cert-file").run(&[]);
    assert_eq!(
        done,
        Counted {
            issued: 4,
            lists: 0
        }
    );
}

#[test]
fn promise_24_openssh_s_cert_file_passes_with_an_ecdsa_ca_too() {
    let regress = Regress::new("cert-file");
    let script = regress.scripts().join("cert-file.sh");
    let text = fs::read_to_string(&script).unwrap();
    let line = |ca: &str, kind: &str| format!("-t {kind} {ca} -f $OBJ/user_ca_key");
    let ecdsa = text
        .replace(
            &line("", "ed25519").replace("  ", " "),
            &line("-b 256", "ecdsa"),
        )
        .replace(&line("", "ed25519"), &line("-b 256", "ecdsa"));
    assert_ne!(ecdsa, text);
    fs::write(&script, ecdsa).unwrap();
    let done = regress.run(&[]);
    assert_eq!(
        done,
        Counted {
            issued: 4,
            lists: 0
        }
    );
}

#[test]
fn promise_24_openssh_s_principals_command_passes_with_this_ca() {
    let done = Regress::new("principals-command").run(&[]);
    assert_eq!(
        done,
        Counted {
            issued: 1,
            lists: 0
        }
    );
}

#[test]
fn openssh_s_krl_passes_with_our_revocation_lists() {
    // The script's certificates name nobody, and it logs nowhere in: they get a name that nobody has.
    let done = Regress::new("krl").run(&[(shim::PRINCIPAL, "nobody")]);
    assert_eq!(
        done,
        Counted {
            issued: 22,
            lists: 90
        }
    );
}

#[test]
fn promise_24_openssh_s_authopt_unit_tests_read_our_options() {
    let authopt = Regress::new("authopt");
    let data = authopt.scripts().join("unittests/authopt/testdata");
    let mut make = authopt.command("sh");
    make.arg("mktestdata.sh")
        .current_dir(&data)
        .env(shim::EXACT, "yes");
    authopt.passes(&mut make);
    let mut judge = authopt.command("../test_authopt");
    judge.arg("-d").arg(&data).current_dir(&data);
    authopt.passes(&mut judge);
    assert_eq!(
        authopt.counted(),
        Counted {
            issued: 7,
            lists: 0
        }
    );
}

#[test]
fn what_is_never_issued_is_named_with_its_script() {
    let scripts = ["cert-userkey", "cert-hostkey", "authopt", "krl"];
    for line in NEVER_ISSUED.lines().filter(|line| !line.starts_with('#')) {
        let script = line.split('\t').next().unwrap();
        assert!(
            scripts.contains(&script) && line.split('\t').count() == 3,
            "{line}"
        );
    }
}
