//! The offices of nemesis, which are those of `xmserver demo`: they send letters, collect answers and record everything for the oracle.
//! Some offices have no mail: a memory stick carries their letters to the transfer folder, and the answers back.

use anyhow::Result;
use mail::extract::{MailLimits, extract};
use simulation::desk::{Draft, Plan};
use simulation::dice::Dice;
use simulation::mischief::STRANGER;
use simulation::record::Record;
use simulation::town::{Resident, Town};

use crate::servers::Dovecot;
use crate::town::CENTRE_ADDRESS;
use crate::transfer::Transfer;

/// One of so many offices has no mail.
const BY_FOLDER_IN: usize = 4;

/// The offices of a town, and the record of what they sent and received.
pub struct Offices {
    town: Town,
    /// Record of letters and answers, which the oracle compares with the database.
    pub record: Record,
    /// Transfer folder between the centre and the offices without mail.
    pub transfer: Transfer,
    seed: u64,
    next: u64,
}

impl Offices {
    /// Makes the offices of a town. The record begins with the recharges that the town's accounts got when the town was built.
    pub fn new(town: Town, transfer: Transfer, seed: u64) -> Offices {
        let record = Record::of(&town);
        Offices { town, record, transfer, seed, next: 0 }
    }

    /// Writes `mails` mails, good and bad. Mails of most offices go to the centre's mailbox; documents of the others go to the transfer
    /// folder.
    ///
    /// # Errors
    /// OpenSSL fails; the disk is full.
    pub fn send(&mut self, mails: usize, dovecot: &Dovecot) -> Result<()> {
        for _ in 0..mails {
            let residents = &self.town.residents;
            let at = usize::try_from(self.next)? % residents.len();
            let other = residents[(at + 1) % residents.len()].matricule;
            let mut dice = Dice::of(self.seed, self.next);
            // Some kinds of letters need the answer to a former letter, for example a correction. It may come only after the next fault,
            // and nemesis cannot wait that long: the office sends a good letter in its place.
            let plan = Some(residents[at].plan(&mut dice)).filter(|plan| !residents[at].must_wait(*plan));
            let Draft { mail, subject } = residents[at].write(plan.unwrap_or(Plan::Good), other, &mut dice)?;
            self.next += 1;
            let place = self.record.begin(subject)?;
            let mail = mail.render()?;
            match document(&mail).filter(|_| at % BY_FOLDER_IN == BY_FOLDER_IN - 1) {
                Some(document) => self.transfer.send(&format!("letter-{}", self.next), &document)?,
                None => dovecot.deliver(CENTRE_ADDRESS, &mail)?,
            }
            self.record.memory.letters[place].copies += 1;
        }
        Ok(())
    }

    /// Collects the answers in the offices' mailboxes and in the transfer folder, and verifies them.
    ///
    /// # Errors
    /// A mailbox cannot be read.
    pub fn collect(&mut self, dovecot: &Dovecot) -> Result<()> {
        for resident in &self.town.residents {
            for matricule in [Some(resident.matricule), resident.newcomer()].into_iter().flatten() {
                for (_, document) in self.transfer.collect(&matricule.to_string())? {
                    take(&mut self.record, resident, &document);
                }
            }
        }
        collect_mail(&self.town, &mut self.record, dovecot)
    }

    /// Says whether every letter that the centre must answer has an answer.
    pub fn is_answered(&self) -> bool {
        self.record.unanswered() == 0
    }
}

/// Collects the answers in the mailboxes of all offices, and verifies them. No answer may go to a stranger.
///
/// # Errors
/// A mailbox cannot be read.
pub fn collect_mail(town: &Town, record: &mut Record, dovecot: &Dovecot) -> Result<()> {
    for resident in &town.residents {
        for mail in dovecot.take_mails(&resident.address)? {
            let containers = extract(&mail, &MailLimits::default()).map(|mail| mail.containers).unwrap_or_default();
            if containers.is_empty() {
                record.memory.disbelieve(format!("agency {}: no answer in its mail", resident.matricule));
            }
            containers.iter().for_each(|container| take(record, resident, container));
        }
    }
    for _ in dovecot.take_mails(STRANGER)? {
        record.memory.disbelieve("it went to a stranger".to_owned());
    }
    Ok(())
}

/// Lets an office open and verify an answer, and records the result.
pub fn take(record: &mut Record, resident: &Resident, container: &[u8]) {
    match resident.receive(container) {
        Ok(received) => record.note(&received),
        Err(error) => record.memory.disbelieve(format!("agency {}: {error}", resident.matricule)),
    }
}

/// Returns the only document in a mail; `None` where the mail has no document, or several.
pub fn document(mail: &[u8]) -> Option<Vec<u8>> {
    let mut containers = extract(mail, &MailLimits::default()).ok()?.containers;
    containers.pop().filter(|_| containers.is_empty())
}
