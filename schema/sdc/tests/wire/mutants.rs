//! Tests with good containers that are changed at random: the centre reads none of them as another letter, and none ends the process.

use proptest::prelude::*;
use sdc::cms::{self, ContentCipher};
use sdc::der;
use sdc::document::Document;
use sdc::keys::{CentreKeys, SigningKey};
use sdc::prescan::{scan_enveloped, scan_signed};

use crate::tree::Node;
use crate::workshop::{OCTETS, Workshop, receive};

const SEED: u64 = 0x5dc;
const MUTANTS: usize = 1000;

/// A random number generator (Splitmix64) with a fixed seed, so that every run tests the same mutants.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((word ^ (word >> 31)) % u64::try_from(end.max(1)).unwrap()).unwrap()
    }
}

struct Ends {
    office: SigningKey,
    centre: SigningKey,
    keys: CentreKeys,
}

impl Ends {
    fn new(kind: &str) -> Ends {
        let workshop = Workshop::new();
        let (office, centre) = (workshop.key("office", kind), workshop.key("centre", kind));
        Ends { office, keys: CentreKeys::new(vec![centre.clone()]), centre }
    }

    fn seal(&self, cipher: ContentCipher) -> Vec<u8> {
        cms::seal(OCTETS, &self.office, self.centre.certificate(), cipher).unwrap()
    }

    /// Says whether the centre accepts a container. Panics if the centre reads other content than the office wrote.
    fn accepts(&self, der: &[u8], what: &str) -> bool {
        match receive(&Document::render(der, None), &self.keys, self.office.certificate()) {
            Ok(verified) => {
                assert_eq!(verified.octets(), OCTETS, "{what} was taken for another letter: {}", hex::encode(der));
                true
            }
            Err(_) => false,
        }
    }
}

/// Changes whole elements of a structure: removes, repeats, replaces or swaps them, or changes their tag, length or content.
fn bend(good: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut tree = Node::parse(good);
    let paths = tree.paths();
    let path = &paths[1 + dice.below(paths.len() - 1)];
    let donor = tree.at(&paths[dice.below(paths.len())].clone()).clone();
    let (last, above) = path.split_last().unwrap();
    let siblings = &mut tree.at(above).children;
    match dice.below(8) {
        0 => drop(siblings.remove(*last)),
        1 => siblings.insert(*last, siblings[*last].clone()),
        2 => siblings.insert(*last, donor),
        3 => siblings[*last] = donor,
        4 => {
            let other = dice.below(siblings.len());
            siblings.swap(*last, other);
        }
        5 => siblings[*last].tag = u8::try_from(dice.below(256)).unwrap(),
        6 => siblings[*last].content.truncate(dice.below(32)),
        _ => {
            // Changes one of the first four octets of the element, which contain its tag and length.
            let element = siblings[*last].der();
            let mut bytes = tree.der();
            let start = bytes.windows(element.len()).position(|window| window == element).unwrap();
            let end = bytes.len().min(start + 4);
            let octet = &mut bytes[start + dice.below(end - start)];
            *octet = u8::try_from(dice.below(256)).unwrap();
            return bytes;
        }
    }
    tree.der()
}

#[test]
fn no_flipped_byte_is_taken_for_another_letter() {
    let ends = Ends::new("P-256");
    for cipher in [ContentCipher::Aes256Gcm, ContentCipher::Aes256Cbc] {
        let der = ends.seal(cipher);
        assert!(ends.accepts(&der, "the letter itself"));
        for at in 0..der.len() {
            for mask in [0x01, 0x80, 0xff] {
                let mut mutant = der.clone();
                mutant[at] ^= mask;
                let accepted = ends.accepts(&mutant, &format!("byte {at} of {cipher:?}"));
                // GCM authenticates the content of an envelope, so the centre must refuse every change of it. CBC does not: a change there
                // may pass, as long as the signed octets are still those of the office.
                assert!(!accepted || cipher == ContentCipher::Aes256Cbc, "byte {at}, {mask:02x}");
            }
            assert!(!ends.accepts(&der[..at], "a cut one"), "cut at {at}");
        }
    }
}

#[test]
fn no_bent_envelope_is_taken_for_another_letter() {
    for kind in ["P-256", "RSA-2048"] {
        let ends = Ends::new(kind);
        for cipher in [ContentCipher::Aes256Gcm, ContentCipher::Aes256Cbc] {
            let (der, mut dice) = (ends.seal(cipher), Dice(SEED));
            for number in 0..MUTANTS {
                ends.accepts(&bend(&der, &mut dice), &format!("mutant {number} of {kind} {cipher:?}"));
            }
        }
    }
}

#[test]
fn no_bent_signature_is_taken_for_another_letter() {
    for kind in ["P-256", "RSA-2048"] {
        let ends = Ends::new(kind);
        let (signed, mut dice) = (cms::sign(OCTETS, &ends.office).unwrap(), Dice(SEED));
        for number in 0..MUTANTS + signed.len() {
            let mutant = match number.checked_sub(MUTANTS) {
                None => bend(&signed, &mut dice),
                Some(at) => {
                    let mut flipped = signed.clone();
                    flipped[at] ^= 1 << dice.below(8);
                    flipped
                }
            };
            let der = cms::encrypt(&mutant, ends.centre.certificate(), ContentCipher::Aes256Gcm).unwrap();
            ends.accepts(&der, &format!("mutant {number} of a signature by {kind}"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_octets_are_scanned_to_an_end(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(scan_enveloped(&octets).is_err());
        prop_assert!(scan_signed(&octets).is_err());
        prop_assert!(Document::parse(&octets, &Default::default()).is_err());
        sdc::document::claim(&octets);
    }

    #[test]
    fn what_the_walker_admits_has_one_encoding(octets in proptest::collection::vec(0..64u8, 2..40)) {
        if der::check(&octets).is_ok() {
            prop_assert_eq!(Node::parse(&octets).der(), octets);
        }
    }
}
