//! An agency at its desk: mostly it writes its records down, sometimes it sends something again, sometimes something bad.
//!
//! What an agency does next depends on the dice and on what it has written before, never on how fast the centre is. So the same seed is the
//! same demo. Before an agency contradicts a letter, it waits for that letter's answer.

use agency::office::PackError;
use mail::smtp::Outgoing;
use sdc::digest::Digest;
use sdc::letter::Matricule;
use sdc::request::Records;

use crate::dice::Dice;
use crate::lock::lock;
use crate::memory::{self, Expected, LetterMemory};
use crate::mischief::{Mischief, Scene};
use crate::town::{Condition, Desk, Former, Resident, price};

/// Of a thousand letters of agencies in good standing, so many are letters sent once more.
const AGAIN_PER_MILLE: usize = 40;
/// Of a thousand letters of agencies in good standing, so many are bad.
const BAD_PER_MILLE: usize = 100;
/// An agency without credit sends one letter in so many of the kind that is then refused.
const DEAR_IN: usize = 3;
/// Letters that an agency keeps at hand to repeat or contradict.
const FORMERS_MAX: usize = 8;

/// A mail about to be sent.
pub struct Draft {
    /// The mail.
    pub mail: Outgoing,
    /// What it is about.
    pub subject: Subject,
}

/// What a mail is about.
pub enum Subject {
    /// A letter never sent before.
    New(Box<LetterMemory>),
    /// A letter sent before, and the container that it travels in now.
    Again {
        /// The letter's digest.
        letter: Digest,
        /// The container's.
        container: Option<Digest>,
    },
}

/// What an agency is about to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Its records.
    Good,
    /// A letter sent before.
    Again,
    /// Something bad.
    Bad(Mischief),
}

impl Resident {
    /// Decides what to write next.
    pub fn plan(&self, dice: &mut Dice) -> Plan {
        let has_former = !lock(&self.desk).formers.is_empty();
        let bad = match self.condition {
            Condition::Suspended => Some(Mischief::Suspended),
            Condition::WithoutCredit => (dice.below(DEAR_IN) == 0).then_some(Mischief::OutOfCredit),
            Condition::Sound if dice.per_mille(AGAIN_PER_MILLE) && has_former => return Plan::Again,
            Condition::Sound => dice.per_mille(BAD_PER_MILLE).then(|| mischief(dice)),
        };
        match bad {
            Some(mischief) if has_former || !mischief.needs_former() => Plan::Bad(mischief),
            _ => Plan::Good,
        }
    }

    /// Says whether a plan must wait, because the letter that it contradicts is not answered yet.
    pub fn must_wait(&self, plan: Plan) -> bool {
        let Plan::Bad(mischief) = plan else { return false };
        mischief.needs_former() && lock(&self.desk).formers.front().is_some_and(|former| !former.is_answered)
    }

    /// Writes what is planned. `other` is another agency.
    ///
    /// # Errors
    /// OpenSSL's own.
    pub fn write(&self, plan: Plan, other: Matricule, dice: &mut Dice) -> Result<Draft, PackError> {
        let desk = &mut *lock(&self.desk);
        match plan {
            Plan::Good => good(desk, dice),
            Plan::Again => again(desk, dice),
            Plan::Bad(mischief) => match misbehave(desk, mischief, other, dice)? {
                Some(draft) => Ok(draft),
                None => good(desk, dice),
            },
        }
    }
}

/// Chooses one that an agency in order can commit.
fn mischief(dice: &mut Dice) -> Mischief {
    loop {
        let mischief = *dice.pick(Mischief::ALL);
        if !matches!(mischief, Mischief::Suspended | Mischief::OutOfCredit) {
            return mischief;
        }
    }
}

fn good(desk: &mut Desk, dice: &mut Dice) -> Result<Draft, PackError> {
    let records = records(desk, dice);
    let rows = memory::rows(&records);
    let letter = desk.office.compose(records)?;
    let packed = desk.office.seal(&letter)?;
    desk.office.remember(&packed)?;
    let mail = desk.office.mail(&packed);
    let cost = rows.iter().map(|row| price(row.table)).sum();
    let subject = LetterMemory {
        signer: Some(desk.office.matricule().as_i32()),
        digest: Some(packed.digest),
        letter_id: packed.letter_id,
        sequence: packed.sequence,
        expected: Expected::Accepted { rows, cost },
        containers: memory::container(&mail).into_iter().collect(),
        message_id: mail.message_id.clone(),
        copies: 0,
        sent_at: None,
        receipt: None,
        receipts: 0,
    };
    if desk.formers.len() == FORMERS_MAX {
        desk.formers.pop_front();
    }
    desk.formers.push_back(Former { letter, packed, is_answered: false });
    Ok(Draft { mail, subject: Subject::New(Box::new(subject)) })
}

/// Writes the records of a letter. Of eight letters, five on average are about births, one about a death, two about polling stations.
fn records(desk: &mut Desk, dice: &mut Dice) -> Records {
    match dice.below(8) {
        0..4 => desk.register.births(1, dice),
        4 => desk.register.births(5, dice),
        5 => desk.register.deaths(1, dice),
        _ => desk.register.results(1, dice),
    }
}

/// Sends a letter once more: the same mail, or the same letter in a new envelope.
fn again(desk: &Desk, dice: &mut Dice) -> Result<Draft, PackError> {
    let former = &desk.formers[dice.below(desk.formers.len())];
    let mail = if dice.below(2) == 0 {
        desk.office.mail(&former.packed)
    } else {
        desk.office.mail(&desk.office.seal_again(&former.packed)?)
    };
    let subject = Subject::Again { letter: former.packed.digest, container: memory::container(&mail) };
    Ok(Draft { mail, subject })
}

/// Writes a bad letter. `None` where its records do not lend themselves to this kind.
fn misbehave(
    desk: &mut Desk,
    mischief: Mischief,
    other: Matricule,
    dice: &mut Dice,
) -> Result<Option<Draft>, PackError> {
    let former = desk.formers.front().map(|former| former.letter.clone());
    let mut scene =
        Scene { office: &mut desk.office, register: &mut desk.register, former: former.as_ref(), other, dice };
    let Some(bad) = mischief.commit(&mut scene)? else { return Ok(None) };
    let answered = bad.answered.as_ref();
    let subject = LetterMemory {
        signer: answered.map(|_| desk.office.matricule().as_i32()),
        digest: answered.map(|packed| packed.digest),
        letter_id: answered.map(|packed| packed.letter_id).unwrap_or_default(),
        sequence: answered.map(|packed| packed.sequence).unwrap_or_default(),
        expected: Expected::Refused(bad.refusal),
        containers: memory::container(&bad.mail).into_iter().collect(),
        message_id: bad.mail.message_id.clone(),
        copies: 0,
        sent_at: None,
        receipt: None,
        receipts: 0,
    };
    Ok(Some(Draft { mail: bad.mail, subject: Subject::New(Box::new(subject)) }))
}
