//! A private Postfix in front of a Dovecot. It accepts mail for Dovecot's mailboxes on three ports, and delivers it by LMTP.
//!
//! No mail is sent to another machine: mail for other addresses is refused or bounced. Postfix needs root.

use std::fmt::Write as _;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};

use super::Port;
use super::daemon::Daemon;
use super::dovecot::Dovecot;
use super::folder::{Folder, Owner, is_root};
use super::place::Place;

/// The folders that `postfix check` creates in the queue directory, each with its mode.
const QUEUE_FOLDERS: &[(&str, u32)] = &[
    ("active", 0o700),
    ("bounce", 0o700),
    ("corrupt", 0o700),
    ("defer", 0o700),
    ("deferred", 0o700),
    ("flush", 0o700),
    ("hold", 0o700),
    ("incoming", 0o700),
    ("private", 0o700),
    ("saved", 0o700),
    ("trace", 0o700),
];

/// Where a Postfix pushes mail for one address.
#[derive(Clone, Debug)]
pub struct Push {
    /// The address.
    pub address: String,
    /// Where queued mail is pushed by LMTP. The server must offer STARTTLS.
    pub lmtp: SocketAddr,
    /// Where mail is pushed by SMTP before it is queued, if it comes to [`Postfix::proxied_address`].
    pub smtp: SocketAddr,
}

/// A Postfix, running or stopped.
#[derive(Debug)]
pub struct Postfix {
    /// The process. Rust drops fields in their order. This one stands first, so that the process ends before its ports and folder are
    /// released.
    daemon: Option<Daemon>,
    smtp: Port,
    submission: Port,
    smtps: Port,
    proxied: Port,
    push: Option<Push>,
    folder: Folder,
    master: String,
    place: Place,
}

impl Postfix {
    /// Starts a Postfix that delivers to the accounts that this Dovecot has now, and lets them sign in. It runs where Dovecot runs, and
    /// presents its certificate. An error contains the end of its log.
    pub fn start(dovecot: &Dovecot) -> Result<Postfix> {
        Postfix::start_pushing(dovecot, None)
    }

    /// Does what [`Postfix::start`] does, and pushes the mail of one address to other servers.
    pub fn start_pushing(dovecot: &Dovecot, push: Option<Push>) -> Result<Postfix> {
        ensure!(is_root(), "Postfix starts as root only: its processes change to users of their own");
        let folder = Folder::make("postfix")?;
        let owner = Owner::named("postfix")?;
        let droppers = Some(owner.with_group("postdrop")?);
        folder.subfolder("etc", 0o755, None)?;
        folder.subfolder("data", 0o700, Some(owner))?;
        folder.subfolder("queue", 0o755, None)?;
        folder.subfolder("queue/pid", 0o755, None)?;
        folder.subfolder("queue/public", 0o710, droppers)?;
        folder.subfolder("queue/maildrop", 0o730, droppers)?;
        for (name, mode) in QUEUE_FOLDERS {
            folder.subfolder(&format!("queue/{name}"), *mode, Some(owner))?;
        }
        let master = format!("{}/master", built_in("daemon_directory")?);
        let (smtp, submission, smtps, proxied) = (Port::hold()?, Port::hold()?, Port::hold()?, Port::hold()?);
        let place = dovecot.place().clone();
        let mut postfix = Postfix { daemon: None, smtp, submission, smtps, proxied, push, folder, master, place };
        postfix.configure(dovecot)?;
        postfix.start_again()?;
        Ok(postfix)
    }

    /// Starts a stopped Postfix again, with the same ports and queue.
    pub fn start_again(&mut self) -> Result<()> {
        if self.daemon.is_none() {
            let configuration = self.folder.path().join("etc");
            let configuration = configuration.to_str().context("the temporary folder's name is no text")?;
            let arguments = ["-c", configuration, "-d"];
            let mut daemon = Daemon::start_at(&self.place, &self.master, &arguments, &self.folder)?;
            daemon.wait_for_greeting(self.smtp_address(), "220 ", &self.folder)?;
            self.daemon = Some(daemon);
        }
        Ok(())
    }

    /// Stops Postfix. Accepted mail is kept in its queue, and connections are refused.
    pub fn stop(&mut self) -> Result<()> {
        self.daemon.take().map_or(Ok(()), Daemon::stop)
    }

    /// Kills Postfix and all its processes without warning, as a power cut would.
    pub fn kill(&mut self) {
        self.daemon = None;
    }

