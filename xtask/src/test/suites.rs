//! The tests' programs, several at a time: most of them wait for `ssh`, `sshd` and clocks, and leave the machine idle.
//!
//! Each writes into a file of its own, so that what one says stays together. They stay in this program's process group,
//! so that Ctrl-C reaches them as well.

use std::fmt::Write;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use hallpass_tests::failure::Context;
use hallpass_tests::{Failure, Result, process};
use serde_json::Value;

use super::{both, cargo_command, cargo_output};
use crate::print;

/// How many run at once. Each runs as many tests at once as there are cores, and whole-system tests have limits of time:
/// more than this gains little on two cores, and makes slow what must not be.
const AT_ONCE: usize = 3;

/// Those that take longest, the longest first: one of them that begins last would run alone in the end.
const LONGEST: &[&str] = &[
    "record/record",
    "player/bombs",
    "ca/ca",
    "tests/regress",
    "tests/forwards",
    "tests/disk",
    "tests/mask",
    "ca/memory",
    "tests/flow",
    "player/search",
    "tests/bucket",
    "tests/files",
];

/// One program of tests.
struct Suite {
    /// Package and target, for example `hallpass-tests/story`.
    name: String,
    command: Command,
}

/// What became of one.
struct Outcome {
    name: String,
    passed: bool,
    output: String,
}

/// Builds and runs all of them. A failure shows the whole output of each that failed, and ends with the failed tests' names.
pub(super) fn run() -> Result<()> {
    let suites = ordered(built()?);
    let directory = tempfile::tempdir()?;
    let waiting = Mutex::new(suites.into_iter());
    let outcomes = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(suite) = next(&waiting) {
                    let outcome = one(suite, directory.path());
                    let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                    outcomes.push(outcome);
                }
            });
        }
    });
    let outcomes = outcomes
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    judge(&outcomes)
}

fn next(waiting: &Mutex<impl Iterator<Item = Suite>>) -> Option<Suite> {
    waiting
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .next()
}

/// What `cargo test` would run, as it says itself. The examples in the documentation are one suite, which cargo runs.
fn built() -> Result<Vec<Suite>> {
    let json = "--message-format=json-render-diagnostics";
    let output = cargo_output(&["test", "--workspace", "--locked", "--no-run", json])?;
    if !output.status.success() {
        return Err(Failure::new(both(&output)));
    }
    let lines = String::from_utf8_lossy(&output.stdout);
    let mut suites: Vec<Suite> = lines.lines().filter_map(suite).collect();
    suites.push(Suite {
        name: "documentation".to_owned(),
        command: cargo_command(&["test", "--workspace", "--locked", "--doc"]),
    });
    Ok(suites)
}

/// The program that one message of cargo's tells of, if it is one of tests.
fn suite(message: &str) -> Option<Suite> {
    let message: Value = serde_json::from_str(message).ok()?;
    let word = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
    if message.pointer("/profile/test")? != true {
        return None;
    }
    let directory = Path::new(word("/manifest_path")?).parent()?;
    let package = directory.file_name()?.to_str()?;
    let name = format!("{package}/{}", word("/target/name")?);
    let mut command = Command::new(word("/executable")?);
    // As cargo itself starts them.
    command
        .current_dir(directory)
        .env("CARGO_MANIFEST_DIR", directory);
    Some(Suite { name, command })
}

fn ordered(mut suites: Vec<Suite>) -> Vec<Suite> {
    suites.sort_by_key(|suite| {
        let place = LONGEST.iter().position(|name| *name == suite.name);
        place.unwrap_or(LONGEST.len())
    });
    suites
}

/// Runs one to its end, and says in a line what came of it.
fn one(mut suite: Suite, directory: &Path) -> Outcome {
    let begin = Instant::now();
    let file = directory.join(suite.name.replace('/', "-"));
    let (passed, output) = match to_its_end(&mut suite.command, &file) {
        Ok(ended) => ended,
        Err(failure) => (false, failure.to_string()),
    };
    let counts = counts(&output);
    if !passed || counts != "0 passed" {
        let name = &suite.name;
        let word = if passed { "ok" } else { "FAILED" };
        let seconds = begin.elapsed().as_secs_f32();
        print(&format!(
            "  {name:<24}{word:<6} {seconds:>5.0} s  {counts}\n"
        ));
    }
    Outcome {
        name: suite.name,
        passed,
        output,
    }
}

