use super::*;

/// A calendar of these events, each a few lines; UID is added where there is none.
fn ics(events: &[&str]) -> String {
    let mut text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//\r\n".to_owned();
    for (n, event) in events.iter().enumerate() {
        text.push_str("BEGIN:VEVENT\r\n");
        if !event.contains("UID:") {
            text.extend(["UID:", &n.to_string(), "\r\n"]);
        }
        for line in event.trim().lines() {
            text.push_str(line);
            text.push_str("\r\n");
        }
        text.push_str("END:VEVENT\r\n");
    }
    text + "END:VCALENDAR\r\n"
}

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn read(events: &[&str]) -> Calendar {
    match Calendar::parse(&ics(events), Some(&berlin())) {
        Ok(calendar) => calendar,
        Err(e) => panic!("{e}"),
    }
}

/// Who is on call then, `2026-11-22T03:00:00Z`.
fn at(calendar: &Calendar, moment: &str) -> Vec<String> {
    let called = calendar.at(moment.parse().unwrap()).into_iter();
    let names = called.map(|called| match called {
        Called::Address(text) => format!("<{text}>"),
        Called::Summary(text) => text.clone(),
    });
    names.collect()
}

#[track_caller]
fn refused(event: &str, line: usize, words: &str) {
    let text = ics(&[event]);
    let e = Calendar::parse(&text, None).unwrap_err();
    assert!(
        e.what.contains(words),
        "says {:?}, expected {words:?}",
        e.what
    );
    assert_eq!(e.line, line, "{e}\n{text}");
}

#[test]
fn an_event_covers_its_time_and_not_its_end() {
    let calendar = read(&["DTSTART:20261122T080000Z\nDTEND:20261122T160000Z\nSUMMARY:bob"]);
    assert!(at(&calendar, "2026-11-22T07:59:59Z").is_empty());
    assert_eq!(at(&calendar, "2026-11-22T08:00:00Z"), ["bob"]);
    assert_eq!(at(&calendar, "2026-11-22T15:59:59Z"), ["bob"]);
    assert!(at(&calendar, "2026-11-22T16:00:00Z").is_empty());
    let calendar = read(&["DTSTART:20261122T080000Z\nDURATION:P1DT30M\nSUMMARY:bob"]);
    assert_eq!(at(&calendar, "2026-11-23T08:29:59Z"), ["bob"]);
    assert!(at(&calendar, "2026-11-23T08:30:00Z").is_empty());
}

#[test]
fn days_and_times_are_of_their_zone() {
    let day = read(&["DTSTART;VALUE=DATE:20261122\nSUMMARY:bob"]);
    assert!(at(&day, "2026-11-21T22:59:59Z").is_empty());
    assert_eq!(at(&day, "2026-11-21T23:00:00Z"), ["bob"]);
    assert!(at(&day, "2026-11-22T23:00:00Z").is_empty());
    let tokyo = "DTSTART;TZID=Asia/Tokyo:20261122T090000\nDTEND;TZID=\"Asia/Tokyo\":20261122T100000\nSUMMARY:bob";
    let tokyo = read(&[tokyo]);
    assert_eq!(at(&tokyo, "2026-11-22T00:30:00Z"), ["bob"]);
    assert!(at(&tokyo, "2026-11-22T09:30:00Z").is_empty());
}

/// Two who take turns by the week, handed over on Monday at nine, over both changes of the clocks.
#[test]
fn a_weekly_hand_over_stays_at_nine() {
    let calendar = read(&[
        "DTSTART;TZID=Europe/Berlin:20260302T090000\nDTEND;TZID=Europe/Berlin:20260309T090000\nRRULE:FREQ=WEEKLY;INTERVAL=2\nSUMMARY:bob",
        "DTSTART;TZID=Europe/Berlin:20260309T090000\nDTEND;TZID=Europe/Berlin:20260316T090000\nRRULE:FREQ=WEEKLY;INTERVAL=2\nSUMMARY:carol",
    ]);
    // From 2 March on, the clock goes forward on 29 March and back on 25 October.
    assert!(at(&calendar, "2026-03-02T07:59:59Z").is_empty());
    let mut clock = "2026-03-02T08:00:00Z".parse::<Timestamp>().unwrap();
    let end = "2027-01-01T00:00:00Z".parse().unwrap();
    let monday = jiff::civil::datetime(2026, 3, 2, 9, 0, 0, 0);
    while clock < end {
        let local = berlin().to_datetime(clock).duration_since(monday);
        let week = local.as_secs() / (7 * 86_400);
        let name = if week % 2 == 0 { "bob" } else { "carol" };
        assert_eq!(at(&calendar, &clock.to_string()), [name], "{clock}");
        clock += jiff::SignedDuration::from_mins(30);
    }
}

