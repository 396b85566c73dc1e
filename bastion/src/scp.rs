//! File transfers by the old `scp` protocol, which `scp -O` speaks over a command, without input or output.
//!
//! A [`Scp`] stands between client and target. One of them is the source, which says a line for each file and directory and then
//! sends the contents; the other is the sink, which answers each of them. Both take turns, and whoever speaks out of turn ends the
//! session: what passes means the same to the other side as it does here.
//!
//! * [`head`]: the command that is run.
//! * [`line`]: what a source says.
//! * [`told`]: what is recorded of it, and what the role does not give.
//!
//! Source: `scp.c` of OpenSSH; nothing else describes the protocol.

pub(crate) mod head;
mod line;
mod told;

use bytes::Bytes;
use config::files::FileRules;
use config::limits;
use record::recording::{FileEvent, FileOp};

use crate::files::transfer::Moving;
use crate::files::{Act, Broken};
use head::{Head, Sends};
use line::Line;
pub(crate) use told::{complaint, refusal};
use told::{done, mode, outcome};

/// One transfer.
#[derive(Debug)]
pub(crate) struct Scp {
    head: Head,
    rules: FileRules,
    turn: Turn,
    /// What has come so far of a line or an answer.
    said: Vec<u8>,
    /// The directories that have begun, as one path.
    within: Vec<u8>,
    /// How long it was before each of them.
    before: Vec<usize>,
    /// The file that is under way.
    file: Option<File>,
    /// The number of the last operation.
    count: u64,
}

#[derive(Debug)]
struct File {
    n: u64,
    size: u64,
    moving: Moving,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// The sink answers.
    Sink(To),
    /// The source says a line.
    Source,
    /// The source sends a file's contents.
    Contents,
    /// The source says whether these were the contents.
    Word,
    /// Nothing passes any more.
    Over,
}

/// What a sink answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    /// Nothing yet: it says that it is ready.
    Nothing,
    /// Times.
    Times,
    /// A file's line.
    File,
    /// A directory's line; it enters it.
    Enter(u64),
    /// The end of a directory.
    Leave,
    /// A file's contents.
    Contents,
}

impl Scp {
    /// Follows such a command.
    pub(crate) fn new(head: Head, rules: FileRules) -> Self {
        Self {
            head,
            rules,
            turn: Turn::Sink(To::Nothing),
            said: Vec::new(),
            within: Vec::new(),
            before: Vec::new(),
            file: None,
            count: 0,
        }
    }

    /// Takes bytes of the client.
    pub(crate) fn client(&mut self, bytes: &Bytes) -> Result<Vec<Act>, Broken> {
        let source = self.head.sends == Sends::Client;
        self.take(bytes.clone(), source)
            .map_err(|OutOfTurn| Broken::ScpClient)
    }

    /// Takes bytes of the target.
    pub(crate) fn target(&mut self, bytes: &Bytes) -> Result<Vec<Act>, Broken> {
        let source = self.head.sends == Sends::Target;
        self.take(bytes.clone(), source)
            .map_err(|OutOfTurn| Broken::ScpTarget)
    }

    /// What is still to be recorded when the session ends: what went through of a file that is not whole.
    pub(crate) fn finish(&mut self) -> Vec<FileEvent> {
        let left = self.file.take();
        left.map(|file| self.moved(&file, false))
            .into_iter()
            .collect()
    }

    fn take(&mut self, mut bytes: Bytes, source: bool) -> Result<Vec<Act>, OutOfTurn> {
        let mut acts = Vec::new();
        while !bytes.is_empty() {
            match (self.turn, source) {
                (Turn::Over, _) => break,
                (Turn::Contents, true) => self.contents(&mut bytes, &mut acts),
                (Turn::Source, true) => {
                    if let Some(line) = self.line(&mut bytes)? {
                        self.announced(&line, &mut acts)?;
                    }
                }
                (Turn::Word, true) => {
                    if let Some(word) = self.answer(&mut bytes)? {
                        self.sent(word, &mut acts);
                    }
                }
                (Turn::Sink(to), false) => {
                    if let Some(answer) = self.answer(&mut bytes)? {
                        self.answered(to, answer, &mut acts);
                    }
                }
                _ => return Err(OutOfTurn),
            }
        }
        Ok(acts)
    }

    /// Takes what belongs to the file that is under way.
    fn contents(&mut self, bytes: &mut Bytes, acts: &mut Vec<Act>) {
        let Some(file) = &mut self.file else {
            self.turn = Turn::Word;
            return;
        };
        let left = file.size.saturating_sub(file.moving.bytes());
        let some = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        let piece = bytes.split_to(some);
        file.moving.pass(file.moving.bytes(), piece.clone());
        if file.moving.bytes() >= file.size {
            self.turn = Turn::Word;
        }
        acts.push(self.to_sink(piece));
    }

