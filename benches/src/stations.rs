//! Polling-station results as letters: one `ResultatBureau` and its `VoixCandidat` rows.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use sdc::request::{Records, TableRecords};
use serde_json::{Value, json};
use simulation::dice::Dice;

/// Number of stations whose results are made up where no file is given.
const STATIONS: usize = 1000;
/// Number of candidates in results that are made up; their codes are `CAND-1` and so on.
pub const CANDIDATES: i32 = 8;

/// The result of one polling station.
#[derive(Clone, Debug)]
pub struct Station {
    registered: i64,
    voices: Vec<i64>,
    valid: i64,
    void: i64,
}

/// Reads results with the columns `Inscrits`, `Candidat…`, `Exprimes`, `Nuls`, `Votants`.
///
/// # Errors
/// The file cannot be read, or a line does not have the columns that the first line names.
pub fn read(file: &Path) -> Result<Vec<Station>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{}: results are expected", file.display()))?;
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let at = |name: &str| {
        head.iter()
            .position(|column| *column == name)
            .with_context(|| format!("no column {name} in {}", file.display()))
    };
    let (registered, valid, void) = (at("Inscrits")?, at("Exprimes")?, at("Nuls")?);
    let candidates: Vec<usize> = (0..head.len()).filter(|&column| head[column].starts_with("Candidat")).collect();
    let mut stations = Vec::new();
    for line in lines {
        // The columns with numbers are the last ones. Those before them are names, which may contain commas in quotes, so columns are
        // counted from the end of the line.
        let fields: Vec<&str> = line.rsplit(',').take(head.len() - registered).collect();
        let number = |column: usize| -> Result<i64> {
            let field = fields.get(head.len() - 1 - column).with_context(|| format!("too few columns: {line}"))?;
            field.trim().parse().with_context(|| format!("{field:?} is no number: {line}"))
        };
        let voices = candidates.iter().map(|&column| number(column)).collect::<Result<Vec<i64>>>()?;
        let station = Station { registered: number(registered)?, valid: number(valid)?, void: number(void)?, voices };
        // The file has a few results whose sums are wrong. The centre would rightly refuse them, so they are left out.
        if station.voices.iter().sum::<i64>() == station.valid && station.valid + station.void <= station.registered {
            stations.push(station);
        }
    }
    ensure!(!stations.is_empty(), "{}: no station with right sums", file.display());
    Ok(stations)
}

/// Makes up the results of stations, each with eight candidates and some four hundred registered voters.
pub fn made_up() -> Vec<Station> {
    let mut dice = Dice::new(2026);
    let mut station = || {
        let voices: Vec<i64> = (0..CANDIDATES).map(|_| dice.between(0, 40)).collect();
        let (valid, void) = (voices.iter().sum(), dice.between(0, 20));
        Station { registered: 400, voices, valid, void }
    };
    (0..STATIONS).map(|_| station()).collect()
}

impl Station {
    /// Writes the result of the station as records: one row of `ResultatBureau`, and one row of `VoixCandidat` for each candidate.
    pub fn records(&self, election: &str, bureau: &str) -> Records {
        let found = self.valid + self.void;
        let one = |value: Value| vec![value];
        let result = [
            ("Numero", json!(1)),
            ("Status", json!(2)),
            ("ElectionCode", json!(election)),
            ("BureauCode", json!(bureau)),
            ("Inscrits", json!(self.registered)),
            ("Emargements", json!(found)),
            ("BulletinsTrouves", json!(found)),
            ("Nuls", json!(self.void)),
            ("Blancs", json!(0)),
            ("Exprimes", json!(self.valid)),
            ("HeureCloture", json!("18:00:00")),
            ("President", json!("ABENA MBARGA Joséphine")),
            ("Delegues", json!(3)),
        ];
        let candidates = || 1..=self.voices.len();
        let votes = [
            ("Numero", candidates().map(|number| json!(number)).collect()),
            ("Status", candidates().map(|_| json!(2)).collect()),
            ("ElectionCode", candidates().map(|_| json!(election)).collect()),
            ("BureauCode", candidates().map(|_| json!(bureau)).collect()),
            ("CandidatCode", candidates().map(|number| json!(format!("CAND-{number}"))).collect()),
            ("Voix", self.voices.iter().map(|voices| json!(voices)).collect()),
        ];
        Records {
            application: "election".to_owned(),
            tables: vec![
                table("ResultatBureau", result.map(|(name, value)| (name, one(value)))),
                table("VoixCandidat", votes),
            ],
        }
    }

    /// Returns the number of the station's registered voters.
    pub fn registered(&self) -> i64 {
        self.registered
    }

    /// Counts the rows of the letter that brings this station's result.
    pub fn rows(&self) -> u64 {
        1 + self.voices.len() as u64
    }
}

fn table<const N: usize>(name: &str, columns: [(&str, Vec<Value>); N]) -> TableRecords {
    let (names, values) = columns.into_iter().map(|(name, values)| (name.to_owned(), values)).unzip();
    TableRecords { table: name.to_owned(), columns: names, values }
}
