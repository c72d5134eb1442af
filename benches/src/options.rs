//! The options that every command has: the kind of the agencies' keys, the results to send, and the files where figures and prepared
//! letters are kept.

use std::convert::Infallible;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use crate::figures::{Report, told};
use crate::mix::Mix;
use crate::readers::Readers;
use crate::stock::{Key, Stock, Wanted};
use crate::{history, stations};

/// What every command is told.
#[derive(Args)]
pub struct Options {
    /// Kind of the agencies' keys
    #[arg(long, value_enum, default_value_t = Key::P256)]
    key: Key,
    /// Results of polling stations, repeated as often as needed; made up where not given
    #[arg(long)]
    data: Option<PathBuf>,
    /// Writes the figures into this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Adds a line for every run to this file; empty for none
    #[arg(long, default_value = history::FILE, value_parser = |path: &str| Ok::<_, Infallible>(PathBuf::from(path)))]
    history: PathBuf,
    /// Where prepared keys and letters are kept
    #[arg(long, default_value = "target/load")]
    cache: PathBuf,
}

impl Options {
    /// Prepares letters of this mix, or takes them from the cache.
    ///
    /// # Errors
    /// See [`Stock::prepare`].
    pub async fn stock(&self, letters: usize, mix: Mix) -> Result<Stock> {
        self.prepared(Wanted { letters, key: self.key, mix, held_rows: 0, readers: None }).await
    }

    /// Prepares letters of this mix, or takes them from the cache, for a centre whose tables hold `held_rows` rows before the run.
    ///
    /// # Errors
    /// See [`Stock::prepare`].
    pub async fn stock_with(&self, letters: usize, mix: Mix, held_rows: u64) -> Result<Stock> {
        self.prepared(Wanted { letters, key: self.key, mix, held_rows, readers: None }).await
    }

    /// Prepares good letters, and letters of the agencies that ask for records, or takes both from the cache.
    ///
    /// # Errors
    /// See [`Stock::prepare`].
    pub async fn stock_beside(&self, letters: usize, readers: Readers) -> Result<Stock> {
        let mix = Mix::default();
        self.prepared(Wanted { letters, key: self.key, mix, held_rows: 0, readers: Some(readers) }).await
    }

    async fn prepared(&self, wanted: Wanted) -> Result<Stock> {
        let stations = self.data.as_deref().map_or_else(|| Ok(stations::made_up()), stations::read)?;
        Stock::prepare(&std::path::absolute(&self.cache)?, wanted, &stations).await
    }

    /// Prints the report as a table and as JSON, writes the JSON to the file that the user named, and adds a line for each run to the
    /// history.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn tell(&self, report: &impl Report) -> Result<()> {
        let (table, json) = told(report)?;
        println!("{table}\n{json}");
        if !self.history.as_os_str().is_empty() {
            history::keep(&self.history, report)?;
        }
        if let Some(file) = &self.json {
            std::fs::write(file, json).with_context(|| format!("{}: the figures cannot be written", file.display()))?;
        }
        Ok(())
    }
}
