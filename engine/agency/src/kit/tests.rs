//! Tests of what is a kit. `tests/kits/mairie.kit` is the golden file of version 1: it must stay readable for ever.

use serde_json::{Value, json};

use super::*;

/// The golden file. Its certificate ends in the year 2998.
const GOLDEN: &str = include_str!("../../tests/kits/mairie.kit");

#[test]
fn the_golden_kit_is_read_and_written_octet_for_octet() {
    let kit = Kit::read(GOLDEN).unwrap();
    assert_eq!(kit.write(), GOLDEN);
    assert_eq!((kit.matricule.to_string().as_str(), kit.mode), ("000042", Mode::Test));
    let centre = kit.centre().unwrap();
    assert_eq!((centre.name.as_str(), centre.address.as_str()), ("centre-x", "centre@example.org"));
    assert_eq!(centre.recipient.algorithm(), "P-256");
    assert_eq!(centre.signers.len(), 1);
    let mail = kit.mail.unwrap();
    assert_eq!((mail.pop3.port, mail.pop3.security), (None, Security::Tls));
    assert_eq!((mail.smtp.port, mail.smtp.security), (Some(587), Security::Starttls));
}

/// Changes one member of the golden kit, and returns why the result is no kit.
fn refused(path: &str, value: Value) -> String {
    let mut kit: Value = serde_json::from_str(GOLDEN).unwrap();
    *kit.pointer_mut(path).unwrap() = value;
    Kit::read(&kit.to_string()).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn a_wrong_kit_is_refused_with_what_is_wrong() {
    for (path, value, expected) in [
        (
            "/sdc_kit",
            json!(2),
            "the kit has version 2, but this program reads version 1: use the program that came with the kit",
        ),
        ("/mode", json!("trial"), "unknown variant `trial`"),
        ("/matricule", json!(0), "matricule 0 is outside 1 to 999999"),
        ("/centre/name", json!(""), "the kit's centre.name is not valid: expected the server's name, 1 to 63 octets"),
        ("/centre/email", json!("centre"), "the kit's centre.email is not valid: expected an e-mail address"),
        ("/centre/telephone", json!("1\n2"), "the kit's centre.telephone is not valid"),
        (
            "/centre/certificates",
            json!([]),
            "the kit's centre.certificates is not valid: expected at least one certificate",
        ),
        ("/centre/certificates/0", json!("x"), "certificate 1 of the kit cannot be used"),
        ("/mail/address", json!("a@b\r\nBcc: c@d"), "the kit's mail.address is not valid"),
        ("/mail/pop3/user", Value::Null, "the kit's mail.pop3.user is not valid: expected the mailbox's name"),
        ("/mail/smtp/host", json!(" "), "the kit's mail.smtp.host is not valid"),
        ("/mail/smtp/security", json!("ssl"), "unknown variant `ssl`"),
        ("/https/url", json!("http://centre.example.org"), "the kit's https.url is not valid"),
        ("/letter_bytes_max", json!(100), "the kit's letter_bytes_max is not valid: expected 4096 to 4194304 bytes"),
    ] {
        let said = refused(path, value);
        assert!(said.contains(expected), "{path}: {said}");
    }
    let said = Kit::read(&GOLDEN.replace("\"mode\"", "\"mood\"")).unwrap_err().to_string();
    assert!(said.contains("unknown field `mood`") && said.contains("found at line "), "{said}");
    assert!(Kit::read("").unwrap_err().to_string().contains("line 1, column 0"));
    let large = Kit::read(&" ".repeat(OCTETS_MAX + 1)).unwrap_err().to_string();
    assert_eq!(large, "the kit cannot be read: expected at most 262144 bytes, found 262145");
}

#[test]
fn an_office_may_have_neither_mail_nor_https() {
    let mut kit: Value = serde_json::from_str(GOLDEN).unwrap();
    let members = kit.as_object_mut().unwrap();
    members.remove("mail").unwrap();
    members.remove("https").unwrap();
    let kit = Kit::read(&kit.to_string()).unwrap();
    assert_eq!((kit.mail, kit.https), (None, None));
}

#[test]
fn a_kit_whose_certificates_have_ended_points_to_the_clock() {
    let mut kit = Kit::read(GOLDEN).unwrap();
    kit.centre.certificates = vec![include_str!("../../tests/kits/ended.crt").to_owned()];
    let said = Kit::read(&kit.write()).unwrap_err().to_string();
    assert!(
        said.starts_with("the certificates of the kit ended on 2001-") && said.contains("look at the clock"),
        "{said}"
    );
}
