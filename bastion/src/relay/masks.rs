//! The masks of a session: one for each stream that comes from the target.

use bytes::Bytes;
use config::pattern::PatternError;
use config::terms;
use tokio::time::Instant;

use crate::mask::Mask;

/// What a session masks; nothing, if its role does not say so.
#[derive(Debug, Default)]
pub(crate) struct Masks {
    output: Option<Mask>,
    errors: Option<Mask>,
}

/// What may pass of a session's two streams.
pub(super) struct Passed {
    pub(super) output: Bytes,
    pub(super) errors: Bytes,
}

impl Masks {
    /// The masks of a role.
    ///
    /// # Errors
    ///
    /// Its patterns do not compile together.
    pub(crate) fn new(terms: &terms::Mask) -> Result<Self, PatternError> {
        Ok(Self {
            output: Mask::new(terms)?,
            errors: Mask::new(terms)?,
        })
    }

    /// Takes output, and gives what may pass.
    pub(super) fn output(&mut self, bytes: Bytes, now: Instant) -> Bytes {
        push(&mut self.output, bytes, now)
    }

    /// The same of standard error.
    pub(super) fn errors(&mut self, bytes: Bytes, now: Instant) -> Bytes {
        push(&mut self.errors, bytes, now)
    }

    /// When something that is held back has to pass.
    pub(super) fn due(&self) -> Option<Instant> {
        let due = [&self.output, &self.errors].map(|mask| mask.as_ref().and_then(Mask::due));
        due.into_iter().flatten().min()
    }

    /// What has been held back for as long as anything may.
    pub(super) fn overdue(&mut self, now: Instant) -> Passed {
        self.passed(|mask| mask.overdue(now))
    }

    /// Nothing more comes: what was held back.
    pub(super) fn finish(&mut self) -> Passed {
        self.passed(Mask::finish)
    }

    fn passed(&mut self, what: impl Fn(&mut Mask) -> Vec<u8>) -> Passed {
        let pass = |mask: &mut Option<Mask>| mask.as_mut().map(&what).unwrap_or_default().into();
        Passed {
            output: pass(&mut self.output),
            errors: pass(&mut self.errors),
        }
    }
}

fn push(mask: &mut Option<Mask>, bytes: Bytes, now: Instant) -> Bytes {
    match mask {
        Some(mask) => mask.push(&bytes, now).into(),
        None => bytes,
    }
}
