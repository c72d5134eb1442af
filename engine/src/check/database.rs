//! Findings of `check` about the content of the database: the server that it belongs to, the adopted tables, and the agencies that can
//! send.

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use sdc::request::Request;
use sdc::service::Service;
use store::centre::{self, server};
use store::database::{Archiving, Database, Standbys};
use store::error::AdministrationError;
use store::ledger::tariffs;
use store::people::{Privilege, users};
use store::{agencies, tables};

use super::findings::{Findings, Verdict};
use super::reading;
use crate::clock::Clock;
use crate::database::OpenDatabase;
use crate::keys::LoadedKeys;
use crate::{failure, words_of_errors, words_of_problems};

/// Returns the clock of the centre's zone, which the database records; the clock of UTC where the database does not answer.
pub async fn clock(open: &OpenDatabase) -> Clock {
    let Ok(mut connection) = open.database.get().await else { return Clock::UTC };
    let Ok(server) = server::show(&mut connection).await else { return Clock::UTC };
    Clock::of(&server.zone).unwrap_or(Clock::UTC)
}

/// Checks the database and its content, and adds the findings.
///
/// `shared_user` is the operating-system user of a private PostgreSQL, if other programs run as that user too. `reader` is the login that
/// reads for agencies, if the configuration names one.
pub async fn database(
    open: &OpenDatabase,
    (shared_user, reader): (Option<String>, Option<Database>),
    keys: Option<&LoadedKeys>,
    clock: Clock,
    findings: &mut Findings,
) {
    let database = &open.database;
    let report = match database.report().await {
        Ok(report) => report,
        Err(fault) => return findings.add(Verdict::Fail, "database", fault.to_string()),
    };
    findings.judge("database", Verdict::Fail, report.problems(), format!("PostgreSQL {}", report.version));
    for advice in report.advice() {
        findings.add(Verdict::Warn, "database", advice);
    }
    if database.hosts() > 1
        && let Some(text) = standbys(database).await
    {
        findings.add(Verdict::Warn, "standbys", text);
    }
    if let Some(user) = shared_user {
        let text = format!(
            "the private PostgreSQL runs as {user}, as other programs may: whoever can become {user} can read the records; \
             make a system user before `init` (useradd --system --no-create-home xmserver)"
        );
        findings.add(Verdict::Warn, "database", text);
    }
    match database.archiving().await {
        Ok(archiving) => {
            let (verdict, text) = backup(&archiving, clock);
            findings.add(verdict, "backup", text);
        }
        Err(fault) => findings.add(Verdict::Warn, "backup", fault.to_string()),
    }
    if let Err(error) = database.require_current_schema().await {
        return findings.add(Verdict::Fail, "database", error.to_string());
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
        Err(error) => return findings.add(Verdict::Fail, "server", words_of_errors::in_utc(&error)),
    }
    if let Err(error) = people(&mut connection, findings).await {
        findings.add(Verdict::Fail, "people", words_of_errors::in_utc(&error));
    }
    if let Some(keys) = keys
        && let Err(error) = own(&mut connection, keys, findings).await
    {
        findings.add(Verdict::Fail, "centre's keys", failure::sentence(&error));
    }
    if let Err(error) = adopted(&mut connection, findings).await {
        findings.add(Verdict::Fail, "tables", failure::sentence(&error));
    }
    if let Err(fault) = reading::reading(&mut connection, reader, findings).await {
        findings.add(Verdict::Fail, "reading", fault.to_string());
    }
    if let Err(error) = agencies(&mut connection, findings).await {
        findings.add(Verdict::Fail, "agencies", failure::sentence(&error));
    }
}

/// Reports how many users can sign in, and warns where fewer than two of them have privilege 3, since some acts need two people.
async fn people(connection: &mut AsyncPgConnection, findings: &mut Findings) -> Result<(), AdministrationError> {
    let users = users::list(connection).await?;
    let signing_in: Vec<_> = users.iter().filter(|user| user.can_sign_in()).collect();
    let superviseur = Privilege::Superviseur.number();
    let superviseurs = signing_in.iter().filter(|user| user.privilege == superviseur).count();
    let (verdict, text) = match (signing_in.len(), superviseurs) {
        (0, _) => {
            let first = users.iter().find(|user| user.privilege == superviseur);
            let name = first.map_or("USER", |user| user.name.as_str());
            let text = format!(
                "no account is a user's yet, so no command works: `xmserver user map {name}` makes the one that runs it the first"
            );
            (Verdict::Warn, text)
        }
        (_, 0 | 1) => {
            let text = "one user of privilege 3 can sign in, so nobody confirms what needs two: \
                        `xmserver user add NAME --privilege 3 --account ACCOUNT`";
            (Verdict::Warn, text.to_owned())
        }
        (users, superviseurs) => (Verdict::Ok, format!("{users} users can sign in, {superviseurs} of privilege 3")),
    };
    findings.add(verdict, "people", text);
    Ok(())
}

