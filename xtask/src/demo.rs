//! The whole product, step by checked step.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::process::Command;
use std::time::Instant;
use std::{env, fs};

use hallpass_tests::access::Asked;
use hallpass_tests::failure::Context;
use hallpass_tests::process::{LIMIT, Output};
use hallpass_tests::{Failure, Person, Result, World, access, keys, process, programs};

use crate::{install, print};

/// Runs the demo. With `keep`, the world goes on running after it.
pub(crate) fn run(keep: bool) -> Result<()> {
    let begin = Instant::now();
    install::install(install::FOR_THE_DEMO)?;
    build()?;
    let built = Instant::now();
    let mut show = Show::new();
    show.title(
        "a certificate authority, a bastion, two targets with a real sshd, and three people",
    );
    let world = World::new()?;
    show.note(&format!(
        "in {}: CA on 127.0.0.1:{}, bastion on :{}, db1.prod on :{}, web1.prod on :{}",
        world.root().display(),
        world.ca_port,
        world.bastion_port,
        world.db1.port,
        world.web1.port
    ));
    let outcome = steps(&mut show, &world);
    if keep {
        leave_running(&mut show, world)?;
    } else if outcome.is_ok() {
        world.end()?;
    }
    outcome?;
    let took = built.elapsed().as_secs_f32();
    show.title(&format!(
        "all as expected, in {took:.0} s ({:.0} s with building)",
        begin.elapsed().as_secs_f32()
    ));
    Ok(())
}

fn steps(show: &mut Show, world: &World) -> Result<()> {
    ask_and_approve(show, world)?;
    sessions(show, world)?;
    break_glass(show, world)?;
    review(show, world)
}

fn ask_and_approve(show: &mut Show, world: &World) -> Result<()> {
    let at = world.at_db1();
    show.title("Alice is on call and asks");
    let args = [
        "ca",
        "request",
        &at,
        "--for",
        "15m",
        "--reason",
        "INC-42 replication stuck",
    ];
    show.command(
        &world.alice,
        &format!("{} > ~/.ssh/id_ed25519-cert.pub", spell("ssh", &args)),
    );
    let mut live = world.alice.ssh_live(&args)?;
    live.wait_err("waiting", LIMIT)
        .map_err(expected("that the request waits for an approval"))?;
    let id = access::request_id(&live.err())?;
    let seen = live.err();
    show.came(&seen);
    let asked = Asked { id, live };

    show.title("Bob reads what is asked, and agrees: his agent signs the request's very text");
    ssh(show, &world.bob, &["ca", "pending"])?
        .ok()?
        .prints(&asked.id)?;
    ssh(show, &world.bob, &["-A", "ca", "approve", &asked.id])?.ok()?;

    show.title("Alice's command has come back with a certificate");
    let output = asked.live.finish(LIMIT)?.ok()?;
    show.came(output.err().get(seen.len()..).unwrap_or_default());
    world.alice.save_certificate(&output.stdout)?;
    show.command(&world.alice, "ssh-keygen -L -f ~/.ssh/id_ed25519-cert.pub");
    let shown = keys::show(&world.alice.certificate())?;
    show.came(&shown);
    expect(
        shown.contains(&at),
        "the principal in the certificate",
        &shown,
    )
}

fn sessions(show: &mut Show, world: &World) -> Result<()> {
    let at = world.at_db1();
    show.title("She goes in through the bastion, with a terminal");
    let args = ["-tt", "-J", "bastion", &at];
    show.command(&world.alice, &format!("ssh -J bastion {at}"));
    let mut live = world.alice.ssh_live(&args)?;
    live.send("uptime; echo seen-by:$(id -un); exit 7\n")?;
    live.close();
    let output = live.finish(LIMIT)?;
    show.came(&readable(&output.out()));
    let output = output
        .exits(7)
        .map_err(expected("the status that she left with"))?;
    output.prints(&format!("seen-by:{}", world.login))?;

    show.title("Another login on the same machine was not asked for, so it is refused");
    let output = ssh(
        show,
        &world.alice,
        &["-J", "bastion", "backup@db1.prod", "id"],
    )?;
    expect(
        output.status != 0,
        "a status that is not 0",
        &output.to_string(),
    )?;
    expect(
        !output.out().contains("uid="),
        "that nothing runs",
        &output.to_string(),
    )
}

