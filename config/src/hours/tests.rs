use proptest::prelude::*;

use super::*;

fn hours(zone: &str, days: &[&str], from: &str, to: &str) -> Hours {
    Hours::of(vec![Window::read(zone, Some(days), from, to).unwrap()]).unwrap()
}

fn secs(text: &str) -> u64 {
    let at: Timestamp = text.parse().unwrap();
    u64::try_from(at.as_second()).unwrap()
}

fn utc(at: Option<u64>) -> String {
    moment(at.unwrap()).unwrap().to_string()
}

#[test]
fn office_hours_open_and_close_by_the_clock_on_the_wall() {
    let office = hours("Europe/Zurich", &["mon-fri"], "08:00", "18:00");
    // A Friday in winter: 17:59:59 is 16:59:59 in UTC.
    assert!(office.is_open(secs("2026-11-20T16:59:59Z")));
    assert!(!office.is_open(secs("2026-11-20T17:00:00Z")));
    assert_eq!(
        utc(office.closes(secs("2026-11-20T16:00:00Z"))),
        "2026-11-20T17:00:00Z"
    );
    let next = office.opens(secs("2026-11-20T17:00:00Z"));
    assert_eq!(utc(next), "2026-11-23T07:00:00Z");
    assert_eq!(
        office.show(next.unwrap()),
        "Mon 2026-11-23 08:00 Europe/Zurich"
    );
    assert_eq!(office.to_string(), "mon-fri 08:00-18:00 Europe/Zurich");
    // In summer the same hour is another one in UTC.
    assert!(office.is_open(secs("2026-07-01T06:00:00Z")));
    assert!(!office.is_open(secs("2026-07-01T16:00:00Z")));
}

#[test]
fn a_window_over_midnight_belongs_to_the_day_on_which_it_begins() {
    let night = hours("UTC", &["fri"], "22:00", "06:00");
    assert!(night.is_open(secs("2026-11-20T22:00:00Z")));
    assert!(night.is_open(secs("2026-11-21T05:59:59Z")));
    assert!(!night.is_open(secs("2026-11-21T22:00:00Z")));
    assert!(!night.is_open(secs("2026-11-20T05:00:00Z")));
    assert_eq!(
        utc(night.closes(secs("2026-11-20T23:00:00Z"))),
        "2026-11-21T06:00:00Z"
    );
    let until_midnight = hours("UTC", &["fri"], "22:00", "00:00");
    assert_eq!(
        utc(until_midnight.closes(secs("2026-11-20T23:00:00Z"))),
        "2026-11-21T00:00:00Z"
    );
}

/// On 29 March 2026 clocks in Zurich go from 02:00 to 03:00; on 25 October from 03:00 back to 02:00.
#[test]
fn a_time_that_clocks_skip_is_none_and_one_that_comes_twice_counts_twice() {
    let skipped = hours("Europe/Zurich", &["sun"], "02:00", "03:00");
    let before = secs("2026-03-28T12:00:00Z");
    assert_eq!(utc(skipped.opens(before)), "2026-04-05T00:00:00Z");
    let half = hours("Europe/Zurich", &["sun"], "02:30", "04:00");
    assert_eq!(utc(half.opens(before)), "2026-03-29T01:00:00Z");
    let twice = hours("Europe/Zurich", &["sun"], "01:00", "02:30");
    let first = secs("2026-10-25T00:00:00Z");
    assert_eq!(utc(twice.closes(first)), "2026-10-25T00:30:00Z");
    let second = twice.opens(secs("2026-10-25T00:30:00Z"));
    assert_eq!(utc(second), "2026-10-25T01:00:00Z");
    assert_eq!(utc(twice.closes(second.unwrap())), "2026-10-25T01:30:00Z");
}

#[test]
fn windows_that_touch_are_one_and_one_that_never_closes_says_so() {
    let read = |from, to| Window::read("UTC", None, from, to).unwrap();
    let noon = secs("2026-11-20T12:00:00Z");
    let both = Hours::of(vec![read("08:00", "12:30"), read("12:30", "18:00")]).unwrap();
    assert_eq!(utc(both.closes(noon)), "2026-11-20T18:00:00Z");
    let always = Hours::of(vec![read("00:00", "24:00")]).unwrap();
    assert_eq!(always.closes(noon), None);
    assert_eq!(always.to_string(), "00:00-24:00 UTC");
}

