//! `ssh-config`: the lines that a person's `ssh` needs, ready to append.

use config::Config;
use ssh_key::PublicKey;
use std::fmt::Write as _;

/// What goes into `~/.ssh/config` (`ssh_config(5)`).
pub(super) fn config(config: &Config) -> String {
    let mut text = "# Hallpass, for ~/.ssh/config\n".to_owned();
    text.push_str(&host("ca", &config.ca.address));
    for (name, bastion) in &config.bastions {
        let _ = writeln!(
            text,
            "# ssh -J {name} LOGIN@TARGET, or ssh -t {name} to choose"
        );
        text.push_str(&host(name.as_str(), &bastion.address));
    }
    text
}

/// What goes into `~/.ssh/known_hosts` (`sshd(8)`, "`SSH_KNOWN_HOSTS` file format"). Behind `-J`, `ssh`
/// looks a target up by the name that was typed and its default port, hence without brackets. The
/// door CA is believed for the bastions and the inventory, and for nothing else; while one key of it follows another,
/// both are.
pub(super) fn known_hosts(config: &Config, identity: &PublicKey, doors: &[PublicKey]) -> String {
    let mut names: Vec<String> = config
        .bastions
        .values()
        .map(|bastion| bastion.address.known_hosts())
        .chain(config.targets.keys().map(ToString::to_string))
        .collect();
    names.dedup();
    let mut text = "# Hallpass, for ~/.ssh/known_hosts\n".to_owned();
    let ca = config.ca.address.known_hosts();
    let _ = writeln!(text, "{ca} {}", line(identity));
    if !names.is_empty() {
        let names = names.join(",");
        for door in doors {
            let _ = writeln!(text, "@cert-authority {names} {}", line(door));
        }
    }
    text
}

fn host(name: &str, address: &config::rules::HostPort) -> String {
    format!(
        "Host {name}\n    HostName {}\n    Port {}\n",
        address.host, address.port
    )
}

/// A key in one line, without its comment.
fn line(key: &PublicKey) -> String {
    let mut key = key.clone();
    key.set_comment("");
    key.to_openssh().unwrap_or_default().trim_end().to_owned()
}
