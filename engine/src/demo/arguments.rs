//! The arguments of `xmserver demo`, and the names that the demo uses.

use std::path::{Path, PathBuf};

use clap::Args;

/// The name of the demo's server.
pub const SERVER: &str = store::people::sample::DEMO;
/// The address to which agencies send their letters.
pub const CENTRE_ADDRESS: &str = "centre@demo.example";
/// Largest number of agencies that a user may ask for. Each needs a key and a maildrop.
const AGENCIES_MAX: u64 = 20_000;

/// How large the demo is.
#[derive(Args, Clone, Debug)]
pub struct DemoArguments {
    /// Agencies
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=AGENCIES_MAX))]
    pub agencies: u64,
    /// Letters that they send in all
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..))]
    pub letters: u64,
    /// End when everything is answered, instead of staying up
    #[arg(long)]
    pub exit: bool,
    /// Write the figures into this file as well
    #[arg(long, value_name = "FILE")]
    pub figures: Option<PathBuf>,
    /// Write the page of the night here: verdict, curve and sheet, for a browser; by default into the centre's data, where that stays
    #[arg(long, value_name = "FILE")]
    pub page: Option<PathBuf>,
    /// The same number is the same demo
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Keep the centre's data in this new folder; by default it is thrown away
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Kill the centre so many times on the way, at random moments, without warning
    #[arg(long, default_value_t = 0)]
    pub kills: u64,
}

impl DemoArguments {
    /// Returns the file for the HTML page. Returns none where the user asked for no page and the data folder is removed as soon as the demo
    /// ends.
    pub fn page_file(&self, data: &Path) -> Option<PathBuf> {
        let is_there = self.data.is_some() || !self.exit;
        self.page.clone().or_else(|| is_there.then(|| data.join("night.html")))
    }
}
