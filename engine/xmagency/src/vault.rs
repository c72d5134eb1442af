//! The key of the office's database, sealed for each local user under that user's pass-phrase.
//!
//! The database is encrypted with one random key. The vault, a file beside the database, has that key once for each user: AES-256-GCM
//! under a key that Argon2id derives from the pass-phrase. So a pass-phrase can change, and a user can go, without a new encryption of
//! the database; and who has no pass-phrase has nothing. Roles are in the database, where nobody can edit them from outside.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use agency::platform;
use argon2::{Algorithm, Argon2, Params, Version};
use openssl::rand::rand_bytes;
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Name of the vault's file in the office folder.
const FILE: &str = "users.json";
/// Version of the file.
const VAULT_VERSION: u16 = 1;
/// Least number of characters of a pass-phrase.
pub const PASSPHRASE_CHARS_MIN: usize = 10;
/// Octets of a key, of a salt, of a nonce and of a tag.
const KEY_BYTES: usize = 32;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// Argon2id with 19 MiB and 2 passes, as OWASP asks at least. A command derives one key, in about 30 ms.
const COST: Cost = Cost { memory_kib: 19 << 10, passes: 2, lanes: 1 };
/// Bounds of the cost in a vault's file, so that a file that somebody has changed cannot take all memory or time.
const MEMORY_KIB_MAX: u32 = 1 << 20;
const PASSES_MAX: u32 = 64;

/// The random key of the database.
pub struct DatabaseKey(Zeroizing<[u8; KEY_BYTES]>);

/// A pass-phrase as typed.
pub struct Passphrase(Zeroizing<String>);

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    argon2id: Cost,
    #[serde(with = "hex::serde")]
    salt: Vec<u8>,
    #[serde(with = "hex::serde")]
    nonce: Vec<u8>,
    /// The database's key, encrypted, and the tag behind it.
    #[serde(with = "hex::serde")]
    key: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    xmagency_vault: u16,
    users: BTreeMap<String, Sealed>,
}

/// The vault of an office folder.
pub struct Vault {
    path: PathBuf,
    file: File,
}

/// The vault cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The folder has no office.
    #[error("there is no office in {}: run `xmagency init KIT` first, or name its folder with --office", .0.display())]
    Missing(PathBuf),
    /// The folder has an office already.
    #[error("{} has an office already: name another folder with --office", .0.display())]
    Exists(PathBuf),
    /// The file cannot be read or written.
    #[error("the vault {} cannot be used: {source}", path.display())]
    Io {
        /// Path of the vault.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no vault.
    #[error("the vault {} is damaged: restore it from a backup", .0.display())]
    Damaged(PathBuf),
    /// Nobody has this name.
    #[error("{user:?} is no user of this office: expected one of {known}")]
    NoSuchUser {
        /// The name.
        user: String,
        /// The names that there are.
        known: String,
    },
    /// Several people use the office, and none was named.
    #[error("this office has several users: say which one with --user, one of {0}")]
    WhichUser(String),
    /// The name is taken.
    #[error("{0:?} is a user of this office already")]
    UserExists(String),
    /// The pass-phrase is wrong.
    #[error(
        "the pass-phrase of {0} is wrong: without it nobody can open the office's records; another user may, or a backup"
    )]
    WrongPassphrase(String),
    /// The pass-phrase is too short to protect anything.
    #[error("the pass-phrase is too short: expected at least {PASSPHRASE_CHARS_MIN} characters")]
    TooShort,
    /// The cryptographic library fails.
    #[error("the database's key could not be sealed: {0}")]
    Crypto(String),
}

impl DatabaseKey {
    /// Makes a random key.
    ///
    /// # Errors
    /// The machine gives no random octets.
    pub fn generate() -> Result<DatabaseKey, VaultError> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        rand_bytes(key.as_mut_slice()).map_err(crypto)?;
        Ok(DatabaseKey(key))
    }

    /// Returns the key in hexadecimal, as SQLCipher takes it.
    pub fn hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0.as_slice()))
    }
}

impl Passphrase {
    /// Takes a pass-phrase. Texts that look alike are alike: the characters are composed (NFC).
    pub fn new(text: &str) -> Passphrase {
        Passphrase(Zeroizing::new(sdc::names::composed(text)))
    }

    /// Says whether the pass-phrase is long enough to be chosen.
    ///
    /// # Errors
    /// It is too short.
    pub fn check(&self) -> Result<(), VaultError> {
        if self.0.chars().count() < PASSPHRASE_CHARS_MIN { Err(VaultError::TooShort) } else { Ok(()) }
    }
}

