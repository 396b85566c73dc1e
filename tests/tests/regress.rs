//! OpenSSH's own regress scripts, by way of the bastion.
//!
//! Debian's `openssh-tests` brings the scripts; nothing of them is copied into this tree. Each runs in a fresh directory, with
//! the programs of `tests/regress` as its `ssh`, `sftp` and `scp`: they lead to the bastion, with the certificate of
//! a real grant, whichever host the script names. How many sessions the bastion carries for each is stated and counted by the recordings, so that none passes
//! without it. `tests/regress/NOT_RUN.md` names every other script, with its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use hallpass_tests::process::{self, LIMIT, Live};
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Result, World, ports, programs};

/// Where the package puts the scripts.
const PACKAGE: &str = "/usr/lib/openssh/regress";

/// How many scripts run at once: most of their time they sleep.
const AT_ONCE: usize = 8;

/// Where the programs of this test lie.
fn ours() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("regress")
}

/// A world whose bastion carries shells, commands and files, and whose target takes the scripts' variables.
fn world() -> Result<World> {
    let (world, _) = World::on_web1_as(&Setup {
        sshd: "AcceptEnv _XXX_TEST _XXX_TEST_*".to_owned(),
        look: "channels = [\"shell\", \"exec\", \"sftp\"]".to_owned(),
        ..Setup::default()
    })?;
    let bin = world.root().join("bin");
    fs::create_dir(&bin)?;
    for (name, from) in [("ssh", "ssh"), ("sftp", "files"), ("scp", "files")] {
        fs::copy(ours().join(from), bin.join(name))?;
    }
    let door = world.public_of("door")?;
    let known = format!("@cert-authority 127.0.0.1 {door}\n");
    fs::write(world.root().join("known"), known)?;
    Ok(world)
}

/// The lines of `ssh_config` that lead through the bastion.
fn via(world: &World, source: &str) -> String {
    let (key, known) = (world.alice.key(), world.root().join("known"));
    format!(
        "Host *\n  HostName 127.0.0.1\n  Port {port}\n  User {login}%web1.prod\n  HostKeyAlias 127.0.0.1\n  \
         IdentityFile {key}\n  CertificateFile {key}-cert.pub\n  IdentitiesOnly yes\n  IdentityAgent none\n  \
         UserKnownHostsFile {known}\n  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n  BatchMode yes\n  \
         ProxyCommand none\n  BindAddress {source}\n",
        port = world.bastion_port,
        login = world.login,
        key = key.display(),
        known = known.display(),
    )
}

/// A script.
struct Script {
    name: &'static str,
    /// How many sessions the bastion carries for it.
    sessions: usize,
    without: &'static [Left],
}

/// What of a script is left out: from one text up to another one, or to the end.
struct Left {
    from: &'static str,
    until: &'static str,
    why: &'static str,
}

const fn whole(name: &'static str, sessions: usize) -> Script {
    Script {
        name,
        sessions,
        without: &[],
    }
}

