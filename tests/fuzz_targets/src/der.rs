//! The surface `der`: CMS structures before OpenSSL reads them. The pre-scan admits only the one DER encoding of a structure, and OpenSSL
//! reads the same structure as the pre-scan.

use openssl::cms::CmsContentInfo;
use sdc::cms::SignerId;
use sdc::der::{self, DEPTH_MAX, Reader};
use sdc::prescan::{KeyKind, RecipientId, scan_enveloped, scan_signed};

const CONSTRUCTED: u8 = 0x20;

/// Checks the promises about the envelope, about the signed structure, and about any DER.
pub fn der(bytes: &[u8]) {
    let is_der = der::check(bytes).is_ok();
    if is_der {
        assert_eq!(rewritten(bytes, 0), bytes, "DER has one encoding");
    }
    if let Ok(enveloped) = scan_enveloped(bytes) {
        assert!(is_der, "the pre-scan admits DER only");
        match &enveloped.recipient {
            RecipientId::KeyId(id) => assert!((1..=64).contains(&id.len())),
            RecipientId::IssuerSerial(name) => assert!(name.issuer.len() <= 1024 && name.serial.len() <= 21),
        }
        if let KeyKind::Rsa { modulus_bytes } = enveloped.key_kind {
            assert!((256..=512).contains(&modulus_bytes));
        }
        if let Some(written) = as_openssl_writes_it(bytes) {
            assert_eq!(scan_enveloped(&written), Ok(enveloped), "OpenSSL reads another structure");
        }
    }
    if let Ok(signed) = scan_signed(bytes) {
        assert!(is_der, "the pre-scan admits DER only");
        match &signed.signer {
            SignerId::KeyId(id) => assert!((1..=64).contains(&id.len())),
            SignerId::IssuerSerial { issuer, serial } => assert!(issuer.len() <= 1024 && serial.len() <= 21),
        }
        assert!(signed.der.len() <= bytes.len(), "what is handed on is a part of what came");
        assert_eq!(scan_signed(&signed.der).as_ref(), Ok(&signed), "what is handed on is admitted as it stands");
        if let Some(written) = as_openssl_writes_it(&signed.der) {
            let again = scan_signed(&written).expect("OpenSSL writes what is admitted");
            assert_eq!(again.signer, signed.signer, "OpenSSL reads another signer");
        }
    }
}

/// Writes every element again from its tag and content.
fn rewritten(bytes: &[u8], depth: usize) -> Vec<u8> {
    let mut reader = Reader::new(bytes);
    let mut written = Vec::new();
    while !reader.is_empty() {
        assert!(depth <= DEPTH_MAX, "nesting is bounded");
        let element = reader.element().expect("checked DER is read to its end");
        let whole = match element.tag & CONSTRUCTED {
            0 => der::write(element.tag, &[element.content]),
            _ => der::write(element.tag, &[&rewritten(element.content, depth + 1)]),
        };
        written.extend_from_slice(&whole);
    }
    written
}

/// Lets OpenSSL read a structure and write it again. Returns `None` where OpenSSL refuses the structure: then OpenSSL does not understand
/// it in another way than the pre-scan, which is all that is asked here.
fn as_openssl_writes_it(bytes: &[u8]) -> Option<Vec<u8>> {
    CmsContentInfo::from_der(bytes).ok()?.to_der().ok()
}
