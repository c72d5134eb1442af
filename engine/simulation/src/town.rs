//! Sets a centre's country up: tables, tariffs, agencies with keys, certificates, scopes and credit.
//!
//! Everything goes through the functions of administration that the commands of operators use.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use agency::identity::{Algorithm, Identity};
use agency::office::Centre;
use agency::packed::Packed;
use anyhow::Context;
use diesel_async::{AsyncConnection, AsyncPgConnection};
use mail::pop3::Mailbox;
use mail::{MailboxSettings, Secret};
use nix::unistd::Uid;
use sdc::keys::RegisteredCertificate;
use sdc::letter::{self, Letter, Matricule, Mode};
use store::certificates::CertificateFields;
use store::database::Database;
use store::error::AdministrationError;
use store::ledger::{recharges, tariffs};
use store::people::{Operator, SystemAccount, sign_in_as_system_account};
use store::samples;
use store::testing::fixture::{self, Newcomer};

use crate::lock::lock;
use crate::office::{MemoryRegister, Office};
use crate::records::{CANDIDATES, REGISTERED, Register, election_code};

/// Name of every agency's installation.
pub const INSTALLATION: &str = "pc-1";
/// Polling stations under one agency.
const BUREAUX: usize = 8;
/// What an agency with credit has at first, in minor units: more than it can spend.
const CREDIT: i64 = 100_000_000;
/// One agency in so many is suspended, and one has no credit.
const EXCEPTION_EVERY: usize = 20;
/// One agency in so many has a P-384 or an RSA key.
const OTHER_KEY_EVERY: usize = 50;
/// Agencies set up in one transaction.
const BATCH: usize = 50;

/// Prices per act, in minor units, and what happens without credit.
const PRICES: [(&str, i64, &str); 4] = [
    ("ecr.ActeNaissance", 100, "owe"),
    ("ecr.ActeDeces", 100, "owe"),
    ("ecr.ActeMariage", 500, "refuse"),
    ("election.ResultatBureau", 100, "owe"),
];

/// Returns what a row of a table costs, in minor units.
pub fn price(table: &str) -> i64 {
    PRICES.iter().find(|(name, ..)| *name == table).map_or(0, |(_, price, _)| *price)
}

/// How a town is laid out.
#[derive(Clone, Debug)]
pub struct TownPlan {
    /// Agencies.
    pub agencies: usize,
    /// The server's name, as given at `init`.
    pub server_name: String,
    /// Where letters go.
    pub centre_address: String,
    /// Where answers are collected; the user name is each agency's address.
    pub maildrops: MailboxSettings,
}

/// What agencies are told of the centre's keys.
#[derive(Clone, Debug)]
pub struct CentreCertificates {
    /// Whose signatures on answers are believed.
    pub signing: RegisteredCertificate,
    /// Whose keys open letters: one for each kind of office.
    pub recipients: Vec<RegisteredCertificate>,
}

/// How an agency stands with the centre.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// In order.
    Sound,
    /// Its letters are refused.
    Suspended,
    /// Never recharged.
    WithoutCredit,
}

/// A letter that was accepted, or will be.
pub struct Former {
    /// The letter.
    pub letter: Letter,
    /// Its sealed form, for duplicates.
    pub packed: Packed,
    /// Whether its receipt is in.
    pub is_answered: bool,
}

/// What an agency has on its desk.
pub struct Desk {
    /// Its office program.
    pub office: Office,
    /// Its registers.
    pub register: Register,
    /// Its latest letters.
    pub formers: VecDeque<Former>,
}

/// One agency.
pub struct Resident {
    /// Its number.
    pub matricule: Matricule,
    /// Where it writes from and is answered to.
    pub address: String,
    /// How it stands with the centre.
    pub condition: Condition,
    /// What it works with.
    pub desk: Mutex<Desk>,
    /// Its maildrop.
    pub maildrop: Mailbox,
}

/// All agencies.
pub struct Town {
    /// The agencies, by matricule from 1 on.
    pub residents: Vec<Resident>,
    /// What each was credited with, in minor units.
    pub recharged: HashMap<i32, i64>,
}

