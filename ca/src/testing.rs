//! A small world for this crate's tests: a few persons, targets and roles, and a clock to step.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use config::Config;
use ed25519_dalek::{Signer as _, SigningKey};
use record::clock::{Clock, UnixTime};
use record::request::{APPROVAL_NAMESPACE, Request};
use record::sshsig;
use sha2::{Digest as _, Sha256};
use ssh_key::private::Ed25519Keypair;
use ssh_key::public::{KeyData, SkEd25519};
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey, Signature, SshSig};

use crate::desk::{Ask, Caller};

/// A moment in November 2026.
pub(crate) const START: u64 = 1_795_312_324;

/// Both clocks, stepped by hand.
pub(crate) struct TestClock {
    wall_ms: AtomicU64,
    monotonic_ms: AtomicU64,
}

impl TestClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            wall_ms: AtomicU64::new(START * 1000),
            monotonic_ms: AtomicU64::new(5_000),
        })
    }

    /// Time passes.
    pub(crate) fn pass(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap();
        self.wall_ms.fetch_add(ms, Ordering::Relaxed);
        self.monotonic_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// Somebody sets the wall clock.
    pub(crate) fn set_wall(&self, secs: u64) {
        self.wall_ms.store(secs * 1000, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn wall_ms(&self) -> u64 {
        self.wall_ms.load(Ordering::Relaxed)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.monotonic_ms.load(Ordering::Relaxed))
    }
}

/// The key with this name, the same each time.
pub(crate) fn key(name: &str) -> PrivateKey {
    let seed = record::digest::Digest::of(name.as_bytes());
    PrivateKey::from(Ed25519Keypair::from_seed(seed.as_bytes()))
}

pub(crate) fn public(name: &str) -> PublicKey {
    key(name).public_key().clone()
}

pub(crate) fn line(name: &str) -> String {
    public(name).to_openssh().unwrap()
}

/// The public half of a token that holds the key of this name (`sk-ssh-ed25519@openssh.com`).
pub(crate) fn token(name: &str) -> PublicKey {
    let inner = public(name).key_data().ed25519().copied().unwrap();
    PublicKey::from(KeyData::SkEd25519(SkEd25519::new(inner, "ssh:")))
}

/// What that token signs, with these flags: 1 is a touch, 4 its PIN.
pub(crate) fn token_signs(name: &str, flags: u8, namespace: &str, text: &str) -> String {
    let hash = HashAlg::Sha512;
    let signed = SshSig::signed_data(namespace, hash, text.as_bytes()).unwrap();
    let trailer = [flags, 0, 0, 0, 7];
    let mut asserted = Sha256::digest("ssh:").to_vec();
    asserted.extend(trailer);
    asserted.extend(Sha256::digest(&signed));
    let held = SigningKey::try_from(key(name).key_data().ed25519().unwrap()).unwrap();
    let bytes = [&held.sign(&asserted).to_bytes()[..], &trailer].concat();
    let signature = Signature::new(Algorithm::SkEd25519, bytes).unwrap();
    let sig = SshSig::new(token(name).key_data().clone(), namespace, hash, signature);
    sig.unwrap().to_pem(LineEnding::LF).unwrap()
}

/// What alice asks for at [`START`]: `postgres@db1.prod` for a quarter of an hour.
pub(crate) fn request() -> Request {
    Request {
        id: "7F3K-9QMD".parse().unwrap(),
        person: "alice".parse().unwrap(),
        key: public("alice").fingerprint(HashAlg::Sha256).to_string(),
        access: "postgres@db1.prod".parse().unwrap(),
        role: "db-oncall".parse().unwrap(),
        command: None,
        seconds: 900,
        break_glass: false,
        reason: "because".parse().unwrap(),
        policy: record::digest::Digest::of(b"policy"),
        asked: UnixTime::from_secs(START),
        expires: UnixTime::from_secs(START + 3600),
    }
}

/// alice (two keys) and mallory are on call; bob, carol and alice's colleague dave approve; carol is in both groups.
/// erin, frank and grace approve too, for security and for the databases; frank is in both of these groups.
pub(crate) fn config_text() -> String {
    format!(
        r#"
[ca]
listen = "127.0.0.1:7022"
address = "ca.internal:7022"
data = "ca"

[bastion.gate]
listen = "127.0.0.1:7023"
address = "gate.internal:7023"
identity = "{gate}"
source = ["10.0.0.5/32"]

[bastion.other]
listen = "127.0.0.1:7024"
address = "other.internal:7024"
identity = "{other}"

[person.alice]
groups = ["oncall"]
keys = ["{alice}", "{alice2}"]

[person.mallory]
groups = ["oncall"]
keys = ["{mallory}"]

[person.bob]
groups = ["sre"]
keys = ["{bob}", "{bob2}"]

[person.carol]
groups = ["sre", "oncall"]
keys = ["{carol}"]

[person.dave]
groups = ["sre"]
keys = ["{dave}"]

[person.erin]
groups = ["security"]
keys = ["{erin}"]

[person.frank]
groups = ["security", "dba"]
keys = ["{frank}"]

[person.grace]
groups = ["dba"]
keys = ["{grace}"]

[person.guest]
keys = ["{guest}"]

[target."db1.prod"]
address = "db1.internal:22"
host = "ca"

[target."db2.prod"]
address = "db2.internal:22"
host = "{db2}"

[role.db-oncall]
groups = ["oncall"]
logins = ["postgres"]
targets = ["db1.prod"]
longest = "30m"
approvals = {{ count = 1, from = "sre" }}
break-glass = true

[role.db-root]
groups = ["oncall"]
logins = ["root"]
targets = ["db1.prod", "db2.prod"]
longest = "10m"
approvals = {{ count = 2, from = "sre" }}

[role.db-both]
groups = ["oncall", "security"]
logins = ["admin"]
targets = ["db1.prod"]
approvals = [{{ count = 1, from = "security" }}, {{ count = 1, from = "dba" }}, {{ count = 1, from = "sre" }}]

[role.db-look]
groups = ["oncall"]
logins = ["viewer"]
targets = ["db1.prod"]
approvals = {{ count = 0 }}

[role.db-status]
groups = ["oncall"]
logins = ["postgres"]
targets = ["db2.prod"]
command = "systemctl status postgresql"
approvals = {{ count = 0 }}
"#,
        gate = line("gate"),
        other = line("other"),
        alice = line("alice"),
        alice2 = line("alice2"),
        mallory = line("mallory"),
        bob = line("bob"),
        bob2 = line("bob2"),
        carol = line("carol"),
        dave = line("dave"),
        erin = line("erin"),
        frank = line("frank"),
        grace = line("grace"),
        guest = line("guest"),
        db2 = line("db2"),
    )
}

pub(crate) fn config(dir: &Path, text: &str) -> Config {
    match Config::parse(&dir.join("hallpass.toml"), text.to_owned()) {
        Ok(config) => config,
        Err(e) => panic!("{e}"),
    }
}

/// A person on a connection that proved the key of this name.
pub(crate) fn caller(person: &str, key: &str) -> Caller {
    Caller {
        person: person.parse().unwrap(),
        key: public(key),
        source: "192.0.2.7".parse().unwrap(),
    }
}

pub(crate) fn ask(access: &str) -> Ask {
    Ask {
        access: access.parse().unwrap(),
        role: None,
        life: None,
        reason: "INC-42 replication stuck".parse().unwrap(),
        command: None,
        break_glass: false,
    }
}

/// An approval of this text by the key of this name.
pub(crate) fn approval(key_name: &str, text: &str) -> String {
    sshsig::sign(&key(key_name), APPROVAL_NAMESPACE, text.as_bytes()).unwrap()
}
