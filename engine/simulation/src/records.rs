//! Makes records like those of real offices, with random values from a seed: civil registry (`ecr`) and polling stations (`election`).
//!
//! The columns are those of the sample databases. A register numbers its records itself. So two records of an office never have the same
//! number or legal key, unless a bad letter copies one on purpose.

use std::collections::BTreeMap;

use sdc::request::{Records, TableRecords};
use serde_json::Value;

use crate::dice::Dice;

mod civil;
mod election;
mod names;

pub use civil::YEAR;
pub use election::REGISTERED;

/// The status of a new record: an officer has validated it.
const STATUS_VALIDATED: i64 = 2;
/// Number of candidates in each sample election.
pub const CANDIDATES: usize = 5;

/// The registers of one office: the codes of the office and its polling stations, and the next number of each kind of record.
#[derive(Clone, Debug)]
pub struct Register {
    centre_code: String,
    bureau_codes: Vec<String>,
    /// Number of records of each kind that the office wrote before this program ran; the new numbers continue after them.
    before: i64,
    numeros: BTreeMap<&'static str, i64>,
    acts: BTreeMap<&'static str, i64>,
    results: usize,
}

impl Register {
    /// Makes the empty registers of a civil-registry office.
    pub fn new(centre_code: &str) -> Register {
        Register {
            centre_code: centre_code.to_owned(),
            bureau_codes: Vec::new(),
            before: 0,
            numeros: BTreeMap::new(),
            acts: BTreeMap::new(),
            results: 0,
        }
    }

    /// Adds polling stations to the office.
    #[must_use]
    pub fn with_bureaux(mut self, bureau_codes: Vec<String>) -> Register {
        self.bureau_codes = bureau_codes;
        self
    }

    /// Makes the numbers continue after `records` records of each kind, which the office has written before.
    #[must_use]
    pub fn after(mut self, records: i64) -> Register {
        self.before = records;
        self
    }

    /// Returns the code of the office. The agency's scope at the centre allows records with this code.
    pub fn centre_code(&self) -> &str {
        &self.centre_code
    }

    /// Returns the codes of the office's polling stations.
    pub fn bureau_codes(&self) -> &[String] {
        &self.bureau_codes
    }

    /// Writes acts of birth. Each has 21 filled columns, among them a random UUID.
    pub fn births(&mut self, count: usize, dice: &mut Dice) -> Records {
        self.acts_of("ActeNaissance", count, |act| civil::birth(act, dice))
    }

    /// Writes acts of marriage.
    pub fn marriages(&mut self, count: usize, dice: &mut Dice) -> Records {
        self.acts_of("ActeMariage", count, |act| civil::marriage(act, dice))
    }

    /// Writes acts of death.
    pub fn deaths(&mut self, count: usize, dice: &mut Dice) -> Records {
        self.acts_of("ActeDeces", count, |act| civil::death(act, dice))
    }

    /// Writes results of polling stations with the votes for each candidate. All sums are right.
    pub fn results(&mut self, count: usize, dice: &mut Dice) -> Records {
        let (mut results, mut votes) = (Columns::default(), Columns::default());
        for _ in 0..count {
            let (election, bureau) = self.next_station();
            let numero = self.next_numero("ResultatBureau");
            let counted = election::count(CANDIDATES, dice);
            results.push(election::result(numero, &election, &bureau, &counted, dice));
            for (candidate, voices) in counted.voices.iter().enumerate() {
                let numero = self.next_numero("VoixCandidat");
                votes.push(election::voices(numero, &election, &bureau, candidate, *voices));
            }
        }
        let tables = vec![results.into_table("ResultatBureau"), votes.into_table("VoixCandidat")];
        Records { application: "election".to_owned(), tables }
    }

    fn acts_of(&mut self, table: &'static str, count: usize, mut write: impl FnMut(&Act) -> Row) -> Records {
        let mut columns = Columns::default();
        for _ in 0..count {
            let number = self.acts.entry(table).or_insert(self.before);
            *number += 1;
            let number = *number;
            let act = Act { numero: self.next_numero(table), number, centre_code: self.centre_code.clone() };
            columns.push(write(&act));
        }
        Records { application: "ecr".to_owned(), tables: vec![columns.into_table(table)] }
    }

    fn next_numero(&mut self, table: &'static str) -> i64 {
        let numero = self.numeros.entry(table).or_insert(self.before);
        *numero += 1;
        *numero
    }

