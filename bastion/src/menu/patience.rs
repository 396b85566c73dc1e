//! How long a list is shown: without a clock of its own.

use std::time::Duration;

use config::{duration, limits};
use tokio::time::Instant;

/// When the list goes away by itself.
pub(super) struct Patience {
    /// The certificate that was shown proves nothing any more then.
    certificate: Instant,
    /// Nobody has said anything by then.
    silence: Instant,
}

impl Patience {
    /// From now on, with a certificate that is good for so long.
    pub(super) fn new(now: Instant, good: Duration) -> Self {
        Self {
            certificate: now + good.min(limits::GRANT_LONGEST),
            silence: now + limits::CHOICE_PATIENCE,
        }
    }

    /// Somebody is there.
    pub(super) fn heard(&mut self, now: Instant) {
        self.silence = now + limits::CHOICE_PATIENCE;
    }

    /// The next moment at which it may be over.
    pub(super) fn due(&self) -> Instant {
        self.certificate.min(self.silence)
    }

    /// Why it is over, if it is.
    pub(super) fn over(&self, now: Instant) -> Option<String> {
        if now >= self.certificate {
            Some("the certificate that you have shown has expired".to_owned())
        } else if now >= self.silence {
            let most = duration::show(limits::CHOICE_PATIENCE);
            Some(format!("nothing was chosen for {most}"))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(1);

    #[test]
    fn a_list_is_shown_for_so_long_and_no_longer() {
        let begin = Instant::now();
        let mut patience = Patience::new(begin, Duration::from_secs(3600));
        let last = begin + limits::CHOICE_PATIENCE;
        assert_eq!(patience.over(last.checked_sub(MOMENT).unwrap()), None);
        assert_eq!(patience.over(last).unwrap(), "nothing was chosen for 5m");
        assert_eq!(patience.due(), last);
        patience.heard(begin + MOMENT);
        assert_eq!(patience.over(last), None);
        assert!(patience.over(last + MOMENT).is_some());
    }

    #[test]
    fn nobody_chooses_by_a_certificate_that_has_expired() {
        let begin = Instant::now();
        let mut patience = Patience::new(begin, Duration::from_secs(2));
        patience.heard(begin + Duration::from_secs(1));
        let end = begin + Duration::from_secs(2);
        assert_eq!(patience.due(), end);
        assert!(patience.over(end).unwrap().contains("expired"));
        let longest = Patience::new(begin, Duration::MAX);
        assert!(longest.certificate == begin + limits::GRANT_LONGEST);
    }
}
