//! From a byte offset in the file to the line that a person looks at.

use std::ops::Range;

/// The line, counted from one, in which a span begins.
pub fn line_of(text: &str, span: &Range<usize>) -> usize {
    let before = text.get(..span.start).unwrap_or(text);
    before.bytes().filter(|byte| *byte == b'\n').count() + 1
}

/// Where each key of a file stands.
#[derive(Debug)]
pub struct Keys<'a> {
    text: &'a str,
    table: Option<toml::Spanned<toml::de::DeTable<'a>>>,
}

impl<'a> Keys<'a> {
    /// Reads the text of a file; of a broken one, nothing is known.
    pub fn of(text: &'a str) -> Self {
        let table = toml::de::DeTable::parse(text).ok();
        Self { text, table }
    }

    /// The line, counted from one, on which a key stands that is reached by these names, if it is there.
    pub fn line(&self, path: &[&str]) -> Option<usize> {
        let (last, before) = path.split_last()?;
        let mut table = self.table.as_ref()?.get_ref();
        for name in before {
            table = table.get(*name)?.get_ref().as_table()?;
        }
        let (key, _) = table.get_key_value(*last)?;
        Some(line_of(self.text, &key.span()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_however_it_is_written() {
        let text = "a = 1\n[role.x]\nlive = 1\n[role.\"y\"]\n\nhours = { zone = \"UTC\" }\n[role]\nz = { live = 2 }\n";
        let keys = Keys::of(text);
        assert_eq!(keys.line(&["role", "x", "live"]), Some(3));
        assert_eq!(keys.line(&["role", "y"]), Some(4));
        assert_eq!(keys.line(&["role", "y", "hours", "zone"]), Some(6));
        assert_eq!(keys.line(&["role", "y", "live"]), None);
        assert_eq!(keys.line(&["a", "b"]), None);
        assert_eq!(Keys::of("[").line(&["a"]), None);
    }
}
