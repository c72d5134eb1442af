//! A private Dovecot: it offers POP3, POP3S and STLS for maildirs, and LMTP and authentication for Postfix.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};
use nix::unistd::{getegid, geteuid};

use super::Port;
use super::certificate::Certificate;
use super::daemon::Daemon;
use super::folder::{Folder, Owner, give, is_root};
use super::place::Place;

/// One mailbox: its address, which is also its user name, and its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The mail address.
    pub address: String,
    /// The password.
    pub password: String,
}

impl Account {
    /// Makes an account.
    pub fn new(address: impl Into<String>, password: impl Into<String>) -> Account {
        Account { address: address.into(), password: password.into() }
    }
}

/// The settings in which the Dovecots of tests differ.
#[derive(Clone, Debug, Default)]
pub struct DovecotSettings {
    /// The mailboxes.
    pub accounts: Vec<Account>,
    /// Value of `pop3_lock_session`: whether a mailbox allows only one session at a time.
    pub lock_session: bool,
    /// Where it runs.
    pub place: Place,
}

/// A Dovecot, running or stopped.
#[derive(Debug)]
pub struct Dovecot {
    /// The process. Rust drops fields in their order. This one stands first, so that the process ends before its ports and folder are
    /// released.
    daemon: Option<Daemon>,
    pop3: Port,
    pop3s: Port,
    folder: Folder,
    certificate: Certificate,
    accounts: Vec<Account>,
    owner: Owner,
    place: Place,
}

impl Dovecot {
    /// Starts a Dovecot with these accounts. An error contains the end of its log.
    pub fn start(accounts: &[Account]) -> Result<Dovecot> {
        Dovecot::start_with(DovecotSettings { accounts: accounts.to_vec(), ..DovecotSettings::default() })
    }

    /// Starts a Dovecot with these settings. An error contains the end of its log.
    pub fn start_with(settings: DovecotSettings) -> Result<Dovecot> {
        #[allow(clippy::disallowed_methods, reason = "a switch for tests only, as the sizes of long runs are")]
        let place = std::env::var_os("XM_MAIL_FOLDER").map_or_else(std::env::temp_dir, PathBuf::from);
        let folder = Folder::make_in(&place, "dovecot")?;
        let owner = if is_root() {
            Owner::named("nobody")?
        } else {
            Owner { uid: geteuid().as_raw(), gid: getegid().as_raw() }
        };
        folder.subfolder("mail", 0o755, Some(owner))?;
        let DovecotSettings { accounts, lock_session, place } = settings;
        let certificate = Certificate::make_for(folder.path(), &[place.address])?;
        let (pop3, pop3s) = (Port::hold()?, Port::hold()?);
        let mut dovecot = Dovecot { daemon: None, pop3, pop3s, folder, certificate, accounts, owner, place };
        dovecot.folder.write("passwd", &dovecot.passwd()?)?;
        let configuration = dovecot.configuration(lock_session)?;
        dovecot.folder.write("dovecot.conf", &configuration)?;
        dovecot.start_again()?;
        Ok(dovecot)
    }

    /// Starts a stopped Dovecot again, with the same ports and mail.
    pub fn start_again(&mut self) -> Result<()> {
        if self.daemon.is_none() {
            let configuration = self.folder.path().join("dovecot.conf");
            let configuration = configuration.to_str().context("the temporary folder's name is no text")?;
            let arguments = ["-F", "-c", configuration];
            let mut daemon = Daemon::start_at(&self.place, "/usr/sbin/dovecot", &arguments, &self.folder)?;
            daemon.wait_for_greeting(self.pop3_address(), "+OK", &self.folder)?;
            self.daemon = Some(daemon);
        }
        Ok(())
    }

    /// Stops Dovecot. Its mail is kept, and connections are refused.
    pub fn stop(&mut self) -> Result<()> {
        self.daemon.take().map_or(Ok(()), Daemon::stop)
    }

    /// Kills Dovecot and all its processes without warning, as a power cut would.
    pub fn kill(&mut self) {
        self.daemon = None;
    }

