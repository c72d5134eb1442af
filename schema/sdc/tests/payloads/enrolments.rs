//! Letters whose key is not registered. The stock `openssl` signed and encrypted them with the keys of `tests/vectors/keys`. Only an
//! enrolment that is signed with its own key may be read.

use std::collections::BTreeSet;
use std::path::Path;

use sdc::cms;
use sdc::document::{Document, DocumentLimits};
use sdc::enrolment::Enrolment;
use sdc::keys::{CentreKeys, SigningKey};

/// Documents in the folder `enrolments`. The folder of each document is the code with which it is refused, or `enrolled`.
const DECIDED: [&str; 5] = [
    "enrolled/own_certificate.sdc",
    "enrolment_refused/certificate_of_another.sdc",
    "enrolment_refused/no_certificate.sdc",
    "unknown_signer/message.sdc",
    "unknown_signer/no_code.sdc",
];

/// Returns the codes with which these documents are refused.
pub fn codes() -> BTreeSet<&'static str> {
    DECIDED.iter().filter_map(|path| path.split('/').next()).filter(|decision| *decision != "enrolled").collect()
}

#[test]
fn each_document_of_an_unknown_key_is_decided_as_its_folder_says() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let read = |path: &str| std::fs::read(tests.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let key = |name: &str| {
        let [key, certificate] = ["key", "crt"].map(|end| read(&format!("vectors/keys/{name}.{end}")));
        SigningKey::from_pem(&key, &certificate).unwrap()
    };
    let (keys, own) = (CentreKeys::new(vec![key("centre")]), key("office"));
    for path in DECIDED {
        let document = Document::parse(&read(&format!("payloads/enrolments/{path}")), &DocumentLimits::default());
        let decided = Enrolment::read(cms::open(&document.unwrap(), &keys).unwrap());
        match path.split('/').next() {
            Some("enrolled") => {
                let enrolment = decided.unwrap_or_else(|refusal| panic!("{path}: {refusal}"));
                assert_eq!(enrolment.certificate.fingerprint(), own.certificate().fingerprint());
                assert_eq!(enrolment.enrol.code.as_str(), "ABCDEFGHJKMNPQRSTVWX0113");
                assert_eq!(enrolment.letter.from.installation, "pc2");
            }
            code => {
                let refusal = decided.expect_err(path);
                assert_eq!(Some(refusal.code.as_str()), code, "{path}");
                assert!(refusal.parameters.is_empty(), "{path}: nothing is told");
            }
        }
    }
}
