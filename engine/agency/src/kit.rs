//! The kit: the file with which an office is set up, so that nobody there types what the centre knows.
//!
//! A kit is one JSON object, file name `*.kit`. It has no secret: the enrolment code goes to the office another way, by telephone or on
//! paper. But the office trusts the certificates in its kit, so the person who brings it says their fingerprints.

use chrono::{DateTime, Utc};
use mail::Security;
use sdc::address::is_address;
use sdc::keys::{KeyError, RegisteredCertificate};
use sdc::letter::{Matricule, Mode};
use serde::{Deserialize, Serialize};

use crate::office::Centre;

/// The version of the kit that this program reads and writes.
pub const KIT_VERSION: u16 = 1;

/// Maximum number of octets of a kit.
const OCTETS_MAX: usize = 256 << 10;
/// Maximum number of characters of a text of a kit.
const CHARS_MAX: usize = 200;
/// Bounds, in bytes, of the agency's limit of a letter. Nothing useful fits into less; no centre takes more than 4 MiB (FORMAT.md).
const LETTER_BYTES: std::ops::RangeInclusive<u32> = 4096..=4 << 20;

/// What an office needs to know of its centre, and of its own place there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kit {
    /// Version of the kit, [`KIT_VERSION`].
    pub sdc_kit: u16,
    /// The centre.
    pub centre: KitCentre,
    /// Whether the centre is a rehearsal or in earnest.
    pub mode: Mode,
    /// The agency for which the kit was made.
    pub matricule: Matricule,
    /// How mail reaches the centre and the office; absent for an office without mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<KitMail>,
    /// The centre's address for letters over HTTPS; absent where it offers none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub https: Option<KitHttps>,
    /// Largest document, in bytes, that the centre takes from this agency.
    pub letter_bytes_max: u32,
}

/// The centre, and whom to ask there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KitCentre {
    /// Name of the server, which letters state as `to`.
    pub name: String,
    /// Telephone of the operators; empty where none is given.
    pub telephone: String,
    /// Address to which letters are mailed.
    pub email: String,
    /// Certificates in PEM by which the office knows the centre's signature. Letters are encrypted for the first one.
    pub certificates: Vec<String>,
}

/// The office's mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KitMail {
    /// The office's own address, to which answers come.
    pub address: String,
    /// The mailbox from which answers are fetched.
    pub pop3: KitServer,
    /// The relay that takes letters.
    pub smtp: KitServer,
}

/// A mail server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KitServer {
    /// Host name as in the server's certificate.
    pub host: String,
    /// Port; absent for the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Protection of the connection.
    pub security: Security,
    /// Name to sign in with; absent where the relay asks for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// The centre's address for letters over HTTPS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KitHttps {
    /// Address before `/v1/letters`, such as `https://centre.example.org`.
    pub url: String,
}

/// A kit cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KitError {
    /// The text is no kit: not JSON, or not the members of one.
    #[error(
        "the kit cannot be read: expected the file as the centre made it, found at line {line}, column {column}: {what}"
    )]
    Unreadable {
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault, from 1.
        column: usize,
        /// Reason, in the words of the JSON reader.
        what: String,
    },
    /// The file is larger than any kit.
    #[error("the kit cannot be read: expected at most {most} bytes, found {found}")]
    TooLarge {
        /// Most bytes that a kit has.
        most: usize,
        /// Bytes of the file.
        found: usize,
    },
    /// The kit is of another version.
    #[error(
        "the kit has version {found}, but this program reads version {expected}: use the program that came with the kit"
    )]
    Version {
        /// Version of the kit.
        found: u64,
        /// Version that this program reads.
        expected: u16,
    },
    /// A member has a value that cannot be right.
    #[error("the kit's {member} is not valid: expected {expected}")]
    Member {
        /// Path of the member, such as `mail.smtp.host`.
        member: &'static str,
        /// What a right value would be.
        expected: &'static str,
    },
    /// A certificate cannot be used.
    #[error("certificate {number} of the kit cannot be used: {source}")]
    Certificate {
        /// Which certificate, from 1.
        number: usize,
        /// Why.
        source: KeyError,
    },
    /// All certificates have ended.
    #[error(
        "the certificates of the kit ended on {ended}: look at the clock of this machine, or ask the centre for a new kit"
    )]
    Ended {
        /// Last moment of the certificate that is valid for longest.
        ended: DateTime<Utc>,
    },
}

