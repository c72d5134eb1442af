//! Exports agencies as CSV, with the columns that an import reads. Imported where it came from, the file changes nothing; imported at an
//! empty centre, it brings agencies with matricule, status, balance, codes and certificates.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use diesel::sql_types::{Bytea, Integer, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;

use super::agency::Agency;
use super::import::NAMED;
use super::listing::{AgencyFilter, AgencyPage, list};
use super::scopes;
use crate::database::statement::{Bind, Statement};
use crate::error::AdministrationError;
use crate::spreadsheet;

/// Number of agencies that are read at once.
const PAGE: i64 = 1000;

/// Writes agencies as lines of CSV, the names of the columns first. `amount` writes an amount of minor units in the main unit, without the
/// currency. `write` takes some lines, and says whether it takes more.
///
/// # Errors
/// A fault of the database; an error of `write`.
pub async fn export<E: From<AdministrationError>>(
    connection: &mut AsyncPgConnection,
    filter: &AgencyFilter,
    amount: impl Fn(i64) -> String,
    mut write: impl FnMut(&str) -> Result<bool, E>,
) -> Result<(), E> {
    let scope_columns = scopes::columns(connection).await?;
    let named = NAMED.iter().map(|(column, _)| column.name().to_owned());
    let head: Vec<String> = named.chain(scope_columns.iter().map(|column| format!("scope:{column}"))).collect();
    if !write(&format!("{}{}", spreadsheet::BOM, spreadsheet::line(head.iter().map(String::as_str))))? {
        return Ok(());
    }
    let mut page = AgencyPage { limit: Some(PAGE), ..AgencyPage::default() };
    loop {
        let listed = list(connection, filter, &page).await?;
        let Some(last) = listed.last() else { return Ok(()) };
        page.after = Some(last.agency.matricule);
        let beside = Beside::load(connection, listed.iter().map(|one| Some(one.agency.matricule)).collect()).await?;
        let lines: String = listed.iter().map(|one| beside.line(&one.agency, &scope_columns, &amount)).collect();
        if !write(&lines)? {
            return Ok(());
        }
    }
}

/// What stands beside the agencies of a page in other tables.
struct Beside {
    installations: BTreeMap<Matricule, Vec<String>>,
    /// Codes by agency and scope column.
    codes: BTreeMap<(Matricule, String), Vec<String>>,
    /// Certificates that are valid now, each as its DER and its fingerprint.
    certificates: BTreeMap<Matricule, Vec<(String, String)>>,
}

impl Beside {
    async fn load(
        connection: &mut AsyncPgConnection,
        agencies: Vec<Option<Matricule>>,
    ) -> Result<Beside, AdministrationError> {
        let mut beside =
            Beside { installations: BTreeMap::new(), codes: BTreeMap::new(), certificates: BTreeMap::new() };
        let binds = [Bind::Matricules(agencies)];
        let text = "SELECT agency, name FROM xm.installations WHERE agency = ANY (?) ORDER BY agency, name";
        let found: Vec<(Matricule, String)> = Statement::<(Integer, Text)>::new(text, &binds).load(connection).await?;
        for (agency, name) in found {
            beside.installations.entry(agency).or_default().push(name);
        }
        let text = "SELECT agency, column_name, code FROM xm.scopes WHERE agency = ANY (?) ORDER BY agency, code";
        let found: Vec<(Matricule, String, String)> =
            Statement::<(Integer, Text, Text)>::new(text, &binds).load(connection).await?;
        for (agency, column, code) in found {
            beside.codes.entry((agency, column)).or_default().push(code);
        }
        let text = "SELECT agency, der, fingerprint FROM xm.certificates
                     WHERE agency = ANY (?) AND revoked_at IS NULL AND now() BETWEEN not_before AND not_after ORDER BY agency, id";
        let found: Vec<(Matricule, Vec<u8>, Vec<u8>)> =
            Statement::<(Integer, Bytea, Bytea)>::new(text, &binds).load(connection).await?;
        for (agency, der, fingerprint) in found {
            let written = (STANDARD.encode(der), hex::encode(fingerprint));
            beside.certificates.entry(agency).or_default().push(written);
        }
        Ok(beside)
    }

    fn line(&self, agency: &Agency, scope_columns: &[String], amount: impl Fn(i64) -> String) -> String {
        let certificates = self.certificates.get(&agency.matricule).map(Vec::as_slice).unwrap_or_default();
        let joined = |of: fn(&(String, String)) -> &str| certificates.iter().map(of).collect::<Vec<_>>().join(" ");
        let installations = self.installations.get(&agency.matricule).map(|names| names.join("|"));
        let mut cells = vec![
            agency.matricule.to_string(),
            agency.name.clone(),
            agency.town.clone(),
            agency.area.clone(),
            agency.telephone.clone(),
            agency.email.clone(),
            agency.plan.clone(),
            agency.status.to_string(),
            amount(agency.credit_limit),
            agency.letter_bytes_max.to_string(),
            if agency.cbc_allowed { "yes" } else { "no" }.to_owned(),
            amount(agency.balance),
            installations.unwrap_or_default(),
            joined(|(der, _)| der),
            joined(|(_, fingerprint)| fingerprint),
        ];
        let codes = |column: &String| self.codes.get(&(agency.matricule, column.clone())).map(|codes| codes.join("|"));
        cells.extend(scope_columns.iter().map(|column| codes(column).unwrap_or_default()));
        spreadsheet::line(cells.iter().map(String::as_str))
    }
}
