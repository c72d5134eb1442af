//! Layout of the demo's texts: as wide as the terminal, and coloured only on a terminal.

use std::io::IsTerminal;

use terminal_size::{Width, terminal_size_of};

/// The width in columns where the output does not go to a terminal.
const WIDTH_USUAL: usize = 80;
/// The greatest width in columns: longer lines are hard to read.
const WIDTH_MAX: usize = 100;
/// The least width in columns, even if the terminal is narrower.
const WIDTH_MIN: usize = 30;

/// The width and the colours of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paper {
    /// The number of characters that fit on one line.
    pub width: usize,
    /// Whether good results are green and bad ones red.
    pub is_coloured: bool,
}

impl Paper {
    /// Takes the width and colours of standard output. Colours are used on a terminal, unless `NO_COLOR` is set (no-color.org) or `TERM` is
    /// `dumb`.
    #[expect(clippy::disallowed_methods, reason = "what the terminal bears is no configuration of the centre")]
    pub fn of_standard_output() -> Paper {
        let out = std::io::stdout();
        let columns = terminal_size_of(&out).map_or(WIDTH_USUAL, |(Width(columns), _)| usize::from(columns));
        let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_none_or(|value| value == "dumb");
        Paper { width: columns.clamp(WIDTH_MIN, WIDTH_MAX), is_coloured: out.is_terminal() && !is_refused && !is_dumb }
    }

    /// Colours a text: green where the result is good, red where it is not.
    pub fn judge(self, text: &str, is_good: bool) -> String {
        match (self.is_coloured, is_good) {
            (false, _) => text.to_owned(),
            (true, true) => format!("\u{1b}[1;32m{text}\u{1b}[0m"),
            (true, false) => format!("\u{1b}[1;31m{text}\u{1b}[0m"),
        }
    }

    /// Returns the lines of a box around the sentence of the verdict, in the colour of the verdict.
    pub fn boxed(self, sentence: &str, is_good: bool) -> Vec<String> {
        let lines = wrap(sentence, self.width - 4);
        let inner = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
        let edge = "─".repeat(inner + 2);
        let middle = lines.iter().map(|line| format!("│ {line:<inner$} │"));
        let all = std::iter::once(format!("┌{edge}┐")).chain(middle).chain([format!("└{edge}┘")]);
        all.map(|line| self.judge(&line, is_good)).collect()
    }

    /// Lays out a figure and its words: the figure ends at the column `margin`, and the words stand to the right of it.
    pub fn item(self, margin: usize, figure: &str, words: &str) -> Vec<String> {
        let lines = wrap(words, self.width.saturating_sub(margin + 2));
        let laid = lines.iter().enumerate();
        laid.map(|(at, line)| format!("{:>margin$}  {line}", if at == 0 { figure } else { "" })).collect()
    }
}

/// Breaks a text between words into lines of at most `width` characters. A word longer than a line is broken too.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = vec![String::new()];
    // A no-break space is white space too, but belongs to its word: the text is split only at spaces and line ends.
    for word in text.split([' ', '\n']).filter(|word| !word.is_empty()) {
        let characters: Vec<char> = word.chars().collect();
        for piece in characters.chunks(width) {
            let last = lines.last_mut().filter(|line| line.is_empty() || line.chars().count() + piece.len() < width);
            match last {
                Some(line) if line.is_empty() => line.extend(piece),
                Some(line) => {
                    line.push(' ');
                    line.extend(piece);
                }
                None => lines.push(piece.iter().collect()),
            }
        }
    }
    lines
}

/// Returns a command to be copied: a long line is continued with a backslash, as a shell reads it.
pub fn command(words: &[String], width: usize) -> String {
    let mut text = String::new();
    let mut columns = 0;
    for word in words {
        let word = quoted(word);
        let length = word.chars().count();
        // The word needs a space before it, and a space and a backslash after it where the line is continued.
        if columns > 0 && columns + 1 + length + 2 > width {
            text.push_str(" \\\n    ");
            columns = 4;
        } else if columns > 0 {
            text.push(' ');
            columns += 1;
        }
        text.push_str(&word);
        columns += length;
    }
    text
}

/// Quotes a word that a shell would not read literally.
fn quoted(word: &str) -> String {
    let is_plain = |character: char| character.is_alphanumeric() || "/._-+:=,@".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_broken_only_where_they_are_longer_than_a_line() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("état civil", 4), ["état", "civi", "l"]);
        assert_eq!(wrap("", 10), [""]);
        assert_eq!(wrap("une lettre\u{a0}: la\u{202f}; x", 11), ["une", "lettre\u{a0}:", "la\u{202f}; x"]);
    }

    #[test]
    fn a_box_is_as_wide_as_its_text_and_never_wider_than_the_paper() {
        for width in [40, 80] {
            let paper = Paper { width, is_coloured: false };
            let lines = paper.boxed(&"word ".repeat(30), true);
            let widths: Vec<usize> = lines.iter().map(|line| line.chars().count()).collect();
            assert!(widths.iter().all(|one| *one == widths[0] && *one <= width), "{lines:#?}");
        }
    }

    #[test]
    fn colours_are_for_those_who_want_them() {
        let coloured = Paper { width: 80, is_coloured: true };
        assert_eq!(coloured.judge("0", true), "\u{1b}[1;32m0\u{1b}[0m");
        assert_eq!(coloured.judge("1", false), "\u{1b}[1;31m1\u{1b}[0m");
        assert_eq!(Paper { is_coloured: false, ..coloured }.judge("0", true), "0");
    }

    #[test]
    fn a_command_is_the_same_to_a_shell_however_it_is_broken() {
        let words = ["xmserver", "--data-folder", "/tmp/it's a demo", "", "journal", "list"].map(str::to_owned);
        for width in [20, 40, 80] {
            let text = command(&words, width);
            let echo = format!("printf '%s\\n' {text}");
            let output = std::process::Command::new("sh").args(["-c", &echo]).output().unwrap();
            let read = String::from_utf8(output.stdout).unwrap();
            assert_eq!(read.lines().collect::<Vec<_>>(), words, "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= width.max(27)), "{text}");
        }
    }
}
