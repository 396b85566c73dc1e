//! How the demo looks: each step with its number, what is typed, and what came.

use std::env;
use std::io::IsTerminal;

use hallpass_tests::{Failure, Output, Person, Result, process};

use crate::print;

/// Runs `ssh` as this person and shows it.
pub(super) fn ssh(show: &mut Show, person: &Person, args: &[&str]) -> Result<Output> {
    show.command(person, &spell("ssh", args));
    let output = person.ssh(args)?;
    show.came(&output.out());
    show.came(&output.err());
    Ok(output)
}

pub(super) fn spell(program: &str, args: &[&str]) -> String {
    let words: Vec<String> = args.iter().map(|word| process::quote(word)).collect();
    format!("{program} {}", words.join(" "))
}

pub(super) fn expect(met: bool, what: &str, came: &str) -> Result<()> {
    if met {
        Ok(())
    } else {
        Err(Failure::new(format!(
            "expected {what}, but this came:\n{came}"
        )))
    }
}

pub(super) fn expected(what: &str) -> impl FnOnce(Failure) -> Failure {
    move |failure| Failure::new(format!("expected {what}: {failure}"))
}

/// Prints the steps, in colour only where somebody sees it.
pub(super) struct Show {
    step: u32,
    colour: bool,
}

impl Show {
    /// Longer output than this is cut in the middle.
    const LINES: usize = 24;

    pub(super) fn new() -> Self {
        let colour =
            std::io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        Self { step: 0, colour }
    }

    pub(super) fn title(&mut self, text: &str) {
        self.step += 1;
        let number = self.step;
        print(&format!(
            "\n{}\n",
            self.paint("1", &format!("{number:>2}. {text}"))
        ));
    }

    pub(super) fn note(&self, text: &str) {
        for line in text.lines() {
            print(&format!("    {}\n", self.paint("2", line)));
        }
    }

    pub(super) fn command(&self, person: &Person, line: &str) {
        print(&format!(
            "    {} {}\n",
            self.paint("36", &format!("{}$", person.name)),
            self.paint("1", line)
        ));
    }

    /// What the operator types on the CA's machine.
    pub(super) fn operator(&self, line: &str) {
        let text = format!(
            "    {} {}\n",
            self.paint("33", "ca#"),
            self.paint("1", line)
        );
        print(&text);
    }

    /// Runs an `ssh` whose certificate goes to the file where `ssh` looks for it, and shows the rest.
    pub(super) fn saved(&self, person: &Person, args: &[&str]) -> Result<Output> {
        self.command(
            person,
            &format!("{} > ~/.ssh/id_ed25519-cert.pub", spell("ssh", args)),
        );
        let output = person.ssh(args)?;
        self.came(&output.err());
        output.ok()
    }

    pub(super) fn came(&self, text: &str) {
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
