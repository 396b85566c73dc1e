//! Break-glass: taken at once, told at once, counted, proven where the role wants it, and looked at by somebody else.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use hallpass_tests::access::request_id;
use hallpass_tests::process::{self, LIMIT};
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Output, Pager, Person, Result, World, keys};
use serde_json::Value;

/// Roles beside the usual ones; nobody can log in as their accounts.
const ROLES: &str = r#"
[role.once]
groups = ["oncall"]
logins = ["owner"]
targets = ["db1.prod"]
approvals = { count = 1, from = "sre" }
break-glass = { per-week = 1 }

[role.strict]
groups = ["oncall"]
logins = ["strict"]
targets = ["db1.prod"]
approvals = { count = 1, from = "sre" }
break-glass = { review = { count = 2, from = "sre", within = "10s" }, blocks = true }

[report]
auditors = ["security"]
"#;

fn world_with(extra: &str) -> Result<World> {
    World::with(&Setup {
        extra: format!("{ROLES}{extra}"),
        ..Setup::default()
    })
}

/// Takes an access with break-glass, and saves the certificate. Gives the request's id.
fn take(world: &World, access: &str, more: &[&str]) -> Result<String> {
    let mut args = vec!["ca", "request", access, "--break-glass"];
    args.extend(more);
    args.extend(["--reason", "INC-42 disk full"]);
    let given = world.alice.ssh(&args)?.ok()?;
    given.clone().says("BREAK-GLASS")?;
    world.alice.save_certificate(&given.stdout)?;
    request_id(&given.err())
}

/// Signs a review's text with the real `ssh-keygen`, and pastes the signature.
fn review(
    reviewer: &Person,
    key: &Path,
    signer: &Person,
    id: &str,
    said: &[&str],
) -> Result<Output> {
    let mut show = vec!["ca", "review", id, "--text"];
    show.extend(said);
    let shown = signer.ssh(&show)?;
    if shown.status != 0 {
        return Ok(shown);
    }
    let mut sign = reviewer.command("ssh-keygen")?;
    sign.args(["-Y", "sign", "-n", "review@hallpass", "-f"])
        .arg(key)
        .env_remove("SSH_AUTH_SOCK");
    let signature = process::run_with(&mut sign, &shown.stdout)?.ok()?.stdout;
    let mut args = vec!["ca", "review", id];
    args.extend(said);
    signer.ssh_with(&args, &signature)
}

#[test]
fn break_glass_is_told_at_once_and_reviewed_by_somebody_else() -> Result<()> {
    let pager = Pager::new(false)?;
    let world = world_with(&pager.table())?;
    let mut watching = world.bob.ssh_live(&["ca", "pending", "--watch"])?;
    watching.wait_out("nothing waits", LIMIT)?;
    let id = take(&world, &world.at_db1(), &[])?;
    watching.wait_out("BREAK-GLASS: alice has", Duration::from_secs(5))?;
    let alert = pager.wait("break-glass", Duration::from_secs(5))?;
    assert_eq!(
        alert["event"]["break-glass"]["request"],
        Value::from(id.as_str())
    );
    assert_eq!(alert["tell"], serde_json::json!(["bob", "carol"]));
    let at = world.at_db1();
    world.jump(&[&at, "echo in"])?.ok()?.prints("in\n")?;

    let said = ["--accept", "the", "disk", "was", "full"];
    let early = world
        .bob
        .ssh(&[&["-A", "ca", "review", &id], &said[..]].concat())?;
    early.exits(1)?.says("it runs until")?;
    world.alice.ssh(&["ca", "return", &id])?.ok()?;
    // The bastion tells the end of the session a moment later.
    let end = Instant::now() + LIMIT;
    while world
        .bob
        .ssh(&["ca", "sessions"])?
        .ok()?
        .out()
        .contains("running")
    {
        assert!(Instant::now() < end, "the session ends");
    }
    let own = world
        .alice
        .ssh(&[&["-A", "ca", "review", &id], &said[..]].concat())?;
    own.exits(1)?
        .says("nobody reviews what they did themselves")?;
    world
        .bob
        .ssh(&["ca", "whoami"])?
        .ok()?
        .says("1 taken with break-glass waits for your review")?;
    world
        .bob
        .ssh(&["ca", "pending"])?
        .ok()?
        .prints("for you to review")?;
    let paid = review(&world.bob, &world.bob.key(), &world.bob, &id, &said)?;
    paid.ok()?.says("nothing more is owed")?;
    let shown = world.alice.ssh(&["ca", "show", &id, "--json"])?.ok()?.out();
    let shown: Value = serde_json::from_str(&shown).map_err(|e| Failure::new(e.to_string()))?;
    assert_eq!(shown["debt"]["paid"], Value::Bool(true));
    assert_eq!(shown["debt"]["reviews"][0]["person"], "bob");
    stock_verifies(&world, &shown["debt"]["reviews"][0])?;
    world
        .bob
        .ssh(&["ca", "sessions"])?
        .ok()?
        .prints("(break-glass, review accepted)")?;
    let again = world
        .carol
        .ssh(&[&["-A", "ca", "review", &id], &said[..]].concat())?;
    again.exits(1)?.says("nothing waits for a review here")?;

    reported(&world, &id)?;
    world.end()
}

