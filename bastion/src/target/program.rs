//! Which program listens at a target that lets nobody in.

use std::net::SocketAddr;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::{Duration, timeout};

/// Longest first line of an SSH server (RFC 4253 §4.2).
const LINE: usize = 255;

/// How long the first line may take: it is said without being asked for.
const PATIENCE: Duration = Duration::from_secs(2);

/// The servers that are known to take no certificates, by how they introduce themselves.
const WITHOUT: &[(&[u8], &str)] = &[
    (b"SSH-2.0-dropbear", "Dropbear"),
    (b"SSH-2.0-tinyssh", "TinySSH"),
];

/// Looks at the first line of what listens there, on a connection of its own; says which program it is, if that one
/// takes no certificates. What a target says of itself decides nothing: it only explains a refusal.
pub(super) async fn without_certificates(addresses: &[SocketAddr]) -> Option<&'static str> {
    let line = timeout(PATIENCE, first_line(addresses)).await.ok()??;
    known(&line)
}

async fn first_line(addresses: &[SocketAddr]) -> Option<Vec<u8>> {
    let tcp = TcpStream::connect(addresses).await.ok()?;
    let mut line = Vec::new();
    let mut tcp = tcp.take(LINE as u64);
    while !line.contains(&b'\n') && tcp.read_buf(&mut line).await.ok()? > 0 {}
    Some(line)
}

fn known(line: &[u8]) -> Option<&'static str> {
    let known = WITHOUT.iter().find(|(begin, _)| line.starts_with(begin));
    known.map(|(_, program)| *program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_known_by_how_its_line_begins() {
        assert_eq!(known(b"SSH-2.0-dropbear_2022.83\r\n"), Some("Dropbear"));
        assert_eq!(known(b"SSH-2.0-tinyssh_noversion\r\n"), Some("TinySSH"));
        assert_eq!(known(b"SSH-2.0-OpenSSH_9.2p1 dropbear\r\n"), None);
        assert_eq!(known(b""), None);
    }
}
