//! Makes the letters of agencies that ask the centre for records.

use std::sync::Arc;

use agency::identity::Identity;
use agency::office::Centre;
use anyhow::Result;
use sdc::answer::results::Found;
use sdc::letter::{self, Matricule};
use sdc::request::{CERTIFIED_KEYS_MAX, Certified, Import, Request, Selection};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use simulation::dice::Dice;
use simulation::office::{MemoryRegister, Office};

use crate::tables::{Filled, Table, paper};

/// The fixed seed of the random choices: each run makes the same letters.
const SEED: u64 = 22;
/// In each letter, one of every ten papers shows a wrong name, and another one of every ten names an act that does not exist.
const WRONG_IN: usize = 10;

/// The request in the letters of an agency that asks for records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Asks {
    /// To certify birth papers: each letter names as many acts as one letter may name, and what their papers say.
    Certify,
    /// To import: to be given all records of the table.
    Import,
}

/// Agencies that ask for records. The stock has them beside the agencies that send records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readers {
    /// Number of agencies.
    pub agencies: usize,
    /// Number of letters of each agency.
    pub letters: usize,
    /// The request of each letter.
    pub asks: Asks,
    /// The rows of the table that the letters ask about. The stock keeps the letters, but not these rows: the table is filled anew for each
    /// run.
    pub filled: Filled,
}

impl Readers {
    /// Returns a short text that is different for each value of this type; it becomes a part of the name of the stock's folder.
    pub fn name(self) -> String {
        let Readers { agencies, letters, asks, filled } = self;
        format!("-{asks:?}-{:?}-{}-by-{agencies}-{letters}", filled.table, filled.rows).to_lowercase()
    }

    /// Counts the mails of all these agencies together.
    pub fn mails(self) -> usize {
        self.agencies * self.letters
    }

    /// Writes the mails of the agency with this matricule.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn write(self, agency: u32, identity: Identity, centre: &Arc<Centre>) -> Result<Vec<Vec<u8>>> {
        let sender = letter::Office { agency: Matricule::try_from(agency)?, installation: "pc1".to_owned() };
        let address = format!("station-{agency}@stations.example");
        let mut office = Office::new(sender, &address, identity, Arc::clone(centre), MemoryRegister::new(1));
        let mut dice = Dice::of(SEED, u64::from(agency));
        let mut mails = Vec::with_capacity(self.letters);
        for _ in 0..self.letters {
            let packed = office.ask(self.request(&mut dice))?;
            mails.push(office.mail(&packed).render()?);
        }
        Ok(mails)
    }

    fn request(self, dice: &mut Dice) -> Request {
        let (application, table) = self.filled.table.name();
        match self.asks {
            Asks::Import => {
                let (application, table) = (application.to_owned(), table.to_owned());
                let selection = Selection { application, table, changed_since: None };
                Request::Import(Import::Table { selection, estimate: false })
            }
            Asks::Certify => Request::Certify(papers(self.filled, dice)),
        }
    }
}

/// Returns how many of the papers that one letter names must be answered with `found`.
pub fn expected(found: Found) -> usize {
    let wrong = CERTIFIED_KEYS_MAX / WRONG_IN;
    match found {
        Found::Match => CERTIFIED_KEYS_MAX - 2 * wrong,
        Found::Differs | Found::NotFound => wrong,
        Found::Cancelled => 0,
    }
}

/// Makes a request to certify papers whose acts lie evenly over the whole table. No act is named twice, so the centre must look each of
/// them up.
fn papers(filled: Filled, dice: &mut Dice) -> Certified {
    let first = dice.below(usize::try_from(filled.rows).unwrap_or(usize::MAX)) as u64;
    let step = filled.rows / CERTIFIED_KEYS_MAX as u64;
    let papers: Vec<_> = (0..CERTIFIED_KEYS_MAX)
        .map(|at| {
            let mut paper = paper((first + at as u64 * step) % filled.rows);
            match at % WRONG_IN {
                0 => paper.name.push_str(" Junior"),
                1 => paper.centre.replace_range(..1, "X"),
                _ => {}
            }
            paper
        })
        .collect();
    let all = |value: &dyn Fn(&crate::tables::Paper) -> Value| papers.iter().map(value).collect::<Vec<Value>>();
    let (application, table) = Table::Births.name();
    Certified {
        application: application.to_owned(),
        table: table.to_owned(),
        key: ["CentreCode", "AnneeRegistre", "NumeroActe"].map(str::to_owned).to_vec(),
        keys: vec![all(&|paper| json!(paper.centre)), all(&|paper| json!(paper.year)), all(&|paper| json!(paper.act))],
        columns: vec!["NomEnfant".to_owned()],
        values: vec![all(&|paper| json!(paper.name))],
    }
}
