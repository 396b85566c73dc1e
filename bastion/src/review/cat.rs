//! A recording's lines, such that no terminal acts on them; or its stored bytes, for files.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use bytes::Bytes;
use config::words::SessionId;
use record::age::Identities;
use record::recording::{ReadError, Reader};

use super::desk::Out;

/// Most bytes that are given to the reviewer at once.
const PIECE_BYTES: usize = 64 << 10;

/// A recording that is read piece by piece. Each piece is read on a thread of its own, and none waits for the reviewer: the
/// threads are the recorder's too.
pub(super) struct Cat {
    session: SessionId,
    reading: Reading,
}

enum Reading {
    Lines { reader: Box<Reader>, chunk: usize },
    Stored(File),
}

impl Cat {
    /// Opens a recording, for its lines or its stored bytes. The error is for the reviewer.
    pub(super) async fn open(
        dir: &Path,
        session: &SessionId,
        stored: bool,
    ) -> Result<Self, String> {
        let (dir, session) = (dir.to_owned(), session.clone());
        on_a_thread(move || {
            let reading = if stored {
                let file = File::open(dir.join(format!("{session}.cast.zst")));
                Reading::Stored(file.map_err(|e| said(&session, &ReadError::Io(e)))?)
            } else {
                let reader = Reader::open_in(&dir, &session, &Identities::default());
                let reader = Box::new(reader.map_err(|e| said(&session, &e))?);
                Reading::Lines { reader, chunk: 0 }
            };
            Ok(Self { session, reading })
        })
        .await
    }

    /// The next piece and what is left; none at the end.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, String> {
        on_a_thread(move || {
            let piece = self.reading.next().map_err(|e| said(&self.session, &e))?;
            Ok(piece.map(|piece| (piece, self)))
        })
        .await
    }
}

impl Reading {
    fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        match self {
            Self::Lines { reader, chunk } => {
                if *chunk >= reader.chunks() {
                    return Ok(None);
                }
                let lines = reader.lines(*chunk)?;
                *chunk += 1;
                let mut piece = String::new();
                ascii(&String::from_utf8_lossy(&lines), &mut piece);
                Ok(Some(Bytes::from(piece)))
            }
            Self::Stored(file) => {
                let mut piece = Vec::new();
                let mut part = file.take(PIECE_BYTES as u64);
                part.read_to_end(&mut piece).map_err(ReadError::Io)?;
                Ok((!piece.is_empty()).then(|| Bytes::from(piece)))
            }
        }
    }
}

/// Shows it.
pub(super) async fn show(out: Out, mut cat: Cat) -> Result<(), String> {
    while let Some((mut piece, left)) = cat.next().await? {
        cat = left;
        while !piece.is_empty() {
            let mut part = piece.split_to(piece.len().min(PIECE_BYTES));
            if out.pty() {
                let text = String::from_utf8_lossy(&part).replace('\n', "\r\n");
                part = Bytes::from(text);
            }
            if !out.give(part).await {
                return Ok(());
            }
        }
    }
    Ok(())
}

async fn on_a_thread<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(act).await;
    done.unwrap_or_else(|_| Err("a part of the bastion failed".to_owned()))
}

fn said(session: &SessionId, e: &ReadError) -> String {
    match e {
        ReadError::Locked(_) => format!(
            "recording {session} is sealed, and this bastion cannot read it: take its bytes with `cat --stored {session} > {session}.cast.zst`, and open them with a recipient's key"
        ),
        ReadError::Io(e) if e.kind() == std::io::ErrorKind::NotFound => {
            format!("the recording of session {session} is not here")
        }
        ReadError::Changed => format!("recording {session} has gone on: try again"),
        other => format!("recording {session}: {other}"),
    }
}

/// A line of JSON in ASCII: what is beyond it stands as an escape (RFC 8259 §7), and so does DEL. Control characters
/// below it are escaped in any JSON.
fn ascii(line: &str, text: &mut String) {
    use std::fmt::Write as _;

    for c in line.chars() {
        if c == '\n' || (' '..='~').contains(&c) {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // A string takes whatever it is given.
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_36_lines_are_ascii_and_say_the_same() {
        let whole = "a\u{9b}31m\u{7f}zürich 😀\u{202e}\\u001b[2J";
        let line = format!("[0.1, \"o\", {}]\n", serde_json::json!(whole));
        let mut shown = String::new();
        ascii(&line, &mut shown);
        assert!(
            shown
                .bytes()
                .all(|b| b == b'\n' || (b' '..=b'~').contains(&b)),
            "{shown}"
        );
        let before: serde_json::Value = serde_json::from_str(&line).unwrap();
        let after: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(before, after);
    }

    #[test]
    fn a_reviewer_who_does_not_read_holds_no_thread() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .max_blocking_threads(1)
            .build()
            .unwrap();
        let dir = tempfile::tempdir().unwrap();
        let session = SessionId::from_parts(1, [7; 10]);
        let stored = vec![b'x'; 8 * PIECE_BYTES + 1];
        let path = dir.path().join(format!("{session}.cast.zst"));
        std::fs::write(path, &stored).unwrap();
        let reads = async {
            let idle = Cat::open(dir.path(), &session, true).await.unwrap();
            let idle = idle.next().await.unwrap();
            let mut other = Cat::open(dir.path(), &session, true).await.unwrap();
            let mut read = 0;
            while let Some((piece, left)) = other.next().await.unwrap() {
                read += piece.len();
                other = left;
            }
            assert_eq!(read, stored.len());
            assert!(idle.is_some(), "it could go on");
        };
        let reads = async { tokio::time::timeout(std::time::Duration::from_secs(20), reads).await };
        runtime.block_on(reads).unwrap();
    }
}
