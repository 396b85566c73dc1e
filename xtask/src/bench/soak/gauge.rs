//! What is looked at: memory, descriptors and threads of the bastion and the CA, and the bastion's disk.

use std::fs;
use std::io;
use std::path::Path;

use hallpass_tests::Result;

use super::super::measure;

/// One thing that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gauge {
    Memory,
    Descriptors,
    Threads,
    /// The bastion's directory without its recordings: what waits there for anything.
    Spool,
    CaMemory,
    CaDescriptors,
    CaThreads,
    /// They grow, as they must.
    Recordings,
}

/// What must not grow.
pub(super) const GROWING: [Gauge; 7] = [
    Gauge::Memory,
    Gauge::Descriptors,
    Gauge::Threads,
    Gauge::Spool,
    Gauge::CaMemory,
    Gauge::CaDescriptors,
    Gauge::CaThreads,
];

const ALL: [Gauge; 8] = [
    Gauge::Memory,
    Gauge::Descriptors,
    Gauge::Threads,
    Gauge::Spool,
    Gauge::CaMemory,
    Gauge::CaDescriptors,
    Gauge::CaThreads,
    Gauge::Recordings,
];

impl Gauge {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Memory => "bastion's memory",
            Self::Descriptors => "bastion's descriptors",
            Self::Threads => "bastion's threads",
            Self::Spool => "bastion's other files",
            Self::CaMemory => "CA's memory",
            Self::CaDescriptors => "CA's descriptors",
            Self::CaThreads => "CA's threads",
            Self::Recordings => "recordings",
        }
    }

    pub(super) const fn unit(self) -> &'static str {
        match self {
            Self::Memory | Self::CaMemory | Self::Spool | Self::Recordings => "KiB",
            Self::Descriptors | Self::Threads | Self::CaDescriptors | Self::CaThreads => "",
        }
    }

    /// How much more there may be of what is counted in ones or in a few KiB: one session has four descriptors, and a thread
    /// that waits for work comes and goes.
    pub(super) const fn slack(self) -> f64 {
        match self {
            Self::Memory | Self::CaMemory | Self::Recordings => 0.0,
            Self::Spool
            | Self::Descriptors
            | Self::Threads
            | Self::CaDescriptors
            | Self::CaThreads => 4.0,
        }
    }
}

/// What one look saw, in the order of [`ALL`].
#[derive(Clone, Debug)]
pub(super) struct Sample([f64; ALL.len()]);

impl Sample {
    /// Looks at the bastion and the CA, in this order, and at the site's directory.
    pub(super) fn take([bastion, ca]: [u32; 2], site: &Path) -> Result<Self> {
        let recordings = bytes(&site.join("bastion/recordings"))?;
        let all = bytes(&site.join("bastion"))?;
        Ok(Self([
            measure::resident(bastion)?,
            entries(bastion, "fd")?,
            entries(bastion, "task")?,
            kib(all.saturating_sub(recordings)),
            measure::resident(ca)?,
            entries(ca, "fd")?,
            entries(ca, "task")?,
            kib(recordings),
        ]))
    }

    pub(super) fn of(&self, gauge: Gauge) -> f64 {
        let mut seen = ALL.iter().zip(&self.0);
        seen.find(|(one, _)| **one == gauge)
            .map_or(f64::NAN, |(_, value)| *value)
    }

    /// As a line of the table, so many minutes after its beginning.
    pub(super) fn line(&self, minute: u32, done: usize) -> String {
        let columns = self.0.map(|value| format!("{value:>13.0}")).concat();
        format!("{minute:>6}{columns}{done:>9}\n")
    }
}

/// What stands above the lines.
pub(super) fn head() -> String {
    "minute  bastion, KiB  descriptors      threads   files, KiB      CA, KiB  descriptors      threads  records, KiB   done\n"
        .to_owned()
}

fn entries(id: u32, what: &str) -> Result<f64> {
    let count = fs::read_dir(format!("/proc/{id}/{what}"))?.count();
    Ok(f64::from(u32::try_from(count).unwrap_or(u32::MAX)))
}

/// All files below a directory; one that goes away meanwhile is none.
fn bytes(directory: &Path) -> io::Result<u64> {
    let mut all = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let meta = match entry.metadata() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            meta => meta?,
        };
        all += if meta.is_dir() {
            bytes(&entry.path())?
        } else {
            meta.len()
        };
    }
    Ok(all)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a directory is far below 2^52 KiB"
)]
fn kib(bytes: u64) -> f64 {
    (bytes as f64) / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_below_a_directory_is_counted_whole() -> Result<()> {
        let directory = tempfile::tempdir()?;
        fs::create_dir(directory.path().join("below"))?;
        fs::write(directory.path().join("one"), [0; 1000])?;
        fs::write(directory.path().join("below/two"), [0; 24])?;
        assert_eq!(bytes(directory.path())?, 1024);
        Ok(())
    }

    #[test]
    fn a_process_has_memory_descriptors_and_threads() -> Result<()> {
        let site = tempfile::tempdir()?;
        fs::create_dir_all(site.path().join("bastion/recordings"))?;
        let sample = Sample::take([std::process::id(); 2], site.path())?;
        for gauge in [Gauge::Memory, Gauge::Descriptors, Gauge::CaThreads] {
            assert!(sample.of(gauge) >= 1.0, "{gauge:?}");
        }
        assert!(sample.of(Gauge::Spool).abs() < f64::EPSILON);
        Ok(())
    }
}