/// The signature of a review, as `ssh ca show --json` has it, checked by the stock program.
fn stock_verifies(world: &World, review: &Value) -> Result<()> {
    let (file, signers) = (world.root().join("r.sig"), world.root().join("signers"));
    fs::write(&file, review["signature"].as_str().unwrap_or_default())?;
    fs::write(
        &signers,
        format!("bob {}\n", keys::public_line(&world.bob.key())?),
    )?;
    let mut command = world.bob.command("ssh-keygen")?;
    command
        .args(["-Y", "verify", "-n", "review@hallpass", "-I", "bob", "-f"])
        .arg(&signers)
        .arg("-s")
        .arg(&file);
    let text = review["text"].as_str().unwrap_or_default();
    process::run_with(&mut command, text.as_bytes())?
        .ok()
        .map(drop)
}

/// Carol audits; Bob and Alice may not.
fn reported(world: &World, id: &str) -> Result<()> {
    for nobody in [&world.alice, &world.bob] {
        nobody
            .ssh(&["ca", "report"])?
            .exits(1)?
            .says("only members of security see the report")?;
    }
    let json = world
        .carol
        .ssh(&["ca", "report", "--since", "1d", "--json"])?
        .ok()?
        .out();
    let report: Value = serde_json::from_str(&json).map_err(|e| Failure::new(e.to_string()))?;
    let list = |name: &str| report.get(name).and_then(Value::as_array).cloned();
    let rows = list("rows").unwrap_or_default();
    let row = rows
        .iter()
        .find(|row| row["person"] == "alice" && row["role"] == "db-oncall");
    let row = row.ok_or_else(|| Failure::new(json.clone()))?;
    for (key, count) in [
        ("asked", 1),
        ("granted", 1),
        ("used", 1),
        ("sessions", 1),
        ("break-glass", 1),
        ("owed", 0),
    ] {
        assert_eq!(row[key], Value::from(count), "{key} in {row}");
    }
    let unused = list("unused-roles").unwrap_or_default();
    assert!(unused.contains(&Value::from("web-look")), "{json}");
    let csv = world
        .carol
        .ssh(&["ca", "report", "--csv", "--requests"])?
        .ok()?
        .out();
    assert!(csv.starts_with("\"request\",\"person\","), "{csv}");
    assert!(
        csv.contains(&format!("\r\n\"{id}\",\"alice\",\"db-oncall\",")),
        "{csv}"
    );
    // A reason that a spreadsheet would take for a formula is text in it.
    let formula = world.ask(
        &world.alice,
        &world.at_web1(),
        &["--no-wait", "--reason", "=HYPERLINK(1)"],
    );
    drop(formula);
    let plain = world
        .carol
        .ssh(&["ca", "report", "--person", "alice"])?
        .ok()?;
    plain.prints("Roles that nobody used: ")?;
    Ok(())
}

#[test]
fn break_glass_is_counted_over_a_week() -> Result<()> {
    let pager = Pager::new(false)?;
    let mut world = world_with(&pager.table())?;
    take(&world, "owner@db1.prod", &[])?;
    let more = [
        "ca",
        "request",
        "owner@db1.prod",
        "--break-glass",
        "--reason",
        "again",
    ];
    for _ in 0..3 {
        world
            .alice
            .ssh(&more)?
            .exits(1)?
            .says("the next is free 20")?;
    }
    let alert = pager.wait("quota", Duration::from_secs(5))?;
    assert_eq!(alert["event"]["quota"]["person"], "alice");
    // A restart forgets nothing, and another role has a week of its own.
    world.kill_ca();
    world.start_ca()?;
    world
        .alice
        .ssh(&more)?
        .exits(1)?
        .says("the next is free 20")?;
    let last = take(&world, &world.at_db1(), &[])?;
    pager.wait_text(&last, LIMIT)?;
    // Alerts come in order: three refusals in a row were one, and one more after the restart.
    assert_eq!(pager.events().matches("quota").count(), 2);
    world.end()
}

