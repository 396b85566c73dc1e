//! A question to somebody outside, and the bytes that came back.

use std::io;
use std::time::Duration;

use config::duration;
use config::outside::{Feed, Means};
use config::words::shown;

use super::{http, program};

/// What is asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Question {
    /// Standard input of a program, or the body of a POST.
    pub(crate) body: Vec<u8>,
    /// The kind of the body, as `Content-Type` says it.
    pub(crate) kind: &'static str,
    /// Facts beside it: `("Digest", …)` is the header `Hallpass-Digest`, and to a program the environment variable
    /// `HALLPASS_DIGEST`.
    pub(crate) facts: Vec<(&'static str, String)>,
}

/// Why there is no answer. It counts as silence, whatever it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unheard {
    /// The program cannot be started.
    #[error("it cannot be started: {0}")]
    Start(io::Error),
    /// Pipes or sockets failed.
    #[error("it cannot be reached: {0}")]
    Reach(io::Error),
    /// It took too long, and was ended or left.
    #[error("no answer within {}", duration::show(*.0))]
    Late(Duration),
    /// It said more than anybody reads.
    #[error("its answer is longer than {0} bytes")]
    Long(usize),
    /// The program did not end well.
    #[error("it ended with {status}{}", said(.words))]
    Failed {
        /// Its exit status or signal.
        status: std::process::ExitStatus,
        /// The beginning of its standard error.
        words: String,
    },
    /// The service does not speak TLS as it must: its certificate does not verify, or it cannot be asked for.
    #[error("https: {0}")]
    Tls(String),
    /// The service does not speak HTTP.
    #[error("http: {0}")]
    Http(String),
    /// The service answered something else than 200.
    #[error("it answered with HTTP status {0}")]
    Status(u16),
    /// The secret cannot be read.
    #[error("{0}")]
    Secret(#[from] super::mac::SecretError),
    /// The answer is not what it must be.
    #[error("its answer is not understood: {0}")]
    Garbage(String),
}

fn said(words: &str) -> String {
    if words.is_empty() {
        return String::new();
    }
    format!(", saying {}", shown(words))
}

/// Asks, and waits for at most `limit`; an answer of more than `most` bytes is none.
pub(crate) async fn put(
    means: &Means,
    question: &Question,
    limit: Duration,
    most: usize,
) -> Result<Vec<u8>, Unheard> {
    let asked = async {
        match means {
            Means::Command(words) => program::run(words, question, most).await,
            Means::Post { url, roots } => http::post(url, roots.as_deref(), question, most).await,
        }
    };
    let heard = tokio::time::timeout(limit, asked).await;
    heard.unwrap_or(Err(Unheard::Late(limit)))
}

/// Runs a program that is asked nothing.
pub(crate) async fn feed(feed: &Feed) -> Result<Vec<u8>, Unheard> {
    let most = config::limits::FEED_ANSWER_BYTES;
    let nothing = Question::default();
    let run = program::run(&feed.command, &nothing, most);
    let heard = tokio::time::timeout(feed.timeout, run).await;
    heard.unwrap_or(Err(Unheard::Late(feed.timeout)))
}
