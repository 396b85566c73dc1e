//! What every connection of this bastion shares.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use config::Config;
use config::words::BastionName;
use record::clock::Clock;
use record::recording::RecordingStore;
use russh::{cipher, kex, mac};
use tokio::sync::{Mutex, watch};

use crate::alarm::kept::Kept;
use crate::ca_link::CaLink;
use crate::doors::Doors;
use crate::ends::Ends;
use crate::running::Running;
use crate::sources::Sources;
use crate::spools::Spools;
use crate::tally::Tally;
use crate::upload::Uploads;
use crate::visitor::Trust;

/// Messages of one channel that wait between russh and us; with the packet size of 32 KiB, 1 MiB. More
/// only costs memory when a side stands still.
pub(crate) const QUEUE: usize = 32;

/// How often a peer that says nothing is asked whether it is there …
pub(crate) const KEEPALIVE: Duration = Duration::from_secs(30);

/// … and how often in vain, before its connection is closed: a side may stand still for a minute and go on.
pub(crate) const KEEPALIVES: usize = 4;

/// The ciphers, those first that cost the least on a processor with AES instructions. A server's order does not
/// matter: its client's does (RFC 4253 §7.1).
pub(crate) const CIPHERS: &[cipher::Name] = &[
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

/// The key exchanges that the door offers: what any client of the last ten years speaks, and nothing that costs the
/// bastion an exponentiation. `kex-strict` closes CVE-2023-48795 (Terrapin) with every client that knows it.
pub(crate) const KEXES: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::EXTENSION_SUPPORT_AS_SERVER,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
];

/// The authentication codes that the door offers beside ciphers that bring their own: of the encrypted packet only.
pub(crate) const MACS: &[mac::Name] = &[mac::HMAC_SHA512_ETM, mac::HMAC_SHA256_ETM];

/// How far the bastion is on its way to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// It serves.
    Serving,
    /// Nothing new begins.
    Closing,
    /// What runs ends now.
    Over,
}

/// What every connection shares.
pub(crate) struct Site {
    pub(crate) config: Config,
    pub(crate) name: BastionName,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) link: Arc<CaLink>,
    pub(crate) doors: Doors,
    pub(crate) store: Arc<RecordingStore>,
    pub(crate) ends: Arc<Ends>,
    pub(crate) alerts: Arc<Kept>,
    pub(crate) running: Arc<Running>,
    /// The connections of people who have logged in.
    pub(crate) connections: Arc<Tally>,
    pub(crate) phase: watch::Sender<Phase>,
    pub(crate) trust: Believed,
    pub(crate) sources: Arc<Sources>,
    /// Of forwarded connections.
    pub(crate) spools: Spools,
    /// Taken while it is decided whether a recording stays.
    pub(crate) keeping: Mutex<()>,
    /// The bucket, if there is one.
    pub(crate) uploads: Option<Arc<Uploads>>,
}

impl Site {
    /// Whether something new may begin.
    pub(crate) fn serving(&self) -> bool {
        *self.phase.borrow() == Phase::Serving
    }
}

/// The keys that the CA said last; none before it has said any.
#[derive(Debug, Default)]
pub(crate) struct Believed(RwLock<Option<Arc<Trust>>>);

impl Believed {
    pub(crate) fn get(&self) -> Option<Arc<Trust>> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn set(&self, trust: Trust) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(trust));
    }
}
