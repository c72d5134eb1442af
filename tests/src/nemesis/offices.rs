//! The offices: what they send, what they collect, and what they remember for the oracle. The demo's own. Some of them have no mail:
//! a stick carries their letters to the transfer folder, and the answers away.

use anyhow::Result;
use mail::extract::{MailLimits, extract};
use simulation::desk::{Draft, Plan};
use simulation::dice::Dice;
use simulation::mischief::STRANGER;
use simulation::record::Record;
use simulation::town::Town;

use crate::servers::Dovecot;
use crate::town::CENTRE_ADDRESS;
use crate::transfer::Transfer;

/// One office in so many has no mail.
const BY_FOLDER_IN: usize = 4;

/// Everybody who writes, and their memory.
pub struct Offices {
    town: Town,
    /// What the offices remember.
    pub record: Record,
    /// What goes between the centre and the offices without mail.
    pub transfer: Transfer,
    seed: u64,
    next: u64,
}

impl Offices {
    /// Lets a town begin to write.
    pub fn new(town: Town, transfer: Transfer, seed: u64) -> Offices {
        let mut record = Record::default();
        record.memory.recharged.clone_from(&town.recharged);
        Offices { town, record, transfer, seed, next: 0 }
    }

    /// Writes so many mails, good and bad, and puts them into the centre's mailbox, or the documents of some into the transfer folder.
    ///
    /// # Errors
    /// OpenSSL's own; the disk is full.
    pub fn send(&mut self, mails: usize, dovecot: &Dovecot) -> Result<()> {
        for _ in 0..mails {
            let residents = &self.town.residents;
            let at = usize::try_from(self.next)? % residents.len();
            let other = residents[(at + 1) % residents.len()].matricule;
            let mut dice = Dice::of(self.seed, self.next);
            // No office waits for an answer here, since that may take until the next strike has been survived: a good letter goes instead.
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

    /// Collects what lies in the offices' maildrops, and verifies it.
    ///
    /// # Errors
    /// A maildrop cannot be read.
    pub fn collect(&mut self, dovecot: &Dovecot) -> Result<()> {
        for resident in &self.town.residents {
            let mut answers = Vec::new();
            for mail in dovecot.take_mails(&resident.address)? {
                let containers = extract(&mail, &MailLimits::default()).map(|mail| mail.containers);
                let containers = containers.unwrap_or_default();
                if containers.is_empty() {
                    self.record.memory.disbelieve(format!("agency {}: no answer in its mail", resident.matricule));
                }
                answers.extend(containers);
            }
            let files = self.transfer.collect(&resident.matricule.to_string())?;
            answers.extend(files.into_iter().map(|(_, document)| document));
            for container in answers {
                match resident.open(&container) {
                    Ok(answered) => self.record.note(&answered),
                    Err(error) => {
                        self.record.memory.disbelieve(format!("agency {}: {error}", resident.matricule));
                    }
                }
            }
        }
        for _ in dovecot.take_mails(STRANGER)? {
            self.record.memory.disbelieve("it went to a stranger".to_owned());
        }
        Ok(())
    }

    /// Says whether everybody who must be answered is.
    pub fn is_answered(&self) -> bool {
        self.record.unanswered == 0
    }
}

/// Returns the document of a mail that has one, and no more.
fn document(mail: &[u8]) -> Option<Vec<u8>> {
    let mut containers = extract(mail, &MailLimits::default()).ok()?.containers;
    containers.pop().filter(|_| containers.is_empty())
}
