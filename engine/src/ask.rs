//! Asks a person at a terminal. Where there is none, nobody is asked: a command then says what it needs to be told instead.

use std::io::{BufRead, IsTerminal, Write};

use crate::speech::said;

/// Says whether somebody is there to answer.
pub fn is_possible() -> bool {
    std::io::stdin().is_terminal()
}

/// Tells something before a question, on standard error: standard output is for what a command did.
///
/// # Errors
/// Standard error cannot be written.
pub fn tell(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stderr().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Asks a question and returns the answer, without blanks around it; empty at the end of input.
///
/// # Errors
/// The terminal is gone.
pub fn ask(question: &str) -> std::io::Result<String> {
    tell(&format!("{question} "))?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim().to_owned())
}

/// Asks whether to go on. Anything but a yes is a no.
///
/// # Errors
/// The terminal is gone.
pub fn agrees(question: &str) -> std::io::Result<bool> {
    Ok(is_yes(&ask(&said!("ask-agree", question = question))?))
}

fn is_yes(answer: &str) -> bool {
    ["yes", "y", "oui", "o"].contains(&answer.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yes_is_a_yes_in_french_and_english_and_nothing_else_is() {
        for yes in ["yes", "YES", "y", "Y", "oui", "Oui", "OUI", "o", "O"] {
            assert!(is_yes(yes), "{yes}");
        }
        for no in ["", "no", "non", "n", "yess", "ok", "0", "1", "ja"] {
            assert!(!is_yes(no), "{no}");
        }
    }
}
