//! Proofs of possession, tried by a client that lies. Each connection goes through the whole front door; only the wire
//! is in memory.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use config::{Config, limits};
use record::clock::{Clock, SystemClock};
use record::recording::{OsDisk, RecordingStore, Signer as RecordingSigner};
use russh::client::{self, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use ssh_key::{PrivateKey, PublicKey};
use tokio::sync::watch;

use super::*;
use crate::ca_link::CaLink;
use crate::doors::Doors;
use crate::ends::Ends;
use crate::running::Running;
use crate::site::{Believed, Phase};
use crate::{front, identity};

/// A front door whose CA is away, and keys of the real `ssh-keygen`.
pub(crate) struct House {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) site: Arc<Site>,
}

impl House {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["user", "host", "door", "alice", "mallory"] {
            let path = dir.path().join(name);
            keygen(&[
                "-q",
                "-t",
                "ed25519",
                "-N",
                "",
                "-C",
                name,
                "-f",
                text(&path),
            ]);
        }
        let own = identity::fresh().unwrap();
        let name: config::words::BastionName = "bastion".parse().unwrap();
        let public_line = own.public_key().to_openssh().unwrap();
        let sample = config::sample::Sample {
            bastion: &name,
            identity: &public_line,
        }
        .text();
        let config = Config::parse(&dir.path().join("hallpass.toml"), sample).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let nobody = config::rules::HostPort {
            host: "127.0.0.1".to_owned(),
            port: 1,
        };
        let link = Arc::new(CaLink::new(
            nobody,
            own.public_key().clone(),
            &name,
            own.clone(),
        ));
        let signer = RecordingSigner {
            name: name.clone(),
            key: own,
        };
        let recordings = dir.path().join("recordings");
        let (store, _) =
            RecordingStore::open(&recordings, signer, Arc::clone(&clock), Box::new(OsDisk))
                .unwrap();
        let trust = Believed::default();
        trust.set(
            visitor::Trust::new(&[public(dir.path(), "user")], &[public(dir.path(), "host")])
                .unwrap(),
        );
        let site = Arc::new(Site {
            config,
            name,
            clock: Arc::clone(&clock),
            doors: Doors::new(identity::fresh().unwrap(), Arc::clone(&link), clock),
            alerts: Arc::new(
                crate::alarm::kept::Kept::open(&dir.path().join("alerts"), Arc::clone(&link))
                    .unwrap(),
            ),
            ends: Arc::new(Ends::open(&dir.path().join("ends"), Arc::clone(&link)).unwrap()),
            link,
            store: Arc::new(store),
            running: Running::new(),
            connections: crate::tally::Tally::new(),
            phase: watch::Sender::new(Phase::Serving),
            trust,
            sources: crate::sources::Sources::new(limits::CONNECTIONS_PER_SOURCE),
            spools: crate::spools::Spools::default(),
            keeping: tokio::sync::Mutex::new(()),
            uploads: None,
        });
        Self { dir, site }
    }

    fn key(&self, name: &str) -> Arc<PrivateKey> {
        Arc::new(PrivateKey::read_openssh_file(self.dir.path().join(name)).unwrap())
    }

    fn access(&self, subject: &str) -> Certificate {
        let path = |name: &str| self.dir.path().join(name);
        let (ca, subject_path) = (path("user"), path(&format!("{subject}.pub")));
        let args = [
            "-q",
            "-s",
            text(&ca),
            "-I",
            "x",
            "-n",
            "root@db1.prod",
            "-V",
            "-1m:+10m",
            text(&subject_path),
        ];
        keygen(&args);
        let line = std::fs::read_to_string(path(&format!("{subject}-cert.pub"))).unwrap();
        Certificate::from_openssh(&line).unwrap()
    }

    /// The door's certificate, as the CA would give it.
    fn door(&self) -> Certificate {
        let path = |name: &str| self.dir.path().join(name);
        std::fs::write(
            path("own.pub"),
            self.site.doors.key().public_key().to_openssh().unwrap(),
        )
        .unwrap();
        let (ca, own) = (path("door"), path("own.pub"));
        keygen(&[
            "-q",
            "-s",
            text(&ca),
            "-I",
            "x",
            "-h",
            "-n",
            "bastion",
            "-V",
            "-1m:+10m",
            text(&own),
        ]);
        let line = std::fs::read_to_string(path("own-cert.pub")).unwrap();
        Certificate::from_openssh(&line).unwrap()
    }

    async fn connect(&self) -> Handle<Anyone> {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let source = "192.0.2.7".parse().unwrap();
        tokio::spawn(front::attend(
            Arc::clone(&self.site),
            ours,
            self.door(),
            None,
            source,
            None,
        ));
        client::connect_stream(Arc::new(client::Config::default()), theirs, Anyone)
            .await
            .unwrap()
    }

    /// A good login works.
    async fn assert_open(&self) {
        let mut client = self.connect().await;
        let login = client
            .authenticate_openssh_cert("root%db1.prod", self.key("alice"), self.access("alice"))
            .await;
        assert!(login.unwrap().success());
        assert!(client.channel_open_session().await.is_ok());
    }
}

