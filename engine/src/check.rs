//! `xmserver check`: looks at everything that the centre needs. Each line says ok, warn or fail, and what to do.

use std::process::ExitCode;

use chrono::{Days, Utc};
use clap::Args;
use diesel_async::AsyncPgConnection;
use serde::Serialize;
use store::administration::{centre_addresses, centre_keys, server, tables, tariffs};
use store::database::Database;

use crate::configuration::Configuration;
use crate::database::{OpenDatabase, Purpose};
use crate::folder::{DataFolder, exposure};
use crate::keys::{self, LoadedKeys};
use crate::reach::reach;
use crate::show;

/// Days before the end of a certificate of the centre's own from which on it is told.
const EXPIRY_DAYS: u64 = 60;

/// How to check.
#[derive(Args, Clone, Debug)]
pub struct CheckArguments {
    /// Also reach out to every mailbox and the relay
    #[arg(long)]
    online: bool,
}

/// How well a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All is well.
    Ok,
    /// Worth a change; the centre works.
    Warn,
    /// The centre does not work, or breaks a promise.
    Fail,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How well it is.
    pub verdict: Verdict,
    /// What was looked at.
    pub subject: String,
    /// What was found, and what to do.
    pub text: String,
}

/// Lines in the order in which they were found.
#[derive(Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, verdict: Verdict, subject: impl Into<String>, text: impl Into<String>) {
        self.0.push(Finding { verdict, subject: subject.into(), text: text.into() });
    }

    /// Adds a line of what failed, or one that all is well.
    fn judge(&mut self, subject: &str, verdict: Verdict, problems: Vec<String>, well: impl Into<String>) {
        if problems.is_empty() {
            self.add(Verdict::Ok, subject, well);
        }
        for problem in problems {
            self.add(verdict, subject, problem);
        }
    }

    fn has_failed(&self) -> bool {
        self.0.iter().any(|finding| finding.verdict == Verdict::Fail)
    }
}

