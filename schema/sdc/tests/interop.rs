//! Both directions against the stock `openssl cms` commands, for every kind of key.

use std::path::{Path, PathBuf};
use std::process::Command;

use sdc::cms::{self, ContentCipher};
use sdc::document::{Document, DocumentLimits};
use sdc::keys::{CentreKeys, RegisteredCertificate, SigningKey};
use sdc::refusal::RefusalCode;

const OCTETS: &[u8] = b"{\"sdc\":1,\"text\":\"Ngo Biyong \xc3\xa9pouse N'Diaye\r\n\"}";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(self.0.path())
            .output()
            .expect("openssl is installed");
        assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Makes a key and a self-signed certificate as an office would with the stock command.
    fn key(&self, name: &str, kind: &str) -> SigningKey {
        let new_key = match kind {
            "RSA-2048" => "-newkey rsa:2048",
            "P-384" => "-newkey ec -pkeyopt ec_paramgen_curve:P-384",
            _ => "-newkey ec -pkeyopt ec_paramgen_curve:P-256",
        };
        self.openssl(&format!(
            "req -x509 {new_key} -nodes -keyout {name}.key -out {name}.crt -days 30 -subj /CN={name}"
        ));
        SigningKey::from_pem(&read(&self.path(&format!("{name}.key"))), &read(&self.path(&format!("{name}.crt"))))
            .unwrap()
    }
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[test]
fn stock_openssl_makes_containers_that_we_open() {
    for kind in ["P-256", "P-384", "RSA-2048"] {
        let folder = Folder::new();
        let (office, centre) = (folder.key("office", kind), folder.key("centre", kind));
        std::fs::write(folder.path("payload"), OCTETS).unwrap();
        for (sign, encrypt) in [
            ("-nocerts -keyid -nosmimecap", "-keyid"),
            // Tolerated from other tools: issuer and serial number, an embedded certificate, capabilities.
            ("", ""),
        ] {
            folder.openssl(&format!(
                "cms -sign -binary -nodetach {sign} -in payload -signer office.crt -inkey office.key -outform DER -out signed"
            ));
            folder.openssl(&format!(
                "cms -encrypt -binary -aes-256-gcm {encrypt} -in signed -outform PEM -out letter.sdc -recip centre.crt"
            ));
            let document = Document::parse(&read(&folder.path("letter.sdc")), &DocumentLimits::default()).unwrap();
            let opened = cms::open(&document, &CentreKeys::new(vec![centre.clone()]))
                .unwrap_or_else(|refusal| panic!("{kind} {sign}: {refusal}"));
            assert!(office.certificate().signer_ids().contains(opened.signer()), "{kind} {sign}");
            assert_eq!(opened.cipher(), ContentCipher::Aes256Gcm);
            let verified = opened.verify(office.certificate()).unwrap();
            assert_eq!(verified.octets(), OCTETS);
        }
    }
}

#[test]
fn stock_openssl_opens_and_verifies_what_we_seal() {
    for kind in ["P-256", "P-384", "RSA-2048"] {
        let folder = Folder::new();
        let (centre, office) = (folder.key("centre", "P-256"), folder.key("office", kind));
        let der = cms::seal(OCTETS, &centre, office.certificate(), ContentCipher::Aes256Gcm).unwrap();
        std::fs::write(folder.path("receipt.sdc"), Document::render(&der, None)).unwrap();
        folder.openssl(
            "cms -decrypt -binary -inform PEM -in receipt.sdc -recip office.crt -inkey office.key -out signed",
        );
        folder
            .openssl("cms -verify -binary -inform DER -in signed -nointern -certfile centre.crt -noverify -out opened");
        assert_eq!(read(&folder.path("opened")), OCTETS, "{kind}");
    }
}

#[test]
fn older_software_may_use_cbc_and_what_comes_says_so() {
    let folder = Folder::new();
    let (office, centre) = (folder.key("office", "RSA-2048"), folder.key("centre", "RSA-2048"));
    std::fs::write(folder.path("payload"), OCTETS).unwrap();
    folder.openssl(
        "cms -sign -binary -nodetach -in payload -signer office.crt -inkey office.key -outform DER -out signed",
    );
    folder.openssl("cms -encrypt -binary -aes-256-cbc -in signed -outform PEM -out letter.sdc -recip centre.crt");
    let document = Document::parse(&read(&folder.path("letter.sdc")), &DocumentLimits::default()).unwrap();
    let opened = cms::open(&document, &CentreKeys::new(vec![centre])).unwrap();
    assert_eq!(opened.cipher(), ContentCipher::Aes256Cbc);
    assert_eq!(opened.verify(office.certificate()).unwrap().octets(), OCTETS);
}

