//! The offices of the lab, the same as the demo's. Some send their letters by LMTP, as mail servers do, some post them over HTTPS, and some
//! have them put into the centre's mailboxes.

use std::collections::HashMap;

use anyhow::Result;
use simulation::desk::{Draft, Plan};
use simulation::dice::Dice;
use simulation::record::Record;
use simulation::town::Town;

use super::bounds::Longest;
use super::senders::{Job, Senders, Way};
use crate::nemesis::offices::{collect_mail, document, take};
use crate::servers::Dovecot;
use crate::town::CENTRE_ADDRESS;

/// Addresses of the centre's mailboxes. Mail for the first one is pushed, too.
pub const MAILBOXES: [&str; 3] = [CENTRE_ADDRESS, "centre-2@example.org", "centre-3@example.org"];
/// Number of ways of offices: LMTP, HTTPS, mailbox, LMTP once more, in this order, over and over.
const WAYS: usize = 4;

/// The offices of a town, and the record of what they sent and received.
pub struct Offices {
    town: Town,
    /// Record of letters and answers, which the oracle compares with the database.
    pub record: Record,
    /// Senders of what is pushed.
    pub senders: Senders,
    /// Index of the office that sent the letter at a place of the record.
    owners: HashMap<usize, usize>,
    seed: u64,
    next: u64,
}

impl Offices {
    /// Makes the offices of a town.
    pub fn new(town: Town, senders: Senders, seed: u64) -> Offices {
        let record = Record::of(&town);
        Offices { town, record, senders, owners: HashMap::new(), seed, next: 0 }
    }

    /// Writes `mails` letters, good and bad, and sends each on its office's way.
    ///
    /// # Errors
    /// OpenSSL fails; the disk is full.
    pub fn send(&mut self, mails: usize, dovecot: &Dovecot) -> Result<()> {
        for _ in 0..mails {
            let at = usize::try_from(self.next)? % self.town.residents.len();
            let resident = &self.town.residents[at];
            let mut dice = Dice::of(self.seed, self.next);
            let drawn = Some(resident.plan(&mut dice)).filter(|plan| !resident.must_wait(*plan));
            // What an office with HTTPS gets beside receipts would wait for its next letter.
            let plan = drawn.filter(|plan| !is_https(at) || !matches!(plan, Plan::Errand(_)));
            self.write(at, plan.unwrap_or(Plan::Good), &mut dice, dovecot)?;
        }
        Ok(())
    }

    /// Makes each office with HTTPS send one more good letter. The replies bring whatever waits for these offices.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn ask_for_answers(&mut self, dovecot: &Dovecot) -> Result<()> {
        for at in (0..self.town.residents.len()).filter(|at| is_https(*at)) {
            let mut dice = Dice::of(self.seed, self.next);
            self.write(at, Plan::Good, &mut dice, dovecot)?;
        }
        Ok(())
    }

    fn write(&mut self, at: usize, plan: Plan, dice: &mut Dice, dovecot: &Dovecot) -> Result<()> {
        let residents = &self.town.residents;
        let other = residents[(at + 1) % residents.len()].matricule;
        let Draft { mail, subject } = residents[at].write(plan, other, dice)?;
        let number = usize::try_from(self.next)?;
        self.next += 1;
        let place = self.record.begin(subject)?;
        self.owners.insert(place, at);
        let mail = mail.render()?;
        if at % WAYS == 2 {
            dovecot.deliver(MAILBOXES[number % MAILBOXES.len()], &mail)?;
            self.record.memory.letters[place].copies += 1;
            return Ok(());
        }
        // A mail without a document, or with several, cannot be posted.
        let job = match document(&mail).filter(|_| is_https(at)) {
            Some(octets) => Job { place, way: Way::Https, octets },
            None => Job { place, way: Way::Lmtp, octets: mail },
        };
        self.senders.push(job);
        Ok(())
    }

    /// Notes what senders were told, and collects the answers in the offices' mailboxes. Returns the longest times of these letters.
    ///
    /// # Errors
    /// A mailbox cannot be read.
    pub fn collect(&mut self, dovecot: &Dovecot) -> Result<Longest> {
        let mut longest = Longest::default();
        while let Some(told) = self.senders.told() {
            longest = longest.max(Longest { took: told.took, paused: told.paused });
            let letter = &mut self.record.memory.letters[told.place];
            letter.copies += 1;
            letter.acknowledged += 1;
            if let Some(resident) = self.owners.get(&told.place).and_then(|at| self.town.residents.get(*at)) {
                told.documents.iter().for_each(|document| take(&mut self.record, resident, document));
            }
        }
        collect_mail(&self.town, &mut self.record, dovecot)?;
        Ok(longest)
    }

    /// Says whether every letter that the centre must answer has an answer.
    pub fn is_answered(&self) -> bool {
        self.record.unanswered() == 0
    }
}

fn is_https(at: usize) -> bool {
    at % WAYS == 1
}
