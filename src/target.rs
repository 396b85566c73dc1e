//! `hallpass target`: what a target's sshd needs.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use config::Config;
use config::keys::KeyName;
use config::rules::{HostTrust, Target};
use config::words::{Login, TargetName, shown};
use record::clock::{Clock as _, SystemClock};

use crate::cli::Site;
use crate::failure::{Failure, Result};

/// Prints a shell script for one target, or for each.
pub(crate) fn setup(site: &Site, only: Option<&TargetName>, etc: &str) -> Result<()> {
    if !etc
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_'))
    {
        return Err(Failure::new(format!(
            "{} is not a plain path: --etc goes into a shell script",
            shown(etc)
        )));
    }
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
        script(&mut text, &config, name, target, &session_ca, etc)?;
    }
    Ok(io::stdout().write_all(text.as_bytes())?)
}

/// Signs a target's host key and prints the certificate.
pub(crate) fn certify(site: &Site, name: &TargetName, public_key: &Path) -> Result<()> {
    let config = site.load()?;
    let text = fs::read_to_string(public_key).map_err(|e| Failure::file("read", public_key, &e))?;
    let clock = Arc::new(SystemClock::new());
    let certificate = ca::host::certify(Arc::new(config), clock, name, text.trim())?;
    Ok(writeln!(io::stdout(), "{certificate}")?)
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
    etc: &str,
) -> Result<()> {
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
        &sshd_lines(target, etc),
    )?;
    exempt(text, config, etc)?;
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

fn sshd_lines(target: &Target, etc: &str) -> String {
    let lines = format!(
        "TrustedUserCAKeys {etc}/hallpass/session_ca.pub\n\
         AuthorizedPrincipalsFile {etc}/hallpass/principals/%u\n\
         RevokedKeys {etc}/hallpass/revoked"
    );
    match target.host {
        HostTrust::Ca => format!("{lines}\nHostCertificate {etc}/ssh_host_ed25519_key-cert.pub"),
        HostTrust::Pinned(_) => lines,
    }
}

/// An sshd of 9.8 or later counts every failed login against its source, and to it all people come
/// from the bastion; an older one does not know the word, and would not start with it.
fn exempt(text: &mut String, config: &Config, etc: &str) -> Result<()> {
    let sources: Vec<_> = config
        .bastions
        .values()
        .flat_map(|b| &b.source)
        .map(ToString::to_string)
        .collect();
    if sources.is_empty() {
        writeln!(
            text,
            "# Set source = [\"…\"] for each bastion, so that sshd 9.8 and later can exempt it from penalties."
        )?;
        return Ok(());
    }
    let line = format!("PerSourcePenaltyExemptList {}", sources.join(","));
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
        script(&mut text, &config, name, target, &ca, etc_text).unwrap();
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
