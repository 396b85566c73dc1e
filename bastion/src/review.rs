//! Reading is an access like any other: what somebody may do who comes as `review@BASTION`.
//!
//! * [`ask`]: what the reviewer typed, parsed.
//! * [`desk`]: the reviewer's channel, and how long the grant lets it live.
//! * [`table`], [`cat`]: sessions and recordings, as text that no terminal acts on; [`words`]: what is said of the bucket.
//!
//! The CA decides each time, and has the reading in its log before the first byte is shown: while it is away, nothing is.

mod ask;
mod cat;
mod desk;
mod table;
mod words;

use std::io;
use std::sync::Arc;

use config::words::SessionId;
use record::api::review::{ListAsk, Listing, ReadAsk, ReadGiven, Shown, unknown};
use record::reading::Reading;
use record::recording::crypt::reissue::{self, ReissueError};
use record::recording::reader::ReadError;
use record::text::Reason;
use tokio::time::Instant;

use crate::fetch;
use crate::prelude::{Runs, Start};
use crate::relay::Stop;
use crate::session::{Fresh, gone};
use crate::site::Site;
use crate::visitor::Reviewer;
use crate::watch::paper::Paper;
use crate::watch::seat::{Left, Seat};

use ask::{Ask, Filter};
use desk::Desk;

/// The exit status of what was refused.
const REFUSED: u32 = 1;

/// The exit status of what was not understood.
const UNUSABLE: u32 = 2;

/// Begins to attend to a reviewer's channel.
pub(crate) fn begin(site: Arc<Site>, reviewer: Arc<Reviewer>, fresh: Fresh) {
    tokio::spawn(async move {
        let Fresh {
            channel,
            near,
            started,
            place,
            gate: _,
        } = fresh;
        let counted = site.running.count();
        if let Some((desk, start)) = Desk::open(channel, near, started).await {
            attend(&site, &reviewer, desk, start).await;
        }
        drop((counted, place));
    });
}

async fn attend(site: &Arc<Site>, reviewer: &Reviewer, mut desk: Desk, start: Start) {
    let asked = match (&reviewer.command, start.runs) {
        (_, Runs::Sftp | Runs::Forward(_) | Runs::Listen(_)) => return desk.refuse().await,
        (Some(forced), _) => Ask::parse(forced),
        (None, Runs::Shell) => Ok(Ask::Help),
        (None, Runs::Command(bytes)) => Ask::parse(&String::from_utf8_lossy(&bytes)),
    };
    desk.accept().await;
    let review = Review { site, reviewer };
    let status = match asked {
        Err(why) => {
            desk.complain(&why.to_string()).await;
            UNUSABLE
        }
        Ok(ask) => match review.answer(&mut desk, ask).await {
            Ok(()) => 0,
            Err(line) => {
                desk.complain(&line).await;
                REFUSED
            }
        },
    };
    desk.leave(status).await;
}

/// One question of a reviewer.
struct Review<'a> {
    site: &'a Arc<Site>,
    reviewer: &'a Reviewer,
}

/// What the reviewer reads of something that was not done.
type Line = String;

