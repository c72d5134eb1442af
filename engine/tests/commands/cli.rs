//! Commands of operators: the real program against a real PostgreSQL.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use diesel_async::SimpleAsyncConnection;
use serde_json::{Value, json};

use crate::centre::{Centre, INIT};

fn mode_of(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Makes a key and a certificate with the command `openssl`, as an agency would. Returns the path of the certificate.
pub fn agency_certificate(folder: &Path, name: &str) -> PathBuf {
    let (key, certificate) = (folder.join(format!("{name}.key")), folder.join(format!("{name}.crt")));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "800"])
        .args(["-subj", &format!("/CN={name}"), "-keyout"])
        .arg(key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    certificate
}

#[test]
fn init_needs_nothing_configured_and_completes_but_never_overwrites() {
    let centre = Centre::with_nothing_configured();
    let told = centre.done(&INIT);
    assert!(told.contains("a private PostgreSQL") && told.contains("shown this once"), "{told}");
    let given = "give offices keys/centre-p256.crt, and centre-rsa.crt to those whose software knows RSA alone; nothing else of keys/";
    assert!(told.contains(given) && !told.contains("authority"), "{told}");
    let keys = centre.data_folder().join("keys");
    assert_eq!(mode_of(&keys), 0o700);
    for name in
        ["authority.key", "authority.crt", "centre-p256.key", "centre-p256.crt", "centre-rsa.key", "centre-rsa.crt"]
    {
        assert_eq!(mode_of(&keys.join(name)), 0o600, "{name}");
    }
    let key = std::fs::read(keys.join("centre-p256.key")).unwrap();

    let told = centre.done(&INIT);
    assert!(told.contains("there already, untouched") && !told.contains("shown this once"), "{told}");
    assert_eq!(std::fs::read(keys.join("centre-p256.key")).unwrap(), key);

    let refused = centre.refused(&["init", "--name", "centre-y", "--mode", "test"]);
    assert!(refused.contains("belongs to server centre-x, mode test"), "{refused}");
    let refused = centre.refused(&["init", "--name", "centre-x", "--mode", "live"]);
    assert!(refused.contains("belongs to server centre-x, mode test"), "{refused}");

    let refused =
        Centre::with_nothing_configured().refused(&["init", "--name", "x", "--mode", "test", "--zone", "Nowhere"]);
    assert!(refused.contains("expected a name such as Africa/Douala"), "{refused}");

    // A command starts the private PostgreSQL, and stops it before the command ends.
    assert_eq!(centre.done(&["agency", "list"]), "no agency\n");
    assert!(!centre.data_folder().join("database/data/postmaster.pid").exists());
}

#[test]
fn what_is_not_there_is_told_with_what_to_do() {
    let centre = Centre::with_nothing_configured();
    let refused = centre.refused(&["agency", "list"]);
    assert!(refused.contains("run `xmserver init` first"), "{refused}");
    assert!(centre.refused(&["run"]).contains("run `xmserver init` first"));
    // A folder that holds only a configuration is no centre yet.
    std::fs::create_dir(centre.data_folder()).unwrap();
    assert!(centre.refused(&["run"]).contains("run `xmserver init` first"));
    let refused = centre.refused(&["--config", "/nowhere.toml", "agency", "list"]);
    assert_eq!(refused, "xmserver: /nowhere.toml: there is no such configuration file\n");
    let said = centre.say(&["agency", "lst"]);
    assert_eq!(said.code, Some(2), "{}", said.err);
    let said = centre.say(&["agency", "show", "abc"]);
    assert!(said.code == Some(2) && said.err.contains("such as 000042"), "{}", said.err);
}

