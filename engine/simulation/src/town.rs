//! Sets up a simulated country at a new centre: tables, prices, and agencies with their keys, certificates, scopes and credit.
//!
//! All of it is done by the functions of administration that operators' commands also call.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use agency::identity::{Algorithm, Identity};
use agency::office::Centre;
use anyhow::Context;
use diesel_async::{AsyncConnection, AsyncPgConnection};
use mail::pop3::Mailbox;
use mail::{MailboxSettings, Secret};
use nix::unistd::Uid;
use sdc::answer::profile::Profile;
use sdc::digest::Digest;
use sdc::keys::RegisteredCertificate;
use sdc::letter::{self, Matricule, Mode};
use store::agencies::{self, AgencyChange, NewAgency, enrolments, scopes};
use store::certificates::CertificateFields;
use store::database::Database;
use store::error::AdministrationError;
use store::ledger::recharges;
use store::ledger::voucher_keys::VoucherKeys;
use store::people::{Operator, SystemAccount, sign_in_as_system_account};
use store::samples;
use store::testing::fixture::{self, Newcomer as Told};

use crate::errands::{Desk, Errands, Newcomer};
use crate::lock::lock;
use crate::office::{MemoryRegister, Office};
use crate::records::{CANDIDATES, REGISTERED, Register, election_code};
use crate::rules::{self, INSTALLATION, VOUCHER};

/// Number of polling stations of each agency.
const BUREAUX: usize = 8;
/// The credit that a paying agency has at the start, in minor units of money: more than it can spend.
const CREDIT: i64 = 100_000_000;
/// Of this many agencies, one is suspended, and another has no credit.
const EXCEPTION_EVERY: usize = 20;
/// Of this many agencies, one has a P-384 key and another an RSA key.
const OTHER_KEY_EVERY: usize = 50;
/// Number of agencies that are set up in one transaction.
const BATCH: usize = 50;

/// Of this many agencies, one may read other agencies' registers.
const PREFECTURE_EVERY: usize = 10;
/// The largest letter, in octets, of an agency whose line carries only small letters: the smallest limit that a centre lets operators set.
/// The agency's answers therefore come in many parts.
const SMALL_LINK_BYTES: i32 = 4096;
/// The certificate of every second agency ends after this many days, soon enough for the centre to accept a renewal.
const ENDING_DAYS: u64 = 40;
/// Largest number of agencies that enrol themselves. Until they have enrolled, their keys are unknown, and a centre accepts only ten
/// letters a second signed by unknown keys.
const NEWCOMERS_MAX: usize = 40;
/// The matricule of the first agency that enrols itself.
const NEWCOMERS_FROM: usize = 800_000;
/// At most one letter in this many redeems a voucher.
const VOUCHER_EVERY: u64 = 60;
/// Largest number of vouchers that are made in one batch.
const BATCH_VOUCHERS: usize = 10_000;

/// The size of a town, and the addresses that its agencies use.
#[derive(Clone, Debug)]
pub struct TownPlan {
    /// Number of agencies.
    pub agencies: usize,
    /// The approximate number of letters that all agencies will send. It determines how many vouchers they get.
    pub letters: u64,
    /// The name of the centre's server, as it was given to `init`.
    pub server_name: String,
    /// The mail address of the centre.
    pub centre_address: String,
    /// The server from which agencies collect answers. Each agency signs in with its own address as the user name.
    pub maildrops: MailboxSettings,
}

/// The certificates and keys of the centre that the agencies use.
#[derive(Clone, Debug)]
pub struct CentreCertificates {
    /// The certificate of the key with which the centre signs its answers.
    pub signing: RegisteredCertificate,
    /// The certificates for which letters are encrypted: one for each kind of office's key.
    pub recipients: Vec<RegisteredCertificate>,
    /// The keys under which the centre stores the codes of vouchers.
    pub vouchers: VoucherKeys,
}

/// The standing of an agency with the centre.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// In good standing: it is active and has credit.
    Sound,
    /// Suspended: the centre refuses its letters.
    Suspended,
    /// Without credit: its account was never recharged.
    WithoutCredit,
}

/// One agency of the town.
pub struct Resident {
    /// The number of the agency.
    pub matricule: Matricule,
    /// The mail address from which the agency writes, and at which it gets its answers.
    pub address: String,
    /// The agency's standing with the centre.
    pub condition: Condition,
    /// The agency's office program, registers and latest letters.
    pub desk: Mutex<Desk>,
    /// The mailbox from which the agency collects answers.
    pub maildrop: Mailbox,
}

