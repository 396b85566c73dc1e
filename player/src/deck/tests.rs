use std::sync::Arc;

use record::recording::reader::ReadError;
use record::recording::{Header, Kind, ReadState, Size, Term};

use super::*;
use crate::marks;
use crate::survey::Survey;
use crate::tape::Source;

pub(crate) fn header(cols: u32, rows: u32) -> Header {
    Header {
        session: "01JD0000000000000000000000".parse().unwrap(),
        person: "alice".parse().unwrap(),
        access: "postgres@db1.prod".parse().unwrap(),
        role: "db-oncall".parse().unwrap(),
        request: "7F3K-9QMD".parse().unwrap(),
        serial: 1841,
        bastion: "edge".parse().unwrap(),
        source: "192.0.2.7".parse().unwrap(),
        client: "SSH-2.0-OpenSSH_9.2".to_owned(),
        kind: Kind::Shell,
        command: None,
        forced: None,
        term: Some(Term {
            size: Size::recorded(cols, rows).unwrap(),
            name: "xterm".to_owned(),
        }),
        environment: Vec::new(),
        record_input: false,
        started_ms: 1_795_312_324_000,
        original: None,
    }
}

/// Steps in memory, so many in a chunk.
pub(crate) struct Steps {
    pub(crate) header: Header,
    pub(crate) all: Vec<Step>,
    pub(crate) chunk: usize,
    pub(crate) state: ReadState,
    /// The chunk that is damaged.
    pub(crate) damaged: Option<usize>,
    pub(crate) unmasked: bool,
}

impl Source for Steps {
    fn header(&self) -> &Header {
        &self.header
    }

    fn chunks(&self) -> usize {
        self.all.len().div_ceil(self.chunk)
    }

    fn start_us(&self, chunk: usize) -> u64 {
        let last = (chunk * self.chunk).checked_sub(1);
        last.map_or(0, |last| self.all[last].at_us)
    }

    fn duration_us(&self) -> u64 {
        self.all.last().map_or(0, |step| step.at_us)
    }

    fn state(&self) -> ReadState {
        self.state
    }

    fn is_unmasked(&self) -> bool {
        self.unmasked
    }

    fn steps(&self, chunk: usize) -> Result<Vec<Step>, ReadError> {
        if self.damaged == Some(chunk) {
            return Err(ReadError::Damaged("flipped".into()));
        }
        let mut chunks = self.all.chunks(self.chunk);
        Ok(chunks.nth(chunk).unwrap_or_default().to_vec())
    }
}

pub(crate) fn steps(steps: Vec<(u64, Change)>) -> Steps {
    let steps = steps.into_iter();
    Steps {
        header: header(80, 24),
        all: steps
            .map(|(at_us, change)| Step { at_us, change })
            .collect(),
        chunk: 7,
        state: ReadState::Finished,
        damaged: None,
        unmasked: false,
    }
}

pub(crate) fn tape(of: Vec<(u64, Change)>) -> Tape {
    Tape::new(Arc::new(steps(of)))
}

pub(crate) fn out(text: &str) -> Change {
    Change::Output(text.as_bytes().to_vec())
}

fn counting() -> Tape {
    let output =
        |n: u64| Change::Output(format!("\x1b[H{n:03}{}", "\r".repeat(64 << 10)).into_bytes());
    tape((0..100).map(|n| (n * 1_000_000, output(n))).collect())
}

fn settle(deck: &mut Deck) -> String {
    while deck.work() {}
    deck.screen().row(0).take(3).map(|cell| cell.char).collect()
}

#[test]
fn a_seek_shows_what_playing_would_have_shown() {
    let mut deck = Deck::new(counting(), None);
    for to in [50, 10, 99, 0, 98, 3, 64] {
        deck.seek(to * 1_000_000);
        assert_eq!(settle(&mut deck), format!("{to:03}"));
    }
    assert!(
        deck.keyframes.len() > 2,
        "a step back does not begin at the beginning"
    );
    deck.seek_by(Duration::from_secs(5), false);
    assert_eq!(settle(&mut deck), "059");
    deck.seek(u64::MAX);
    assert_eq!(settle(&mut deck), "099");
    assert!(deck.ended());
}

