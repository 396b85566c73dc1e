//! `hallpass log witness`: cosigns the checkpoints of other people's logs, over HTTP.

use std::convert::Infallible;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use clap::Args;
use config::limits;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, header};
use hyper_util::rt::TokioIo;
use record::checkpoint::cosign::WitnessKey;
use record::checkpoint::note::{KeyName, NoteError, NoteKey};
use record::clock::{Clock as _, SystemClock};
use record::witness::{self, Ask, Memory, MemoryError, No};
use ssh_key::PrivateKey;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::failure::{Failure, Result, safe};
use crate::serve;

/// Who cosigns what.
#[derive(Args)]
pub(crate) struct WitnessArgs {
    /// The witness's private key, Ed25519, without a passphrase; made by `ssh-keygen -t ed25519`, and used for
    /// nothing else
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The witness's name, like w1.example.org/hallpass
    #[arg(long)]
    name: KeyName,
    /// Where it remembers what it cosigned; a witness that loses this would cosign a fork
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// Where it listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7025")]
    listen: SocketAddr,
    /// A log that it watches, as `hallpass trust --note` prints it; may be given several times
    #[arg(long = "log", value_name = "VKEY", required = true)]
    logs: Vec<NoteKey>,
}

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(args: WitnessArgs) -> Result<()> {
    let key = PrivateKey::read_openssh_file(&args.key)
        .map_err(|e| Failure::new(format!("{}: {e}", args.key.display())))?;
    let public = WitnessKey::new(args.name.clone(), key.public_key())?;
    let memory = Memory::open(&args.state)?;
    serve::log();
    let witness = Arc::new(Witness {
        name: args.name,
        key,
        logs: args.logs,
        memory: Mutex::new(memory),
        clock: SystemClock::new(),
    });
    Runtime::new()?.block_on(async {
        let listener = TcpListener::bind(args.listen)
            .await
            .map_err(|e| Failure::new(format!("cannot listen on {}: {e}", args.listen)))?;
        writeln!(io::stdout(), "{public}")?;
        tracing::info!(address = %args.listen, "the witness listens");
        let stop = serve::asked_to_stop()?;
        tokio::select! {
            () = stop => {}
            () = serve_all(listener, witness) => {}
        }
        Ok(())
    })
}

async fn serve_all(listener: TcpListener, witness: Arc<Witness>) {
    let places = Arc::new(Semaphore::new(limits::WITNESS_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(e) => {
                tracing::warn!(error = %e, "a connection could not be accepted");
                tokio::time::sleep(limits::SYNC_EVERY).await;
                continue;
            }
        };
        let witness = Arc::clone(&witness);
        tokio::spawn(async move {
            serve_one(stream, witness).await;
            drop(place);
        });
    }
}

async fn serve_one(stream: TcpStream, witness: Arc<Witness>) {
    let service = service_fn(move |request| {
        let witness = Arc::clone(&witness);
        async move { Ok::<_, Infallible>(witness.answer(request).await) }
    });
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if let Ok(Err(e)) = timeout(limits::WITNESS_CONNECTION, served).await {
        tracing::debug!(error = %e, "a connection ended");
    }
}

struct Witness {
    name: KeyName,
    key: PrivateKey,
    logs: Vec<NoteKey>,
    /// One call at a time: between what it saw last and what it keeps, nobody else comes.
    memory: Mutex<Memory>,
    clock: SystemClock,
}

/// Why there is no cosignature.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    No(#[from] No),
    #[error(transparent)]
    Memory(#[from] MemoryError),
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl Witness {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if request.uri().path().trim_start_matches('/') != witness::ADD_CHECKPOINT {
            return say(404, "there is only add-checkpoint here\n".to_owned());
        }
        if request.method() != Method::POST {
            return say(405, "add-checkpoint is a POST\n".to_owned());
        }
        let body = Limited::new(request.into_body(), witness::BODY_BYTES);
        let Ok(body) = body.collect().await else {
            return say(413, "too long\n".to_owned());
        };
        let body = body.to_bytes();
        let done = tokio::task::spawn_blocking(move || self.cosign(&body)).await;
        match done {
            Ok(Ok(line)) => say(200, line),
            Ok(Err(Fault::No(no))) => refuse(&no),
            Ok(Err(fault)) => {
                tracing::error!(%fault, "nothing is cosigned");
                say(500, "the witness cannot cosign now\n".to_owned())
            }
            Err(_) => say(500, "the witness has a defect\n".to_owned()),
        }
    }

    fn cosign(&self, body: &[u8]) -> std::result::Result<String, Fault> {
        let ask = Ask::parse(body)?;
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let last = |origin: &KeyName| Ok::<_, Fault>(memory.last(origin)?);
        let consistent = witness::judge(ask, &self.logs, last)?;
        let kept = memory.keep(consistent)?;
        // If we die here, the log asks again from this size, and gets a signature over what is kept.
        let said = kept.checkpoint().clone();
        let line = kept.cosign(&self.name, &self.key, self.clock.wall())?;
        tracing::info!(log = %said.origin, size = said.size, "cosigned");
        Ok(line)
    }
}

fn refuse(no: &No) -> Response<Full<Bytes>> {
    let why = no.to_string();
    match no {
        No::Conflict(size) => {
            let mut answer = say(no.status(), format!("{size}\n"));
            let kind = header::HeaderValue::from_static(witness::SIZE_TYPE);
            answer.headers_mut().insert(header::CONTENT_TYPE, kind);
            answer
        }
        No::Fork { .. } | No::Inconsistent(_) => {
            tracing::error!(%why, "ALARM: a log that is watched has signed what does not continue it");
            say(no.status(), format!("{why}\n"))
        }
        No::Malformed(_) | No::UnknownLog | No::Unsigned => {
            tracing::warn!(why = safe(&why, ""), "refused");
            say(no.status(), format!("{why}\n"))
        }
    }
}

fn say(status: u16, text: String) -> Response<Full<Bytes>> {
    let answer = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "text/plain; charset=utf-8");
    let answer = answer.body(Full::new(Bytes::from(text)));
    answer.unwrap_or_default()
}
