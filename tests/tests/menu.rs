//! The third way in: `ssh -t bastion` with no target, under a terminal and without one.

#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "menu/drawn.rs"]
mod drawn;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use hallpass_tests::process::{self, LIMIT, Live};
use hallpass_tests::watch::Witnesses;
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Output, Result, World, keys, programs};
use serde_json::Value;

/// What stands over the list.
const LIST: &str = "what you may reach through bastion";

/// Alice may go to both targets, with the certificate for `db1.prod` in hand. Gives the identifiers of both grants.
fn both(setup: &Setup) -> Result<(World, String, String)> {
    let world = World::with(setup)?;
    let web1 = world.take(&world.alice, &world.at_web1(), &[])?;
    let db1 = world.grant(&world.alice, &world.at_db1(), &[])?;
    Ok((world, web1, db1))
}

/// `ssh` of Alice in a terminal of its own, 100 columns wide.
fn in_terminal(world: &World, args: &[&str]) -> Result<Live> {
    let ssh = world.alice.ssh_command(&[&["-t"], args].concat())?;
    let mut script = process::in_terminal(&ssh)?;
    // `script` takes the environment of whoever calls it; that of `ssh` is what it got.
    let alice = ssh
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    let alice: Vec<_> = alice
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Live::start(script.env_clear().envs(alice).env("SHELL", "/bin/sh"))
}

/// The header of a recording.
fn header(path: &Path) -> Result<Value> {
    let mut zstd = Command::new(programs::find("zstd")?);
    let text = process::run(zstd.arg("-dcq").arg(path))?.out();
    let first = text.lines().next().unwrap_or_default();
    serde_json::from_str(first).map_err(|e| Failure::new(format!("{e}: {first}")))
}

/// The newest recording is of a shell for this, under this request.
fn is_recorded(world: &World, count: usize, access: &str, request: &str) -> Result<()> {
    let recordings = world.wait_finished(count, LIMIT)?;
    assert_eq!(recordings.len(), count);
    let header = header(&recordings[count - 1])?;
    let own = &header["hallpass"];
    assert_eq!(own["access"], access, "{header}");
    assert_eq!(own["request"], request, "{header}");
    assert_eq!(own["kind"], "shell", "{header}");
    Ok(())
}

#[test]
fn who_names_no_target_chooses_one_and_is_in_an_ordinary_session() -> Result<()> {
    let (world, web1, db1) = both(&Setup::default())?;
    // The grant of the certificate that was shown comes first by name; Return connects.
    let mut live = in_terminal(&world, &["bastion"])?;
    live.wait_out(LIST, LIMIT)?;
    live.wait_out("> ", LIMIT)?;
    for word in [
        "db1.prod",
        "web1.prod",
        "db-oncall",
        "web-look",
        "recorded;",
    ] {
        live.wait_out(word, LIMIT)?;
    }
    assert!(world.finished()?.is_empty() && world.db1.logins() == 0);
    live.send("\r")?;
    live.wait_out("recorded session", LIMIT)?;
    live.send("echo at-$((40+2)); stty size; exit 7\n")?;
    let output = live.finish(LIMIT)?.exits(7)?.prints("at-42")?;
    assert!(output.out().contains("30 100"), "{output}");
    is_recorded(&world, 1, &world.at_db1(), &db1)?;

    // The other one, looked for by name, in a terminal that has changed its size meanwhile.
    let mut live = in_terminal(&world, &["bastion"])?;
    live.wait_out(LIST, LIMIT)?;
    live.send("/WEB\r")?;
    live.wait_out("recorded session", LIMIT)?;
    live.send("echo at-$((40+3)); exit\n")?;
    live.finish(LIMIT)?.ok()?.prints("at-43")?;
    is_recorded(&world, 2, &world.at_web1(), &web1)?;
    assert_eq!((world.db1.logins(), world.web1.logins()), (1, 1));

    // What the user name says means nothing; what runs there may be named.
    let mut live = in_terminal(&world, &["somebody@bastion", "echo ran-$((40+4))"])?;
    live.wait_out(LIST, LIMIT)?;
    live.send("jkj\r")?;
    live.finish(LIMIT)?.ok()?.prints("ran-44")?;
    assert_eq!(world.web1.logins(), 2);
    world.end()
}

