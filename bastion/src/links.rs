//! The connections that a target opens to the person's side: each is recorded, offered to the person's client, and carried.

use config::limits;
use record::recording::{Forwarded, Forwards, Link, RecordError};
use russh::ChannelOpenFailure;
use russh::server::{Handle, Msg};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::agent::Requests;
use crate::destination::{Listening, place};
use crate::gates::Gates;
use crate::link::{self, End, LinkOver};
use crate::places::{Places, Taken};
use crate::relay::{Over, SharedBounds};
use crate::target::{Arrival, Guest};

/// The person's connection, as those who open channels on it need it.
#[derive(Clone)]
pub(crate) struct Near {
    pub(crate) handle: Handle,
    pub(crate) gates: Gates,
    pub(crate) places: Places,
}

/// What a target may connect to, and all that it does.
pub(crate) struct Links {
    pub(crate) near: Near,
    /// The gates of the connection to the target.
    pub(crate) far: Gates,
    pub(crate) forwards: Forwards,
    pub(crate) bounds: SharedBounds,
    /// Where the target listens, if it does.
    pub(crate) listening: Option<Listening>,
    pub(crate) arrivals: mpsc::Receiver<Arrival>,
}

/// The connections that a target opens, carried beside something else.
pub(crate) struct Serving {
    task: JoinHandle<Result<(), Over>>,
    cut: Option<oneshot::Sender<()>>,
}

impl Serving {
    /// Begins. When `closing` is ready or closed, no more are taken.
    pub(crate) fn begin(links: Links, closing: oneshot::Receiver<()>) -> Self {
        let (cut, when_cut) = oneshot::channel();
        Self {
            task: tokio::spawn(Box::pin(links.serve(closing, when_cut))),
            cut: Some(cut),
        }
    }

    /// Returns when the target is gone, or no more are taken and the last one is over. An error is the recorder's, or the
    /// session's bounds.
    pub(crate) async fn done(&mut self) -> Result<(), Over> {
        // It fails by a defect alone.
        (&mut self.task)
            .await
            .unwrap_or(Err(Over::Recorder(RecordError::Failed)))
    }

    /// Cuts off those that are left. When this returns, the recording has the end of each.
    pub(crate) async fn end(mut self) {
        self.cut = None;
        if !self.task.is_finished() {
            let _ = (&mut self.task).await;
        }
    }
}

impl Links {
    async fn serve(
        mut self,
        mut closing: oneshot::Receiver<()>,
        mut cut: oneshot::Receiver<()>,
    ) -> Result<(), Over> {
        let mut running = JoinSet::new();
        let mut open = true;
        let served = loop {
            tokio::select! {
                _ = &mut cut => break Ok(()),
                arrival = self.arrivals.recv(), if open => match arrival {
                    Some(arrival) => if let Err(e) = self.welcome(arrival, &mut running).await {
                        break Err(e.into());
                    },
                    None => open = false,
                },
                _ = &mut closing, if open => open = false,
                Some(ended) = running.join_next(), if !running.is_empty() => {
                    match ended {
                        Ok(LinkOver::Over(over @ (Over::Recorder(_) | Over::Large(_)))) => {
                            break Err(over);
                        }
                        Ok(LinkOver::Over(Over::Full(_))) => {
                            tracing::warn!("a forwarded connection has ended: too many bytes wait");
                        }
                        _ => {}
                    }
                }
            }
            if !open && running.is_empty() {
                break Ok(());
            }
        };
        running.shutdown().await;
        served
    }

    async fn welcome(
        &self,
        arrival: Arrival,
        running: &mut JoinSet<LinkOver>,
    ) -> Result<(), RecordError> {
        let (kind, to, from) = arrival.guest.words();
        let link = self.forwards.asked(kind, &to, &from)?;
        let refusal = if self.is_expected(&arrival.guest) {
            None
        } else {
            Some("nobody asked the target for this")
        };
        let place = self.near.places.take();
        let Some(place) = place.filter(|_| refusal.is_none()) else {
            let why = refusal.unwrap_or("too many connections are forwarded on this one");
            link.refused(why)?;
            reject(arrival, why).await;
            return Ok(());
        };
        let (near, far) = (self.near.clone(), self.far.clone());
        let bounds = self.bounds.clone();
        running.spawn(
            async move { Box::pin(carry((near, far), bounds, link, (arrival, place))).await },
        );
        Ok(())
    }

