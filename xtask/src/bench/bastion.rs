//! What a session through the bastion costs, beside `ssh -J` through an `sshd` and beside no middle at all.

use std::env;
use std::fs::File;
use std::thread;
use std::time::Duration;

use hallpass_tests::{Failure, Result};
use tempfile::NamedTempFile;

use super::table::{Goal, Row, median, percentile};
use super::ways::{Line, PLAIN, Way, Ways};
use super::{measure, soak, with_release};
use crate::install;

const CIPHERS: [&str; 3] = [
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
];

/// How much later everything arrives on the long way, in each direction: 20 ms there and back.
const LATE: Duration = Duration::from_millis(10);

/// Keystrokes of one terminal.
const KEYS: usize = 200;

/// How long nothing happens before an idle session's memory is looked at: what a screen needs is given up by then.
const SETTLED: Duration = Duration::from_secs(8);

/// What the command line asks for.
struct Plan {
    json: bool,
    mebibytes: u64,
    runs: usize,
    idle: usize,
    /// Letters of the measurements that are taken.
    only: String,
    /// Minutes of load, instead of all measurements.
    soak: Option<u32>,
}

impl Plan {
    fn parse(args: &[&str]) -> Result<Self> {
        let mut plan = Self {
            json: false,
            mebibytes: 1024,
            runs: 5,
            idle: 100,
            only: "abcdefg".to_owned(),
            soak: None,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if *arg == "--json" {
                plan.json = true;
                continue;
            }
            let value = args.next().copied().unwrap_or_default();
            let number = || value.parse().map_err(|_| unknown(arg, value));
            match *arg {
                "--size" => plan.mebibytes = value.parse().map_err(|_| unknown(arg, value))?,
                "--runs" => plan.runs = number()?,
                "--idle" => plan.idle = number()?,
                "--only" => value.clone_into(&mut plan.only),
                "--soak" => plan.soak = Some(value.parse().map_err(|_| unknown(arg, value))?),
                _ => return Err(unknown(arg, value)),
            }
        }
        Ok(plan)
    }

    fn wants(&self, letter: char) -> bool {
        self.only.contains(letter)
    }

    fn bytes(&self) -> u64 {
        self.mebibytes << 20
    }
}

fn unknown(arg: &str, value: &str) -> Failure {
    Failure::new(format!(
        "`{arg} {value}` is nothing that `cargo xtask bench bastion` knows"
    ))
}

/// Measures, in a world of its own, with a `hallpass` built for release or the one that `HALLPASS_BIN` names.
pub(crate) fn bastion(args: &[&str]) -> Result<()> {
    let plan = Plan::parse(args)?;
    install::install(install::FOR_THE_DEMO)?;
    if env::var_os("HALLPASS_BIN").is_none() {
        return with_release("bastion", args);
    }
    if let Some(minutes) = plan.soak {
        return soak::run(minutes, plan.json);
    }
    let ways = Ways::new()?;
    let mut bench = Bench { plan, ways };
    for (letter, part) in PARTS {
        if bench.plan.wants(*letter) {
            part(&mut bench)?;
        }
    }
    bench.ways.world.end()
}

/// A measurement, and the letter that `--only` names it by.
type Part = (char, fn(&mut Bench) -> Result<()>);

const PARTS: &[Part] = &[
    ('b', Bench::begin),
    ('c', |bench| bench.keystrokes(PLAIN, "")),
    ('f', Bench::opened),
    ('d', Bench::memory),
    ('a', |bench| {
        CIPHERS.into_iter().try_for_each(|cipher| {
            let line = Line {
                cipher: Some(cipher),
                late: Duration::ZERO,
            };
            let short = cipher.split('@').next().unwrap_or(cipher);
            bench.transfers(line, short)
        })
    }),
    ('g', |bench| {
        let line = Line {
            cipher: None,
            late: LATE,
        };
        bench.keystrokes(line, ", behind 20 ms")?;
        bench.transfers(line, "behind 20 ms")
    }),
];

/// What each way did, in the middle.
fn medians(all: &[(Way, f64)]) -> Vec<(Way, f64)> {
    let of = |way| all.iter().filter(move |(one, _)| *one == way);
    Way::ALL
        .map(|way| (way, median(of(way).map(|(_, value)| *value).collect())))
        .into()
}

struct Bench {
    plan: Plan,
    ways: Ways,
}

impl Bench {
    /// Takes a measurement on each way, again and again in turns, so that a change of the machine's load meets all.
    fn in_turns(
        &mut self,
        mut measure: impl FnMut(&mut Self, Way) -> Result<f64>,
    ) -> Result<Vec<(Way, f64)>> {
        let mut all = Vec::new();
        for _ in 0..self.plan.runs.max(1) {
            for way in Way::ALL {
                all.push((way, measure(self, way)?));
            }
        }
        Ok(medians(&all))
    }

    /// Prints what each way did beside its peer: `ssh -J` through an `sshd`, or with `beside` another one.
    fn rows(
        &self,
        work: &str,
        unit: &'static str,
        seen: &[(Way, f64)],
        beside: Way,
        goal: impl Fn(Way) -> Option<Goal>,
    ) {
        let peer = seen.iter().find(|(way, _)| *way == beside);
        for (way, ours) in seen {
            let row = Row {
                work: format!("{work}, {}", way.name()),
                unit,
                ours: *ours,
                peer: peer.map(|(way, value)| (way.name(), *value)),
                goal: goal(*way),
            };
            row.print(self.plan.json);
        }
    }

