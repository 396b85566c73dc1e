//! Reading is an access like any other: what a reviewer sees at the bastion, and what stands in the log then.

use std::fs;

use hallpass_tests::process::LIMIT;
use hallpass_tests::watch::{entries, until};
use hallpass_tests::{Failure, Result, World};

fn readings(world: &World) -> Result<Vec<String>> {
    let text = entries(world)?;
    let lines = text.lines().filter(|line| line.contains("\"reading\""));
    Ok(lines.map(str::to_owned).collect())
}

#[test]
fn who_is_given_reading_is_told_how_to_read() -> Result<()> {
    let world = World::reviewed("")?;
    let again = [
        "ca",
        "request",
        "review@bastion",
        "--reason",
        "the next day",
    ];
    let given = world.bob.ssh(&again)?.ok()?;
    given.says("next:  ssh -t review@bastion ls\n")?;
    Ok(())
}

#[test]
fn promise_40_what_is_read_and_ended_stands_in_the_log() -> Result<()> {
    let world = World::reviewed("")?;
    let (session, id) = world.running(&["-tt"], "echo started; sleep 600")?;
    let listed = world.bob.ssh(&["review@bastion", "ls", "--live"])?.ok()?;
    let line = listed.out();
    let line = line.lines().find(|line| line.starts_with(&id));
    let line = line.ok_or_else(|| Failure::new(format!("{id} is not listed: {listed}")))?;
    assert!(line.contains(" live ") && line.contains("alice"), "{line}");
    assert!(
        listed.out().lines().all(|line| line.len() <= 80),
        "{listed}"
    );
    assert!(readings(&world)?.is_empty(), "a list shows no recording");

    let cat = world.bob.ssh(&["review@bastion", "cat", &id])?.ok()?;
    assert!(cat.out().is_ascii(), "{cat}");
    for line in cat.out().lines() {
        serde_json::from_str::<serde_json::Value>(line)
            .map_err(|e| Failure::new(format!("{line:?}: {e}")))?;
    }
    assert!(cat.out().contains("started"), "{cat}");
    let read = readings(&world)?;
    assert_eq!(read.len(), 1, "{read:?}");
    let line = read.first().map(String::as_str).unwrap_or_default();
    assert!(
        line.contains(&id) && line.contains("\"bob\"") && line.contains("\"cat\""),
        "{line}"
    );

    let killed = world.bob.ssh(&[
        "review@bastion",
        "kill",
        &id,
        "--reason",
        "stuck since noon",
    ])?;
    assert!(killed.ok()?.out().contains("is ended"));
    let output = session.finish(LIMIT)?;
    assert_eq!(output.status, 255, "{output}");
    output.says("session ended by bob: stuck since noon")?;
    until("the log has the end", || {
        Ok(entries(&world)?.contains("\"reason\":\"killed\""))
    })?;
    assert_eq!(readings(&world)?.len(), 2);
    let again = world
        .bob
        .ssh(&["review@bastion", "kill", &id, "--reason", "again"])?
        .exits(1)?;
    again.says("does not run here")?;
    assert_eq!(readings(&world)?.len(), 2, "nothing was ended");
    let stored = world
        .bob
        .ssh(&["review@bastion", "cat", "--stored", &id])?
        .ok()?;
    let own = fs::read(world.first_recording(LIMIT)?)?;
    assert!(stored.stdout == own, "stored bytes are the file's");
    world.end()
}

#[test]
fn a_role_reads_its_own_sessions_and_no_others() -> Result<()> {
    let world = World::reviewed("")?;
    world.take(&world.carol, &world.at_db1(), &[])?;
    world
        .carol
        .ssh(&["-J", "bastion", &world.at_db1(), "true"])?
        .ok()?;
    let text = entries(&world)?;
    let begun = text.lines().filter(|line| line.contains("session-begin"));
    let ids = begun.filter_map(|line| line.split("\"session\":\"").nth(1)?.get(..26));
    // One that is over, and one that never was: nobody learns which is which.
    let ids: Vec<_> = ids.chain(["00000000020000000000000000"]).collect();
    assert_eq!(ids.len(), 2, "{text}");
    let listed = world.bob.ssh(&["review@bastion", "ls"])?.ok()?;
    for id in &ids {
        assert!(!listed.out().contains(id), "{listed}");
        for words in [
            "cat ID",
            "cat --stored ID",
            "kill ID --reason x",
            "erase ID --reason x",
            "hold ID --reason x",
        ] {
            let refused = world
                .bob
                .ssh(&["review@bastion", &words.replace("ID", id)])?;
            let refused = refused.exits(1)?;
            assert_eq!(
                refused.err().replace(id, "ID"),
                "hallpass: this bastion began no session ID\n",
                "{words}"
            );
            assert!(refused.stdout.is_empty(), "{refused}");
        }
    }
    assert!(readings(&world)?.is_empty());
    world.end()
}

#[test]
fn while_the_ca_is_away_nothing_is_shown_and_nothing_is_ended() -> Result<()> {
    let mut world = World::reviewed("")?;
    let (mut live, id) = world.running(&["-tt"], "echo started; sleep 600")?;
    world.kill_ca();
    for command in [
        vec!["ls"],
        vec!["cat", &id],
        vec!["kill", &id, "--reason", "x"],
    ] {
        let refused = world.bob.ssh(&[&["review@bastion"], &*command].concat())?;
        let refused = refused.exits(1)?.says("the CA cannot be reached")?;
        assert!(refused.stdout.is_empty(), "{refused}");
    }
    assert!(live.runs());
    world.start_ca()?;
    until("the CA lets it be ended", || {
        let killed = world
            .bob
            .ssh(&["review@bastion", "kill", &id, "--reason", "x"])?;
        Ok(killed.status == 0)
    })?;
    live.finish(LIMIT)?.says("session ended by bob: x")?;
    world.end()
}

#[test]
fn a_certificate_for_one_thing_opens_nothing_else() -> Result<()> {
    let world = World::reviewed("")?;
    let refused = world
        .alice
        .ssh(&["-v", "review@bastion", "ls"])?
        .exits(255)?;
    refused.says("the certificate is not for review@bastion")?;
    let user = "review%bastion@bastion";
    let refused = world.bob.ssh(&[user, "help"])?.ok()?;
    assert!(
        refused.out().contains("asciicast"),
        "the same in its long form"
    );
    let inner = world
        .bob
        .ssh(&["-J", "bastion", "review@bastion", "true"])?;
    assert_ne!(inner.status, 0, "{inner}");
    for bad in ["../../identity", "/etc/passwd", "identity"] {
        let refused = world
            .bob
            .ssh(&["review@bastion", "cat", "--stored", bad])?
            .exits(2)?;
        assert!(refused.says("session")?.stdout.is_empty());
    }
    let sftp = world.bob.ssh(&["-s", "review@bastion", "sftp"])?;
    assert_ne!(sftp.status, 0, "{sftp}");
    world.end()
}
