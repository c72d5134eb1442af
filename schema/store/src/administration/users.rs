//! The people who sign in. Passwords are random at first, changed at once, and kept as argon2id hashes only.

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use rand::RngExt;
use serde::Serialize;
use serde_json::json;

use super::{AdministrationError, audit};
use crate::fault::Fault;
use crate::schema::users;

/// Letters that nobody confuses when reading aloud or from paper; 32 of them, five bits each.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789_";
/// 24 letters of five bits: 120 bits.
const PASSWORD_CHARS: usize = 24;

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Privilege {
    /// Looks, messages, first certificates.
    Operateur = 1,
    /// Also agencies, certificates, billing, mail.
    ChefDAgence = 2,
    /// Also users, tables, tariffs, the CA.
    Superviseur = 3,
}

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

/// Adds a user with a random password, which must be changed at the first sign-in.
///
/// # Errors
/// The name is taken or not valid; a fault.
pub async fn add(
    connection: &mut AsyncPgConnection,
    operator: &str,
    name: &str,
    privilege: Privilege,
) -> Result<OneTimePassword, AdministrationError> {
    let password = random_password();
    let hash = hashed(password.reveal().to_owned()).await?;
    connection
        .transaction::<_, AdministrationError, _>(async |connection| {
            diesel::insert_into(users::table)
                .values((users::name.eq(name), users::privilege.eq(privilege as i16), users::password_hash.eq(hash)))
                .execute(connection)
                .await
                .map_err(|error| explain(error, name))?;
            let detail = json!({ "privilege": privilege });
            audit::write(connection, operator, "user.add", &format!("user {name}"), detail).await?;
            Ok(())
        })
        .await?;
    Ok(password)
}

/// Says whether any Superviseur exists; `init` makes the first.
///
/// # Errors
/// A fault.
pub async fn has_superviseur(connection: &mut AsyncPgConnection) -> Result<bool, AdministrationError> {
    let count: i64 =
        users::table.filter(users::privilege.eq(Privilege::Superviseur as i16)).count().get_result(connection).await?;
    Ok(count > 0)
}

/// Says whether a password is the user's. An unknown user costs as much time as a wrong password.
///
/// # Errors
/// A fault.
pub async fn password_matches(
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
async fn hashed(password: String) -> Result<String, Fault> {
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

fn random_password() -> OneTimePassword {
    let mut rng = rand::rng();
    OneTimePassword((0..PASSWORD_CHARS).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])).collect())
}

fn explain(error: diesel::result::Error, name: &str) -> AdministrationError {
    AdministrationError::explain(
        error,
        vec![
            ("users_pkey", AdministrationError::UserExists(name.to_owned())),
            (
                "users_name_check",
                AdministrationError::invalid("the user's name", "2 to 32 of a-z, 0-9, point, underscore and hyphen"),
            ),
        ],
    )
}
