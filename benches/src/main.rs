//! `load`: election night on this machine, measured.

use std::path::PathBuf;

use anyhow::Result;
use benches::stock::{Key, Stock};
use benches::{burst, stations, steady};
use clap::{Args, Parser, Subcommand};
use serde::Serialize;

/// Letters of the burst that the limit is measured after.
const LIMIT_LETTERS: usize = 10_000;

#[derive(Parser)]
#[command(about = "Election night on this machine, measured")]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// All letters lie in the mailboxes before the engine looks
    Burst {
        /// Letters, each of an agency of its own
        #[arg(long, default_value_t = 10_000)]
        letters: usize,
        #[command(flatten)]
        options: Options,
    },
    /// Letters come at a steady rate
    Steady {
        /// Letters a second
        #[arg(long, default_value_t = 1667, value_parser = clap::value_parser!(u32).range(1..))]
        rate: u32,
        /// For so long
        #[arg(long, default_value_t = 120)]
        seconds: u32,
        #[command(flatten)]
        options: Options,
    },
    /// What this machine could do at best, after a small burst
    Limit {
        #[command(flatten)]
        options: Options,
    },
}

#[derive(Args)]
struct Options {
    /// Kind of the agencies' keys
    #[arg(long, value_enum, default_value_t = Key::P256)]
    key: Key,
    /// Results of polling stations, repeated as often as needed
    #[arg(long)]
    data: PathBuf,
    /// Writes the figures into this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Where prepared keys and letters are kept
    #[arg(long, default_value = "target/load")]
    cache: PathBuf,
}

impl Options {
    /// Finds or makes the stock; tells how many rows its letters have.
    async fn stock(&self, letters: usize) -> Result<(Stock, u64)> {
        let stations = stations::read(&self.data)?;
        let stock = Stock::prepare(&std::path::absolute(&self.cache)?, letters, self.key, &stations).await?;
        let rows = (0..letters).map(|at| stations[at % stations.len()].rows()).sum();
        Ok((stock, rows))
    }

    fn tell(&self, outcome: &impl Serialize) -> Result<()> {
        let json = serde_json::to_string_pretty(outcome)?;
        println!("{json}");
        if let Some(file) = &self.json {
            std::fs::write(file, json)?;
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    match Line::parse().command {
        Command::Burst { letters, options } => {
            let (stock, rows) = options.stock(letters).await?;
            options.tell(&burst::run(&stock, rows).await?)
        }
        Command::Steady { rate, seconds, options } => {
            let (stock, _rows) = options.stock(usize::try_from(rate * seconds)?).await?;
            options.tell(&steady::run(&stock, rate).await?)
        }
        Command::Limit { options } => {
            let (stock, rows) = options.stock(LIMIT_LETTERS).await?;
            options.tell(&burst::run(&stock, rows).await?.limit)
        }
    }
}
