//! Writes and opens the envelope: `AuthEnvelopedData` (RFC 5083) or `EnvelopedData` (RFC 5652, 6), for one recipient.
//!
//! OpenSSL's own CMS code would parse the recipient's whole certificate, which takes about as long as the sealing. The command `openssl cms
//! -decrypt` opens the envelopes of this module. The pre-scan has parsed an envelope before it is opened here. This module opens only
//! envelopes for EC keys. Envelopes for RSA keys are left to OpenSSL, which goes on after a wrong padding so that a sender cannot learn
//! from the centre's behaviour whether the padding was right.

use openssl::encrypt::Encrypter;
use openssl::error::ErrorStack;
use openssl::rand::{rand_bytes, rand_priv_bytes};
use openssl::rsa::Padding;
use openssl::symm::{Cipher, decrypt, decrypt_aead, encrypt, encrypt_aead};
use zeroize::Zeroizing;

use super::agreement::{KEY_BYTES, WrappingKey};
use super::elements::{content_info, identifier, issuer_serial, name, version};
use crate::der::{self, BIT_STRING, INTEGER, NULL, OCTET_STRING, SEQUENCE, SET, context, context_primitive};
use crate::identifiers::{ContentCipher, SignerId};
use crate::keys::{self, RegisteredCertificate, SigningKey};
use crate::prescan::{
    Agreement, CBC_IV_BYTES, EncryptedContent, GCM_NONCE_BYTES, GCM_TAG_BYTES, KdfHash, KeyKind, oid,
};

/// Length of GCM's authentication tag in octets: the field ICVlen of its parameters.
const TAG_BYTES: u8 = 16;
/// The additional data of GCM, which would be an envelope's attributes. Our envelopes have none, so GCM authenticates the content alone.
const NO_ATTRIBUTES: &[u8] = &[];

/// Encrypts octets for one recipient.
///
/// # Errors
/// OpenSSL fails.
pub fn write(octets: &[u8], recipient: &RegisteredCertificate, cipher: ContentCipher) -> Result<Vec<u8>, ErrorStack> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    rand_priv_bytes(&mut *key)?;
    let (recipient_version, info) = match recipient.key_kind() {
        kind @ (KeyKind::P256 | KeyKind::P384) => key_agreement(recipient, cipher, kind, &key)?,
        KeyKind::Rsa { .. } => key_transport(recipient, cipher, &*key)?,
    };
    let recipients = der::write(SET, &[&info]);
    match cipher {
        ContentCipher::Aes256Gcm => {
            let mut nonce = [0; GCM_NONCE_BYTES];
            rand_bytes(&mut nonce)?;
            let mut tag = [0; GCM_TAG_BYTES];
            let encrypted = encrypt_aead(Cipher::aes_256_gcm(), &*key, Some(&nonce), NO_ATTRIBUTES, octets, &mut tag)?;
            let tag_bytes = der::write(INTEGER, &[&[TAG_BYTES]]);
            let parameters = der::write(SEQUENCE, &[&der::write(OCTET_STRING, &[&nonce]), &tag_bytes]);
            let content = encrypted_content(oid::AES256_GCM, &parameters, &encrypted);
            let body = [&version(0), &recipients, &content, &der::write(OCTET_STRING, &[&tag])];
            Ok(content_info(oid::AUTH_ENVELOPED_DATA, &body.map(Vec::as_slice)))
        }
        ContentCipher::Aes256Cbc => {
            let mut vector = [0; CBC_IV_BYTES];
            rand_bytes(&mut vector)?;
            let encrypted = encrypt(Cipher::aes_256_cbc(), &*key, Some(&vector), octets)?;
            let content = encrypted_content(oid::AES256_CBC, &der::write(OCTET_STRING, &[&vector]), &encrypted);
            // The envelope's version is 0 where the recipient's version is 0, and 2 in all other cases (RFC 5652, 6.1).
            let body = [&version(recipient_version.min(2)), &recipients, &content];
            Ok(content_info(oid::ENVELOPED_DATA, &body.map(Vec::as_slice)))
        }
    }
}

