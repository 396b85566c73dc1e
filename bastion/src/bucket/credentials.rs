//! Who we are to a store of objects: a file in the form that S3's own tools read, or the environment.
//!
//! The file is read again for each request, so that its keys can be replaced while the bastion runs.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use config::limits;
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use zeroize::Zeroizing;

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else on this machine can read it.
    #[error("{}: others can read it: chmod 600", .0.display())]
    Open(PathBuf),
    /// It does not say them.
    #[error("{}: it has no line `aws_access_key_id = …` or no line `aws_secret_access_key = …`", .0.display())]
    Empty(PathBuf),
    /// Nor does the environment.
    #[error(
        "nobody says who we are to the bucket: name a file with `credentials`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )]
    Environment,
}

/// Where credentials come from.
pub(super) struct Credentials {
    file: Option<PathBuf>,
    /// Of the environment.
    own: Option<Arc<AwsCredential>>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// Those of a file, which has to be good now.
    pub(super) fn file(path: &Path) -> Result<Self, CredentialsError> {
        read(path)?;
        Ok(Self {
            file: Some(path.to_owned()),
            own: None,
        })
    }

    /// Those of the environment.
    pub(super) fn environment() -> Result<Self, CredentialsError> {
        let var = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let (Some(key_id), Some(secret_key)) =
            (var("AWS_ACCESS_KEY_ID"), var("AWS_SECRET_ACCESS_KEY"))
        else {
            return Err(CredentialsError::Environment);
        };
        let token = var("AWS_SESSION_TOKEN");
        Ok(Self {
            file: None,
            own: Some(Arc::new(AwsCredential {
                key_id,
                secret_key,
                token,
            })),
        })
    }

    /// Those of this moment.
    pub(super) async fn get(&self) -> Result<Arc<AwsCredential>, CredentialsError> {
        if let Some(own) = &self.own {
            return Ok(Arc::clone(own));
        }
        let path = self.file.clone().unwrap_or_default();
        let (at, unread) = (
            path.clone(),
            io::Error::other("a part of the bastion failed"),
        );
        let read = tokio::task::spawn_blocking(move || read(&at)).await;
        read.unwrap_or(Err(CredentialsError::Unreadable {
            path,
            source: unread,
        }))
        .map(Arc::new)
    }
}

#[async_trait]
impl CredentialProvider for Credentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        self.get().await.map_err(|e| object_store::Error::Generic {
            store: "S3",
            source: Box::new(e),
        })
    }
}

fn read(path: &Path) -> Result<AwsCredential, CredentialsError> {
    let unreadable = |source| CredentialsError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.mode() & 0o077 != 0 {
        return Err(CredentialsError::Open(path.to_owned()));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(limits::CREDENTIALS_BYTES)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    parse(&text).ok_or_else(|| CredentialsError::Empty(path.to_owned()))
}

/// The first profile's keys.
fn parse(text: &str) -> Option<AwsCredential> {
    let value = |key: &str| {
        let lines = text.lines().filter_map(|line| line.split_once('='));
        let mut own = lines.filter(|(name, _)| name.trim() == key);
        let text = own.next()?.1.trim();
        let good = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        good.then(|| text.to_owned())
    };
    Some(AwsCredential {
        key_id: value("aws_access_key_id")?,
        secret_key: value("aws_secret_access_key")?,
        token: value("aws_session_token"),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_that_others_read_or_that_says_nothing_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s3");
        let write = |text: &str, mode| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            Credentials::file(&path).map(drop)
        };
        let good = "[default]\naws_access_key_id = ID\naws_secret_access_key=SE/CRET\n";
        write(good, 0o600).unwrap();
        assert!(matches!(write(good, 0o640), Err(CredentialsError::Open(_))));
        for bad in [
            "",
            "aws_access_key_id = ID\n",
            "aws_access_key_id =\naws_secret_access_key = x",
        ] {
            assert!(
                matches!(write(bad, 0o600), Err(CredentialsError::Empty(_))),
                "{bad}"
            );
        }
        let own = Credentials::file(&path);
        assert!(own.is_err());
    }

    #[test]
    fn promise_43_nobody_prints_a_secret() {
        let own = parse("aws_access_key_id = ID\naws_secret_access_key = HUSH\n").unwrap();
        let credentials = Credentials {
            file: None,
            own: Some(Arc::new(own)),
        };
        assert!(!format!("{credentials:?}").contains("HUSH"));
    }
}
