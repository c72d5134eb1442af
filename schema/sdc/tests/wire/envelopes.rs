//! Tests of the envelope against the stock `openssl` command, field by field.

use std::collections::HashSet;

use openssl::aes::{AesKey, unwrap_key, wrap_key};
use openssl::bn::BigNumContext;
use openssl::derive::Deriver;
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Padding;
use openssl::sha::sha256;
use sdc::cms::{self, ContentCipher};
use sdc::der;
use sdc::document::Document;
use sdc::keys::{CentreKeys, SigningKey};
use sdc::refusal::RefusalCode;

use crate::tree::Node;
use crate::workshop::{OCTETS, Workshop, receive};

const BODY: &[usize] = &[1, 0];
const RECIPIENT: &[usize] = &[1, 0, 1, 0];
const ORIGINATOR: &[usize] = &[1, 0, 1, 0, 1, 0, 0];
const POINT: &[usize] = &[1, 0, 1, 0, 1, 0, 1];
const WRAP: &[usize] = &[1, 0, 1, 0, 2, 1];
const WRAPPED: &[usize] = &[1, 0, 1, 0, 3, 0, 1];
const CURVES: [(&str, &[u8]); 2] =
    [("P-256", &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]), ("P-384", &[0x2b, 0x81, 0x04, 0x00, 0x22])];

/// Makes the keys `office` and `centre`, and the file `signed`.
fn workshop(kind: &str) -> (Workshop, SigningKey, CentreKeys) {
    let workshop = Workshop::new();
    let (office, centre) = (workshop.key("office", "P-256"), workshop.key("centre", kind));
    workshop.openssl(
        "cms -sign -binary -nodetach -nocerts -in payload -signer office.crt -inkey office.key -outform DER -out signed",
    );
    (workshop, office, CentreKeys::new(vec![centre]))
}

fn encrypted(workshop: &Workshop, arguments: &str) -> Node {
    workshop
        .openssl(&format!("cms -encrypt -binary -in signed -outform DER -out letter -recip centre.crt {arguments}"));
    Node::parse(&workshop.read("letter"))
}

fn code(tree: &Node, keys: &CentreKeys, office: &SigningKey) -> Option<RefusalCode> {
    match receive(&Document::render(&tree.der(), None), keys, office.certificate()) {
        Ok(verified) => {
            assert_eq!(verified.octets(), OCTETS);
            None
        }
        Err(refusal) => Some(refusal.code),
    }
}

fn stock_opens(workshop: &Workshop, tree: &Node) {
    workshop.write("letter", &tree.der());
    workshop.openssl("cms -decrypt -binary -inform DER -in letter -recip centre.crt -inkey centre.key -out opened");
    assert_eq!(workshop.read("opened"), workshop.read("signed"));
}

#[test]
fn every_hash_cipher_and_name_that_the_stock_command_writes_is_opened() {
    for (curve, _) in CURVES {
        let (workshop, office, keys) = workshop(curve);
        for hash in ["sha1", "sha224", "sha256", "sha384", "sha512"] {
            for arguments in ["-aes-256-gcm -keyid", "-aes-256-gcm", "-aes-256-cbc -keyid", "-aes-256-cbc"] {
                let arguments = format!("{arguments} -wrap aes256-wrap -keyopt ecdh_kdf_md:{hash}");
                assert_eq!(code(&encrypted(&workshop, &arguments), &keys, &office), None, "{curve} {arguments}");
            }
        }
    }
}

#[test]
fn an_originator_names_its_curve_once_or_not_at_all() {
    for (curve, oid) in CURVES {
        let (workshop, office, keys) = workshop(curve);
        let (null, named) = (Node::primitive(der::NULL, &[]), Node::primitive(der::OBJECT_IDENTIFIER, oid));
        let with = |parameters: &[&Node]| {
            let mut tree = encrypted(&workshop, "-aes-256-gcm");
            let algorithm = tree.at(ORIGINATOR);
            algorithm.children.truncate(1);
            algorithm.children.extend(parameters.iter().map(|node| (*node).clone()));
            tree
        };
        for parameters in [&[][..], &[&null], &[&named]] {
            let tree = with(parameters);
            stock_opens(&workshop, &tree);
            assert_eq!(code(&tree, &keys, &office), None, "{curve} {parameters:?}");
        }
        // An AlgorithmIdentifier has at most one parameter (RFC 5280, 4.1.1.2), so an originator with two must be refused.
        for parameters in [&[&named, &null][..], &[&null, &null], &[&named, &named]] {
            let refusal = code(&with(parameters), &keys, &office);
            assert_eq!(refusal, Some(RefusalCode::EnvelopeMalformed), "{curve} {parameters:?}");
        }
    }
}

