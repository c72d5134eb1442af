//! Registered agencies that send what takes much time or memory: letters against all that is held of them, rows that are all wrong.

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

/// Rows of a letter of many small rows: as many as a letter may have.
pub const SMALL_ROWS: usize = 20_000;
/// The election that harmful letters are about.
pub const HELD_ELECTION: &str = "HELD";
/// Rows of a letter against large rows.
const LARGE_ROWS: usize = 10_000;
/// Characters of one text of these.
const TEXT_CHARS: usize = 40_000;

/// The mails of an agency, and how many of them end how.
pub type Written = (Vec<Vec<u8>>, BTreeMap<String, u64>);

/// What a hostile agency does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Each letter contradicts twenty thousand rows that are held.
    ContradictsMany,
    /// Each letter contradicts ten thousand rows that are held, of 40 KB each.
    ContradictsLarge,
    /// Each row of each letter breaks a rule.
    BreaksRules,
}

impl Harm {
    /// Every kind.
    pub const ALL: [Harm; 3] = [Harm::ContradictsMany, Harm::ContradictsLarge, Harm::BreaksRules];

    /// Returns the verdict that its letters get.
    pub fn outcome(self) -> &'static str {
        match self {
            Harm::ContradictsMany | Harm::ContradictsLarge => "conflict",
            Harm::BreaksRules => "rows_invalid",
        }
    }

    /// Returns the statement that holds what its letters contradict; rows that are not for an agency's own letters to count.
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

    /// Counts the rows of that statement in tables whose rows are counted after a run.
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

    /// Writes so many mails of this agency, and says what is to become of them.
    ///
    /// # Errors
    /// OpenSSL's own.
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

/// Votes for as many candidates as there are rows.
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

/// Marginal notes to one act.
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
