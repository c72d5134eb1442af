//! Tests of the size of a letter in transport: the limits that FORMAT.md, Size, promises, measured with names that are not in the
//! dictionary. Another test makes the dictionary again from its recipe.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation, reason = "a test ends there")]

use std::collections::HashSet;

use rcgen::{CertificateParams, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize};
use sdc::cms::{self, ContentCipher};
use sdc::document::Document;
use sdc::keys::SigningKey;
use sdc::letter::Letter;
use sdc::payload::{PayloadLimits, write_letter};
use sdc::request::Request;

#[path = "../dictionary/mod.rs"]
#[allow(dead_code, reason = "shared with the example that trains")]
mod dictionary;

use dictionary::recipe;
use dictionary::samples::letters::{FULL_BIRTH, full_births};
use dictionary::samples::{Corpus, Dice};

const SEED: u64 = 77;

fn signing_key(key: &KeyPair) -> SigningKey {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    // rcgen writes a subjectKeyIdentifier only where the certificate says whether it is an authority. The project's own certificates have
    // the identifier, and without it a letter would be longer.
    params.is_ca = IsCa::ExplicitNoCa;
    let certificate = params.self_signed(key).unwrap();
    SigningKey::from_pem(key.serialize_pem().as_bytes(), certificate.pem().as_bytes()).unwrap()
}

fn p256() -> SigningKey {
    signing_key(&KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap())
}

fn rsa2048() -> SigningKey {
    signing_key(&KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap())
}

/// Returns the size in octets of a letter as a document. The document has no routing hint, since FORMAT.md measures sizes without the hint.
fn sealed_bytes(letter: &Letter, office: &SigningKey, centre: &SigningKey) -> usize {
    let octets = write_letter(letter, &PayloadLimits::default()).unwrap();
    let der = cms::seal(&octets, office, centre.certificate(), ContentCipher::Aes256Gcm).unwrap();
    Document::render(&der, None).len()
}

fn one_record_bytes_max(kind: &str, key: fn() -> SigningKey) -> usize {
    let (office, centre, corpus) = (key(), key(), Corpus::held_out());
    let mut dice = Dice::new(SEED);
    let sizes: Vec<usize> =
        (0..200).map(|_| sealed_bytes(&full_births(&mut dice, &corpus, 1), &office, &centre)).collect();
    let (min, max) = (*sizes.iter().min().unwrap(), *sizes.iter().max().unwrap());
    let mean = sizes.iter().sum::<usize>() / sizes.len();
    // A mail carries the file as base64, in lines of 76 characters and CRLF (RFC 2045, 6.8).
    let attached = max.div_ceil(3) * 4;
    let attached = attached + attached.div_ceil(76) * 2;
    println!(
        "{kind}: one record min {min}, mean {mean}, max {max} bytes; as a base64 attachment {attached} and headers"
    );
    max
}

#[test]
fn a_birth_record_travels_in_1150_bytes() {
    assert!(one_record_bytes_max("P-256", p256) <= 1150);
}

#[test]
fn a_birth_record_travels_in_1650_bytes_with_rsa() {
    assert!(one_record_bytes_max("RSA-2048", rsa2048) <= 1650);
}

#[test]
fn a_thousand_records_cost_80_bytes_each() {
    let (office, centre, corpus) = (p256(), p256(), Corpus::held_out());
    let mut dice = Dice::new(SEED);
    let sizes: Vec<usize> =
        (0..10).map(|_| sealed_bytes(&full_births(&mut dice, &corpus, 1000), &office, &centre)).collect();
    println!("1000 records: {sizes:?} bytes");
    assert!(sizes.iter().all(|size| *size <= 80_000));
}

#[test]
fn the_record_has_21_filled_columns_with_a_uuid_that_is_random() {
    let Request::Export(records) = full_births(&mut Dice::new(SEED), &Corpus::held_out(), 100).request else {
        panic!("not an export")
    };
    let table = &records.tables[0];
    assert_eq!(table.columns, FULL_BIRTH);
    assert_eq!(FULL_BIRTH.len(), 21);
    assert!(table.values.iter().flatten().all(|value| !value.is_null() && value != ""));
    let uuids: HashSet<uuid::Uuid> = table.values[20].iter().map(|id| id.as_str().unwrap().parse().unwrap()).collect();
    assert!(uuids.len() == 100 && uuids.iter().all(|id| id.get_version_num() == 4));
}

#[test]
fn the_names_measured_are_in_no_list_of_the_dictionary() {
    let (known, held_out) = (Corpus::published(), Corpus::held_out());
    let of_known = |corpus: &Corpus| {
        [&corpus.surnames, &corpus.given_names, &corpus.places].into_iter().flatten().cloned().collect::<HashSet<_>>()
    };
    let mut names = of_known(&known);
    assert!(names.len() >= 5000, "{} names and places", names.len());
    names.extend(known.frequent_surnames);
    names.extend(known.frequent_given_names);
    for list in [&held_out.surnames, &held_out.given_names, &held_out.places] {
        assert!(list.len() >= 50);
        assert!(list.iter().all(|name| !names.contains(name)));
    }
}

#[test]
fn the_dictionary_is_what_its_recipe_makes() {
    let committed = include_bytes!("../dictionary/v1.zdict");
    assert!(recipe::dictionary().unwrap() == committed, "train_dictionary makes another dictionary than v1.zdict");
}
