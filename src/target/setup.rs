//! `hallpass target setup`: a script that makes sshd on a target trust this site.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;

use config::Config;
use config::keys::KeyName;
use config::rules::{HostTrust, Target};
use config::words::{Login, TargetName};
use record::clock::{Clock as _, SystemClock};

use super::place::{Pins, Place};
use super::{sshd, units};
use crate::cli::Site;
use crate::failure::{Failure, Result};

/// Prints a shell script for one target, or for each.
pub(crate) fn setup(site: &Site, only: Option<&TargetName>, etc: &str) -> Result<()> {
    let place = Place::new(etc)?;
    let config = site.load()?;
    let session_ca = session_ca(&config)?;
    let wanted: Vec<_> = match only {
        Some(name) => vec![
            config
                .targets
                .get_key_value(name)
                .ok_or_else(|| unknown(&config, name))?,
        ],
        None => config.targets.iter().collect(),
    };
    if wanted.is_empty() {
        let hint = format!("add [target.\"…\"] to {}", site.path().display());
        return Err(Failure::new(format!("there is no target yet: {hint}")));
    }
    let mut text = String::new();
    for (name, target) in wanted {
        script(&mut text, &config, name, target, &session_ca, &place)?;
    }
    Ok(io::stdout().write_all(text.as_bytes())?)
}

fn unknown(config: &Config, name: &TargetName) -> Failure {
    let known: Vec<_> = config.targets.keys().map(TargetName::as_str).collect();
    Failure::new(format!(
        "there is no target {name}: the configuration has {}",
        known.join(", ")
    ))
}

/// The session CA's keys, one a line: several while one follows another.
fn session_ca(config: &Config) -> Result<String> {
    let keys = ca::believed(config, KeyName::Session, SystemClock::new().wall())?;
    let lines = keys.iter().map(ssh_key::PublicKey::to_openssh);
    Ok(lines
        .collect::<std::result::Result<Vec<_>, _>>()?
        .join("\n"))
}

fn script(
    text: &mut String,
    config: &Config,
    name: &TargetName,
    target: &Target,
    session_ca: &str,
    place: &Place,
) -> Result<()> {
    let etc = place.etc().display();
    writeln!(text, "# {name}: paste this into a root shell there.")?;
    writeln!(
        text,
        "install -d -m 755 {etc}/hallpass {etc}/hallpass/principals {etc}/sshd_config.d"
    )?;
    document(text, &format!("{etc}/hallpass/session_ca.pub"), session_ca)?;
    writeln!(
        text,
        "# One file for each login; the session certificate must name exactly this line."
    )?;
    for login in logins(config, name) {
        document(
            text,
            &format!("{etc}/hallpass/principals/{login}"),
            &format!("{login}@{name}"),
        )?;
    }
    writeln!(
        text,
        "# Must exist: with an unreadable one sshd refuses everybody."
    )?;
    writeln!(
        text,
        "[ -e {etc}/hallpass/revoked ] || install -m 644 /dev/null {etc}/hallpass/revoked"
    )?;
    writeln!(
        text,
        "# sshd reads the principals as the account that is logged in to, whatever this shell's umask."
    )?;
    writeln!(text, "chmod -R u=rwX,go=rX {etc}/hallpass")?;
    document(
        text,
        &format!("{etc}/sshd_config.d/50-hallpass.conf"),
        sshd::lines(place, certificate(place, target).as_deref()).trim_end(),
    )?;
    exempt(text, config, &etc.to_string())?;
    document(
        text,
        &place.pins_file().display().to_string(),
        pins(config, name, target, place)?.text()?.trim_end(),
    )?;
    units::script(text, place)?;
    if matches!(target.host, HostTrust::Ca) {
        writeln!(
            text,
            "# The host certificate: copy {etc}/ssh_host_ed25519_key.pub to the CA's machine, there"
        )?;
        writeln!(
            text,
            "#   hallpass target certify {name} ssh_host_ed25519_key.pub > ssh_host_ed25519_key-cert.pub"
        )?;
        writeln!(
            text,
            "# and bring the certificate back as {etc}/ssh_host_ed25519_key-cert.pub. Then:"
        )?;
    }
    writeln!(text, "# sshd -t && systemctl reload ssh")?;
    Ok(())
}

