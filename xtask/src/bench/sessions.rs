//! Seven sessions of real programs, each in a terminal of its own, all at once.

use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use hallpass_tests::process::{self, LIMIT, Live};
use hallpass_tests::{Failure, Result, World};

/// What somebody does at a terminal.
#[derive(Clone, Copy, Debug)]
enum Deed {
    /// Presses these keys at once, and looks for so many tenths of a second.
    Press(&'static str, u32),
    /// Types, eight keys a second.
    Type(&'static str),
}

use Deed::{Press, Type};

/// A session: its name, the goal for its sealed recording in bytes per minute, what runs, and what is done in it, again and again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    pub(super) name: &'static str,
    pub(super) goal: Option<f64>,
    /// Nothing is a shell.
    runs: &'static str,
    deeds: &'static [Deed],
    leave: &'static str,
}

/// Lines as a busy service logs them, into a file that is looked at.
const LOG: &str = "f=$(mktemp); (i=0; while sleep 0.03; do i=$((i+1)); \
    echo \"$(date +%FT%T.%N) web1 app[$$]: request $i GET /api/v1/items/$((i*7919%1000)) 200 $((i*104729%90000)) us\"; \
    done > $f) & w=$!; trap 'kill $w; rm -f $f' EXIT; tail -f $f";

/// A copy of a text that every Debian has.
const TEXT: &str = "f=$(mktemp); cp /etc/services $f; vim -u NONE -N $f; rm $f";

pub(super) const ALL: &[Session] = &[
    Session {
        name: "idle shell",
        goal: Some(563.0),
        runs: "",
        deeds: &[
            Press("date\r", 200),
            Press("uptime\r", 200),
            Press("ls /\r", 200),
        ],
        leave: "exit\r",
    },
    Session {
        name: "admin work",
        goal: Some(2104.0),
        runs: "",
        deeds: &[
            Press("ls -l /etc | head -40\r", 50),
            Press("df -h\r", 40),
            Press("ps aux | head -30\r", 50),
            Press("free -m; uptime\r", 40),
            Press("tail -n 25 /var/log/dpkg.log\r", 60),
            Press("grep -n root /etc/passwd /etc/group\r", 40),
            Press("du -sh /usr/share/doc/libc6\r", 40),
            Press("head -50 /etc/ssh/sshd_config\r", 70),
        ],
        leave: "exit\r",
    },
    Session {
        name: "editor",
        goal: Some(9327.0),
        runs: TEXT,
        deeds: &[
            Press("o", 5),
            Type("# a comment about what stands below, as somebody types it"),
            Press("\x1b", 10),
            Press("\x06", 20),
            Press("\x06", 20),
            Press("/tcp\r", 15),
            Press("n", 10),
            Press("n", 10),
            Press("dd", 10),
            Press("u", 10),
            Press("\x02", 20),
        ],
        leave: "\x1b:q!\r",
    },
    Session {
        name: "tmux",
        goal: Some(10_698.0),
        runs: "tmux -L hallpass-bench -f /dev/null new-session \\; set -g assume-paste-time 0 \\; split-window -h top -d 3 \\; select-pane -L; \
            tmux -L hallpass-bench kill-server",
        deeds: &[
            Type("ls -l /usr"),
            Press("\r", 30),
            Type("ps aux | tail -20"),
            Press("\r", 40),
            Press("\x02%", 20),
            Press("df -h\r", 30),
            Press("exit\r", 20),
        ],
        leave: "\x02d",
    },
    Session {
        name: "log tail",
        goal: Some(28_561.0),
        runs: LOG,
        deeds: &[Press("", 50)],
        leave: "\x03",
    },
    Session {
        name: "top",
        goal: Some(18_122.0),
        runs: "top -d 1",
        deeds: &[Press("", 50)],
        leave: "q",
    },
    Session {
        name: "bulk listing",
        goal: None,
        runs: "",
        deeds: &[Press("ls -lR /usr/share/doc\r", 100)],
        leave: "exit\r",
    },
];

/// Takes all of them for so long, one begun after the other, so that their recordings are in this order.
pub(super) fn take(world: &World, at: &str, long: Duration) -> Result<()> {
    thread::scope(|scope| {
        let mut all = Vec::new();
        for session in ALL {
            all.push(scope.spawn(move || one(world, at, session, long)));
            // A recording is named by when it begins.
            sleep(Duration::from_secs(1));
        }
        all.into_iter().try_for_each(|thread| {
            let ended = thread.join();
            ended.unwrap_or_else(|_| Err(Failure::new("a thread ended badly")))
        })
    })
}

fn one(world: &World, at: &str, session: &Session, long: Duration) -> Result<()> {
    let mut args = vec!["-tt", "-J", "bastion", at];
    if !session.runs.is_empty() {
        args.push(session.runs);
    }
    let ssh = world.alice.ssh_command(&args)?;
    let mut live = Live::start(&mut process::in_terminal(&ssh)?)?;
    let end = Instant::now() + long;
    sleep(Duration::from_secs(1));
    for deed in session.deeds.iter().cycle() {
        if Instant::now() >= end {
            break;
        }
        match deed {
            Press(keys, tenths) => {
                live.send(keys)?;
                sleep(Duration::from_millis(u64::from(*tenths) * 100));
            }
            Type(text) => {
                for key in text.chars() {
                    live.send(key.to_string())?;
                    sleep(Duration::from_millis(125));
                }
            }
        }
    }
    live.send(session.leave)?;
    live.finish(LIMIT)?;
    Ok(())
}
