//! Tests both directions against the stock `openssl cms` commands, for every kind of key: OpenSSL writes and the crate reads, and the
//! reverse.

use sdc::cms::{self, ContentCipher};
use sdc::document::{Document, DocumentLimits};
use sdc::keys::CentreKeys;

use crate::workshop::{OCTETS, Workshop, receive};

#[test]
fn stock_openssl_makes_containers_that_we_open() {
    for kind in ["P-256", "P-384", "RSA-2048"] {
        let workshop = Workshop::new();
        let (office, centre) = (workshop.key("office", kind), workshop.key("centre", kind));
        let keys = CentreKeys::new(vec![centre]);
        for (sign, encrypt) in [
            ("-nocerts -keyid -nosmimecap", "-keyid"),
            ("-nocerts -keyid -nosmimecap -md sha384", "-keyid -wrap aes256-wrap -keyopt ecdh_kdf_md:sha256"),
            // Offices need not use this crate. Their tools may refer to the signer by issuer and serial number, put a certificate into the
            // letter, or write which ciphers they support (S/MIME capabilities). All of this must be read.
            ("-md sha512", ""),
            ("", ""),
        ] {
            let encrypt = if kind == "RSA-2048" && encrypt.contains("ecdh") { "-keyid" } else { encrypt };
            workshop.openssl(&format!(
                "cms -sign -binary -nodetach {sign} -in payload -signer office.crt -inkey office.key -outform DER -out signed"
            ));
            workshop.openssl(&format!(
                "cms -encrypt -binary -aes-256-gcm -in signed -outform PEM -out letter.sdc -recip centre.crt {encrypt}"
            ));
            let verified = receive(&workshop.read("letter.sdc"), &keys, office.certificate());
            assert_eq!(verified.map(|v| v.octets().to_vec()), Ok(OCTETS.to_vec()), "{kind} {sign} | {encrypt}");
        }
    }
}

#[test]
fn stock_openssl_makes_oaep_with_sha256_that_we_open() {
    let workshop = Workshop::new();
    let (office, centre) = (workshop.key("office", "P-256"), workshop.key("centre", "RSA-2048"));
    workshop.openssl(
        "cms -sign -binary -nodetach -in payload -signer office.crt -inkey office.key -outform DER -out signed",
    );
    let oaep = "-keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256 -keyopt rsa_mgf1_md:sha256";
    workshop.openssl(&format!(
        "cms -encrypt -binary -aes-256-gcm -in signed -outform PEM -out letter.sdc -recip centre.crt {oaep}"
    ));
    let verified = receive(&workshop.read("letter.sdc"), &CentreKeys::new(vec![centre]), office.certificate()).unwrap();
    assert_eq!(verified.octets(), OCTETS);
}

#[test]
fn stock_openssl_opens_and_verifies_what_we_seal() {
    for kind in ["P-256", "P-384", "RSA-2048"] {
        for cipher in [ContentCipher::Aes256Gcm, ContentCipher::Aes256Cbc] {
            let workshop = Workshop::new();
            let (centre, office) = (workshop.key("centre", kind), workshop.key("office", kind));
            let der = cms::seal(OCTETS, &centre, office.certificate(), cipher).unwrap();
            workshop.write("receipt.sdc", &Document::render(&der, None));
            workshop.openssl(
                "cms -decrypt -binary -inform PEM -in receipt.sdc -recip office.crt -inkey office.key -out signed",
            );
            workshop.openssl(
                "cms -verify -binary -inform DER -in signed -nointern -certfile centre.crt -noverify -out opened",
            );
            assert_eq!(workshop.read("opened"), OCTETS, "{kind} {cipher:?}");
        }
    }
}

