//! One measurement at a time.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hallpass_tests::{Failure, Result, process};

/// The time between two keystrokes: somebody who types fast.
const TYPING: Duration = Duration::from_millis(20);

/// `ssh` runs that are started at once, so that a machine of two cores is not the measure.
const AT_ONCE: usize = 8;

/// What a target runs to be written to, and to be read from. They say on standard error when they begin.
pub(super) const SINK: &str = "printf g >&2; exec cat > /dev/null";

/// See [`SINK`].
pub(super) fn spring(bytes: u64) -> String {
    format!("printf g >&2; exec head -c {bytes} /dev/zero")
}

/// Seconds from the target's first sign to the end of `ssh`; `from` is what it sends.
pub(super) fn transfer(command: &mut Command, from: Option<&Path>) -> Result<f64> {
    let stdin = match from {
        Some(path) => File::open(path)?.into(),
        None => Stdio::null(),
    };
    let mut child = command
        .stdin(stdin)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut sign = [0];
    let mut stderr = child.stderr.take();
    if let Some(stderr) = &mut stderr {
        stderr.read_exact(&mut sign)?;
    }
    let begin = Instant::now();
    let status = child.wait()?;
    let took = begin.elapsed().as_secs_f64();
    let mut said = String::from_utf8_lossy(&sign).into_owned();
    if let Some(stderr) = &mut stderr {
        stderr.read_to_string(&mut said)?;
    }
    if status.success() && said == "g" {
        Ok(took)
    } else {
        Err(Failure::new(format!(
            "{} ended with {status}: {said}",
            process::spell(command)
        )))
    }
}

/// Seconds of a whole run.
pub(super) fn run(command: &mut Command) -> Result<f64> {
    let begin = Instant::now();
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if status.success() {
        Ok(begin.elapsed().as_secs_f64())
    } else {
        let text = process::spell(command);
        Err(Failure::new(format!("{text} ended with {status}")))
    }
}

/// Runs per second of a command, many at once.
pub(super) fn rate(runs: usize, command: impl Fn() -> Result<Command> + Sync) -> Result<f64> {
    let begin = Instant::now();
    let each = runs.div_ceil(AT_ONCE);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE)
            .map(|_| scope.spawn(|| (0..each).try_for_each(|_| run(&mut command()?).map(drop))))
            .collect();
        threads.into_iter().try_for_each(|thread| {
            let ended = thread.join();
            ended.unwrap_or_else(|_| Err(Failure::new("a thread ended badly")))
        })
    })?;
    let whole = u32::try_from(each * AT_ONCE).unwrap_or(u32::MAX);
    Ok(f64::from(whole) / begin.elapsed().as_secs_f64())
}

/// What a terminal's target runs, so that each keystroke comes back from a program.
pub(super) const ECHO: &str = "stty raw -echo; printf 'go>'; exec cat";

/// Milliseconds that each of so many keystrokes took to come back.
pub(super) fn echoes(command: &mut Command, count: usize) -> Result<Vec<f64>> {
    let mut child = Ended(
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?,
    );
    let (Some(mut keys), Some(mut screen)) = (child.0.stdin.take(), child.0.stdout.take()) else {
        return Err(Failure::new("no pipes"));
    };
    let mut byte = [0];
    let mut seen = Vec::new();
    while !seen.ends_with(b"go>") {
        screen.read_exact(&mut byte)?;
        seen.extend(byte);
    }
    let mut took = Vec::with_capacity(count);
    for _ in 0..count {
        thread::sleep(TYPING);
        let begin = Instant::now();
        keys.write_all(b"k")?;
        screen.read_exact(&mut byte)?;
        took.push(begin.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(took)
}

/// So many sessions that do nothing, until this is dropped.
pub(super) fn idle(count: usize, command: impl Fn() -> Result<Command>) -> Result<Vec<Ended>> {
    let mut all = Vec::with_capacity(count);
    while all.len() < count {
        let mut batch = Vec::new();
        for _ in 0..AT_ONCE.min(count - all.len()) {
            let started = command()?
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()?;
            batch.push(Ended(started));
        }
        for session in &mut batch {
            let mut sign = [0];
            if let Some(stdout) = &mut session.0.stdout {
                stdout.read_exact(&mut sign)?;
            }
        }
        all.extend(batch);
    }
    Ok(all)
}

/// A program that is ended when this is dropped.
pub(super) struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The processor time that a process has used, in seconds.
pub(super) fn processor(id: u32) -> Result<f64> {
    spent(Path::new(&format!("/proc/{id}")))
}

/// The same, of a process or a thread by its directory of `/proc`.
pub(super) fn spent(task: &Path) -> Result<f64> {
    let stat = fs::read_to_string(task.join("stat"))?;
    // After the name, which ends at the last parenthesis: state is the 3rd field, and utime and stime the 14th and 15th.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    // Linux counts them in hundredths of a second (sysconf(_SC_CLK_TCK)).
    Ok(ticks / 100.0)
}

/// The resident memory of a process, in KiB.
pub(super) fn resident(id: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"))
        .and_then(|kib| kib.trim().parse().ok())
        .ok_or_else(|| Failure::new("no VmRSS"))
}
