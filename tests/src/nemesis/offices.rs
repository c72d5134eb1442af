//! The offices: what they send, what they collect, and what they remember for the oracle. The demo's own.

use anyhow::Result;
use mail::extract::{MailLimits, extract};
use simulation::desk::{Draft, Plan};
use simulation::dice::Dice;
use simulation::mischief::STRANGER;
use simulation::record::Record;
use simulation::town::Town;

use crate::servers::Dovecot;
use crate::town::CENTRE_ADDRESS;

/// Everybody who writes, and their memory.
pub struct Offices {
    town: Town,
    /// What they remember.
    pub record: Record,
    seed: u64,
    next: u64,
}

impl Offices {
    /// Lets a town begin to write.
    pub fn new(town: Town, seed: u64) -> Offices {
        let mut record = Record::default();
        record.memory.recharged.clone_from(&town.recharged);
        Offices { town, record, seed, next: 0 }
    }

    /// Writes so many mails, good and bad, and puts them into the centre's mailbox.
    ///
    /// # Errors
    /// OpenSSL's own; the disk is full.
    pub fn send(&mut self, mails: usize, dovecot: &Dovecot) -> Result<()> {
        for _ in 0..mails {
            let residents = &self.town.residents;
            let at = usize::try_from(self.next)? % residents.len();
            let other = residents[(at + 1) % residents.len()].matricule;
            let mut dice = Dice::of(self.seed, self.next);
            // Nobody waits for answers here: they may take until the next strike has been survived.
            let plan = Some(residents[at].plan(&mut dice)).filter(|plan| !residents[at].must_wait(*plan));
            let Draft { mail, subject } = residents[at].write(plan.unwrap_or(Plan::Good), other, &mut dice)?;
            self.next += 1;
            let place = self.record.begin(subject)?;
            dovecot.deliver(CENTRE_ADDRESS, &mail.render()?)?;
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
            for mail in dovecot.take_mails(&resident.address)? {
                let containers = extract(&mail, &MailLimits::default()).map(|mail| mail.containers);
                let containers = containers.unwrap_or_default();
                if containers.is_empty() {
                    self.record.memory.disbelieve(format!("agency {}: no answer in its mail", resident.matricule));
                }
                for container in containers {
                    match resident.open(&container) {
                        Ok(answered) => self.record.note(&answered),
                        Err(error) => {
                            self.record.memory.disbelieve(format!("agency {}: {error}", resident.matricule));
                        }
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
