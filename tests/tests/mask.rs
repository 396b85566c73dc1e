//! What a role masks: neither the person nor the recording sees it.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use hallpass_tests::process::{self, LIMIT};
use hallpass_tests::world::Setup;
use hallpass_tests::{Result, World, programs};

const MASKS: &str = r#"mask = ["cards", "keys", "tokens", { pattern = 'Contract-(\d{6})' }]"#;

fn world() -> Result<(World, String)> {
    World::on_web1_as(&Setup {
        look: MASKS.to_owned(),
        ..Setup::default()
    })
}

/// What all recordings hold.
fn recorded(world: &World, count: usize) -> Result<String> {
    let mut text = String::new();
    for path in world.wait_finished(count, LIMIT)? {
        let mut zstd = Command::new(programs::find("zstd")?);
        text += &process::run(zstd.arg("-dcq").arg(path))?.ok()?.out();
    }
    Ok(text)
}

#[test]
fn what_is_masked_is_masked_on_the_way_and_in_the_recording() -> Result<()> {
    let (world, at) = world()?;
    // In pieces, with colours between, on both streams, with a terminal and without one.
    let command = "printf 'card 4111 11'; printf '11 \\033[1m1111\\033[0m 1111.\\n'; \
                   printf 'Contract-123456\\n' >&2; printf 'ghp_%036d\\n' 7";
    for args in [&["-tt"][..], &[]] {
        let output = world.jump(&[args, &[&at, command]].concat())?.ok()?;
        let all = output.out() + &output.err();
        assert!(
            all.contains("card **** **** \u{1b}[1m****\u{1b}[0m ****."),
            "{output}"
        );
        assert!(all.contains("Contract-******"), "{output}");
        assert!(all.contains(&format!("ghp_{}", "*".repeat(36))), "{output}");
        assert!(!all.contains("123456") && !all.contains("1111"), "{output}");
    }
    let stored = recorded(&world, 2)?;
    assert_eq!(stored.matches("Contract-******").count(), 2, "{stored}");
    // The command as it was typed stands in the header, and nothing of what it printed anywhere.
    let printed: String = stored
        .lines()
        .filter(|line| line.starts_with('['))
        .collect();
    assert!(
        !printed.contains("123456") && !printed.contains("1111"),
        "{stored}"
    );
    world.end()
}

#[test]
fn a_private_key_on_the_target_is_not_shown() -> Result<()> {
    let (world, at) = world()?;
    let key = world.alice.key();
    let secret = fs::read_to_string(&key)?;
    let output = world
        .jump(&[&at, &format!("cat {}", key.display())])?
        .ok()?;
    let shown = output.out();
    assert_eq!(shown.len(), secret.len(), "{output}");
    assert!(
        shown.contains("-----END OPENSSH PRIVATE KEY-----\n"),
        "{output}"
    );
    for line in secret.lines().filter(|line| !line.starts_with('-')) {
        assert!(!shown.contains(line), "{output}");
    }
    world.end()
}

#[test]
fn a_person_who_stands_still_is_not_shown_the_beginning_of_a_number() -> Result<()> {
    let (world, at) = world()?;
    let command = "yes 'card 4111 1111 1111 1111' | head -c 12000000";
    let ssh = world.alice.ssh_command(&["-J", "bastion", &at, command])?;
    // The bastion stops taking from the target wherever that stands, mostly within a number, several times.
    let pipe = format!(
        "set -o pipefail; {} | (for i in 1 2 3; do sleep 1; head -c 1000000; done; cat) | sort | uniq -c | sort -rn | head -3",
        process::spell(&ssh)
    );
    let mut command = Command::new("bash");
    let live = process::Live::start(command.arg("-c").arg(pipe))?;
    let output = live.finish(3 * LIMIT)?.ok()?;
    let shown = output.out();
    assert!(shown.contains("card **** **** **** ****"), "{output}");
    assert!(
        !shown.contains("1111") && !shown.contains("card 4"),
        "{output}"
    );
    world.end()
}

#[test]
fn what_might_be_masked_is_not_held_back_for_long() -> Result<()> {
    let (world, at) = world()?;
    let mut live = world
        .alice
        .ssh_live(&["-tt", "-J", "bastion", &at, "echo ready; cat"])?;
    live.wait_out("ready", LIMIT)?;
    for round in 0..5 {
        let text = format!("{round}41111");
        let begun = Instant::now();
        // The terminal echoes it, and more digits could follow.
        live.send(&text)?;
        live.wait_out(&text, LIMIT)?;
        assert!(
            begun.elapsed() < Duration::from_secs(1),
            "{:?}",
            begun.elapsed()
        );
    }
    live.send("\n\u{4}")?;
    live.finish(LIMIT)?;
    world.end()
}

#[test]
fn bytes_in_which_nothing_is_found_pass_unchanged() -> Result<()> {
    let (world, at) = world()?;
    let command = "i=0; while [ $i -lt 2000 ]; do printf '\\001\\377\\033[5;%dHline %x é\\r' $i $i; i=$((i+1)); done";
    let direct = process::run(Command::new("sh").args(["-c", command]))?.ok()?;
    let output = world.jump(&[&at, command])?.ok()?;
    assert!(output.stdout == direct.stdout, "{output}");
    world.end()
}

/// The shell ends with the first half of a number, and what it left behind prints the other one: between them the target
/// says how the command ended. A machine with much to do may take longer than anything is held back, but not each time.
#[test]
fn what_is_held_back_waits_for_the_end_of_output_and_not_for_an_exit_status() -> Result<()> {
    const TIMES: usize = 10;
    let (world, at) = world()?;
    let halves = "printf 'card 4111 1111'; (sleep 0.02; printf ' 1111 1111.\\n') &";
    let mut masked = 0;
    for _ in 0..TIMES {
        let output = world.jump(&[&at, halves])?.ok()?;
        masked += usize::from(output.out() == "card **** **** **** ****.\n");
    }
    eprintln!("{masked} of {TIMES} masked");
    assert!(
        masked > 0,
        "the exit status gives way to what was held back"
    );
    // And whatever is held back when all is over has been nothing, or is masked.
    for (printed, shown) in [
        ("ends with 41111", "ends with 41111"),
        ("4111111111111111", "****************"),
    ] {
        let output = world.jump(&[&at, &format!("printf '{printed}'")])?.ok()?;
        assert_eq!(output.out(), shown);
    }
    world.end()
}
