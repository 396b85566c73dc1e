//! What a frame of an encrypted recording is checked for: without a key, what it says in the clear; with one, its lines too.

use std::io::Read;

use super::super::crypt::statement::Head;
use super::super::crypt::{LockedError, Vault, chunk};
use super::super::event::{self, Data, End};
use super::super::frame::{self, Encrypted, Holds};
use super::super::live::follows;
use super::{Fault, Problem, Scan};

impl<R: Read> Scan<'_, R> {
    /// Checks what an encrypted frame says in the clear, and its lines too if it can be opened. Says how the session
    /// ended, if it did, and how long the frame's tail was.
    pub(super) fn check_encrypted(
        &mut self,
        frame: &Encrypted,
        at_us: &mut u64,
        signs_for: Option<&Vec<String>>,
    ) -> Result<(Option<End>, u64), Problem> {
        let bad = |scan: &Self, why: &str| scan.problem(Fault::Content(why.into()));
        let Some((head, body)) = Head::split(frame.payload()) else {
            return Err(bad(self, "a sealed frame does not say what it is"));
        };
        self.check_statement(&head)?;
        self.check_signs_for(signs_for)?;
        if head.from_us != *at_us || head.to_us < *at_us {
            return Err(bad(self, "the times of a sealed frame are wrong"));
        }
        if frame.holds == Holds::Chunks && !self.is_tail(&head, body) {
            return Err(bad(
                self,
                "a sealed frame is not the tail that it says it is",
            ));
        }
        let number = self.tree.size();
        if let Some(vault) = self.vault.take() {
            let lines = open_frame(&vault, number, frame.holds, &head, body);
            self.vault = Some(vault);
            let lines = lines.ok_or_else(|| bad(self, "a sealed frame does not open"))?;
            let end = self.check_lines(&lines, at_us, signs_for)?;
            if *at_us != head.to_us || end != head.end {
                return Err(bad(
                    self,
                    "a sealed frame holds something else than it says",
                ));
            }
        }
        *at_us = head.to_us;
        Ok((head.end, head.tail))
    }

    /// Checks what is said of the whole recording, which the first frame says and no other.
    fn check_statement(&mut self, head: &Head) -> Result<(), Problem> {
        if head.statement.is_some() != (self.tree.size() == 0) {
            let why = "what is sealed here is said at the wrong place";
            return Err(self.problem(Fault::Content(why.into())));
        }
        let Some(statement) = &head.statement else {
            return Ok(());
        };
        if statement.session != *self.session {
            let why = format!("it was sealed as session {}", statement.session);
            return Err(self.problem(Fault::Content(why)));
        }
        if let (Some(keys), Some(identities)) = (&self.keys, self.identities) {
            match Vault::open(keys, statement, identities) {
                Ok(vault) => self.vault = Some(vault),
                Err(e @ (LockedError::Replaced | LockedError::Damaged(_))) => {
                    return Err(self.problem(Fault::Keys(e)));
                }
                // It can be checked all the same.
                Err(_) => {}
            }
        }
        self.statement = Some(statement.clone());
        Ok(())
    }

    /// Whether a tail that was kept as it stood is whole, and what the frame's head says of it.
    fn is_tail(&self, head: &Head, body: &[u8]) -> bool {
        let first = chunk::first_line(body).unwrap_or_default();
        let expected = match &head.statement {
            Some(statement) => statement.line(),
            None => follows(self.number(), self.last_tail).into_bytes(),
        };
        let rest = body.get(first.len()..).unwrap_or_default();
        let (chunks, whole) = chunk::read(rest);
        let times: Vec<u64> = chunks.iter().map(|chunk| chunk.head.to_us).collect();
        let ends: Vec<End> = chunks.iter().filter_map(|chunk| chunk.head.end()).collect();
        let end_fits = match ends.as_slice() {
            [] => true,
            [end] => {
                head.end.as_ref() == Some(end)
                    && chunks.last().is_some_and(|last| last.head.end().is_some())
            }
            _ => false,
        };
        first == expected
            && whole == rest.len()
            && head.tail == body.len() as u64
            && times.is_sorted()
            && times.first().is_none_or(|first| *first >= head.from_us)
            && *times.last().unwrap_or(&head.from_us) == head.to_us
            && end_fits
    }
}

/// The lines of an encrypted frame.
pub(in crate::recording) fn open_frame(
    vault: &Vault,
    number: u64,
    holds: Holds,
    head: &Head,
    body: &[u8],
) -> Option<Vec<u8>> {
    match holds {
        Holds::Lines => frame::decompress(&vault.disclose(number, head, body)?).ok(),
        Holds::Chunks => {
            let tail = vault.tail(u32::try_from(number).ok()?, body);
            let mut lines = tail.whole.then_some(tail.lines)?;
            let (chunks, _) = chunk::read(chunk::after_first_line(body));
            let said = chunks.last().and_then(|last| last.head.end());
            // The End that recovery has said beside the lines, because it could not write among them.
            if let (Some(end), None) = (&head.end, said) {
                let at_us = head.to_us;
                let data = Data::End(end.clone());
                event::write_line(
                    &mut lines,
                    &mut at_us.clone(),
                    &event::Event { at_us, data },
                );
            }
            Some(lines)
        }
    }
}
