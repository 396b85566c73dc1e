//! `hallpass keys`: the CA's own keys, and how one follows another.

use std::io::{self, Write as _};
use std::path::PathBuf;

use ca::{KeyStanding, RingKey, rotate};
use clap::Subcommand;
use config::Config;
use config::keys::KeyName;
use record::clock::{Clock as _, SystemClock, UnixTime};
use serde_json::json;

use crate::cli::Site;
use crate::failure::{Failure, Result};

/// What is asked of the keys.
#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    /// List every key that the CA ever had, and what the log says of it
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Make the key that will follow, and announce it beside the one that signs
    #[command(
        after_help = "Three steps, with a reload of the CA after each (`systemctl reload hallpass-ca`):\n\
        \x20 rotate   both keys are listed everywhere: `ssh ca ssh-config`, `target setup`, bastions\n\
        \x20 switch   the new one signs; the old one is believed until its last certificate runs out\n\
        \x20 retire   the old one is forgotten\n\
        Before `switch session`, every target needs the new `hallpass target setup`; before\n\
        `switch door`, people need the new lines of `ssh ca ssh-config`. A log key vouches for the\n\
        next in the log itself, so who has one follows; before `retire log`, witnesses need the new\n\
        `hallpass trust --note`. The identity is the CA's SSH host key, and is not changed this way.\n\
        A key in an agent or a token is made there: name it in [ca.key.NAME.next] and reload, which\n\
        is `rotate`; then name it in [ca.key.NAME] instead and reload, which is `switch`."
    )]
    Rotate {
        /// Which: user, session, host, door or log
        name: KeyName,
        /// Take this private key instead of making one
        #[arg(long, value_name = "FILE")]
        new_key: Option<PathBuf>,
    },
    /// Let the announced key sign
    Switch {
        /// Which: user, session, host, door or log
        name: KeyName,
    },
    /// Forget a key that does not sign: what it has signed counts no more
    Retire {
        /// Which CA's only other key; or a fingerprint, as `keys list` shows it
        which: String,
        /// Also if certificates under it have not run out
        #[arg(long)]
        now: bool,
    },
}

/// Does what was asked.
pub(crate) fn run(site: &Site, command: KeysCommand) -> Result<()> {
    let config = site.load()?;
    match command {
        KeysCommand::List { json } => list(&config, json),
        KeysCommand::Rotate { name, new_key } => {
            let (path, public) = rotate::announce(&config, name, new_key.as_deref())?;
            say(&format!(
                "{} is announced: {}\n{}\n{}",
                path.display(),
                fingerprint(&public),
                reload(&config, name),
                before_switch(name)
            ))
        }
        KeysCommand::Switch { name } => {
            must_be_told(&config, name)?;
            let public = rotate::switch(&config, name)?;
            say(&format!(
                "{} {}\n{}\n{}",
                will_sign(name),
                fingerprint(&public),
                reload(&config, name),
                after_switch(name)
            ))
        }
        KeysCommand::Retire { which, now } => retire(&config, &which, now),
    }
}

const RELOAD: &str = "now: systemctl reload hallpass-ca";

/// What lets the CA read its keys again. One that runs has nobody to ask for a passphrase.
fn reload(config: &Config, name: KeyName) -> &'static str {
    let place = config.ca.keys.get(&name);
    if place.is_some_and(|place| place.current.is_prompted()) {
        return "now: start the CA again where it can ask for the passphrase";
    }
    RELOAD
}

fn before_switch(name: KeyName) -> String {
    let first = match name {
        KeyName::Session => {
            "then give each target both keys (`hallpass target setup`), and when all have them"
        }
        KeyName::Door => {
            "then let people take the new lines (`ssh ca ssh-config --known-hosts`), and when they have"
        }
        KeyName::Log => {
            "then give witnesses and monitors its new lines too (`hallpass trust --note`, `hallpass trust`), and"
        }
        _ => "then",
    };
    format!("{first}: hallpass keys switch {name}")
}

