//! One who looks on.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use config::words::PersonName;
use russh::server::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::time::{Instant, sleep_until, timeout};

use super::paper::Paper;
use super::stage::Stage;
use super::view;

/// Time between two frames.
const FRAME: Duration = Duration::from_millis(40);

/// How long a frame may take until it has been taken: who takes longer is shown out.
const SLOW: Duration = Duration::from_secs(10);

/// How long what brings the terminal back may take, of one who is shown out.
const LAST: Duration = Duration::from_secs(1);

/// What ends looking on, beside the session's end: `q` and `^C`.
const LEAVE: [u8; 2] = [b'q', 3];

/// How looking on ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// The session is over, for this reason.
    Over(String),
    /// The one who looked on left.
    Gone,
    /// They did not take what they were shown.
    Slow,
}

/// Where somebody looks on: the columns and rows of their terminal, and what takes its bytes.
pub(crate) struct Seat<'a> {
    pub(crate) cols: u32,
    pub(crate) rows: u32,
    pub(crate) read: &'a mut ChannelReadHalf,
    pub(crate) write: &'a ChannelWriteHalf<Msg>,
}

impl Seat<'_> {
    /// Shows a session to this person until one of them leaves. Frames are made of the newest screen, so that who is slow
    /// sees fewer of them, and the session does not notice.
    pub(crate) async fn watch(
        self,
        stage: &Arc<Stage>,
        person: &PersonName,
        line: &str,
    ) -> io::Result<Left> {
        let Self {
            cols,
            rows,
            read,
            write,
        } = self;
        let (mut paper, begin) = Paper::new(cols, rows)?;
        let mut shown = stage.shown();
        if !taken(write, begin, SLOW).await {
            return Ok(Left::Slow);
        }
        // Whoever waits for an observer waits until here.
        let seated = stage.sit(person);
        let mut last = false;
        let left = loop {
            let over = shown.borrow_and_update().over.clone();
            let frame = paper.draw(|frame| {
                let area = frame.area();
                let cursor =
                    stage.with_screen(|screen| view::draw(screen, line, area, frame.buffer_mut()));
                if let Some(cursor) = cursor {
                    frame.set_cursor_position(cursor);
                }
            })?;
            if !taken(write, frame, SLOW).await {
                break Left::Slow;
            }
            let due = Instant::now() + FRAME;
            if let Some(reason) = over {
                if last {
                    break Left::Over(reason);
                }
                // What it has shown last is on its way to the screen.
                last = true;
                sleep_until(due + FRAME).await;
                continue;
            }
            tokio::select! {
                changed = shown.changed() => if changed.is_err() {
                    break Left::Over("closed".to_owned());
                },
                said = heard(read) => match said {
                    Said::Leave => break Left::Gone,
                    Said::Size(cols, rows) => paper.resize(cols, rows)?,
                },
            }
            sleep_until(due).await;
        };
        drop(seated);
        let most = if left == Left::Slow { LAST } else { SLOW };
        let _ = taken(write, Paper::end(), most).await;
        Ok(left)
    }
}

/// Whether it was taken in time.
async fn taken(write: &ChannelWriteHalf<Msg>, bytes: Bytes, most: Duration) -> bool {
    let taking = timeout(most, write.data_bytes(bytes));
    matches!(taking.await, Ok(Ok(())))
}

enum Said {
    Leave,
    Size(u32, u32),
}

/// The next thing that somebody says who looks on. What else is typed goes nowhere.
async fn heard(read: &mut ChannelReadHalf) -> Said {
    loop {
        match read.wait().await {
            None | Some(ChannelMsg::Close) => return Said::Leave,
            Some(ChannelMsg::Data { data }) if data.iter().any(|byte| LEAVE.contains(byte)) => {
                return Said::Leave;
            }
            Some(ChannelMsg::WindowChange {
                col_width,
                row_height,
                ..
            }) => return Said::Size(col_width, row_height),
            Some(_) => {}
        }
    }
}
