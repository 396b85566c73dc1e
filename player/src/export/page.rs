//! One HTML page with the recording and asciinema-player inside, for a browser without a network.
//!
//! Three things keep what a session printed from becoming a part of the page. The recording is JSON in which no `<` stands,
//! so that it cannot end its element. Every other text is spelled for HTML. And a policy in the page's head names the only
//! two scripts that run, by their digests, and lets nothing be fetched from anywhere or sent to anybody.

use std::io::{self, Write};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use record::digest::Digest;
use record::recording::{Data, Event, Header, ReadState};
use record::screen::Screen;
use serde_json::json;

use super::cast::{Texts, v2_event, v2_header};
use super::{ExportError, Readable};
use crate::lines::neutral;
use crate::survey::activity::ended;
use crate::tape::{Change, micros, size};
use crate::view::time;

/// asciinema-player as npm has it; `player/web/README.md` says from where.
const SCRIPT: &str = include_str!("../../web/asciinema-player.min.js");
const STYLE: &str = include_str!("../../web/asciinema-player.css");

/// Hands the recording to the player.
const START: &str = include_str!("../../web/start.js");

/// What is around the player.
const AROUND: &str = include_str!("../../web/page.css");

/// Most bytes of what happened that one page holds. A browser has all of it in memory several times, and plays up to `at` before it
/// shows anything.
pub(super) const MOST: usize = 32 << 20;

/// The part of a session that a page holds, in microseconds.
pub(super) struct Span {
    from_us: u64,
    to_us: u64,
}

impl Span {
    pub(super) fn new(from: Duration, to: Option<Duration>) -> Self {
        Self {
            from_us: micros(from),
            to_us: to.map_or(u64::MAX, micros),
        }
    }
}

/// Writes the page. It plays from `at`, and waits that are longer than `idle` are cut to it.
pub(super) fn html(
    from: &Readable<'_>,
    at: Duration,
    idle: Option<Duration>,
    span: &Span,
    out: &mut impl Write,
) -> Result<(), ExportError> {
    let reader = from.reader;
    let header = reader.header();
    // What is said over the replay is written first, and damage is among it.
    if let Some(Err(e)) = from.events().find(Result::is_err) {
        return Err(e.into());
    }
    head(from, span, out)?;
    let options = json!({
        "startAt": at.max(Duration::from_micros(span.from_us)).min(reader.duration()).as_secs_f64(),
        "idleTimeLimit": idle.map(|idle| idle.as_secs_f64()),
        "keystrokeOverlay": header.record_input,
    });
    out.write_all(b"<script type=\"application/json\" id=\"options\">")?;
    writeln!(Inert(out), "{options}")?;
    out.write_all(b"</script>\n<script type=\"application/json\" id=\"recording\">")?;
    events(from, span, &mut Inert(out))?;
    out.write_all(b"</script>\n")?;
    write!(
        out,
        "<script>{SCRIPT}</script>\n<script>{START}</script>\n</body>\n</html>\n"
    )?;
    Ok(())
}

fn head(from: &Readable<'_>, span: &Span, out: &mut impl Write) -> io::Result<()> {
    let header = from.reader.header();
    let title = spelled(&format!("{} {}", header.person, header.access));
    write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n<style>{AROUND}</style>\n</head>\n<body>\n<h1>{title}</h1>\n<dl>\n",
        policy()
    )?;
    for (name, value) in facts(from, span) {
        writeln!(out, "<dt>{name}</dt><dd>{}</dd>", spelled(&value))?;
    }
    write!(
        out,
        "</dl>\n<div id=\"player\"><noscript>Playing needs JavaScript.</noscript></div>\n\
         <p>This page is a copy to look at. The recording itself is the evidence: <code>hallpass verify</code> checks it. \
         Played by asciinema-player, © Marcin Kulik, Apache License 2.0, with Solid, © Ryan Carniato, MIT License.</p>\n"
    )
}

/// What is said about the session over its replay.
fn facts(from: &Readable<'_>, span: &Span) -> Vec<(&'static str, String)> {
    let reader = from.reader;
    let header: &Header = reader.header();
    let mut facts = vec![
        ("session", header.session.to_string()),
        ("role", header.role.to_string()),
        ("request", header.request.to_string()),
        ("began", began(header)),
        ("lasted", time(micros(reader.duration()))),
    ];
    if (span.from_us, span.to_us) != (0, u64::MAX) {
        let to = span.to_us.min(micros(reader.duration()));
        facts.push((
            "a part",
            format!("from {} to {}", time(span.from_us), time(to)),
        ));
    }
    facts.extend(header.command.clone().map(|command| ("command", command)));
    facts.extend(header.forced.clone().map(|forced| ("forced", forced)));
    match from.state() {
        ReadState::Finished => {}
        ReadState::Unfinished => {
            facts.push(("not finished", "this is all of it so far".to_owned()));
        }
        ReadState::Damaged => {
            facts.push(("damaged", "this is what comes before the damage".to_owned()));
        }
    }
    facts
}

