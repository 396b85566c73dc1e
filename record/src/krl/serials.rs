//! Sets of serials, and the smallest way to write one: lists, ranges and bitmaps next to each other.
//!
//! Which of the three a run of serials goes into is the cheapest path through the runs in order, counted in
//! bytes, and found in one pass; only the byte that a bitmap rounds up to may be one too many.

use std::ops::RangeInclusive;

/// Most bits of one bitmap: OpenSSH reads it as an `mpint`, and none longer (`SSHBUF_MAX_BIGNUM`, 16384 bits).
/// `ssh-keygen -k` of 9.2 writes longer ones, and then cannot read what it wrote.
const BITMAP_BITS: u64 = 16384;

/// Bytes of a subsection before it holds anything: its type and its length.
const HEAD: u64 = 5;

/// A set of serials, as ranges in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Serials(Vec<RangeInclusive<u64>>);

/// Serials without a gap, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    first: u64,
    last: u64,
}

/// A kind of subsection; its number in the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    List = 0x20,
    Range = 0x21,
    Bitmap = 0x22,
}

/// The cheapest way to have written all runs so far, with the last one in a subsection of one kind.
#[derive(Debug, Clone, Copy)]
struct Path {
    bytes: u64,
    /// How many of them stand before the last subsection.
    base: u64,
    /// The serial that the last subsection begins with.
    first: u64,
    step: Step,
}

/// How a run was written.
#[derive(Debug, Clone, Copy)]
struct Step {
    kind: Kind,
    /// In a subsection of its own, or with the run before.
    opens: bool,
    /// What kind the run before is in.
    before: Kind,
}

const KINDS: [Kind; 3] = [Kind::List, Kind::Range, Kind::Bitmap];

impl Serials {
    /// Adds ranges that do not run backwards.
    pub(super) fn add(&mut self, ranges: Vec<RangeInclusive<u64>>) {
        self.0.extend(ranges);
    }

    /// The subsections in order: their numbers, and what they hold.
    pub(super) fn sections(&self) -> Vec<(u8, Vec<u8>)> {
        let runs = self.runs();
        groups(&runs)
            .into_iter()
            .map(|(kind, runs)| (kind as u8, kind.body(&runs)))
            .collect()
    }

    /// The same set, in order and without overlaps.
    fn runs(&self) -> Vec<Run> {
        let mut ranges = self.0.clone();
        ranges.sort_unstable_by_key(|range| *range.start());
        let mut runs: Vec<Run> = Vec::new();
        for range in ranges {
            let (first, last) = range.into_inner();
            match runs.last_mut() {
                Some(run) if first <= run.last.saturating_add(1) => run.last = run.last.max(last),
                _ => runs.push(Run { first, last }),
            }
        }
        runs
    }
}

/// Divides the runs into subsections.
fn groups(runs: &[Run]) -> Vec<(Kind, Vec<Run>)> {
    let mut groups: Vec<(Kind, Vec<Run>)> = Vec::new();
    for (run, step) in runs.iter().zip(steps(runs)) {
        match groups.last_mut() {
            Some((_, group)) if !step.opens => group.push(*run),
            _ => groups.push((step.kind, vec![*run])),
        }
    }
    groups
}

/// The cheapest way to write each run.
fn steps(runs: &[Run]) -> Vec<Step> {
    let mut columns: Vec<[Path; 3]> = Vec::with_capacity(runs.len());
    for run in runs {
        columns.push(KINDS.map(|kind| kind.cheapest(*run, columns.last())));
    }
    let last = columns.last().into_iter().flatten();
    let mut at = last
        .min_by_key(|path| path.bytes)
        .map(|path| path.step.kind);
    let mut steps = Vec::with_capacity(runs.len());
    for column in columns.iter().rev() {
        if let Some(path) = column.iter().find(|path| Some(path.step.kind) == at) {
            steps.push(path.step);
            at = Some(path.step.before);
        }
    }
    steps.reverse();
    steps
}