/// Decrypts content for an EC key by key agreement.
///
/// # Errors
/// The envelope was not made for this key, or was changed.
pub fn open(
    content: &EncryptedContent<'_>,
    agreement: &Agreement<'_>,
    key: &SigningKey,
) -> Result<Vec<u8>, ErrorStack> {
    // The caller has checked that the key is of the envelope's kind. Key agreement is for EC keys only, and every EC key has an
    // `agreement_key`, so this error never occurs.
    let own = key.agreement_key.as_deref().ok_or_else(ErrorStack::get)?;
    let originator = keys::point(key.certificate().key_kind(), agreement.point)?;
    let wrapping = WrappingKey::agreed(own, &originator, agreement.kdf, agreement.wrap_algorithm)?;
    let key = wrapping.unwrap(agreement.wrapped_key)?;
    match content {
        EncryptedContent::Aes256Gcm { nonce, octets, tag } => {
            decrypt_aead(Cipher::aes_256_gcm(), &key, Some(*nonce), NO_ATTRIBUTES, octets, *tag)
        }
        EncryptedContent::Aes256Cbc { vector, octets } => decrypt(Cipher::aes_256_cbc(), &key, Some(*vector), octets),
    }
}

/// Writes a `KeyAgreeRecipientInfo` as `openssl cms -encrypt` does. Returns its version with it, from which the envelope's version follows.
fn key_agreement(
    recipient: &RegisteredCertificate,
    cipher: ContentCipher,
    kind: KeyKind,
    key: &[u8; KEY_BYTES],
) -> Result<(u8, Vec<u8>), ErrorStack> {
    const VERSION: u8 = 3;
    let wrap_algorithm = der::write(SEQUENCE, &[&identifier(oid::AES256_WRAP)]);
    let (ephemeral, point) = keys::ephemeral(kind)?;
    let public = recipient.public_key()?.ec_key()?;
    let wrapping = WrappingKey::agreed(&ephemeral, public.public_key(), KdfHash::Sha1, &wrap_algorithm)?;
    // The sender's key is written without the name of its curve: a reader takes the curve of the recipient's key (RFC 5753, 3.1.1).
    let ec = der::write(SEQUENCE, &[&identifier(oid::EC_PUBLIC_KEY)]);
    let originator = der::write(context(1), &[&ec, &der::write(BIT_STRING, &[&[0], &point])]);
    let algorithm = der::write(SEQUENCE, &[&identifier(oid::STD_DH_SHA1_KDF), &wrap_algorithm]);
    let id = match recipient.written_id(cipher) {
        SignerId::KeyId(id) => der::write(context(0), &[&der::write(OCTET_STRING, &[&id])]),
        SignerId::IssuerSerial { issuer, serial } => issuer_serial(&issuer, &serial),
    };
    let encrypted_key = der::write(SEQUENCE, &[&id, &der::write(OCTET_STRING, &[&wrapping.wrap(key)?])]);
    let info = [
        &version(VERSION),
        &der::write(context(0), &[&originator]),
        &algorithm,
        &der::write(SEQUENCE, &[&encrypted_key]),
    ];
    Ok((VERSION, der::write(context(1), &info.map(Vec::as_slice))))
}

/// Writes a `KeyTransRecipientInfo` as `openssl cms -encrypt` does. Returns its version with it, from which the envelope's version follows.
fn key_transport(
    recipient: &RegisteredCertificate,
    cipher: ContentCipher,
    key: &[u8],
) -> Result<(u8, Vec<u8>), ErrorStack> {
    let id = recipient.written_id(cipher);
    let number = if matches!(id, SignerId::KeyId(_)) { 2 } else { 0 };
    let public = recipient.public_key()?;
    let mut encrypter = Encrypter::new(&public)?;
    encrypter.set_rsa_padding(Padding::PKCS1)?;
    let mut encrypted = vec![0; encrypter.encrypt_len(key)?];
    let length = encrypter.encrypt(key, &mut encrypted)?;
    encrypted.truncate(length);
    let algorithm = der::write(SEQUENCE, &[&identifier(oid::RSA_ENCRYPTION), &der::write(NULL, &[])]);
    let info = [&version(number), &name(&id), &algorithm, &der::write(OCTET_STRING, &[&encrypted])];
    Ok((number, der::write(SEQUENCE, &info.map(Vec::as_slice))))
}

fn encrypted_content(cipher: &[u8], parameters: &[u8], encrypted: &[u8]) -> Vec<u8> {
    let algorithm = der::write(SEQUENCE, &[&identifier(cipher), parameters]);
    der::write(SEQUENCE, &[&identifier(oid::DATA), &algorithm, &der::write(context_primitive(0), &[encrypted])])
}
