//! One session, from the request for a shell or a command to its signed End.

mod begin;
mod fault;
mod reach;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use record::recording::{EndReason, Exit, RecordError, Recorder};
use russh::server::{Handle, Msg};
use russh::{Channel, ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use tokio::sync::{mpsc, oneshot};

use crate::doorman::HEARD;
use crate::ends::end_of;
use crate::flow::{Gate, Way};
use crate::forward::{Item, STDERR, forward};
use crate::jump::Place;
use crate::prelude::Start;
use crate::relay::{self, News, Over, Sides, Stop};
use crate::route::Route;
use crate::site::Site;

use begin::{Begun, Prepared};
use fault::Fault;
pub(crate) use fault::gone;

/// The exit status of a session that the bastion ended or did not begin, as `ssh` uses it for its own failures.
const ENDED: u32 = 255;

/// How long the person's side may take a last word; one that stands still does not get it.
const LAST_WORD: Duration = Duration::from_secs(2);

/// Begins to attend to a session channel.
pub(crate) fn begin(
    site: Arc<Site>,
    route: Arc<Route>,
    channel: Channel<Msg>,
    handle: Handle,
    started: oneshot::Receiver<Start>,
    (place, gate): (Place, Arc<Gate>),
) {
    tokio::spawn(async move {
        let (read, write) = channel.split();
        let client = Client {
            id: write.id(),
            read,
            write: Arc::new(write),
            handle,
            said: VecDeque::new(),
            held: 0,
            gate,
            _place: place,
        };
        Box::pin(attend(&site, &route, client, started)).await;
    });
}

async fn attend(
    site: &Arc<Site>,
    route: &Route,
    mut client: Client,
    mut started: oneshot::Receiver<Start>,
) {
    let Some(start) = client.while_held(&mut started).await.and_then(Result::ok) else {
        // It closed without having asked for anything.
        return client.close().await;
    };
    let counted = site.running.count();
    let pty = start.prelude.terminal.is_some();
    let prepared = client
        .meanwhile(Box::pin(begin::prepare(site, route, start)))
        .await;
    match prepared {
        Ok(prepared) => go(site, route, client, prepared, pty).await,
        Err(failed) => {
            let begin::Failed { fault, recorder } = *failed;
            refuse(site, route, client, fault, recorder, pty).await;
        }
    }
    drop(counted);
}

/// Reaches the target and carries the session, unless something ends it before.
async fn go(site: &Arc<Site>, route: &Route, mut client: Client, prepared: Prepared, pty: bool) {
    let Prepared { recorder, way } = prepared;
    let (name, until) = (way.name.clone(), way.until.clone());
    let stopped = way.stopped(site);
    let (handle, id) = (client.handle.clone(), client.id);
    let reaching = Box::pin(async {
        let begun = way.reach(site, route).await?;
        let _ = handle.channel_success(id).await;
        Ok::<_, Fault>(begun)
    });
    let reached = client.while_held(async {
        tokio::select! {
            reached = reaching => Ok(reached),
            stop = stopped => Err(stop),
        }
    });
    match reached.await {
        Some(Ok(Ok(begun))) => carry(site, client, recorder, begun, (&name, &until), pty).await,
        Some(Ok(Err(fault))) => refuse(site, route, client, fault, Some(recorder), pty).await,
        Some(Err(stop)) => {
            let (reason, mut words) = farewell(Over::Stopped(stop), &name, &until);
            end(site, recorder, reason, &mut words, pty, &client).await;
            client.leave(Reply::Success, words.exit).await;
        }
        None => {
            let (reason, mut words) = farewell(Over::ClientClosed, &name, &until);
            end(site, recorder, reason, &mut words, pty, &client).await;
            client.close().await;
        }
    }
}

/// Says why there is no session, and ends its recording if there is one.
async fn refuse(
    site: &Arc<Site>,
    route: &Route,
    client: Client,
    fault: Fault,
    recorder: Option<Recorder>,
    pty: bool,
) {
    let line = fault.to_string();
    tracing::info!(access = %route.access(), source = %route.source(), "no session: {line}");
    let mut words = Words {
        line: Some(line),
        exit: Exit::Status(ENDED),
    };
    if let Some(recorder) = recorder {
        end(site, recorder, fault.reason(), &mut words, pty, &client).await;
    } else {
        client.tell(words.line.take(), pty).await;
    }
    let reply = match fault {
        Fault::Request(_) => Reply::Failure,
        _ => Reply::Success,
    };
    client.leave(reply, words.exit).await;
}

/// Carries a session that has begun, and ends it.
async fn carry(
    site: &Arc<Site>,
    mut client: Client,
    mut recorder: Recorder,
    begun: Begun,
    (name, until): (&str, &str),
    pty: bool,
) {
    let Begun {
        target,
        mut target_read,
        target_write,
        target_said,
        mut news,
        herald,
        files,
    } = begun;
    let sides = Sides {
        client: &mut client.read,
        client_said: std::mem::take(&mut client.said),
        to_client: Arc::clone(&client.write),
        target: &mut target_read,
        target_said,
        to_target: target_write,
        up: Arc::clone(&client.gate),
    };
    // Counted again as the relay takes it.
    client.gate.gave(std::mem::take(&mut client.held));
    let over = relay::run(&mut recorder, pty, files, sides, &mut news).await;
    drop(herald);
    // Whatever comes now is neither recorded nor forwarded. A target that stands still is not waited for.
    let _ = tokio::time::timeout(LAST_WORD, target.close()).await;

    let (reason, mut words) = farewell(over, name, until);
    end(site, recorder, reason, &mut words, pty, &client).await;
    client.leave(Reply::Given, words.exit).await;
}

/// What the person still hears.
struct Words {
    line: Option<String>,
    exit: Exit,
}

/// Why it ended, and what the person still hears.
fn farewell(over: Over, name: &str, until: &str) -> (EndReason, Words) {
    let ended = |reason, line: String| {
        (
            reason,
            Words {
                line: Some(line),
                exit: Exit::Status(ENDED),
            },
        )
    };
    match over {
        Over::Exit(exit) => (EndReason::Exit, Words { line: None, exit }),
        Over::ClientClosed => (
            EndReason::ClientClosed,
            Words {
                line: None,
                exit: Exit::Status(ENDED),
            },
        ),
        Over::TargetClosed => ended(
            EndReason::TargetClosed,
            format!("{name} closed the connection"),
        ),
        Over::Full(way) => {
            let who = match way {
                Way::Up => name,
                Way::Down => "your side",
            };
            ended(
                EndReason::Overflow,
                format!("session ended: {who} takes no more bytes, and too many wait"),
            )
        }
        Over::Broken(broken) => ended(
            EndReason::Other("not-sftp".to_owned()),
            format!("session ended: {broken}"),
        ),
        Over::Recorder(e) => ended(EndReason::Recorder, recorder_failed(&e)),
        Over::Stopped(Stop::Deadline) => ended(
            EndReason::Deadline,
            format!("session ended: the grant ended at {until}"),
        ),
        Over::Stopped(Stop::GrantEnded) => ended(
            EndReason::Revoked,
            "session ended: the grant was given back or revoked".to_owned(),
        ),
        Over::Stopped(Stop::Shutdown) => ended(
            EndReason::Shutdown,
            "session ended: this bastion is closing".to_owned(),
        ),
    }
}

fn recorder_failed(e: &RecordError) -> String {
    format!("session ended: the recorder failed: {e}")
}

/// Says the last word, seals the recording with its signed End, and keeps the end for the CA.
async fn end(
    site: &Arc<Site>,
    mut recorder: Recorder,
    reason: EndReason,
    words: &mut Words,
    pty: bool,
    client: &Client,
) {
    if let Some(line) = words.line.take() {
        match relay::said(&mut recorder, &line, pty) {
            Ok(said) => client.hand(Item::Errors(said)).await,
            // A recorder that has failed does not keep its own failure from being told.
            Err(_) => client.tell(Some(line), pty).await,
        }
    }
    let keeping = Arc::clone(site);
    let kept = tokio::task::spawn_blocking(move || {
        let sealed = recorder.finish(reason)?;
        // If we die here, the recording is whole, and the CA has not heard of its end.
        let kept = keeping.ends.keep(&end_of(&sealed));
        Ok::<_, RecordError>((sealed, kept))
    })
    .await;
    match kept {
        Ok(Ok((sealed, kept))) => {
            tracing::info!(session = %sealed.session, reason = %sealed.end.reason, "session ended");
            if let Err(e) = kept {
                tracing::error!(session = %sealed.session, "the end is not kept for the CA: {e}");
            }
        }
        Ok(Err(e)) => {
            tracing::error!("a recording is not sealed: {e}");
            words.exit = Exit::Status(ENDED);
            client.tell(Some(recorder_failed(&e)), pty).await;
        }
        Err(e) => tracing::error!("a recording is not sealed: {e}"),
    }
}

/// Whether the request for a shell or a command has been answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reply {
    /// It has.
    Given,
    /// Not yet; it is answered with success, so that the client shows the reason and the exit status.
    Success,
    /// Not yet; the target refused it, and so do we.
    Failure,
}

