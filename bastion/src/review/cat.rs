//! A recording's lines, such that no terminal acts on them; or its stored bytes, for files.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use bytes::Bytes;
use config::words::SessionId;
use record::age::Identities;
use record::recording::{ReadError, Reader};
use tokio::sync::mpsc;

use super::desk::Out;

/// How many pieces wait for the reviewer.
const PIECES: usize = 2;

/// Most bytes of a piece.
const PIECE_BYTES: usize = 64 << 10;

type Pieces = mpsc::Receiver<Result<Bytes, String>>;

/// Reads a recording on a thread of its own, as fast as the reviewer takes it.
pub(super) fn bytes(dir: &Path, session: &SessionId, stored: bool) -> Pieces {
    let (dir, session) = (dir.to_owned(), session.clone());
    let (sender, pieces) = mpsc::channel(PIECES);
    tokio::task::spawn_blocking(move || {
        let mut give = |piece| sender.blocking_send(Ok(piece)).is_ok();
        let read = if stored {
            file(&dir, &session, &mut give)
        } else {
            lines(&dir, &session, &mut give)
        };
        if let Err(why) = read {
            let _ = sender.blocking_send(Err(why));
        }
    });
    pieces
}

/// Shows it.
pub(super) async fn show(out: Out, mut pieces: Pieces) -> Result<(), String> {
    while let Some(piece) = pieces.recv().await {
        let mut piece = piece?;
        if out.pty() {
            let text = String::from_utf8_lossy(&piece).replace('\n', "\r\n");
            piece = Bytes::from(text);
        }
        if !out.give(piece).await {
            break;
        }
    }
    Ok(())
}

fn lines(
    dir: &Path,
    session: &SessionId,
    give: &mut impl FnMut(Bytes) -> bool,
) -> Result<(), String> {
    let reader =
        Reader::open_in(dir, session, &Identities::default()).map_err(|e| said(session, &e))?;
    for chunk in 0..reader.chunks() {
        let lines = reader.lines(chunk).map_err(|e| said(session, &e))?;
        let mut piece = String::new();
        for line in String::from_utf8_lossy(&lines).split_inclusive('\n') {
            ascii(line, &mut piece);
            if piece.len() >= PIECE_BYTES && !give(Bytes::from(std::mem::take(&mut piece))) {
                return Ok(());
            }
        }
        if !give(Bytes::from(piece)) {
            return Ok(());
        }
    }
    Ok(())
}

fn file(
    dir: &Path,
    session: &SessionId,
    give: &mut impl FnMut(Bytes) -> bool,
) -> Result<(), String> {
    let failed = |e: std::io::Error| said(session, &ReadError::Io(e));
    let mut file = File::open(dir.join(format!("{session}.cast.zst"))).map_err(failed)?;
    loop {
        let mut piece = Vec::new();
        let mut part = (&mut file).take(PIECE_BYTES as u64);
        part.read_to_end(&mut piece).map_err(failed)?;
        if piece.is_empty() || !give(Bytes::from(piece)) {
            return Ok(());
        }
    }
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
}