/// Returns a warning where a database of several hosts may lose commits when its primary fails, because no standby has them for sure.
async fn standbys(database: &Database) -> Option<String> {
    match database.standbys().await {
        Ok(Standbys::Synchronous(0)) => Some(
            "several hosts are configured, and no commit waits for a standby: a failover loses letters that were answered; \
             set synchronous_standby_names on the primary"
                .to_owned(),
        ),
        Ok(Standbys::Synchronous(_)) => None,
        Ok(Standbys::Hidden) => Some(
            "several hosts are configured, and this login may not see whether commits wait for a standby: \
             GRANT pg_read_all_stats to it"
                .to_owned(),
        ),
        Err(fault) => Some(fault.to_string()),
    }
}

/// Reports the state of WAL archiving. Other tools copy the database, so the archive is all that the program can see of backups.
fn backup(archiving: &Archiving, clock: Clock) -> (Verdict, String) {
    let Archiving { is_on, archived_at, failed_at, failures } = archiving;
    let shown = |time: &DateTime<Utc>| clock.time(*time);
    match (archived_at, failed_at) {
        _ if !is_on => {
            let text = "none is known: the database archives no WAL, so what is newer than the last copy is lost with its disk; \
                        OPERATIONS.md, Backup, says what to copy";
            (Verdict::Warn, text.to_owned())
        }
        (archived, Some(failed)) if archived.is_none_or(|archived| archived < *failed) => {
            let text = format!(
                "WAL is not archived: archive_command failed {failures} times, last on {}, and has succeeded {}; its words are in \
                 PostgreSQL's log",
                shown(failed),
                archived.as_ref().map_or_else(|| "never".to_owned(), |time| format!("last on {}", shown(time)))
            );
            (Verdict::Warn, text)
        }
        (None, _) => (Verdict::Warn, "archive_mode is on, and no WAL was archived yet".to_owned()),
        (Some(archived), _) => (
            Verdict::Ok,
            format!("WAL is archived, last on {}; whether a base backup goes with it, its tool tells", shown(archived)),
        ),
    }
}

/// Compares the keys of the data folder with those that the database records, and reports agencies that have a key or an e-mail address
/// of the centre.
async fn own(connection: &mut AsyncPgConnection, keys: &LoadedKeys, findings: &mut Findings) -> anyhow::Result<()> {
    let recorded =
        if centre::keys::is_before(connection).await? { Vec::new() } else { centre::keys::list(connection).await? };
    if recorded.is_empty() {
        let text =
            "the database does not know its centre's keys yet: the next `xmserver run` or `init` has it take these";
        findings.add(Verdict::Warn, "centre's keys", text);
        return Ok(());
    }
    let problems = centre::keys::compare(&recorded, &keys.known_as).err().map(|error| words_of_errors::in_utc(&error));
    let well = format!("{} known to the database, all at hand and no others", recorded.len());
    findings.judge("centre's keys", Verdict::Fail, problems.into_iter().collect(), well);
    for one in centre::keys::registered_for_agencies(connection).await? {
        let text = format!(
            "the centre's own key is registered for it: `xmserver cert revoke \"#{}\" --reason \"key of the centre\"`",
            one.id
        );
        findings.add(Verdict::Fail, format!("agency {}", one.agency), text);
    }
    for (agency, address) in centre::addresses::given_to_agencies(connection).await? {
        let text =
            format!("{address} is the centre's own address: its answers come back as letters; give it another one");
        findings.add(Verdict::Fail, format!("agency {agency}"), text);
    }
    Ok(())
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
        .flat_map(|drift| {
            drift.problems.iter().map(|problem| format!("{}: {}", drift.table, words_of_problems::sentence(problem)))
        })
        .collect();
    let well = match adopted.len() {
        1 => "1 adopted, as it was adopted".to_owned(),
        count => format!("{count} adopted, as they were adopted"),
    };
    findings.judge("tables", Verdict::Fail, problems, well);

    let now = Utc::now();
    let priced: Vec<_> =
        tariffs::list(connection, false).await?.into_iter().filter(|one| one.valid_from <= now).collect();
    let free: Vec<&str> = Service::priced()
        .filter(|service| Request::OFFERED.contains(service))
        .map(Service::name)
        .filter(|service| !priced.iter().any(|tariff| tariff.service == *service))
        .collect();
    let mut problems = match free.as_slice() {
        [] => Vec::new(),
        free => vec![format!("no tariff, so free: {}; `xmserver tariff set` sets a price", free.join(", "))],
    };
    let unknown = priced.iter().filter(|tariff| tariff.service.parse::<Service>().is_err());
    problems.extend(unknown.map(|tariff| {
        format!(
            "tariff {} is for {:?}, which is no service of this program: it prices nothing",
            tariff.id, tariff.service
        )
    }));
    findings.judge("tariffs", Verdict::Warn, problems, "every service that has a price and is offered has one");
    Ok(())
}

