//! Finds out what a file holds that an office sent as a certificate. The file's octets decide, never its name.

use openssl::cms::CmsContentInfo;
use openssl::pkcs7::Pkcs7;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::PKey;
use openssl::x509::{X509, X509Crl, X509Req};

/// What a file holds.
pub enum Content {
    /// Certificates in DER, in the order of the file. OpenSSL may be unable to read them.
    Certificates(Vec<Vec<u8>>),
    /// Something other than certificates.
    Other(Kind),
}

/// What people send instead of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing but white space.
    Empty,
    /// A private key, alone or together with its certificate.
    PrivateKey,
    /// A certificate with its private key, encrypted with a password.
    Pkcs12,
    /// Certificates in a signed PKCS #7 structure.
    Pkcs7,
    /// A request for a certificate.
    Request,
    /// A public key without a name.
    PublicKey,
    /// A certificate in OpenSSL's own form (`TRUSTED CERTIFICATE`), which lists the purposes that it is trusted for.
    Trusted,
    /// A list of revoked certificates.
    RevocationList,
    /// Text in UTF-16.
    Utf16,
    /// A certificate in base64, without the lines BEGIN and END.
    BareBase64,
    /// A certificate in PEM whose base64 is damaged.
    Damaged,
    /// A letter instead of a certificate.
    Letter,
    /// Something that this program does not know.
    Unknown,
}

/// The command with which the office makes a certificate of its own key. The office never sends the private key.
const MAKE: &str = "openssl req -x509 -key office.key -days 825 -subj \"/CN=000042\" -out office.crt";

impl Kind {
    /// Says what the file holds and what to do. The sentence continues after the file's name.
    pub fn remedy(self, file: &str) -> String {
        match self {
            Kind::Empty => "is empty: ask the agency to send its certificate again".to_owned(),
            Kind::PrivateKey => "holds a PRIVATE KEY. Nothing was registered: that key is burnt, since whoever had this file in \
                 hand can sign as the agency. Delete the file; the agency makes a new key, which never leaves it, and sends \
                 the certificate alone. Is a certificate of the old key registered, revoke it: `xmserver cert revoke`"
                .to_owned(),
            Kind::Pkcs12 => format!(
                "is a PKCS #12 file, which mostly holds the private key too: ask the agency for the certificate alone, which \
                 it gets by `openssl pkcs12 -in {file} -nokeys -clcerts -out office.crt`"
            ),
            Kind::Pkcs7 => format!(
                "is a PKCS #7 file of certificates: `openssl pkcs7 -in {file} -print_certs -out office.crt` takes them out \
                 (with -inform DER where it is no text)"
            ),
            Kind::Request => format!(
                "is a request for a certificate, not a certificate: this release issues none; the agency makes its own by `{MAKE}`"
            ),
            Kind::PublicKey => format!("is a public key alone: the agency makes a certificate of it by `{MAKE}`"),
            Kind::Trusted => format!(
                "is a certificate in OpenSSL's form TRUSTED: `openssl x509 -in {file} -out office.crt` makes an ordinary one of it"
            ),
            Kind::RevocationList => "is a list of revoked certificates, not a certificate".to_owned(),
            Kind::Utf16 => {
                format!("is text in UTF-16: `iconv -f UTF-16 -t UTF-8 {file} > office.crt` makes an ordinary one of it")
            }
            Kind::BareBase64 => format!(
                "is a certificate in base64 without its BEGIN line: `base64 -d {file} > office.crt` makes an ordinary one of it"
            ),
            Kind::Damaged => "holds a certificate whose base64 is damaged: ask the agency to send it again, as an attachment".to_owned(),
            Kind::Letter => "is a letter, not a certificate: mail it to the centre's mailbox".to_owned(),
            Kind::Unknown => "holds no certificate: expected one, PEM or DER".to_owned(),
        }
    }
}

/// Finds out what the octets of a file hold.
pub fn content(octets: &[u8]) -> Content {
    let octets = octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets);
    if octets.iter().all(u8::is_ascii_whitespace) {
        return Content::Other(Kind::Empty);
    }
    if is_der(octets) {
        return of_der(octets);
    }
    if matches!(octets, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, b'-', ..] | [b'-', 0, ..]) {
        return Content::Other(Kind::Utf16);
    }
    let blocks = blocks(octets);
    if !blocks.is_empty() {
        return of_blocks(&blocks);
    }
    match decoded(octets).filter(|der| is_der(der)).map(|der| of_der(&der)) {
        Some(Content::Certificates(_)) => Content::Other(Kind::BareBase64),
        Some(Content::Other(Kind::PrivateKey)) => Content::Other(Kind::PrivateKey),
        _ => Content::Other(Kind::Unknown),
    }
}

