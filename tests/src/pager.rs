//! Somebody's pager: a real program that the CA runs for each alert.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::{Failure, Result};

/// A program that writes down each alert that it gets, and where.
pub struct Pager {
    directory: TempDir,
}

impl Pager {
    /// It takes nothing while there is no file `up` beside it, if it has to have one.
    pub fn new(has_to_be_up: bool) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("hp-").tempdir()?;
        let pager = Self { directory };
        let (own, heard) = (pager.directory.path(), pager.heard());
        let when = if has_to_be_up {
            "[ -e up ] || exit 1\n"
        } else {
            ""
        };
        let text = format!(
            "#!/bin/sh\ncd {}\n{when}line=$(cat)\nprintf '%s\\n' \"$HALLPASS_EVENT\" >> events\nprintf '%s\\n' \"$line\" >> {}\n",
            own.display(),
            heard.display()
        );
        fs::write(pager.program(), text)?;
        fs::set_permissions(pager.program(), fs::Permissions::from_mode(0o700))?;
        Ok(pager)
    }

    /// From now on it takes what it gets.
    pub fn go_up(&self) -> Result<()> {
        Ok(fs::write(self.directory.path().join("up"), "")?)
    }

    /// The events of the alerts that it took, one a line.
    pub fn events(&self) -> String {
        fs::read_to_string(self.directory.path().join("events")).unwrap_or_default()
    }

    fn program(&self) -> PathBuf {
        self.directory.path().join("page")
    }

    fn heard(&self) -> PathBuf {
        self.directory.path().join("heard")
    }

    /// The table of the configuration that names it.
    pub fn table(&self) -> String {
        format!("[alert]\ncommand = [\"{}\"]\n", self.program().display())
    }

    /// The first alert of this event, once it is there.
    pub fn wait(&self, event: &str, limit: Duration) -> Result<Value> {
        self.find(event, limit, |alert| alert["event"].get(event).is_some())
    }

    /// The first alert whose sentence has these words, once it is there.
    pub fn wait_text(&self, words: &str, limit: Duration) -> Result<Value> {
        let has = |alert: &Value| {
            alert["text"]
                .as_str()
                .is_some_and(|text| text.contains(words))
        };
        self.find(words, limit, has)
    }

    fn find(&self, what: &str, limit: Duration, is_it: impl Fn(&Value) -> bool) -> Result<Value> {
        let end = Instant::now() + limit;
        loop {
            let text = fs::read_to_string(self.heard()).unwrap_or_default();
            let mut alerts = text
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok());
            if let Some(alert) = alerts.find(&is_it) {
                return Ok(alert);
            }
            if Instant::now() >= end {
                return Err(Failure::new(format!("no alert {what} in:\n{text}")));
            }
            sleep(Duration::from_millis(50));
        }
    }
}
