//! Asks again and again while the CA serves, and tells the desk what was heard.
//!
//! * [`feeds`]: the programs that say groups and who is on call.
//! * [`calendars`]: calendar files, read again when they change.
//! * [`checks`]: the automated checks, about each request that waits for one.
//!
//! All of it begins anew when a configuration file is put in force, and ends with this future.

mod calendars;
mod checks;
mod feeds;

use std::sync::Arc;

use config::outside::Roster;
use record::clock::Clock;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::desk::Desk;

/// Asks until this is dropped; then programs that still run are killed.
pub(crate) async fn run(desk: Arc<Desk>, clock: Arc<dyn Clock>) {
    let groups = feeds::groups(&desk, clock.as_ref());
    let rosters = rosters(&desk, &clock);
    let checks = checks::run(&desk, &clock);
    tokio::join!(groups, rosters, checks);
}

/// One task for each roster; what was known of a roster that is another one now is forgotten.
async fn rosters(desk: &Arc<Desk>, clock: &Arc<dyn Clock>) {
    let mut files = desk.files();
    let mut before = desk.config();
    loop {
        let config = desk.config();
        for (name, roster) in &before.on_call {
            if config.on_call.get(name) != Some(roster) {
                desk.know(name.clone(), None);
            }
        }
        let mut tasks = JoinSet::new();
        for (name, roster) in config.on_call.clone() {
            let (desk, clock) = (desk.clone(), clock.clone());
            tasks.spawn(async move {
                match roster {
                    Roster::Calendar(rules) => calendars::keep(&desk, &name, &rules).await,
                    Roster::Command(feed) => {
                        feeds::roster(&desk, clock.as_ref(), &name, &feed).await;
                    }
                }
            });
        }
        before = config;
        another(&mut files).await;
    }
}

/// Waits until another configuration file is in force; for ever, if none will be.
async fn another(files: &mut watch::Receiver<u64>) {
    if files.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
