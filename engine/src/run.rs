//! `xmserver run`: builds the centre from its configuration, keeps it running, and drains it at a signal.
//!
//! The connections to the database use a tokio runtime of their own, which ends after the actors. The actors run in their own actor
//! system, and the main thread waits for signals. The first SIGTERM or SIGINT drains the centre; a second one stops it at once. Neither
//! loses a letter, because a letter that is not settled is still in its mailbox. SIGHUP has certificates read again (`run::reread`).

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use actors::courier::Courier;
use actors::courier::smtp::SmtpCourier;
use actors::database_tasks::DatabaseTasks;
use actors::metrics::Metrics;
use actors::pipeline::{Pipeline, PipelineParts, PolledSource, PushedSource};
use actors::supervision::Policy;
use actors::transfer_folder::TransferFolder;
use anyhow::{Context, bail};
use mail::extract::MailLimits;
use mail::smtp::Relay;
use prometheus::Registry;
use store::centre;
use store::centre::server::{self, Server};
use store::certificates::issuer::CertificateIssuer;
use store::database::fault::Fault;
use store::database::{Database, MigrateError};
use store::error::AdministrationError;
use store::people::SystemAccount;
use store::replicas::Replica;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::configuration::{Configuration, FolderConfiguration, RelayConfiguration, Role};
use crate::database::{self, OpenDatabase, Purpose};
use crate::folder::{DataFolder, FolderLock};
use crate::gauges::DatabaseGauges;
use crate::housekeeping::Housekeeper;
use crate::http::{self, Observed, ObservedDatabase, ObservedParts};
use crate::issuer::Authority;
use crate::keys::{self, LoadedKeys};
use crate::ready::key_watch::KeyWatch;
use crate::{acts, housekeeping, notices, operator, replica, summary};

mod carry;
mod life;
mod reception;
mod reread;
mod service;
mod sources;
mod stops;

use life::Surroundings;
use reread::Named;
use service::ServiceManager;
use sources::{Listening, polled, taken};
use stops::Stops;

/// First pause between two attempts to reach the database at the start; the pause grows up to [`START_PAUSE_MAX`].
const START_PAUSE: Duration = Duration::from_secs(1);
const START_PAUSE_MAX: Duration = Duration::from_secs(15);
/// Longest wait for the lock of the data folder, because the former process may still be ending or a command may be checking the folder.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// Niceness of the threads that read for agencies, see nice(2). A thread of niceness 0 that wants the same processor gets about nine times
/// as much of it.
const NICENESS_OF_READING: i32 = 10;
/// Pause between two checks of whether the centre takes mail.
const READINESS_INTERVAL: Duration = Duration::from_millis(200);

/// Runs the centre until a signal stops it. Returns the exit code: 0 after a stop, 70 where a supervisor of the actors gave up.
///
/// # Errors
/// One sentence that says why the centre cannot start.
pub fn run(configuration: &Configuration) -> anyhow::Result<ExitCode> {
    sdc::keys::check_openssl_version()?;
    if !configuration.no_keys.is_empty() {
        let variables = configuration.no_keys.join(", ");
        tracing::warn!(
            variables,
            "these environment variables are no keys: a key's name has two underscores between its levels"
        );
    }
    if configuration.server.role == Role::Intake {
        return reception::run(configuration);
    }
    let folder = DataFolder::of(configuration)?;
    database::require_made(configuration)?;
    required(configuration)?;
    let lock = folder.lock_within(LOCK_PATIENCE)?;
    let keys = keys::load(&folder.keys())?;
    let listener = TcpListener::bind(configuration.server.http_address)
        .with_context(|| format!("server.http_address: cannot listen on {}", configuration.server.http_address))?;
    let runtime = database_runtime()?;
    let readers = reading_runtime()?;
    let database = database::connect(configuration, Some(runtime.handle().clone()))?;
    let centre = Centre {
        configuration,
        lock,
        keys: Arc::new(keys),
        keys_folder: folder.keys(),
        database: database.clone(),
        reading: database::connect_reader(configuration, Some(readers.handle().clone()))?,
        runtime: runtime.handle().clone(),
        reading_runtime: readers.handle().clone(),
    };
    let shown = centre.show(listener)?;
    let open = runtime.block_on(OpenDatabase::open_beside(database, configuration, Purpose::Serve))?;
    let keeper = open.keep(runtime.handle());
    let code = actix_rt::System::new().block_on(centre.serve(shown));
    readers.shutdown_timeout(Duration::from_secs(1));
    runtime.block_on(keeper.close());
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}

