//! Chooses the mails of a run: good letters alone, or among them bad letters, duplicates and mails from unknown senders.

use std::collections::BTreeMap;
use std::sync::Arc;

use agency::identity::Identity;
use agency::office::Centre;
use anyhow::{Context, Result};
use clap::ValueEnum;
use sdc::letter::{self, Matricule};
use sdc::service::Service;
use serde::{Deserialize, Serialize};
use simulation::dice::Dice;
use simulation::mischief::{Bad, Mischief, Scene};
use simulation::office::{MemoryRegister, Office};
use simulation::records::Register;

use crate::services::{self, ASKED, Asked};
use crate::stations::Station;

/// The code of the one election to which all letters belong.
pub const ELECTION: &str = "PRES-2026";
/// The fixed seed of the random choices: each run makes the same mails.
const SEED: u64 = 2026;

/// The deviations from the simple case, in which each station sends one good letter with its result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mix {
    /// The number of bad letters in a thousand. The kinds of [`Mischief`] take turns.
    pub bad: usize,
    /// The number of letters in a thousand that are sent twice.
    pub again: usize,
    /// Of a thousand letters, the number that come from agencies that have no credit left, so that the centre must refuse them.
    pub without_credit: usize,
    /// The number of letters in a thousand that use another service than `export`, by which records are sent. The services of [`ASKED`]
    /// take turns.
    pub services: usize,
    /// The number of mails from unknown senders for each letter, and whom these senders claim to be.
    pub strangers: Option<(usize, Claim)>,
    /// The number of birth records in each letter, where letters bring births in place of a station's result.
    pub births: Option<usize>,
    /// The number of letters from hostile agencies of each kind of `Harm`. They lie in the mailboxes before the other letters.
    pub hostile: usize,
}

/// The identity that unknown senders claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Claim {
    /// They claim no registered agency: half of the mails have no letter, and half are letters of agencies that do not exist.
    Nobody,
    /// They claim the agency whose own letter lies among their mails. Unknown keys sign these letters, and half of them bear the key
    /// identifier of the agency's key.
    Known,
}

/// The expected results after the centre has settled all mails of a stock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Number of all mails, those from unknown senders included.
    pub mails: u64,
    /// Number of mails from unknown senders. The centre answers none of them, and records only some of them in the journal.
    #[serde(default)]
    pub strangers: u64,
    /// Number of mails by outcome: `accepted`, `duplicate`, or the code of a refusal.
    pub outcomes: BTreeMap<String, u64>,
    /// Number of answers that the centre sends: one receipt for each letter whose sender is verified, and the parts of the records read for
    /// it.
    pub answered: u64,
    /// Number of rows that the letters bring into the tables.
    pub rows: u64,
    /// Number of mails from hostile agencies, by outcome.
    #[serde(default)]
    pub hostile: BTreeMap<String, u64>,
}

/// The mails of one agency, with their expected results.
pub struct Sent {
    /// The agency's mails, and those of unknown senders that claim to be this agency.
    pub mails: Vec<Vec<u8>>,
    /// The expected results for these mails.
    pub expected: Expected,
    /// Whether the centre must have suspended the agency before the run.
    pub is_suspended: bool,
    /// Whether the agency's credit must be used up before the run.
    pub is_without_credit: bool,
}

enum Kind {
    Good,
    Again,
    WithoutCredit,
    Asks(Service),
    Bad(Mischief),
}

impl Mix {
    /// Says whether agencies may owe the price of their letters. In a mix with agencies whose credit is used up, the tariff gives no
    /// credit: otherwise their letters would be accepted, and the balance would only show a larger debt.
    pub fn owes(self) -> bool {
        self.without_credit == 0
    }

    /// Returns a short text that is different for each mix; it becomes a part of the name of the stock's folder.
    pub fn name(self) -> String {
        let mut name = String::new();
        if self.bad + self.again + self.without_credit > 0 {
            name.push_str(&format!("-mixed-{}-{}-{}", self.bad, self.again, self.without_credit));
        }
        if self.services > 0 {
            name.push_str(&format!("-services-{}", self.services));
        }
        if let Some((mails, claim)) = self.strangers {
            name.push_str(&format!("-strangers-{mails}-{claim:?}"));
        }
        if let Some(records) = self.births {
            name.push_str(&format!("-births-{records}"));
        }
        if self.hostile > 0 {
            name.push_str(&format!("-hostile-{}", self.hostile));
        }
        name.to_lowercase()
    }

    fn kind(self, at: usize) -> Kind {
        let kinds: Vec<Mischief> = Mischief::ALL
            .iter()
            .copied()
            .filter(|mischief| !mischief.needs_former() && *mischief != Mischief::OutOfCredit)
            .collect();
        // The kinds are to be mixed, not one after another. 617 and 1000 have no common factor, so a thousand letters in a row get the
        // places 0 to 999 in a mixed order, each once: each kind gets exactly its share.
        let place = at * 617 % 1000;
        if place < self.bad {
            Kind::Bad(kinds[(at / 7) % kinds.len()])
        } else if place < self.bad + self.again {
            Kind::Again
        } else if place < self.bad + self.again + self.without_credit {
            Kind::WithoutCredit
        } else {
            let asking = place - (self.bad + self.again + self.without_credit);
            if asking < self.services { Kind::Asks(ASKED[asking % ASKED.len()]) } else { Kind::Good }
        }
    }