#[test]
fn rules_of_days_and_weeks_are_followed() {
    let nights = "DTSTART;TZID=Europe/Berlin:20261102T220000\nDURATION:PT8H\nRRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE;COUNT=4\nSUMMARY:bob";
    let nights = read(&[nights]);
    let nine = |day: &str| at(&nights, &format!("2026-11-{day}T22:00:00Z"));
    for (day, on) in [
        ("02", 1),
        ("03", 1),
        ("04", 1),
        ("05", 0),
        ("09", 1),
        ("10", 0),
    ] {
        assert_eq!(nine(day).len(), on, "{day}");
    }
    assert_eq!(
        at(&nights, "2026-11-05T04:59:59Z"),
        ["bob"],
        "after midnight"
    );
    assert!(at(&nights, "2026-11-05T05:00:00Z").is_empty());
    let days = read(&[
        "DTSTART;VALUE=DATE:20261101\nRRULE:FREQ=DAILY;INTERVAL=3;UNTIL=20261108\nSUMMARY:bob",
    ]);
    let on: Vec<u32> = (1..15)
        .filter(|day| !at(&days, &format!("2026-11-{day:02}T12:00:00Z")).is_empty())
        .collect();
    assert_eq!(on, [1, 4, 7]);
    // The week begins on Sunday: the Sunday after belongs to the week that is skipped.
    for (start, on) in [("MO", vec![3, 8, 17, 22]), ("SU", vec![3, 15, 17, 29])] {
        let rule = format!(
            "DTSTART:20261103T000000Z\nDURATION:P1D\nRRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST={start}\nSUMMARY:bob"
        );
        let calendar = read(&[&rule]);
        let found: Vec<u32> = (1..30)
            .filter(|day| !at(&calendar, &format!("2026-11-{day:02}T12:00:00Z")).is_empty())
            .collect();
        assert_eq!(found, on, "RFC 5545 §3.8.5.3, the example of WKST");
    }
}

#[test]
fn what_is_taken_out_or_replaced_does_not_count() {
    let calendar = read(&[
        "UID:a\nDTSTART:20261101T000000Z\nDURATION:P1D\nRRULE:FREQ=DAILY\nEXDATE:20261103T000000Z,20261104T000000Z\nSUMMARY:bob",
        "UID:a\nRECURRENCE-ID:20261105T000000Z\nDTSTART:20261105T120000Z\nDURATION:PT1H\nSUMMARY:carol",
        "UID:a\nRECURRENCE-ID:20261106T000000Z\nDTSTART:20261106T000000Z\nDURATION:P1D\nSTATUS:CANCELLED\nSUMMARY:bob",
        "DTSTART:20261102T000000Z\nDURATION:P1D\nSTATUS:TENTATIVE\nSUMMARY:dave",
    ]);
    for (day, who) in [
        ("02", "bob"),
        ("03", ""),
        ("04", ""),
        ("05", "carol"),
        ("06", ""),
        ("07", "bob"),
    ] {
        let found = at(&calendar, &format!("2026-11-{day}T12:30:00Z"));
        let expected: Vec<&str> = if who.is_empty() { vec![] } else { vec![who] };
        assert_eq!(found, expected, "{day}");
    }
    assert!(at(&calendar, "2026-11-05T00:00:00Z").is_empty());
}

#[test]
fn attendees_come_before_the_summary() {
    let calendar = read(&[
        "DTSTART:20261122T000000Z\nDURATION:P1D\nSUMMARY:On call\nATTENDEE;CN=\"Jones; Bob: SRE\":MAILTO:Bob@example.org\nATTENDEE;PARTSTAT=DECLINED:mailto:carol@example.org\nATTENDEE;CUTYPE=ROOM:mailto:room@example.org",
        "DTSTART:20261122T000000Z\nDURATION:P1D\nSUMMARY:dave\nATTENDEE;PARTSTAT=DECLINED:mailto:dave@example.org",
        "DTSTART:20261122T000000Z\nDURATION:P1D\nSUMMARY:Erin\\, of \n security",
    ]);
    let who = at(&calendar, "2026-11-22T12:00:00Z");
    assert_eq!(who, ["<bob@example.org>", "Erin, of security"]);
}

