//! Lists of agencies: which ones, in which order, page by page. Each page begins after the last agency of the page before.
//!
//! A hundred thousand agencies are listed in a fraction of a second: orders by matricule, name, town and area follow an index, and what is
//! looked up for each agency, such as the end of its certificates, is looked up for one page only.

use std::fmt;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Float, Integer, Nullable, SmallInt, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use serde::Serialize;

use super::agency::Agency;
use crate::database::statement::{Bind, Statement};
use crate::error::AdministrationError;

/// Conditions that select agencies. An agency must meet all of those that are given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgencyFilter {
    /// Text that the name, the town, the area, the telephone, the e-mail or the six digits of the matricule contain; case and accents do
    /// not count.
    pub text: Option<String>,
    /// Status that the agencies have.
    pub status: Option<i16>,
    /// Name of the plan that the agencies have.
    pub plan: Option<String>,
    /// Town that the agencies are in; case and accents do not count.
    pub town: Option<String>,
    /// Area that the agencies lie in, as in `Littoral` or `Littoral/Sanaga-Maritime`; case and accents do not count.
    pub area: Option<String>,
    /// Matricules of which the agencies have one.
    pub matricules: Option<Vec<Matricule>>,
    /// Whether only agencies are selected whose account is below zero.
    pub in_debt: bool,
    /// Whether only agencies are selected that have no certificate that is valid now.
    pub without_certificate: bool,
    /// Whether only agencies are selected that have never sent a letter.
    pub never_heard: bool,
    /// Whether only agencies are selected that are not suspended and are silent for longer than their own rhythm explains: since three
    /// times as many days as usually lie between two days with letters of theirs.
    pub silent: bool,
}

impl AgencyFilter {
    /// Says whether the conditions select all agencies.
    pub fn is_everything(&self) -> bool {
        *self == AgencyFilter::default()
    }
}

/// Value by which a list is ordered. Agencies with the same value are ordered by matricule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AgencyOrder {
    /// Number of the agency.
    #[default]
    Matricule,
    /// Name, without accents and case.
    Name,
    /// Town, without accents and case.
    Town,
    /// Areas, without accents and case; an area comes before those that lie in it.
    Area,
    /// Telephone, as it is written.
    Telephone,
    /// E-mail, as it is written.
    Email,
    /// Name of the plan.
    Plan,
    /// Status.
    Status,
    /// Balance of the account.
    Balance,
    /// Credit limit of the account.
    CreditLimit,
    /// Size of the largest container that the agency may send.
    LetterLimit,
    /// Time when the agency was added.
    Added,
    /// Time of the last letter; agencies that sent none come first.
    Heard,
    /// End of the certificate that ends last; agencies without one come first.
    CertificateEnd,
}

/// Part of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AgencyPage {
    /// Value by which the list is ordered.
    pub order: AgencyOrder,
    /// Whether the list begins with the largest value.
    pub is_descending: bool,
    /// Agency after which the part begins.
    pub after: Option<Matricule>,
    /// Largest number of agencies of the part; 100 if absent.
    pub limit: Option<i64>,
}

/// An agency in a list.
#[derive(Clone, Debug, PartialEq, Queryable, Serialize)]
pub struct Listed {
    /// The agency.
    #[serde(flatten)]
    pub agency: Agency,
    /// Time of the last letter; `None` if the agency never sent one.
    pub heard_at: Option<DateTime<Utc>>,
    /// Number of days that usually lie between two days with letters; `None` before there were two.
    pub rhythm_days: Option<f32>,
    /// End of the certificate that ends last and is not revoked; `None` if there is none.
    pub certificate_ends: Option<DateTime<Utc>>,
}

/// Types of the columns of an [`Agency`].
type AgencyRow = (Integer, Text, Text, Text, Text, Text, Text, SmallInt, Integer, Bool, Timestamptz, BigInt, BigInt);

/// Lists agencies.
///
/// # Errors
/// [`AdministrationError::AgencyUnknown`] if the list is to go on after an agency that does not exist and is not ordered by matricule; a
/// fault of the database.
pub async fn list(
    connection: &mut AsyncPgConnection,
    filter: &AgencyFilter,
    page: &AgencyPage,
) -> Result<Vec<Listed>, AdministrationError> {
    let order = page.order;
    if let Some(after) = page.after.filter(|_| order != AgencyOrder::Matricule) {
        super::agency::show(connection, after).await?;
    }
    let (text, binds) = statement(filter, page);
    type Row = (AgencyRow, Nullable<Timestamptz>, Nullable<Float>, Nullable<Timestamptz>);
    Ok(Statement::<Row>::of_columns(&text, &binds).load(connection).await?)
}

