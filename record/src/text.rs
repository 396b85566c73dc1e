//! Text that one person writes and another one reads: reasons, commands and remarks.

use std::fmt;
use std::str::FromStr;

use config::limits;
use serde::{Deserialize, Serialize};

/// Why a text was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing is in it.
    #[error("the {0} is empty: say it in a sentence")]
    Empty(&'static str),
    /// It is longer than the limit, in bytes.
    #[error("the {0} is longer than {1} bytes: shorten it")]
    TooLong(&'static str, usize),
    /// It holds a character that would show something else than what is there.
    #[error("the {0} has a line break or an invisible character: remove it")]
    Invisible(&'static str),
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $what:literal, $most:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = TextError;

            fn from_str(given: &str) -> Result<Self, TextError> {
                if given.trim().is_empty() {
                    return Err(TextError::Empty($what));
                }
                if given.len() > $most {
                    return Err(TextError::TooLong($what, $most));
                }
                if !given.chars().all(is_visible) {
                    return Err(TextError::Invisible($what));
                }
                Ok(Self(given.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = TextError;

            fn try_from(given: String) -> Result<Self, TextError> {
                given.parse()
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

text!(
    /// Why somebody asks, denies or revokes: one line.
    Reason, "reason", limits::REASON_BYTES
);
text!(
    /// A command line for the target's shell: one line.
    Command, "command", limits::COMMAND_BYTES
);
text!(
    /// What a reviewer says of what somebody did: one line.
    Remark, "remark", limits::REASON_BYTES
);

/// Whether a character shows as itself: neither a control nor a format character, nor one of those that no font draws.
/// Format characters (Unicode category Cf and the two separators) can reorder or hide what an approver reads, and so can
/// characters that look like a blank and are none (`Default_Ignorable_Code_Point`, Hangul fillers, the empty Braille
/// pattern). Variation selectors are let through: they come with emoji.
pub fn is_visible(c: char) -> bool {
    if matches!(c, ' '..='~') {
        return true;
    }
    let format = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}'
        | '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}' | '\u{8e2}'
        | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}');
    let blank = matches!(c,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{2800}' | '\u{3164}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{e0080}'..='\u{e0fff}');
    !c.is_control() && !format && !blank
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_reads_as_it_is() {
        assert!("INC-42 Replikation hängt, 複製".parse::<Reason>().is_ok());
        assert_eq!(" ".parse::<Reason>(), Err(TextError::Empty("reason")));
        assert_eq!(
            "a".repeat(1025).parse::<Reason>(),
            Err(TextError::TooLong("reason", 1024))
        );
        for bad in [
            "a\nb",
            "a\u{202e}b",
            "a\u{1b}[2Jb",
            "a\u{200b}b",
            "a\u{2028}b",
            "a\0b",
            "\u{3164}",
            "a\u{2800}b",
            "a\u{115f}b",
            "a\u{34f}b",
            "a\u{1343f}b",
            "a\u{e0100}b",
        ] {
            assert_eq!(
                bad.parse::<Reason>(),
                Err(TextError::Invisible("reason")),
                "{bad:?}"
            );
        }
    }
}
