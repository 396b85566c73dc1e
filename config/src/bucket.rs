//! Object storage for recordings: where it is, and on which terms.

use std::path::PathBuf;
use std::time::Duration;

use crate::limits;
use crate::outside::Url;

/// A bucket of S3, or of a store that speaks its protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Which bucket, and what the names in it begin with.
    pub place: Place,
    /// The region that requests are signed for.
    pub region: String,
    /// Where the store answers; none for Amazon's own.
    pub endpoint: Option<Url>,
    /// Whether the bucket stands in the path, and not in the host name.
    pub path_style: bool,
    /// The certificate authorities of `https`, as a PEM file; none for those of the system.
    pub roots: Option<PathBuf>,
    /// The file with the credentials; none for those of the environment.
    pub credentials: Option<PathBuf>,
    /// How long a recording stays on the bastion's disk once it is in the bucket; none for as long as it is kept at all.
    pub keep_local: Option<Duration>,
    /// For how long each recording is locked in the bucket, in compliance mode; none if it is not.
    pub lock: Option<Duration>,
}

/// A bucket, and what the names of its objects begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The bucket's name.
    pub bucket: String,
    /// Words with slashes between them, or nothing.
    pub prefix: String,
}

impl Place {
    /// Reads `s3://BUCKET` or `s3://BUCKET/PREFIX`; otherwise says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let rest = text
            .strip_prefix("s3://")
            .ok_or("it does not begin with s3://")?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let named =
            |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'.' | b'-');
        // https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
        if !(3..=63).contains(&bucket.len())
            || !bucket.bytes().all(named)
            || bucket.starts_with(['.', '-'])
        {
            return Err("a bucket's name has 3 to 63 lower-case letters, digits, dots and dashes");
        }
        let worded = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_' | b'=');
        let word = |word: &str| {
            !word.is_empty() && word.bytes().all(worded) && !matches!(word, "." | "..")
        };
        let good = prefix.is_empty() || prefix.split('/').all(word);
        if !good || prefix.len() > limits::BUCKET_PREFIX_BYTES {
            return Err(
                "what follows the bucket's name is words of letters, digits and . - _ = with a slash between them",
            );
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.prefix.as_str() {
            "" => write!(f, "s3://{}", self.bucket),
            prefix => write!(f, "s3://{}/{prefix}", self.bucket),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_reads_as_it_is_shown() {
        for text in ["s3://recordings", "s3://my.bucket-2/prod/a_b=c"] {
            assert_eq!(Place::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Place::parse("s3://abc/x/").unwrap().prefix, "x");
    }

    #[test]
    fn what_could_name_something_else_is_no_bucket() {
        let long = format!("s3://abc/{}", "x".repeat(limits::BUCKET_PREFIX_BYTES + 1));
        for text in [
            "recordings",
            "https://abc/",
            "s3://ab",
            "s3://Abc",
            "s3://-abc",
            "s3://a@bc",
            "s3://abc//x",
            "s3://abc/../x",
            "s3://abc/x y",
            "s3://abc/x?y",
            &long,
        ] {
            assert!(Place::parse(text).is_err(), "{text}");
        }
    }
}
