//! `xmagency correct`, `renew` and `profile`: what an officer asks of the centre in the office's name.

use agency::identity::{Algorithm, Identity};
use agency::packed::Packed;
use anyhow::{Context, bail};
use chrono::{Duration, Utc};
use clap::Args;
use sdc::request::{ProfileChange, ProfileRequest, Renew, Request};

use super::ask::{packed, told};
use super::record::{faulty, read_pair};
use crate::desk::Desk;
use crate::letters::{self, Correcting};
use crate::records::{Status, read_changes};

/// Days before the end of the certificate from which it is renewed (FORMAT.md, renew).
const RENEWAL_DAYS: i64 = 60;

/// What is corrected.
#[derive(Args, Debug)]
pub struct CorrectArguments {
    /// Number of the record
    #[arg(value_name = "NUMBER")]
    numero: i64,
    /// Values, each as COLUMN=VALUE; an empty value takes the former one away
    #[arg(value_name = "COLUMN=VALUE", value_parser = read_pair, required_unless_present = "cancel", conflicts_with = "cancel")]
    values: Vec<(String, String)>,
    /// The record is no longer valid
    #[arg(long)]
    cancel: bool,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// What proves it, such as the number of the minutes
    #[arg(long, value_name = "TEXT")]
    reference: String,
}

/// What changes of the office's own data.
#[derive(Args, Debug)]
pub struct ProfileArguments {
    /// New name of the agency
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// New town of the agency
    #[arg(long, value_name = "TEXT")]
    town: Option<String>,
    /// New telephone number of the agency
    #[arg(long, value_name = "TEXT")]
    telephone: Option<String>,
    /// New e-mail address of the agency
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
}

pub(super) fn correct(desk: &Desk, arguments: CorrectArguments) -> anyhow::Result<()> {
    desk.require_officer()?;
    let record = desk.database.record(arguments.numero)?;
    if record.status != Status::Exported {
        bail!("record {} has status {}, expected 4, a record that the centre has", record.numero, record.status);
    }
    let table = desk.database.table(&format!("{}.{}", record.application, record.table))?;
    let columns = if arguments.cancel {
        None
    } else {
        let changes = read_changes(&table, arguments.values, &record.columns).map_err(|faults| faulty(&faults))?;
        if changes.is_empty() {
            bail!("record {} says this already: nothing was packed", record.numero);
        }
        Some(changes)
    };
    let correcting = Correcting { columns, reason: arguments.reason, reference: arguments.reference };
    told(desk, &letters::correct(desk, &record, correcting)?)
}

pub(super) fn profile(desk: &Desk, arguments: ProfileArguments) -> anyhow::Result<()> {
    desk.require_officer()?;
    let ProfileArguments { name, town, telephone, email } = arguments;
    let change = ProfileChange { name, town, telephone, email };
    packed(desk, Request::Profile(ProfileRequest { set: (!change.is_empty()).then_some(change) }))
}

pub(super) fn renew(desk: &Desk) -> anyhow::Result<()> {
    desk.require_officer()?;
    if !is_due(desk)? {
        bail!(
            "the certificate cannot be renewed yet: the centre takes a renewal from {RENEWAL_DAYS} days before its end"
        );
    }
    told(desk, &pack_renewal(desk)?)
}

/// Says whether the certificate ends so soon that the centre takes a renewal.
pub(super) fn is_due(desk: &Desk) -> anyhow::Result<bool> {
    let current = desk.database.identity("current")?;
    let ends = current.map(|identity| identity.certificate().validity().1);
    Ok(ends.is_some_and(|ends| ends < Utc::now() + Duration::days(RENEWAL_DAYS)))
}

/// Says whether a renewal is under way already, or was refused within a day, as where the clock of this machine is wrong.
pub(super) fn is_asked(desk: &Desk) -> anyhow::Result<bool> {
    let statement = "SELECT 1 FROM letters WHERE service = 'renew' AND (verdict IS NULL OR made_at > ?1) LIMIT 1";
    let yesterday = (Utc::now() - Duration::days(1)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    Ok(desk.database.find(statement, [yesterday], |row| row.get::<_, i64>(0))?.is_some())
}

/// Makes the next key, and packs the letter that asks for its certificate.
pub(super) fn pack_renewal(desk: &Desk) -> anyhow::Result<Packed> {
    let matricule = desk.database.kit()?.matricule.to_string();
    let next = match desk.database.identity("made")? {
        // A renewal that was refused is asked for again with the same key.
        Some(made) => made,
        None => {
            let (key, certificate) = Identity::generate_pem(&matricule, Algorithm::P256)?;
            desk.database.keep_key(&key, &certificate)?;
            desk.database.identity("made")?.context("the next key was not stored")?
        }
    };
    Ok(letters::ask(desk, Request::Renew(Renew { certificate: next.certificate().der().to_vec() }))?)
}