impl Vault {
    /// Makes the vault of a new office, in memory; [`Vault::write`] writes it.
    ///
    /// # Errors
    /// The folder has an office.
    pub fn new(folder: &Path) -> Result<Vault, VaultError> {
        let path = folder.join(FILE);
        if path.exists() {
            return Err(VaultError::Exists(folder.to_path_buf()));
        }
        Ok(Vault { path, file: File { xmagency_vault: VAULT_VERSION, users: BTreeMap::new() } })
    }

    /// Reads the vault of an office folder.
    ///
    /// # Errors
    /// There is none; it cannot be read; it is damaged.
    pub fn read(folder: &Path) -> Result<Vault, VaultError> {
        let path = folder.join(FILE);
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(VaultError::Missing(folder.to_path_buf()));
            }
            read => read.map_err(|source| VaultError::Io { path: path.clone(), source })?,
        };
        let file: Option<File> = serde_json::from_slice(&text).ok();
        let is_ours = |file: &File| file.xmagency_vault == VAULT_VERSION && !file.users.is_empty();
        match file.filter(is_ours) {
            Some(file) => Ok(Vault { path, file }),
            None => Err(VaultError::Damaged(path)),
        }
    }

    /// Writes the vault. After a crash it is the former or the new one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self) -> Result<(), VaultError> {
        let io = |source| VaultError::Io { path: self.path.clone(), source };
        let mut text = serde_json::to_vec_pretty(&self.file).map_err(|error| io(error.into()))?;
        text.push(b'\n');
        platform::replace_private(&self.path, &text).map_err(io)
    }

    /// Returns the names of the users, sorted.
    pub fn users(&self) -> Vec<&str> {
        self.file.users.keys().map(String::as_str).collect()
    }

    /// Returns the user who is meant: the one who is named, or the only one.
    ///
    /// # Errors
    /// Nobody has this name; several people use the office and none was named.
    pub fn user(&self, named: Option<&str>) -> Result<String, VaultError> {
        let users = self.users();
        match (named, users.as_slice()) {
            (None, [only]) => Ok((*only).to_owned()),
            (None, _) => Err(VaultError::WhichUser(users.join(", "))),
            (Some(name), _) if users.contains(&name) => Ok(name.to_owned()),
            (Some(name), _) => Err(VaultError::NoSuchUser { user: name.to_owned(), known: users.join(", ") }),
        }
    }

    /// Opens the database's key with a user's pass-phrase.
    ///
    /// # Errors
    /// Nobody has this name; the pass-phrase is wrong.
    pub fn unlock(&self, user: &str, passphrase: &Passphrase) -> Result<DatabaseKey, VaultError> {
        let name = self.user(Some(user))?;
        let sealed = self.file.users.get(&name).ok_or_else(|| VaultError::Damaged(self.path.clone()))?;
        let damaged = || VaultError::Damaged(self.path.clone());
        if sealed.key.len() != KEY_BYTES + TAG_BYTES || sealed.nonce.len() != NONCE_BYTES {
            return Err(damaged());
        }
        let wrapping = derive(passphrase, &sealed.salt, sealed.argon2id).ok_or_else(damaged)?;
        let (encrypted, tag) = sealed.key.split_at(KEY_BYTES);
        let about = associated(&name);
        let opened =
            decrypt_aead(Cipher::aes_256_gcm(), &wrapping[..], Some(&sealed.nonce), about.as_bytes(), encrypted, tag);
        let opened = Zeroizing::new(opened.map_err(|_wrong_tag| VaultError::WrongPassphrase(name))?);
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        key.copy_from_slice(&opened);
        Ok(DatabaseKey(key))
    }

    /// Adds a user, or gives one another pass-phrase, in memory; [`Vault::write`] writes it.
    ///
    /// # Errors
    /// The pass-phrase is too short; the cryptographic library fails.
    pub fn seal(&mut self, user: &str, passphrase: &Passphrase, key: &DatabaseKey) -> Result<(), VaultError> {
        passphrase.check()?;
        let (mut salt, mut nonce) = (vec![0; SALT_BYTES], vec![0; NONCE_BYTES]);
        rand_bytes(&mut salt).map_err(crypto)?;
        rand_bytes(&mut nonce).map_err(crypto)?;
        let wrapping = derive(passphrase, &salt, COST).ok_or_else(|| VaultError::Crypto("argon2id".to_owned()))?;
        let mut tag = [0; TAG_BYTES];
        let about = associated(user);
        let sealed = encrypt_aead(
            Cipher::aes_256_gcm(),
            &wrapping[..],
            Some(&nonce),
            about.as_bytes(),
            key.0.as_slice(),
            &mut tag,
        );
        let mut sealed = sealed.map_err(crypto)?;
        sealed.extend_from_slice(&tag);
        let sealed = Sealed { argon2id: COST, salt, nonce, key: sealed };
        self.file.users.insert(user.to_owned(), sealed);
        Ok(())
    }

    /// Removes a user, in memory; [`Vault::write`] writes it.
    pub fn remove(&mut self, user: &str) {
        self.file.users.remove(user);
    }
}

