//! A letter that asks for records, before anything is read for it: is it to be read for at all?
//!
//! It is judged as it will be in the settling transaction, by what is committed now. What is refused there whatever is read, or has a
//! verdict already, is not read for. The settling transaction judges again.

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

/// What is to be done with a letter that asks for records.
pub enum BeforeReading {
    /// It is settled as it is.
    Settle,
    /// It is to be read for.
    Read(Box<Unread>),
}

/// A letter that is to be read for, with what that needs of the centre.
pub struct Unread {
    /// The letter's key.
    pub letter_id: Uuid,
    /// The signer, read anew.
    pub signer: Arc<Signer>,
    /// The catalogue of now.
    pub catalogue: Arc<Catalogue>,
    /// What the account bears: its balance, and how far below zero it may be.
    pub account: (i64, i64),
}

impl Settler {
    /// Judges a letter before it is read for.
    ///
    /// # Errors
    /// A fault of the database.
    pub async fn before_reading(&self, arrival: &Arrival) -> Result<BeforeReading, Fault> {
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
        if staging::is_settled(&mut connection, signer.matricule, letter_id).await? {
            return Ok(BeforeReading::Settle);
        }
        let account = staging::account(&mut connection, signer.matricule).await?;
        Ok(BeforeReading::Read(Box::new(Unread { letter_id, signer, catalogue, account })))
    }
}

impl Unread {
    /// Refuses a letter whose account does not bear the least that it can cost: one act of a table, in one unit of 1 024 bytes.
    ///
    /// # Errors
    /// `insufficient_credit`.
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
