//! Tests of keys: the centre's keys fit only its own database, and operators register keys of agencies.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use simulation::post_office::{Accounts, PostOffice, PostOfficeSettings};

use crate::centre::{Centre, INIT, place};

/// Longest wait in these tests.
const PATIENCE: Duration = Duration::from_secs(120);
const MAILBOX: &str = "centre@example.org";

fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the fingerprint of a certificate in the form in which an office gives it: SHA-256, hexadecimal with colons.
fn fingerprint(certificate: &Path) -> String {
    let told = openssl(&["x509", "-noout", "-fingerprint", "-sha256", "-in", path(certificate)]);
    told.trim().split_once('=').unwrap().1.to_owned()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// Makes a key and a certificate with the command `openssl`, as an agency would. Returns the path of the certificate.
fn agency_certificate(folder: &Path, name: &str) -> PathBuf {
    let (key, certificate) = (folder.join(format!("{name}.key")), folder.join(format!("{name}.crt")));
    let new =
        ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "800", "-subj"];
    openssl(&[&new[..], &[&format!("/CN={name}"), "-keyout", path(&key), "-out", path(&certificate)]].concat());
    certificate
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_needs_a_second_look_is_not_registered_without_one() {
    let centre = Centre::on_a_database_of_its_own().await;
    centre.done(&INIT);
    for agency in ["1", "2", "3"] {
        centre.done(&["agency", "add", "--name", "Office", "--email", "o@example.org", "--matricule", agency]);
    }
    let place = centre.place.path();
    let made = |name: &str, dates: [&str; 2]| {
        agency_certificate(place, name);
        let (request, certificate) = (place.join(format!("{name}.csr")), place.join(format!("{name}.crt")));
        let key = place.join(format!("{name}.key"));
        openssl(&["req", "-new", "-subj", "/CN=office", "-key", path(&key), "-out", path(&request)]);
        let database = place.join(format!("{name}.index"));
        std::fs::write(&database, "").unwrap();
        let configuration = place.join(format!("{name}.cnf"));
        let text = format!(
            "[ca]\ndefault_ca=x\n[x]\ndatabase={}\nserial={}\nnew_certs_dir={}\npolicy=p\n[p]\ncommonName=supplied\n",
            path(&database),
            path(&place.join(format!("{name}.serial"))),
            path(place)
        );
        std::fs::write(&configuration, text).unwrap();
        openssl(&[
            "ca",
            "-batch",
            "-selfsign",
            "-create_serial",
            "-notext",
            "-md",
            "sha256",
            "-config",
            path(&configuration),
            "-keyfile",
            path(&key),
            "-in",
            path(&request),
            "-out",
            path(&certificate),
            "-startdate",
            dates[0],
            "-enddate",
            dates[1],
        ]);
        (path(&certificate).to_owned(), fingerprint(&certificate))
    };
    let cases = [
        (made("ended", ["20240101000000Z", "20250101000000Z"]), "WARNING  it ended on 2025-01-01"),
        (made("later", ["21000101000000Z", "21010101000000Z"]), "WARNING  it is not valid before 2100-01-01"),
    ];
    // Each certificate is registered for another agency: a further certificate of one agency would need a second person.
    for (((file, fingerprint), warning), agency) in cases.iter().zip(["1", "2"]) {
        let register = ["cert", "register", agency, file, "--fingerprint", fingerprint];
        let refused = centre.refused(&register);
        assert!(refused.contains(warning) && refused.contains("--yes"), "{refused}");
        let told = centre.done(&[&register[..], &["--yes"]].concat());
        assert!(told.contains("valid from") && told.contains("agency  Office"), "{told}");
    }
    assert_eq!(centre.json(&["cert", "list", "--json"]).as_array().unwrap().len(), 2);

    one_of_several_certificates(&centre);
}

/// Tests a file with two certificates: the command registers the certificate whose fingerprint the operator types.
fn one_of_several_certificates(centre: &Centre) {
    let place = centre.place.path();
    let (first, second) = (agency_certificate(place, "first"), agency_certificate(place, "second"));
    let both = place.join("both.pem");
    std::fs::write(&both, [std::fs::read(&first).unwrap(), std::fs::read(&second).unwrap()].concat()).unwrap();
    let refused = centre.refused(&["cert", "register", "3", path(&both)]);
    assert!(refused.contains("holds 2 certificates") && refused.contains("CN=second"), "{refused}");
    for (given, told) in [
        ("12:34", "\"12:34\" is no SHA-256 fingerprint (64 hexadecimal digits)"),
        ("zz".repeat(32).as_str(), "is no SHA-256 fingerprint"),
        (&"AB:".repeat(20)[..59], "AB is a SHA-1 fingerprint: expected the SHA-256 one"),
    ] {
        let refused = centre.refused(&["cert", "register", "3", path(&both), "--fingerprint", given]);
        assert!(
            refused.contains(told) && refused.contains("`openssl x509 -in FILE -noout -fingerprint -sha256`"),
            "{refused}"
        );
    }
    let told = centre.done(&["cert", "register", "3", path(&both), "--fingerprint", &fingerprint(&second)]);
    assert!(told.contains(&fingerprint(&second)), "{told}");
    assert!(centre.done(&["cert", "list"]).contains(&fingerprint(&second)), "one form everywhere");
    let bundle = place.join("bundle.pem");
    std::fs::write(&bundle, [std::fs::read(&first).unwrap(), std::fs::read(place.join("first.key")).unwrap()].concat())
        .unwrap();
    let refused = centre.refused(&["cert", "register", "3", path(&bundle), "--fingerprint", &fingerprint(&first)]);
    assert!(refused.contains("PRIVATE KEY") && refused.contains("burnt"), "{refused}");
    assert_eq!(centre.json(&["cert", "list", "--json"]).as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_centre_s_keys_and_addresses_are_nobody_else_s() {
    let centre = Centre::on_a_database_of_its_own().await;
    centre.done(&INIT);
    std::fs::write(
        centre.data_folder().join("xmserver.toml"),
        "[[mailbox]]\nname = \"main\"\n[mailbox.pop3]\nhost = \"mail.example.org\"\n\
         username = \"Centre@example.org\"\npassword_env = \"X\"\n\
         [relay]\naddress = \"receipts@example.org\"\n[relay.smtp]\nhost = \"mail.example.org\"\nusername = \"x\"\npassword_env = \"X\"\n",
    )
    .unwrap();
    let add =
        |email: &str| ["agency", "add", "--name", "Office", "--matricule", "1", "--email", email].map(str::to_owned);
    for own in ["centre@example.org", "receipts@example.org"] {
        let arguments = add(own);
        let refused = centre.refused(&arguments.each_ref().map(String::as_str));
        assert!(refused.contains("an address of the centre itself"), "{refused}");
    }
    centre.done(&add("office@example.org").each_ref().map(String::as_str));
    for own in ["centre-p256.crt", "centre-rsa.crt", "authority.crt"] {
        let file = centre.data_folder().join("keys").join(own);
        let refused =
            centre.refused(&["cert", "register", "1", path(&file), "--fingerprint", &fingerprint(&file), "--yes"]);
        assert!(refused.contains("one of the centre's own"), "{own}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_serves_the_keys_that_it_was_made_with_and_no_others() {
    let centre = Centre::on_a_database_of_its_own().await;
    centre.done(&INIT);
    let key = fingerprint(&centre.data_folder().join("keys/centre-p256.crt"));
    let belongs = format!("this database belongs to a centre whose key is {key}: copy its keys/ folder here");

    // A second program has the same database but no keys: its `init` is refused and makes no keys.
    let second = Centre { place: place(), url: centre.url.clone() };
    let refused = second.refused(&INIT);
    assert!(refused.contains(&belongs), "{refused}");
    assert!(!second.data_folder().join("keys").exists());

    // A second program with the keys of another centre is refused.
    let other = Centre::on_a_database_of_its_own().await;
    other.done(&INIT);
    copy_folder(&other.data_folder().join("keys"), &second.data_folder().join("keys"));
    let refused = second.refused(&INIT);
    assert!(refused.contains(&belongs), "{refused}");
    let findings = second.json_of_failing(&["check", "--json"]);
    let own = |findings: &Value| {
        findings.as_array().unwrap().iter().find(|finding| finding["subject"] == "centre's keys").unwrap().clone()
    };
    assert_eq!(own(&findings)["verdict"], "fail");
    assert!(own(&findings)["text"].as_str().unwrap().contains(&belongs), "{findings}");

    // A second program with a copy of this centre's keys is accepted.
    std::fs::remove_dir_all(second.data_folder().join("keys")).unwrap();
    copy_folder(&centre.data_folder().join("keys"), &second.data_folder().join("keys"));
    assert!(second.done(&INIT).contains("there already, untouched"));
    assert_eq!(own(&second.json_of_failing(&["check", "--json"]))["verdict"], "ok");
}

/// Configures a centre that polls the mailbox.
fn configure(centre: &Centre, post_office: &PostOffice) {
    let text = format!(
        "[server]\nhttp_address = \"127.0.0.1:0\"\n\
         [[mailbox]]\nname = \"main\"\npoll_interval_seconds = 1\n\
         [mailbox.pop3]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\nusername = \"{MAILBOX}\"\npassword_env = \"SECRET\"\n\
         [relay]\naddress = \"{MAILBOX}\"\n\
         [relay.smtp]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\n",
        post_office.pop3_address().port(),
        post_office.smtp_address().port(),
    );
    std::fs::write(centre.data_folder().join("xmserver.toml"), text).unwrap();
}

/// Signs and encrypts a letter with the command `openssl`, as an office would. Returns the mail that contains the letter.
fn mail(folder: &Path, certificate: &Path, recipient: &Path, sequence: u32) -> Vec<u8> {
    let (letter, signed, sealed) =
        (folder.join("letter.json"), folder.join("letter.signed"), folder.join("letter.pem"));
    let text = format!(
        "{{\"sdc\":1,\"id\":\"019a5f0e-8f3b-7c61-a2d4-{sequence:012}\",\"from\":{{\"agency\":1,\"installation\":\"main\"}},\
          \"to\":\"centre-x\",\"sequence\":{sequence},\"time\":\"2026-11-02T08:15:00Z\",\"mode\":\"test\",\"service\":\"export\",\
          \"body\":{{\"application\":\"ecr\",\"tables\":[{{\"table\":\"Nowhere\",\
             \"columns\":[\"Numero\",\"Status\"],\"values\":[[7],[2]]}}]}}}}"
    );
    std::fs::write(&letter, text).unwrap();
    let key = certificate.with_extension("key");
    let sign = ["cms", "-sign", "-binary", "-nodetach", "-nocerts", "-keyid", "-nosmimecap", "-outform", "DER"];
    let of = ["-in", path(&letter), "-signer", path(certificate), "-inkey", path(&key), "-out", path(&signed)];
    openssl(&[&sign[..], &of].concat());
    let encrypt = ["cms", "-encrypt", "-binary", "-aes-256-gcm", "-keyid", "-outform", "PEM"];
    openssl(&[&encrypt[..], &["-in", path(&signed), "-out", path(&sealed), path(recipient)]].concat());
    let document = std::fs::read_to_string(&sealed).unwrap().replace('\n', "\r\n");
    format!("From: office@example.org\r\nSubject: SDC\r\n\r\n{document}").into_bytes()
}

fn run(centre: &Centre) -> Child {
    centre.command(&["run"]).env("SECRET", "s3cr3t").stderr(Stdio::piped()).spawn().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the condition is another process's: there is nothing to wait on")]
fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "it did not happen that {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_with_another_centre_s_keys_leaves_letters_in_their_mailbox() {
    let accounts = Accounts::listed([(MAILBOX, "s3cr3t")]);
    let post_office = PostOffice::start(PostOfficeSettings { accounts, ..PostOfficeSettings::default() }).unwrap();
    let centre = Centre::on_a_database_of_its_own().await;
    centre.done(&INIT);
    centre.done(&["agency", "add", "--name", "Office", "--email", "office@example.org", "--matricule", "1"]);
    let office = agency_certificate(centre.place.path(), "office");
    centre.done(&["cert", "register", "1", path(&office), "--fingerprint", &fingerprint(&office)]);
    let recipient = centre.data_folder().join("keys/centre-p256.crt");
    for sequence in 1..=3 {
        post_office.deliver(MAILBOX, mail(centre.place.path(), &office, &recipient, sequence)).unwrap();
    }

    // A mistake of an operator: the second program has keys from its own `init`, but its configuration names the first program's database.
    let second = Centre::on_a_database_of_its_own().await;
    second.done(&INIT);
    configure(&second, &post_office);
    let second = Centre { url: centre.url.clone(), ..second };
    let mut running = run(&second);
    eventually("the second program ends", || running.try_wait().unwrap().is_some());
    let ended = running.wait_with_output().unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{told}");
    let belongs = format!("this database belongs to a centre whose key is {}: copy its keys/", fingerprint(&recipient));
    assert!(told.contains(&belongs), "{told}");
    // A second program without keys does not start. Its error must not advise `init`, because `init` would make other keys.
    std::fs::remove_dir_all(second.data_folder().join("keys")).unwrap();
    let told = second.refused(&["run"]);
    assert!(told.contains("copy its keys/ folder here") && !told.contains("xmserver init"), "{told}");
    assert_eq!(post_office.count(MAILBOX), 3, "no letter was touched");

    copy_folder(&centre.data_folder().join("keys"), &second.data_folder().join("keys"));
    let mut running = run(&second);
    eventually("the letters are settled", || post_office.count(MAILBOX) == 0);
    running.kill().unwrap();
    running.wait().unwrap();
    let journal = second.json(&["journal", "list", "--json"]);
    let outcomes: Vec<&str> =
        journal.as_array().unwrap().iter().map(|line| line["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["table_unknown"; 3], "each was opened and its signature verified");
}
