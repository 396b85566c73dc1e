//! What a role is alerted of while its sessions run.

use std::fs;
use std::time::Duration;

use hallpass_tests::failure::Context;
use hallpass_tests::process::{self, LIMIT};
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Live, Pager, Result, World, watch};

const SOON: Duration = Duration::from_secs(10);

fn world(pager: &Pager, terms: &str) -> Result<(World, String)> {
    World::on_web1_as(&Setup {
        extra: pager.table(),
        ca: "revokers = [\"sre\"]\n".to_owned(),
        look: terms.to_owned(),
        ..Setup::default()
    })
}

/// How many entries of the log have these words.
fn logged(world: &World, words: &str) -> Result<usize> {
    let log = world.log();
    let shown = world.hallpass(&["log", "show", watch::path(&log)])?.ok()?;
    Ok(shown.out().matches(words).count())
}

/// The labels of the alerts that stand in the newest of so many recordings, once they are sealed, as an export shows them.
fn marked(world: &World, recordings: usize) -> Result<Vec<String>> {
    let all = world.wait_finished(recordings, LIMIT)?;
    let newest = all.last().ok_or_else(|| Failure::new("no recording"))?;
    let text = world
        .hallpass(&["export", "--format", "v3", watch::path(newest)])?
        .ok()?
        .out();
    let mut labels = Vec::new();
    for line in text.lines().skip(1).filter(|line| line.starts_with('[')) {
        let (_, kind, label): (f64, String, serde_json::Value) =
            serde_json::from_str(line).context(line)?;
        if let (true, Some(label)) = (kind == "m", label.as_str()) {
            labels.extend(label.starts_with("alert ").then(|| label.to_owned()));
        }
    }
    Ok(labels)
}

#[test]
fn a_command_is_told_of_and_one_that_ends_sessions_is_not_run() -> Result<()> {
    let pager = Pager::new(false)?;
    let terms = "alerts = [{ name = \"shadow\", command = '/etc/shadow' }, { name = \"wipe\", command = '\\brm -rf /', kill = true }]";
    let (world, at) = world(&pager, terms)?;
    let output = world.jump(&[&at, "echo /etc/shadow"])?.ok()?;
    assert_eq!(output.out(), "/etc/shadow\n");
    let alert = pager.wait_text("ALERT shadow: a command in session", SOON)?;
    let event = &alert["event"]["session-alert"];
    assert_eq!(event["person"], "alice", "{alert}");
    assert_eq!(event["on"], "command", "{alert}");
    assert_eq!(event["ended"], false, "{alert}");
    let told = alert["tell"].to_string();
    assert!(told.contains("bob") && !told.contains("alice"), "{alert}");
    assert_eq!(marked(&world, 1)?, ["alert shadow"]);
    // A reviewer finds it among the marks of a replay.
    let mut play = world.hallpass_command(&["play"])?;
    play.arg(world.first_recording(LIMIT)?);
    let mut live = Live::start(&mut process::in_terminal(&play)?)?;
    live.wait_out("/etc/shadow", LIMIT)?;
    live.send("m")?;
    live.wait_out("alert", LIMIT)?;
    live.send("qq")?;
    live.finish(LIMIT)?.ok()?;

    let before = world.web1.logins();
    world
        .jump(&[&at, "rm -rf /nonexistent; echo done"])?
        .exits(255)?
        .says("nothing was run: the command is what its role is alerted of as wipe")?;
    assert_eq!(
        world.web1.logins(),
        before,
        "the target has not heard of it"
    );
    pager.wait_text("which it ended", SOON)?;
    assert_eq!(marked(&world, 2)?, ["alert wipe"]);
    assert_eq!(logged(&world, "alert: shadow (command) in")?, 1);
    assert_eq!(logged(&world, "alert: wipe (command) in")?, 1);
    world.end()
}

