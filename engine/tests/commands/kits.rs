//! Kits and sheets with codes, written by the real program.

use std::os::unix::fs::PermissionsExt;

use openssl::x509::X509;
use serde_json::{Value, json};
use store::certificates;

use crate::operators::{agencies, in_douala};

const CONFIGURATION: &str = r#"
[kit]
telephone = "+237 222"
address = "centre@example.org"
https_url = "https://centre.example.org"
[kit.pop3]
host = "pop.example.org"
[kit.smtp]
host = "smtp.example.org"
port = 587
security = "starttls"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_office_gets_a_kit_and_its_code_apart() {
    let centre = in_douala().await;
    agencies(&centre, 2).await;
    centre.done(&["agency", "edit", "2", "--no-email"]);
    let file = |name: &str| centre.place.path().join(name).to_str().unwrap().to_owned();
    let (kit, sheet) = (file("mairie.kit"), file("mairie.pdf"));
    let unnamed = centre.refused(&["enrolment", "kit", "1", &kit]);
    assert!(unnamed.contains("set address in [kit], or a mailbox or the relay"), "{unnamed}");
    std::fs::write(centre.data_folder().join("xmserver.toml"), CONFIGURATION).unwrap();
    let told = centre.done(&["enrolment", "kit", "1", &kit]);
    assert!(
        told.contains("the kit of agency 000001 is in") && told.contains("enrolment code 000001 --sheet"),
        "{told}"
    );

    let text = std::fs::read_to_string(&kit).unwrap();
    let written: Value = serde_json::from_str(&text).unwrap();
    let read = agency::kit::Kit::read(&text).unwrap();
    assert_eq!(read.matricule.to_string(), "000001", "the office's program reads it");
    let mail = json!({
        "address": "o1@example.org",
        "pop3": { "host": "pop.example.org", "security": "tls", "user": "o1@example.org" },
        "smtp": { "host": "smtp.example.org", "port": 587, "security": "starttls", "user": "o1@example.org" },
    });
    assert_eq!((&written["sdc_kit"], &written["matricule"], &written["mode"]), (&json!(1), &json!(1), &json!("test")));
    assert_eq!((&written["mail"], &written["https"]), (&mail, &json!({ "url": "https://centre.example.org" })));
    assert_eq!((&written["centre"]["name"], &written["centre"]["telephone"]), (&json!("centre-x"), &json!("+237 222")));
    assert_eq!(written["letter_bytes_max"], json!(262_144));
    let pem = written["centre"]["certificates"][0].as_str().unwrap();
    let certificate = X509::from_pem(pem.as_bytes()).unwrap();
    assert_eq!(certificate.public_key().unwrap().bits(), 256, "offices encrypt for the first one");
    let there = centre.refused(&["enrolment", "kit", "1", &kit]);
    assert!(there.contains("is there already"), "{there}");
    assert_eq!(std::fs::read_to_string(&kit).unwrap(), text);
    let second = file("second.kit");
    assert!(centre.done(&["enrolment", "kit", "2", &second]).contains("it has no mail"));
    let second: Value = serde_json::from_str(&std::fs::read_to_string(&second).unwrap()).unwrap();
    assert_eq!((&second["mail"], &second["matricule"]), (&Value::Null, &json!(2)));

    let told = centre.done(&["enrolment", "code", "1", "--sheet", &sheet]);
    assert!(told.contains("is printed in") && told.contains("and nowhere else"), "{told}");
    let listed = centre.json(&["enrolment", "list", "--json"]);
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["state"]), (1, &json!("open")));
    let octets = std::fs::read(&sheet).unwrap();
    assert!(octets.starts_with(b"%PDF-"));
    assert_eq!(std::fs::metadata(&sheet).unwrap().permissions().mode() & 0o777, 0o600);
    // A sheet that cannot be written makes no code, and one for which there is no code is not left behind.
    let there = centre.refused(&["enrolment", "code", "1", "--sheet", &sheet]);
    assert!(there.contains("is there already"), "{there}");
    assert_eq!(centre.json(&["enrolment", "list", "--json"]), listed);
    let none = file("none.pdf");
    assert!(centre.absent(&["enrolment", "code", "9", "--sheet", &none]).contains("agency 000009 does not exist"));
    assert!(!std::path::Path::new(&none).exists());
    let told = centre.json(&["enrolment", "kit", "2", &file("third.kit"), "--json"]);
    let fingerprint = certificates::spoken(&certificate.digest(openssl::hash::MessageDigest::sha256()).unwrap());
    assert_eq!(told["certificates"][0], json!(fingerprint));
}