/// Checks everything and tells it, as JSON for programs. The exit code is 1 where something fails.
///
/// # Errors
/// Standard output cannot be written.
pub async fn check(configuration: &Configuration, arguments: &CheckArguments, json: bool) -> anyhow::Result<ExitCode> {
    let mut findings = Findings::default();
    configured(configuration, &mut findings);
    libraries(&mut findings);
    let keys = secrets(configuration, &mut findings);
    match OpenDatabase::open(configuration, Purpose::Command).await {
        Ok(open) => {
            database(&open.database, keys.as_ref(), &mut findings).await;
            open.close().await;
        }
        Err(error) => findings.add(Verdict::Fail, "database", format!("{error:#}")),
    }
    if arguments.online {
        for reached in reach(configuration, None).await {
            match reached.failure {
                None => findings.add(Verdict::Ok, format!("reach {}", reached.subject), "every step passed"),
                Some(failure) => findings.add(Verdict::Fail, format!("reach {}", reached.subject), failure.message),
            }
        }
    }
    tell(&findings, json)?;
    Ok(if findings.has_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn tell(findings: &Findings, json: bool) -> anyhow::Result<()> {
    if json {
        return show::json(&findings.0);
    }
    let width = findings.0.iter().map(|finding| finding.subject.chars().count()).max().unwrap_or(0);
    let line = |finding: &Finding| {
        let word = match finding.verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        };
        format!("{word:<4}  {:<width$}  {}\n", finding.subject, finding.text)
    };
    show::text(&findings.0.iter().map(line).collect::<String>())
}

fn configured(configuration: &Configuration, findings: &mut Findings) {
    let file = configuration
        .file
        .as_ref()
        .map_or_else(|| "no file: defaults and environment".to_owned(), |file| file.display().to_string());
    findings.add(Verdict::Ok, "configuration", file);
    if !configuration.no_keys.is_empty() {
        let text = format!(
            "no keys of the configuration, though they look like some: {}; a key has two underscores between its levels, as in \
             XMSERVER_SERVER__LOG_LEVEL",
            configuration.no_keys.join(", ")
        );
        findings.add(Verdict::Warn, "environment", text);
    }
    if configuration.mailboxes.is_empty() {
        findings.add(Verdict::Fail, "mailboxes", "none is configured: add a [[mailbox]] to the configuration file");
    }
    for mailbox in &configuration.mailboxes {
        let problems = mailbox.pop3.credential().err().map(|error| error.problems).unwrap_or_default();
        let well = format!("{} as {}", mailbox.pop3.host, mailbox.pop3.username);
        findings.judge(&format!("mailbox {}", mailbox.name), Verdict::Fail, problems, well);
    }
    match &configuration.relay {
        None => findings.add(Verdict::Fail, "relay", "none is configured: add [relay], or no answer can leave"),
        Some(relay) => {
            let problems = relay.smtp.credential().err().map(|error| error.problems).unwrap_or_default();
            findings.judge("relay", Verdict::Fail, problems, format!("{} as {}", relay.smtp.host, relay.address));
        }
    }
    if !configuration.server.http_address.ip().is_loopback() {
        let text = format!(
            "{} is open to other machines and has no sign-in: let only the monitoring reach it",
            configuration.server.http_address
        );
        findings.add(Verdict::Warn, "http", text);
    }
}

fn libraries(findings: &mut Findings) {
    match sdc::keys::check_openssl_version() {
        Ok(()) => findings.add(Verdict::Ok, "OpenSSL", openssl::version::version()),
        Err(error) => findings.add(Verdict::Fail, "OpenSSL", error.to_string()),
    }
}

/// Looks at the data folder and what is secret. Returns the keys where they can be loaded.
fn secrets(configuration: &Configuration, findings: &mut Findings) -> Option<LoadedKeys> {
    let folder = match DataFolder::open(&configuration.server.data_folder) {
        Ok(folder) => folder,
        Err(error) => {
            findings.add(Verdict::Fail, "data folder", error.to_string());
            return None;
        }
    };
    let exposed: Vec<String> = exposure(folder.path(), 0o711).into_iter().collect();
    findings.judge("data folder", Verdict::Warn, exposed, folder.path().display().to_string());
    let mut exposed: Vec<String> = exposure(&folder.keys(), 0o700).into_iter().collect();
    if let Ok(entries) = std::fs::read_dir(folder.keys()) {
        let keys =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|it| it == "key"));
        exposed.extend(keys.filter_map(|path| exposure(&path, 0o600)));
    }
    let mailboxes =
        configuration.mailboxes.iter().flat_map(|one| [&one.pop3.password_file, &one.pop3.oauth_token_file]);
    let relays = configuration.relay.iter().flat_map(|one| [&one.smtp.password_file, &one.smtp.oauth_token_file]);
    let files = mailboxes.chain(relays).chain([&configuration.database.url_file]).flatten();
    exposed.extend(files.filter_map(|path| exposure(path, 0o640)));
    let loaded = match keys::load(&folder.keys()) {
        Ok(loaded) => loaded,
        Err(error) => {
            findings.add(Verdict::Fail, "keys", error.to_string());
            return None;
        }
    };
    findings.judge("keys", Verdict::Fail, exposed, folder.keys().display().to_string());
    let now = Utc::now();
    for (path, certificate) in &loaded.certificates {
        let (begin, end) = certificate.validity();
        let verdict = if end < now || now < begin {
            Verdict::Fail
        } else if end < now + Days::new(EXPIRY_DAYS) {
            Verdict::Warn
        } else {
            Verdict::Ok
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = format!("{}, valid from {} to {}", certificate.algorithm(), begin.date_naive(), end.date_naive());
        findings.add(verdict, name, text);
    }
    Some(loaded)
}

