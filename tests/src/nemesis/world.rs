//! Everything that can be struck: two engines on one database, PostgreSQL, Dovecot, Postfix, the lines to them, and a transfer folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use engine::configuration::{Configuration, Sources};
use engine::database::{OpenDatabase, Purpose};
use engine::folder::DataFolder;
use engine::keys;
use mail::MailboxSettings;
use simulation::mischief::STRANGER;
use simulation::oracle::{self, Findings};
use simulation::town::{CentreCertificates, Town, TownPlan};
use tokio::runtime::Runtime;
use tokio_postgres::NoTls;

use super::offices::Offices;
use crate::database::OwnDatabase;
use crate::engine::Engine;
use crate::proxy::Proxy;
use crate::servers::{Account, Dovecot, Postfix, wait_within};
use crate::town::{CENTRE_ADDRESS, PASSWORD, SERVER};
use crate::transfer::Transfer;

/// Agencies: one of them is suspended, one has no credit, one has a P-384 key and one an RSA key.
pub const OFFICES: usize = 20;
/// Exit code of an engine that could not keep an actor alive, and wants to be started again.
const ESCALATED: i32 = 70;

/// Longest wait for a database that recovers.
const RECOVERY_MAX: Duration = Duration::from_secs(60);

/// Everything that nemesis strikes, and what it needs for that.
pub struct World {
    /// The engines.
    pub engines: Vec<Engine>,
    /// The offices and their memory.
    pub offices: Offices,
    /// The line from the engines to Dovecot.
    pub pop3: Proxy,
    /// The line from the engines to Postfix.
    pub smtp: Proxy,
    /// The relay.
    pub postfix: Postfix,
    /// The mailboxes.
    pub dovecot: Dovecot,
    /// The database.
    pub database: OwnDatabase,
    /// Where proxies and questions to the database run.
    pub runtime: Arc<Runtime>,
    /// Engines that ended by themselves because actors panicked too often, and were started again.
    pub escalations: u64,
}

fn configuration(
    database: &str,
    (pop3, smtp, transfer): (&Proxy, &Proxy, &Transfer),
    http: std::net::SocketAddr,
) -> String {
    format!(
        "[server]\nhttp_address = \"{http}\"\n[database]\nurl = \"{database}\"\n\
         [relay]\naddress = \"{CENTRE_ADDRESS}\"\n\
         [relay.smtp]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\nread_timeout_seconds = 10\n\
         [[mailbox]]\nname = \"centre\"\npoll_interval_seconds = 1\nno_container = \"quarantine\"\n\
         [mailbox.pop3]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\nread_timeout_seconds = 10\n\
         username = \"{CENTRE_ADDRESS}\"\npassword_env = \"MAILBOX_PASSWORD\"\n{}",
        smtp.address().port(),
        pop3.address().port(),
        transfer.configuration(),
    )
}

impl World {
    /// Starts everything. `bug` is planted into every engine.
    ///
    /// # Errors
    /// A server does not start.
    pub fn start(program: &Path, engines: usize, seed: u64, bug: Option<&str>) -> Result<World> {
        let runtime = Arc::new(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?);
        let database = OwnDatabase::start(&runtime)?;
        let mut addresses: Vec<String> =
            (1..=OFFICES).map(|number| format!("agency-{number:06}@offices.example")).collect();
        addresses.extend([CENTRE_ADDRESS.to_owned(), STRANGER.to_owned()]);
        let accounts: Vec<Account> = addresses.into_iter().map(|address| Account::new(address, PASSWORD)).collect();
        let dovecot = Dovecot::start(&accounts)?;
        let postfix = Postfix::start(&dovecot)?;
        let pop3 = Proxy::start(dovecot.pop3_address(), runtime.handle())?;
        let smtp = Proxy::start(postfix.smtp_address(), runtime.handle())?;

        let transfer = Transfer::make()?;
        let url = database.cluster.url();
        let mut first = Engine::of(program, PASSWORD, |http| configuration(&url, (&pop3, &smtp, &transfer), http))?;
        if let Some(bug) = bug {
            first.set(store::planted::BUG_VARIABLE, bug);
        }
        first.operate(&["init", "--name", SERVER, "--mode", "test"])?;
        let town = runtime.block_on(build(&first))?;
        let mut all = vec![first];
        while all.len() < engines {
            all.push(all[0].twin()?);
        }
        for engine in &mut all {
            engine.start()?;
        }
        for engine in &mut all {
            engine.wait_until_ready()?;
        }
        let offices = Offices::new(town, transfer, seed);
        let world = World { engines: all, offices, pop3, smtp, postfix, dovecot, database, runtime, escalations: 0 };
        Ok(world)
    }

    /// Starts every engine that is not running, and counts those that ended by themselves.
    ///
    /// # Errors
    /// One ended in another way than an escalation or a kill.
    pub fn revive(&mut self) -> Result<()> {
        self.bury()?;
        self.engines.iter_mut().filter(|engine| !engine.is_started()).try_for_each(Engine::start)
    }

