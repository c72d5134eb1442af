//! Decides what an agency writes next: mostly letters with its records, sometimes a letter that it has sent before, sometimes a bad one.
//!
//! The next letter of an agency depends only on the dice and on what the agency has written before, never on how fast the centre is: the
//! same seed gives the same demo. An agency sends a letter that contradicts a former one only after the former one is answered.

use agency::office::PackError;
use agency::packed::Packed;
use mail::smtp::Outgoing;
use sdc::digest::Digest;
use sdc::letter::{Letter, Matricule};
use sdc::request::Records;
use sdc::service::Service;

use crate::dice::Dice;
use crate::errands::{Desk, Errand, Former};
use crate::lock::lock;
use crate::memory::{self, Answers, Effect, Expected, LetterMemory};
use crate::mischief::{Mischief, Scene};
use crate::rules::{INSTALLATION, price};
use crate::town::{Condition, Resident};

/// Of a thousand letters of agencies in good standing, the number that are copies of letters sent before.
const AGAIN_PER_MILLE: usize = 40;
/// Of a thousand letters of agencies in good standing, the number that are bad on purpose.
const BAD_PER_MILLE: usize = 100;
/// Of the letters of an agency without credit, one in this many is a marriage, which the tariff refuses without credit.
const DEAR_IN: usize = 3;
/// Largest number of accepted letters that an agency keeps, to send them again or to contradict them.
const FORMERS_MAX: usize = 8;

/// A mail about to be sent.
pub struct Draft {
    /// The mail, ready to be given to the relay.
    pub mail: Outgoing,
    /// The letter that the mail carries, in the form in which the memory of the run keeps it.
    pub subject: Subject,
}

/// The letter that a mail carries.
pub enum Subject {
    /// The mail carries a letter that was never sent before.
    New(Box<LetterMemory>),
    /// The mail carries a letter that was sent before, perhaps in a new container.
    Again {
        /// SHA-256 of the letter's signed octets.
        letter: Digest,
        /// SHA-256 of the container in this mail, where there is one.
        container: Option<Digest>,
    },
}

/// The kind of the letter that an agency writes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// A letter with records of the agency.
    Good,
    /// A letter that uses another service than sending records.
    Errand(Service),
    /// A copy of a letter that the agency has sent before.
    Again,
    /// A letter that is bad on purpose.
    Bad(Mischief),
}

impl Resident {
    /// Decides what to write next.
    pub fn plan(&self, dice: &mut Dice) -> Plan {
        let desk = lock(&self.desk);
        let has_former = !desk.formers.is_empty();
        let bad = match self.condition {
            Condition::Suspended => Some(Mischief::Suspended),
            Condition::WithoutCredit => (dice.below(DEAR_IN) == 0).then_some(Mischief::OutOfCredit),
            Condition::Sound if dice.per_mille(AGAIN_PER_MILLE) && has_former => return Plan::Again,
            Condition::Sound => dice.per_mille(BAD_PER_MILLE).then(|| mischief(dice)),
        };
        match bad {
            Some(mischief) if has_former || !mischief.needs_former() => Plan::Bad(mischief),
            _ if self.condition == Condition::Sound => desk.errand().map_or(Plan::Good, Plan::Errand),
            _ => Plan::Good,
        }
    }

    /// Says whether a plan must wait, because a letter that it contradicts or builds on is not answered yet.
    pub fn must_wait(&self, plan: Plan) -> bool {
        let desk = lock(&self.desk);
        match plan {
            Plan::Good | Plan::Again => false,
            Plan::Errand(errand) => desk.must_wait_for(errand),
            Plan::Bad(mischief) => {
                mischief.needs_former() && desk.formers.front().is_some_and(|former| !former.is_answered)
            }
        }
    }

    /// Writes the planned letter. Letters that involve a second agency, such as a forgery in its name, use `other`.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn write(&self, plan: Plan, other: Matricule, dice: &mut Dice) -> Result<Draft, PackError> {
        let desk = &mut *lock(&self.desk);
        desk.errands.count();
        let is_paying = self.condition == Condition::Sound;
        match plan {
            Plan::Good => good(desk, is_paying, dice),
            Plan::Again => again(desk, dice),
            Plan::Errand(errand) => {
                let errand = desk.run(errand, other, dice)?;
                Ok(draft(desk, errand))
            }
            Plan::Bad(mischief) => match misbehave(desk, mischief, other, dice)? {
                Some(draft) => Ok(draft),
                None => good(desk, is_paying, dice),
            },
        }
    }
}

