//! Findings of `check` about the configuration and the machine: mailboxes, transfer folder, relay, libraries, disk, address, passwords and
//! keys.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;

use actors::transfer_folder::{self, LOOK_PATIENCE, Trouble};
use chrono::{Days, Utc};
use mail::intake::Listener;

use super::findings::{Findings, Verdict};
use crate::clock::Clock;
use crate::configuration::{Configuration, FolderConfiguration};
use crate::disk;
use crate::folder::{DataFolder, exposure};
use crate::keys::{self, LoadedKeys};
use crate::ready::FREE_BYTES_MIN;

/// Number of days before the end of a centre's own certificate from which `check` reports the end.
const EXPIRY_DAYS: u64 = 60;
/// Smallest share of free space on a disk, in percent, that `check` does not report.
const FREE_PERCENT_MIN: u64 = 10;

/// Reports what the configuration sets, and what it lacks.
pub fn configured(configuration: &Configuration, findings: &mut Findings) {
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
    let has_source =
        !configuration.mailboxes.is_empty() || configuration.folder.is_some() || configuration.has_pushed();
    if !has_source && configuration.carrier.is_none() {
        let text =
            "none is configured: add a [[mailbox]], an [[intake]], [https] or a [folder] to the configuration file";
        findings.add(Verdict::Fail, "mailboxes", text);
    }
    for mailbox in &configuration.mailboxes {
        let problems = mailbox.pop3.credential().err().map(|error| error.problems).unwrap_or_default();
        let well = format!("{} as {}", mailbox.pop3.host, mailbox.pop3.username);
        findings.judge(&format!("mailbox {}", mailbox.name), Verdict::Fail, problems, well);
    }
    if let Some(folder) = &configuration.folder {
        findings.judge(
            &format!("folder {}", folder.name),
            Verdict::Fail,
            folder_problems(folder),
            folder.path.display().to_string(),
        );
    }
    for intake in &configuration.intakes {
        let problems = Listener::new(intake.smtp.clone())
            .map_err(|error| error.problems)
            .and_then(|listener| listener.check_files().map_err(|problem| vec![problem]));
        let well = format!("{} for {}", intake.smtp.listen, configuration.addresses_of(intake).join(", "));
        findings.judge(&format!("intake {}", intake.name), Verdict::Fail, problems.err().unwrap_or_default(), well);
    }
    if let Some(https) = &configuration.https {
        let problems = https.check_files().err().into_iter().collect();
        findings.judge(&format!("intake {}", https.name), Verdict::Fail, problems, https.listen.to_string());
    }
    match &configuration.relay {
        None if configuration.mailboxes.is_empty()
            && configuration.intakes.is_empty()
            && (configuration.folder.is_some() || configuration.https.is_some()) => {}
        None => findings.add(Verdict::Fail, "relay", "none is configured: add [relay], or no answer can leave"),
        Some(relay) => {
            let problems = relay.smtp.credential().err().map(|error| error.problems).unwrap_or_default();
            findings.judge("relay", Verdict::Fail, problems, format!("{} as {}", relay.smtp.host, relay.address));
        }
    }
    address(configuration, findings);
    passwords(configuration, findings);
    if !configuration.server.http_address.ip().is_loopback() {
        let text = format!(
            "{} is open to other machines and has no sign-in: let only the monitoring reach it",
            configuration.server.http_address
        );
        findings.add(Verdict::Warn, "http", text);
    }
}

/// Lists what prevents the program from taking letters from the transfer folder, or from putting answers into it.
pub fn folder_problems(folder: &FolderConfiguration) -> Vec<String> {
    let opened = |name: &str| transfer_folder::open_within(&folder.path, name, LOOK_PATIENCE).err();
    let told = |trouble: Trouble| {
        format!(
            "{trouble}: make it, or mount it, and let this program read, write and remove files there; it goes on by itself"
        )
    };
    [transfer_folder::IN, transfer_folder::OUT].into_iter().filter_map(opened).map(told).collect()
}

