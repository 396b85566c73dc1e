//! The commands, as people type them behind `ssh ca`.

mod args;

use clap::{ColorChoice, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

pub(super) use args::{
    Because, Krl, Listed, One, Pending, Report, Request, Restore, Review, Revoke, Sessions, Show,
    SshConfig, Token,
};

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
mod tests;