    /// Returns the election and the station of the next result. Each station reports once in an election; then the next election begins.
    fn next_station(&mut self) -> (String, String) {
        let stations = self.bureau_codes.len().max(1);
        let (election, station) = (self.results / stations, self.results % stations);
        self.results += 1;
        let bureau = self.bureau_codes.get(station).cloned().unwrap_or_else(|| self.centre_code.clone());
        (election_code(election + 1), bureau)
    }
}

/// Returns the code of an election; elections are numbered from 1.
pub fn election_code(number: usize) -> String {
    format!("SCRUTIN-{number:04}")
}

/// The identity of a new act: the numbers that it gets, and the office that writes it.
struct Act {
    numero: i64,
    number: i64,
    centre_code: String,
}

/// One record as pairs of column name and value, in the order of the table's columns.
type Row = Vec<(&'static str, Value)>;

/// The rows of one table, stored by column as letters carry them.
#[derive(Default)]
struct Columns {
    names: Vec<&'static str>,
    values: Vec<Vec<Value>>,
}

impl Columns {
    fn push(&mut self, row: Row) {
        if self.names.is_empty() {
            self.names = row.iter().map(|(name, _)| *name).collect();
            self.values = vec![Vec::new(); row.len()];
        }
        for (column, (_, value)) in self.values.iter_mut().zip(row) {
            column.push(value);
        }
    }

    fn into_table(self, table: &str) -> TableRecords {
        let columns = self.names.into_iter().map(str::to_owned).collect();
        TableRecords { table: table.to_owned(), columns, values: self.values }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn column<'a>(table: &'a TableRecords, name: &str) -> &'a [Value] {
        let at = table.columns.iter().position(|column| column == name).unwrap();
        &table.values[at]
    }

    fn sum(table: &TableRecords, name: &str, row: usize) -> i64 {
        column(table, name)[row].as_i64().unwrap()
    }

    #[test]
    fn a_birth_has_21_filled_columns_and_a_number_of_its_own() {
        let mut register = Register::new("C000042");
        let mut dice = Dice::new(3);
        let first = register.births(2, &mut dice);
        let second = register.births(1, &mut dice);
        let births = &first.tables[0];
        assert_eq!((births.columns.len(), births.row_count()), (21, 2));
        assert!(births.values.iter().flatten().all(|value| !value.is_null()));
        let numbers: HashSet<String> = [births, &second.tables[0]]
            .iter()
            .flat_map(|table| column(table, "NumeroActe"))
            .map(Value::to_string)
            .collect();
        assert_eq!(numbers.len(), 3);
    }

    #[test]
    fn a_register_goes_on_where_it_was_left() {
        let births = Register::new("C000042").after(7).births(2, &mut Dice::new(3));
        for name in ["Numero", "NumeroActe"] {
            assert_eq!(column(&births.tables[0], name), [8, 9], "{name}");
        }
    }

    #[test]
    fn every_stations_sums_are_right_and_it_reports_once_per_election() {
        let mut register = Register::new("C1").with_bureaux(vec!["B1".to_owned(), "B2".to_owned()]);
        let records = register.results(5, &mut Dice::new(9));
        let (results, votes) = (&records.tables[0], &records.tables[1]);
        let mut stations = HashSet::new();
        for row in 0..5 {
            let key = (&column(results, "ElectionCode")[row], &column(results, "BureauCode")[row]);
            assert!(stations.insert((key.0.to_string(), key.1.to_string())));
            let voices: i64 = (0..votes.row_count())
                .filter(|&vote| (&column(votes, "ElectionCode")[vote], &column(votes, "BureauCode")[vote]) == key)
                .map(|vote| sum(votes, "Voix", vote))
                .sum();
            let of = |name| sum(results, name, row);
            assert_eq!(voices, of("Exprimes"));
            assert_eq!(of("Exprimes") + of("Nuls") + of("Blancs"), of("BulletinsTrouves"));
            assert!(of("BulletinsTrouves") <= of("Emargements") && of("Emargements") <= of("Inscrits"));
        }
    }

    #[test]
    fn the_same_seed_writes_the_same_records() {
        let write = |seed| {
            let mut register = Register::new("C1");
            let mut dice = Dice::new(seed);
            [register.births(3, &mut dice), register.marriages(2, &mut dice), register.deaths(2, &mut dice)]
        };
        assert!(write(5) == write(5) && write(5) != write(6));
    }
}
