//! Free loopback ports, and waiting for somebody to listen on one.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::{Failure, Result};

/// The first port handed out, and how many follow it. They end below 32768, where Linux begins
/// to hand out source ports, so that no outgoing connection takes one between the look and the bind.
const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;

/// Ports that a process takes at once. Nobody else hands out one of them, also not while the server
/// that had it starts again.
const BLOCK: u16 = 100;

/// A loopback port on which nothing listens. Two calls never give the same one, whichever of the
/// tests' processes make them.
pub fn free() -> Result<u16> {
    // All are kept until this process is gone: a server may start again on its port at any time.
    static OURS: Mutex<Vec<Block>> = Mutex::new(Vec::new());
    let mut ours = OURS.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(port) = ours.last_mut().and_then(Block::port) {
            return Ok(port);
        }
        let before = ours
            .last()
            .map_or_else(std::process::id, |block| block.number.into());
        ours.push(Block::take(before)?);
    }
}

/// Ports that follow one another. Whoever listens on the first of them has the others.
struct Block {
    number: u16,
    next: u16,
    _guard: TcpListener,
}

impl Block {
    /// The first one after this number that nobody has.
    fn take(after: u32) -> Result<Self> {
        let blocks = COUNT / BLOCK;
        let after = u16::try_from(after % u32::from(blocks)).unwrap_or(0);
        for step in 1..=blocks {
            let number = (after + step) % blocks;
            if let Ok(guard) = TcpListener::bind(address(FIRST + number * BLOCK)) {
                return Ok(Self {
                    number,
                    next: 1,
                    _guard: guard,
                });
            }
        }
        Err(Failure::new("no loopback port is free"))
    }

    /// The next port on which nobody listens, if one is left.
    fn port(&mut self) -> Option<u16> {
        while self.next < BLOCK {
            let port = FIRST + self.number * BLOCK + self.next;
            self.next += 1;
            if TcpListener::bind(address(port)).is_ok() {
                return Some(port);
            }
        }
        None
    }
}

/// 127.0.0.1 with this port.
pub fn address(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}

/// Waits until something accepts connections on this port.
pub fn wait_for(port: u16, limit: Duration) -> Result<()> {
    let end = Instant::now() + limit;
    while Instant::now() < end {
        if TcpStream::connect_timeout(&address(port).into(), Duration::from_millis(200)).is_ok() {
            return Ok(());
        }
        sleep(Duration::from_millis(20));
    }
    Err(Failure::new(format!(
        "nothing listens on 127.0.0.1:{port} after {limit:?}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_gets_a_port_of_a_block_that_is_taken() {
        let ours = Block::take(0).unwrap();
        let others = Block::take(0).unwrap();
        assert_ne!(ours.number, others.number);
    }

    #[test]
    fn a_block_ends_before_the_next_one_begins() {
        let mut block = Block::take(7).unwrap();
        let ports: Vec<u16> = std::iter::from_fn(|| block.port()).collect();
        let begin = FIRST + block.number * BLOCK;
        assert!(
            ports
                .iter()
                .all(|port| (begin + 1..begin + BLOCK).contains(port))
        );
        assert!(ports.len() > usize::from(BLOCK / 2), "{}", ports.len());
    }

    #[test]
    fn more_ports_than_a_block_has_are_free() {
        let mut ports: Vec<u16> = (0..2 * BLOCK).map(|_| free().unwrap()).collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), usize::from(2 * BLOCK));
    }
}
