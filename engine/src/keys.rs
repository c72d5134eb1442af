//! Loads the centre's keys: keys in use, retired keys, which still open old mail, and next keys, which are not in use yet. The keys are
//! compared with those in the database, so that the keys of another centre are never used.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use diesel_async::AsyncPgConnection;
use sdc::cms;
use sdc::document::{Document, DocumentLimits};
use sdc::keys::{CentreKeys, KeyError, RegisteredCertificate, SigningKey};
use store::centre;
use store::centre::keys::{CentreKey, Confirmed, KeyState, Purpose};
use store::certificates::spoken;
use store::error::AdministrationError;
use store::people::SystemAccount;

use crate::authority::{AUTHORITY_CERTIFICATE, CENTRE_PAIRS};

/// Folders below the folder of keys, with pairs that open letters: pairs no longer in use, and pairs not yet in use.
const ASIDE: [(&str, KeyState); 2] = [("retired", KeyState::Retired), ("next", KeyState::Next)];

/// The centre's keys.
pub struct LoadedKeys {
    /// Keys that open letters.
    pub centre: Arc<CentreKeys>,
    /// Key that signs answers.
    pub signing: Arc<SigningKey>,
    /// Certificates in use, with the paths of their files.
    pub certificates: Vec<(PathBuf, RegisteredCertificate)>,
    /// Every key once, in the form in which the database records it.
    pub known_as: Vec<CentreKey>,
}

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file cannot be read.
    #[error(
        "could not read {}: {source}; a centre's keys are made once, with it: copy its keys/ folder here, from a backup \
         or from a program that serves it",
        path.display()
    )]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The file does not hold a key or certificate that can be used.
    #[error("the key in {} cannot be used: {source}", path.display())]
    Unfit {
        /// Path of the file.
        path: PathBuf,
        /// Why the key or certificate cannot be used.
        source: KeyError,
    },
}

/// Loads every key below a folder of keys.
///
/// # Errors
/// A file is missing, cannot be read, or cannot be used.
pub fn load(folder: &Path) -> Result<LoadedKeys, LoadError> {
    let mut pairs = Vec::new();
    for stem in CENTRE_PAIRS {
        pairs.push((folder.join(format!("{stem}.crt")), pair(folder, stem)?));
    }
    let mut certificates: Vec<_> =
        pairs.iter().map(|(path, pair)| (path.clone(), pair.certificate().clone())).collect();
    let path = folder.join(AUTHORITY_CERTIFICATE);
    let read_authority = RegisteredCertificate::from_pem(&read(&path)?);
    let authority = read_authority.map_err(|source| LoadError::Unfit { path: path.clone(), source })?;
    certificates.push((path, authority.clone()));

    let mut keys: Vec<SigningKey> = pairs.into_iter().map(|(_, pair)| pair).collect();
    let Some(signing) = keys.first().cloned() else {
        return Err(LoadError::Read { path: folder.to_path_buf(), source: std::io::ErrorKind::NotFound.into() });
    };
    let letters = |state, pair: &SigningKey| CentreKey::new(Purpose::Letters, state, pair.certificate());
    let mut known_as: Vec<CentreKey> = keys.iter().map(|pair| letters(KeyState::Current, pair)).collect();
    known_as.push(CentreKey::new(Purpose::Authority, KeyState::Current, &authority));
    for (aside, state) in ASIDE {
        for stem in stems(&folder.join(aside))? {
            let pair = pair(&folder.join(aside), &stem)?;
            known_as.push(letters(state, &pair));
            keys.push(pair);
        }
    }
    let mut seen = HashSet::new();
    known_as.retain(|key| seen.insert(key.spki_sha256.clone()));
    Ok(LoadedKeys { centre: Arc::new(CentreKeys::new(keys)), signing: Arc::new(signing), certificates, known_as })
}

/// Confirms that the database belongs to the centre of these keys. If the database has no record of keys, because an older program made it,
/// these keys are recorded, and a log line says so.
///
/// # Errors
/// The keys are another centre's, or some of this centre's keys are missing; or the database fails.
pub async fn confirm(
    connection: &mut AsyncPgConnection,
    account: &SystemAccount,
    keys: &LoadedKeys,
) -> Result<(), AdministrationError> {
    let opens = |container: &[u8]| {
        let document = Document::parse(container, &DocumentLimits::default());
        document.and_then(|document| cms::open(&document, &keys.centre)).is_ok()
    };
    let key = || spoken(keys.signing.certificate().fingerprint().as_bytes());
    match centre::keys::confirm(connection, account, &keys.known_as, opens).await? {
        Confirmed::Known => {}
        Confirmed::AdoptedByProof => {
            tracing::warn!(
                key = key(),
                "the database recorded the keys of its centre: they open letters that it accepted"
            );
        }
        Confirmed::AdoptedWithoutProof => {
            tracing::warn!(
                key = key(),
                "the database recorded the keys of its centre: those found here, since it holds no letter that could tell"
            );
        }
    }
    Ok(())
}

fn pair(folder: &Path, stem: &str) -> Result<SigningKey, LoadError> {
    let path = folder.join(format!("{stem}.key"));
    let certificate = read(&folder.join(format!("{stem}.crt")))?;
    SigningKey::from_pem(&read(&path)?, &certificate).map_err(|source| LoadError::Unfit { path, source })
}

fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    std::fs::read(path).map_err(|source| LoadError::Read { path: path.to_path_buf(), source })
}

/// Lists the stems of the pairs in a folder; empty where the folder does not exist.
fn stems(folder: &Path) -> Result<Vec<String>, LoadError> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(folder).map_err(|source| LoadError::Read { path: folder.to_path_buf(), source })?;
    let mut stems: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".key").map(str::to_owned))
        .collect();
    stems.sort();
    Ok(stems)
}
