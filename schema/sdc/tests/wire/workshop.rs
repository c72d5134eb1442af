//! A folder in which the stock `openssl` command makes keys, signs and encrypts.

use std::path::PathBuf;
use std::process::Command;

use sdc::cms;
use sdc::document::{Document, DocumentLimits};
use sdc::keys::{CentreKeys, RegisteredCertificate, SigningKey};
use sdc::refusal::{Refusal, RefusalCode};

/// Content to be signed. Every conversion of line ends or of the text encoding would change it.
pub const OCTETS: &[u8] = b"{\"sdc\":1,\"text\":\"Ngo Biyong \xc3\xa9pouse N'Diaye\r\n\"}";

/// A temporary folder with [`OCTETS`] in the file `payload`.
pub struct Workshop(tempfile::TempDir);

impl Workshop {
    pub fn new() -> Workshop {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("payload"), OCTETS).unwrap();
        Workshop(folder)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub fn write(&self, name: &str, octets: &[u8]) {
        std::fs::write(self.path(name), octets).unwrap();
    }

    pub fn openssl(&self, arguments: &str) {
        let mut command = Command::new("openssl");
        let output = command.args(arguments.split_whitespace()).current_dir(self.0.path()).output().unwrap();
        assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Makes a key and a self-signed certificate with the stock `openssl` command, as an office would.
    pub fn key(&self, name: &str, kind: &str) -> SigningKey {
        let new_key = match kind {
            "RSA-2048" => "-newkey rsa:2048",
            "P-384" => "-newkey ec -pkeyopt ec_paramgen_curve:P-384",
            _ => "-newkey ec -pkeyopt ec_paramgen_curve:P-256",
        };
        self.openssl(&format!(
            "req -x509 {new_key} -nodes -keyout {name}.key -out {name}.crt -days 30 -subj /CN={name}"
        ));
        self.pair(name)
    }

    /// Reads a key and its certificate.
    pub fn pair(&self, name: &str) -> SigningKey {
        SigningKey::from_pem(&self.read(&format!("{name}.key")), &self.read(&format!("{name}.crt"))).unwrap()
    }
}

/// Opens and verifies a document as the centre does. `registered` is the only registered certificate.
pub fn receive(
    document: &[u8],
    keys: &CentreKeys,
    registered: &RegisteredCertificate,
) -> Result<cms::Verified, Refusal> {
    let opened = cms::open(&Document::parse(document, &DocumentLimits::default())?, keys)?;
    if !registered.signer_ids().contains(opened.signer()) {
        return Err(Refusal::new(RefusalCode::UnknownSigner));
    }
    opened.verify(registered)
}
