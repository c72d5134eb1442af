//! Passwords: random at first, to be changed at the first sign-in, and stored only as argon2id hashes.

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rand::RngExt;

use crate::database::fault::Fault;
use crate::database::schema::users;
use crate::error::AdministrationError;

/// Characters that people do not confuse when they read a password aloud or from paper. The 32 characters encode five bits each.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789_";
/// Number of characters of a password; they encode 120 bits.
const PASSWORD_CHARS: usize = 24;

/// A password in plain text, to be shown once.
pub struct OneTimePassword(String);

impl OneTimePassword {
    /// Returns the password's text, to be shown to its user.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for OneTimePassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OneTimePassword(…)")
    }
}

/// Says whether a password is the user's. For an unknown user name the answer takes as long as for a wrong password, so that the time does
/// not reveal which names exist.
///
/// # Errors
/// A fault of the database.
pub async fn matches(
    connection: &mut AsyncPgConnection,
    name: &str,
    password: &str,
) -> Result<bool, AdministrationError> {
    let held: Option<String> =
        users::table.find(name).select(users::password_hash).first(connection).await.optional()?;
    let known = held.is_some();
    let hash = match held {
        Some(hash) => hash,
        None => hashed(String::new()).await?,
    };
    let password = password.to_owned();
    let matches = blocking(move || {
        PasswordHash::new(&hash).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    })
    .await?;
    Ok(matches && known)
}

/// Hashes a password on a separate thread. By design, hashing takes tens of milliseconds and 19 MB, and would hold up other tasks of the
/// runtime.
pub(super) async fn hashed(password: String) -> Result<String, Fault> {
    blocking(move || {
        // The salt is random and has 16 octets. The defaults are argon2id with 19 MiB and 2 passes (OWASP).
        Argon2::default()
            .hash_password(password.as_bytes())
            .map(|hash| hash.to_string())
            .map_err(|error| Fault::Bug(format!("a password could not be hashed: {error}")))
    })
    .await?
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Fault::Bug(format!("hashing was interrupted: {error}")))
}

pub(super) fn random() -> OneTimePassword {
    let mut rng = rand::rng();
    OneTimePassword((0..PASSWORD_CHARS).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])).collect())
}
