//! An hour of load, or as long as is asked for: what must not grow while sessions come and go, and sessions that must live on.

mod gauge;
mod work;

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Result, World, keys};

use super::table::{Goal, Row, median};
use crate::print;
use gauge::Sample;

/// Looks at the processes in all: each tenth has so many of them that no single transfer decides its median.
const LOOKS: u32 = 600;

/// How much higher the last tenth may be than the second one before it is said to grow: medians of a mix that is not the same
/// at any two moments differ by some per cent.
const GROWN: f64 = 1.1;

/// What Alice's role for `web1.prod` has beside the usual: all that the mix opens, for longer than it lasts.
const ROLE: &str = r#"channels = ["shell", "exec", "sftp", "forward"]
forward-to = ["127.0.0.1:*"]
longest = "12h"
"#;

/// What the workers have in common.
struct Mix {
    world: World,
    at: String,
    over: AtomicBool,
    /// Pieces of work that went well.
    done: AtomicUsize,
    failed: Mutex<Vec<String>>,
}

impl Mix {
    fn new(desk: &Path) -> Result<Self> {
        let key = desk.join("reviewer");
        keys::make(&key, "reviewer")?;
        let recipient = keys::public_line(&key)?;
        let mut world = World::lay_out(&Setup {
            extra: format!("[recordings]\nrecipients = [\"{recipient}\"]\n"),
            sshd: "MaxStartups 5000\nRekeyLimit 16M 1m\n".to_owned(),
            ..Setup::default()
        })?;
        let text = fs::read_to_string(world.config())?;
        let (before, role) = text
            .split_once("[role.web-look]\n")
            .ok_or_else(|| Failure::new("no role web-look"))?;
        let role = role.replacen("longest = \"30m\"\n", ROLE, 1);
        fs::write(world.config(), format!("{before}[role.web-look]\n{role}"))?;
        // As the bastion's unit has it.
        world.set_env("MALLOC_ARENA_MAX", "2");
        world.start_ca()?;
        world.start_bastion()?;
        world.introduce(&world.alice)?;
        let at = world.at_web1();
        world.take(&world.alice, &at, &["--for", "12h"])?;
        Ok(Self {
            world,
            at,
            over: AtomicBool::new(false),
            done: AtomicUsize::new(0),
            failed: Mutex::new(Vec::new()),
        })
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Waits so long, or until the end.
    fn rest(&self, long: Duration) {
        let until = Instant::now() + long;
        while !self.is_over() && Instant::now() < until {
            thread::sleep(Duration::from_millis(100).min(long));
        }
    }

    /// Counts a piece of work, or keeps why it failed; says whether it went well.
    fn count(&self, name: &str, outcome: Result<()>) -> bool {
        let Err(failure) = outcome else {
            self.done.fetch_add(1, Ordering::Relaxed);
            return true;
        };
        if let Ok(mut failed) = self.failed.lock() {
            failed.push(format!("{name}: {failure}"));
        }
        false
    }
}

/// Keeps the mix going for so many minutes, and says whether anything grew, failed or did not live on.
pub(super) fn run(minutes: u32, json: bool) -> Result<()> {
    let desk = tempfile::tempdir()?;
    let mut mix = Mix::new(desk.path())?;
    let ids = [mix.world.bastion()?.id(), mix.world.ca()?.id()];
    let samples = thread::scope(|scope| {
        for worker in work::ALL {
            scope.spawn(|| worker(&mix));
        }
        let samples = look(&mix, ids, minutes);
        mix.over.store(true, Ordering::Relaxed);
        samples
    })?;
    verdict(&samples, json);
    let done = mix.done.load(Ordering::Relaxed);
    let failed = mix.failed.into_inner().unwrap_or_default();
    print(&format!(
        "{done} pieces of work, {} failed\n{}",
        failed.len(),
        failed.join("\n")
    ));
    mix.world.end()?;
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::new("not all of the work went well"))
    }
}

/// Looks again and again, and prints one look a minute.
fn look(mix: &Mix, ids: [u32; 2], minutes: u32) -> Result<Vec<Sample>> {
    let site = mix.world.root().join("site");
    let minute = Duration::from_secs(60);
    let every = minute * minutes / LOOKS;
    let begin = Instant::now();
    let mut printed = 0;
    let mut samples = Vec::new();
    print(&gauge::head());
    for turn in 1..=LOOKS {
        thread::sleep((begin + every * turn).saturating_duration_since(Instant::now()));
        let sample = Sample::take(ids, &site)?;
        if begin.elapsed() >= minute * (printed + 1) {
            printed += 1;
            print(&sample.line(printed, mix.done.load(Ordering::Relaxed)));
        }
        samples.push(sample);
    }
    Ok(samples)
}

/// The last tenth beside the second one: in the first one, everything is made that lasts.
fn verdict(samples: &[Sample], json: bool) {
    let tenth = samples.len() / 10;
    let middle = |from: usize, of: gauge::Gauge| {
        let part = samples.iter().skip(from).take(tenth);
        median(part.map(|sample| sample.of(of)).collect())
    };
    for gauge in gauge::GROWING {
        let before = middle(tenth, gauge);
        let row = Row {
            work: format!("{}, in the last tenth", gauge.name()),
            unit: gauge.unit(),
            ours: middle(samples.len() - tenth, gauge),
            peer: Some(("second tenth", before)),
            goal: Some(Goal::AtMost(GROWN * before + gauge.slack())),
        };
        row.print(json);
    }
}