/// The person's channel.
struct Client {
    id: ChannelId,
    read: ChannelReadHalf,
    write: Arc<ChannelWriteHalf<Msg>>,
    handle: Handle,
    said: VecDeque<ChannelMsg>,
    held: usize,
    gate: Arc<Gate>,
    _place: Place,
}

impl Client {
    /// Waits for something while the channel is drained; none if the client has gone meanwhile.
    async fn while_held<T>(&mut self, something: impl Future<Output = T>) -> Option<T> {
        let Self {
            read,
            said,
            held,
            gate,
            ..
        } = self;
        tokio::select! {
            // What is ready is not given up because the client has just gone.
            biased;
            done = something => Some(done),
            () = relay::hold(read, said, held, gate) => None,
        }
    }

    /// Waits for something while the channel is drained, also if the client has gone meanwhile.
    async fn meanwhile<T>(&mut self, something: impl Future<Output = T> + Unpin) -> T {
        let mut something = something;
        match self.while_held(&mut something).await {
            Some(done) => done,
            None => something.await,
        }
    }

    /// Hands the channel something that was recorded, if it takes it in time.
    async fn hand(&self, item: Item) {
        let _ = tokio::time::timeout(LAST_WORD, forward(&self.write, item)).await;
    }

    /// Gives the person a line of ours that no recording holds: there is none, or it has failed.
    async fn tell(&self, line: Option<String>, pty: bool) {
        let Some(line) = line else { return };
        let end = if pty { "\r\n" } else { "\n" };
        let bytes = Bytes::from(format!("hallpass: {line}{end}"));
        let _ =
            tokio::time::timeout(LAST_WORD, self.write.extended_data_bytes(STDERR, bytes)).await;
    }

