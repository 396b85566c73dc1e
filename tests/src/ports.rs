//! Free loopback ports, and waiting for somebody to listen on one.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::{Failure, Result};

/// The first port handed out, and how many follow it. They end below 32768, where Linux begins
/// to hand out source ports, so that no outgoing connection takes one between the look and the bind.
const FIRST: u32 = 10_000;
const COUNT: u32 = 20_000;

/// A loopback port on which nothing listens. Two calls in one process never give the same one;
/// processes start at different places.
pub fn free() -> Result<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(211);
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + start.wrapping_add(step) % COUNT;
        if let Ok(port) = u16::try_from(port)
            && TcpListener::bind(address(port)).is_ok()
        {
            return Ok(port);
        }
    }
    Err(Failure::new("no loopback port is free"))
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
