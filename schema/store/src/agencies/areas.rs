//! Agencies by area, as a tree: how many there are in each, how far their enrolment is, and how many are silent.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::Serialize;

use super::listing::SILENT;
use crate::database::statement::{Bind, Statement};
use crate::error::AdministrationError;

/// Numbers of agencies. Each number counts every agency once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Queryable, Serialize)]
pub struct AreaCounts {
    /// Agencies.
    pub agencies: i64,
    /// Agencies that are not suspended.
    pub active: i64,
    /// Agencies whose account is below zero.
    pub in_debt: i64,
    /// Agencies without a certificate for which a code is open.
    pub code_open: i64,
    /// Agencies without a certificate whose last code expired or was locked.
    pub code_ended: i64,
    /// Agencies that have a certificate, or had one.
    pub enrolled: i64,
    /// Agencies that have sent a letter.
    pub heard: i64,
    /// Agencies that are silent for longer than their own rhythm explains.
    pub silent: i64,
}

/// An area with the numbers of the agencies that lie in it, at any depth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Area {
    /// The area with those around it, as in `Littoral/Sanaga-Maritime`; empty for agencies without an area.
    pub area: String,
    /// Number of areas around it.
    pub depth: usize,
    /// The numbers.
    #[serde(flatten)]
    pub counts: AreaCounts,
}

impl Area {
    /// Returns the area's own name, without those around it.
    pub fn name(&self) -> &str {
        self.area.rsplit('/').next().unwrap_or_default()
    }
}

impl AddAssign for AreaCounts {
    fn add_assign(&mut self, other: AreaCounts) {
        self.agencies += other.agencies;
        self.active += other.active;
        self.in_debt += other.in_debt;
        self.code_open += other.code_open;
        self.code_ended += other.code_ended;
        self.enrolled += other.enrolled;
        self.heard += other.heard;
        self.silent += other.silent;
    }
}

