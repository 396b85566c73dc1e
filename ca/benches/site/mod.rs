//! A CA that measurements and the test of its memory ask for certificates: 256 people, and a role that is granted at once.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ca::Desk;
use ca::desk::{Ask, Caller};
use config::Config;
use record::clock::{Clock, SystemClock};
use ssh_key::PrivateKey;
use ssh_key::private::Ed25519Keypair;

/// How many people ask in turn.
const PEOPLE: usize = 256;

/// A CA's directory, on the disk that the build is on; removed in the end.
pub(crate) struct Site {
    pub(crate) dir: PathBuf,
}

impl Site {
    pub(crate) fn new(name: &str) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        drop(fs::remove_dir_all(&dir));
        fs::create_dir_all(&dir).unwrap();
        ca::init_keys(&dir.join("ca")).unwrap();
        Self { dir }
    }

    pub(crate) fn open(&self, clock: Arc<dyn Clock>) -> Arc<Desk> {
        let mut text = String::from(
            r#"
[ca]
listen = "127.0.0.1:7022"
address = "ca.internal:7022"
data = "ca"

[target."db1.prod"]
address = "db1.internal:22"
host = "ca"

[role.db-look]
groups = ["oncall"]
logins = ["viewer"]
targets = ["db1.prod"]
approvals = { count = 0 }
"#,
        );
        for n in 0..PEOPLE {
            let line = key(&format!("p{n}")).public_key().to_openssh().unwrap();
            let person = format!("[person.p{n}]\ngroups = [\"oncall\"]\nkeys = [\"{line}\"]\n");
            text.push_str(&person);
        }
        let config = Config::parse(&self.dir.join("hallpass.toml"), text).unwrap();
        Desk::open(Arc::new(config), clock).unwrap()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.dir));
    }
}

/// The key of this name, the same each time.
pub(crate) fn key(name: &str) -> PrivateKey {
    let seed = record::digest::Digest::of(name.as_bytes());
    PrivateKey::from(Ed25519Keypair::from_seed(seed.as_bytes()))
}

/// The people, each with a key.
pub(crate) fn people() -> Arc<[Caller]> {
    let one = |n: usize| Caller {
        key: key(&format!("p{n}")).public_key().clone(),
        person: format!("p{n}").parse().unwrap(),
        source: "192.0.2.7".parse().unwrap(),
    };
    (0..PEOPLE).map(one).collect()
}

/// Has one certificate made.
pub(crate) async fn obtain(desk: &Desk, people: &[Caller], n: usize) {
    let caller = people.get(n % PEOPLE).unwrap();
    let ask = Ask {
        access: "viewer@db1.prod".parse().unwrap(),
        role: None,
        life: Some(Duration::from_secs(60)),
        reason: "INC-42 replication stuck".parse().unwrap(),
        command: None,
        break_glass: false,
    };
    let (_, issued) = desk.obtain(caller, ask).await.unwrap();
    assert!(issued.is_some());
}

/// A clock on which a second passes for each so many certificates.
pub(crate) struct Ahead {
    real: SystemClock,
    issued: AtomicU64,
}

/// Certificates in one second of [`Ahead`]: what a site with ten thousand people might ask for at once.
const PER_SECOND: u64 = 50;

impl Ahead {
    pub(crate) fn new() -> Self {
        Self {
            real: SystemClock::new(),
            issued: AtomicU64::new(0),
        }
    }
}

impl Clock for Ahead {
    fn wall_ms(&self) -> u64 {
        self.real.wall_ms() + self.issued.load(Ordering::Relaxed) * 1000 / PER_SECOND
    }

    fn monotonic(&self) -> Duration {
        let ahead = self.issued.load(Ordering::Relaxed) * 1000 / PER_SECOND;
        self.real.monotonic() + Duration::from_millis(ahead)
    }
}

/// Issues certificates, 64 at a time, until there are so many, with a clock that runs ahead.
pub(crate) async fn issue_until(end: u64, desk: &Arc<Desk>, clock: &Arc<Ahead>) {
    let people = people();
    let crowd = (0..64).map(|n| {
        let (desk, clock, people) = (desk.clone(), clock.clone(), people.clone());
        tokio::spawn(async move {
            while clock.issued.fetch_add(1, Ordering::Relaxed) < end {
                let turn = clock.issued.load(Ordering::Relaxed);
                obtain(&desk, &people, usize::try_from(turn).unwrap() + n).await;
            }
        })
    });
    for one in crowd.collect::<Vec<_>>() {
        one.await.unwrap();
    }
}