/// The scripts, those first that take longest.
const SCRIPTS: &[Script] = &[
    Script {
        name: "exit-status",
        sessions: 4,
        without: &[Left {
            from: " 1 4 5",
            until: " 44; do",
            why: "two statuses are as good as five, and half a minute shorter",
        }],
    },
    Script {
        name: "multiplex",
        sessions: 15,
        without: &[
            Left {
                from: "rm -f ${COPY}\nverbose \"test $tid: forward\"",
                until: "for s in 0 1 4",
                why: "forwarding is not in this role",
            },
            Left {
                from: " 1 4 5",
                until: " 44; do",
                why: "two statuses are as good as five, and half a minute shorter",
            },
            Left {
                from: "verbose \"test $tid: cmd forward local (TCP)\"",
                until: "verbose \"test $tid: cmd exit\"",
                why: "forwarding is not in this role",
            },
        ],
    },
    whole("stderr-data", 4),
    Script {
        name: "rekey",
        sessions: 14,
        without: &[
            Left {
                from: "# AEAD ciphers are magical",
                until: "for s in 16 1k",
                why: "each cipher and each exchange is enough",
            },
            Left {
                from: "for s in 5 10; do",
                until: "",
                why: "keys that are exchanged by time stand in flow.rs; the rest is the target's own configuration",
            },
        ],
    },
    Script {
        name: "scp",
        sessions: 28,
        without: &[Left {
            from: "\tfor i in 0 1 2 3 4 5 6 7; do",
            until: "\tverbose \"$tag: detect non-directory target\"",
            why: "a make-believe server that means harm to the client; no bastion is in it",
        }],
    },
    Script {
        name: "sftp-cmds",
        sessions: 33,
        without: &[Left {
            from: "verbose \"$tid: cp\"",
            until: "verbose \"$tid: mkdir\"",
            why: "copy-data is not offered: what it moves passes nobody",
        }],
    },
    Script {
        name: "sftp",
        sessions: 9,
        without: &[Left {
            from: "5 1000",
            until: "1000 32000",
            why: "a hundred thousand requests of five bytes take minutes",
        }],
    },
    whole("scp3", 19),
    whole("scp-uri", 12),
    whole("sftp-glob", 15),
    whole("connect", 1),
    whole("connect-uri", 2),
    whole("exit-status-signal", 1),
    whole("transfer", 8),
    whole("yes-head", 1),
    whole("stderr-after-eof", 1),
    whole("broken-pipe", 4),
    whole("try-ciphers", 9),
    whole("kextype", 8),
    Script {
        name: "envpass",
        sessions: 7,
        without: &[Left {
            from: "trace \"server setenv wins\"",
            until: "",
            why: "it sets a variable in the target's own configuration",
        }],
    },
    whole("localcommand", 1),
    whole("sftp-batch", 4),
    whole("sftp-badcmds", 7),
    whole("sftp-uri", 4),
];

impl Script {
    /// Its text, as it is run.
    fn text(&self) -> Result<String> {
        let mut text = fs::read_to_string(format!("{PACKAGE}/{}.sh", self.name))?;
        for left in self.without {
            let wrong = || {
                Failure::new(format!(
                    "{} has changed: {:?}; {}",
                    self.name, left.from, left.why
                ))
            };
            let begin = text.find(left.from).ok_or_else(wrong)?;
            let rest = text.get(begin..).unwrap_or_default();
            let length = match left.until {
                "" => rest.len(),
                until => rest.find(until).ok_or_else(wrong)?,
            };
            text.replace_range(begin..begin + length, "");
        }
        Ok(text)
    }

    /// Runs it to its end, which has to be good, with an address of its own.
    fn run(&self, world: &World, source: &str) -> Result<()> {
        let there = world.root().join(self.name);
        let mut copy = Command::new("cp");
        process::run(copy.arg("-a").arg(PACKAGE).arg(&there))?.ok()?;
        fs::write(there.join(format!("{}.sh", self.name)), self.text()?)?;
        let lines = there.join("via");
        fs::write(&lines, via(world, source))?;
        let mut live = Live::start(&mut command(world, &there, self.name, &lines)?)?;
        live.close();
        let output = live.finish(LIMIT * 3)?;
        if output.status == 0 {
            return Ok(());
        }
        let log = fs::read_to_string(there.join("failed-ssh.log")).unwrap_or_default();
        let end = log.get(log.len().saturating_sub(4000)..);
        Err(Failure::new(format!(
            "{output}\n{}",
            end.unwrap_or_default()
        )))
    }
}