#[test]
fn who_leaves_the_list_has_opened_nothing() -> Result<()> {
    let (world, _, _) = both(&Setup::default())?;
    for key in ["q", "\u{3}", "/x\u{4}"] {
        let mut live = in_terminal(&world, &["bastion"])?;
        live.wait_out(LIST, LIMIT)?;
        live.send(key)?;
        let output = live.finish(LIMIT)?.exits(1)?;
        assert!(
            output.out().contains("\u{1b}[?1049l"),
            "the terminal is as before: {output}"
        );
    }
    // Gone without a word.
    let mut live = world.alice.ssh_live(&["-tt", "bastion"])?;
    live.wait_out(LIST, LIMIT)?;
    live.close();
    live.finish(LIMIT)?.exits(1)?;
    assert!(world.finished()?.is_empty());
    assert_eq!((world.db1.logins(), world.web1.logins()), (0, 0));
    world.end()
}

#[test]
fn what_was_typed_behind_a_key_that_asks_was_meant_for_a_list_not_yet_seen() -> Result<()> {
    let (world, _, _) = both(&Setup::default())?;
    let mut live = world.alice.ssh_live(&["-tt", "bastion"])?;
    live.wait_out(LIST, LIMIT)?;
    // The list anew, and in the same breath what is marked in it: in another list that may be another line.
    live.send("r\r")?;
    let end = Instant::now() + LIMIT;
    while live.runs() && Instant::now() < end {
        sleep(Duration::from_millis(100));
        let _ = live.send("q");
    }
    live.finish(LIMIT)?.exits(1)?;
    assert!(world.finished()?.is_empty());
    assert_eq!((world.db1.logins(), world.web1.logins()), (0, 0));
    world.end()
}

#[test]
fn without_a_terminal_it_is_a_list_and_nothing_that_was_asked_is_called_done() -> Result<()> {
    let (world, _, _) = both(&Setup::default())?;
    let listed = |output: Output| -> Result<()> {
        let out = output.out();
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines.len(), 2, "{output}");
        assert!(lines[0].starts_with(&world.at_db1()), "{output}");
        assert!(lines[1].starts_with(&world.at_web1()), "{output}");
        assert!(!out.contains('\u{1b}') && !out.contains('\r'), "{output}");
        Ok(())
    };
    listed(world.alice.ssh(&["bastion", "ls"])?.ok()?)?;
    let piped = world.alice.ssh_with(&["bastion"], b"rm -r /\n")?;
    listed(
        piped
            .exits(1)?
            .says("hallpass: no target is named: ssh LOGIN%TARGET@bastion")?,
    )?;
    let command = world.alice.ssh(&["bastion", "uptime"])?.exits(255)?;
    assert!(command.says("no target is named")?.out().is_empty());
    let mut sftp = world.alice.command("sftp")?;
    sftp.arg("-F").arg(world.alice.config()).arg("bastion");
    process::run(&mut sftp)?
        .exits(255)?
        .says("no target is named")?;
    assert_eq!((world.db1.logins(), world.web1.logins()), (0, 0));
    world.end()
}

#[test]
fn a_list_is_shown_to_a_proven_certificate_and_to_nothing_else() -> Result<()> {
    let (world, _, db1) = both(&Setup::default())?;
    // No certificate.
    let none = world.bob.ssh(&["-tt", "bastion"])?.exits(255)?;
    assert!(none.says("no access certificate")?.out().is_empty());
    // Somebody else's.
    let certificate = fs::read(world.alice.certificate())?;
    world.bob.save_certificate(&certificate)?;
    let stolen = world.bob.ssh(&["-tt", "bastion"])?.exits(255)?;
    assert!(stolen.out().is_empty(), "{stolen}");
    // A name with a `%` asks for that, and for nothing else.
    let elsewhere = world.alice.ssh(&["-tt", "nobody%web1.prod@bastion"])?;
    let elsewhere = elsewhere
        .exits(255)?
        .says("the certificate is not for nobody@web1.prod")?;
    assert!(!elsewhere.out().contains(LIST), "{elsewhere}");
    // One whose grant is over by now: the signature is good, and the CA says no.
    world.alice.ssh(&["ca", "return", &db1])?.ok()?;
    let over = world.alice.ssh(&["-tt", "bastion"])?.exits(255)?;
    assert!(!over.out().contains("web1.prod"), "{over}");
    assert!(
        over.out().contains("given back") || over.err().contains("given back"),
        "{over}"
    );
    world.end()
}