#[test]
fn a_signer_s_own_certificate_inside_does_not_replace_the_registered_one() {
    let folder = Folder::new();
    let (office, thief, centre) =
        (folder.key("office", "P-256"), folder.key("thief", "P-256"), folder.key("centre", "P-256"));
    std::fs::write(folder.path("payload"), OCTETS).unwrap();
    folder
        .openssl("cms -sign -binary -nodetach -in payload -signer thief.crt -inkey thief.key -outform DER -out signed");
    folder.openssl("cms -encrypt -binary -aes-256-gcm -in signed -outform PEM -out letter.sdc -recip centre.crt");
    let document = Document::parse(&read(&folder.path("letter.sdc")), &DocumentLimits::default()).unwrap();
    let keys = CentreKeys::new(vec![centre]);
    let refused = cms::open(&document, &keys).unwrap().verify(office.certificate()).unwrap_err();
    assert_eq!(refused.code, RefusalCode::SignatureInvalid);
    assert!(cms::open(&document, &keys).unwrap().verify(thief.certificate()).is_ok(), "the signature itself is sound");
}

#[test]
fn forbidden_structures_never_reach_openssl() {
    let folder = Folder::new();
    let (_office, centre) = (folder.key("office", "P-256"), folder.key("centre", "P-256"));
    folder.key("rsa", "RSA-2048");
    std::fs::write(folder.path("payload"), OCTETS).unwrap();
    let keys = CentreKeys::new(vec![centre]);
    let sign = "cms -sign -binary -in payload -signer office.crt -inkey office.key -outform DER -out signed";
    let encrypt = "cms -encrypt -binary -outform DER -out letter";
    let gcm = "-aes-256-gcm -in signed -recip centre.crt";
    let good = (format!("{sign} -nodetach"), format!("{encrypt} {gcm}"));
    let rsa_oaep = "-aes-256-gcm -in signed -recip rsa.crt -keyopt rsa_padding_mode:oaep";
    let cases = [
        (good.0.clone(), format!("{encrypt} -stream -indef {gcm}"), RefusalCode::EnvelopeMalformed),
        (
            good.0.clone(),
            format!("{encrypt} -aes-128-gcm -in signed -recip centre.crt"),
            RefusalCode::EnvelopeForbidden,
        ),
        (
            good.0.clone(),
            format!("{encrypt} -aes-256-cbc -in signed -pwri_password secret"),
            RefusalCode::EnvelopeForbidden,
        ),
        (good.0.clone(), format!("{encrypt} {gcm} -recip office.crt"), RefusalCode::EnvelopeForbidden),
        (good.0.clone(), format!("{encrypt} {rsa_oaep}"), RefusalCode::EnvelopeForbidden),
        (good.0.clone(), format!("{encrypt} -aes-256-gcm -in signed -recip office.crt"), RefusalCode::NotForThisCentre),
        (
            good.0.clone(),
            format!("{encrypt} -aes-256-gcm -in payload -recip centre.crt"),
            RefusalCode::SignatureMalformed,
        ),
        (sign.to_owned(), good.1.clone(), RefusalCode::SignatureForbidden),
        (format!("{sign} -nodetach -noattr"), good.1.clone(), RefusalCode::SignatureForbidden),
        (format!("{sign} -nodetach -md sha1"), good.1.clone(), RefusalCode::SignatureForbidden),
        (format!("{sign} -nodetach -signer rsa.crt -inkey rsa.key"), good.1.clone(), RefusalCode::SignatureForbidden),
    ];
    for (sign, encrypt, code) in cases {
        folder.openssl(&sign);
        folder.openssl(&encrypt);
        let document = Document::render(&read(&folder.path("letter")), None);
        let document = Document::parse(&document, &DocumentLimits::default()).unwrap();
        let refusal = cms::open(&document, &keys).expect_err(&format!("{sign} | {encrypt}"));
        assert_eq!(refusal.code, code, "{sign} | {encrypt}: {refusal}");
    }
}

#[test]
fn no_mutant_is_taken_for_another_letter() {
    let folder = Folder::new();
    let (office, centre) = (folder.key("office", "P-256"), folder.key("centre", "P-256"));
    let keys = CentreKeys::new(vec![centre.clone()]);
    let read_back = |der: &[u8], registered: &RegisteredCertificate| {
        let text = Document::render(der, None);
        let document = Document::parse(&text, &DocumentLimits::default()).ok()?;
        Some(cms::open(&document, &keys).ok()?.verify(registered).ok()?.octets().to_vec())
    };
    for cipher in [ContentCipher::Aes256Gcm, ContentCipher::Aes256Cbc] {
        let der = cms::seal(OCTETS, &office, centre.certificate(), cipher).unwrap();
        assert_eq!(read_back(&der, office.certificate()).as_deref(), Some(OCTETS));
        for at in 0..der.len() {
            for mutation in [0x01, 0x80, 0xff] {
                let mut mutant = der.clone();
                mutant[at] ^= mutation;
                // A flip in CBC's padding, or in what nobody reads, may leave the same letter; never another one.
                let octets = read_back(&mutant, office.certificate());
                assert!(octets.is_none_or(|octets| octets == OCTETS), "byte {at} of {cipher:?}");
            }
            assert_eq!(read_back(&der[..at], office.certificate()), None, "cut at {at}");
        }
    }
}
