//! Programs that are run again and again.

use std::collections::BTreeSet;
use std::time::Duration;

use config::outside::Feed;
use config::words::RosterName;
use record::clock::Clock;

use super::super::groups;
use super::super::oncall::{self, Known};
use super::super::{Unheard, ask};
use super::another;
use crate::desk::Desk;

/// After a run without an answer the next one comes this soon, or sooner if the configuration says so.
const AGAIN: Duration = Duration::from_secs(10);

/// Keeps the groups that a program says.
pub(super) async fn groups(desk: &Desk, clock: &dyn Clock) {
    let mut files = desk.files();
    let mut keeper = Keeper::default();
    loop {
        files.borrow_and_update();
        let config = desk.config();
        let Some(rules) = config.groups.clone() else {
            keeper = Keeper::default();
            another(&mut files).await;
            continue;
        };
        keeper.of(&rules.feed);
        let news = tokio::select! {
            news = keeper.next(clock, &rules.feed) => news,
            () = another(&mut files) => {
                keeper.due = Duration::ZERO;
                continue;
            }
        };
        let told = match news {
            News::Heard(answer, began) => match groups::read(&config, &answer) {
                Ok(told) => {
                    keeper.good(&rules.feed, began, &told.unknown, "[groups]");
                    Some(told)
                }
                Err(why) => {
                    keeper.bad(clock, &rules.feed, &why, "[groups]");
                    continue;
                }
            },
            News::Silence(why) => {
                keeper.bad(clock, &rules.feed, &why, "[groups]");
                continue;
            }
            News::Stale => {
                tracing::error!(
                    "the program of [groups] has not answered in time: nobody is in its groups"
                );
                None
            }
        };
        if let Err(why) = desk.regroup(rules, told).await {
            tracing::error!(%why, "what the program of [groups] says is not in force");
        }
    }
}

/// Keeps who is on call, as a program says it.
pub(super) async fn roster(desk: &Desk, clock: &dyn Clock, name: &RosterName, feed: &Feed) {
    let label = format!("[on-call.{name}]");
    let mut keeper = Keeper::default();
    keeper.of(feed);
    loop {
        match keeper.next(clock, feed).await {
            News::Heard(answer, began) => match oncall::told(&desk.config(), &answer) {
                Ok((persons, unknown)) => {
                    keeper.good(feed, began, &unknown, &label);
                    let until = began + feed.stale;
                    desk.know(name.clone(), Some(Known::Told { persons, until }));
                }
                Err(why) => keeper.bad(clock, feed, &why, &label),
            },
            News::Silence(why) => keeper.bad(clock, feed, &why, &label),
            News::Stale => {
                tracing::error!(
                    "the program of {label} has not answered in time: nobody is on call"
                );
                desk.know(name.clone(), None);
            }
        }
    }
}

enum News {
    /// An answer, and when its run began.
    Heard(Vec<u8>, Duration),
    Silence(Unheard),
    /// The last good answer is too old.
    Stale,
}

/// When to run a program next, and until when its last good answer is good; by the clock that nobody can step.
#[derive(Default)]
struct Keeper {
    feed: Option<Feed>,
    due: Duration,
    fresh: Option<Duration>,
    /// What was complained about last, so that it is said once.
    said: String,
}

impl Keeper {
    /// Begins anew if it is another program.
    fn of(&mut self, feed: &Feed) {
        if self.feed.as_ref() != Some(feed) {
            *self = Self {
                feed: Some(feed.clone()),
                ..Self::default()
            };
        }
    }

    async fn next(&mut self, clock: &dyn Clock, feed: &Feed) -> News {
        let due = self.due;
        let run = async {
            tokio::time::sleep(due.saturating_sub(clock.monotonic())).await;
            let began = clock.monotonic();
            match ask::feed(feed).await {
                Ok(answer) => News::Heard(answer, began),
                Err(why) => News::Silence(why),
            }
        };
        let Some(fresh) = self.fresh else {
            return run.await;
        };
        tokio::select! {
            biased;
            () = tokio::time::sleep(fresh.saturating_sub(clock.monotonic())) => {
                self.fresh = None;
                News::Stale
            }
            news = run => news,
        }
    }

    /// An answer is as old as its run: what the program knew, it knew when it began.
    fn good(&mut self, feed: &Feed, began: Duration, unknown: &BTreeSet<String>, label: &str) {
        self.due = began + feed.every;
        self.fresh = Some(began + feed.stale);
        let names: Vec<&str> = unknown.iter().map(String::as_str).collect();
        let names = names.join(", ");
        if !names.is_empty() && self.said != names {
            tracing::warn!(
                names,
                "the program of {label} names somebody who is not registered"
            );
        }
        self.said = names;
    }

    fn bad(&mut self, clock: &dyn Clock, feed: &Feed, why: &Unheard, label: &str) {
        self.due = clock.monotonic() + feed.every.min(AGAIN);
        let why = why.to_string();
        if self.said != why {
            tracing::error!(why, "the program of {label} has not answered");
        }
        self.said = why;
    }
}
