//! Recordings, as whoever verifies them got hold of them.

use std::sync::Arc;

use record::age::Identities;
use record::recording::verify::{self, Trusted};
use ssh_key::private::Ed25519Keypair;
use ssh_key::{LineEnding, PrivateKey};

use super::log_key;

/// A recording that is sealed to its recipient, and ends with a sealed tail.
const SEALED: &[u8] = include_bytes!("../../../record/src/recording/tests/golden/2.cast.zst");

/// A sealed recording, by somebody who has a recipient's key.
///
/// # Panics
///
/// Where this does not hold: what follows its wrapped key, which is not signed, is what was sealed, from the beginning; and
/// all of it, if its session has ended.
pub fn sealed_recording(input: &[u8]) -> bool {
    let (Ok(session), Ok(bastion)) = ("01M80F83D0040G2081040G2081".parse(), "bastion".parse())
    else {
        return false;
    };
    let trusted = Trusted::nobody().and(&bastion, log_key().public_key());
    let trusted = trusted.opening(Arc::new(reviewer()));
    let Ok(checked) = verify::recording(input, &session, &trusted) else {
        return false;
    };
    let (sealed, taken) = (behind_the_key(SEALED), behind_the_key(input));
    if checked.end.is_some() {
        // The seek table says how long the wrapped key is, and so does that.
        let (sealed, taken) = (sealed.len(), taken.len());
        assert_eq!(sealed, taken, "more or less than was sealed");
        assert_eq!(checked.frames, 2, "other frames than were sealed");
    } else {
        assert!(
            sealed.starts_with(taken),
            "something that nobody has sealed"
        );
    }
    true
}

/// What follows the preamble and the wrapped key.
fn behind_the_key(recording: &[u8]) -> &[u8] {
    fn skipped(bytes: &[u8]) -> &[u8] {
        let length = bytes.get(4..8).and_then(|four| four.try_into().ok());
        let length = length.map_or(0, |four| u32::from_le_bytes(four) as usize);
        bytes.get(8 + length..).unwrap_or_default()
    }
    skipped(skipped(recording))
}

fn reviewer() -> Identities {
    let key = PrivateKey::from(Ed25519Keypair::from_seed(&[3; 32]));
    let text = key.to_openssh(LineEnding::LF);
    let read = text
        .ok()
        .and_then(|text| Identities::read(&text, &mut || None).ok());
    read.unwrap_or_default()
}

pub(super) fn recording_seeds() -> Vec<Vec<u8>> {
    let half = SEALED.len() / 2;
    vec![
        SEALED.to_vec(),
        SEALED.get(..half).unwrap_or_default().to_vec(),
    ]
}
