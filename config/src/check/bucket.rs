//! Object storage for recordings: that it can be reached as it is written.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use toml::Spanned;

use super::{Checked, flaw};
use crate::bucket::{Bucket, Place};
use crate::outside::Url;
use crate::words::shown;
use crate::{duration, file, limits};

/// The region that most stores take who have none.
const REGION: &str = "us-east-1";

pub(super) fn bucket(base: &Path, given: Option<&file::Recordings>) -> Checked<Option<Bucket>> {
    let Some(given) = given.and_then(|given| given.bucket.as_ref()) else {
        return Ok(None);
    };
    let endpoint = given.endpoint.as_ref().map(endpoint).transpose()?;
    let tls = endpoint.as_ref().is_none_or(|url| url.tls);
    if let (Some(ca_file), false) = (&given.ca_file, tls) {
        return flaw(
            ca_file.span(),
            "ca-file for an endpoint without https",
            "remove it, or use https",
        );
    }
    let longest = limits::RETENTION_AGE.1;
    Ok(Some(Bucket {
        place: place(&given.url)?,
        region: match &given.region {
            Some(text) => region(text)?,
            None => REGION.to_owned(),
        },
        path_style: given.path_style.unwrap_or(endpoint.is_some()),
        endpoint,
        roots: given.ca_file.as_ref().map(|file| base.join(file.get_ref())),
        credentials: given
            .credentials
            .as_ref()
            .map(|file| base.join(file.get_ref())),
        keep_local: time(given.keep_local.as_ref(), Duration::ZERO..=longest)?,
        lock: time(given.lock.as_ref(), limits::RETENTION_AGE.0..=longest)?,
    }))
}

fn place(given: &Spanned<String>) -> Checked<Place> {
    match Place::parse(given.get_ref()) {
        Ok(place) => Ok(place),
        Err(why) => flaw(
            given.span(),
            format!("{} is no bucket: {why}", shown(given.get_ref())),
            "write it like s3://recordings or s3://recordings/prod",
        ),
    }
}

fn endpoint(given: &Spanned<String>) -> Checked<Url> {
    let hint = "write it like https://s3.example.org, without a path";
    match Url::parse(given.get_ref()) {
        Ok(url) if url.path == "/" => Ok(url),
        Ok(_) => flaw(given.span(), "the endpoint has a path", hint),
        Err(why) => flaw(
            given.span(),
            format!("{} is no endpoint: {why}", shown(given.get_ref())),
            hint,
        ),
    }
}

fn region(given: &Spanned<String>) -> Checked<String> {
    let text = given.get_ref();
    let named = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
    if text.is_empty() || text.len() > limits::NAME_BYTES || !text.bytes().all(named) {
        return flaw(
            given.span(),
            format!("{} is no region", shown(text)),
            "write it like eu-central-1",
        );
    }
    Ok(text.clone())
}

fn time(
    given: Option<&Spanned<String>>,
    range: RangeInclusive<Duration>,
) -> Checked<Option<Duration>> {
    let Some(given) = given else { return Ok(None) };
    match duration::parse(given.get_ref()) {
        Some(time) if range.contains(&time) => Ok(Some(time)),
        _ => flaw(
            given.span(),
            format!(
                "{} is not between {} and {}",
                shown(given.get_ref()),
                duration::show(*range.start()),
                duration::show(*range.end())
            ),
            "write it like 30d",
        ),
    }
}
