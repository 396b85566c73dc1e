//! `hallpass`: the one binary. Parse, load, open, serve.
//!
//! * `cli`: the command line, and where its words go.
//! * `init`, `check`, `keys`, `target`, `trust`: setting a site up.
//! * `serve`: the two services.
//! * `policy`: what a configuration would say.
//! * `evidence`, `log`, `review`, `search`, `index`: verifying, proving, replaying, exporting and finding; `brought`: of what lies in a bucket.
//! * `generate`: completions and man pages.

mod brought;
mod check;
mod cli;
mod evidence;
mod failure;
mod generate;
mod index;
mod init;
mod keys;
mod lines;
mod log;
mod policy;
mod reissue;
mod review;
mod search;
mod serve;
mod target;
mod trust;
mod verdict;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let outcome = cli::Cli::parse().run();
    outcome.unwrap_or_else(|failure| {
        if !failure.is_unread() {
            // With standard error gone there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "hallpass: {failure}");
        }
        ExitCode::FAILURE
    })
}
