//! A certificate for `localhost` and 127.0.0.1, made for one server. It is self-signed, so clients are configured to trust this very file.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A self-signed certificate and its key, P-256, as PEM files.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate file. The server presents it, and clients are configured to trust it.
    pub certificate_path: PathBuf,
    /// The private key.
    pub key_path: PathBuf,
}

impl Certificate {
    /// Makes a certificate and writes it into a folder.
    pub fn make(folder: &Path) -> Result<Certificate> {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let issued = rcgen::generate_simple_self_signed(names).context("making a certificate for localhost")?;
        let made =
            Certificate { certificate_path: folder.join("certificate.pem"), key_path: folder.join("certificate.key") };
        fs::write(&made.certificate_path, issued.cert.pem())?;
        fs::write(&made.key_path, issued.signing_key.serialize_pem())?;
        Ok(made)
    }
}
