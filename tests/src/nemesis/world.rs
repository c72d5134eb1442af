//! The system under test: several engines on one database, PostgreSQL, Dovecot, Postfix, the connections to them, and a transfer folder.
//! Nemesis can make each of them fail.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use cluster::Cluster;
use simulation::mischief::STRANGER;
use simulation::oracle::Findings;
use tokio::runtime::Runtime;
use tokio_postgres::NoTls;

use super::centre::{self, OFFICES};
use super::offices::Offices;
use crate::database::OwnDatabase;
use crate::engine::Engine;
use crate::proxy::Proxy;
use crate::servers::{Account, Dovecot, Postfix, wait_within};
use crate::town::{CENTRE_ADDRESS, PASSWORD, SERVER};
use crate::transfer::Transfer;

/// Exit code of an engine that ends itself because an actor panicked too often. The service manager then starts the engine again.
const ESCALATED: i32 = 70;

/// Longest wait until PostgreSQL answers: after a crash it first repeats what its log has, which takes a while.
const RECOVERY_MAX: Duration = Duration::from_secs(60);

/// The system that nemesis tests, with the connection to each server.
pub struct World {
    /// The engines, which all use the same database.
    pub engines: Vec<Engine>,
    /// The offices, with the record of what they sent and received.
    pub offices: Offices,
    /// The proxy between the engines and Dovecot.
    pub pop3: Proxy,
    /// The proxy between the engines and Postfix.
    pub smtp: Proxy,
    /// The mail relay.
    pub postfix: Postfix,
    /// The server of the mailboxes.
    pub dovecot: Dovecot,
    /// The PostgreSQL that the engines share.
    pub database: OwnDatabase,
    /// The runtime on which the proxies run and queries of the database are made.
    pub runtime: Arc<Runtime>,
    /// Number of times that an engine ended by itself, because its actors panicked too often, and was started again.
    pub escalations: u64,
}

fn configuration(
    cluster: &Cluster,
    (pop3, smtp, transfer): (&Proxy, &Proxy, &Transfer),
    http: std::net::SocketAddr,
) -> String {
    let url = cluster.url();
    let reader_url = cluster.reader_url_of(url.rsplit('/').next().unwrap_or_default());
    format!(
        "[server]\nhttp_address = \"{http}\"\n[database]\nurl = \"{url}\"\nreader_url = \"{reader_url}\"\n\
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
    /// Starts all servers and `engines` engines. The offices will send about `letters` letters, drawn from `seed`. If `bug` is given, every
    /// engine runs with that planted bug.
    ///
    /// # Errors
    /// A server does not start.
    pub fn start(program: &Path, engines: usize, (seed, letters): (u64, u64), bug: Option<&str>) -> Result<World> {
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
        let cluster = &database.cluster;
        let mut first = Engine::of(program, PASSWORD, |http| configuration(cluster, (&pop3, &smtp, &transfer), http))?;
        if let Some(bug) = bug {
            first.set(store::planted::BUG_VARIABLE, bug);
        }
        first.operate(&["init", "--name", SERVER, "--mode", "test"])?;
        let town = runtime.block_on(centre::build(&first, letters))?;
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

    /// Starts every engine that does not run. Engines that ended because of too many panics are counted in `escalations`.
    ///
    /// # Errors
    /// An engine ended for another reason than a kill or too many panics.
    pub fn revive(&mut self) -> Result<()> {
        self.bury()?;
        self.engines.iter_mut().filter(|engine| !engine.is_started()).try_for_each(Engine::start)
    }

    /// Returns the number of engines that nemesis has killed and not yet started. Engines that ended because of too many panics are started
    /// again and not counted.
    ///
    /// # Errors
    /// An engine ended for another reason than a kill or too many panics.
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

    /// Gives every engine the same order, such as `kill settle::charge 1`: die when you come to the place `settle::charge` for the first
    /// time.
    pub fn tell(&mut self, order: &str) {
        for engine in &mut self.engines {
            engine.tell(order);
        }
    }

    /// Returns the number of actors that the present engine processes have rebuilt after panics.
    pub fn rebuilds(&self) -> f64 {
        self.engines.iter().map(|engine| engine.metric("xm_actor_restarts_total")).sum()
    }

    /// Counts the mails in the centre's mailbox and the files in the transfer folder that the centre has not taken yet.
    ///
    /// # Errors
    /// The transfer folder cannot be read.
    pub fn waiting(&self) -> Result<usize> {
        Ok(self.dovecot.count(CENTRE_ADDRESS) + self.offices.transfer.waiting()?)
    }

    /// Runs a query that returns one number. If PostgreSQL does not answer because it recovers from a fault, the query is run again.
    ///
    /// # Errors
    /// PostgreSQL does not answer in time; the error is that of the last try.
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

    /// Lets the simulated operators do what letters ask of them, such as to decide a change of profile. If the database cannot be reached
    /// meanwhile, what is left is done at the next call.
    ///
    /// # Errors
    /// The centre's keys cannot be read.
    pub fn operate(&self) -> Result<usize> {
        self.runtime.block_on(centre::operate(&self.engines[0]))
    }

    /// Lets the oracle compare the database with the offices' record of letters and answers.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub fn judge(&self) -> Result<Findings> {
        self.ask("SELECT 1::bigint")?;
        self.runtime.block_on(centre::judge(&self.engines[0], &self.offices.record.memory))
    }

    /// Copies the logs of the engines and servers into a new folder that is not deleted after the test.
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

    /// Stops the engines first, so that they can finish their work, and then the other servers.
    ///
    /// # Errors
    /// An engine does not finish its work, or the database's folder cannot be removed.
    pub fn stop(mut self) -> Result<()> {
        for engine in &mut self.engines {
            engine.wait_until_ready()?;
            engine.stop()?;
        }
        self.database.end(&self.runtime).context("the database's folder")
    }
}
