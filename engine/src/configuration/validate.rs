//! Checks the values of a configuration beyond their types. The check looks at neither disk nor network; `xmserver check` does.

use actors::carrier_poller;
use actors::pipeline::Limits;
use actors::transport::NoContainer;
use figment::Figment;
use tracing_subscriber::EnvFilter;

use super::{Configuration, Role, sentence};

/// Returns one sentence for each mistake in the configuration.
pub(super) fn problems(configuration: &Configuration, figment: &Figment) -> Vec<String> {
    let mut problems = Problems { figment, configuration, found: Vec::new() };
    server(configuration, &mut problems);
    database(configuration, &mut problems);
    mailboxes(configuration, &mut problems);
    folder(configuration, &mut problems);
    intakes(configuration, &mut problems);
    https(configuration, &mut problems);
    carrier(configuration, &mut problems);
    kit(configuration, &mut problems);
    if let Some(relay) = &configuration.relay {
        if let Err(error) = relay.smtp.validate() {
            error.problems.iter().for_each(|problem| problems.add_worded("relay.smtp.", problem));
        }
        if !is_address(&relay.address) {
            problems.add("relay.address", "the centre's own address, local@domain", &relay.address);
        }
    }
    limits(&configuration.limits, &mut problems);
    problems.found
}

struct Problems<'a> {
    figment: &'a Figment,
    configuration: &'a Configuration,
    found: Vec<String>,
}

impl Problems<'_> {
    fn add(&mut self, key: &str, expected: &str, found: &str) {
        self.add_worded("", &format!("{key}: expected {expected}, found {found:?}"));
    }

    /// Adds a problem whose sentence begins with its key. In the configuration the key comes after `prefix`.
    fn add_worded(&mut self, prefix: &str, sentence: &str) {
        let key = sentence.split(':').next().unwrap_or_default();
        let place = self.place(&format!("{prefix}{key}"));
        self.found.push(format!("{place}: {}{sentence}", spoken(prefix)));
    }

    /// Returns the file or the environment variable that sets a key.
    fn place(&self, key: &str) -> String {
        if self.is_from_environment(key) {
            let path: Vec<String> = key.split('.').map(str::to_owned).collect();
            return format!("environment variable {}", sentence::variable(&path));
        }
        self.configuration.file.as_ref().map_or_else(|| "configuration".to_owned(), |file| file.display().to_string())
    }

    fn is_from_environment(&self, key: &str) -> bool {
        self.figment.find_metadata(key).is_some_and(|metadata| metadata.name.contains("environment variable"))
    }
}

/// Turns `mailbox.0.pop3.` into `mailbox 1: pop3.`.
fn spoken(prefix: &str) -> String {
    let path: Vec<String> = prefix.split_terminator('.').map(str::to_owned).collect();
    match path.as_slice() {
        [] => String::new(),
        [_list, index] if index.parse::<usize>().is_ok() => format!("{}: ", sentence::key(&path)),
        path => format!("{}.", sentence::key(path)),
    }
}

fn server(configuration: &Configuration, problems: &mut Problems<'_>) {
    let server = &configuration.server;
    if !server.data_folder.is_absolute() {
        problems.add("server.data_folder", "an absolute path", &server.data_folder.display().to_string());
    }
    if let Some(folder) = server.keys_folder.as_ref().filter(|folder| !folder.is_absolute()) {
        problems.add("server.keys_folder", "an absolute path", &folder.display().to_string());
    }
    let is_name = |name: &&String| {
        (1..=63).contains(&name.len())
            && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet))
    };
    if let Some(name) = server.process_name.as_ref().filter(|name| !is_name(name)) {
        problems.add("server.process_name", "1 to 63 letters, digits, dots, hyphens and underscores", name);
    }
    if EnvFilter::try_new(&server.log_level).is_err() || server.log_level.is_empty() {
        problems.add("server.log_level", "error, warn, info, debug or trace", &server.log_level);
    }
    between("server.drain_notice_seconds", server.drain_notice_seconds, 0, 300, problems);
    between("server.shutdown_seconds_max", server.shutdown_seconds_max, 1, 3600, problems);
    between("server.metrics_kept_seconds_max", server.metrics_kept_seconds_max, 1, 3600, problems);
}

