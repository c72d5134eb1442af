//! A centre at its place: founded between the mailboxes and the relay that it uses, which are its own.

use anyhow::Result;

use crate::engine::{Engine, Posts};
use crate::servers::{Account, Dovecot, Postfix};
use crate::town::{CENTRE_ADDRESS, PASSWORD, found};

/// A centre with mailboxes and a relay of its own.
pub struct Site {
    /// The centre, which is not started yet. Declared first: it ends before its servers do.
    pub engine: Engine,
    /// The relay, which delivers into the mailboxes.
    pub postfix: Postfix,
    /// The mailboxes.
    pub dovecot: Dovecot,
}

impl Site {
    /// Starts the servers, with a mailbox for the centre and one for each of these addresses, and founds the centre between them.
    /// `further` are lines of its configuration with their sections.
    ///
    /// # Errors
    /// A server does not start; a command of the centre says no.
    pub fn found(addresses: &[String], further: &str) -> Result<Site> {
        let all = addresses.iter().map(String::as_str).chain([CENTRE_ADDRESS]);
        let accounts: Vec<Account> = all.map(|address| Account::new(address, PASSWORD)).collect();
        let dovecot = Dovecot::start(&accounts)?;
        let postfix = Postfix::start(&dovecot)?;
        let engine = Engine::configured(&Posts {
            dovecot: &dovecot,
            mailboxes: &[CENTRE_ADDRESS.to_owned()],
            password: PASSWORD,
            relay: postfix.smtp_address(),
            address: CENTRE_ADDRESS,
            further,
        })?;
        found(&engine)?;
        Ok(Site { engine, postfix, dovecot })
    }

    /// Starts the centre, and returns when it takes mail.
    ///
    /// # Errors
    /// It does not come up; the error has the end of its log.
    pub fn open(&mut self) -> Result<()> {
        self.engine.start()?;
        self.engine.wait_until_ready()
    }
}