impl Review<'_> {
    async fn answer(&self, desk: &mut Desk, ask: Ask) -> Result<(), Line> {
        match ask {
            Ask::Help => {
                desk.print(ask::HELP).await;
                Ok(())
            }
            Ask::List(filter) => self.list(desk, filter).await,
            Ask::Watch(session) => self.watch(desk, &session).await,
            Ask::Cat { session, stored } => self.cat(desk, &session, stored).await,
            Ask::Kill { session, reason } => self.kill(desk, &session, reason).await,
            Ask::Erase { session, reason } => self.erase(desk, &session, reason).await,
            Ask::Hold { session, reason } => self.hold(desk, &session, Reading::Hold(reason)).await,
            Ask::Release { session, reason } => {
                self.hold(desk, &session, Reading::Release(reason)).await
            }
        }
    }

    async fn list(&self, desk: &mut Desk, filter: Filter) -> Result<(), Line> {
        let ask = ListAsk {
            shown: self.shown(),
            session: None,
            person: filter.person,
            target: filter.target,
            live: filter.live,
        };
        let listing = self.listing(&ask).await?;
        let runs = |session: &SessionId| self.site.running.runs(session);
        desk.print(&table::table(&listing.sessions, runs, desk.cols()))
            .await;
        Ok(())
    }

    async fn cat(&self, desk: &mut Desk, session: &SessionId, stored: bool) -> Result<(), Line> {
        if stored && desk.cols().is_some() {
            return Err(
                "stored bytes are no text: run it without -t, and write them to a file".to_owned(),
            );
        }
        if stored && self.site.running.runs(session) {
            let runs =
                format!("session {session} runs: its stored bytes are not whole before its end");
            return Err(self.if_theirs(session, runs).await);
        }
        let began = Instant::now();
        let ReadGiven { pass, .. } = self.read(session, Reading::Cat).await?;
        let out = desk.out().clone();
        let showing = async {
            let found = fetch::find(self.site, session).await;
            let found = found.map_err(|e| e.to_string())?;
            let opened = cat::Cat::open(found.dir(self.site), session, stored).await?;
            cat::show(out, opened).await
        };
        let shown = desk::bounded(self.site, &pass, began, desk.unless_left(showing));
        let shown = shown.await.map_err(|stop| farewell(&stop))?;
        shown.unwrap_or(Ok(()))
    }

    async fn watch(&self, desk: &mut Desk, session: &SessionId) -> Result<(), Line> {
        let terminal = desk.terminal().filter(|terminal| terminal.name != "dumb");
        let (cols, rows) = terminal
            .map(|terminal| (terminal.cols, terminal.rows))
            .ok_or("watch needs a terminal that can move its cursor: run it with `ssh -t`")?;
        let Some(stage) = self.site.running.stage(session) else {
            return Err(self.if_theirs(session, not_running(session)).await);
        };
        let began = Instant::now();
        let ReadGiven {
            pass,
            session: whose,
        } = self.read(session, Reading::Watch).await?;
        let line = format!(
            "live  {} {}  {session}  q leaves",
            whose.person, whose.access
        );
        let (read, out) = desk.sides();
        let write = out.write();
        let seat = Seat {
            cols,
            rows,
            read,
            write,
        };
        let watching = seat.watch(&stage, &pass.person, &line);
        let left = match desk::bounded(self.site, &pass, began, watching).await {
            Ok(left) => left,
            Err(stop) => {
                desk.show(Paper::end()).await;
                return Err(farewell(&stop));
            }
        };
        match left.map_err(|e| format!("the screen cannot be drawn: {e}"))? {
            Left::Gone => Ok(()),
            Left::Over(reason) => {
                desk.print(&format!("session {session} has ended: {reason}\n"))
                    .await;
                Ok(())
            }
            Left::Slow => {
                Err("your side did not take what it was shown, and was let go".to_owned())
            }
        }
    }

    async fn kill(&self, desk: &mut Desk, session: &SessionId, reason: Reason) -> Result<(), Line> {
        let over = || not_running(session);
        if !self.site.running.runs(session) {
            return Err(self.if_theirs(session, over()).await);
        }
        let given = self.read(session, Reading::Kill(reason.clone())).await?;
        let by = given.pass.person.to_string();
        tracing::warn!(%session, %by, %reason, "a session is ended by a reviewer");
        let stop = Stop::Killed {
            by,
            reason: reason.to_string(),
        };
        if !self.site.running.kill(session, stop) {
            return Err(over());
        }
        let whose = given.session;
        desk.print(&format!(
            "session {session} of {} to {} is ended\n",
            whose.person, whose.access
        ))
        .await;
        Ok(())
    }

    /// Destroys the key of a recording. What could not be erased anyway never stands in the log.
    async fn erase(
        &self,
        desk: &mut Desk,
        session: &SessionId,
        reason: Reason,
    ) -> Result<(), Line> {
        let name = format!("{session}.cast.zst");
        let path = self.site.store.dir().join(&name);
        // Nothing is brought here for somebody who may not.
        self.may(session, Reading::Erase(reason.clone())).await?;
        let found = fetch::find(self.site, session).await;
        let found = found.map_err(|e| e.to_string())?;
        // Nobody removes it meanwhile.
        let _keeping = self.site.keeping.lock().await;
        let found = found.settled(self.site, session).await;
        let found = found.map_err(|e| e.to_string())?;
        let looked = found.dir(self.site).join(name);
        let could = tokio::task::spawn_blocking(move || reissue::erasable(&looked));
        could.await.map_err(|_| DEFECT)?.map_err(not_erased)?;
        let given = self.read(session, Reading::Erase(reason.clone())).await?;
        let by = &given.pass.person;
        tracing::warn!(%session, %by, %reason, "a recording is erased by a reviewer");
        // If we die here, the log says that it was to be erased, and the same command does it.
        let (site, id) = (Arc::clone(self.site), session.clone());
        let erased = tokio::task::spawn_blocking(move || {
            found.stay(site.store.dir(), &id)?;
            // What lies in the bucket is replaced by the erased one, whenever we die.
            site.uploads
                .as_ref()
                .map_or(Ok(()), |uploads| uploads.again(&id))?;
            reissue::erase(&path)
        });
        erased.await.map_err(|_| DEFECT)?.map_err(not_erased)?;
        let whose = given.session;
        let locks = self.site.uploads.as_ref().map(|there| there.locks_some());
        let bucket = words::replaced(locks);
        desk.print(&format!(
            "the recording of session {session}, {} to {}, is erased: nobody reads it here any more, and it verifies{bucket}\n",
            whose.person, whose.access
        ))
        .await;
        Ok(())
    }

    /// Holds a recording, or lifts that. What is not here any more is not held: nothing is removed meanwhile.
    async fn hold(
        &self,
        desk: &mut Desk,
        session: &SessionId,
        reading: Reading,
    ) -> Result<(), Line> {
        let keeping = self.site.keeping.lock().await;
        let holds = matches!(reading, Reading::Hold(_));
        if holds && let Err(why) = fetch::is_kept(self.site, session).await {
            return Err(self.if_theirs(session, why.to_string()).await);
        }
        let given = self.read(session, reading).await?;
        drop(keeping);
        let whose = given.session;
        let now = if holds {
            "is held: it stays until somebody lifts that with `release`"
        } else {
            "is held no longer: it is kept as its role says"
        };
        desk.print(&format!(
            "the recording of session {session}, {} to {}, {now}\n",
            whose.person, whose.access
        ))
        .await;
        Ok(())
    }

    /// What was found here without the CA's word, for a reviewer whose role reads the session; others hear what they would if
    /// there were none.
    async fn if_theirs(&self, session: &SessionId, found: Line) -> Line {
        let ask = ListAsk {
            shown: self.shown(),
            session: Some(session.clone()),
            person: None,
            target: None,
            live: false,
        };
        match self.listing(&ask).await {
            Ok(listing) if listing.sessions.is_empty() => unknown(session),
            Ok(_) => found,
            Err(why) => why,
        }
    }

    async fn listing(&self, ask: &ListAsk) -> Result<Listing, Line> {
        self.site.link.review_list(ask).await.map_err(|e| gone(&e))
    }

    /// Asks the CA whether it would say yes, before anything is done for it.
    async fn may(&self, session: &SessionId, reading: Reading) -> Result<(), Line> {
        let ask = self.ask(session, reading);
        let may = self.site.link.review_may(&ask).await;
        may.map(drop).map_err(|e| gone(&e))
    }

    /// Asks the CA, which has the reading in its log when it says yes.
    async fn read(&self, session: &SessionId, reading: Reading) -> Result<ReadGiven, Line> {
        let ask = self.ask(session, reading);
        self.site.link.review_read(&ask).await.map_err(|e| gone(&e))
    }

    fn ask(&self, session: &SessionId, reading: Reading) -> ReadAsk {
        ReadAsk {
            shown: self.shown(),
            session: session.clone(),
            reading,
        }
    }

    fn shown(&self) -> Shown {
        Shown {
            certificate: self.reviewer.certificate.clone(),
            access: self.reviewer.access.clone(),
            source: self.reviewer.source.to_canonical(),
        }
    }
}

/// What a reviewer hears when we have failed ourselves.
const DEFECT: &str = "the bastion failed: its log says more";

/// What a reviewer hears of a recording that this bastion has not.
const NOT_HERE: &str = "there is no recording of it here";

fn not_erased(e: ReissueError) -> Line {
    match e {
        ReissueError::Read(ReadError::Io(e)) | ReissueError::Io(e)
            if e.kind() == io::ErrorKind::NotFound =>
        {
            NOT_HERE.to_owned()
        }
        other => other.to_string(),
    }
}

fn not_running(session: &SessionId) -> Line {
    format!("session {session} does not run here: `ls --live` shows those that do")
}

/// What a reviewer hears whose time is over.
fn farewell(stop: &Stop) -> Line {
    match stop {
        Stop::Deadline => "the grant to review has ended".to_owned(),
        Stop::Shutdown => "this bastion is closing".to_owned(),
        Stop::GrantEnded | Stop::Killed { .. } | Stop::Alert(_) => {
            "the grant to review was given back or revoked".to_owned()
        }
    }
}
