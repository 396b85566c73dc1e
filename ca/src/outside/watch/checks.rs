//! Automated checks: each is asked about each request that waits for it, a bounded number of times.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use config::limits;
use config::words::{CheckName, RequestId};
use record::clock::Clock;
use record::entry::Verdict;
use tokio::task::JoinSet;

use super::super::Unheard;
use super::super::check::{Said, ask};
use crate::desk::Desk;
use crate::desk::outside::Due;

type Question = (RequestId, CheckName);

/// How often a question was put, and when it may be put again.
#[derive(Default)]
struct Tried {
    times: u32,
    next: Duration,
}

/// Asks, until this is dropped.
pub(super) async fn run(desk: &Arc<Desk>, clock: &Arc<dyn Clock>) {
    let mut files = desk.files();
    let mut tried: BTreeMap<Question, Tried> = BTreeMap::new();
    let mut asked: BTreeSet<Question> = BTreeSet::new();
    let mut tasks = JoinSet::new();
    desk.look_for_unchecked();
    loop {
        let due = desk.due();
        let open: BTreeSet<Question> = due.iter().map(question).collect();
        tried.retain(|question, _| open.contains(question));
        let now = clock.monotonic();
        let mut next = None;
        for due in due {
            let question = question(&due);
            let before = tried.entry(question.clone()).or_default();
            let over = before.times >= limits::CHECK_TRIES || asked.contains(&question);
            if over || tasks.len() >= limits::CHECKS_AT_ONCE {
                continue;
            }
            let wait = before.next.saturating_sub(now);
            if !wait.is_zero() {
                next = Some(next.map_or(wait, |sooner: Duration| sooner.min(wait)));
                continue;
            }
            before.times += 1;
            before.next = now + pause(before.times);
            asked.insert(question);
            let (desk, clock, times) = (desk.clone(), clock.clone(), before.times);
            tasks.spawn(async move { put(&desk, clock.as_ref(), due, times).await });
        }
        let again = async {
            match next {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(done) = tasks.join_next() => match done {
                Ok(question) => drop(asked.remove(&question)),
                Err(why) => tracing::error!(%why, "a defect: a check was not asked to its end"),
            },
            () = desk.asked_of_checks() => {}
            () = again => {}
            Ok(()) = files.changed() => desk.look_for_unchecked(),
        }
    }
}

fn question(due: &Due) -> Question {
    (due.request.clone(), due.check.clone())
}

/// From one try to the next: three times as long each time, for about half an hour in all.
fn pause(times: u32) -> Duration {
    let seconds = 2 * 3_u64.saturating_pow(times.saturating_sub(1));
    Duration::from_secs(seconds.min(1200))
}

/// Puts one question, and tells the desk what became of it.
async fn put(desk: &Desk, clock: &dyn Clock, due: Due, times: u32) -> Question {
    let config = desk.config();
    let Some(check) = config.checks.get(&due.check) else {
        return question(&due);
    };
    match ask(&due.check, check, &due.text, clock.wall()).await {
        Ok(said) => hear(desk, &due, said).await,
        Err(why) => silent(desk, &due, &why, times),
    }
    question(&due)
}

async fn hear(desk: &Desk, due: &Due, said: Said) {
    if said.verdict == Verdict::Abstain {
        desk.unheard(due, "it has abstained".to_owned());
    }
    if let Err(why) = desk.verdict(due, said).await {
        tracing::info!(request = %due.request, check = %due.check, %why, "a check has spoken, and nothing came of it");
    }
}

fn silent(desk: &Desk, due: &Due, why: &Unheard, times: u32) {
    let most = limits::CHECK_TRIES;
    tracing::warn!(request = %due.request, check = %due.check, %why, times, most, "a check was not heard");
    let again = if times < most {
        ""
    } else {
        "; it is not asked again"
    };
    desk.unheard(due, format!("not heard ({times} of {most}): {why}{again}"));
}