fn certificate(place: &Place, target: &Target) -> Option<PathBuf> {
    let mut name = place.host_key().into_os_string();
    name.push("-cert.pub");
    matches!(target.host, HostTrust::Ca).then(|| name.into())
}

fn pins(config: &Config, name: &TargetName, target: &Target, place: &Place) -> Result<Pins> {
    let now = SystemClock::new().wall();
    let identity = ca::believed(config, KeyName::Identity, now)?;
    let identity = identity.first();
    let identity = identity.ok_or_else(|| Failure::new("the CA has no key of its own"))?;
    Pins::new(
        name.clone(),
        &config.ca.address,
        identity,
        &ca::believed(config, KeyName::Log, now)?,
        place.host_key(),
        certificate(place, target),
    )
}

/// See [`sshd::exemption`].
fn exempt(text: &mut String, config: &Config, etc: &str) -> Result<()> {
    let sources = config.bastions.values().flat_map(|b| &b.source);
    let sources: Vec<_> = sources.copied().collect();
    let Some(line) = sshd::exemption(&sources) else {
        writeln!(
            text,
            "# Set source = [\"…\"] for each bastion, so that sshd 9.8 and later can exempt it from penalties."
        )?;
        return Ok(());
    };
    writeln!(
        text,
        "if \"$(command -v sshd || echo /usr/sbin/sshd)\" -t -o '{line}' 2>/dev/null; then"
    )?;
    writeln!(
        text,
        "  echo '{line}' >> {etc}/sshd_config.d/50-hallpass.conf"
    )?;
    writeln!(text, "fi")?;
    Ok(())
}

/// The logins that some role names on this target.
fn logins<'a>(config: &'a Config, name: &TargetName) -> BTreeSet<&'a Login> {
    let roles = config
        .roles
        .values()
        .filter(|role| role.targets.contains(name));
    roles.flat_map(|role| &role.logins).collect()
}

fn document(text: &mut String, path: &str, content: &str) -> Result<()> {
    writeln!(text, "cat > {path} <<'END'\n{content}\nEND")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    const PEOPLE: &str = r#"
[person.alice]
groups = ["oncall"]
keys = ["KEY"]

[target."db1.prod"]
address = "10.1.2.3:22"
host = "ca"

[role.db]
groups = ["oncall"]
logins = ["postgres", "root"]
targets = ["db1.prod"]
approvals = { count = 0 }
"#;

    /// A root shell of a hardened machine makes files that nobody else can read.
    #[test]
    fn what_is_pasted_is_taken_by_sshd_whatever_the_umask() {
        let dir = tempfile::tempdir().unwrap();
        let (site, etc) = (dir.path().join("site"), dir.path().join("etc"));
        crate::init::make(&site).unwrap();
        let file = site.join("hallpass.toml");
        let alice = dir.path().join("alice");
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&alice)
            .status()
            .unwrap();
        assert!(made.success());
        let public = fs::read_to_string(alice.with_extension("pub")).unwrap();
        let people = PEOPLE.replace("KEY", public.trim());
        fs::write(&file, fs::read_to_string(&file).unwrap() + &people).unwrap();
        let config = Config::load(&file).unwrap();

        let mut text = "set -eu; umask 077\n".to_owned();
        let (name, target) = config.targets.first_key_value().unwrap();
        let etc_text = etc.to_str().unwrap();
        let ca = session_ca(&config).unwrap();
        let place = Place::new(etc_text).unwrap();
        script(&mut text, &config, name, target, &ca, &place).unwrap();
        for _ in 0..2 {
            let pasted = Command::new("sh").args(["-c", &text]).output().unwrap();
            assert!(pasted.status.success(), "{pasted:?}");
        }
        let readable = |path: &str| {
            let meta = fs::metadata(etc.join(path)).unwrap();
            meta.permissions().mode() & 0o777
        };
        for login in ["postgres", "root"] {
            let path = format!("hallpass/principals/{login}");
            assert_eq!(readable(&path), 0o644, "{path}");
            let principals = fs::read_to_string(etc.join(&path)).unwrap();
            assert_eq!(principals, format!("{login}@db1.prod\n"));
        }
        assert_eq!(readable("hallpass/principals"), 0o755);
    }
}