#[test]
fn a_choice_is_decided_when_it_is_made() -> Result<()> {
    let (mut world, web1, db1) = both(&Setup::default())?;
    let mut live = in_terminal(&world, &["bastion"])?;
    live.wait_out(LIST, LIMIT)?;
    // Another grant of the list is given back meanwhile: what is chosen is not there any more, and the list goes on.
    world.alice.ssh(&["ca", "return", &web1])?.ok()?;
    live.send("j\r")?;
    let bastion = world.bastion()?;
    bastion.wait_log("not let in by choice: ", LIMIT)?;
    assert!(bastion.log().contains(&web1), "{}", bastion.log());
    // The one that was shown, too: an ordinary session is refused, as for LOGIN%TARGET.
    world.alice.ssh(&["ca", "return", &db1])?.ok()?;
    live.send("k\r")?;
    live.finish(LIMIT)?.exits(255)?.prints("given back")?;
    assert_eq!((world.db1.logins(), world.web1.logins()), (0, 0));
    assert!(world.finished()?.is_empty());
    world.end()
}

#[test]
fn what_another_key_or_another_place_is_needed_for_is_not_listed() -> Result<()> {
    let mut world = World::lay_out(&Setup::default())?;
    let second = world.root().join("second");
    keys::make(&second, "alice@tablet")?;
    let text = fs::read_to_string(world.config())?;
    let own = keys::public_line(&world.alice.key())?;
    let both = format!("{own}\", \"{}", keys::public_line(&second)?);
    let text = text.replace(&own, &both).replace(
        "[role.web-look]\n",
        "[role.web-look]\nsources = [\"127.0.0.1/32\"]\n",
    );
    fs::write(world.config(), text)?;
    world.start_ca()?;
    world.start_bastion()?;
    for person in [&world.alice, &world.bob] {
        world.introduce(person)?;
    }
    world.take(&world.alice, &world.at_web1(), &[])?;
    world.grant(&world.alice, &world.at_db1(), &[])?;
    let everything = world.alice.ssh(&["bastion", "ls"])?.ok()?.out();
    assert_eq!(everything.lines().count(), 2, "{everything}");
    // From another address, the role of web1 gives nothing.
    let there = world
        .alice
        .ssh(&["-b", "127.0.0.2", "bastion", "ls"])?
        .ok()?
        .out();
    assert!(
        there.contains("db1.prod") && !there.contains("web1.prod"),
        "{there}"
    );
    // With the other key, only what was asked for with that.
    let key: PathBuf = second;
    let key = key.to_str().unwrap_or_default();
    let args = [
        "-i",
        key,
        "-o",
        "IdentityAgent=none",
        "ca",
        "request",
        &world.at_web1(),
        "--reason",
        "INC-43",
    ];
    let issued = without_first_key(&world, &args)?.ok()?;
    fs::write(keys::certificate(Path::new(key)), &issued.stdout)?;
    let own = without_first_key(
        &world,
        &["-i", key, "-o", "IdentityAgent=none", "bastion", "ls"],
    )?
    .ok()?
    .out();
    assert_eq!(own.lines().count(), 1, "{own}");
    assert!(own.contains("web1.prod"), "{own}");
    world.end()
}

/// `ssh` of Alice with the keys that the arguments name, and not her first one.
fn without_first_key(world: &World, args: &[&str]) -> Result<Output> {
    let config = world.root().join("second.config");
    let text = fs::read_to_string(world.alice.config())?;
    let rest = text.lines().filter(|line| !line.contains("IdentityFile"));
    fs::write(&config, rest.collect::<Vec<_>>().join("\n"))?;
    let mut command = world.alice.command("ssh")?;
    process::run(command.arg("-F").arg(config).args(args))
}

