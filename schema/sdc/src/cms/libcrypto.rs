//! Two operations of OpenSSL that its Rust binding lacks: setting the certificate that must have signed, and agreeing on a secret with a
//! point.

#![expect(unsafe_code, reason = "three functions of libcrypto that the openssl crate does not bind")]

use std::ffi::{c_int, c_void};
use std::ptr::null;

use foreign_types::{ForeignType, ForeignTypeRef};
use openssl::cms::CmsContentInfo;
use openssl::ec::{EcKeyRef, EcPointRef};
use openssl::error::ErrorStack;
use openssl::pkey::Private;
use openssl::x509::X509Ref;
use openssl_sys::{CMS_ContentInfo, EC_KEY, EC_POINT, OPENSSL_STACK, OPENSSL_sk_num, OPENSSL_sk_value, X509};
use zeroize::Zeroizing;

/// `CMS_SignerInfo`, whose fields only OpenSSL knows.
#[repr(C)]
struct SignerInfo {
    _opaque: [u8; 0],
}

unsafe extern "C" {
    // CMS_get0_SignerInfos(3)
    fn CMS_get0_SignerInfos(content: *mut CMS_ContentInfo) -> *mut OPENSSL_STACK;
    fn CMS_SignerInfo_set1_signer_cert(info: *mut SignerInfo, signer: *mut X509);
    // openssl/ec.h: without a derivation function (null), the secret itself is written, cut to the given length
    fn ECDH_compute_key(
        secret: *mut c_void,
        secret_bytes: usize,
        peer: *const EC_POINT,
        own: *const EC_KEY,
        derivation: *const c_void,
    ) -> c_int;
}

/// Sets the signer of a `SignedData`. Returns false, and sets nothing, where the structure has no signer or several.
///
/// OpenSSL could also search for the signer among given certificates. But it compares names for that, and parses the whole certificate.
pub fn set_signer(content: &mut CmsContentInfo, signer: &X509Ref) -> bool {
    // SAFETY: both pointers come from borrows that outlive the calls. The stack and its members belong to `content`, which is borrowed
    // mutably, so no other code has them. "set1" takes a reference of its own to the certificate, and never changes it. `OPENSSL_sk_num`
    // returns -1 for a null pointer, and the pointer is null where the content is no `SignedData`.
    unsafe {
        let signers = CMS_get0_SignerInfos(content.as_ptr());
        if OPENSSL_sk_num(signers) != 1 {
            return false;
        }
        CMS_SignerInfo_set1_signer_cert(OPENSSL_sk_value(signers, 0).cast(), signer.as_ptr());
    }
    true
}

/// Returns the secret that a key and a point of its curve agree on: the first coordinate of their product, as long as the curve's field
/// (SEC 1, 3.3.1).
///
/// `EVP_PKEY_derive` calls the same function, but needs the point as a key. OpenSSL 3 makes a new curve for each imported key, which took
/// about a tenth of a letter's processor time.
///
/// # Errors
/// OpenSSL fails.
pub fn agreed_secret(own: &EcKeyRef<Private>, peer: &EcPointRef) -> Result<Zeroizing<Vec<u8>>, ErrorStack> {
    let mut secret = Zeroizing::new(vec![0; own.group().degree().div_ceil(8) as usize]);
    // SAFETY: key and point are borrowed for the call, which changes neither. The call writes no more than the given length. Inside it,
    // `EC_POINT_mul` returns an error for a point of another curve.
    let written =
        unsafe { ECDH_compute_key(secret.as_mut_ptr().cast(), secret.len(), peer.as_ptr(), own.as_ptr(), null()) };
    match usize::try_from(written) {
        Ok(written) if written == secret.len() => Ok(secret),
        _ => Err(ErrorStack::get()),
    }
}