/// Holds the keys at hand against those that the database knows, and looks for agencies that have what is the centre's own.
async fn own(connection: &mut AsyncPgConnection, keys: &LoadedKeys, findings: &mut Findings) -> anyhow::Result<()> {
    let recorded =
        if centre_keys::is_before(connection).await? { Vec::new() } else { centre_keys::list(connection).await? };
    if recorded.is_empty() {
        let text =
            "the database does not know its centre's keys yet: the next `xmserver run` or `init` has it take these";
        findings.add(Verdict::Warn, "centre's keys", text);
        return Ok(());
    }
    let problems = centre_keys::compare(&recorded, &keys.known_as).err().map(|error| error.to_string());
    let well = format!("{} known to the database, all at hand and no others", recorded.len());
    findings.judge("centre's keys", Verdict::Fail, problems.into_iter().collect(), well);
    for one in centre_keys::registered_for_agencies(connection).await? {
        let text = format!(
            "the centre's own key is registered for it: `xmserver cert revoke {} --reason \"key of the centre\"`",
            one.id
        );
        findings.add(Verdict::Fail, format!("agency {}", show::matricule(one.agency)), text);
    }
    for (agency, address) in centre_addresses::given_to_agencies(connection).await? {
        let text =
            format!("{address} is the centre's own address: its answers come back as letters; give it another one");
        findings.add(Verdict::Fail, format!("agency {}", show::matricule(agency)), text);
    }
    Ok(())
}

async fn database(database: &Database, keys: Option<&LoadedKeys>, findings: &mut Findings) {
    let report = match database.report().await {
        Ok(report) => report,
        Err(fault) => return findings.add(Verdict::Fail, "database", fault.to_string()),
    };
    findings.judge("database", Verdict::Fail, report.problems(), format!("PostgreSQL {}", report.version));
    for advice in report.advice() {
        findings.add(Verdict::Warn, "database", advice);
    }
    let mut connection = match database.get().await {
        Ok(connection) => connection,
        Err(fault) => return findings.add(Verdict::Fail, "database", fault.to_string()),
    };
    match server::show(&mut connection).await {
        Ok(server) => {
            let text = format!("{}, mode {}, currency {}", server.name, server.mode, server.currency);
            findings.add(Verdict::Ok, "server", text);
        }
        Err(error) => return findings.add(Verdict::Fail, "server", error.to_string()),
    }
    if let Some(keys) = keys
        && let Err(error) = own(&mut connection, keys, findings).await
    {
        findings.add(Verdict::Fail, "centre's keys", error.to_string());
    }
    if let Err(error) = adopted(&mut connection, findings).await {
        findings.add(Verdict::Fail, "tables", error.to_string());
    }
}

async fn adopted(connection: &mut AsyncPgConnection, findings: &mut Findings) -> anyhow::Result<()> {
    let adopted = tables::list(connection).await?;
    if adopted.is_empty() {
        findings.add(
            Verdict::Warn,
            "tables",
            "none is adopted, so every letter is refused: `xmserver table adopt FILE`",
        );
        return Ok(());
    }
    let drifts = tables::check(connection).await?;
    let problems = drifts
        .iter()
        .flat_map(|drift| drift.problems.iter().map(|problem| format!("{}: {problem}", drift.table)))
        .collect();
    findings.judge("tables", Verdict::Fail, problems, format!("{} adopted, as they were adopted", adopted.len()));

    let now = Utc::now();
    let priced: Vec<_> =
        tariffs::list(connection, false).await?.into_iter().filter(|one| one.valid_from <= now).collect();
    let free: Vec<&str> = tariffs::PRICED_SERVICES
        .into_iter()
        .filter(|service| !priced.iter().any(|tariff| tariff.service == *service))
        .collect();
    let problems = match free.as_slice() {
        [] => Vec::new(),
        free => vec![format!("no tariff, so free: {}; `xmserver tariff set` sets a price", free.join(", "))],
    };
    findings.judge("tariffs", Verdict::Warn, problems, "every priced service has one");
    Ok(())
}