impl Town {
    /// Sets up tables, tariffs and agencies of a new centre. `done` is told of each agency.
    ///
    /// # Errors
    /// The database is not empty, or away; a key cannot be made.
    pub async fn build(
        database: &Database,
        keys: &CentreCertificates,
        plan: &TownPlan,
        done: impl Fn() + Send + Sync,
    ) -> anyhow::Result<Town> {
        let mut connection = database.get().await?;
        let operator = &signed_in(&mut connection).await?;
        for sample in ["ecr", "election"] {
            samples::restore(&mut connection, operator, sample).await?;
        }
        set_tariffs(&mut connection, operator).await?;
        // The only Superviseur raises it alone; a second one would have to confirm.
        recharges::set_limit(&mut connection, operator, CREDIT).await?;
        let elections = elections(plan.agencies);
        fixture::list_candidates(&mut connection, &elections, CANDIDATES.try_into()?).await?;
        let mut town = Town { residents: Vec::with_capacity(plan.agencies), recharged: HashMap::new() };
        let numbers: Vec<usize> = (0..plan.agencies).collect();
        for batch in numbers.chunks(BATCH) {
            let residents = batch.iter().map(|&at| resident(at, keys, plan)).collect::<anyhow::Result<Vec<_>>>()?;
            let newcomers: Vec<Newcomer> = residents.iter().map(newcomer_of).collect();
            // One commit for many agencies; each of the calls inside is a savepoint.
            connection
                .transaction(async |connection| {
                    for (resident, newcomer) in residents.iter().zip(&newcomers) {
                        match resident.condition {
                            Condition::WithoutCredit => fixture::enrol(connection, operator, newcomer).await?,
                            _ => register_with_credit(connection, operator, newcomer).await?,
                        }
                        done();
                    }
                    Ok::<(), AdministrationError>(())
                })
                .await?;
            let registered = i32::try_from(REGISTERED)?;
            let bureaux = residents.iter().flat_map(|one| bureaux(one.matricule));
            let stations: Vec<(String, i32)> = bureaux.map(|bureau| (bureau, registered)).collect();
            fixture::list_stations(&mut connection, &elections, &stations).await?;
            for resident in &residents {
                let credit = if resident.condition == Condition::WithoutCredit { 0 } else { CREDIT };
                town.recharged.insert(resident.matricule.as_i32(), credit);
            }
            town.residents.extend(residents);
        }
        Ok(town)
    }
}

/// Names the elections whose stations and candidates the centre lists: the fewer agencies there are, the more results each may send.
fn elections(agencies: usize) -> Vec<String> {
    let count = (10_000 / agencies.max(1)).clamp(12, 120);
    (1..=count).map(election_code).collect()
}

/// Names the polling stations under an agency.
fn bureaux(matricule: Matricule) -> impl Iterator<Item = String> {
    (1..=BUREAUX).map(move |bureau| format!("B{matricule}-{bureau}"))
}

async fn set_tariffs(connection: &mut AsyncPgConnection, operator: &Operator) -> Result<(), AdministrationError> {
    for (table, per_act, credit) in PRICES {
        tariffs::set(connection, operator, &fixture::tariff(Some(table), per_act, credit)).await?;
    }
    Ok(())
}