/// Makes the statement of a list, with its values.
fn statement<'a>(filter: &'a AgencyFilter, page: &AgencyPage) -> (String, Vec<Bind<'a>>) {
    let order = page.order;
    let mut conditions = Conditions::of(filter);
    conditions.go_on(page);
    conditions.binds.push(Bind::Bigint(page.limit.unwrap_or(100)));
    let direction = if page.is_descending { "DESC" } else { "ASC" };
    let text = format!(
        "SELECT a.matricule, a.name, a.town, a.area, a.telephone, a.email, a.plan, a.status, a.letter_bytes_max, a.cbc_allowed,
                a.created_at, k.balance, k.credit_limit,
                (SELECT max(i.heard_at) FROM xm.installations i WHERE i.agency = a.matricule),
                (SELECT min(i.rhythm_days) FROM xm.installations i WHERE i.agency = a.matricule),
                (SELECT max(c.not_after) FROM xm.certificates c WHERE c.agency = a.matricule AND c.revoked_at IS NULL)
           FROM (SELECT a.matricule, {key} AS key FROM {from} WHERE {conditions}
                  ORDER BY 2 {direction}, 1 {direction} LIMIT ?) page
           JOIN xm.agencies a ON a.matricule = page.matricule JOIN xm.accounts k ON k.agency = page.matricule
          ORDER BY page.key {direction}, page.matricule {direction}",
        key = order.key(),
        from = order.relations(),
    );
    (text, conditions.binds)
}

/// Counts agencies.
///
/// # Errors
/// A fault of the database.
pub async fn count(connection: &mut AsyncPgConnection, filter: &AgencyFilter) -> Result<i64, AdministrationError> {
    let conditions = Conditions::of(filter);
    let text = format!("SELECT count(*) FROM {PLAIN} WHERE {conditions}");
    let counted: Vec<i64> = Statement::<BigInt>::of_columns(&text, &conditions.binds).load(connection).await?;
    Ok(counted.into_iter().next().unwrap_or_default())
}

/// Returns the matricules of agencies, in their order.
///
/// # Errors
/// A fault of the database.
pub async fn matricules(
    connection: &mut AsyncPgConnection,
    filter: &AgencyFilter,
) -> Result<Vec<Matricule>, AdministrationError> {
    let conditions = Conditions::of(filter);
    let text = format!("SELECT a.matricule FROM {PLAIN} WHERE {conditions} ORDER BY 1");
    Ok(Statement::<Integer>::of_columns(&text, &conditions.binds).load(connection).await?)
}

/// The SQL condition of a silent agency `a`. Days count from 1, because an office that writes several times a day is not silent at night.
/// Before a rhythm is known, a week is taken for one.
pub(super) const SILENT: &str = "a.status > 0 AND a.matricule IN (
    SELECT agency FROM xm.installations GROUP BY agency
    HAVING max(heard_at) < now() - make_interval(secs => 3 * 86400 * greatest(1, coalesce(min(rhythm_days), 7))))";

/// The relations that conditions look at.
const PLAIN: &str = "xm.agencies a JOIN xm.accounts k ON k.agency = a.matricule";

impl AgencyOrder {
    /// Returns the SQL expression of the value. It is never NULL, since NULL could not be compared with the value of the last page's end.
    /// Expressions that an index has are written as in the index.
    fn key(self) -> &'static str {
        match self {
            AgencyOrder::Matricule => "a.matricule",
            AgencyOrder::Name => r#"(xm.folded(a.name) COLLATE "C")"#,
            AgencyOrder::Town => r#"(xm.folded(a.town) COLLATE "C")"#,
            AgencyOrder::Area => r#"((xm.folded(a.area) || '/') COLLATE "C")"#,
            AgencyOrder::Telephone => r#"(a.telephone COLLATE "C")"#,
            AgencyOrder::Email => r#"(a.email COLLATE "C")"#,
            AgencyOrder::Plan => r#"(a.plan COLLATE "C")"#,
            AgencyOrder::Status => "a.status",
            AgencyOrder::Balance => "k.balance",
            AgencyOrder::CreditLimit => "k.credit_limit",
            AgencyOrder::LetterLimit => "a.letter_bytes_max",
            AgencyOrder::Added => "a.created_at",
            AgencyOrder::Heard => "coalesce(h.heard_at, '-infinity')",
            AgencyOrder::CertificateEnd => "coalesce(e.not_after, '-infinity')",
        }
    }

    /// Returns the relations that the value and the conditions are taken from.
    fn relations(self) -> String {
        let further = match self {
            AgencyOrder::Heard => {
                " LEFT JOIN (SELECT agency, max(heard_at) AS heard_at FROM xm.installations GROUP BY agency) h
                    ON h.agency = a.matricule"
            }
            AgencyOrder::CertificateEnd => {
                " LEFT JOIN (SELECT agency, max(not_after) AS not_after FROM xm.certificates WHERE revoked_at IS NULL GROUP BY agency) e
                    ON e.agency = a.matricule"
            }
            _ => "",
        };
        format!("{PLAIN}{further}")
    }
}

