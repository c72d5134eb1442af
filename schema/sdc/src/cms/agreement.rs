//! Decrypts what was encrypted by key agreement, without a check that takes as long as the agreement itself.
//!
//! OpenSSL multiplies every point that it is given by the order of the curve. That finds points of a smaller order, which
//! the curves admitted here do not have (cofactor 1): there, a point on the curve, not at infinity, is a full key (NIST SP
//! 800-56A, 5.6.2.3.4, for ephemeral keys). Both are known of the point handed over here.

#![expect(unsafe_code, reason = "functions of libcrypto that the openssl crate does not bind")]

use std::ffi::{c_int, c_void};
use std::ptr;

use foreign_types::{ForeignType, ForeignTypeRef};
use openssl::cms::CmsContentInfo;
use openssl::error::ErrorStack;
use openssl::pkey::{PKeyRef, Private, Public};
use openssl_sys::{
    BIO, BIO_ctrl, BIO_free_all, BIO_new, BIO_s_mem, CMS_ContentInfo, CMS_decrypt, EVP_PKEY, EVP_PKEY_CTX,
};
use openssl_sys::{OPENSSL_STACK, OPENSSL_sk_num, OPENSSL_sk_value};

/// `CMS_RecipientInfo`, of which only OpenSSL knows the inside.
#[repr(C)]
struct RecipientInfo {
    _opaque: [u8; 0],
}

/// `CMS_RecipientEncryptedKey`, likewise.
#[repr(C)]
struct RecipientEncryptedKey {
    _opaque: [u8; 0],
}

/// cms.h: the recipient agrees on a key.
const CMS_RECIPINFO_AGREE: c_int = 1;
/// bio.h: where the octets of a memory BIO lie.
const BIO_CTRL_INFO: c_int = 3;

unsafe extern "C" {
    // CMS_get0_RecipientInfos(3)
    fn CMS_get0_RecipientInfos(content: *mut CMS_ContentInfo) -> *mut OPENSSL_STACK;
    fn CMS_RecipientInfo_type(info: *mut RecipientInfo) -> c_int;
    fn CMS_RecipientInfo_get0_pkey_ctx(info: *mut RecipientInfo) -> *mut EVP_PKEY_CTX;
    // cms.h: without manual
    fn CMS_RecipientInfo_kari_get0_reks(info: *mut RecipientInfo) -> *mut OPENSSL_STACK;
    fn CMS_RecipientInfo_kari_set0_pkey(info: *mut RecipientInfo, key: *mut EVP_PKEY) -> c_int;
    fn CMS_RecipientInfo_kari_decrypt(
        content: *mut CMS_ContentInfo,
        info: *mut RecipientInfo,
        key: *mut RecipientEncryptedKey,
    ) -> c_int;
    // EVP_PKEY_derive(3)
    fn EVP_PKEY_derive_set_peer_ex(context: *mut EVP_PKEY_CTX, peer: *mut EVP_PKEY, validate_peer: c_int) -> c_int;
}

/// A memory BIO of our own.
struct Output(*mut BIO);

impl Drop for Output {
    fn drop(&mut self) {
        // SAFETY: it was made by BIO_new, which nobody else freed; a null pointer is passed over.
        unsafe { BIO_free_all(self.0) }
    }
}

/// Decrypts an enveloped structure whose one recipient is `key`, and whose sender's ephemeral key is `originator`: a point on
/// the curve of `key`, not at infinity.
///
/// # Errors
/// OpenSSL's own.
pub fn decrypt(
    content: &mut CmsContentInfo,
    key: &PKeyRef<Private>,
    originator: &PKeyRef<Public>,
) -> Result<Vec<u8>, ErrorStack> {
    // SAFETY: all pointers come from borrows that outlive the calls, or belong to `content`, which is borrowed mutably, so
    // nobody else holds them. Both keys get a reference counted for the context, despite "set0". `OPENSSL_sk_num` answers
    // -1 for a null pointer, as for content that is not enveloped; the type of a recipient is known before it is used as
    // one of key agreement. A memory BIO's octets are copied before it is freed.
    unsafe {
        let infos = CMS_get0_RecipientInfos(content.as_ptr());
        must(OPENSSL_sk_num(infos) == 1)?;
        let info: *mut RecipientInfo = OPENSSL_sk_value(infos, 0).cast();
        must(CMS_RecipientInfo_type(info) == CMS_RECIPINFO_AGREE)?;
        let keys = CMS_RecipientInfo_kari_get0_reks(info);
        must(OPENSSL_sk_num(keys) == 1)?;
        must(CMS_RecipientInfo_kari_set0_pkey(info, key.as_ptr()) == 1)?;
        must(EVP_PKEY_derive_set_peer_ex(CMS_RecipientInfo_get0_pkey_ctx(info), originator.as_ptr(), 0) == 1)?;
        must(CMS_RecipientInfo_kari_decrypt(content.as_ptr(), info, OPENSSL_sk_value(keys, 0).cast()) == 1)?;
        let output = Output(BIO_new(BIO_s_mem()));
        must(!output.0.is_null())?;
        let (no_key, no_certificate, no_content) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        must(CMS_decrypt(content.as_ptr(), no_key, no_certificate, no_content, output.0, 0) == 1)?;
        let mut octets: *mut u8 = ptr::null_mut();
        let length = BIO_ctrl(output.0, BIO_CTRL_INFO, 0, ptr::from_mut(&mut octets).cast::<c_void>());
        match usize::try_from(length) {
            Ok(length) if !octets.is_null() => Ok(std::slice::from_raw_parts(octets, length).to_vec()),
            _ => Ok(Vec::new()),
        }
    }
}

fn must(is_so: bool) -> Result<(), ErrorStack> {
    if is_so { Ok(()) } else { Err(ErrorStack::get()) }
}
