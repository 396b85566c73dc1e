//! What a terminal shows of a stream, byte by byte (ECMA-48, and `ctlseqs` of xterm).

/// What a byte is to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is shown, or a part of a character that is.
    Shown,
    /// It shows nothing and moves nothing: colours, titles, what erases behind the cursor.
    Hidden,
    /// What follows stands somewhere else: a new line, a moved cursor, another screen.
    Break,
}

/// Longest string of a control sequence that is passed over, in bytes: a terminal shows nothing of it, but a command's output may
/// hold its first bytes by chance.
const STRING_BYTES: u32 = 4096;

/// Modes that change nothing of what stands where: cursor keys, wrapping, the cursor's looks, the mouse, pasting, and drawing at once.
const HARMLESS: [u32; 14] = [
    1, 7, 12, 25, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 1034, 2004, 2026,
];

/// Reads a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Text {
    /// Outside of any sequence.
    #[default]
    Ground,
    /// Behind an escape.
    Escape,
    /// A character set follows.
    Charset,
    /// Within `CSI`: whether its modes are private, whether all so far are [`HARMLESS`], and the number under way.
    Sequence {
        private: bool,
        harmless: bool,
        number: u32,
    },
    /// Within `OSC` or another string, after so many bytes. Only `DCS` has lines: any other string without an end would hide
    /// those that follow.
    String { lines: bool, bytes: u32 },
}

impl Text {
    /// Whether no sequence is under way.
    pub(super) fn is_ground(self) -> bool {
        self == Self::Ground
    }

    /// Takes the next byte.
    pub(super) fn step(&mut self, byte: u8) -> Kind {
        let (next, kind) = match (*self, byte) {
            // It ends a string too, whether or not the backslash follows.
            (_, 0x1b) => (Self::Escape, Kind::Hidden),
            (_, 0x18 | 0x1a) | (Self::Charset, _) => (Self::Ground, Kind::Hidden),
            (Self::Ground, _) => (Self::Ground, ground(byte)),
            (Self::Escape, _) => escape(byte),
            (Self::Sequence { .. }, _) => self.sequence(byte),
            (Self::String { lines: false, .. }, b'\n' | b'\r') => (Self::Ground, Kind::Break),
            (Self::String { bytes, .. }, _) if bytes == STRING_BYTES || byte == 0x07 => {
                (Self::Ground, Kind::Hidden)
            }
            (Self::String { lines, bytes }, _) => {
                let bytes = bytes + 1;
                (Self::String { lines, bytes }, Kind::Hidden)
            }
        };
        *self = next;
        kind
    }

    fn sequence(self, byte: u8) -> (Self, Kind) {
        let Self::Sequence {
            private,
            harmless,
            number,
        } = self
        else {
            return (self, Kind::Hidden);
        };
        let so_far = harmless && HARMLESS.contains(&number);
        let going = |private, harmless, number| {
            let next = Self::Sequence {
                private,
                harmless,
                number,
            };
            (next, Kind::Hidden)
        };
        match byte {
            b'0'..=b'9' => {
                let digit = u32::from(byte - b'0');
                let number = number.saturating_mul(10).saturating_add(digit);
                going(private, harmless, number)
            }
            b';' | b':' => going(private, so_far, 0),
            b'?' => going(true, harmless, 0),
            b' '..=b'/' | b'<'..=b'>' => going(private, harmless, number),
            b'm' | b'K' => (Self::Ground, Kind::Hidden),
            b'h' | b'l' if private && so_far => (Self::Ground, Kind::Hidden),
            b'@'..=b'~' => (Self::Ground, Kind::Break),
            // Other controls are executed within the sequence.
            0..=0x1f => (self, ground(byte)),
            _ => (self, Kind::Hidden),
        }
    }
}

fn ground(byte: u8) -> Kind {
    match byte {
        // Nothing, the bell, other character sets, and what is not there.
        0x00 | 0x07 | 0x0e | 0x0f | 0x7f => Kind::Hidden,
        0x01..=0x1f => Kind::Break,
        _ => Kind::Shown,
    }
}

fn escape(byte: u8) -> (Text, Kind) {
    match byte {
        b'[' => {
            let begun = Text::Sequence {
                private: false,
                harmless: true,
                number: 0,
            };
            (begun, Kind::Hidden)
        }
        b']' | b'P' | b'^' | b'_' | b'X' => {
            let lines = byte == b'P';
            (Text::String { lines, bytes: 0 }, Kind::Hidden)
        }
        b'('..=b'/' | b' ' | b'#' | b'%' => (Text::Charset, Kind::Hidden),
        b'=' | b'>' | b'\\' => (Text::Ground, Kind::Hidden),
        _ => (Text::Ground, Kind::Break),
    }
}
