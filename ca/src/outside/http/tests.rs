use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use config::outside::Means;

use super::*;
use crate::outside::put;

/// A service that reads one question and says these bytes; gives its port and what it read.
fn serve(answer: Vec<u8>) -> (u16, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut read = Vec::new();
        while !read.ends_with(b"the question") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            read.push(byte[0]);
        }
        // A client that has heard enough hangs up.
        drop(stream.write_all(&answer));
        String::from_utf8(read).unwrap()
    });
    (port, served)
}

fn question() -> Question {
    Question {
        body: b"the question".to_vec(),
        kind: "text/plain; charset=utf-8",
        facts: vec![("Check", "ticket".to_owned())],
    }
}

async fn asked(url: &str, roots: Option<PathBuf>) -> Result<String, Unheard> {
    let url = Url::parse(url).unwrap();
    let means = Means::Post { url, roots };
    let answer = put(&means, &question(), Duration::from_secs(3), 100).await?;
    Ok(String::from_utf8(answer).unwrap())
}

async fn answered(answer: &[u8]) -> Result<String, Unheard> {
    let (port, _) = serve(answer.to_vec());
    asked(&format!("http://127.0.0.1:{port}/x?y=1"), None).await
}

#[tokio::test]
async fn a_service_is_asked_by_post() {
    let (port, served) = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes".to_vec());
    let said = asked(&format!("http://127.0.0.1:{port}/x?y=1"), None).await;
    assert_eq!(said.unwrap(), "yes");
    let question = served.join().unwrap().to_lowercase();
    for line in [
        "post /x?y=1 http/1.1\r\n",
        &format!("host: 127.0.0.1:{port}\r\n"),
        "content-type: text/plain; charset=utf-8\r\n",
        "content-length: 12\r\n",
        "hallpass-check: ticket\r\n",
    ] {
        assert!(question.contains(line), "{line} in {question}");
    }
}

#[tokio::test]
async fn only_a_good_and_short_answer_is_one() {
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n0\r\n\r\n";
    assert_eq!(answered(chunked).await.unwrap(), "yes");
    let taken = b"HTTP/1.1 204 No Content\r\n\r\n";
    assert_eq!(answered(taken).await.unwrap(), "");
    let moved = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    assert!(matches!(answered(moved).await, Err(Unheard::Status(302))));
    let failed = b"HTTP/1.1 500 No\r\nContent-Length: 3\r\n\r\nyes";
    assert!(matches!(answered(failed).await, Err(Unheard::Status(500))));
    let short = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nyes";
    assert!(matches!(answered(short).await, Err(Unheard::Http(_))));
    let other = b"SSH-2.0-OpenSSH\r\n";
    assert!(matches!(answered(other).await, Err(Unheard::Http(_))));
    let full = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        "x".repeat(100)
    );
    assert_eq!(answered(full.as_bytes()).await.unwrap().len(), 100);
    let long = full.replace("100", "101") + "x";
    assert!(matches!(
        answered(long.as_bytes()).await,
        Err(Unheard::Long(100))
    ));
    let head = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(HEAD));
    assert!(matches!(
        answered(head.as_bytes()).await,
        Err(Unheard::Http(_))
    ));
}

#[tokio::test]
async fn who_is_not_there_or_says_nothing_is_not_heard() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let silent = asked(&format!("http://127.0.0.1:{port}/"), None).await;
    assert!(matches!(silent, Err(Unheard::Late(_))), "{silent:?}");
    drop(listener);
    let gone = asked(&format!("http://127.0.0.1:{port}/"), None).await;
    assert!(matches!(gone, Err(Unheard::Reach(_))), "{gone:?}");
}

/// `openssl s_server` with a certificate for 127.0.0.1: it answers every question with a page of its own.
struct Tls {
    port: u16,
    dir: tempfile::TempDir,
    server: Child,
}

impl Tls {
    fn new(name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=check", "-addext", name])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-keyout", "key.pem", "-out", "cert.pem"])
            .current_dir(dir.path())
            .stderr(Stdio::null())
            .status();
        assert!(made.unwrap().success());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let server = Command::new("openssl")
            .args([
                "s_server", "-quiet", "-HTTP", "-key", "key.pem", "-cert", "cert.pem",
            ])
            .args(["-accept", &format!("127.0.0.1:{port}")])
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let server = server.unwrap();
        let end = std::time::Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                std::time::Instant::now() < end,
                "openssl s_server does not listen"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { port, dir, server }
    }

    async fn asked(&self, host: &str, roots: bool) -> Result<String, Unheard> {
        let roots = roots.then(|| self.dir.path().join("cert.pem"));
        asked(&format!("https://{host}:{}/x", self.port), roots).await
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

/// A certificate that does not verify ends it before the question is sent. What `s_server` says to a POST is not HTTP,
/// which is how far a question gets that was let through.
#[tokio::test]
async fn https_believes_verified_certificates_only() {
    let good = Tls::new("subjectAltName=IP:127.0.0.1");
    let through = good.asked("127.0.0.1", true).await;
    assert!(!matches!(through, Err(Unheard::Tls(_))), "{through:?}");
    let unknown = good.asked("127.0.0.1", false).await.unwrap_err();
    let words = unknown.to_string();
    assert!(
        matches!(unknown, Unheard::Tls(_)) && words.contains("certificate"),
        "{words}"
    );
    let other = Tls::new("subjectAltName=DNS:elsewhere.example");
    let refused = other.asked("127.0.0.1", true).await.unwrap_err();
    let words = refused.to_string();
    assert!(
        matches!(refused, Unheard::Tls(_)) && words.contains("not valid for name"),
        "{words}"
    );
}
