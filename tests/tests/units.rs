//! The systemd units, judged by systemd itself.

use std::fs;
use std::path::Path;
use std::process::Command;

use hallpass_tests::fresh::Fresh;
use hallpass_tests::{Output, Result, process, programs};

/// What `systemd-analyze` says of the units in a directory, with the program where it was built.
fn verified(units: &Path) -> Result<Output> {
    let copies = tempfile::tempdir()?;
    let program = programs::hallpass()?;
    let mut verify = Command::new(programs::find("systemd-analyze")?);
    verify.args(["verify", "--man=no"]);
    for entry in fs::read_dir(units)? {
        let path = entry?.path();
        let kind = path.extension().and_then(|kind| kind.to_str());
        if !matches!(kind, Some("service" | "timer" | "path")) {
            continue;
        }
        let text = fs::read_to_string(&path)?;
        let text = text.replace("/usr/bin/hallpass", &program.display().to_string());
        let copy = copies.path().join(path.file_name().unwrap_or_default());
        fs::write(&copy, text)?;
        verify.arg(copy);
    }
    process::run(&mut verify)
}

fn are_good(units: &Path) -> Result<()> {
    let output = verified(units)?.ok()?;
    // It says what it does not understand, and calls it good all the same.
    assert!(output.err().is_empty(), "{output}");
    Ok(())
}

#[test]
fn systemd_understands_every_line_of_the_units() -> Result<()> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd");
    are_good(&own)?;
    let broken = tempfile::tempdir()?;
    let timer = fs::read_to_string(own.join("hallpass-target.timer"))?;
    let timer = timer.replace("OnBootSec", "OnBoot");
    fs::write(broken.path().join("hallpass-target.timer"), timer)?;
    let output = verified(broken.path())?;
    assert!(output.err().contains("OnBoot"), "{output}");
    Ok(())
}

#[test]
fn what_a_join_installs_is_understood_and_names_this_machines_files() -> Result<()> {
    let fresh = Fresh::new()?;
    let units = tempfile::tempdir()?;
    let token = fresh.token("new1.prod")?;
    let mut join = fresh.join_command("new1.prod", Some(&token), &fresh.target.host_key())?;
    let args: Vec<_> = join.get_args().map(std::ffi::OsString::from).collect();
    let mut own = Command::new(join.get_program());
    let mut before = std::ffi::OsString::new();
    for arg in args {
        let is_units = before == "--units";
        before.clone_from(&arg);
        own.arg(if is_units { units.path().into() } else { arg });
    }
    join = own;
    process::run(&mut join)?.ok()?;
    are_good(units.path())?;
    let etc = fresh.etc().display().to_string();
    let service = fs::read_to_string(units.path().join("hallpass-target.service"))?;
    assert!(
        service.contains(&format!("target sync --etc {etc}\n")),
        "{service}"
    );
    let path = fs::read_to_string(units.path().join("hallpass-target-cert.path"))?;
    assert!(
        path.contains(&format!("PathChanged={etc}/sshd_config.d/50-hallpass.conf")),
        "{path}"
    );
    fresh.world.end()
}