#[test]
fn several_share_one_connection_and_none_ends_another() -> Result<()> {
    let (world, _, _) = both(&Setup::default())?;
    let socket = world.root().join("mux");
    let path = format!("ControlPath={}", socket.display());
    let mut master =
        world
            .alice
            .ssh_live(&["-tt", "-o", "ControlMaster=yes", "-o", &path, "bastion"])?;
    master.wait_out(LIST, LIMIT)?;
    // A list, and a whole session, while the first one has not chosen.
    let listed = world.alice.ssh(&["-o", &path, "bastion", "ls"])?.ok()?;
    assert_eq!(listed.out().lines().count(), 2, "{listed}");
    let mut second = world.alice.ssh_live(&["-tt", "-o", &path, "bastion"])?;
    second.wait_out(LIST, LIMIT)?;
    second.send("j\r")?;
    second.wait_err("recorded session", LIMIT)?;
    // A full-screen program, through the choice.
    second.send(
        "printf '\\033[?1049h\\033[2;2Hfull-%s' screen; read x; printf '\\033[?1049l'; exit 3\n",
    )?;
    second.wait_out("full-screen", LIMIT)?;
    // The first one goes on, and elsewhere.
    master.send("\r")?;
    master.wait_err("recorded session", LIMIT)?;
    second.send("\n")?;
    second.finish(LIMIT)?.exits(3)?;
    master.send("echo on-$((40+2)); exit 4\n")?;
    master.finish(LIMIT)?.exits(4)?.prints("on-42")?;
    assert_eq!((world.db1.logins(), world.web1.logins()), (1, 1));
    assert_eq!(world.wait_finished(2, LIMIT)?.len(), 2);
    world.end()
}

#[test]
fn a_connection_that_chose_forwards_nothing_and_still_leads_to_its_own_target() -> Result<()> {
    let (world, _, _) = both(&Setup::default())?;
    let socket = world.root().join("mux");
    let path = format!("ControlPath={}", socket.display());
    let mut master =
        world
            .alice
            .ssh_live(&["-tt", "-o", "ControlMaster=yes", "-o", &path, "bastion"])?;
    master.wait_out(LIST, LIMIT)?;
    master.send("j\r")?;
    master.wait_err("recorded session", LIMIT)?;
    // The choice of one session opens no way for the connection: only the certificate in hand does.
    let refused = world
        .alice
        .ssh(&["-o", &path, "-W", "web1.prod:22", "bastion"])?;
    assert_ne!(refused.status, 0, "{refused}");
    let refused = world
        .alice
        .ssh(&["-o", &path, "-W", "127.0.0.1:1", "bastion"])?;
    assert_ne!(refused.status, 0, "{refused}");
    master.send("exit\n")?;
    master.finish(LIMIT)?.ok()?;
    assert_eq!((world.db1.logins(), world.web1.logins()), (0, 1));
    world.end()
}

#[test]
fn what_the_witnesses_have_not_seen_is_not_given_by_choice_either() -> Result<()> {
    let witnesses = Witnesses::new(1)?;
    let mut world = World::with(&witnesses.setup(1)?)?;
    let mut witness = witnesses.start(&world, "w1")?;
    world.take(&world.alice, &world.at_web1(), &[])?;
    witness.service.kill()?;
    // The certificate for the other one stands in the log, and was given to nobody.
    let asked = world.ask(&world.alice, &world.at_db1(), &[])?;
    world.bob.ssh(&["-A", "ca", "approve", &asked.id])?.ok()?;
    let unseen = asked.live.finish(LIMIT)?.exits(5)?;
    assert!(unseen.stdout.is_empty(), "{unseen}");
    let mut live = in_terminal(&world, &["bastion"])?;
    live.wait_out(LIST, LIMIT)?;
    live.wait_out("db-oncall", LIMIT)?;
    live.send("\r")?;
    let why = "not let in by choice: the log's witnesses have not cosigned";
    world.bastion()?.wait_log(why, LIMIT)?;
    assert_eq!(world.db1.logins(), 0);
    // What was given before is not held back.
    live.send("j\r")?;
    live.wait_out("recorded session", LIMIT)?;
    live.send("exit\n")?;
    live.finish(LIMIT)?.ok()?;
    // Once they answer, it opens.
    let _witness = witnesses.start(&world, "w1")?;
    let mut live = in_terminal(&world, &["bastion"])?;
    live.wait_out(LIST, LIMIT)?;
    live.send("\r")?;
    live.wait_out("recorded session", LIMIT)?;
    live.send("exit\n")?;
    live.finish(LIMIT)?.ok()?;
    assert_eq!(world.db1.logins(), 1);
    world.end()
}
