//! What lies in the mailboxes: good letters alone, or others among them.

use std::collections::BTreeMap;
use std::sync::Arc;

use agency::identity::Identity;
use agency::office::Centre;
use anyhow::{Context, Result};
use clap::ValueEnum;
use sdc::letter::{self, Matricule};
use serde::{Deserialize, Serialize};
use simulation::dice::Dice;
use simulation::mischief::{Bad, Mischief, Scene};
use simulation::office::{MemoryRegister, Office};
use simulation::records::Register;

use crate::stations::Station;

/// The one election.
pub const ELECTION: &str = "PRES-2026";
/// Every choice can be repeated.
const SEED: u64 = 2026;

/// What is not simply one good result of each station.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mix {
    /// Of a thousand letters, bad ones, of every kind in turn.
    pub bad: usize,
    /// Of a thousand letters, those sent twice.
    pub again: usize,
    /// Of a thousand letters, those of agencies whose credit is used up.
    pub without_credit: usize,
    /// Mails of strangers for every letter, and whom they claim to be.
    pub strangers: Option<(usize, Claim)>,
    /// Records of births in a letter, in place of the result of a station.
    pub births: Option<usize>,
    /// Letters of each kind, by agencies that mean harm, which lie before the others.
    pub hostile: usize,
}

/// Whom strangers claim to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Claim {
    /// Nobody that the centre knows: advertising, and letters of agencies that do not exist.
    Nobody,
    /// The agency whose own letter lies among them: letters signed by unknown keys, half under its key's identifier.
    Known,
}

/// What is to become of the mails of a stock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Mails, those of strangers too.
    pub mails: u64,
    /// Mails of strangers: no answer, and only some of them in the journal.
    #[serde(default)]
    pub strangers: u64,
    /// How many end how: `accepted`, `duplicate`, or the code of a refusal.
    pub outcomes: BTreeMap<String, u64>,
    /// Letters whose senders get an answer.
    pub answered: u64,
    /// Rows that letters bring into the tables.
    pub rows: u64,
    /// Mails of agencies that mean harm, and how many of them end how.
    #[serde(default)]
    pub hostile: BTreeMap<String, u64>,
}

/// What one agency sends.
pub struct Sent {
    /// Its mails.
    pub mails: Vec<Vec<u8>>,
    /// What is to become of them.
    pub expected: Expected,
    /// Whether the centre has suspended it.
    pub is_suspended: bool,
    /// Whether its credit is used up.
    pub is_without_credit: bool,
}

enum Kind {
    Good,
    Again,
    WithoutCredit,
    Bad(Mischief),
}

impl Mix {
    /// Says whether whoever writes may owe what it costs; with agencies that may not, the tariff refuses credit.
    pub fn owes(self) -> bool {
        self.without_credit == 0
    }

    /// Names it, for a folder.
    pub fn name(self) -> String {
        let mut name = String::new();
        if self.bad + self.again + self.without_credit > 0 {
            name.push_str(&format!("-mixed-{}-{}-{}", self.bad, self.again, self.without_credit));
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
        // Steps that have no factor in common with a thousand meet each remainder once.
        let place = at * 617 % 1000;
        if place < self.bad {
            Kind::Bad(kinds[(at / 7) % kinds.len()])
        } else if place < self.bad + self.again {
            Kind::Again
        } else if place < self.bad + self.again + self.without_credit {
            Kind::WithoutCredit
        } else {
            Kind::Good
        }
    }

    /// Lets the agency of a place write.
    ///
    /// # Errors
    /// OpenSSL's own.
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
            Kind::Good | Kind::Bad(_) => {
                sent.expected.rows = rows;
                sent.add(mail, "accepted", true);
                // Not always the last of its agency's mails: else some mailboxes would have strangers only.
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

/// Names the polling station of an agency.
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
    /// Adds another agency's mails.
    pub fn extend(&mut self, other: Expected) {
        self.mails += other.mails;
        self.strangers += other.strangers;
        self.answered += other.answered;
        self.rows += other.rows;
        for (outcome, count) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
    }

    /// Adds the mails of an agency that means harm. Each is answered.
    pub fn extend_hostile(&mut self, outcomes: BTreeMap<String, u64>) {
        for (outcome, count) in outcomes {
            self.answered += count;
            *self.hostile.entry(outcome).or_default() += count;
        }
    }

    /// Counts the mails of agencies that mean harm.
    pub fn hostile_mails(&self) -> u64 {
        self.hostile.values().sum()
    }
}
