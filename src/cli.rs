//! The command line, and where its words go.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use config::Config;
use config::words::{BastionName, TargetName};

use crate::failure::Result;
use crate::{
    check, evidence, generate, index, init, keys, log, policy, reissue, review, search, serve,
    target, trust, verdict,
};

/// Temporary production access with plain ssh: a certificate authority and a recording bastion.
#[derive(Parser)]
#[command(
    version,
    max_term_width = 100,
    propagate_version = true,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    site: Site,
    #[command(subcommand)]
    command: Command,
}

/// Which site a command is about.
#[derive(Args)]
pub(crate) struct Site {
    /// The site's configuration
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "/etc/hallpass/hallpass.toml"
    )]
    config: PathBuf,
}

impl Site {
    /// Where its configuration lies.
    pub(crate) fn path(&self) -> &Path {
        &self.config
    }

    /// Its configuration, checked.
    pub(crate) fn load(&self) -> Result<Config> {
        Ok(Config::load(&self.config)?)
    }
}

#[derive(Subcommand)]
enum Command {
    /// Make a new site: a commented configuration and every key it needs
    Init {
        /// The directory to make; it must not exist yet
        dir: PathBuf,
    },
    /// Check the configuration, the keys and their file modes, and say what is wrong
    Check {
        /// Also run the programs of [groups] and [on-call.…] once, and knock at the services of [check.…] and at the bucket
        #[arg(long = "try")]
        run: bool,
    },
    /// Ask what the configuration would say, and hold it against your expectations
    Policy {
        #[command(subcommand)]
        command: policy::PolicyCommand,
    },
    /// Serve the certificate authority: people and bastions talk to it over SSH
    Ca {
        #[command(subcommand)]
        command: Option<CaCommand>,
    },
    /// Serve a bastion: it carries sessions and records every one of them
    Bastion {
        /// Which bastion of the configuration; may be left out if there is one
        #[arg(long)]
        name: Option<BastionName>,
    },
    /// Look at the CA's own keys, and let one follow another
    Keys {
        #[command(subcommand)]
        command: keys::KeysCommand,
    },
    /// Prepare a target
    Target {
        #[command(subcommand)]
        command: TargetCommand,
    },
    /// Print the public keys that evidence is checked against, as an OpenSSH `allowed_signers` file
    Trust {
        /// Print the log's key instead as a vkey line, for tools that read C2SP signed notes
        #[arg(long)]
        note: bool,
    },
    /// Check recordings and issuance logs; needs no server and no secret
    Verify(evidence::VerifyArgs),
    /// Check, show, prove, watch, publish and cosign issuance logs
    Log {
        #[command(subcommand)]
        command: log::LogCommand,
    },
    /// Replay a recording in this terminal
    Play(review::PlayArgs),
    /// Look for text in recordings: on the screen, in commands, and in what was done to files
    Search(search::SearchArgs),
    /// Make the indexes of recordings that have none, so that they are searched faster
    Index(index::IndexArgs),
    /// Write a recording in another format
    Export(review::ExportArgs),
    /// Say what you think of an access that was taken with break-glass, signed by your agent
    Review(verdict::ReviewArgs),
    /// Write a copy of a sealed recording that somebody else can open
    Share(reissue::ShareArgs),
    /// Destroy the key of a sealed recording, so that nobody can read it any more; it still verifies
    Erase(reissue::EraseArgs),
    /// Print the completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages
    Man {
        /// The directory they go to
        dir: PathBuf,
    },
}

#[derive(Subcommand)]
enum CaCommand {
    /// Make the state store again from the issuance log alone; the CA must not be running
    Rebuild,
}

#[derive(Subcommand)]
enum TargetCommand {
    /// Print what makes sshd on a target trust this site, ready to paste into its root shell
    Setup {
        /// The target; all of them if left out
        target: Option<TargetName>,
        /// The directory of the target's sshd configuration
        #[arg(long, value_name = "DIR", default_value = "/etc/ssh")]
        etc: String,
    },
    /// Sign a target's host key; the CA must not be running
    Certify {
        /// The target, by its name in the configuration
        target: TargetName,
        /// The target's public host key, for example a copy of its `ssh_host_ed25519_key.pub`
        public_key: PathBuf,
    },
    /// Make a join token for a target; the CA must not be running (while it runs: `ssh ca token`)
    Token {
        /// The target, by its name in the configuration
        target: TargetName,
    },
    /// Let this machine join as a target, with a token: its host key gets a certificate, its sshd
    /// trusts the site
    Join(target::JoinArgs),
    /// Ask the CA what this target is to refuse, put it in place, and renew the host certificate in
    /// time; systemd runs it every minute
    Sync(target::SyncArgs),
}

impl Cli {
    /// Does what was asked.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let site = &self.site;
        match self.command {
            Command::Init { dir } => init::init(&dir),
            Command::Check { run } => check::check(site, run),
            Command::Policy { command } => return policy::run(site, command),
            Command::Ca { command: None } => serve::ca(site),
            Command::Ca {
                command: Some(CaCommand::Rebuild),
            } => serve::rebuild(site),
            Command::Bastion { name } => serve::bastion(site, name),
            Command::Target {
                command: TargetCommand::Setup { target, etc },
            } => target::setup(site, target.as_ref(), &etc),
            Command::Target {
                command: TargetCommand::Certify { target, public_key },
            } => target::certify(site, &target, &public_key),
            Command::Keys { command } => keys::run(site, command),
            Command::Target {
                command: TargetCommand::Token { target },
            } => target::invite(site, &target),
            Command::Target {
                command: TargetCommand::Join(args),
            } => target::join(&args),
            Command::Target {
                command: TargetCommand::Sync(args),
            } => target::sync(&args),
            Command::Trust { note: false } => trust::print(site),
            Command::Trust { note: true } => trust::print_note(site),
            Command::Verify(args) => return evidence::verify(&args),
            Command::Log { command } => return log::run(site, command),
            Command::Play(args) => review::play(site, &args),
            Command::Search(args) => return search::search(site, &args),
            Command::Index(args) => return index::index(site, &args),
            Command::Export(args) => review::export(site, &args),
            Command::Review(args) => return verdict::review(site, &args),
            Command::Share(args) => reissue::share(site, &args),
            Command::Erase(args) => reissue::erase(site, &args),
            Command::Completions { shell } => generate::completions(shell),
            Command::Man { dir } => generate::man(&dir),
        }?;
        Ok(ExitCode::SUCCESS)
    }
}
