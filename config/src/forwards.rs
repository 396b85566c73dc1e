//! Where forwarded connections may lead from a target, and where a target may listen for them.
//!
//! Names are compared as they are asked for: the target looks them up, so `localhost` gives no `127.0.0.1`, and a name gives
//! no address.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::cidr::Cidr;
use crate::words::WordError;

/// What a role gives of forwarding. Nothing is given that stands in neither list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForwardRules {
    /// Where connections from the person's side may lead (`ssh -L`, `-W`, `-D`).
    pub to: Vec<Place>,
    /// Where the target may listen for connections to the person's side (`ssh -R`).
    pub listen: Vec<Place>,
}

/// A place, or several: `HOST:PORT`, or the path of a Unix socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Place {
    /// Ports of hosts.
    Tcp(Hosts, Ports),
    /// A socket's full path.
    Socket(String),
    /// Every socket below a directory: its full path, with its last slash.
    Below(String),
}

/// Hosts, as a client names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hosts {
    /// Any: `*`.
    Any,
    /// One name, whatever the case of its letters.
    Name(String),
    /// Addresses.
    Block(Cidr),
}

/// Ports from the first to the last. Port 0 asks the target to choose one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    first: u16,
    last: u16,
}

impl ForwardRules {
    /// Whether a connection may lead there.
    pub fn leads_to(&self, host: &str, port: u32) -> bool {
        self.to.iter().any(|place| place.has(host, port))
    }

    /// Whether a connection may lead to this socket.
    pub fn leads_to_socket(&self, path: &str) -> bool {
        self.to.iter().any(|place| place.has_socket(path))
    }

    /// Whether the target may listen there.
    pub fn listens_on(&self, host: &str, port: u32) -> bool {
        self.listen.iter().any(|place| place.has(host, port))
    }

    /// Whether the target may listen on this socket.
    pub fn listens_on_socket(&self, path: &str) -> bool {
        self.listen.iter().any(|place| place.has_socket(path))
    }
}

impl Place {
    fn has(&self, host: &str, port: u32) -> bool {
        let Self::Tcp(hosts, ports) = self else {
            return false;
        };
        let there = match hosts {
            Hosts::Any => true,
            Hosts::Name(name) => name.eq_ignore_ascii_case(host),
            Hosts::Block(block) => host.parse().is_ok_and(|address| block.contains(address)),
        };
        there && (u32::from(ports.first)..=u32::from(ports.last)).contains(&port)
    }

    fn has_socket(&self, path: &str) -> bool {
        match self {
            Self::Tcp(..) => false,
            Self::Socket(one) => one == path,
            Self::Below(directory) => {
                let rest = path.strip_prefix(directory.as_str());
                rest.is_some_and(|rest| !rest.is_empty()) && plain(path)
            }
        }
    }
}

/// Whether a path is a full one that says where it leads: a link that leads elsewhere is followed by the target.
fn plain(path: &str) -> bool {
    let parts = path.split('/').skip(1);
    let odd = |part: &str| matches!(part, "." | "..") || part.is_empty();
    path.starts_with('/') && !parts.into_iter().any(odd) && !path.chars().any(char::is_control)
}

impl FromStr for Place {
    type Err = WordError;

    fn from_str(given: &str) -> Result<Self, WordError> {
        let wrong = |why| WordError {
            what: "place",
            given: given.to_owned(),
            why,
        };
        if given.starts_with('/') {
            let (path, below) = match given.strip_suffix('*') {
                Some(directory) if directory.ends_with('/') => (directory, true),
                _ => (given, false),
            };
            let bare = if below {
                path.trim_end_matches('/')
            } else {
                path
            };
            if !(below && path == "/" || plain(bare)) || bare.contains('*') {
                return Err(wrong("it is not a full path"));
            }
            let path = path.to_owned();
            return Ok(if below {
                Self::Below(path)
            } else {
                Self::Socket(path)
            });
        }
        let (host, ports) = given
            .rsplit_once(':')
            .ok_or_else(|| wrong("it is neither HOST:PORT nor a path"))?;
        let ports = ports.parse().map_err(wrong)?;
        Ok(Self::Tcp(hosts(host).map_err(wrong)?, ports))
    }
}

fn hosts(given: &str) -> Result<Hosts, &'static str> {
    if given == "*" {
        return Ok(Hosts::Any);
    }
    let bracketed = given.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    if let Ok(block) = bracketed.unwrap_or(given).parse::<Cidr>() {
        return Ok(Hosts::Block(block));
    }
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name = !given.is_empty() && given.len() <= 253 && given.chars().all(letter);
    if name && bracketed.is_none() {
        Ok(Hosts::Name(given.to_owned()))
    } else {
        Err("its host is neither a name, nor an address block, nor *")
    }
}

