use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

use super::*;

/// As much as a pty gives at once.
const PIECE: usize = 4096;

fn at(ms: u64) -> Instant {
    static BEGAN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *BEGAN.get_or_init(Instant::now) + Duration::from_millis(ms)
}

/// So many bytes each millisecond.
fn flood(each: usize, ms: std::ops::Range<u64>, flood: &mut Flood) {
    for ms in ms {
        flood.took(each, at(ms));
    }
}

#[test]
fn what_somebody_reads_as_it_comes_is_no_flood_and_a_listing_is_one_until_it_pauses() {
    let mut slow = Flood::default();
    flood(MANY / 10 - 1, 0..100, &mut slow);
    assert!(!slow.is_on());
    let mut fast = Flood::default();
    flood(MANY.div_ceil(10), 0..30, &mut fast);
    assert!(fast.is_on());
    // A span without anything lies between, behind one that was a flood.
    fast.took(1, at(50));
    assert!(!fast.is_on());
}

/// Whether one look finds something.
async fn finds(calm: &mut Calm<tokio::io::DuplexStream>) -> bool {
    let look = std::future::poll_fn(|cx| {
        let mut byte = [0];
        let mut byte = ReadBuf::new(&mut byte);
        Poll::Ready(Pin::new(&mut *calm).poll_read(cx, &mut byte).is_ready())
    });
    look.await
}

/// In a flood, finds nothing.
async fn waits(calm: &mut Calm<tokio::io::DuplexStream>) {
    calm.flood.took(MANY, Instant::now());
    assert!(!finds(calm).await);
}

#[tokio::test]
async fn in_a_flood_what_comes_is_read_together() {
    let (mut target, near) = duplex(ROOM);
    let mut calm = Calm::new(near, true);
    waits(&mut calm).await;
    assert!(calm.rest.is_some());
    // Longer than any machine takes for this.
    calm.rest = Some(Box::pin(sleep(Duration::from_secs(3600))));
    for byte in 0..3 {
        target.write_all(&[byte; PIECE]).await.unwrap();
        assert!(!finds(&mut calm).await, "it gathers");
    }
    calm.rest = Some(Box::pin(sleep(Duration::ZERO)));
    let mut first = [9];
    calm.read_exact(&mut first).await.unwrap();
    assert_eq!((first, calm.held.len()), ([0], 3 * PIECE - 1));
}

#[tokio::test]
async fn without_a_terminal_nothing_gathers() {
    let (_target, near) = duplex(ROOM);
    let mut calm = Calm::new(near, false);
    waits(&mut calm).await;
    assert!(calm.rest.is_none() && calm.room.capacity() == 0);
}

#[tokio::test]
async fn a_flood_that_is_over_holds_no_memory_and_lets_the_next_byte_pass() {
    let (mut target, near) = duplex(ROOM);
    let mut calm = Calm::new(near, true);
    waits(&mut calm).await;
    assert_eq!(calm.room.len(), ROOM);
    for _ in 0..10_000 {
        if calm.rest.is_none() {
            break;
        }
        tokio::time::sleep(REST).await;
        assert!(!finds(&mut calm).await);
    }
    assert!(calm.room.capacity() == 0 && !calm.flood.is_on());
    target.write_all(b"k").await.unwrap();
    assert!(finds(&mut calm).await);
}

#[tokio::test]
async fn every_byte_passes_in_order_and_so_does_the_end() {
    let (mut target, near) = duplex(ROOM);
    let mut calm = Calm::new(near, true);
    let sent: Vec<u8> = (0..=250).cycle().take(200 * PIECE + 7).collect();
    let expected = sent.clone();
    let writing = tokio::spawn(async move {
        for piece in sent.chunks(PIECE - 1) {
            target.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    let mut got = Vec::new();
    let mut piece = [0; 1000];
    // As russh reads: a length, and what it says.
    for (turn, size) in (0..).zip([4, 1000, 16, 999].into_iter().cycle()) {
        if turn % 7 == 0 {
            calm.flood.took(MANY, Instant::now());
        } else if turn % 50 == 1 {
            calm.flood = Flood::default();
        }
        let bytes = calm.read(&mut piece[..size]).await.unwrap();
        got.extend_from_slice(&piece[..bytes]);
        if bytes == 0 {
            break;
        }
    }
    writing.await.unwrap();
    assert!(got == expected, "{} of {} bytes", got.len(), expected.len());
}

#[tokio::test]
async fn a_flood_that_thins_out_leaves_no_room_behind() {
    let (mut target, stream) = duplex(4 * MANY);
    let mut calm = Calm::new(stream, true);
    let mut some = vec![0; MANY];
    for _ in 0..2 {
        target.write_all(&some).await.unwrap();
        calm.read_exact(&mut some).await.unwrap();
    }
    assert_ne!(calm.room.capacity(), 0);
    calm.flood = Flood::default();
    target.write_all(b"x").await.unwrap();
    calm.read_exact(&mut [0]).await.unwrap();
    assert_eq!(calm.room.capacity(), 0);
}
