//! Keeps a session's screen up to date.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::stage::{Bit, Stage};

/// How long to wait for more before the screen is drawn: what a program draws comes in pieces.
const PACE: Duration = Duration::from_millis(20);

/// How many bytes a second a screen is followed at, at most: what comes faster nobody reads, and to draw all of it
/// would cost a processor.
const RATE: u64 = 2 << 20;

/// The same while nobody looks on: enough that whoever comes finds what programs draw, and a flood costs a quarter as much.
const RATE_UNSEEN: u64 = RATE / 4;

/// Up to so many bytes are drawn without a thread of their own: a tenth of a millisecond.
const LITTLE: usize = 512;

/// How long nothing happens until the screen's memory is given up.
const QUIET: Duration = Duration::from_secs(5);

/// Follows a session until it is over.
pub(crate) async fn follow(stage: Arc<Stage>) {
    while !stage.is_over() {
        if timeout(QUIET, stage.arrived.notified()).await.is_err() {
            if !stage.is_seen() {
                stage.doze();
            }
            continue;
        }
        if !stage.is_followed() {
            continue;
        }
        sleep(PACE).await;
        let bits = stage.take();
        if bits.is_empty() {
            continue;
        }
        let bytes: usize = bits.iter().map(weight).sum();
        let rate = if stage.is_seen() { RATE } else { RATE_UNSEEN };
        let rest = Duration::from_micros(bytes as u64 * 1_000_000 / rate);
        let due = Instant::now() + rest;
        if bytes <= LITTLE {
            stage.draw(bits);
        } else {
            let drawing = Arc::clone(&stage);
            // A defect of the emulator ends what is shown, and never the session.
            if tokio::task::spawn_blocking(move || drawing.draw(bits))
                .await
                .is_err()
            {
                return;
            }
        }
        sleep_until(due).await;
    }
}

fn weight(bit: &Bit) -> usize {
    match bit {
        Bit::Bytes(bytes) => bytes.len(),
        Bit::Size(_) => 0,
    }
}
