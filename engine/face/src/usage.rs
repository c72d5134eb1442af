//! The command line is parsed, explained and refused in the user's language.
//!
//! clap's own texts are English. Where clap allows it, they are replaced by texts in the user's language: purposes of commands and options,
//! names of values, headings, and the line that shows how a command is used. clap lists defaults and possible values after an option's
//! text; here they are part of that text. Error messages of clap are translated line by line
//! where they are shown. In English nothing is changed.

use std::ffi::OsString;

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, Command, Parser};
use words::Words;

use crate::speech;

/// Parses a command line.
///
/// # Errors
/// The command line is not understood, or asks for help.
pub fn read<Line: Parser>(arguments: Vec<OsString>) -> Result<Line, clap::Error> {
    let mut command = in_language(Line::command(), speech::words());
    let mut matches = command.try_get_matches_from_mut(arguments)?;
    Line::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

/// Sets all texts of a command and of its subcommands in the user's language.
pub fn in_language(mut command: Command, words: &Words) -> Command {
    if words.is_plain_english() {
        return command;
    }
    // The command is built first, so that it has the options and commands that clap adds.
    command.build();
    localised(command, words)
}

fn localised(command: Command, words: &Words) -> Command {
    let command = command.mut_args(|arg| of_argument(arg, words)).mut_subcommands(|one| localised(one, words));
    let about = command.get_about().map(ToString::to_string);
    let command = match about {
        Some(about) => command.about(said_of(&about, words)),
        None => command,
    };
    let command = command.subcommand_value_name(forever(words.short("value-", "COMMAND")));
    let template = template(&command, words);
    command.help_template(template)
}

/// Translates a text of clap or of the code about a command or an option.
fn said_of(english: &str, words: &Words) -> String {
    words.short("usage-", &words.short("help-", english))
}

/// Leaks a name, because clap needs names for the whole run of the program. Few names are leaked, at most one for each option or command.
fn forever(name: String) -> &'static str {
    name.leak()
}

/// Returns clap's line that shows how a command is used, with its heading in the user's language.
fn usage(command: &Command, words: &Words) -> String {
    let english = command.clone().render_usage().ansi().to_string();
    let heading = words.short("usage-", "Usage:");
    speech::with_options_named(&english.replacen("Usage:", &heading, 1), words)
}

/// Returns a template that lays help out as clap does, with headings in the user's language.
fn template(command: &Command, words: &Words) -> String {
    let styles = command.get_styles();
    let heading = |style: &clap::builder::styling::Style, english: &str| {
        format!("{}{}{}", style.render(), words.short("usage-", english), style.render_reset())
    };
    let mut template = format!("{{before-help}}{{about-with-newline}}\n{}", usage(command, words));
    let is_shown = |arg: &&Arg| !arg.is_hide_set();
    let parts = [
        (command.get_subcommands().any(|one| !one.is_hide_set()), "Commands:", "{subcommands}"),
        (command.get_positionals().any(|arg| is_shown(&arg)), "Arguments:", "{positionals}"),
        (command.get_arguments().any(|arg| !arg.is_positional() && is_shown(&arg)), "Options:", "{options}"),
    ];
    for (_, english, part) in parts.into_iter().filter(|(is_there, ..)| *is_there) {
        template.push_str(&format!("\n\n{}\n{part}", heading(styles.get_header(), english)));
    }
    template.push_str("{after-help}");
    template
}

fn of_argument(arg: Arg, words: &Words) -> Arg {
    let of = |text: Option<&clap::builder::StyledStr>| text.map(|text| said_of(&text.to_string(), words));
    let (short, long) = (of(arg.get_help()).unwrap_or_default(), of(arg.get_long_help()));
    if !matches!(arg.get_action(), ArgAction::Set | ArgAction::Append) {
        let arg = arg.help(short);
        return match long {
            Some(long) => arg.long_help(long),
            None => arg,
        };
    }
    let names = arg.get_value_names().unwrap_or_default();
    let names: Vec<&'static str> = names.iter().map(|name| forever(words.short("value-", name))).collect();
    let (default, possible, listed) = (default(&arg, words), possible(&arg, words), listed(&arg, words));
    let put_together = |texts: [Option<String>; 3], between: &str| {
        texts.into_iter().flatten().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(between)
    };
    let behind = if listed.is_some() { None } else { possible.clone() };
    let behind = put_together([default.clone(), behind, None], "\n");
    let arg = arg
        .help(put_together([Some(short.clone()), default, possible], " "))
        .long_help(put_together([Some(short), listed, Some(behind)], "\n\n"))
        .hide_possible_values(true)
        .hide_default_value(true);
    if names.is_empty() { arg } else { arg.value_names(names) }
}

/// Returns the text that states an option's default; none where the option has no default to show.
fn default(arg: &Arg, words: &Words) -> Option<String> {
    let quoted = |value: &OsString| {
        let value = value.to_string_lossy();
        if value.is_empty() || value.contains(char::is_whitespace) { format!("{value:?}") } else { value.into_owned() }
    };
    let values: Vec<String> = arg.get_default_values().iter().map(|one| quoted(&OsString::from(one))).collect();
    let is_shown = !arg.is_hide_default_value_set() && !values.is_empty();
    is_shown.then(|| words.text("usage-default", [("value", values.join(" ").into())]))
}

/// Returns one line with the possible values of an option; none where it takes any value.
fn possible(arg: &Arg, words: &Words) -> Option<String> {
    let values = shown_values(arg);
    let names: Vec<&str> = values.iter().map(PossibleValue::get_name).collect();
    (!names.is_empty()).then(|| words.text("usage-possible", [("values", names.join(", ").into())]))
}

fn shown_values(arg: &Arg) -> Vec<PossibleValue> {
    if arg.is_hide_possible_values_set() {
        return Vec::new();
    }
    arg.get_possible_values().into_iter().filter(|value| !value.is_hide_set()).collect()
}

/// Lists the possible values of an option with their meanings, as the long help does.
fn listed(arg: &Arg, words: &Words) -> Option<String> {
    let values = shown_values(arg);
    if values.iter().all(|value| value.get_help().is_none()) {
        return None;
    }
    let width = values.iter().map(|value| value.get_name().chars().count()).max()?;
    let mut lines = words.short("usage-", "Possible values:");
    for value in values.iter().filter(|value| value.get_help().is_some()) {
        let name = format!("{}:", value.get_name());
        let meaning = value.get_help().map(|help| said_of(&help.to_string(), words)).unwrap_or_default();
        lines.push_str(&format!("\n- {name:<0$} {meaning}", width + 1));
    }
    Some(lines)
}