fn began(header: &Header) -> String {
    record::clock::UnixTime::from_secs(header.started_ms / 1000).to_string()
}

/// What the page may do: run these two scripts and the player's WebAssembly, and use these two style sheets.
fn policy() -> String {
    let digest = |text: &str| {
        let sha256 = Digest::of(text.as_bytes());
        format!("'sha256-{}'", STANDARD.encode(sha256.as_bytes()))
    };
    format!(
        "default-src 'none'; script-src {} {} 'wasm-unsafe-eval'; style-src {} {}; base-uri 'none'; form-action 'none'",
        digest(SCRIPT),
        digest(START),
        digest(STYLE),
        digest(AROUND),
    )
}

/// The recording as asciicast v2: the player knows none of the events that are a recording's own.
fn events(from: &Readable<'_>, span: &Span, out: &mut impl Write) -> Result<(), ExportError> {
    let header = from.reader.header();
    writeln!(out, "{}", v2_header(header))?;
    // Without a terminal nobody returned to the first column.
    let newlines = header.term.is_none();
    let mut text = Texts::default();
    let mut before = (span.from_us > 0).then(|| Screen::new(size(header), newlines));
    let mut held = 0;
    for event in from.events() {
        let event = event?;
        if event.at_us > span.to_us {
            break;
        }
        let said = text.v2(&event).or_else(|| end(&event));
        if event.at_us < span.from_us {
            // It is not told, and what it has left on the screen is.
            if let (Some(screen), Some(change)) = (&mut before, Change::of(event.data)) {
                change.show(screen);
            }
            continue;
        }
        if let Some(screen) = before.take() {
            held += stood(&screen, span.from_us, out)?;
        }
        let Some((code, mut data)) = said else {
            continue;
        };
        if newlines && code == "o" {
            data = data.replace('\n', "\r\n");
        }
        if code == "m" {
            data = neutral(&data);
            told(&event, &data, out)?;
        }
        held += data.len();
        if held > MOST {
            return Err(ExportError::Large);
        }
        v2_event(event.at_us, code, &data, out)?;
    }
    // Nothing happened in between.
    if let Some(screen) = before.take() {
        let last = micros(from.reader.duration());
        stood(&screen, span.from_us.min(last), out)?;
    }
    Ok(())
}

/// What stood on the screen when the part begins; says how long that is. In the middle of a control sequence without end, nothing did.
fn stood(screen: &Screen, at_us: u64, out: &mut impl Write) -> io::Result<usize> {
    let Some(snapshot) = screen.snapshot() else {
        return Ok(0);
    };
    let size = screen.size();
    let resize = format!("{}x{}", size.cols(), size.rows());
    v2_event(at_us, "r", &resize, out)?;
    v2_event(at_us, "o", snapshot.drawn(), out)?;
    Ok(snapshot.drawn().len())
}

/// The end is a mark, so that the page lasts as long as the session did.
fn end(event: &Event) -> Option<(&'static str, String)> {
    match &event.data {
        Data::End(end) => Some(("m", ended(end))),
        _ => None,
    }
}

/// What was done with files and connections is also shown on the screen, as `hallpass play` does.
fn told(event: &Event, data: &str, out: &mut impl Write) -> io::Result<()> {
    match event.data {
        Data::File(_) | Data::Forward(_) => v2_event(event.at_us, "o", &format!("{data}\r\n"), out),
        _ => Ok(()),
    }
}

/// Text of a page: its own characters spelled, and nothing invisible.
fn spelled(text: &str) -> String {
    let mut spelled = String::with_capacity(text.len());
    for c in neutral(text).chars() {
        match c {
            '<' => spelled.push_str("&lt;"),
            '>' => spelled.push_str("&gt;"),
            '&' => spelled.push_str("&amp;"),
            '"' => spelled.push_str("&quot;"),
            '\'' => spelled.push_str("&#39;"),
            c => spelled.push(c),
        }
    }
    spelled
}

/// Writes JSON so that no `<` is in it: there it stands in strings only, and a string may spell it.
struct Inert<'a, W>(&'a mut W);

impl<W: Write> Write for Inert<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for (n, part) in bytes.split(|byte| *byte == b'<').enumerate() {
            if n > 0 {
                self.0.write_all(b"\\u003c")?;
            }
            self.0.write_all(part)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inside_ends_no_element() {
        for asset in [SCRIPT, START] {
            assert!(
                !asset.contains("</script") && !asset.contains("<!--") && !asset.contains('\r')
            );
        }
        for asset in [STYLE, AROUND] {
            assert!(!asset.contains("</style") && !asset.contains('\r'));
        }
    }

    #[test]
    fn the_player_is_the_one_that_is_named() {
        let named = include_str!("../../web/README.md");
        for (file, text) in [
            ("asciinema-player.min.js", SCRIPT),
            ("asciinema-player.css", STYLE),
        ] {
            let hex = Digest::of(text.as_bytes()).to_string();
            let hex = hex.trim_start_matches("sha256:");
            assert!(named.contains(&format!("{hex}  {file}")), "{hex}  {file}");
        }
    }
}
