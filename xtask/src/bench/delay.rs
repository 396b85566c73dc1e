//! A longer way: a TCP proxy on loopback that hands on everything a while later, however much it is.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use hallpass_tests::{Result, ports};

/// How many pieces of 64 KiB may be on their way: far more than any window.
const ON_THE_WAY: usize = 1024;

/// Listens, for as long as this program runs, on a port of its own; what arrives there reaches `to`, and what comes back
/// returns, each `late`.
pub(super) fn before(to: u16, late: Duration) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for incoming in listener.incoming().map_while(std::io::Result::ok) {
            let Ok(outgoing) = TcpStream::connect(ports::address(to)) else {
                continue;
            };
            let _ = incoming.set_nodelay(true);
            let _ = outgoing.set_nodelay(true);
            let (Ok(back_from), Ok(back_to)) = (outgoing.try_clone(), incoming.try_clone()) else {
                continue;
            };
            carry(incoming, outgoing, late);
            carry(back_from, back_to, late);
        }
    });
    Ok(port)
}

/// Carries one direction, with a thread that reads and one that writes.
fn carry(mut from: TcpStream, mut to: TcpStream, late: Duration) {
    let (sender, receiver) = mpsc::sync_channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            let piece = buffer.get(..read).unwrap_or_default().to_vec();
            if sender.send((Instant::now() + late, piece)).is_err() {
                break;
            }
        }
    });
    thread::spawn(move || {
        for (due, piece) in receiver {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&piece).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_through_arrives_whole_and_late() -> Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let late = Duration::from_millis(30);
        let port = before(listener.local_addr()?.port(), late)?;
        let mut near = TcpStream::connect(ports::address(port))?;
        let begin = Instant::now();
        near.write_all(b"there")?;
        let (mut far, _) = listener.accept()?;
        let mut bytes = [0; 5];
        far.read_exact(&mut bytes)?;
        assert_eq!(&bytes, b"there");
        assert!(begin.elapsed() >= late);
        Ok(())
    }
}
