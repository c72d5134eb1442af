//! Figures of the sample `election`, out of the views that everybody's SQL reads: states of stations, totals, and what is missing.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use serde::Serialize;

use crate::error::AdministrationError;

/// The states of a station, in their precedence: each station of the list is in exactly one.
pub const STATES: [&str; 6] = ["contested", "held", "correcting", "flagged", "counted", "missing"];

/// How many stations of an election are in a state.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct StateCount {
    /// The election.
    #[diesel(sql_type = Text)]
    pub election: String,
    /// One of [`STATES`].
    #[diesel(sql_type = Text)]
    pub state: String,
    /// Stations.
    #[diesel(sql_type = BigInt)]
    pub stations: i64,
    /// Their registered voters.
    #[diesel(sql_type = BigInt)]
    pub registered: i64,
}

/// The figures of an election in the whole country.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct Totals {
    /// The election.
    #[diesel(sql_type = Text)]
    pub election: String,
    /// Stations of the list.
    #[diesel(sql_type = BigInt)]
    pub stations: i64,
    /// Those whose result is in the tables and is not contested.
    #[diesel(sql_type = BigInt)]
    pub stations_counted: i64,
    /// Registered voters of all stations.
    #[diesel(sql_type = BigInt)]
    pub registered: i64,
    /// Those of the stations counted.
    #[diesel(sql_type = BigInt)]
    pub registered_counted: i64,
    /// Signatures.
    #[diesel(sql_type = BigInt)]
    pub signatures: i64,
    /// Ballots found.
    #[diesel(sql_type = BigInt)]
    pub ballots: i64,
    /// Void ballots.
    #[diesel(sql_type = BigInt)]
    pub void: i64,
    /// Blank ballots.
    #[diesel(sql_type = BigInt)]
    pub blank: i64,
    /// Valid votes.
    #[diesel(sql_type = BigInt)]
    pub valid: i64,
}

/// The votes of a candidate in the whole country.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct CandidateVotes {
    /// The election.
    #[diesel(sql_type = Text)]
    pub election: String,
    /// The candidate's code.
    #[diesel(sql_type = Text)]
    pub candidate: String,
    /// The candidate's name; empty where the list has none.
    #[diesel(sql_type = Text)]
    pub name: String,
    /// Votes.
    #[diesel(sql_type = BigInt)]
    pub votes: i64,
}

/// A station of which nothing was accepted and nothing is held.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct Missing {
    /// The election.
    #[diesel(sql_type = Text)]
    pub election: String,
    /// The station's code.
    #[diesel(sql_type = Text)]
    pub bureau: String,
    /// Its name.
    #[diesel(sql_type = Text)]
    pub name: String,
    /// The areas that it lies in, from the largest to the smallest.
    #[diesel(sql_type = Array<Text>)]
    pub areas: Vec<String>,
    /// Its registered voters.
    #[diesel(sql_type = Integer)]
    pub registered: i32,
    /// The telephone of its chief.
    #[diesel(sql_type = Nullable<Text>)]
    pub telephone: Option<String>,
    /// The agency that may write about it.
    #[diesel(sql_type = Nullable<Integer>)]
    pub agency: Option<Matricule>,
    /// That agency's telephone.
    #[diesel(sql_type = Nullable<Text>)]
    pub agency_telephone: Option<String>,
}

/// Which missing stations are listed, those with most registered voters first.
#[derive(Clone, Debug, Default)]
pub struct MissingFilter {
    /// Of this election.
    pub election: Option<String>,
    /// In this area, whatever its level.
    pub area: Option<String>,
    /// At most so many; all when absent.
    pub limit: Option<i64>,
}

/// Says whether the database has the views.
///
/// # Errors
/// A fault.
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

/// Counts the stations of each election, or of one, by state. States without a station are left out.
///
/// # Errors
/// The sample is not there; a fault.
pub async fn states(
    connection: &mut AsyncPgConnection,
    election: Option<&str>,
) -> Result<Vec<StateCount>, AdministrationError> {
    demand(connection).await?;
    let counts = diesel::sql_query(
        "SELECT election, state, count(*) AS stations, sum(registered)::bigint AS registered FROM election.states
          WHERE $1 IS NULL OR election = $1 GROUP BY election, state ORDER BY election, state",
    )
    .bind::<Nullable<Text>, _>(election)
    .load(connection)
    .await?;
    Ok(counts)
}

/// Adds up each election, or one, over the whole country.
///
/// # Errors
/// The sample is not there; a fault.
pub async fn totals(
    connection: &mut AsyncPgConnection,
    election: Option<&str>,
) -> Result<Vec<Totals>, AdministrationError> {
    demand(connection).await?;
    let totals = diesel::sql_query(
        "SELECT election, stations, stations_counted, registered::bigint AS registered, registered_counted::bigint AS registered_counted,
                signatures::bigint AS signatures, ballots::bigint AS ballots, void::bigint AS void, blank::bigint AS blank,
                valid::bigint AS valid
           FROM election.totals WHERE level = 0 AND ($1 IS NULL OR election = $1) ORDER BY election",
    )
    .bind::<Nullable<Text>, _>(election)
    .load(connection)
    .await?;
    Ok(totals)
}

/// Adds up the votes of each candidate over the whole country, the most first.
///
/// # Errors
/// The sample is not there; a fault.
pub async fn votes(
    connection: &mut AsyncPgConnection,
    election: Option<&str>,
) -> Result<Vec<CandidateVotes>, AdministrationError> {
    demand(connection).await?;
    let votes = diesel::sql_query(
        "SELECT election, candidate, coalesce(name, '') AS name, votes::bigint AS votes FROM election.votes
          WHERE level = 0 AND ($1 IS NULL OR election = $1) ORDER BY election, votes DESC, candidate",
    )
    .bind::<Nullable<Text>, _>(election)
    .load(connection)
    .await?;
    Ok(votes)
}

/// Lists the stations that are missing.
///
/// # Errors
/// The sample is not there; a fault.
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
