//! A stock: a centre that knows many agencies, and the sealed letters of these agencies. It is made once and kept.
//!
//! Stocks are kept below `target/load`, because making keys and sealing letters takes longer than settling them. Each run works on a copy
//! of the centre.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use agency::identity::{Algorithm, Identity};
use agency::office::Centre;
use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use mail::extract::{MailLimits, extract};
use sdc::keys::{CentreKeys, RegisteredCertificate};
use sdc::letter::{Matricule, Mode};
use store::certificates::CertificateFields;
use store::database::{Database, DatabaseSettings};
use store::testing::fixture::{self, Newcomer};

use scenarios::program::xmserver;

use crate::agencies::{self, Harm};
use crate::database::RestingDatabase;
use crate::mix::{self, Expected, Mix, Sent};
use crate::readers::Readers;
use crate::stations::{CANDIDATES, Station};
use crate::tables::Table;

/// The name of the centre's server, to which the letters are addressed.
const SERVER: &str = "centre-load";
/// The mail address of the centre.
pub const CENTRE_ADDRESS: &str = "centre@example.org";
/// The credit limit of an agency that may owe, in minor units of money: more than its letters cost.
const CREDIT: i64 = 100_000_000;
/// The price of one act, in minor units of money.
pub const PRICE: i64 = 100;
/// The files of the centre's certificates: for keys on P-256, and for RSA keys.
const CENTRE_CERTIFICATES: [&str; 2] = ["centre-p256.crt", "centre-rsa.crt"];
/// Number of agencies whose keys are kept, so that a run can open the answers to their letters.
const KEYS_KEPT: usize = 16;
/// The name of the file with the keys of the first agencies.
const KEYS_FILE: &str = "agencies.json";

/// The kind of the agencies' keys. Letters are encrypted for the centre's key of the same kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Key {
    /// An EC key on P-256, which offices use by default.
    P256,
    /// An RSA key of 2048 bits, for offices whose software supports RSA only.
    Rsa2048,
}

impl Key {
    fn algorithm(self) -> Algorithm {
        match self {
            Key::P256 => Algorithm::P256,
            Key::Rsa2048 => Algorithm::Rsa2048,
        }
    }
}

/// The properties of the stock to prepare.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Number of agencies that send; each has one letter, or the mails that the mix has for it.
    pub letters: usize,
    /// The kind of all keys.
    pub key: Key,
    /// The kinds of mails that the agencies send.
    pub mix: Mix,
    /// Number of rows, of former elections, that the tables hold before the run.
    pub held_rows: u64,
    /// The agencies that ask for records, where there are any. The stock has them beside the agencies of the mix.
    pub readers: Option<Readers>,
}

/// A prepared stock: a folder with a centre and its mails.
#[derive(Clone, Debug)]
pub struct Stock {
    folder: PathBuf,
    wanted: Wanted,
    /// The expected results after all mails of the mix are settled.
    pub expected: Expected,
}

