//! The log's checkpoints as files: first what they claim, then whether it is believed.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use ssh_key::PublicKey;

use super::{LogError, NOTE, ORIGIN, failed};
use crate::checkpoint::note::{self, KeyName, NOTE_BYTES, NoteError, NoteKey};
use crate::checkpoint::{self, Checkpoint};
use crate::sshsig;

/// A checkpoint that was read, and is believed by nobody yet. Which key has to have signed it follows from the log, up to
/// the size that it claims.
#[derive(Debug)]
pub(super) struct Claimed {
    /// What it claims.
    pub(super) said: Checkpoint,
    text: String,
    form: Form,
}

/// A checkpoint whose signature holds. Made by [`Claimed::by`] alone.
#[derive(Debug)]
pub(super) struct Signed {
    /// What it says.
    pub(super) said: Checkpoint,
    /// The file as it was read, with the signature.
    pub(super) text: String,
}

#[derive(Debug)]
enum Form {
    /// The signature begins here.
    Sshsig(usize),
    /// The name of the key.
    Note(KeyName),
}

impl Claimed {
    /// A checkpoint of an issuance log with its SSHSIG.
    pub(super) fn checkpoint(text: String) -> Result<Self, String> {
        let at = text.find("-----BEGIN").ok_or("has no signature")?;
        let body = text.get(..at).unwrap_or_default();
        let said = Checkpoint::parse(body).map_err(|e| e.to_string())?;
        if said.origin != ORIGIN {
            return Err("is a checkpoint of something else".to_owned());
        }
        let form = Form::Sshsig(at);
        Ok(Self { said, text, form })
    }

    /// A signed note. Its name is its own: whoever has the key decides what it signs under.
    pub(super) fn note(text: String) -> Result<Self, String> {
        let name = text.lines().next().unwrap_or_default();
        let name = name.parse().map_err(|_| "has no name")?;
        let body = note::text_of(&text).map_err(|e| e.to_string())?;
        let said = Checkpoint::parse(body).map_err(|e| e.to_string())?;
        let form = Form::Note(name);
        Ok(Self { said, text, form })
    }

    /// Whichever of the two it is.
    pub(super) fn either(text: String) -> Result<Self, String> {
        if text.contains("-----BEGIN") {
            Self::checkpoint(text)
        } else {
            Self::note(text)
        }
    }

    /// Whether one of these keys has signed it, whatever the log says of them.
    pub(super) fn is_by_any(&self, keys: &[PublicKey]) -> bool {
        keys.iter()
            .any(|key| self.check(std::slice::from_ref(key)).is_ok())
    }

    /// Believes it, if one of these keys has signed it; or says what is wrong.
    pub(super) fn by(self, keys: &[PublicKey]) -> Result<Signed, String> {
        if keys.is_empty() {
            return Err(
                "is signed by a key to which none of those leads that it is checked against: take the log's keys of now, from `hallpass trust`"
                    .to_owned(),
            );
        }
        self.check(keys)?;
        let Self { said, text, .. } = self;
        Ok(Signed { said, text })
    }

    fn check(&self, keys: &[PublicKey]) -> Result<(), String> {
        match &self.form {
            Form::Sshsig(at) => {
                let (body, signature) = self.text.split_at(*at);
                let good = sshsig::verify(keys, checkpoint::NAMESPACE, body.as_bytes(), signature);
                good.map(drop).map_err(|e| e.to_string())
            }
            Form::Note(name) => opened(name, &self.text, keys).map_err(|e| e.to_string()),
        }
    }
}

/// Whether one of the keys has signed the note. A signature that only claims to be by one of them spoils it.
fn opened(name: &KeyName, note: &str, keys: &[PublicKey]) -> Result<(), NoteError> {
    let mut signed = false;
    for key in keys {
        match NoteKey::new(name.clone(), key)?.open(note) {
            Ok(_) => signed = true,
            Err(NoteError::Unsigned) => {}
            Err(why) => return Err(why),
        }
    }
    signed.then_some(()).ok_or(NoteError::Unsigned)
}

/// The checkpoint that is a note.
pub(super) fn stored_note(dir: &Path) -> Result<Option<Claimed>, LogError> {
    let path = dir.join(NOTE);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(&path, e)),
    };
    let mut text = String::new();
    file.take(NOTE_BYTES as u64 + 1)
        .read_to_string(&mut text)
        .map_err(|e| failed(&path, e))?;
    if text.is_empty() {
        // What a power cut can leave of one that was just replaced.
        return Ok(None);
    }
    let note = Claimed::note(text).map(Some);
    note.map_err(|what| LogError::Checkpoint { path, what })
}

/// The checkpoint with its SSHSIG.
pub(super) fn stored_checkpoint(dir: &Path) -> Result<Option<Claimed>, LogError> {
    let path = dir.join("checkpoint");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(&path, e)),
    };
    let claimed = Claimed::checkpoint(text).map(Some);
    claimed.map_err(|what| LogError::Checkpoint { path, what })
}
