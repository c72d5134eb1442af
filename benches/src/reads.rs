//! The commands about agencies that ask for records, and about the lists that letters are judged by.

use anyhow::Result;
use clap::Subcommand;

use crate::beside::Size;
use crate::figures::Report;
use crate::mix::Mix;
use crate::options::Options;
use crate::readers::{Asks, Readers};
use crate::tables::{Filled, Table};
use crate::{beside, certify, import, listed};

/// Number of import letters of each agency in the runs beside imports. There are so many that imports are under way until the run ends.
const IMPORTS_OF_EACH: usize = 8;

/// A command.
#[derive(Subcommand)]
pub enum Reads {
    /// Letters that have a hundred papers certified each, one after another, out of a large table; with no less than the defaults
    /// it fails where an answer takes too long
    Certify {
        /// Letters
        #[arg(long, default_value_t = certify::LETTERS)]
        letters: usize,
        /// Rows of the table
        #[arg(long, default_value_t = certify::ROWS)]
        rows: u64,
        /// What every command is told
        #[command(flatten)]
        options: Options,
    },
    /// Letters that are each given all rows of a table, one after another; with no less than the default of rows it fails where
    /// a core gives too few in a second
    Import {
        /// Letters
        #[arg(long, default_value_t = 3)]
        letters: usize,
        /// Rows of the table
        #[arg(long, default_value_t = import::ROWS)]
        rows: u64,
        /// The table
        #[arg(long, value_enum, default_value_t = Table::Notes)]
        table: Table,
        /// What every command is told
        #[command(flatten)]
        options: Options,
    },
    /// Bursts and letters at a steady rate, while agencies are given all rows of a table; with no less than the defaults it fails
    /// where the letters lose more than the imports take
    Beside {
        /// Letters of each burst
        #[arg(long, default_value_t = Size::FULL.letters)]
        letters: usize,
        /// Letters a second at the steady rate
        #[arg(long, default_value_t = Size::FULL.rate, value_parser = clap::value_parser!(u32).range(1..))]
        rate: u32,
        /// For so long
        #[arg(long, default_value_t = Size::FULL.seconds, value_parser = clap::value_parser!(u32).range(1..))]
        seconds: u32,
        /// Agencies that are given the table
        #[arg(long, default_value_t = Size::FULL.imports)]
        imports: usize,
        /// Rows of the table
        #[arg(long, default_value_t = Size::FULL.rows)]
        rows: u64,
        /// What every command is told
        #[command(flatten)]
        options: Options,
    },
    /// The list of a country's polling stations, loaded by two people; with no less than the default it fails where that takes
    /// too long
    Stations {
        /// Stations
        #[arg(long, default_value_t = listed::STATIONS)]
        stations: usize,
        /// What every command is told
        #[command(flatten)]
        options: Options,
    },
}

impl Reads {
    /// Runs the command. Returns a description of each problem in its runs.
    ///
    /// # Errors
    /// A program does not start or ends early; letters are not settled in time; a file cannot be written.
    pub async fn run(self) -> Result<Vec<String>> {
        match self {
            Reads::Certify { letters, rows, options } => {
                let filled = Filled { table: Table::Births, rows };
                let readers = Readers { agencies: 1, letters, asks: Asks::Certify, filled };
                let outcome = certify::run(&options.stock_beside(1, readers).await?).await?;
                options.tell(&outcome)?;
                Ok(outcome.problems())
            }
            Reads::Import { letters, rows, table, options } => {
                let filled = Filled { table, rows };
                let readers = Readers { agencies: 1, letters, asks: Asks::Import, filled };
                let outcome = import::run(&options.stock_beside(1, readers).await?).await?;
                options.tell(&outcome)?;
                Ok(outcome.problems())
            }
            Reads::Beside { letters, rate, seconds, imports, rows, options } => {
                let size = Size { letters, rate, seconds, imports, rows };
                let filled = Filled { table: Table::Notes, rows };
                let readers = Readers { agencies: imports, letters: IMPORTS_OF_EACH, asks: Asks::Import, filled };
                let burst = options.stock_beside(letters, readers).await?;
                let steady = options.stock_beside(usize::try_from(rate * seconds)?, readers).await?;
                let outcome = beside::run(&burst, &steady, size).await?;
                options.tell(&outcome)?;
                Ok(outcome.problems())
            }
            Reads::Stations { stations, options } => {
                let outcome = listed::run(&options.stock(1, Mix::default()).await?, stations).await?;
                options.tell(&outcome)?;
                Ok(outcome.problems())
            }
        }
    }
}
