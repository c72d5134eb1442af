//! The memory of a run: every letter that agencies sent, and every answer that they got. The oracle compares the database with it.
//!
//! Moments are ticks of one clock, which advances by one for each letter about to be sent and each answer verified. With these ticks, the
//! oracle knows which records the centre certainly had when it answered a letter, and which it may have had.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use mail::extract::{MailLimits, extract};
use mail::smtp::Outgoing;
use sdc::answer::profile::Profile;
use sdc::digest::Digest;
use sdc::refusal::RefusalCode;
use sdc::service::Service;
use uuid::Uuid;

pub mod answers;
pub mod effect;
pub mod notices;
pub mod rows;

pub use answers::{Answers, Given, GivenRow, PartMemory, ReceiptMemory};
pub use effect::{CorrectionMemory, Effect, Paper, ProfileAsked, Wanted};
pub use notices::{Broadcast, NoticeMemory, Told};
pub use rows::{ActMemory, RowMemory, rows};

/// The outcome that a letter must get.
#[derive(Clone, Debug)]
pub enum Expected {
    /// The letter is accepted: it has its effect, and is charged.
    Accepted {
        /// The effect that the letter must have.
        effect: Effect,
        /// The price, in minor units of money.
        cost: i64,
    },
    /// The letter is held until an operator of the centre decides.
    Decided {
        /// The effect, where the operator releases the letter.
        effect: Effect,
        /// The price where the operator releases the letter, in minor units of money.
        cost: i64,
        /// Whether the operator releases the letter.
        is_released: bool,
    },
    /// The letter is refused with this code, and its container goes to quarantine.
    Refused(RefusalCode),
}

impl Expected {
    /// Returns the final effect and price of the letter; none where it is refused.
    pub fn effect(&self) -> Option<(&Effect, i64)> {
        match self {
            Expected::Accepted { effect, cost } | Expected::Decided { effect, cost, is_released: true } => {
                Some((effect, *cost))
            }
            Expected::Decided { .. } | Expected::Refused(_) => None,
        }
    }

    /// Returns the reason for which the letter is refused in the end; none where it is accepted.
    pub fn refusal(&self) -> Option<RefusalCode> {
        match self {
            Expected::Accepted { .. } | Expected::Decided { is_released: true, .. } => None,
            Expected::Decided { .. } => Some(RefusalCode::HoldRefused),
            Expected::Refused(code) => Some(*code),
        }
    }
}

/// The memory of one letter and of all its copies.
#[derive(Clone, Debug)]
pub struct LetterMemory {
    /// The agency that signed the letter; `None` where no registered key signed it, or where the centre cannot tell who did.
    pub signer: Option<i32>,
    /// The name of the agency's installation that wrote the letter.
    pub installation: String,
    /// The service that the letter uses; none where the mail holds no letter.
    pub service: Option<Service>,
    /// SHA-256 of the signed octets; none where the signer is unknown.
    pub digest: Option<Digest>,
    /// The letter's id.
    pub letter_id: Uuid,
    /// The letter's sequence number.
    pub sequence: u64,
    /// The number of the last notice that the letter confirms.
    pub seen: Option<u64>,
    /// The outcome that the letter must get.
    pub expected: Expected,
    /// SHA-256 of the container of each copy; none where the mail has no container.
    pub containers: Vec<Digest>,
    /// Message-ID of the mail with the first copy.
    pub message_id: String,
    /// Number of copies that the relay has accepted.
    pub copies: u64,
    /// Number of those copies whose sender waited for the centre, and was told that the letter is settled.
    pub acknowledged: u64,
    /// The time when the first copy was handed to the relay.
    pub sent_at: Option<DateTime<Utc>>,
    /// The tick at which the first copy was about to be sent.
    pub sent: u64,
    /// The answers to the letter.
    pub answers: Answers,
}

/// The memory of everything that was sent and answered in a run.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Every letter, in the order of sending.
    pub letters: Vec<LetterMemory>,
    /// The credits of each agency before the first letter, in minor units of money.
    pub recharged: HashMap<i32, i64>,
    /// Each agency's own data before the first letter.
    pub profiles: HashMap<i32, Profile>,
    /// SHA-256 of the public key of each agency before the first letter.
    pub keys: HashMap<i32, Digest>,
    /// The notices that agencies have verified: letters that the centre sends without being asked.
    pub notices: Vec<NoticeMemory>,
    /// The texts that operators wrote to all agencies.
    pub broadcasts: Vec<Broadcast>,
    /// The reasons for which offices rejected answers; only the first hundred.
    pub unbelieved: Vec<String>,
    /// Number of answers that offices rejected.
    pub unbelieved_total: u64,
    /// Parts and notices that came a second time with other content, described in words; only the first hundred.
    pub contradictions: Vec<String>,
    /// Number of parts and notices that came a second time with other content.
    pub contradictions_total: u64,
    /// Index in `letters` of the letter that was sent when all others were settled.
    pub alone: Option<usize>,
}

/// Largest number of descriptions that are kept in `unbelieved` and in `contradictions`.
const UNBELIEVED_MAX: usize = 100;

impl Memory {
    /// Counts the mails that were sent, copies included.
    pub fn mails(&self) -> u64 {
        self.letters.iter().map(|letter| letter.copies).sum()
    }

    /// Counts an answer that its office rejected, and keeps the reason.
    pub fn disbelieve(&mut self, reason: String) {
        self.unbelieved_total += 1;
        if self.unbelieved.len() < UNBELIEVED_MAX {
            self.unbelieved.push(reason);
        }
    }

    /// Counts a part or notice that came with other content than the first time, and keeps the description.
    pub fn contradict(&mut self, what: String) {
        self.contradictions_total += 1;
        if self.contradictions.len() < UNBELIEVED_MAX {
            self.contradictions.push(what);
        }
    }
}

impl LetterMemory {
    /// Says whether the centre can verify the letter's sender, and must therefore send a receipt.
    pub fn is_answered(&self) -> bool {
        match self.expected {
            Expected::Accepted { .. } | Expected::Decided { .. } => true,
            Expected::Refused(code) => code.is_answered(),
        }
    }

    /// Returns the receipt with the final decision on the letter, where it has come.
    pub fn receipt(&self) -> Option<&ReceiptMemory> {
        self.answers.decided()
    }

    /// Says whether the whole answer has come: the receipt with the final decision, and every part that this receipt announces.
    pub fn is_complete(&self) -> bool {
        let Some(receipt) = self.receipt() else { return false };
        match self.expected.effect() {
            Some((Effect::Read(_) | Effect::Estimated(_) | Effect::Certified { .. }, _))
                if receipt.refusal.is_none() =>
            {
                receipt.read.is_some_and(|(_, parts)| self.answers.has_parts(parts))
            }
            Some((Effect::Statement | Effect::Profile { .. } | Effect::Certificate { .. }, _))
                if receipt.refusal.is_none() =>
            {
                self.answers.parts_total.is_some_and(|parts| self.answers.has_parts(parts))
            }
            _ => true,
        }
    }
}

/// Returns the digest of the container in a mail. The container is extracted by the same function that the centre uses.
pub fn container(mail: &Outgoing) -> Option<Digest> {
    let mail = extract(&mail.render().ok()?, &MailLimits::default()).ok()?;
    mail.containers.first().map(|container| Digest::of(container))
}