/// Opens an agency: its key, its registers, its maildrop. The centre does not know it yet.
fn resident(at: usize, keys: &CentreCertificates, plan: &TownPlan) -> anyhow::Result<Resident> {
    let number = u32::try_from(at + 1).ok().and_then(|number| Matricule::try_from(number).ok());
    let matricule = number.with_context(|| format!("{} agencies: expected at most 999999", plan.agencies))?;
    let address = format!("agency-{matricule}@offices.example");
    let algorithm = match at % OTHER_KEY_EVERY {
        11 => Algorithm::P384,
        17 => Algorithm::Rsa2048,
        _ => Algorithm::P256,
    };
    let identity = Identity::generate(&format!("agency {matricule}"), algorithm)?;
    let centre = Centre {
        name: plan.server_name.clone(),
        mode: Mode::Test,
        address: plan.centre_address.clone(),
        // Software that knows only RSA cannot agree on a key with a curve.
        recipient: recipient(keys, algorithm)?,
        signers: vec![keys.signing.clone()],
    };
    let sender = letter::Office { agency: matricule, installation: INSTALLATION.to_owned() };
    let register = Register::new(&format!("C{matricule}")).with_bureaux(bureaux(matricule).collect());
    let mut maildrop = plan.maildrops.clone();
    maildrop.username.clone_from(&address);
    maildrop.password.get_or_insert_with(|| Secret::new("maildrop"));
    let office = Office::new(sender, &address, identity, Arc::new(centre), MemoryRegister::new(1));
    Ok(Resident {
        matricule,
        address,
        condition: condition(at, plan.agencies),
        desk: Mutex::new(Desk { office, register, formers: VecDeque::new() }),
        maildrop: Mailbox::new(maildrop)?,
    })
}

fn recipient(keys: &CentreCertificates, algorithm: Algorithm) -> anyhow::Result<RegisteredCertificate> {
    let is_rsa = |certificate: &RegisteredCertificate| certificate.algorithm().starts_with("RSA");
    let found = keys.recipients.iter().find(|certificate| is_rsa(certificate) == (algorithm == Algorithm::Rsa2048));
    found.cloned().with_context(|| format!("the centre has no key for an office with {algorithm:?}"))
}

fn condition(at: usize, agencies: usize) -> Condition {
    let of_many = at % EXCEPTION_EVERY;
    // A small town has one of each too, as long as somebody sound remains.
    let is_small = agencies <= EXCEPTION_EVERY / 2 && agencies > 2;
    if of_many == EXCEPTION_EVERY / 2 || (is_small && at + 1 == agencies) {
        Condition::Suspended
    } else if of_many == EXCEPTION_EVERY / 2 - 1 || (is_small && at + 2 == agencies) {
        Condition::WithoutCredit
    } else {
        Condition::Sound
    }
}

/// Makes an agency known that is none of the town's: in order, with credit.
///
/// # Errors
/// Its number or its certificate is known already; the database is away.
pub async fn register_visitor(
    database: &Database,
    matricule: Matricule,
    address: &str,
    register: &Register,
    certificate: &CertificateFields,
) -> anyhow::Result<()> {
    let mut connection = database.get().await?;
    let operator = signed_in(&mut connection).await?;
    let newcomer = newcomer(matricule, address, register, certificate.clone());
    Ok(register_with_credit(&mut connection, &operator, &newcomer).await?)
}

/// Signs in as whose account made the centre: this process's.
async fn signed_in(connection: &mut AsyncPgConnection) -> Result<Operator, AdministrationError> {
    sign_in_as_system_account(connection, &SystemAccount::of_this_process(Uid::current())).await
}

/// What the centre is told of a resident.
fn newcomer_of(resident: &Resident) -> Newcomer {
    let desk = lock(&resident.desk);
    let certificate = CertificateFields::from(desk.office.identity().certificate());
    let told = newcomer(resident.matricule, &resident.address, &desk.register, certificate);
    Newcomer { status: if resident.condition == Condition::Suspended { 0 } else { told.status }, ..told }
}

fn newcomer(matricule: Matricule, address: &str, register: &Register, certificate: CertificateFields) -> Newcomer {
    Newcomer {
        name: format!("Centre d'état civil {matricule}"),
        town: "Yaoundé".to_owned(),
        installation: INSTALLATION.to_owned(),
        scopes: vec![
            ("CentreCode", vec![register.centre_code().to_owned()]),
            ("BureauCode", register.bureau_codes().to_vec()),
        ],
        ..Newcomer::new(matricule, address, certificate)
    }
}

/// Makes an agency known that has credit.
async fn register_with_credit(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    newcomer: &Newcomer,
) -> Result<(), AdministrationError> {
    fixture::enrol(connection, operator, newcomer).await?;
    recharges::recharge(connection, operator, newcomer.matricule, CREDIT, "opening credit").await?;
    Ok(())
}
