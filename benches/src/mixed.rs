//! Letters among bad ones, duplicates and letters without credit, beside clean ones.

use anyhow::Result;
use serde::Serialize;

use crate::burst::{self, Outcome};
use crate::centre::Hardship;
use crate::figures::{Figures, Report, number};
use crate::stock::Stock;

/// What two bursts measured.
#[derive(Clone, Debug, Serialize)]
pub struct Mixed {
    /// Letters a second among the others, by those a second without.
    pub share_of_clean: f64,
    /// Among the others.
    pub mixed: Outcome,
    /// Without.
    pub clean: Outcome,
}

impl Report for Mixed {
    fn summary(&self) -> Vec<(&'static str, String)> {
        vec![("share_of_clean", number(self.share_of_clean))]
    }

    fn runs(&self) -> Vec<(&'static str, &Figures)> {
        vec![("mixed", &self.mixed.figures), ("clean", &self.clean.figures)]
    }
}

/// Runs a clean burst, then a mixed one.
///
/// # Errors
/// See [`burst::run`].
pub async fn run(clean: &Stock, mixed: &Stock) -> Result<Mixed> {
    let clean = burst::run(clean, Hardship::default(), true).await?;
    let mixed = burst::run(mixed, Hardship::default(), false).await?;
    let share_of_clean = mixed.figures.letters_per_second / clean.figures.letters_per_second;
    Ok(Mixed { share_of_clean, mixed, clean })
}
