//! `xmserver run`: builds the centre from its configuration, keeps it running, drains it when told to stop.
//!
//! There are three runtimes: that of the database outlives the actors, the actors' system carries the actors, and the main thread waits for
//! signals. A first SIGTERM, SIGINT or SIGHUP drains, a second one stops at once. In both cases no letter is lost, because a letter that
//! is not settled is still in its mailbox.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use actors::courier::Courier;
use actors::courier::smtp::SmtpCourier;
use actors::database_tasks::DatabaseTasks;
use actors::metrics::Metrics;
use actors::pipeline::{Pipeline, PipelineParts, PolledSource};
use actors::supervision::Policy;
use actors::transfer_folder::TransferFolder;
use actors::transport::NoContainer;
use anyhow::{Context, bail};
use mail::extract::MailLimits;
use mail::pop3::Mailbox;
use mail::smtp::Relay;
use prometheus::Registry;
use store::centre;
use store::centre::server::{self, Server};
use store::certificates::issuer::CertificateIssuer;
use store::database::fault::Fault;
use store::database::{Database, MigrateError};
use store::error::AdministrationError;
use store::letters::outbox;
use store::people::SystemAccount;
use store::reading::staging;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::configuration::{Configuration, FolderConfiguration, MailboxConfiguration, RelayConfiguration};
use crate::database::{self, OpenDatabase, Purpose};
use crate::failure::Exit;
use crate::folder::{DataFolder, FolderLock};
use crate::gauges::DatabaseGauges;
use crate::http::{self, Observed, ObservedParts};
use crate::issuer::Authority;
use crate::keys::{self, LoadedKeys};
use crate::ready::key_watch::KeyWatch;
use crate::{acts, notices, operator, summary};

/// First and longest pause between two tries to reach the database at the start.
const START_PAUSE: Duration = Duration::from_secs(1);
const START_PAUSE_MAX: Duration = Duration::from_secs(15);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Partitions are made for so many months ahead.
const MONTHS_AHEAD: i32 = 2;
/// Longest wait for the lock of the data folder: the former program may be ending, or another may look at the folder for a moment.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// Pause between two looks at whether mail is taken.
const READINESS_INTERVAL: Duration = Duration::from_millis(200);

/// Runs the centre until it is told to stop. Returns the exit code: 0 after a stop, 70 after an escalation.
///
/// # Errors
/// What keeps the centre from starting, in one sentence.
pub fn run(configuration: &Configuration) -> anyhow::Result<ExitCode> {
    sdc::keys::check_openssl_version()?;
    if !configuration.no_keys.is_empty() {
        let variables = configuration.no_keys.join(", ");
        tracing::warn!(
            variables,
            "these environment variables are no keys: a key's name has two underscores between its levels"
        );
    }
    let folder = DataFolder::of(configuration)?;
    database::require_made(configuration)?;
    required(configuration)?;
    let lock = folder.lock_within(LOCK_PATIENCE)?;
    let keys = keys::load(&folder.keys())?;
    let listener = TcpListener::bind(configuration.server.http_address)
        .with_context(|| format!("server.http_address: cannot listen on {}", configuration.server.http_address))?;
    let runtime = database_runtime()?;
    let database = database::connect(configuration)?;
    let centre = Centre {
        configuration,
        lock,
        keys: Arc::new(keys),
        keys_folder: folder.keys(),
        database: database.clone(),
        runtime: runtime.handle().clone(),
    };
    let shown = centre.show(listener)?;
    let open = runtime.block_on(OpenDatabase::open_beside(database, configuration, Purpose::Serve))?;
    let keeper = open.keep(runtime.handle());
    let code = actix_rt::System::new().block_on(centre.serve(shown));
    runtime.block_on(keeper.close());
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}

/// Refuses a configuration without what only `run` needs.
fn required(configuration: &Configuration) -> anyhow::Result<()> {
    if configuration.mailboxes.is_empty() && configuration.folder.is_none() {
        bail!("no mailbox is configured: add a [[mailbox]] or a [folder] to the configuration, or no letter can come");
    }
    if !configuration.mailboxes.is_empty() && configuration.relay.is_none() {
        bail!("no relay is configured: add [relay] to the configuration, or no answer can leave");
    }
    Ok(())
}

/// Makes the runtime that carries the database's connections, and outlives every actor.
///
/// # Errors
/// The system has no threads left.
pub fn database_runtime() -> anyhow::Result<Runtime> {
    let threads = std::thread::available_parallelism().map_or(2, usize::from).max(2);
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("xm-database")
        .enable_all()
        .build()
        .context("the database's runtime could not be made")
}

struct Centre<'a> {
    configuration: &'a Configuration,
    lock: FolderLock,
    keys: Arc<LoadedKeys>,
    keys_folder: PathBuf,
    database: Database,
    runtime: Handle,
}

