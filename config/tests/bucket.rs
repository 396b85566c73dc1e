//! Object storage for recordings: what a file may say of it, and what is refused.

use std::path::Path;
use std::time::Duration;

use config::{Config, ConfigError};

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1VqaF0AhXU6AuNZmCP5fxb0YIdYG7MnQ3Uo1NDzUF8";

/// A file whose lines from 8 on are the bucket's.
fn load(bucket: &str) -> Result<Config, ConfigError> {
    let text = format!(
        "[ca]
listen = \"127.0.0.1:7022\"
address = \"localhost:7022\"
[person.alice]
keys = [\"{KEY}\"]

[recordings.bucket]
{bucket}
"
    );
    Config::parse(Path::new("/etc/hallpass/hallpass.toml"), text)
}

#[test]
fn a_bucket_has_an_endpoint_of_its_own_or_amazon_s() {
    let bucket = load("url = \"s3://recordings\"").unwrap().bucket.unwrap();
    assert_eq!(bucket.region, "us-east-1");
    assert!(!bucket.path_style && bucket.endpoint.is_none());
    assert_eq!((bucket.keep_local, bucket.lock), (None, None));
    let own = "url = \"s3://recordings/prod\"
endpoint = \"https://s3.example.org:8443\"
region = \"garage\"
credentials = \"s3.credentials\"
keep-local = \"0s\"
lock = \"90d\"";
    let bucket = load(own).unwrap().bucket.unwrap();
    assert!(bucket.path_style);
    assert_eq!(bucket.keep_local, Some(Duration::ZERO));
    let file = Path::new("/etc/hallpass/s3.credentials");
    assert_eq!(bucket.credentials.as_deref(), Some(file));
}

#[test]
fn promise_44_a_bucket_that_could_not_be_reached_or_would_be_overheard_is_refused() {
    for (line, words) in [
        ("url = \"recordings\"", "is no bucket"),
        ("url = \"s3://recordings/../x\"", "is no bucket"),
        (
            "endpoint = \"http://s3.example.org\"",
            "is no endpoint: http is for",
        ),
        (
            "endpoint = \"https://s3.example.org/x\"",
            "the endpoint has a path",
        ),
        ("region = \"a/b\"", "is no region"),
        ("keep-local = \"soon\"", "is not between 0s and 36500d"),
        ("lock = \"59m\"", "is not between 1h and 36500d"),
        ("secret = \"hush\"", "unknown field `secret`"),
    ] {
        let url = if line.starts_with("url") {
            ""
        } else {
            "url = \"s3://recordings\"\n"
        };
        let error = load(&format!("{url}{line}")).unwrap_err();
        let ConfigError::Wrong { line: at, what, .. } = error else {
            panic!("another refusal: {error}");
        };
        assert!(what.contains(words), "{line}: {what}");
        assert_eq!(at, 8 + url.lines().count(), "{line}");
    }
    let plain = "url = \"s3://recordings\"
endpoint = \"http://127.0.0.1:9000\"
ca-file = \"ca.pem\"";
    let error = load(plain).unwrap_err().to_string();
    assert!(
        error.contains("ca-file for an endpoint without https"),
        "{error}"
    );
}
