//! Key agreement of two EC keys, and the wrapping of the content's key with the agreed key (RFC 5753; RFC 3394).

use openssl::cipher::Cipher;
use openssl::cipher_ctx::{CipherCtx, CipherCtxFlags};
use openssl::ec::{EcKeyRef, EcPointRef};
use openssl::error::ErrorStack;
use openssl::hash::{Hasher, MessageDigest};
use openssl::pkey::Private;
use zeroize::{Zeroize, Zeroizing};

use super::libcrypto;
use crate::der::{self, OCTET_STRING, SEQUENCE, context};
use crate::prescan::KdfHash;

/// Length of an AES-256 key in octets.
pub const KEY_BYTES: usize = 32;

/// A key that wraps another key. Its octets are overwritten when it is dropped.
pub struct WrappingKey(Zeroizing<[u8; KEY_BYTES]>);

impl WrappingKey {
    /// Agrees on a key: the sender computes it from its own private key and the recipient's public key, the recipient from its own private
    /// key and the sender's public key, and both get the same key.
    ///
    /// `peer` is a point on the curve of `own`, not at infinity. The point's order is not checked, because such a check takes as long as
    /// the agreement itself. The curves admitted here have no points of a smaller order (cofactor 1), so a point on the curve is a full
    /// key (NIST SP 800-56A, 5.6.2.3.4).
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn agreed(
        own: &EcKeyRef<Private>,
        peer: &EcPointRef,
        kdf: KdfHash,
        wrap_algorithm: &[u8],
    ) -> Result<WrappingKey, ErrorStack> {
        let secret = libcrypto::agreed_secret(own, peer)?;
        x963(&secret, kdf, &shared_info(wrap_algorithm)).map(WrappingKey)
    }

    /// Wraps a key.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn wrap(&self, key: &[u8; KEY_BYTES]) -> Result<Vec<u8>, ErrorStack> {
        let mut context = wrapping()?;
        context.encrypt_init(Some(Cipher::aes_256_wrap()), Some(&*self.0), None)?;
        let mut wrapped = finished(context, key)?;
        Ok(std::mem::take(&mut *wrapped))
    }

    /// Unwraps a key.
    ///
    /// # Errors
    /// The key was wrapped with another key.
    pub fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, ErrorStack> {
        let mut context = wrapping()?;
        context.decrypt_init(Some(Cipher::aes_256_wrap()), Some(&*self.0), None)?;
        finished(context, wrapped)
    }
}

/// Makes a context for key wrap. OpenSSL refuses key wrap in a context without this flag.
fn wrapping() -> Result<CipherCtx, ErrorStack> {
    let mut context = CipherCtx::new()?;
    context.set_flags(CipherCtxFlags::FLAG_WRAP_ALLOW);
    Ok(context)
}

fn finished(mut context: CipherCtx, octets: &[u8]) -> Result<Zeroizing<Vec<u8>>, ErrorStack> {
    // The vector has room for the longest output from the start: a vector that must grow moves to another place, and leaves a copy of the
    // secret in memory that nobody overwrites.
    let mut output = Zeroizing::new(Vec::with_capacity(octets.len() + 4 * KEY_BYTES));
    context.cipher_update_vec(octets, &mut output)?;
    context.cipher_final_vec(&mut output)?;
    Ok(output)
}

/// Writes the ECC-CMS-SharedInfo (RFC 5753, 7.2): the algorithm that the key is for, and the key's length in bits. It is hashed into the
/// key, so the two sides get different keys if they differ about it.
fn shared_info(wrap_algorithm: &[u8]) -> Vec<u8> {
    const KEY_BITS: u32 = 256;
    let bits = der::write(OCTET_STRING, &[&KEY_BITS.to_be_bytes()]);
    der::write(SEQUENCE, &[wrap_algorithm, &der::write(context(2), &[&bits])])
}

/// Makes a key from a secret by the KDF of ANSI X9.63 (SEC 1, 3.6.1). The key is as many hashes of secret, counter and shared info as it
/// needs, one after another, each with the next counter; the last one is cut.
fn x963(secret: &[u8], kdf: KdfHash, shared_info: &[u8]) -> Result<Zeroizing<[u8; KEY_BYTES]>, ErrorStack> {
    let digest = match kdf {
        KdfHash::Sha1 => MessageDigest::sha1(),
        KdfHash::Sha224 => MessageDigest::sha224(),
        KdfHash::Sha256 => MessageDigest::sha256(),
        KdfHash::Sha384 => MessageDigest::sha384(),
        KdfHash::Sha512 => MessageDigest::sha512(),
    };
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    let mut hasher = Hasher::new(digest)?;
    for (part, counter) in key.chunks_mut(digest.size()).zip(1_u32..) {
        hasher.update(secret)?;
        hasher.update(&counter.to_be_bytes())?;
        hasher.update(shared_info)?;
        let mut hashed = hasher.finish()?;
        part.copy_from_slice(&hashed[..part.len()]);
        hashed.zeroize();
    }
    Ok(key)
}
