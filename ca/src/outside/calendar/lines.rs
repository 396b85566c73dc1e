//! Content lines (RFC 5545 §3.1) and the events among the components (§3.4).

use config::limits;

use super::{Read, flaw};

/// One content line.
#[derive(Debug)]
pub(super) struct Property {
    pub(super) line: usize,
    pub(super) name: String,
    params: Vec<(String, String)>,
    pub(super) value: String,
}

impl Property {
    /// A property of one value type (§3.2.20), for times that stand inside other values.
    pub(super) fn made(line: usize, name: &str, kind: &str, value: String) -> Self {
        Self {
            line,
            name: name.to_owned(),
            params: vec![("VALUE".to_owned(), kind.to_owned())],
            value,
        }
    }

    /// A parameter's value; what stands there twice is refused when the line is read.
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        let found = self.params.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// One `VEVENT`, without what is nested in it.
#[derive(Debug)]
pub(super) struct Component {
    pub(super) line: usize,
    pub(super) properties: Vec<Property>,
}

/// The events of all calendars in the text.
pub(super) fn components(text: &str) -> Read<Vec<Component>> {
    let mut open: Vec<String> = Vec::new();
    let mut events: Vec<Component> = Vec::new();
    let mut any = false;
    for line in unfold(text)? {
        let property = property(line)?;
        let at = property.line;
        let inside: Vec<&str> = open.iter().map(String::as_str).collect();
        match (property.name.as_str(), inside.as_slice()) {
            ("BEGIN", _) => {
                let name = property.value.to_ascii_uppercase();
                if inside.is_empty() != (name == "VCALENDAR") || inside.len() > 3 {
                    return flaw(at, "this begins where it cannot");
                }
                if name == "VEVENT" && inside.len() == 1 {
                    let properties = Vec::new();
                    events.push(Component {
                        line: at,
                        properties,
                    });
                }
                any = true;
                open.push(name);
            }
            ("END", _) => end(&mut open, &property)?,
            (_, []) => return flaw(at, "this does not belong to a calendar"),
            ("METHOD", ["VCALENDAR"]) => method(&property)?,
            (_, ["VCALENDAR", "VEVENT"]) => {
                if let Some(event) = events.last_mut() {
                    event.properties.push(property);
                }
            }
            _ => {}
        }
    }
    if !any || !open.is_empty() {
        return flaw(text.lines().count().max(1), "the calendar is not whole");
    }
    Ok(events)
}

fn end(open: &mut Vec<String>, property: &Property) -> Read<()> {
    if open.pop() == Some(property.value.to_ascii_uppercase()) {
        return Ok(());
    }
    flaw(property.line, "this ends what has not begun")
}

/// A calendar that takes events back, or only proposes them, says nothing of who is on call.
fn method(property: &Property) -> Read<()> {
    let known = ["PUBLISH", "REQUEST"];
    if known.contains(&property.value.to_ascii_uppercase().as_str()) {
        return Ok(());
    }
    flaw(property.line, "METHOD is neither PUBLISH nor REQUEST")
}

/// Joins folded lines: one that begins with a space or a tab continues the line before.
fn unfold(text: &str) -> Read<Vec<(usize, String)>> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (n, raw) in text.split('\n').enumerate() {
        let raw = raw.strip_suffix('\r').unwrap_or(raw);
        let number = n + 1;
        let length = match (raw.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(more), Some((_, line))) => {
                line.push_str(more);
                line.len()
            }
            _ if raw.is_empty() => 0,
            _ => {
                lines.push((number, raw.to_owned()));
                raw.len()
            }
        };
        if length > limits::CALENDAR_LINE_BYTES {
            return flaw(number, "the line is too long");
        }
    }
    Ok(lines)
}

fn property((line, text): (usize, String)) -> Read<Property> {
    let bad = "this is not a content line";
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let end = text.find(|c| !word(c)).unwrap_or(text.len());
    let (name, mut rest) = text.split_at(end);
    if name.is_empty() {
        return flaw(line, bad);
    }
    let mut params: Vec<(String, String)> = Vec::new();
    while let Some(param) = rest.strip_prefix(';') {
        let Some((key, after)) = param.split_once('=') else {
            return flaw(line, bad);
        };
        let (value, after) = values(after);
        let key = key.to_ascii_uppercase();
        if key.is_empty() || !key.chars().all(word) || params.iter().any(|(own, _)| *own == key) {
            return flaw(line, bad);
        }
        params.push((key, value));
        rest = after;
    }
    let Some(value) = rest.strip_prefix(':') else {
        return flaw(line, bad);
    };
    Ok(Property {
        line,
        name: name.to_ascii_uppercase(),
        params,
        value: value.to_owned(),
    })
}

/// A parameter's value up to the next `;` or `:` that is not quoted, without its quotes; and the rest.
fn values(text: &str) -> (String, &str) {
    let mut quoted = false;
    let end = text.find(|c| {
        quoted ^= c == '"';
        !quoted && (c == ';' || c == ':')
    });
    let (value, rest) = text.split_at(end.unwrap_or(text.len()));
    (value.replace('"', ""), rest)
}