impl Resident {
    /// Returns the matricule of the newcomer (an agency that enrols itself) that this agency looks after, if there is one.
    pub fn newcomer(&self) -> Option<Matricule> {
        lock(&self.desk).errands.newcomer.as_ref().map(|newcomer| newcomer.office.matricule())
    }
}

/// All agencies of a centre, with the centre's data about them before the first letter.
pub struct Town {
    /// The agencies in the order of their matricules, which count from 1.
    pub residents: Vec<Resident>,
    /// The credit of each agency at the start, in minor units of money.
    pub recharged: HashMap<i32, i64>,
    /// The data that the centre holds about each agency, such as its name and its town.
    pub profiles: HashMap<i32, Profile>,
    /// SHA-256 of the public key of each agency.
    pub keys: HashMap<i32, Digest>,
}

impl Town {
    /// Sets up the tables, prices and agencies of a new centre. `done` is called after each agency.
    ///
    /// # Errors
    /// The database is not empty or cannot be reached, or a key cannot be made.
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
        rules::set(&mut connection, operator).await?;
        // This operator is the centre's only Superviseur, so the limit is raised at once. If there were a second one, that one would have
        // to confirm.
        recharges::set_limit(&mut connection, operator, CREDIT).await?;
        let elections = elections(plan.agencies);
        fixture::list_candidates(&mut connection, &elections, CANDIDATES.try_into()?).await?;
        let mut town = Town {
            residents: Vec::with_capacity(plan.agencies),
            recharged: HashMap::new(),
            profiles: HashMap::new(),
            keys: HashMap::new(),
        };
        let numbers: Vec<usize> = (0..plan.agencies).collect();
        for batch in numbers.chunks(BATCH) {
            let residents = batch.iter().map(|&at| resident(at, keys, plan)).collect::<anyhow::Result<Vec<_>>>()?;
            let newcomers: Vec<Told> = residents.iter().map(newcomer_of).collect();
            // One transaction, and so one commit, serves many agencies. Each of the calls inside uses a savepoint of this transaction.
            connection
                .transaction(async |connection| {
                    for (resident, newcomer) in residents.iter().zip(&newcomers) {
                        match resident.condition {
                            Condition::WithoutCredit => fixture::enrol(connection, operator, newcomer).await?,
                            _ => register_with_credit(connection, operator, newcomer).await?,
                        }
                        limit_link(connection, operator, resident).await?;
                        done();
                    }
                    Ok::<(), AdministrationError>(())
                })
                .await?;
            let registered = i32::try_from(REGISTERED)?;
            let bureaux = residents.iter().flat_map(|one| bureaux(one.matricule));
            let stations: Vec<(String, i32)> = bureaux.map(|bureau| (bureau, registered)).collect();
            fixture::list_stations(&mut connection, &elections, &stations).await?;
            for (resident, newcomer) in residents.iter().zip(&newcomers) {
                let credit = if resident.condition == Condition::WithoutCredit { 0 } else { CREDIT };
                let number = resident.matricule.as_i32();
                town.recharged.insert(number, credit);
                town.profiles.insert(number, Profile::new(&newcomer.name, &newcomer.town, "", &newcomer.email));
                let desk = lock(&resident.desk);
                town.keys.insert(number, desk.office.identity().certificate().spki_sha256());
            }
            town.residents.extend(residents);
        }
        town.give_vouchers(&mut connection, operator, keys, plan).await?;
        town.expect_newcomers(&mut connection, operator, keys, plan).await?;
        Ok(town)
    }

    /// Makes vouchers, and gives each agency in good standing its share.
    async fn give_vouchers(
        &self,
        connection: &mut AsyncPgConnection,
        operator: &Operator,
        keys: &CentreCertificates,
        plan: &TownPlan,
    ) -> anyhow::Result<()> {
        let sound: Vec<&Resident> = self.sound().collect();
        let each = usize::try_from(plan.letters / VOUCHER_EVERY)? / plan.agencies.max(1) + 2;
        let mut codes = Vec::new();
        let mut left = sound.len() * each;
        while left > 0 {
            let batch = left.min(BATCH_VOUCHERS);
            let made = (i32::try_from(batch)?, VOUCHER);
            codes.extend(fixture::vouchers(connection, operator, &keys.vouchers, made).await?);
            left -= batch;
        }
        for (resident, codes) in sound.iter().zip(codes.chunks(each)) {
            lock(&resident.desk).errands.give_vouchers(codes);
        }
        Ok(())
    }

    /// Adds newcomers: agencies that have no certificate yet, each with a one-time code with which it enrols. Agencies in good standing
    /// look after them.
    async fn expect_newcomers(
        &mut self,
        connection: &mut AsyncPgConnection,
        operator: &Operator,
        keys: &CentreCertificates,
        plan: &TownPlan,
    ) -> anyhow::Result<()> {
        let every = self.sound().count().div_ceil(NEWCOMERS_MAX).max(1);
        let mut expected = Vec::new();
        for (at, resident) in self.sound().step_by(every).enumerate() {
            let matricule = Matricule::try_from(u32::try_from(NEWCOMERS_FROM + at)?)?;
            let (office, register) = open_office(matricule, &resident.address, Algorithm::P256, false, keys, plan)?;
            let new = NewAgency {
                matricule: Some(matricule),
                name: format!("Antenne {matricule}"),
                town: "Édéa".to_owned(),
                area: String::new(),
                telephone: String::new(),
                email: resident.address.clone(),
                plan: None,
                status: Some(3),
                credit_limit: 0,
            };
            agencies::add(connection, operator, &new).await?;
            let codes = [register.centre_code().to_owned()];
            scopes::grant(connection, operator, matricule, "CentreCode", &codes).await?;
            let code = enrolments::code(connection, operator, matricule).await?.code;
            expected.push((matricule, Profile::new(&new.name, &new.town, "", &new.email)));
            lock(&resident.desk).errands.newcomer = Some(Newcomer::new(office, register, code));
        }
        self.profiles.extend(expected.into_iter().map(|(matricule, profile)| (matricule.as_i32(), profile)));
        Ok(())
    }

    fn sound(&self) -> impl Iterator<Item = &Resident> {
        self.residents.iter().filter(|resident| resident.condition == Condition::Sound)
    }
}

