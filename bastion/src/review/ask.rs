//! What a reviewer typed. A session is named by its identifier, and nothing that is typed becomes a path.

use config::words::{PersonName, SessionId, TargetName, WordError, shown};
use record::text::{Reason, TextError};

/// The help, at most 80 columns wide.
pub(super) const HELP: &str = "\
What you may do here, with a certificate for review@BASTION. What you read, and
what you end, stands in the issuance log before it is done.

  ls [--live] [--person PERSON] [--target TARGET]
      The sessions that your role reads, the newest first.
  watch ID
      A session that runs, as its person sees it, on a terminal (`ssh -t`). `q`
      leaves.
  cat ID
      A recording, as asciicast v3 in plain ASCII: safe on any terminal. Of a
      session that runs, what there is so far.
  cat --stored ID > ID.cast.zst
      Its stored bytes, for `hallpass verify` and `hallpass play`: the one way
      to read a sealed recording, with a key of one of its recipients.
  kill ID --reason TEXT
      Ends a session that runs. Its person reads who did, and why.
  erase ID --reason TEXT
      Destroys the key of a sealed recording, if your role says erase = true:
      nobody reads it any more, and it still verifies. Copies elsewhere keep
      theirs.
  hold ID --reason TEXT
      Keeps a recording, whatever retention says, if your role says hold = true:
      nobody removes or erases it until somebody lifts that with `release`.
  release ID --reason TEXT
      Lifts the hold.
  help
      This.
";

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Help,
    List(Filter),
    Watch(SessionId),
    Cat { session: SessionId, stored: bool },
    Kill { session: SessionId, reason: Reason },
    Erase { session: SessionId, reason: Reason },
    Hold { session: SessionId, reason: Reason },
    Release { session: SessionId, reason: Reason },
}

/// Which sessions to list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) person: Option<PersonName>,
    pub(super) target: Option<TargetName>,
    pub(super) live: bool,
}

