//! Alerts on the disk until somebody has taken them: one file each in `alerts/` of the CA's directory.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use config::limits;
use config::rules;
use record::clock::Clock;
use tokio::sync::mpsc;

use super::Alert;
use crate::outside::{Question, Secret, Unheard, put};

/// How long to wait after the first failure; twice as long after each further one, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Takes alerts for as long as the CA serves, and tells whoever `config` says at that moment. What was not taken before
/// the CA stopped is taken up again.
pub(crate) async fn run(
    dir: PathBuf,
    clock: Arc<dyn Clock>,
    mut coming: mpsc::Receiver<Arc<Alert>>,
    config: impl Fn() -> Option<rules::Alert>,
) {
    let mut waiting = again(&dir);
    let mut pause = FIRST_PAUSE;
    loop {
        let trouble = match (waiting.front(), config()) {
            (Some(first), Some(to)) => deliver(&to, first).await.err(),
            // Nobody is to be told any more.
            (Some(_), None) => None,
            (None, _) => match coming.recv().await {
                Some(alert) => {
                    take(&dir, &mut waiting, &alert, config().is_some());
                    continue;
                }
                None => return,
            },
        };
        let Some(why) = trouble else {
            pause = FIRST_PAUSE;
            done(&dir, &mut waiting);
            continue;
        };
        let late = waiting
            .front()
            .is_some_and(|first| clock.wall().since(first.at) > limits::ALERT_AGE);
        if late {
            tracing::error!(%why, "an alert was taken by nobody for a day: it is given up");
            done(&dir, &mut waiting);
            continue;
        }
        tracing::warn!(%why, waiting = waiting.len(), "an alert was not taken: again in {} s", pause.as_secs());
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            alert = coming.recv() => match alert {
                Some(alert) => take(&dir, &mut waiting, &alert, true),
                None => return,
            },
        }
    }
}

async fn deliver(to: &rules::Alert, alert: &Alert) -> Result<(), Unheard> {
    let body = serde_json::to_vec(alert).map_err(|e| Unheard::Garbage(e.to_string()))?;
    let mut facts = vec![
        ("Event", alert.event.name().to_owned()),
        ("Id", alert.id.to_string()),
    ];
    if let Some(file) = &to.secret {
        let mac = Secret::read(file)?.sign(&[b"hallpass-alert-v1\n", &body]);
        facts.push(("Mac", mac));
    }
    let question = Question {
        body,
        kind: "application/json",
        facts,
    };
    let most = limits::ALERT_ANSWER_BYTES;
    put(&to.means, &question, limits::ALERT_TAKES, most)
        .await
        .map(drop)
}

/// What an earlier run left, the oldest first. A file that cannot be read is left where it is.
fn again(dir: &Path) -> VecDeque<Alert> {
    let Ok(entries) = fs::read_dir(dir) else {
        return VecDeque::new();
    };
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let read = files.filter(|path| path.extension().is_some_and(|kind| kind == "json"));
    let mut alerts: Vec<Alert> = read
        .take(limits::ALERTS_WAITING)
        .filter_map(|path| serde_json::from_slice(&fs::read(path).ok()?).ok())
        .collect();
    alerts.sort_by(|a, b| a.id.cmp(&b.id));
    alerts.into()
}

fn take(dir: &Path, waiting: &mut VecDeque<Alert>, alert: &Alert, wanted: bool) {
    if !wanted {
        return;
    }
    if waiting.len() >= limits::ALERTS_WAITING {
        tracing::error!("too many alerts wait: this one is told to nobody else");
        return;
    }
    if let Err(why) = write(dir, alert) {
        tracing::warn!(%why, "an alert cannot be kept on the disk: a crash would lose it");
    }
    waiting.push_back(alert.clone());
}

/// If we die here, the alert comes again.
fn done(dir: &Path, waiting: &mut VecDeque<Alert>) {
    if let Some(alert) = waiting.pop_front() {
        // It may never have been written.
        let _ = fs::remove_file(file(dir, &alert));
    }
}

fn write(dir: &Path, alert: &Alert) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let body = serde_json::to_vec(alert)?;
    let path = file(dir, alert);
    let new = path.with_extension("new");
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    options.open(&new)?.write_all(&body)?;
    fs::rename(new, path)
}

fn file(dir: &Path, alert: &Alert) -> PathBuf {
    dir.join(format!("{}.json", alert.id))
}
