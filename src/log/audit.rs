//! Whether a log bears out what was issued: a stranger's judgement of each grant, by the log alone.
//!
//! A signature of the log's key says that the CA wrote an entry, not that it was right to. So the approvals' own
//! signatures are counted again, by the code that the CA's signer asks last: whoever steals the log's key can write any
//! entry, and still has no approver's key.

use ca::{Auditor, Judged, Unbelievable};
use record::entry::Line;

/// Judges the entries of a log in their order, until the first that is not borne out.
#[derive(Default)]
pub(crate) struct Audit {
    auditor: Auditor,
    bad: Option<(u64, Unbelievable)>,
}

impl Audit {
    /// Takes the next entry.
    pub(crate) fn take(&mut self, index: u64, line: &Line) {
        if self.bad.is_some() {
            return;
        }
        let judged = self.auditor.take(line.clone());
        self.bad = judged.err().map(|why| (index, why));
    }

    /// How much was judged; or which entry is not borne out, and why.
    pub(crate) fn close(self) -> Result<Judged, String> {
        match self.bad {
            None => Ok(self.auditor.judged()),
            Some((index, why)) => Err(format!(
                "ALARM: entry {index} is not borne out by those before it: {why}: keep the log, and find out who wrote that"
            )),
        }
    }
}

/// In words, to stand behind what else is said of a log.
pub(crate) fn told(judged: Judged) -> String {
    let grants = match judged.grants {
        0 => String::new(),
        1 => ", 1 grant borne out by its approvals".to_owned(),
        count => format!(", {count} grants borne out by their approvals"),
    };
    match judged.passed {
        0 => grants,
        count => format!("{grants}, {count} too old to judge"),
    }
}
