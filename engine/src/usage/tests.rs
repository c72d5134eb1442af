//! What of the command line is said in which language.

use words::{Catalogues, Language, pseudo};

use super::*;

fn words(language: &str) -> Words {
    let language: Language = language.parse().unwrap();
    Catalogues::built_in().words(&language).unwrap()
}

/// Does something to a command and to each one below it.
fn each(command: &Command, look: &mut impl FnMut(&Command)) {
    look(command);
    command.get_subcommands().for_each(|one| each(one, look));
}

/// The command line, with all that clap adds.
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

/// Accents change no width. So help in the pseudo-language must be English help, once the accents are taken off.
#[test]
fn help_in_another_language_is_laid_out_as_clap_lays_out_its_own() {
    let (mut english, mut accented) = (Vec::new(), Vec::new());
    let help = |command: &Command| {
        let mut command = command.clone();
        // Names of values in the long help are bold in English alone, and a blank line there may hold blanks.
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
        "Utilisation : xmserver agency edit",
        "Arguments :\n",
        "Options :\n",
        "--letter-limit <OCTETS>",
        "Valeurs possibles :\n          - yes: C'est permis\n          - no:  Ce n'est pas permis",
        "Afficher l'aide (un résumé avec '-h')",
    ] {
        assert!(help.contains(part), "{part} is missing in\n{help}");
    }
    let tariff = command.find_subcommand_mut("tariff").unwrap().find_subcommand_mut("set").unwrap();
    let help = tariff.render_help().to_string();
    assert!(help.contains("[par défaut : 0]") && help.contains("<SERVICE>"), "{help}");
}

#[test]
fn english_is_left_as_it_is() {
    let mut command = in_language(CommandLine::command(), &words("en"));
    let plain = CommandLine::command().render_help().ansi().to_string();
    assert_eq!(command.render_help().ansi().to_string(), plain);
}

/// Commands that run on until they are ended: `engine/tests/demo.rs` listens to the demo.
const NOT_TRIED: [&str; 2] = ["demo", "sample post"];

/// A command that no test tries in the pseudo-language could be English there without anybody noticing.
#[test]
fn every_command_is_tried_in_the_language_that_nobody_speaks() {
    let tried = include_str!("../../tests/commands/languages.rs");
    let mut missing = Vec::new();
    paths(&CommandLine::command(), &mut vec![], &mut |path| {
        let said = path.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
        if !tried.contains(&format!("[{said}")) && !NOT_TRIED.contains(&path.join(" ").as_str()) {
            missing.push(path.join(" "));
        }
    });
    assert_eq!(missing, Vec::<String>::new(), "engine/tests/commands/languages.rs tries none of these");
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
