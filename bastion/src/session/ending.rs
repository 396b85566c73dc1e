//! Why a session ended, told to the person, to the recording and to the CA.

use std::sync::Arc;

use config::{duration, limits};
use record::recording::{EndReason, Exit, RecordError, Recorder};

use super::client::Person;
use crate::ends::end_of;
use crate::flow::Way;
use crate::forward::Item;
use crate::relay::{self, Alone, Over, Stop};
use crate::site::Site;

/// The exit status of a session that the bastion ended or did not begin, as `ssh` uses it for its own failures.
pub(crate) const ENDED: u32 = 255;

/// The word that ends the recording of a session that an alert ended.
pub(super) const ALERT: &str = "alert";

/// What the person still hears.
pub(super) struct Words {
    pub(super) line: Option<String>,
    pub(super) exit: Exit,
}

/// Why it ended, and what the person still hears.
pub(super) fn farewell(over: Over, name: &str, until: &str) -> (EndReason, Words) {
    let ended = |reason, line: String| {
        (
            reason,
            Words {
                line: Some(line),
                exit: Exit::Status(ENDED),
            },
        )
    };
    match over {
        Over::Exit(exit) => (EndReason::Exit, Words { line: None, exit }),
        Over::ClientClosed => (
            EndReason::ClientClosed,
            Words {
                line: None,
                exit: Exit::Status(ENDED),
            },
        ),
        Over::TargetClosed => ended(
            EndReason::TargetClosed,
            format!("{name} closed the connection"),
        ),
        Over::Full(way) => {
            let who = match way {
                Way::Up => name,
                Way::Down => "your side",
            };
            ended(
                EndReason::Overflow,
                format!("session ended: {who} takes no more bytes, and too many wait"),
            )
        }
        Over::Broken(broken) => ended(
            EndReason::Other(broken.word().to_owned()),
            format!("session ended: {broken}"),
        ),
        Over::Idle(most) => ended(
            EndReason::Idle,
            format!(
                "session ended: nothing happened for {}",
                duration::show(most)
            ),
        ),
        Over::Large(most) => ended(
            EndReason::Other("too-large".to_owned()),
            format!("session ended: more than {most} bytes, which is the most of its role"),
        ),
        Over::Recorder(e) => ended(EndReason::Recorder, recorder_failed(&e)),
        Over::Alone(Alone(grace)) => ended(
            EndReason::Other("unobserved".to_owned()),
            format!(
                "session ended: nobody has watched it for {}",
                config::duration::show(grace)
            ),
        ),
        Over::Stopped(Stop::Deadline) => ended(
            EndReason::Deadline,
            format!("session ended: the grant ended at {until}"),
        ),
        Over::Stopped(Stop::GrantEnded) => ended(
            EndReason::Revoked,
            "session ended: the grant was given back or revoked".to_owned(),
        ),
        Over::Stopped(Stop::Killed { by, reason }) => ended(
            EndReason::Killed,
            format!("session ended by {by}: {reason}"),
        ),
        Over::Stopped(Stop::Alert(name)) => ended(
            EndReason::Other(ALERT.to_owned()),
            format!("session ended: it did what its role is alerted of as {name}"),
        ),
        Over::Stopped(Stop::Shutdown) => ended(
            EndReason::Shutdown,
            "session ended: this bastion is closing".to_owned(),
        ),
    }
}

fn recorder_failed(e: &RecordError) -> String {
    format!("session ended: the recorder failed: {e}")
}

/// Says the last word, seals the recording with its signed End, and keeps the end for the CA.
pub(super) async fn end(
    site: &Arc<Site>,
    mut recorder: Recorder,
    reason: EndReason,
    words: &mut Words,
    pty: bool,
    person: &Person,
) {
    if let Some(line) = words.line.take() {
        match relay::said(&mut recorder, &line, pty) {
            Ok(said) => person.hand(Item::Errors(said)).await,
            // A recorder that has failed does not keep its own failure from being told.
            Err(_) => person.tell(Some(line), pty).await,
        }
    }
    if let Err(e) = seal(site, recorder, reason).await {
        words.exit = Exit::Status(ENDED);
        person.tell(Some(recorder_failed(&e)), pty).await;
    }
}

/// Seals a recording with its signed End, and keeps the end for the CA.
pub(super) async fn seal(
    site: &Arc<Site>,
    recorder: Recorder,
    reason: EndReason,
) -> Result<(), RecordError> {
    let keeping = Arc::clone(site);
    let sealing = tokio::task::spawn_blocking(move || {
        let sealed = recorder.finish(reason)?;
        // If we die here, the recording is whole, and the CA has not heard of its end.
        let kept = keeping.ends.keep(&end_of(&sealed));
        Ok::<_, RecordError>((sealed, kept))
    });
    // A disk that stands still is not waited for: the recording is sealed when it goes on, or at the next start.
    let kept = tokio::time::timeout(limits::RECORDING_PATIENCE, sealing).await;
    match kept.unwrap_or(Ok(Err(RecordError::Stalled))) {
        Ok(Ok((sealed, kept))) => {
            tracing::info!(session = %sealed.session, reason = %sealed.end.reason, "session ended");
            if let Err(e) = kept {
                tracing::error!(session = %sealed.session, "the end is not kept for the CA: {e}");
            }
        }
        Ok(Err(e)) => {
            tracing::error!("a recording is not sealed: {e}");
            return Err(e);
        }
        Err(e) => tracing::error!("a recording is not sealed: {e}"),
    }
    Ok(())
}
