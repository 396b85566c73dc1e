//! This test program as the `ssh-keygen -s` and `-k` of OpenSSH's scripts.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use config::cidr::Cidr;
use record::clock::{Clock as _, SystemClock, UnixTime};
use record::entry::{Authority, Entry, Line};
use record::log::{Encoded, Log, LogError};
use ssh_key::{PrivateKey, PublicKey};

use super::lists;
use crate::cert::{NONCE, Permit, Plan};
use crate::issue::Ledger;
use crate::journal::Durable;
use crate::lint::lint_without_ours;
use crate::signer::memory::InMemory;

/// The test below, by its whole name.
pub(super) const TEST: &str = "regress::shim::stands_in_for_ssh_keygen";

/// What it was called with, an argument a line.
pub(super) const ARGUMENTS: &str = "HALLPASS_SHIM_ARGUMENTS";

/// Where its log and its notes are.
pub(super) const DIRECTORY: &str = "HALLPASS_SHIM_DIRECTORY";

/// Whom a certificate is for that would be for nobody.
pub(super) const PRINCIPAL: &str = "HALLPASS_SHIM_PRINCIPAL";

/// Set where somebody looks at the extensions: then no certificate has fewer than were asked for.
pub(super) const EXACT: &str = "HALLPASS_SHIM_EXACT";

/// Why our code did not do it.
#[derive(Debug)]
pub(super) enum Instead {
    /// This CA never does that: the real `ssh-keygen` does it, and the reason is noted.
    Stock(String),
    /// It cannot be done: a failure, as the real one's.
    Fails(String),
}

impl Instead {
    pub(super) fn fails(why: impl std::fmt::Display) -> Self {
        Self::Fails(format!("{why}"))
    }
}

/// `ssh-keygen`'s options, with their values, and what stands behind them.
#[derive(Debug, Default)]
pub(super) struct Call {
    options: Vec<(char, String)>,
    pub(super) files: Vec<String>,
}

impl Call {
    /// Reads a command line as getopt(3) does with `ssh-keygen`'s options.
    fn read(words: &[String]) -> Self {
        let mut call = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let Some(letters) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) else {
                call.files.push(word.clone());
                continue;
            };
            for (at, letter) in letters.char_indices() {
                if !"CDEFImMNnOPRrsStVwWYzZafjb".contains(letter) {
                    call.options.push((letter, String::new()));
                    continue;
                }
                let rest = &letters[at + letter.len_utf8()..];
                let value = match rest {
                    "" => words.next().cloned().unwrap_or_default(),
                    rest => rest.to_owned(),
                };
                call.options.push((letter, value));
                break;
            }
        }
        call
    }

    pub(super) fn has(&self, letter: char) -> bool {
        self.options.iter().any(|(given, _)| *given == letter)
    }

    pub(super) fn value(&self, letter: char) -> Option<&str> {
        self.values(letter).last()
    }

    fn values(&self, letter: char) -> impl Iterator<Item = &str> {
        let all = self
            .options
            .iter()
            .filter(move |(given, _)| *given == letter);
        all.map(|(_, value)| value.as_str())
    }
}

#[test]
#[ignore = "OpenSSH's scripts call it"]
fn stands_in_for_ssh_keygen() {
    let (Ok(words), Ok(directory)) = (std::env::var(ARGUMENTS), std::env::var(DIRECTORY)) else {
        return;
    };
    let words: Vec<String> = words.lines().map(str::to_owned).collect();
    let directory = PathBuf::from(directory);
    let call = Call::read(&words);
    let done = if call.has('k') {
        lists::write(&call, &directory)
    } else {
        sign(&call, &directory)
    };
    match done {
        Ok(()) => {}
        Err(Instead::Fails(why)) => panic!("{words:?}: {why}"),
        Err(Instead::Stock(why)) => {
            note(&directory.join("refused"), &why);
            let status = Command::new("/usr/bin/ssh-keygen").args(&words).status();
            assert!(status.unwrap().success(), "the real one, with {words:?}");
        }
    }
}

