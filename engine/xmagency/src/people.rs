//! The local users of an office: clerks, who write records, and officers, who also validate them and speak for the office.

use std::fmt;
use std::str::FromStr;

use rusqlite::params;

use crate::database::{Database, DatabaseError};

/// Largest number of characters of a user's name.
const NAME_CHARS_MAX: usize = 60;

/// The role of a local user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Writes records, and carries letters
    Clerk,
    /// Also validates records, and speaks for the office to the centre
    Officer,
}

/// Who works with the program now: a user whose pass-phrase has opened the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The user's name.
    pub name: String,
    /// The user's role.
    pub role: Role,
}

/// Error: only an officer may do this.
#[derive(Debug, thiserror::Error)]
#[error("{name} is a clerk, and this needs an officer: one of {officers}")]
pub struct NotAnOfficer {
    /// The user's name.
    pub name: String,
    /// The officers of the office.
    pub officers: String,
}

/// Error: the text is no name of a user.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no name of a user: expected 1 to {NAME_CHARS_MAX} characters on one line")]
pub struct NoName(String);

impl Role {
    /// Returns the role as the database has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Clerk => "clerk",
            Role::Officer => "officer",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Role, String> {
        match text {
            "clerk" => Ok(Role::Clerk),
            "officer" => Ok(Role::Officer),
            other => Err(format!("{other:?} is no role")),
        }
    }
}

/// Reads a user's name.
///
/// # Errors
/// The text is empty, too long, or has control characters.
pub fn read_name(text: &str) -> Result<String, NoName> {
    let name = sdc::names::composed(text.trim());
    let is_name = !name.is_empty() && name.chars().count() <= NAME_CHARS_MAX && !name.chars().any(char::is_control);
    if is_name { Ok(name) } else { Err(NoName(text.to_owned())) }
}

impl Database {
    /// Lists the users by name.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn people(&self) -> Result<Vec<Person>, DatabaseError> {
        self.list("SELECT name, role FROM users ORDER BY name", [], |row| {
            let role: String = row.get(1)?;
            // A role that this program does not know gives the fewest rights.
            Ok(Person { name: row.get(0)?, role: role.parse().unwrap_or(Role::Clerk) })
        })
    }

    /// Adds a user, or changes the role of one.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn admit(&self, person: &Person, now: &str) -> Result<(), DatabaseError> {
        let statement = "INSERT INTO users VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE SET role = excluded.role";
        self.change(statement, params![person.name, person.role.as_str(), now]).map(drop)
    }

    /// Removes a user. What the user did keeps the name.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn dismiss(&self, name: &str) -> Result<(), DatabaseError> {
        self.change("DELETE FROM users WHERE name = ?1", [name]).map(drop)
    }
}
