//! How fast the long recording is verified, searched, and opened anywhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use config::recipients::Recipients;
use player::search::{Query, search};
use record::age::Identities;
use record::recording::index::{self, Screens};
use record::recording::verify;
use record::recording::{Data, Reader, Size, Stream};
use record::screen::Screen;

use crate::Plan;
use crate::made::{LONG_US, Random, id, identity, long, public, reviewer, signer, trusted};
use crate::table::{Goal, on_all, percentile, seconds};

impl Plan {
    /// The long recording: its size, and how fast it is verified, searched, and opened anywhere.
    pub(crate) fn reading(&self, sealed: bool) {
        let kept = self.keep.as_ref().filter(|_| !sealed);
        let own = tempfile::tempdir().unwrap();
        let dir = kept.map_or(own.path(), PathBuf::as_path);
        let kind = if sealed { "sealed" } else { "clear" };
        let recipients = if sealed {
            reviewer()
        } else {
            Recipients::nobody()
        };
        let path = long(dir, &recipients, self.bytes);
        let megabytes = self.bytes as f64 / 1e6;
        let stored = fs::metadata(&path).unwrap().len() as f64 / 1e6;
        self.row(
            &format!("ten hours, {kind}: size"),
            "MB",
            stored,
            None,
            Goal::None,
        );

        let identities = if sealed {
            identity()
        } else {
            Identities::default()
        };
        let reader = Reader::open(&path, &identities).unwrap();
        let took = seconds(|| {
            index::build(&reader, &signer(), &|| true).unwrap();
        });
        self.row(
            &format!("ten hours, {kind}: making the index, of output"),
            "MB/s",
            megabytes / took,
            None,
            Goal::None,
        );
        let indexed = fs::metadata(dir.join(format!("{}.index.zst", id(1))))
            .unwrap()
            .len() as f64
            / 1e6;
        self.row(
            &format!("ten hours, {kind}: size of the index"),
            "MB",
            indexed,
            None,
            Goal::None,
        );
        if kept.is_some() {
            let line = public().to_openssh().unwrap();
            fs::write(dir.join("allowed_signers"), format!("edge {line}\n")).unwrap();
        }

        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        self.verifying(&path, kind, stored, cores);
        self.searching(&path, kind, megabytes, cores, &identities);
        self.seeking(&path, kind, &identities);
        self.shown(&path, kind, &identities);
    }

    pub(crate) fn verifying(&self, path: &Path, kind: &str, stored: f64, cores: usize) {
        let took = on_all(cores, || {
            let file = fs::File::open(path).unwrap();
            let from = std::io::BufReader::new(file);
            verify::recording(from, &id(1), &trusted()).unwrap();
        });
        let rate = stored * cores as f64 / took;
        self.row(
            &format!("ten hours, {kind}: verifying, of stored bytes"),
            "MB/s",
            rate,
            None,
            Goal::AtLeast(500.0),
        );
    }

    pub(crate) fn searching(
        &self,
        path: &Path,
        kind: &str,
        megabytes: f64,
        cores: usize,
        identities: &Identities,
    ) {
        for (name, pattern) in [
            ("a word", "segfault at 4711"),
            ("a pattern", r"(?i)out of [a-z]+ (at|by) \d{9}"),
        ] {
            let query = Query::new(&pattern.parse().unwrap(), 0).unwrap();
            let believing = query.clone().trusting(trusted());
            let fast = on_all(cores, || {
                let found = search(path, identities, &believing, |_| true)
                    .unwrap()
                    .unwrap();
                assert!(found.indexed);
            });
            let slow = seconds(|| {
                let found = search(path, identities, &query, |_| true).unwrap().unwrap();
                assert!(!found.indexed);
            });
            let rate = megabytes * cores as f64 / fast;
            let scan = megabytes * cores as f64 / slow;
            let work = format!("ten hours, {kind}: searching for {name}, of output");
            self.row(
                &work,
                "MB/s",
                rate,
                Some(("without the index", scan)),
                Goal::AtLeast(200.0),
            );
        }
    }

    /// Opens it, goes to a time, and looks at the screen there.
    pub(crate) fn seeking(&self, path: &Path, kind: &str, identities: &Identities) {
        let mut took = Vec::new();
        let mut random = Random(7);
        for _ in 0..40 {
            let at_us = random.below(LONG_US);
            let begin = Instant::now();
            let reader = Reader::open(path, identities).unwrap();
            let screen = screen_at(&reader, at_us);
            let shown: usize = (0..50).map(|row| screen.row(row).count()).sum();
            assert!(shown > 0);
            took.push(begin.elapsed().as_secs_f64() * 1000.0);
        }
        let work = format!("ten hours, {kind}: open, go anywhere, first screen");
        self.row(
            &format!("{work}, p50"),
            "ms",
            percentile(&mut took, 50),
            None,
            Goal::None,
        );
        self.row(
            &format!("{work}, worst of 40"),
            "ms",
            percentile(&mut took, 100),
            None,
            Goal::AtMost(100.0),
        );
    }
}

/// The screen at a time, by the nearest one that the index holds.
fn screen_at(reader: &Reader, at_us: u64) -> Screen {
    let chunk = reader.chunk_at(at_us);
    let screens = Screens::of(reader, &trusted()).unwrap();
    let known = screens.before(chunk);
    let blank = || (0, Screen::new(Size::recorded(120, 50).unwrap(), false));
    let (from, mut screen) = known.map_or_else(blank, |(at, known)| (at, Screen::restore(&known)));
    for chunk in from..=chunk {
        for event in reader.events(chunk).unwrap() {
            if event.at_us > at_us {
                break;
            }
            if let Data::Bytes(Stream::Output, bytes) = event.data {
                screen.feed(&bytes);
            }
        }
    }
    screen
}
