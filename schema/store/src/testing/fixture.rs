//! The offices of a centre: one description of an office, and two ways to register it.
//!
//! Tests, benches and the demo use this module. It does not make letters or keys.

use chrono::{TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Text};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use nix::unistd::Uid;
use sdc::letter::Matricule;
use sdc::request::VoucherCode;

use super::operator;
use crate::agencies::{self, NewAgency, installations, scopes};
use crate::centre::server::{self, Server};
use crate::certificates::{self, CertificateFields, Confirmation};
use crate::database::schema;
use crate::error::AdministrationError;
use crate::ledger::tariffs::NewTariff;
use crate::ledger::voucher_keys::VoucherKeys;
use crate::ledger::vouchers;
use crate::people::{Act, Operator, SystemAccount, sign_in_as_system_account};
use crate::settle::{Arrival, Claimed, Content, Source};
use crate::{approvals, samples};

/// Largest number of offices in one statement. PostgreSQL allows 65 535 parameters, and a certificate needs nine.
const NEWCOMERS_PER_STATEMENT: usize = 500;
/// Number of days for which the vouchers are valid.
const VOUCHER_DAYS: i64 = 90;

/// Makes the arrival of a container that has just come by mail.
pub fn arrival(container: Vec<u8>, content: Content) -> Arrival {
    Arrival {
        received_at: Utc::now(),
        source: Source {
            transport: "mail",
            mailbox: "main".into(),
            sender_domain: "example.org".to_owned(),
            claimed: Claimed::default(),
            is_fetched_again: false,
        },
        container_bytes: container.len(),
        rendered_bytes: container.len(),
        container,
        content,
        enrolment: None,
        read: None,
    }
}

/// An office that is registered at the centre.
#[derive(Clone, Debug)]
pub struct Newcomer {
    /// Matricule of the agency.
    pub matricule: Matricule,
    /// Name of the agency.
    pub name: String,
    /// Town of the agency.
    pub town: String,
    /// E-mail address of the agency. Answers are sent to it.
    pub email: String,
    /// Status of the agency, 0 to 3.
    pub status: i16,
    /// Plan of the agency; absent for `standard`.
    pub plan: Option<String>,
    /// Credit limit of the agency's account, in minor units. If a tariff has the credit rule `refuse`, the balance may be as low as minus
    /// this limit.
    pub credit_limit: i64,
    /// Name of the agency's one installation.
    pub installation: String,
    /// Codes granted to the agency, by scope column.
    pub scopes: Vec<(&'static str, Vec<String>)>,
    /// Certificate of the agency's signing key.
    pub certificate: CertificateFields,
}

impl Newcomer {
    /// Makes an active office with installation `pc1`, no scope and no credit.
    pub fn new(matricule: Matricule, email: &str, certificate: CertificateFields) -> Newcomer {
        Newcomer {
            matricule,
            name: format!("Office {matricule}"),
            town: String::new(),
            email: email.to_owned(),
            status: 3,
            plan: None,
            credit_limit: 0,
            installation: "pc1".to_owned(),
            scopes: Vec::new(),
            certificate,
        }
    }

    /// Grants the office a code of a scope column.
    #[must_use]
    pub fn with_scope(mut self, column: &'static str, code: &str) -> Newcomer {
        self.scopes.push((column, vec![code.to_owned()]));
        self
    }
}

/// Makes a centre in an empty database: its server, and the tables of these samples. Returns the operator who made it ([`operator`]).
///
/// # Errors
/// The database is not empty, or cannot be reached.
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

/// Registers an office through the functions that operators use, which check the office and write the audit log.
///
/// # Errors
/// The agency or its certificate is registered already; the database cannot be reached.
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
        area: String::new(),
        telephone: String::new(),
        email: newcomer.email.clone(),
        plan: newcomer.plan.clone(),
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

/// Writes offices directly into the tables, without checks and without lines in the audit log. Used for a hundred thousand offices, which
/// would take too long with the operators' functions, and for certificates that no operator would register.
///
/// # Errors
/// An error of PostgreSQL.
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

/// Makes a tariff for exports, with a price per act, valid from now on. It applies to one table or to all tables. `credit` is `owe` or
/// `refuse`.
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

/// Makes a batch of vouchers as operators do: one operator asks for it and a colleague confirms it. Returns the codes, of which the centre
/// stores only keyed hashes.
///
/// # Errors
/// The number of vouchers or their amount is not allowed; the database cannot be reached.
pub async fn vouchers(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    keys: &VoucherKeys,
    (vouchers, amount): (i32, i64),
) -> Result<Vec<VoucherCode>, AdministrationError> {
    let expires_at = Utc::now() + TimeDelta::days(VOUCHER_DAYS);
    let asked = approvals::ask(connection, operator, &Act::VoucherBatch { vouchers, amount, expires_at }).await?;
    let confirmed = confirmed_by_colleague(connection, asked.id).await?;
    let batch = confirmed["batch"].as_i64().and_then(|batch| i32::try_from(batch).ok()).unwrap_or_default();
    vouchers::write(connection, operator, keys, batch, |_batch, codes| Ok::<_, AdministrationError>(codes.to_vec()))
        .await
}

/// Confirms an approval as the user `colleague` of privilege 3, who is created if he does not exist. The account of the operating system
/// identifies an operator, and this process has only one account. So the account is assigned to the colleague, and given back before the
/// transaction ends.
async fn confirmed_by_colleague(
    connection: &mut AsyncPgConnection,
    approval: i64,
) -> Result<serde_json::Value, AdministrationError> {
    let account = SystemAccount::of_this_process(Uid::current());
    connection
        .transaction(async |connection| {
            let text =
                "INSERT INTO xm.users (name, privilege, password_hash) VALUES ('colleague', 3, '') ON CONFLICT DO NOTHING";
            diesel::sql_query(text).execute(connection).await?;
            let text = "UPDATE xm.system_accounts SET user_name = $2 WHERE uid = $1 AND ended_at IS NULL";
            let uid = i64::from(account.account().uid);
            let owner = sign_in_as_system_account(connection, &account).await?;
            diesel::sql_query(text).bind::<BigInt, _>(uid).bind::<Text, _>("colleague").execute(connection).await?;
            let colleague = sign_in_as_system_account(connection, &account).await?;
            let confirmed = approvals::confirm(connection, &colleague, approval).await?;
            diesel::sql_query(text).bind::<BigInt, _>(uid).bind::<Text, _>(owner.user()).execute(connection).await?;
            Ok(confirmed.result)
        })
        .await
}

/// Writes the candidates `CAND-1`, `CAND-2` and so on of elections into the sample `election`, as references.
///
/// # Errors
/// An error of PostgreSQL.
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

/// Writes the polling stations of elections into the sample `election`, as references, each with its registered voters.
///
/// # Errors
/// An error of PostgreSQL.
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
