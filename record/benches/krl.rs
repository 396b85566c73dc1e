//! How large 100,000 revocations are, and how long OpenSSH takes to load them: run by `cargo xtask bench krl`.
//!
//! Each list is asked by the real `ssh-keygen -Q -f` about a certificate that it does not revoke, in turn with an empty
//! list; what counts is the difference of their processor time, in the median of several rounds. Beside it stands the list
//! that `ssh-keygen -k` writes of the same serials.
//!
//! ```text
//! krl          a line a row
//! krl --json   a line of JSON for each row
//! ```
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "a measurement that cannot go on stops, and its numbers are its product"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use record::clock::UnixTime;
use record::digest::Digest;
use record::krl::Krl;
use ssh_key::PublicKey;

/// So many are revoked.
const REVOKED: u64 = 100_000;

/// Rounds, of each of which one difference comes.
const ROUNDS: usize = 9;

/// Programs run for each side of a round: one takes a few milliseconds, and the shell counts in whole ones.
const RUNS: usize = 25;

/// The goals: bytes, and milliseconds of processor time.
const BYTES: f64 = 150_000.0;
const LOAD_MS: f64 = 15.0;

fn main() {
    let json = std::env::args().any(|arg| arg == "--json");
    let bench = Bench::new();
    let empty = bench.ours("empty", &BTreeSet::new());
    let sets: [(&str, BTreeSet<u64>); 3] = [
        ("in a row", (1..=REVOKED).collect()),
        ("every other", (1..=REVOKED).map(|n| 2 * n).collect()),
        ("one in ten, at random", random()),
    ];
    for (name, serials) in sets {
        assert_eq!(serials.len() as u64, REVOKED);
        let ours = bench.ours(name, &serials);
        let peer = bench.peers(name, &serials);
        let kilobytes = |path: &Path| fs::metadata(path).unwrap().len() as f64 / 1000.0;
        let size = (kilobytes(&ours), Some(kilobytes(&peer)));
        row(
            json,
            &format!("100,000 serials, {name}: size"),
            "kB",
            size,
            BYTES / 1000.0,
        );
        let load = (
            bench.load(&ours, &empty).unwrap(),
            bench.load(&peer, &empty),
        );
        row(
            json,
            &format!("100,000 serials, {name}: load"),
            "ms of CPU",
            load,
            LOAD_MS,
        );
    }
}

/// Some of a million serials.
fn random() -> BTreeSet<u64> {
    let mut serials = BTreeSet::new();
    let mut number = 0_u64;
    while (serials.len() as u64) < REVOKED {
        let digest = Digest::of(&number.to_be_bytes());
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&digest.as_bytes()[..8]);
        serials.insert(1 + u64::from_be_bytes(bytes) % (10 * REVOKED));
        number += 1;
    }
    serials
}

struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    /// A CA, and a certificate of its that no list revokes.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bench = Self { dir };
        for name in ["ca", "subject"] {
            let key = bench.path(name);
            keygen(&["-q", "-t", "ed25519", "-N", "", "-f", key.to_str().unwrap()]);
        }
        let (ca, subject) = (bench.path("ca"), bench.path("subject.pub"));
        let (ca, subject) = (ca.to_str().unwrap(), subject.to_str().unwrap());
        keygen(&[
            "-q", "-s", ca, "-I", "x", "-n", "x", "-z", "99999999", subject,
        ]);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn ours(&self, name: &str, serials: &BTreeSet<u64>) -> PathBuf {
        let line = fs::read_to_string(self.path("ca.pub")).unwrap();
        let ca = PublicKey::from_openssh(&line).unwrap();
        let mut krl = Krl::new(1, UnixTime::from_secs(1_795_312_324));
        krl.revoke_serials(&ca, serials.iter().copied()).unwrap();
        let path = self.path(&format!("{name}.ours"));
        fs::write(&path, krl.encode().unwrap()).unwrap();
        path
    }

    /// The same by OpenSSH itself.
    fn peers(&self, name: &str, serials: &BTreeSet<u64>) -> PathBuf {
        let spec = serials.iter().fold(String::new(), |mut text, serial| {
            writeln!(text, "serial: {serial}").unwrap();
            text
        });
        let (given, path) = (self.path("spec"), self.path(&format!("{name}.peer")));
        fs::write(&given, spec).unwrap();
        let ca = self.path("ca.pub");
        let words = [ca.as_path(), &path, &given].map(|path| path.to_str().unwrap());
        let [ca, path_text, given] = words;
        keygen(&["-q", "-k", "-s", ca, "-f", path_text, given]);
        path
    }

    /// What one load of `list` takes beyond that of `empty`, in milliseconds of processor time; none if OpenSSH refuses
    /// it, as it does with some that it wrote itself.
    fn load(&self, list: &Path, empty: &Path) -> Option<f64> {
        let mut rounds: Vec<f64> = (0..ROUNDS)
            .map(|_| Some(self.cpu(list)? - self.cpu(empty)?))
            .collect::<Option<_>>()?;
        rounds.sort_by(f64::total_cmp);
        Some(rounds[ROUNDS / 2])
    }

    /// The processor time of a query, user and system, as the shell's `time` counts it.
    fn cpu(&self, list: &Path) -> Option<f64> {
        let certificate = self.path("subject-cert.pub");
        let script = "TIMEFORMAT='%3U %3S'; time for ((n = 0; n < $1; n++)); do ssh-keygen -Q -f \"$2\" \"$3\" > /dev/null || exit 1; done";
        let output = Command::new("bash")
            .args(["-c", script, "bash", &RUNS.to_string()])
            .args([list, &certificate])
            .output()
            .unwrap();
        if !output.status.success() {
            return None;
        }
        let text = String::from_utf8(output.stderr).unwrap();
        let seconds: f64 = text
            .split_whitespace()
            .map(|one| one.parse::<f64>().unwrap())
            .sum();
        Some(seconds * 1000.0 / RUNS as f64)
    }
}

fn keygen(args: &[&str]) {
    let output = Command::new("ssh-keygen").args(args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn row(json: bool, work: &str, unit: &str, (ours, peer): (f64, Option<f64>), goal: f64) {
    let met = ours <= goal;
    if json {
        let ratio = peer.map(|peer| ours / peer);
        let line = serde_json::json!({
            "work": work, "unit": unit, "ours": ours, "peer": peer, "ratio": ratio, "goal": goal, "met": met,
        });
        println!("{line}");
        return;
    }
    let met = if met { "met" } else { "MISSED" };
    let peer = peer.map_or_else(|| "cannot be read".to_owned(), |peer| format!("{peer:.2}"));
    println!("{work:<45}  {ours:8.2} {unit}  ssh-keygen -k: {peer:>14}  at most {goal}: {met}");
}
