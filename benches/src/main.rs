//! `load`: election night on this machine, measured.

use std::path::PathBuf;

use anyhow::Result;
use benches::stock::{Key, Stock};
use benches::{burst, stations};
use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Election night on this machine, measured")]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// All letters lie in the mailboxes before the engine looks
    Burst(Options),
}

#[derive(Args)]
struct Options {
    /// Letters, each of an agency of its own
    #[arg(long, default_value_t = 10_000)]
    letters: usize,
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

#[tokio::main]
async fn main() -> Result<()> {
    let Command::Burst(options) = Line::parse().command;
    let stations = stations::read(&options.data)?;
    let cache = std::path::absolute(&options.cache)?;
    let stock = Stock::prepare(&cache, options.letters, options.key, &stations).await?;
    let rows = (0..options.letters).map(|at| stations[at % stations.len()].rows()).sum();
    let outcome = burst::run(&stock, rows).await?;
    let json = serde_json::to_string_pretty(&outcome)?;
    println!("{json}");
    if let Some(file) = &options.json {
        std::fs::write(file, json)?;
    }
    Ok(())
}
