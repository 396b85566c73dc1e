//! The masks of a session: one for each stream that comes from the target.

use bytes::Bytes;
use config::pattern::PatternError;
use config::terms;
use record::recording::Hidden;
use tokio::time::Instant;

use super::silence::Silence;
use crate::mask::Mask;

/// What a session masks; nothing, if its role does not say so. What may be the beginning of it waits while the target is silent for
/// a moment, and as long as the session stands still.
#[derive(Debug)]
pub(crate) struct Masks {
    output: Option<Mask>,
    errors: Option<Mask>,
    silence: Silence,
}

/// What may pass of a session's two streams.
pub(super) struct Passed {
    pub(super) output: Shown,
    pub(super) errors: Shown,
}

/// What may pass of one stream, and what was masked in it, if that is kept. What has no stars may stand where nothing passes.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) bytes: Bytes,
    pub(super) hidden: Vec<Hidden>,
}

impl Masks {
    /// The masks of a role.
    ///
    /// # Errors
    ///
    /// Its patterns do not compile together.
    pub(crate) fn new(terms: &terms::Mask, now: Instant) -> Result<Self, PatternError> {
        Ok(Self {
            output: Mask::new(terms)?,
            errors: Mask::new(terms)?,
            silence: Silence::new(now),
        })
    }

    /// Looks at the clock. `still`: nothing is taken from the target now, whatever it has said.
    pub(super) fn look(&mut self, now: Instant, still: bool) {
        self.silence.look(now, still);
    }

    /// Takes output, and gives what may pass.
    pub(super) fn output(&mut self, bytes: Bytes) -> Shown {
        push(&mut self.output, bytes, self.silence.time())
    }

    /// The same of standard error.
    pub(super) fn errors(&mut self, bytes: Bytes) -> Shown {
        push(&mut self.errors, bytes, self.silence.time())
    }

    /// When to look again, if something is held back.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due().map(|due| self.silence.next(due))
    }

    /// Whether something has been held back for as long as anything may.
    pub(super) fn is_overdue(&self) -> bool {
        self.due().is_some_and(|due| due <= self.silence.time())
    }

    /// What has been held back for as long as anything may.
    pub(super) fn overdue(&mut self) -> Passed {
        let now = self.silence.time();
        self.passed(|mask| mask.overdue(now))
    }

    /// Nothing more comes: what was held back.
    pub(super) fn finish(&mut self) -> Passed {
        self.passed(Mask::finish)
    }

    fn due(&self) -> Option<Instant> {
        let due = [&self.output, &self.errors].map(|mask| mask.as_ref().and_then(Mask::due));
        due.into_iter().flatten().min()
    }

    fn passed(&mut self, what: impl Fn(&mut Mask) -> Vec<u8>) -> Passed {
        let pass = |mask: &mut Option<Mask>| {
            let shown = mask.as_mut().map(|mask| Shown::of(what(mask), mask));
            shown.unwrap_or_default()
        };
        Passed {
            output: pass(&mut self.output),
            errors: pass(&mut self.errors),
        }
    }
}

impl Shown {
    fn of(bytes: Vec<u8>, mask: &mut Mask) -> Self {
        Self {
            bytes: bytes.into(),
            hidden: mask.take_hidden(),
        }
    }
}

