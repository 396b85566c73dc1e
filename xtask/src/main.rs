//! The project's own commands: `cargo xtask test`, `cargo xtask demo` and `cargo xtask bench`.
//!
//! * [`install`] brings the stock programs that the tests and the demo run.
//! * [`test`] is everything that has to pass.
//! * [`bench`] measures the CA, its revocation lists, the bastion and recordings beside their peers.
//! * [`demo`] shows the whole product, step by checked step.

use std::env;
use std::process::ExitCode;

mod bench;
mod demo;
mod install;
mod test;

const HELP: &str = "\
usage: cargo xtask COMMAND

  test           install what is missing, then check and test everything
  demo           show the whole product on this machine, in a world that is thrown away
  demo --keep    the same, and leave the world running to be entered by hand
  bench ca [--json]          certificates per second, beside `ssh-keygen -s` and bare signing
  bench ca --million [N]     resident memory over a million certificates, or N
  bench bastion [--json]     what a session costs, beside `ssh -J` through sshd and beside sshd alone;
                             --size MIB, --runs N, --idle SESSIONS, --only LETTERS for less of it
  bench bastion --soak MIN   sessions of all kinds for so many minutes: whether memory, descriptors, threads or files grow
  bench record [--json]      what recordings cost: sizes of seven sessions beside asciicast and gzip, time, search, seeking;
                             --minutes N, --megabytes N, --only sbt (s: the sessions, b: bulk, t: the times) for less of it
  bench krl [--json]         the size of 100,000 revocations, and how long OpenSSH takes to load them
";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args.as_slice() {
        ["test"] => test::run(),
        ["demo"] => demo::run(false),
        ["demo", "--keep"] => demo::run(true),
        ["bench", "ca", rest @ ..] => bench::ca(rest),
        ["bench", "bastion", rest @ ..] => bench::bastion(rest),
        ["bench", "record", rest @ ..] => bench::record(rest),
        ["bench", "krl", rest @ ..] => bench::krl(rest),
        ["help" | "--help" | "-h"] => {
            print(HELP);
            Ok(())
        }
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

/// Standard output is this program's product; a reader who has gone away is no failure.
fn print(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}