#[test]
fn older_software_may_use_cbc_and_what_comes_says_so() {
    let workshop = Workshop::new();
    let (office, centre) = (workshop.key("office", "RSA-2048"), workshop.key("centre", "RSA-2048"));
    workshop.openssl(
        "cms -sign -binary -nodetach -in payload -signer office.crt -inkey office.key -outform DER -out signed",
    );
    workshop.openssl("cms -encrypt -binary -aes-256-cbc -in signed -outform PEM -out letter.sdc -recip centre.crt");
    let document = Document::parse(&workshop.read("letter.sdc"), &DocumentLimits::default()).unwrap();
    let opened = cms::open(&document, &CentreKeys::new(vec![centre])).unwrap();
    assert_eq!(opened.cipher(), ContentCipher::Aes256Cbc);
    assert_eq!(opened.verify(office.certificate()).unwrap().octets(), OCTETS);
}

/// Tests PKCS #7 (RFC 2315), which has no key identifiers and which the stock `openssl smime` command still writes.
#[test]
fn software_that_knows_pkcs7_alone_writes_letters_and_reads_answers() {
    for extension in ["", "-addext subjectKeyIdentifier=none"] {
        let workshop = Workshop::new();
        for name in ["office", "centre"] {
            workshop.openssl(&format!(
                "req -x509 -newkey rsa:2048 -nodes {extension} -days 30 -subj /CN={name} -keyout {name}.key -out {name}.crt"
            ));
        }
        let (office, rsa, signer) = (workshop.pair("office"), workshop.pair("centre"), workshop.key("signer", "P-256"));
        workshop.openssl(
            "smime -sign -binary -nodetach -in payload -signer office.crt -inkey office.key -outform DER -out signed",
        );
        workshop.openssl("smime -encrypt -binary -aes256 -in signed -outform DER -out letter centre.crt");
        let keys = CentreKeys::new(vec![rsa]);
        let document = Document::render(&workshop.read("letter"), None);
        assert_eq!(receive(&document, &keys, office.certificate()).unwrap().octets(), OCTETS);

        let der = cms::seal(OCTETS, &signer, office.certificate(), ContentCipher::Aes256Cbc).unwrap();
        workshop.write("answer", &der);
        workshop.openssl(
            "smime -decrypt -binary -inform DER -in answer -recip office.crt -inkey office.key -out opened.signed",
        );
        workshop.openssl(
            "smime -verify -binary -inform DER -in opened.signed -nointern -certfile signer.crt -noverify -out opened",
        );
        assert_eq!(workshop.read("opened"), OCTETS);
    }
}

#[test]
fn a_retired_key_still_opens_old_mail() {
    let workshop = Workshop::new();
    let (office, old, new) =
        (workshop.key("office", "P-256"), workshop.key("old", "P-256"), workshop.key("new", "RSA-2048"));
    let keys = CentreKeys::new(vec![new.clone(), old.clone()]);
    for centre in [old, new] {
        let der = cms::seal(OCTETS, &office, centre.certificate(), ContentCipher::Aes256Gcm).unwrap();
        assert!(receive(&Document::render(&der, None), &keys, office.certificate()).is_ok());
    }
}

#[test]
fn a_letter_sealed_anew_is_the_same_letter_wherever_it_is_sent() {
    let workshop = Workshop::new();
    let (office, centre, other) =
        (workshop.key("office", "P-256"), workshop.key("centre", "P-256"), workshop.key("other", "P-256"));
    let signed = cms::sign(OCTETS, &office).unwrap();
    let digests = [&centre, &other].map(|recipient| {
        let der = cms::encrypt(&signed, recipient.certificate(), ContentCipher::Aes256Gcm).unwrap();
        let keys = CentreKeys::new(vec![recipient.clone()]);
        receive(&Document::render(&der, None), &keys, office.certificate()).unwrap().digest()
    });
    // The signature does not cover the encryption. So anybody who opens a letter can encrypt its signed content for another recipient, and
    // the signature is still valid there. The recipient sees from the signed member `to` that the letter is for somebody else, and from the
    // equal digest that it is the same letter.
    assert_eq!(digests[0], digests[1]);
}
