//! Object lock: what S3 offers so that nobody overwrites or removes an object, whoever they are
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html>).
//!
//! The library that speaks S3 knows nothing of it; it signs what is asked here.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::{Method, Request, StatusCode};
use object_store::aws::AwsAuthorizer;
use object_store::client::{HttpRequest, HttpRequestBody, HttpService as _};
use sha2::{Digest as _, Sha256};

use super::credentials::Credentials;
use super::wire::Wire;
use super::{BucketError, said};

/// Whether a bucket can lock objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locking {
    /// It can.
    Possible,
    /// It was made without, or its store does not know how.
    Impossible,
}

/// Signs requests of our own.
#[derive(Debug)]
pub(super) struct Signing {
    /// The bucket's address, without a slash at the end.
    bucket: String,
    region: String,
    credentials: Arc<Credentials>,
    wire: Wire,
}

impl Signing {
    pub(super) fn new(
        given: &config::bucket::Bucket,
        credentials: Arc<Credentials>,
        wire: Wire,
    ) -> Self {
        let (bucket, region) = (&given.place.bucket, &given.region);
        let host = super::bucket_endpoint(given);
        let bucket = match (host, given.path_style) {
            (Some(host), true) => format!("{host}/{bucket}"),
            (Some(host), false) => host,
            (None, true) => format!("https://s3.{region}.amazonaws.com/{bucket}"),
            (None, false) => format!("https://{bucket}.s3.{region}.amazonaws.com"),
        };
        Self {
            bucket,
            region: given.region.clone(),
            credentials,
            wire,
        }
    }

    /// `GetObjectLockConfiguration`.
    pub(super) async fn probe(&self) -> Result<Locking, BucketError> {
        let uri = format!("{}?object-lock=", self.bucket);
        let (status, text) = self.ask(Method::GET, &uri, String::new()).await?;
        match status {
            StatusCode::OK if text.contains("<ObjectLockEnabled>Enabled</") => {
                Ok(Locking::Possible)
            }
            StatusCode::OK | StatusCode::NOT_FOUND | StatusCode::NOT_IMPLEMENTED => {
                Ok(Locking::Impossible)
            }
            other => Err(refused(other, &text)),
        }
    }

    /// `PutObjectRetention`.
    pub(super) async fn lock(&self, path: &str, until: &str) -> Result<(), BucketError> {
        let uri = format!("{}/{path}?retention=", self.bucket);
        let body = format!(
            "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>COMPLIANCE</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>"
        );
        match self.ask(Method::PUT, &uri, body).await? {
            (StatusCode::OK | StatusCode::NO_CONTENT, _) => Ok(()),
            (StatusCode::NOT_FOUND, _) => Err(BucketError::Missing),
            (other, text) => Err(refused(other, &text)),
        }
    }

    async fn ask(
        &self,
        method: Method,
        uri: &str,
        body: String,
    ) -> Result<(StatusCode, String), BucketError> {
        let digest = Sha256::digest(body.as_bytes());
        let mut request = Request::builder().method(method).uri(uri);
        if !body.is_empty() {
            request = request
                .header("x-amz-checksum-sha256", STANDARD.encode(digest))
                .header("x-amz-sdk-checksum-algorithm", "SHA256");
        }
        let mut request: HttpRequest = request
            .body(HttpRequestBody::from(Bytes::from(body)))
            .map_err(|e| BucketError::Setup(e.to_string()))?;
        let credentials = self.credentials.get().await?;
        AwsAuthorizer::new(&credentials, "s3", &self.region)
            .try_authorize(&mut request, Some(&digest))?;
        let answer = self.wire.call(request).await;
        let answer = answer.map_err(|e| BucketError::Store(said(&told(&e))))?;
        let (parts, body) = answer.into_parts();
        let body = body.bytes().await;
        let body = body.map_err(|e| BucketError::Store(said(&e.to_string())))?;
        let text = String::from_utf8_lossy(&body).into_owned();
        Ok((parts.status, text))
    }
}

/// An error with what it comes from.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}

fn refused(status: StatusCode, text: &str) -> BucketError {
    let words = said(&format!("{status}: {text}"));
    if status.is_client_error() {
        BucketError::Denied(words)
    } else {
        BucketError::Store(words)
    }
}