/// Appends a line to a file of notes.
pub(super) fn note(path: &Path, line: &str) {
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    writeln!(file, "{line}").unwrap();
}

/// `ssh-keygen -s`, through every step that the product has.
fn sign(call: &Call, directory: &Path) -> Result<(), Instead> {
    let ca = call.value('s').unwrap_or_default();
    let key = fs::read_to_string(ca).map_err(Instead::fails)?;
    let other = || Instead::Stock("a CA of a kind that this one never has".to_owned());
    let key = PrivateKey::from_openssh(key).map_err(|_| other())?;
    let public = PublicKey::from(key.public_key().key_data().clone());
    let authority = InMemory::new(&key).ok_or_else(other)?;
    let mut book = Book::open(directory)?;
    for file in &call.files {
        let (line, beside) = subject(Path::new(file))?;
        let plan = plan(call, directory, &line, book.next)?;
        let signed_at = plan.after;
        let unsigned = plan.build(&public, &nonce()?).map_err(Instead::fails)?;
        let linted = lint_without_ours(unsigned, &public);
        let linted = linted.map_err(|e| Instead::Stock(e.to_string()))?;
        let intent = linted.intend(&mut book, None, None);
        let durable = book.sync()?;
        let logged = intent.map_err(Instead::fails)?.logged(&durable);
        let logged = logged.map_err(Instead::fails)?;
        let signed = logged.sign(&authority, signed_at);
        let signed = signed.map_err(Instead::fails)?;
        let comment = line.splitn(3, ' ').nth(2).unwrap_or_default();
        fs::write(beside, format!("{} {comment}\n", signed.line)).map_err(Instead::fails)?;
    }
    Ok(())
}

/// A real issuance log.
struct Book {
    log: Log,
    batch: Vec<Encoded>,
    /// The serial of a certificate for which none was asked for.
    next: u64,
}

impl Book {
    fn open(directory: &Path) -> Result<Self, Instead> {
        let key = crate::testing::key("log");
        let opened = Log::open(&directory.join("log"), key).map_err(Instead::fails)?;
        Ok(Self {
            next: opened.lines.len() as u64 + 1,
            batch: Vec::new(),
            log: opened.log,
        })
    }

    fn sync(&mut self) -> Result<Durable, Instead> {
        let batch = std::mem::take(&mut self.batch);
        Durable::append(&mut self.log, &batch).map_err(Instead::fails)
    }
}

impl Ledger for Book {
    type Error = LogError;

    /// The script chose the certificate's serial; the log takes them in their order only, and counts for itself.
    fn commit(&mut self, mut entry: Entry) -> Result<u64, LogError> {
        if let Entry::Issue { serial, .. } = &mut entry {
            *serial = self.next;
        }
        self.next += 1;
        self.batch.push(Encoded::of(&Line::new(now(), entry))?);
        Ok(self.log.position().size + self.batch.len() as u64)
    }
}

pub(super) fn now() -> UnixTime {
    SystemClock::new().wall()
}

fn nonce() -> Result<[u8; NONCE], Instead> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).map_err(Instead::fails)?;
    Ok(nonce)
}

/// The line of a key that shall be certified, and where its certificate goes.
fn subject(file: &Path) -> Result<(String, PathBuf), Instead> {
    let text = file.to_str().unwrap_or_default();
    let stem = text.strip_suffix(".pub").unwrap_or(text);
    let line = fs::read_to_string(format!("{stem}.pub")).map_err(Instead::fails)?;
    Ok((line.trim().to_owned(), format!("{stem}-cert.pub").into()))
}

