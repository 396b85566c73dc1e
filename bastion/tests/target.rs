//! The leg to the target, against a real `sshd`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bastion::host::{HostFault, Proof};
use bastion::identity;
use bastion::target::{self, Ask, TargetError};
use bastion::visitor::Trust;
use record::clock::{Clock as _, SystemClock};
use russh::ChannelMsg;
use ssh_key::{Certificate, PublicKey};

/// A machine with a real `sshd`, which ends with this.
struct Machine {
    dir: tempfile::TempDir,
    port: u16,
    login: String,
    sshd: Option<Child>,
}

impl Machine {
    /// Keys and authorities; nothing listens yet.
    fn new() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("hp-sshd-")
            .tempdir()
            .unwrap();
        for name in ["user", "host", "session", "other"] {
            key(&dir.path().join(name), "ed25519");
        }
        key(&dir.path().join("host_ed25519"), "ed25519");
        key(&dir.path().join("host_ecdsa"), "ecdsa");
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let login = String::from_utf8(run(Command::new("id").arg("-un")))
            .unwrap()
            .trim()
            .to_owned();
        Self {
            dir,
            port,
            login,
            sshd: None,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn public(&self, name: &str) -> PublicKey {
        let line = std::fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap();
        PublicKey::from_openssh(&line).unwrap()
    }

    /// Gives the host key a host certificate of this authority for these names.
    fn certify(&self, ca: &str, names: &str, window: &str) {
        let (ca, host) = (self.path(ca), self.path("host_ed25519.pub"));
        run(Command::new("ssh-keygen")
            .args(["-q", "-h", "-I", "host", "-n", names, "-V", window, "-s"])
            .arg(ca)
            .arg(host));
    }

    fn start(&mut self) {
        let _ = std::fs::create_dir_all("/run/sshd");
        let dir = self.dir.path().display();
        let certificate = if self.path("host_ed25519-cert.pub").exists() {
            format!("HostCertificate {dir}/host_ed25519-cert.pub\n")
        } else {
            String::new()
        };
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {dir}/host_ed25519\nHostKey {dir}/host_ecdsa\n{certificate}\
             TrustedUserCAKeys {dir}/session.pub\nAuthorizedPrincipalsFile {dir}/principals\n\
             AuthorizedKeysFile none\nUsePAM no\nStrictModes no\nPidFile none\n",
            port = self.port
        );
        std::fs::write(self.path("config"), config).unwrap();
        std::fs::write(
            self.path("principals"),
            format!("{}@db1.prod\n", self.login),
        )
        .unwrap();
        let mut sshd = Command::new("/usr/sbin/sshd");
        sshd.args(["-D", "-e", "-f"])
            .arg(self.path("config"))
            .stderr(Stdio::null());
        self.sshd = Some(sshd.spawn().unwrap());
        let end = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < end, "sshd does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn ca(&self) -> Proof {
        self.joined_with(Some("host_ed25519"))
    }

    /// By a certificate for the key of this name.
    fn joined_with(&self, key: Option<&str>) -> Proof {
        let trust = Trust::new(&[self.public("user")], &[self.public("host")]).unwrap();
        Proof::Ca {
            trust: Arc::new(trust),
            joined: key.map(|key| self.public(key)),
        }
    }

    /// A question with a fresh key and a session certificate for `principal`.
    fn ask(&self, proof: Proof, principal: &str) -> Ask {
        let key = identity::fresh().unwrap();
        let public = self.path("fresh.pub");
        std::fs::write(&public, key.public_key().to_openssh().unwrap()).unwrap();
        let ca = self.path("session");
        run(Command::new("ssh-keygen")
            .args([
                "-q", "-I", "session", "-n", principal, "-V", "-1m:+1m", "-s",
            ])
            .arg(ca)
            .arg(&public));
        let line = std::fs::read_to_string(self.path("fresh-cert.pub")).unwrap();
        Ask {
            name: "db1.prod".parse().unwrap(),
            login: self.login.parse().unwrap(),
            host: "127.0.0.1".to_owned(),
            port: self.port,
            proof,
            key,
            certificate: Certificate::from_openssh(&line).unwrap(),
            now: SystemClock::new().wall(),
            guests: target::Guests::default(),
            terminal: true,
        }
    }

    fn good(&self, proof: Proof) -> Ask {
        self.ask(proof, &format!("{}@db1.prod", self.login))
    }

