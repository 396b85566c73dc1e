//! What OpenSSH itself reads in the certificates.

use super::*;
use crate::cert::{Permit, Plan};
use config::cidr::Cidr;
use record::clock::UnixTime;
use record::entry::Authority;
use std::process::Command;

/// What `ssh-keygen -L` prints of a certificate.
fn listed(world: &World, certificate: &str) -> String {
    let file = world.path().join("some-cert.pub");
    std::fs::write(&file, format!("{certificate}\n")).unwrap();
    let out = Command::new("ssh-keygen")
        .arg("-L")
        .arg("-f")
        .arg(&file)
        .env("TZ", "UTC")
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap()
}

/// The indented lines below a heading.
fn below<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    let mut lines = text
        .lines()
        .skip_while(|line| !line.trim().starts_with(heading));
    let first = lines.next().unwrap();
    if first.trim_end().ends_with("(none)") {
        return Vec::new();
    }
    lines
        .take_while(|line| line.starts_with("                "))
        .map(str::trim)
        .collect()
}

/// Public keys of every kind that may be certified, made by `ssh-keygen` where it can.
fn subjects(world: &World) -> Vec<ssh_key::PublicKey> {
    let mut keys: Vec<_> = [
        ("ed25519", "0"),
        ("ecdsa", "256"),
        ("ecdsa", "384"),
        ("ecdsa", "521"),
    ]
    .into_iter()
    .map(|(kind, bits)| {
        let file = world.path().join(format!("{kind}{bits}"));
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-N", "", "-t", kind, "-f"]).arg(&file);
        if bits != "0" {
            command.args(["-b", bits]);
        }
        assert!(command.status().unwrap().success());
        let text = std::fs::read_to_string(file.with_extension("pub")).unwrap();
        crate::keys::plain_key(&text).unwrap()
    })
    .collect();
    let ed = match keys[0].key_data() {
        ssh_key::public::KeyData::Ed25519(key) => *key,
        _ => panic!("not ed25519"),
    };
    let sk = ssh_key::public::SkEd25519::new(ed, "ssh:");
    keys.push(ssh_key::PublicKey::from(
        ssh_key::public::KeyData::SkEd25519(sk),
    ));
    if let ssh_key::public::KeyData::Ecdsa(ssh_key::public::EcdsaPublicKey::NistP256(point)) =
        keys[1].key_data()
    {
        let sk = ssh_key::public::SkEcdsaSha2NistP256::new(*point, "ssh:");
        keys.push(ssh_key::PublicKey::from(
            ssh_key::public::KeyData::SkEcdsaSha2NistP256(sk),
        ));
    }
    keys
}

#[test]
fn promise_24_openssh_reads_every_certificate_as_it_was_planned() {
    let world = World::new();
    let mut opened = Opened::open(world.config(), world.clock.clone()).unwrap();
    let writer = &mut opened.writer;
    let now = world.clock.wall();
    let cidrs: Vec<Cidr> = vec![
        "10.0.0.5/32".parse().unwrap(),
        "2001:db8::/64".parse().unwrap(),
    ];
    let commands = [None, Some("echo \"a b\"; id -un, é".to_owned())];
    let mut count = 0;
    for subject in subjects(&world) {
        for force_command in &commands {
            for source in [Vec::new(), cidrs.clone()] {
                for pty in [false, true] {
                    count += 1;
                    let plan = Plan {
                        authority: Authority::Door,
                        subject: subject.clone(),
                        serial: writer.state.next_serial(),
                        key_id: "hallpass:7F3K-9QMD:alice".to_owned(),
                        principals: vec!["postgres@db1.prod".to_owned()],
                        after: now.before(Duration::from_secs(30)),
                        before: now.after(Duration::from_secs(60)),
                        force_command: None,
                        source_address: Vec::new(),
                        permits: [].into(),
                    };
                    let host = plan.clone();
                    let host = batch::alone(writer, |writer| {
                        let intent = writer.issue(host, None, None)?;
                        Ok(Answer::after(move |press| Ok(press.sign(intent)?.line)))
                    });
                    let text = listed(&world, &host.unwrap());
                    assert!(text.contains("host certificate"), "{text}");
                    assert_eq!(below(&text, "Critical Options:"), Vec::<&str>::new());
                    assert_eq!(below(&text, "Extensions:"), Vec::<&str>::new());

                    let user = Plan {
                        authority: Authority::User,
                        serial: 1 << 40,
                        force_command: force_command.clone(),
                        source_address: source.clone(),
                        permits: pty.then_some(Permit::Pty).into_iter().collect(),
                        ..plan
                    };
                    let text = listed(&world, &unlogged(writer, user));
                    reads_as(&text, &subject, force_command.as_deref(), &source, pty, now);
                }
            }
        }
    }
    assert_eq!(count, 6 * 2 * 2 * 2);
}

