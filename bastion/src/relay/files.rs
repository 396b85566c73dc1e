//! The bytes of a file transfer, packet by packet.

use bytes::Bytes;
use record::recording::Stream;

use super::{Over, Relay};
use crate::files::Act;
use crate::flow::Way;
use crate::forward::Item;

impl Relay<'_> {
    /// Takes bytes of a file transfer: records what they do, and hands on the packets that the role gives.
    pub(super) fn follow(&mut self, way: Way, data: &Bytes) -> Result<(), Over> {
        let Some(files) = &mut self.files else {
            return Ok(());
        };
        let acts = match way {
            Way::Up => files.client(data),
            Way::Down => files.target(data),
        };
        let mut events = Vec::new();
        for act in acts.map_err(Over::Broken)? {
            let (way, stream, packet) = match act {
                Act::Record(event) => {
                    self.stage.file(&event);
                    events.push(event);
                    continue;
                }
                Act::ToTarget(packet) => (Way::Up, Stream::Input, packet),
                Act::ToClient(packet) => (Way::Down, Stream::Output, packet),
            };
            let bytes = packet.len();
            let told = std::mem::take(&mut events);
            let recorded = self.recorder.files(stream, told, packet)?;
            match way {
                Way::Up => self.up.put(Item::Bytes(recorded), bytes),
                Way::Down => self.down.put(Item::Bytes(recorded), bytes),
            }
        }
        self.recorder.files_left(events)?;
        Ok(())
    }

    /// Records what a file transfer leaves open.
    pub(super) fn left(self, over: Over) -> Over {
        let left = self.files.map(|mut files| files.finish());
        let left = left.filter(|events| !events.is_empty());
        match left.map(|events| self.recorder.files_left(events)) {
            Some(Err(e)) => Over::Recorder(e),
            _ => over,
        }
    }
}
