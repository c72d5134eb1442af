//! Settings of a mailbox and of a relay, as an operator writes them, and how their secrets are read.
//!
//! Unknown keys are refused, and the defaults suit a rented mailbox on the internet. `validate` reports each mistake in one sentence: which
//! key is wrong, and what was expected. A password or token is stored in a file or in the environment. It is read again for every sign-in,
//! so that a new secret needs no restart.

use std::fmt;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// How a connection is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// TLS from the first byte (POP3S, SMTPS). RFC 8314 prefers it: an attacker cannot suppress an upgrade command, since none is sent.
    #[default]
    Tls,
    /// TLS by the command STLS or STARTTLS. A server that does not offer the command is not used.
    Starttls,
    /// No protection. Allowed only for a server on this machine.
    None,
}

/// A password or token. `Debug` prints it redacted, and nothing serialises it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps the text of a password or token.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// Returns the text of the secret, to be sent over a protected connection and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// How a client proves who it is.
#[derive(Clone, Debug)]
pub enum Credential {
    /// User name and password: SASL PLAIN, USER/PASS or LOGIN.
    Password(String, Secret),
    /// User name and OAuth 2.0 access token: XOAUTH2.
    Token(String, Secret),
}

/// One POP3 mailbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailboxSettings {
    /// Host name as in the server's certificate, or an address.
    pub host: String,
    /// Port; by default 995 with `tls`, 110 otherwise.
    #[serde(default)]
    pub port: Option<u16>,
    /// Protection of the connection.
    #[serde(default)]
    pub security: Security,
    /// Name to sign in with.
    pub username: String,
    /// File whose first line is the password.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Environment variable that holds the password.
    #[serde(default)]
    pub password_env: Option<String>,
    /// File whose first line is an OAuth 2.0 access token. Another program renews the token.
    #[serde(default)]
    pub oauth_token_file: Option<PathBuf>,
    /// Password of a mail server that the program runs itself; no configuration can set it.
    #[serde(skip)]
    pub password: Option<Secret>,
    /// PEM file of certificates to trust in addition to the system's: an authority's certificate, or the server's own.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Longest time, in seconds, to resolve the host, connect to it and agree on TLS.
    #[serde(default = "defaults::connect_timeout_seconds")]
    pub connect_timeout_seconds: u64,
    /// Longest time, in seconds, in which the server sends nothing.
    #[serde(default = "defaults::read_timeout_seconds")]
    pub read_timeout_seconds: u64,
    /// Longest wait, in seconds, for the answers to one group of commands (a listing, a window of mails, a QUIT).
    #[serde(default = "defaults::group_timeout_seconds")]
    pub group_timeout_seconds: u64,
    /// Largest mail that is fetched whole, in bytes; of a larger mail only the first 16 KB are fetched.
    #[serde(default = "defaults::mail_size_max_bytes")]
    pub mail_size_max_bytes: u64,
    /// Largest number of entries taken from one listing of the mailbox. The next session lists the other mails.
    #[serde(default = "defaults::listing_entries_max")]
    pub listing_entries_max: usize,
    /// Largest number of mails that are requested before the first of them has arrived, if the server supports pipelining.
    #[serde(default = "defaults::window_mails")]
    pub window_mails: usize,
}

/// One SMTP relay. Keys shared with [`MailboxSettings`] are written in both structures, because serde's `flatten` cannot refuse unknown
/// keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelaySettings {
    /// Host name as in the server's certificate, or an address.
    pub host: String,
    /// Port; by default 465 with `tls`, 587 with `starttls`, 25 with `none`.
    #[serde(default)]
    pub port: Option<u16>,
    /// Protection of the connection.
    #[serde(default)]
    pub security: Security,
    /// Name to sign in with; without a name the client does not sign in.
    #[serde(default)]
    pub username: Option<String>,
    /// File whose first line is the password.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Environment variable that holds the password.
    #[serde(default)]
    pub password_env: Option<String>,
    /// File whose first line is an OAuth 2.0 access token. Another program renews the token.
    #[serde(default)]
    pub oauth_token_file: Option<PathBuf>,
    /// Password of a mail server that the program runs itself; no configuration can set it.
    #[serde(skip)]
    pub password: Option<Secret>,
    /// PEM file of certificates to trust in addition to the system's: an authority's certificate, or the server's own.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Name sent in EHLO; by default an address literal.
    #[serde(default)]
    pub hello_name: Option<String>,
    /// Longest time, in seconds, to resolve the host, connect to it and agree on TLS.
    #[serde(default = "defaults::connect_timeout_seconds")]
    pub connect_timeout_seconds: u64,
    /// Longest time, in seconds, that sending one mail may take.
    #[serde(default = "defaults::relay_timeout_seconds")]
    pub read_timeout_seconds: u64,
    /// Largest number of connections open at once.
    #[serde(default = "defaults::connections_max")]
    pub connections_max: usize,
    /// Largest number of mails sent over one connection. Large providers close a connection after about a hundred mails.
    #[serde(default = "defaults::mails_per_connection_max")]
    pub mails_per_connection_max: u32,
    /// How long an unused connection is kept, in seconds.
    #[serde(default = "defaults::idle_seconds_max")]
    pub idle_seconds_max: u64,
}

