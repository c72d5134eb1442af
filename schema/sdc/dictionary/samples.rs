//! Invented letters and answers, made from lists of names by a fixed sequence of pseudo-random numbers, so that every machine makes the
//! same samples.
//!
//! The recipe trains the dictionary with these samples. The size test uses names that are in no sample.

use chrono::{DateTime, Utc};
use sdc::letter::{FORMAT_VERSION, Letter, Mode, Office};
use sdc::request::{Records, Request, TableRecords};
use serde_json::Value;
use uuid::Builder;

mod answers;
mod dice;
pub mod letters;
mod names;

pub use dice::Dice;
pub use names::Corpus;

/// One invented office with its habits, which all its letters share.
pub struct Registry {
    centre_code: String,
    town: String,
    officer: String,
    secretary: String,
    nationality: String,
    capitals: bool,
    head: Office,
    server: String,
    next_act: u64,
    next_numero: u64,
    sequence: u64,
    mode: Mode,
}

impl Registry {
    /// Invents an office.
    pub fn new(dice: &mut Dice, corpus: &Corpus) -> Registry {
        let capitals = dice.percent(70);
        let code = match dice.number(0, 2) {
            0 => format!("CE-{:04}", dice.number(1, 9999)),
            1 => format!("{:03}-{:02}", dice.number(1, 400), dice.number(1, 60)),
            _ => format!("{}{:03}", dice.of(&["LT", "OU", "SU", "EN", "AD", "NO", "CE", "ES"]), dice.number(1, 999)),
        };
        let agency = u32::try_from(dice.number(1, 100_000)).expect("a matricule");
        Registry {
            centre_code: code,
            town: dice.one(&corpus.places).to_owned(),
            officer: corpus.person(dice, capitals),
            secretary: corpus.person(dice, capitals),
            nationality: dice.one(&corpus.nationalities).to_owned(),
            capitals,
            head: Office {
                agency: agency.try_into().expect("in range"),
                installation: format!("{}{}", dice.of(&["pc", "ecr-", "poste", "bureau-"]), dice.number(1, 3)),
            },
            server: dice.of(&["centre", "bunec", "etat-civil", "ceni", "elecam", "centre-national"]).to_owned(),
            next_act: dice.number(1, 3000),
            next_numero: dice.number(1, 20_000),
            sequence: dice.number(1, 3000),
            mode: if dice.percent(95) { Mode::Live } else { Mode::Test },
        }
    }

    fn act(&mut self) -> u64 {
        self.next_act += 1;
        self.next_act
    }

    fn numero(&mut self) -> u64 {
        self.next_numero += 1;
        self.next_numero
    }

    fn letter(&mut self, dice: &mut Dice, application: &str, tables: Vec<TableRecords>) -> Letter {
        self.sequence += 1;
        let time = dice.time();
        Letter {
            sdc: FORMAT_VERSION,
            id: id_of(time, dice),
            from: self.head.clone(),
            to: self.server.clone(),
            sequence: self.sequence,
            time,
            mode: self.mode,
            seen: None,
            request: Request::Export(Records { application: application.to_owned(), tables }),
        }
    }
}

fn id_of(time: DateTime<Utc>, dice: &mut Dice) -> uuid::Uuid {
    let millis = u64::try_from(time.timestamp_millis()).expect("after 1970") + dice.number(0, 999);
    Builder::from_unix_timestamp_millis(millis, &dice.octets()).into_uuid()
}

type Row = Vec<(&'static str, Value)>;

/// Turns rows, which must all have the same columns, into a table with one array of values per column.
fn table(name: &str, rows: Vec<Row>) -> TableRecords {
    let columns = rows[0].iter().map(|(column, _)| (*column).to_owned()).collect();
    let values = (0..rows[0].len()).map(|c| rows.iter().map(|row| row[c].1.clone()).collect()).collect();
    TableRecords { table: name.to_owned(), columns, values }
}

/// Drops the columns that no row fills, as an office does before it packs.
fn without_empty(mut table: TableRecords) -> TableRecords {
    let keep: Vec<bool> = table.values.iter().map(|column| column.iter().any(|value| !value.is_null())).collect();
    let mut kept = keep.iter();
    table.columns.retain(|_| *kept.next().expect("as many"));
    let mut kept = keep.iter();
    table.values.retain(|_| *kept.next().expect("as many"));
    table
}

/// Makes the JSON of `count` samples, with each kind of letter as frequent as in a year with an election.
pub fn all(corpus: &Corpus, count: usize) -> Vec<Vec<u8>> {
    let mut dice = Dice::new(1);
    let json = |letter: Letter| serde_json::to_vec(&letter).expect("a letter has a JSON form");
    (0..count)
        .map(|_| match dice.number(0, 99) {
            0..=49 => json(letters::births(&mut dice, corpus)),
            50..=57 => json(letters::marriage(&mut dice, corpus)),
            58..=67 => json(letters::death(&mut dice, corpus)),
            68..=70 => json(letters::marginal_note(&mut dice, corpus)),
            71..=82 => json(letters::result(&mut dice, corpus)),
            _ => serde_json::to_vec(&answers::answer(&mut dice, corpus)).expect("an answer has a JSON form"),
        })
        .collect()
}
