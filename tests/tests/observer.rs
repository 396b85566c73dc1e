//! Roles whose sessions go on only while somebody else watches.

use std::thread::sleep;
use std::time::{Duration, Instant};

use hallpass_tests::process::{LIMIT, Live};
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Result, World};

/// What Carol does on db1 under this role, somebody of sre has to watch.
const OBSERVED: &str = r#"
[role.db-observed]
groups = ["security"]
logins = ["LOGIN"]
targets = ["db1.prod"]
approvals = { count = 0 }
observer = { grace = "3s" }

[role.db-review]
review = true
groups = ["sre"]
logins = ["LOGIN"]
targets = ["db1.prod"]
approvals = { count = 0 }
"#;

fn world() -> Result<World> {
    let world = World::with(&Setup {
        extra: OBSERVED.to_owned(),
        ..Setup::default()
    })?;
    world.take(&world.carol, &world.at_db1(), &["--role", "db-observed"])?;
    world.take(&world.bob, "review@bastion", &["--role", "db-review"])?;
    Ok(world)
}

/// Carol's session, which waits, and its identifier.
fn waiting(world: &World, command: &str) -> Result<(Live, String)> {
    let mut session = world
        .carol
        .ssh_live(&["-tt", "-J", "bastion", &world.at_db1(), command])?;
    session.wait_err("waiting for somebody to watch: ", LIMIT)?;
    let said = session.err();
    let id = said.split(" watch ").nth(1).and_then(|id| id.get(..26));
    let id = id.ok_or_else(|| Failure::new(format!("no session in {said}")))?;
    Ok((session, id.to_owned()))
}

fn look_on(world: &World, id: &str) -> Result<Live> {
    let mut live = world
        .bob
        .ssh_live(&["-tt", "review@bastion", "watch", id])?;
    live.wait_out("q leaves", LIMIT)?;
    Ok(live)
}

#[test]
fn nothing_reaches_the_target_before_somebody_else_watches() -> Result<()> {
    let world = world()?;
    let before = world.db1.logins();
    let (mut session, id) = waiting(&world, "echo started; read x; echo got-$x")?;
    session.send("typed-early\n")?;
    // Carol may read her own sessions under this role, and is nobody else.
    world.take(&world.carol, "review@bastion", &["--role", "db-review"])?;
    let mut herself = world
        .carol
        .ssh_live(&["-tt", "review@bastion", "watch", &id])?;
    herself.wait_out("q leaves", LIMIT)?;
    sleep(Duration::from_secs(1));
    assert_eq!(world.db1.logins(), before, "the target has heard of it");
    assert!(!session.out().contains("started"), "{}", session.out());
    let watcher = look_on(&world, &id)?;
    session.wait_out("got-typed-early", LIMIT)?;
    session.finish(LIMIT)?.ok()?;
    watcher.finish(LIMIT)?.ok()?;
    herself.finish(LIMIT)?.ok()?;
    world.end()
}

/// Whoever watched while the target was slow to answer, and has left by then, watches nothing.
#[test]
fn nothing_runs_on_a_target_that_is_reached_after_the_last_one_has_left() -> Result<()> {
    let mut world = world()?;
    let flag = world.root().join("flag");
    let command = format!(
        "if [ -e {} ]; then echo ran-$((40+2)); else echo ran-alone; fi",
        flag.display()
    );
    // The target is given ten seconds. On a busy machine somebody may take longer to come and go.
    for _ in 0..10 {
        let before = world.db1.logins();
        let (mut session, id) = waiting(&world, &command)?;
        world.db1.sshd()?.signal("STOP")?;
        let mut watcher = look_on(&world, &id)?;
        watcher.send("q")?;
        watcher.finish(LIMIT)?.ok()?;
        world.db1.sshd()?.signal("CONT")?;
        hallpass_tests::watch::until("the target is reached, or too late", || {
            Ok(world.db1.logins() > before || !session.runs())
        })?;
        if !session.runs() {
            session.finish(LIMIT)?.says("does not answer")?;
            continue;
        }
        // Far longer than the request for the command takes after the login.
        sleep(Duration::from_secs(1));
        assert!(!session.out().contains("ran"), "{}", session.out());
        std::fs::write(&flag, "")?;
        let watcher = look_on(&world, &id)?;
        session.finish(LIMIT)?.ok()?.prints("ran-42")?;
        watcher.finish(LIMIT)?.ok()?;
        return world.end();
    }
    Err(Failure::new("the target was never reached in time"))
}

#[test]
fn no_byte_passes_while_nobody_watches_and_all_of_them_do_afterwards() -> Result<()> {
    let world = world()?;
    let count = "stty -echo; echo started; n=0; while read x; do n=$((n+1)); echo heard-$x; done";
    let (mut session, id) = waiting(&world, count)?;
    let mut watcher = look_on(&world, &id)?;
    session.wait_out("started", LIMIT)?;
    session.send("one\n")?;
    session.wait_out("heard-one", LIMIT)?;
    watcher.send("q")?;
    watcher.finish(LIMIT)?.ok()?;
    session.wait_err("nobody watches", LIMIT)?;
    let out = session.out();
    session.send("two\n")?;
    sleep(Duration::from_millis(1200));
    assert_eq!(session.out(), out, "a byte has passed");
    let watcher = look_on(&world, &id)?;
    session.wait_err("the session goes on", LIMIT)?;
    session.wait_out("heard-two", LIMIT)?;
    drop(watcher);
    let begin = Instant::now();
    let output = session.finish(LIMIT)?.exits(255)?;
    assert!(begin.elapsed() > Duration::from_secs(2), "{output}");
    output.says("session ended: nobody has watched it for 3s")?;
    hallpass_tests::watch::until("the log says how it ended", || {
        Ok(hallpass_tests::watch::entries(&world)?.contains("\"reason\":\"unobserved\""))
    })?;
    world.end()
}

#[test]
fn who_waits_may_leave_and_is_bound_by_the_grant() -> Result<()> {
    let world = world()?;
    let grant = world.take(&world.carol, &world.at_db1(), &["--role", "db-observed"])?;
    let (session, _) = waiting(&world, "echo started")?;
    world.carol.ssh(&["ca", "return", &grant])?.ok()?;
    session
        .finish(LIMIT)?
        .exits(255)?
        .says("the grant was given back or revoked")?;
    assert!(!world.db1.log().contains("Starting session"));
    world.end()
}