mod defaults {
    pub fn connect_timeout_seconds() -> u64 {
        20
    }
    pub fn read_timeout_seconds() -> u64 {
        60
    }
    pub fn group_timeout_seconds() -> u64 {
        600
    }
    /// Default time in seconds. A relay may scan a mail before accepting it. RFC 5321, 4.5.3.2.6 asks clients to wait ten minutes; most
    /// wait five.
    pub fn relay_timeout_seconds() -> u64 {
        300
    }
    pub fn mail_size_max_bytes() -> u64 {
        5 * 1024 * 1024
    }
    pub fn listing_entries_max() -> usize {
        100_000
    }
    pub fn window_mails() -> usize {
        256
    }
    pub fn connections_max() -> usize {
        4
    }
    pub fn mails_per_connection_max() -> u32 {
        100
    }
    pub fn idle_seconds_max() -> u64 {
        60
    }
}

/// Mistakes in settings, one sentence per key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.join("; "))]
pub struct SettingsError {
    /// The sentences; each begins with the key.
    pub problems: Vec<String>,
}

impl SettingsError {
    fn one(problem: String) -> SettingsError {
        SettingsError { problems: vec![problem] }
    }
}

impl MailboxSettings {
    /// Makes settings with every default; the caller sets `password` and other fields on the result.
    pub fn new(host: impl Into<String>, username: impl Into<String>) -> MailboxSettings {
        MailboxSettings {
            host: host.into(),
            port: None,
            security: Security::default(),
            username: username.into(),
            password_file: None,
            password_env: None,
            oauth_token_file: None,
            password: None,
            ca_file: None,
            connect_timeout_seconds: defaults::connect_timeout_seconds(),
            read_timeout_seconds: defaults::read_timeout_seconds(),
            group_timeout_seconds: defaults::group_timeout_seconds(),
            mail_size_max_bytes: defaults::mail_size_max_bytes(),
            listing_entries_max: defaults::listing_entries_max(),
            window_mails: defaults::window_mails(),
        }
    }

    /// Returns the configured port, or the default port for `security`.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.security {
            Security::Tls => 995,
            Security::Starttls | Security::None => 110,
        })
    }

    /// Checks what can be checked without a network. The error lists every wrong key.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let mut problems = server_problems(&self.host, self.port, self.security);
        if self.username.is_empty() {
            problems.push("username: expected the mailbox's name, found nothing".into());
        }
        one_line("username", &self.username, &mut problems);
        self.sources().check(true, &mut problems);
        positive("connect_timeout_seconds", self.connect_timeout_seconds, &mut problems);
        positive("read_timeout_seconds", self.read_timeout_seconds, &mut problems);
        positive("group_timeout_seconds", self.group_timeout_seconds, &mut problems);
        within("mail_size_max_bytes", self.mail_size_max_bytes, 16 * 1024, 64 * 1024 * 1024, &mut problems);
        within("listing_entries_max", self.listing_entries_max as u64, 1, 1_000_000, &mut problems);
        within("window_mails", self.window_mails as u64, 1, 1024, &mut problems);
        finish(problems)
    }

    /// Reads the password or token and returns the credential. The error states the key, and the file or variable.
    pub fn credential(&self) -> Result<Credential, SettingsError> {
        self.sources().read(&self.username)
    }

    fn sources(&self) -> SecretSources<'_> {
        SecretSources {
            file: self.password_file.as_deref(),
            variable: self.password_env.as_deref(),
            token_file: self.oauth_token_file.as_deref(),
            given: self.password.as_ref(),
        }
    }
}

impl RelaySettings {
    /// Makes settings with every default; the caller sets the other fields on the result.
    pub fn new(host: impl Into<String>) -> RelaySettings {
        RelaySettings {
            host: host.into(),
            port: None,
            security: Security::default(),
            username: None,
            password_file: None,
            password_env: None,
            oauth_token_file: None,
            password: None,
            ca_file: None,
            hello_name: None,
            connect_timeout_seconds: defaults::connect_timeout_seconds(),
            read_timeout_seconds: defaults::relay_timeout_seconds(),
            connections_max: defaults::connections_max(),
            mails_per_connection_max: defaults::mails_per_connection_max(),
            idle_seconds_max: defaults::idle_seconds_max(),
        }
    }

