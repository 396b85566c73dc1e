use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ssh_key::{PrivateKey, PublicKey};

use super::agent::Agent;
use super::memory::InMemory;
use super::{SignFault, Signer, blob};
use crate::testing::{key, public};
use crate::wire::{put, string};

/// A key that stock `ssh-keygen` made.
fn made(dir: &Path, kind: &[&str]) -> PrivateKey {
    let path = dir.join(kind.concat());
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-N", "", "-C", "", "-t"]).args(kind);
    assert!(command.arg("-f").arg(&path).status().unwrap().success());
    PrivateKey::read_openssh_file(&path).unwrap()
}

fn bare(key: &PrivateKey) -> PublicKey {
    PublicKey::from(key.public_key().key_data().clone())
}

#[test]
fn both_kinds_of_key_sign_what_verifies() {
    let dir = tempfile::tempdir().unwrap();
    for kind in [["ed25519"].as_slice(), &["ecdsa", "-b", "256"]] {
        let signer = InMemory::new(&made(dir.path(), kind)).unwrap();
        let signature = signer.sign(b"text").unwrap();
        assert!(
            blob::holds(signer.public(), b"text", &signature),
            "{kind:?}"
        );
        assert!(
            !blob::holds(signer.public(), b"test", &signature),
            "{kind:?}"
        );
        assert!(!blob::holds(&public("other"), b"text", &signature));
    }
    assert!(InMemory::new(&made(dir.path(), &["ecdsa", "-b", "384"])).is_none());
}

#[test]
fn promise_31_a_signature_has_one_spelling() {
    let dir = tempfile::tempdir().unwrap();
    let signer = InMemory::new(&made(dir.path(), &["ecdsa", "-b", "256"])).unwrap();
    // Until one number has its highest bit set: then it needs the zero before it.
    let good = (0_u32..).map(|n| {
        let text = n.to_be_bytes();
        (text, signer.sign(&text).unwrap())
    });
    let (text, good) = good
        .into_iter()
        .find(|(_, blob)| blob[blob.len() - 33..][0] == 0)
        .unwrap();
    assert!(blob::holds(signer.public(), &text, &good));
    let inner = crate::wire::Take(&good[4 + blob::P256.len() + 4..]);
    let mut numbers = inner;
    let (r, s) = (numbers.string().unwrap(), numbers.string().unwrap());
    let spelled = |r: &[u8], s: &[u8], more: &[u8]| {
        let inner = [string(r), string(s), more.to_vec()].concat();
        let mut blob = string(blob::P256.as_bytes());
        put(&mut blob, &inner);
        blob
    };
    assert!(blob::holds(signer.public(), &text, &spelled(r, s, b"")));
    let zero = [&[0], r].concat();
    for bad in [
        spelled(&zero, s, b""),
        spelled(r, &s[1..], b""),
        spelled(r, s, b"x"),
        spelled(r, b"", b""),
        spelled(s, r, b""),
        [good.clone(), vec![0]].concat(),
        blob::ed25519(&[0; 64]),
        Vec::new(),
    ] {
        assert!(!blob::holds(signer.public(), &text, &bad), "{bad:x?}");
    }
}

#[test]
fn numbers_from_hardware_are_spelled_as_openssh_reads_them() {
    let mut numbers = [0; 64];
    numbers[31] = 0x80;
    numbers[62] = 1;
    let mut wanted = string(blob::P256.as_bytes());
    put(&mut wanted, &[string(&[0, 0x80]), string(&[1, 0])].concat());
    assert_eq!(blob::p256(&numbers), wanted);
}

/// A real `ssh-agent`, which ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn agent(dir: &Path, keys: &[&PrivateKey]) -> Running {
    let socket = dir.join("agent");
    let mut command = Command::new("ssh-agent");
    command
        .arg("-D")
        .arg("-a")
        .arg(&socket)
        .stdout(Stdio::null());
    let running = Running(command.spawn().unwrap());
    let end = Instant::now() + Duration::from_secs(10);
    while !socket.exists() && Instant::now() < end {
        thread::sleep(Duration::from_millis(5));
    }
    for (n, key) in keys.iter().enumerate() {
        let path = dir.join(format!("added-{n}"));
        key.write_openssh_file(&path, ssh_key::LineEnding::LF)
            .unwrap();
        let mut add = Command::new("ssh-add");
        add.arg("-q").arg(&path).env("SSH_AUTH_SOCK", &socket);
        assert!(add.status().unwrap().success());
    }
    running
}

