//! A key of the centre, described by its certificate.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use sdc::keys::RegisteredCertificate;
use serde::Serialize;

use crate::certificates::certificate::spoken;
use crate::database::schema::centre_keys;

/// Purpose of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The key opens letters and signs answers.
    Letters,
    /// The key issues certificates.
    Authority,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Purpose::Letters => "letters",
            Purpose::Authority => "authority",
        }
    }
}

/// State of a key from its announcement to its retirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Agencies have the key, but the centre does not use it yet.
    Next,
    /// The key is in use.
    Current,
    /// Agencies no longer get the key, but it still opens old mail.
    Retired,
}

impl KeyState {
    fn as_str(self) -> &'static str {
        match self {
            KeyState::Next => "next",
            KeyState::Current => "current",
            KeyState::Retired => "retired",
        }
    }
}

/// A key of the centre, described by its certificate.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable, Serialize)]
#[diesel(table_name = centre_keys)]
pub struct CentreKey {
    /// SHA-256 of the key's SubjectPublicKeyInfo; identifies the key in every certificate.
    #[serde(with = "hex")]
    pub spki_sha256: Vec<u8>,
    /// Purpose: `letters` or `authority`.
    pub purpose: String,
    /// State: `next`, `current` or `retired`.
    pub state: String,
    /// Algorithm of the key, such as `P-256`.
    pub algorithm: String,
    /// SHA-256 of the certificate.
    #[serde(with = "hex")]
    pub fingerprint: Vec<u8>,
    /// The certificate in DER.
    #[serde(skip)]
    pub certificate: Vec<u8>,
    /// Beginning of validity.
    pub not_before: DateTime<Utc>,
    /// End of validity.
    pub not_after: DateTime<Utc>,
}

impl CentreKey {
    /// Describes a key by its certificate.
    pub fn new(purpose: Purpose, state: KeyState, certificate: &RegisteredCertificate) -> CentreKey {
        let (not_before, not_after) = certificate.validity();
        CentreKey {
            spki_sha256: certificate.spki_sha256().as_bytes().to_vec(),
            purpose: purpose.as_str().to_owned(),
            state: state.as_str().to_owned(),
            algorithm: certificate.algorithm().to_owned(),
            fingerprint: certificate.fingerprint().as_bytes().to_vec(),
            certificate: certificate.der().to_vec(),
            not_before,
            not_after,
        }
    }

    pub(super) fn spoken(&self) -> String {
        spoken(&self.fingerprint)
    }
}
