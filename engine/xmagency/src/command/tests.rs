//! Tests of the command line: it fits together, and every text of it has words in every language.

use clap::builder::PossibleValue;
use clap::{ArgAction, CommandFactory};
use words::Words;

use super::*;

#[test]
fn the_command_line_fits_together() {
    CommandLine::command().debug_assert();
}

/// Calls `look` with a command and with each command below it.
fn each(command: &clap::Command, look: &mut impl FnMut(&clap::Command)) {
    look(command);
    command.get_subcommands().for_each(|one| each(one, look));
}

#[test]
fn every_text_of_the_command_line_is_in_the_catalogues() {
    let mut command = CommandLine::command();
    command.build();
    let (mut missing, mut seen) = (Vec::new(), 0);
    let mut seek = |families: &[&str], text: &str| {
        if !families.iter().any(|family| Words::is_known(family, text)) {
            missing.push(format!("{}{text}", families[0]));
        }
    };
    each(&command, &mut |command| {
        command.get_about().iter().for_each(|about| seek(&["help-", "usage-"], &about.to_string()));
        for arg in command.get_arguments() {
            seen += 1;
            arg.get_help().iter().for_each(|help| seek(&["help-", "usage-"], &help.to_string()));
            let values = arg.get_possible_values();
            values.iter().filter_map(PossibleValue::get_help).for_each(|help| seek(&["help-"], &help.to_string()));
            if matches!(arg.get_action(), ArgAction::Set | ArgAction::Append) {
                arg.get_value_names().unwrap_or_default().iter().for_each(|name| seek(&["value-"], name));
            }
        }
    });
    missing.sort_unstable();
    missing.dedup();
    assert!(seen > 50, "the command line was walked through");
    assert!(missing.is_empty(), "no words in engine/words/catalogues for:\n{}", missing.join("\n"));
}
