//! Questions to a person at a terminal. Without a terminal no question is asked; the command then fails and names the option that replaces
//! the answer.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::bail;
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

use crate::speech::said;

/// Says whether a person can answer: whether standard input is a terminal.
pub fn is_possible() -> bool {
    std::io::stdin().is_terminal()
}

/// Writes a text before a question to standard error, because standard output is for the results of a command.
///
/// # Errors
/// Standard error cannot be written.
pub fn tell(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stderr().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Asks a question and returns the answer without spaces around it; the answer is empty at the end of input.
///
/// # Errors
/// The terminal cannot be read or written.
pub fn ask(question: &str) -> std::io::Result<String> {
    tell(&format!("{question} "))?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim().to_owned())
}

/// Asks for a secret, which the terminal does not show while it is typed. Without a terminal, a line of standard input is the answer.
///
/// # Errors
/// The terminal cannot be read or written.
pub fn secret(question: &str) -> anyhow::Result<String> {
    let hidden = if is_possible() {
        tell(&format!("{question} "))?;
        Some(Hidden::begin()?)
    } else {
        None
    };
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if hidden.is_some() {
        tell("\n")?;
    }
    Ok(answer.trim_end_matches(['\r', '\n']).to_owned())
}

/// A terminal that does not show what is typed, until the value is dropped.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> anyhow::Result<Hidden> {
        let usual = tcgetattr(std::io::stdin())?;
        let mut hidden = usual.clone();
        hidden.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(std::io::stdin(), SetArg::TCSAFLUSH, &hidden)?;
        Ok(Hidden(usual))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Err(error) = tcsetattr(std::io::stdin(), SetArg::TCSANOW, &self.0) {
            tracing::warn!(%error, "the terminal still hides what is typed: `stty echo` ends this");
        }
    }
}

/// Asks for consent. Every answer but a yes is a no.
///
/// # Errors
/// The terminal cannot be read or written.
pub fn agrees(question: &str) -> std::io::Result<bool> {
    Ok(is_yes(&ask(&said!("ask-agree", question = question))?))
}

/// Shows an act that waits for a decision, and asks the person at the terminal whether to confirm it.
///
/// # Errors
/// There is no terminal, or the person does not agree. In both cases nothing is done.
pub fn confirmed(shown: &str, question: &str) -> anyhow::Result<()> {
    if !is_possible() {
        bail!("{shown}nothing was done: say --yes to confirm it");
    }
    tell(shown)?;
    if agrees(question)? { Ok(()) } else { bail!("nothing was done: it waits still") }
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
