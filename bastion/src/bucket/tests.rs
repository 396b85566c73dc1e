//! What a store may answer that means harm: every answer is bounded, and nonsense is called that.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;

use config::words::SessionId;

use super::*;

/// A bucket whose store answers each request with this, given its first line.
pub(crate) fn answered(
    mut answer: impl FnMut(&str, &mut TcpStream) + Send + 'static,
) -> (tempfile::TempDir, Bucket) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let count = stream.read(&mut request).unwrap_or_default();
            let request = String::from_utf8_lossy(&request[..count]).into_owned();
            answer(request.lines().next().unwrap_or_default(), &mut stream);
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("credentials");
    let text = "aws_access_key_id = ID\naws_secret_access_key = SECRET\n";
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let bucket = Bucket::open(&config::bucket::Bucket {
        place: Place::parse("s3://recordings/prod").unwrap(),
        region: "us-east-1".to_owned(),
        endpoint: Some(config::outside::Url::parse(&format!("http://127.0.0.1:{port}")).unwrap()),
        path_style: true,
        roots: None,
        credentials: Some(file),
        keep_local: None,
        lock: None,
    });
    (dir, bucket.unwrap())
}

/// A store that says this once and closes.
fn says(head: &str, body: &str) -> (tempfile::TempDir, Bucket) {
    let text = format!(
        "HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    answered(move |_, stream| {
        let _ = stream.write_all(text.as_bytes());
    })
}

fn name() -> Name {
    Name::recording(SessionId::from_parts(1, [7; 10]), "edge".parse().unwrap())
}

#[tokio::test]
async fn an_answer_without_end_is_cut() {
    let (_dir, bucket) = answered(|_, stream| {
        let head = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-9/10\r\n\r\n";
        let _ = stream.write_all(head.as_bytes());
        let zeros = vec![0; 1 << 20];
        while stream.write_all(&zeros).is_ok() {}
    });
    let error = bucket.range(&name(), 0..10).await.unwrap_err();
    assert!(error.to_string().contains("length limit"), "{error}");
    let error = bucket.list(None).await.unwrap_err();
    assert!(matches!(error, BucketError::Store(_)), "{error}");
}

#[tokio::test]
async fn a_list_that_goes_round_ends_and_foreign_names_are_passed_over() {
    let id = name().session;
    let page = |more: &str| {
        let keys = [
            format!("prod/edge/{id}.cast.zst"),
            format!("prod/edge/{id}.cast.zst"),
            format!("prod/edge/deep/{id}.cast.zst"),
            format!("other/edge/{id}.cast.zst"),
            "prod/edge/passwd".to_owned(),
            "prod/a\u{1b}b/x.cast.zst".replace('\u{1b}', "%"),
        ];
        let objects = keys.map(|key| {
            format!("<Contents><Key>{key}</Key><LastModified>2026-11-22T17:00:00.000Z</LastModified><Size>5</Size></Contents>")
        });
        format!(
            "<ListBucketResult>{}{more}</ListBucketResult>",
            objects.concat()
        )
    };
    let (_dir, bucket) = says("200 OK", &page(""));
    let listed = bucket.list(None).await.unwrap();
    let only = Stored {
        name: name(),
        bytes: 5,
    };
    assert_eq!(listed, [only]);
    let round = "<IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken>";
    let (_dir, bucket) = says("200 OK", &page(round));
    let error = bucket.list(None).await.unwrap_err();
    assert!(
        matches!(error, BucketError::Nonsense("a list without end")),
        "{error}"
    );
}

#[tokio::test]
async fn a_list_of_empty_pages_ends() {
    let mut page = 0;
    let (_dir, bucket) = answered(move |_, stream| {
        page += 1;
        let body = format!(
            "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>{}</NextContinuationToken></ListBucketResult>",
            page % 2
        );
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let _ = stream.write_all((head + &body).as_bytes());
    });
    let listed = tokio::time::timeout(Duration::from_secs(60), bucket.list(None)).await;
    let error = listed.expect("it ends").unwrap_err();
    assert!(
        matches!(error, BucketError::Nonsense("a list without end")),
        "{error}"
    );
}

#[tokio::test]
async fn names_that_a_store_makes_up_are_bounded_text() {
    let begun = |id: &str| {
        format!(
            "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
        )
    };
    let (_dir, bucket) = says("200 OK", &begun("abc"));
    assert_eq!(bucket.begin(&name()).await.unwrap(), "abc");
    for bad in ["", "a&#x1b;[2Jb", &"x".repeat(HANDLE_BYTES + 1)] {
        let (_dir, bucket) = says("200 OK", &begun(bad));
        let error = bucket.begin(&name()).await.unwrap_err();
        assert!(
            matches!(error, BucketError::Nonsense(_) | BucketError::Store(_)),
            "{error}"
        );
    }
}

#[tokio::test]
async fn promise_35_a_store_s_words_are_shown_as_text() {
    let (_dir, bucket) = says("400 Bad Request", &format!("\u{1b}[2J{}", "x".repeat(5000)));
    let told = bucket.size(&name()).await.unwrap_err().to_string();
    assert!(told.chars().all(is_visible), "{told:?}");
    assert!(told.chars().count() < ERROR_CHARS + 60, "{told}");
    let told = bucket.locking().await.unwrap_err().to_string();
    assert!(told.chars().all(is_visible), "{told:?}");
    assert!(told.chars().count() < ERROR_CHARS + 60, "{told}");
}

#[tokio::test]
async fn what_is_not_there_is_missing_and_a_redirect_is_not_followed() {
    let (_dir, bucket) = says("404 Not Found", "");
    assert!(matches!(
        bucket.size(&name()).await,
        Err(BucketError::Missing)
    ));
    bucket.remove(&name()).await.unwrap();
    assert_eq!(bucket.locking().await.unwrap(), Locking::Impossible);
    let (_dir, bucket) = says(
        "307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/",
        "",
    );
    let error = bucket.size(&name()).await.unwrap_err();
    assert!(matches!(error, BucketError::Store(_)), "{error}");
}