fn break_glass(show: &mut Show, world: &World) -> Result<()> {
    let at = world.at_db1();
    show.title("Nobody is awake: the role lets her in first and be reviewed afterwards");
    let args = [
        "ca",
        "request",
        &at,
        "--break-glass",
        "--reason",
        "INC-43 disk full",
    ];
    show.command(
        &world.alice,
        &format!("{} > ~/.ssh/id_ed25519-cert.pub", spell("ssh", &args)),
    );
    let output = world.alice.ssh(&args)?;
    show.came(&output.err());
    let output = output.ok()?;
    world.alice.save_certificate(&output.stdout)?;
    ssh(
        show,
        &world.alice,
        &["-J", "bastion", &at, "df -h / | tail -1"],
    )?
    .ok()?
    .prints("/")?;
    Ok(())
}

fn review(show: &mut Show, world: &World) -> Result<()> {
    show.title("The next morning, Carol looks at what happened");
    let recordings = world.wait_finished(2, LIMIT)?;
    ssh(show, &world.carol, &["ca", "sessions"])?
        .ok()?
        .prints("db1.prod")?;

    show.title("The log and the recordings are whole; checking that needs no server and no secret");
    show.command(&world.carol, "hallpass verify ca/log bastion/recordings");
    let output = world.verify()?;
    show.came(&output.out());
    output.ok()?;

    show.title("A replay, in the terminal");
    let Some(first) = recordings.first() else {
        return Err(Failure::new("no recording"));
    };
    let name = first
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    show.command(&world.carol, &format!("hallpass play {name}"));
    replay(show, world, &first.to_string_lossy())
}

/// Plays a recording in a terminal of its own, which `script` makes.
fn replay(show: &mut Show, world: &World, path: &str) -> Result<()> {
    let play = world.hallpass_command(&["play", path])?;
    let mut live = process::Live::start(&mut process::in_terminal(&play)?)?;
    live.wait_out(&format!("seen-by:{}", world.login), LIMIT)
        .map_err(expected("the session's own output in the replay"))?;
    live.send("q")?;
    let output = live.finish(LIMIT)?.ok()?;
    show.came(&screen(&output.out()));
    Ok(())
}

/// What stood in the terminal last: the player places each run of text by a cursor move, and
/// nothing else in what it writes changes a place.
fn screen(drawn: &str) -> String {
    let mut rows: BTreeMap<usize, Vec<char>> = BTreeMap::new();
    let (mut row, mut column) = (1, 1);
    let mut rest = drawn.chars();
    while let Some(c) = rest.next() {
        if c != '\u{1b}' {
            let line = rows.entry(row).or_default();
            line.resize(line.len().max(column), ' ');
            if let Some(cell) = line.get_mut(column - 1) {
                *cell = c;
            }
            column += 1;
            continue;
        }
        let mut sequence = String::new();
        for c in rest.by_ref().skip(1) {
            sequence.push(c);
            if c.is_ascii_alphabetic() {
                break;
            }
        }
        if let Some(place) = sequence.strip_suffix('H') {
            let mut numbers = place
                .split(';')
                .map(|number| number.parse().unwrap_or(1).max(1));
            (row, column) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(1));
        }
    }
    let lines = rows
        .values()
        .map(|line| line.iter().collect::<String>().trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// What a shell wrote, without the switches that it sends to its terminal.
fn readable(written: &str) -> String {
    let mut text = String::new();
    let mut pieces = written.split('\u{1b}');
    text.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let end = piece
            .find(|c: char| c.is_ascii_alphabetic())
            .map_or(piece.len(), |at| at + 1);
        text.push_str(piece.get(end..).unwrap_or_default());
    }
    text
}

fn build() -> Result<()> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--locked", "--package", "hallpass"]);
    if cargo.status().context("cargo build")?.success() {
        Ok(())
    } else {
        Err(Failure::new("hallpass does not build"))
    }
}

/// Runs `ssh` as this person and shows it.
fn ssh(show: &mut Show, person: &Person, args: &[&str]) -> Result<Output> {
    show.command(person, &spell("ssh", args));
    let output = person.ssh(args)?;
    show.came(&output.out());
    show.came(&output.err());
    Ok(output)
}

