//! Shell completions and man pages, made from the command line's own definition.

use std::io::{self, Write};
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::failure::{Failure, Result};

/// Prints the completions for a shell.
pub(crate) fn completions(shell: Shell) -> Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "hallpass", &mut text);
    Ok(io::stdout().write_all(&text)?)
}

/// Writes `hallpass.1` and one page for each subcommand.
pub(crate) fn man(dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).map_err(|e| Failure::file("made", dir, &e))?;
    clap_mangen::generate_to(Cli::command(), dir).map_err(|e| Failure::file("written", dir, &e))
}
