//! The third way in: somebody has proven a certificate and names no target. With a terminal they choose one, without one they
//! read what there is.
//!
//! * [`keys`]: what a terminal sends, as keys. [`choice`]: what may be chosen, and what each key makes of it.
//! * [`words`], [`view`], [`screen`]: the same for people.
//! * [`table`]: one person at it, until they have chosen or left; [`patience`]: or for how long.
//!
//! What is listed opens nothing. What is chosen is decided by [`Passage::choose`], as if the person had come with that grant's
//! certificate as `LOGIN%TARGET`, and what follows is an ordinary session, with the CA's permission and recorded from its first
//! byte. Before that nothing passes between the person and any target, so that nothing of it is recorded.

mod choice;
mod keys;
mod patience;
mod screen;
mod table;
mod view;
mod words;

use std::sync::Arc;

use bytes::Bytes;
use record::api::reach::{Held, Reach, ReachAsk, TakeAsk};
use record::recording::Exit;
use tokio::time::Instant;

use crate::doorman::forwards::{NO_AGENT, NO_X11};
use crate::permits::Permits;
use crate::prelude::{Prelude, Runs, Start};
use crate::route::Route;
use crate::session::{self, Client, ENDED, Fresh, Reply, gone};
use crate::site::Site;
use crate::visitor::{Passage, Refusal};

use choice::Row;
use table::{Outcome, Table};

/// The exit status of somebody who chose nothing: nothing was done.
const NOTHING: u32 = 1;

/// What lists, and is no command of a target.
const LIST: &[u8] = b"ls";

/// Begins to attend to a channel of somebody who has named no target.
pub(crate) fn begin(site: Arc<Site>, passage: Arc<Passage>, fresh: Fresh) {
    fresh.begin(|client, start| async move {
        Box::pin(attend(&site, &passage, client, start)).await;
    });
}

async fn attend(site: &Arc<Site>, passage: &Passage, client: Client, start: Start) {
    let menu = Menu { site, passage };
    let terminal = start.prelude.terminal.is_some();
    match &start.runs {
        Runs::Command(command) if command == LIST => menu.list(client, terminal, None).await,
        Runs::Shell | Runs::Command(_) if terminal => menu.choose(client, start).await,
        Runs::Shell => menu.list(client, false, Some(menu.hint())).await,
        Runs::Command(_) => {
            client.tell(Some(menu.hint()), false).await;
            client.leave(Reply::Success, Exit::Status(ENDED)).await;
        }
        Runs::Sftp | Runs::Forward(_) | Runs::Listen(_) => {
            client.tell(Some(menu.hint()), false).await;
            client.leave(Reply::Failure, Exit::Status(ENDED)).await;
        }
    }
}

/// What the person reads of something that was not done.
type Line = String;

struct Menu<'a> {
    site: &'a Arc<Site>,
    passage: &'a Passage,
}