    /// Stops Dovecot and starts it again. Open sessions are closed.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.start_again()
    }

    /// Returns the id of Dovecot's first process, for measuring its resources. Fails while Dovecot is stopped.
    pub fn process_id(&self) -> Result<u32> {
        self.daemon.as_ref().map(Daemon::id).context("this Dovecot is stopped")
    }

    /// Returns the address of POP3 with STLS.
    pub fn pop3_address(&self) -> SocketAddr {
        SocketAddr::new(self.place.address, self.pop3.number())
    }

    /// Returns the address of POP3 over TLS.
    pub fn pop3s_address(&self) -> SocketAddr {
        SocketAddr::new(self.place.address, self.pop3s.number())
    }

    /// Returns where Dovecot runs.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Returns the certificate that Dovecot presents, for `localhost` and 127.0.0.1.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Returns the accounts.
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// Returns the path of the LMTP socket.
    pub fn lmtp_socket(&self) -> PathBuf {
        self.folder.path().join("run/lmtp")
    }

    /// Returns the path of the socket by which other servers check user names and passwords.
    pub fn sign_in_socket(&self) -> PathBuf {
        self.folder.path().join("run/sign-in")
    }

    /// Puts a mail into a mailbox without SMTP. The file is first written in the folder `tmp` and then moved to `new`, as the Maildir
    /// format has it, so that Dovecot never sees half a mail.
    pub fn deliver(&self, address: &str, mail: &[u8]) -> Result<()> {
        self.deliver_copies(address, mail, 1)
    }

    /// Delivers this number of copies of a mail, at least one. They are names (links) of one file, so even thousands of them need little
    /// room on the disk.
    pub fn deliver_copies(&self, address: &str, mail: &[u8], copies: usize) -> Result<()> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        ensure!(self.accounts.iter().any(|account| account.address == address), "Dovecot has no account {address}");
        for part in ["", "/tmp", "/new", "/cur"] {
            self.folder.subfolder(&format!("mail/{address}{part}"), 0o700, Some(self.owner))?;
        }
        let maildir = self.maildir(address);
        // The name begins with a number, because Dovecot lists new mails in the order of these numbers. It also has the mail's two sizes,
        // as on disk and with CRLF, as Dovecot's own delivery writes them: otherwise Dovecot would read every mail to answer LIST.
        let bare_newlines =
            mail.split(|byte| *byte == b'\n').rev().skip(1).filter(|line| !line.ends_with(b"\r")).count();
        let name = || {
            let number = LAST.fetch_add(1, Ordering::Relaxed);
            let (size, with_crlf) = (mail.len(), mail.len() + bare_newlines);
            format!("{}.{}.localhost,S={size},W={with_crlf}", 1_000_000_000 + number, std::process::id())
        };
        let aside = maildir.join("tmp").join(name());
        fs::write(&aside, mail)?;
        give(&aside, Some(self.owner))?;
        for _ in 1..copies {
            fs::hard_link(&aside, maildir.join("new").join(name())).context("delivering into a maildir")?;
        }
        fs::rename(&aside, maildir.join("new").join(name())).context("delivering into a maildir")
    }

    /// Delivers a mail that Dovecot lists but may not read, as where somebody has restored mailboxes from a backup as a user other than
    /// Dovecot's.
    pub fn deliver_unreadable(&self, address: &str, mail: &[u8]) -> Result<()> {
        self.deliver(address, mail)?;
        let newest = self.files(address)?.into_iter().max().context("the mail was delivered")?;
        Ok(fs::set_permissions(newest, fs::Permissions::from_mode(0o000))?)
    }

    /// Removes from a mailbox every mail that Dovecot may not read.
    pub fn remove_unreadable(&self, address: &str) -> Result<()> {
        for file in self.files(address)? {
            if fs::metadata(&file)?.permissions().mode() & 0o777 == 0 {
                fs::remove_file(file)?;
            }
        }
        Ok(())
    }

    /// Counts the mails in a mailbox by its files, whether they were read or not.
    pub fn count(&self, address: &str) -> usize {
        let files = |part: &str| fs::read_dir(self.maildir(address).join(part)).map_or(0, Iterator::count);
        files("new") + files("cur")
    }

    /// Reads every mail in a mailbox, whether it was read before or not, and does not remove it.
    pub fn mails(&self, address: &str) -> Result<Vec<Vec<u8>>> {
        self.files(address)?.into_iter().map(|file| Ok(fs::read(file)?)).collect()
    }

    /// Reads and removes every mail in a mailbox, like an office that collects its mail.
    pub fn take_mails(&self, address: &str) -> Result<Vec<Vec<u8>>> {
        let mut mails = Vec::new();
        for file in self.files(address)? {
            mails.push(fs::read(&file)?);
            fs::remove_file(&file)?;
        }
        Ok(mails)
    }

    fn files(&self, address: &str) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for part in ["new", "cur"] {
            // The folder is created with the first mail.
            let Ok(entries) = fs::read_dir(self.maildir(address).join(part)) else { continue };
            for entry in entries {
                files.push(entry?.path());
            }
        }
        Ok(files)
    }

    /// Returns the path of Dovecot's log.
    pub fn log_path(&self) -> &Path {
        self.folder.log_path()
    }

    /// Returns the last lines of Dovecot's log.
    pub fn tail_of_logs(&self) -> String {
        self.folder.tail_of_log()
    }

    fn maildir(&self, address: &str) -> PathBuf {
        self.folder.path().join("mail").join(address)
    }

    fn passwd(&self) -> Result<String> {
        let mut lines = String::new();
        for Account { address, password } in &self.accounts {
            let plain = |text: &str| !text.is_empty() && !text.contains([':', '/', '\n', ' ']);
            ensure!(plain(address) && plain(password), "no account can be made of {address:?} with its password");
            lines.push_str(&format!("{address}:{{PLAIN}}{password}::::::\n"));
        }
        Ok(lines)
    }

    fn configuration(&self, lock_session: bool) -> Result<String> {
        let folder = self.folder.path().to_str().context("the temporary folder's name is no text")?;
        let Owner { uid, gid } = self.owner;
        let (pop3, pop3s, users) = (&self.pop3, &self.pop3s, users_of_services()?);
        let shown = |path: &Path| path.display().to_string();
        let certificate = shown(&self.certificate.certificate_path);
        let key = shown(&self.certificate.key_path);
        let log = shown(self.folder.log_path());
        let lock_session = if lock_session { "yes" } else { "no" };
        let address = self.place.address;
        Ok(format!(
            "
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {log}
listen = {address}
protocols = pop3 lmtp
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_username_format = %Lu
auth_failure_delay = 0
first_valid_uid = 1
mail_location = maildir:{folder}/mail/%u
mail_fsync = never
mail_max_userip_connections = 1000
pop3_lock_session = {lock_session}
pop3_no_flag_updates = yes
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/passwd
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%u
}}
service pop3-login {{
  # One process for all sign-ins, as Dovecot's manual advises for many of them: one for each, as by default, took more of a
  # processor than everything else where eight mailboxes are polled every second.
  service_count = 0
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
  }}
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0666
  }}
}}
service auth {{
  unix_listener sign-in {{
    mode = 0666
  }}
}}
{users}"
        ))
    }
}

/// Returns the settings for the users of Dovecot's processes. Where tests run as root, none are needed: Dovecot's processes change to its
/// own users. Another user cannot change to them, nor lock processes into a folder (chroot), so all processes run as that user.
fn users_of_services() -> Result<String> {
    if is_root() {
        return Ok(String::new());
    }
    let user = nix::unistd::User::from_uid(geteuid())?.context("our own user has no name")?;
    let group = nix::unistd::Group::from_gid(getegid())?.context("our own group has no name")?;
    let (user, group) = (user.name, group.name);
    Ok(format!(
        "
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
service anvil {{
  chroot =
}}
service pop3-login {{
  chroot =
}}
service stats {{
  chroot =
}}
"
    ))
}
