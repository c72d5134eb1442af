//! What the office is set up with, in the database: kit, name of the installation, password of the mailbox, counters.

use agency::kit::{Kit, KitError};
use rusqlite::params;

use crate::database::{Database, DatabaseError};

/// A setting by its name in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The kit, as it was read.
    Kit,
    /// Name of the installation.
    Installation,
    /// Password of mailbox and relay.
    MailPassword,
    /// Sequence number of the next letter.
    NextSequence,
    /// When letters and answers were last carried, RFC 3339.
    CarriedAt,
}

impl Setting {
    fn name(self) -> &'static str {
        match self {
            Setting::Kit => "kit",
            Setting::Installation => "installation",
            Setting::MailPassword => "mail_password",
            Setting::NextSequence => "next_sequence",
            Setting::CarriedAt => "carried_at",
        }
    }
}

/// What the office is set up with cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A setting is not there.
    #[error("the office's database lacks the setting {0}: restore the office from a backup")]
    Missing(&'static str),
    /// The kit can no longer be used.
    #[error(transparent)]
    Kit(#[from] KitError),
    /// The database cannot be read.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl Database {
    /// Returns a setting; none where it was never set.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn setting(&self, setting: Setting) -> Result<Option<String>, DatabaseError> {
        self.find("SELECT value FROM settings WHERE name = ?1", [setting.name()], |row| row.get(0))
    }

    /// Returns a setting that every office has.
    ///
    /// # Errors
    /// It is not there; the database cannot be read.
    pub fn required(&self, setting: Setting) -> Result<String, SettingsError> {
        self.setting(setting)?.ok_or(SettingsError::Missing(setting.name()))
    }

    /// Sets a setting.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn set(&self, setting: Setting, value: &str) -> Result<(), DatabaseError> {
        let statement = "INSERT INTO settings VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        self.change(statement, params![setting.name(), value]).map(drop)
    }

    /// Returns the kit.
    ///
    /// # Errors
    /// There is none, or it can no longer be used.
    pub fn kit(&self) -> Result<Kit, SettingsError> {
        Ok(Kit::read(&self.required(Setting::Kit)?)?)
    }
}