    /// Whether this is what the target was asked for.
    fn is_expected(&self, guest: &Guest) -> bool {
        match (guest, &self.listening) {
            (Guest::Agent | Guest::X11(_), None) => true,
            (Guest::Tcp { at, .. }, Some(Listening::Tcp(_, port))) => at.1 == *port,
            (Guest::Socket(path), Some(Listening::Socket(own))) => path == own,
            _ => false,
        }
    }
}

async fn reject(arrival: Arrival, why: &str) {
    let reason = format!("hallpass: {why}");
    arrival
        .reply
        .reject(ChannelOpenFailure::Other { code: 1, reason })
        .await;
}

/// Offers one connection to the person's client, and carries it.
async fn carry(
    (near, far): (Near, Gates),
    bounds: SharedBounds,
    mut link: Link,
    (arrival, place): (Arrival, Taken),
) -> LinkOver {
    let opened = offer(near.handle, arrival.guest.clone(), place);
    let (channel, _place) = match timeout(limits::TARGET_CONNECT, opened).await {
        Ok(Ok(Ok(opened))) => opened,
        Ok(Ok(Err(why))) => return turn_away(link, arrival, &why).await,
        Ok(Err(_)) => return turn_away(link, arrival, "the person's client is gone").await,
        Err(_) => return turn_away(link, arrival, "the person's client does not answer").await,
    };
    let near_id = channel.id();
    let gate = near.gates.enter(near_id);
    match link.opened() {
        Ok(opened) => opened.into_inner(),
        Err(e) => {
            let _ = channel.close().await;
            reject(arrival, "the recorder failed").await;
            return e.into();
        }
    }
    let requests = matches!(arrival.guest, Guest::Agent).then(Requests::default);
    let (far_id, far_gate) = (arrival.channel.id(), far.enter(arrival.channel.id()));
    arrival.reply.accept().await;
    let over = link::run(
        link,
        (requests, bounds),
        End::new(channel, gate),
        End::new(arrival.channel, far_gate),
    )
    .await;
    near.gates.leave(near_id);
    far.leave(far_id);
    over
}

/// What the person's client opens, and its place.
type Offered = Result<(russh::Channel<Msg>, Taken), String>;

/// Offers a connection to the person's client. A client that says yes when nobody waits for it any more is told that the
/// channel is closed, or both would keep it for good. Until it has said something, the place is taken.
fn offer(handle: Handle, guest: Guest, place: Taken) -> oneshot::Receiver<Offered> {
    let (answer, answered) = oneshot::channel();
    tokio::spawn(async move {
        let opened = open(&handle, &guest).await;
        if let Err(Ok((channel, _place))) = answer.send(opened.map(|channel| (channel, place))) {
            let _ = channel.close().await;
        }
    });
    answered
}

async fn turn_away(link: Link, arrival: Arrival, why: &str) -> LinkOver {
    let recorded = link.refused(why);
    reject(arrival, why).await;
    match recorded {
        Ok(()) => LinkOver::Near,
        Err(e) => e.into(),
    }
}

async fn open(handle: &Handle, guest: &Guest) -> Result<russh::Channel<Msg>, String> {
    let opened = match guest {
        Guest::Tcp { at, from } => {
            handle
                .channel_open_forwarded_tcpip(at.0.as_str(), at.1, from.0.as_str(), from.1)
                .await
        }
        Guest::Socket(path) => {
            handle
                .channel_open_forwarded_streamlocal(path.as_str())
                .await
        }
        Guest::Agent => handle.channel_open_agent().await,
        Guest::X11(from) => handle.channel_open_x11(from.0.as_str(), from.1).await,
    };
    opened.map_err(|e| match e {
        russh::Error::ChannelOpenFailure(failure) => {
            format!("the person's client said: {}", failure.description())
        }
        _ => "the person's client is gone".to_owned(),
    })
}

impl Guest {
    fn words(&self) -> (Forwarded, String, String) {
        match self {
            Self::Tcp { at, from } => (Forwarded::Tcp, place(&at.0, at.1), place(&from.0, from.1)),
            Self::Socket(path) => (Forwarded::Socket, path.clone(), String::new()),
            Self::Agent => (Forwarded::Agent, String::new(), String::new()),
            Self::X11(from) => (Forwarded::X11, String::new(), place(&from.0, from.1)),
        }
    }
}
