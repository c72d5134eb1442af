//! A desk is what a command of the office works with: the open database, the person who has signed in, and the form in which results are
//! printed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use agency::identity::{Identity, IdentityError};
use agency::office::Office;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{SecondsFormat, Utc};
use face::show;
use rusqlite::params;
use sdc::keys::RegisteredCertificate;
use sdc::letter;
use sdc::service::Service;
use serde::Serialize;

use crate::database::{Database, DatabaseError};
use crate::people::{NotAnOfficer, Person, Role};
use crate::register::DatabaseRegister;
use crate::settings::{Setting, SettingsError};
use crate::vault::{Passphrase, Vault};

/// The desk of one command.
pub struct Desk {
    /// The office folder.
    pub folder: PathBuf,
    /// The office's database.
    pub database: Database,
    /// Who works here.
    pub person: Person,
    /// Whether results are for programs.
    pub json: bool,
}

/// The office's key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The office has no key that the centre knows.
    #[error(
        "the centre does not know this office yet: run `xmagency enrol CODE` with the code that the centre has told you"
    )]
    NotEnrolled,
    /// Two commands would make two letters of enrolment.
    #[error("the centre knows this office already")]
    Enrolled,
    /// The certificate that the centre gives is of another key.
    #[error("the centre answered with a certificate of another key: tell the centre, by telephone")]
    OtherKey,
    /// A stored key is damaged.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// What the office is set up with cannot be read.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Returns the time of the office's clock in whole seconds, as the database has times.
pub fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl Desk {
    /// Signs a user in.
    ///
    /// # Errors
    /// There is no office; the pass-phrase is wrong; another program has the office open.
    pub fn open(folder: &Path, user: &str, passphrase: &Passphrase, json: bool) -> anyhow::Result<Desk> {
        let vault = Vault::read(folder)?;
        let key = vault.unlock(user, passphrase)?;
        let database = Database::open(folder, &key)?;
        // A user of the vault whom the database does not know may read and write, and nothing else: the vault can be edited from outside.
        let known = database.people()?.into_iter().find(|person| person.name == user);
        let person = known.unwrap_or_else(|| Person { name: user.to_owned(), role: Role::Clerk });
        Ok(Desk { folder: folder.to_path_buf(), database, person, json })
    }

    /// Demands an officer.
    ///
    /// # Errors
    /// The person is a clerk.
    pub fn require_officer(&self) -> anyhow::Result<()> {
        if self.person.role == Role::Officer {
            return Ok(());
        }
        let people = self.database.people()?;
        let officers: Vec<String> =
            people.into_iter().filter(|person| person.role == Role::Officer).map(|person| person.name).collect();
        Err(NotAnOfficer { name: self.person.name.clone(), officers: show::joined_or_dash(&officers) }.into())
    }

    /// Returns the pure office. What its register does belongs to the transaction that is open. `service` is that of the letters that it
    /// packs.
    ///
    /// # Errors
    /// The office is not enrolled, unless `service` is the enrolment; kit or keys cannot be used.
    pub fn office(&self, service: Service) -> Result<Office<DatabaseRegister<'_>>, KeyError> {
        let kit = self.database.kit()?;
        let identity = match (self.database.identity("current")?, service) {
            (Some(identity), _) => identity,
            (None, Service::Enrol) => self.database.identity("made")?.ok_or(KeyError::NotEnrolled)?,
            (None, _) => return Err(KeyError::NotEnrolled),
        };
        let former = self.database.identity("former")?;
        let sender =
            letter::Office { agency: kit.matricule, installation: self.database.required(Setting::Installation)? };
        let address = kit.mail.as_ref().map(|mail| mail.address.clone()).unwrap_or_default();
        let centre = Arc::new(kit.centre().map_err(SettingsError::from)?);
        let (by, at) = (self.person.name.clone(), now());
        let register = DatabaseRegister { database: &self.database, by, service: service.name(), at };
        Ok(match former {
            None => Office::new(sender, &address, identity, centre, register),
            Some(former) => {
                let mut office = Office::new(sender, &address, former, centre, register);
                office.adopt(identity);
                office
            }
        })
    }

    /// Prints a result: as JSON for programs, in words for people.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn tell(&self, result: &impl Serialize, words: &str) -> anyhow::Result<()> {
        if self.json { show::json(result) } else { show::text(&format!("{}\n", words.trim_end())) }
    }
}

impl Database {
    /// Stores a key that the office has made; the centre does not know it yet.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn keep_key(&self, key_pem: &str, certificate_pem: &str) -> Result<(), DatabaseError> {
        self.change("DELETE FROM keys WHERE state = 'made'", [])?;
        let statement = "INSERT INTO keys (key_pem, certificate_pem, state, made_at) VALUES (?1, ?2, 'made', ?3)";
        self.change(statement, params![key_pem, certificate_pem, now()]).map(drop)
    }

    /// Returns the key in this state, of several former ones the newest.
    ///
    /// # Errors
    /// The database cannot be read; the key is damaged.
    pub fn identity(&self, state: &str) -> Result<Option<Identity>, KeyError> {
        let statement = "SELECT key_pem, certificate_pem FROM keys WHERE state = ?1 ORDER BY id DESC LIMIT 1";
        let found = self.find(statement, [state], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
        let read = |(key, certificate): (String, String)| Identity::from_pem(key.as_bytes(), certificate.as_bytes());
        Ok(found.map(read).transpose()?)
    }

    /// Takes the certificate that the centre has registered: the key that was made becomes the current one, and the current one a former
    /// one. A certificate of the current key takes the place of its former certificate.
    ///
    /// # Errors
    /// The certificate is of another key; the database cannot be written.
    pub fn adopt_certificate(&self, certificate: &RegisteredCertificate) -> Result<(), KeyError> {
        let pem = pem_of(certificate.der());
        let is_of = |identity: &Identity| identity.certificate().spki_sha256() == certificate.spki_sha256();
        if self.identity("made")?.as_ref().is_some_and(is_of) {
            self.change("UPDATE keys SET state = 'former' WHERE state = 'current'", [])?;
            self.change("UPDATE keys SET state = 'current', certificate_pem = ?1 WHERE state = 'made'", [pem])?;
            return Ok(());
        }
        if self.identity("current")?.as_ref().is_some_and(is_of) {
            self.change("UPDATE keys SET certificate_pem = ?1 WHERE state = 'current'", [pem])?;
            return Ok(());
        }
        Err(KeyError::OtherKey)
    }
}

/// Returns a certificate in PEM.
fn pem_of(der: &[u8]) -> String {
    let text = BASE64.encode(der);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    // Base64 is ASCII, so each chunk is whole text.
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}
