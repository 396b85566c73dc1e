//! What becomes of a recording of which the bucket refuses something, beside a store that answers what it is told to.

use std::fs;
use std::io::Write as _;

use config::bucket::Place;
use record::clock::UnixTime;
use record::digest::Digest;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::bucket::tests::answered;
use crate::doorman::tests::House;

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
    let given = config::bucket::Bucket {
        place: Place::parse("s3://recordings").unwrap(),
        region: String::new(),
        endpoint: None,
        path_style: true,
        roots: None,
        credentials: None,
        keep_local: Some(Duration::ZERO),
        lock,
    };
    (dir, Arc::new(Uploads::open(&given, data, bucket).unwrap()))
}

fn stored() -> Progress {
    Progress::Stored {
        bytes: OBJECT.len() as u64,
        digest: Digest::from_bytes(Sha256::digest(OBJECT).into()),
        at: UnixTime::from_secs(5),
        locked: false,
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
    going::leave(&house.site, &uploads, &all, &here, &mut failures).await;
    assert!(failures.is_empty(), "{failures:?}");
    assert!(path.exists(), "the bucket has the one before");
}