/// Refuses a configuration without a source of letters, or without a relay for letters that come by mail. Only `run` needs them.
fn required(configuration: &Configuration) -> anyhow::Result<()> {
    let has_mail = !configuration.mailboxes.is_empty() || !configuration.intakes.is_empty();
    let has_others = configuration.folder.is_some() || configuration.listens_for_posts().is_some();
    // A process of the role `work` may have no source but the carrier.
    if !has_mail && !has_others && configuration.server.role != Role::Work {
        bail!(
            "no mailbox is configured: add a [[mailbox]], an [[intake]], [https] or a [folder] to the configuration, or no letter can come"
        );
    }
    if has_mail && configuration.relay.is_none() {
        bail!("no relay is configured: add [relay] to the configuration, or no answer can leave");
    }
    Ok(())
}

/// Makes the runtime for the connections to the database; it ends after all actors.
///
/// # Errors
/// The system can start no more threads.
pub fn database_runtime() -> anyhow::Result<Runtime> {
    runtime("xm-database", || {}).context("the database's runtime could not be made")
}

/// Makes the runtime on which records are read and packed for agencies. Its threads give way to all others: on election night a ministry
/// that is given a million rows may not slow the stations' letters.
fn reading_runtime() -> anyhow::Result<Runtime> {
    let give_way = || {
        // If the niceness cannot be set, reading still works, but may slow other threads.
        if let Err(error) = rustix::process::nice(NICENESS_OF_READING) {
            tracing::debug!(%error, "a thread that reads for agencies does not give way to others");
        }
    };
    runtime("xm-reader", give_way).context("the runtime that reads for agencies could not be made")
}

/// Makes a runtime with a thread for each processor, and at least two. Each thread begins with `start`.
fn runtime(name: &str, start: impl Fn() + Send + Sync + 'static) -> std::io::Result<Runtime> {
    let threads = std::thread::available_parallelism().map_or(2, usize::from).max(2);
    Builder::new_multi_thread().worker_threads(threads).thread_name(name).on_thread_start(start).enable_all().build()
}

struct Centre<'a> {
    configuration: &'a Configuration,
    lock: FolderLock,
    keys: Arc<LoadedKeys>,
    keys_folder: PathBuf,
    database: Database,
    /// Connections of the login that reads for agencies; `None` where the centre has no such login.
    reading: Option<Database>,
    runtime: Handle,
    reading_runtime: Handle,
}

/// Metrics of the process, their registry, and the state that the HTTP server shows.
struct Shown {
    registry: Registry,
    metrics: Metrics,
    observed: Arc<Observed>,
}

