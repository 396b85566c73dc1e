//! What the target answers: held against what it was asked.

use bytes::Bytes;
use config::limits;

use super::ask;
use super::rules::{OK, done, rules_on};
use super::wire::{Fields, Packet};
use super::{Opened, Sftp, Stage, THREE, Waiting};
use crate::files::{Act, Broken, TOO_LARGE};

impl Sftp {
    pub(super) fn answered(&mut self, packet: Bytes, acts: &mut Vec<Act>) -> Result<(), Broken> {
        let mut fields = Fields(packet.get(4..).unwrap_or_default());
        let kind = fields.byte().ok_or(Broken::Target)?;
        let id = fields.u32().ok_or(Broken::Target)?;
        match self.stage {
            Stage::Version if kind == ask::VERSION && id == THREE => {
                self.stage = Stage::Running;
                acts.push(Act::ToClient(version(&mut fields)?));
                return Ok(());
            }
            Stage::Running => {}
            _ => return Err(Broken::Target),
        }
        let waiting = self.waiting.remove(&id).ok_or(Broken::Target)?;
        if let Some(n) = self.beyond(&waiting, kind, &fields) {
            // It stays here. A client that asks for many pieces at once, or opens the file again, gets no further.
            rules_on(id, n, Some(TOO_LARGE), acts);
            return Ok(());
        }
        self.learn(waiting, kind, &mut fields, &packet, acts)?;
        acts.push(Act::ToClient(packet));
        Ok(())
    }

    /// The operation whose file an answer would read past the size that the role gives.
    fn beyond(&self, waiting: &Waiting, kind: u8, fields: &Fields<'_>) -> Option<u64> {
        let (Waiting::Read { handle, offset }, ask::DATA) = (waiting, kind) else {
            return None;
        };
        let data = Fields(fields.0).string()?;
        let reaches = offset.saturating_add(data.len() as u64);
        let too_far = self.rules.largest.is_some_and(|most| reaches > most);
        let opened = self.handles.get(handle).filter(|_| too_far)?;
        Some(opened.n)
    }

    /// Records what an answer says.
    fn learn(
        &mut self,
        waiting: Waiting,
        kind: u8,
        fields: &mut Fields<'_>,
        packet: &Bytes,
        acts: &mut Vec<Act>,
    ) -> Result<(), Broken> {
        match (waiting, kind) {
            (Waiting::Open { n, path, mode }, ask::HANDLE) => {
                let handle = fields.string().ok_or(Broken::Target)?;
                if handle.len() > limits::SFTP_HANDLE_BYTES || self.handles.contains_key(handle) {
                    return Err(Broken::Target);
                }
                let (read, written) = Default::default();
                let opened = Opened {
                    n,
                    path,
                    mode,
                    read,
                    written,
                };
                self.handles.insert(handle.into(), opened);
                acts.push(done(n, OK));
            }
            (Waiting::Close { handle }, ask::STATUS) => {
                let moved = self
                    .handles
                    .remove(&handle)
                    .and_then(|opened| opened.moved(true));
                acts.extend(moved.map(Act::Record));
            }
            (Waiting::Read { handle, offset }, ask::DATA) => {
                let data = packet.slice_ref(fields.string().ok_or(Broken::Target)?);
                if let Some(opened) = self.handles.get_mut(&handle) {
                    opened.read.pass(offset, data);
                }
            }
            (Waiting::Open { n, .. } | Waiting::Done { n }, ask::STATUS) => {
                acts.push(done(n, fields.u32().ok_or(Broken::Target)?));
            }
            (Waiting::Write { handle }, ask::STATUS) => {
                let written = fields.u32().ok_or(Broken::Target)? == OK;
                if let Some(opened) = self.handles.get_mut(&handle).filter(|_| !written) {
                    opened.written.fail();
                }
            }
            (Waiting::Done { n }, ask::NAME | ask::ATTRS | ask::EXTENDED_REPLY) => {
                acts.push(done(n, OK));
            }
            (Waiting::Read { .. } | Waiting::Quiet, ask::STATUS)
            | (Waiting::Quiet, ask::NAME | ask::ATTRS | ask::EXTENDED_REPLY) => {}
            _ => return Err(Broken::Target),
        }
        Ok(())
    }
}

/// The target's version, with those of its extensions that are let through.
fn version(fields: &mut Fields<'_>) -> Result<Bytes, Broken> {
    let mut packet = Packet::new(ask::VERSION).u32(THREE);
    while fields.end().is_none() {
        let name = fields.string().ok_or(Broken::Target)?;
        let data = fields.string().ok_or(Broken::Target)?;
        if ask::EXTENSIONS.iter().any(|known| known.as_bytes() == name) {
            packet = packet.string(name).string(data);
        }
    }
    Ok(packet.done())
}
