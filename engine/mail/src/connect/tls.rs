//! Decides which server certificates are accepted, and explains why a TLS handshake failed. Each reason has one sentence that also says
//! what to do.

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, NaiveDate};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::server::ParsedCertificate;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore,
    SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Reader, SliceReader};

use super::Cause;
use crate::settings::Security;
use crate::words::printable;

/// Largest number of names of a certificate that an error shows.
const NAMES_MAX: usize = 3;
/// Largest number of characters of a name that an error shows.
const NAME_CHARS_MAX: usize = 100;
/// Largest number of certificates of a server's chain that are searched for the signer.
const CHAIN_MAX: usize = 8;

/// Why the TLS handshake failed. Dates are UTC. Texts of the server have passed [`printable`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsTrouble {
    /// No trusted certificate belongs to the signer.
    #[error(
        "nobody that this machine trusts signed the server's certificate: name the certificate of its signer, {signer}, in ca_file"
    )]
    UnknownSigner {
        /// The signer's name, as the server's certificates give it.
        signer: String,
    },
    /// The certificate is self-signed and is not in `ca_file`.
    #[error(
        "the server's certificate signs itself, so nobody vouches for it: compare it with the one on the server, and name it in ca_file"
    )]
    SelfSigned,
    /// A trusted certificate has the signer's name, but the signature was made with another key.
    #[error(
        "the signer of the server's certificate has the name of one that is trusted, {signer}, and another key: \
         name its right certificate in ca_file"
    )]
    OtherSigner {
        /// Name that the signer and the trusted certificate share.
        signer: String,
    },
    /// The certificate is signed by an algorithm that is too weak or unknown.
    #[error(
        "the server's certificate is signed by an algorithm that is not accepted, {algorithm}: have it signed anew, with SHA-256 or better"
    )]
    Algorithm {
        /// The algorithm's name, or its object identifier.
        algorithm: String,
    },
    /// The certificate is marked CA:TRUE, and is not itself in `ca_file`.
    #[error(
        "the server shows the certificate of a signer (CA:TRUE) as its own: name this very certificate in ca_file, \
         or have it sign one for the server"
    )]
    Authority,
    /// The certificate has X.509 version 1.
    #[error(
        "the server's certificate is of X.509 version 1, which names no host: have one of version 3 made, with the host as subjectAltName"
    )]
    Version1,
    /// The certificate has no subjectAltName.
    #[error(
        "the server's certificate names no host: have one made with {expected} as subjectAltName; a common name does not count"
    )]
    NoName {
        /// The host that was dialled.
        expected: String,
    },
    /// The certificate was issued for other hosts.
    #[error("the server's certificate is for {}, not for {expected}: write the host as the certificate does", .found.join(", "))]
    WrongName {
        /// The host that was dialled.
        expected: String,
        /// The first names of the certificate.
        found: Vec<String>,
    },
    /// The certificate, or one of its chain, has expired.
    #[error("a certificate of the server ended on {ended}, and today is {today}: the server needs a new one")]
    Ended {
        /// The certificate's last day.
        ended: NaiveDate,
        /// The present day by this machine's clock.
        today: NaiveDate,
    },
    /// The certificate, or one of its chain, is not valid yet.
    #[error(
        "a certificate of the server begins on {begins}, and today is {today}: is the clock of this machine right?"
    )]
    NotBegun {
        /// The certificate's first day of validity.
        begins: NaiveDate,
        /// The present day by this machine's clock.
        today: NaiveDate,
    },
    /// The certificate was issued for another purpose than a server.
    #[error(
        "the server's certificate is not made for servers: have one made whose extended key usage is serverAuth, or that has none"
    )]
    Purpose,
    /// The certificate does not have the structure that RFC 5280 prescribes for X.509.
    #[error("the server's certificate cannot be read: it is no X.509 certificate as RFC 5280 has it")]
    Unreadable,
    /// The server sent plain text where TLS was expected from the first octet.
    #[error(
        "port {port} speaks plain text, not TLS: set security = \"starttls\", or the port where TLS begins at once \
         (995 for POP3, 465 for SMTP)"
    )]
    PlainPort {
        /// The port that was dialled.
        port: u16,
    },
    /// The server sent plain text after it had agreed to begin TLS.
    #[error("the server agreed to TLS, and what came then is none")]
    NotTls,
    /// The server closed the connection during the handshake.
    #[error("the server closed the connection instead of agreeing on TLS: does this port speak it?")]
    Closed,
    /// Client and server have no TLS version or cipher in common.
    #[error("the server and this program have no version of TLS or cipher in common: it must speak TLS 1.2 or 1.3")]
    NothingInCommon,
    /// The server ended the handshake with an alert.
    #[error("the server refused TLS: {alert}")]
    Alert {
        /// The alert's name.
        alert: String,
    },
    /// Any other failure.
    #[error("TLS was not agreed on: {words}")]
    Other {
        /// Text of the TLS library.
        words: String,
    },
}