    /// Returns the configured port, or the default port for `security`.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.security {
            Security::Tls => 465,
            Security::Starttls => 587,
            Security::None => 25,
        })
    }

    /// Checks what can be checked without a network. The error lists every wrong key.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let mut problems = server_problems(&self.host, self.port, self.security);
        one_line("username", self.username.as_deref().unwrap_or_default(), &mut problems);
        self.sources().check(self.username.is_some(), &mut problems);
        if let Some(name) = &self.hello_name
            && (name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.[]:".contains(&b)))
        {
            problems.push(format!("hello_name: expected a host name, found {name:?}"));
        }
        positive("connect_timeout_seconds", self.connect_timeout_seconds, &mut problems);
        positive("read_timeout_seconds", self.read_timeout_seconds, &mut problems);
        within("connections_max", self.connections_max as u64, 1, 100, &mut problems);
        positive("mails_per_connection_max", u64::from(self.mails_per_connection_max), &mut problems);
        finish(problems)
    }

    /// Reads the password or token and returns the credential, or `None` where the client does not sign in.
    pub fn credential(&self) -> Result<Option<Credential>, SettingsError> {
        self.username.as_ref().map(|username| self.sources().read(username)).transpose()
    }

    fn sources(&self) -> SecretSources<'_> {
        SecretSources {
            file: self.password_file.as_deref(),
            variable: self.password_env.as_deref(),
            token_file: self.oauth_token_file.as_deref(),
            given: self.password.as_ref(),
        }
    }
}

/// Says whether a host in the settings is this machine. For a name other than `localhost` this is decided later, by the address to which it
/// resolves.
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

struct SecretSources<'a> {
    file: Option<&'a Path>,
    variable: Option<&'a str>,
    token_file: Option<&'a Path>,
    given: Option<&'a Secret>,
}

impl SecretSources<'_> {
    fn check(&self, needed: bool, problems: &mut Vec<String>) {
        let named = [self.file.is_some(), self.variable.is_some(), self.token_file.is_some(), self.given.is_some()];
        match (named.iter().filter(|named| **named).count(), needed) {
            (1, true) | (0, false) => {}
            (0, true) => problems.push(
                "password_file: expected one of password_file, password_env, oauth_token_file, found none".into(),
            ),
            (_, true) => problems.push(
                "password_file: expected only one of password_file, password_env, oauth_token_file, found several"
                    .into(),
            ),
            (_, false) => problems.push("username: expected a name to go with the password, found none".into()),
        }
    }

    fn read(&self, username: &str) -> Result<Credential, SettingsError> {
        let name = username.to_owned();
        if let Some(path) = self.token_file {
            return Ok(Credential::Token(name, first_line("oauth_token_file", path)?));
        }
        if let Some(path) = self.file {
            return Ok(Credential::Password(name, first_line("password_file", path)?));
        }
        if let Some(variable) = self.variable {
            return Ok(Credential::Password(name, environment(variable)?));
        }
        let given = self.given.cloned().ok_or_else(|| {
            SettingsError::one("password_file: expected a password file or variable, found none".into())
        })?;
        Ok(Credential::Password(name, given))
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "the configuration names the variable; the secret must not pass through it"
)]
fn environment(variable: &str) -> Result<Secret, SettingsError> {
    match std::env::var(variable) {
        Ok(text) if !text.is_empty() => Ok(Secret::new(text)),
        _ => {
            Err(SettingsError::one(format!("password_env: the environment variable {variable} is not set or is empty")))
        }
    }
}

fn first_line(key: &str, path: &Path) -> Result<Secret, SettingsError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let file = path.display();
        SettingsError::one(match error.kind() {
            ErrorKind::NotFound => format!(
                "{key}: there is no file {file}: make it by `(umask 077; cat > {file})`, then type the secret, Enter and Ctrl-D"
            ),
            _ => format!("{key}: cannot read {file}: {error}"),
        })
    })?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(SettingsError::one(format!("{key}: the first line of {} is empty", path.display())));
    }
    Ok(Secret::new(line))
}

fn server_problems(host: &str, port: Option<u16>, security: Security) -> Vec<String> {
    let mut problems = Vec::new();
    if host.is_empty() || host.len() > 253 || host.bytes().any(|b| b.is_ascii_whitespace() || b.is_ascii_control()) {
        problems.push(format!("host: expected a host name or address, found {host:?}"));
    } else if security == Security::None && !is_loopback(host) {
        problems.push(format!(
            "security: `none` is for a server on this machine; {host} is elsewhere, so expected `tls` or `starttls`"
        ));
    }
    if port == Some(0) {
        problems.push("port: expected 1 to 65535, found 0".into());
    }
    problems
}

fn one_line(key: &str, text: &str, problems: &mut Vec<String>) {
    if text.chars().any(char::is_control) {
        problems.push(format!("{key}: expected one line of text without control characters"));
    }
}

fn positive(key: &str, value: u64, problems: &mut Vec<String>) {
    within(key, value, 1, 86_400, problems);
}

/// Adds a problem where a value is outside its limits.
pub fn within(key: &str, value: u64, least: u64, most: u64, problems: &mut Vec<String>) {
    if value < least || value > most {
        problems.push(format!("{key}: expected {least} to {most}, found {value}"));
    }
}

/// Returns the problems as an error, if there are any.
///
/// # Errors
/// There are problems.
pub fn finish(problems: Vec<String>) -> Result<(), SettingsError> {
    if problems.is_empty() { Ok(()) } else { Err(SettingsError { problems }) }
}

#[cfg(test)]
mod tests;
