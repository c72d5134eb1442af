//! The body of `enrol`: the first contact of an installation, whose key the centre does not know yet. The body contains a one-time code,
//! which admits the installation, and a certificate of the installation's key. This key signs both the certificate and the letter.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::renew::certificate_of;
use crate::digest::Digest;
use crate::expected::Expected;
use crate::json::malformed;
use crate::json::members::{members, text};
use crate::refusal::Refusal;

/// Number of characters of a code; they encode 120 random bits.
pub const ENROLMENT_CHARS: usize = 24;

/// The alphabet of codes (Crockford's base32). It omits I, L and O, which look like digits, and U.
pub const ENROLMENT_ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Maximum number of octets of a text that the centre accepts as the code of a request.
const OCTETS_MAX: usize = 64;

/// A request to enrol an installation.
#[derive(Clone, PartialEq, Eq)]
pub struct Enrol {
    /// The one-time code.
    pub code: EnrolmentCode,
    /// The self-signed certificate in DER.
    pub certificate: Vec<u8>,
}

/// A one-time code, or any text that a letter contains as the code. A text that cannot be a code is refused like a wrong code.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct EnrolmentCode(String);

impl EnrolmentCode {
    /// Makes a code from what a person typed: drops blanks and hyphens, turns small letters into capitals, and turns letters that look like
    /// digits into these digits.
    pub fn typed(text: &str) -> EnrolmentCode {
        let meant = |character: char| match character.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        let is_meant = |character: &char| !character.is_whitespace() && *character != '-';
        EnrolmentCode(text.chars().filter(is_meant).map(meant).collect())
    }

    /// Returns the code as letters contain it, without hyphens.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the SHA-256 of the code, 32 bytes, by which the centre looks the code up. Nobody can guess 120 random bits from their
    /// digest.
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }

    /// Returns the code as people read it out: groups of four characters, separated by hyphens.
    pub fn spoken(&self) -> String {
        let characters: Vec<char> = self.0.chars().collect();
        characters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
    }
}

// Anybody who reads the code may enrol as the agency, so `Debug` does not show it.
impl fmt::Debug for EnrolmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrolmentCode")
    }
}

impl fmt::Debug for Enrol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Enrol({} octets)", self.certificate.len())
    }
}

impl Serialize for Enrol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut enrol = serializer.serialize_struct("Enrol", 2)?;
        enrol.serialize_field("code", &self.code)?;
        enrol.serialize_field("certificate", &BASE64.encode(&self.certificate))?;
        enrol.end()
    }
}

/// Reads the body from its JSON.
pub(super) fn read(body: Value) -> Result<Enrol, Refusal> {
    let [code, certificate] = members(body, "body", &["code", "certificate"])?;
    let is_bounded = |text: &String| (1..=OCTETS_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    let code = text(code).filter(is_bounded).ok_or_else(|| malformed("body.code", Expected::EnrolmentCode))?;
    Ok(Enrol { code: EnrolmentCode(code), certificate: certificate_of(certificate)? })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_code_is_taken_as_people_type_it_and_told_in_groups() {
        let code = EnrolmentCode::typed("abcd-efgh jkmn-pqrs tvwx-OIL3");
        assert_eq!((code.as_str(), code.as_str().len()), ("ABCDEFGHJKMNPQRSTVWX0113", ENROLMENT_CHARS));
        assert_eq!(code.spoken(), "ABCD-EFGH-JKMN-PQRS-TVWX-0113");
        assert_eq!(EnrolmentCode::typed(&code.spoken()), code);
        let enrol = read(json!({ "code": code.as_str(), "certificate": "AQID" })).unwrap();
        assert_eq!((json!(enrol)["certificate"].as_str(), enrol.code), (Some("AQID"), code));
        for wrong in
            [json!({ "code": "", "certificate": "AQID" }), json!({ "code": "A", "certificate": "" }), json!({})]
        {
            read(wrong.clone()).expect_err(&wrong.to_string());
        }
    }
}