#[test]
fn time_runs_at_its_speed_and_waits_for_the_screen() {
    let mut deck = Deck::new(counting(), None);
    settle(&mut deck);
    deck.faster(true);
    deck.advance(Duration::from_secs(2));
    assert_eq!(deck.position_us(), 4_000_000);
    deck.advance(Duration::from_secs(2));
    assert_eq!(deck.position_us(), 4_000_000, "the screen is behind");
    settle(&mut deck);
    deck.toggle();
    deck.advance(Duration::from_secs(2));
    assert_eq!(deck.position_us(), 4_000_000, "held");
    deck.step();
    assert_eq!(settle(&mut deck), "005");
}

#[test]
fn long_waits_are_cut_and_short_ones_are_not() {
    let waits = tape(vec![
        (0, Change::Output(b"a".to_vec())),
        (3_600_000_000, Change::Output(b"b".to_vec())),
    ]);
    let mut deck = Deck::new(waits, Some(Duration::from_secs(2)));
    settle(&mut deck);
    deck.advance(Duration::from_secs(1));
    assert_eq!(deck.position_us(), 1_000_000);
    deck.advance(Duration::from_secs(1));
    assert_eq!(deck.position_us(), 3_600_000_000);
    assert_eq!(settle(&mut deck), "ab ");
}

/// A deck that knows what a survey finds.
fn surveyed(tape: Tape) -> Deck {
    let mut deck = Deck::new(tape.clone(), None);
    let mut survey = Survey::new(tape, &mut |news| deck.learn(news));
    while survey.work(&mut |news| deck.learn(news)).unwrap() {}
    deck
}

#[test]
fn marks_are_found_in_both_directions() {
    let marks = tape(vec![
        (5, Change::Marker("a".into())),
        (9, Change::Marker("alert root\x1b[2J".into())),
        (11, Change::Resize(Size::DEFAULT)),
    ]);
    let mut deck = surveyed(marks);
    deck.to_mark(true);
    assert_eq!(deck.position_us(), 5);
    deck.to_mark(true);
    assert_eq!(deck.position_us(), 9);
    deck.to_mark(false);
    assert_eq!(deck.position_us(), 5);
    let all: Vec<_> = deck
        .marks()
        .all()
        .iter()
        .map(|mark| (mark.kind, mark.text.as_str()))
        .collect();
    let expected = [
        (marks::Kind::Marker, "a"),
        (marks::Kind::Alert, "root\u{fffd}[2J"),
        (marks::Kind::Resize, "80×24"),
    ];
    assert_eq!(all, expected);
}

#[test]
fn a_step_back_shows_what_stood_before_the_last_change() {
    let mut changes: Vec<_> = (0..30)
        .map(|n| (n * 1_000_000, out(&format!("\x1b[H{n:03}"))))
        .collect();
    changes.insert(21, (20_500_000, Change::Input(b"x".to_vec())));
    let mut deck = Deck::new(tape(changes), None);
    deck.seek(22_700_000);
    assert_eq!(settle(&mut deck), "022");
    for expected in ["021", "020", "019"] {
        deck.step_back();
        assert_eq!(settle(&mut deck), expected);
    }
    assert!(!deck.playing());
    deck.step();
    assert_eq!(settle(&mut deck), "020");
    deck.seek(0);
    settle(&mut deck);
    deck.step_back();
    assert_eq!(deck.position_us(), 0);
    deck.seek(u64::MAX);
    settle(&mut deck);
    deck.step();
    assert_eq!(settle(&mut deck), "029");
}

#[test]
fn a_seek_far_ahead_shows_what_a_survey_has_seen_there() {
    let mut deck = surveyed(counting());
    assert!(deck.keyframes.len() > 5);
    deck.seek(90_000_000);
    let mut pieces = 0;
    while deck.work() {
        pieces += 1;
    }
    assert!(pieces * PIECE < 1 << 20, "{pieces} pieces");
    assert_eq!(settle(&mut deck), "090");
}

