//! What lies in the mailboxes: good letters alone, or others among them.

use std::collections::BTreeMap;
use std::sync::Arc;

use agency::dice::Dice;
use agency::identity::Identity;
use agency::mischief::{Mischief, Scene};
use agency::office::{Centre, Office};
use agency::records::Register;
use anyhow::{Context, Result};
use sdc::letter::{self, Matricule};
use serde::{Deserialize, Serialize};

use crate::stations::Station;

/// The one election.
const ELECTION: &str = "PRES-2026";
/// Every choice can be repeated.
const SEED: u64 = 2026;

/// Of a thousand letters, how many are not simply good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mix {
    /// Bad ones, of every kind in turn.
    pub bad: usize,
    /// Sent twice.
    pub again: usize,
    /// Of agencies whose credit is used up.
    pub without_credit: usize,
}

/// What is to become of the mails of a stock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Mails.
    pub mails: u64,
    /// How many end how: `accepted`, `duplicate`, or the code of a refusal.
    pub outcomes: BTreeMap<String, u64>,
    /// Letters whose senders get an answer.
    pub answered: u64,
    /// Rows that letters bring into the tables.
    pub rows: u64,
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
    /// Says whether there are good letters alone.
    pub fn is_clean(self) -> bool {
        self == Mix::default()
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
        let mut office = Office::new(sender, &address, identity, Arc::clone(centre), 1);
        let mut sent =
            Sent { mails: Vec::new(), expected: Expected::default(), is_suspended: false, is_without_credit: false };
        let kind = self.kind(at);
        if let Kind::Bad(mischief) = kind {
            let mut dice = Dice::of(SEED, u64::from(number));
            let mut register = Register::new(&format!("C{matricule}")).with_bureaux(vec![bureau(number)]);
            let other = Matricule::try_from(number + 1)?;
            let mut scene =
                Scene { office: &mut office, register: &mut register, former: None, other, dice: &mut dice };
            let bad = mischief.commit(&mut scene)?.context("a bad letter that needs a former one")?;
            sent.is_suspended = mischief == Mischief::Suspended;
            sent.add(bad.mail.render()?, bad.refusal.as_str(), bad.answered.is_some());
            return Ok(sent);
        }
        let packed = office.pack(station.records(ELECTION, &bureau(number)))?;
        let mail = office.mail(&packed).render()?;
        match kind {
            Kind::WithoutCredit => {
                sent.is_without_credit = true;
                sent.add(mail, "insufficient_credit", true);
            }
            Kind::Again => {
                sent.expected.rows = station.rows();
                sent.add(mail.clone(), "accepted", true);
                sent.add(mail, "duplicate", false);
            }
            Kind::Good | Kind::Bad(_) => {
                sent.expected.rows = station.rows();
                sent.add(mail, "accepted", true);
            }
        }
        Ok(sent)
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
        self.answered += other.answered;
        self.rows += other.rows;
        for (outcome, count) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
    }
}