impl Run {
    /// How many serials it has. Serial 0 is in none, so that this fits.
    const fn length(self) -> u64 {
        self.last - self.first + 1
    }
}

impl Kind {
    /// The cheapest path to here with this run in a subsection of this kind.
    fn cheapest(self, run: Run, before: Option<&[Path; 3]>) -> Path {
        let opened = |path: Option<&Path>| {
            let base = path.map_or(0, |path| path.bytes);
            Path {
                bytes: base.saturating_add(self.alone(run)),
                base,
                first: run.first,
                step: Step {
                    kind: self,
                    opens: true,
                    before: path.map_or(self, |path| path.step.kind),
                },
            }
        };
        let Some(paths) = before else {
            return opened(None);
        };
        let anew = opened(paths.iter().min_by_key(|path| path.bytes));
        let same = paths.iter().find(|path| path.step.kind == self);
        match same.and_then(|path| self.goes_on(path, run)) {
            Some(on) if on.bytes <= anew.bytes => on,
            _ => anew,
        }
    }

    /// What a run costs in a subsection of its own.
    const fn alone(self, run: Run) -> u64 {
        match self {
            Self::List => HEAD.saturating_add(run.length().saturating_mul(8)),
            Self::Range => HEAD + 16,
            Self::Bitmap if run.length() > BITMAP_BITS => u64::MAX,
            Self::Bitmap => HEAD + 8 + 4 + mpint_bytes(run),
        }
    }

    /// The path goes on in its subsection, if the run still fits there.
    fn goes_on(self, path: &Path, run: Run) -> Option<Path> {
        let whole = Run {
            first: path.first,
            last: run.last,
        };
        let bytes = match self {
            Self::List => path.bytes.saturating_add(run.length().saturating_mul(8)),
            Self::Bitmap if whole.length() <= BITMAP_BITS => {
                path.base.saturating_add(self.alone(whole))
            }
            Self::Range | Self::Bitmap => return None,
        };
        let step = Step {
            kind: self,
            opens: false,
            before: self,
        };
        Some(Path {
            bytes,
            step,
            ..*path
        })
    }

    /// What a subsection with these runs holds.
    fn body(self, runs: &[Run]) -> Vec<u8> {
        let serials = || runs.iter().flat_map(|run| run.first..=run.last);
        match self {
            Self::List => serials().flat_map(u64::to_be_bytes).collect(),
            Self::Range => runs
                .iter()
                .flat_map(|run| [run.first, run.last])
                .flat_map(u64::to_be_bytes)
                .collect(),
            Self::Bitmap => bitmap(runs),
        }
    }
}

/// The first serial, and an `mpint` (RFC 4251 §5) whose bit *n* is that serial plus *n*.
fn bitmap(runs: &[Run]) -> Vec<u8> {
    let (Some(first), Some(last)) = (runs.first(), runs.last()) else {
        return Vec::new();
    };
    let whole = Run {
        first: first.first,
        last: last.last,
    };
    let bytes = usize::try_from(mpint_bytes(whole)).unwrap_or(usize::MAX);
    // The lowest byte first, until it is written.
    let mut bits = vec![0_u8; bytes];
    for bit in runs
        .iter()
        .flat_map(|run| run.first - first.first..=run.last - first.first)
    {
        let byte = usize::try_from(bit / 8)
            .ok()
            .and_then(|at| bits.get_mut(at));
        if let Some(byte) = byte {
            *byte |= 1 << (bit % 8);
        }
    }
    let mut body = first.first.to_be_bytes().to_vec();
    body.extend(u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes());
    body.extend(bits.iter().rev());
    body
}

/// Bytes of an `mpint` with a bit for each serial from the first to the last: its highest bit stays clear, or
/// the number would be negative.
const fn mpint_bytes(whole: Run) -> u64 {
    whole.length() / 8 + 1
}
