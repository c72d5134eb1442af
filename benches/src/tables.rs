//! Fills the tables that agencies read. PostgreSQL makes the rows itself, as if offices had sent them: sending millions of letters would
//! take hours.
//!
//! Each value is computed from the row's number, by the same formula in Rust and in SQL. So a letter can be made that names the values of a
//! row, although nobody looks at the database.

use std::path::Path;

use anyhow::Result;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::database::RestingDatabase;

/// A table that is filled; its name stands for the kind of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Table {
    /// Acts of birth with 21 filled columns. Every tenth act also has a marginal note, which is a row of another table.
    Births,
    /// Marginal notes: nine columns, one of them a random UUID.
    Notes,
    /// Votes of candidates: six short columns.
    Votes,
}

/// Number of acts in the register of one year. An office has the registers of `YEARS` years.
const ACTS: u64 = 200;
const YEARS: u64 = 30;
const FIRST_YEAR: u64 = 1990;
/// Number of days over which the dates of birth are spread.
const DAYS: u64 = 10_000;
/// Mask that keeps the 31 bits of a mixed number.
const BITS: u64 = (1 << 31) - 1;
const NAMES: [&str; 16] = [
    "MBARGA", "ESSOMBA", "NGONO", "ABENA", "EKANE", "FOTSO", "KAMGA", "BELLO", "MOUSSA", "ATANGANA", "NDONGO",
    "EYENGA", "TCHOUA", "BIYONG", "MANGA", "OWONA",
];
const GIVEN: [&str; 8] = ["Joséphine", "Paul Émile", "Aïcha", "Jean-Marie", "Brigitte", "Hamadou", "Clarisse", "Roger"];
const PLACES: [&str; 8] = ["Édéa", "Ebolowa", "Garoua", "Maroua", "Kribi", "Bafoussam", "Nkongsamba", "Bertoua"];
const CALLINGS: [&str; 6] = ["cultivateur", "ménagère", "commerçante", "instituteur", "infirmière", "mécanicien"];

/// The rows that a table must hold before the engine starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filled {
    /// The table that is filled.
    pub table: Table,
    /// Number of rows.
    pub rows: u64,
}

/// The paper of an act of birth: the key by which the act is found, and the name that the paper shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paper {
    /// The code of the registry office.
    pub centre: String,
    /// The year of the register.
    pub year: u64,
    /// The number of the act in that year's register.
    pub act: u64,
    /// The surname of the child.
    pub name: String,
}

impl Table {
    /// Returns the name of the application and the name of the table within it.
    pub fn name(self) -> (&'static str, &'static str) {
        match self {
            Table::Births => ("ecr", "ActeNaissance"),
            Table::Notes => ("ecr", "MentionMarginale"),
            Table::Votes => ("election", "VoixCandidat"),
        }
    }
}

/// Returns the paper for the act of birth in this row.
pub fn paper(row: u64) -> Paper {
    let (centre, year, act) = (row / (ACTS * YEARS), FIRST_YEAR + row / ACTS % YEARS, 1 + row % ACTS);
    Paper { centre: format!("H{centre:05}"), year, act, name: pick(&NAMES, row, 1).to_owned() }
}

/// Mixes a row's number with a salt into 31 bits that look random, by the same formula as [`mixed_in_sql`]. The factors are so small that
/// no product exceeds PostgreSQL's bigint.
fn mixed(row: u64, salt: u64) -> u64 {
    let first = ((row * 31 + salt) * 2_654_435_761) & BITS;
    let second = ((first ^ (first >> 15)) * 2_246_822_519) & BITS;
    second ^ second >> 13
}

fn mixed_in_sql(salt: u64) -> String {
    let first = format!("(((n * 31 + {salt}) * 2654435761) & {BITS})");
    let second = format!("((({first} # ({first} >> 15)) * 2246822519) & {BITS})");
    format!("({second} # ({second} >> 13))")
}

/// Picks a value for a row: the same one as the SQL that [`picked`] returns.
fn pick<'a>(values: &[&'a str], row: u64, salt: u64) -> &'a str {
    values[usize::try_from(mixed(row, salt) % values.len() as u64).unwrap_or_default()]
}

fn picked(values: &[&str], salt: u64) -> String {
    let listed: Vec<String> = values.iter().map(|value| format!("'{value}'")).collect();
    format!("(ARRAY[{}])[1 + {} % {}]", listed.join(", "), mixed_in_sql(salt), values.len())
}

impl Filled {
    /// Fills the table in the database of an engine that does not run. The function starts the database and stops it again.
    ///
    /// # Errors
    /// The database does not start, or the disk is full.
    pub async fn fill(self, data: &Path) -> Result<()> {
        let (application, name) = self.table.name();
        eprintln!("filling {application}.{name} with {} rows", self.rows);
        let resting = RestingDatabase::start(data).await?;
        for statement in self.statements() {
            resting.client.batch_execute(&statement).await?;
        }
        // After so many new rows PostgreSQL has work to do, which at a centre autovacuum and the next checkpoint do within minutes. It is
        // done here, or it would slow the reads that are measured.
        resting.client.batch_execute("VACUUM (ANALYZE)").await?;
        resting.client.batch_execute("CHECKPOINT").await?;
        resting.stop().await
    }

