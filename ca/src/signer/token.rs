//! A key in a PKCS#11 token (OASIS PKCS #11 3.0), for example a hardware security module.
//!
//! The module is foreign code that may take its time or never come back, so each key has a thread of its own that
//! talks to it, and whoever asks waits for a bounded time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use config::limits;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use sha2::{Digest as _, Sha256};
use ssh_key::PublicKey;
use ssh_key::public::{EcdsaPublicKey, Ed25519PublicKey, KeyData};
use zeroize::Zeroizing;

use super::{SignFault, Signer, blob};

/// Where a key is.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The module.
    pub(crate) module: PathBuf,
    /// The token's label.
    pub(crate) token: String,
    /// The key's label.
    pub(crate) label: String,
}

/// One key of a token.
pub(crate) struct Token {
    place: Place,
    public: PublicKey,
    jobs: Mutex<SyncSender<Job>>,
}

struct Job {
    to_be_signed: Vec<u8>,
    answer: SyncSender<Result<Vec<u8>, String>>,
}

impl Token {
    /// Loads the module, logs in, and finds the key. Nothing is signed. A PIN is not tried when the token says that
    /// one more wrong try would lock it: a unit that restarts would use the last one up.
    pub(crate) fn open(place: Place, pin: Zeroizing<String>) -> Result<Self, SignFault> {
        // Nobody waits for a second answer; a job waits here while another one is signed.
        let (jobs, waiting) = sync_channel::<Job>(1);
        let (ready, opened) = sync_channel(1);
        let there = place.clone();
        let run = move || match Key::open(&there, &pin) {
            Err(why) => {
                let _ = ready.send(Err(why));
            }
            Ok(key) => {
                let _ = ready.send(Ok(key.public.clone()));
                for job in waiting {
                    // Whoever asked may have given up.
                    let _ = job.answer.send(key.sign(&job.to_be_signed));
                }
            }
        };
        let named = thread::Builder::new().name(format!("token {}", place.label));
        let fault = |why: &str| fault(&place, why);
        named.spawn(run).map_err(|e| fault(&e.to_string()))?;
        let public = opened
            .recv_timeout(limits::SIGNER_ANSWER)
            .map_err(|e| fault(&late(e)))?
            .map_err(|why| fault(&why))?;
        Ok(Self {
            public,
            jobs: Mutex::new(jobs),
            place,
        })
    }
}

impl Signer for Token {
    fn public(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, to_be_signed: &[u8]) -> Result<Vec<u8>, SignFault> {
        let fault = |why: &str| fault(&self.place, why);
        let (answer, answered) = sync_channel(1);
        let to_be_signed = to_be_signed.to_vec();
        // Held until the answer is there, so that those who wait, wait here and in turn.
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let job = Job {
            to_be_signed,
            answer,
        };
        jobs.try_send(job).map_err(|e| match e {
            TrySendError::Full(_) => fault("it has not come back from an earlier signature"),
            TrySendError::Disconnected(_) => fault("it has gone"),
        })?;
        let signed = answered.recv_timeout(limits::SIGNER_ANSWER);
        signed
            .map_err(|e| fault(&late(e)))?
            .map_err(|why| fault(&why))
    }
}

fn fault(place: &Place, why: &str) -> SignFault {
    let Place { token, label, .. } = place;
    SignFault(format!("the key {label} of the token {token}: {why}"))
}

fn late(e: RecvTimeoutError) -> String {
    match e {
        RecvTimeoutError::Timeout => {
            format!("no answer within {} s", limits::SIGNER_ANSWER.as_secs())
        }
        RecvTimeoutError::Disconnected => "its module died".to_owned(),
    }
}

/// The modules that are loaded: each may be initialised once in a process (PKCS #11 §5.4), and stays until its end.
static MODULES: Mutex<BTreeMap<PathBuf, Pkcs11>> = Mutex::new(BTreeMap::new());

fn module(path: &Path) -> Result<Pkcs11, String> {
    let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(loaded) = modules.get(path) {
        return Ok(loaded.clone());
    }
    let what = |e: Error| format!("the module {}: {}", path.display(), words(&e));
    let loaded = Pkcs11::new(path).map_err(what)?;
    loaded
        .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
        .map_err(what)?;
    modules.insert(path.to_owned(), loaded.clone());
    Ok(loaded)
}

/// The key, on the thread that talks to the module.
struct Key {
    session: Session,
    private: ObjectHandle,
    kind: Kind,
    public: PublicKey,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Ed25519,
    P256,
}