fn spell(program: &str, args: &[&str]) -> String {
    let words: Vec<String> = args.iter().map(|word| process::quote(word)).collect();
    format!("{program} {}", words.join(" "))
}

fn expect(met: bool, what: &str, came: &str) -> Result<()> {
    if met {
        Ok(())
    } else {
        Err(Failure::new(format!(
            "expected {what}, but this came:\n{came}"
        )))
    }
}

fn expected(what: &str) -> impl FnOnce(Failure) -> Failure {
    move |failure| Failure::new(format!("expected {what}: {failure}"))
}

/// Lets the world go on, and says how to enter it and how to end it.
fn leave_running(show: &mut Show, mut world: World) -> Result<()> {
    world.keep();
    let root = world.root().to_owned();
    for person in [&world.alice, &world.bob, &world.carol] {
        let home = person.home().display();
        fs::create_dir_all(person.home().join("bin"))?;
        let ssh = person.home().join("bin/ssh");
        fs::write(
            &ssh,
            format!(
                "#!/bin/sh\nexec {} -F {home}/.ssh/config \"$@\"\n",
                programs::find("ssh")?.display()
            ),
        )?;
        make_executable(&ssh)?;
        let enter = format!(
            "export HOME={home} SSH_AUTH_SOCK={home}/agent PATH={home}/bin:{bin}:$PATH PS1='{name}$ '\ncd\n",
            bin = programs::hallpass()?.parent().unwrap_or(&root).display(),
            name = person.name
        );
        fs::write(person.home().join("enter"), enter)?;
    }
    let ids: Vec<String> = world.process_ids().iter().map(u32::to_string).collect();
    let end = root.join("end");
    fs::write(
        &end,
        format!(
            "#!/bin/sh\nkill {}\nrm -rf {}\n",
            ids.join(" "),
            root.display()
        ),
    )?;
    make_executable(&end)?;
    let root = root.display();
    show.title("the world goes on running");
    show.note(&format!(
        "be Alice (or bob, or carol), in a new shell:  sh -c '. {root}/alice/enter; exec sh'\n\
         and then, for example:                        ssh ca help\n\
         the configuration:                            {root}/site/hallpass.toml\n\
         the logs:                                     {root}/*.log {root}/*/sshd.log\n\
         end it and remove it:                         {root}/end"
    ));
    // The guards of its processes must not end them.
    std::mem::forget(world);
    Ok(())
}

fn make_executable(path: &std::path::Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::set_permissions(
        path,
        fs::Permissions::from_mode(0o755),
    )?)
}

/// Prints the steps, in colour only where somebody sees it.
struct Show {
    step: u32,
    colour: bool,
}

impl Show {
    /// Longer output than this is cut in the middle.
    const LINES: usize = 24;

    fn new() -> Self {
        let colour =
            std::io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        Self { step: 0, colour }
    }

    fn title(&mut self, text: &str) {
        self.step += 1;
        let number = self.step;
        print(&format!(
            "\n{}\n",
            self.paint("1", &format!("{number:>2}. {text}"))
        ));
    }

    fn note(&self, text: &str) {
        for line in text.lines() {
            print(&format!("    {}\n", self.paint("2", line)));
        }
    }

    fn command(&self, person: &Person, line: &str) {
        print(&format!(
            "    {} {}\n",
            self.paint("36", &format!("{}$", person.name)),
            self.paint("1", line)
        ));
    }

    fn came(&self, text: &str) {
        let clean = text.replace('\r', "");
        let lines: Vec<&str> = clean.lines().collect();
        let cut = lines.len().saturating_sub(Self::LINES);
        for (at, line) in lines.iter().enumerate() {
            if cut > 0 && at == Self::LINES / 2 {
                self.note(&format!("… {cut} more lines …"));
            }
            if cut == 0 || at < Self::LINES / 2 || at >= Self::LINES / 2 + cut {
                print(&format!("    {}\n", printable(line)));
            }
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// A line with its control characters spelled out: what comes back from a remote shell is not
/// ours to act on.
fn printable(line: &str) -> String {
    let mut text = String::new();
    for c in line.chars() {
        match c {
            '\t' => text.push_str("    "),
            c if c.is_control() => text.extend(c.escape_default()),
            c => text.push(c),
        }
    }
    text
}