fn database(configuration: &Configuration, problems: &mut Problems<'_>) {
    let database = &configuration.database;
    url("url", database.url.as_deref(), database.url_file.is_some(), problems);
    url("reader_url", database.reader_url.as_deref(), database.reader_url_file.is_some(), problems);
    between("database.connections_max", database.connections_max as u64, 4, 1000, problems);
}

/// Checks the database URL of a login. The URL in the configuration must have no password; a URL with a password belongs into a file or an
/// environment variable. A URL and a file must not both be given.
fn url(name: &str, url: Option<&str>, has_file: bool, problems: &mut Problems<'_>) {
    let Some(url) = url else { return };
    let key = format!("database.{name}");
    if has_file {
        problems.add_worded("", &format!("{key}_file: expected only one of {name} and {name}_file, found both"));
    }
    if has_password(url) && !problems.is_from_environment(&key) {
        let variable = sentence::variable(&["database".to_owned(), name.to_owned()]);
        problems.add_worded(
            "",
            &format!(
                "{key}: expected a URL without a password: put the whole URL into a file named by {key}_file, or into the \
                 environment variable {variable}"
            ),
        );
    }
}

fn has_password(url: &str) -> bool {
    let in_authority = url
        .split_once("://")
        .and_then(|(_, rest)| rest.split('/').next()?.rsplit_once('@'))
        .is_some_and(|(user, _)| user.contains(':'));
    in_authority || url.contains("password=")
}

fn mailboxes(configuration: &Configuration, problems: &mut Problems<'_>) {
    for (index, mailbox) in configuration.mailboxes.iter().enumerate() {
        let prefix = format!("mailbox.{index}.");
        name(&prefix, &mailbox.name, problems);
        if configuration.mailboxes[..index].iter().any(|other| other.name == mailbox.name) {
            problems.add_worded(&prefix, &format!("name: expected a name of its own, found {:?} twice", mailbox.name));
        }
        if !(1..=86_400).contains(&mailbox.poll_interval_seconds) {
            let found = mailbox.poll_interval_seconds;
            problems.add_worded(&prefix, &format!("poll_interval_seconds: expected 1 to 86400, found {found}"));
        }
        if let Err(error) = mailbox.pop3.validate() {
            error.problems.iter().for_each(|problem| problems.add_worded(&format!("{prefix}pop3."), problem));
        }
    }
}

/// Checks the transfer folder. No mailbox may have its name, because leases, the journal and metrics know mailboxes and folder only by
/// name.
fn folder(configuration: &Configuration, problems: &mut Problems<'_>) {
    let Some(folder) = &configuration.folder else { return };
    name("folder.", &folder.name, problems);
    if configuration.mailboxes.iter().any(|mailbox| mailbox.name == folder.name) {
        let problem = format!("name: expected a name that no mailbox has, found {:?}", folder.name);
        problems.add_worded("folder.", &problem);
    }
    if !folder.path.is_absolute() {
        problems.add("folder.path", "an absolute path", &folder.path.display().to_string());
    }
    between("folder.poll_interval_seconds", folder.poll_interval_seconds, 1, 86_400, problems);
    between("folder.quiet_seconds", folder.quiet_seconds, 0, 3600, problems);
    between("folder.file_size_max_bytes", folder.file_size_max_bytes, 16 << 10, 64 << 20, problems);
}

