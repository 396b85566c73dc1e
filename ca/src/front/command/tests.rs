//! What people type, and what they are told about it.

use std::time::Duration;

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
    assert_eq!(one.id.to_string(), "7F3K-9QMD");
}

#[test]
fn a_review_says_one_thing() {
    let Verb::Review(review) = of("review 7f3k9qmd --accept it was right --text").unwrap() else {
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