/// Counts agencies by area. Each area comes before those that lie in it; agencies without an area come first. If `within` is given, only
/// this area and those that lie in it are counted.
///
/// # Errors
/// A fault of the database.
pub async fn areas(connection: &mut AsyncPgConnection, within: Option<&str>) -> Result<Vec<Area>, AdministrationError> {
    let text = format!(
        "SELECT a.area, count(*), count(*) FILTER (WHERE a.status > 0), count(*) FILTER (WHERE k.balance < 0),
                count(*) FILTER (WHERE e.agency IS NULL AND c.is_open), count(*) FILTER (WHERE e.agency IS NULL AND NOT c.is_open),
                count(e.agency), count(h.agency), count(*) FILTER (WHERE {SILENT})
           FROM xm.agencies a JOIN xm.accounts k ON k.agency = a.matricule
           LEFT JOIN (SELECT DISTINCT agency FROM xm.certificates) e ON e.agency = a.matricule
           LEFT JOIN (SELECT DISTINCT agency FROM xm.installations WHERE heard_at IS NOT NULL) h ON h.agency = a.matricule
           LEFT JOIN (SELECT DISTINCT ON (agency) agency, locked_at IS NULL AND ended_at IS NULL AND expires_at > now() AS is_open
                        FROM xm.enrolment_codes ORDER BY agency, id DESC) c ON c.agency = a.matricule
          WHERE ? = '' OR ((xm.folded(a.area) || '/') COLLATE \"C\") >= xm.folded(?) || '/'
                      AND ((xm.folded(a.area) || '/') COLLATE \"C\") < xm.folded(?) || '0'
          GROUP BY a.area"
    );
    let within = within.unwrap_or_default();
    let binds = [Bind::Text(within), Bind::Text(within), Bind::Text(within)];
    type Row = (Text, BigInt, BigInt, BigInt, BigInt, BigInt, BigInt, BigInt, BigInt);
    type Found = (String, i64, i64, i64, i64, i64, i64, i64, i64);
    let found: Vec<Found> = Statement::<Row>::new(&text, &binds).load(connection).await?;
    let mut tree: BTreeMap<Vec<String>, AreaCounts> = BTreeMap::new();
    for (area, agencies, active, in_debt, code_open, code_ended, enrolled, heard, silent) in found {
        let counts = AreaCounts { agencies, active, in_debt, code_open, code_ended, enrolled, heard, silent };
        let names: Vec<String> = area.split('/').map(str::to_owned).collect();
        for depth in 1..=names.len() {
            *tree.entry(names[..depth].to_vec()).or_default() += counts;
        }
    }
    // What lies around the area that was asked for was not counted whole.
    let least = if within.is_empty() { 1 } else { within.split('/').count() };
    let area =
        |(names, counts): (Vec<String>, AreaCounts)| Area { area: names.join("/"), depth: names.len() - 1, counts };
    Ok(tree.into_iter().filter(|(names, _)| names.len() >= least).map(area).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agencies::{self, AgencyFilter, AgencyPage, NewAgency, enrolments};
    use crate::testing::centre::*;

    #[tokio::test]
    async fn areas_are_counted_with_all_that_lies_in_them() {
        let (_database, mut connection) = centre().await;
        for (matricule, area) in [(10, "Littoral/Sanaga"), (11, "Littoral/Wouri"), (12, "Littoral"), (13, "Sud")] {
            let new = NewAgency { area: area.into(), ..agency(matricule) };
            agencies::add(&mut connection, &OPERATOR, &new).await.unwrap();
        }
        for matricule in [10, 11] {
            enrolments::code(&mut connection, &OPERATOR, number(matricule)).await.unwrap();
        }
        run(
            &mut connection,
            "UPDATE xm.enrolment_codes SET expires_at = now() WHERE agency = 11;
             UPDATE xm.agencies SET status = 0 WHERE matricule = 13;
             UPDATE xm.accounts SET balance = -1 WHERE agency = 12;
             INSERT INTO xm.agency_keys (spki_sha256, agency) VALUES (sha256('k'), 12);
             INSERT INTO xm.certificates (agency, spki_sha256, key_id, issuer, serial, der, fingerprint, algorithm, not_before, not_after)
             VALUES (12, sha256('k'), '', '', '', '', sha256('c'), 'P-256', now(), now());
             INSERT INTO xm.installations (agency, name, heard_at) VALUES (12, 'a', now()), (12, 'b', now())",
        )
        .await;
        let mut counted = async |within| {
            let areas = areas(&mut connection, within).await.unwrap();
            let line = |one: &Area| {
                let AreaCounts { agencies, active, in_debt, code_open, code_ended, enrolled, heard, .. } = one.counts;
                format!("{} {agencies} {active} {in_debt} {code_open} {code_ended} {enrolled} {heard}", one.area)
            };
            areas.iter().map(line).collect::<Vec<_>>()
        };
        let littoral = ["Littoral 3 3 1 1 1 1 1", "Littoral/Sanaga 1 1 0 1 0 0 0", "Littoral/Wouri 1 1 0 0 1 0 0"];
        assert_eq!(counted(Some("LITTORAL")).await, littoral);
        assert_eq!(counted(None).await, [&[" 2 2 0 0 0 0 0"][..], &littoral, &["Sud 1 0 0 0 0 0 0"]].concat());
        assert_eq!(counted(Some("littoral/wouri")).await, littoral[2..]);
    }

    /// An office that writes each day is silent after three days; one that writes each week, after three weeks.
    #[tokio::test]
    async fn an_agency_is_silent_by_its_own_rhythm() {
        let (_database, mut connection) = centre().await;
        for matricule in 10..18 {
            agencies::add(&mut connection, &OPERATOR, &agency(matricule)).await.unwrap();
        }
        run(
            &mut connection,
            "INSERT INTO xm.installations (agency, name, heard_at, rhythm_days) VALUES
                 (10, 'a', now() - interval '4 days', 1), (11, 'a', now() - interval '4 days', 7), (12, 'a', now() - interval '22 days', 7),
                 (13, 'a', now() - interval '4 days', 1), (13, 'b', now() - interval '1 hour', 30), (14, 'a', NULL, NULL),
                 (15, 'a', now() - interval '20 days', NULL), (16, 'a', now() - interval '22 days', NULL),
                 (17, 'a', now() - interval '90 days', 1);
             UPDATE xm.agencies SET status = 0 WHERE matricule = 17",
        )
        .await;
        let filter = AgencyFilter { silent: true, ..AgencyFilter::default() };
        let page = AgencyPage { order: agencies::AgencyOrder::Heard, ..AgencyPage::default() };
        let silent = agencies::list(&mut connection, &filter, &page).await.unwrap();
        let found: Vec<u32> = silent.iter().map(|one| one.agency.matricule.into()).collect();
        assert_eq!(found, [12, 16, 10], "the longest silent comes first");
        assert_eq!(silent.iter().map(|one| one.rhythm_days).collect::<Vec<_>>(), [Some(7.0), None, Some(1.0)]);
        assert_eq!(areas(&mut connection, None).await.unwrap()[0].counts.silent, 3);
    }
}