    /// Counts the engines that are dead. Those that wanted to be started again are started, and not counted.
    ///
    /// # Errors
    /// One ended in another way than an escalation or a kill.
    pub fn dead(&mut self) -> Result<usize> {
        self.bury()?;
        Ok(self.engines.iter().filter(|engine| !engine.is_started()).count())
    }

    fn bury(&mut self) -> Result<()> {
        for engine in &mut self.engines {
            match engine.ended()?.map(|status| (status.code(), status)) {
                None | Some((None, _)) => {}
                Some((Some(ESCALATED), _)) => {
                    self.escalations += 1;
                    engine.start()?;
                }
                Some((Some(_), status)) => bail!("an engine ended by itself with {status}\n{}", engine.log_tail()),
            }
        }
        Ok(())
    }

    /// Gives every engine the same order.
    pub fn tell(&mut self, order: &str) {
        for engine in &mut self.engines {
            engine.tell(order);
        }
    }

    /// Returns how often actors were rebuilt since the engines that run now were started.
    pub fn rebuilds(&self) -> f64 {
        self.engines.iter().map(|engine| engine.metric("xm_actor_restarts_total")).sum()
    }

    /// Counts the mails and files that wait at the centre.
    ///
    /// # Errors
    /// The transfer folder cannot be read.
    pub fn waiting(&self) -> Result<usize> {
        Ok(self.dovecot.count(CENTRE_ADDRESS) + self.offices.transfer.waiting()?)
    }

    /// Asks the database for a number, again while it recovers from the last fault.
    ///
    /// # Errors
    /// It does not recover; its last words.
    pub fn ask(&self, text: &str) -> Result<i64> {
        let mut last = Ok(0);
        let answered = wait_within(RECOVERY_MAX, "the database answers", || {
            last = self.ask_once(text);
            Ok(last.is_ok())
        });
        last.and_then(|number| answered.map(|()| number))
    }

    fn ask_once(&self, text: &str) -> Result<i64> {
        let url = self.database.cluster.url();
        self.runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
            let asked = async move { client.query_opt(text, &[]).await?.map_or(Ok(0), |row| row.try_get(0)) };
            let (asked, _ended) = tokio::join!(asked, connection);
            Ok(asked?)
        })
    }

    /// Compares the database with everything that the offices remember.
    ///
    /// # Errors
    /// The database is away.
    pub fn judge(&self) -> Result<Findings> {
        self.ask("SELECT 1::bigint")?;
        let configuration = configured(&self.engines[0])?;
        self.runtime.block_on(async {
            let open = OpenDatabase::open(&configuration, Purpose::Command).await?;
            let findings = oracle::check(&open.database, &self.offices.record.memory).await;
            open.close().await;
            Ok(findings?)
        })
    }

    /// Copies everybody's logs into a new folder that stays.
    ///
    /// # Errors
    /// The disk is full.
    pub fn keep_logs(&self) -> Result<PathBuf> {
        let kept = tempfile::Builder::new().prefix("xm-nemesis-logs-").tempdir()?.keep();
        for (at, engine) in self.engines.iter().enumerate() {
            fs::copy(engine.log_path(), kept.join(format!("engine-{at}.log")))?;
        }
        fs::copy(self.database.cluster.log_path(), kept.join("postgres.log"))?;
        fs::copy(self.dovecot.log_path(), kept.join("dovecot.log"))?;
        fs::copy(self.postfix.log_path(), kept.join("postfix.log"))?;
        Ok(kept)
    }

    /// Ends everything in order: engines first, so that they drain.
    ///
    /// # Errors
    /// An engine does not drain, or the folder cannot be removed.
    pub fn stop(mut self) -> Result<()> {
        for engine in &mut self.engines {
            engine.wait_until_ready()?;
            engine.stop()?;
        }
        self.database.end(&self.runtime).context("the database's folder")
    }
}

fn configured(engine: &Engine) -> Result<Configuration> {
    Ok(Configuration::load(&Sources { file: None, data_folder: Some(engine.data()) })?)
}

/// Builds the demo's town at a new centre.
async fn build(engine: &Engine) -> Result<Town> {
    let configuration = configured(engine)?;
    let keys = keys::load(&DataFolder::open(&engine.data())?.keys())?;
    let plan = TownPlan {
        agencies: OFFICES,
        server_name: SERVER.to_owned(),
        centre_address: CENTRE_ADDRESS.to_owned(),
        // Nemesis reads the maildrops' files, so that answers are read while Dovecot is away too.
        maildrops: MailboxSettings::new("127.0.0.1", ""),
    };
    let certificates = CentreCertificates {
        signing: keys.signing.certificate().clone(),
        recipients: keys.certificates.into_iter().map(|(_, certificate)| certificate).collect(),
    };
    let open = OpenDatabase::open(&configuration, Purpose::Command).await?;
    let town = Town::build(&open.database, &certificates, &plan, || {}).await;
    open.close().await;
    town
}
