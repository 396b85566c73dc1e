use super::*;
use crate::deck::tests::{out, tape};

fn commands(changes: Vec<(u64, Change)>) -> Vec<(u64, String)> {
    let mut found = Vec::new();
    let mut tell = |news: News| {
        if let News::Marks(marks) = news {
            let commands = marks.into_iter().filter(|mark| mark.kind == Kind::Command);
            found.extend(commands.map(|mark| (mark.at_us, mark.text)));
        }
    };
    let mut survey = Survey::new(tape(changes), &mut tell);
    while survey.work(&mut tell).unwrap() {}
    found
}

fn named(commands: &[(u64, String)]) -> Vec<(u64, &str)> {
    commands
        .iter()
        .map(|(at, text)| (*at, text.as_str()))
        .collect()
}

#[test]
fn commands_are_guessed_from_prompts() {
    let found = commands(vec![
        (0, out("Welcome to db1\r\n\x1b[1;32malice@db1\x1b[0m:~$ ")),
        (10, out("l")),
        (11, out("sx\x08 \x08 -la")),
        (12, out("\r\nprice in $ is\r\nREADME\r\n")),
        // A progress line, a menu and a line of a listing are no prompts.
        (13, out("50 %")),
        (14, out("\r100 %\r\nchoose: ")),
        (15, out("1\r\nalice@db1:~$ ")),
        (20, out("\r\nalice@db1:~$ ")),
        (30, out("psql")),
        (31, out("\r\npostgres=# ")),
        (39, out("select $")),
        (40, out("1;\r\n")),
        (41, out("postgres=# ")),
        // A program with the screen for itself.
        (50, out("\x1b[?1049h\x1b[H# ")),
        (51, out("not a command\r\n\x1b[?1049l")),
    ]);
    let expected = [(12, "ls -la"), (31, "psql"), (40, "select $1;")];
    assert_eq!(named(&found), expected);
}

#[test]
fn a_wrapped_command_is_one() {
    let long = "x".repeat(200);
    let found = commands(vec![
        (0, out("$ ")),
        (1, out(&format!("echo {long}"))),
        (2, out("\r\n")),
    ]);
    assert_eq!(named(&found), [(2, format!("echo {long}").as_str())]);
}

#[test]
fn a_shell_that_says_where_its_commands_are_is_believed() {
    let found = commands(vec![
        (0, out("\x1b]133;A\x07>> \x1b]133;B\x07")),
        (10, out("make\x1b]133;C\x07\r\ncc -o x\r\n$ ")),
        (20, out("not a command\r\n\x1b]133;D;0\x07")),
    ]);
    assert_eq!(named(&found), [(10, "make")]);
}

#[test]
fn a_recording_that_grows_is_looked_through_to_its_end() {
    let whole: Vec<_> = (0..20)
        .map(|n| (n, Change::Marker(format!("m{n}"))))
        .collect();
    let mut marks = Vec::new();
    let mut tell = |news: News| {
        if let News::Marks(more) = news {
            marks.extend(more.into_iter().map(|mark| mark.text));
        }
    };
    let mut survey = Survey::new(tape(whole.get(..3).unwrap().to_vec()), &mut tell);
    for length in [3, 5, 5, 14, 20] {
        survey.grow(tape(whole.get(..length).unwrap().to_vec()));
        while survey.work(&mut tell).unwrap() {}
    }
    let expected: Vec<_> = (0..20).map(|n| format!("m{n}")).collect();
    assert_eq!(marks, expected);
}

#[test]
fn promise_38_a_screen_full_of_prompts_costs_no_more_than_a_screen() {
    let prompts = "\x1b]133;A\x07x".repeat(400_000);
    let begun = std::time::Instant::now();
    commands(vec![(0, out(&prompts))]);
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
}
