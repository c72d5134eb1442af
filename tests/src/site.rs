//! A centre that is set up with mailboxes and a relay for itself alone.

use std::path::Path;

use anyhow::Result;

use crate::engine::{Engine, Posts};
use crate::program::xmserver;
use crate::servers::{Account, Dovecot, Postfix};
use crate::town::{CENTRE_ADDRESS, PASSWORD, found};

/// A centre with mailboxes and a relay for itself alone.
pub struct Site {
    /// The centre, which is not started yet. Rust drops fields in their order, so the centre ends before its servers.
    pub engine: Engine,
    /// The relay. It delivers into the mailboxes.
    pub postfix: Postfix,
    /// The mailboxes.
    pub dovecot: Dovecot,
}

impl Site {
    /// Starts the servers, with a mailbox for the centre and one for each of these addresses, and sets up the centre. `further` has more
    /// sections of the centre's configuration.
    ///
    /// # Errors
    /// A server does not start; a command of the centre fails.
    pub fn found(addresses: &[String], further: &str) -> Result<Site> {
        Site::with_mailboxes(&[CENTRE_ADDRESS.to_owned()], addresses, further)
    }

    /// Does what [`Site::found`] does, for a centre that has these mailboxes.
    ///
    /// # Errors
    /// Those of [`Site::found`].
    pub fn with_mailboxes(mailboxes: &[String], addresses: &[String], further: &str) -> Result<Site> {
        Site::of(xmserver()?, mailboxes, addresses, further)
    }

    /// Does what [`Site::with_mailboxes`] does, for a given program.
    ///
    /// # Errors
    /// Those of [`Site::found`].
    pub fn of(program: &Path, mailboxes: &[String], addresses: &[String], further: &str) -> Result<Site> {
        let all = addresses.iter().chain(mailboxes).map(String::as_str);
        let accounts: Vec<Account> = all.map(|address| Account::new(address, PASSWORD)).collect();
        let dovecot = Dovecot::start(&accounts)?;
        let postfix = Postfix::start(&dovecot)?;
        let posts = Posts {
            dovecot: &dovecot,
            mailboxes,
            password: PASSWORD,
            relay: postfix.smtp_address(),
            address: CENTRE_ADDRESS,
            further,
        };
        let engine = Engine::configured_for(program, &posts)?;
        found(&engine)?;
        Ok(Site { engine, postfix, dovecot })
    }

    /// Starts the centre, and returns when it is ready for mail.
    ///
    /// # Errors
    /// The centre does not become ready; the error has the end of its log.
    pub fn open(&mut self) -> Result<()> {
        self.engine.start()?;
        self.engine.wait_until_ready()
    }
}