/// Checks the addresses at which mail is pushed. No two of mailboxes, folder and intakes may have the same name, because leases, the
/// journal and metrics know them only by name.
fn intakes(configuration: &Configuration, problems: &mut Problems<'_>) {
    let folder = configuration.folder.iter().map(|folder| &folder.name);
    let polled: Vec<&String> = configuration.mailboxes.iter().map(|mailbox| &mailbox.name).chain(folder).collect();
    for (index, intake) in configuration.intakes.iter().enumerate() {
        let prefix = format!("intake.{index}.");
        name(&prefix, &intake.name, problems);
        let others = configuration.intakes[..index].iter().map(|other| &other.name);
        if polled.iter().copied().chain(others).any(|other| *other == intake.name) {
            let problem = format!("name: expected a name of its own, found {:?} twice", intake.name);
            problems.add_worded(&prefix, &problem);
        }
        if intake.no_container == NoContainer::Leave {
            let problem = "no_container: expected quarantine or drop, found \"leave\"";
            problems.add_worded(&prefix, problem);
        }
        if !(1..=300).contains(&intake.hold_seconds_max) {
            let found = intake.hold_seconds_max;
            problems.add_worded(&prefix, &format!("hold_seconds_max: expected 1 to 300, found {found}"));
        }
        if configuration.intakes[..index].iter().any(|other| other.smtp.listen == intake.smtp.listen) {
            let problem = format!("listen: expected an address of its own, found {} twice", intake.smtp.listen);
            problems.add_worded(&format!("{prefix}smtp."), &problem);
        }
        if let Err(error) = intake.smtp.validate() {
            error.problems.iter().for_each(|problem| problems.add_worded(&format!("{prefix}smtp."), problem));
        }
        let addresses = configuration.addresses_of(intake);
        if addresses.is_empty() {
            let problem = "addresses: expected the centre's addresses, found none";
            problems.add_worded(&format!("{prefix}smtp."), problem);
        }
        for address in intake.smtp.addresses.iter().filter(|address| !is_address(address)) {
            let problem = format!("addresses: expected addresses, local@domain, found {address:?}");
            problems.add_worded(&format!("{prefix}smtp."), &problem);
        }
    }
}

fn https(configuration: &Configuration, problems: &mut Problems<'_>) {
    let Some(https) = &configuration.https else { return };
    name("https.", &https.name, problems);
    let mailboxes = configuration.mailboxes.iter().map(|mailbox| &mailbox.name);
    let folder = configuration.folder.iter().map(|folder| &folder.name);
    let mut others = mailboxes.chain(folder).chain(configuration.intakes.iter().map(|intake| &intake.name));
    if others.any(|other| *other == https.name) {
        let problem = format!("name: expected a name of its own, found {:?} twice", https.name);
        problems.add_worded("https.", &problem);
    }
    let mut listens = configuration.intakes.iter().map(|intake| intake.smtp.listen);
    if https.listen == configuration.server.http_address || listens.any(|listen| listen == https.listen) {
        let problem = format!("listen: expected an address of its own, found {} twice", https.listen);
        problems.add_worded("https.", &problem);
    }
    if let Err(error) = https.validate() {
        error.problems.iter().for_each(|problem| problems.add_worded("https.", problem));
    }
}

/// Checks the carrier, and the role that needs one. A process without a database can settle nothing itself, so it may take no mail that is
/// too large for the carrier.
fn carrier(configuration: &Configuration, problems: &mut Problems<'_>) {
    let role = configuration.server.role;
    let Some(carrier) = &configuration.carrier else {
        if role != Role::All {
            let expected = "the servers of the carrier where server.role is not all";
            problems.add_worded("", &format!("carrier.servers: expected {expected}, found none"));
        }
        return;
    };
    carrier.problems().iter().for_each(|problem| problems.add_worded("carrier.", problem));
    let intakes = configuration.intakes.iter().map(|intake| &intake.name);
    let mailboxes = configuration.mailboxes.iter().map(|mailbox| &mailbox.name);
    let others = configuration.folder.iter().map(|folder| &folder.name);
    let others = others.chain(configuration.https.iter().map(|https| &https.name));
    if intakes.chain(mailboxes).chain(others).any(|name| name == carrier_poller::NAME) {
        problems.add_worded(
            "carrier.",
            &format!("name: expected a name of its own, found {:?} twice", carrier_poller::NAME),
        );
    }
    if role != Role::Intake {
        return;
    }
    let most = ::carrier::MAIL_BYTES_MAX as u64;
    let too_large = |found: u64| format!("expected at most {most} where server.role is intake, found {found}");
    for (index, intake) in configuration.intakes.iter().enumerate() {
        let found = intake.smtp.mail_size_max_bytes;
        if found > most {
            let problem = format!("mail_size_max_bytes: {}", too_large(found));
            problems.add_worded(&format!("intake.{index}.smtp."), &problem);
        }
    }
    if let Some(found) =
        configuration.https.as_ref().map(|https| https.document_size_max_bytes).filter(|&found| found > most)
    {
        problems.add_worded("https.", &format!("document_size_max_bytes: {}", too_large(found)));
    }
}

