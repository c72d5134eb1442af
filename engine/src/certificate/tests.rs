//! Files as agencies send them, made with the command `openssl`.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::*;

/// A folder with an office's key and certificate, and the files that a test makes from them.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Desk {
        let desk = Desk(tempfile::tempdir().unwrap());
        desk.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 800 -subj /CN=000042/O=Mairie \
             -keyout office.key -out office.crt",
        );
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn write(&self, name: &str, octets: &[u8]) {
        std::fs::write(self.path(name), octets).unwrap();
    }

    fn octets(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    fn text(&self, name: &str) -> String {
        String::from_utf8(self.octets(name)).unwrap()
    }

    fn refused(&self, name: &str) -> FileError {
        read(&self.path(name)).expect_err(name)
    }

    fn kind(&self, name: &str) -> Kind {
        match self.refused(name) {
            FileError::Other { kind, .. } => kind,
            other => panic!("{name}: {other}"),
        }
    }
}

#[test]
fn a_certificate_is_read_in_every_usual_wrapping() {
    let desk = Desk::new();
    desk.openssl("x509 -in office.crt -outform DER -out office.der");
    let pem = desk.text("office.crt");
    desk.write("bom.crt", format!("\u{feff}{pem}").as_bytes());
    desk.write("text.crt", format!("Bonjour,\r\nvoici:\r\n{}\r\nMairie", pem.replace('\n', "\r\n")).as_bytes());
    desk.write("old-label.crt", pem.replace("CERTIFICATE", "X509 CERTIFICATE").as_bytes());
    desk.write(
        "one-line.crt",
        pem.replace("-----\n", "----- ").replace('\n', "").replace("----- -", "-----\n-").as_bytes(),
    );
    let expected = desk.octets("office.der");
    for name in ["office.crt", "office.der", "bom.crt", "text.crt", "old-label.crt", "one-line.crt"] {
        let presented = read(&desk.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let [one] = presented.as_slice() else { panic!("{name}: {}", presented.len()) };
        assert_eq!(one.fields.der, expected, "{name}");
        assert_eq!((one.subject.as_str(), &one.issuer), ("CN=000042, O=Mairie", &one.subject));
        assert!(!one.fields.is_authority, "CA:TRUE is what the stock command writes into every certificate");
        assert_eq!(one.to_string(), "CN=000042, O=Mairie, self-signed, P-256");
    }
}

#[test]
fn a_chain_is_every_certificate_of_it_and_an_authority_is_told_apart() {
    let desk = Desk::new();
    let ca = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 800";
    desk.openssl(&format!(
        "{ca} -subj /CN=Root -addext keyUsage=critical,keyCertSign,cRLSign -keyout root.key -out root.crt"
    ));
    desk.openssl("req -new -key office.key -subj /CN=Mairie -out office.csr");
    desk.write("leaf.cnf", b"basicConstraints=critical,CA:FALSE\nkeyUsage=digitalSignature\n");
    desk.write("between.cnf", b"basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,digitalSignature\n");
    desk.openssl("x509 -req -in office.csr -CA root.crt -CAkey root.key -CAcreateserial -days 30 -extfile leaf.cnf -out leaf.crt");
    desk.openssl("x509 -req -in office.csr -CA root.crt -CAkey root.key -CAcreateserial -days 30 -extfile between.cnf -out between.crt");
    desk.write("chain.pem", (desk.text("root.crt") + &desk.text("between.crt") + &desk.text("leaf.crt")).as_bytes());
    let chain = read(&desk.path("chain.pem")).unwrap();
    let told: Vec<(String, bool)> = chain.iter().map(|one| (one.to_string(), one.fields.is_authority)).collect();
    assert_eq!(
        told,
        [
            ("CN=Root, self-signed, P-256, a certification authority's".to_owned(), true),
            ("CN=Mairie, by CN=Root, P-256, a certification authority's".to_owned(), true),
            ("CN=Mairie, by CN=Root, P-256".to_owned(), false),
        ]
    );
}

#[test]
fn what_is_no_certificate_is_told_by_its_kind_with_the_command_that_helps() {
    let desk = Desk::new();
    desk.openssl("pkcs12 -export -in office.crt -inkey office.key -passout pass:x -out office.p12");
    desk.openssl("crl2pkcs7 -nocrl -certfile office.crt -out office.p7b");
    desk.openssl("crl2pkcs7 -nocrl -certfile office.crt -outform DER -out der.p7b");
    desk.openssl("req -new -key office.key -subj /CN=000042 -out office.csr");
    desk.openssl("req -new -key office.key -subj /CN=000042 -outform DER -out der.csr");
    desk.openssl("pkey -in office.key -pubout -out office.pub");
    desk.openssl("pkey -in office.key -pubout -outform DER -out der.pub");
    desk.openssl("x509 -in office.crt -trustout -addtrust emailProtection -out trusted.crt");
    desk.openssl(
        "cms -sign -in office.csr -signer office.crt -inkey office.key -outform PEM -nodetach -out signed.cms",
    );
    desk.openssl("cms -encrypt -in office.csr -outform PEM -out letter.sdc office.crt");
    let pem = desk.text("office.crt");
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect::<Vec<_>>().join("\n");
    desk.write("bare.txt", body.as_bytes());
    desk.write(
        "utf16le.crt",
        &[&[0xff, 0xfe][..], &pem.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()].concat(),
    );
    desk.write("utf16be.crt", &pem.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>());
    desk.write("damaged.crt", pem.replacen("M", "*", 1).as_bytes());
    desk.write("empty.crt", b" \r\n");
    desk.write("words.txt", b"0 is the first number of a text");
    let cases = [
        ("office.p12", Kind::Pkcs12, "openssl pkcs12 -in "),
        ("office.p7b", Kind::Pkcs7, "openssl pkcs7 -in "),
        ("der.p7b", Kind::Pkcs7, "-print_certs"),
        ("office.csr", Kind::Request, "openssl req -x509 -key office.key"),
        ("der.csr", Kind::Request, "openssl req -x509 -key office.key"),
        ("office.pub", Kind::PublicKey, "openssl req -x509 -key office.key"),
        ("der.pub", Kind::PublicKey, "openssl req -x509 -key office.key"),
        ("trusted.crt", Kind::Trusted, "openssl x509 -in "),
        ("signed.cms", Kind::Pkcs7, "openssl pkcs7 -in "),
        ("letter.sdc", Kind::Letter, "mail it"),
        ("bare.txt", Kind::BareBase64, "base64 -d "),
        ("utf16le.crt", Kind::Utf16, "iconv -f UTF-16"),
        ("utf16be.crt", Kind::Utf16, "iconv -f UTF-16"),
        ("damaged.crt", Kind::Damaged, "send it again"),
        ("empty.crt", Kind::Empty, "send its certificate again"),
        ("words.txt", Kind::Unknown, "holds no certificate"),
    ];
    for (name, kind, command) in cases {
        assert_eq!(desk.kind(name), kind, "{name}");
        let told = desk.refused(name).to_string();
        assert!(told.contains(command) && told.contains(name), "{told}");
    }
}

#[test]
fn a_private_key_is_told_loudly_whatever_lies_beside_it() {
    let desk = Desk::new();
    let (key, certificate) = (desk.text("office.key"), desk.text("office.crt"));
    desk.openssl("pkey -in office.key -outform DER -out der.key");
    desk.openssl("ec -in office.key -out traditional.key");
    desk.openssl("pkcs8 -topk8 -in office.key -passout pass:x -out encrypted.key");
    desk.openssl("pkcs8 -topk8 -in office.key -passout pass:x -outform DER -out encrypted.der");
    desk.openssl("genrsa -traditional -out rsa.key 2048");
    desk.openssl("rsa -in rsa.key -outform DER -out rsa.der");
    desk.write("before.pem", (key.clone() + &certificate).as_bytes());
    desk.write("behind.pem", (certificate + &key).as_bytes());
    for name in [
        "office.key",
        "der.key",
        "traditional.key",
        "encrypted.key",
        "encrypted.der",
        "rsa.key",
        "rsa.der",
        "before.pem",
        "behind.pem",
    ] {
        assert_eq!(desk.kind(name), Kind::PrivateKey, "{name}");
        let told = desk.refused(name).to_string();
        assert!(told.contains("PRIVATE KEY") && told.contains("burnt"), "{told}");
    }
}

#[test]
fn what_openssl_cannot_read_is_told_with_its_reason() {
    let desk = Desk::new();
    // The name in this certificate is in Latin-1 where UTF-8 is required. The refusal must give OpenSSL's reason, and must not say that the
    // file holds no certificate, because then the agency would look for another file.
    desk.write("handed.pem", include_bytes!("faults/latin1-in-utf8string.pem"));
    desk.openssl("x509 -in office.crt -outform DER -out office.der");
    // Two further files with the same fault, in DER and in PEM: other names contain other octets that are not UTF-8.
    let der = desk.octets("office.der");
    let bent = |from: &[u8], to: &[u8]| {
        let at = der.windows(from.len()).position(|window| window == from).unwrap();
        [&der[..at], to, &der[at + from.len()..]].concat()
    };
    desk.write("own.der", &bent(b"Mairie", b"Mair\xefe"));
    desk.write(
        "own.crt",
        format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            openssl::base64::encode_block(&bent(b"000042", b"00\xe9042"))
        )
        .as_bytes(),
    );
    for name in ["handed.pem", "own.der", "own.crt"] {
        let told = desk.refused(name).to_string();
        assert!(matches!(desk.refused(name), FileError::Unfit { .. }), "{told}");
        assert!(told.contains("OpenSSL: ") && told.contains("utf8") && told.contains("not UTF-8"), "{told}");
        assert!(told.contains("have it issued again") && !told.contains("holds no certificate"), "{told}");
    }
    desk.write("cut.der", &der[..der.len() - 20]);
    let told = desk.refused("cut.der").to_string();
    assert!(told.contains("OpenSSL: ") && told.contains("issued again") && !told.contains("UTF-8"), "{told}");
}

#[test]
fn a_file_that_is_not_there_or_far_too_large_is_told() {
    let desk = Desk::new();
    assert!(desk.refused("nowhere.crt").to_string().starts_with("cannot read "));
    desk.write("large.crt", &vec![b'x'; 65 * 1024]);
    assert!(desk.refused("large.crt").to_string().contains("66560 bytes"));
}

#[test]
fn a_name_cannot_rule_the_terminal_or_show_another() {
    let mut builder = openssl::x509::X509NameBuilder::new().unwrap();
    builder.append_entry_by_text("CN", "Mairie\u{202e}aédÉ\u{1b}[2J\u{2066}\u{9b}").unwrap();
    assert_eq!(super::name(&builder.build()), "CN=Mairie\u{fffd}aédÉ\u{fffd}[2J\u{fffd}\u{fffd}");
}
