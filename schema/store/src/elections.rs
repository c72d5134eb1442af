//! Figures of the sample `election`: states of stations, totals and missing stations. The figures come from views that any SQL tool can
//! read.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use serde::Serialize;

use crate::error::AdministrationError;

/// States of a station, in order of precedence. Each station of the list of stations is in exactly one state.
pub const STATES: [&str; 6] = ["contested", "held", "correcting", "flagged", "counted", "missing"];

/// Number of stations of an election in one state.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct StateCount {
    /// Code of the election.
    #[diesel(sql_type = Text)]
    pub election: String,
    /// State, one of [`STATES`].
    #[diesel(sql_type = Text)]
    pub state: String,
    /// Number of stations in the state.
    #[diesel(sql_type = BigInt)]
    pub stations: i64,
    /// Number of registered voters of these stations.
    #[diesel(sql_type = BigInt)]
    pub registered: i64,
}

/// The figures of an election in the whole country, or in an area.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct Totals {
    /// Code of the election.
    #[diesel(sql_type = Text)]
    pub election: String,
    /// The area of the figures and the areas that contain it, from the largest to the smallest; empty for the whole country.
    #[diesel(sql_type = Array<Text>)]
    pub areas: Vec<String>,
    /// Number of stations of the list.
    #[diesel(sql_type = BigInt)]
    pub stations: i64,
    /// Number of stations whose result is in the tables and not contested.
    #[diesel(sql_type = BigInt)]
    pub stations_counted: i64,
    /// Number of registered voters of all stations.
    #[diesel(sql_type = BigInt)]
    pub registered: i64,
    /// Number of registered voters of the stations counted.
    #[diesel(sql_type = BigInt)]
    pub registered_counted: i64,
    /// Number of voters who signed the voters' lists in the stations counted.
    #[diesel(sql_type = BigInt)]
    pub signatures: i64,
    /// Number of ballots found.
    #[diesel(sql_type = BigInt)]
    pub ballots: i64,
    /// Number of void ballots.
    #[diesel(sql_type = BigInt)]
    pub void: i64,
    /// Number of blank ballots.
    #[diesel(sql_type = BigInt)]
    pub blank: i64,
    /// Number of valid votes.
    #[diesel(sql_type = BigInt)]
    pub valid: i64,
}

/// The votes of a candidate in the whole country, or in an area.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct CandidateVotes {
    /// Code of the election.
    #[diesel(sql_type = Text)]
    pub election: String,
    /// The area of the figures and the areas that contain it, as in [`Totals`].
    #[diesel(sql_type = Array<Text>)]
    pub areas: Vec<String>,
    /// Code of the candidate.
    #[diesel(sql_type = Text)]
    pub candidate: String,
    /// Name of the candidate; empty if the list has none.
    #[diesel(sql_type = Text)]
    pub name: String,
    /// Number of votes.
    #[diesel(sql_type = BigInt)]
    pub votes: i64,
}

/// A station whose result is neither accepted nor held.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct Missing {
    /// Code of the election.
    #[diesel(sql_type = Text)]
    pub election: String,
    /// Code of the station.
    #[diesel(sql_type = Text)]
    pub bureau: String,
    /// Name of the station.
    #[diesel(sql_type = Text)]
    pub name: String,
    /// Areas that contain the station, from the largest to the smallest.
    #[diesel(sql_type = Array<Text>)]
    pub areas: Vec<String>,
    /// Number of registered voters.
    #[diesel(sql_type = Integer)]
    pub registered: i32,
    /// Telephone of the station's chief.
    #[diesel(sql_type = Nullable<Text>)]
    pub telephone: Option<String>,
    /// Agency that may send the station's result; `None` if no agency was granted the station's code.
    #[diesel(sql_type = Nullable<Integer>)]
    pub agency: Option<Matricule>,
    /// Telephone of the agency that may send the station's result.
    #[diesel(sql_type = Nullable<Text>)]
    pub agency_telephone: Option<String>,
}

/// Filter for missing stations. The stations are listed by number of registered voters, largest first.
#[derive(Clone, Debug, Default)]
pub struct MissingFilter {
    /// Only stations of this election.
    pub election: Option<String>,
    /// Only stations in this area, of any level.
    pub area: Option<String>,
    /// Largest number of stations to list; `None` for all.
    pub limit: Option<i64>,
}

/// Says whether the database has the views of the sample.
///
/// # Errors
/// A fault of the database.
pub async fn are_there(connection: &mut AsyncPgConnection) -> Result<bool, AdministrationError> {
    #[derive(QueryableByName)]
    struct There {
        #[diesel(sql_type = diesel::sql_types::Bool)]
        there: bool,
    }
    let found: There =
        diesel::sql_query("SELECT to_regclass('election.states') IS NOT NULL AS there").get_result(connection).await?;
    Ok(found.there)
}

async fn demand(connection: &mut AsyncPgConnection) -> Result<(), AdministrationError> {
    match are_there(connection).await? {
        true => Ok(()),
        false => Err(AdministrationError::TableUnknown("election.ResultatBureau".to_owned())),
    }
}

