//! What was sent, and which of it is answered: kept while agencies write, for the oracle to judge.

use std::collections::HashMap;
use std::time::Duration;

use agency::office::{AnswerError, Answered};
use anyhow::Context;
use chrono::{DateTime, Utc};
use sdc::answer::receipt::Receipt;
use sdc::digest::Digest;

use crate::desk::Subject;
use crate::lock::lock;
use crate::memory::{Memory, ReceiptMemory};
use crate::town::Resident;

/// What happened.
pub struct Traffic {
    /// Everything sent, and what came back.
    pub memory: Memory,
    /// When the first letter was about to be sent.
    pub began_at: DateTime<Utc>,
    /// From then to the last receipt of the burst.
    pub lasted: Duration,
    /// When the centre was killed.
    pub killed_at: Vec<DateTime<Utc>>,
    /// Kills among these that somebody at the keyboard asked for.
    pub kills_by_hand: u64,
}

/// The memory, with the letters that may still be answered.
#[derive(Default)]
pub struct Record {
    /// Everything sent, and what came back.
    pub memory: Memory,
    by_digest: HashMap<Digest, usize>,
    /// Letters that must be answered and are not yet.
    pub unanswered: u64,
    /// Letters answered.
    pub verified: u64,
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
    /// Notes that a letter is being sent, and returns its place in memory. Whoever sends the letter counts its copies at that place.
    ///
    /// # Errors
    /// It is to be sent again, and never was sent.
    pub fn begin(&mut self, subject: Subject) -> anyhow::Result<usize> {
        match subject {
            Subject::Again { letter, container } => {
                let known = self.by_digest.get(&letter).copied();
                let at = known.context("a letter is sent again that was never sent")?;
                self.memory.letters[at].containers.extend(container);
                Ok(at)
            }
            Subject::New(mut letter) => {
                let at = self.memory.letters.len();
                letter.sent_at = Some(Utc::now());
                if let Some(digest) = letter.digest {
                    self.by_digest.insert(digest, at);
                }
                self.unanswered += u64::from(letter.is_answered());
                self.memory.letters.push(*letter);
                Ok(at)
            }
        }
    }

    /// Notes a receipt that its office believes. Where several receipts answer one letter, each must say what the first says.
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
