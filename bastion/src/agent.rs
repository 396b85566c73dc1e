//! What the target asks of the person's agent, by name, without input or output.
//!
//! Source: draft-ietf-sshm-ssh-agent, section 3: a message is its length, its type, and what that means.

/// Longest message to an agent, in bytes: OpenSSH's `AGENT_MAX_LEN`.
const LONGEST: u32 = 256 << 10;

/// Follows the requests of one connection.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    head: Vec<u8>,
    /// Bytes of the message that are still to come.
    rest: u32,
}

/// Something that no agent understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Garbled;

impl Requests {
    /// Takes bytes of the target, and names the requests that begin in them.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<Vec<&'static str>, Garbled> {
        let mut names = Vec::new();
        let mut bytes = bytes;
        while let Some((first, after)) = bytes.split_first() {
            if self.rest > 0 {
                let some = bytes.len().min(self.rest as usize);
                self.rest -= u32::try_from(some).unwrap_or(self.rest);
                bytes = bytes.get(some..).unwrap_or_default();
                continue;
            }
            self.head.push(*first);
            bytes = after;
            if let [a, b, c, d, kind] = self.head[..] {
                let length = u32::from_be_bytes([a, b, c, d]);
                if !(1..=LONGEST).contains(&length) {
                    return Err(Garbled);
                }
                self.head.clear();
                self.rest = length - 1;
                names.push(name(kind));
            }
        }
        Ok(names)
    }
}

/// The names of section 6.1 of the draft.
fn name(kind: u8) -> &'static str {
    match kind {
        11 => "request-identities",
        13 => "sign-request",
        17 => "add-identity",
        18 => "remove-identity",
        19 => "remove-all-identities",
        20 => "add-smartcard-key",
        21 => "remove-smartcard-key",
        22 => "lock",
        23 => "unlock",
        25 => "add-id-constrained",
        26 => "add-smartcard-key-constrained",
        27 => "extension",
        _ => "something that this bastion does not know",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_named_however_they_are_cut() {
        let bytes = [
            &[0, 0, 0, 1, 11][..],
            &[0, 0, 0, 4, 13, 1, 2, 3],
            &[0, 0, 0, 2, 99, 0],
        ]
        .concat();
        let expected = [
            "request-identities",
            "sign-request",
            "something that this bastion does not know",
        ];
        for cut in 1..bytes.len() {
            let mut requests = Requests::default();
            let names = bytes
                .chunks(cut)
                .flat_map(|piece| requests.take(piece).unwrap());
            assert_eq!(names.collect::<Vec<_>>(), expected, "cut at {cut}");
        }
    }

    #[test]
    fn one_past_the_longest_message_and_an_empty_one_are_garbled() {
        for (length, good) in [(LONGEST, true), (LONGEST + 1, false), (0, false)] {
            let bytes = [&length.to_be_bytes()[..], &[11]].concat();
            assert_eq!(Requests::default().take(&bytes).is_ok(), good, "{length}");
        }
    }
}