    /// Stops Postfix and starts it again.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.start_again()
    }

    /// Returns the address at which other servers deliver mail: without authentication, STARTTLS offered.
    pub fn smtp_address(&self) -> SocketAddr {
        self.at(&self.smtp)
    }

    /// Returns the address at which accounts submit mail: STARTTLS and authentication are required.
    pub fn submission_address(&self) -> SocketAddr {
        self.at(&self.submission)
    }

    /// Returns the address at which accounts submit mail over TLS from the first octet. Authentication is required.
    pub fn smtps_address(&self) -> SocketAddr {
        self.at(&self.smtps)
    }

    /// Returns the address at which Postfix pushes each mail on before it accepts the mail. Nothing listens there unless Postfix was
    /// started with [`Postfix::start_pushing`].
    pub fn proxied_address(&self) -> SocketAddr {
        self.at(&self.proxied)
    }

    fn at(&self, port: &Port) -> SocketAddr {
        SocketAddr::new(self.place.address, port.number())
    }

    /// Counts the mails that Postfix has accepted and not delivered yet.
    pub fn queued(&self) -> usize {
        let queue = self.folder.path().join("queue");
        ["maildrop", "incoming", "active", "deferred"].iter().map(|part| files_below(&queue.join(part))).sum()
    }

    /// Makes Postfix try to deliver all queued mail now. A mail whose delivery has failed normally waits for the time that the
    /// configuration says. But if Postfix scans its queue just while it moves the mail to the deferred queue, the mail waits for five
    /// minutes.
    pub fn flush(&self) -> Result<()> {
        let program = format!("{}/postqueue", built_in("command_directory")?);
        let mut words = self.place.launcher.iter().chain([&program]);
        let mut command = Command::new(words.next().unwrap_or(&program));
        let output = command.args(words).arg("-c").arg(self.folder.path().join("etc")).arg("-f").output()?;
        ensure!(output.status.success(), "postqueue: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Returns the path of Postfix's log.
    pub fn log_path(&self) -> &Path {
        self.folder.log_path()
    }

    /// Returns the last lines of Postfix's log.
    pub fn tail_of_logs(&self) -> String {
        self.folder.tail_of_log()
    }

    fn configure(&self, dovecot: &Dovecot) -> Result<()> {
        let mut mailboxes = String::new();
        let mut domains: Vec<&str> = Vec::new();
        for account in dovecot.accounts() {
            let (_, domain) = account.address.split_once('@').context("an account's name is an address")?;
            writeln!(mailboxes, "{} here", account.address)?;
            domains.push(domain);
        }
        if let Some(push) = &self.push {
            writeln!(mailboxes, "{} elsewhere", push.address)?;
        }
        domains.sort_unstable();
        domains.dedup();
        for (name, text) in [
            ("etc/mailboxes", mailboxes),
            ("etc/transport", self.transport_map()),
            ("etc/main.cf", self.main_cf(dovecot, &domains.join(" "))?),
            ("etc/master.cf", self.master_cf()),
        ] {
            let path = self.folder.write(name, &text)?;
            // Postfix reads a map only when its file is two seconds old, because somebody might still be writing it. Here nobody is, so the
            // file's time is set back, and the test need not wait.
            File::options().append(true).open(path)?.set_modified(SystemTime::now() - Duration::from_secs(60))?;
        }
        Ok(())
    }

    /// Returns the text of the map that sends the mail of one address elsewhere.
    fn transport_map(&self) -> String {
        self.push.as_ref().map_or_else(String::new, |push| {
            format!("{} pushed:inet:[{}]:{}\n", push.address, push.lmtp.ip(), push.lmtp.port())
        })
    }

    fn main_cf(&self, dovecot: &Dovecot, domains: &str) -> Result<String> {
        let folder = self.folder.path().to_str().context("the temporary folder's name is no text")?;
        let log = self.folder.log_path().display();
        let (lmtp, sign_in) = (dovecot.lmtp_socket(), dovecot.sign_in_socket());
        let certificate = dovecot.certificate();
        Ok(format!(
            "
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {log}
maillog_file_prefixes = {folder}
myhostname = localhost
mydestination =
inet_interfaces = {address}
inet_protocols = ipv4
mynetworks_style = subnet
disable_dns_lookups = yes
smtpd_peername_lookup = no
alias_maps =
local_recipient_maps =
default_transport = error:5.7.1 this test server sends nothing outside
virtual_mailbox_domains = {domains}
virtual_mailbox_maps = texthash:{folder}/etc/mailboxes
virtual_transport = lmtp:unix:{lmtp}
transport_maps = texthash:{folder}/etc/transport
smtpd_relay_restrictions = reject_unauth_destination
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_security_level = may
smtpd_sasl_type = dovecot
smtpd_sasl_path = {sign_in}
message_size_limit = 10485760
# A mailbox that is away for a moment in a test is tried again within seconds.
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
# Every client of a test has the same address: no limit for one client holds.
smtpd_client_connection_count_limit = 0
smtpd_error_sleep_time = 0
default_process_limit = 20
",
            address = self.place.address,
            lmtp = lmtp.display(),
            sign_in = sign_in.display(),
            certificate = certificate.certificate_path.display(),
            key = certificate.key_path.display(),
        ))
    }

    fn master_cf(&self) -> String {
        let (smtp, submission, smtps, proxied) = (&self.smtp, &self.submission, &self.smtps, &self.proxied);
        let address = self.place.address;
        let pushed = self.push.as_ref().map_or_else(String::new, |push| {
            format!(
                "pushed unix - - n - - lmtp\n  -o lmtp_tls_security_level=encrypt\n\
                 {address}:{proxied} inet n - n - - smtpd\n  -o smtpd_proxy_filter={}\n",
                push.smtp
            )
        });
        format!(
            "
{address}:{smtp} inet n - n - - smtpd
{address}:{submission} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
{address}:{smtps} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
{pushed}"
        )
    }
}

/// Counts the files below a folder. A folder that is removed meanwhile counts as empty.
fn files_below(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let of_entry = |path: PathBuf| if path.is_dir() { files_below(&path) } else { 1 };
    entries.flatten().map(|entry| of_entry(entry.path())).sum()
}

/// Returns a setting of Postfix that was fixed when Postfix was built.
fn built_in(name: &str) -> Result<String> {
    let output = Command::new("/usr/sbin/postconf").args(["-dh", name]).output();
    let output = output.context("Postfix is not there: install the package postfix")?;
    ensure!(output.status.success(), "postconf does not know {name}");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
