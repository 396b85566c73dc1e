//! What recording adds to a session.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use record::clock::SystemClock;
use record::recording::{EndReason, Recorder};

use crate::Plan;
use crate::made::{busy, recorder, reviewer, store};
use crate::table::{Goal, percentile, resident};

impl Plan {
    /// What recording adds to each MiB of a bulk session, on the way of its bytes.
    pub(crate) fn writing(&self) {
        const PIECE: usize = 32 << 10;
        let mebibytes = (self.bytes >> 20).max(16);
        for (name, terminal) in [("without a terminal", false), ("in a terminal", true)] {
            let dir = tempfile::tempdir().unwrap();
            let store = store(dir.path(), Arc::new(SystemClock::default()));
            let mut recorder = recorder(&store, 1, terminal, &reviewer());
            let text = busy(PIECE as u64 * 64);
            let mut pieces = text.chunks(PIECE).cycle();
            let begin = Instant::now();
            let mut waited = Duration::ZERO;
            for _ in 0..mebibytes * (1 << 20) / PIECE as u64 {
                // As the relay does: it gives the target no more room until the sealing has caught up.
                let pause = Instant::now();
                while recorder.behind() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                waited += pause.elapsed();
                recorder
                    .output(pieces.next().unwrap())
                    .unwrap()
                    .into_inner();
            }
            let took = begin.elapsed();
            let at_work = took.saturating_sub(waited);
            recorder.finish(EndReason::Exit).unwrap();
            let per = |time: Duration| time.as_secs_f64() * 1000.0 / mebibytes as f64;
            self.row(
                &format!("recording of bulk output, {name}"),
                "ms/MiB",
                per(at_work),
                None,
                Goal::None,
            );
            if let (Some(rate), false) = (self.bulk, terminal) {
                let share = per(at_work) * rate / 10.0;
                self.row(
                    "recording's part of a bulk session",
                    "%",
                    share,
                    None,
                    Goal::AtMost(10.0),
                );
            }
            self.row(
                &format!("bulk output that can be recorded for long, {name}"),
                "MiB/s",
                mebibytes as f64 / took.as_secs_f64(),
                None,
                Goal::None,
            );
        }
    }

    /// How long one call of a session that types takes, while others write and are sealed as fast as they can.
    pub(crate) fn stalls(&self) {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path(), Arc::new(SystemClock::default()));
        let over = AtomicBool::new(false);
        let mut took = Vec::new();
        std::thread::scope(|scope| {
            for n in 2..6 {
                let (store, over) = (&store, &over);
                scope.spawn(move || {
                    let mut bulk = recorder(store, n, true, &reviewer());
                    let text = busy(1 << 20);
                    while !over.load(Ordering::Relaxed) {
                        for piece in text.chunks(8 << 10) {
                            while bulk.behind() && !over.load(Ordering::Relaxed) {
                                std::thread::sleep(Duration::from_millis(1));
                            }
                            bulk.output(piece).unwrap().into_inner();
                            // 8 MiB/s each: more than anybody reads, and less than what starves the machine.
                            std::thread::sleep(Duration::from_millis(1));
                        }
                    }
                    bulk.finish(EndReason::Exit).unwrap();
                });
            }
            let mut typing = recorder(&store, 1, true, &reviewer());
            for _ in 0..2000 {
                std::thread::sleep(Duration::from_millis(2));
                let begin = Instant::now();
                typing.output("k").unwrap().into_inner();
                took.push(begin.elapsed().as_secs_f64() * 1000.0);
            }
            over.store(true, Ordering::Relaxed);
            typing.finish(EndReason::Exit).unwrap();
        });
        let work = "keystroke into the recording beside four busy sessions";
        self.row(
            &format!("{work}, p50"),
            "ms",
            percentile(&mut took, 50),
            None,
            Goal::None,
        );
        self.row(
            &format!("{work}, p99"),
            "ms",
            percentile(&mut took, 99),
            None,
            Goal::AtMost(10.0),
        );
        self.row(
            &format!("{work}, worst"),
            "ms",
            percentile(&mut took, 100),
            None,
            Goal::None,
        );
    }

    /// What recordings keep in memory, each of a session with a megabyte of output so far.
    pub(crate) fn memory(&self) {
        const SESSIONS: u8 = 64;
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path(), Arc::new(SystemClock::default()));
        let text = busy(1 << 20);
        let write = |n| {
            let mut recorder = recorder(&store, n, true, &reviewer());
            for piece in text.chunks(32 << 10) {
                recorder.output(piece).unwrap().into_inner();
            }
            recorder
        };
        // The first one brings what all share.
        let first = write(0);
        let before = resident();
        let all: Vec<Recorder> = (1..=SESSIONS).map(write).collect();
        let after = resident();
        let each = (after - before) / f64::from(SESSIONS) / 1024.0;
        self.row(
            "memory of a recording",
            "MiB",
            each,
            None,
            Goal::AtMost(3.0),
        );
        for recorder in all {
            recorder.finish(EndReason::Exit).unwrap();
        }
        first.finish(EndReason::Exit).unwrap();
    }
}
