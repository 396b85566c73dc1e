//! Keys and certificates, made by the real `ssh-keygen`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, str};

use crate::failure::Context;
use crate::{Failure, Result, process, programs};

/// Makes an ed25519 key without a passphrase at `path`, and its public half beside it.
pub fn make(path: &Path, comment: &str) -> Result<()> {
    make_as(path, comment, "ed25519")
}

/// Makes a key of this algorithm without a passphrase at `path`, and its public half beside it.
pub fn make_as(path: &Path, comment: &str, algorithm: &str) -> Result<()> {
    keygen(&[
        "-q",
        "-t",
        algorithm,
        "-N",
        "",
        "-C",
        comment,
        "-f",
        text(path)?,
    ])
    .map(drop)
}

/// Where the public half of this key lies.
pub fn public(path: &Path) -> PathBuf {
    beside(path, ".pub")
}

/// Where `ssh` looks for the certificate of this key.
pub fn certificate(path: &Path) -> PathBuf {
    beside(path, "-cert.pub")
}

/// The public half of this key, as its one line.
pub fn public_line(path: &Path) -> Result<String> {
    let path = public(path);
    Ok(fs::read_to_string(&path)
        .context(path.display())?
        .trim()
        .to_owned())
}

/// The fingerprint of this key, as `ssh-keygen -l` prints it.
pub fn fingerprint(path: &Path) -> Result<String> {
    let printed = keygen(&["-l", "-f", text(&public(path))?])?;
    let fingerprint = printed.split_whitespace().nth(1);
    let fingerprint = fingerprint.ok_or_else(|| Failure::new(printed.clone()))?;
    Ok(fingerprint.to_owned())
}

/// What a hand-made certificate says. Every field can be wrong on purpose.
#[derive(Clone, Debug)]
pub struct Certificate<'a> {
    /// The key id.
    pub id: &'a str,
    /// The principals, comma-separated as `ssh-keygen -n` takes them; none if empty.
    pub principals: &'a str,
    /// The window, as `ssh-keygen -V` takes it.
    pub window: &'a str,
    /// The serial number.
    pub serial: u64,
    /// Whether it is a host certificate.
    pub host: bool,
    /// Critical options and extensions, as `ssh-keygen -O` takes them.
    pub options: &'a [&'a str],
}

impl Default for Certificate<'_> {
    fn default() -> Self {
        Self {
            id: "made by hand",
            principals: "",
            window: "-1m:+10m",
            serial: 1,
            host: false,
            options: &[],
        }
    }
}

/// Signs the public half of `subject` with the private key `ca`, and leaves the certificate where
/// `ssh` looks for it.
pub fn certify(ca: &Path, subject: &Path, fields: &Certificate<'_>) -> Result<PathBuf> {
    let serial = fields.serial.to_string();
    let subject = public(subject);
    let mut args = vec![
        "-q",
        "-s",
        text(ca)?,
        "-I",
        fields.id,
        "-z",
        &serial,
        "-V",
        fields.window,
    ];
    if !fields.principals.is_empty() {
        args.extend(["-n", fields.principals]);
    }
    if fields.host {
        args.push("-h");
    }
    for option in fields.options {
        args.extend(["-O", option]);
    }
    args.push(text(&subject)?);
    keygen(&args)?;
    Ok(subject.with_extension("").with_file_name(format!(
        "{}-cert.pub",
        subject.file_stem().unwrap_or_default().to_string_lossy()
    )))
}

/// What `ssh-keygen -L` says of a certificate.
pub fn show(certificate: &Path) -> Result<String> {
    keygen(&["-L", "-f", text(certificate)?])
}

fn keygen(args: &[&str]) -> Result<String> {
    let mut command = Command::new(programs::find("ssh-keygen")?);
    command.args(args);
    Ok(process::run(&mut command)?.ok()?.out())
}

fn text(path: &Path) -> Result<&str> {
    path.to_str()
        .ok_or_else(|| Failure::new(format!("{} is not UTF-8", path.display())))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