/// Derives the key that wraps the content's key, by the KDF of X9.63 with SHA-256 (RFC 5753, 7.2). X9.63 makes a key of one hash after
/// another; a key of 32 octets needs only the first. The test does not call the crate for this, because it would then repeat the crate's
/// mistakes.
fn wrapping_key(own: &PKey<Private>, point: &[u8], wrap_algorithm: &[u8]) -> [u8; 32] {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let point = EcPoint::from_bytes(&group, point, &mut BigNumContext::new().unwrap()).unwrap();
    let peer = PKey::from_ec_key(EcKey::from_public_key(&group, &point).unwrap()).unwrap();
    let mut deriver = Deriver::new(own).unwrap();
    deriver.set_peer(&peer).unwrap();
    let secret = deriver.derive_to_vec().unwrap();
    let length: &[u8] = &[0xa2, 0x06, 0x04, 0x04, 0x00, 0x00, 0x01, 0x00];
    sha256(&[&secret, &[0, 0, 0, 1][..], &der::write(der::SEQUENCE, &[wrap_algorithm, length])].concat())
}

#[test]
fn a_wrap_algorithm_with_null_is_another_input_of_the_kdf() {
    let (workshop, office, keys) = workshop("P-256");
    let centre = PKey::private_key_from_pem(&workshop.read("centre.key")).unwrap();
    let mut tree = encrypted(&workshop, "-aes-256-gcm -wrap aes256-wrap -keyopt ecdh_kdf_md:sha256");
    let point = tree.at(POINT).content[1..].to_vec();
    let mut key = [0; 32];
    let old = wrapping_key(&centre, &point, &tree.at(WRAP).der());
    unwrap_key(&AesKey::new_decrypt(&old).unwrap(), None, &mut key, &tree.at(WRAPPED).content).unwrap();
    tree.at(WRAP).children.push(Node::primitive(der::NULL, &[]));
    assert_eq!(code(&tree, &keys, &office), Some(RefusalCode::Undecryptable), "NULL is not looked over");
    let new = wrapping_key(&centre, &point, &tree.at(WRAP).der());
    let mut wrapped = vec![0; 40];
    wrap_key(&AesKey::new_encrypt(&new).unwrap(), None, &mut wrapped, &key).unwrap();
    tree.at(WRAPPED).content = wrapped;
    stock_opens(&workshop, &tree);
    assert_eq!(code(&tree, &keys, &office), None);
}

#[test]
fn points_beside_the_curve_or_on_another_one_open_nothing() {
    for (curve, other) in [("P-256", "P-384"), ("P-384", "P-256")] {
        let (workshop, office, keys) = workshop(curve);
        let good = encrypted(&workshop, "-aes-256-gcm");
        for point in
            [vec![0; good.clone().at(POINT).content.len() - 2], vec![0xff; good.clone().at(POINT).content.len() - 2]]
        {
            let mut tree = good.clone();
            tree.at(POINT).content = [&[0, 4], point.as_slice()].concat();
            assert_eq!(code(&tree, &keys, &office), Some(RefusalCode::Undecryptable), "{curve}");
        }
        for at in [2, 33, good.clone().at(POINT).content.len() - 1] {
            let mut tree = good.clone();
            tree.at(POINT).content[at] ^= 1;
            assert_eq!(code(&tree, &keys, &office), Some(RefusalCode::Undecryptable), "{curve}, octet {at}");
        }
        let mut tree = good.clone();
        tree.at(POINT).content = vec![0, 0];
        assert_eq!(code(&tree, &keys, &office), Some(RefusalCode::EnvelopeForbidden), "infinity");
        workshop.key("elsewhere", other);
        workshop.openssl("cms -encrypt -binary -aes-256-gcm -in signed -outform DER -out other -recip elsewhere.crt");
        *tree.at(POINT) = Node::parse(&workshop.read("other")).at(POINT).clone();
        assert_eq!(code(&tree, &keys, &office), Some(RefusalCode::EnvelopeMalformed), "{other} for {curve}");
    }
}

