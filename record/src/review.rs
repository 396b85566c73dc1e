//! A review of what somebody did with break-glass, as the canonical text that the reviewer signs.
//!
//! ```text
//! hallpass-review-v1
//! request: 7F3K-9QMD
//! digest: sha256:…
//! reviewer: bob
//! verdict: accept
//! remark: the disk was full, the log was cut, nothing else was touched
//! sessions: 1
//! session: 01JD… sha256:… 12
//! ```
//!
//! The lines stand in this order, each once but `session`, each ended by one line feed. Each session has the root of
//! its recording and the number of frames under it, or ` -` if its end was never told. Past
//! [`limits::REVIEW_SESSIONS`] sessions the lines of all further ones stand as one digest, behind `further: `. There is
//! one text for one review: [`Review::parse`] refuses everything that [`Review::text`] would not write.

use std::fmt;
use std::str::FromStr;

use config::limits;
use config::words::{PersonName, RequestId, SessionId};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::text::Remark;

/// The namespace of a review's SSHSIG (`ssh-keygen -Y sign -n`).
pub const REVIEW_NAMESPACE: &str = "review@hallpass";

const VERSION: &str = "hallpass-review-v1";

/// What a reviewer says of one grant, and what it was that they looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// The request.
    pub request: RequestId,
    /// The digest of the request's canonical text.
    pub digest: Digest,
    /// Who reviews.
    pub reviewer: PersonName,
    /// What they say of it.
    pub verdict: Verdict,
    /// And why.
    pub remark: Remark,
    /// How many sessions there were.
    pub sessions: u64,
    /// The sessions, at most [`limits::REVIEW_SESSIONS`] of them.
    pub seen: Vec<Seen>,
    /// The digest of the lines of all further ones.
    pub further: Option<Digest>,
}

/// One session, as the log knows it at the time of the review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The session.
    pub session: SessionId,
    /// The root of its recording and the frames under it; none if no bastion has told its end.
    pub recording: Option<(Digest, u64)>,
}

/// What a reviewer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It was right to do.
    Accept,
    /// It was not.
    Reject,
}

/// Why a text is not a review.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAReview {
    /// The text begins with another version than this program knows.
    #[error("not a review of version 1")]
    Version,
    /// A line is missing, misplaced or wrong.
    #[error("line {0} of the review is missing or wrong")]
    Line(&'static str),
    /// The text reads like a review but is not spelled as one.
    #[error("the review is not in its canonical form")]
    Spelling,
}

impl Review {
    /// A review of these sessions, all of them, in the order in which they began.
    pub fn of(
        (request, digest): (RequestId, Digest),
        reviewer: PersonName,
        (verdict, remark): (Verdict, Remark),
        mut sessions: Vec<Seen>,
    ) -> Self {
        let count = sessions.len() as u64;
        let most = sessions.len().min(limits::REVIEW_SESSIONS);
        let rest = sessions.split_off(most);
        let lines = lines(&rest);
        Self {
            request,
            digest,
            reviewer,
            verdict,
            remark,
            sessions: count,
            seen: sessions,
            further: (!rest.is_empty()).then(|| Digest::of(lines.as_bytes())),
        }
    }

    /// The canonical text: what the reviewer signs.
    pub fn text(&self) -> String {
        let sessions = lines(&self.seen);
        let further = self.further.map(|digest| format!("further: {digest}\n"));
        format!(
            "{VERSION}\nrequest: {}\ndigest: {}\nreviewer: {}\nverdict: {}\nremark: {}\nsessions: {}\n{sessions}{}",
            self.request,
            self.digest,
            self.reviewer,
            self.verdict,
            self.remark,
            self.sessions,
            further.unwrap_or_default(),
        )
    }

    /// Reads a canonical text.
    pub fn parse(text: &str) -> Result<Self, NotAReview> {
        let mut lines = text.split('\n');
        if lines.next() != Some(VERSION) {
            return Err(NotAReview::Version);
        }
        let mut review = Self {
            request: field(&mut lines, "request")?,
            digest: field(&mut lines, "digest")?,
            reviewer: field(&mut lines, "reviewer")?,
            verdict: field(&mut lines, "verdict")?,
            remark: field(&mut lines, "remark")?,
            sessions: field(&mut lines, "sessions")?,
            seen: Vec::new(),
            further: None,
        };
        let most = limits::REVIEW_SESSIONS as u64;
        for _ in 0..review.sessions.min(most) {
            review.seen.push(field(&mut lines, "session")?);
        }
        if review.sessions > most {
            review.further = Some(field(&mut lines, "further")?);
        }
        if review.text() == text {
            Ok(review)
        } else {
            Err(NotAReview::Spelling)
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.recording {
            Some((root, frames)) => write!(f, "session: {} {root} {frames}", self.session),
            None => write!(f, "session: {} -", self.session),
        }
    }
}

/// What stands behind `session: `.
impl FromStr for Seen {
    type Err = NotAReview;

