//! A program whose wall clock runs ahead of everybody else's, as if it had been started later.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::{Result, process, programs};

/// Stands before the C library's own: all that a program asks of the time of day passes here.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec *at) {
    int said = (int)syscall(SYS_clock_gettime, id, at);
    const char *ahead = getenv("AHEAD_S");
    if (said == 0 && id == CLOCK_REALTIME && ahead) at->tv_sec += atol(ahead);
    return said;
}
"#;

/// What goes before a command, so that its clock is so far ahead. `dir` holds what that takes.
pub fn of(dir: &Path, ahead: Duration) -> Result<Vec<String>> {
    let (source, shim) = (dir.join("ahead.c"), dir.join("ahead.so"));
    fs::write(&source, SHIM)?;
    let mut cc = Command::new(programs::find("cc")?);
    cc.args(["-shared", "-fPIC", "-O1", "-o"]);
    process::run(cc.arg(&shim).arg(&source))?.ok()?;
    Ok(vec![
        "env".to_owned(),
        format!("LD_PRELOAD={}", shim.display()),
        format!("AHEAD_S={}", ahead.as_secs()),
    ])
}
