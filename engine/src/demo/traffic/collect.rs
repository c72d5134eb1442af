//! Agencies fetch their answers and verify them, as offices do: pinned certificate, own letter, never counted twice.

use agency::collect::collect;
use agency::office::{AnswerError, Answered};
use futures_util::{StreamExt, TryStreamExt, stream};
use mail::post_office::PostOffice;
use sdc::answer::receipt::Receipt;

use super::super::memory::ReceiptMemory;
use super::super::town::Resident;
use super::{Record, Shared, lock};

/// Maildrops looked into at the same time.
const SIDE_BY_SIDE: usize = 4;

/// Empties every maildrop in which something lies.
///
/// # Errors
/// The post office fails.
pub async fn collect_all(shared: &Shared, post_office: &PostOffice) -> anyhow::Result<()> {
    let full: Vec<_> =
        shared.town.residents.iter().filter(|resident| post_office.count(&resident.address) > 0).collect();
    stream::iter(full).map(|resident| collect_one(shared, resident)).buffer_unordered(SIDE_BY_SIDE).try_collect().await
}

async fn collect_one(shared: &Shared, resident: &Resident) -> anyhow::Result<()> {
    let read = async |documents: Vec<Vec<u8>>| {
        for document in documents {
            let opened = resident.open(&document);
            let mut record = lock(&shared.record);
            match opened {
                Ok(answered) => record.note(&answered),
                Err(error) => record.memory.disbelieve(format!("agency {}: {error}", resident.matricule)),
            }
        }
    };
    collect(&resident.maildrop, read).await?;
    Ok(())
}

impl Resident {
    /// Opens an answer. A letter that is answered may be contradicted from now on.
    ///
    /// # Errors
    /// It is not one that this agency believes.
    pub fn open(&self, document: &[u8]) -> Result<Answered, AnswerError> {
        let desk = &mut *lock(&self.desk);
        let answered = desk.office.open(document)?;
        if let Some(former) = desk.formers.iter_mut().find(|former| former.packed.digest == answered.letter) {
            former.is_answered = true;
        }
        Ok(answered)
    }
}

impl Record {
    /// Notes a receipt that its office believes. Of several about one letter the first must say what all others say.
    pub fn note(&mut self, answered: &Answered) {
        let Some(letter) = self.by_digest.get(&answered.letter).and_then(|&at| self.memory.letters.get_mut(at)) else {
            return self.memory.disbelieve("an answer to a letter that was never sent".to_owned());
        };
        let said = said(&answered.answer.receipt);
        letter.receipts += 1;
        match &letter.receipt {
            None => {
                letter.receipt = Some(said);
                self.verified += 1;
                self.unanswered = self.unanswered.saturating_sub(1);
            }
            Some(first) if *first == said => {}
            Some(first) => {
                let told = format!("letter {}: answered with {first:?}, then with {said:?}", letter.letter_id);
                self.memory.disbelieve(told);
            }
        }
    }
}

fn said(receipt: &Receipt) -> ReceiptMemory {
    ReceiptMemory {
        refusal: receipt.refusal.as_ref().map(|refusal| refusal.code),
        rows: receipt.rows.iter().map(|table| u64::from(table.new)).sum(),
        cost: receipt.account.cost,
        highest_sequence: receipt.highest_sequence,
    }
}