#[test]
fn a_wrapped_key_has_40_bytes_and_a_key_identifier_at_most_64() {
    let (workshop, office, keys) = workshop("P-256");
    let good = encrypted(&workshop, "-aes-256-gcm -keyid");
    for length in [24, 32, 48] {
        let mut tree = good.clone();
        tree.at(WRAPPED).content.resize(length, 0);
        assert_eq!(code(&tree, &keys, &office), Some(RefusalCode::EnvelopeForbidden), "{length}");
    }
    for (length, expected) in
        [(0, RefusalCode::EnvelopeMalformed), (64, RefusalCode::NotForThisCentre), (65, RefusalCode::EnvelopeMalformed)]
    {
        let mut tree = good.clone();
        tree.at(&[1, 0, 1, 0, 3, 0, 0, 0]).content = vec![7; length];
        assert_eq!(code(&tree, &keys, &office), Some(expected), "{length}");
    }
}

#[test]
fn versions_are_those_of_the_recipient_and_we_open_each_that_we_write() {
    // The versions follow RFC 5652, 6.1, 6.2.1 and 6.2.2, and RFC 5083, 2.1. An envelope with CBC is for older software, so it refers to
    // its recipient in the way that this software knows, by issuer and serial number (PKCS #7, RFC 2315, 10.1).
    for (key, identifier, enveloped, gcm_recipient, cbc_recipient) in [
        ("ec -pkeyopt ec_paramgen_curve:P-256", "hash", 2, 3, 3),
        ("ec -pkeyopt ec_paramgen_curve:P-256", "none", 2, 3, 3),
        ("rsa:2048", "hash", 0, 2, 0),
        ("rsa:2048", "none", 0, 0, 0),
    ] {
        let workshop = Workshop::new();
        let office = workshop.key("office", "P-256");
        workshop.openssl(&format!(
            "req -x509 -nodes -newkey {key} -addext subjectKeyIdentifier={identifier} -subj /CN=c -keyout c.key -out c.crt"
        ));
        let centre = workshop.pair("c");
        let keys = CentreKeys::new(vec![centre.clone()]);
        for (cipher, version, recipient) in
            [(ContentCipher::Aes256Gcm, 0, gcm_recipient), (ContentCipher::Aes256Cbc, enveloped, cbc_recipient)]
        {
            let mut tree = Node::parse(&cms::seal(OCTETS, &office, centre.certificate(), cipher).unwrap());
            assert_eq!(tree.at(BODY).children[0].content, [version], "{key} {identifier} {cipher:?}");
            assert_eq!(tree.at(RECIPIENT).children[0].content, [recipient], "{key} {identifier} {cipher:?}");
            assert_eq!(code(&tree, &keys, &office), None, "{key} {identifier} {cipher:?}");
        }
    }
}

#[test]
fn no_key_nonce_or_point_serves_twice() {
    const LETTERS: usize = 8;
    let workshop = Workshop::new();
    let (rsa, ec) = (workshop.key("rsa", "RSA-2048"), workshop.key("ec", "P-256"));
    let private = PKey::private_key_from_pem(&workshop.read("rsa.key")).unwrap().rsa().unwrap();
    for (cipher, nonce) in
        [(ContentCipher::Aes256Gcm, &[1, 0, 2, 1, 1, 0][..]), (ContentCipher::Aes256Cbc, &[1, 0, 2, 1, 1])]
    {
        let (mut keys, mut nonces, mut points) = (HashSet::new(), HashSet::new(), HashSet::new());
        for _ in 0..LETTERS {
            let mut tree = Node::parse(&cms::encrypt(OCTETS, rsa.certificate(), cipher).unwrap());
            let mut key = vec![0; 256];
            let length =
                private.private_decrypt(&tree.at(RECIPIENT).children[3].content, &mut key, Padding::PKCS1).unwrap();
            key.truncate(length);
            assert!(key.len() == 32 && key.iter().collect::<HashSet<_>>().len() > 8, "{cipher:?}: no random key");
            keys.insert(key);
            nonces.insert(tree.at(nonce).content.clone());
            let mut tree = Node::parse(&cms::encrypt(OCTETS, ec.certificate(), cipher).unwrap());
            nonces.insert(tree.at(nonce).content.clone());
            points.insert(tree.at(POINT).content.clone());
        }
        assert_eq!((keys.len(), nonces.len(), points.len()), (LETTERS, 2 * LETTERS, LETTERS), "{cipher:?}");
    }
}
