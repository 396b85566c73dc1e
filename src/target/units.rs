//! The systemd units that keep a target in step, as the package has them.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use super::place::{Place, replace};
use crate::failure::{Failure, Result};

/// Where units that an administrator installs lie (`systemd.unit(5)`).
pub(super) const DIRECTORY: &str = "/etc/systemd/system";

/// Each unit by its name.
const UNITS: [(&str, &str); 4] = [
    (
        "hallpass-target.service",
        include_str!("../../systemd/hallpass-target.service"),
    ),
    (
        "hallpass-target.timer",
        include_str!("../../systemd/hallpass-target.timer"),
    ),
    (
        "hallpass-target-cert.path",
        include_str!("../../systemd/hallpass-target-cert.path"),
    ),
    (
        "hallpass-target-cert.service",
        include_str!("../../systemd/hallpass-target-cert.service"),
    ),
];

/// What starts them.
const ENABLE: [&str; 4] = [
    "enable",
    "--now",
    "hallpass-target.timer",
    "hallpass-target-cert.path",
];

/// Writes the units, and starts the timer where systemd runs.
pub(super) fn install(place: &Place, directory: &Path) -> Result<()> {
    for (name, text) in units(place) {
        replace(&directory.join(name), 0o644, text.as_bytes())?;
    }
    if !Path::new("/run/systemd/system").is_dir() || directory != Path::new(DIRECTORY) {
        return Ok(());
    }
    for args in [&["daemon-reload"][..], &ENABLE] {
        let status = Command::new("systemctl").args(args).status()?;
        if !status.success() {
            return Err(Failure::new(format!(
                "the units are in {DIRECTORY}, and `systemctl {}` failed: run it again",
                args.join(" ")
            )));
        }
    }
    Ok(())
}

/// The same for a root shell that is pasted into.
pub(super) fn script(text: &mut String, place: &Place) -> Result<()> {
    writeln!(
        text,
        "# Every minute the target asks the CA what to refuse; hallpass has to be on it for that."
    )?;
    writeln!(
        text,
        "if [ -x /usr/bin/hallpass ] && [ -d /run/systemd/system ]; then"
    )?;
    for (name, unit) in units(place) {
        write!(text, "cat > {DIRECTORY}/{name} <<'END'\n{unit}END\n")?;
    }
    writeln!(text, "systemctl daemon-reload")?;
    writeln!(text, "systemctl {}", ENABLE.join(" "))?;
    writeln!(text, "fi")?;
    Ok(())
}

fn units(place: &Place) -> impl Iterator<Item = (&'static str, String)> {
    let etc = place.etc().display().to_string();
    let key = format!("{etc}/ssh_host_ed25519_key-cert.pub");
    let own = move |text: &str| {
        text.replace("/etc/ssh/ssh_host_ed25519_key-cert.pub", &key)
            .replace("/etc/ssh/sshd_config.d", &format!("{etc}/sshd_config.d"))
            .replace("--etc /etc/ssh", &format!("--etc {etc}"))
            .replace("ReadWritePaths=/etc/ssh", &format!("ReadWritePaths={etc}"))
    };
    UNITS.into_iter().map(move |(name, text)| (name, own(text)))
}
