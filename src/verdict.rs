//! `hallpass review`.

use std::fs::File;
use std::io::{self, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::sync::Arc;

use clap::{ArgGroup, Args};
use config::words::RequestId;
use record::age::Identities;
use record::recording::verify::{self, Trusted};
use record::recording::{Header, Reader};
use record::review::{Review, Seen};
use record::text::Remark;

use crate::cli::Site;
use crate::failure::{Failure, Result, safe};
use crate::reissue::KeyArgs;
use crate::review::{find_anywhere, is_readable};
use crate::search::believed;

/// With what `ssh` ends when it has an error of its own (ssh(1), EXIT STATUS).
const UNREACHED: i32 = 255;

/// The arguments of `hallpass review`.
#[derive(Args)]
#[command(
    group(ArgGroup::new("verdict").required(true).multiple(false)),
    after_help = "This runs `ssh -A CA review REQUEST`: the CA shows what was done, your agent signs what you say of it, and the\n\
    signed note becomes an entry of the issuance log. A recording that is named has to be the one that the log and so the note speak of. `ssh ca pending --reviews` lists what waits for you. Without an agent:\n\
    `ssh ca review REQUEST --text` prints what `ssh-keygen -Y sign -n review@hallpass` is to sign."
)]
pub(crate) struct ReviewArgs {
    /// A request's identifier; or a recording's file, a session's identifier or one in a bucket (`s3://BUCKET/PREFIX/SESSION`), for the
    /// request behind it
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
    let (request, seen) = request(site, args)?;
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
    let request = request.to_string();
    if let Some(seen) = seen {
        let text = ["--text", verdict, remark.as_str()];
        let mut ssh = Command::new("ssh");
        ssh.args(["--", &args.ca, "review", &request]).args(text);
        if let Some(status) = is_signed(&seen, &mut ssh, &args.ca)? {
            return Ok(status);
        }
    }
    let mut ssh = Command::new("ssh");
    ssh.args(["-A", "--", &args.ca, "review", &request]);
    ssh.args([verdict, remark.as_str()]);
    let status = ssh
        .status()
        .map_err(|e| Failure::new(format!("ssh cannot be run: {e}")))?;
    say_if_unreached(status, &args.ca)?;
    Ok(ended(status))
}

/// Says what to do where `ssh` did not come to the CA.
fn say_if_unreached(status: ExitStatus, ca: &str) -> Result<()> {
    if status.code() == Some(UNREACHED) {
        writeln!(
            io::stderr(),
            "`ssh {0}` did not get through: {0} has to name the CA in your ~/.ssh/config (ask the CA at its address: `ssh-config` \
             prints the lines), or name it by --ca HOST",
            safe(ca, "")
        )?;
    }
    Ok(())
}

fn ended(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    ExitCode::from(code.unwrap_or(1))
}

/// Whether the note that the CA has signed names the very recording that was looked at; the exit status of `ssh` if it told no note.
fn is_signed(seen: &Seen, ssh: &mut Command, ca: &str) -> Result<Option<ExitCode>> {
    let told = ssh.stderr(Stdio::inherit()).output();
    let told = told.map_err(|e| Failure::new(format!("ssh cannot be run: {e}")))?;
    if !told.status.success() {
        say_if_unreached(told.status, ca)?;
        return Ok(Some(ended(told.status)));
    }
    let text = String::from_utf8_lossy(&told.stdout);
    let note = Review::parse(&text)
        .map_err(|e| Failure::new(format!("what the CA would have you sign: {e}")))?;
    let named = note.seen.iter().find(|one| one.session == seen.session);
    let why = match named.map(|one| one.recording) {
        Some(recording) if recording == seen.recording => return Ok(None),
        Some(None) => "the log has no end of its session yet: wait a moment, and do it again",
        Some(Some(_)) => {
            "the log says that its session's recording is another one: run `hallpass verify` with the log, and sign nothing for this file"
        }
        None => {
            "the note that you would sign does not name its session: give the request's identifier to review it without a recording"
        }
    };
    Err(Failure::new(format!("nothing is signed: {why}")))
}

/// The request that was named, or that of the recording that was, and what that recording is.
fn request(site: &Site, args: &ReviewArgs) -> Result<(RequestId, Option<Seen>)> {
    // First, so that no file called like a request takes its place.
    if let Ok(request) = RequestId::from_typed(&args.id) {
        return Ok((request, None));
    }
    let trusted = believed(site, args.trust.as_deref())?;
    let identities = args.keys.read()?;
    let readable = |path: &Path| is_readable(path, &identities);
    let found = find_anywhere(site, &args.id, &trusted, &readable)?;
    let (header, seen) = sealed_header(trusted, identities, found.path())?;
    writeln!(
        io::stderr(),
        "session {} of {}, {}, was let in by request {}",
        header.session,
        header.person,
        header.access,
        header.request
    )?;
    Ok((header.request, Some(seen)))
}

/// What the recording says of its session, where a bastion that is trusted has signed it: a file that says otherwise would choose
/// what the reviewer signs.
fn sealed_header(trusted: Trusted, identities: Identities, path: &Path) -> Result<(Header, Seen)> {
    let session = Reader::open(path, &identities)?.header().session.clone();
    let trusted = trusted.opening(Arc::new(identities));
    let file = BufReader::new(File::open(path).map_err(|e| Failure::file("read", path, &e))?);
    let checked = verify::recording(file, &session, &trusted).map_err(|problem| {
        Failure::new(format!(
            "{problem}: what this recording says of itself is not believed. Name the bastions' keys by --trust FILE (as `hallpass \
             trust` prints them), or give the request's identifier"
        ))
    })?;
    if checked.end.is_none() {
        return Err(Failure::new(
            "the recording has no end yet: wait for it, or give the request's identifier",
        ));
    }
    let header = checked.header.ok_or_else(|| {
        Failure::new("the recording does not open: give --identity, or the request's identifier")
    })?;
    let recording = Some((checked.root, checked.frames));
    Ok((header, Seen { session, recording }))
}
