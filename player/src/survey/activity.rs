//! When how much happened, and what is marked.

use record::recording::{End, Exit};

use crate::marks::{Kind, Mark};
use crate::tape::{Change, Step};

/// Most spans of time that are told apart: four for each column of a wide window.
const MOST: usize = 2048;

/// The length of a span to begin with, in microseconds.
const SHORTEST: u64 = 100_000;

/// How many bytes were shown and typed in each span of time. The spans get longer as the recording does.
#[derive(Debug, Clone)]
pub struct Activity {
    span_us: u64,
    bytes: Vec<u64>,
}

impl Default for Activity {
    fn default() -> Self {
        Self {
            span_us: SHORTEST,
            bytes: Vec::new(),
        }
    }
}

impl Activity {
    /// Counts a step, and says what is worth a look about it.
    pub fn saw(&mut self, step: &Step) -> Option<Mark> {
        let bytes = match &step.change {
            Change::Output(bytes) | Change::Input(bytes) => bytes.len(),
            Change::File(line) | Change::Forward(line) => line.len(),
            _ => 0,
        };
        if bytes > 0 {
            self.count(step.at_us, bytes as u64);
        }
        let (kind, text) = match &step.change {
            Change::Output(_) | Change::Input(_) => return None,
            Change::Resize(size) => (Kind::Resize, format!("{}×{}", size.cols(), size.rows())),
            Change::File(line) => (Kind::File, line.clone()),
            Change::Forward(line) => (Kind::Forward, line.clone()),
            Change::Marker(label) => match label.strip_prefix("alert ") {
                Some(name) => (Kind::Alert, name.to_owned()),
                None => (Kind::Marker, label.clone()),
            },
            Change::Exit(status) => (Kind::Exit, format!("exit status {status}")),
            Change::End(end) => (Kind::Exit, ended(end)),
        };
        Some(Mark::new(step.at_us, kind, &text))
    }

    fn count(&mut self, at_us: u64, bytes: u64) {
        while at_us / self.span_us >= MOST as u64 {
            let pairs = self.bytes.chunks(2).map(|pair| pair.iter().sum());
            self.bytes = pairs.collect();
            self.span_us = self.span_us.saturating_mul(2);
        }
        let span = usize::try_from(at_us / self.span_us).unwrap_or(MOST - 1);
        if self.bytes.len() <= span {
            self.bytes.resize(span + 1, 0);
        }
        if let Some(sum) = self.bytes.get_mut(span) {
            *sum = sum.saturating_add(bytes);
        }
    }

    /// How much happened in each of so many columns over this time: 0 for nothing, then by powers of two of the bytes in a
    /// second, because a listing is a thousand times as much as typing.
    pub fn columns(&self, duration_us: u64, columns: u16) -> Vec<u64> {
        let whole = duration_us.max(1);
        let mut sums = vec![0_u64; columns.into()];
        for (span, bytes) in self.bytes.iter().enumerate() {
            let at_us = (span as u64).saturating_mul(self.span_us);
            if let Some(sum) = sums.get_mut(column(at_us, whole, columns)) {
                *sum = sum.saturating_add(*bytes);
            }
        }
        let ms = (whole / 1000 / u64::from(columns.max(1))).max(1);
        let level = |sum: u64| {
            let rate = sum.saturating_mul(1000) / ms;
            if sum == 0 {
                0
            } else {
                1 + u64::from(rate.max(1).ilog2())
            }
        };
        sums.into_iter().map(level).collect()
    }
}

/// The column of a time on a line of so many columns.
pub fn column(at_us: u64, duration_us: u64, columns: u16) -> usize {
    let last = u64::from(columns.saturating_sub(1));
    let of = u128::from(at_us) * u128::from(columns) / u128::from(duration_us.max(1));
    usize::try_from(of.min(u128::from(last))).unwrap_or_default()
}

/// How a session ended, in words.
pub(crate) fn ended(end: &End) -> String {
    let exit = match &end.exit {
        None => String::new(),
        Some(Exit::Status(status)) => format!(", exit status {status}"),
        Some(Exit::Signal(signal)) => format!(", signal {signal}"),
    };
    format!("the session ended: {}{exit}", end.reason.as_str())
}
