//! The harness itself: a target that let anybody in would make every other test worthless.

use std::process::Command;
use std::time::Duration;

use hallpass_tests::keys::{self, Certificate};
use hallpass_tests::process::{self, Live};
use hallpass_tests::target::Target;
use hallpass_tests::{Person, Result, programs};

#[test]
fn a_target_takes_the_session_ca_s_certificates_and_nothing_else() -> Result<()> {
    let directory = tempfile::Builder::new().prefix("hp-").tempdir()?;
    let ca = directory.path().join("session_ca");
    keys::make(&ca, "session CA")?;
    let login = programs::login()?;
    let mut target = Target::new("db1.prod", &directory.path().join("db1"))?;
    target.start(&keys::public_line(&ca)?, &login, "")?;
    let person = Person::new("alice", &directory.path().join("alice"))?;
    person.write_config(target.port, &keys::public_line(&target.host_key())?)?;
    let port = target.port.to_string();
    let at = format!("{login}@127.0.0.1");
    let ssh = |command: &str| person.ssh(&["-p", &port, &at, command]);

    ssh("true")?.exits(255)?.says("Permission denied")?;
    let right = format!("{login}@db1.prod");
    for wrong in [login.as_str(), "db1.prod", "other@db1.prod", ""] {
        keys::certify(
            &ca,
            &person.key(),
            &Certificate {
                principals: wrong,
                ..Certificate::default()
            },
        )?;
        ssh("true")?.exits(255)?.says("Permission denied")?;
    }
    assert_eq!(target.logins(), 0);
    let shown = keys::certify(
        &ca,
        &person.key(),
        &Certificate {
            principals: &right,
            ..Certificate::default()
        },
    )?;
    assert_eq!(shown, person.certificate());
    ssh("echo in; exit 3")?.exits(3)?.prints("in\n")?;
    assert_eq!(target.logins(), 1);
    Ok(())
}

#[test]
fn what_takes_too_long_is_ended_and_told() -> Result<()> {
    let mut sleep = Command::new(programs::find("sleep")?);
    let mut live = Live::start(sleep.arg("600"))?;
    let id = live.id();
    assert!(live.runs());
    let failure = live
        .finish(Duration::from_millis(50))
        .map(drop)
        .map_err(|failure| failure.to_string());
    assert_eq!(
        failure
            .as_ref()
            .map_err(|text| text.contains("still ran after 50ms")),
        Err(true),
        "{failure:?}"
    );
    assert!(!std::path::Path::new(&format!("/proc/{id}")).exists());
    let missing = programs::find("no-such-program")
        .map(drop)
        .map_err(|failure| failure.to_string());
    assert_eq!(
        missing,
        Err("no-such-program is missing; `cargo xtask test` installs it".to_owned())
    );
    let mut sh = Command::new(programs::find("sh")?);
    let output = process::run_with(sh.arg("-c").arg("cat; echo err >&2; kill -TERM $$"), b"in")?;
    assert_eq!(
        (output.status, output.out().as_str(), output.err().as_str()),
        (143, "in", "err\n")
    );
    Ok(())
}