/// Returns what a sealed key is bound to: a key that is moved to another user's name does not open.
fn associated(user: &str) -> String {
    format!("xmagency vault 1 {user}")
}

/// Derives the key that seals the database's key; none where the cost in the file is beyond all bounds.
fn derive(passphrase: &Passphrase, salt: &[u8], cost: Cost) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    if cost.memory_kib > MEMORY_KIB_MAX || cost.passes > PASSES_MAX {
        return None;
    }
    let parameters = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(KEY_BYTES)).ok()?;
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters);
    argon2.hash_password_into(passphrase.0.as_bytes(), salt, key.as_mut_slice()).ok()?;
    Some(key)
}

fn crypto(error: openssl::error::ErrorStack) -> VaultError {
    VaultError::Crypto(error.to_string())
}

impl fmt::Debug for DatabaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseKey")
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrase(text: &str) -> Passphrase {
        Passphrase::new(text)
    }

    #[test]
    fn each_user_opens_the_one_key_with_a_pass_phrase_of_their_own() {
        let place = tempfile::tempdir().unwrap();
        let mut vault = Vault::new(place.path()).unwrap();
        let key = DatabaseKey::generate().unwrap();
        vault.seal("awa", &phrase("un mot de passe"), &key).unwrap();
        vault.seal("mbome", &phrase("another phrase"), &key).unwrap();
        vault.write().unwrap();
        assert!(matches!(Vault::new(place.path()), Err(VaultError::Exists(_))));

        let vault = Vault::read(place.path()).unwrap();
        assert_eq!(vault.users(), ["awa", "mbome"]);
        for (user, text) in [("awa", "un mot de passe"), ("mbome", "another phrase")] {
            assert_eq!(vault.unlock(user, &phrase(text)).unwrap().hex(), key.hex());
        }
        let wrong = vault.unlock("awa", &phrase("another phrase")).unwrap_err();
        assert!(matches!(wrong, VaultError::WrongPassphrase(_)), "{wrong}");
        assert!(matches!(vault.user(None), Err(VaultError::WhichUser(_))));
        assert!(matches!(vault.unlock("nobody", &phrase("x")), Err(VaultError::NoSuchUser { .. })));
    }

    #[test]
    fn a_key_under_another_name_or_of_a_changed_file_does_not_open() {
        let place = tempfile::tempdir().unwrap();
        let mut vault = Vault::new(place.path()).unwrap();
        vault.seal("awa", &phrase("un mot de passe"), &DatabaseKey::generate().unwrap()).unwrap();
        vault.write().unwrap();
        let file = place.path().join(FILE);
        let text = std::fs::read_to_string(&file).unwrap();

        std::fs::write(&file, text.replace("\"awa\"", "\"bwa\"")).unwrap();
        let moved = Vault::read(place.path()).unwrap().unlock("bwa", &phrase("un mot de passe")).unwrap_err();
        assert!(matches!(moved, VaultError::WrongPassphrase(_)), "{moved}");
        // A cost that would take all memory is not tried.
        std::fs::write(&file, text.replace("19456", "4194304000")).unwrap();
        let dear = Vault::read(place.path()).unwrap().unlock("awa", &phrase("un mot de passe")).unwrap_err();
        assert!(matches!(dear, VaultError::Damaged(_)), "{dear}");
        for damaged in ["", "{}", "{\"xmagency_vault\":1,\"users\":{}}", "{\"xmagency_vault\":2,\"users\":{}}"] {
            std::fs::write(&file, damaged).unwrap();
            assert!(matches!(Vault::read(place.path()), Err(VaultError::Damaged(_))), "{damaged}");
        }
        std::fs::remove_file(&file).unwrap();
        assert!(matches!(Vault::read(place.path()), Err(VaultError::Missing(_))));
    }

    #[test]
    fn a_pass_phrase_is_long_and_is_the_same_however_its_accents_are_typed() {
        assert!(matches!(phrase("court").check(), Err(VaultError::TooShort)));
        let place = tempfile::tempdir().unwrap();
        let mut vault = Vault::new(place.path()).unwrap();
        vault.seal("awa", &phrase("été à Édéa"), &DatabaseKey::generate().unwrap()).unwrap();
        vault.unlock("awa", &phrase("e\u{301}te\u{301} a\u{300} E\u{301}de\u{301}a")).unwrap();
    }
}