/// The conditions of a filter as SQL, with their values.
#[derive(Default)]
struct Conditions<'a> {
    texts: Vec<String>,
    binds: Vec<Bind<'a>>,
}

impl<'a> Conditions<'a> {
    fn of(filter: &'a AgencyFilter) -> Conditions<'a> {
        let mut conditions = Conditions::default();
        let AgencyFilter { text, status, plan, town, area, matricules, .. } = filter;
        if let Some(text) = text {
            // The characters that LIKE takes for patterns get a backslash in SQL, so that the value stays what was typed.
            conditions.add(
                r"a.searched LIKE '%' || regexp_replace(xm.folded(?), '([\\%_])', '\\\1', 'g') || '%'",
                Bind::Text(text),
            );
        }
        if let Some(status) = status {
            conditions.add("a.status = ?", Bind::Integer((*status).into()));
        }
        if let Some(plan) = plan {
            conditions.add("a.plan = ?", Bind::Text(plan));
        }
        if let Some(town) = town {
            conditions.add(r#"(xm.folded(a.town) COLLATE "C") = xm.folded(?)"#, Bind::Text(town));
        }
        if let Some(area) = area {
            // `0` follows the stroke, so the range has the area itself and all that lies in it.
            let range = r#"((xm.folded(a.area) || '/') COLLATE "C") >= xm.folded(?) || '/'"#;
            conditions.add(range, Bind::Text(area));
            conditions.add(r#"((xm.folded(a.area) || '/') COLLATE "C") < xm.folded(?) || '0'"#, Bind::Text(area));
        }
        if let Some(matricules) = matricules {
            let listed = matricules.iter().copied().map(Some).collect();
            conditions.add("a.matricule = ANY (?)", Bind::Matricules(listed));
        }
        let flags = [
            (filter.in_debt, "k.balance < 0"),
            (
                filter.without_certificate,
                "NOT EXISTS (SELECT FROM xm.certificates c WHERE c.agency = a.matricule AND c.revoked_at IS NULL
                                                             AND now() BETWEEN c.not_before AND c.not_after)",
            ),
            (
                filter.never_heard,
                "NOT EXISTS (SELECT FROM xm.installations i WHERE i.agency = a.matricule AND i.heard_at IS NOT NULL)",
            ),
        ];
        let flags = flags.into_iter().chain([(filter.silent, SILENT)]);
        conditions.texts.extend(flags.filter(|(is_set, _)| *is_set).map(|(_, text)| text.to_owned()));
        conditions
    }

    fn add(&mut self, text: &str, bind: Bind<'a>) {
        self.texts.push(text.to_owned());
        self.binds.push(bind);
    }

    /// Leaves out what stands before the page.
    fn go_on(&mut self, page: &AgencyPage) {
        let Some(after) = page.after else { return };
        let (sign, key) = (if page.is_descending { "<" } else { ">" }, page.order.key());
        if page.order == AgencyOrder::Matricule {
            return self.add(&format!("a.matricule {sign} ?"), Bind::Matricule(after));
        }
        // Two selects of one value each, and not one of a row: only such a comparison of rows can use an index.
        let value = format!("(SELECT {key} FROM {} WHERE a.matricule = ?)", page.order.relations());
        self.add(&format!("({key}, a.matricule) {sign} ({value}, ?)"), Bind::Matricule(after));
        self.binds.push(Bind::Matricule(after));
    }
}

impl fmt::Display for Conditions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.texts.is_empty() { f.write_str("true") } else { f.write_str(&self.texts.join(" AND ")) }
    }
}

#[cfg(test)]
mod tests;
