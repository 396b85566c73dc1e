//! What a target's sshd reads of Hallpass (`sshd_config(5)`).

use std::path::Path;

use config::cidr::Cidr;

use super::place::Place;

/// The keyword of `sshd_config(5)`, since 9.8.
const EXEMPTION: &str = "PerSourcePenaltyExemptList";

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
    (!sources.is_empty()).then(|| format!("{EXEMPTION} {}", sources.join(",")))
}

/// The lines of a snippet with the bastions of now exempted; none if they are already, or this sshd (`knows`) has no
/// penalties. The rest stays as it is.
pub(super) fn exempted(
    snippet: &str,
    bastions: &[Cidr],
    knows: impl FnOnce(&str) -> bool,
) -> Option<String> {
    let is_exemption = |line: &&str| line.starts_with(EXEMPTION);
    let wanted = exemption(bastions);
    let mut held = snippet.lines().filter(is_exemption);
    match (held.next(), &wanted) {
        (None, None) => return None,
        (Some(held_line), Some(line)) if held_line == line && held.next().is_none() => return None,
        // One that stands there was understood when it was written.
        (None, Some(line)) if !knows(line) => return None,
        _ => {}
    }
    let rest = snippet.lines().filter(|line| !is_exemption(line));
    let lines = rest.chain(wanted.as_deref());
    Some(lines.fold(String::new(), |text, line| text + line + "\n"))
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

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "TrustedUserCAKeys /x\n# mine\nRevokedKeys /y\n";

    fn cidrs(given: &[&str]) -> Vec<Cidr> {
        given.iter().map(|one| one.parse().unwrap()).collect()
    }

    fn never(_: &str) -> bool {
        panic!("sshd need not be asked")
    }

    #[test]
    fn bastions_are_exempted_as_they_come_and_go() {
        let one = cidrs(&["10.0.0.5/32"]);
        let two = cidrs(&["10.0.0.5/32", "10.0.0.6/32"]);
        let with = |list: &str| format!("{LINES}{EXEMPTION} {list}\n");
        let first = with("10.0.0.5/32");
        let second = with("10.0.0.5/32,10.0.0.6/32");
        let asked = |line: &str| line.ends_with(" 10.0.0.5/32");
        assert_eq!(exempted(LINES, &one, asked), Some(first.clone()));
        assert_eq!(exempted(LINES, &one, |_| false), None, "an older sshd");
        assert_eq!(exempted(&first, &one, never), None, "nothing has changed");
        assert_eq!(exempted(&first, &two, never), Some(second.clone()));
        assert_eq!(exempted(&second, &one, never), Some(first.clone()));
        assert_eq!(exempted(&first, &[], never), Some(LINES.to_owned()));
        assert_eq!(exempted(LINES, &[], never), None);
        let twice = format!("{EXEMPTION} 10.9.9.9/32\n{first}");
        assert_eq!(exempted(&twice, &one, never), Some(first));
    }
}
