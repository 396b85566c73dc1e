//! Going anywhere in a long recording, with its index and without.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;

use common::{header, recording, signer};
use player::deck::Deck;
use player::screen::Screen;
use player::tape::Tape;
use record::age::Identities;
use record::recording::index::{self, Screens};
use record::recording::verify::Trusted;
use record::recording::{FileEvent, FileOp, FilePath, Reader};

/// Shows what is due at a time, and says how many pieces of work that took.
fn shown(deck: &mut Deck, at_us: u64) -> (usize, Vec<String>) {
    deck.seek(at_us);
    let mut work = 0;
    while deck.work() {
        work += 1;
    }
    let row = |screen: &Screen, row| screen.row(row).map(|cell| cell.char).collect();
    let rows = (0..24).map(|at| row(deck.screen(), at)).collect();
    (work, rows)
}

#[test]
fn an_index_shows_the_same_screen_after_less_work() {
    let (_dir, path) = recording(&header(80, 24), |recorder, clock| {
        for n in 0..12_000 {
            clock.step(100_000);
            let place = (1 + n % 24, 1 + n % 60);
            let text = format!(
                "\x1b[{};{}H\x1b[3{}mnumber {n}, a while later",
                place.0,
                place.1,
                n % 8
            );
            recorder.output(text).unwrap().into_inner();
            if n == 9000 {
                let asked = FileEvent::Asked {
                    n: 1,
                    op: FileOp::Stat,
                    path: FilePath::from(b"/etc/passwd".as_slice()),
                    to: None,
                    open: None,
                };
                recorder.files_left(vec![asked]).unwrap();
            }
        }
    });
    let reader = Arc::new(Reader::open(&path, &Identities::default()).unwrap());
    assert!(reader.chunks() > 2, "{}", reader.chunks());
    index::build(&reader, &signer(), &|| true).unwrap();
    let trusted = Trusted::nobody().and(&signer().name, signer().key.public_key());
    let screens = Screens::of(&reader, &trusted).unwrap();
    let tape = Tape::new(Arc::clone(&reader) as _);
    let knowing = tape.clone().knowing(Some(screens));
    let end = tape.duration_us();
    for at in [end, 7, end / 2, end * 9 / 10, end / 3, 0, end - 1] {
        // Each from its beginning, so that neither has learned anything on the way.
        let (far, replayed) = shown(&mut Deck::new(tape.clone(), None), at);
        let (near, known) = shown(&mut Deck::new(knowing.clone(), None), at);
        assert_eq!(known, replayed, "at {at}");
        assert!(near <= far);
        if at > end / 4 * 3 {
            assert!(near * 2 < far, "{near} of {far} at {at}");
        }
    }
}