/// Why it was not understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadAsk {
    /// There is no such command.
    #[error("{} is not known here: `help` says what is", shown(.0))]
    Unknown(String),
    /// There is no such option.
    #[error("{} is not understood there: `help` says how it is written", shown(.0))]
    Word(String),
    /// Something is missing.
    #[error("{0} is missing: `help` says how it is written")]
    Missing(&'static str),
    /// It is no name, or no identifier.
    #[error(transparent)]
    Name(#[from] WordError),
    /// It is no reason.
    #[error(transparent)]
    Reason(#[from] TextError),
}

impl Ask {
    /// Parses a command line. `ssh` has joined its words with spaces, so quotes mean nothing here.
    pub(super) fn parse(line: &str) -> Result<Self, BadAsk> {
        let (line, reason) = match line.split_once(" --reason ") {
            Some((line, reason)) => (line, Some(reason.trim())),
            None => (line, None),
        };
        let mut words = line.split_whitespace();
        let Some(first) = words.next() else {
            return Ok(Self::Help);
        };
        let ask = match first {
            "help" | "--help" => Self::Help,
            "ls" => Self::List(filter(&mut words)?),
            "watch" => Self::Watch(session(words.next())?),
            "cat" => {
                let (stored, id) = match words.next() {
                    Some("--stored") => (true, words.next()),
                    other => (false, other),
                };
                let session = session(id)?;
                Self::Cat { session, stored }
            }
            "kill" => Self::Kill {
                session: session(words.next())?,
                reason: reason.ok_or(BadAsk::Missing("--reason TEXT"))?.parse()?,
            },
            "erase" => Self::Erase {
                session: session(words.next())?,
                reason: reason.ok_or(BadAsk::Missing("--reason TEXT"))?.parse()?,
            },
            "hold" => Self::Hold {
                session: session(words.next())?,
                reason: reason.ok_or(BadAsk::Missing("--reason TEXT"))?.parse()?,
            },
            "release" => Self::Release {
                session: session(words.next())?,
                reason: reason.ok_or(BadAsk::Missing("--reason TEXT"))?.parse()?,
            },
            other => return Err(BadAsk::Unknown(other.to_owned())),
        };
        let reasoned = matches!(
            ask,
            Self::Kill { .. } | Self::Erase { .. } | Self::Hold { .. } | Self::Release { .. }
        );
        let meant = reasoned || reason.is_none();
        match words.next() {
            Some(more) => Err(BadAsk::Word(more.to_owned())),
            None if meant => Ok(ask),
            None => Err(BadAsk::Word("--reason".to_owned())),
        }
    }
}

fn session(word: Option<&str>) -> Result<SessionId, BadAsk> {
    let word = word.ok_or(BadAsk::Missing("a session's ID"))?;
    Ok(word.to_ascii_uppercase().parse()?)
}

fn filter<'a>(words: &mut impl Iterator<Item = &'a str>) -> Result<Filter, BadAsk> {
    let mut filter = Filter::default();
    while let Some(word) = words.next() {
        match word {
            "--live" => filter.live = true,
            "--person" => {
                let name = words.next().ok_or(BadAsk::Missing("a person's name"))?;
                filter.person = Some(name.parse()?);
            }
            "--target" => {
                let name = words.next().ok_or(BadAsk::Missing("a target's name"))?;
                filter.target = Some(name.parse()?);
            }
            other => return Err(BadAsk::Word(other.to_owned())),
        }
    }
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01JD0000000000000000000000";

    #[test]
    fn commands_as_they_are_typed() {
        let session: SessionId = ID.parse().unwrap();
        assert_eq!(Ask::parse(""), Ok(Ask::Help));
        let filter = Filter {
            person: Some("alice".parse().unwrap()),
            target: Some("db1.prod".parse().unwrap()),
            live: true,
        };
        assert_eq!(
            Ask::parse("ls --live --person alice --target db1.prod"),
            Ok(Ask::List(filter))
        );
        let cat = |stored| Ask::Cat {
            session: session.clone(),
            stored,
        };
        assert_eq!(Ask::parse(&format!("cat {ID}")), Ok(cat(false)));
        let lower = ID.to_lowercase();
        assert_eq!(Ask::parse(&format!("cat --stored {lower}")), Ok(cat(true)));
        assert_eq!(
            Ask::parse(&format!("kill {ID} --reason  stuck since noon ")),
            Ok(Ask::Kill {
                session,
                reason: "stuck since noon".parse().unwrap()
            })
        );
    }

    #[test]
    fn promise_34_a_session_is_an_identifier_and_never_a_path() {
        for bad in [
            "../../etc/passwd",
            "/etc/passwd",
            "01JD0000000000000000000000.cast.zst",
            "01JD000000000000000000000/",
            "-",
            "..",
        ] {
            for command in ["watch", "cat", "cat --stored", "kill"] {
                let line = format!("{command} {bad} --reason x");
                let line =
                    line.trim_end_matches(if command == "kill" { "" } else { " --reason x" });
                assert!(
                    matches!(Ask::parse(line), Err(BadAsk::Name(_))),
                    "{line:?}: {:?}",
                    Ask::parse(line)
                );
            }
        }
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let word = |word: &str| Err(BadAsk::Word(word.to_owned()));
        assert_eq!(Ask::parse("rm x"), Err(BadAsk::Unknown("rm".to_owned())));
        assert_eq!(Ask::parse("ls -l"), word("-l"));
        assert_eq!(Ask::parse(&format!("cat {ID} {ID}")), word(ID));
        assert_eq!(Ask::parse("ls --reason x"), word("--reason"));
        assert_eq!(Ask::parse("cat"), Err(BadAsk::Missing("a session's ID")));
        let kill = Ask::parse(&format!("kill {ID}"));
        assert_eq!(kill, Err(BadAsk::Missing("--reason TEXT")));
        let invisible = Ask::parse(&format!("kill {ID} --reason a\u{1b}[2J"));
        assert!(matches!(invisible, Err(BadAsk::Reason(_))), "{invisible:?}");
        assert!(HELP.lines().all(|line| line.len() <= 80));
    }
}