impl Menu<'_> {
    /// Prints what there is. With a hint nothing was asked for that could be done, and the exit status says so.
    async fn list(&self, mut client: Client, pty: bool, hint: Option<Line>) {
        let status = match client.while_held(self.reach()).await {
            None => return client.close().await,
            Some(Err(line)) => {
                client.tell(Some(line), pty).await;
                ENDED
            }
            Some(Ok(reach)) => {
                let rows = rows(&reach);
                let rows: Vec<&Row> = rows.iter().collect();
                let end = if pty { "\r\n" } else { "\n" };
                client.accept().await;
                client
                    .show(Bytes::from(words::table(&rows, false, end)))
                    .await;
                let failed = hint.is_some() || rows.is_empty();
                let why = rows.is_empty().then(|| nothing().to_owned());
                client.tell(why.or(hint), pty).await;
                if failed { NOTHING } else { 0 }
            }
        };
        client.leave(Reply::Success, Exit::Status(status)).await;
    }

    /// Lets the person choose, and goes on with what they have chosen.
    async fn choose(&self, mut client: Client, mut start: Start) {
        let reach = match client.while_held(self.reach()).await {
            None => return client.close().await,
            Some(Ok(reach)) if reach.rows.is_empty() => Err(nothing().to_owned()),
            Some(reach) => reach,
        };
        let reach = match reach {
            Ok(reach) => reach,
            Err(line) => {
                client.tell(Some(line), true).await;
                return client.leave(Reply::Success, Exit::Status(ENDED)).await;
            }
        };
        client.accept().await;
        match Table::new(self, &reach)
            .sit(&mut client, &mut start.prelude)
            .await
        {
            Outcome::Go(route) => {
                tracing::info!(source = %route.source(), access = %route.access(), serial = route.serial(), "let in by choice");
                narrow(&mut start.prelude, route.permits());
                Box::pin(session::attend(self.site, &route, client, start)).await;
            }
            Outcome::Left => client.leave(Reply::Given, Exit::Status(NOTHING)).await,
            Outcome::Ended(line) => {
                client.tell(Some(line), true).await;
                client.leave(Reply::Given, Exit::Status(ENDED)).await;
            }
            Outcome::Gone => client.close().await,
        }
    }

    /// What there is, as the CA says it now.
    async fn reach(&self) -> Result<Reach, Line> {
        let ask = ReachAsk { held: self.held() };
        self.site.link.reach(&ask).await.map_err(|e| gone(&e))
    }

    /// The way that a grant opens now, if it does.
    async fn way(&self, row: &Row) -> Result<Route, Line> {
        let grant = &row.grant;
        let line = if grant.shown {
            self.passage.certificate.clone()
        } else {
            let ask = TakeAsk {
                held: self.held(),
                request: grant.request.clone(),
            };
            let taken = self.site.link.take(&ask).await;
            taken.map_err(|e| gone(&e))?.certificate
        };
        let trust = self.site.trust.get();
        let trust = trust.ok_or_else(|| Refusal::NoTrust.to_string())?;
        let (own, now) = (&self.site.name, self.site.clock.wall());
        let visitor = self.passage.choose(&line, &grant.access, own, now, &trust);
        visitor
            .map(Route::of)
            .map_err(|refusal| refusal.to_string())
    }

    fn held(&self) -> Held {
        Held {
            certificate: self.passage.certificate.clone(),
            access: self.passage.access.clone(),
            source: self.passage.source.to_canonical(),
        }
    }

    fn hint(&self) -> Line {
        let name = &self.site.name;
        format!(
            "no target is named: ssh LOGIN%TARGET@{name}, ssh -J {name} LOGIN@TARGET, or choose with ssh -t {name}"
        )
    }
}

fn nothing() -> &'static str {
    "no grant of yours opens a session now: ask for one with `ssh ca request LOGIN@TARGET`"
}

/// With the moments at which they are over, counted from now.
fn rows(reach: &Reach) -> Vec<Row> {
    let now = Instant::now();
    let over = |left_ms: u64| {
        let left = std::time::Duration::from_millis(left_ms);
        now + left.min(config::limits::GRANT_LONGEST)
    };
    let grants = reach.rows.iter().take(config::limits::REACH_ROWS);
    grants
        .map(|grant| Row {
            grant: grant.clone(),
            over: over(grant.left_ms),
        })
        .collect()
}

/// What the person has offered, without what their choice does not give.
fn narrow(prelude: &mut Prelude, permits: Permits) {
    if prelude.agent && !permits.agent {
        prelude.agent = false;
        prelude.refused.push(NO_AGENT.to_owned());
    }
    if prelude.display.is_some() && !permits.x11 {
        prelude.display = None;
        prelude.refused.push(NO_X11.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use config::limits;

    use super::*;

    #[test]
    fn so_many_rows_are_shown_and_no_more() {
        let names = vec!["root@db1.prod"; limits::REACH_ROWS + 1];
        let grants = choice::tests::rows(&names, Instant::now());
        let reach = Reach {
            person: "alice".parse().unwrap(),
            rows: grants.into_iter().map(|row| row.grant).collect(),
        };
        assert_eq!(reach.rows.len(), limits::REACH_ROWS + 1);
        assert_eq!(rows(&reach).len(), limits::REACH_ROWS);
    }
}
