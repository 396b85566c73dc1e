//! Who is told at once of what must not wait.
//!
//! [`Alerts::tell`] never waits and never fails: whoever has `ssh ca pending --watch` open hears it at once, and
//! [`spool`] hands it to the program or service of `[alert]`, again and again until it is taken. The document is
//!
//! ```json
//! {"version":1,"id":"01KB…","at":"2026-11-22T03:12:04Z","text":"BREAK-GLASS: …","tell":["bob"],
//!  "event":{"break-glass":{"request":"7F3K-9QMD", …}}}
//! ```
//!
//! on standard input or as the body of a POST; beside it stand, as environment variables (`HALLPASS_EVENT`) or headers
//! (`Hallpass-Event`), `Event`, `Id` and, if there is a secret, `Mac`: HMAC-SHA256 by it, in hexadecimal digits, over
//! the line `hallpass-alert-v1`, with its line feed, and then the document. The same alert may come twice, with the
//! same `id`: after a crash nobody knows whether it was taken. What somebody can bring about as often as they like is told
//! once an hour: [`seldom`].

mod event;
mod seldom;
mod spool;

use std::sync::Arc;
use std::sync::{Mutex, PoisonError};

use config::words::{PersonName, SessionId};
use record::clock::UnixTime;
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, mpsc};

pub(crate) use event::Event;
use seldom::Seldom;
pub(crate) use spool::run;

/// Alerts on their way to the spool: more than this at one moment is a flood, and each is in the CA's own log.
const ON_THE_WAY: usize = 256;

/// Something that must not wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Alert {
    /// The version of this document, 1.
    pub(crate) version: u32,
    /// Names it, for whoever gets it twice.
    pub(crate) id: SessionId,
    /// When.
    pub(crate) at: UnixTime,
    /// What happened, in a sentence.
    pub(crate) text: String,
    /// The persons whom it concerns: those who approve or review.
    pub(crate) tell: Vec<PersonName>,
    /// What happened, in its parts.
    pub(crate) event: Event,
}

/// Takes alerts from everywhere.
pub(crate) struct Alerts {
    out: mpsc::Sender<Arc<Alert>>,
    waiting: Mutex<Option<mpsc::Receiver<Arc<Alert>>>>,
    heard: broadcast::Sender<Arc<Alert>>,
    seldom: Mutex<Seldom>,
}

impl Alerts {
    pub(crate) fn new() -> Self {
        let (out, waiting) = mpsc::channel(ON_THE_WAY);
        let (heard, _) = broadcast::channel(ON_THE_WAY);
        Self {
            out,
            waiting: Mutex::new(Some(waiting)),
            heard,
            seldom: Mutex::default(),
        }
    }

    /// Tells everybody, unless they were told the like within the hour. Returns at once, whatever happens to it.
    pub(crate) fn tell(&self, at: UnixTime, tell: Vec<PersonName>, event: Event) {
        let mut seldom = self.seldom.lock().unwrap_or_else(PoisonError::into_inner);
        let news = seldom.is_news(&event, at);
        drop(seldom);
        if !news {
            tracing::info!(
                event = event.name(),
                "everybody was told the like within the hour"
            );
            return;
        }
        let mut random = [0; 10];
        // Without random bytes two alerts may have one name: better than none.
        let _ = getrandom::fill(&mut random);
        let alert = Arc::new(Alert {
            version: 1,
            id: SessionId::from_parts(at.secs().saturating_mul(1000), random),
            at,
            text: event.text(),
            tell,
            event,
        });
        let text = config::words::shown(&alert.text);
        tracing::warn!(event = alert.event.name(), text, "ALERT");
        // Nobody may be listening.
        let _ = self.heard.send(Arc::clone(&alert));
        if self.out.try_send(alert).is_err() {
            tracing::error!("too many alerts at once: this one is told to nobody else");
        }
    }

    /// Hears every alert from now on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Arc<Alert>> {
        self.heard.subscribe()
    }

    /// What waits to be spooled; once.
    pub(crate) fn take(&self) -> Option<mpsc::Receiver<Arc<Alert>>> {
        let mut waiting = self.waiting.lock();
        waiting.as_mut().ok().and_then(|waiting| waiting.take())
    }
}