    fn from_str(text: &str) -> Result<Self, NotAReview> {
        let wrong = || NotAReview::Line("session");
        let (session, recording) = text.split_once(' ').ok_or_else(wrong)?;
        let recording = match recording.split_once(' ') {
            None if recording == "-" => None,
            Some((root, frames)) => Some((
                root.parse().map_err(|_| wrong())?,
                frames.parse().map_err(|_| wrong())?,
            )),
            None => return Err(wrong()),
        };
        let session = session.parse().map_err(|_| wrong())?;
        Ok(Self { session, recording })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
        })
    }
}

impl FromStr for Verdict {
    type Err = NotAReview;

    fn from_str(text: &str) -> Result<Self, NotAReview> {
        match text {
            "accept" => Ok(Self::Accept),
            "reject" => Ok(Self::Reject),
            _ => Err(NotAReview::Line("verdict")),
        }
    }
}

fn lines(sessions: &[Seen]) -> String {
    sessions
        .iter()
        .flat_map(|seen| [seen.to_string(), "\n".to_owned()])
        .collect()
}

fn field<'a, T: FromStr>(
    lines: &mut impl Iterator<Item = &'a str>,
    name: &'static str,
) -> Result<T, NotAReview> {
    let value = lines
        .next()
        .and_then(|line| line.strip_prefix(name))
        .and_then(|rest| rest.strip_prefix(": "));
    let value = value.ok_or(NotAReview::Line(name))?;
    value.parse().map_err(|_| NotAReview::Line(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(n: usize) -> Seen {
        Seen {
            session: SessionId::from_parts(1_795_312_324_000, [u8::try_from(n % 251).unwrap(); 10]),
            recording: (!n.is_multiple_of(3)).then(|| (Digest::of(&[1]), n as u64)),
        }
    }

    fn review(count: usize) -> Review {
        Review::of(
            ("7F3K-9QMD".parse().unwrap(), Digest::of(b"request")),
            "bob".parse().unwrap(),
            (
                Verdict::Accept,
                "looks right: nothing else".parse().unwrap(),
            ),
            (0..count).map(seen).collect(),
        )
    }

    #[test]
    fn a_review_reads_back_as_it_was_written() {
        for count in [
            0,
            1,
            7,
            limits::REVIEW_SESSIONS,
            limits::REVIEW_SESSIONS + 1,
        ] {
            let written = review(count);
            assert_eq!(written.further.is_some(), count > limits::REVIEW_SESSIONS);
            assert_eq!(Review::parse(&written.text()), Ok(written), "{count}");
        }
        let longest = review(limits::REVIEW_SESSIONS + 1).text().len();
        let most = crate::log::LINE_BYTES - 2 * limits::SSHSIG_BYTES;
        assert!(longest < most, "{longest} bytes, and a signature beside it");
    }

    #[test]
    fn every_session_past_the_limit_is_covered_too() {
        let one = review(limits::REVIEW_SESSIONS + 2);
        let mut sessions: Vec<_> = (0..limits::REVIEW_SESSIONS + 2).map(seen).collect();
        sessions.last_mut().unwrap().recording = None;
        let other = Review::of(
            (one.request.clone(), one.digest),
            one.reviewer.clone(),
            (one.verdict, one.remark.clone()),
            sessions,
        );
        assert_ne!(one.text(), other.text());
    }

    #[test]
    fn every_changed_byte_is_another_review_or_none() {
        let original = review(2);
        let text = original.text().into_bytes();
        for at in 0..text.len() {
            for flip in [1, 0x20, 0x80] {
                let mut changed = text.clone();
                changed[at] ^= flip;
                let read = String::from_utf8(changed);
                let read = read.ok().and_then(|text| Review::parse(&text).ok());
                assert_ne!(read, Some(original.clone()), "byte {at}");
            }
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        let text = review(1).text();
        assert_eq!(Review::parse(""), Err(NotAReview::Version));
        assert_eq!(
            Review::parse(&text.replace("accept", "Accept")),
            Err(NotAReview::Line("verdict"))
        );
        assert_eq!(
            Review::parse(&format!("{text}more: x\n")),
            Err(NotAReview::Spelling)
        );
        assert_eq!(
            Review::parse(&text.replace("sessions: 1", "sessions: 01")),
            Err(NotAReview::Spelling)
        );
    }
}