impl Centre<'_> {
    async fn serve(self, shown: Shown) -> anyhow::Result<ExitCode> {
        let mut stops = Stops::new()?;
        let manager = ServiceManager::new();
        manager.begins("the database is opened");
        let Shown { registry, metrics, observed } = shown;
        let server = tokio::select! {
            server = self.prepare(&metrics) => server?,
            () = stops.told() => return Ok(ExitCode::SUCCESS),
        };
        let replica = replica::replica(self.configuration, &server.name, self.lock.process);
        tokio::select! {
            entered = self.enter(&replica) => entered?,
            () = stops.told() => return Ok(ExitCode::SUCCESS),
        }
        let carrier = tokio::select! {
            carrier = carry::open(self.configuration, &self.runtime) => carrier?,
            () = stops.told() => return Ok(ExitCode::SUCCESS),
        };
        let listening = reception::listening(self.configuration, &self.runtime)?;
        let certificates: Vec<Named> = listening.iter().filter_map(Listening::named).collect();
        let pushed = listening.into_iter().map(|one| one.source).collect();
        let parts = PipelineParts { carrier, ..self.parts(&server, replica, metrics, pushed)? };
        let housekeeper = Housekeeper { database: self.database.clone(), process: parts.replica.process };
        self.runtime.spawn(housekeeping::work_daily(housekeeper.clone(), self.configuration.own_addresses()));
        self.runtime.spawn(acts::tell(self.database.clone()));
        self.runtime.spawn(notices::tell_hourly(housekeeper.clone()));
        self.runtime.spawn(notices::tell_minutely(housekeeper));
        self.runtime.spawn(summary::tell_hourly(registry));
        let pipeline = Pipeline::start(parts);
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            server = server.name,
            mode = server.mode.as_str(),
            role = self.configuration.server.role.as_str(),
            mailboxes = self.configuration.mailboxes.len(),
            intakes = self.configuration.intakes.len(),
            https = self.configuration.https.as_ref().map(|https| https.listen.to_string()),
            folder = self.configuration.folder.as_ref().map(|folder| folder.path.display().to_string()),
            http = %self.configuration.server.http_address,
            "the centre runs"
        );
        let configuration = self.configuration;
        Ok(Surroundings { configuration, observed: &observed, certificates, manager, stops }.live(pipeline).await)
    }

    /// Starts the HTTP server of metrics and health before anything else: PostgreSQL may take minutes to recover from a crash, and `/live`
    /// must answer meanwhile.
    fn show(&self, listener: TcpListener) -> anyhow::Result<Shown> {
        let registry = Registry::new();
        let metrics = Metrics::new(&registry)?;
        let first_end = self.keys.certificates.iter().map(|(_, certificate)| certificate.validity().1).min();
        let server = &self.configuration.server;
        let kept_max = Duration::from_secs(server.metrics_kept_seconds_max);
        let observed = Arc::new(Observed::new(ObservedParts {
            registry: registry.clone(),
            metrics: metrics.clone(),
            database: Some(ObservedDatabase {
                gauges: DatabaseGauges::new((&self.database, self.reading.clone()), first_end, kept_max)?,
                keys: KeyWatch::new(Arc::clone(&self.keys), self.keys_folder.clone()),
                database: self.database.clone(),
            }),
            data_folder: server.data_folder.clone(),
            intakes: self.configuration.listens_for_mail().iter().map(|intake| intake.name.clone()).collect(),
            https: self.configuration.listens_for_posts().map(|https| https.name.clone()),
            is_embedded: self.configuration.is_embedded(),
            quarantine_bytes_max: self.configuration.limits.of_settling().stranger_bytes_of_reason(),
        })?);
        listener.set_nonblocking(true)?;
        let serving = http::serve(listener, Arc::clone(&observed));
        self.runtime.spawn(async move {
            let fault = serving.await;
            tracing::error!(fault, "metrics and health are not served any more");
        });
        Ok(Shown { registry, metrics, observed })
    }

    /// Migrates the database and reads the server's row. While the database cannot be reached, the call waits and tries again.
    async fn prepare(&self, metrics: &Metrics) -> anyhow::Result<Server> {
        let mut pause = START_PAUSE;
        loop {
            let (database, keys) = (self.database.clone(), Arc::clone(&self.keys));
            let own_addresses = self.configuration.own_addresses();
            let account = operator::account(&self.configuration.server.data_folder);
            let prepared =
                self.runtime.spawn(async move { prepared(&database, &account, &keys, &own_addresses).await }).await?;
            match prepared {
                Err(Unprepared::Away(reason)) => {
                    // The log gets one line for each outage of the database, however long the outage lasts.
                    if pause == START_PAUSE {
                        tracing::warn!(reason, "the database is away; trying again until it answers");
                    }
                    metrics.database_answers(false);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(START_PAUSE_MAX);
                }
                Err(Unprepared::Wrong(error)) => return Err(error),
                Ok(server) => return Ok(server),
            }
        }
    }

    /// Enters this process among the replicas of the centre.
    async fn enter(&self, replica: &Replica) -> anyhow::Result<()> {
        let (database, replica) = (self.database.clone(), replica.clone());
        self.runtime.spawn(async move { replica::enter(&database, &replica).await }).await?
    }

    fn parts(
        &self,
        server: &Server,
        replica: Replica,
        metrics: Metrics,
        pushed: Vec<PushedSource>,
    ) -> anyhow::Result<PipelineParts> {
        let folder = self.configuration.folder.as_ref().map(|folder| (folder, self.transfer_folder(folder)));
        let mut sources =
            self.configuration.mailboxes.iter().map(polled).collect::<anyhow::Result<Vec<PolledSource>>>()?;
        sources.extend(folder.as_ref().map(|(configured, folder)| taken(configured, folder)));
        let mut couriers: Vec<Arc<dyn Courier>> = Vec::new();
        if let Some(relay) = &self.configuration.relay {
            couriers.push(Arc::new(self.smtp(relay, server)?));
        }
        couriers.extend(folder.map(|(_, folder)| -> Arc<dyn Courier> { Arc::new(folder) }));
        let polled_max = sources.iter().map(|source| source.mail_bytes_max);
        let largest = polled_max.chain(pushed.iter().map(|source| source.mail_bytes_max)).max().unwrap_or(0);
        let mail_bytes_max = usize::try_from(largest)?;
        Ok(PipelineParts {
            tasks: DatabaseTasks { database: self.database.clone(), runtime: self.runtime.clone() },
            reading: self.reading.clone(),
            reading_runtime: self.reading_runtime.clone(),
            keys: Arc::clone(&self.keys.centre),
            signing_key: Arc::clone(&self.keys.signing),
            issuer: self.issuer()?,
            sources,
            pushed,
            carrier: None,
            couriers,
            replica,
            mail_limits: MailLimits { mail_bytes_max, ..MailLimits::default() },
            limits: self.configuration.limits.clone(),
            policy: Policy::default(),
            metrics,
        })
    }

    /// Loads the centre's authority, where its key is in the folder of keys.
    fn issuer(&self) -> anyhow::Result<Option<Arc<dyn CertificateIssuer>>> {
        let authority = Authority::load(&self.keys_folder)?;
        if authority.is_none() {
            tracing::info!(
                "the authority's key is not in the keys folder: offices go on with the certificates that they bring"
            );
        }
        Ok(authority.map(|authority| -> Arc<dyn CertificateIssuer> { Arc::new(authority) }))
    }

    fn smtp(&self, relay: &RelayConfiguration, server: &Server) -> anyhow::Result<SmtpCourier> {
        // The relay's connections run on the runtime of the database's connections, which outlives every actor.
        let _guard = self.runtime.enter();
        let open = Relay::new(&relay.smtp).context("relay")?;
        Ok(SmtpCourier { relay: Arc::new(open), address: relay.address.clone(), server_name: server.name.clone() })
    }

    fn transfer_folder(&self, folder: &FolderConfiguration) -> TransferFolder {
        let quiet = Duration::from_secs(folder.quiet_seconds);
        TransferFolder::new(&folder.path, self.runtime.clone(), quiet)
    }
}

