//! How often each person has asked within the last hour, by the log's lines: whatever became of it, each request stays
//! in the log for good. Counted by minutes, so that it stays small however often that was.

use std::collections::{HashMap, VecDeque};

use config::words::PersonName;
use record::clock::UnixTime;
use record::request::Request;

/// Minutes that are counted together.
const MINUTES: u64 = 60;

/// Who asked how often; break-glass apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AskedOften(HashMap<(PersonName, bool), VecDeque<(u64, u32)>>);

impl AskedOften {
    /// A request was made.
    pub(super) fn count(&mut self, request: &Request, at: UnixTime) {
        let whose = (request.person.clone(), request.break_glass);
        let (own, minute) = (self.0.entry(whose).or_default(), at.secs() / 60);
        while own
            .front()
            .is_some_and(|(then, _)| then + MINUTES <= minute)
        {
            own.pop_front();
        }
        match own.back_mut() {
            // Minutes that a clock brings again, which was put back, count with the last one.
            Some((last, times)) if *last >= minute => *times = times.saturating_add(1),
            _ => own.push_back((minute, 1)),
        }
    }

    /// How often a person has asked, and from when on it is less.
    pub(crate) fn of(
        &self,
        person: &PersonName,
        break_glass: bool,
        now: UnixTime,
    ) -> (u32, UnixTime) {
        let minute = now.secs() / 60;
        let own = self.0.get(&(person.clone(), break_glass));
        let counts = |(then, _): &&(u64, u32)| *then <= minute && then + MINUTES > minute;
        let recent = own.into_iter().flatten().filter(counts);
        let first = recent.clone().map(|(then, _)| *then).min();
        let times = recent.fold(0, |sum: u32, (_, times)| sum.saturating_add(*times));
        let less = first.unwrap_or(minute) + MINUTES;
        (times, UnixTime::from_secs(less * 60))
    }
}