impl Key {
    fn open(place: &Place, pin: &str) -> Result<Self, String> {
        let module = module(&place.module)?;
        let slot = slot(&module, &place.token)?;
        let session = module.open_ro_session(slot).map_err(|e| words(&e))?;
        let pin = AuthPin::new(pin.to_owned().into());
        match session.login(UserType::User, Some(&pin)) {
            // A login is the application's, not the session's: another key of this token has logged in.
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(Error::Pkcs11(RvError::PinIncorrect, _)) => {
                return Err("the PIN is wrong".to_owned());
            }
            Err(e) => return Err(words(&e)),
        }
        let label = Attribute::Label(place.label.as_bytes().to_vec());
        let private = one(&session, ObjectClass::PRIVATE_KEY, &label)?;
        let public = one(&session, ObjectClass::PUBLIC_KEY, &label)?;
        let (kind, public) = public_half(&session, public)?;
        Ok(Self {
            session,
            private,
            kind,
            public,
        })
    }

    fn sign(&self, to_be_signed: &[u8]) -> Result<Vec<u8>, String> {
        let strange = |_| "its signature has a strange length".to_owned();
        match self.kind {
            Kind::Ed25519 => {
                let params = EddsaParams::new(EddsaSignatureScheme::Pure);
                let by = Mechanism::Eddsa(params);
                let signed = self.session.sign(&by, self.private, to_be_signed);
                let signed = signed.map_err(|e| words(&e))?.try_into().map_err(strange)?;
                Ok(blob::ed25519(&signed))
            }
            Kind::P256 => {
                let digest = Sha256::digest(to_be_signed);
                let by = Mechanism::Ecdsa;
                let signed = self.session.sign(&by, self.private, &digest);
                let signed = signed.map_err(|e| words(&e))?.try_into().map_err(strange)?;
                Ok(blob::p256(&signed))
            }
        }
    }
}

fn slot(module: &Pkcs11, label: &str) -> Result<Slot, String> {
    let slots = module.get_slots_with_token().map_err(|e| words(&e))?;
    let mut found = Vec::new();
    for slot in slots {
        let token = module.get_token_info(slot).map_err(|e| words(&e))?;
        if token.label().trim_end() == label {
            found.push((slot, token));
        }
    }
    match found.as_slice() {
        [] => Err("there is no such token".to_owned()),
        [(_, token)] if token.user_pin_locked() => Err("its PIN is locked".to_owned()),
        [(_, token)] if token.user_pin_final_try() => Err(
            "one more wrong PIN would lock it: log in once by hand with the right one".to_owned(),
        ),
        [(slot, _)] => Ok(*slot),
        _ => Err("two tokens have that label".to_owned()),
    }
}

fn one(session: &Session, class: ObjectClass, label: &Attribute) -> Result<ObjectHandle, String> {
    let half = if class == ObjectClass::PRIVATE_KEY {
        "private"
    } else {
        "public"
    };
    let wanted = [Attribute::Class(class), label.clone()];
    let found = session.find_objects(&wanted).map_err(|e| words(&e))?;
    match found.as_slice() {
        [one] => Ok(*one),
        [] => Err(format!("the token has no {half} key of that label")),
        _ => Err(format!("the token has two {half} keys of that label")),
    }
}

fn public_half(session: &Session, key: ObjectHandle) -> Result<(Kind, PublicKey), String> {
    let wanted = [AttributeType::KeyType, AttributeType::EcPoint];
    let read = session.get_attributes(key, &wanted);
    let (mut kind, mut point) = (None, Vec::new());
    for attribute in read.map_err(|e| words(&e))? {
        match attribute {
            Attribute::KeyType(this) => kind = Some(this),
            Attribute::EcPoint(bytes) => point = bytes,
            _ => {}
        }
    }
    let other = "it is neither Ed25519 nor ECDSA P-256";
    match kind {
        Some(KeyType::EC_EDWARDS) => {
            let bytes = unwrapped(&point, 32).and_then(|bytes| bytes.try_into().ok());
            let key = KeyData::Ed25519(Ed25519PublicKey(bytes.ok_or(other)?));
            Ok((Kind::Ed25519, PublicKey::from(key)))
        }
        Some(KeyType::EC) => {
            let bytes = unwrapped(&point, 65).ok_or(other)?;
            let key = EcdsaPublicKey::from_sec1_bytes(bytes).map_err(|_| other)?;
            Ok((Kind::P256, PublicKey::from(KeyData::Ecdsa(key))))
        }
        _ => Err(other.to_owned()),
    }
}

/// A point of this many bytes, as it stands or inside of a DER OCTET STRING: tokens do both (PKCS #11 §2.3.3).
fn unwrapped(point: &[u8], bytes: u8) -> Option<&[u8]> {
    let inner = match point {
        [4, length, rest @ ..] if *length == bytes && rest.len() == usize::from(bytes) => rest,
        other => other,
    };
    (inner.len() == usize::from(bytes)).then_some(inner)
}

/// What went wrong, without what a module could put into a terminal.
fn words(e: &Error) -> String {
    config::words::shown(&e.to_string())
}
