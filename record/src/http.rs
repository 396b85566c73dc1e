//! Plain HTTP, one request a connection, for what is believed by its signatures alone: published logs and witnesses.
//!
//! There is no TLS: nothing that is fetched this way is secret, and nothing of it counts before its signature was checked.
//! Requests are HTTP/1.0 (RFC 1945), so that no answer comes in chunks. Everything is bounded: the time of a whole call, the
//! answer's head and its body.

use std::fmt;
use std::io::{self, Read, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};

use config::limits;

use crate::log::tiles::Source;

/// An address like `http://host:port/prefix`, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    host: String,
    port: u16,
    path: String,
}

/// Some text is not an address that this program can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an address like http://host:port/prefix (https is not spoken: put a proxy before it that ends TLS)"
)]
pub struct NotAUrl;

impl FromStr for Url {
    type Err = NotAUrl;

    fn from_str(text: &str) -> Result<Self, NotAUrl> {
        let rest = text.strip_prefix("http://").ok_or(NotAUrl)?;
        let (place, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (place, "80"),
        };
        let stray = |c: char| !c.is_ascii_graphic() || matches!(c, '@' | '?' | '#');
        if host.is_empty() || text.contains(stray) {
            return Err(NotAUrl);
        }
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        Ok(Self {
            host: bare.unwrap_or(host).to_owned(),
            port: port.parse().ok().filter(|port| *port > 0).ok_or(NotAUrl)?,
            path: path.trim_end_matches('/').to_owned(),
        })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.path)
    }
}

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status (RFC 9110 §15).
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Url {
    /// Fetches `path` below this address.
    pub fn get(&self, path: &str, most: usize, limit: Duration) -> io::Result<Answer> {
        let head = format!("GET {}/{path} HTTP/1.0\r\n", self.path);
        self.call(&head, &[], most, limit)
    }

    /// Sends a body to `path` below this address.
    pub fn post(
        &self,
        path: &str,
        body: &[u8],
        most: usize,
        limit: Duration,
    ) -> io::Result<Answer> {
        let head = format!(
            "POST {}/{path} HTTP/1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n",
            self.path,
            body.len()
        );
        self.call(&head, body, most, limit)
    }

    fn call(&self, head: &str, body: &[u8], most: usize, limit: Duration) -> io::Result<Answer> {
        let end = Instant::now() + limit;
        let mut stream = self.connect(end)?;
        stream.set_write_timeout(Some(left(end)?))?;
        let head = format!(
            "{head}Host: {}\r\nConnection: close\r\n\r\n",
            self.authority()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let mut stream = Hurried { stream, end };
        let mut bytes = Vec::new();
        let bound = limits::HTTP_HEAD_BYTES + most;
        (&mut stream)
            .take(bound as u64 + 1)
            .read_to_end(&mut bytes)?;
        if bytes.len() > bound {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "a longer answer than expected",
            ));
        }
        answer(&bytes, most)
    }

    fn connect(&self, end: Instant) -> io::Result<TcpStream> {
        let mut why = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, left(end)?) {
                Ok(stream) => return Ok(stream),
                Err(e) => why = e,
            }
        }
        Err(why)
    }

    fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl Source for Url {
    fn get(&self, path: &str, most: usize) -> io::Result<Vec<u8>> {
        let answer = Self::get(self, path, most, limits::HTTP_ANSWER)?;
        match answer.status {
            200 => Ok(answer.body),
            404 | 410 => Err(io::Error::new(
                io::ErrorKind::NotFound,
                "there is no such file",
            )),
            other => Err(io::Error::other(format!("the server answered {other}"))),
        }
    }

    fn place(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("{self}/{path}"))
    }
}

fn left(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"));
    }
    Ok(left)
}

/// A connection that is read until a moment, however slowly the other side drips.
struct Hurried {
    stream: TcpStream,
    end: Instant,
}

impl Read for Hurried {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(self.end)?))?;
        self.stream.read(into).map_err(|e| match e.kind() {
            io::ErrorKind::WouldBlock => {
                io::Error::new(io::ErrorKind::TimedOut, "no answer in time")
            }
            _ => e,
        })
    }
}

/// Parts the bytes of an answer (RFC 9112 §2.1), whose body has at most `most` bytes; one that is cut short of the length
/// that it says does not count. The fault is the server's.
pub fn answer(bytes: &[u8], most: usize) -> io::Result<Answer> {
    let bad = |what: &'static str| io::Error::new(io::ErrorKind::InvalidData, what);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or_else(|| bad("not an HTTP answer"))?;
    let (head, body) = bytes.split_at(end + 4);
    let head = std::str::from_utf8(head).map_err(|_| bad("not an HTTP answer"))?;
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    let mut words = status
        .strip_prefix("HTTP/1.")
        .unwrap_or_default()
        .split(' ');
    let status = words.nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| bad("not an HTTP answer"))?;
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if name.eq_ignore_ascii_case("content-length") && value.trim().parse() != Ok(body.len()) {
            return Err(bad("the answer was cut short"));
        }
        if name.eq_ignore_ascii_case("transfer-encoding")
            || name.eq_ignore_ascii_case("content-encoding")
        {
            return Err(bad("the answer is encoded, and was not asked to be"));
        }
    }
    if body.len() > most {
        return Err(bad("a longer answer than expected"));
    }
    Ok(Answer {
        status,
        body: body.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// A server that answers once with these bytes, and hangs if `hang` says so.
    fn once(answer: &'static [u8], hang: Duration) -> Url {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 4096];
            let _ = stream.read(&mut asked);
            let _ = stream.write_all(answer);
            thread::sleep(hang);
        });
        format!("http://{address}/log/").parse().unwrap()
    }

    fn get(answer: &'static [u8]) -> io::Result<Vec<u8>> {
        Source::get(&once(answer, Duration::ZERO), "checkpoint", 5)
    }

    #[test]
    fn an_answer_is_taken_whole_or_not_at_all() {
        assert_eq!(get(b"HTTP/1.0 200 OK\r\n\r\nhello").unwrap(), b"hello");
        assert_eq!(
            get(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").unwrap(),
            b"hello"
        );
        let gone = get(b"HTTP/1.0 404 no\r\n\r\n").unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
        for bad in [
            &b""[..],
            b"HTTP/1.0 200 OK\r\n\r\nhello!",
            b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello",
            b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello",
            b"HTTP/1.0 500 no\r\n\r\n",
            b"SSH-2.0-x\r\n\r\n",
        ] {
            assert!(get(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn nobody_waits_longer_than_meant() {
        let slow = once(b"HTTP/1.0 200 OK\r\n", Duration::from_secs(5));
        let began = Instant::now();
        let late = slow.get("x", 5, Duration::from_millis(100)).unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() < Duration::from_secs(3));
    }

    #[test]
    fn addresses_are_plain_ones() {
        let url: Url = "http://[::1]:80/a/b/".parse().unwrap();
        assert_eq!(url.to_string(), "http://[::1]:80/a/b");
        assert_eq!(
            "http://w1".parse::<Url>().unwrap().to_string(),
            "http://w1:80"
        );
        for bad in [
            "",
            "w1",
            "https://w1",
            "http://",
            "http://a b",
            "http://u@h",
            "http://h:0",
            "http://h/?x",
            "http://h\r\n",
        ] {
            assert_eq!(bad.parse::<Url>(), Err(NotAUrl), "{bad}");
        }
    }
}
