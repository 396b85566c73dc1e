//! `ssh-keygen -k` by our own encoder.
//!
//! The encoder never reads a list. What went into each is kept beside it under the digest of its bytes, so that a list
//! can be written again with more in it (`-u`), also after the script has copied it.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use record::digest::Digest;
use record::krl::Krl;
use ssh_key::{Certificate, HashAlg, PublicKey};

use super::shim::{Call, Instead, note, now};

/// Writes a list of what the files say.
pub(super) fn write(call: &Call, directory: &Path) -> Result<(), Instead> {
    if call.value('s') == Some("NONE") {
        return Err(Instead::Stock("revoking what any CA signed".to_owned()));
    }
    let ca = call.value('s').map(authority).transpose()?;
    let ca = ca.unwrap_or_default();
    let file = PathBuf::from(call.value('f').unwrap_or_default());
    let mut lines = if call.has('u') {
        known(directory, &fs::read(&file).map_err(Instead::fails)?)?
    } else {
        Vec::new()
    };
    for name in &call.files {
        let text = read(name)?;
        let said = text.lines().map(str::trim);
        let said = said.filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.extend(said.map(|line| format!("{ca}\t{line}")));
    }
    let mut krl = Krl::new(0, now());
    for line in &lines {
        let (ca, line) = line.split_once('\t').unwrap_or_default();
        revoke(&mut krl, ca, line)?;
    }
    let bytes = krl.encode().map_err(Instead::fails)?;
    fs::write(beside(directory, &bytes), lines.join("\n")).map_err(Instead::fails)?;
    fs::write(&file, bytes).map_err(Instead::fails)?;
    note(&directory.join("lists"), &file.display().to_string());
    Ok(())
}

fn read(name: &str) -> Result<String, Instead> {
    if name != "-" {
        return fs::read_to_string(name).map_err(Instead::fails);
    }
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(Instead::fails)?;
    Ok(text)
}

/// The public line of a CA that is named by either half of its key.
fn authority(name: &str) -> Result<String, Instead> {
    let name = name.strip_suffix(".pub").unwrap_or(name);
    let line = fs::read_to_string(format!("{name}.pub")).map_err(Instead::fails)?;
    Ok(line.trim().to_owned())
}

/// Where stands what went into a list.
fn beside(directory: &Path, list: &[u8]) -> PathBuf {
    directory.join(Digest::of(list).to_string().replace([':', '/'], "-"))
}

fn known(directory: &Path, list: &[u8]) -> Result<Vec<String>, Instead> {
    let text = fs::read_to_string(beside(directory, list));
    let text = text.map_err(|_| Instead::Stock("a list that was written elsewhere".to_owned()))?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// Revokes what one line of a specification says, or the key or certificate that it is.
fn revoke(krl: &mut Krl, ca: &str, line: &str) -> Result<(), Instead> {
    let (what, rest) = line.split_once(": ").unwrap_or(("", line));
    match what {
        "serial" => {
            let (first, last) = rest.split_once('-').unwrap_or((rest, rest));
            let first = first.parse().map_err(Instead::fails)?;
            let last = last.parse().map_err(Instead::fails)?;
            krl.revoke_ranges(&key(ca)?, [first..=last])
        }
        "id" => krl.revoke_key_id(&key(ca)?, rest),
        "sha256" => Ok(krl.revoke_fingerprint(fingerprint(&key(rest)?))),
        "hash" => Ok(krl.revoke_fingerprint(parsed(rest)?)),
        "sha1" => return Err(Instead::Stock("revoking by SHA-1".to_owned())),
        _ if line.contains("-cert-v01@openssh.com ") => {
            let certificate = Certificate::from_openssh(line).map_err(Instead::fails)?;
            let ca = PublicKey::from(certificate.signature_key().clone());
            krl.revoke_serials(&ca, [certificate.serial()])
        }
        _ => krl.revoke_key(&key(line)?),
    }
    .map(drop)
    .map_err(Instead::fails)
}

fn key(line: &str) -> Result<PublicKey, Instead> {
    PublicKey::from_openssh(line).map_err(Instead::fails)
}

fn fingerprint(key: &PublicKey) -> Digest {
    let bytes = key.fingerprint(HashAlg::Sha256);
    Digest::from_bytes(bytes.sha256().unwrap())
}

fn parsed(text: &str) -> Result<Digest, Instead> {
    let fingerprint: ssh_key::Fingerprint = text.parse().map_err(Instead::fails)?;
    Ok(Digest::from_bytes(fingerprint.sha256().unwrap()))
}
