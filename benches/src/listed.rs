//! Measures loading the list of a country's polling stations while the centre runs. One person asks for the load, and another confirms it.

use std::fmt::Write as _;
use std::time::Instant;

use anyhow::{Result, ensure};
use serde::Serialize;

use crate::centre::{self, Centre, Hardship};
use crate::figures::{Figures, Report, number};
use crate::reading::load_average;
use crate::stock::Stock;

/// The upper bound of [`Listed::seconds`].
const SECONDS_MAX: f64 = 10.0;
/// The fewest stations with which the bound is checked.
pub const STATIONS: usize = 100_000;
const ELECTION: &str = "REF-2026";
const TABLE: &str = "election.BureauVote";
const HEAD: &str =
    "ElectionCode,BureauCode,Libelle,Region,Departement,Arrondissement,Commune,CentreVote,Inscrits,Telephone\n";

/// The results of loading the list.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// Number of stations in the list.
    pub stations: usize,
    /// Seconds of the command with which the first person asks to load the list.
    pub asked_seconds: f64,
    /// Seconds of the command with which the second person confirms; it loads the list.
    pub confirmed_seconds: f64,
    /// Seconds of both commands together.
    pub seconds: f64,
    /// Seconds of a dry run of the same list once it is loaded: it compares all stations and finds no change.
    pub again_seconds: f64,
    /// Load average of the machine before the run. A high value shows that other programs slowed the run down.
    pub load_average: f64,
    /// The figures that every subcommand measures. This one sends no letters: `lost` and `doubled` count stations.
    pub figures: Figures,
}

impl Report for Listed {
    fn summary(&self) -> Vec<(&'static str, String)> {
        vec![
            ("stations", self.stations.to_string()),
            ("asked_seconds", number(self.asked_seconds)),
            ("confirmed_seconds", number(self.confirmed_seconds)),
            ("seconds", number(self.seconds)),
            ("again_seconds", number(self.again_seconds)),
            ("load_average", number(self.load_average)),
        ]
    }

    fn runs(&self) -> Vec<(String, &Figures)> {
        vec![("stations".to_owned(), &self.figures)]
    }

    fn broken_bounds(&self) -> Vec<String> {
        if self.stations < STATIONS || self.seconds <= SECONDS_MAX {
            return Vec::new();
        }
        vec![format!("seconds is {}: at most {SECONDS_MAX} was expected", number(self.seconds))]
    }
}

/// Loads a list of stations, then tries the same list again in a dry run.
///
/// # Errors
/// A program does not start or ends early, or a command fails.
pub async fn run(stock: &Stock, stations: usize) -> Result<Listed> {
    let load_average = load_average()?;
    let mut centre = Centre::start(stock, centre::empty_dovecot()?, Hardship::default()).await?;
    let start_seconds = centre.wait_ready()?;
    let file = centre.engine.place().join("stations.csv");
    std::fs::write(&file, list(stations)?)?;
    let file = file.to_string_lossy().into_owned();
    let client = centre.client().await?;
    let asked = Instant::now();
    // The command loads nothing yet, but records that a second person must approve. It tells that by its exit code, which is no failure
    // here.
    centre.engine.ask(&["table", "load", TABLE, &file])?;
    let asked_seconds = asked.elapsed().as_secs_f64();
    let approval: i64 = client.query_one("SELECT max(id)::bigint FROM xm.approvals", &[]).await?.get(0);
    // The centre knows a person by the account of the machine that runs a command. The first person may not approve what that person has
    // asked for, and there is only one account. So from here on it belongs to a second user.
    let second = "INSERT INTO xm.users (name, privilege, password_hash) VALUES ('second', 3, '');
                  UPDATE xm.system_accounts SET user_name = 'second'";
    client.batch_execute(second).await?;
    let confirmed = Instant::now();
    centre.engine.operate(&["table", "load", TABLE, &file, "--approval", &approval.to_string()])?;
    let confirmed_seconds = confirmed.elapsed().as_secs_f64();
    let again = Instant::now();
    let told = centre.engine.operate(&["--json", "table", "load", TABLE, &file, "--dry-run"])?;
    let again_seconds = again.elapsed().as_secs_f64();
    let same: serde_json::Value = serde_json::from_str(&told)?;
    ensure!(same["same"] == stations, "the list that is loaded is not the same again: {told}");
    let count = format!("SELECT count(*) FROM election.\"BureauVote\" WHERE \"ElectionCode\" = '{ELECTION}'");
    let held: i64 = client.query_one(&count, &[]).await?.get(0);
    drop(client);
    centre.engine.stop()?;
    let missing = i64::try_from(stations)? - held;
    let figures = Figures { lost: missing.max(0), doubled: (-missing).max(0), start_seconds, ..Figures::default() };
    let seconds = asked_seconds + confirmed_seconds;
    Ok(Listed { stations, asked_seconds, confirmed_seconds, seconds, again_seconds, load_average, figures })
}

/// Writes a list as an electoral commission keeps it: five levels of areas, and a telephone number for each station.
fn list(stations: usize) -> Result<String> {
    let mut text = String::from(HEAD);
    for at in 0..stations {
        let (region, department, district, commune) = (at % 10, at % 58, at % 360, at % 374);
        let (place, registered) = (at / 4, 100 + at % 900);
        writeln!(
            text,
            "{ELECTION},L{at:06},\"École {place}, salle {}\",R{region},D{department},A{district},C{commune},École {place},\
             {registered},+237 6{at:08}",
            at % 4
        )?;
    }
    Ok(text)
}
