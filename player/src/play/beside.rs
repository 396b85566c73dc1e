//! What is done beside the replay, so that the keys never wait for it: the survey, and looking for text.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use config::pattern::Pattern;
use record::age::Identities;
use record::recording::Reader;
use record::recording::index::Screens;
use record::recording::verify::Trusted;

use super::coming::Coming;
use crate::export::original;
use crate::search::{Query, search};
use crate::survey::{News, Survey};
use crate::tape::Tape;

/// Time between two looks at whether the recording has grown.
const LOOK: Duration = Duration::from_millis(300);

/// Where the recording is, and what comes from the threads that look through it.
pub(super) struct Beside {
    path: PathBuf,
    identities: Arc<Identities>,
    trusted: Trusted,
    news: Receiver<News>,
    found: Option<Receiver<Result<Found, String>>>,
}

/// Where a text stands.
pub(super) struct Found {
    /// The times and the lines, by time.
    pub(super) hits: Vec<(u64, String)>,
    /// Whether there are more.
    pub(super) more: bool,
}

impl Beside {
    /// Begins the survey.
    pub(super) fn begin(
        path: &Path,
        identities: Arc<Identities>,
        trusted: Trusted,
        reader: Arc<Reader>,
        tape: Tape,
        coming: Option<Arc<Coming>>,
    ) -> Self {
        let (to, news) = channel();
        let (file, keys) = (path.to_owned(), Arc::clone(&identities));
        let believed = trusted.clone();
        // It ends with the process, or when nobody listens any more.
        thread::spawn(move || {
            let open = || {
                let comes = comes(coming.as_deref());
                let reader = original(Reader::open(&file, &keys).ok()?, &keys).ok()?;
                let reader = Arc::new(reader);
                Some((tape_of(&reader, &believed).coming(comes), reader))
            };
            survey(&open, &|| comes(coming.as_deref()), reader, tape, &to);
        });
        Self {
            path: path.to_owned(),
            identities,
            trusted,
            news,
            found: None,
        }
    }

    /// The next news, if there are any.
    pub(super) fn news(&self) -> Option<News> {
        self.news.try_recv().ok()
    }

    /// Begins to look for a text; what was looked for before is given up.
    pub(super) fn look_for(&mut self, pattern: &Pattern) -> Result<(), String> {
        let query = Query::new(pattern, 0).map_err(|e| e.to_string())?;
        let query = query.trusting(self.trusted.clone());
        let (to, found) = channel();
        let (path, keys) = (self.path.clone(), Arc::clone(&self.identities));
        thread::spawn(move || {
            // Whoever has left hears nothing.
            let _ = to.send(look(&path, &keys, &query));
        });
        self.found = Some(found);
        Ok(())
    }

    /// What was found, once.
    pub(super) fn found(&mut self) -> Option<Result<Found, String>> {
        let found = match self.found.as_ref()?.try_recv() {
            Err(TryRecvError::Empty) => return None,
            Ok(found) => found,
            Err(TryRecvError::Disconnected) => Err("looking for it stopped".to_owned()),
        };
        self.found = None;
        Some(found)
    }
}

fn look(path: &Path, identities: &Identities, query: &Query) -> Result<Found, String> {
    let found = search(path, identities, query, |_| true).map_err(|e| e.to_string())?;
    let (hits, more) = found.map_or_else(Default::default, |found| (found.hits, found.more));
    let mut hits: Vec<_> = hits
        .into_iter()
        .filter(|hit| hit.has_it)
        .map(|hit| (hit.line.at_us, hit.line.text))
        .collect();
    hits.sort_by_key(|(at_us, _)| *at_us);
    Ok(Found { hits, more })
}

/// A recording's steps, with the screens of its index if that can be believed.
pub(super) fn tape_of(reader: &Arc<Reader>, trusted: &Trusted) -> Tape {
    let screens = Screens::of(reader, trusted);
    Tape::new(Arc::clone(reader) as _).knowing(screens)
}

/// Whether more of its file is on its way.
pub(super) fn comes(coming: Option<&Coming>) -> bool {
    coming.is_some_and(Coming::goes_on)
}

/// Looks through the recording, and goes on when it does. `comes`: whether more of its file is on its way.
fn survey(
    open: &dyn Fn() -> Option<(Tape, Arc<Reader>)>,
    comes: &dyn Fn() -> bool,
    mut reader: Arc<Reader>,
    tape: Tape,
    to: &Sender<News>,
) {
    let heard = Cell::new(true);
    let mut tell = |news| heard.set(heard.get() && to.send(news).is_ok());
    let mut survey = Survey::new(tape, &mut tell);
    let mut size = reader.stored();
    while heard.get() {
        let more = survey.work(&mut tell);
        if matches!(more, Ok(true)) {
            continue;
        }
        if !survey.tape().grows() {
            return;
        }
        thread::sleep(LOOK);
        let now = reader.stored();
        let has_come = survey.tape().comes() && !comes();
        if now != size || more.is_err() || has_come {
            size = now;
            let mut opened = open();
            if opened
                .as_ref()
                .is_some_and(|(tape, _)| !tape.comes() && tape.cut_us().is_some())
            {
                // Its last tail may just have been sealed: that is not seen twice.
                thread::sleep(LOOK);
                opened = open();
            }
            if let Some((tape, again)) = opened {
                reader = again;
                survey.grow(tape.clone());
                tell(News::Grown(tape));
            }
        }
    }
}