impl TlsTrouble {
    /// Finds out why a handshake failed.
    pub(super) fn of(error: io::Error, security: Security, port: u16) -> Cause {
        let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
            return match error.kind() {
                // A server that closes a connection with unread data causes a reset.
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe => TlsTrouble::Closed.into(),
                _ => Cause::Io(error),
            };
        };
        let trouble = match inner {
            Error::InvalidCertificate(CertificateError::Other(other)) => match other.0.downcast_ref::<TlsTrouble>() {
                Some(trouble) => trouble.clone(),
                None => TlsTrouble::other(other),
            },
            Error::InvalidMessage(_) if security == Security::Tls => TlsTrouble::PlainPort { port },
            Error::InvalidMessage(_) => TlsTrouble::NotTls,
            Error::PeerIncompatible(_)
            | Error::AlertReceived(
                AlertDescription::ProtocolVersion
                | AlertDescription::HandshakeFailure
                | AlertDescription::InsufficientSecurity,
            ) => TlsTrouble::NothingInCommon,
            Error::AlertReceived(alert) => TlsTrouble::Alert { alert: format!("{alert:?}") },
            other => TlsTrouble::other(other),
        };
        trouble.into()
    }

    fn other(what: &impl Display) -> TlsTrouble {
        TlsTrouble::Other { words: printable(what.to_string().as_bytes()) }
    }

    /// Finds out why a certificate was not accepted.
    fn of_certificate(error: &Error, shown: &Shown<'_>) -> TlsTrouble {
        let Error::InvalidCertificate(reason) = error else { return TlsTrouble::other(error) };
        match reason {
            CertificateError::UnknownIssuer if shown.signs_itself() => TlsTrouble::SelfSigned,
            CertificateError::UnknownIssuer => TlsTrouble::UnknownSigner { signer: shown.signer() },
            // A trusted certificate has the signer's name, but its key did not verify the signature: the key is of another kind, or another
            // key of the same kind.
            CertificateError::BadSignature
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                TlsTrouble::OtherSigner { signer: shown.signer() }
            }
            CertificateError::UnsupportedSignatureAlgorithmContext { signature_algorithm_id, .. } => {
                TlsTrouble::Algorithm { algorithm: algorithm(signature_algorithm_id) }
            }
            CertificateError::ExpiredContext { time, not_after } => {
                TlsTrouble::Ended { ended: day(not_after.as_secs()), today: day(time.as_secs()) }
            }
            CertificateError::NotValidYetContext { time, not_before } => {
                TlsTrouble::NotBegun { begins: day(not_before.as_secs()), today: day(time.as_secs()) }
            }
            CertificateError::NotValidForNameContext { expected, presented } => {
                let expected = expected.to_str().into_owned();
                if presented.is_empty() {
                    return TlsTrouble::NoName { expected };
                }
                TlsTrouble::WrongName { expected, found: names(presented) }
            }
            CertificateError::InvalidPurposeContext { .. } => TlsTrouble::Purpose,
            _ if shown.is_version_1() => TlsTrouble::Version1,
            _ if shown.is_authority() => TlsTrouble::Authority,
            CertificateError::BadEncoding => TlsTrouble::Unreadable,
            other => TlsTrouble::other(other),
        }
    }
}

/// The certificates that a server sends, as far as they can be read.
struct Shown<'a> {
    own: Option<Certificate>,
    others: &'a [CertificateDer<'a>],
}

