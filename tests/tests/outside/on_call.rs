//! Approvers who are on call, by a calendar or by a program.

use std::fs;

use hallpass_tests::Result;
use hallpass_tests::process::LIMIT;

use super::{Outside, approve, calendar, entries, until};

const ON_CALL: &str = r#"
[on-call.primary]
calendar = "DIR/oncall.ics"
zone = "UTC"
persons = { "c.smith@example.org" = "carol" }

[role.night]
groups = ["oncall"]
logins = ["backup"]
targets = ["web1.prod"]
approvals = { count = 1, from = "sre", on-call = "primary" }

[role.both]
groups = ["oncall"]
logins = ["admin"]
targets = ["web1.prod"]
approvals = [{ count = 1, from = "sre", on-call = "primary" }, { count = 1, from = "security" }]
"#;

#[test]
fn only_who_is_on_call_approves_and_a_hand_over_counts_at_once() -> Result<()> {
    let outside = Outside::new()?;
    outside.write("oncall.ics", &calendar("SUMMARY:bob"))?;
    let world = outside.world(ON_CALL)?;
    let asked = world.ask(&world.alice, "backup@web1.prod", &[])?;
    let show = ["ca", "show", asked.id.as_str()];
    until(&world.alice, &show, |said| {
        said.contains("(bob, by roster primary)")
    })?;
    approve(&world.carol, &asked.id)?
        .exits(1)?
        .says("by roster primary that is bob")?;
    // Nobody: the person who waits is told so.
    outside.write("oncall.ics", "BEGIN:VCALENDAR\r\nRDATE\r\n")?;
    until(&world.alice, &show, |said| {
        said.contains("nobody is, by roster primary")
    })?;
    approve(&world.bob, &asked.id)?
        .exits(1)?
        .says("that is nobody")?;
    let pending = world.alice.ssh(&["ca", "pending"])?.ok()?.out();
    assert!(pending.contains("nobody is, by"), "{pending}");
    // The hand-over.
    outside.write(
        "oncall.ics",
        &calendar("ATTENDEE:mailto:C.Smith@example.org"),
    )?;
    until(&world.alice, &show, |said| {
        said.contains("(carol, by roster primary)")
    })?;
    approve(&world.bob, &asked.id)?
        .exits(1)?
        .says("that is carol")?;
    approve(&world.carol, &asked.id)?.ok()?;
    asked
        .live
        .finish(LIMIT)?
        .ok()?
        .says("nobody is, by roster primary")?;
    let approval = entries(&world, "approval")?.remove(0);
    assert_eq!(approval["on-call"], serde_json::json!(["primary"]));
    let grant = entries(&world, "grant")?.remove(0);
    assert_eq!(grant["on-call"], serde_json::json!({"primary": ["carol"]}));
    world.end()
}

#[test]
fn an_approval_before_the_hand_over_does_not_count_after_it() -> Result<()> {
    let outside = Outside::new()?;
    outside.write("oncall.ics", &calendar("SUMMARY:bob"))?;
    let world = outside.world(ON_CALL)?;
    let asked = world.ask(&world.alice, "admin@web1.prod", &["--no-wait"])?;
    asked.live.finish(LIMIT)?.ok()?;
    let show = ["ca", "show", asked.id.as_str()];
    until(&world.alice, &show, |said| {
        said.contains("(bob, by roster primary)")
    })?;
    approve(&world.bob, &asked.id)?
        .ok()?
        .says("still needs 1 of group security")?;
    outside.write("oncall.ics", &calendar("SUMMARY:carol"))?;
    until(&world.alice, &show, |said| {
        said.contains("(carol, by roster primary)")
    })?;
    // Carol counts once, for one of the two; bob is not on call any more.
    approve(&world.carol, &asked.id)?
        .ok()?
        .says("still needs 1 of group")?;
    let collect = ["ca", "collect", asked.id.as_str()];
    world
        .alice
        .ssh(&collect)?
        .exits(1)?
        .says("not granted yet")?;
    outside.write("oncall.ics", &calendar("SUMMARY:bob"))?;
    until(&world.alice, &collect, |said| {
        said.contains("ssh-ed25519-cert")
    })?;
    world.end()
}

#[test]
fn a_program_may_say_who_is_on_call() -> Result<()> {
    let outside = Outside::new()?;
    outside.write("oncall.json", r#"{"version":1,"on-call":["bob","eve"]}"#)?;
    let program = r#"command = ["/bin/cat", "DIR/oncall.json"]
every = "1s"
timeout = "1s"
stale = "3s""#;
    let calendar = r#"calendar = "DIR/oncall.ics"
zone = "UTC"
persons = { "c.smith@example.org" = "carol" }"#;
    let mut world = outside.world(&ON_CALL.replace(calendar, program))?;
    world
        .hallpass(&["check", "--try"])?
        .ok()?
        .prints("[on-call.primary] on call: bob; not registered: \"eve\"")?;
    let asked = world.ask(&world.alice, "backup@web1.prod", &[])?;
    let show = ["ca", "show", asked.id.as_str()];
    until(&world.alice, &show, |said| {
        said.contains("(bob, by roster primary)")
    })?;
    fs::remove_file(outside.path("oncall.json"))?;
    until(&world.alice, &show, |said| {
        said.contains("nobody is, by roster primary")
    })?;
    world.ca()?.wait_log("No such file", LIMIT)?;
    world.hallpass(&["check"])?.ok()?;
    world
        .hallpass(&["check", "--try"])?
        .exits(1)?
        .says("[on-call.primary]: it ended with exit status: 1")?;
    approve(&world.bob, &asked.id)?
        .exits(1)?
        .says("that is nobody")?;
    outside.write("oncall.json", r#"{"version":1,"on-call":["bob"]}"#)?;
    until(&world.alice, &show, |said| {
        said.contains("(bob, by roster primary)")
    })?;
    approve(&world.bob, &asked.id)?.ok()?;
    asked.live.finish(LIMIT)?.ok()?;
    world.end()
}
