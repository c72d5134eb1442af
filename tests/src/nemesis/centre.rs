//! The centre that nemesis and the lab test: its town of offices, its operators, and the oracle's look at its database. All of it goes
//! directly to the database of an engine.

use anyhow::Result;
use engine::configuration::{Configuration, Sources};
use engine::database::{OpenDatabase, Purpose};
use engine::folder::DataFolder;
use engine::keys;
use engine::operators::KeysAtHand;
use mail::MailboxSettings;
use simulation::memory::Memory;
use simulation::operators;
use simulation::oracle::{self, Findings};
use simulation::town::{CentreCertificates, Town, TownPlan};
use store::ledger::voucher_keys::VoucherKeys;

use crate::engine::Engine;
use crate::town::{CENTRE_ADDRESS, SERVER};

/// Number of agencies. One of them is suspended, one has no credit, one has a P-384 key and one has an RSA key.
pub const OFFICES: usize = 20;

fn configured(engine: &Engine) -> Result<Configuration> {
    Ok(Configuration::load(&Sources { file: None, data_folder: Some(engine.data()) })?)
}

/// Lets the simulated operators handle everything that waits for them, and returns how much that was. If the database cannot be reached
/// meanwhile, the rest waits for the next call.
///
/// # Errors
/// The database cannot be reached at all; the centre's keys cannot be read.
pub async fn operate(engine: &Engine) -> Result<usize> {
    let configuration = configured(engine)?;
    let open = OpenDatabase::open(&configuration, Purpose::Command).await?;
    let keys = KeysAtHand::load(&configuration, open.database.clone())?;
    let done = operators::work(&open.database, &keys).await;
    open.close().await;
    Ok(done.unwrap_or_default())
}

/// Lets the oracle compare the database with the record of letters and answers.
///
/// # Errors
/// The database cannot be reached.
pub async fn judge(engine: &Engine, memory: &Memory) -> Result<Findings> {
    let open = OpenDatabase::open(&configured(engine)?, Purpose::Command).await?;
    let findings = oracle::check(&open.database, memory).await;
    open.close().await;
    Ok(findings?)
}

/// Builds the demo's town, and registers its offices at a new centre. The offices will send about `letters` letters.
///
/// # Errors
/// The centre is not new, or its database cannot be reached.
pub async fn build(engine: &Engine, letters: u64) -> Result<Town> {
    let configuration = configured(engine)?;
    let keys = keys::load(&DataFolder::open(&engine.data())?.keys())?;
    let plan = TownPlan {
        agencies: OFFICES,
        letters,
        server_name: SERVER.to_owned(),
        centre_address: CENTRE_ADDRESS.to_owned(),
        // Nemesis does not use POP3 for the offices' mailboxes. It reads their files, so that it gets answers even while Dovecot is
        // stopped.
        maildrops: MailboxSettings::new("127.0.0.1", ""),
    };
    let certificates = CentreCertificates {
        signing: keys.signing.certificate().clone(),
        vouchers: VoucherKeys::of(&keys.centre)?,
        recipients: keys.certificates.into_iter().map(|(_, certificate)| certificate).collect(),
    };
    let open = OpenDatabase::open(&configuration, Purpose::Command).await?;
    let town = Town::build(&open.database, &certificates, &plan, || {}).await;
    open.close().await;
    town
}
