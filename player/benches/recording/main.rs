//! What a recording costs while it is written, and how fast it is verified, searched and opened anywhere: run by
//! `cargo xtask bench record`, which measures the sizes of real sessions beside it.
//!
//! The recording that is read is ten hours long: output of many kinds, put together by a fixed seed and written by a real
//! store whose clock is stepped. It is measured as a clear one and as one that is sealed.
//!
//! ```text
//! recording [--json] [--megabytes N] [--bulk MIB_PER_SECOND] [--keep DIR] [--only writing|reading]
//! ```
//!
//! With `--bulk`, the rate of a whole session, it says which part of one the recording takes. With `--keep`, the clear
//! recording stays in a directory, with `allowed_signers` beside it.
//!
//! * [`writing`]: what is on the way of a session's bytes.
//! * [`reading`]: verifying, searching, opening; [`shown`]: what the player does with it.
//! * [`made`]: the recordings that are measured, and what is in them.
//! * [`table`]: what is printed.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a measurement that cannot go on stops, and its numbers are its product"
)]

mod made;
mod reading;
mod shown;
mod table;
mod writing;

use std::path::PathBuf;

fn main() {
    let mut plan = Plan {
        json: false,
        bytes: 250_000_000,
        bulk: None,
        keep: None,
        only: None,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--json" => plan.json = true,
            "--megabytes" => {
                plan.bytes = args.next().unwrap().parse::<u64>().unwrap() * 1_000_000;
            }
            "--bulk" => plan.bulk = args.next().unwrap().parse().ok(),
            "--only" => plan.only = args.next(),
            "--keep" => plan.keep = args.next().map(PathBuf::from),
            // `cargo bench` says that it is one.
            _ => {}
        }
    }
    let wanted = |part| plan.only.as_ref().is_none_or(|only| only == part);
    if wanted("writing") {
        // First, so that nothing else has left room in memory.
        plan.memory();
        plan.writing();
        plan.stalls();
    }
    if wanted("reading") {
        for sealed in [true, false] {
            plan.reading(sealed);
        }
    }
}

/// What is measured, and how it is said.
struct Plan {
    json: bool,
    bytes: u64,
    bulk: Option<f64>,
    keep: Option<PathBuf>,
    only: Option<String>,
}