/// Chooses a kind of bad letter that an agency in good standing can write.
fn mischief(dice: &mut Dice) -> Mischief {
    loop {
        let mischief = *dice.pick(Mischief::ALL);
        if !matches!(mischief, Mischief::Suspended | Mischief::OutOfCredit) {
            return mischief;
        }
    }
}

fn good(desk: &mut Desk, is_paying: bool, dice: &mut Dice) -> Result<Draft, PackError> {
    let records = records(desk, is_paying, dice);
    let rows = memory::rows(&records);
    let letter = desk.office.compose(records.clone())?;
    let packed = desk.office.seal(&letter)?;
    desk.office.remember(&packed)?;
    desk.errands.shelf.put(letter.id, &records);
    let mail = desk.office.mail(&packed);
    let cost = rows.iter().map(|row| price("standard", "export", row.table)).sum();
    let expected = Expected::Accepted { effect: Effect::Rows(rows), cost };
    let errand =
        Errand { letter: Some(letter), packed, mail, service: Service::Export, expected, is_of_newcomer: false };
    Ok(draft(desk, errand))
}

/// Makes the mail of a letter. Keeps a letter that will be accepted, so that the agency can send it again or contradict it.
fn draft(desk: &mut Desk, errand: Errand) -> Draft {
    let Errand { letter, packed, mail, service, expected, is_of_newcomer } = errand;
    let signer = match &mut desk.errands.newcomer {
        Some(newcomer) if is_of_newcomer => newcomer.office.matricule(),
        _ => desk.office.matricule(),
    };
    let signer = letter.is_some().then_some(signer.as_i32());
    let seen = letter.as_ref().and_then(|letter| letter.seen);
    let subject = remembered(&mail, service, expected, signer, Some(&packed), seen);
    if let Some(letter) = letter.filter(|_| !is_of_newcomer && subject.expected.effect().is_some()) {
        keep(desk, letter, packed);
    }
    Draft { mail, subject: Subject::New(Box::new(subject)) }
}

fn keep(desk: &mut Desk, letter: Letter, packed: Packed) {
    if desk.formers.len() == FORMERS_MAX {
        desk.formers.pop_front();
    }
    desk.formers.push_back(Former { letter, packed, is_answered: false });
}

/// Returns the letter in the form in which the memory keeps it. Where the centre cannot know the signer, the memory keeps only the mail.
fn remembered(
    mail: &Outgoing,
    service: Service,
    expected: Expected,
    signer: Option<i32>,
    packed: Option<&Packed>,
    seen: Option<u64>,
) -> LetterMemory {
    let known = packed.filter(|_| signer.is_some());
    LetterMemory {
        signer,
        installation: INSTALLATION.to_owned(),
        service: Some(service),
        digest: known.map(|packed| packed.digest),
        letter_id: known.map(|packed| packed.letter_id).unwrap_or_default(),
        sequence: known.map(|packed| packed.sequence).unwrap_or_default(),
        seen,
        expected,
        containers: memory::container(mail).into_iter().collect(),
        message_id: mail.message_id.clone(),
        copies: 0,
        acknowledged: 0,
        sent_at: None,
        sent: 0,
        answers: Answers::default(),
    }
}

/// Writes the records of one letter. On average, four of eight letters bring births, one a marriage, one a death, and two results of
/// polling stations. An agency without credit writes a birth instead of a marriage, because the tariff gives no credit for marriages.
fn records(desk: &mut Desk, is_paying: bool, dice: &mut Dice) -> Records {
    match dice.below(8) {
        3 if is_paying => desk.register.marriages(1, dice),
        0..4 => desk.register.births(1, dice),
        4 => desk.register.births(5, dice),
        5 => desk.register.deaths(1, dice),
        _ => desk.register.results(1, dice),
    }
}

/// Sends a former letter again: in the same mail, or in a new envelope.
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

/// Writes a bad letter of this kind. Returns none where the kind needs a former letter and there is none, or where the records cannot be
/// spoilt in this way.
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
    let signer = bad.answered.as_ref().map(|_| desk.office.matricule().as_i32());
    let expected = Expected::Refused(bad.refusal);
    let mut subject = remembered(&bad.mail, Service::Export, expected, signer, bad.answered.as_ref(), None);
    // A mail of random octets or of plain words is no letter, so it asks for no service.
    subject.service = subject.service.filter(|_| !matches!(mischief, Mischief::Garbage | Mischief::NoContainer));
    Ok(Some(Draft { mail: bad.mail, subject: Subject::New(Box::new(subject)) }))
}
