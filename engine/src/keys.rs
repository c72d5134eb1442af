//! Loads the keys that `init` made, and those retired since, which still open old mail.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sdc::keys::{CentreKeys, KeyError, RegisteredCertificate, SigningKey};

use crate::authority::{AUTHORITY_CERTIFICATE, CENTRE_PAIRS};

/// Folder, below that of the keys, of pairs that are no longer given to agencies.
const RETIRED: &str = "retired";

/// The centre's keys.
pub struct LoadedKeys {
    /// Opens letters.
    pub centre: Arc<CentreKeys>,
    /// Signs answers.
    pub signing: Arc<SigningKey>,
    /// Certificates in use, by file.
    pub certificates: Vec<(PathBuf, RegisteredCertificate)>,
}

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file cannot be read.
    #[error("could not read {}: {source}; `xmserver init` makes the centre's keys", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file holds something else.
    #[error("the key in {} cannot be used: {source}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: KeyError,
    },
}

/// Loads every key below a folder of keys.
///
/// # Errors
/// A file that is missing, unreadable, or of no use.
pub fn load(folder: &Path) -> Result<LoadedKeys, LoadError> {
    let mut pairs = Vec::new();
    for stem in CENTRE_PAIRS {
        pairs.push((folder.join(format!("{stem}.crt")), pair(folder, stem)?));
    }
    let mut certificates: Vec<_> =
        pairs.iter().map(|(path, pair)| (path.clone(), pair.certificate().clone())).collect();
    let authority = folder.join(AUTHORITY_CERTIFICATE);
    let certificate = RegisteredCertificate::from_pem(&read(&authority)?)
        .map_err(|source| LoadError::Unfit { path: authority.clone(), source })?;
    certificates.push((authority, certificate));

    let mut keys: Vec<SigningKey> = pairs.into_iter().map(|(_, pair)| pair).collect();
    let Some(signing) = keys.first().cloned() else {
        return Err(LoadError::Read { path: folder.to_path_buf(), source: std::io::ErrorKind::NotFound.into() });
    };
    for stem in retired(&folder.join(RETIRED))? {
        keys.push(pair(&folder.join(RETIRED), &stem)?);
    }
    Ok(LoadedKeys { centre: Arc::new(CentreKeys::new(keys)), signing: Arc::new(signing), certificates })
}

fn pair(folder: &Path, stem: &str) -> Result<SigningKey, LoadError> {
    let path = folder.join(format!("{stem}.key"));
    let certificate = read(&folder.join(format!("{stem}.crt")))?;
    SigningKey::from_pem(&read(&path)?, &certificate).map_err(|source| LoadError::Unfit { path, source })
}

fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    std::fs::read(path).map_err(|source| LoadError::Read { path: path.to_path_buf(), source })
}

/// Names the pairs in the folder of retired ones, where there is one.
fn retired(folder: &Path) -> Result<Vec<String>, LoadError> {
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
