//! What is said around a search.

use super::SearchArgs;
use crate::failure::safe;

/// The options that may leave recordings out, of those that were given.
pub(super) fn leaving_out(args: &SearchArgs) -> String {
    let given = [
        ("--person", args.person.is_some()),
        ("--target", args.target.is_some()),
        ("--since", args.since.is_some()),
    ];
    let given: Vec<&str> = given
        .into_iter()
        .filter_map(|(name, given)| given.then_some(name))
        .collect();
    given.join(", ")
}

/// That there is no recording to look through.
pub(super) fn nothing_there(args: &SearchArgs) -> String {
    let places: Vec<String> = args.places.iter().map(|place| safe(place, "")).collect();
    let places = if places.is_empty() {
        "on this machine".to_owned()
    } else {
        format!("in {}", places.join(", "))
    };
    match &args.session {
        Some(session) => {
            format!("nothing was searched: there is no recording of {session} {places}")
        }
        None => format!(
            "nothing was searched: there is no recording {places} (a file SESSION.cast.zst, in that very directory)"
        ),
    }
}

/// How many recordings, and the verb.
pub(super) fn counted(count: usize) -> (String, &'static str) {
    match count {
        1 => ("1 recording".to_owned(), "is"),
        _ => (format!("{count} recordings"), "are"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: SearchArgs,
    }

    #[test]
    fn only_what_was_given_left_something_out() {
        for (given, named) in [
            (&["--person", "alice"][..], "--person"),
            (
                &["--since", "30d", "--person", "alice"],
                "--person, --since",
            ),
        ] {
            let line = ["search", "x"].iter().chain(given);
            let line = Line::try_parse_from(line).unwrap();
            assert_eq!(leaving_out(&line.args), named);
        }
    }
}