#[test]
fn what_does_not_concern_us_is_skipped() {
    let zone = "BEGIN:VTIMEZONE\nTZID:Europe/Berlin\nBEGIN:STANDARD\nDTSTART:19701025T030000\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE\n";
    let todo = "BEGIN:VTODO\nUID:x\nRRULE:FREQ=SECONDLY\nEND:VTODO\n";
    let alarm = "BEGIN:VALARM\nACTION:DISPLAY\nDURATION:PT5M\nREPEAT:1\nEND:VALARM";
    let event =
        format!("DTSTART:20261122T000000Z\nDURATION:P1D\nSUMMARY:bob\nX-ODD;X=1:?\n{alarm}");
    let text = ics(&[&event]).replacen("BEGIN:VEVENT", &format!("{zone}{todo}BEGIN:VEVENT"), 1);
    let calendar = Calendar::parse(&text, None).unwrap();
    assert_eq!(at(&calendar, "2026-11-22T12:00:00Z"), ["bob"]);
    assert!(
        Calendar::parse(&ics(&[]), None)
            .unwrap()
            .everybody()
            .is_empty()
    );
}

#[test]
fn what_is_not_understood_refuses_the_whole_calendar() {
    let with = |more: &str| format!("UID:a\nDTSTART:20261122T000000Z\nDURATION:P1D\n{more}");
    for (more, words) in [
        ("RDATE:20261123T000000Z", "RDATE is not understood"),
        ("EXRULE:FREQ=DAILY", "EXRULE is not understood"),
        (
            "RECURRENCE-ID;RANGE=THISANDFUTURE:20261122T000000Z",
            "RANGE",
        ),
        (
            "RRULE:FREQ=MONTHLY",
            "only rules of FREQ=DAILY and FREQ=WEEKLY",
        ),
        ("RRULE:FREQ=SECONDLY", "only rules"),
        ("RRULE:INTERVAL=2", "only rules"),
        ("RRULE:FREQ=DAILY;BYHOUR=9", "\"BYHOUR\" in a rule"),
        ("RRULE:FREQ=DAILY;BYDAY=MO", "BYDAY with DAILY"),
        ("RRULE:FREQ=WEEKLY;BYDAY=1MO", "something else than days"),
        (
            "RRULE:FREQ=WEEKLY;BYDAY=MO",
            "DTSTART is not on one of the days",
        ),
        (
            "RRULE:FREQ=DAILY;COUNT=2;UNTIL=20261130T000000Z",
            "both COUNT and UNTIL",
        ),
        ("RRULE:FREQ=DAILY;UNTIL=20261130", "is not a time"),
        ("RRULE:FREQ=DAILY;COUNT=0", "COUNT is not"),
        ("RRULE:FREQ=DAILY;INTERVAL=0", "INTERVAL is not"),
        ("RRULE:FREQ=DAILY;INTERVAL=1001", "INTERVAL is not"),
        ("RRULE:FREQ=DAILY;FREQ=DAILY", "twice"),
        ("RRULE:FREQ", "without a value"),
        ("DTEND:20261123T000000Z", "both DTEND and DURATION"),
        ("EXDATE:soon", "\"soon\" is not a time"),
        ("SUMMARY:a\nSUMMARY:b", "a second SUMMARY"),
    ] {
        let text = with(more);
        let e = Calendar::parse(&ics(&[&text]), None).unwrap_err();
        assert!(e.what.contains(words), "{more}: says {:?}", e.what);
    }
}

#[test]
fn events_without_a_clear_time_are_refused() {
    refused("SUMMARY:bob", 4, "without DTSTART");
    refused("DTSTART:20261122T000000", 6, "in no time zone");
    refused("DTSTART;VALUE=DATE:20261122", 6, "in no time zone");
    refused(
        "DTSTART;TZID=W. Europe Standard Time:20261122T000000",
        6,
        "name it as IANA does",
    );
    refused("DTSTART;TZID=UTC:20261122T000000Z", 6, "in UTC with a TZID");
    refused("DTSTART:20261122T000000Z", 4, "without an end");
    refused(
        "DTSTART:20261122T000000Z\nDTEND:20261122T000000Z",
        4,
        "ends before it has begun",
    );
    refused(
        "DTSTART:20261122T000000Z\nDURATION:-P1D",
        4,
        "ends before it has begun",
    );
    refused(
        "DTSTART:20261122T000000Z\nDTEND;VALUE=DATE:20261123",
        7,
        "in no time zone",
    );
    refused("DTSTART:20261322T000000Z", 6, "is not a time");
    refused("DTSTART:20261122T250000Z", 6, "is not a time");
    refused(
        "DTSTART;VALUE=PERIOD:20261122T250000Z",
        6,
        "not a date or a time",
    );
    refused(
        "DTSTART:20261122T000000Z\nDURATION:P367D\nRRULE:FREQ=DAILY",
        8,
        "longer than a year",
    );
    let long = format!(
        "DTSTART:20261122T000000Z\nDURATION:P1D\nDESCRIPTION:{}",
        "x".repeat(64 << 10)
    );
    refused(&long, 8, "too long");
}