/// Returns the codes of the elections whose stations and candidates the centre lists. With few agencies each sends more results, so more
/// elections are listed.
fn elections(agencies: usize) -> Vec<String> {
    let count = (10_000 / agencies.max(1)).clamp(12, 120);
    (1..=count).map(election_code).collect()
}

/// Returns the codes of an agency's polling stations.
fn bureaux(matricule: Matricule) -> impl Iterator<Item = String> {
    (1..=BUREAUX).map(move |bureau| format!("B{matricule}-{bureau}"))
}

/// Says whether the agency with this index may read other agencies' registers.
fn is_prefecture(at: usize) -> bool {
    at % PREFECTURE_EVERY == PREFECTURE_EVERY / 2 - 1
}

/// Sets the limit [`SMALL_LINK_BYTES`] for an agency that may read other agencies' registers, so that its answers come in many parts.
async fn limit_link(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    resident: &Resident,
) -> Result<(), AdministrationError> {
    let is_prefecture = lock(&resident.desk).errands.is_prefecture;
    if is_prefecture {
        let change = AgencyChange { letter_bytes_max: Some(SMALL_LINK_BYTES), ..AgencyChange::default() };
        agencies::edit(connection, operator, resident.matricule, &change).await?;
    }
    Ok(())
}

/// Makes an agency with its key, registers and maildrop. It is not registered at the centre yet.
fn resident(at: usize, keys: &CentreCertificates, plan: &TownPlan) -> anyhow::Result<Resident> {
    let number = u32::try_from(at + 1).ok().and_then(|number| Matricule::try_from(number).ok());
    let matricule = number.with_context(|| format!("{} agencies: expected at most 999999", plan.agencies))?;
    let address = format!("agency-{matricule}@offices.example");
    let algorithm = match at % OTHER_KEY_EVERY {
        11 => Algorithm::P384,
        17 => Algorithm::Rsa2048,
        _ => Algorithm::P256,
    };
    let is_ending = at.is_multiple_of(2);
    let (office, register) = open_office(matricule, &address, algorithm, is_ending, keys, plan)?;
    let register = register.with_bureaux(bureaux(matricule).collect());
    let mut maildrop = plan.maildrops.clone();
    maildrop.username.clone_from(&address);
    maildrop.password.get_or_insert_with(|| Secret::new("maildrop"));
    let told = newcomer(matricule, &address, &register, CertificateFields::from(office.identity().certificate()));
    let profile = Profile::new(&told.name, &told.town, "", &told.email);
    let errands = Errands::new(at, algorithm, is_ending, is_prefecture(at), profile);
    Ok(Resident {
        matricule,
        address,
        condition: condition(at, plan.agencies),
        desk: Mutex::new(Desk { office, register, formers: VecDeque::new(), errands }),
        maildrop: Mailbox::new(maildrop)?,
    })
}

