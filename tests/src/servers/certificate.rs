//! A certificate for `localhost`, 127.0.0.1 and perhaps further addresses, made for one test's servers. It is self-signed, so clients are
//! configured to trust this very file.

use std::fs;
use std::net::IpAddr;
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
        Certificate::make_for(folder, &[])
    }

    /// Makes a certificate for these addresses too.
    pub fn make_for(folder: &Path, addresses: &[IpAddr]) -> Result<Certificate> {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        names.extend(addresses.iter().map(IpAddr::to_string));
        let issued = rcgen::generate_simple_self_signed(names).context("making a certificate for localhost")?;
        let made =
            Certificate { certificate_path: folder.join("certificate.pem"), key_path: folder.join("certificate.key") };
        fs::write(&made.certificate_path, issued.cert.pem())?;
        fs::write(&made.key_path, issued.signing_key.serialize_pem())?;
        Ok(made)
    }
}
