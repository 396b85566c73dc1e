//! What a target's sshd reads of Hallpass (`sshd_config(5)`).

use std::path::Path;

use config::cidr::Cidr;

use super::place::Place;

/// The lines that make sshd believe this site; `certificate` is the host certificate that it shows.
pub(super) fn lines(place: &Place, certificate: Option<&Path>) -> String {
    let lines = format!(
        "TrustedUserCAKeys {}\nAuthorizedPrincipalsFile {}/%u\nRevokedKeys {}\n",
        place.session_cas().display(),
        place.principals().display(),
        place.revoked().display()
    );
    match certificate {
        Some(path) => format!("{lines}HostCertificate {}\n", path.display()),
        None => lines,
    }
}

/// An sshd of 9.8 or later counts every failed login against its source, and to it all people come
/// from the bastion; an older one does not know the word, and would not start with it.
pub(super) fn exemption(bastions: &[Cidr]) -> Option<String> {
    let sources: Vec<_> = bastions.iter().map(ToString::to_string).collect();
    (!sources.is_empty()).then(|| format!("PerSourcePenaltyExemptList {}", sources.join(",")))
}

/// Whether the sshd of this machine knows a line; one that is not there knows none.
pub(super) fn knows(line: &str) -> bool {
    let sshd = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd"];
    let found = sshd.iter().find(|path| Path::new(path).exists());
    let Some(sshd) = found else { return false };
    let mut command = std::process::Command::new(sshd);
    let quiet = std::process::Stdio::null;
    command
        .args(["-t", "-o", line])
        .stdout(quiet())
        .stderr(quiet());
    command.status().is_ok_and(|status| status.success())
}
