//! What each side of a session says: taken, recorded, handed on.

use std::time::Duration;

use record::recording::{Exit, RecordError, Size};
use russh::ChannelMsg;
use tokio::time::Instant;

use super::source::Source;
use super::{Over, Relay, name, together};
use crate::flow::{Take, Way};
use crate::forward::{Item, STDERR};

/// How long the end of the target's output rests before it is handed on: mostly the exit status and the close
/// follow at once.
const EOF_REST: Duration = Duration::from_millis(200);

/// How many messages of a side are taken at once, before anything else has its turn.
const AT_ONCE: usize = 16;

impl Relay<'_> {
    /// Takes a message, and those that are there already.
    pub(super) fn client_all(
        &mut self,
        first: Option<ChannelMsg>,
        client: &mut Source<'_>,
    ) -> Result<(), Over> {
        let mut next = first.ok_or(Over::ClientClosed)?;
        for _ in 1..AT_ONCE {
            self.client_said(next)?;
            match client.ready() {
                Some(more) => next = more,
                None => return Ok(()),
            }
        }
        self.client_said(next)
    }

    /// Takes a message, and those that are there already.
    pub(super) fn target_all(
        &mut self,
        first: Option<ChannelMsg>,
        target: &mut Source<'_>,
    ) -> Result<(), Over> {
        let most = together::most(self.alarm.as_ref());
        let mut next = target.together(first, most);
        for _ in 1..AT_ONCE {
            self.target_said(next)?;
            // While sealing is behind, each of them has its pause.
            if self.target_closed || self.flow.take() != Take::Now || self.recorder.behind() {
                return Ok(());
            }
            match target.ready() {
                Some(more) => next = target.together(Some(more), most),
                None => return Ok(()),
            }
        }
        self.target_said(next)
    }

    fn client_said(&mut self, message: ChannelMsg) -> Result<(), Over> {
        if let ChannelMsg::Data { data } = &message {
            self.passes(Way::Up, data.len())?;
        }
        match message {
            ChannelMsg::Data { data } if self.files.is_some() => self.follow(Way::Up, &data)?,
            ChannelMsg::Data { data } => {
                let bytes = data.len();
                self.alarm(|alarm| alarm.input(&data));
                let recorded = self.recorder.input(data)?;
                self.up.put(Item::Bytes(recorded), bytes);
            }
            ChannelMsg::Eof => {
                self.client_done = true;
                self.up.put(Item::Eof, 0);
            }
            ChannelMsg::WindowChange {
                col_width,
                row_height,
                pix_width,
                pix_height,
            } => {
                self.alarm(|alarm| alarm.resized(Size::asked(col_width, row_height)));
                let size = self.recorder.resize(col_width, row_height)?;
                self.stage.resize(Size::asked(col_width, row_height));
                self.up.put(Item::Resize(size, pix_width, pix_height), 0);
            }
            ChannelMsg::Signal { signal } => {
                let recorded = self.recorder.marker(&format!("signal {}", name(&signal)))?;
                self.up.put(Item::Signal(recorded, signal), 0);
            }
            ChannelMsg::Close => return Err(Over::ClientClosed),
            // Answered, or refused by name, in the doorman.
            _ => {}
        }
        Ok(())
    }

    fn target_said(&mut self, message: Option<ChannelMsg>) -> Result<(), Over> {
        self.flow.took_down();
        if let Some(ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. }) = &message {
            self.passes(Way::Down, data.len())?;
        }
        match message {
            Some(ChannelMsg::Data { data }) if self.files.is_some() => {
                self.follow(Way::Down, &data)?;
            }
            Some(ChannelMsg::Data { data }) => {
                let passed = self.masks.output(data);
                self.output(passed)?;
            }
            Some(ChannelMsg::ExtendedData { data, ext: STDERR }) => {
                let passed = self.masks.errors(data);
                self.errors(passed)?;
            }
            other => {
                if ends_output(other.as_ref()) {
                    let passed = self.masks.finish();
                    self.pass(passed)?;
                }
                match other {
                    Some(other) => self.target_told(other)?,
                    None => self.target_closed = true,
                }
            }
        }
        Ok(())
    }

    /// What the target says beside its bytes: how its terminal is to be used, and how they end. The person hears of it when the recording is sealed.
    fn target_told(&mut self, message: ChannelMsg) -> Result<(), RecordError> {
        match message {
            ChannelMsg::Eof => self.eof_due = Some(Instant::now() + EOF_REST),
            ChannelMsg::ExitStatus { exit_status } => self.exited(Exit::Status(exit_status))?,
            ChannelMsg::ExitSignal { signal_name, .. } => {
                self.exited(Exit::Signal(name(&signal_name)))?;
            }
            ChannelMsg::XonXoff { client_can_do } => self.flow_control(client_can_do)?,
            ChannelMsg::Close => self.target_closed = true,
            _ => {}
        }
        Ok(())
    }

    fn exited(&mut self, exit: Exit) -> Result<(), RecordError> {
        self.exit = Some(self.recorder.exit(exit)?.into_inner());
        Ok(())
    }
}

/// Whether a target that says this, or nothing any more, has sent all of its output: some may still follow an exit status, and
/// anything else.
const fn ends_output(said: Option<&ChannelMsg>) -> bool {
    matches!(said, None | Some(ChannelMsg::Eof | ChannelMsg::Close))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_mask_holds_waits_for_the_end_of_output_and_for_nothing_else() {
        for end in [ChannelMsg::Eof, ChannelMsg::Close] {
            assert!(ends_output(Some(&end)), "{end:?}");
        }
        assert!(ends_output(None));
        let exit_status = 0;
        for other in [
            ChannelMsg::ExitStatus { exit_status },
            ChannelMsg::WindowAdjusted { new_size: 1 },
            ChannelMsg::Success,
            ChannelMsg::XonXoff {
                client_can_do: false,
            },
        ] {
            assert!(!ends_output(Some(&other)), "{other:?}");
        }
    }
}