#[test]
fn a_real_agent_signs_with_the_key_that_was_named() {
    let dir = tempfile::tempdir().unwrap();
    let ecdsa = made(dir.path(), &["ecdsa", "-b", "256"]);
    let (first, second) = (key("first"), key("second"));
    let running = agent(dir.path(), &[&first, &second, &ecdsa]);
    let socket = dir.path().join("agent");
    for key in [&first, &second, &ecdsa] {
        let signer = Agent::open(&socket, &bare(key)).unwrap();
        let signature = signer.sign(b"text").unwrap();
        assert!(blob::holds(&bare(key), b"text", &signature));
    }
    let other = Agent::open(&socket, &public("other")).err().unwrap();
    assert!(other.0.ends_with("it does not have that key"), "{other}");

    // It loses its keys, and then it dies.
    let signer = Agent::open(&socket, &bare(&first)).unwrap();
    let mut clear = Command::new("ssh-add");
    clear.args(["-q", "-D"]).env("SSH_AUTH_SOCK", &socket);
    assert!(clear.status().unwrap().success());
    let gone = signer.sign(b"text").unwrap_err();
    assert!(gone.0.contains("it refused"), "{gone}");
    drop(running);
    assert!(signer.sign(b"text").is_err());
}

/// What stands behind a socket and answers each connection with these bytes, one at a time, with a pause between.
fn liar(dir: &Path, answer: Vec<u8>, pause: Duration) -> std::path::PathBuf {
    let socket = dir.join(format!("liar-{}", answer.len()));
    let listener = UnixListener::bind(&socket).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = [0; 5];
            let _ = stream.read(&mut asked);
            for byte in &answer {
                if stream.write_all(&[*byte]).is_err() {
                    break;
                }
                thread::sleep(pause);
            }
        }
    });
    socket
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    string(&[&[kind], body].concat())
}

#[test]
fn an_agent_that_lies_is_found_out() {
    let dir = tempfile::tempdir().unwrap();
    let ours = public("first").to_bytes().unwrap();
    let listing = |count: u32, more: &[u8]| {
        let mut body = count.to_be_bytes().to_vec();
        put(&mut body, &ours);
        put(&mut body, b"comment");
        body.extend_from_slice(more);
        frame(12, &body)
    };
    let huge = [(256_u32 << 10) + 1, 0].map(u32::to_be_bytes).concat();
    let endless = [&u32::MAX.to_be_bytes()[..], &[12; 9]].concat();
    for (answer, words) in [
        (listing(2, b""), "it answers what no agent answers"),
        (listing(u32::MAX, b""), "it answers what no agent answers"),
        (listing(1, b"x"), "it answers what no agent answers"),
        (listing(0, b""), "it answers what no agent answers"),
        (huge, "it answers what no agent answers"),
        (endless, "it answers what no agent answers"),
        (vec![0; 6], "it answers what no agent answers"),
        (frame(5, b""), "it refused"),
        (vec![0, 0, 0, 99, 12], "it hung up"),
        (Vec::new(), "it hung up"),
    ] {
        let dir = tempfile::tempdir_in(dir.path()).unwrap();
        let socket = liar(dir.path(), answer, Duration::ZERO);
        let SignFault(why) = Agent::open(&socket, &public("first")).err().unwrap();
        assert!(why.contains(words), "{why}");
    }
}

#[test]
fn an_agent_that_drips_is_given_up_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let drip = Duration::from_millis(300);
    let socket = liar(dir.path(), frame(12, &[0; 100]), drip);
    let begun = Instant::now();
    let SignFault(why) = Agent::open(&socket, &public("first")).err().unwrap();
    assert!(why.contains("no answer within 5 s"), "{why}");
    assert!(begun.elapsed() < config::limits::SIGNER_ANSWER + Duration::from_secs(2));
}
