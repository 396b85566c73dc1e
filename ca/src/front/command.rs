//! The commands, as people type them behind `ssh ca`.

use std::time::Duration;

use clap::{
    ArgGroup, Args, ColorChoice, CommandFactory as _, FromArgMatches as _, Parser, Subcommand,
};
use config::words::{BastionName, PersonName, Principal, RequestId, RoleName, TargetName};
use record::entry::Whom;
use record::fingerprint::Fingerprint;
use record::text::{Command, Reason, Remark};
use record::when::When;

/// How wide help is without a terminal.
const WIDTH: usize = 80;

#[derive(Debug, Parser)]
#[command(
    name = "ssh ca",
    bin_name = "ssh ca",
    no_binary_name = true,
    disable_help_subcommand = true,
    infer_long_args = false
)]
struct Typed {
    #[command(subcommand)]
    verb: Verb,
}

/// One command.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Who you are to the CA: your name, your groups, the key you came with
    Whoami(Listed),
    /// What you may ask for
    Roles(Listed),
    /// What waits: requests you can approve, and your own
    Pending(Pending),
    /// Ask for access; prints the certificate once it is granted
    Request(Request),
    /// Print the certificate of a granted request again
    Collect(One),
    /// One request: what was asked, who approved, which certificates and sessions
    Show(Show),
    /// Approve a request with your own key, from an agent (ssh -A) or from a signature on standard input
    Approve(One),
    /// Prove with the PIN of your token that it is you who takes a role before its approval; prints the certificate
    Prove(One),
    /// Look at what somebody did with --break-glass, and say what you think of it
    Review(Review),
    /// Say no to a request
    Deny(Because),
    /// Give a grant back before its time, or take a waiting request back
    Return(One),
    /// End somebody's grant at once; or shut out a person, a key, a target or a bastion
    Revoke(Revoke),
    /// Let a person, a key, a target or a bastion in again that was shut out
    Restore(Restore),
    /// Make a token with which a machine joins as a target, once, within an hour
    Token(Token),
    /// Which sessions there were, and are
    Sessions(Sessions),
    /// Who asked, got, used and never used what, in a period
    Report(Report),
    /// What targets are to refuse: a revocation list for their sshd, in a file
    Krl(Krl),
    /// The lines that your ssh needs, ready to append
    SshConfig(SshConfig),
    /// How to get in, in a hurry; or everything about one command
    Help {
        /// The command
        command: Option<String>,
    },
}

/// A command that lists.
#[derive(Debug, Args)]
pub(super) struct Listed {
    /// As JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
}

/// `pending`.
#[derive(Debug, Args)]
pub(super) struct Pending {
    /// As JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
    /// Only what waits for a review
    #[arg(long)]
    pub(super) reviews: bool,
    /// Stay, and say at once what is new
    #[arg(long, conflicts_with_all = ["json", "reviews"])]
    pub(super) watch: bool,
}

/// `review`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("verdict").required(true).multiple(false)))]
pub(super) struct Review {
    /// The request, for example 7F3K-9QMD
    #[arg(value_parser = RequestId::from_typed)]
    pub(super) id: RequestId,
    /// It was right, and why you think so
    #[arg(long, value_name = "TEXT", group = "verdict")]
    pub(super) accept: Option<Remark>,
    /// It was not right, and why
    #[arg(long, value_name = "TEXT", group = "verdict")]
    pub(super) reject: Option<Remark>,
    /// Only the text that you would sign
    #[arg(long)]
    pub(super) text: bool,
}

/// `report`.
#[derive(Debug, Args)]
pub(super) struct Report {
    /// From when on, for example 30d, 2026-11-01 or 2026-11-01T12:00:00Z; 30d if left out
    #[arg(long, value_name = "WHEN")]
    pub(super) since: Option<When>,
    /// Until when; now if left out
    #[arg(long, value_name = "WHEN")]
    pub(super) until: Option<When>,
    /// Only of this person
    #[arg(long)]
    pub(super) person: Option<PersonName>,
    /// Only under this role
    #[arg(long)]
    pub(super) role: Option<RoleName>,
    /// Only on this target
    #[arg(long)]
    pub(super) target: Option<TargetName>,
    /// Each request, not their sums
    #[arg(long)]
    pub(super) requests: bool,
    /// As CSV, for spreadsheets
    #[arg(long, conflicts_with = "json")]
    pub(super) csv: bool,
    /// As JSON, for programs: sums and requests
    #[arg(long)]
    pub(super) json: bool,
}