/// Filter of figures: all elections or one, and the whole country or one area.
#[derive(Clone, Debug, Default)]
pub struct FiguresFilter {
    /// Only figures of this election.
    pub election: Option<String>,
    /// Only figures of the area with this name, at any level. If several areas have the name, each is returned. `None` for the whole
    /// country.
    pub area: Option<String>,
}

/// SQL condition that filters a view of figures by election (`$1`) and area (`$2`).
macro_rules! in_area {
    () => {
        "($1 IS NULL OR election = $1)
         AND CASE WHEN $2 IS NULL THEN level = 0
                  ELSE level > 0 AND (ARRAY[region, departement, arrondissement, commune, centre_vote])[level] = $2 END"
    };
}

/// SQL expression for the areas of a row in such a view: the row's area and the areas that contain it, from the largest to the smallest.
macro_rules! areas {
    () => {
        "array_remove((ARRAY[region, departement, arrondissement, commune, centre_vote]::text[])[1:level], '') AS areas"
    };
}

/// Counts the stations of each election, or of the given one, by state. A state without stations is absent.
///
/// # Errors
/// [`AdministrationError::TableUnknown`] if the sample is not installed; a fault of the database.
pub async fn states(
    connection: &mut AsyncPgConnection,
    filter: &FiguresFilter,
) -> Result<Vec<StateCount>, AdministrationError> {
    demand(connection).await?;
    let counts = diesel::sql_query(
        "SELECT election, state, count(*) AS stations, sum(registered)::bigint AS registered FROM election.states
          WHERE ($1 IS NULL OR election = $1)
            AND ($2 IS NULL OR $2 IN (region, departement, arrondissement, commune, centre_vote))
          GROUP BY election, state ORDER BY election, state",
    )
    .bind::<Nullable<Text>, _>(&filter.election)
    .bind::<Nullable<Text>, _>(&filter.area)
    .load(connection)
    .await?;
    Ok(counts)
}

/// Returns the totals of each election, or of the given one, for the whole country or an area.
///
/// # Errors
/// [`AdministrationError::TableUnknown`] if the sample is not installed; a fault of the database.
pub async fn totals(
    connection: &mut AsyncPgConnection,
    filter: &FiguresFilter,
) -> Result<Vec<Totals>, AdministrationError> {
    demand(connection).await?;
    let totals = diesel::sql_query(concat!(
        "SELECT election, stations, stations_counted, registered::bigint AS registered, registered_counted::bigint AS registered_counted,
                signatures::bigint AS signatures, ballots::bigint AS ballots, void::bigint AS void, blank::bigint AS blank,
                valid::bigint AS valid, ",
        areas!(),
        " FROM election.totals WHERE ",
        in_area!(),
        " ORDER BY election, areas"
    ))
    .bind::<Nullable<Text>, _>(&filter.election)
    .bind::<Nullable<Text>, _>(&filter.area)
    .load(connection)
    .await?;
    Ok(totals)
}

/// Returns the votes of each candidate in the whole country or an area; the candidate with the most votes comes first.
///
/// # Errors
/// [`AdministrationError::TableUnknown`] if the sample is not installed; a fault of the database.
pub async fn votes(
    connection: &mut AsyncPgConnection,
    filter: &FiguresFilter,
) -> Result<Vec<CandidateVotes>, AdministrationError> {
    demand(connection).await?;
    let votes = diesel::sql_query(concat!(
        "SELECT election, candidate, coalesce(name, '') AS name, votes::bigint AS votes, ",
        areas!(),
        " FROM election.votes WHERE ",
        in_area!(),
        " ORDER BY election, areas, votes DESC, candidate"
    ))
    .bind::<Nullable<Text>, _>(&filter.election)
    .bind::<Nullable<Text>, _>(&filter.area)
    .load(connection)
    .await?;
    Ok(votes)
}

/// Lists the missing stations that pass the filter.
///
/// # Errors
/// [`AdministrationError::TableUnknown`] if the sample is not installed; a fault of the database.
pub async fn missing(
    connection: &mut AsyncPgConnection,
    filter: &MissingFilter,
) -> Result<Vec<Missing>, AdministrationError> {
    demand(connection).await?;
    let stations = diesel::sql_query(
        "SELECT election, bureau, name, areas, registered, telephone, agency, agency_telephone
           FROM (SELECT *, array_remove(ARRAY[region, departement, arrondissement, commune, centre_vote]::text[], '') AS areas
                   FROM election.missing) m
          WHERE ($1 IS NULL OR election = $1) AND ($2 IS NULL OR $2 = ANY(areas))
          ORDER BY registered DESC, election, bureau LIMIT $3",
    )
    .bind::<Nullable<Text>, _>(&filter.election)
    .bind::<Nullable<Text>, _>(&filter.area)
    .bind::<BigInt, _>(filter.limit.unwrap_or(i64::MAX))
    .load(connection)
    .await?;
    Ok(stations)
}

#[cfg(test)]
mod tests;
