//! Compares a burst that has bad letters, duplicates and letters without credit with a burst of good letters only.

use anyhow::Result;
use serde::Serialize;

use crate::burst;
use crate::centre::Hardship;
use crate::figures::{Figures, Report, number};
use crate::stock::Stock;

/// The results of the two bursts.
#[derive(Clone, Debug, Serialize)]
pub struct Mixed {
    /// Letters a second in the mixed burst, divided by letters a second in the burst of good letters.
    pub share_of_clean: f64,
    /// The burst with bad letters, duplicates and letters without credit.
    pub mixed: Figures,
    /// The burst of good letters only.
    pub clean: Figures,
}

impl Report for Mixed {
    fn summary(&self) -> Vec<(&'static str, String)> {
        vec![("share_of_clean", number(self.share_of_clean))]
    }

    fn runs(&self) -> Vec<(String, &Figures)> {
        vec![("mixed".to_owned(), &self.mixed), ("clean".to_owned(), &self.clean)]
    }
}

/// Runs a mixed burst and then a burst of good letters. After the second burst, measures what the machine could do at best.
///
/// # Errors
/// See [`burst::run`].
pub async fn run(clean: &Stock, mixed: &Stock) -> Result<Mixed> {
    let mixed = burst::run(mixed, Hardship::default(), false).await?;
    let clean = burst::run(clean, Hardship::default(), true).await?;
    let share_of_clean = mixed.letters_per_second / clean.letters_per_second;
    Ok(Mixed { share_of_clean, mixed, clean })
}
