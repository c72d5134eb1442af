//! Identifiers in a container's structure: the certificate that its signature refers to, and the cipher of its content.

mod words;

/// The cipher of a letter's content. The answer to a letter uses the letter's cipher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContentCipher {
    /// `AuthEnvelopedData`, AES-256-GCM.
    Aes256Gcm,
    /// `EnvelopedData`, AES-256-CBC, for agencies with older software. This cipher does not authenticate the content; only the signature
    /// inside the envelope does.
    Aes256Cbc,
}

impl ContentCipher {
    /// Returns the cipher's name, as the database stores it with a letter.
    pub fn as_str(self) -> &'static str {
        match self {
            ContentCipher::Aes256Gcm => "aes-256-gcm",
            ContentCipher::Aes256Cbc => "aes-256-cbc",
        }
    }
}

/// The identifier by which a signature refers to a certificate.
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
