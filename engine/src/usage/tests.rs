//! Help and errors of the command line in every language.

use clap::builder::PossibleValue;
use clap::{ArgAction, Command, CommandFactory};
use face::usage::in_language;
use words::{Catalogues, Language, Words, pseudo};

use crate::command::CommandLine;

fn words(language: &str) -> Words {
    let language: Language = language.parse().unwrap();
    Catalogues::built_in().words(&language).unwrap()
}

/// Calls `look` with a command and with each command below it.
fn each(command: &Command, look: &mut impl FnMut(&Command)) {
    look(command);
    command.get_subcommands().for_each(|one| each(one, look));
}

/// Returns the command line, with the options and commands that clap adds.
fn built() -> Command {
    let mut command = CommandLine::command();
    command.build();
    command
}

#[test]
fn every_text_of_the_command_line_is_in_the_catalogues() {
    let mut missing = Vec::new();
    let mut seek = |family: &str, text: &str| {
        if !["help-", "usage-"].iter().any(|one| Words::is_known(if family.is_empty() { one } else { family }, text)) {
            missing.push(format!("{family}{text}"));
        }
    };
    let mut seen = 0;
    each(&built(), &mut |command| {
        command.get_about().iter().for_each(|about| seek("", &about.to_string()));
        for arg in command.get_arguments() {
            seen += 1;
            arg.get_help().iter().for_each(|help| seek("", &help.to_string()));
            arg.get_long_help().iter().for_each(|help| seek("", &help.to_string()));
            let values = arg.get_possible_values();
            values.iter().filter_map(PossibleValue::get_help).for_each(|help| seek("", &help.to_string()));
            let names = arg.get_value_names().unwrap_or_default();
            if matches!(arg.get_action(), ArgAction::Set | ArgAction::Append) {
                names.iter().for_each(|name| seek("value-", name));
            }
        }
    });
    missing.sort_unstable();
    missing.dedup();
    assert!(seen > 100, "the command line was walked through");
    assert!(missing.is_empty(), "no words in engine/words/catalogues for:\n{}", missing.join("\n"));
}

/// The pseudo-language puts accents on English, which changes no width: without the accents its help must be the English help.
#[test]
fn help_in_another_language_is_laid_out_as_clap_lays_out_its_own() {
    let (mut english, mut accented) = (Vec::new(), Vec::new());
    let help = |command: &Command| {
        let mut command = command.clone();
        // Clap sets names of values in bold only in its own long help, and may leave spaces on an empty line there.
        let long = command.render_long_help().to_string();
        let long = long.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        [command.render_help().ansi().to_string(), long]
    };
    each(&built(), &mut |command| english.extend(help(command)));
    each(&in_language(CommandLine::command(), &words(pseudo::TAG)), &mut |command| accented.extend(help(command)));
    assert_eq!(english.len(), accented.len());
    for (english, accented) in english.iter().zip(&accented) {
        assert_eq!(&pseudo::unaccented(accented), english);
        assert!(!accented.contains("OPTIONS"), "what stands for options has words too: {accented}");
    }
}

#[test]
fn a_command_line_is_explained_in_french() {
    let mut command = in_language(CommandLine::command(), &words("fr"));
    let agency = command.find_subcommand_mut("agency").unwrap().find_subcommand_mut("edit").unwrap();
    let help = agency.render_long_help().to_string();
    for part in [
        "Utilisation\u{a0}: xmserver agency edit",
        "Arguments\u{a0}:\n",
        "Options\u{a0}:\n",
        "--letter-limit <OCTETS>",
        "Valeurs possibles\u{a0}:\n          - yes: C'est permis\n          - no:  Ce n'est pas permis",
        "Afficher l'aide (un résumé avec '-h')",
    ] {
        assert!(help.contains(part), "{part} is missing in\n{help}");
    }
    let tariff = command.find_subcommand_mut("tariff").unwrap().find_subcommand_mut("set").unwrap();
    let help = tariff.render_help().to_string();
    assert!(help.contains("[par défaut\u{a0}: 0]") && help.contains("<SERVICE>"), "{help}");
}

#[test]
fn english_is_left_as_it_is() {
    let mut command = in_language(CommandLine::command(), &words("en"));
    let plain = CommandLine::command().render_help().ansi().to_string();
    assert_eq!(command.render_help().ansi().to_string(), plain);
}

/// Commands that run until they are stopped, so the tests of the pseudo-language do not run them. `engine/tests/demo.rs` tests the demo.
const NOT_TRIED: [&str; 2] = ["demo", "sample post"];

/// Every command must occur in the tests of the pseudo-language. Otherwise nobody would notice that one of its texts is only in English.
#[test]
fn every_command_is_tried_in_the_language_that_nobody_speaks() {
    let tried = concat!(include_str!("../../tests/commands/day.rs"), include_str!("../../tests/commands/languages.rs"));
    let mut missing = Vec::new();
    paths(&CommandLine::command(), &mut vec![], &mut |path| {
        let said = path.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
        if !tried.contains(&format!("[{said}")) && !NOT_TRIED.contains(&path.join(" ").as_str()) {
            missing.push(path.join(" "));
        }
    });
    assert_eq!(missing, Vec::<String>::new(), "engine/tests/commands/day.rs has none of these");
}

/// Calls `look` with the names that lead to each command without subcommands.
fn paths<'a>(command: &'a Command, before: &mut Vec<&'a str>, look: &mut impl FnMut(&[&str])) {
    let mut has_none = true;
    for one in command.get_subcommands() {
        has_none = false;
        before.push(one.get_name());
        paths(one, before, look);
        before.pop();
    }
    if has_none {
        look(before);
    }
}
