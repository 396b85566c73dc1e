//! Object storage for recordings: S3, and what speaks its protocol.
//!
//! * [`wire`]: HTTP to the store, every answer of it bounded in size and time.
//! * [`credentials`]: who we are there.
//! * [`name`]: what objects are called.
//! * [`lock`]: what keeps an object from being overwritten and removed.
//! * [`reading`]: an object as a file that is read from its beginning.
//!
//! What a store says is never believed beyond what it is asked for: names that are none of ours are passed over, and contents are judged
//! by whoever reads them.

mod credentials;
mod lock;
mod name;
mod reading;
mod wire;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use config::bucket::Place;
use config::limits;
use config::words::BastionName;
use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum};
use object_store::list::{PaginatedListOptions, PaginatedListStore as _};
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path;
use object_store::{ObjectStoreExt as _, PutPayload, RetryConfig};
use record::digest::Digest;
use record::text::is_visible;
use sha2::{Digest as _, Sha256};

use credentials::Credentials;

pub use credentials::CredentialsError;
pub use lock::Locking;
pub use name::{Name, Part};
pub use reading::Reading;

/// Longest name that a store gives to an upload or to a part of one.
const HANDLE_BYTES: usize = 2048;

/// Most of what a store says of an error that is told on.
const ERROR_CHARS: usize = 300;

/// Why a store of objects did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// The configuration's fault, or that of a file it names.
    #[error("the bucket cannot be used: {0}")]
    Setup(String),
    /// Nobody can be asked as whom.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// There is no such object, or no such upload.
    #[error("the bucket does not have it")]
    Missing,
    /// The store did not answer, or failed; its words.
    #[error("the bucket did not do it: {0}")]
    Store(String),
    /// The store answered, and refused; its words.
    #[error("the bucket refused it: {0}")]
    Denied(String),
    /// The store answered with what cannot be an answer.
    #[error("the bucket answered nonsense: {0}")]
    Nonsense(&'static str),
}

impl From<object_store::Error> for BucketError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::Missing,
            object_store::Error::PermissionDenied { .. }
            | object_store::Error::Unauthenticated { .. } => Self::Denied(said(&error.to_string())),
            other => Self::Store(said(&cause(&other).to_string())),
        }
    }
}

/// What is at the bottom of an error: what is above it repeats the request and how often it was tried.
fn cause<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> &'a (dyn std::error::Error + 'static) {
    std::iter::successors(Some(error), |error| error.source())
        .last()
        .unwrap_or(error)
}

/// A store's words, as text that can be shown.
fn said(words: &str) -> String {
    let shown = words.chars().map(|c| if is_visible(c) { c } else { ' ' });
    let mut text: String = shown.take(ERROR_CHARS).collect();
    if text.len() < words.len() {
        text.push('…');
    }
    text
}

/// An object, as its store says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// What it is.
    pub name: Name,
    /// Its size, in bytes.
    pub bytes: u64,
}

/// A bucket.
#[derive(Debug)]
pub struct Bucket {
    store: AmazonS3,
    place: Place,
    signing: lock::Signing,
}

