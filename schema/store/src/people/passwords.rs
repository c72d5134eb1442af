//! Passwords: the first one is random and must be changed at the first sign-in. The database has only argon2id hashes.

use std::collections::BTreeSet;

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use rand::RngExt;
use tokio::sync::{OnceCell, Semaphore};

use crate::database::fault::Fault;
use crate::error::InvalidValue;

/// Characters that people do not confuse when they read a password aloud or from paper. The 32 characters encode five bits each.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789_";
/// Number of characters of a first password; they encode 120 bits.
const FIRST_CHARS: usize = 24;
/// Number of characters of each of the two parts of a first password that two people give.
pub(super) const PART_CHARS: usize = FIRST_CHARS / 2;
/// Least number of characters of a password that a person chooses (NIST SP 800-63B-4 asks for 15 where a password is all there is, and 8
/// beside something else; here five wrong tries lock, so that only what is guessed at once counts).
const CHARS_MIN: usize = 12;
/// Largest number of characters of a password, so that nobody has the centre hash a book.
const CHARS_MAX: usize = 128;
/// Least number of different characters of a password.
const DIFFERENT_MIN: usize = 5;

/// Hashing needs 19 MB and some tens of milliseconds of a processor. So only this many passwords are hashed at a time: those who try
/// passwords take neither the memory nor the processors from settling.
static HASHING: Semaphore = Semaphore::const_new(2);
/// A hash that no password has. It is verified where there is no user or no password, so that the time does not tell which names exist.
static DECOY: OnceCell<String> = OnceCell::const_new();

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

/// Checks a password that a user chooses: 12 to 128 characters, five of them different, and not with the user's name in it.
///
/// # Errors
/// [`InvalidValue::Password`].
pub fn check(user: &str, password: &str) -> Result<(), InvalidValue> {
    let different: BTreeSet<char> = password.chars().collect();
    // A name of two or three letters stands in many words.
    let has_name = user.chars().count() > 3 && password.to_lowercase().contains(user);
    if is_of_length(password) && different.len() >= DIFFERENT_MIN && !has_name {
        return Ok(());
    }
    Err(InvalidValue::Password { chars_min: CHARS_MIN, chars_max: CHARS_MAX, different_min: DIFFERENT_MIN })
}

/// Says whether a password has a length that passwords may have.
pub(super) fn is_of_length(password: &str) -> bool {
    (CHARS_MIN..=CHARS_MAX).contains(&password.chars().count())
}

/// Says whether a password has a hash. Without a hash the answer is no, and takes as long.
pub(super) async fn matches(hash: Option<String>, password: &str) -> Result<bool, Fault> {
    let decoy = DECOY.get_or_try_init(|| hashed(String::new())).await?.clone();
    let password = password.to_owned();
    blocking(move || {
        let hash = hash.as_deref().and_then(|hash| PasswordHash::new(hash).ok());
        let is_known = hash.is_some();
        let verified = match hash {
            Some(hash) => Argon2::default().verify_password(password.as_bytes(), &hash).is_ok(),
            None => PasswordHash::new(&decoy)
                .is_ok_and(|decoy| Argon2::default().verify_password(password.as_bytes(), &decoy).is_ok()),
        };
        verified && is_known
    })
    .await
}

/// Hashes a password on a separate thread, since this would hold up other tasks of the runtime.
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
    let interrupted = |error: &dyn std::fmt::Display| Fault::Bug(format!("hashing was interrupted: {error}"));
    let permit = HASHING.acquire().await.map_err(|error| interrupted(&error))?;
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| interrupted(&error));
    drop(permit);
    done
}

/// Makes a first password.
pub(super) fn random() -> OneTimePassword {
    OneTimePassword(text(FIRST_CHARS))
}

/// Makes a part of a first password.
pub(super) fn random_part() -> OneTimePassword {
    OneTimePassword(text(PART_CHARS))
}

fn text(chars: usize) -> String {
    let mut rng = rand::rng();
    (0..chars).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_long_of_several_characters_and_not_the_users_name() {
        for good in ["correct horse battery", "mot de passé!", random().reveal()] {
            assert_eq!(check("mbome", good), Ok(()), "{good}");
        }
        let long = "abcde".repeat(26);
        for bad in ["", "zzzz", "short one 1", "abababababababab", "my name is Mbome", long.as_str()] {
            assert!(matches!(check("mbome", bad), Err(InvalidValue::Password { chars_min: 12, .. })), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_password_matches_its_hash_alone() {
        let hash = hashed("correct horse battery".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(matches(Some(hash.clone()), "correct horse battery").await.unwrap());
        for (hash, password) in [(Some(hash), "correct horse batterz"), (None, ""), (Some(String::new()), "")] {
            assert!(!matches(hash.clone(), password).await.unwrap(), "{hash:?}");
        }
    }
}
