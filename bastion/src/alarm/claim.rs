//! Whether an alert ends its session, or something else has: one of both, whoever is first. So what the CA hears of it and the End of the
//! recording say the same.

use std::sync::{Mutex, PoisonError};

use config::words::AlertName;

/// What ends a session.
#[derive(Debug, Default)]
pub(crate) struct Claim(Mutex<By>);

#[derive(Debug, Default)]
enum By {
    /// Nothing yet.
    #[default]
    Nothing,
    /// An alert of this name.
    Alert(AlertName),
    /// Something else.
    Another,
}

impl Claim {
    /// Has an alert end the session; says whether it does, rather than what ended it before.
    pub(super) fn ends(&self, alert: &AlertName) -> bool {
        let mut by = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = matches!(*by, By::Nothing);
        if first {
            *by = By::Alert(alert.clone());
        }
        first
    }

    /// The session is over; gives the alert that has ended it, if one has. None does from now on.
    pub(crate) fn over(&self) -> Option<AlertName> {
        let mut by = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let By::Alert(name) = &*by {
            return Some(name.clone());
        }
        *by = By::Another;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_ended_once() {
        let (root, wipe) = ("root".parse().unwrap(), "wipe".parse().unwrap());
        let claim = Claim::default();
        assert!(claim.ends(&root));
        assert!(!claim.ends(&wipe));
        assert_eq!(claim.over(), Some(root.clone()));

        let claim = Claim::default();
        assert_eq!(claim.over(), None);
        assert!(!claim.ends(&root));
        assert_eq!(claim.over(), None);
    }
}
