//! Faults in a program that runs, by `strace`: which calls it makes, and what happens at one of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{LIMIT, Live};
use crate::{Result, programs};

/// `strace`, attached to a process and all its threads, until this is dropped.
pub struct Trace {
    live: Live,
    findings: PathBuf,
}

impl Trace {
    /// Attaches it; what it finds goes to this file.
    pub fn attach(process: u32, findings: &Path, args: &[&str]) -> Result<Self> {
        // What an earlier one has found is nothing of this one.
        fs::write(findings, "")?;
        let mut strace = Command::new(programs::find("strace")?);
        strace.args(["-f", "-y", "-p", &process.to_string(), "-o"]);
        strace.arg(findings).args(args);
        let mut live = Live::start(&mut strace)?;
        live.wait_err("attached", LIMIT)?;
        Ok(Self {
            live,
            findings: findings.to_owned(),
        })
    }

    /// What it has found so far.
    pub fn findings(&self) -> Result<String> {
        Ok(fs::read_to_string(&self.findings)?)
    }

    /// Whether it has done something to a call.
    pub fn has_struck(&self) -> Result<bool> {
        Ok(self.findings()?.contains("INJECTED"))
    }

    /// Detaches it, and gives all that it has found.
    pub fn end(self) -> Result<String> {
        if self.live.signal("INT").is_ok() {
            self.live.finish(LIMIT)?;
        }
        Ok(fs::read_to_string(&self.findings)?)
    }
}

/// The places of what `strace` has found: each call, and its how manieth in its thread, up to `tried` of a kind.
pub fn places(findings: &str, tried: u32) -> Vec<(String, u32)> {
    let mut times: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for line in findings.lines() {
        let (thread, rest) = line.split_once(' ').unwrap_or_default();
        let call = rest.trim().split_once('(').map_or("", |(call, _)| call);
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !call.is_empty() && call.chars().all(is_name) {
            *times.entry((thread, call)).or_default() += 1;
        }
    }
    let mut most: BTreeMap<&str, u32> = BTreeMap::new();
    for ((_, call), count) in times {
        let most = most.entry(call).or_default();
        *most = count.max(*most);
    }
    most.into_iter()
        .flat_map(|(call, count)| (1..=count.min(tried)).map(move |nth| (call.to_owned(), nth)))
        .collect()
}

/// How many of each kind are tried: `few`, or all of them if `HALLPASS_INJECT=all` is set.
pub fn tried(few: u32) -> u32 {
    if all() { u32::MAX } else { few }
}

/// Whether so many faults that were done are enough: no run makes each call as often as another one, and of all places some
/// are never reached.
pub fn enough(struck: usize, of: usize) -> bool {
    struck >= 5 && struck * if all() { 4 } else { 2 } >= of
}

fn all() -> bool {
    std::env::var("HALLPASS_INJECT").is_ok_and(|value| value == "all")
}