#[test]
fn what_stands_on_the_screen_ends_the_session() -> Result<()> {
    let pager = Pager::new(false)?;
    let terms = "alerts = [{ name = \"root\", screen = '^root@\\w+#', kill = true }]";
    let (world, at) = world(&pager, terms)?;
    // In pieces, in colours, and out of order: on the screen it is one line.
    let command = r"echo started; sleep 0.3; printf '\033[9;5H@db1#'; sleep 0.3; printf '\033[9;1H\033[31mroot\033[0m'; sleep 60";
    let mut live = world
        .alice
        .ssh_live(&["-tt", "-J", "bastion", &at, command])?;
    live.wait_out("started", LIMIT)?;
    live.finish(Duration::from_secs(20))?
        .exits(255)?
        .says("session ended: it did what its role is alerted of as root")?;
    pager.wait_text("ALERT root: a line of the screen", SOON)?;
    // Without a terminal, its output is looked at in the same way.
    world
        .jump(&[&at, "echo root@x#; sleep 60"])?
        .exits(255)?
        .says("alerted of as root")?;
    watch::until("the log has both", || {
        Ok(logged(&world, "alert: root (screen) in")? == 2)
    })?;
    let recording = world.first_recording(LIMIT)?;
    let mut zstd = std::process::Command::new("zstd");
    let text = process::run(zstd.arg("-dcq").arg(recording))?.ok()?.out();
    assert!(text.contains("\"m\", \"alert root\""), "{text}");
    assert!(text.contains(r#"{\"reason\":\"alert\"}"#), "{text}");
    world.end()
}

#[test]
fn what_is_typed_is_looked_at_where_it_is_recorded() -> Result<()> {
    let pager = Pager::new(false)?;
    let terms = "record-input = true\nalerts = [{ name = \"shadow\", command = '/etc/shadow$', kill = true }]";
    let (world, at) = world(&pager, terms)?;
    let mut live =
        world
            .alice
            .ssh_live(&["-tt", "-J", "bastion", &at, "echo started; cat > /dev/null"])?;
    live.wait_out("started", LIMIT)?;
    live.send("echo /etc/shado\u{7f}ox")?;
    live.send("\u{7f}\u{7f}ow\r")?;
    live.finish(Duration::from_secs(20))?
        .exits(255)?
        .says("alerted of as shadow")?;
    pager.wait_text("ALERT shadow: a command", SOON)?;
    assert_eq!(marked(&world, 1)?, ["alert shadow"]);
    world.end()
}

#[test]
fn in_a_role_of_commands_alone_what_scp_o_shows_is_looked_at_too() -> Result<()> {
    let pager = Pager::new(false)?;
    let terms = "channels = [\"exec\"]\nalerts = [{ name = \"shadow\", screen = 'root:x:0' }]";
    let (world, at) = world(&pager, terms)?;
    let (here, back) = (world.root().join("here"), world.root().join("back"));
    fs::write(&here, "root:x:0:0\n")?;
    let mut scp = world.alice.command("scp")?;
    scp.arg("-F").arg(world.alice.config());
    scp.args(["-O", "-o", "BatchMode=yes", "-J", "bastion"]);
    scp.arg(format!("{at}:{}", here.display())).arg(&back);
    process::run(&mut scp)?.ok()?;
    assert_eq!(fs::read_to_string(back)?, "root:x:0:0\n");
    pager.wait_text("ALERT shadow: a line of the screen", SOON)?;
    assert_eq!(marked(&world, 1)?, ["alert shadow"]);
    world.end()
}

#[test]
fn many_bytes_are_told_of_at_once_or_end_the_session() -> Result<()> {
    let pager = Pager::new(false)?;
    let terms = "channels = [\"exec\", \"sftp\"]\nalerts = [{ name = \"fast\", rate = \"256K\" }, { name = \"much\", volume = \"8M\", kill = true }]";
    let (world, at) = world(&pager, terms)?;
    world.jump(&[&at, "head -c 1000000 /dev/zero"])?.ok()?;
    let quiet = pager.events();
    assert_eq!(quiet, "", "less than either");
    world.jump(&[&at, "head -c 4000000 /dev/zero"])?.ok()?;
    pager.wait_text("ALERT fast: many bytes in a short time", SOON)?;
    assert_eq!(
        marked(&world, 2)?,
        ["alert fast"],
        "its command has ended at once"
    );
    let big = world.root().join("big");
    fs::write(&big, vec![7; 12 << 20])?;
    let mut sftp = world.alice.command("sftp")?;
    sftp.arg("-F").arg(world.alice.config());
    sftp.args(["-o", "BatchMode=yes", "-J", "bastion", "-l", "16000", &at]);
    let batch = format!("put {} {}/copy\n", big.display(), world.root().display());
    let output = process::run_with(&mut sftp, batch.as_bytes())?;
    assert_ne!(output.status, 0, "{output}");
    let alert = pager.wait_text("ALERT much: many bytes", SOON)?;
    assert_eq!(alert["event"]["session-alert"]["on"], "volume", "{alert}");
    let marks = marked(&world, 3)?;
    assert!(marks.iter().any(|mark| mark == "alert much"), "{marks:?}");
    world.end()
}

#[test]
fn a_session_from_a_new_address_is_told_of_once() -> Result<()> {
    let pager = Pager::new(false)?;
    let (world, at) = world(&pager, "new-source = \"30d\"")?;
    world.jump(&[&at, "true"])?.ok()?;
    let alert = pager.wait_text("ALERT new-source: an address", SOON)?;
    assert_eq!(
        alert["event"]["session-alert"]["source"], "127.0.0.1",
        "{alert}"
    );
    world.jump(&[&at, "true"])?.ok()?;
    assert_eq!(logged(&world, "alert: new-source (new-source) in")?, 1);
    let all = world.wait_finished(2, LIMIT)?;
    let text = |path| -> Result<String> {
        let export = ["export", "--format", "v2", watch::path(path)];
        Ok(world.hallpass(&export)?.ok()?.out())
    };
    let marks = |text: String| text.matches("\"alert new-source\"").count();
    let counts = all.iter().map(|path| text(path).map(marks));
    assert_eq!(counts.collect::<Result<Vec<_>>>()?, [1, 0]);
    world.end()
}

#[test]
fn an_alert_waits_on_the_disk_until_the_ca_takes_it() -> Result<()> {
    let pager = Pager::new(false)?;
    let (mut world, at) = world(&pager, "alerts = [{ name = \"late\", screen = 'secret' }]")?;
    let mut live = world.alice.ssh_live(&[
        "-J",
        "bastion",
        &at,
        "echo started; read x; echo secret; sleep 600",
    ])?;
    live.wait_out("started", LIMIT)?;
    world.kill_ca();
    live.send("\n")?;
    live.wait_out("secret", LIMIT)?;
    let dir = world.root().join("site/bastion/alerts");
    let waiting = || -> Result<usize> { Ok(fs::read_dir(&dir)?.count()) };
    watch::until("it is kept", || Ok(waiting()? == 1))?;
    world.kill_bastion();
    world.start_ca()?;
    world.start_bastion()?;
    pager.wait_text("ALERT late: a line of the screen", Duration::from_secs(20))?;
    watch::until("it was taken", || Ok(waiting()? == 0))?;
    assert_eq!(logged(&world, "alert: late (screen) in")?, 1);
    drop(live);
    world.end()
}
