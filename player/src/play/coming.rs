//! A recording that is still being brought here while it plays.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// How much of a recording's file is here, told by whoever brings it.
#[derive(Debug)]
pub struct Coming {
    here: AtomicU64,
    whole: u64,
    failed: OnceLock<String>,
}

impl Coming {
    /// Nothing is here yet of so many bytes.
    pub const fn new(whole: u64) -> Self {
        Self {
            here: AtomicU64::new(0),
            whole,
            failed: OnceLock::new(),
        }
    }

    /// So many bytes more are in the file.
    pub fn came(&self, bytes: u64) {
        self.here.fetch_add(bytes, Ordering::Release);
    }

    /// Nothing more will come, for this reason.
    pub fn fail(&self, why: String) {
        // The first reason is the one.
        let _ = self.failed.set(why);
    }

    /// Why nothing more will come, if so.
    pub fn failed(&self) -> Option<&str> {
        self.failed.get().map(String::as_str)
    }

    /// Whether all of it is here.
    pub fn is_whole(&self) -> bool {
        self.here.load(Ordering::Acquire) >= self.whole
    }

    /// Whether more of it is on its way.
    pub fn goes_on(&self) -> bool {
        !self.is_whole() && self.failed().is_none()
    }

    /// How much is here, in whole hundredths; none when all of it is.
    pub fn percent(&self) -> Option<u8> {
        let here = self.here.load(Ordering::Acquire);
        let percent = u128::from(here) * 100 / u128::from(self.whole.max(1));
        (here < self.whole).then(|| u8::try_from(percent).unwrap_or(99))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_whole_with_its_last_byte() {
        let coming = Coming::new(1000);
        assert_eq!((coming.percent(), coming.is_whole()), (Some(0), false));
        coming.came(999);
        assert_eq!((coming.percent(), coming.is_whole()), (Some(99), false));
        coming.came(1);
        assert_eq!((coming.percent(), coming.is_whole()), (None, true));
        assert_eq!(Coming::new(0).percent(), None);
        coming.fail("first".to_owned());
        coming.fail("second".to_owned());
        assert_eq!(coming.failed(), Some("first"));
    }
}