/// A command about one request.
#[derive(Debug, Args)]
pub(super) struct One {
    /// The request, for example 7F3K-9QMD
    #[arg(value_parser = RequestId::from_typed)]
    pub(super) id: RequestId,
}

/// A command about one request that has to be explained.
#[derive(Debug, Args)]
pub(super) struct Because {
    /// The request, for example 7F3K-9QMD
    #[arg(value_parser = RequestId::from_typed)]
    pub(super) id: RequestId,
    /// Why, in a sentence: the other person reads it, and the log keeps it
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Reason,
}

/// `revoke`.
#[derive(Debug, Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    pub(super) what: Revoked,
    /// Why, in a sentence: the other person reads it, and the log keeps it
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Reason,
}

/// What is revoked: one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Revoked {
    /// One grant, by its request, for example 7F3K-9QMD
    #[arg(value_parser = RequestId::from_typed)]
    pub(super) id: Option<RequestId>,
    /// A person: every grant of theirs ends, and they get none
    #[arg(long, value_name = "NAME")]
    pub(super) person: Option<PersonName>,
    /// One key, as `ssh-keygen -lf` names it; your own you may always revoke
    #[arg(long, value_name = "SHA256:…")]
    pub(super) key: Option<Fingerprint>,
    /// A target: every grant on it ends
    #[arg(long, value_name = "NAME")]
    pub(super) target: Option<TargetName>,
    /// A bastion: every session through it ends
    #[arg(long, value_name = "NAME")]
    pub(super) bastion: Option<BastionName>,
}

/// `restore`.
#[derive(Debug, Args)]
pub(super) struct Restore {
    #[command(flatten)]
    pub(super) what: Restored,
    /// Why, in a sentence: the log keeps it
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Reason,
}

/// What is let in again: one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Restored {
    /// A person
    #[arg(long, value_name = "NAME")]
    pub(super) person: Option<PersonName>,
    /// One key
    #[arg(long, value_name = "SHA256:…")]
    pub(super) key: Option<Fingerprint>,
    /// A target
    #[arg(long, value_name = "NAME")]
    pub(super) target: Option<TargetName>,
    /// A bastion
    #[arg(long, value_name = "NAME")]
    pub(super) bastion: Option<BastionName>,
}

impl Restored {
    /// Whom it is about.
    pub(super) fn whom(self) -> Option<Whom> {
        let person = self.person.map(Whom::Person);
        let key = self.key.map(Whom::Key);
        let target = self.target.map(Whom::Target);
        let bastion = self.bastion.map(Whom::Bastion);
        person.or(key).or(target).or(bastion)
    }
}

impl Revoked {
    /// Whom it is about, if it is more than one grant.
    pub(super) fn whom(self) -> Option<Whom> {
        let Self {
            person,
            key,
            target,
            bastion,
            ..
        } = self;
        Restored {
            person,
            key,
            target,
            bastion,
        }
        .whom()
    }
}

/// `token`.
#[derive(Debug, Args)]
pub(super) struct Token {
    /// The target, by its name in the inventory
    pub(super) target: TargetName,
}

/// `request`.
#[derive(Debug, Args)]
pub(super) struct Request {
    /// Login and target, for example postgres@db1.prod
    #[arg(value_name = "LOGIN@TARGET")]
    pub(super) access: Principal,
    /// Under which role, if several would do
    #[arg(long)]
    pub(super) role: Option<RoleName>,
    /// For how long, for example 15m or 1h30m
    #[arg(long = "for", value_name = "TIME", value_parser = life)]
    pub(super) life: Option<Duration>,
    /// Why, in a sentence: approvers read it, and the log keeps it
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Reason,
    /// Only this one command
    #[arg(long, value_name = "COMMAND")]
    pub(super) command: Option<Command>,
    /// Take it now and have it reviewed afterwards
    #[arg(long)]
    pub(super) break_glass: bool,
    /// Do not wait: print the request's name, for `collect` later
    #[arg(long)]
    pub(super) no_wait: bool,
}

