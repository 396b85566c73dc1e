//! Alerts of sessions on their way to somebody's service: signed, kept while it is away, and told again until it takes them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hallpass_tests::process::{LIMIT, Service};
use hallpass_tests::watch::until;
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Result, World, ports, programs};
use serde_json::Value;

/// Somebody's service, and what it has heard.
struct Hook {
    dir: tempfile::TempDir,
    port: u16,
}

impl Hook {
    fn new() -> Result<Self> {
        let hook = Self {
            dir: tempfile::tempdir()?,
            port: ports::free()?,
        };
        hook.write("secret", &"s".repeat(40))?;
        hook.write("mode", "busy")?;
        Ok(hook)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        fs::write(self.path(name), text)?;
        let private = fs::Permissions::from_mode(0o600);
        Ok(fs::set_permissions(self.path(name), private)?)
    }

    fn start(&self) -> Result<Service> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/hook.py");
        let mut python = Command::new(programs::find("python3")?);
        python.arg(script).arg(self.dir.path());
        python.arg(self.port.to_string());
        let mut service = Service::start("hook", &mut python, &self.path("log"))?;
        service.wait_port(self.port, LIMIT)?;
        Ok(service)
    }

    fn heard(&self) -> Result<Vec<Value>> {
        let text = fs::read_to_string(self.path("heard")).unwrap_or_default();
        let alerts = text.lines().map(serde_json::from_str);
        alerts
            .collect::<std::result::Result<_, _>>()
            .map_err(|e| Failure::new(e.to_string()))
    }

    fn refused(&self, status: u16) -> usize {
        let text = fs::read_to_string(self.path("refused")).unwrap_or_default();
        let status = status.to_string();
        text.lines()
            .filter(|line| line.starts_with(&status))
            .count()
    }
}

#[test]
fn an_alert_is_signed_and_told_again_until_it_is_taken_over_a_restart_too() -> Result<()> {
    let hook = Hook::new()?;
    hook.write("other", &"o".repeat(40))?;
    let extra = format!(
        "[alert]\nurl = \"http://127.0.0.1:{}/alerts?from=hallpass\"\nsecret-file = \"{}\"\n",
        hook.port,
        hook.path("other").display()
    );
    let (mut world, at) = World::on_web1_as(&Setup {
        extra,
        look: "alerts = [{ name = \"late\", screen = 'secret' }]".to_owned(),
        ..Setup::default()
    })?;

    // Nobody listens there: it waits on the disk, and the session has not waited for it.
    world
        .jump(&[&at, "echo the secret"])?
        .ok()?
        .prints("secret")?;
    world.ca()?.wait_log("an alert was not taken", LIMIT)?;
    let kept = world.root().join("site/ca/alerts");
    let waiting = || -> Result<usize> { Ok(fs::read_dir(&kept).map_or(0, Iterator::count)) };
    until("it is kept", || Ok(waiting()? == 1))?;
    assert_eq!(hook.heard()?, [] as [Value; 0]);

    // A new CA takes it up again. What is signed with another secret is not taken, and nor is it by one who is busy.
    world.kill_ca();
    let _service = hook.start()?;
    world.start_ca()?;
    until("it is told", || Ok(hook.refused(403) > 0))?;
    assert_eq!(waiting()?, 1);
    hook.write("other", &"s".repeat(40))?;
    until("it is told with the right secret", || {
        Ok(hook.refused(503) > 0)
    })?;
    assert_eq!(waiting()?, 1);
    hook.write("mode", "up")?;
    until("it is taken", || Ok(hook.heard()?.len() == 1))?;
    let heard = hook.heard()?;
    let event = heard
        .first()
        .map(|alert| alert["event"]["session-alert"].clone());
    let event = event.unwrap_or_default();
    assert_eq!(event["person"], "alice", "{heard:?}");
    assert_eq!(event["alert"], "late", "{heard:?}");
    until("it waits no more", || Ok(waiting()? == 0))?;

    // The next one comes at once, and neither twice.
    world.jump(&[&at, "echo the secret"])?.ok()?;
    until("the next one", || Ok(hook.heard()?.len() == 2))?;
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(hook.heard()?.len(), 2);
    assert_eq!((hook.refused(404), hook.refused(400)), (0, 0));
    world.end()
}