#[test]
fn a_mistake_in_the_environment_names_its_variable() {
    let centre = Centre::with_nothing_configured();
    let told = |name: &str, value: &str| {
        let output = centre.command(&["agency", "list"]).env(name, value).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let cases = [
        ("XMSERVER_SERVER__HTTP_ADDRESS", "here", "expected an address and a port, such as 127.0.0.1:9464"),
        ("XMSERVER_LIMITS__WRITERS", "0", "limits.writers: expected 1 to 64, found 0"),
        ("XMSERVER_SERVER__COLOUR", "blue", "unknown key server.colour: expected one of data_folder"),
    ];
    for (name, value, expected) in cases {
        let sentence = told(name, value);
        let begins = format!("xmserver: environment variable {name}: ");
        assert!(sentence.starts_with(&begins) && sentence.contains(expected), "{sentence}");
        assert_eq!(sentence.lines().count(), 1, "{sentence}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_gets_an_agency_going() {
    let centre = Centre::on_a_database_of_its_own().await;
    let told = centre.done(&INIT);
    assert!(told.contains("as configured"), "{told}");

    let told = centre.done(&[
        "agency",
        "add",
        "--name",
        "Mairie d'Édéa",
        "--town",
        "Édéa",
        "--email",
        "edea@example.org",
        "--matricule",
        "42",
    ]);
    assert!(told.starts_with("agency 000042 added, installation main\n"), "{told}");
    let refused =
        centre.refused(&["agency", "add", "--name", "X", "--email", "x@example.org", "--matricule", "000042"]);
    assert_eq!(refused, "xmserver: agency 000042 exists already\n");
    // The command adds an agency with its installations in one transaction: a wrong installation adds no agency.
    centre.refused(&[
        "agency",
        "add",
        "--name",
        "X",
        "--email",
        "x@example.org",
        "--matricule",
        "43",
        "--installation",
        "NO NAME",
    ]);
    let refused = centre.absent(&["agency", "show", "43"]);
    assert!(refused.contains("agency 000043 does not exist"), "{refused}");

    centre.done(&["agency", "install", "42", "laptop"]);
    let refused = centre.refused(&["agency", "grant", "42", "CentreCode", "C01"]);
    assert!(refused.contains("no table with a scope is adopted yet"), "{refused}");
    centre.done(&["sample", "restore", "ecr"]);
    let refused = centre.refused(&["agency", "grant", "42", "CentreCod", "C01"]);
    assert!(
        refused.contains("no adopted table has the scope column CentreCod: expected one of CentreCode"),
        "{refused}"
    );
    let refused = centre.refused(&["agency", "grant", "42", "CentreCode", " C01"]);
    assert!(refused.contains("codes without blanks around them"), "{refused}");
    assert_eq!(
        centre.done(&["agency", "grant", "42", "CentreCode", "C01", "C02"]),
        "2 codes of CentreCode granted to agency 000042, 0 as before\n"
    );
    assert_eq!(
        centre.done(&["agency", "grant", "42", "CentreCode", "C02"]),
        "0 codes of CentreCode granted to agency 000042, 1 as before\n"
    );
    centre.done(&["agency", "grant", "42", "CentreCode", "C02", "--withdraw"]);
    assert_eq!(
        centre.done(&["agency", "recharge", "42", "12500", "--note", "slip 7"]),
        "agency 000042 credited with 12500 XAF; balance 12500 XAF\n"
    );
    assert!(centre.refused(&["agency", "recharge", "42", "12.50"]).contains("no decimals"));
    assert_eq!(centre.done(&["agency", "status", "42", "0"]), "agency 000042 has status 0 (suspended)\n");
    assert!(centre.refused(&["agency", "status", "42", "7"]).contains("0 suspended"));

    is_listed_and_shown(&centre);
}

/// Checks that agency 42 appears in the list and is shown by itself.
fn is_listed_and_shown(centre: &Centre) {
    let all = centre.json(&["agency", "list", "--json"]);
    assert_eq!(all[0]["matricule"], 42);
    assert_eq!(all[0]["balance"], 12_500);
    assert_eq!(all[0]["status"], 0);
    let one = centre.json(&["agency", "show", "42", "--json"]);
    assert_eq!(one["scopes"][0]["code"], "C01");
    assert_eq!(one["installations"][0]["name"], "laptop");
    let table = centre.done(&["agency", "list", "--in-debt"]);
    assert_eq!(table, "no such agency\n");
    let table = centre.done(&["agency", "list", "--text", "édéa"]);
    assert!(table.contains("000042     0       12500 XAF  -            Mairie d'Édéa  Édéa"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_registered_by_its_fingerprint() {
    let centre = Centre::on_a_database_of_its_own().await;
    centre.done(&INIT);
    for number in ["1", "2"] {
        centre.done(&["agency", "add", "--name", "Office", "--email", "o@example.org", "--matricule", number]);
    }
    let file = agency_certificate(centre.place.path(), "office");
    let file = file.to_str().unwrap();

    let refused = centre.refused(&["cert", "register", "1", file]);
    let fingerprint = refused.split("fingerprint is ").nth(1).unwrap().split(": compare").next().unwrap().to_owned();
    assert_eq!(fingerprint.len(), 32 * 3 - 1, "{refused}");
    assert!(
        refused.contains("CN=office") && refused.contains("000001 Office") && refused.contains("P-256"),
        "{refused}"
    );
    let refused = centre.refused(&["cert", "register", "1", file, "--fingerprint", &"00:".repeat(32)]);
    assert!(refused.contains("not the one that was confirmed") && !refused.contains(&fingerprint), "{refused}");
    let refused = centre.refused(&["cert", "register", "1", "/etc/hostname", "--fingerprint", "00"]);
    assert!(refused.contains("/etc/hostname holds no certificate"), "{refused}");

    let told = centre.done(&["cert", "register", "1", file, "--fingerprint", &fingerprint]);
    assert!(told.contains("certificate of agency 000001 registered: P-256"), "{told}");
    let refused = centre.refused(&["cert", "register", "2", file, "--fingerprint", &fingerprint]);
    assert!(refused.contains("belongs to agency 000001, for ever"), "{refused}");

    let listed = centre.json(&["cert", "list", "--agency", "1", "--json"]);
    assert_eq!(listed[0]["algorithm"], "P-256");
    assert_eq!(listed[0]["fingerprint"], fingerprint.replace(':', "").to_lowercase());
    let refused = centre.refused(&["cert", "revoke", "1", "--reason", "lost"]);
    assert!(refused.contains("000001 Office") && refused.contains("cannot send any more"), "{refused}");
    assert!(refused.contains("nothing was revoked: say --yes"), "{refused}");
    assert!(centre.refused(&["cert", "revoke", "1", "--reason", " ", "--yes"]).contains("the reason is not valid"));
    let beginning = &fingerprint[..11];
    let told = centre.done(&["cert", "revoke", beginning, "--reason", "lost", "--yes", "--since", "2026-01-01"]);
    let refused = centre.refused(&["cert", "register", "1", file, "--fingerprint", &fingerprint]);
    assert!(refused.contains("was revoked on"), "{refused}");
    assert!(told.contains("is revoked") && told.contains("no letter of the agency since then"), "{told}");
    assert_eq!(centre.json(&["cert", "list", "--json"]), Value::Array(vec![]));
    assert_eq!(centre.json(&["cert", "list", "--json", "--with-revoked"])[0]["revoked_reason"], "lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_tariffs_journal_and_quarantine() {
    let centre = Centre::on_a_database_of_its_own().await;
    centre.done(&INIT);
    let told = centre.done(&["sample", "restore", "ecr"]);
    assert!(told.contains("table ecr.ActeNaissance adopted, version 1"), "{told}");
    assert!(centre.refused(&["sample", "restore", "ecr"]).contains("sample ecr is restored already"));
    let tables = centre.json(&["table", "list", "--json"]);
    let names: Vec<&str> = tables.as_array().unwrap().iter().map(|table| table["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"ActeNaissance") && names.contains(&"MentionMarginale"), "{names:?}");

    let file = centre.place.path().join("tables.toml");
    std::fs::write(&file, "application = \"ecr\"\n[[tables]]\nname = \"Nowhere\"\nlegal_key = [\"A\"]\n").unwrap();
    let refused = centre.refused(&["table", "adopt", file.to_str().unwrap()]);
    assert!(refused.contains("ecr.Nowhere") && refused.contains("no ordinary table"), "{refused}");
    assert_eq!(centre.done(&["table", "check"]), "all adopted tables are as they were adopted\n");
    std::fs::write(&file, "application = \"ecr\"\n[[tables]]\nname = \"A\"\nlegal_key = \"K\"\n").unwrap();
    let refused = centre.refused(&["table", "adopt", file.to_str().unwrap()]);
    let expected = "tables.toml: line 4: tables 1: legal_key: expected a list, found string \"K\"";
    assert!(refused.contains(expected), "{refused}");

    let shown = centre.done(&["table", "show", "ecr", "actenaissance"]);
    for part in [
        "ecr.ActeNaissance",
        "varchar(12)",
        "CentreCode, AnneeRegistre, NumeroActe",
        "may send",
        "certifies nothing (the verdict alone)",
    ] {
        assert!(shown.contains(part), "{part:?} is not in {shown}");
    }
    let shown = centre.json(&["table", "show", "ecr.ActeNaissance", "--json"]);
    let column =
        |name: &str| shown["columns"].as_array().unwrap().iter().find(|column| column["name"] == name).unwrap().clone();
    assert_eq!((&column("CentreCode")["is_scope"], &column("Poids")["is_needed"]), (&json!(true), &json!(false)));
    assert_eq!(column("MentionMarginale")["multiline"], true);
    assert!(centre.absent(&["table", "show", "ecr", "Nowhere"]).contains("table ecr.Nowhere is not adopted"));
    assert!(centre.refused(&["table", "abandon", "ecr.ActeDeces"]).contains("is in the database"));
    let sample = centre.done(&["sample", "tables"]);
    assert!(sample.contains("legal_key = [") && sample.contains("multiline = ["), "{sample}");

    assert!(centre.refused(&["tariff", "set", "account", "--per-act", "5"]).contains("one of export"));
    let told = centre.done(&[
        "tariff",
        "set",
        "export",
        "--table",
        "ecr.ActeNaissance",
        "--per-act",
        "100",
        "--per-started-kb",
        "25",
    ]);
    assert!(told.contains("export costs 100 XAF per act and 25 XAF per started KB"), "{told}");
    let tariffs = centre.json(&["tariff", "list", "--json"]);
    assert_eq!((tariffs[0]["per_act"].as_i64(), tariffs[0]["credit"].as_str()), (Some(100), Some("owe")));

    assert_eq!(centre.done(&["journal", "list"]), "no letter\n");
    assert!(centre.absent(&["journal", "show", "7"]).contains("journal line 7 does not exist"));
    assert_eq!(centre.done(&["answer", "list"]), "no answer waits\n");
    assert_eq!(centre.done(&["answer", "retry", "--agency", "42"]), "no answer waits\n");
    assert_eq!(centre.json(&["quarantine", "list", "--json"]), Value::Array(vec![]));
    assert!(centre.absent(&["quarantine", "drop", "7", "--reason", "x"]).contains("quarantine entry 7 does not exist"));
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_what_to_do() {
    let centre = Centre::on_a_database_of_its_own().await;
    centre.done(&INIT);
    let said = centre.say(&["check"]);
    assert_eq!(said.code, Some(1), "without a mailbox nothing works: {}", said.out);
    let line = |start: &str, part: &str| {
        assert!(
            said.out.lines().any(|line| line.starts_with(start) && line.contains(part)),
            "{start} … {part} is missing in\n{}",
            said.out
        );
    };
    line("fail", "add a [[mailbox]]");
    line("fail", "add [relay]");
    line("ok", "OpenSSL");
    line("ok", "centre-x, mode test, currency XAF");
    line("warn", "xmserver table adopt FILE");
    line("ok", "centre-p256.crt");
    line("warn  backup", "archives no WAL");
    let key = centre.data_folder().join("keys/centre-rsa.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let findings = centre.json_of_failing(&["check", "--json"]);
    let keys = findings.as_array().unwrap().iter().find(|finding| finding["subject"] == "keys").unwrap();
    assert_eq!(keys["verdict"], "fail");
    assert!(keys["text"].as_str().unwrap().contains("chmod 600"), "{keys}");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_sees_what_would_stop_the_centre_or_silence_an_office() {
    let centre = Centre::on_a_database_of_its_own().await;
    centre.done(&INIT);
    let finding = |arguments: &[&str], subject: &str| {
        let findings = centre.json_of_failing(arguments);
        findings.as_array().unwrap().iter().find(|finding| finding["subject"] == subject).unwrap().clone()
    };
    let disk = finding(&["check", "--json"], "disk");
    assert!(disk["text"].as_str().unwrap().contains("MB are free of"), "{disk}");
    let priced = |text: &str| ["export", "correct", "import", "certify"].iter().all(|service| text.contains(service));
    centre.done(&["sample", "restore", "ecr"]);
    let told = finding(&["check", "--json"], "tariffs");
    let text = told["text"].as_str().unwrap();
    assert!(
        told["verdict"] == "warn" && priced(text) && !text.contains("account"),
        "only what may have a price: {told}"
    );

    // A newer program or another tool has written a tariff for a service that this program does not know. `check` must warn that the
    // tariff prices nothing.
    let settings = store::database::DatabaseSettings::new(centre.url.clone().unwrap());
    let database = store::database::Database::new(settings).unwrap();
    let tariff = "INSERT INTO xm.tariffs (service, per_act, per_started_kb, credit, valid_from)
                  VALUES ('exports', 5, 0, 'owe', now() - interval '1 hour')";
    database.get().await.unwrap().batch_execute(tariff).await.unwrap();
    let told = centre.json_of_failing(&["check", "--json"]);
    let text = "tariff 1 is for \"exports\", which is no service of this program: it prices nothing";
    let is_it = |one: &Value| one["verdict"] == "warn" && one["text"].as_str().unwrap().contains(text);
    assert!(told.as_array().unwrap().iter().any(is_it), "{told}");

    centre.done(&["agency", "add", "--name", "Mairie", "--email", "mairie@example.org", "--matricule", "42"]);
    let told = centre.say(&["check"]).out;
    let line = |part: &str| told.lines().any(|line| line.starts_with("warn  agencies") && line.contains(part));
    assert!(line("1 has no valid certificate") && line("1 is granted no code"), "{told}");
    centre.done(&["agency", "grant", "42", "CentreCode", "C01"]);
    let told = centre.say(&["check"]).out;
    assert!(!told.contains("granted no code"), "{told}");
    centre.done(&["agency", "status", "42", "0"]);
    let told = centre.say(&["check"]).out;
    assert!(
        told.contains("none is there that is not suspended, so every letter is refused: `xmserver agency add`"),
        "{told}"
    );
    centre.done(&["agency", "status", "42", "3"]);

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = centre.command(&["check"]);
    let address = taken.local_addr().unwrap().to_string();
    let output = command.env("XMSERVER_SERVER__HTTP_ADDRESS", &address).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let is_told = said.lines().any(|line| line.starts_with("fail  http") && line.contains(&address));
    assert!(is_told, "{said}");

    let newer = "INSERT INTO xm.__diesel_schema_migrations VALUES ('99990101000000', now())";
    database.get().await.unwrap().batch_execute(newer).await.unwrap();
    let told = finding(&["check", "--json"], "database");
    let refused = centre.refused(&["agency", "list"]);
    assert!(refused.contains("has migration 99990101000000"), "{refused}");
    assert!(centre.say(&["check"]).out.contains("has migration 99990101000000"), "{told}");
}

#[test]
fn a_sample_configuration_is_printed_without_a_server() {
    let centre = Centre::with_nothing_configured();
    assert!(centre.done(&["sample", "configuration"]).contains("[[mailbox]]"));
}
