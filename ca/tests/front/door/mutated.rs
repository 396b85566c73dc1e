//! Streams of a client that were changed on their way.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::site::{Site, until};

/// What a real `ssh` sends until it has logged in, mutated: bits flipped, lengths made huge, pieces cut,
/// doubled and moved. The server must neither die nor keep anybody else out.
#[test]
fn promise_18_mutated_streams_before_the_login_do_no_harm() {
    let site = Site::new();
    count_panics();
    let before = PANICS.load(Ordering::SeqCst);
    let good = what_ssh_sends(&site);
    assert!(
        good.starts_with(b"SSH-2.0-") && good.len() > 1000,
        "{} bytes",
        good.len()
    );
    std::thread::scope(|scope| {
        for worker in 0..8_u64 {
            let (good, port) = (&good, site.port);
            scope.spawn(move || {
                let mut random = Random(worker + 1);
                for _ in 0..1000 {
                    throw(port, &mutated(good, &mut random));
                }
            });
        }
        for _ in 0..10 {
            let who = site.alice.with(&["-b", "127.0.0.9", "ca", "whoami"], b"");
            assert_eq!(who.status, 0, "{who:?}");
        }
    });
    until("a good login works", || {
        site.alice.ca(&["whoami"]).status == 0
    });
    assert_eq!(PANICS.load(Ordering::SeqCst), before, "the server panicked");
}

/// Panics in the server's own threads, which the runtime would hide.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn count_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current()
            .name()
            .is_some_and(|name| name.starts_with("tokio-"))
        {
            PANICS.fetch_add(1, Ordering::SeqCst);
        }
        usual(panic);
    }));
}

/// Runs one good login through a relay, and keeps what went towards the server.
fn what_ssh_sends(site: &Site) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let server = site.port;
    let relay = std::thread::spawn(move || {
        let (client, _) = listener.accept().unwrap();
        let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
        let (mut back, mut towards) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let backwards = std::thread::spawn(move || drop(std::io::copy(&mut back, &mut towards)));
        let mut sent = Vec::new();
        let (mut from, mut to, mut buffer) = (client, server, [0; 4096]);
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            sent.extend_from_slice(&buffer[..count]);
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        drop(to.shutdown(std::net::Shutdown::Both));
        backwards.join().unwrap();
        sent
    });
    let known = format!("HostKeyAlias=[127.0.0.1]:{}", site.port);
    let who = site
        .alice
        .with(&["-o", &known, "-p", &port, "ca", "whoami"], b"");
    assert_eq!(who.status, 0, "{who:?}");
    relay.join().unwrap()
}

fn mutated(good: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len().max(1));
        let end = (at + 1 + random.below(64)).min(bytes.len());
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at..end].fill(0xff),
            2 => bytes[at..end].fill(0),
            3 => bytes.truncate(at + 1),
            4 => drop(bytes.drain(at..end)),
            _ => {
                let piece = bytes[at..end].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, piece);
            }
        }
        if bytes.is_empty() {
            bytes.push(0);
        }
    }
    bytes
}

/// Sends it all and closes; what comes back does not matter.
fn throw(port: u16, bytes: &[u8]) {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        panic!("the server no longer listens");
    };
    let limit = Some(Duration::from_millis(50));
    stream.set_read_timeout(limit).unwrap();
    stream.set_write_timeout(limit).unwrap();
    let _ = stream.write_all(bytes);
    let _ = stream.read(&mut [0; 4096]);
}

/// A linear congruential generator (Knuth, MMIX): the same streams in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}
