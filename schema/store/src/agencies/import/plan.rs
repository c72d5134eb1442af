//! Compares what a row says with what is there. The same comparison is told by a dry run and written by an import.

use chrono::{DateTime, Utc};
use sdc::names::same;
use serde::Serialize;

use super::file::Wanted;
use super::known::{Held, Known};
use crate::agencies::agency::Agency;
use crate::agencies::change::changes_protected;
use crate::agencies::status_of_many::AGENCIES_ALONE_MAX;
use crate::centre::addresses;
use crate::certificates::certificate::{CertificateFields, concerns};
use crate::error::{AdministrationError, ImportError, InvalidValue, KeyName};
use crate::people::operator::Operator;
use crate::people::privilege::Operation;

/// Size of the largest container that a new agency may send, in bytes, as the database has it by default.
const LETTER_BYTES_DEFAULT: i32 = 262_144;
/// Status of a new agency for which a row names none.
const STATUS_DEFAULT: i16 = 3;
/// Plan of a new agency for which a row names none.
const PLAN_DEFAULT: &str = "standard";
/// Installation of a new agency for which a row names none.
const INSTALLATION_DEFAULT: &str = "main";

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowOutcome {
    /// The agency is added.
    Added,
    /// Something of the agency is changed.
    Changed,
    /// The agency has all that the row says.
    Same,
    /// The row is left out.
    Refused,
}

/// What holds for every row of an import.
#[derive(Debug)]
pub struct Rules {
    operator: Operator,
    now: DateTime<Utc>,
    /// How many agencies of the file would get another status, if one person may not decide on so many.
    pub(super) statuses_too_many: Option<usize>,
}

impl Rules {
    pub(super) fn new(operator: Operator, now: DateTime<Utc>) -> Rules {
        Rules { operator, now, statuses_too_many: None }
    }
}

/// What is to be written for a row.
#[derive(Debug)]
pub struct Planned<'a> {
    pub(super) wanted: &'a Wanted,
    pub(super) before: Option<&'a Agency>,
    pub(super) after: Agency,
    pub(super) installations: Vec<&'a str>,
    pub(super) certificates: Vec<&'a CertificateFields>,
    /// Scope columns, as their tables spell them, with new codes.
    pub(super) scopes: Vec<(&'a str, &'a str)>,
}

/// Plans what is to be written for a row.
///
/// # Errors
/// The row contradicts what is there, or needs a right that the operator lacks.
pub fn plan<'a>(wanted: &'a Wanted, known: &'a Known, rules: &Rules) -> Result<Planned<'a>, AdministrationError> {
    let held = known.agencies.get(&wanted.matricule);
    let after = match held {
        Some(held) => changed(wanted, &held.agency, rules)?,
        None => added(wanted, known, rules)?,
    };
    let before = held.map(|held| &held.agency);
    if before.is_none_or(|before| before.plan != after.plan) && !known.plans.contains(&after.plan) {
        return Err(AdministrationError::PlanUnknown(after.plan));
    }
    let has_new_email = before.is_none_or(|before| before.email != after.email);
    if has_new_email && known.own_addresses.contains(&addresses::folded(&after.email)) {
        return Err(AdministrationError::AddressOfCentre(after.email));
    }
    let is_new = |name: &&str| held.is_none_or(|held| !held.installations.contains(*name));
    let mut installations: Vec<&str> = wanted.installations.iter().map(String::as_str).filter(is_new).collect();
    installations.sort_unstable();
    installations.dedup();
    if held.is_none() && installations.is_empty() {
        installations.push(INSTALLATION_DEFAULT);
    }
    let certificates = new_certificates(wanted, held, known, rules)?;
    Ok(Planned { wanted, before, after, installations, certificates, scopes: new_scopes(wanted, held, known)? })
}

fn added(wanted: &Wanted, known: &Known, rules: &Rules) -> Result<Agency, AdministrationError> {
    let data = wanted.data.clone();
    let balance = wanted.balance.unwrap_or_default();
    if balance > known.balance_max {
        return Err(ImportError::Balance { limit: known.balance_max }.into());
    }
    Ok(Agency {
        matricule: wanted.matricule,
        name: data.name.ok_or(InvalidValue::Name)?,
        town: data.town.unwrap_or_default(),
        area: data.area.unwrap_or_default(),
        telephone: data.telephone.unwrap_or_default(),
        email: data.email.unwrap_or_default(),
        plan: data.plan.unwrap_or_else(|| PLAN_DEFAULT.to_owned()),
        status: wanted.status.unwrap_or(STATUS_DEFAULT),
        letter_bytes_max: data.letter_bytes_max.unwrap_or(LETTER_BYTES_DEFAULT),
        cbc_allowed: data.cbc_allowed.unwrap_or_default(),
        created_at: rules.now,
        balance,
        credit_limit: data.credit_limit.unwrap_or_default(),
    })
}

