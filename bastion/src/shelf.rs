//! Small JSON files in a directory of their own, each written whole: what has to survive the loss of power.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The directory.
#[derive(Debug)]
pub(crate) struct Shelf {
    dir: PathBuf,
}

impl Shelf {
    /// Takes the directory, making it if there is none, for its owner alone.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
        })
    }

    /// Where the file of this name is, or would be. Names are made by the program alone.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Puts a file there, in place of the one of that name: if we die meanwhile, that one is left as it was, beside a partial
    /// file, which the next one of that name or nobody looks at. When this returns, it survives the loss of power. Blocks for
    /// some milliseconds.
    pub(crate) fn put(&self, name: &str, what: &impl Serialize) -> io::Result<()> {
        let path = self.path(name);
        let partial = path.with_extension("partial");
        let mut file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)?;
        file.write_all(&serde_json::to_vec(what)?)?;
        file.sync_all()?;
        fs::rename(&partial, &path)?;
        self.sync()
    }

    /// Makes what was created, renamed and removed there survive the loss of power.
    pub(crate) fn sync(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }

    /// The files with this extension, by their names.
    pub(crate) fn with_extension(&self, wanted: &str) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == wanted)
            {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }
}

/// Reads such a file, at most so many bytes of it. None: there is none, or it is not what it should be.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, most: u64) -> io::Result<Option<T>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let mut text = Vec::new();
    file.take(most).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text).ok())
}
