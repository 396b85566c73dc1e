//! Who may open a role's recordings: each of them alone, or only so many of them together.

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::recipient::Recipient;

/// The recipients of a recording, at most [`limits::RECIPIENTS`] different keys. None: it is not sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Told", into = "Told")]
pub struct Recipients {
    threshold: usize,
    of: Vec<Recipient>,
}

/// Why keys are no recipients together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotRecipients {
    /// More than anybody needs.
    #[error("there are more than {} recipients", limits::RECIPIENTS)]
    Many,
    /// One key would count twice.
    #[error("one recipient stands there twice")]
    Twice,
    /// Nobody could open it, or everybody alone.
    #[error("the threshold is neither one nor as many as there are recipients, nor between")]
    Threshold,
}

impl Recipients {
    /// Nobody: what is recorded is not sealed.
    pub const fn nobody() -> Self {
        Self {
            threshold: 1,
            of: Vec::new(),
        }
    }

    /// Each of these alone.
    pub fn any(of: Vec<Recipient>) -> Result<Self, NotRecipients> {
        Self::together(1, of)
    }

    /// So many of these together, and nobody alone unless the threshold is one.
    pub fn together(threshold: usize, of: Vec<Recipient>) -> Result<Self, NotRecipients> {
        if of.len() > limits::RECIPIENTS {
            return Err(NotRecipients::Many);
        }
        let mut rest = of.as_slice();
        while let Some((first, others)) = rest.split_first() {
            if others.iter().any(|other| other.key() == first.key()) {
                return Err(NotRecipients::Twice);
            }
            rest = others;
        }
        if !(1..=of.len().max(1)).contains(&threshold) {
            return Err(NotRecipients::Threshold);
        }
        Ok(Self { threshold, of })
    }

    /// How many of them have to come together, at least one.
    pub const fn threshold(&self) -> usize {
        self.threshold
    }

    /// All of them.
    pub fn of(&self) -> &[Recipient] {
        &self.of
    }

    /// Whether each of these keys is one of those, too.
    pub fn are_all_in(&self, others: &Self) -> bool {
        let is_in = |one: &Recipient| others.of.iter().any(|other| other.key() == one.key());
        self.of.iter().all(is_in)
    }

    /// Whether there is none, so that nothing is sealed.
    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }
}

/// Nobody.
impl Default for Recipients {
    fn default() -> Self {
        Self::nobody()
    }
}

/// How this is told from program to program.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    threshold: usize,
    of: Vec<Recipient>,
}

impl TryFrom<Told> for Recipients {
    type Error = NotRecipients;

    fn try_from(told: Told) -> Result<Self, NotRecipients> {
        Self::together(told.threshold, told.of)
    }
}

impl From<Recipients> for Told {
    fn from(recipients: Recipients) -> Self {
        Self {
            threshold: recipients.threshold,
            of: recipients.of,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(count: u8) -> Vec<Recipient> {
        let keys = (1..=count).map(|n| {
            let pair = ssh_key::private::Ed25519Keypair::from_seed(&[n; 32]);
            let key = ssh_key::PublicKey::from(pair.public);
            key.to_openssh().unwrap().parse().unwrap()
        });
        keys.collect()
    }

    #[test]
    fn a_threshold_is_met_by_those_who_are_there() {
        for (threshold, of, good) in [(1, 0, true), (1, 1, true), (2, 3, true), (3, 3, true)]
            .into_iter()
            .chain([(0, 0, false), (0, 2, false), (2, 1, false), (4, 3, false)])
        {
            let made = Recipients::together(threshold, keys(of));
            let expected = if good {
                None
            } else {
                Some(NotRecipients::Threshold)
            };
            assert_eq!(made.err(), expected, "{threshold} of {of}");
        }
    }

    #[test]
    fn nobody_counts_twice_and_a_crowd_is_refused() {
        let mut twice = keys(3);
        twice.push(twice.first().unwrap().clone());
        assert_eq!(Recipients::together(2, twice), Err(NotRecipients::Twice));
        let most = u8::try_from(limits::RECIPIENTS).unwrap();
        assert!(Recipients::any(keys(most)).is_ok());
        assert_eq!(Recipients::any(keys(most + 1)), Err(NotRecipients::Many));
    }

    #[test]
    fn what_is_told_is_checked_as_what_is_written() {
        let two = Recipients::together(2, keys(3)).unwrap();
        let text = serde_json::to_string(&two).unwrap();
        assert_eq!(serde_json::from_str::<Recipients>(&text).unwrap(), two);
        let less = text.replace("\"threshold\":2", "\"threshold\":0");
        assert!(serde_json::from_str::<Recipients>(&less).is_err());
    }
}