/// Reports agencies that are not suspended, but whose letters are all refused, and the cause of each.
async fn agencies(connection: &mut AsyncPgConnection, findings: &mut Findings) -> anyhow::Result<()> {
    let unheard = agencies::unheard(connection).await?;
    let mut problems = Vec::new();
    if unheard.agencies == 0 {
        problems
            .push("none is there that is not suspended, so every letter is refused: `xmserver agency add`".to_owned());
    }
    match unheard.without_certificate {
        0 => {}
        1 => problems
            .push("1 has no valid certificate, so nobody answers its letters: `xmserver cert register`".to_owned()),
        count => problems.push(format!(
            "{count} have no valid certificate, so nobody answers their letters: `xmserver cert register`"
        )),
    }
    match unheard.without_grant {
        0 => {}
        1 => problems.push(
            "1 is granted no code of any scope, so its records are out of scope: `xmserver agency grant`".to_owned(),
        ),
        count => problems.push(format!(
            "{count} are granted no code of any scope, so their records are out of scope: `xmserver agency grant`"
        )),
    }
    match unheard.without_address {
        0 => {}
        1 => problems.push(
            "1 writes by mail and has no e-mail address, so its answers are given up: `xmserver agency edit`"
                .to_owned(),
        ),
        count => problems.push(format!(
            "{count} write by mail and have no e-mail address, so their answers are given up: `xmserver agency edit`"
        )),
    }
    let well = match unheard.agencies {
        1 => "1 not suspended, with a certificate and a code of some scope".to_owned(),
        count => format!("{count} not suspended, each with a certificate and a code of some scope"),
    };
    findings.judge("agencies", Verdict::Warn, problems, well);
    Ok(())
}

#[cfg(test)]
mod tests {
    use store::testing::TestCluster;

    use super::*;

    #[test]
    fn what_is_known_of_backups_is_told() {
        let time = |text: &str| Some(text.parse().unwrap());
        let (noon, later) = (time("2026-11-28T12:00:00Z"), time("2026-11-28T13:00:00Z"));
        let told = |is_on, archived_at, failed_at| {
            backup(&Archiving { is_on, archived_at, failed_at, failures: 7 }, Clock::of("Africa/Douala").unwrap())
        };
        for (archiving, verdict, words) in [
            (told(false, None, None), Verdict::Warn, "none is known"),
            (told(true, None, None), Verdict::Warn, "yet"),
            (
                told(true, None, noon),
                Verdict::Warn,
                "failed 7 times, last on 2026-11-28 13:00:00 WAT, and has succeeded never",
            ),
            (told(true, noon, later), Verdict::Warn, "succeeded last on 2026-11-28 13:00:00 WAT"),
            (told(true, later, noon), Verdict::Ok, "last on 2026-11-28 14:00:00 WAT"),
            (told(true, noon, None), Verdict::Ok, "last on 2026-11-28 13:00:00 WAT"),
        ] {
            assert!(archiving.0 == verdict && archiving.1.contains(words), "{archiving:?}: {words}");
        }
    }

    #[tokio::test]
    async fn a_database_without_an_archive_is_known_as_one() {
        let database = TestCluster::shared().await.database().await;
        let archiving = database.archiving().await.unwrap();
        assert_eq!((archiving.is_on, backup(&archiving, Clock::UTC).0), (false, Verdict::Warn));
    }
}
