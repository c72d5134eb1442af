//! `load` measures an election night on this machine.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use benches::centre::Hardship;
use benches::comparison::{self, Comparison};
use benches::figures::Report;
use benches::hostile::{Size, Stocks};
use benches::mix::{Claim, Mix};
use benches::options::Options;
use benches::push::Asked;
use benches::reads::Reads;
use benches::stock::Stock;
use benches::{bulk, burst, history, hostile, mixed, steady};
use clap::{Args, Parser, Subcommand};

/// The letters of the small burst after which the subcommand `limit` measures the machine's limit.
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
        /// Mails of 5 MB that lie before the letters
        #[arg(long, default_value_t = 0)]
        big_mails: usize,
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
    /// A burst with bad letters, duplicates and agencies out of credit, beside a clean one
    Mixed {
        /// Agencies, each with a letter
        #[arg(long, default_value_t = 10_000)]
        letters: usize,
        /// Bad letters, in percent; of duplicates there are 2, and of letters without credit 1
        #[arg(long, default_value = "5%", value_parser = percent)]
        bad: usize,
        #[command(flatten)]
        options: Options,
    },
    /// A burst among mails of strangers, beside one without them
    Strangers {
        /// Agencies, each with a letter
        #[arg(long, default_value_t = 10_000)]
        letters: usize,
        /// Mails of strangers for every letter
        #[arg(long, default_value_t = 5)]
        strangers: usize,
        /// Whom they claim to be
        #[arg(long, value_enum)]
        claim: Claim,
        #[command(flatten)]
        rounds: Rounds,
        #[command(flatten)]
        options: Options,
    },
    /// A burst from a mail server that is far away, beside one over a line without delay
    Distance {
        /// Letters, each of an agency of its own
        #[arg(long, default_value_t = 50_000)]
        letters: usize,
        /// How far, there and back
        #[arg(long, default_value_t = 100)]
        round_trip_ms: u64,
        #[command(flatten)]
        rounds: Rounds,
        #[command(flatten)]
        options: Options,
    },
    /// A burst into tables that hold rows of former elections, beside one into empty tables
    Held {
        /// Letters, each of an agency of its own
        #[arg(long, default_value_t = 100_000)]
        letters: usize,
        /// Rows that the tables hold already
        #[arg(long, default_value_t = 10_000_000)]
        rows: u64,
        #[command(flatten)]
        rounds: Rounds,
        #[command(flatten)]
        options: Options,
    },
    /// Letters of many records, one after another and at once
    Bulk {
        /// Letters
        #[arg(long, default_value_t = 100)]
        letters: usize,
        /// Records of each
        #[arg(long, default_value_t = 1000)]
        records: usize,
        #[command(flatten)]
        options: Options,
    },
    /// A burst behind a hundred hostile mails of every kind, of strangers and of agencies, beside quiet ones; with no less than
    /// the default of each it fails where a bound is broken
    Hostile {
        /// Letters, each of an agency of its own
        #[arg(long, default_value_t = Size::FULL.letters)]
        letters: usize,
        /// Letters a second that come beside those of hostile agencies
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
        rate: u32,
        /// For so long
        #[arg(long, default_value_t = Size::FULL.seconds, value_parser = clap::value_parser!(u32).range(1..))]
        seconds: u32,
        /// Hostile mails of every kind
        #[arg(long, default_value_t = Size::FULL.of_each_kind)]
        of_each_kind: usize,
        #[command(flatten)]
        options: Options,
    },
    /// Letters are pushed over many connections at once instead of being collected; with no less than the defaults it fails where
    /// a bound is broken
    Push(Asked),
    #[command(flatten)]
    Reads(Reads),
    /// The table of the newest runs of each command, as docs/PERFORMANCE.md has it
    Table {
        /// The lines of the runs
        #[arg(long, default_value = history::FILE)]
        history: PathBuf,
    },
    /// What this machine could do at best, after a small burst
    Limit {
        #[command(flatten)]
        options: Options,
    },
}

#[derive(Args)]
struct Rounds {
    /// Rounds of two bursts of each kind; the more, the less the machine's changing speed matters
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=20))]
    rounds: u8,
    /// One burst of each kind instead, to try the command: the figures say little
    #[arg(long, conflicts_with = "rounds")]
    once: bool,
}

