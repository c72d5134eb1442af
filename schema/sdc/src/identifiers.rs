//! What a container says of itself in its structure: which certificate its signature names, and how its content is encrypted.

mod words;

/// How the content is encrypted. The answer to a letter is encrypted as the letter was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContentCipher {
    /// `AuthEnvelopedData`, AES-256-GCM.
    Aes256Gcm,
    /// `EnvelopedData`, AES-256-CBC: for older software, per agency. Unauthenticated, so only the signature inside counts.
    Aes256Cbc,
}

impl ContentCipher {
    /// Returns its name, as it is kept with a letter.
    pub fn as_str(self) -> &'static str {
        match self {
            ContentCipher::Aes256Gcm => "aes-256-gcm",
            ContentCipher::Aes256Cbc => "aes-256-cbc",
        }
    }
}

/// The certificate that a signature names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SignerId {
    /// By subject key identifier.
    KeyId(Vec<u8>),
    /// By issuer and serial number.
    IssuerSerial {
        /// DER of the issuer's name.
        issuer: Vec<u8>,
        /// Content octets of the serial number.
        serial: Vec<u8>,
    },
}