impl FromStr for Ports {
    type Err = &'static str;

    fn from_str(given: &str) -> Result<Self, &'static str> {
        if given == "*" {
            return Ok(Self {
                first: 0,
                last: u16::MAX,
            });
        }
        let (first, last) = given.split_once('-').unwrap_or((given, given));
        let port = |digits: &str| {
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<u16>().ok().filter(|_| plain)
        };
        match (port(first), port(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self { first, last }),
            _ => Err("its port is neither a number, nor a range, nor *"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(Hosts::Any, ports) => write!(f, "*:{ports}"),
            Self::Tcp(Hosts::Name(name), ports) => write!(f, "{name}:{ports}"),
            Self::Tcp(Hosts::Block(block), ports) => write!(f, "[{block}]:{ports}"),
            Self::Socket(path) => f.write_str(path),
            Self::Below(directory) => write!(f, "{directory}*"),
        }
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.last) {
            (0, u16::MAX) => f.write_str("*"),
            (first, last) if first == last => write!(f, "{first}"),
            (first, last) => write!(f, "{first}-{last}"),
        }
    }
}

impl TryFrom<String> for Place {
    type Error = WordError;

    fn try_from(given: String) -> Result<Self, WordError> {
        given.parse()
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        place.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(places: &[&str]) -> ForwardRules {
        ForwardRules {
            to: places.iter().map(|place| place.parse().unwrap()).collect(),
            listen: Vec::new(),
        }
    }

    #[test]
    fn a_place_gives_itself_and_nothing_beside_it() {
        let rules = to(&[
            "localhost:5432",
            "10.0.0.0/8:443",
            "[2001:db8::/32]:80-81",
            "db2:*",
        ]);
        for (host, port) in [
            ("localhost", 5432),
            ("LOCALHOST", 5432),
            ("10.1.2.3", 443),
            ("::ffff:10.1.2.3", 443),
            ("2001:db8::1", 81),
            ("db2", 1),
        ] {
            assert!(rules.leads_to(host, port), "{host} {port}");
        }
        for (host, port) in [
            ("localhost", 5433),
            ("localhost", 65_536 + 5432),
            ("localhost.", 5432),
            ("127.0.0.1", 5432),
            ("11.1.2.3", 443),
            ("2001:db9::1", 80),
            ("2001:db8::1", 82),
            ("db2.prod", 1),
            ("", 5432),
        ] {
            assert!(!rules.leads_to(host, port), "{host:?} {port}");
            assert!(!rules.listens_on(host, port), "{host:?} {port}");
        }
        assert!(to(&["*:443"]).leads_to("", 443));
    }

    #[test]
    fn a_directory_gives_the_sockets_below_it() {
        let rules = to(&["/run/postgresql/.s.PGSQL.5432", "/run/user/1000/*"]);
        for path in [
            "/run/postgresql/.s.PGSQL.5432",
            "/run/user/1000/a",
            "/run/user/1000/b/c",
        ] {
            assert!(rules.leads_to_socket(path), "{path}");
        }
        for path in [
            "/run/postgresql/.s.PGSQL.5433",
            "/run/user/1000/",
            "/run/user/1000",
            "/run/user/1000/../1001/a",
            "/run/user/1000//a",
            "run/user/1000/a",
            "",
        ] {
            assert!(!rules.leads_to_socket(path), "{path:?}");
            assert!(!rules.leads_to(path, 0), "{path:?}");
        }
        assert!(to(&["/*"]).leads_to_socket("/tmp/x"));
    }

    #[test]
    fn what_is_no_place_is_refused_and_the_others_are_written_as_they_are_read() {
        for bad in [
            "",
            "localhost",
            "localhost:",
            ":80",
            "a b:80",
            "*.prod:80",
            "localhost:80-79",
            "localhost:+80",
            "localhost:65536",
            "10.0.0.1/8:80",
            "/run/../x",
            "/run//x",
            "/run/*x",
            "run/x",
        ] {
            assert!(bad.parse::<Place>().is_err(), "{bad:?}");
        }
        for good in [
            "localhost:80",
            "*:*",
            "[10.0.0.0/8]:1-2",
            "[::1/128]:443",
            "/run/x",
            "/run/*",
            "/*",
        ] {
            assert_eq!(good.parse::<Place>().unwrap().to_string(), good);
        }
    }
}
