//! Groups from a program, approvers on call, and automated checks: real programs, a real server.

#[path = "outside/groups.rs"]
mod groups;
#[path = "outside/on_call.rs"]
mod on_call;
#[path = "outside/service.rs"]
mod service;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use hallpass_tests::process::LIMIT;
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Output, Person, Result, World};
use serde_json::Value;
use tempfile::TempDir;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// What the CA asks in these tests: files and programs outside of the site.
struct Outside {
    dir: TempDir,
}

impl Outside {
    fn new() -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("hp-").tempdir()?;
        let outside = Self { dir };
        outside.write("secret", SECRET)?;
        fs::set_permissions(outside.path("secret"), fs::Permissions::from_mode(0o600))?;
        Ok(outside)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Replaces a file whole.
    fn write(&self, name: &str, text: &str) -> Result<()> {
        let new = self.path("new");
        fs::write(&new, text)?;
        Ok(fs::rename(new, self.path(name))?)
    }

    /// A world with these tables; `DIR` stands for the directory.
    fn world(&self, extra: &str) -> Result<World> {
        let dir = self.dir.path().to_str().unwrap_or_default();
        let extra = extra.replace("DIR", dir);
        World::with(&Setup {
            extra,
            ..Setup::default()
        })
    }
}

/// Waits until somebody's command says this.
fn until(person: &Person, args: &[&str], good: impl Fn(&str) -> bool) -> Result<String> {
    let end = Instant::now() + LIMIT;
    loop {
        let output = person.ssh(args)?;
        let said = format!("{}{}", output.out(), output.err());
        if good(&said) {
            return Ok(said);
        }
        if Instant::now() > end {
            return Err(Failure::new(format!("{args:?} says still:\n{said}")));
        }
        sleep(Duration::from_millis(100));
    }
}

fn approve(person: &Person, id: &str) -> Result<Output> {
    person.ssh(&["-A", "ca", "approve", id])
}

/// The entries of one kind, in order.
fn entries(world: &World, kind: &str) -> Result<Vec<Value>> {
    let log = fs::read_to_string(world.log().join("entries"))?;
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let found = lines.filter_map(|line| line.get("entry")?.get(kind).cloned());
    Ok(found.collect())
}

/// A calendar by which somebody has been on call since 2020, every day.
fn calendar(whom: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//\r\nBEGIN:VEVENT\r\nUID:1\r\n\
         DTSTART;VALUE=DATE:20200101\r\nRRULE:FREQ=DAILY\r\n{whom}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

const CHECK: &str = r#"
[check.ticket]
MEANS
secret-file = "DIR/secret"
deadline = "2s"

[role.night]
groups = ["oncall"]
logins = ["backup"]
targets = ["web1.prod"]
approvals = [{ count = 1, from = "sre" }, { check = "ticket" }]

[role.alone]
groups = ["oncall"]
logins = ["admin"]
targets = ["web1.prod"]
approvals = { check = "ticket" }
"#;

/// A check in shell: it trusts nothing that openssl does not vouch for.
const CHECK_SH: &str = r#"cd "$(dirname "$0")" || exit 1
hmac() { openssl dgst -sha256 -hmac "$(cat secret)" -r | cut -c1-64; }
question=question.$$
cat > $question
mode=$(cat mode)
theirs=$( { printf 'hallpass-check-v1\n%s\n%s\n' "$HALLPASS_CHECK" "$HALLPASS_TIME"; cat $question; } | hmac)
[ "$theirs" = "$HALLPASS_MAC" ] || { echo 'not from the CA' >&2; exit 1; }
grep -q '^reason: INC-42' $question || mode=deny
reason='INC-42 is open'
[ "$mode" = deny ] && reason='INC-42 is closed'
said=$mode
case "$mode" in
hang) sleep 60 ;;
garbage) echo 'sure, why not'; exit ;;
huge) yes; exit ;;
forged) said=approve ;;
esac
mac=$(printf 'hallpass-answer-v1\n%s\n%s\n%s\n%s\n%s' "$HALLPASS_CHECK" "$HALLPASS_TIME" "$HALLPASS_DIGEST" "$mode" "$reason" | hmac)
printf '{"version":1,"verdict":"%s","reason":"%s","mac":"%s"}' "$said" "$reason" "$mac"
"#;

