//! A bucket that answers, and never does what it says.

use std::sync::Mutex as StdMutex;

use record::clock::Clock;

use super::*;

/// A store that has this status and body for the first line of each request, and the first lines of what it was asked.
fn saying(
    data: &Path,
    mut says: impl FnMut(&str) -> (&'static str, &'static str) + Send + 'static,
) -> (tempfile::TempDir, Arc<Uploads>, Asked) {
    let asked = Asked::default();
    let heard = asked.clone();
    let (dir, bucket) = answered(move |line, stream| {
        heard.0.lock().unwrap().push(line.to_owned());
        let (status, body) = says(line);
        let last = body.len().saturating_sub(1);
        let range = format!("Content-Range: bytes 0-{last}/{}\r\n", body.len());
        let about = "Last-Modified: Sun, 22 Nov 2026 17:00:00 GMT\r\nETag: \"x\"\r\n";
        let length = body.len();
        let body = if line.starts_with("HEAD") { "" } else { body };
        let text = format!(
            "HTTP/1.1 {status}\r\n{about}{range}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        let _ = stream.write_all(text.as_bytes());
    });
    let uploads = Uploads::open(&given(None), data, bucket).unwrap();
    (dir, Arc::new(uploads), asked)
}

#[derive(Clone, Default)]
struct Asked(Arc<StdMutex<Vec<String>>>);

impl Asked {
    /// How many requests begin so and have this in their first line.
    fn count(&self, method: &str, what: &str) -> usize {
        let all = self.0.lock().unwrap();
        let is = |line: &&String| line.starts_with(method) && line.contains(what);
        all.iter().filter(is).count()
    }
}

/// A clock that stands until it is set.
#[derive(Default)]
struct Hand(StdMutex<Duration>);

impl Clock for Hand {
    fn wall_ms(&self) -> u64 {
        u64::try_from(self.monotonic().as_millis()).unwrap()
    }

    fn monotonic(&self) -> Duration {
        *self.0.lock().unwrap()
    }
}

#[tokio::test]
async fn what_is_always_given_back_otherwise_goes_up_ever_less_often_and_stays_here() {
    let mut house = House::new();
    let clock = Arc::new(Hand::default());
    Arc::get_mut(&mut house.site).unwrap().clock = Arc::clone(&clock) as _;
    let (_dir, uploads, asked) = saying(house.dir.path(), |line| match line.split(' ').next() {
        Some("HEAD" | "PUT") => ("200 OK", OBJECT),
        // As many bytes as an object has.
        _ => ("206 Partial Content", "AN OBJECT"),
    });
    let path = house.site.store.dir().join(format!("{}.cast.zst", id(3)));
    fs::write(&path, OBJECT).unwrap();
    let mut puts = Vec::new();
    // Waits end between two looks.
    for minutes in [0, 0, 0, 5, 1, 9, 19, 1, 39, 1, 59, 1, 59, 1] {
        *clock.0.lock().unwrap() += Duration::from_secs(60 * minutes);
        let mut failures = Vec::new();
        let came = everything(&house.site, &uploads, 1, &mut failures).await;
        assert!(!came.unwrap());
        // It is said as long as it waits.
        assert!(
            matches!(failures.as_slice(), [Fault::Other]),
            "{failures:?}"
        );
        puts.push(asked.count("PUT", "cast.zst"));
    }
    assert_eq!(puts, [1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8]);
    assert!(path.exists());
    assert_eq!(uploads.there(&id(3)).unwrap(), None);

    // What is erased is another, and goes up at once.
    uploads.again(&id(3)).unwrap();
    let mut failures = Vec::new();
    let came = everything(&house.site, &uploads, 1, &mut failures).await;
    came.unwrap();
    assert_eq!(asked.count("PUT", "cast.zst"), 9);
}

#[tokio::test]
async fn what_is_taken_and_cannot_be_read_back_goes_up_once_an_hour() {
    let mut house = House::new();
    let clock = Arc::new(Hand::default());
    Arc::get_mut(&mut house.site).unwrap().clock = Arc::clone(&clock) as _;
    let (_dir, uploads, asked) = saying(house.dir.path(), |line| match line.split(' ').next() {
        Some("HEAD" | "PUT") => ("200 OK", OBJECT),
        _ => ("403 Forbidden", ""),
    });
    let path = house.site.store.dir().join(format!("{}.cast.zst", id(3)));
    fs::write(&path, OBJECT).unwrap();
    let mut puts = Vec::new();
    for (look, minutes) in (1..).zip([0, 1, 58, 1, 59, 1]) {
        *clock.0.lock().unwrap() += Duration::from_secs(60 * minutes);
        let mut failures = Vec::new();
        let came = everything(&house.site, &uploads, 1, &mut failures).await;
        assert!(!came.unwrap());
        assert!(
            matches!(failures.as_slice(), [Fault::Bucket(BucketError::Denied(_))]),
            "{failures:?}"
        );
        assert_eq!(asked.count("GET", "cast.zst"), look);
        puts.push(asked.count("PUT", "cast.zst"));
    }
    assert_eq!(puts, [1, 1, 1, 2, 2, 3]);

    // What is erased is another, and goes up at once.
    uploads.again(&id(3)).unwrap();
    let mut failures = Vec::new();
    let came = everything(&house.site, &uploads, 1, &mut failures).await;
    came.unwrap();
    assert_eq!(asked.count("PUT", "cast.zst"), 4);
}

#[tokio::test]
async fn what_is_erased_while_it_goes_up_goes_up_again_and_is_not_held_against_the_bucket() {
    let house = House::new();
    let path = house.site.store.dir().join(format!("{}.cast.zst", id(3)));
    fs::write(&path, OBJECT).unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    // The disk may count time in steps that are longer than this test.
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    let mut has = "";
    let (_dir, uploads, asked) = saying(house.dir.path(), move |line| {
        if line.starts_with("GET") {
            return ("206 Partial Content", has);
        }
        if line.starts_with("PUT") {
            has = if has.is_empty() { OBJECT } else { "AN OBJECT" };
            fs::write(&path, "AN OBJECT").unwrap();
        }
        ("200 OK", OBJECT)
    });
    for look in 0..2 {
        let mut failures = Vec::new();
        let came = everything(&house.site, &uploads, 1, &mut failures).await;
        assert_eq!(came.unwrap(), look == 1);
        assert!(failures.is_empty(), "{failures:?}");
        assert_eq!(asked.count("PUT", "cast.zst"), look + 1);
    }
}

/// Everything but indexes, as a store that is what it should be.
fn all_but_indexes(line: &str) -> (&'static str, &'static str) {
    match line.split(' ').next() {
        Some("PUT" | "DELETE") if line.contains("index.zst") => ("500 Internal Server Error", ""),
        Some("DELETE") => ("204 No Content", ""),
        Some("GET") => ("206 Partial Content", OBJECT),
        _ => ("200 OK", OBJECT),
    }
}

#[tokio::test]
async fn indexes_that_fail_for_ever_keep_no_recording_here_and_none_from_the_bucket() {
    let house = House::new();
    let (_dir, uploads, asked) = saying(house.dir.path(), all_but_indexes);
    let dir = house.site.store.dir();
    let paths: Vec<_> = (0..=FAILURES as u64)
        .map(|n| both(&house.site, &uploads, &id(10 + n)))
        .collect();
    for n in 0..=FAILURES as u64 {
        fs::write(dir.join(format!("{}.index.zst", id(10 + n))), "an index").unwrap();
    }
    let other = dir.join(format!("{}.cast.zst", id(30)));
    fs::write(&other, OBJECT).unwrap();
    let mut looks = 0;
    while paths.iter().chain([&other]).any(|path| path.exists()) {
        looks += 1;
        assert!(looks < 12, "they are here still");
        let mut failures = Vec::new();
        let moved = everything(&house.site, &uploads, 1, &mut failures).await;
        moved.unwrap();
        assert_eq!(asked.count("PUT", &format!("{}.cast.zst", id(30))), 1);
    }
}

#[tokio::test]
async fn indexes_of_recordings_that_cannot_be_asked_for_keep_no_other_back() {
    let house = House::new();
    let (_dir, uploads, _) = saying(house.dir.path(), |line| match line.split(' ').next() {
        Some("HEAD") if !line.contains("/000000000Z") => ("403 Forbidden", ""),
        Some("PUT") if !line.contains("/000000000Z") => ("500 Internal Server Error", ""),
        Some("GET") => ("206 Partial Content", OBJECT),
        _ => ("200 OK", OBJECT),
    });
    let mut path = PathBuf::new();
    for n in (10..10 + FAILURES as u64).chain([31]) {
        path = both(&house.site, &uploads, &id(n));
        let index = format!("{}.index.zst", id(n));
        fs::write(house.site.store.dir().join(index), "an index").unwrap();
    }
    let mut looks = 0;
    while path.exists() {
        looks += 1;
        assert!(looks < 5, "it is here still");
        let mut failures = Vec::new();
        let moved = everything(&house.site, &uploads, 1, &mut failures).await;
        moved.unwrap();
    }
}

#[tokio::test]
async fn objects_that_are_never_removed_keep_no_other_back() {
    let house = House::new();
    let (_dir, uploads, asked) = saying(house.dir.path(), |line| match line.split(' ').next() {
        // The session's time is the first ten characters of its name, and those of the first sixteen differ in the last.
        Some("DELETE") if !line.contains(".index") && !line.contains("/000000000Z") => {
            ("500 Internal Server Error", "")
        }
        Some("DELETE") => ("204 No Content", ""),
        Some("GET") => ("206 Partial Content", OBJECT),
        _ => ("200 OK", OBJECT),
    });
    let last = id(31);
    assert!(last.to_string().starts_with("000000000Z"), "{last}");
    // What is there and stays takes nobody's turn.
    for n in 1..=20 {
        uploads.journal.write(&id(n), &stored()).unwrap();
    }
    for n in (21..=FAILURES as u64 + 21).chain([31]) {
        uploads.remove(&id(n)).unwrap();
    }
    let path = house.site.store.dir().join(format!("{}.cast.zst", id(40)));
    fs::write(&path, OBJECT).unwrap();
    for look in 0..2 {
        let mut failures = Vec::new();
        let came = everything(&house.site, &uploads, 1, &mut failures).await;
        came.unwrap();
        assert!(going::are_away(&failures), "{failures:?}");
        assert_eq!(
            asked.count("PUT", "cast.zst"),
            1,
            "an upload waits for removals"
        );
        let gone = uploads.there(&last).unwrap().is_none();
        assert_eq!(gone, look == 1, "each gets its turn");
    }
}

#[tokio::test]
async fn indexes_that_are_never_removed_keep_no_other_recording() {
    let house = House::new();
    let (_dir, uploads, asked) = saying(house.dir.path(), all_but_indexes);
    for n in 0..=FAILURES as u64 {
        uploads.remove(&id(10 + n)).unwrap();
    }
    let mut failures = Vec::new();
    let came = everything(&house.site, &uploads, 1, &mut failures).await;
    came.unwrap();
    let own = |why: &Fault| matches!(why, Fault::Remove(BucketError::Store(_)));
    assert!(
        failures.len() == FAILURES + 1 && failures.iter().all(own),
        "{failures:?}"
    );
    assert_eq!(asked.count("DELETE", "cast.zst"), FAILURES + 1);
}