enum Unprepared {
    Away(String),
    Wrong(anyhow::Error),
}

async fn prepared(
    database: &Database,
    account: &SystemAccount,
    keys: &LoadedKeys,
    own_addresses: &[String],
) -> Result<Server, Unprepared> {
    match database.migrate().await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "migrations were run"),
        Err(MigrateError::Fault(fault)) => return Err(fault.into()),
        Err(error) => return Err(Unprepared::Wrong(error.into())),
    }
    let mut connection = database.get().await?;
    let server = server::show(&mut connection).await?;
    keys::confirm(&mut connection, account, keys).await?;
    centre::addresses::record(&mut connection, own_addresses).await.map_err(AdministrationError::Fault)?;
    Ok(server)
}

impl From<AdministrationError> for Unprepared {
    fn from(error: AdministrationError) -> Unprepared {
        match error {
            AdministrationError::Fault(fault) => fault.into(),
            error => Unprepared::Wrong(error.into()),
        }
    }
}

impl From<Fault> for Unprepared {
    /// A refused login is a mistake in the configuration, so the program ends at once. A program that already runs tries again instead,
    /// because its password may just be changing.
    fn from(fault: Fault) -> Unprepared {
        if fault.is_passing() && !fault.is_not_admitted() {
            Unprepared::Away(fault.to_string())
        } else {
            Unprepared::Wrong(fault.into())
        }
    }
}
