//! Registered agencies that burden the centre on purpose: their letters contradict rows that the tables already hold, or break a rule in
//! every row. Checking such letters takes much time or memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use agency::identity::Identity;
use agency::office::Centre;
use anyhow::Result;
use sdc::letter::{self, Matricule};
use sdc::request::{Records, TableRecords};
use serde_json::{Value, json};
use simulation::office::{MemoryRegister, Office};

use crate::mix::bureau;

/// Number of rows of a letter with many small rows: the maximum that the centre allows in one letter.
pub const SMALL_ROWS: usize = 20_000;
/// The code of the election whose votes hostile letters contradict.
pub const HELD_ELECTION: &str = "HELD";
/// Number of rows of a letter that contradicts large rows in the table.
const LARGE_ROWS: usize = 10_000;
/// Number of characters in the text of each large row in the table.
const TEXT_CHARS: usize = 40_000;

/// The mails of an agency, and the expected number of mails by outcome.
pub type Written = (Vec<Vec<u8>>, BTreeMap<String, u64>);

/// The ways in which the letters of a hostile agency burden the centre.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Each letter contradicts [`SMALL_ROWS`] rows that the table holds already.
    ContradictsMany,
    /// Each letter contradicts ten thousand rows that the table holds already, each of 40 KB.
    ContradictsLarge,
    /// Each row of each letter breaks a rule.
    BreaksRules,
}

impl Harm {
    /// All kinds of harm, in the order in which hostile agencies take turns.
    pub const ALL: [Harm; 3] = [Harm::ContradictsMany, Harm::ContradictsLarge, Harm::BreaksRules];

    /// Returns the outcome that the journal must have for every letter of this kind.
    pub fn outcome(self) -> &'static str {
        match self {
            Harm::ContradictsMany | Harm::ContradictsLarge => "conflict",
            Harm::BreaksRules => "rows_invalid",
        }
    }

    /// Returns the SQL statement that fills a table with the rows that the agency's letters contradict; `None` where the letters need no
    /// such rows. The rows name another installation as their origin than the one that the agency's letters come from. So they do not count
    /// as rows that these letters have brought.
    pub fn held(self, agency: u32) -> Option<String> {
        match self {
            Harm::ContradictsMany => Some(format!(
                r#"INSERT INTO election."VoixCandidat" ("Status", "ElectionCode", "BureauCode", "CandidatCode", "Voix",
                          xm_agency, xm_installation, xm_numero, xm_sequence, xm_letter)
                   SELECT 2, '{HELD_ELECTION}', '{}', 'CAND-' || n, 40, {agency}, 'former', n, n, gen_random_uuid()
                     FROM generate_series(1, {SMALL_ROWS}) n"#,
                bureau(agency)
            )),
            Harm::ContradictsLarge => Some(format!(
                r#"INSERT INTO ecr."MentionMarginale" ("Status", "CentreCode", "ActeUid", "TypeMention", "DateMention", "Texte",
                          "Reference", "Officier", xm_agency, xm_installation, xm_numero, xm_sequence, xm_letter)
                   SELECT 2, 'C{agency:06}', '00000000-0000-4000-8000-000000000001', 'mariage', '2026-01-01', repeat('x', {TEXT_CHARS}),
                          'R-' || n, 'ABENA', {agency}, 'former', n, n, gen_random_uuid() FROM generate_series(1, {LARGE_ROWS}) n"#
            )),
            Harm::BreaksRules => None,
        }
    }

    /// Counts the rows that [`Harm::held`] inserts into the tables whose rows are counted after a run, so that they can be subtracted.
    /// Marginal notes are in a table that is not counted.
    pub fn held_and_counted(self) -> u64 {
        if self == Harm::ContradictsMany { SMALL_ROWS as u64 } else { 0 }
    }

    fn records(self, agency: u32) -> Records {
        match self {
            Harm::ContradictsMany => votes(&bureau(agency), &json!(41)),
            Harm::BreaksRules => votes(&bureau(agency), &json!(-1)),
            Harm::ContradictsLarge => notes(&format!("C{agency:06}")),
        }
    }

    /// Writes `letters` mails of this agency, and returns them with the expected number of mails by outcome.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn write(self, agency: u32, identity: Identity, centre: &Arc<Centre>, letters: usize) -> Result<Written> {
        let sender = letter::Office { agency: Matricule::try_from(agency)?, installation: "pc1".to_owned() };
        let address = format!("station-{agency}@stations.example");
        let mut office = Office::new(sender, &address, identity, Arc::clone(centre), MemoryRegister::new(1));
        let mut mails = Vec::with_capacity(letters);
        for _ in 0..letters {
            let packed = office.pack(self.records(agency))?;
            mails.push(office.mail(&packed).render()?);
        }
        Ok((mails, BTreeMap::from([(self.outcome().to_owned(), letters as u64)])))
    }
}

/// Makes [`SMALL_ROWS`] rows of votes at one polling station, each for another candidate and with the same number of votes.
fn votes(bureau: &str, voices: &Value) -> Records {
    let columns = [
        ("Numero", numbers(SMALL_ROWS)),
        ("Status", same(&json!(2), SMALL_ROWS)),
        ("ElectionCode", same(&json!(HELD_ELECTION), SMALL_ROWS)),
        ("BureauCode", same(&json!(bureau), SMALL_ROWS)),
        ("CandidatCode", (1..=SMALL_ROWS).map(|row| json!(format!("CAND-{row}"))).collect()),
        ("Voix", same(voices, SMALL_ROWS)),
    ];
    records("election", "VoixCandidat", columns)
}

/// Makes [`LARGE_ROWS`] marginal notes to one act. Each has the key of a large row in the table and another text.
fn notes(centre_code: &str) -> Records {
    let columns = [
        ("Numero", numbers(LARGE_ROWS)),
        ("Status", same(&json!(2), LARGE_ROWS)),
        ("CentreCode", same(&json!(centre_code), LARGE_ROWS)),
        ("ActeUid", same(&json!("00000000-0000-4000-8000-000000000001"), LARGE_ROWS)),
        ("TypeMention", same(&json!("mariage"), LARGE_ROWS)),
        ("DateMention", same(&json!("2026-01-01"), LARGE_ROWS)),
        ("Texte", same(&json!("y"), LARGE_ROWS)),
        ("Reference", (1..=LARGE_ROWS).map(|row| json!(format!("R-{row}"))).collect()),
        ("Officier", same(&json!("ABENA"), LARGE_ROWS)),
    ];
    records("ecr", "MentionMarginale", columns)
}

fn numbers(rows: usize) -> Vec<Value> {
    (1..=rows).map(|row| json!(row)).collect()
}

fn same(value: &Value, rows: usize) -> Vec<Value> {
    vec![value.clone(); rows]
}

fn records<const N: usize>(application: &str, table: &str, columns: [(&str, Vec<Value>); N]) -> Records {
    let (columns, values) = columns.into_iter().map(|(name, values)| (name.to_owned(), values)).unzip();
    let table = TableRecords { table: table.to_owned(), columns, values };
    Records { application: application.to_owned(), tables: vec![table] }
}
