//! Who opens sealed recordings: identities on the command line, `hallpass share` and `hallpass erase`.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use config::recipient::Recipient;
use config::recipients::Recipients;
use record::age::Identities;
use record::recording::crypt::reissue::{self, Shared};

use crate::cli::Site;
use crate::failure::{Failure, Result};
use crate::review::{find, find_anywhere};
use crate::search::believed;

/// Private keys that open sealed recordings.
#[derive(Args, Default)]
pub(crate) struct KeyArgs {
    /// A private key that opens sealed recordings: OpenSSH's (ssh-ed25519), or an identity file of age; may be repeated
    #[arg(long = "identity", short = 'i', value_name = "FILE")]
    identities: Vec<PathBuf>,
}

/// The arguments of `hallpass share`.
#[derive(Args)]
#[command(
    after_help = "The copy is for the new recipients alone, and verifies under the same root as the original. They need\n\
    only the file, and `hallpass play --identity THEIR-KEY FILE`. Where several open a recording together, each\n\
    shares the copy of the one before, until as many have as it takes."
)]
pub(crate) struct ShareArgs {
    /// A recording's file, a session's identifier, or one in a bucket (`s3://BUCKET/PREFIX/SESSION`)
    recording: String,
    /// Who can open the copy: an ssh-ed25519 public key or a key of age (age1…), or a file with one; may be repeated
    #[arg(long, required = true, value_name = "RECIPIENT")]
    to: Vec<String>,
    /// The directory that the copy is written to, under the recording's name
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
    /// The public keys by which a recording in a bucket is believed (as `hallpass trust` prints them); if left out, the
    /// `allowed_signers` beside the configuration
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    #[command(flatten)]
    keys: KeyArgs,
}

/// The arguments of `hallpass erase`.
#[derive(Args)]
#[command(
    after_help = "The wrapped key in the file is overwritten and made durable. Copies of the file, backups, and blocks that\n\
    the disk has put elsewhere keep theirs: erase those too. A shared copy is another file.\n\
    `hallpass verify` with the log names a recording that nobody was let erase: on a bastion, a role with `erase = true` does\n\
    it, by `ssh review@BASTION erase ID --reason TEXT`."
)]
pub(crate) struct EraseArgs {
    /// A recording's file, or a session's identifier
    recording: String,
    /// Do it: what was recorded cannot be had again
    #[arg(long)]
    yes: bool,
}

impl KeyArgs {
    /// Reads the keys; asks for passphrases at the terminal.
    pub(crate) fn read(&self) -> Result<Identities> {
        let mut all = Identities::default();
        for file in &self.identities {
            let text = fs::read_to_string(file).map_err(|e| Failure::file("read", file, &e))?;
            let text = zeroize::Zeroizing::new(text);
            let mut ask = || ca::typed(&format!("passphrase of {}", file.display()));
            let read = Identities::read(&text, &mut ask)
                .map_err(|e| Failure::new(format!("{}: {e}", file.display())))?;
            all = all.and(read);
        }
        Ok(all)
    }
}

/// Copies a recording for others.
pub(crate) fn share(site: &Site, args: &ShareArgs) -> Result<()> {
    let trusted = believed(site, args.trust.as_deref())?;
    // One that takes several to open cannot be read, and can be shared.
    let found = find_anywhere(site, &args.recording, &trusted, &|_| Ok(true))?;
    let path = found.path();
    let recipients: Vec<Recipient> = args
        .to
        .iter()
        .map(|text| recipient(text))
        .collect::<Result<_>>()?;
    if !args.output.is_dir() {
        return Err(Failure::new(format!(
            "{} is no directory: make it, or name another",
            args.output.display()
        )));
    }
    let to = args.output.join(path.file_name().unwrap_or_default());
    let recipients = Recipients::any(recipients).map_err(|e| Failure::new(format!("--to: {e}")))?;
    let identities = args.keys.read()?;
    let shared = reissue::share(path, &identities, &recipients, &to).map_err(|e| match e {
        reissue::ReissueError::Io(e) => Failure::file("written", &to, &e),
        other => other.into(),
    })?;
    if let Shared::Part { held, need } = shared {
        writeln!(
            io::stderr(),
            "the copy opens with {need} of its shares, and they can use {held} now: let another recipient share the copy too"
        )?;
    }
    Ok(writeln!(io::stdout(), "{}", to.display())?)
}

fn recipient(text: &str) -> Result<Recipient> {
    let wrong = match text.parse() {
        Ok(recipient) => return Ok(recipient),
        Err(e) => e,
    };
    let path = Path::new(text);
    if !path.is_file() {
        return Err(Failure::new(format!("--to: {wrong}")));
    }
    let text = fs::read_to_string(path).map_err(|e| Failure::file("read", path, &e))?;
    text.parse()
        .map_err(|e| Failure::new(format!("{}: {e}", path.display())))
}

/// Destroys a recording's key.
pub(crate) fn erase(site: &Site, args: &EraseArgs) -> Result<()> {
    let path = find(site, &args.recording)?;
    if !args.yes {
        return Err(Failure::new(format!(
            "nobody could read {} any more: say --yes if that is meant",
            path.display()
        )));
    }
    reissue::erase(&path)?;
    Ok(writeln!(
        io::stderr(),
        "erased: nobody can read {} any more, and it verifies as before",
        path.display()
    )?)
}
