use std::path::Path;

use super::*;
use crate::testing::{START, config, config_text};

fn rules(dir: &Path, more: &str) -> Config {
    let more = format!(
        "[on-call.primary]\ncalendar = \"oncall.ics\"\n{more}\n[on-call.second]\ncommand = [\"/x\"]\n"
    );
    config(dir, &format!("{}{more}", config_text()))
}

fn calendar(config: &Config) -> outside::Calendar {
    match &config.on_call["primary"] {
        Roster::Calendar(calendar) => calendar.clone(),
        Roster::Command(_) => panic!("a calendar"),
    }
}

const EVENTS: &str = "BEGIN:VCALENDAR
BEGIN:VEVENT
UID:1
DTSTART:20261122T000000Z
DURATION:P1D
ATTENDEE:mailto:Bob@example.org
ATTENDEE:mailto:c.smith@example.org
ATTENDEE:mailto:eve@example.org
END:VEVENT
BEGIN:VEVENT
UID:2
DTSTART:20261122T000000Z
DURATION:P1D
SUMMARY:dave
END:VEVENT
BEGIN:VEVENT
UID:3
DTSTART:20261123T000000Z
DURATION:P1D
SUMMARY:the night shift
END:VEVENT
END:VCALENDAR
";

fn on_call(config: &Config, rosters: &Rosters, roster: &str, seconds: u64) -> Vec<String> {
    let roster = roster.parse().unwrap();
    let now = UnixTime::from_secs(START + seconds);
    let persons = rosters.on_call(config, &roster, now, Duration::from_secs(seconds));
    persons.iter().map(ToString::to_string).collect()
}

#[test]
fn a_calendar_names_registered_persons() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("oncall.ics"), EVENTS).unwrap();
    let config = rules(
        dir.path(),
        "persons = { \"C.Smith@example.org\" = \"carol\", \"the night shift\" = \"erin\" }",
    );
    let rules = calendar(&config);
    let known = read(&rules).unwrap();
    assert_eq!(strangers(&config, &rules, &known), ["\"eve@example.org\""]);
    let mut rosters = Rosters::default();
    assert!(
        on_call(&config, &rosters, "primary", 0).is_empty(),
        "nothing is known yet"
    );
    rosters.set(
        "primary".parse().unwrap(),
        Some(Known::Calendar(Arc::new(known))),
    );
    assert_eq!(
        on_call(&config, &rosters, "primary", 0),
        ["bob", "carol", "dave"]
    );
    assert_eq!(on_call(&config, &rosters, "primary", 86_400), ["erin"]);
    assert!(on_call(&config, &rosters, "primary", 2 * 86_400).is_empty());
    assert!(on_call(&config, &rosters, "second", 0).is_empty());
    // What was known of a calendar says nothing once the roster is a program's.
    let known = rosters.0["primary"].clone();
    rosters.set("second".parse().unwrap(), Some(known));
    assert!(on_call(&config, &rosters, "second", 0).is_empty());
    rosters.set("primary".parse().unwrap(), None);
    assert!(on_call(&config, &rosters, "primary", 0).is_empty());
}

#[test]
fn a_programs_word_is_good_until_it_is_stale() {
    let config = rules(Path::new("/nowhere"), "");
    let answer = br#"{"version":1,"on-call":["bob","eve"]}"#;
    let (persons, unknown) = told(&config, answer).unwrap();
    assert_eq!(unknown.into_iter().collect::<Vec<_>>(), ["\"eve\""]);
    let mut rosters = Rosters::default();
    let until = Duration::from_secs(900);
    rosters.set(
        "second".parse().unwrap(),
        Some(Known::Told { persons, until }),
    );
    assert_eq!(on_call(&config, &rosters, "second", 899), ["bob"]);
    assert!(on_call(&config, &rosters, "second", 900).is_empty());
    for (answer, why) in [
        (&br#"{"version":1}"#[..], "missing field"),
        (br#"{"version":3,"on-call":[]}"#, "version 3"),
        (
            br#"{"version":1,"on-call":[],"groups":{}}"#,
            "unknown field",
        ),
    ] {
        let refused = told(&config, answer).unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
}

#[test]
fn a_calendar_that_cannot_be_read_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("oncall.ics");
    let plain = calendar(&rules(dir.path(), ""));
    let words = |rules: &outside::Calendar| read(rules).unwrap_err().to_string();
    assert!(
        words(&plain).contains("oncall.ics: cannot be read"),
        "{}",
        words(&plain)
    );
    std::fs::write(&path, "BEGIN:VCALENDAR\nRDATE\n").unwrap();
    assert!(
        words(&plain).contains("oncall.ics, line 2: "),
        "{}",
        words(&plain)
    );
    std::fs::write(&path, [0xff]).unwrap();
    assert!(
        words(&plain).contains("cannot be read"),
        "{}",
        words(&plain)
    );
    std::fs::write(&path, "\n".repeat(limits::CALENDAR_BYTES + 1)).unwrap();
    assert!(
        words(&plain).contains("longer than 4194304 bytes"),
        "{}",
        words(&plain)
    );
    let mars = calendar(&rules(dir.path(), "zone = \"Mars/Olympus\""));
    assert!(
        words(&mars).contains("\"Mars/Olympus\" is not known"),
        "{}",
        words(&mars)
    );
}