fn kit(configuration: &Configuration, problems: &mut Problems<'_>) {
    let Some(kit) = &configuration.kit else { return };
    if let Some(address) = kit.address.as_ref().filter(|address| !is_address(address)) {
        problems.add_worded("kit.", &format!("address: expected an address, local@domain, found {address:?}"));
    }
    if kit.telephone.chars().any(char::is_control) {
        problems.add_worded("kit.", &format!("telephone: expected text on one line, found {:?}", kit.telephone));
    }
    if let Some(url) = kit.https_url.as_ref().filter(|url| !url.starts_with("https://")) {
        problems
            .add_worded("kit.", &format!("https_url: expected an address that begins with https://, found {url:?}"));
    }
    if kit.pop3.is_some() != kit.smtp.is_some() {
        problems.add_worded("kit.", "pop3: expected pop3 and smtp together, found one of them");
    }
}

fn name(prefix: &str, name: &str, problems: &mut Problems<'_>) {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    if name.is_empty() || name.len() > 63 || !name.bytes().all(plain) {
        let problem = format!("name: expected 1 to 63 of a-z, 0-9, point, hyphen and _, found {name:?}");
        problems.add_worded(prefix, &problem);
    }
}

fn limits(limits: &Limits, problems: &mut Problems<'_>) {
    let bounds = [
        ("crypto_threads", limits.crypto_threads as u64, 0, 1024),
        ("writers", limits.writers as u64, 1, 64),
        ("mails_in_hand_max", u64::from(limits.mails_in_hand_max), 16, 1_000_000),
        ("kilobytes_in_hand_max", u64::from(limits.kilobytes_in_hand_max), 1024, 16 * 1024 * 1024),
        ("slow_mails_max", u64::from(limits.slow_mails_max), 1, u64::from(limits.mails_in_hand_max)),
        ("unpacked_bytes_max", u64::from(limits.unpacked_bytes_max), 1 << 20, 1 << 30),
        ("window_mails", limits.window_mails as u64, 1, 1024),
        ("session_mails_max", limits.session_mails_max as u64, 1, 1_000_000),
        ("session_seconds_max", limits.session_seconds_max, 1, 3600),
        ("batch_letters_max", limits.batch_letters_max as u64, 1, 5000),
        ("batch_wait_milliseconds", limits.batch_wait_milliseconds, 0, 10_000),
        ("signers_cached_max", limits.signers_cached_max, 1, 10_000_000),
        ("answers_leased_max", limits.answers_leased_max.unsigned_abs(), 1, 10_000),
        ("sending_max", limits.sending_max as u64, 1, 100),
        ("document_bytes_max", limits.document_bytes_max as u64, 4096, 64 << 20),
        ("payload_bytes_max", limits.payload_bytes_max as u64, 4096, 64 << 20),
        ("letter_rows_max", limits.letter_rows_max as u64, 1, 100_000),
        ("quarantine_bytes_max", limits.quarantine_bytes_max, 1 << 20, 1 << 40),
    ];
    for (key, value, least, most) in bounds {
        between(&format!("limits.{key}"), value, least, most, problems);
    }
}

fn between(key: &str, value: u64, least: u64, most: u64, problems: &mut Problems<'_>) {
    if !(least..=most).contains(&value) {
        problems.add_worded("", &format!("{key}: expected {least} to {most}, found {value}"));
    }
}

/// Says whether a text is an e-mail address that needs no quoting in a mail header.
fn is_address(text: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c))
    };
    text.len() <= 254 && text.split_once('@').is_some_and(|(local, domain)| plain(local) && plain(domain))
}