    fn statements(self) -> Vec<String> {
        let last = self.rows.saturating_sub(1);
        match self.table {
            Table::Births => vec![births(last), notes(last, 10)],
            Table::Notes => vec![notes(last, 1)],
            Table::Votes => vec![votes(last)],
        }
    }
}

fn births(last: u64) -> String {
    let (name, given, sex) = (picked(&NAMES, 1), picked(&GIVEN, 2), picked(&["F", "M"], 3));
    let (place, father, calling) = (picked(&PLACES, 4), picked(&GIVEN, 5), picked(&CALLINGS, 6));
    let (mother, given_of_mother, calling_of_mother) = (picked(&NAMES, 7), picked(&GIVEN, 8), picked(&CALLINGS, 9));
    let (officer, weight, acts_of_centre) = (picked(&NAMES, 10), picked(&["2900", "3150", "3400"], 11), ACTS * YEARS);
    format!(
        r#"INSERT INTO ecr."ActeNaissance" ("Status", "NumeroActe", "AnneeRegistre", "CentreCode", "DateActe", "NomEnfant",
                  "PrenomsEnfant", "Sexe", "DateNaissance", "HeureNaissance", "LieuNaissance", "Poids", "NomPere", "PrenomsPere",
                  "ProfessionPere", "NomMere", "PrenomsMere", "ProfessionMere", "NomDeclarant", "Officier", "ActeUid",
                  xm_agency, xm_installation, xm_numero, xm_sequence, xm_letter)
           SELECT 2, 1 + n % {ACTS}, {FIRST_YEAR} + n / {ACTS} % {YEARS}, 'H' || lpad((n / {acts_of_centre})::text, 5, '0'),
                  date '1990-01-06' + (n % {DAYS})::int, {name}, {given}, {sex}, date '1990-01-01' + (n % {DAYS})::int,
                  time '00:10' + n % 1440 * interval '1 minute', {place}, {weight}::int, {name}, {father}, {calling},
                  {mother}, {given_of_mother}, {calling_of_mother}, {name} || ' ' || {father}, {officer} || ' Rose', md5(n::text)::uuid,
                  1, 'former', n + 1, 1 + n / 500, md5((n / 500)::text)::uuid
             FROM generate_series(0::bigint, {last}) n"#
    )
}

/// Returns the SQL for a marginal note to every `step`-th act of birth.
fn notes(last: u64, step: u64) -> String {
    let (kind, officer) = (picked(&["mariage", "divorce", "rectification"], 1), picked(&NAMES, 2));
    let (name, place) = (picked(&NAMES, 3), picked(&PLACES, 4));
    format!(
        r#"INSERT INTO ecr."MentionMarginale" ("Status", "CentreCode", "ActeUid", "TypeMention", "DateMention", "Texte", "Reference",
                  "Officier", xm_agency, xm_installation, xm_numero, xm_sequence, xm_letter)
           SELECT 2, 'H' || lpad((n / {})::text, 5, '0'), md5(n::text)::uuid, {kind}, date '2001-01-01' + (n % {DAYS})::int,
                  'Acte porté au registre de ' || {place} || ' avec ' || {name} || ', jugement du ' || n % 28 + 1, 'R-' || n,
                  {officer} || ' Rose', 1, 'former', n + 1, 1 + n / 500, md5((n / 500)::text)::uuid
             FROM generate_series(0::bigint, {last}, {step}) n"#,
        ACTS * YEARS
    )
}

fn votes(last: u64) -> String {
    let voices = mixed_in_sql(1);
    format!(
        r#"INSERT INTO election."VoixCandidat" ("Status", "ElectionCode", "BureauCode", "CandidatCode", "Voix",
                  xm_agency, xm_installation, xm_numero, xm_sequence, xm_letter)
           SELECT 2, 'PRES-' || 1990 + n / 800000, 'B' || lpad((n / 8 % 100000)::text, 6, '0'), 'CAND-' || n % 8 + 1, {voices} % 250,
                  1, 'former', n + 1, 1 + n / 8, md5((n / 8)::text)::uuid
             FROM generate_series(0::bigint, {last}) n"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paper_names_one_act_of_one_register() {
        let first = paper(0);
        assert_eq!((first.centre.as_str(), first.year, first.act), ("H00000", 1990, 1));
        let other = paper(4_999_999);
        assert_eq!((other.centre.as_str(), other.year, other.act), ("H00833", 1999, 200));
        let keys: std::collections::HashSet<_> =
            (0..20_000).map(paper).map(|paper| (paper.centre, paper.year, paper.act)).collect();
        assert_eq!(keys.len(), 20_000);
    }
}
