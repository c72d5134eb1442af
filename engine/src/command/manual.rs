//! `xmserver completions` and `xmserver manual`: what shells and `man` need to know of the commands. Both are made from the command line
//! itself, in the language that is spoken, so they never tell of other commands than the program has.

use std::fs;
use std::path::Path;

use anyhow::Context;
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use serde_json::json;

use super::CommandLine;
use crate::show;
use crate::speech::{self, said};

/// Prints the completions for a shell.
pub(super) fn completions(shell: Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command_line(), "xmserver", &mut script);
    show::text(&String::from_utf8(script)?)
}

/// Writes the pages of the manual, `xmserver.1` and one for each command.
///
/// # Errors
/// The folder does not exist, or cannot be written to.
pub(super) fn pages(folder: &Path, is_for_programs: bool) -> anyhow::Result<()> {
    let mut command = command_line();
    // Subcommands then have their whole names, and the options that belong to every command.
    command.build();
    let mut written = Vec::new();
    write_page(&command, folder, &mut written)?;
    if is_for_programs {
        return show::json(&json!({ "pages": written }));
    }
    let pages = i64::try_from(written.len())?;
    show::text(&format!("{}\n", said!("manual-written", pages = pages, folder = folder.display().to_string())))
}

fn command_line() -> Command {
    face::usage::in_language(CommandLine::command(), speech::words())
}

/// Writes the page of a command, and those of its subcommands.
fn write_page(command: &Command, folder: &Path, written: &mut Vec<String>) -> anyhow::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let mut page = Vec::new();
    Man::new(command.clone()).title(name.to_uppercase()).render(&mut page)?;
    let file = folder.join(format!("{name}.1"));
    fs::write(&file, page).with_context(|| format!("cannot write {}", file.display()))?;
    written.push(name);
    for subcommand in command.get_subcommands().filter(|one| !one.is_hide_set() && one.get_name() != "help") {
        write_page(subcommand, folder, written)?;
    }
    Ok(())
}