fn plan(call: &Call, directory: &Path, line: &str, next: u64) -> Result<Plan, Instead> {
    let never = |_| Instead::Stock("a key of a kind that is never certified".to_owned());
    let serial = call.value('z').map(str::parse).transpose();
    let serial = serial.map_err(Instead::fails)?.unwrap_or(next);
    let (after, before) = window(call.value('V'))?;
    let instead = std::env::var(PRINCIPAL).ok().filter(|_| !call.has('n'));
    if instead.is_some() {
        note(&directory.join("refused"), "no principal: it is given one");
    }
    let names = call.value('n').or(instead.as_deref());
    let names = names.into_iter().flat_map(|names| names.split(','));
    let mut plan = Plan {
        authority: if call.has('h') {
            Authority::Host
        } else {
            Authority::User
        },
        subject: crate::keys::plain_key(line).map_err(never)?,
        serial,
        key_id: call.value('I').unwrap_or_default().to_owned(),
        principals: names.map(str::to_owned).collect(),
        after,
        before,
        force_command: None,
        source_address: Vec::new(),
        permits: BTreeSet::new(),
    };
    options(call, &mut plan)?;
    Ok(plan)
}

/// What `-O` adds and takes away, from the extensions that `ssh-keygen` gives to users.
fn options(call: &Call, plan: &mut Plan) -> Result<(), Instead> {
    let all = [
        "X11-forwarding",
        "agent-forwarding",
        "port-forwarding",
        "pty",
        "user-rc",
    ];
    let mut given: BTreeSet<&str> = match plan.authority {
        Authority::User => all.into(),
        _ => BTreeSet::new(),
    };
    for option in call.values('O') {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match (name, name.strip_prefix("permit-"), name.strip_prefix("no-")) {
            ("clear", ..) => given.clear(),
            ("force-command", ..) => plan.force_command = Some(value.to_owned()),
            ("source-address", ..) => plan.source_address = blocks(value)?,
            (_, Some(right), _) if all.contains(&right) => drop(given.insert(right)),
            (_, _, Some(right)) if all.contains(&right) => drop(given.remove(right)),
            _ => return Err(Instead::Stock(format!("the option {option}"))),
        }
    }
    for permit in Permit::ALL {
        if permit
            .name()
            .strip_prefix("permit-")
            .is_some_and(|name| given.remove(name))
        {
            plan.permits.insert(permit);
        }
    }
    if std::env::var_os(EXACT).is_some() && !given.is_empty() {
        let given: Vec<&str> = given.into_iter().collect();
        return Err(Instead::Stock(format!(
            "the extensions {}",
            given.join(", ")
        )));
    }
    Ok(())
}

fn blocks(value: &str) -> Result<Vec<Cidr>, Instead> {
    let blocks: Result<Vec<Cidr>, _> = value.split(',').map(str::parse).collect();
    blocks.map_err(|_| Instead::Stock(format!("the option source-address={value}")))
}

/// `-V`: two dates, or two spans from now on; for ever, which is never given, becomes ten minutes.
fn window(given: Option<&str>) -> Result<(UnixTime, UnixTime), Instead> {
    let given = given.unwrap_or("-1m:+10m");
    let (after, before) = given.split_once(':').unwrap_or_default();
    match (moment(after), moment(before)) {
        (Some(after), Some(before)) => Ok((after, before)),
        _ => Err(Instead::Fails(format!("-V {given}"))),
    }
}

fn moment(text: &str) -> Option<UnixTime> {
    if let Some(span) = text.strip_prefix('+') {
        return Some(now().after(span_of(span)?));
    }
    if let Some(span) = text.strip_prefix('-') {
        return Some(now().before(span_of(span)?));
    }
    let day = format!(
        "{}-{}-{}T00:00:00Z",
        text.get(..4)?,
        text.get(4..6)?,
        text.get(6..8)?
    );
    day.parse().ok()
}

fn span_of(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "m" => 60,
        "w" => 7 * 24 * 3600,
        _ => return None,
    };
    Some(Duration::from_secs(digits.parse::<u64>().ok()? * unit))
}
