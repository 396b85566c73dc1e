//! What is printed, and how it is measured.

use std::fs;
use std::time::Instant;

use crate::Plan;

/// What a row has to show.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    None,
    AtMost(f64),
    AtLeast(f64),
}

impl Plan {
    pub(crate) fn row(
        &self,
        work: &str,
        unit: &str,
        ours: f64,
        peer: Option<(&str, f64)>,
        goal: Goal,
    ) {
        let ratio = peer.map(|(_, peer)| ours / peer);
        let (said, met) = match goal {
            Goal::None => (None, None),
            Goal::AtMost(most) => (Some(format!("at most {most}")), Some(ours <= most)),
            Goal::AtLeast(least) => (Some(format!("at least {least}")), Some(ours >= least)),
        };
        if self.json {
            let line = serde_json::json!({
                "work": work, "unit": unit, "ours": ours, "peer": peer.map(|(_, peer)| peer),
                "peer-is": peer.map(|(name, _)| name), "ratio": ratio, "goal": said, "met": met,
            });
            println!("{line}");
            return;
        }
        let peer = peer.map_or_else(String::new, |(name, peer)| format!("{name}: {peer:.1}"));
        let goal = match (said, met) {
            (Some(said), Some(true)) => format!("{said}: met"),
            (Some(said), _) => format!("{said}: missed"),
            _ => String::new(),
        };
        println!("{work:<64} {ours:>9.2} {unit:<6} {peer:<26} {goal}");
    }
}

/// Seconds until the same work is done on all cores at once: the best of three.
pub(crate) fn on_all(cores: usize, work: impl Fn() + Sync) -> f64 {
    let once = || {
        seconds(|| {
            std::thread::scope(|scope| {
                for _ in 0..cores {
                    scope.spawn(&work);
                }
            });
        })
    };
    (0..3).map(|_| once()).fold(f64::INFINITY, f64::min)
}

pub(crate) fn seconds(work: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    work();
    begin.elapsed().as_secs_f64()
}

pub(crate) fn percentile(values: &mut [f64], per_cent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() * per_cent).div_ceil(100).saturating_sub(1);
    values.get(at).copied().unwrap_or(f64::NAN)
}

/// The resident memory of this process, in KiB.
pub(crate) fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim()
        .strip_suffix(" kB")
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}