fn by_program() -> String {
    CHECK.replace("MEANS", r#"command = ["/bin/sh", "DIR/check.sh"]"#)
}

#[test]
fn a_check_has_to_agree_beside_the_persons() -> Result<()> {
    let outside = Outside::new()?;
    outside.write("check.sh", CHECK_SH)?;
    outside.write("mode", "approve")?;
    let world = outside.world(&by_program())?;
    world
        .hallpass(&["check", "--try"])?
        .ok()?
        .prints("[check.ticket] the program is there")?;
    world
        .alice
        .ssh(&["ca", "roles"])?
        .ok()?
        .prints("1 of sre and check ticket")?;
    // Its yes is not a person's.
    let asked = world.ask(&world.alice, "backup@web1.prod", &[])?;
    let show = ["ca", "show", asked.id.as_str()];
    let shown = until(&world.alice, &show, |said| said.contains("INC-42 is open"))?;
    assert!(
        shown.contains("waits: needs 1 of group sre (bob or carol), expires"),
        "{shown}"
    );
    approve(&world.bob, &asked.id)?
        .ok()?
        .says("approved: alice has")?;
    asked
        .live
        .finish(LIMIT)?
        .ok()?
        .says("approved by bob, check ticket")?;
    let verdict = entries(&world, "verdict")?.remove(0);
    assert_eq!(verdict["verdict"], "approve");
    assert_eq!(verdict["reason"], "INC-42 is open");
    // Where no person has to agree, it alone does.
    let alone = world.ask(&world.alice, "admin@web1.prod", &[])?;
    alone
        .live
        .finish(LIMIT)?
        .ok()?
        .says("approved by check ticket")?;
    world.end()
}

#[test]
fn the_no_of_a_check_decides() -> Result<()> {
    let outside = Outside::new()?;
    outside.write("check.sh", CHECK_SH)?;
    outside.write("mode", "deny")?;
    let world = outside.world(&by_program())?;
    let asked = world.ask(&world.alice, "backup@web1.prod", &[])?;
    let id = asked.id.clone();
    asked
        .live
        .finish(LIMIT)?
        .exits(3)?
        .says("check ticket denied the request: INC-42 is closed")?;
    approve(&world.bob, &id)?
        .exits(3)?
        .says("check ticket denied")?;
    world
        .alice
        .ssh(&["ca", "collect", &id])?
        .exits(3)?
        .says("INC-42 is closed")?;
    assert!(entries(&world, "grant")?.is_empty());
    world.end()
}

#[test]
fn a_check_that_is_not_heard_does_not_count_and_is_asked_again() -> Result<()> {
    let outside = Outside::new()?;
    outside.write("check.sh", CHECK_SH)?;
    outside.write("mode", "abstain")?;
    let mut world = outside.world(&by_program())?;
    let mut waiting = Vec::new();
    for (mode, words) in [
        ("abstain", "abstain"),
        ("forged", "its mac is not that of this answer"),
        ("garbage", "its answer is not understood"),
        ("huge", "longer than 16384 bytes"),
        ("hang", "no answer within 2s"),
    ] {
        outside.write("mode", mode)?;
        let asked = world.ask(&world.alice, "backup@web1.prod", &[])?;
        let show = ["ca", "show", asked.id.as_str()];
        until(&world.alice, &show, |said| said.contains(words))?;
        approve(&world.bob, &asked.id)?
            .ok()?
            .says("still needs check ticket")?;
        let collect = ["ca", "collect", asked.id.as_str()];
        world
            .alice
            .ssh(&collect)?
            .exits(1)?
            .says("not granted yet: needs check ticket")?;
        waiting.push(asked);
    }
    assert!(entries(&world, "grant")?.is_empty());
    // The questions outlive the CA: whoever waited is asked about again.
    world.kill_ca();
    outside.write("mode", "approve")?;
    world.start_ca()?;
    for asked in waiting {
        drop(asked.live);
        let collect = ["ca", "collect", asked.id.as_str()];
        until(&world.alice, &collect, |said| {
            said.contains("ssh-ed25519-cert")
        })?;
    }
    world.end()
}

#[test]
fn check_says_what_is_wrong_outside() -> Result<()> {
    let outside = Outside::new()?;
    outside.write("oncall.ics", &calendar("SUMMARY:bob"))?;
    outside.write("check.sh", CHECK_SH)?;
    outside.write("mode", "approve")?;
    let roster = "[on-call.primary]\ncalendar = \"DIR/oncall.ics\"\nzone = \"UTC\"\n";
    let world = outside.world(&format!("{roster}{}", by_program()))?;
    world
        .hallpass(&["check"])?
        .ok()?
        .prints("[on-call.primary] the calendar is understood\n")?;
    outside.write("oncall.ics", &calendar("RDATE:20261122T000000Z"))?;
    world
        .hallpass(&["check"])?
        .exits(1)?
        .says("oncall.ics, line 8: RDATE is not understood")?;
    outside.write("oncall.ics", &calendar("SUMMARY:nobody here"))?;
    world
        .hallpass(&["check"])?
        .ok()?
        .prints("not registered: \"nobody here\"")?;
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    open(&outside.path("secret"), 0o644)?;
    world
        .hallpass(&["check"])?
        .exits(1)?
        .says("others can read it: chmod 600")?;
    world.end()
}