fn will_sign(name: KeyName) -> String {
    match name {
        KeyName::Log => "the log will be signed with".to_owned(),
        _ => format!("the {name} CA will sign with"),
    }
}

fn after_switch(name: KeyName) -> &'static str {
    match name {
        KeyName::Log => "notes are signed with the old one too, until `hallpass keys retire log`",
        _ => "`hallpass keys list` shows until when the old one is believed",
    }
}

fn list(config: &Config, as_json: bool) -> Result<()> {
    let ring = ca::ring(config)?;
    let now = SystemClock::new().wall();
    let mut out = io::stdout().lock();
    for key in ring.keys() {
        if as_json {
            let line = key.public.to_openssh()?;
            let until = key.until().map(|until| until.to_string());
            let facts = json!({
                "name": key.name, "standing": key.standing, "since": key.since.to_string(), "until": until,
                "trusted": key.is_trusted(now), "certificates": key.certificates, "fingerprint": key.fingerprint(),
                "key": line,
            });
            writeln!(out, "{facts}")?;
        } else {
            writeln!(out, "{}", told(key, now))?;
        }
    }
    if ring.keys().is_empty() {
        writeln!(
            io::stderr(),
            "the CA has not started yet: its log says nothing of its keys"
        )?;
    }
    Ok(())
}

fn told(key: &RingKey, now: UnixTime) -> String {
    let standing = match (key.standing, key.until()) {
        (KeyStanding::Old, Some(until)) if key.is_trusted(now) => format!("old until {until}"),
        (KeyStanding::Old, Some(_)) => "old, run out".to_owned(),
        (standing, _) => format!("{standing} since {}", key.since),
    };
    format!(
        "{:<8}  {:<51}  {:<34}  {}",
        key.name,
        key.fingerprint(),
        standing,
        counted(key)
    )
}

fn counted(key: &RingKey) -> String {
    match (key.name.is_authority(), key.certificates) {
        (false, _) => String::new(),
        (true, 1) => "1 certificate".to_owned(),
        (true, count) => format!("{count} certificates"),
    }
}

/// An announcement that nobody was told of helps nobody.
fn must_be_told(config: &Config, name: KeyName) -> Result<()> {
    let ring = ca::ring(config)?;
    let mut own = ring.keys().iter().filter(|key| key.name == name);
    if ring.keys().is_empty() || own.any(|key| key.standing == KeyStanding::Announced) {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the CA has announced no {name} key yet: `hallpass keys rotate {name}`, then systemctl reload hallpass-ca"
    )))
}

fn retire(config: &Config, which: &str, at_once: bool) -> Result<()> {
    let ring = ca::ring(config)?;
    let now = SystemClock::new().wall();
    let name: Option<KeyName> = which.parse().ok();
    let chosen = ring.keys().iter().filter(|key| {
        let other = matches!(key.standing, KeyStanding::Announced | KeyStanding::Old);
        other && (name == Some(key.name) || key.fingerprint() == which)
    });
    let chosen: Vec<&RingKey> = chosen.collect();
    let key = match chosen.as_slice() {
        [key] => *key,
        [] => {
            return Err(Failure::new(format!(
                "{} names no key that could be retired: `hallpass keys list`; the one that signs needs another one first",
                config::words::shown(which)
            )));
        }
        _ => {
            return Err(Failure::new(format!(
                "{which} has several: name one by its fingerprint, as `hallpass keys list` shows it"
            )));
        }
    };
    if let Some(until) = key.until().filter(|until| now < *until && !at_once) {
        return Err(Failure::new(format!(
            "certificates under it are good until {until}: wait, or make them worthless with --now"
        )));
    }
    rotate::retire(config, key.name, &key.public)?;
    say(&format!(
        "{}, the {} key, is retired\n{RELOAD}",
        key.fingerprint(),
        key.name
    ))
}

fn fingerprint(public: &ssh_key::PublicKey) -> String {
    public.fingerprint(ssh_key::HashAlg::Sha256).to_string()
}

fn say(text: &str) -> Result<()> {
    Ok(writeln!(io::stdout(), "{text}")?)
}