    /// Says how the command ended, and closes.
    async fn leave(self, reply: Reply, exit: Exit) {
        let leaving = async {
            match reply {
                Reply::Given => {}
                Reply::Success => {
                    let _ = self.handle.channel_success(self.id).await;
                }
                Reply::Failure => {
                    tokio::time::sleep(HEARD).await;
                    let _ = self.handle.channel_failure(self.id).await;
                }
            }
            match exit {
                Exit::Status(status) => {
                    let _ = self.write.exit_status(status).await;
                }
                Exit::Signal(name) => {
                    let (signal, empty) = (signal(name), String::new());
                    let _ = self
                        .handle
                        .exit_signal_request(self.id, signal, false, empty.clone(), empty)
                        .await;
                }
            }
            let _ = self.write.close().await;
        };
        let _ = tokio::time::timeout(LAST_WORD, leaving).await;
    }

    async fn close(self) {
        let _ = tokio::time::timeout(LAST_WORD, self.write.close()).await;
    }
}

fn signal(name: String) -> Sig {
    match name.as_str() {
        "ABRT" => Sig::ABRT,
        "ALRM" => Sig::ALRM,
        "FPE" => Sig::FPE,
        "HUP" => Sig::HUP,
        "ILL" => Sig::ILL,
        "INT" => Sig::INT,
        "KILL" => Sig::KILL,
        "PIPE" => Sig::PIPE,
        "QUIT" => Sig::QUIT,
        "SEGV" => Sig::SEGV,
        "TERM" => Sig::TERM,
        "USR1" => Sig::USR1,
        _ => Sig::Custom(name),
    }
}

/// Tells a session what happens around it, until this is dropped.
#[derive(Debug)]
struct Herald(tokio::task::JoinHandle<()>);

impl Herald {
    fn new(telling: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(telling))
    }
}

impl Drop for Herald {
    fn drop(&mut self) {
        self.0.abort();
    }
}

type Teller = mpsc::UnboundedSender<News>;