/// The package's own runner of scripts, with our programs and in our environment.
fn command(world: &World, there: &Path, script: &str, lines: &Path) -> Result<Command> {
    let bin = world.root().join("bin");
    let mut command = world.alice.command("timeout")?;
    command
        .args(["480", "sh"])
        .arg(there.join("test-exec.sh"))
        .arg(there)
        .arg(there.join(format!("{script}.sh")))
        .current_dir(there)
        .env_remove("SSH_AUTH_SOCK")
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("TZ", "UTC")
        .env("VIA", lines)
        .env("BUILDDIR", there)
        .env("TEST_SHELL", "sh")
        .env("TEST_SSH_PORT", ports::free()?.to_string())
        .env("TEST_SSH_SSH", bin.join("ssh"))
        .env("TEST_SSH_SFTP", bin.join("sftp"))
        .env("TEST_SSH_SCP", bin.join("scp"))
        .env("TEST_SSH_SFTPSERVER", "/usr/lib/openssh/sftp-server")
        .env("TEST_SSH_ECC", "yes")
        .env("TEST_SSH_UNSAFE_PERMISSIONS", "1");
    Ok(command)
}

/// The address that a script's `ssh` comes from.
fn source(index: usize) -> String {
    format!("127.0.1.{}", index + 1)
}

/// How many sessions came from each address, by the recordings.
fn carried(recordings: &[PathBuf]) -> Result<BTreeMap<String, usize>> {
    let mut carried = BTreeMap::new();
    for path in recordings {
        let mut zstd = Command::new(programs::find("zstd")?);
        let text = process::run(zstd.arg("-dcq").arg(path))?.ok()?.out();
        let header = text.lines().next().unwrap_or_default();
        let header: serde_json::Value =
            serde_json::from_str(header).map_err(|e| Failure::new(e.to_string()))?;
        let from = header
            .pointer("/hallpass/source")
            .and_then(|from| from.as_str());
        let from = from.ok_or_else(|| Failure::new(format!("no source in {header}")))?;
        *carried.entry(from.to_owned()).or_default() += 1;
    }
    Ok(carried)
}

#[test]
fn openssh_s_own_scripts_pass_through_the_bastion() -> Result<()> {
    let world = world()?;
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(script) = SCRIPTS.get(index) else {
                        break;
                    };
                    let begin = Instant::now();
                    if let Err(failure) = script.run(&world, &source(index)) {
                        let text = format!("{}: {failure:?}", script.name);
                        failed.lock().expect("no holder panics").push(text);
                    }
                    eprintln!("{}: {:.1} s", script.name, begin.elapsed().as_secs_f32());
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no holder panics");
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    let named = |(index, script): (usize, &Script)| (source(index), script.sessions);
    let mut stated: BTreeMap<String, usize> = SCRIPTS.iter().enumerate().map(named).collect();
    // The second connection of `connect` is made by a program that knows nothing of addresses.
    stated.insert("127.0.0.1".to_owned(), 1);
    let expected = stated.values().sum();
    let carried = carried(&world.wait_finished(expected, LIMIT)?)?;
    assert_eq!(carried, stated, "sessions of each script, by its address");
    assert_eq!(world.web1.logins(), expected);
    world.end()
}

#[test]
fn every_script_is_run_or_named_with_its_reason() -> Result<()> {
    let named = |text: &str, before: &str, after: char| -> BTreeSet<String> {
        let names = text.split(before).skip(1);
        let names = names.filter_map(|rest| rest.split(after).next());
        names.map(str::to_owned).collect()
    };
    let run = SCRIPTS
        .iter()
        .map(|script| script.name.to_owned())
        .collect::<BTreeSet<_>>();
    let not_run = named(include_str!("../regress/NOT_RUN.md"), "\n| `", '`');
    let both: Vec<_> = run.intersection(&not_run).collect();
    assert!(both.is_empty(), "run, and named as not run: {both:?}");
    let mut found = BTreeSet::new();
    for file in fs::read_dir(PACKAGE)? {
        let path = file?.path();
        let text = fs::read_to_string(&path).unwrap_or_default();
        if path.extension().is_some_and(|ending| ending == "sh") && text.contains("\ntid=") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            found.insert(name.into_owned());
        }
    }
    let known: BTreeSet<String> = run.union(&not_run).cloned().collect();
    assert_eq!(found, known);
    Ok(())
}