    /// Writes the mails of the agency with the number `at` + 1, according to the kind of its letter.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn write(self, at: usize, identity: Identity, centre: &Arc<Centre>, station: &Station) -> Result<Sent> {
        let number = u32::try_from(at + 1)?;
        let matricule = Matricule::try_from(number)?;
        let sender = letter::Office { agency: matricule, installation: "pc1".to_owned() };
        let address = format!("station-{number}@stations.example");
        let mut office = Office::new(sender, &address, identity, Arc::clone(centre), MemoryRegister::new(1));
        let mut sent =
            Sent { mails: Vec::new(), expected: Expected::default(), is_suspended: false, is_without_credit: false };
        let kind = self.kind(at);
        let mut dice = Dice::of(SEED, u64::from(number));
        let mut register = Register::new(&format!("C{matricule}")).with_bureaux(vec![bureau(number)]);
        let mut commit = |mischief: Mischief, office: &mut Office| -> Result<Bad> {
            let other = Matricule::try_from(number + 1)?;
            let mut scene = Scene { office, register: &mut register, former: None, other, dice: &mut dice };
            mischief.commit(&mut scene)?.context("a bad letter that needs a former one")
        };
        if let Kind::Bad(mischief) = kind {
            let bad = commit(mischief, &mut office)?;
            sent.is_suspended = mischief == Mischief::Suspended;
            sent.add(bad.mail.render()?, bad.refusal.as_str(), bad.answered.is_some());
            return Ok(sent);
        }
        if let Kind::Asks(service) = kind {
            let Asked { request, outcome, answers } = services::ask(service, &office, ELECTION, &bureau(number))?;
            let packed = office.ask(request)?;
            sent.add(office.mail(&packed).render()?, outcome, true);
            sent.expected.answered += answers - 1;
            return Ok(sent);
        }
        if let Some((mails, claim)) = self.strangers {
            for stranger in 0..mails {
                let bad = commit(claim.mischief(stranger), &mut office)?;
                sent.mails.push(bad.mail.render()?);
            }
            sent.expected.strangers = mails as u64;
            sent.expected.mails = mails as u64;
        }
        let (records, rows) = match self.births {
            Some(count) => (register.births(count, &mut dice), count as u64),
            None => (station.records(ELECTION, &bureau(number)), station.rows()),
        };
        let packed = office.pack(records)?;
        let mail = office.mail(&packed).render()?;
        match kind {
            Kind::WithoutCredit => {
                sent.is_without_credit = true;
                sent.add(mail, "insufficient_credit", true);
            }
            Kind::Again => {
                sent.expected.rows = rows;
                sent.add(mail.clone(), "accepted", true);
                sent.add(mail, "duplicate", false);
            }
            Kind::Good | Kind::Bad(_) | Kind::Asks(_) => {
                sent.expected.rows = rows;
                sent.add(mail, "accepted", true);
                // The good letter moves to another position among the mails of strangers. Mails go to the mailboxes by turns, so if it were
                // always the last, some mailboxes would have mails of strangers only.
                let last = sent.mails.len() - 1;
                sent.mails.swap(at % (last + 1), last);
            }
        }
        Ok(sent)
    }
}

impl Claim {
    fn mischief(self, at: usize) -> Mischief {
        match (self, at % 2) {
            (Claim::Nobody, 0) => Mischief::NoContainer,
            (Claim::Nobody, _) => Mischief::UnknownSender,
            (Claim::Known, 0) => Mischief::ForgedByUnknownKey,
            (Claim::Known, _) => Mischief::ForgedByBorrowedKeyId,
        }
    }
}

/// Returns the code of the polling station of this agency.
pub fn bureau(number: u32) -> String {
    format!("B{number:06}")
}

impl Sent {
    fn add(&mut self, mail: Vec<u8>, outcome: &str, is_answered: bool) {
        self.mails.push(mail);
        self.expected.mails += 1;
        *self.expected.outcomes.entry(outcome.to_owned()).or_default() += 1;
        self.expected.answered += u64::from(is_answered);
    }
}

impl Expected {
    /// Adds the expected results for another agency's mails to these.
    pub fn extend(&mut self, other: Expected) {
        self.mails += other.mails;
        self.strangers += other.strangers;
        self.answered += other.answered;
        self.rows += other.rows;
        for (outcome, count) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
    }

    /// Adds the expected outcomes of a hostile agency's mails. The agency is registered, so each of its mails gets a receipt.
    pub fn extend_hostile(&mut self, outcomes: BTreeMap<String, u64>) {
        for (outcome, count) in outcomes {
            self.answered += count;
            *self.hostile.entry(outcome).or_default() += count;
        }
    }

    /// Counts the mails of all hostile agencies.
    pub fn hostile_mails(&self) -> u64 {
        self.hostile.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_thousand_letters_each_service_has_its_share() {
        let mix = Mix { bad: 50, again: 20, without_credit: 10, services: 9 * 12, ..Mix::default() };
        let mut asked: BTreeMap<Service, usize> = BTreeMap::new();
        let mut others = 0;
        for at in 0..1000 {
            match mix.kind(at) {
                Kind::Asks(service) => *asked.entry(service).or_default() += 1,
                Kind::Good | Kind::Again | Kind::WithoutCredit | Kind::Bad(_) => others += 1,
            }
        }
        assert!(asked.len() == ASKED.len() && asked.values().all(|times| *times == 12), "{asked:?}");
        assert_eq!(others, 1000 - 9 * 12);
        assert_ne!(mix.name(), Mix { services: 0, ..mix }.name());
    }
}