/// Says whether octets begin like a SEQUENCE in DER: the length takes more than one octet, or equals the number of octets that follow.
/// Text that begins with the digit zero (0x30) fulfils neither condition.
fn is_der(octets: &[u8]) -> bool {
    match octets {
        [0x30, 0x80..=0xff, ..] => true,
        [0x30, length, rest @ ..] => rest.len() == usize::from(*length),
        _ => false,
    }
}

/// One PEM block (RFC 7468).
struct Block<'a> {
    label: &'a [u8],
    body: &'a [u8],
}

fn blocks(octets: &[u8]) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut rest = octets;
    while let Some((_, behind)) = cut(rest, b"-----BEGIN ") {
        let Some((label, behind)) = cut(behind, b"-----") else { break };
        let Some((body, behind)) = cut(behind, b"-----END ") else {
            blocks.push(Block { label, body: behind });
            break;
        };
        blocks.push(Block { label, body });
        rest = behind;
    }
    blocks
}

/// Cuts octets at the first occurrence of a mark, and leaves the mark out.
fn cut<'a>(octets: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = octets.windows(mark.len()).position(|window| window == mark)?;
    Some((&octets[..at], &octets[at + mark.len()..]))
}

fn of_blocks(blocks: &[Block<'_>]) -> Content {
    // A private key is reported first, whatever else the file holds: a key that has left its office must be replaced.
    if blocks.iter().any(|block| block.label.ends_with(b"PRIVATE KEY")) {
        return Content::Other(Kind::PrivateKey);
    }
    let of = |label: &[u8]| blocks.iter().filter(move |block| block.label == label).collect::<Vec<_>>();
    let certificates = [of(b"CERTIFICATE"), of(b"X509 CERTIFICATE")].concat();
    if certificates.is_empty() {
        let label = blocks.first().map(|block| block.label).unwrap_or_default();
        return Content::Other(match label {
            b"TRUSTED CERTIFICATE" => Kind::Trusted,
            b"CERTIFICATE REQUEST" | b"NEW CERTIFICATE REQUEST" => Kind::Request,
            b"PKCS7" | b"PKCS #7 SIGNED DATA" => Kind::Pkcs7,
            b"CMS" => of_cms(blocks.first().map(|block| block.body).unwrap_or_default()),
            b"PUBLIC KEY" | b"RSA PUBLIC KEY" => Kind::PublicKey,
            b"X509 CRL" => Kind::RevocationList,
            _ => Kind::Unknown,
        });
    }
    let decoded: Option<Vec<Vec<u8>>> = certificates.iter().map(|block| decoded(block.body)).collect();
    decoded.map_or(Content::Other(Kind::Damaged), Content::Certificates)
}

/// Decodes base64, wherever its line breaks are.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let joined = text.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect();
    openssl::base64::decode_block(&String::from_utf8(joined).ok()?).ok()
}

/// Content octets of the object identifier PBES2 (RFC 8018). An encrypted private key begins with this identifier (RFC 5958, 3).
const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
/// Number of octets at the beginning of an encrypted private key within which PBES2 begins.
const PBES2_WITHIN: usize = 24;

/// Distinguishes the two uses of a PEM block `CMS`: it holds only certificates, as in PKCS #7, or it is a letter.
fn of_cms(body: &[u8]) -> Kind {
    let is_signed = decoded(body).is_some_and(|der| Pkcs7::from_der(&der).is_ok_and(|it| it.signed().is_some()));
    if is_signed { Kind::Pkcs7 } else { Kind::Letter }
}

fn of_der(der: &[u8]) -> Content {
    let other = if X509::from_der(der).is_ok() {
        return Content::Certificates(vec![der.to_vec()]);
    } else if der.windows(PBES2.len()).take(PBES2_WITHIN).any(|window| window == PBES2)
        || PKey::private_key_from_der(der).is_ok()
    {
        Kind::PrivateKey
    } else if X509Req::from_der(der).is_ok() {
        Kind::Request
    } else if PKey::public_key_from_der(der).is_ok() {
        Kind::PublicKey
    } else if Pkcs12::from_der(der).is_ok() {
        Kind::Pkcs12
    } else if Pkcs7::from_der(der).is_ok() || CmsContentInfo::from_der(der).is_ok() {
        Kind::Pkcs7
    } else if X509Crl::from_der(der).is_ok() {
        Kind::RevocationList
    } else {
        // All other octets count as a certificate that OpenSSL cannot read, so that the attempt to read it gives OpenSSL's reason.
        return Content::Certificates(vec![der.to_vec()]);
    };
    Content::Other(other)
}