fn changed(wanted: &Wanted, before: &Agency, rules: &Rules) -> Result<Agency, AdministrationError> {
    let data = &wanted.data;
    if changes_protected(before, data) {
        rules.operator.may(Operation::AgencyProfile)?;
    }
    let status = wanted.status.unwrap_or(before.status);
    if let Some(agencies) = rules.statuses_too_many.filter(|_| status != before.status) {
        return Err(AdministrationError::StatusOfMany { agencies, most: AGENCIES_ALONE_MAX });
    }
    let text =
        |new: &Option<String>, old: &String| new.as_ref().filter(|new| *new != old.trim()).unwrap_or(old).clone();
    Ok(Agency {
        name: text(&data.name, &before.name),
        town: text(&data.town, &before.town),
        area: text(&data.area, &before.area),
        telephone: text(&data.telephone, &before.telephone),
        email: text(&data.email, &before.email),
        plan: text(&data.plan, &before.plan),
        status,
        letter_bytes_max: data.letter_bytes_max.unwrap_or(before.letter_bytes_max),
        cbc_allowed: data.cbc_allowed.unwrap_or(before.cbc_allowed),
        credit_limit: data.credit_limit.unwrap_or(before.credit_limit),
        ..before.clone()
    })
}

/// Returns the certificates that are to be registered. They are judged as a single registration judges them.
fn new_certificates<'a>(
    wanted: &'a Wanted,
    held: Option<&Held>,
    known: &Known,
    rules: &Rules,
) -> Result<Vec<&'a CertificateFields>, AdministrationError> {
    let agency = wanted.matricule;
    let mut new: Vec<&CertificateFields> = Vec::new();
    for one in &wanted.certificates {
        match known.owners.get(&one.spki_sha256) {
            Some((owner, _)) if *owner != agency => {
                return Err(AdministrationError::KeyOfAnotherAgency { owner: *owner, agency });
            }
            Some((_, Some(at))) => return Err(AdministrationError::KeyRevoked { at: *at }),
            _ => {}
        }
        let is_there = held.is_some_and(|held| held.fingerprints.contains(&one.fingerprint));
        if is_there || new.iter().any(|other| other.fingerprint == one.fingerprint) {
            continue;
        }
        if let Some(state) = known.centre_keys.get(&one.spki_sha256) {
            return Err(AdministrationError::KeyOfCentre { state: state.clone() });
        }
        refuse_taken_names(one, known)?;
        let concerns = concerns(one, rules.now);
        if !concerns.is_empty() {
            return Err(AdministrationError::CertificateConcerns(concerns));
        }
        // The certificates with which an agency is added are one decision. A further key for an agency that has one needs two people.
        if held.is_some_and(|held| !held.keys.is_empty() && !held.keys.contains(&one.spki_sha256)) {
            return Err(ImportError::FurtherKey { agency }.into());
        }
        new.push(one);
    }
    Ok(new)
}

fn refuse_taken_names(one: &CertificateFields, known: &Known) -> Result<(), AdministrationError> {
    let serial = (one.issuer.clone(), one.serial.clone());
    let taken = [(known.key_ids.get(&one.key_id), KeyName::KeyId), (known.serials.get(&serial), KeyName::IssuerSerial)];
    for (registered, name) in taken {
        if let Some((_, owner)) = registered.filter(|(key, _)| *key != one.spki_sha256) {
            return Err(AdministrationError::KeyNameTaken { name, owner: *owner });
        }
    }
    Ok(())
}

fn new_scopes<'a>(
    wanted: &'a Wanted,
    held: Option<&Held>,
    known: &'a Known,
) -> Result<Vec<(&'a str, &'a str)>, AdministrationError> {
    let mut new = Vec::new();
    for (name, codes) in &wanted.scopes {
        let column = known.scope_columns.iter().find(|column| same(column, name)).ok_or_else(|| {
            AdministrationError::ScopeColumnUnknown { column: name.clone(), known: known.scope_columns.clone() }
        })?;
        if codes.iter().any(|code| code.chars().any(char::is_control)) {
            return Err(InvalidValue::ScopeCodes.into());
        }
        let is_new = |code: &&String| held.is_none_or(|held| !held.scopes.contains(&(column.clone(), (*code).clone())));
        new.extend(codes.iter().filter(is_new).map(|code| (column.as_str(), code.as_str())));
    }
    new.sort_unstable();
    new.dedup();
    Ok(new)
}

impl Planned<'_> {
    /// Returns what becomes of the row.
    pub(super) fn outcome(&self) -> RowOutcome {
        match self.before {
            None => RowOutcome::Added,
            Some(_) if self.changes().is_empty() => RowOutcome::Same,
            Some(_) => RowOutcome::Changed,
        }
    }

    /// Returns the names of the columns that change something of an agency that is there.
    pub(super) fn changes(&self) -> Vec<&'static str> {
        let Some(before) = self.before else { return Vec::new() };
        let after = &self.after;
        let compared = [
            ("name", before.name != after.name),
            ("town", before.town != after.town),
            ("area", before.area != after.area),
            ("telephone", before.telephone != after.telephone),
            ("email", before.email != after.email),
            ("plan", before.plan != after.plan),
            ("status", before.status != after.status),
            ("credit_limit", before.credit_limit != after.credit_limit),
            ("letter_limit", before.letter_bytes_max != after.letter_bytes_max),
            ("cbc", before.cbc_allowed != after.cbc_allowed),
            ("installation", !self.installations.is_empty()),
            ("certificate", !self.certificates.is_empty()),
            ("scope", !self.scopes.is_empty()),
        ];
        compared.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }

    /// Says whether the row names a balance other than the account's.
    pub(super) fn keeps_balance(&self) -> bool {
        self.before.is_some_and(|before| self.wanted.balance.is_some_and(|balance| balance != before.balance))
    }
}