/// Whether it ended well, and everything that it said.
fn to_its_end(command: &mut Command, file: &PathBuf) -> Result<(bool, String)> {
    let out = File::create(file).context(file.display())?;
    let err = out.try_clone()?;
    let status = command
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .status()
        .context(process::spell(command))?;
    let mut output = String::from_utf8_lossy(&fs::read(file)?).into_owned();
    if status.code().is_none() {
        let _ = writeln!(output, "\n{status}");
    }
    Ok((status.success(), output))
}

/// The numbers of its closing lines, those that are not zero.
fn counts(output: &str) -> String {
    let count = |what: &str| -> usize {
        let closing = output
            .lines()
            .filter_map(|line| line.strip_prefix("test result: "));
        let parts = closing.flat_map(|line| line.split(['.', ';']));
        let numbers = parts.filter_map(|part| part.trim().strip_suffix(what));
        numbers
            .filter_map(|number| number.trim().parse::<usize>().ok())
            .sum()
    };
    let mut text = format!("{} passed", count("passed"));
    for what in ["failed", "ignored"] {
        if count(what) > 0 {
            let _ = write!(text, ", {} {what}", count(what));
        }
    }
    text
}

fn judge(outcomes: &[Outcome]) -> Result<()> {
    let failed = outcomes.iter().filter(|outcome| !outcome.passed);
    let mut text = String::new();
    let mut names = String::new();
    for outcome in failed {
        let Outcome { name, output, .. } = outcome;
        let _ = writeln!(text, "---- {name}\n{output}");
        let tests = failed_tests(output);
        if tests.is_empty() {
            let _ = writeln!(names, "  {name}");
        }
        for test in tests {
            let _ = writeln!(names, "  {name}: {test}");
        }
    }
    if text.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(format!("{text}\nthe tests failed:\n{names}")))
    }
}

/// The tests that the runner names as failed.
fn failed_tests(output: &str) -> Vec<&str> {
    output
        .lines()
        .filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(name: &str, output: &str) -> Outcome {
        Outcome {
            name: name.to_owned(),
            passed: false,
            output: output.to_owned(),
        }
    }

    #[test]
    fn all_that_failed_stands_at_the_end() {
        let outcomes = [
            outcome("a/b", "test good ... ok\ntest bad ... FAILED\nwhy\n"),
            outcome("a/c", "signal: 11 (SIGSEGV)\n"),
        ];
        let said = judge(&outcomes).unwrap_err().to_string();
        assert!(said.contains("why\n"), "{said}");
        assert!(
            said.ends_with("the tests failed:\n  a/b: bad\n  a/c\n"),
            "{said}"
        );
    }

    #[test]
    fn numbers_are_added_up_and_zeros_left_out() {
        let closing = "test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.03s\n";
        assert_eq!(counts(&closing.repeat(2)), "4 passed, 2 ignored");
        assert_eq!(counts("nothing"), "0 passed");
    }

    #[test]
    fn what_is_no_program_of_tests_is_not_run() {
        assert!(suite("no message").is_none());
        assert!(suite(r#"{"reason":"build-finished","success":true}"#).is_none());
        let message = |test: bool| {
            format!(
                r#"{{"manifest_path":"/w/ca/Cargo.toml","executable":"/w/t/ca-1","target":{{"name":"front"}},"profile":{{"test":{test}}}}}"#
            )
        };
        assert!(suite(&message(false)).is_none(), "a plain program");
        assert_eq!(suite(&message(true)).unwrap().name, "ca/front");
    }

    #[test]
    fn one_that_a_signal_ended_failed() {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo before; kill -9 $$"]);
        let suite = Suite {
            name: "a/b".to_owned(),
            command,
        };
        let outcome = one(suite, directory.path());
        assert!(!outcome.passed);
        assert!(
            outcome.output.starts_with("before\n\nsignal: 9"),
            "{}",
            outcome.output
        );
    }
}
