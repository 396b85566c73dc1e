//! What a terminal sends, as keys: without input or output.

/// Longest control sequence of a key, in bytes: those of real terminals have eight at most.
const SEQUENCE: usize = 16;

const ESCAPE: u8 = 0x1b;

/// A key that means something here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Enter,
    Escape,
    Backspace,
    /// `^C`, or `^D`.
    Leave,
    /// A printable ASCII character: names have no others.
    Char(char),
}

/// Reads keys byte by byte, also where a sequence arrives in pieces.
#[derive(Debug, Default)]
pub(super) struct Keys {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Plain,
    Escape,
    /// Behind `ESC O`.
    Single,
    /// Behind `ESC [`.
    Sequence(Vec<u8>),
}

impl Keys {
    /// Takes a byte; yields the key that it completes, if that means something.
    pub(super) fn take(&mut self, byte: u8) -> Option<Key> {
        match std::mem::take(&mut self.state) {
            State::Plain => self.plain(byte),
            State::Escape => match byte {
                b'[' => {
                    self.state = State::Sequence(Vec::new());
                    None
                }
                b'O' => {
                    self.state = State::Single;
                    None
                }
                // The key itself, and then another.
                ESCAPE => {
                    self.state = State::Escape;
                    Some(Key::Escape)
                }
                // A key with Alt.
                _ => None,
            },
            State::Single => last(&[], byte),
            State::Sequence(mut held) => match byte {
                0x40..=0x7e => last(&held, byte),
                0x20..=0x3f if held.len() < SEQUENCE => {
                    held.push(byte);
                    self.state = State::Sequence(held);
                    None
                }
                // No sequence of a terminal.
                _ => None,
            },
        }
    }

    /// Whether an escape has come and nothing behind it: if nothing follows at once, it was the key.
    pub(super) fn waits(&self) -> bool {
        matches!(self.state, State::Escape)
    }

    /// Nothing has followed.
    pub(super) fn rest(&mut self) -> Option<Key> {
        let waited = self.waits();
        self.state = State::Plain;
        waited.then_some(Key::Escape)
    }

    fn plain(&mut self, byte: u8) -> Option<Key> {
        match byte {
            ESCAPE => {
                self.state = State::Escape;
                None
            }
            b'\r' | b'\n' => Some(Key::Enter),
            3 | 4 => Some(Key::Leave),
            8 | 0x7f => Some(Key::Backspace),
            // ^N and ^P, as in other lists.
            14 => Some(Key::Down),
            16 => Some(Key::Up),
            b' '..=b'~' => Some(Key::Char(char::from(byte))),
            _ => None,
        }
    }
}

/// The key of a sequence that ends with this byte (`ctlseqs`, "PC-Style Function Keys").
fn last(held: &[u8], byte: u8) -> Option<Key> {
    match (held, byte) {
        (_, b'A') => Some(Key::Up),
        (_, b'B') => Some(Key::Down),
        (_, b'H') | (b"1" | b"7", b'~') => Some(Key::First),
        (_, b'F') | (b"4" | b"8", b'~') => Some(Key::Last),
        (b"5", b'~') => Some(Key::PageUp),
        (b"6", b'~') => Some(Key::PageDown),
        // Enter of a keypad.
        ([], b'M') => Some(Key::Enter),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<Key> {
        let mut keys = Keys::default();
        bytes.iter().filter_map(|byte| keys.take(*byte)).collect()
    }

    #[test]
    fn keys_of_usual_terminals_are_read() {
        assert_eq!(read(b"\x1b[A\x1bOB"), [Key::Up, Key::Down]);
        assert_eq!(read(b"\x1b[5~\x1b[6~"), [Key::PageUp, Key::PageDown]);
        assert_eq!(
            read(b"\x1b[H\x1b[4~\x1b[1;5A"),
            [Key::First, Key::Last, Key::Up]
        );
        assert_eq!(
            read(b"j\r\x7f\x03"),
            [Key::Char('j'), Key::Enter, Key::Backspace, Key::Leave,]
        );
        assert_eq!(read(b"\x1b\x1b[A"), [Key::Escape, Key::Up]);
    }

    #[test]
    fn an_escape_alone_is_a_key_once_nothing_follows() {
        let mut keys = Keys::default();
        assert_eq!(keys.take(ESCAPE), None);
        assert!(keys.waits());
        assert_eq!(keys.rest(), Some(Key::Escape));
        assert!(!keys.waits());
        assert_eq!(keys.rest(), None);
    }

    #[test]
    fn what_is_no_key_means_nothing_and_is_not_kept() {
        assert_eq!(read("ü\u{9b}\0".as_bytes()), []);
        assert_eq!(read(b"\x1b[200~"), []);
        // One past the longest, and the list goes on.
        let mut long = b"\x1b[".to_vec();
        long.extend([b'1'; SEQUENCE + 1]);
        long.extend(b"\r");
        assert_eq!(read(&long), [Key::Enter]);
        let mut held = Keys::default();
        for byte in long.get(..SEQUENCE + 2).unwrap_or_default() {
            assert_eq!(held.take(*byte), None);
        }
        assert!(matches!(&held.state, State::Sequence(held) if held.len() == SEQUENCE));
    }
}