impl<'a> Shown<'a> {
    fn new(own: &CertificateDer<'_>, others: &'a [CertificateDer<'a>]) -> Shown<'a> {
        Shown { own: Certificate::from_der(own).ok(), others }
    }

    fn signs_itself(&self) -> bool {
        self.own.as_ref().is_some_and(|own| own.tbs_certificate.issuer == own.tbs_certificate.subject)
    }

    fn is_version_1(&self) -> bool {
        self.own.as_ref().is_some_and(|own| own.tbs_certificate.version == Version::V1)
    }

    fn is_authority(&self) -> bool {
        let constraints =
            self.own.as_ref().map(|own| own.tbs_certificate.get::<x509_cert::ext::pkix::BasicConstraints>());
        matches!(constraints, Some(Ok(Some((_, constraints)))) if constraints.ca)
    }

    /// Follows the chain of certificates, and returns the name of the last signer: its certificate was not sent by the server, or is
    /// self-signed.
    fn signer(&self) -> String {
        let Some(own) = &self.own else { return "which cannot be read".to_owned() };
        let others: Vec<Certificate> =
            self.others.iter().take(CHAIN_MAX).filter_map(|der| Certificate::from_der(der).ok()).collect();
        let mut signer = &own.tbs_certificate.issuer;
        for _ in 0..others.len() {
            let shown = others.iter().find(|other| other.tbs_certificate.subject == *signer);
            let Some(next) = shown.filter(|other| other.tbs_certificate.issuer != *signer) else { break };
            signer = &next.tbs_certificate.issuer;
        }
        name(&signer.to_string())
    }
}

/// Returns the name of an algorithm, given its encoded identifier (RFC 5280, 4.1.1.2).
fn algorithm(encoded: &[u8]) -> String {
    let read = SliceReader::new(encoded).and_then(|mut reader| reader.decode::<ObjectIdentifier>());
    match read.map(|id| id.to_string()).as_deref() {
        Ok("1.2.840.113549.1.1.5" | "1.2.840.10045.4.1") => "SHA-1".to_owned(),
        Ok("1.2.840.113549.1.1.4") => "MD5".to_owned(),
        Ok(id) => id.to_owned(),
        Err(_) => "which cannot be read".to_owned(),
    }
}

/// Extracts the names from webpki's texts, such as `DnsName("mail.example.org")` and `IpAddress(127.0.0.1)`.
fn names(presented: &[String]) -> Vec<String> {
    let mut names: Vec<String> = presented
        .iter()
        .take(NAMES_MAX)
        .map(|told| {
            let inner = told.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(told);
            name(inner.trim_matches('"'))
        })
        .collect();
    if presented.len() > NAMES_MAX {
        names.push(format!("{} others", presented.len() - NAMES_MAX));
    }
    names
}

/// Makes a name of a certificate fit to be shown.
fn name(told: &str) -> String {
    printable(told.as_bytes()).chars().take(NAME_CHARS_MAX).collect()
}

fn day(seconds: u64) -> NaiveDate {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    DateTime::from_timestamp(seconds, 0).map_or(NaiveDate::MAX, |time| time.date_naive())
}

/// Trusts the system's certificates and those of `ca_file`. A certificate of `ca_file` may also be the server's own.
///
/// A server certificate that equals one of `ca_file` octet for octet is accepted, whoever signed it. It is accepted even with CA:TRUE,
/// which `openssl req -x509` sets and webpki refuses in a server's certificate. This gives no attacker an advantage: the owner of its key
/// could sign a certificate for the same host with it, and that certificate would be accepted. Moreover, the operator has listed this very
/// certificate. The host's name and the dates are checked as usual, and the handshake proves the possession of the key.
#[derive(Debug)]
struct Verifier {
    trusted: Arc<WebPkiServerVerifier>,
    pinned: Vec<CertificateDer<'static>>,
}

impl Verifier {
    fn admit_pinned(own: &CertificateDer<'_>, host: &ServerName<'_>, now: UnixTime) -> Result<(), Error> {
        let parsed = ParsedCertificate::try_from(own)?;
        let read =
            Certificate::from_der(own).map_err(|_unread| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let validity = read.tbs_certificate.validity;
        let [not_before, not_after] = [validity.not_before, validity.not_after].map(|time| time.to_unix_duration());
        let [not_before, not_after] = [not_before, not_after].map(UnixTime::since_unix_epoch);
        if now < not_before {
            return Err(CertificateError::NotValidYetContext { time: now, not_before }.into());
        }
        if now > not_after {
            return Err(CertificateError::ExpiredContext { time: now, not_after }.into());
        }
        verify_server_name(&parsed, host)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let admitted = if self.pinned.iter().any(|pinned| pinned == own) {
            Verifier::admit_pinned(own, host, now).map(|()| ServerCertVerified::assertion())
        } else {
            self.trusted.verify_server_cert(own, others, host, ocsp_response, now)
        };
        admitted.map_err(|error| {
            let trouble = TlsTrouble::of_certificate(&error, &Shown::new(own, others));
            CertificateError::Other(OtherError(Arc::new(trouble))).into()
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.trusted.verify_tls12_signature(message, own, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.trusted.verify_tls13_signature(message, own, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trusted.supported_verify_schemes()
    }
}

/// Makes the TLS settings for one server. The crypto provider is given explicitly, so that another crate's choice has no effect.
pub(super) fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, String> {
    let mut roots = system_roots().clone();
    let mut pinned = Vec::new();
    if let Some(path) = ca_file {
        let unreadable = |error: &dyn Display| format!("ca_file: cannot read {}: {error}", path.display());
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unreadable(&error))? {
            let certificate = certificate.map_err(|error| unreadable(&error))?;
            roots.add(certificate.clone()).map_err(|error| unreadable(&error))?;
            pinned.push(certificate);
        }
        if pinned.is_empty() {
            return Err(format!("ca_file: expected certificates in PEM, found none in {}", path.display()));
        }
    }
    if roots.is_empty() {
        return Err("ca_file: this system has no trusted certificates, so expected a PEM file, found none".into());
    }
    let provider: Arc<CryptoProvider> = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let trusted = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|error| format!("tls: {error}"))?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("tls: {error}"))?;
    let verifier = Arc::new(Verifier { trusted, pinned });
    Ok(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

fn system_roots() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "a trusted certificate of this system cannot be read");
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        roots
    })
}

#[cfg(test)]
mod tests;
