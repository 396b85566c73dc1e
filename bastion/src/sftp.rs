//! File transfers: SFTP version 3, packet by packet, without input or output.
//!
//! A [`Sftp`] stands between client and target. It takes bytes of either side and says, in order, what to record and
//! what to hand on ([`Act`]). Only whole packets pass, only those whose every field is understood, and what the role
//! does not give is answered here and never reaches the target:
//!
//! * [`wire`]: bytes and packets; [`ask`]: what a client may ask;
//! * [`answered`]: what the target says to it;
//! * [`rules`]: what the role gives, and what is answered here.
//!
//! Source: [draft-ietf-secsh-filexfer-02](https://datatracker.ietf.org/doc/html/draft-ietf-secsh-filexfer-02), and
//! OpenSSH's `PROTOCOL`, section 4, for its extensions.

mod answered;
mod ask;
mod rules;
mod wire;

use std::collections::HashMap;

use bytes::Bytes;
use config::files::FileRules;
use config::limits;
use record::recording::{FileEvent, FileOp, FilePath, OpenMode};

use crate::files::transfer::Moving;
use crate::files::{Act, Broken, TOO_LARGE};
use ask::{Ask, Read};
use rules::{
    BAD_MESSAGE, FAILURE, PERMISSION_DENIED, UNSUPPORTED, refusal, refusal_to_open, rules_on,
    status,
};
use wire::{Fields, Framer, Packet};

/// The one version that is spoken.
const THREE: u32 = 3;

/// One file transfer.
#[derive(Debug)]
pub(crate) struct Sftp {
    rules: FileRules,
    from_client: Framer,
    from_target: Framer,
    stage: Stage,
    /// What the target has to answer, by the client's identifier.
    waiting: HashMap<u32, Waiting>,
    handles: HashMap<Box<[u8]>, Opened>,
    /// The number of the last operation.
    count: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The client has to say its version.
    Init,
    /// The target has to say its version.
    Version,
    /// Requests and answers.
    Running,
}

/// What the target has to answer.
#[derive(Debug)]
enum Waiting {
    Open {
        n: u64,
        path: Box<[u8]>,
        mode: Option<OpenMode>,
    },
    Close {
        handle: Box<[u8]>,
    },
    Read {
        handle: Box<[u8]>,
        offset: u64,
    },
    Write {
        handle: Box<[u8]>,
    },
    Done {
        n: u64,
    },
    Quiet,
}

/// A file or directory that is open.
#[derive(Debug)]
struct Opened {
    n: u64,
    path: Box<[u8]>,
    mode: Option<OpenMode>,
    read: Moving,
    written: Moving,
}

impl Sftp {
    pub(crate) fn new(rules: FileRules) -> Self {
        Self {
            rules,
            from_client: Framer::default(),
            from_target: Framer::default(),
            stage: Stage::Init,
            waiting: HashMap::new(),
            handles: HashMap::new(),
            count: 0,
        }
    }

    /// Takes bytes of the client.
    pub(crate) fn client(&mut self, bytes: &[u8]) -> Result<Vec<Act>, Broken> {
        self.from_client.push(bytes);
        let mut acts = Vec::new();
        while let Some(packet) = self.from_client.next().map_err(|_| Broken::Client)? {
            self.asked(packet, &mut acts)?;
        }
        Ok(acts)
    }

    /// Takes bytes of the target.
    pub(crate) fn target(&mut self, bytes: &[u8]) -> Result<Vec<Act>, Broken> {
        self.from_target.push(bytes);
        let mut acts = Vec::new();
        while let Some(packet) = self.from_target.next().map_err(|_| Broken::Target)? {
            self.answered(packet, &mut acts)?;
        }
        Ok(acts)
    }

    /// What is still to be recorded when the session ends: what went through the files that nobody closed.
    pub(crate) fn finish(&mut self) -> Vec<FileEvent> {
        let mut left: Vec<_> = self.handles.drain().map(|(_, opened)| opened).collect();
        left.sort_by_key(|opened| opened.n);
        left.iter()
            .filter_map(|opened| opened.moved(false))
            .collect()
    }

    fn asked(&mut self, packet: Bytes, acts: &mut Vec<Act>) -> Result<(), Broken> {
        let mut fields = Fields(packet.get(4..).unwrap_or_default());
        let kind = fields.byte().ok_or(Broken::Client)?;
        let id = fields.u32().ok_or(Broken::Client)?;
        match self.stage {
            Stage::Init if kind == ask::INIT && id >= THREE => {
                self.stage = Stage::Version;
                acts.push(Act::ToTarget(Packet::new(ask::INIT).u32(THREE).done()));
                return Ok(());
            }
            Stage::Running => {}
            _ => return Err(Broken::Client),
        }
        let held = self.waiting.len() >= limits::SFTP_REQUESTS;
        if held || self.handles.len() >= limits::SFTP_HANDLES {
            return Err(Broken::TooMany);
        }
        if self.waiting.contains_key(&id) {
            return Err(Broken::Client);
        }
        let asked = match ask::read(kind, &mut fields) {
            Read::Known(asked) => asked,
            Read::Unknown => {
                acts.push(status(
                    id,
                    UNSUPPORTED,
                    "this bastion does not know this operation",
                ));
                return Ok(());
            }
            Read::Garbled => {
                acts.push(status(
                    id,
                    BAD_MESSAGE,
                    "this is not a request of SFTP version 3",
                ));
                return Ok(());
            }
        };
        if let Some(waiting) = self.decide(id, &asked, &packet, acts) {
            self.waiting.insert(id, waiting);
            acts.push(Act::ToTarget(packet));
        }
        Ok(())
    }

