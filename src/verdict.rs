//! `hallpass review`.

use std::fs::File;
use std::io::{self, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use clap::{ArgGroup, Args};
use config::words::RequestId;
use record::recording::verify;
use record::recording::{Header, Reader};
use record::text::Remark;

use crate::cli::Site;
use crate::failure::{Failure, Result};
use crate::reissue::KeyArgs;
use crate::review::find;
use crate::search::believed;

/// The arguments of `hallpass review`.
#[derive(Args)]
#[command(
    group(ArgGroup::new("verdict").required(true).multiple(false)),
    after_help = "This runs `ssh -A CA review REQUEST`: the CA shows what was done, your agent signs what you say of it, and the\n\
    signed note becomes an entry of the issuance log. `ssh ca pending --reviews` lists what waits for you. Without an agent:\n\
    `ssh ca review REQUEST --text` prints what `ssh-keygen -Y sign -n review@hallpass` is to sign."
)]
pub(crate) struct ReviewArgs {
    /// A request's identifier; or a recording's file or a session's identifier, for the request behind it
    id: String,
    /// It was right, and why you think so
    #[arg(long, value_name = "TEXT", group = "verdict")]
    accept: Option<Remark>,
    /// It was not right, and why
    #[arg(long, value_name = "TEXT", group = "verdict")]
    reject: Option<Remark>,
    /// The CA, as your `ssh` knows it
    #[arg(long, value_name = "HOST", default_value = "ca")]
    ca: String,
    /// The public keys by which a recording is believed (as `hallpass trust` prints them); if left out, the
    /// `allowed_signers` beside the configuration
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    #[command(flatten)]
    keys: KeyArgs,
}

/// Has the CA take a signed review; its exit status is that of `ssh`.
pub(crate) fn review(site: &Site, args: &ReviewArgs) -> Result<ExitCode> {
    let request = request(site, args)?;
    let (verdict, remark) = match (&args.accept, &args.reject) {
        (Some(remark), _) => ("--accept", remark),
        (None, Some(remark)) => ("--reject", remark),
        // clap lets exactly one of the two through.
        (None, None) => return Err(Failure::new("say either --accept TEXT or --reject TEXT")),
    };
    // The CA takes what stands behind the verdict as it stands, up to its next option.
    if remark
        .as_str()
        .split_whitespace()
        .any(|word| word.starts_with("--"))
    {
        return Err(Failure::new(
            "no word of the remark may begin with --: write it another way",
        ));
    }
    let mut ssh = Command::new("ssh");
    ssh.args([
        "-A",
        "--",
        &args.ca,
        "review",
        &request.to_string(),
        verdict,
        remark.as_str(),
    ]);
    let status = ssh
        .status()
        .map_err(|e| Failure::new(format!("ssh cannot be run: {e}")))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}

/// The request that was named, or that of the recording that was.
fn request(site: &Site, args: &ReviewArgs) -> Result<RequestId> {
    // First, so that no file called like a request takes its place.
    if let Ok(request) = RequestId::from_typed(&args.id) {
        return Ok(request);
    }
    let path = find(site, &args.id)?;
    let header = sealed_header(site, args, &path)?;
    writeln!(
        io::stderr(),
        "session {} of {}, {}, was let in by request {}",
        header.session,
        header.person,
        header.access,
        header.request
    )?;
    Ok(header.request)
}

/// What the recording says of its session, where a bastion that is trusted has signed it: a file that says otherwise would choose
/// what the reviewer signs.
fn sealed_header(site: &Site, args: &ReviewArgs, path: &Path) -> Result<Header> {
    let trusted = believed(site, args.trust.as_deref())?;
    let identities = args.keys.read()?;
    let session = Reader::open(path, &identities)?.header().session.clone();
    let trusted = trusted.opening(Arc::new(identities));
    let file = BufReader::new(File::open(path).map_err(|e| Failure::file("read", path, &e))?);
    let checked = verify::recording(file, &session, &trusted).map_err(|problem| {
        Failure::new(format!(
            "{problem}: what this recording says of itself is not believed. Name the bastions' keys by --trust FILE (as `hallpass \
             trust` prints them), or give the request's identifier"
        ))
    })?;
    checked.header.ok_or_else(|| {
        Failure::new("nothing of the recording is signed yet: wait for its end, or give the request's identifier")
    })
}
