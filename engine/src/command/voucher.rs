//! `xmserver voucher`: codes with which offices recharge their accounts. Two people make a batch; one person writes its codes into a file,
//! once.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use diesel_async::AsyncPgConnection;
use sdc::letter::Matricule;
use sdc::request::VoucherCode;
use serde_json::json;
use store::error::AdministrationError;
use store::ledger::voucher_keys::VoucherKeys;
use store::ledger::vouchers::{self, Batch, Locked};

use super::desk::{Desk, read_matricule};
use super::listing::{self, Listing, Newest};
use crate::clock::Moment;
use crate::configuration::Configuration;
use crate::folder::DataFolder;
use crate::keys;
use crate::show::{self, Table};
use crate::speech::said;

/// Permissions of the file of codes: only its owner may read it, because the codes are worth money.
const MODE: u32 = 0o600;

/// What to do with vouchers.
#[derive(Subcommand, Debug)]
pub enum VoucherCommand {
    /// Make a batch of vouchers: another person confirms it
    Make(MakeArguments),
    /// Make the codes of a batch and write them into a file, once
    Write {
        /// The batch
        batch: i32,
        /// A file that is not there yet: one line for each voucher
        file: PathBuf,
    },
    /// List batches, newest first
    List(Newest),
    /// Revoke the vouchers of a batch that have not been redeemed
    Revoke {
        /// The batch
        batch: i32,
        /// This one alone: its number in the file, behind the hyphen
        #[arg(long)]
        number: Option<i32>,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// List agencies whose recharging is locked for a day after five wrong codes
    Locked,
    /// End the lock of an agency
    Unlock {
        /// The agency
        #[arg(value_parser = read_matricule)]
        matricule: Matricule,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

/// A batch to make.
#[derive(Args, Debug)]
pub struct MakeArguments {
    /// How many
    count: i32,
    /// What each gives, in the main unit of the currency
    #[arg(allow_negative_numbers = true)]
    amount: String,
    /// The last day on which they can be redeemed, such as 2027-12-31; by default in a year
    #[arg(long, value_name = "DAY")]
    until: Option<Moment>,
}

pub(super) async fn run(desk: &mut Desk, configuration: &Configuration, command: VoucherCommand) -> anyhow::Result<()> {
    let operator = desk.operator.clone();
    match command {
        VoucherCommand::Make(MakeArguments { count, amount, until }) => {
            let minor_units = show::read_amount(&amount, &desk.server)?;
            let expires_at = desk.clock.read(&end(until))?;
            let batch = vouchers::make(desk.connection(), &operator, count, minor_units, expires_at).await?;
            desk.tell_line(&json!({ "batch": batch }), &said!("voucher-made", batch = batch.to_string()))
        }
        VoucherCommand::Write { batch, file } => {
            let keys = keys::load(&DataFolder::of(configuration)?.keys())?;
            write(desk, &VoucherKeys::of(&keys.centre)?, batch, &file).await
        }
        VoucherCommand::List(newest) => listing::tell_newest(desk, &Batches, newest).await,
        VoucherCommand::Revoke { batch, number, reason } => {
            let revoked = vouchers::revoke(desk.connection(), &operator, batch, number, &reason).await?;
            let words = said!("voucher-revoked", batch = batch.to_string(), count = revoked);
            desk.tell_line(&json!({ "batch": batch, "revoked": revoked }), &words)
        }
        VoucherCommand::Locked => list_locked(desk).await,
        VoucherCommand::Unlock { matricule, reason } => {
            vouchers::unlock(desk.connection(), &operator, matricule, &reason).await?;
            let words = said!("voucher-unlocked", agency = matricule.to_string());
            desk.tell_line(&json!({ "agency": matricule }), &words)
        }
    }
}

/// Returns the moment from which vouchers are refused: the moment named, the end of the day named, or 366 days from today.
fn end(until: Option<Moment>) -> Moment {
    match until {
        Some(Moment::Day(day)) => Moment::Day(day.succ_opt().unwrap_or(day)),
        Some(Moment::DayFromToday(days)) => Moment::DayFromToday(days.saturating_add(1)),
        Some(moment) => moment,
        None => Moment::DayFromToday(366),
    }
}

async fn write(desk: &mut Desk, keys: &VoucherKeys, batch: i32, file: &Path) -> anyhow::Result<()> {
    let operator = desk.operator.clone();
    let mut is_made = false;
    let keep = |batch: &Batch, codes: &[VoucherCode]| {
        is_made = true;
        keep(file, batch, codes)
    };
    let written: anyhow::Result<()> = vouchers::write(desk.connection(), &operator, keys, batch, keep).await;
    if let Err(error) = written {
        // The transaction was rolled back, so the codes in the file are no vouchers, and the file is removed.
        if is_made && error.downcast_ref::<AlreadyThere>().is_none() {
            fs::remove_file(file).ok();
        }
        return Err(error);
    }
    let file = file.display().to_string();
    let result = json!({ "batch": batch, "file": file });
    desk.tell_line(&result, &said!("voucher-written", batch = batch.to_string(), file = file))
}

/// The file exists already: nothing was written to it.
#[derive(Debug, thiserror::Error)]
#[error("{} is there already: name a file that is not there yet", .0.display())]
struct AlreadyThere(PathBuf);

/// Writes the codes as CSV, one line for each voucher, into a new file that only its owner may read.
fn keep(path: &Path, batch: &Batch, codes: &[VoucherCode]) -> anyhow::Result<()> {
    let lines: String =
        (1..).zip(codes).map(|(number, code)| format!("{}-{number},{}\n", batch.id, code.as_str())).collect();
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(MODE).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(AlreadyThere(path.to_path_buf()).into());
        }
        Err(error) => return Err(error).with_context(|| format!("cannot write {}", path.display())),
    };
    let written = file.write_all(format!("voucher,code\n{lines}").as_bytes()).and_then(|()| file.sync_all());
    written.with_context(|| format!("cannot write {}", path.display()))
}

async fn list_locked(desk: &mut Desk) -> anyhow::Result<()> {
    let found = vouchers::locked(desk.connection()).await?;
    if desk.json {
        return show::json(&found);
    }
    let mut table = Table::new(&["matricule", "locked until", "telephone", "name"]);
    for Locked { agency, name, telephone, until } in found {
        table.row([agency.to_string(), desk.clock.short(until), telephone, name]);
    }
    table.print(&said!("voucher-none-locked"))
}

/// The list of all batches.
struct Batches;

impl Listing for Batches {
    type Line = Batch;
    type Cursor = i32;
    const HEADINGS: &'static [&'static str] =
        &["id", "vouchers", "amount", "ends", "redeemed", "revoked", "made by", "written"];

    async fn page(
        &self,
        connection: &mut AsyncPgConnection,
        behind: Option<i32>,
        limit: i64,
    ) -> Result<Vec<Batch>, AdministrationError> {
        vouchers::list(connection, behind, limit).await
    }

    fn cursor(batch: &Batch) -> i32 {
        batch.id
    }

    fn cells(batch: Batch, desk: &Desk) -> Vec<String> {
        vec![
            batch.id.to_string(),
            batch.vouchers.to_string(),
            show::amount(batch.amount, &desk.server),
            desk.clock.short(batch.expires_at),
            batch.redeemed.to_string(),
            batch.revoked.to_string(),
            batch.made_by,
            show::or_dash(batch.written_at.map(|at| desk.clock.short(at))),
        ]
    }

    async fn nothing(&self, _: &mut AsyncPgConnection) -> Result<String, AdministrationError> {
        Ok(said!("voucher-none"))
    }
}
