//! Offices that a centre knows: one account of what it is told of an office, and the two ways in which it is told.
//!
//! For tests, benches and the demo. What their worlds have beyond it (letters, keys, registers, exceptions) is theirs.

use diesel::prelude::*;
use diesel::sql_types::{Array, Integer, Text};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;

use super::operator;
use crate::agencies::{self, NewAgency, installations, scopes};
use crate::centre::server::{self, Server};
use crate::certificates::{self, CertificateFields, Confirmation};
use crate::database::schema;
use crate::error::AdministrationError;
use crate::ledger::tariffs::NewTariff;
use crate::people::Operator;
use crate::samples;

/// Newcomers in one statement: a statement has at most 65 535 parameters, and a certificate takes nine.
const NEWCOMERS_PER_STATEMENT: usize = 500;

/// What a centre is told of an office.
#[derive(Clone, Debug)]
pub struct Newcomer {
    /// The agency's number.
    pub matricule: Matricule,
    /// The agency's name.
    pub name: String,
    /// The agency's town.
    pub town: String,
    /// Where its answers go.
    pub email: String,
    /// 0 to 3, as the agency's status.
    pub status: i16,
    /// How far its account may fall below zero where credit is refused, in minor units.
    pub credit_limit: i64,
    /// The name of its one installation.
    pub installation: String,
    /// The codes that it writes for, by the column that they stand in.
    pub scopes: Vec<(&'static str, Vec<String>)>,
    /// The certificate of the key that it signs with.
    pub certificate: CertificateFields,
}

impl Newcomer {
    /// Makes an office in order, with installation `pc1`, no scope and no credit.
    pub fn new(matricule: Matricule, email: &str, certificate: CertificateFields) -> Newcomer {
        Newcomer {
            matricule,
            name: format!("Office {matricule}"),
            town: String::new(),
            email: email.to_owned(),
            status: 3,
            credit_limit: 0,
            installation: "pc1".to_owned(),
            scopes: Vec::new(),
            certificate,
        }
    }

    /// Lets it write for a code in a column.
    #[must_use]
    pub fn with_scope(mut self, column: &'static str, code: &str) -> Newcomer {
        self.scopes.push((column, vec![code.to_owned()]));
        self
    }
}

/// Makes a centre in an empty database: its name, and the tables of sample databases. Returns the operator who did, see [`operator`].
///
/// # Errors
/// The database is not empty, or away.
pub async fn found(
    connection: &mut AsyncPgConnection,
    server: &Server,
    samples: &[&str],
) -> Result<Operator, AdministrationError> {
    let operator = operator(connection).await;
    server::initialise(connection, &operator, server).await?;
    for sample in samples {
        samples::restore(connection, &operator, sample).await?;
    }
    Ok(operator)
}

/// Makes an office known as operators do, by calls that check and stand in the audit log.
///
/// # Errors
/// Its number or its certificate is known already; the database is away.
pub async fn enrol(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    newcomer: &Newcomer,
) -> Result<(), AdministrationError> {
    let number = newcomer.matricule;
    let new = NewAgency {
        matricule: Some(number),
        name: newcomer.name.clone(),
        town: newcomer.town.clone(),
        telephone: String::new(),
        email: newcomer.email.clone(),
        plan: None,
        status: Some(newcomer.status),
        credit_limit: newcomer.credit_limit,
    };
    agencies::add(connection, operator, &new).await?;
    installations::add(connection, operator, number, &newcomer.installation).await?;
    let fingerprint = hex::encode(&newcomer.certificate.fingerprint);
    let confirmation = Confirmation { fingerprint: &fingerprint, accepts_concerns: false };
    certificates::register(connection, operator, number, &newcomer.certificate, confirmation).await?;
    for (column, codes) in newcomer.scopes.iter().filter(|(_, codes)| !codes.is_empty()) {
        scopes::grant(connection, operator, number, column, codes).await?;
    }
    Ok(())
}

/// Writes offices down without asking: for a hundred thousand of them, for which the calls of operators take too long, and for
/// certificates that no operator would register.
///
/// # Errors
/// PostgreSQL's own.
pub async fn enrol_all(connection: &mut AsyncPgConnection, newcomers: &[Newcomer]) -> QueryResult<()> {
    for newcomers in newcomers.chunks(NEWCOMERS_PER_STATEMENT) {
        connection.transaction(async |connection| write_down(connection, newcomers).await).await?;
    }
    Ok(())
}

async fn write_down(connection: &mut AsyncPgConnection, newcomers: &[Newcomer]) -> QueryResult<()> {
    use schema::{accounts, agencies, agency_keys, certificates, installations, scopes};

    let number = |newcomer: &Newcomer| newcomer.matricule.as_i32();
    let of_agency = |one: &'_ Newcomer| {
        let (name, town, email) = (one.name.clone(), one.town.clone(), one.email.clone());
        (
            agencies::matricule.eq(number(one)),
            agencies::name.eq(name),
            agencies::town.eq(town),
            agencies::email.eq(email),
            agencies::status.eq(one.status),
        )
    };
    let rows: Vec<_> = newcomers.iter().map(of_agency).collect();
    diesel::insert_into(agencies::table).values(rows).execute(connection).await?;
    let of_account = |one: &Newcomer| {
        (accounts::kind.eq("agency"), accounts::agency.eq(number(one)), accounts::credit_limit.eq(one.credit_limit))
    };
    let rows: Vec<_> = newcomers.iter().map(of_account).collect();
    diesel::insert_into(accounts::table).values(rows).execute(connection).await?;
    let of_installation =
        |one: &Newcomer| (installations::agency.eq(number(one)), installations::name.eq(one.installation.clone()));
    let rows: Vec<_> = newcomers.iter().map(of_installation).collect();
    diesel::insert_into(installations::table).values(rows).execute(connection).await?;
    let mut rows = Vec::new();
    for one in newcomers {
        for (column, code) in
            one.scopes.iter().flat_map(|(column, codes)| codes.iter().map(move |code| (*column, code)))
        {
            rows.push((scopes::agency.eq(number(one)), scopes::column_name.eq(column), scopes::code.eq(code)));
        }
    }
    diesel::insert_into(scopes::table).values(rows).execute(connection).await?;
    let of_key = |one: &Newcomer| {
        (agency_keys::spki_sha256.eq(one.certificate.spki_sha256.clone()), agency_keys::agency.eq(number(one)))
    };
    let rows: Vec<_> = newcomers.iter().map(of_key).collect();
    diesel::insert_into(agency_keys::table).values(rows).execute(connection).await?;
    let of_certificate = |one: &Newcomer| {
        let fields = one.certificate.clone();
        (
            certificates::agency.eq(number(one)),
            certificates::spki_sha256.eq(fields.spki_sha256),
            certificates::key_id.eq(fields.key_id),
            certificates::issuer.eq(fields.issuer),
            certificates::serial.eq(fields.serial),
            certificates::der.eq(fields.der),
            certificates::fingerprint.eq(fields.fingerprint),
            certificates::algorithm.eq(fields.algorithm),
            certificates::not_before.eq(fields.not_before),
            certificates::not_after.eq(fields.not_after),
        )
    };
    let rows: Vec<_> = newcomers.iter().map(of_certificate).collect();
    diesel::insert_into(certificates::table).values(rows).execute(connection).await?;
    Ok(())
}