    /// Records a request, and says what the target has to answer; none if it was answered here.
    fn decide(
        &mut self,
        id: u32,
        asked: &Ask<'_>,
        packet: &Bytes,
        acts: &mut Vec<Act>,
    ) -> Option<Waiting> {
        match *asked {
            Ask::Open(path, mode) => {
                let n = self.note(FileOp::Open, path, None, Some(mode), acts);
                rules_on(id, n, refusal_to_open(&self.rules, path, mode), acts)?;
                Some(Waiting::Open {
                    n,
                    path: path.into(),
                    mode: Some(mode),
                })
            }
            Ask::One(op, path) => {
                let n = self.note(op, path, None, None, acts);
                rules_on(id, n, refusal(&self.rules, op, &[path]), acts)?;
                Some(match op {
                    FileOp::List => Waiting::Open {
                        n,
                        path: path.into(),
                        mode: None,
                    },
                    _ => Waiting::Done { n },
                })
            }
            Ask::Two(op, path, to) => {
                let n = self.note(op, path, Some(to), None, acts);
                rules_on(id, n, refusal(&self.rules, op, &[path, to]), acts)?;
                Some(Waiting::Done { n })
            }
            Ask::Fsetstat(handle) => {
                let Some(opened) = self.handles.get(handle) else {
                    acts.push(status(id, FAILURE, "this handle is not open"));
                    return None;
                };
                let path = opened.path.clone();
                let n = self.note(FileOp::Fsetstat, &path, None, None, acts);
                rules_on(
                    id,
                    n,
                    refusal(&self.rules, FileOp::Fsetstat, &[&path]),
                    acts,
                )?;
                Some(Waiting::Done { n })
            }
            Ask::Close(handle) => Some(Waiting::Close {
                handle: handle.into(),
            }),
            Ask::Read { handle, offset } => self.reads(id, handle, offset, acts),
            Ask::Write {
                handle,
                offset,
                data,
            } => self.writes(id, handle, offset, packet.slice_ref(data), acts),
            Ask::Harmless => Some(Waiting::Quiet),
        }
    }

    /// Records that something was asked.
    fn note(
        &mut self,
        op: FileOp,
        path: &[u8],
        to: Option<&[u8]>,
        open: Option<OpenMode>,
        acts: &mut Vec<Act>,
    ) -> u64 {
        self.count += 1;
        let (path, to) = (FilePath::from(path), to.map(FilePath::from));
        let n = self.count;
        acts.push(Act::Record(FileEvent::Asked {
            n,
            op,
            path,
            to,
            open,
        }));
        n
    }

    fn reads(
        &mut self,
        id: u32,
        handle: &[u8],
        offset: u64,
        acts: &mut Vec<Act>,
    ) -> Option<Waiting> {
        let Some(opened) = self
            .handles
            .get_mut(handle)
            .filter(|o| o.mode.is_some_and(|m| m.read))
        else {
            acts.push(status(id, FAILURE, "this handle is not open to be read"));
            return None;
        };
        opened.read.begins(offset);
        Some(Waiting::Read {
            handle: handle.into(),
            offset,
        })
    }

    fn writes(
        &mut self,
        id: u32,
        handle: &[u8],
        offset: u64,
        data: Bytes,
        acts: &mut Vec<Act>,
    ) -> Option<Waiting> {
        let largest = self.rules.largest;
        let Some(opened) = self
            .handles
            .get_mut(handle)
            .filter(|o| o.mode.is_some_and(|m| m.write))
        else {
            acts.push(status(id, FAILURE, "this handle is not open to be written"));
            return None;
        };
        let reaches = (opened.written.bytes().max(offset)).saturating_add(data.len() as u64);
        if largest.is_some_and(|most| reaches > most) {
            let (n, why) = (opened.n, TOO_LARGE);
            acts.push(Act::Record(FileEvent::Refused {
                n,
                why: why.to_owned(),
            }));
            acts.push(status(id, PERMISSION_DENIED, why));
            return None;
        }
        opened.written.pass(offset, data);
        Some(Waiting::Write {
            handle: handle.into(),
        })
    }
}

impl Opened {
    fn moved(&self, closed: bool) -> Option<FileEvent> {
        self.mode?;
        let (n, read, written) = (self.n, self.read.sum(), self.written.sum());
        Some(FileEvent::Moved {
            n,
            read,
            written,
            closed,
        })
    }
}

#[cfg(test)]
mod tests;
