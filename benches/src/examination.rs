//! The database of a run that has ended, held against what was sent.

use anyhow::Result;
use cluster::Cluster;
use sdc::refusal::RefusalCode;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Error, NoTls};

use crate::centre::{self, Centre};
use crate::figures::Figures;
use crate::limit::Limit;
use crate::stock::{PRICE, Stock};

/// A database that runs again, without the engine.
pub struct Examination<'a> {
    stock: &'a Stock,
    cluster: Cluster,
    /// A connection to it.
    pub client: Client,
    connection: JoinHandle<Result<(), Error>>,
}

impl<'a> Examination<'a> {
    /// Starts the database of an engine that has stopped.
    ///
    /// # Errors
    /// It does not start.
    pub async fn begin(centre: &Centre, stock: &'a Stock) -> Result<Examination<'a>> {
        let cluster = centre::open_database(&centre.engine.data()).await?;
        let (client, connection) = tokio_postgres::connect(&cluster.url(), NoTls).await?;
        Ok(Examination { stock, cluster, client, connection: tokio::spawn(connection) })
    }

    /// Counts what was lost, doubled or charged wrongly, receipts, and the size of the mails.
    ///
    /// # Errors
    /// PostgreSQL's own; the stock is damaged.
    pub async fn count(&self, figures: &mut Figures) -> Result<()> {
        let expected = &self.stock.expected;
        let mut outcomes = expected.outcomes.clone();
        for (outcome, count) in &expected.hostile {
            *outcomes.entry(outcome.clone()).or_default() += count;
        }
        for row in self.client.query("SELECT outcome, count(*) FROM xm.journal GROUP BY 1", &[]).await? {
            let (outcome, count): (String, i64) = (row.get(0), row.get(1));
            let wanted = match outcomes.remove(&outcome) {
                Some(wanted) => i64::try_from(wanted)?,
                // Only some mails of strangers have a line.
                None if figures.strangers > 0 && is_of_strangers(&outcome) => continue,
                None => 0,
            };
            figures.lost += (wanted - count).max(0);
            figures.doubled += (count - wanted).max(0);
        }
        figures.lost += i64::try_from(outcomes.into_values().sum::<u64>())?;
        // No agency has more than one letter to be accepted: with one twice and another not at all the sums are right.
        let agencies = self.number("SELECT count(DISTINCT agency) FROM xm.journal WHERE outcome = 'accepted'").await?;
        let letters = i64::try_from(expected.outcomes.get("accepted").copied().unwrap_or_default())?;
        figures.lost = figures.lost.max(letters - agencies);
        let rows = i64::try_from(expected.rows)?;
        let held = self
            .number(
                "SELECT (SELECT count(*) FROM election.\"ResultatBureau\") + (SELECT count(*) FROM election.\"VoixCandidat\")
                      + (SELECT count(*) FROM ecr.\"ActeNaissance\")",
            )
            .await?
            - i64::try_from(self.stock.held_rows())?;
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

    /// Returns the one number that a query finds.
    ///
    /// # Errors
    /// PostgreSQL's own.
    pub async fn number(&self, query: &str) -> Result<i64> {
        Ok(self.client.query_one(query, &[]).await?.get(0))
    }

    /// Measures what the machine could do at best with the same letters.
    ///
    /// # Errors
    /// See [`Limit::measure`].
    pub async fn limit(&self) -> Result<Limit> {
        eprintln!("measuring the limit");
        Limit::measure(self.stock, &self.cluster, &self.client).await
    }

    /// Stops the database.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn end(mut self) -> Result<()> {
        drop(self.client);
        self.connection.await??;
        self.cluster.stop().await;
        Ok(())
    }
}

fn is_of_strangers(outcome: &str) -> bool {
    RefusalCode::ALL.iter().any(|code| !code.is_answered() && code.as_str() == outcome)
}