    async fn fault(&self, proof: Proof) -> HostFault {
        match target::connect(self.good(proof)).await {
            Err(TargetError::Host { fault, .. }) => fault,
            Err(other) => panic!("another error: {other}"),
            Ok(_) => panic!("it was believed"),
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(mut sshd) = self.sshd.take() {
            let _ = sshd.kill();
            let _ = sshd.wait();
        }
    }
}

fn key(path: &Path, algorithm: &str) {
    run(Command::new("ssh-keygen")
        .args(["-q", "-t", algorithm, "-N", "", "-f"])
        .arg(path));
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

#[tokio::test]
async fn a_target_with_a_host_certificate_runs_a_command() {
    let mut machine = Machine::new();
    machine.certify("host", "db1.prod,db1", "-1m:+10m");
    machine.start();
    let connection = target::connect(machine.good(machine.ca())).await.unwrap();
    let mut channel = connection.session().await.unwrap();
    channel.exec(true, "echo here; exit 3").await.unwrap();
    let (mut out, mut status) = (Vec::new(), None);
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } => out.extend_from_slice(&data),
            ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
            _ => {}
        }
    }
    assert_eq!((out.as_slice(), status), (b"here\n".as_slice(), Some(3)));
}

#[tokio::test]
async fn a_host_certificate_counts_only_as_it_was_meant() {
    let cases = [
        ("other", "db1.prod", "-1m:+10m", "WrongCa"),
        ("user", "db1.prod", "-1m:+10m", "WrongCa"),
        ("host", "db2.prod", "-1m:+10m", "OtherName"),
        ("host", "db1.prod.evil", "-1m:+10m", "OtherName"),
        ("host", "db1.prod", "-2h:-1h", "Expired"),
        ("host", "db1.prod", "+1h:+2h", "NotYet"),
    ];
    for (ca, names, window, expected) in cases {
        let mut machine = Machine::new();
        machine.certify(ca, names, window);
        machine.start();
        let fault = machine.fault(machine.ca()).await;
        assert!(
            format!("{fault:?}").starts_with(expected),
            "{ca} {names} {window}: {fault}"
        );
    }
}

#[tokio::test]
async fn a_good_certificate_for_another_key_than_the_one_that_joined_proves_nothing() {
    let mut machine = Machine::new();
    machine.certify("host", "db1.prod", "-1m:+10m");
    machine.start();
    let shown = machine
        .public("host_ed25519")
        .fingerprint(ssh_key::HashAlg::Sha256);
    let replaced = machine.fault(machine.joined_with(Some("other"))).await;
    assert_eq!(replaced, HostFault::Replaced(shown.to_string()));
    let unknown = machine.fault(machine.joined_with(None)).await;
    assert_eq!(unknown, HostFault::NotJoined);
}

#[tokio::test]
async fn a_plain_key_does_not_do_where_a_certificate_is_wanted() {
    let mut machine = Machine::new();
    machine.start();
    // It has none to show, so that the two cannot even agree on a kind of key, or it shows the plain one.
    match target::connect(machine.good(machine.ca())).await {
        Err(
            TargetError::Host {
                fault: HostFault::NoCertificate,
                ..
            }
            | TargetError::Protocol { .. },
        ) => {}
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("it was believed"),
    }
}

#[tokio::test]
async fn a_pinned_key_of_any_kind_is_found_and_no_other_is_believed() {
    let mut machine = Machine::new();
    machine.start();
    for pinned in [
        vec!["host_ed25519"],
        vec!["host_ecdsa"],
        vec!["other", "host_ecdsa"],
    ] {
        let keys = pinned.iter().map(|name| machine.public(name)).collect();
        assert!(
            target::connect(machine.good(Proof::Pinned(keys)))
                .await
                .is_ok(),
            "{pinned:?}"
        );
    }
    let fault = machine
        .fault(Proof::Pinned(vec![machine.public("other")]))
        .await;
    let shown = machine
        .public("host_ed25519")
        .fingerprint(ssh_key::HashAlg::Sha256);
    assert_eq!(fault, HostFault::OtherKey(shown.to_string()));
}

#[tokio::test]
async fn a_login_that_the_target_does_not_let_in_is_named() {
    let mut machine = Machine::new();
    machine.start();
    let pinned = Proof::Pinned(vec![machine.public("host_ed25519")]);
    let refused = target::connect(machine.ask(pinned, "somebody@db1.prod")).await;
    assert!(matches!(refused, Err(TargetError::Login { .. })));
}

#[tokio::test]
async fn promise_12_refusing_hanging_and_unknown_are_told_apart_within_ten_seconds() {
    let mut machine = Machine::new();
    let key = machine.public("host_ed25519");
    let pinned = || Proof::Pinned(vec![key.clone()]);
    let began = Instant::now();
    let refused = target::connect(machine.good(pinned())).await;
    assert!(matches!(refused, Err(TargetError::Refused { .. })));

    let mut nowhere = machine.good(pinned());
    nowhere.host = "nowhere.invalid".to_owned();
    assert!(matches!(
        target::connect(nowhere).await,
        Err(TargetError::Unresolved { .. })
    ));
    assert!(began.elapsed() < Duration::from_secs(10));

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    machine.port = silent.local_addr().unwrap().port();
    let began = Instant::now();
    let hanging = target::connect(machine.good(pinned())).await;
    assert!(matches!(
        hanging,
        Err(TargetError::Hanging {
            step: "exchanging keys",
            ..
        })
    ));
    assert!(
        began.elapsed() < Duration::from_millis(10_500),
        "{:?}",
        began.elapsed()
    );
}