    /// (a) and (e): one long transfer in each direction, and what it costs the bastion.
    fn transfers(&mut self, line: Line<'_>, called: &str) -> Result<()> {
        let bytes = self.plan.bytes();
        let zeros = NamedTempFile::new()?;
        File::options()
            .write(true)
            .open(zeros.path())?
            .set_len(bytes)?;
        let spring = measure::spring(bytes);
        let bastion = self.ways.world.bastion()?.id();
        for down in [true, false] {
            let mut processor = Vec::new();
            let seen = self.in_turns(|bench, way| {
                let (command, from) = if down {
                    (spring.as_str(), None)
                } else {
                    (measure::SINK, Some(zeros.path()))
                };
                let before = measure::processor(bastion)?;
                let took = measure::transfer(&mut bench.ways.ssh(way, line, &[command])?, from)?;
                processor.push((way, measure::processor(bastion)? - before));
                Ok(mebibytes(bytes) / took)
            })?;
            let direction = if down { "down" } else { "up" };
            let behind = !line.late.is_zero();
            let goal = |way| match way {
                Way::Door if !behind => Some(Goal::TimesAtLeast(1.25)),
                Way::Door | Way::Inside => Some(Goal::TimesAtLeast(1.0)),
                Way::Direct | Way::Jump => None,
            };
            let beside = if behind { Way::Direct } else { Way::Jump };
            self.rows(
                &format!("{direction}, {called}"),
                "MiB/s",
                &seen,
                beside,
                goal,
            );
            for way in [Way::Door, Way::Inside] {
                let cost = medians(&processor);
                let cost = cost.iter().find(|(one, _)| *one == way);
                let seconds = cost.map_or(f64::NAN, |(_, seconds)| *seconds);
                let row = Row {
                    work: format!("bastion's CPU, {direction}, {called}, {}", way.name()),
                    unit: "s/GiB",
                    ours: seconds / (mebibytes(bytes) / 1024.0),
                    peer: None,
                    goal: Some(Goal::AtMost(3.0)),
                };
                row.print(self.plan.json);
            }
        }
        Ok(())
    }

    /// (b): `ssh … true`.
    fn begin(&mut self) -> Result<()> {
        let seen = self.in_turns(|bench, way| {
            Ok(measure::run(&mut bench.ways.ssh(way, PLAIN, &["true"])?)? * 1000.0)
        })?;
        let goal = |way| match way {
            Way::Door | Way::Inside => Some(Goal::TimesAtMost(1.3)),
            Way::Direct | Way::Jump => None,
        };
        self.rows("ssh … true", "ms", &seen, Way::Jump, goal);
        Ok(())
    }

    /// (c): how long a keystroke takes to come back.
    fn keystrokes(&mut self, line: Line<'_>, called: &str) -> Result<()> {
        let mut late = Vec::new();
        let middle = self.in_turns(|bench, way| {
            let mut ssh = bench.ways.ssh(way, line, &["-tt", measure::ECHO])?;
            let mut took = measure::echoes(&mut ssh, KEYS)?;
            late.push((way, percentile(&mut took, 99)));
            Ok(percentile(&mut took, 50))
        })?;
        let last = medians(&late);
        let work = format!("keystroke p50{called}");
        self.rows(&work, "ms", &middle, Way::Direct, |_| None);
        let goal = |way| match way {
            Way::Door | Way::Inside => Some(Goal::AboveAtMost(1.0)),
            Way::Direct | Way::Jump => None,
        };
        let work = format!("keystroke p99{called}");
        self.rows(&work, "ms", &last, Way::Direct, goal);
        Ok(())
    }

    /// (d): what the bastion keeps in memory for a session in which nothing happens.
    fn memory(&mut self) -> Result<()> {
        for (kind, options) in [("", None), (" with a terminal", Some("-tt"))] {
            for way in [Way::Door, Way::Inside] {
                self.idle(way, kind, options)?;
            }
        }
        Ok(())
    }

    fn idle(&mut self, way: Way, kind: &str, options: Option<&str>) -> Result<()> {
        // A fresh one: what the row before has given back would be taken again, and count for nothing.
        self.ways.world.kill_bastion();
        self.ways.world.start_bastion()?;
        let bastion = self.ways.world.bastion()?.id();
        let mut more: Vec<&str> = options.into_iter().collect();
        more.push("echo r; exec sleep 3600");
        let command = || self.ways.ssh(way, PLAIN, &more);
        // The first ones bring what all share.
        drop(measure::idle(8, command)?);
        thread::sleep(SETTLED);
        let before = measure::resident(bastion)?;
        let sessions = measure::idle(self.plan.idle, command)?;
        thread::sleep(SETTLED);
        let more = measure::resident(bastion)? - before;
        let count = u32::try_from(sessions.len()).unwrap_or(u32::MAX);
        drop(sessions);
        let row = Row {
            work: format!("memory of an idle session{kind} at {count}, {}", way.name()),
            unit: "KiB",
            ours: more / f64::from(count),
            peer: None,
            goal: Some(Goal::AtMost(150.0)),
        };
        row.print(self.plan.json);
        Ok(())
    }

    /// (f): sessions that begin and end, many at once.
    fn opened(&mut self) -> Result<()> {
        let seen = self
            .in_turns(|bench, way| measure::rate(32, || bench.ways.ssh(way, PLAIN, &["true"])))?;
        self.rows(
            "sessions opened, 8 at once",
            "1/s",
            &seen,
            Way::Jump,
            |_| None,
        );
        Ok(())
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "sizes of transfers are far below 2^52"
)]
fn mebibytes(bytes: u64) -> f64 {
    (bytes >> 20) as f64
}