/// Signs a certificate without a grant: only its form is judged here.
fn unlogged(writer: &Writer, plan: Plan) -> String {
    use base64::Engine as _;
    let signers = writer.hall.signers();
    let signer = signers.of(Authority::User).unwrap();
    let unsigned = plan.build(signer.public(), &[3; 32]).unwrap();
    let linted = crate::lint::lint(unsigned, signer.public()).unwrap();
    let algorithm = crate::lint::read_to_be_signed(&linted.bytes).unwrap();
    let algorithm = algorithm.algorithm.to_owned();
    let signature = signer.sign(&linted.bytes).unwrap();
    let mut whole = linted.bytes;
    crate::wire::put(&mut whole, &signature);
    let digits = base64::engine::general_purpose::STANDARD.encode(whole);
    format!("{algorithm} {digits}")
}

fn reads_as(
    text: &str,
    subject: &ssh_key::PublicKey,
    command: Option<&str>,
    source: &[Cidr],
    pty: bool,
    now: UnixTime,
) {
    assert!(text.contains("user certificate"), "{text}");
    let fingerprint = subject.fingerprint(ssh_key::HashAlg::Sha256).to_string();
    assert!(text.contains(&fingerprint), "{text}");
    assert!(text.contains("Serial: 1099511627776"), "{text}");
    assert!(
        text.contains("Key ID: \"hallpass:7F3K-9QMD:alice\""),
        "{text}"
    );
    assert_eq!(below(text, "Principals:"), ["postgres@db1.prod"]);
    let stamp = |time: UnixTime| time.to_string().trim_end_matches('Z').to_owned();
    let (from, to) = (
        now.before(Duration::from_secs(30)),
        now.after(Duration::from_secs(60)),
    );
    let valid = format!("Valid: from {} to {}", stamp(from), stamp(to));
    assert!(text.contains(&valid), "{text}");
    let blocks: Vec<String> = source.iter().map(Cidr::to_string).collect();
    let mut critical = Vec::new();
    if let Some(command) = command {
        // OpenSSH prints options through vis(3): the plain part is enough to tell it by.
        let shown = below(text, "Critical Options:")[0];
        assert!(shown.starts_with("force-command echo "), "{shown}");
        assert!(command.starts_with("echo "));
        critical.push(shown.to_owned());
    }
    if !blocks.is_empty() {
        critical.push(format!("source-address {}", blocks.join(",")));
    }
    assert_eq!(below(text, "Critical Options:"), critical);
    let extensions: &[&str] = if pty { &["permit-pty"] } else { &[] };
    assert_eq!(below(text, "Extensions:"), extensions);
}

#[tokio::test]
async fn promise_24_a_whole_request_reads_as_it_was_granted() {
    let world = World::new();
    let desk = world.open();
    let alice = caller("alice", "alice");
    let mut narrow = ask("postgres@db1.prod");
    narrow.command = Some("pg_ctl promote".parse().unwrap());
    let id = desk.request(&alice, narrow).await.unwrap().id;
    approve(&desk, &id, "bob", "bob").await.unwrap();
    let issued = desk.collect(&alice, &id).await.unwrap();
    let text = listed(&world, &issued.certificate);
    assert_eq!(below(&text, "Principals:"), ["postgres@db1.prod"]);
    assert_eq!(
        below(&text, "Critical Options:"),
        ["force-command pg_ctl promote"]
    );
    assert_eq!(below(&text, "Extensions:"), ["permit-pty"]);
    assert!(
        text.contains(&format!("Key ID: \"hallpass:{id}:alice\"")),
        "{text}"
    );
}

#[tokio::test]
async fn stock_ssh_keygen_makes_the_approval_that_counts() {
    use std::io::Write as _;
    let world = World::new();
    let desk = world.open();
    let id = asked(&desk).await;
    let bob = caller("bob", "bob");
    let key = world.path().join("bob");
    let pem = crate::testing::key("bob")
        .to_openssh(ssh_key::LineEnding::LF)
        .unwrap();
    std::fs::write(&key, pem.as_bytes()).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut signing = Command::new("ssh-keygen")
        .args(["-q", "-Y", "sign", "-n", "approval@hallpass", "-f"])
        .arg(&key)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let text = desk.text(&bob, &id).unwrap();
    signing
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let signature = String::from_utf8(signing.wait_with_output().unwrap().stdout).unwrap();
    let standing = desk.approve(&bob, &id, &signature).await;
    assert!(
        matches!(standing, Ok(Standing::Granted { .. })),
        "{standing:?}"
    );
}