/// What the process shows of itself, and what serves it.
struct Shown {
    registry: Registry,
    metrics: Metrics,
    observed: Arc<Observed>,
}

impl Centre<'_> {
    async fn serve(self, shown: Shown) -> anyhow::Result<ExitCode> {
        let mut stops = Stops::new()?;
        let Shown { registry, metrics, observed } = shown;
        let server = tokio::select! {
            server = self.prepare(&metrics) => server?,
            () = stops.told() => return Ok(ExitCode::SUCCESS),
        };
        let parts = self.parts(&server, metrics)?;
        self.keep_partitions();
        self.runtime.spawn(acts::tell(self.database.clone()));
        self.runtime.spawn(notices::tell_hourly(self.database.clone()));
        self.runtime.spawn(notices::tell_minutely(self.database.clone()));
        self.runtime.spawn(summary::tell_hourly(registry));
        let mut pipeline = Pipeline::start(parts);
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            server = server.name,
            mode = server.mode.as_str(),
            mailboxes = self.configuration.mailboxes.len(),
            folder = self.configuration.folder.as_ref().map(|folder| folder.path.display().to_string()),
            http = %self.configuration.server.http_address,
            "the centre runs"
        );
        let mut looks = tokio::time::interval(READINESS_INTERVAL);
        loop {
            tokio::select! {
                _ = looks.tick() => observed.set_taking_mail(pipeline.is_taking_mail()),
                escalation = pipeline.escalation() => {
                    let reason = escalation.map_or_else(|| "its supervisors are gone".to_owned(), |it| it.to_string());
                    tracing::error!("the centre stops, to be started again: {reason}");
                    return Ok(Exit::Escalated.into());
                }
                () = stops.told() => break,
            }
        }
        observed.set_draining();
        self.drain(pipeline, &mut stops).await;
        Ok(ExitCode::SUCCESS)
    }

    /// Serves what the process shows of itself, from the first moment on: a PostgreSQL that recovers from a crash may take minutes to
    /// start, and whether the process lives must be answered meanwhile.
    fn show(&self, listener: TcpListener) -> anyhow::Result<Shown> {
        let registry = Registry::new();
        let metrics = Metrics::new(&registry)?;
        let first_end = self.keys.certificates.iter().map(|(_, certificate)| certificate.validity().1).min();
        let server = &self.configuration.server;
        let kept_max = Duration::from_secs(server.metrics_kept_seconds_max);
        let observed = Arc::new(Observed::new(ObservedParts {
            registry: registry.clone(),
            metrics: metrics.clone(),
            database: self.database.clone(),
            gauges: DatabaseGauges::new(&self.database, first_end, kept_max)?,
            keys: KeyWatch::new(Arc::clone(&self.keys), self.keys_folder.clone()),
            data_folder: server.data_folder.clone(),
            is_embedded: self.configuration.is_embedded(),
            quarantine_bytes_max: self.configuration.limits.of_settling().stranger_bytes_of_reason(),
        })?);
        listener.set_nonblocking(true)?;
        let _guard = self.runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        self.runtime.spawn(http::serve(listener, Arc::clone(&observed)));
        Ok(Shown { registry, metrics, observed })
    }

    /// Brings the database up to this program, waiting for as long as it is away.
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
                    // One line for each time that the database is away, however long.
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

    fn parts(&self, server: &Server, metrics: Metrics) -> anyhow::Result<PipelineParts> {
        let folder = self.configuration.folder.as_ref().map(|folder| (folder, self.transfer_folder(folder)));
        let mut sources =
            self.configuration.mailboxes.iter().map(polled).collect::<anyhow::Result<Vec<PolledSource>>>()?;
        sources.extend(folder.as_ref().map(|(configured, folder)| taken(configured, folder)));
        let mut couriers: Vec<Arc<dyn Courier>> = Vec::new();
        if let Some(relay) = &self.configuration.relay {
            couriers.push(Arc::new(self.smtp(relay, server)?));
        }
        couriers.extend(folder.map(|(_, folder)| -> Arc<dyn Courier> { Arc::new(folder) }));
        let largest = sources.iter().map(|source| source.mail_bytes_max).max().unwrap_or(0);
        let mail_bytes_max = usize::try_from(largest)?;
        Ok(PipelineParts {
            tasks: DatabaseTasks { database: self.database.clone(), runtime: self.runtime.clone() },
            reading: database::connect_reader(self.configuration)?,
            keys: Arc::clone(&self.keys.centre),
            signing_key: Arc::clone(&self.keys.signing),
            issuer: self.issuer()?,
            sources,
            pushed: Vec::new(),
            couriers,
            process: self.lock.process,
            mail_limits: MailLimits { mail_bytes_max, ..MailLimits::default() },
            limits: self.configuration.limits.clone(),
            policy: Policy::default(),
            metrics,
        })
    }

    /// Takes the authority's key, where it is here.
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
        // The relay's connections live on the runtime of the database's.
        let _guard = self.runtime.enter();
        let open = Relay::new(&relay.smtp).context("relay")?;
        Ok(SmtpCourier { relay: Arc::new(open), address: relay.address.clone(), server_name: server.name.clone() })
    }

    fn transfer_folder(&self, folder: &FolderConfiguration) -> TransferFolder {
        let quiet = Duration::from_secs(folder.quiet_seconds);
        TransferFolder::new(&folder.path, self.runtime.clone(), quiet)
    }

    /// Every day: makes the partitions of the coming months, writes down the centre's own addresses, and forgets old parts of answers.
    fn keep_partitions(&self) {
        let database = self.database.clone();
        let own_addresses = self.configuration.own_addresses();
        self.runtime.spawn(async move {
            loop {
                tokio::time::sleep(DAY).await;
                if let Err(fault) = recorded(&database, &own_addresses).await {
                    tracing::warn!(%fault, "the centre's own addresses could not be written down; trying again tomorrow");
                }
                if let Err(fault) = database.ensure_partitions(MONTHS_AHEAD).await {
                    tracing::warn!(%fault, "the coming months' partitions could not be made; trying again tomorrow");
                }
                if let Err(fault) = forgotten(&database).await {
                    tracing::warn!(%fault, "old parts of answers could not be forgotten; trying again tomorrow");
                }
            }
        });
    }

    async fn drain(&self, pipeline: Pipeline, stops: &mut Stops) {
        let deadline = Duration::from_secs(self.configuration.server.shutdown_seconds_max);
        tracing::info!(mails_in_hand = pipeline.mails_in_hand(), "stopping: no more mail is fetched");
        tokio::select! {
            came_back = pipeline.drain(deadline) => match came_back {
                true => tracing::info!("stopped: everything in hand was settled"),
                false => tracing::warn!("stopped at the deadline: what was not settled is in its mailbox still"),
            },
            () = stops.told() => tracing::warn!("stopped at once: what was not settled is in its mailbox still"),
        }
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
    /// A program that the database does not admit is misconfigured, and ends at once. (A program that runs already goes on trying: its
    /// password may be in the midst of a change.)
    fn from(fault: Fault) -> Unprepared {
        if fault.is_passing() && !fault.is_not_admitted() {
            Unprepared::Away(fault.to_string())
        } else {
            Unprepared::Wrong(fault.into())
        }
    }
}

