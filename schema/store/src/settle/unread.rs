//! Decides, for a letter that requests records, whether records are read for it.
//!
//! The letter is judged as in the settling transaction, by the data that is committed now. Nothing is read for a letter that has a verdict
//! already, or that would be refused whatever is read. The settling transaction judges the letter again.

use std::sync::Arc;

use sdc::answer::sealed::started_kb;
use sdc::refusal::{Refusal, RefusalCode};
use sdc::request::{Import, Request};
use sdc::service::Credit;
use uuid::Uuid;

use super::arrival::Arrival;
use super::judge::{Judged, judge_for};
use super::settler::Settler;
use crate::certificates::signers::{self, Signer};
use crate::database::fault::Fault;
use crate::reading::staging;
use crate::tables::catalogue::Catalogue;

/// The next step for a letter that requests records.
pub enum BeforeReading {
    /// The letter is settled without reading.
    Settle,
    /// The records are read for the letter.
    Read(Box<Unread>),
}

/// A letter for which records must be read, with the data of the centre that reading needs.
pub struct Unread {
    /// Id of the letter's key, under which its verdict is stored.
    pub letter_id: Uuid,
    /// The signer, just read from the database.
    pub signer: Arc<Signer>,
    /// The latest committed catalogue.
    pub catalogue: Arc<Catalogue>,
    /// Balance and credit limit of the account, in minor units. The balance may be as low as minus the credit limit.
    pub account: (i64, i64),
}

impl Settler {
    /// Decides whether records are read for a letter, by judging the letter as it would be settled now. `is_again` means that an operator
    /// has the letter tried again, so a former verdict on it does not prevent the reading.
    ///
    /// # Errors
    /// A fault of the database.
    pub async fn before_reading(&self, arrival: &Arrival, is_again: bool) -> Result<BeforeReading, Fault> {
        let Some(signer) = arrival.signer().filter(|_| arrival.asks_to_read()) else {
            return Ok(BeforeReading::Settle);
        };
        let (mut connection, catalogue) = self.connect_now().await?;
        let fresh = signers::reload(&mut connection, &[signer.as_ref()]).await?;
        let signer = fresh.get(&signer.certificate_id).map_or_else(|| Arc::clone(signer), Arc::clone);
        let letter_id = match judge_for(arrival, &signer, &catalogue) {
            Judged::Sound { key, work } if work.is_unread() => key.letter_id,
            _ => return Ok(BeforeReading::Settle),
        };
        if !is_again && staging::is_settled(&mut connection, signer.matricule, letter_id).await? {
            return Ok(BeforeReading::Settle);
        }
        let account = staging::account(&mut connection, signer.matricule).await?;
        Ok(BeforeReading::Read(Box::new(Unread { letter_id, signer, catalogue, account })))
    }
}

impl Unread {
    /// Refuses a letter whose account cannot pay the lowest possible price of the letter: one act of a table, and one unit of 1 024 octets
    /// for the answer. Otherwise the centre would read records for nothing.
    pub fn bears_one_act(&self, arrival: &Arrival, table_id: i32) -> Result<(), Refusal> {
        let Some(request) = arrival.letter().map(|letter| &letter.request) else { return Ok(()) };
        if matches!(request, Request::Import(Import::Again { .. })) {
            return Ok(());
        }
        let units = started_kb(arrival.rendered_bytes) + 1;
        let (acts, at) = ([(table_id, 1)], arrival.received_at);
        let price = self.catalogue.prices.price(&self.signer.plan, request.service(), &acts, units, at);
        let (balance, credit_limit) = self.account;
        if price.credit == Credit::Refuse && price.amount > 0 && balance.saturating_sub(price.amount) < -credit_limit {
            let refusal = Refusal::new(RefusalCode::InsufficientCredit);
            return Err(refusal.with("price", price.amount).with("balance", balance));
        }
        Ok(())
    }
}
