//! How a person signs in: the office folder, the user, the pass-phrase.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use face::said;
use zeroize::Zeroizing;

use crate::desk::Desk;
use crate::place;
use crate::vault::{Passphrase, Vault};

/// What the command line says about who works where.
pub(super) struct Entrance {
    pub(super) folder: PathBuf,
    pub(super) user: Option<String>,
    pub(super) passphrase_file: Option<PathBuf>,
    pub(super) json: bool,
}

/// Returns the office folder that is meant.
pub(super) fn folder(named: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    named
        .or_else(place::office_folder)
        .context("no folder of one's own data is known here: name the office folder with --office")
}

impl Entrance {
    /// Signs the user in.
    pub(super) fn desk(&self) -> anyhow::Result<Desk> {
        let user = Vault::read(&self.folder)?.user(self.user.as_deref())?;
        let passphrase = self.passphrase(&user)?;
        Desk::open(&self.folder, &user, &passphrase, self.json)
    }

    /// Reads the pass-phrase from its file, else from the terminal.
    pub(super) fn passphrase(&self, user: &str) -> anyhow::Result<Passphrase> {
        match &self.passphrase_file {
            Some(file) => Ok(Passphrase::new(&first_line(file)?)),
            None => Ok(Passphrase::new(&hidden(&said!("office-ask-passphrase", user = user))?)),
        }
    }

    /// Reads a pass-phrase that somebody chooses, from a file, else twice from the terminal.
    pub(super) fn chosen(user: &str, file: Option<&Path>) -> anyhow::Result<Passphrase> {
        if let Some(file) = file {
            return Ok(Passphrase::new(&first_line(file)?));
        }
        let first = hidden(&said!("office-ask-new-passphrase", user = user))?;
        Passphrase::new(&first).check()?;
        let second = hidden(&said!("office-ask-again"))?;
        if *first != *second {
            bail!("the two pass-phrases differ: nothing was changed");
        }
        Ok(Passphrase::new(&first))
    }
}

/// Reads the first line of a file with a secret.
pub(super) fn first_line(file: &Path) -> anyhow::Result<Zeroizing<String>> {
    let text = fs::read_to_string(file).map(Zeroizing::new);
    let text = text.with_context(|| format!("could not read the secret in {}", file.display()))?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        bail!("the secret in {} is empty: expected it in the first line", file.display());
    }
    Ok(Zeroizing::new(line.to_owned()))
}

/// Says whether a person can answer.
pub(super) fn is_terminal() -> bool {
    io::stdin().is_terminal()
}

/// Asks at the terminal for something that nobody may see.
pub(super) fn hidden(question: &str) -> anyhow::Result<Zeroizing<String>> {
    if !is_terminal() {
        bail!("there is no terminal to ask for a secret: name a file that has it, such as with --passphrase-file");
    }
    Ok(Zeroizing::new(rpassword::prompt_password(format!("{question} "))?))
}