impl Rounds {
    /// Compares the two kinds of burst in as many rounds as the user asked for, or with one burst of each kind where `--once` is given.
    async fn compare(&self, easy: (&Stock, Hardship), hard: (&Stock, Hardship)) -> Result<Comparison> {
        if self.once {
            return comparison::run_once(easy, hard).await;
        }
        comparison::run(self.rounds, easy, hard).await
    }
}

fn percent(text: &str) -> Result<usize, String> {
    let number = text.strip_suffix('%').unwrap_or(text).parse().ok().filter(|number| *number <= 50);
    number.ok_or_else(|| format!("expected a share up to 50%, such as 5%, found {text:?}"))
}

async fn behind_hostile(size: Size, rate: u32, options: &Options) -> Result<Vec<String>> {
    let mix = Mix { hostile: size.of_each_kind, ..Mix::default() };
    let outcome = hostile::run(&Stocks {
        quiet: &options.stock(size.letters, Mix::default()).await?,
        hostile: &options.stock(size.letters, mix).await?,
        steady: &options.stock(usize::try_from(rate * size.seconds)?, mix).await?,
        rate: f64::from(rate),
        size,
    })
    .await?;
    options.tell(&outcome)?;
    Ok(outcome.problems())
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let problems = match Line::parse().command {
        Command::Burst { letters, big_mails, options } => {
            let stock = options.stock(letters, Mix::default()).await?;
            let hardship = Hardship { big_mails, ..Hardship::default() };
            let outcome = burst::run(&stock, hardship, true).await?;
            options.tell(&outcome)?;
            outcome.problems()
        }
        Command::Steady { rate, seconds, options } => {
            let stock = options.stock(usize::try_from(rate * seconds)?, Mix::default()).await?;
            let outcome = steady::run(&stock, f64::from(rate)).await?;
            options.tell(&outcome)?;
            outcome.problems()
        }
        Command::Hostile { letters, rate, seconds, of_each_kind, options } => {
            behind_hostile(Size { letters, seconds, of_each_kind }, rate, &options).await?
        }
        Command::Push(asked) => asked.run().await?,
        Command::Reads(reads) => reads.run().await?,
        Command::Table { history } => {
            print!("{}", history::table(&history)?);
            Vec::new()
        }
        Command::Limit { options } => {
            let stock = options.stock(LIMIT_LETTERS, Mix::default()).await?;
            let outcome = burst::run(&stock, Hardship::default(), true).await?;
            options.tell(&outcome.limit.context("the limit was not measured")?)?;
            outcome.problems()
        }
        Command::Strangers { letters, strangers, claim, rounds, options } => {
            let among = Mix { strangers: Some((strangers, claim)), ..Mix::default() };
            let (quiet, among) = (options.stock(letters, Mix::default()).await?, options.stock(letters, among).await?);
            let outcome = rounds.compare((&quiet, Hardship::default()), (&among, Hardship::default())).await?;
            options.tell(&outcome)?;
            outcome.problems()
        }
        Command::Distance { letters, round_trip_ms, rounds, options } => {
            let stock = options.stock(letters, Mix::default()).await?;
            let away = |ms| Hardship { round_trip: Some(Duration::from_millis(ms)), ..Hardship::default() };
            let outcome = rounds.compare((&stock, away(0)), (&stock, away(round_trip_ms))).await?;
            options.tell(&outcome)?;
            outcome.problems()
        }
        Command::Held { letters, rows, rounds, options } => {
            let (empty, held) = (
                options.stock(letters, Mix::default()).await?,
                options.stock_with(letters, Mix::default(), rows).await?,
            );
            let outcome = rounds.compare((&empty, Hardship::default()), (&held, Hardship::default())).await?;
            options.tell(&outcome)?;
            outcome.problems()
        }
        Command::Bulk { letters, records, options } => {
            let stock = options.stock(letters, Mix { births: Some(records), ..Mix::default() }).await?;
            let outcome = bulk::run(&stock, records as u64).await?;
            options.tell(&outcome)?;
            outcome.problems()
        }
        Command::Mixed { letters, bad, options } => {
            let mix = Mix { bad: bad * 10, again: 20, without_credit: 10, services: 9 * 12, ..Mix::default() };
            let (clean, mixed) = (options.stock(letters, Mix::default()).await?, options.stock(letters, mix).await?);
            let outcome = mixed::run(&clean, &mixed).await?;
            options.tell(&outcome)?;
            outcome.problems()
        }
    };
    for problem in &problems {
        eprintln!("{problem}");
    }
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
