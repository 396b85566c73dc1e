//! How fast the CA issues, and how much memory it keeps: run by `cargo xtask bench ca`.
//!
//! ```text
//! issue             certificates per second at 1, 8 and 64 concurrent requests, beside ssh-keygen -s and bare signing
//! issue --million N issues N certificates by a clock that runs ahead, and prints the resident memory at intervals
//! issue --json      a line of JSON for each row
//! ```
//!
//! A certificate is a whole request of a role that is granted at once: decided, written to a log on the real disk,
//! synced, vouched for, signed, read again and verified.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that cannot go on stops, and its numbers are its product"
)]

mod site;

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ed25519_dalek::{Signer as _, SigningKey};
use record::clock::SystemClock;

use site::{Ahead, Site, issue_until, key, obtain, people};

/// How long each row is measured.
const SPAN: Duration = Duration::from_secs(5);

/// How long before that it runs without being counted.
const WARM: Duration = Duration::from_millis(500);

/// What one certificate has to sign, about.
const TO_BE_SIGNED: usize = 420;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let json = args.iter().any(|arg| arg == "--json");
    let million = args.iter().position(|arg| arg == "--million");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(at) = million {
        let count = args.get(at + 1).and_then(|n| n.parse().ok());
        runtime.block_on(memory(count.unwrap_or(1_000_000), json));
        return;
    }
    let keygen = keygen_rate();
    let bare = bare_rate();
    for (crowd, peer, goal) in [
        (1, keygen, Some(5.0)),
        (8, keygen, None),
        (64, bare, Some(0.5)),
    ] {
        let seen = runtime.block_on(issue(crowd));
        let row = Row {
            work: format!("certificates, {crowd} at a time"),
            unit: "1/s",
            ours: seen.rate,
            peer,
            peer_is: if crowd == 64 {
                "bare Ed25519 signatures on one core"
            } else {
                "ssh-keygen -s runs"
            },
            goal,
        };
        row.print(json);
        let p99 = Row {
            work: format!("time of one, {crowd} at a time, p99"),
            unit: "ms",
            ours: seen.p99.as_secs_f64() * 1000.0,
            peer: 1000.0 / keygen,
            peer_is: "one ssh-keygen -s run",
            goal: None,
        };
        p99.print(json);
    }
}

/// One line of the table.
struct Row {
    work: String,
    unit: &'static str,
    ours: f64,
    peer: f64,
    peer_is: &'static str,
    /// The least ratio of ours to the peer's.
    goal: Option<f64>,
}

impl Row {
    fn print(&self, json: bool) {
        let ratio = self.ours / self.peer;
        let met = self.goal.map(|goal| ratio >= goal);
        if json {
            let row = serde_json::json!({
                "work": self.work,
                "unit": self.unit,
                "ours": round(self.ours),
                "peer": round(self.peer),
                "peer-is": self.peer_is,
                "ratio": round(ratio),
                "goal": self.goal,
                "met": met,
            });
            println!("{row}");
            return;
        }
        let goal = match (self.goal, met) {
            (Some(goal), Some(true)) => format!("goal {goal}: met"),
            (Some(goal), _) => format!("goal {goal}: missed"),
            _ => String::new(),
        };
        println!(
            "{:<36} {:>10.1} {:<4} {:>10.1} {:<36} {ratio:>7.2} {goal}",
            self.work, self.ours, self.unit, self.peer, self.peer_is
        );
    }
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// What was measured of one crowd.
struct Seen {
    rate: f64,
    p99: Duration,
}

/// Certificates per second of so many who each ask again as soon as they have one.
async fn issue(crowd: usize) -> Seen {
    let site = Site::new(&format!("issue-{crowd}"));
    let desk = site.open(Arc::new(SystemClock::new()));
    let begin = Instant::now();
    let people = people();
    let one = |n: usize| {
        let (desk, people) = (desk.clone(), people.clone());
        tokio::spawn(async move {
            let mut times = Vec::new();
            for turn in 0.. {
                let asked = Instant::now();
                obtain(&desk, &people, n + turn * crowd).await;
                if begin.elapsed() >= WARM + SPAN {
                    break;
                }
                if begin.elapsed() >= WARM {
                    times.push(asked.elapsed());
                }
            }
            times
        })
    };
    let crowd: Vec<_> = (0..crowd).map(one).collect();
    let mut times = Vec::new();
    for one in crowd {
        times.extend(one.await.unwrap());
    }
    times.sort_unstable();
    let at = times.len() * 99 / 100;
    Seen {
        rate: count(times.len()) / SPAN.as_secs_f64(),
        p99: times.get(at).copied().unwrap_or_default(),
    }
}

/// Issues so many certificates, 64 at a time, and prints what memory the process has.
async fn memory(count_all: u64, json: bool) {
    let site = Site::new("memory");
    let clock = Arc::new(Ahead::new());
    let begin = Instant::now();
    let desk = site.open(clock.clone());
    let step = count_all / 20;
    for part in 1..=20 {
        let end = step * part;
        issue_until(end, &desk, &clock).await;
        memory_row("issued", end, begin.elapsed(), json);
    }
    drop(desk);
    let begin = Instant::now();
    let desk = site.open(clock);
    memory_row("after a start", count_all, begin.elapsed(), json);
    drop(desk);
}

fn memory_row(what: &str, count: u64, took: Duration, json: bool) {
    let resident = resident_mib();
    if json {
        let row = serde_json::json!({
            "work": format!("resident memory, {count} {what}"),
            "unit": "MiB",
            "ours": round(resident),
        });
        println!("{row}");
    } else {
        println!(
            "{count:>9} {what:<14} {resident:>8.1} MiB {:>7.1} s",
            took.as_secs_f64()
        );
    }
}

fn resident_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib: f64 = line
        .and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap();
    kib / 1024.0
}

/// Runs of `ssh-keygen -s` per second, one after the other.
fn keygen_rate() -> f64 {
    let site = Site::new("keygen");
    let user = site.dir.join("ca/keys/user");
    let subject = site.dir.join("subject.pub");
    fs::write(&subject, key("subject").public_key().to_openssh().unwrap()).unwrap();
    let begin = Instant::now();
    let mut runs = 0;
    while begin.elapsed() < SPAN {
        let mut run = Command::new("ssh-keygen");
        run.args(["-q", "-I", "id", "-n", "viewer@db1.prod", "-V", "+1m", "-s"]);
        let status = run.arg(&user).arg(&subject).status().unwrap();
        assert!(status.success());
        runs += 1;
    }
    count(runs) / begin.elapsed().as_secs_f64()
}

/// Signatures per second of the library that the CA signs with, on one core.
fn bare_rate() -> f64 {
    let key = SigningKey::from_bytes(&[7; 32]);
    let mut message = [0; TO_BE_SIGNED];
    let begin = Instant::now();
    let mut signed = 0;
    while begin.elapsed() < SPAN {
        for _ in 0..100 {
            message[0] = key.sign(&message).to_bytes()[0];
            signed += 1;
        }
    }
    std::hint::black_box(message);
    count(signed) / begin.elapsed().as_secs_f64()
}

fn count(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}