#[test]
fn an_overdue_review_blocks_until_it_is_paid() -> Result<()> {
    let pager = Pager::new(false)?;
    let world = world_with(&pager.table())?;
    let id = take(&world, "strict@db1.prod", &["--for", "10s"])?;
    // Ten seconds of the grant, and ten for the review.
    let alert = pager.wait("debt-unpaid", Duration::from_secs(40))?;
    assert_eq!(
        alert["event"]["debt-unpaid"]["request"],
        Value::from(id.as_str())
    );
    let ask = ["ca", "request", &world.at_web1(), "--reason", "routine"];
    world
        .alice
        .ssh(&ask)?
        .exits(1)?
        .says(&format!("the review of {id} is overdue"))?;
    // An emergency is another matter.
    take(&world, &world.at_db1(), &[])?;
    world
        .bob
        .ssh(&["ca", "pending", "--reviews"])?
        .ok()?
        .prints("OVERDUE")?;
    let said = ["--reject", "nothing was wrong with the disk"];
    let first = world
        .bob
        .ssh(&[&["-A", "ca", "review", &id], &said[..]].concat())?
        .ok()?;
    first.says("1 more of sre still have to")?;
    let twice = world
        .bob
        .ssh(&[&["-A", "ca", "review", &id], &said[..]].concat())?;
    twice.exits(1)?.says("you have reviewed this already")?;
    world.alice.ssh(&ask)?.exits(1)?.says("is overdue")?;
    // Bob's signature does not become Carol's by her login.
    let stolen = review(&world.bob, &world.bob.key(), &world.carol, &id, &said)?;
    stolen.exits(1)?.says("signed by an unknown key")?;
    world
        .carol
        .ssh(&["-A", "ca", "review", &id, "--accept", "it was"])?
        .ok()?;
    pager.wait("review-rejected", Duration::from_secs(5))?;
    world.alice.ssh(&ask)?.ok()?;
    let log = fs::read_to_string(world.log().join("entries"))?;
    assert_eq!(log.matches("\"overdue\"").count(), 1, "announced once");
    world.end()
}

#[test]
fn a_second_key_is_the_same_person_who_reviews_nothing_of_theirs() -> Result<()> {
    let spare = tempfile::Builder::new().prefix("hp-").tempdir()?;
    let second = spare.path().join("second");
    keys::make(&second, "alice@desktop")?;
    let mut world = world_with("")?;
    let line = keys::public_line(&world.alice.key())?;
    let text = fs::read_to_string(world.config())?;
    let both = format!("keys = [\"{line}\", \"{}\"]", keys::public_line(&second)?);
    let groups = "[person.alice]\ngroups = [\"oncall\"";
    let text = text
        .replace(&format!("keys = [\"{line}\"]"), &both)
        .replace(groups, &format!("{groups}, \"sre\""));
    fs::write(world.config(), text)?;
    world.kill_ca();
    world.start_ca()?;
    let id = take(&world, "owner@db1.prod", &[])?;
    world.alice.ssh(&["ca", "return", &id])?.ok()?;
    let said = ["--accept", "by my other key"];
    for key in [&world.alice.key(), &second] {
        let own = review(&world.alice, key, &world.alice, &id, &said)?;
        own.exits(1)?
            .says("nobody reviews what they did themselves")?;
        let by_bob = review(&world.alice, key, &world.bob, &id, &said)?;
        by_bob.exits(1)?.says("signed by an unknown key")?;
    }
    review(&world.bob, &world.bob.key(), &world.bob, &id, &said)?.ok()?;
    world.end()
}

#[test]
fn break_glass_needs_nobody_else() -> Result<()> {
    let pager = Pager::new(true)?;
    let mut world = world_with(&pager.table())?;
    world.kill_bastion();
    process::signal(world.bob.agent_id(), "KILL")?;
    process::signal(world.carol.agent_id(), "KILL")?;
    let began = Instant::now();
    take(&world, "owner@db1.prod", &[])?;
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "nobody is waited for"
    );
    // What nobody took is taken up again by the next start.
    world.kill_ca();
    pager.go_up()?;
    world.start_ca()?;
    pager.wait("break-glass", LIMIT)?;
    let events = pager.events();
    assert!(events.contains("break-glass"), "{events}");
    world.end()
}
