//! Tests that a signature's algorithm fits the signer's kind of key, even where OpenSSL would accept another algorithm.

use sdc::cms::{self, ContentCipher};
use sdc::document::Document;
use sdc::keys::CentreKeys;
use sdc::refusal::RefusalCode;

use crate::tree::Node;
use crate::workshop::{OCTETS, Workshop, receive};

const SIGNER: &[usize] = &[1, 0, 3, 0];
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const RSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];

#[test]
fn the_algorithm_named_is_one_of_the_signers_key() {
    for (kind, its_own, of_others) in [
        ("P-256", &[ECDSA_SHA256][..], &[RSA_ENCRYPTION, RSA_SHA256][..]),
        ("P-384", &[ECDSA_SHA256], &[RSA_ENCRYPTION, RSA_SHA256]),
        ("RSA-2048", &[RSA_ENCRYPTION, RSA_SHA256], &[ECDSA_SHA256]),
    ] {
        let workshop = Workshop::new();
        let (office, centre) = (workshop.key("office", kind), workshop.key("centre", "P-256"));
        let keys = CentreKeys::new(vec![centre.clone()]);
        let good = Node::parse(&cms::sign(OCTETS, &office).unwrap());
        let received = |algorithm: &[u8]| {
            let mut tree = good.clone();
            tree.at(SIGNER).children[4].children[0].content = algorithm.to_vec();
            let der = cms::encrypt(&tree.der(), centre.certificate(), ContentCipher::Aes256Gcm).unwrap();
            receive(&Document::render(&der, None), &keys, office.certificate())
        };
        for algorithm in its_own {
            assert_eq!(received(algorithm).unwrap().octets(), OCTETS, "{kind} {algorithm:02x?}");
        }
        for algorithm in of_others {
            let refusal = received(algorithm).map(|_| ()).unwrap_err();
            assert_eq!(refusal.code, RefusalCode::SignatureForbidden, "{kind} {algorithm:02x?}");
            assert_eq!(refusal.parameters["expected"], "a signature algorithm of the signer's kind of key");
        }
    }
}
