//! Finds commands on the screen.
//!
//! Where a shell says itself where its prompt is and where a command begins
//! ([OSC 133](https://gitlab.freedesktop.org/Per_Bothner/specifications/blob/master/proposals/semantic-prompts.md)), it is
//! believed. Else a prompt is guessed: something before the cursor that ends like one, while nothing stands behind the cursor
//! and nothing else comes. What stands behind it when the line is left is the command. Both are what a screen showed: a
//! program may show anything, so that they help to find a place, and prove nothing.

use avt::observer::{Observation, Observer, ShellEvent, ShellTracker};
use avt::parser::Function;
use avt::{Operation, ScreenKind, Terminal};

use crate::marks::MOST;
use crate::screen::Screen;

/// What ends a prompt.
const ENDS: [char; 7] = ['$', '#', '%', '>', '❯', '»', 'λ'];

/// Longest prompt, in characters.
const LONGEST_PROMPT: usize = 200;

/// Most rows of a command that is wrapped.
const ROWS: usize = 40;

/// Follows the screen.
#[derive(Default)]
pub(super) struct Prompts {
    watch: Watch,
    told: usize,
}

impl Prompts {
    /// Shows bytes, and gives the commands that were left with them.
    pub(super) fn follow(&mut self, screen: &mut Screen, bytes: &[u8]) -> Vec<String> {
        // Each costs time, and a list of more is read by nobody.
        if self.told >= MOST {
            screen.feed(bytes);
            return Vec::new();
        }
        let mut found = Vec::new();
        screen.feed_with(bytes, &mut self.watch, &mut |command| found.push(command));
        self.told += found.len();
        if !self.watch.believes {
            let prompt = screen.before_cursor().filter(|text| is_prompt(text));
            // What is typed may end like a prompt too.
            let typed = |text: &String| {
                let waiting = self.watch.waiting.as_deref();
                waiting.is_some_and(|waiting| text.starts_with(waiting))
            };
            if let Some(prompt) = prompt.filter(|text| !typed(text)) {
                self.watch.waiting = Some(prompt);
            }
        }
        found
    }
}

/// Whether a text reads like a prompt.
fn is_prompt(text: &str) -> bool {
    let end = text.trim_end();
    end.ends_with(ENDS) && text.len() - end.len() <= 1 && text.chars().count() <= LONGEST_PROMPT
}

#[derive(Default)]
struct Watch {
    shell: ShellTracker,
    /// Whether the shell says itself what its commands are.
    believes: bool,
    /// How many times it has said anything.
    said: usize,
    /// The prompt behind which something is being typed.
    waiting: Option<String>,
    left: Vec<String>,
}

impl Observer for Watch {
    type Output = Vec<String>;

    fn before(&mut self, context: &mut Observation<'_>, operation: &Operation) {
        let Operation::Function(function) = operation else {
            return;
        };
        match function {
            Function::Osc(_) => {
                self.said += 1;
                self.believes = true;
                self.waiting = None;
            }
            Function::Cr | Function::Lf | Function::Nel => {
                if let Some(prompt) = self.waiting.take() {
                    let line = line_at_cursor(context.terminal());
                    let command = line
                        .as_deref()
                        .and_then(|line| line.strip_prefix(prompt.as_str()));
                    let command = command.map(str::trim).filter(|command| !command.is_empty());
                    self.left.extend(command.map(str::to_owned));
                }
            }
            _ => {}
        }
        // It keeps a place for each prompt on the screen, and a hostile screen is full of them.
        if self.said <= MOST {
            self.shell.before(context, operation);
        }
    }

    fn end(&mut self, context: &mut Observation<'_>) -> Vec<String> {
        for event in self.shell.end(context) {
            if let ShellEvent::CommandSubmitted(command) = event {
                let text = command.text.filter(|text| !text.is_empty());
                self.left
                    .push(text.unwrap_or_else(|| "(a command that is not one line)".to_owned()));
            }
        }
        std::mem::take(&mut self.left)
    }
}

/// The line that the cursor is in, with the rows that it is wrapped into; none while a program has the screen.
fn line_at_cursor(terminal: &Terminal) -> Option<String> {
    if terminal.active_screen_kind() != ScreenKind::Primary {
        return None;
    }
    let screen = terminal.screen();
    let cursor = terminal.cursor();
    let wrapped = |row: &usize| screen.line(*row).is_some_and(avt::Line::is_wrapped);
    let before = (0..cursor.row).rev().take(ROWS).take_while(wrapped).count();
    let mut text = String::new();
    for row in (cursor.row - before..).take(2 * ROWS) {
        let line = screen.line(row)?;
        text.extend(line.chars());
        if !line.is_wrapped() {
            break;
        }
    }
    Some(text)
}
