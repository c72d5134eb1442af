//! Golden vectors: documents in `tests/vectors`. The folder of each document and the table below say how the centre must decide about it.
//!
//! The files are made once and kept, so that every version of the crate is tested with the same octets. Only a change of the format needs
//! other files. This command makes all of them anew: `cargo test -p sdc --test wire -- --ignored make_the_vectors_anew`.

mod bent;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sdc::keys::{CentreKeys, SigningKey};
use sdc::refusal::{Refusal, RefusalCode};

use crate::workshop::{OCTETS, Workshop, receive};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn key(name: &str) -> SigningKey {
    let read = |extension| std::fs::read(folder().join(format!("keys/{name}.{extension}"))).unwrap();
    SigningKey::from_pem(&read("key"), &read("crt")).unwrap()
}

/// Codes of refusals that need neither the payload nor the database.
const CODES: [RefusalCode; 9] = [
    RefusalCode::DocumentMalformed,
    RefusalCode::EnvelopeMalformed,
    RefusalCode::EnvelopeForbidden,
    RefusalCode::NotForThisCentre,
    RefusalCode::Undecryptable,
    RefusalCode::SignatureMalformed,
    RefusalCode::SignatureForbidden,
    RefusalCode::SignatureInvalid,
    RefusalCode::UnknownSigner,
];

#[test]
fn each_vector_is_decided_as_its_folder_says() {
    let keys = CentreKeys::new(vec![key("centre"), key("centre_rsa")]);
    let office = key("office");
    let mut codes = BTreeSet::new();
    for (path, expected) in bent::EXPECTED {
        let document = std::fs::read(folder().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let decided = receive(&document, &keys, office.certificate());
        let (decision, name) = path.split_once('/').unwrap();
        if decision == "accepted" {
            let verified = decided.unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
            assert_eq!(verified.octets(), OCTETS, "{path}");
            continue;
        }
        let refusal = decided.map(|_| ()).expect_err(path);
        assert_eq!(refusal.code.as_str(), decision, "{path}: {refusal}");
        let found = refusal.parameters.get("expected").map_or("", String::as_str);
        assert_eq!(found, *expected, "{path} is refused, but for another reason");
        codes.insert(refusal.code);
    }
    assert_eq!(codes, CODES.into_iter().collect(), "each code has a vector");
}

#[test]
fn no_vector_is_left_out_of_the_table() {
    let listed: BTreeSet<String> = bent::EXPECTED.iter().map(|(path, _)| (*path).to_owned()).collect();
    let mut found = BTreeSet::new();
    for decision in std::fs::read_dir(folder()).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir()) {
        let decision_name = decision.file_name().into_string().unwrap();
        for file in std::fs::read_dir(decision.path()).unwrap().filter(|_| decision_name != "keys") {
            found.insert(format!("{decision_name}/{}", file.unwrap().file_name().into_string().unwrap()));
        }
    }
    assert_eq!(found, listed);
}

#[test]
fn refusals_before_a_verified_sender_tell_nobody() {
    for code in CODES {
        assert!(!code.is_answered(), "{code}");
        assert!(Refusal::new(code).code.remedy().is_none());
    }
}

#[test]
#[ignore = "writes tests/vectors anew"]
fn make_the_vectors_anew() {
    let workshop = Workshop::new();
    let documents = bent::documents(&workshop);
    for name in ["office", "centre", "centre_rsa"] {
        std::fs::create_dir_all(folder().join("keys")).unwrap();
        for extension in ["key", "crt"] {
            let file = format!("{name}.{extension}");
            std::fs::copy(workshop.path(&file), folder().join("keys").join(file)).unwrap();
        }
    }
    for (path, document) in documents {
        let path = folder().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, document).unwrap();
    }
}
