//! The two services.

use std::future::Future;
use std::io::{IsTerminal, Write};

use config::Config;
use config::words::BastionName;
use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::cli::Site;
use crate::failure::{Failure, Result};
use crate::lines::Lines;

/// Serves the certificate authority until SIGTERM or SIGINT.
pub(crate) fn ca(site: &Site) -> Result<()> {
    let config = site.load()?;
    log();
    leave_no_core()?;
    let runtime = Runtime::new()?;
    runtime
        .block_on(async { Ok(ca::serve(site.path().to_owned(), config, asked_to_stop()?).await?) })
}

/// Makes the CA's state store again.
pub(crate) fn rebuild(site: &Site) -> Result<()> {
    let entries = ca::rebuild(&site.load()?)?;
    Ok(writeln!(
        std::io::stdout(),
        "the state store holds what {entries} entries of the issuance log say"
    )?)
}

/// Serves a bastion until SIGTERM, SIGINT or SIGHUP.
pub(crate) fn bastion(site: &Site, name: Option<BastionName>) -> Result<()> {
    let config = site.load()?;
    let name = match name {
        Some(name) => name,
        None => the_only(&config)?,
    };
    log();
    leave_no_core()?;
    let runtime = Runtime::new()?;
    runtime.block_on(async { Ok(bastion::serve(config, name, asked_to_stop_or_left()?).await?) })
}

/// Keys are in our memory, and must not lie about in a file after a crash; also where no unit says `LimitCORE=0`.
fn leave_no_core() -> Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)
        .map_err(|e| Failure::new(format!("core dumps cannot be switched off: {e}")))
}

fn the_only(config: &Config) -> Result<BastionName> {
    let mut names = config.bastions.keys();
    match (names.next(), names.next()) {
        (Some(only), None) => Ok(only.clone()),
        (None, _) => Err(Failure::new(
            "the configuration has no bastion: add [bastion.NAME]",
        )),
        _ => {
            let all: Vec<_> = config.bastions.keys().map(BastionName::as_str).collect();
            Err(Failure::new(format!(
                "there are several bastions: say --name with one of {}",
                all.join(", ")
            )))
        }
    }
}

/// The moment of SIGTERM or SIGINT, and of SIGHUP, which says that the terminal is gone, unless whoever started this has it ignored
/// (`nohup`).
fn asked_to_stop_or_left() -> Result<impl Future<Output = ()> + Send + 'static> {
    let stop = asked_to_stop()?;
    let mut hangup = if ignores_hangup() {
        None
    } else {
        Some(signal(SignalKind::hangup())?)
    };
    Ok(async move {
        let left = async {
            match &mut hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop => {}
            _ = left => tracing::info!("SIGHUP: ending as with SIGTERM"),
        }
    })
}

/// Whether SIGHUP was to be ignored when this was started (`proc_pid_status(5)`, `SigIgn`).
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & 1 != 0)
}

/// The moment of SIGTERM or SIGINT.
pub(crate) fn asked_to_stop() -> Result<impl Future<Output = ()> + Send + 'static> {
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    })
}

/// Log lines go to standard error, each event one of them; `RUST_LOG` says how many.
pub(crate) fn log() {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,russh=warn"));
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colour)
        .with_writer(move || Lines {
            to: std::io::stderr(),
            colour,
        })
        .init();
}