impl Bucket {
    /// Prepares to use a bucket. Nothing is asked of it yet.
    pub fn open(given: &config::bucket::Bucket) -> Result<Self, BucketError> {
        let credentials = match &given.credentials {
            Some(file) => Credentials::file(file)?,
            None => Credentials::environment()?,
        };
        let credentials = Arc::new(credentials);
        let wire = wire::Wire::new(given.endpoint.as_ref(), given.roots.as_deref())?;
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&given.place.bucket)
            .with_region(&given.region)
            .with_credentials(Arc::clone(&credentials) as _)
            .with_virtual_hosted_style_request(!given.path_style)
            .with_checksum_algorithm(Checksum::SHA256)
            .with_disable_bulk_delete(true)
            .with_retry(RetryConfig {
                max_retries: 2,
                retry_timeout: limits::BUCKET_PATIENCE,
                ..RetryConfig::default()
            })
            .with_http_connector(wire.clone());
        if let Some(endpoint) = bucket_endpoint(given) {
            builder = builder.with_endpoint(endpoint).with_allow_http(true);
        }
        let store = builder
            .build()
            .map_err(|e| BucketError::Setup(said(&e.to_string())))?;
        let signing = lock::Signing::new(given, credentials, wire);
        Ok(Self {
            store,
            place: given.place.clone(),
            signing,
        })
    }

    /// Begins an object in parts; gives the upload's name.
    pub(crate) async fn begin(&self, name: &Name) -> Result<String, BucketError> {
        let upload = self.store.create_multipart(&self.path(name)?).await?;
        handle(upload)
    }

    /// Uploads a part, counted from 0; gives its name.
    pub(crate) async fn part(
        &self,
        name: &Name,
        upload: &str,
        part: usize,
        bytes: Bytes,
    ) -> Result<String, BucketError> {
        let path = self.path(name)?;
        let upload = upload.to_owned();
        let put = self
            .store
            .put_part(&path, &upload, part, PutPayload::from_bytes(bytes));
        handle(put.await?.content_id)
    }

    /// Makes an object of its parts.
    pub(crate) async fn complete(
        &self,
        name: &Name,
        upload: &str,
        parts: Vec<String>,
    ) -> Result<(), BucketError> {
        let parts = parts.into_iter().map(|content_id| PartId { content_id });
        let (path, upload) = (self.path(name)?, upload.to_owned());
        let made = self
            .store
            .complete_multipart(&path, &upload, parts.collect());
        Ok(made.await.map(drop)?)
    }

    /// Makes an object of one piece.
    pub(crate) async fn put(&self, name: &Name, bytes: Bytes) -> Result<(), BucketError> {
        let put = PutPayload::from_bytes(bytes);
        Ok(self.store.put(&self.path(name)?, put).await.map(drop)?)
    }

    /// How large an object is.
    pub async fn size(&self, name: &Name) -> Result<u64, BucketError> {
        Ok(self.store.head(&self.path(name)?).await?.size)
    }

    /// Some bytes of an object, at most [`limits::UPLOAD_PART_BYTES`].
    pub async fn range(&self, name: &Name, range: Range<u64>) -> Result<Bytes, BucketError> {
        let asked = range.end - range.start;
        let bytes = self.store.get_range(&self.path(name)?, range).await?;
        if bytes.len() as u64 != asked {
            return Err(BucketError::Nonsense("other bytes than were asked for"));
        }
        Ok(bytes)
    }

    /// The SHA-256 of an object that is read whole; none if there is no object of this size.
    pub(crate) async fn digest(
        &self,
        name: &Name,
        bytes: u64,
    ) -> Result<Option<Digest>, BucketError> {
        let read = async {
            if self.size(name).await? != bytes {
                return Ok(None);
            }
            let (mut hasher, mut at) = (Sha256::new(), 0);
            while at < bytes {
                let end = bytes.min(at + limits::UPLOAD_PART_BYTES);
                hasher.update(self.range(name, at..end).await?);
                at = end;
            }
            Ok(Some(Digest::from_bytes(hasher.finalize().into())))
        };
        match read.await {
            Err(BucketError::Missing) => Ok(None),
            read => read,
        }
    }

    /// Ends an upload in parts that nobody completes; one that is gone already is no error.
    pub(crate) async fn abort(&self, name: &Name, upload: &str) -> Result<(), BucketError> {
        let upload = upload.to_owned();
        match self.store.abort_multipart(&self.path(name)?, &upload).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// Removes an object; one that is gone already is no error. A store that keeps versions keeps what was removed.
    pub(crate) async fn remove(&self, name: &Name) -> Result<(), BucketError> {
        match self.store.delete(&self.path(name)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// The recordings in the bucket, of one bastion or of all, the oldest first; at most [`limits::BUCKET_LISTED`],
    /// with an index each.
    pub async fn list(&self, bastion: Option<&BastionName>) -> Result<Vec<Stored>, BucketError> {
        let own = self.prefix();
        let mut prefix = own.clone();
        if let Some(bastion) = bastion {
            prefix += bastion.as_str();
            prefix.push('/');
        }
        let mut found = Vec::new();
        let (mut page_token, mut pages, mut objects) = (None, 0, 0);
        let prefix = (!prefix.is_empty()).then_some(prefix.as_str());
        loop {
            let options = PaginatedListOptions {
                page_token: page_token.clone(),
                ..PaginatedListOptions::default()
            };
            let page = self.store.list_paginated(prefix, options).await?;
            pages += 1;
            objects += page.result.objects.len();
            let named = page.result.objects.into_iter().filter_map(|object| {
                let below = object.location.as_ref().strip_prefix(own.as_str())?;
                let name = Name::parse(below)?;
                let bytes = object.size;
                Some(Stored { name, bytes })
            });
            found.extend(named);
            // What is none of ours counts too: it would never end.
            if objects > 2 * limits::BUCKET_LISTED {
                return Err(BucketError::Nonsense("more objects than there can be"));
            }
            match page.page_token {
                // One that repeats itself would never end.
                Some(next)
                    if Some(&next) != page_token.as_ref() && pages < limits::BUCKET_PAGES =>
                {
                    page_token = Some(next);
                }
                Some(_) => return Err(BucketError::Nonsense("a list without end")),
                None => break,
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found.dedup_by(|a, b| a.name == b.name);
        Ok(found)
    }

    /// The bastions that recordings may lie there of: whatever is named as one; at most [`limits::BUCKET_BASTIONS`].
    pub async fn bastions(&self) -> Result<Vec<BastionName>, BucketError> {
        let own = self.prefix();
        let prefix = (!own.is_empty()).then_some(own.as_str());
        let (mut found, mut page_token) = (Vec::new(), None);
        for _ in 0..limits::BUCKET_BASTIONS {
            let options = PaginatedListOptions {
                delimiter: Some("/".into()),
                page_token: page_token.take(),
                ..PaginatedListOptions::default()
            };
            let page = self.store.list_paginated(prefix, options).await?;
            let named = page.result.common_prefixes.into_iter();
            found.extend(named.filter_map(|dir| dir.filename()?.parse::<BastionName>().ok()));
            if found.len() > limits::BUCKET_BASTIONS {
                return Err(BucketError::Nonsense("more bastions than there can be"));
            }
            page_token = page.page_token;
            if page_token.is_none() {
                found.sort();
                found.dedup();
                return Ok(found);
            }
        }
        Err(BucketError::Nonsense("a list without end"))
    }

    /// Whether the bucket can lock objects.
    pub async fn locking(&self) -> Result<Locking, BucketError> {
        self.signing.probe().await
    }

    /// Locks an object in compliance mode: nobody overwrites or removes this version of it for so long, whoever they are.
    pub(crate) async fn lock(&self, name: &Name, until: &str) -> Result<(), BucketError> {
        self.signing.lock(self.path(name)?.as_ref(), until).await
    }

    /// What the names in it begin with.
    fn prefix(&self) -> String {
        match self.place.prefix.as_str() {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        }
    }

    fn path(&self, name: &Name) -> Result<Path, BucketError> {
        let text = format!("{}{}", self.prefix(), name.path());
        Path::parse(text).map_err(|e| BucketError::Setup(said(&e.to_string())))
    }
}

/// Where requests for the bucket go; none for Amazon's own.
fn bucket_endpoint(given: &config::bucket::Bucket) -> Option<String> {
    let url = given.endpoint.as_ref()?;
    let scheme = if url.tls { "https" } else { "http" };
    Some(if given.path_style {
        format!("{scheme}://{}", url.authority())
    } else {
        format!("{scheme}://{}.{}", given.place.bucket, url.authority())
    })
}

/// A name that a store has given, if it can be one.
fn handle(name: String) -> Result<String, BucketError> {
    if name.is_empty() || name.len() > HANDLE_BYTES || !name.chars().all(is_visible) {
        return Err(BucketError::Nonsense("a name that cannot be one"));
    }
    Ok(name)
}

/// Where to look for what the environment says of a store, for those who have no configuration.
pub fn from_environment(place: Place) -> Result<config::bucket::Bucket, BucketError> {
    let var = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let endpoint = var("AWS_ENDPOINT_URL").map(|text| config::outside::Url::parse(&text));
    let endpoint = endpoint
        .transpose()
        .map_err(|why| BucketError::Setup(format!("AWS_ENDPOINT_URL: {why}")))?;
    Ok(config::bucket::Bucket {
        place,
        region: var("AWS_REGION").unwrap_or_else(|| "us-east-1".to_owned()),
        path_style: endpoint.is_some(),
        endpoint,
        roots: var("AWS_CA_BUNDLE").map(PathBuf::from),
        credentials: var("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from),
        keep_local: None,
        lock: None,
    })
}

/// From now on for so long, as S3 writes times.
pub(crate) fn until(now: record::clock::UnixTime, time: Duration) -> String {
    now.after(time).to_string()
}

#[cfg(test)]
pub(crate) mod tests;