fn push(mask: &mut Option<Mask>, bytes: Bytes, now: Instant) -> Shown {
    match mask {
        Some(mask) => Shown::of(mask.push(&bytes, now), mask),
        None => Shown {
            bytes,
            hidden: Vec::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use config::limits;
    use config::terms::Maskable;

    use super::*;

    /// Masks of card numbers, and the moment at which they begin.
    fn masks() -> (Masks, Instant) {
        let terms = terms::Mask {
            known: [Maskable::Cards].into(),
            patterns: Vec::new(),
            ..terms::Mask::default()
        };
        let now = Instant::now();
        (Masks::new(&terms, now).unwrap(), now)
    }

    /// Looks as often as they say until something passes, or nothing is held; when that was, and what.
    fn until_passed(masks: &mut Masks) -> (Option<Instant>, Bytes) {
        let mut at = None;
        while let Some(now) = masks.next() {
            masks.look(now, false);
            at = Some(now);
            if masks.is_overdue() {
                break;
            }
        }
        (at, masks.overdue().output.bytes)
    }

    #[test]
    fn a_session_that_stands_still_shows_no_beginning_of_a_number() {
        let (mut masks, start) = masks();
        let half = Bytes::from_static(b"card 4111 1111 1");
        assert_eq!(masks.output(half).bytes, b"card "[..]);
        // The person reads nothing for a minute: the loop looks whenever something happens, or not at all.
        for second in 1..60 {
            masks.look(start + Duration::from_secs(second), true);
            assert!(!masks.is_overdue(), "after {second} s");
        }
        // The person reads again: first what stood in our own queue is taken, then what the target could not send.
        let goes = start + Duration::from_secs(60);
        masks.look(goes, false);
        assert!(!masks.is_overdue());
        let rest = goes + limits::MASK_RESUMES - Duration::from_millis(1);
        masks.look(rest, false);
        assert!(
            !masks.is_overdue(),
            "what the target held has to come first"
        );
        let whole = masks.output(Bytes::from_static(b"111 1111\ncard 4")).bytes;
        assert_eq!(whole, b"**** **** **** ****\ncard "[..]);
    }

    #[test]
    fn what_has_no_stars_is_given_though_nothing_passes() {
        let key = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
        let key = key.parse().unwrap();
        let terms = terms::Mask {
            patterns: vec!["secret [a-z](?:\u{301})*".parse().unwrap()],
            original: config::recipients::Recipients::any(vec![key]).unwrap(),
            ..terms::Mask::default()
        };
        let mut masks = Masks::new(&terms, Instant::now()).unwrap();
        masks.output(Bytes::from_static(b"secret a"));
        assert_eq!(until_passed(&mut masks).1, b"********"[..]);
        let mark = masks.output(Bytes::from_static("\u{301}".as_bytes()));
        let end = masks.finish().output;
        assert_eq!((mark.bytes.len(), end.bytes.len()), (0, 0));
        let hidden = [mark.hidden, end.hidden].concat();
        let hidden: Vec<u8> = hidden.into_iter().flat_map(|run| run.bytes).collect();
        assert_eq!(hidden, "\u{301}".as_bytes());
    }

    #[test]
    fn a_process_that_was_frozen_listens_before_it_shows() {
        let (mut masks, start) = masks();
        masks.output(Bytes::from_static(b"card 4111 11"));
        let thawed = start + Duration::from_secs(10);
        masks.look(thawed, false);
        assert!(!masks.is_overdue());
        let (at, shown) = until_passed(&mut masks);
        assert_eq!(shown, b"4111 11"[..]);
        assert_eq!(
            at,
            Some(thawed + limits::MASK_HOLD - limits::MASK_LOOK),
            "four more looks"
        );
    }

    #[test]
    fn a_target_that_is_silent_within_a_number_shows_what_stands_before() {
        let (mut masks, start) = masks();
        masks.output(Bytes::from_static(b"card 4111 11"));
        // It is silent only from what it said last.
        let later = start + limits::MASK_LOOK;
        masks.look(later, false);
        masks.output(Bytes::from_static(b"11"));
        assert_eq!(
            until_passed(&mut masks),
            (Some(later + limits::MASK_HOLD), b"4111 1111"[..].into())
        );
        assert_eq!(masks.next(), None);
    }

    #[test]
    fn what_nothing_masks_is_looked_at_by_nobody() {
        let now = Instant::now();
        let mut masks = Masks::new(&terms::Mask::default(), now).unwrap();
        assert_eq!(masks.output(Bytes::from_static(b"4111")).bytes, b"4111"[..]);
        assert_eq!(masks.next(), None);
    }
}
