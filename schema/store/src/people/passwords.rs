//! Passwords: random at first, changed at once, and kept as argon2id hashes only.

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rand::RngExt;

use crate::database::fault::Fault;
use crate::database::schema::users;
use crate::error::AdministrationError;

/// Letters that nobody confuses when reading aloud or from paper; 32 of them, five bits each.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789_";
/// 24 letters of five bits: 120 bits.
const PASSWORD_CHARS: usize = 24;

/// A password in clear, to be shown once.
pub struct OneTimePassword(String);

impl OneTimePassword {
    /// Returns the text, to be shown to the one it is for.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for OneTimePassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OneTimePassword(…)")
    }
}

/// Says whether a password is the user's. An unknown user costs as much time as a wrong password.
///
/// # Errors
/// A fault.
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

/// Hashes on a thread where it hinders nobody: it takes tens of milliseconds and 19 MB by design.
pub(super) async fn hashed(password: String) -> Result<String, Fault> {
    blocking(move || {
        // The salt is random, 16 octets; the defaults are argon2id, 19 MiB, 2 passes (OWASP).
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