/// Prices the acts of exports into a table, or into all, from now on; `credit` is `owe` or `refuse`.
pub fn tariff(table: Option<&str>, per_act: i64, credit: &str) -> NewTariff {
    NewTariff {
        plan: None,
        service: "export".to_owned(),
        table: table.map(str::to_owned),
        per_act,
        per_started_kb: 0,
        credit: Some(credit.to_owned()),
        valid_from: None,
    }
}

/// Writes the candidates of elections down in the sample `election`, as its references: `CAND-1` and so on.
///
/// # Errors
/// PostgreSQL's own.
pub async fn list_candidates(
    connection: &mut AsyncPgConnection,
    elections: &[String],
    candidates: i32,
) -> QueryResult<()> {
    diesel::sql_query(
        r#"INSERT INTO election."CandidatElection" ("Status", "ElectionCode", "CandidatCode", "Nom", "Ordre")
           SELECT 2, e, 'CAND-' || n, 'Candidat ' || n, n FROM unnest($1) AS e, generate_series(1, $2) AS n"#,
    )
    .bind::<Array<Text>, _>(elections)
    .bind::<Integer, _>(candidates)
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes polling stations of elections down in the sample `election`, as its references, each with its registered voters.
///
/// # Errors
/// PostgreSQL's own.
pub async fn list_stations(
    connection: &mut AsyncPgConnection,
    elections: &[String],
    stations: &[(String, i32)],
) -> QueryResult<()> {
    let (bureaux, registered): (Vec<&str>, Vec<i32>) =
        stations.iter().map(|(bureau, registered)| (bureau.as_str(), *registered)).unzip();
    diesel::sql_query(
        r#"INSERT INTO election."BureauVote" ("Status", "ElectionCode", "BureauCode", "Libelle", "Region", "Inscrits")
           SELECT 2, e, s.bureau, 'Bureau ' || s.bureau, 'Littoral', s.registered
             FROM unnest($1) AS e, unnest($2, $3) AS s (bureau, registered)"#,
    )
    .bind::<Array<Text>, _>(elections)
    .bind::<Array<Text>, _>(bureaux)
    .bind::<Array<Integer>, _>(registered)
    .execute(connection)
    .await?;
    Ok(())
}
