//! The one call of OpenSSL that its Rust binding lacks: naming the key that must have signed.
//!
//! Given a certificate to look through, OpenSSL would compare names in it first, and for that read it whole.

#![expect(unsafe_code, reason = "two functions of libcrypto that the openssl crate does not bind")]

use foreign_types::{ForeignType, ForeignTypeRef};
use openssl::cms::CmsContentInfo;
use openssl::x509::X509Ref;
use openssl_sys::{CMS_ContentInfo, OPENSSL_STACK, OPENSSL_sk_num, OPENSSL_sk_value, X509};

/// `CMS_SignerInfo`, of which only OpenSSL knows the inside.
#[repr(C)]
struct SignerInfo {
    _opaque: [u8; 0],
}

unsafe extern "C" {
    // CMS_get0_SignerInfos(3)
    fn CMS_get0_SignerInfos(content: *mut CMS_ContentInfo) -> *mut OPENSSL_STACK;
    fn CMS_SignerInfo_set1_signer_cert(info: *mut SignerInfo, signer: *mut X509);
}

/// Sets the signer of a `SignedData` that has exactly one; says whether it has.
pub fn set_signer(content: &mut CmsContentInfo, signer: &X509Ref) -> bool {
    // SAFETY: both pointers come from borrows that outlive the calls. The stack and its members belong to `content`, which
    // is borrowed mutably, so nobody else holds them. "set1" takes a reference of its own to the certificate, and never
    // changes it. `OPENSSL_sk_num` answers -1 for a null pointer, as for content that is no `SignedData`.
    unsafe {
        let signers = CMS_get0_SignerInfos(content.as_ptr());
        if OPENSSL_sk_num(signers) != 1 {
            return false;
        }
        CMS_SignerInfo_set1_signer_cert(OPENSSL_sk_value(signers, 0).cast(), signer.as_ptr());
    }
    true
}