/// `show`.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// The request, for example 7F3K-9QMD
    #[arg(value_parser = RequestId::from_typed)]
    pub(super) id: RequestId,
    /// As JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
    /// Only the text that an approver signs
    #[arg(long, conflicts_with = "json")]
    pub(super) text: bool,
}

/// `sessions`.
#[derive(Debug, Args)]
pub(super) struct Sessions {
    /// Only of this person
    #[arg(long)]
    pub(super) person: Option<PersonName>,
    /// Only on this target
    #[arg(long)]
    pub(super) target: Option<TargetName>,
    /// Only those that began within this time, for example 24h or 7d
    #[arg(long, value_name = "TIME", value_parser = life)]
    pub(super) since: Option<Duration>,
    /// As JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
}

/// `krl`.
#[derive(Debug, Args)]
pub(super) struct Krl {
    /// The SSH signature over that file, by the log's key, namespace krl@hallpass. If the log
    /// grew between the two it is for a newer file: fetch both again
    #[arg(long)]
    pub(super) signature: bool,
    /// The list, the session CAs and one signature over both, in one JSON answer
    #[arg(long, conflicts_with = "signature")]
    pub(super) signed: bool,
    /// What your own ssh is to refuse instead: hosts that are shut out, for its `RevokedHostKeys`
    #[arg(long, conflicts_with_all = ["signature", "signed"])]
    pub(super) hosts: bool,
}

/// `ssh-config`.
#[derive(Debug, Args)]
pub(super) struct SshConfig {
    /// Only the lines for the configuration
    #[arg(long, conflicts_with = "known_hosts")]
    pub(super) config: bool,
    /// Only the lines for the known hosts
    #[arg(long)]
    pub(super) known_hosts: bool,
}

/// What somebody typed is not a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotACommand {
    /// They asked how it is typed.
    Help(String),
    /// They typed it wrong; how it is typed.
    Usage(String),
}

/// Reads a command. `width` is that of the person's terminal.
pub(super) fn parse(words: &[String], width: Option<usize>) -> Result<Verb, NotACommand> {
    let command = command(width);
    command
        .try_get_matches_from(words)
        .and_then(|matches| Typed::from_arg_matches(&matches))
        .map(|typed| typed.verb)
        .map_err(|e| explain(&e, words))
}

/// Reads a command line as `ssh ca …` sends it, and says how it should have been typed if it is none.
pub fn read_command(line: &[u8]) -> Result<(), String> {
    let words = super::line::words(line).map_err(|e| e.to_string())?;
    match parse(&words, None) {
        Ok(_) => Ok(()),
        Err(NotACommand::Help(text) | NotACommand::Usage(text)) => Err(text),
    }
}

/// Everything about one command.
pub(super) fn help_for(verb: &str, width: Option<usize>) -> Result<String, NotACommand> {
    let words = [verb.to_owned(), "--help".to_owned()];
    match parse(&words, width) {
        Err(NotACommand::Help(text)) => Ok(text),
        Err(other) => Err(other),
        Ok(_) => Err(NotACommand::Usage("there is no help for that\n".to_owned())),
    }
}

fn command(width: Option<usize>) -> clap::Command {
    Typed::command()
        .color(ColorChoice::Never)
        .term_width(width.unwrap_or(WIDTH).clamp(40, 100))
}

fn life(typed: &str) -> Result<Duration, &'static str> {
    config::duration::parse(typed).ok_or("write it like 90s, 15m, 1h30m or 7d")
}

fn explain(error: &clap::Error, words: &[String]) -> NotACommand {
    use clap::error::ErrorKind;
    let text = error.render().to_string();
    let hint = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return NotACommand::Help(text),
        ErrorKind::MissingRequiredArgument => missing(words),
        _ => "",
    };
    let text = text
        .strip_suffix("For more information, try '--help'.\n")
        .unwrap_or(&text);
    NotACommand::Usage(format!("{text}{hint}{}", more(words)))
}

