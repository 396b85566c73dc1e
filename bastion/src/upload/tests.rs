//! What becomes of a recording of which the bucket refuses something, beside a store that answers what it is told to.

use std::fs;
use std::io::Write as _;
use std::sync::mpsc;

use config::bucket::Place;
use record::clock::UnixTime;
use record::digest::Digest;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::bucket::tests::answered;
use crate::doorman::tests::House;
use crate::fetch::{self, FetchError};

mod otherwise;

const OBJECT: &str = "an object";

fn id(n: u64) -> SessionId {
    SessionId::from_parts(n, [7; 10])
}

/// A store that has [`OBJECT`] under any name, takes and locks none, and lets all be removed but the first.
fn uploads(data: &Path, lock: Option<Duration>) -> (tempfile::TempDir, Arc<Uploads>) {
    let kept = id(1).to_string();
    let (dir, bucket) = answered(move |line, stream| {
        let (method, path) = line.split_once(' ').unwrap_or_default();
        let about = "Last-Modified: Sun, 22 Nov 2026 17:00:00 GMT\r\nETag: \"x\"\r\n";
        let range = format!(
            "Content-Range: bytes 0-{}/{}\r\n",
            OBJECT.len() - 1,
            OBJECT.len()
        );
        let enabled = "<ObjectLockEnabled>Enabled</ObjectLockEnabled>";
        let (status, head, body) = match method {
            "HEAD" => ("200 OK", about.to_owned(), OBJECT),
            "GET" if path.contains("object-lock") => ("200 OK", String::new(), enabled),
            "GET" => ("206 Partial Content", format!("{about}{range}"), OBJECT),
            "DELETE" if !path.contains(&kept) => ("204 No Content", String::new(), ""),
            _ => ("403 Forbidden", String::new(), ""),
        };
        let length = body.len();
        let body = if method == "HEAD" { "" } else { body };
        let text = format!(
            "HTTP/1.1 {status}\r\n{head}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        let _ = stream.write_all(text.as_bytes());
    });
    let uploads = Uploads::open(&given(lock), data, bucket).unwrap();
    (dir, Arc::new(uploads))
}

fn given(lock: Option<Duration>) -> config::bucket::Bucket {
    config::bucket::Bucket {
        place: Place::parse("s3://recordings").unwrap(),
        region: String::new(),
        endpoint: None,
        path_style: true,
        roots: None,
        credentials: None,
        keep_local: Some(Duration::ZERO),
        lock,
    }
}

fn stored() -> Progress {
    Progress::Stored {
        bytes: OBJECT.len() as u64,
        digest: Digest::from_bytes(Sha256::digest(OBJECT).into()),
        at: UnixTime::from_secs(5),
        locked: false,
        indexed: false,
    }
}

/// A recording that is here and there.
fn both(site: &Site, uploads: &Uploads, session: &SessionId) -> PathBuf {
    let path = site.store.dir().join(format!("{session}.cast.zst"));
    fs::write(&path, OBJECT).unwrap();
    uploads.journal.write(session, &stored()).unwrap();
    uploads.known().insert(session.clone());
    path
}

#[tokio::test]
async fn one_that_the_bucket_does_not_remove_keeps_no_other_back() {
    let house = House::new();
    let (_dir, uploads) = uploads(house.dir.path(), None);
    uploads.remove(&id(1)).unwrap();
    uploads.remove(&id(2)).unwrap();
    let path = both(&house.site, &uploads, &id(3));
    let mut failures = Vec::new();
    let came = everything(&house.site, &uploads, 1, &mut failures).await;
    came.unwrap();
    assert!(
        matches!(failures.as_slice(), [Fault::Remove(BucketError::Denied(_))]),
        "{failures:?}"
    );
    assert_eq!(uploads.there(&id(1)).unwrap(), Some(There::Removed));
    assert_eq!(uploads.there(&id(2)).unwrap(), None);
    assert!(!path.exists(), "it may leave");
}

#[tokio::test]
async fn what_cannot_be_locked_stays_here_and_does_not_go_up_again() {
    let house = House::new();
    let lock = Some(Duration::from_secs(60));
    let (_dir, uploads) = uploads(house.dir.path(), lock);
    let path = both(&house.site, &uploads, &id(3));
    let mut failures = Vec::new();
    let came = everything(&house.site, &uploads, 1, &mut failures).await;
    assert!(!came.unwrap());
    assert!(
        matches!(failures.as_slice(), [Fault::Lock(BucketError::Denied(_))]),
        "{failures:?}"
    );
    assert!(path.exists());
    assert_eq!(uploads.journal.read(&id(3)).unwrap(), Some(stored()));
}

#[tokio::test]
async fn what_is_erased_meanwhile_does_not_leave_this_disk() {
    let house = House::new();
    let (_dir, uploads) = uploads(house.dir.path(), None);
    let path = both(&house.site, &uploads, &id(3));
    let all = uploads.journal.all().unwrap();
    uploads.again(&id(3)).unwrap();
    let here = house.site.store.finished().unwrap();
    let mut failures = Vec::new();
    going::leave(&house.site, &uploads, &all, &here, 0, &mut failures).await;
    assert!(failures.is_empty(), "{failures:?}");
    assert!(path.exists(), "the bucket has the one before");
}

#[tokio::test]
async fn refused_indexes_keep_no_recording_back_and_none_here() {
    let house = House::new();
    let (_dir, uploads) = uploads(house.dir.path(), None);
    let dir = house.site.store.dir();
    let paths: Vec<_> = (0..=FAILURES as u64)
        .map(|n| both(&house.site, &uploads, &id(10 + n)))
        .collect();
    for n in 0..=FAILURES as u64 {
        fs::write(dir.join(format!("{}.index.zst", id(10 + n))), "an index").unwrap();
    }
    fs::write(dir.join(format!("{}.cast.zst", id(3))), OBJECT).unwrap();
    for look in 0..2 {
        let mut failures = Vec::new();
        let moved = everything(&house.site, &uploads, 1, &mut failures).await;
        assert_eq!(
            moved.unwrap(),
            look == 0,
            "what is refused is waited for once"
        );
        // That of the recording that is not there yet, which was tried.
        assert!(
            matches!(failures.as_slice(), [Fault::Bucket(BucketError::Denied(_))]),
            "{failures:?}"
        );
        let here = paths.iter().filter(|path| path.exists()).count();
        assert_eq!(here, if look == 0 { paths.len() } else { 0 });
    }
}

#[tokio::test]
async fn an_index_that_cannot_be_removed_keeps_no_recording() {
    let house = House::new();
    let (_dir, uploads, lines) = asked(house.dir.path(), "index.zst");
    uploads.remove(&id(3)).unwrap();
    let mut failures = Vec::new();
    let came = everything(&house.site, &uploads, 1, &mut failures).await;
    came.unwrap();
    assert!(
        matches!(failures.as_slice(), [Fault::Remove(BucketError::Denied(_))]),
        "{failures:?}"
    );
    let recording = format!("{}.cast.zst", id(3));
    assert!(
        lines
            .try_iter()
            .any(|line| line.starts_with("DELETE ") && line.contains(&recording)),
        "the recording was to go"
    );
}

/// A store that begins uploads under the name `u-7`, lets all be removed but what has `kept` in its name, and the first lines of what
/// it was asked.
fn asked(
    data: &Path,
    kept: &'static str,
) -> (tempfile::TempDir, Arc<Uploads>, mpsc::Receiver<String>) {
    let (said, lines) = mpsc::channel();
    let (dir, bucket) = answered(move |line, stream| {
        let begun = "<InitiateMultipartUploadResult><Bucket>recordings</Bucket><Key>k</Key><UploadId>u-7</UploadId></InitiateMultipartUploadResult>";
        let (status, body) = match line.split(' ').next() {
            Some("POST") => ("200 OK", begun),
            Some("DELETE") if !line.contains(kept) => ("204 No Content", ""),
            _ => ("403 Forbidden", ""),
        };
        let _ = said.send(line.to_owned());
        let length = body.len();
        let text = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        let _ = stream.write_all(text.as_bytes());
    });
    let uploads = Uploads::open(&given(None), data, bucket).unwrap();
    (dir, Arc::new(uploads), lines)
}

/// Whether the store was told to forget the upload `u-7` of this recording.
fn is_aborted(lines: &mpsc::Receiver<String>, session: &SessionId) -> bool {
    let session = session.to_string();
    let abort = |line: &String| line.starts_with("DELETE ") && line.contains("uploadId=u-7");
    lines
        .try_iter()
        .any(|line| abort(&line) && line.contains(&session))
}

#[tokio::test]
async fn the_upload_of_what_is_removed_is_aborted() {
    let house = House::new();
    let (_dir, uploads, lines) = asked(house.dir.path(), "nothing");
    let parts = Progress::Parts {
        upload: "u-7".to_owned(),
        parts: vec!["a".to_owned()],
    };
    uploads.journal.write(&id(3), &parts).unwrap();
    uploads.remove(&id(3)).unwrap();
    let mut failures = Vec::new();
    let came = everything(&house.site, &uploads, 1, &mut failures).await;
    came.unwrap();
    assert!(failures.is_empty(), "{failures:?}");
    assert!(is_aborted(&lines, &id(3)));
    assert_eq!(uploads.journal.read(&id(3)).unwrap(), None);
}

#[tokio::test]
async fn an_upload_that_was_begun_for_what_is_removed_meanwhile_is_aborted() {
    let house = House::new();
    let (_dir, uploads, lines) = asked(house.dir.path(), "nothing");
    uploads.remove(&id(3)).unwrap();
    let one = one::One {
        site: &house.site,
        uploads: &uploads,
        session: id(3),
    };
    let went = one.go_on(limits::UPLOAD_PART_BYTES).await;
    assert!(matches!(went, Err(Fault::Over)), "{went:?}");
    assert!(is_aborted(&lines, &id(3)));
}

#[tokio::test]
async fn what_is_to_be_removed_is_neither_held_nor_found_though_it_lies_here() {
    let mut house = House::new();
    let (_dir, uploads) = uploads(house.dir.path(), None);
    let path = both(&house.site, &uploads, &id(3));
    Arc::get_mut(&mut house.site).unwrap().uploads = Some(Arc::clone(&uploads));
    fetch::is_kept(&house.site, &id(3)).await.unwrap();
    uploads.remove(&id(3)).unwrap();
    assert!(path.exists());
    let kept = fetch::is_kept(&house.site, &id(3)).await;
    assert!(matches!(kept, Err(FetchError::Nowhere)), "{kept:?}");
    let found = fetch::find(&house.site, &id(3)).await;
    assert!(matches!(found, Err(FetchError::Nowhere)));
}