fn public(dir: &Path, name: &str) -> PublicKey {
    PublicKey::from_openssh(&std::fs::read_to_string(dir.join(format!("{name}.pub"))).unwrap())
        .unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn keygen(args: &[&str]) {
    let output = Command::new("ssh-keygen").args(args).output().unwrap();
    assert!(
        output.status.success(),
        "ssh-keygen: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A client that believes any host.
struct Anyone;

impl client::Handler for Anyone {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

/// Offers a key, and when it is asked to prove it, has nothing to show.
struct Offers;

/// It had nothing to show.
#[derive(Debug)]
struct Nothing;

impl From<russh::SendError> for Nothing {
    fn from(_: russh::SendError) -> Self {
        panic!("the connection was closed before a proof was asked for")
    }
}

impl russh::Signer for Offers {
    type Error = Nothing;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        _: Option<HashAlg>,
        _: Vec<u8>,
    ) -> Result<Vec<u8>, Nothing> {
        Err(Nothing)
    }
}

/// Whether this connection opens a session.
async fn opens(client: &Handle<Anyone>) -> bool {
    let opening = tokio::time::timeout(Duration::from_millis(500), client.channel_open_session());
    matches!(opening.await, Ok(Ok(_)))
}

#[tokio::test]
async fn promise_27_an_offer_is_not_a_login() {
    let house = House::new();
    let mut client = house.connect().await;
    let offered = client
        .authenticate_certificate_with("root%db1.prod", house.access("alice"), None, &mut Offers)
        .await;
    assert!(
        matches!(offered, Err(Nothing)),
        "the offer was taken, and asked to be proven"
    );
    assert!(!opens(&client).await, "an offer opened a session");
    house.assert_open().await;
}

#[tokio::test]
async fn promise_27_a_proof_with_another_key_is_nothing() {
    let house = House::new();
    // Mallory shows Alice's certificate and signs with a key of her own; then she offers Alice's and proves hers.
    let mut client = house.connect().await;
    let lie = client
        .authenticate_openssh_cert("root%db1.prod", house.key("mallory"), house.access("alice"))
        .await;
    assert!(!lie.unwrap().success());
    assert!(!opens(&client).await);

    let mut client = house.connect().await;
    let _ = client
        .authenticate_certificate_with("root%db1.prod", house.access("alice"), None, &mut Offers)
        .await;
    let own = PrivateKeyWithHashAlg::new(house.key("mallory"), None);
    assert!(
        !client
            .authenticate_publickey("root%db1.prod", own)
            .await
            .unwrap()
            .success()
    );
    assert!(!opens(&client).await);
    house.assert_open().await;
}

#[tokio::test]
async fn promise_25_a_bare_key_is_never_let_in() {
    let house = House::new();
    for name in ["alice", "user", "door"] {
        let mut client = house.connect().await;
        let key = PrivateKeyWithHashAlg::new(house.key(name), None);
        assert!(
            !client
                .authenticate_publickey("root%db1.prod", key)
                .await
                .unwrap()
                .success(),
            "{name}"
        );
        assert!(!opens(&client).await, "{name}");
    }
}

#[tokio::test]
async fn a_password_and_no_method_at_all_are_refused() {
    let house = House::new();
    let mut client = house.connect().await;
    assert!(
        !client
            .authenticate_none("root%db1.prod")
            .await
            .unwrap()
            .success()
    );
    assert!(
        !client
            .authenticate_password("root%db1.prod", "secret")
            .await
            .unwrap()
            .success()
    );
    assert!(!opens(&client).await);
}

#[tokio::test]
async fn a_refusal_is_told_once_however_often_it_is_asked_for() {
    let house = House::new();
    let mut client = house.connect().await;
    let login = client
        .authenticate_openssh_cert("root%db1.prod", house.key("alice"), house.access("alice"))
        .await;
    assert!(login.unwrap().success());
    let mut channel = client.channel_open_session().await.unwrap();
    for _ in 0..100 {
        channel.request_subsystem(true, "netconf").await.unwrap();
    }
    let mut told = 0;
    let (mut refused, soon) = (0, Duration::from_secs(2));
    while let Ok(Some(message)) = tokio::time::timeout(soon, channel.wait()).await {
        match message {
            russh::ChannelMsg::ExtendedData { .. } => told += 1,
            russh::ChannelMsg::Failure => refused += 1,
            _ => {}
        }
    }
    assert_eq!(told, 1);
    assert!(refused > 0);
}

#[tokio::test]
async fn a_connection_opens_so_many_channels_and_no_more() {
    let house = House::new();
    let mut client = house.connect().await;
    let login = client
        .authenticate_openssh_cert("root%db1.prod", house.key("alice"), house.access("alice"))
        .await;
    assert!(login.unwrap().success());
    // A place that was closed comes back a moment later, and until then there is a shortage, too.
    let all = async {
        let mut opened = 0;
        while opened < limits::CHANNELS_OPENED {
            match client.channel_open_session().await {
                Ok(channel) => {
                    opened += 1;
                    channel.close().await.unwrap();
                }
                Err(russh::Error::ChannelOpenFailure(ChannelOpenFailure::ResourceShortage)) => {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                Err(e) => panic!("after {opened}: {e}"),
            }
        }
    };
    let patience = Duration::from_secs(60);
    tokio::time::timeout(patience, all).await.unwrap();
    for _ in 0..50 {
        let one_more = client.channel_open_session().await;
        let full = matches!(
            one_more,
            Err(russh::Error::ChannelOpenFailure(
                ChannelOpenFailure::ResourceShortage
            ))
        );
        assert!(full, "one past the most was opened");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
