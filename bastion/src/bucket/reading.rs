//! An object as a file that is read from its beginning: piece by piece, so that one of any size needs the memory of one.

use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use config::limits;
use tokio::runtime::Handle;

use super::{Bucket, BucketError, Name};

/// An object that is read. Reading blocks, and has to happen on a thread that may.
#[derive(Debug)]
pub struct Reading<'a> {
    bucket: &'a Bucket,
    name: &'a Name,
    runtime: Handle,
    size: u64,
    at: u64,
    piece: Bytes,
}

impl<'a> Reading<'a> {
    /// Will read an object of this size; whatever else it turns out to have is not read.
    pub fn new(bucket: &'a Bucket, name: &'a Name, size: u64, runtime: Handle) -> Self {
        Self {
            bucket,
            name,
            runtime,
            size,
            at: 0,
            piece: Bytes::new(),
        }
    }
}

impl Read for Reading<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() && self.at < self.size {
            let end = self.size.min(self.at + limits::UPLOAD_PART_BYTES);
            let range = self.bucket.range(self.name, self.at..end);
            self.piece = self.runtime.block_on(range).map_err(|e| match e {
                BucketError::Missing => io::Error::new(io::ErrorKind::NotFound, e),
                other => io::Error::other(other),
            })?;
            self.at = end;
        }
        let count = into.len().min(self.piece.len());
        let (into, _) = into.split_at_mut(count);
        self.piece.copy_to_slice(into);
        Ok(count)
    }
}