#[test]
fn what_is_not_a_calendar_is_refused() {
    for (text, words) in [
        ("", "not whole"),
        ("<html>", "not a content line"),
        ("UID:a", "does not belong"),
        ("BEGIN:VEVENT\nEND:VEVENT", "begins where it cannot"),
        ("BEGIN:VCALENDAR", "not whole"),
        (
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR",
            "ends what has not begun",
        ),
        ("BEGIN:VCALENDAR\nMETHOD:CANCEL\nEND:VCALENDAR", "METHOD"),
        (
            "BEGIN:VCALENDAR\nA;B:c\nEND:VCALENDAR",
            "not a content line",
        ),
        (
            "BEGIN:VCALENDAR\nA;B=1;B=2:c\nEND:VCALENDAR",
            "not a content line",
        ),
        (
            "BEGIN:VCALENDAR\nBEGIN:A\nBEGIN:B\nBEGIN:C\nBEGIN:D\n",
            "begins where it cannot",
        ),
    ] {
        let e = Calendar::parse(text, None).unwrap_err();
        assert!(e.what.contains(words), "{text:?}: {e}");
    }
    let twice = "UID:a\nDTSTART:20261122T000000Z\nDURATION:P1D";
    let e = Calendar::parse(&ics(&[twice, twice]), None).unwrap_err();
    assert!(e.what.contains("a second event with this UID"), "{e}");
}

#[test]
fn there_are_not_more_events_than_anybody_needs() {
    let event = "DTSTART:20261122T000000Z\nDURATION:P1D";
    let events = vec![event; limits::CALENDAR_EVENTS + 1];
    assert!(Calendar::parse(&ics(&events[1..]), None).is_ok());
    let e = Calendar::parse(&ics(&events), None).unwrap_err();
    assert!(e.what.contains("more than 20000 events"), "{e}");
}

proptest::proptest! {
    /// Whatever the bytes, it is read or refused.
    #[test]
    fn any_text_is_read_or_refused(text in "(BEGIN:VCALENDAR\n)?((BEGIN|END|DTSTART|RRULE|UID|DURATION)[:;=A-Z0-9,\n ]{0,20}\n?){0,12}") {
        drop(Calendar::parse(&text, Some(&TimeZone::UTC)));
    }

    /// A rule of weeks covers what going through every day by hand says.
    #[test]
    fn weeks_are_counted_as_by_hand(
        first in 1_i64..29, interval in 1_i64..4, count in 1_i64..12,
        days in proptest::sample::subsequence(vec![0_i64, 1, 2, 3, 4, 5, 6], 1..7), probe in 0_i64..200,
    ) {
        const NAMES: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
        let base = jiff::civil::date(2026, 6, 1); // A Monday.
        let day = |n: i64| base.checked_add(jiff::Span::new().days(n)).unwrap();
        let start = (first..first + 7).find(|n| days.contains(&(n % 7))).unwrap();
        let names: Vec<_> = days.iter().map(|n| NAMES[usize::try_from(*n).unwrap()]).collect();
        let rule = format!(
            "DTSTART;VALUE=DATE:{}\nRRULE:FREQ=WEEKLY;INTERVAL={interval};COUNT={count};BYDAY={}\nSUMMARY:bob",
            day(start).strftime("%Y%m%d"), names.join(",")
        );
        let calendar = Calendar::parse(&ics(&[&rule]), Some(&TimeZone::UTC)).unwrap();
        let by_hand: Vec<i64> = (start..2_000)
            .filter(|n| days.contains(&(n % 7)) && (n / 7 - start / 7) % interval == 0)
            .take(usize::try_from(count).unwrap())
            .collect();
        let noon = day(probe).at(12, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp();
        proptest::prop_assert_eq!(!calendar.at(noon).is_empty(), by_hand.contains(&probe));
    }
}