impl Stock {
    /// Takes the stock from the cache, or makes it where the cache has none of these properties.
    ///
    /// # Errors
    /// A key cannot be made, the engine's commands fail, the disk is full.
    pub async fn prepare(cache: &Path, wanted: Wanted, stations: &[Station]) -> Result<Stock> {
        ensure!(wanted.letters > 0, "--letters is 0: at least one letter is needed to measure anything");
        let kind = if wanted.key == Key::P256 { "p256" } else { "rsa2048" };
        let mut name = format!("{kind}-{}{}", wanted.letters, wanted.mix.name());
        if wanted.held_rows > 0 {
            name.push_str(&format!("-held-{}", wanted.held_rows));
        }
        name.extend(wanted.readers.map(Readers::name));
        let mut stock = Stock { folder: cache.join(name), wanted, expected: Expected::default() };
        if let Ok(ready) = fs::read(stock.folder.join("ready.json")) {
            stock.expected = serde_json::from_slice(&ready)?;
            return Ok(stock);
        }
        eprintln!("preparing {} agencies and letters in {}", wanted.letters, stock.folder.display());
        if stock.folder.exists() {
            fs::remove_dir_all(&stock.folder)?;
        }
        fs::create_dir_all(&stock.folder)?;
        stock.initialise()?;
        let newcomers = stock.seal(stations)?;
        stock.register(newcomers, stations).await?;
        fs::write(stock.folder.join("ready.json"), serde_json::to_vec(&stock.expected)?)?;
        Ok(stock)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn initialise(&self) -> Result<()> {
        let credit = if self.wanted.mix.owes() { "owe" } else { "refuse" };
        let price = PRICE.to_string();
        // Reading costs nothing, so that no letter of a reader is refused for lack of money. Only records that are sent have a price.
        let rights = ["plan", "edit", "standard", "--table", "ecr.ActeNaissance", "--may-certify", "all"];
        let steps: [&[&str]; 5] = [
            &["init", "--name", SERVER, "--mode", "test"],
            &["sample", "restore", "election"],
            &["sample", "restore", "ecr"],
            &["tariff", "set", "export", "--per-act", &price, "--credit", credit],
            &rights,
        ];
        for step in steps {
            let output = Command::new(xmserver()?).arg("--data-folder").arg(self.data()).args(step).output()?;
            ensure!(output.status.success(), "xmserver {step:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    /// Makes keys and letters in a thread on each processor. Writes the mails into the stock's folder, and returns the agencies to
    /// register.
    fn seal(&mut self, stations: &[Station]) -> Result<Vec<Newcomer>> {
        let Wanted { letters, key, mix, .. } = self.wanted;
        let file = CENTRE_CERTIFICATES[usize::from(key != Key::P256)];
        let file = self.data().join("keys").join(file);
        let pem = fs::read(&file).with_context(|| format!("{}: the centre's certificate", file.display()))?;
        let recipient = RegisteredCertificate::from_pem(&pem)?;
        let centre = Arc::new(Centre {
            name: SERVER.to_owned(),
            mode: Mode::Test,
            address: CENTRE_ADDRESS.to_owned(),
            recipient,
            signers: Vec::new(),
        });
        let threads = std::thread::available_parallelism()?.get();
        let share = letters.div_ceil(threads);
        let made = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|thread| {
                    let centre = Arc::clone(&centre);
                    let range = thread * share..((thread + 1) * share).min(letters);
                    scope.spawn(move || {
                        range.map(|at| sealed(at, key, mix, &centre, stations)).collect::<Result<Vec<_>>>()
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join()).collect::<Vec<_>>()
        });
        let mut mails = BufWriter::new(File::create(self.folder.join("mails"))?);
        let (mut agencies, mut keys) = (Vec::with_capacity(letters), Vec::new());
        for part in made {
            let Ok(part) = part else { anyhow::bail!("a thread that seals letters panicked") };
            for (agency, sent, key) in part? {
                if keys.len() < KEYS_KEPT {
                    keys.push(key);
                }
                for mail in &sent.mails {
                    write_mail(&mut mails, mail)?;
                }
                self.expected.extend(sent.expected);
                agencies.push(agency);
            }
        }
        mails.flush()?;
        fs::write(self.folder.join(KEYS_FILE), serde_json::to_vec(&keys)?)?;
        if mix.hostile > 0 {
            agencies.extend(self.seal_hostile(&centre)?);
        }
        if let Some(readers) = self.wanted.readers {
            agencies.extend(self.seal_readers(readers, &centre)?);
        }
        Ok(agencies)
    }

    /// Makes the letters of the agencies that ask for records. In the file, the agencies take turns.
    fn seal_readers(&self, readers: Readers, centre: &Arc<Centre>) -> Result<Vec<Newcomer>> {
        let mut agencies = Vec::with_capacity(readers.agencies);
        let mut mails_by_agency = Vec::with_capacity(readers.agencies);
        for at in 0..readers.agencies {
            let number = u32::try_from(self.first_reader() + at)?;
            let identity = Identity::generate(&format!("station {number}"), self.wanted.key.algorithm())?;
            agencies.push(station(number, &identity, 3, CREDIT)?);
            mails_by_agency.push(readers.write(number, identity, centre)?);
        }
        let mut file = BufWriter::new(File::create(self.folder.join("readers"))?);
        for turn in 0..readers.letters {
            for mails in &mails_by_agency {
                write_mail(&mut file, &mails[turn])?;
            }
        }
        file.flush()?;
        Ok(agencies)
    }

    /// Makes the letters of hostile agencies: one agency for each kind of [`Harm`].
    fn seal_hostile(&mut self, centre: &Arc<Centre>) -> Result<Vec<Newcomer>> {
        let mut file = BufWriter::new(File::create(self.folder.join("hostile"))?);
        let mut agencies = Vec::new();
        let mut mails_by_agency = Vec::new();
        for (at, harm) in Harm::ALL.into_iter().enumerate() {
            let number = u32::try_from(self.wanted.letters + at + 1)?;
            let identity = Identity::generate(&format!("station {number}"), self.wanted.key.algorithm())?;
            agencies.push(station(number, &identity, 3, CREDIT)?);
            let (mails, outcomes) = harm.write(number, identity, centre, self.wanted.mix.hostile)?;
            self.expected.extend_hostile(outcomes);
            mails_by_agency.push(mails);
        }
        // The agencies' mails alternate in the file. Mailboxes are filled in that order, so each mailbox has every kind, and so has each
        // window of mails that the engine fetches at a time.
        for turn in 0..self.wanted.mix.hostile {
            for mails in &mails_by_agency {
                write_mail(&mut file, &mails[turn])?;
            }
        }
        file.flush()?;
        Ok(agencies)
    }

    /// Registers the agencies directly in the database. Operators register them by commands, but a hundred thousand commands would take too
    /// long.
    async fn register(&self, newcomers: Vec<Newcomer>, stations: &[Station]) -> Result<()> {
        let resting = RestingDatabase::start(&self.data()).await?;
        let database = Database::new(DatabaseSettings::new(resting.cluster.url()))?;
        fixture::enrol_all(&mut *database.get().await?, &newcomers).await?;
        self.list_stations(&database, stations).await?;
        let client = &resting.client;
        if self.wanted.readers.is_some() {
            let all = "UPDATE xm.rights SET may_read = 'all', may_certify = 'all', certify_gives = 'record'";
            client.batch_execute(all).await?;
        }
        if self.wanted.held_rows > 0 {
            client.batch_execute(&former_elections(self.wanted.held_rows)).await?;
        }
        if self.wanted.mix.hostile > 0 {
            for (at, harm) in Harm::ALL.into_iter().enumerate() {
                if let Some(statement) = harm.held(u32::try_from(self.wanted.letters + at + 1)?) {
                    client.batch_execute(&statement).await?;
                }
            }
        }
        client.batch_execute("VACUUM ANALYZE").await?;
        drop(database);
        resting.stop().await
    }

    /// Stores the list of stations and candidates with which the centre compares results.
    async fn list_stations(&self, database: &Database, stations: &[Station]) -> Result<()> {
        let connection = &mut *database.get().await?;
        let elections = [mix::ELECTION.to_owned()];
        let listed = (0..self.wanted.letters).map(|at| {
            let registered = i32::try_from(stations[at % stations.len()].registered())?;
            Ok((mix::bureau(u32::try_from(at + 1)?), registered))
        });
        fixture::list_stations(connection, &elections, &listed.collect::<Result<Vec<_>>>()?).await?;
        fixture::list_candidates(connection, &elections, CANDIDATES).await?;
        if self.wanted.mix.hostile > 0 {
            let candidates = i32::try_from(agencies::SMALL_ROWS)?;
            fixture::list_candidates(connection, &[agencies::HELD_ELECTION.to_owned()], candidates).await?;
        }
        Ok(())
    }

    /// Counts the agencies of the mix, each of which has at least one letter.
    pub fn letters(&self) -> usize {
        self.wanted.letters
    }

    /// Counts the rows that the tables hold before the letters come, in tables whose rows are counted after a run.
    pub fn held_rows(&self) -> u64 {
        let hostile = if self.wanted.mix.hostile > 0 { Harm::ALL.map(Harm::held_and_counted).iter().sum() } else { 0 };
        self.wanted.held_rows / 9 * 9 + hostile
    }

    /// Returns the agencies that ask for records, where the stock has any.
    pub fn readers(&self) -> Option<Readers> {
        self.wanted.readers
    }

    /// Returns the matricule of the first agency that asks for records. It follows the matricules of the hostile agencies.
    pub fn first_reader(&self) -> usize {
        self.wanted.letters + Harm::ALL.len() + 1
    }

    /// Counts the rows that are filled in before each run for readers, so that they can be subtracted from the rows after it. Marginal
    /// notes are left out, because their table is not counted after the run.
    pub fn filled_rows(&self) -> u64 {
        let filled = self.wanted.readers.map(|readers| readers.filled);
        filled.filter(|filled| filled.table != Table::Notes).map_or(0, |filled| filled.rows)
    }

    /// Copies the centre's files into a data folder for one run.
    ///
    /// # Errors
    /// The copy fails.
    pub fn copy_centre(&self, to: &Path) -> Result<()> {
        let files = self.data().join(".");
        let status = Command::new("cp").args(["-a", "--reflink=auto"]).arg(files).arg(to).status()?;
        ensure!(status.success(), "the prepared centre could not be copied to {}", to.display());
        Ok(())
    }

    /// Loads the centre's keys.
    ///
    /// # Errors
    /// The stock is damaged: its folder must be removed.
    pub fn keys(&self) -> Result<Arc<CentreKeys>> {
        Ok(engine::keys::load(&self.data().join("keys"))?.centre)
    }

    /// Loads the certificates with which the centre signs its answers.
    ///
    /// # Errors
    /// The stock is damaged: its folder must be removed.
    pub fn signers(&self) -> Result<Vec<RegisteredCertificate>> {
        let read = |name| Ok(RegisteredCertificate::from_pem(&fs::read(self.data().join("keys").join(name))?)?);
        CENTRE_CERTIFICATES.into_iter().map(read).collect()
    }

    /// Loads the keys of the first agencies. Returns none where an earlier version of this program, which did not keep them, made the
    /// stock.
    ///
    /// # Errors
    /// The stock is damaged: its folder must be removed.
    pub fn first_agencies(&self) -> Result<Vec<Identity>> {
        let file = self.folder.join(KEYS_FILE);
        if !file.exists() {
            return Ok(Vec::new());
        }
        let keys: Vec<KeyText> = serde_json::from_slice(&fs::read(file)?)?;
        keys.iter().map(|(key, certificate)| Ok(Identity::from_pem(key.as_bytes(), certificate.as_bytes())?)).collect()
    }

    /// Passes the first `most` mails of the stock to `take`, or all where there are fewer, each with its position.
    ///
    /// # Errors
    /// The stock is damaged and its folder must be removed, or `take` fails.
    pub fn for_each_mail(&self, most: usize, take: impl FnMut(usize, &[u8]) -> Result<()>) -> Result<()> {
        read_mails(&self.folder.join("mails"), most.min(usize::try_from(self.expected.mails)?), take)
    }

    /// Passes every mail of the hostile agencies to `take`.
    ///
    /// # Errors
    /// The stock is damaged and its folder must be removed, or `take` fails.
    pub fn for_each_hostile_mail(&self, take: impl FnMut(usize, &[u8]) -> Result<()>) -> Result<()> {
        match usize::try_from(self.expected.hostile_mails())? {
            0 => Ok(()),
            mails => read_mails(&self.folder.join("hostile"), mails, take),
        }
    }

    /// Passes every mail of the agencies that ask for records to `take`.
    ///
    /// # Errors
    /// The stock is damaged and its folder must be removed, or `take` fails.
    pub fn for_each_reader_mail(&self, take: impl FnMut(usize, &[u8]) -> Result<()>) -> Result<()> {
        match self.wanted.readers {
            None => Ok(()),
            Some(readers) => read_mails(&self.folder.join("readers"), readers.mails(), take),
        }
    }
}

fn write_mail(file: &mut impl Write, mail: &[u8]) -> Result<()> {
    file.write_all(&u32::try_from(mail.len())?.to_le_bytes())?;
    Ok(file.write_all(mail)?)
}

fn read_mails(file: &Path, most: usize, mut take: impl FnMut(usize, &[u8]) -> Result<()>) -> Result<()> {
    let mut mails = BufReader::new(File::open(file)?);
    let mut mail = Vec::new();
    for at in 0..most {
        let mut length = [0; 4];
        mails.read_exact(&mut length)?;
        mail.resize(usize::try_from(u32::from_le_bytes(length))?, 0);
        mails.read_exact(&mut mail)?;
        take(at, &mail)?;
    }
    Ok(())
}

/// Extracts the sealed letter from a mail.
///
/// # Errors
/// The mail has no letter.
pub fn container_of(mail: &[u8]) -> Result<Vec<u8>> {
    let extracted = extract(mail, &MailLimits::default()).map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    extracted.containers.into_iter().next_back().context("a mail without a letter")
}

/// Returns the SQL that fills the tables with results of former elections, nine rows for each station, all as if one agency had sent them.
fn former_elections(rows: u64) -> String {
    let stations = rows / 9;
    format!(
        r#"INSERT INTO election."ResultatBureau" ("Status", "ElectionCode", "BureauCode", "Inscrits", "Emargements", "BulletinsTrouves",
                  "Nuls", "Blancs", "Exprimes", "HeureCloture", "President", "Delegues",
                  xm_agency, xm_installation, xm_numero, xm_sequence, xm_letter)
           SELECT 2, 'PRES-' || 1990 + n / 100000, 'B' || lpad((n % 100000)::text, 6, '0'), 400, 320, 320, 20, 0, 300, '18:00', 'ABENA', 3,
                  1, 'former', n, n, gen_random_uuid() FROM generate_series(1, {stations}) n;
           INSERT INTO election."VoixCandidat" ("Status", "ElectionCode", "BureauCode", "CandidatCode", "Voix",
                  xm_agency, xm_installation, xm_numero, xm_sequence, xm_letter)
           SELECT 2, 'PRES-' || 1990 + n / 100000, 'B' || lpad((n % 100000)::text, 6, '0'), 'CAND-' || c, 40,
                  1, 'former', n * 8 + c, n, gen_random_uuid() FROM generate_series(1, {stations}) n, generate_series(1, 8) c"#
    )
}

/// Makes the registration of the agency with this number.
fn station(number: u32, identity: &Identity, status: i16, credit_limit: i64) -> Result<Newcomer> {
    let matricule = Matricule::try_from(number)?;
    let email = format!("station-{number}@stations.example");
    let newcomer = Newcomer::new(matricule, &email, CertificateFields::from(identity.certificate()));
    let newcomer = newcomer.with_scope("BureauCode", &mix::bureau(number));
    let newcomer = newcomer.with_scope("CentreCode", &format!("C{matricule}"));
    Ok(Newcomer { name: format!("Station {number}"), status, credit_limit, ..newcomer })
}

/// A key and its certificate, both in PEM.
type KeyText = (String, String);

fn sealed(
    at: usize,
    key: Key,
    mix: Mix,
    centre: &Arc<Centre>,
    stations: &[Station],
) -> Result<(Newcomer, Sent, KeyText)> {
    let number = u32::try_from(at + 1)?;
    let text = Identity::generate_pem(&format!("station {number}"), key.algorithm())?;
    let identity = Identity::from_pem(text.0.as_bytes(), text.1.as_bytes())?;
    let values = |sent: &Sent, identity: &Identity| {
        let (status, credit) = (if sent.is_suspended { 0 } else { 3 }, if sent.is_without_credit { 0 } else { CREDIT });
        station(number, identity, status, credit)
    };
    let sent = mix.write(at, identity.clone(), centre, &stations[at % stations.len()])?;
    Ok((values(&sent, &identity)?, sent, text))
}
