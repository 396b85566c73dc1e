//! Groups that a program names.

use std::fs;

use hallpass_tests::Result;
use hallpass_tests::process::LIMIT;
use serde_json::Value;

use super::{Outside, approve, entries, until};

const GROUPS: &str = r#"
[groups]
command = ["/bin/sh", "DIR/groups.sh"]
names = ["night"]
every = "1s"
timeout = "1s"
stale = "3s"

[role.night]
groups = ["night"]
logins = ["backup"]
targets = ["web1.prod"]
approvals = { count = 1, from = "night" }
"#;

const GROUPS_SH: &str = r#"cd "$(dirname "$0")" || exit 1
case "$(cat mode)" in
good) cat groups.json ;;
hang) sleep 60 & echo $! >> pids; wait ;;
garbage) echo '{"version":1' ;;
huge) yes ;;
fail) echo 'the directory is down' >&2; exit 3 ;;
esac
"#;

fn members(names: &str) -> String {
    format!(r#"{{"version":1,"groups":{{"night":[{names}],"sre":["alice"]}}}}"#)
}

#[test]
fn a_group_that_somebody_left_between_approval_and_issue_gives_nothing() -> Result<()> {
    let outside = Outside::new()?;
    outside.write("groups.sh", GROUPS_SH)?;
    outside.write("mode", "good")?;
    outside.write("groups.json", &members(r#""alice","bob","eve""#))?;
    let mut world = outside.world(GROUPS)?;
    until(&world.alice, &["ca", "whoami"], |said| {
        said.contains("night")
    })?;
    // The program says nothing of groups that are not its own.
    let who = world.alice.ssh(&["ca", "whoami"])?.ok()?.out();
    assert!(!who.contains("sre"), "{who}");
    world.ca()?.wait_log("not registered", LIMIT)?;
    let asked = world.ask(&world.alice, "backup@web1.prod", &["--no-wait"])?;
    asked.live.finish(LIMIT)?.ok()?;
    approve(&world.carol, &asked.id)?
        .exits(2)?
        .says("no request")?;
    approve(&world.bob, &asked.id)?
        .ok()?
        .says("approved: alice has")?;
    outside.write("groups.json", &members(r#""bob""#))?;
    until(&world.alice, &["ca", "whoami"], |said| {
        !said.contains("night")
    })?;
    let collect = ["ca", "collect", asked.id.as_str()];
    world
        .alice
        .ssh(&collect)?
        .exits(1)?
        .says("not this person's any more")?;
    // The log alone says why: who was in the group when it was granted, and that the grant is under that policy.
    let groups = entries(&world, "groups")?;
    let grant = entries(&world, "grant")?.remove(0);
    let night = |entry: &Value| entry["groups"]["night"].to_string();
    let said: Vec<String> = groups.iter().map(night).collect();
    assert_eq!(said, [r#"["alice","bob"]"#, r#"["bob"]"#]);
    assert_eq!(grant["policy"], groups[0]["policy"]);
    assert_ne!(groups[0]["policy"], groups[1]["policy"]);
    // Put back, it is still the same grant.
    outside.write("groups.json", &members(r#""alice","bob""#))?;
    until(&world.alice, &["ca", "whoami"], |said| {
        said.contains("night")
    })?;
    world.alice.ssh(&collect)?.ok()?;
    // A reload asks the program again, and forgets nothing that it said.
    world.ca()?.signal("HUP")?;
    world
        .ca()?
        .wait_log("the configuration was reloaded", LIMIT)?;
    world.alice.ssh(&["ca", "whoami"])?.ok()?.prints("night")?;
    world.end()
}

#[test]
fn a_program_that_does_not_answer_leaves_its_groups_empty() -> Result<()> {
    let outside = Outside::new()?;
    outside.write("groups.sh", GROUPS_SH)?;
    outside.write("mode", "hang")?;
    outside.write("groups.json", &members(r#""alice","bob""#))?;
    let mut world = outside.world(GROUPS)?;
    let whoami = ["ca", "whoami"];
    world.ca()?.wait_log("no answer within 1s", LIMIT)?;
    let who = world.alice.ssh(&whoami)?.ok()?.out();
    assert!(who.contains("oncall") && !who.contains("night"), "{who}");
    for (mode, words) in [
        ("fail", "the directory is down"),
        ("garbage", "is not understood"),
        ("huge", "longer than 4194304 bytes"),
        ("hang", "no answer within"),
    ] {
        outside.write("mode", "good")?;
        until(&world.alice, &whoami, |said| said.contains("night"))?;
        outside.write("mode", mode)?;
        // What it said is good until it is stale, and no longer.
        until(&world.alice, &whoami, |said| !said.contains("night"))?;
        world.ca()?.wait_log(words, LIMIT)?;
    }
    let last = entries(&world, "groups")?.pop().unwrap_or_default();
    assert_eq!(last["answer"], Value::Null, "the log says that it is stale");
    // Nothing that a late program started is left.
    let pids = fs::read_to_string(outside.path("pids"))?;
    world.ca()?.signal("TERM")?;
    world.ca()?.wait(LIMIT)?;
    for pid in pids.lines() {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let sleeps = stat.contains("(sleep)") && !stat.contains(") Z ");
        assert!(!sleeps, "{pid} still runs: {stat}");
    }
    world.end()
}
