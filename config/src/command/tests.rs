use std::process::Command;

use proptest::prelude::*;

use super::*;

fn pattern(text: &str) -> Result<Pattern, NotAPattern> {
    let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    Pattern::read(&words)
}

fn takes(own: &str, command: &str) -> bool {
    let own = pattern(own).unwrap();
    split(command).is_some_and(|words| own.matches(&words))
}

#[test]
fn a_pattern_matches_what_it_says_and_nothing_else() {
    let restart = "systemctl restart nginx";
    assert!(takes(restart, restart));
    for other in [
        "systemctl restart",
        "systemctl restart nginx postgresql",
        "systemctl restart nginx.service",
        "systemctl  restart nginx",
        " systemctl restart nginx",
        "systemctl restart nginx ",
        "systemctl stop nginx",
        "/bin/systemctl restart nginx",
        "Systemctl restart nginx",
        "systemctl restart nginx;id",
        "systemctl restart nginx\nid",
    ] {
        assert!(!takes(restart, other), "{other:?}");
    }
}

#[test]
fn a_place_takes_one_harmless_name() {
    let journal = "journalctl -u {unit}.service --lines={lines}";
    assert!(takes(journal, "journalctl -u nginx_1.service --lines=100"));
    for unit in ["", "-n", ".", "..", ".x", "a/b", "a b", "a@b", "*", "$x"] {
        let command = format!("journalctl -u {unit}.service --lines=100");
        assert!(!takes(journal, &command), "{command}");
    }
    assert!(!takes("cat /var/log/{file}", "cat /var/log/.."));
    assert!(!takes("cat /var/log/{file}", "cat /var/log/-"));
    assert!(!takes("tail {file}", "tail -f"));
    // Before and after may not share a letter of the word.
    assert!(!takes("run a{x}a", "run a"));
    assert!(!takes("run a{x}a", "run aa"));
    assert!(takes("run a{x}a", "run aaa"));
}

#[test]
fn alternatives_are_these_and_no_others() {
    let own = "systemctl {start|stop} app-{1|2}";
    assert!(takes(own, "systemctl stop app-2"));
    for other in [
        "systemctl restart app-1",
        "systemctl stop app-3",
        "systemctl start|stop app-1",
    ] {
        assert!(!takes(own, other), "{other}");
    }
    assert_eq!(pattern(own).unwrap().to_string(), own);
}

#[test]
fn what_a_shell_could_read_otherwise_is_no_pattern() {
    let word = |text: &str| Err(NotAPattern::Word(text.to_owned()));
    let place = |text: &str| Err(NotAPattern::Place(text.to_owned()));
    for bad in [
        "*", "nginx*", "a?", "[a]", "~", "$HOME", "`id`", "a;b", "a&b", "a|b", "<f", ">f", "(a)",
        "a'b", "a\"b", "a\\b", "#", "!", "^", "ü", "", "=ls", "%1", "a\tb", "a\nb",
    ] {
        assert_eq!(pattern(&format!("echo {bad}")), word(bad), "{bad:?}");
    }
    for bad in [
        "{", "}", "{}", "{a", "a}", "{a b}", "{a|}", "{|}", "{-a}", "{a}{b}", "{{a}}", "{a,b}",
        "}{a}",
    ] {
        let words = ["echo".to_owned(), bad.to_owned()];
        assert_eq!(Pattern::read(&words), place(bad), "{bad:?}");
    }
    for bad in [
        "", "if", "eval", "exec", ".", "A=b", "%1", "-x", "{name}", "~/x", "[", "!", "*",
    ] {
        let program = Err(NotAPattern::Program(bad.to_owned()));
        assert_eq!(pattern(&format!("{bad} x")), program, "{bad:?}");
    }
    let long = |count: usize| Pattern::read(&vec!["a".to_owned(); count]);
    assert!(long(limits::COMMAND_WORDS).is_ok());
    assert_eq!(long(limits::COMMAND_WORDS + 1), Err(NotAPattern::Count));
    assert_eq!(long(0), Err(NotAPattern::Count));
}

/// A directory with one program in it, which says each of its arguments on a line, its own name first.
struct Bin(tempfile::TempDir);

impl Bin {
    fn with(name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = "#!/bin/sh\nprintf '%s\\n' \"${0##*/}\" \"$@\"\n";
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode).unwrap();
        Self(dir)
    }

    /// What the program gets when this shell is given the text, as sshd gives it.
    fn argv(&self, shell: &str, text: &str) -> Vec<String> {
        let mut command = Command::new(shell);
        command.arg("-c").arg(text).env("PATH", self.0.path());
        let said = command.output().unwrap().stdout;
        let said = String::from_utf8(said).unwrap();
        said.split_terminator('\n').map(str::to_owned).collect()
    }
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z][0-9][a-zA-Z0-9_.-]{0,4} [a-zA-Z0-9_./:,+@%=-]{1,12}( [a-zA-Z0-9_./:,+@%=-]{1,9}){0,3}",
        "[a-z][0-9] [ -~]{1,5}",
        "[a-z][0-9]( [a-z%~.:{}=-]{1,3}){1,3}",
    ]
}

/// The shells that this machine has: `sh` always.
fn shells() -> impl Iterator<Item = &'static str> {
    let all = [
        "/bin/sh",
        "/bin/bash",
        "/bin/zsh",
        "/usr/bin/fish",
        "/bin/ksh",
    ];
    let all = all.into_iter();
    all.filter(|shell| std::path::Path::new(shell).exists())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever is taken apart here, real shells take apart in the same way.
    #[test]
    fn shells_read_what_is_read_here(text in texts()) {
        let Some(words) = split(&text) else { return Ok(()) };
        let bin = Bin::with(words[0]);
        for shell in shells() {
            prop_assert_eq!(bin.argv(shell, &text), words.clone(), "{}", shell);
        }
    }
}

/// Each word that is refused in the first place is one that a shell here would not look up as a program, or could be.
#[test]
fn a_word_of_the_shells_own_names_no_program() {
    for own in OWN {
        assert_eq!(split(&format!("{own} x")), None, "{own}");
    }
    let bash = Command::new("bash").args(["-c", "compgen -k"]).output();
    let keywords = String::from_utf8(bash.unwrap().stdout).unwrap();
    assert!(keywords.lines().count() > 10);
    for word in keywords.lines() {
        assert_eq!(split(&format!("{word} x")), None, "{word}");
    }
}