impl Kit {
    /// Reads a kit and looks at whatever can be judged without a network.
    ///
    /// # Errors
    /// [`KitError`] names the first thing that is wrong.
    pub fn read(text: &str) -> Result<Kit, KitError> {
        if text.len() > OCTETS_MAX {
            return Err(KitError::TooLarge { most: OCTETS_MAX, found: text.len() });
        }
        let unreadable = |error: serde_json::Error| KitError::Unreadable {
            line: error.line(),
            column: error.column(),
            what: error.to_string().split(" at line ").next().unwrap_or_default().to_owned(),
        };
        // The version comes first: a later kit may have members that this program does not know.
        let value: serde_json::Value = serde_json::from_str(text).map_err(unreadable)?;
        if let Some(found) = value["sdc_kit"].as_u64().filter(|found| *found != u64::from(KIT_VERSION)) {
            return Err(KitError::Version { found, expected: KIT_VERSION });
        }
        let kit: Kit = serde_json::from_str(text).map_err(unreadable)?;
        kit.check()?;
        kit.certificates()?;
        Ok(kit)
    }

    /// Writes the kit as the file that [`Kit::read`] reads.
    pub fn write(&self) -> String {
        // A structure of texts and numbers can always be written as JSON.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    fn check(&self) -> Result<(), KitError> {
        let wrong = |member, expected| Err(KitError::Member { member, expected });
        let is_plain = |text: &str| text.chars().count() <= CHARS_MAX && !text.chars().any(char::is_control);
        let is_filled = |text: &str| !text.trim().is_empty() && is_plain(text);
        if !is_filled(&self.centre.name) || self.centre.name.len() > 63 {
            return wrong("centre.name", "the server's name, 1 to 63 octets");
        }
        if !is_plain(&self.centre.telephone) {
            return wrong("centre.telephone", "a text on one line, at most 200 characters");
        }
        if !is_address(&self.centre.email) {
            return wrong("centre.email", "an e-mail address");
        }
        if !LETTER_BYTES.contains(&self.letter_bytes_max) {
            return wrong("letter_bytes_max", "4096 to 4194304 bytes");
        }
        if let Some(KitMail { address, pop3, smtp }) = &self.mail {
            if !is_address(address) {
                return wrong("mail.address", "an e-mail address");
            }
            if !is_filled(&pop3.host) {
                return wrong("mail.pop3.host", "a host name");
            }
            if !pop3.user.as_deref().is_some_and(is_filled) {
                return wrong("mail.pop3.user", "the mailbox's name");
            }
            if !is_filled(&smtp.host) {
                return wrong("mail.smtp.host", "a host name");
            }
            if !smtp.user.as_deref().is_none_or(is_filled) {
                return wrong("mail.smtp.user", "a name, or none");
            }
        }
        match &self.https {
            Some(https) if !https.url.starts_with("https://") || !is_plain(&https.url) => {
                wrong("https.url", "an address that begins with https://")
            }
            _ => Ok(()),
        }
    }

    /// Reads the centre's certificates.
    ///
    /// # Errors
    /// There is none; one cannot be used; all have ended.
    pub fn certificates(&self) -> Result<Vec<RegisteredCertificate>, KitError> {
        let read = |(number, pem): (usize, &String)| {
            RegisteredCertificate::from_pem(pem.as_bytes()).map_err(|source| KitError::Certificate { number, source })
        };
        let certificates: Vec<_> = (1..).zip(&self.centre.certificates).map(read).collect::<Result<_, _>>()?;
        match certificates.iter().map(|certificate| certificate.validity().1).max() {
            None => Err(KitError::Member { member: "centre.certificates", expected: "at least one certificate" }),
            Some(ended) if ended < Utc::now() => Err(KitError::Ended { ended }),
            Some(_) => Ok(certificates),
        }
    }

    /// Returns what the pure office must know of its centre.
    ///
    /// # Errors
    /// Fails as [`Kit::certificates`] does.
    pub fn centre(&self) -> Result<Centre, KitError> {
        let signers = self.certificates()?;
        let missing = KitError::Member { member: "centre.certificates", expected: "at least one certificate" };
        Ok(Centre {
            name: self.centre.name.clone(),
            mode: self.mode,
            address: self.centre.email.clone(),
            recipient: signers.first().ok_or(missing)?.clone(),
            signers,
        })
    }
}

#[cfg(test)]
mod tests;
