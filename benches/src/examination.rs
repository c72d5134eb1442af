//! After a run, compares the contents of the database with the letters that were sent.

use anyhow::Result;
use sdc::refusal::RefusalCode;

use crate::centre::Centre;
use crate::database::RestingDatabase;
use crate::figures::{Figures, Limit};
use crate::limit;
use crate::stock::{PRICE, Stock};

/// The database of an engine that has stopped, with the stock whose letters it should hold.
pub struct Examination<'a> {
    stock: &'a Stock,
    /// The database.
    pub database: RestingDatabase,
}

impl<'a> Examination<'a> {
    /// Starts the database of an engine that has stopped, without the engine.
    ///
    /// # Errors
    /// PostgreSQL does not start.
    pub async fn begin(centre: &Centre, stock: &'a Stock) -> Result<Examination<'a>> {
        Ok(Examination { stock, database: RestingDatabase::start(&centre.engine.data()).await? })
    }

    /// Fills in the figures that only the database tells: rows and letters lost or doubled, the ledger's difference, the receipts sent, and
    /// the mean size of a mail.
    ///
    /// # Errors
    /// PostgreSQL fails, or the stock is damaged.
    pub async fn count(&self, figures: &mut Figures) -> Result<()> {
        let expected = &self.stock.expected;
        let mut outcomes = expected.outcomes.clone();
        for (outcome, count) in &expected.hostile {
            *outcomes.entry(outcome.clone()).or_default() += count;
        }
        // Letters that ask for records are left out: `reading::count` counts them, since it must look at their answers as well.
        let text = "SELECT outcome, count(*) FROM xm.journal
                     WHERE service IS NULL OR service NOT IN ('import', 'certify') GROUP BY 1";
        for row in self.database.client.query(text, &[]).await? {
            let (outcome, count): (String, i64) = (row.get(0), row.get(1));
            let wanted = match outcomes.remove(&outcome) {
                Some(wanted) => i64::try_from(wanted)?,
                // The centre writes only some of the mails of strangers into the journal, so how many there are says nothing about lost
                // mails.
                None if figures.strangers > 0 && is_of_strangers(&outcome) => continue,
                None => 0,
            };
            figures.lost += (wanted - count).max(0);
            figures.doubled += (count - wanted).max(0);
        }
        figures.lost += i64::try_from(outcomes.into_values().sum::<u64>())?;
        // If one letter were accepted twice and another not at all, the counts by outcome would still be right. Each agency of the stock
        // has at most one letter that must be accepted, so the number of agencies with one shows such a mistake.
        let text = "SELECT count(DISTINCT agency) FROM xm.journal WHERE outcome = 'accepted' AND service = 'export'";
        let agencies = self.number(text).await?;
        let letters = i64::try_from(expected.outcomes.get("accepted").copied().unwrap_or_default())?;
        figures.lost = figures.lost.max(letters - agencies);
        let rows = i64::try_from(expected.rows)?;
        let held = self
            .number(
                "SELECT (SELECT count(*) FROM election.\"ResultatBureau\") + (SELECT count(*) FROM election.\"VoixCandidat\")
                      + (SELECT count(*) FROM ecr.\"ActeNaissance\")",
            )
            .await?
            - i64::try_from(self.stock.held_rows() + self.stock.filled_rows())?;
        let accepted = self.number("SELECT count(*) FROM xm.letters WHERE verdict = 'accepted'").await?;
        let entries = self.number("SELECT count(*) FROM xm.entries").await?;
        let charged = self.number("SELECT coalesce(sum(amount), 0)::bigint FROM xm.entries").await?;
        let difference = self.number("SELECT difference::bigint FROM xm.ledger_difference").await?;
        figures.lost += (rows - held).max(0);
        figures.doubled += (held - rows).max(0) + (entries - accepted).max(0);
        figures.ledger_difference = difference.abs() + (charged - rows * PRICE).abs();
        figures.receipts_sent = self.number("SELECT count(*) FROM xm.letters WHERE answered_at IS NOT NULL").await?;
        let mut bytes = 0;
        self.stock.for_each_mail(usize::MAX, |_, mail| {
            bytes += mail.len();
            Ok(())
        })?;
        figures.bytes_per_letter = bytes as f64 / expected.mails as f64;
        Ok(())
    }

    /// Runs a query that returns one number.
    ///
    /// # Errors
    /// PostgreSQL fails.
    pub async fn number(&self, query: &str) -> Result<i64> {
        Ok(self.database.client.query_one(query, &[]).await?.get(0))
    }

    /// Measures how fast the machine could settle the same letters at best.
    ///
    /// # Errors
    /// See [`limit::measure`].
    pub async fn limit(&self) -> Result<Limit> {
        eprintln!("measuring the limit");
        limit::measure(self.stock, &self.database.cluster, &self.database.client).await
    }

    /// Stops the database.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn end(self) -> Result<()> {
        self.database.stop().await
    }
}

fn is_of_strangers(outcome: &str) -> bool {
    RefusalCode::ALL.iter().any(|code| !code.is_answered() && code.as_str() == outcome)
}
