//! What is told of an alert: to the CA, and in the session's recording.

use config::terms::Alert;
use config::words::{AlertName, SessionId};
use record::api;
use record::entry::Sign;
use record::recording::{RecordError, Recorded, Recorder};

/// What the CA is told of an alert.
pub(crate) fn report(
    session: &SessionId,
    alert: &Alert,
    on: Sign,
    ended: bool,
) -> api::SessionAlert {
    api::SessionAlert {
        session: session.clone(),
        alert: alert.name.clone(),
        on,
        ended,
    }
}

/// Writes an alert into the session's recording, at the moment that it has come to: there it is found again.
pub(crate) fn mark(recorder: &mut Recorder, name: &AlertName, on: Sign) -> Result<(), RecordError> {
    let label = match on {
        // Nothing was found: it could not be looked for.
        Sign::Unwatched => format!("alert {name} ({on})"),
        _ => format!("alert {name}"),
    };
    recorder.marker(&label).map(Recorded::into_inner)
}