#[test]
fn what_is_no_window_says_why() {
    let read = |zone: &str, day: &str, from: &str, to: &str| {
        Window::read(zone, Some(&[day]), from, to).map(|window| window.to_string())
    };
    let named = |text: &str| text.to_owned();
    assert_eq!(
        read("Europe/Atlantis", "mon", "08:00", "18:00"),
        Err(NotAWindow::Zone(named("Europe/Atlantis")))
    );
    for zone in ["", "CET-1CEST", "../UTC", "/etc/localtime", "+01:00"] {
        assert_eq!(
            read(zone, "mon", "08:00", "18:00"),
            Err(NotAWindow::Zone(named(zone)))
        );
    }
    for day in ["", "Mon", "monday", "mon-", "mon-tue-wed", "-"] {
        assert_eq!(
            read("UTC", day, "08:00", "18:00"),
            Err(NotAWindow::Day(named(day)))
        );
    }
    for time in [
        "8:00", "08:60", "24:01", "25:00", "08.00", "0800", "+8:00", "",
    ] {
        assert_eq!(
            read("UTC", "mon", time, "18:00"),
            Err(NotAWindow::Time(named(time)))
        );
    }
    for (from, to) in [("08:00", "08:00"), ("24:00", "08:00")] {
        assert_eq!(read("UTC", "mon", from, to), Err(NotAWindow::Empty));
    }
    let none = Window::read("UTC", Some(&[]), "08:00", "18:00");
    assert_eq!(none, Err(NotAWindow::Empty));
    assert_eq!(
        read("europe/zurich", "sat-mon", "08:00", "24:00").as_deref(),
        Ok("mon sat-sun 08:00-24:00 Europe/Zurich")
    );
    let one = Window::read("UTC", None, "08:00", "18:00").unwrap();
    assert!(Hours::of(vec![one.clone(); limits::WINDOWS]).is_some());
    assert_eq!(Hours::of(vec![one; limits::WINDOWS + 1]), None);
    assert_eq!(Hours::of(Vec::new()), None);
}

prop_compose! {
    fn windows()(
        zone in prop::sample::select(vec!["Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut", "UTC"]),
        days in prop::array::uniform7(any::<bool>()),
        from in 0_u16..DAY,
        to in 0_u16..=DAY,
    ) -> Option<Window> {
        let zone = TimeZone::get(zone).unwrap();
        (from != to).then_some(Window { zone, days, from, to })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Minute by minute through a week in which clocks change: what is said of the next opening and closing is what comes.
    #[test]
    fn the_next_turn_is_the_first_one(
        some in prop::collection::vec(windows(), 1..4),
        start in prop::sample::select(vec!["2026-03-05T13:00:00Z", "2026-03-27T22:17:00Z", "2026-10-24T00:00:00Z", "2026-10-29T11:00:00Z", "2026-04-03T00:00:00Z"]),
    ) {
        let windows: Vec<Window> = some.into_iter().flatten().collect();
        let Some(hours) = Hours::of(windows) else { return Ok(()) };
        let start = secs(start);
        let week: Vec<bool> = (0..7 * 24 * 60).map(|minute| hours.is_open(start + minute * 60)).collect();
        for at in (0..week.len()).step_by(37) {
            let now = start + at as u64 * 60;
            let next = |open: bool, from: usize| week[from..].iter().position(|is| *is == open).map(|n| start + (from + n) as u64 * 60);
            if let Some(opens) = next(true, at) {
                prop_assert_eq!(hours.opens(now), Some(opens));
            }
            let closes = next(false, at);
            match hours.closes(now) {
                Some(said) if closes.is_some() => prop_assert_eq!(Some(said), closes),
                Some(_) => {}
                None => prop_assert!(closes.is_none_or(|closes| closes > now + 24 * 3600)),
            }
        }
    }
}

/// Where it is tomorrow already, more of the coming days is known: that must not hide an earlier closing elsewhere.
#[test]
fn windows_of_zones_on_different_days_close_when_the_last_one_does() {
    let read = |zone: &str, days: &[&str], from: &str, to: &str| {
        Window::read(zone, Some(days), from, to).unwrap()
    };
    let both = Hours::of(vec![
        read("Europe/Zurich", &["sun-mon"], "00:23", "00:00"),
        read("Australia/Lord_Howe", &["sat-sun"], "14:17", "08:53"),
    ])
    .unwrap();
    let mut at = secs("2026-04-04T13:00:00Z");
    while let Some(closes) = both.closes(at) {
        assert!(!both.is_open(closes) && both.is_open(closes - 1) || closes == at);
        assert!((at..closes).step_by(60).all(|at| both.is_open(at)));
        let Some(opens) = both
            .opens(closes + 1)
            .filter(|opens| *opens < secs("2026-04-08T00:00:00Z"))
        else {
            break;
        };
        at = opens.max(at + 60);
    }
}