#[test]
fn a_recording_that_grows_is_followed_at_its_end_and_nowhere_else() {
    let first = vec![(0, out("a")), (1_000_000, out("b"))];
    let mut more = first.clone();
    more.extend((2..20).map(|n| (n * 1_000_000, out("c"))));
    let open = |of| {
        let state = ReadState::Unfinished;
        Tape::new(Arc::new(Steps { state, ..steps(of) }))
    };
    let mut deck = Deck::new(open(first), None);
    deck.seek(u64::MAX);
    settle(&mut deck);
    deck.advance(Duration::from_secs(5));
    assert!(deck.playing() && deck.ended(), "it waits for more");
    deck.learn(News::Grown(open(more.clone())));
    assert_eq!(deck.position_us(), 19_000_000);
    settle(&mut deck);
    assert_eq!(
        deck.screen().row(0).filter(|cell| cell.char == 'c').count(),
        18
    );

    deck.seek(500_000);
    more.push((30_000_000, out("d")));
    deck.learn(News::Grown(open(more)));
    assert_eq!(deck.position_us(), 500_000);
    assert_eq!(settle(&mut deck), "a  ");
}

#[test]
fn what_was_typed_is_known_wherever_one_goes() {
    let typed = |at: u64, text: &str| (at * 1_000_000, Change::Input(text.as_bytes().to_vec()));
    let mut deck = Deck::new(
        tape(vec![typed(1, "ls"), (2_000_000, out("x")), typed(3, "\r")]),
        None,
    );
    deck.seek(u64::MAX);
    settle(&mut deck);
    assert_eq!(deck.typed().spelled(), "ls⏎\n");
    deck.seek(2_000_000);
    settle(&mut deck);
    assert_eq!(deck.typed().spelled(), "ls");
}

/// Twenty seconds, of which those from the fourteenth on are damaged.
pub(crate) fn damaged() -> Tape {
    let all = (0..20).map(|n| (n * 1_000_000, out("x"))).collect();
    Tape::new(Arc::new(Steps {
        damaged: Some(2),
        ..steps(all)
    }))
}

#[test]
fn what_is_damaged_is_found_before_it_is_reached_and_is_the_end() {
    let tape = damaged();
    let mut deck = Deck::new(tape.clone(), None);
    assert_eq!(deck.damaged_us(), None);
    let mut survey = Survey::new(tape, &mut |news| deck.learn(news));
    while survey.work(&mut |news| deck.learn(news)).unwrap() {}
    assert_eq!(deck.damaged_us(), Some(13_000_000));
    deck.seek(u64::MAX);
    settle(&mut deck);
    assert_eq!(deck.position_us(), 13_000_000);
    deck.advance(Duration::from_secs(9));
    assert!(deck.ended() && !deck.playing());
}

#[test]
fn a_step_does_not_go_over_what_is_damaged() {
    let mut all: Vec<_> = (0..20).map(|n| (n * 1_000_000, out("x"))).collect();
    // Nothing of the end of the first chunk is seen, so that a step looks into the next one.
    all[6].1 = Change::Input(b"x".to_vec());
    let tape = Tape::new(Arc::new(Steps {
        damaged: Some(1),
        ..steps(all)
    }));
    for to in [5_000_000, 6_000_000] {
        let mut deck = Deck::new(tape.clone(), None);
        deck.seek(to);
        settle(&mut deck);
        deck.step();
        settle(&mut deck);
        let stands = (deck.position_us(), deck.damaged_us());
        assert_eq!(stands, (6_000_000, Some(6_000_000)), "from {to}");
    }
}

#[test]
fn one_that_is_cut_off_is_damaged_and_does_not_grow() {
    let open = |state, comes| {
        let all = vec![(0, out("a")), (5_000_000, out("b"))];
        let tape = Tape::new(Arc::new(Steps {
            state,
            ..steps(all)
        }))
        .coming(comes);
        (tape.grows(), Deck::new(tape, None).damaged_us())
    };
    assert_eq!(open(ReadState::Damaged, false), (false, Some(5_000_000)));
    assert_eq!(open(ReadState::Damaged, true), (true, None));
    assert_eq!(open(ReadState::Unfinished, false), (true, None));
    assert_eq!(open(ReadState::Finished, false), (false, None));
}
