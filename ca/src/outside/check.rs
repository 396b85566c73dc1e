//! The question to an automated check, and its verdict.
//!
//! The question is the request's canonical text, on standard input or as the body of a POST, and beside it, as headers
//! (`Hallpass-Check`) or environment variables (`HALLPASS_CHECK`):
//!
//! | name | value |
//! |---|---|
//! | `Check` | the check's name in the configuration |
//! | `Time` | when it is asked, in seconds since 1970 |
//! | `Digest` | the digest of the text, `sha256:` and 64 hexadecimal digits |
//! | `Mac` | HMAC-SHA256 by the shared secret, in hexadecimal digits, over the lines `hallpass-check-v1`, name and time, each with a line feed, and then the text |
//!
//! The answer is `{"version":1,"verdict":"approve","reason":"…","mac":"…"}`; the verdict may be `deny` or `abstain`
//! too. Its `mac` is over `hallpass-answer-v1`, name, time, digest and verdict, each with a line feed, and then the
//! reason: so nobody in between can make a verdict, turn one round, or give one to another request or another time.

use config::outside::Check;
use config::words::CheckName;
use record::clock::UnixTime;
use record::digest::Digest;
use record::entry::Verdict;
use record::text::Reason;
use serde::Deserialize;

use super::{Question, Secret, Unheard, put};

/// What a check said of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// Yes, no, or neither.
    pub(crate) verdict: Verdict,
    /// Why.
    pub(crate) reason: Reason,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    version: u32,
    verdict: Verdict,
    reason: String,
    mac: String,
}

/// Asks a check about a request, by its canonical text.
pub(crate) async fn ask(
    name: &CheckName,
    check: &Check,
    text: &str,
    now: UnixTime,
) -> Result<Said, Unheard> {
    let secret = Secret::read(&check.secret)?;
    let question = question(name, &secret, text, now);
    let most = config::limits::CHECK_ANSWER_BYTES;
    let answer = put(&check.means, &question, check.deadline, most).await?;
    read(name, &secret, text, now, &answer)
}

/// The question, signed.
fn question(name: &CheckName, secret: &Secret, text: &str, now: UnixTime) -> Question {
    let head = format!("hallpass-check-v1\n{name}\n{}\n", now.secs());
    Question {
        body: text.as_bytes().to_vec(),
        kind: "text/plain; charset=utf-8",
        facts: vec![
            ("Check", name.to_string()),
            ("Time", now.secs().to_string()),
            ("Digest", Digest::of(text.as_bytes()).to_string()),
            ("Mac", secret.sign(&[head.as_bytes(), text.as_bytes()])),
        ],
    }
}

/// The verdict of an answer, if it is the answer to this very question.
fn read(
    name: &CheckName,
    secret: &Secret,
    text: &str,
    now: UnixTime,
    answer: &[u8],
) -> Result<Said, Unheard> {
    let garbage = |words: String| Unheard::Garbage(words);
    let answer: Answer = serde_json::from_slice(answer).map_err(|e| garbage(e.to_string()))?;
    super::groups::version(answer.version)?;
    let digest = Digest::of(text.as_bytes());
    let (time, verdict) = (now.secs(), answer.verdict);
    let head = format!("hallpass-answer-v1\n{name}\n{time}\n{digest}\n{verdict}\n");
    if !secret.agrees(&[head.as_bytes(), answer.reason.as_bytes()], &answer.mac) {
        let words = "its mac is not that of this answer to this question";
        return Err(garbage(words.to_owned()));
    }
    let reason = answer.reason.parse();
    let reason = reason.map_err(|e: record::text::TextError| garbage(e.to_string()))?;
    Ok(Said { verdict, reason })
}

#[cfg(test)]
mod tests;
