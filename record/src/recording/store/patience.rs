//! How long the disk is waited for.

use std::time::Duration;

use config::limits;

use super::super::pace::Pace;
use super::{RecordingStore, Shared};

impl RecordingStore {
    /// Looks what the disk is at. Somebody has to, every [`limits::DISK_LOOK`] and from one thread: an operation that is seen for
    /// [`limits::RECORDING_PATIENCE`] ends the sessions. Time in which nobody looks does not count, so that a process that was
    /// frozen does not blame its disk.
    pub fn look(&self) {
        self.shared.pace.look();
        for live in self.shared.sessions().running.values() {
            live.pace().look();
        }
    }

    /// Whether some recorder was seen waiting for its disk for [`limits::RECORDING_PATIENCE`]. Such a recorder holds the
    /// thread that called it, and none of its methods returns before the disk does.
    pub fn holds_a_thread(&self) -> bool {
        let sessions = self.shared.sessions();
        let mut running = sessions.running.values();
        running.any(|live| self.shared.late(live.pace()))
    }
}

impl Shared {
    /// Whether the thread was seen waiting for the disk so long that nothing more may be forwarded: what was written since may not be
    /// durable for as long.
    pub(in crate::recording) fn stalled(&self) -> bool {
        self.late(&self.pace)
    }

    fn late(&self, pace: &Pace) -> bool {
        pace.late(self.looks)
    }
}

/// How many looks one operation may outlast.
pub(super) fn looks(patience: Duration) -> u64 {
    let looks = patience.as_millis() / limits::DISK_LOOK.as_millis().max(1);
    u64::try_from(looks).unwrap_or(u64::MAX)
}