/// Says where more stands. The `--help` that clap would have people try ends up with their own
/// `ssh` when they type it behind `ssh ca`.
fn more(words: &[String]) -> String {
    let verb = words.first().filter(|verb| {
        Typed::command()
            .get_subcommands()
            .any(|known| known.get_name() == verb.as_str())
    });
    match verb {
        Some(verb) => format!("More:  ssh ca help {verb}\n"),
        None => "More:  ssh ca help\n".to_owned(),
    }
}

/// What is missing, said with an example where somebody in a hurry most often forgets it.
fn missing(words: &[String]) -> &'static str {
    let verb = words.first().map(String::as_str).unwrap_or_default();
    let has_reason = words.iter().any(|word| word.starts_with("--reason"));
    match (verb, has_reason) {
        ("request", false) => {
            "Say why:  ssh ca request LOGIN@TARGET --reason \"INC-42 replication stuck\"\n"
        }
        ("request", true) => {
            "Name the access first:  ssh ca request postgres@db1.prod --reason TEXT\n"
        }
        ("deny" | "revoke" | "restore", false) => {
            "Say why:  --reason \"a sentence that the other person reads\"\n"
        }
        ("review", _) => "Say what you think:  ssh ca review ID --accept \"why it was right\"\n",
        _ => "What waits has a name:  ssh ca pending\n",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Result<Verb, NotACommand> {
        parse(&crate::front::line::words(line.as_bytes()).unwrap(), None)
    }

    fn usage(line: &str) -> String {
        match of(line) {
            Err(NotACommand::Usage(text)) => text,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_commands_are_well_formed() {
        Typed::command().debug_assert();
    }

    #[test]
    fn a_request_reads_as_it_is_typed() {
        let Verb::Request(request) =
            of("request postgres@db1.prod --for 15m --reason INC-42 it's stuck").unwrap()
        else {
            panic!("not a request");
        };
        assert_eq!(request.access.to_string(), "postgres@db1.prod");
        assert_eq!(request.life, Some(Duration::from_secs(900)));
        assert_eq!(request.reason.as_str(), "INC-42 it's stuck");
        assert!(!request.break_glass && !request.no_wait);
    }

    #[test]
    fn what_is_wrong_says_what_to_type() {
        assert!(usage("request postgres@db1.prod").contains("--reason \"INC-42"));
        assert!(usage("request --reason disk full").contains("Name the access first"));
        assert!(usage("request postgres --reason x").contains("write it as LOGIN@TARGET"));
        assert!(usage("request a@b --reason x --for soon").contains("15m"));
        assert!(usage("show 12").contains("it looks like 7F3K-9QMD"));
        assert!(usage("aprove 7F3K-9QMD").contains("approve"));
        assert!(usage("deny 7F3K-9QMD").contains("Say why"));
    }

    #[test]
    fn identifiers_are_read_as_people_type_them() {
        let Verb::Approve(one) = of("approve 7f3k9qmd").unwrap() else {
            panic!("not an approval");
        };
        assert_eq!(one.id.as_str(), "7F3K-9QMD");
    }

    #[test]
    fn a_review_says_one_thing() {
        let Verb::Review(review) = of("review 7f3k9qmd --accept it was right --text").unwrap()
        else {
            panic!("not a review");
        };
        assert!(review.text && review.reject.is_none());
        assert_eq!(review.accept.unwrap().as_str(), "it was right");
        assert!(usage("review 7F3K-9QMD").contains("Say what you think"));
        assert!(usage("review 7F3K-9QMD --accept a --reject b").contains("cannot be used with"));
    }

    #[test]
    fn help_is_no_error() {
        assert!(matches!(of("request --help"), Err(NotACommand::Help(_))));
        assert!(help_for("request", None).unwrap().contains("LOGIN@TARGET"));
        assert!(matches!(
            help_for("nothing", None),
            Err(NotACommand::Usage(_))
        ));
    }
}