    /// A whole line with its end, if it is there.
    fn line(&mut self, bytes: &mut Bytes) -> Result<Option<Bytes>, OutOfTurn> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let part = bytes.split_to(end.map_or(bytes.len(), |end| end + 1));
        self.said.extend_from_slice(&part);
        if self.said.len() > limits::SCP_LINE_BYTES {
            return Err(OutOfTurn);
        }
        Ok(end.map(|_| std::mem::take(&mut self.said).into()))
    }

    /// A whole answer, if it is there: a zero, or a one or a two and a line.
    fn answer(&mut self, bytes: &mut Bytes) -> Result<Option<Bytes>, OutOfTurn> {
        match self.said.first().or(bytes.first()) {
            Some(0) => Ok(Some(bytes.split_to(1))),
            Some(1 | 2) => self.line(bytes),
            _ => Err(OutOfTurn),
        }
    }

    /// The source has said a line.
    fn announced(&mut self, whole: &Bytes, acts: &mut Vec<Act>) -> Result<(), OutOfTurn> {
        let text = whole.strip_suffix(b"\n").unwrap_or(whole);
        let to = match line::read(text).ok_or(OutOfTurn)? {
            Line::Trouble => {
                self.trouble(text, acts);
                acts.push(self.to_sink(whole.clone()));
                return Ok(());
            }
            Line::Times => To::Times,
            Line::Leave if self.before.is_empty() => return Err(OutOfTurn),
            Line::Leave => To::Leave,
            Line::Enter(_) if !self.head.recursive => return Err(OutOfTurn),
            Line::Enter(name) => {
                let before = self.within.len();
                self.enter(name)?;
                let op = match self.head.sends {
                    Sends::Client => FileOp::Mkdir,
                    Sends::Target => FileOp::List,
                };
                let n = self.note(op, None, acts);
                self.before.push(before);
                if self.refuses(n, 0, acts) {
                    return Ok(());
                }
                To::Enter(n)
            }
            Line::File { size, name } => {
                let before = self.within.len();
                self.enter(name)?;
                let n = self.note(FileOp::Open, Some(mode(self.head.sends)), acts);
                let refused = self.refuses(n, size, acts);
                self.within.truncate(before);
                if refused {
                    return Ok(());
                }
                let moving = Moving::default();
                self.file = Some(File { n, size, moving });
                To::File
            }
        };
        self.turn = Turn::Sink(to);
        acts.push(self.to_sink(whole.clone()));
        Ok(())
    }

    /// The source could not send something: of what the target says, which is asked for by name, it is recorded.
    fn trouble(&mut self, text: &[u8], acts: &mut Vec<Act>) {
        if self.head.sends == Sends::Target {
            self.count += 1;
            let n = self.count;
            acts.push(Act::Record(told::whole(n, &self.head)));
            acts.push(done(n, outcome(text)));
        }
    }

    /// The source has said whether what it sent were the file's contents.
    fn sent(&mut self, word: Bytes, acts: &mut Vec<Act>) {
        let whole = word.first() == Some(&0);
        if let Some(file) = self.file.as_mut().filter(|_| !whole) {
            file.moving.fail();
        }
        if self.head.sends == Sends::Target
            && let Some(file) = self.file.take()
        {
            if !whole {
                acts.push(done(file.n, outcome(&word)));
            }
            acts.push(Act::Record(self.moved(&file, true)));
        }
        self.turn = Turn::Sink(To::Contents);
        acts.push(self.to_sink(word));
    }

    /// The sink has answered.
    fn answered(&mut self, to: To, answer: Bytes, acts: &mut Vec<Act>) {
        let taken = answer.first() == Some(&0);
        self.turn = Turn::Source;
        match to {
            To::Nothing | To::Times => {}
            To::Leave => self.leave(),
            To::Enter(n) => {
                acts.push(done(n, outcome(&answer)));
                if !taken {
                    self.leave();
                }
            }
            To::File => {
                if let Some(file) = &self.file {
                    acts.push(done(file.n, outcome(&answer)));
                    self.turn = match (taken, file.size) {
                        (false, _) => Turn::Source,
                        (true, 0) => Turn::Word,
                        (true, _) => Turn::Contents,
                    };
                }
                if !taken {
                    self.file = None;
                }
            }
            To::Contents => {
                if let Some(mut file) = self.file.take() {
                    if !taken {
                        file.moving.fail();
                        acts.push(done(file.n, outcome(&answer)));
                    }
                    acts.push(Act::Record(self.moved(&file, true)));
                }
            }
        }
        acts.push(self.to_source(answer));
    }

    /// Goes on to something in the directory that has begun last.
    fn enter(&mut self, name: &[u8]) -> Result<(), OutOfTurn> {
        if !self.within.is_empty() {
            self.within.push(b'/');
        }
        self.within.extend_from_slice(name);
        let long = self.within.len() > limits::SCP_PATH_BYTES;
        (!long).then_some(()).ok_or(OutOfTurn)
    }

    fn leave(&mut self) {
        self.within.truncate(self.before.pop().unwrap_or_default());
    }

    fn to_sink(&self, bytes: Bytes) -> Act {
        match self.head.sends {
            Sends::Client => Act::ToTarget(bytes),
            Sends::Target => Act::ToClient(bytes),
        }
    }

    fn to_source(&self, bytes: Bytes) -> Act {
        match self.head.sends {
            Sends::Client => Act::ToClient(bytes),
            Sends::Target => Act::ToTarget(bytes),
        }
    }
}

/// Somebody said something that does not belong there.
#[derive(Debug)]
struct OutOfTurn;

#[cfg(test)]
mod tests;