/// Makes an office program with its register of acts. With `is_ending`, its certificate ends after [`ENDING_DAYS`].
fn open_office(
    matricule: Matricule,
    address: &str,
    algorithm: Algorithm,
    is_ending: bool,
    keys: &CentreCertificates,
    plan: &TownPlan,
) -> anyhow::Result<(Office, Register)> {
    let name = format!("agency {matricule}");
    let identity = match is_ending {
        true => Identity::generate_ending(&name, algorithm, ENDING_DAYS)?,
        false => Identity::generate(&name, algorithm)?,
    };
    let centre = Centre {
        name: plan.server_name.clone(),
        mode: Mode::Test,
        address: plan.centre_address.clone(),
        // The centre has an RSA and an EC key. Offices whose software supports RSA only need the RSA key, because they cannot do the key
        // agreement with an EC key.
        recipient: recipient(keys, algorithm)?,
        signers: vec![keys.signing.clone()],
    };
    let sender = letter::Office { agency: matricule, installation: INSTALLATION.to_owned() };
    let office = Office::new(sender, address, identity, Arc::new(centre), MemoryRegister::new(1));
    Ok((office, Register::new(&format!("C{matricule}"))))
}

fn recipient(keys: &CentreCertificates, algorithm: Algorithm) -> anyhow::Result<RegisteredCertificate> {
    let is_rsa = |certificate: &RegisteredCertificate| certificate.algorithm().starts_with("RSA");
    let found = keys.recipients.iter().find(|certificate| is_rsa(certificate) == (algorithm == Algorithm::Rsa2048));
    found.cloned().with_context(|| format!("the centre has no key for an office with {algorithm:?}"))
}

fn condition(at: usize, agencies: usize) -> Condition {
    let of_many = at % EXCEPTION_EVERY;
    // In a town with few agencies, the last two are the suspended one and the one without credit, provided that at least one other remains.
    let is_small = agencies <= EXCEPTION_EVERY / 2 && agencies > 2;
    if of_many == EXCEPTION_EVERY / 2 || (is_small && at + 1 == agencies) {
        Condition::Suspended
    } else if of_many == EXCEPTION_EVERY / 2 - 1 || (is_small && at + 2 == agencies) {
        Condition::WithoutCredit
    } else {
        Condition::Sound
    }
}

/// Registers an agency from outside the town, in good standing and with credit.
///
/// # Errors
/// Its number or its certificate is already registered, or the database cannot be reached.
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

/// Signs in as the operator who made the centre, by the system account under which this process runs.
async fn signed_in(connection: &mut AsyncPgConnection) -> Result<Operator, AdministrationError> {
    sign_in_as_system_account(connection, &SystemAccount::of_this_process(Uid::current())).await
}

/// Returns the data with which a resident is registered at the centre.
fn newcomer_of(resident: &Resident) -> Told {
    let desk = lock(&resident.desk);
    let certificate = CertificateFields::from(desk.office.identity().certificate());
    let told = newcomer(resident.matricule, &resident.address, &desk.register, certificate);
    let plan = desk.errands.is_prefecture.then(|| rules::PREFECTURE.to_owned());
    Told { status: if resident.condition == Condition::Suspended { 0 } else { told.status }, plan, ..told }
}

fn newcomer(matricule: Matricule, address: &str, register: &Register, certificate: CertificateFields) -> Told {
    Told {
        name: format!("Centre d'état civil {matricule}"),
        town: "Yaoundé".to_owned(),
        installation: INSTALLATION.to_owned(),
        scopes: vec![
            ("CentreCode", vec![register.centre_code().to_owned()]),
            ("BureauCode", register.bureau_codes().to_vec()),
        ],
        ..Told::new(matricule, address, certificate)
    }
}

/// Registers an agency and gives it its opening credit.
async fn register_with_credit(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    newcomer: &Told,
) -> Result<(), AdministrationError> {
    fixture::enrol(connection, operator, newcomer).await?;
    recharges::recharge(connection, operator, newcomer.matricule, CREDIT, "opening credit").await?;
    Ok(())
}