async fn recorded(database: &Database, own_addresses: &[String]) -> Result<(), Fault> {
    centre::addresses::record(&mut *database.get().await?, own_addresses).await
}

async fn forgotten(database: &Database) -> Result<usize, Fault> {
    let mut connection = database.get().await?;
    Ok(outbox::forget_parts(&mut connection).await? + staging::forget(&mut connection).await?)
}

fn polled(mailbox: &MailboxConfiguration) -> anyhow::Result<PolledSource> {
    let open = Mailbox::new(mailbox.pop3.clone()).with_context(|| format!("mailbox {}", mailbox.name))?;
    Ok(PolledSource {
        name: mailbox.name.clone(),
        transport: Arc::new(open),
        mail_bytes_max: mailbox.pop3.mail_size_max_bytes,
        no_container: mailbox.no_container,
        interval: Duration::from_secs(mailbox.poll_interval_seconds),
    })
}

/// Makes the transfer folder's `in` a source. A file with a letter's name is a document, whatever it holds, so the rule for mail without a
/// container is never used.
fn taken(configured: &FolderConfiguration, folder: &TransferFolder) -> PolledSource {
    PolledSource {
        name: configured.name.clone(),
        transport: Arc::new(folder.clone()),
        mail_bytes_max: configured.file_size_max_bytes,
        no_container: NoContainer::Quarantine,
        interval: Duration::from_secs(configured.poll_interval_seconds),
    }
}

/// The signals that ask for a stop.
struct Stops {
    terminate: Signal,
    interrupt: Signal,
    /// A terminal that is closed, or a service manager that reloads; absent where the program was started with SIGHUP ignored (`nohup`).
    hangup: Option<Signal>,
}

impl Stops {
    fn new() -> anyhow::Result<Stops> {
        let listen = |kind| signal(kind).context("signals cannot be received");
        let hangup = if ignores_hangup() { None } else { Some(listen(SignalKind::hangup())?) };
        Ok(Stops { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())?, hangup })
    }

    /// Waits for the next one.
    async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            Some(_) = async { self.hangup.as_mut()?.recv().await } => {}
        }
    }
}

/// Says whether the program was started with SIGHUP ignored: bit 0 of the mask that proc(5) tells.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