/// Reports whether the address of metrics and health is free. An address that is in use is in order where the running centre of this data
/// folder uses it.
fn address(configuration: &Configuration, findings: &mut Findings) {
    let is_running = DataFolder::open(&configuration.server.data_folder).is_ok_and(|folder| folder.is_locked());
    let address = configuration.server.http_address;
    match TcpListener::bind(address) {
        _ if is_running => findings.add(Verdict::Ok, "http", format!("{address}, of the centre that runs")),
        Ok(_free) => findings.add(Verdict::Ok, "http", format!("{address} is free")),
        Err(error) => {
            let text = format!(
                "{address} cannot be listened on ({}): end the program that has it, or choose another server.http_address",
                error.kind()
            );
            findings.add(Verdict::Fail, "http", text);
        }
    }
}

/// Reports files with passwords, tokens or the database URL that other users of the machine may read.
fn passwords(configuration: &Configuration, findings: &mut Findings) {
    let mailboxes =
        configuration.mailboxes.iter().flat_map(|one| [&one.pop3.password_file, &one.pop3.oauth_token_file]);
    let relays = configuration.relay.iter().flat_map(|one| [&one.smtp.password_file, &one.smtp.oauth_token_file]);
    let files = mailboxes.chain(relays).chain([&configuration.database.url_file]).flatten();
    // A mailbox and the relay may share a password file, which is checked once.
    let files: BTreeSet<_> = files.collect();
    let exposed = files.iter().filter_map(|path| exposure(path, 0o640, 0o600)).collect();
    let well = match files.len() {
        1 => "1 file, closed to others".to_owned(),
        count => format!("{count} files, closed to others"),
    };
    findings.judge("passwords", Verdict::Fail, exposed, well);
}

/// Reports the free space on the disk of the data folder. A full disk is a failure only where the private PostgreSQL is on it. Where a
/// database is configured, a full disk is a warning, because the centre writes little to it.
fn disk(configuration: &Configuration, folder: &Path, findings: &mut Findings) {
    let Some(room) = disk::room(folder) else { return };
    let megabytes = |bytes: u64| bytes >> 20;
    let (free, size) = (megabytes(room.free_bytes), megabytes(room.size_bytes));
    if room.free_bytes < FREE_BYTES_MIN && !configuration.is_embedded() {
        let text =
            format!("{free} MB are free of {size}; the database has a disk of its own, which is not looked at here");
        findings.add(Verdict::Warn, "disk", text);
    } else if room.free_bytes < FREE_BYTES_MIN {
        let text = format!(
            "{free} MB are free of {size}: no letter can be committed; make room, and mail flows again by itself"
        );
        findings.add(Verdict::Fail, "disk", text);
    } else if room.free_bytes < room.size_bytes / 100 * FREE_PERCENT_MIN {
        findings.add(Verdict::Warn, "disk", format!("{free} MB are free of {size}: less than {FREE_PERCENT_MIN} %"));
    } else {
        findings.add(Verdict::Ok, "disk", format!("{free} MB are free of {size}"));
    }
}

/// Reports the version of the OpenSSL that the program is linked with, and fails where the program cannot use that version.
pub fn libraries(findings: &mut Findings) {
    match sdc::keys::check_openssl_version() {
        Ok(()) => findings.add(Verdict::Ok, "OpenSSL", openssl::version::version()),
        Err(error) => findings.add(Verdict::Fail, "OpenSSL", error.to_string()),
    }
}

/// Checks the data folder, its permissions and the centre's keys. Returns the keys if they can be loaded.
pub fn secrets(configuration: &Configuration, clock: Clock, findings: &mut Findings) -> Option<LoadedKeys> {
    let folder = match DataFolder::of(configuration) {
        Ok(folder) => folder,
        Err(error) => {
            findings.add(Verdict::Fail, "data folder", error.to_string());
            return None;
        }
    };
    let exposed: Vec<String> = exposure(folder.path(), 0o711, 0o711).into_iter().collect();
    findings.judge("data folder", Verdict::Warn, exposed, folder.path().display().to_string());
    disk(configuration, folder.path(), findings);
    let mut exposed: Vec<String> = exposure(&folder.keys(), 0o700, 0o700).into_iter().collect();
    if let Ok(entries) = std::fs::read_dir(folder.keys()) {
        let keys =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|it| it == "key"));
        exposed.extend(keys.filter_map(|path| exposure(&path, 0o600, 0o600)));
    }
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
        let text = format!("{}, valid from {} to {}", certificate.algorithm(), clock.day(begin), clock.day(end));
        findings.add(verdict, name, text);
    }
    Some(loaded)
}
