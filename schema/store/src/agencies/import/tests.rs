//! Tests of imports: what becomes of each row, what an import again changes, and what an import leaves that ended in the middle.

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::agencies;
use crate::agencies::AgencyFilter;
use crate::certificates::{self, CertificateFilter};
use crate::database::Connection;
use crate::error::ImportError;
use crate::ledger::recharges;
use crate::people::{Privilege, audit};
use crate::testing::centre::*;

/// Makes a certificate of a new key. Returns the base64 of its DER, and its fingerprint.
fn certificate() -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2100, 1, 1);
    let der = parameters.self_signed(&key).unwrap().der().to_vec();
    (STANDARD.encode(&der), sdc::digest::Digest::of(&der).to_string())
}

fn file(text: &str) -> ImportFile {
    ImportFile::parse(text.as_bytes(), 0).unwrap()
}

/// Imports a file. Returns each row as its line, agency, outcome, changes, and the code of its problem.
async fn imported(connection: &mut Connection, operator: &Operator, file: &ImportFile) -> Vec<String> {
    let mut reports = Vec::new();
    let told = |report| {
        reports.push(report);
        Ok::<_, AdministrationError>(())
    };
    super::run(connection, operator, file, "report", told).await.unwrap();
    reports.iter().map(shown).collect()
}

async fn tried(connection: &mut Connection, operator: &Operator, file: &ImportFile) -> Vec<String> {
    let mut reports = Vec::new();
    let told = |report| {
        reports.push(report);
        Ok::<_, AdministrationError>(())
    };
    dry_run(connection, operator, file, told).await.unwrap();
    reports.iter().map(shown).collect()
}

fn shown(report: &RowReport) -> String {
    let mut words = vec![report.line.to_string()];
    words.extend(report.agency.map(|agency| agency.to_string()));
    words.push(format!("{:?}", report.outcome));
    words.extend(report.changes.iter().map(|&column| column.to_owned()));
    words.extend(report.problem.as_ref().map(|problem| problem.code().to_owned()));
    words.extend(report.keeps_balance.then(|| "balance kept".to_owned()));
    words.join(" ")
}

#[tokio::test]
async fn a_file_adds_agencies_with_all_that_they_have_and_once() {
    let (_database, mut connection) = centre().await;
    crate::samples::restore(&mut connection, &OPERATOR, "ecr").await.unwrap();
    let (one, other) = (certificate(), certificate());
    let text = format!(
        "matricule;nom;ville;zone;statut;limite_credit;limite_lettre;cbc;solde;installation;certificat;empreinte;scope:centrecode\n\
         000107;Mairie d'Édéa;Édéa;Littoral/Sanaga;2;5 000;8192;oui;12500;pc1|pc2;{} {};{} {};C01|C02\n\
         108;Bureau;;;;;;;-300;;;;\n",
        one.0, other.0, one.1, other.1
    );
    let file = file(&text);
    let added = ["2 000107 Added", "3 000108 Added"];
    assert_eq!(tried(&mut connection, &OPERATOR, &file).await, added);
    assert_eq!(value(&mut connection, "SELECT count(*) FROM xm.agencies").await, 2, "a dry run changes nothing");
    assert_eq!(imported(&mut connection, &OPERATOR, &file).await, added);

    let edea = agencies::show(&mut connection, number(107)).await.unwrap();
    assert_eq!(
        (edea.name.as_str(), edea.town.as_str(), edea.area.as_str()),
        ("Mairie d'Édéa", "Édéa", "Littoral/Sanaga")
    );
    assert_eq!((edea.status, edea.credit_limit, edea.letter_bytes_max, edea.cbc_allowed), (2, 5000, 8192, true));
    let bureau = agencies::show(&mut connection, number(108)).await.unwrap();
    assert_eq!((bureau.status, bureau.plan.as_str(), bureau.balance, edea.balance), (3, "standard", -300, 12_500));
    for (query, expected) in [
        ("SELECT difference FROM xm.ledger_difference", 0),
        ("SELECT sum(amount) FROM xm.entries WHERE kind = 'manual' AND note = 'report'", 12_800),
        (
            "SELECT count(*) FROM xm.installations WHERE (agency, name) IN ((107, 'pc1'), (107, 'pc2'), (108, 'main'))",
            3,
        ),
        ("SELECT count(*) FROM xm.scopes WHERE agency = 107 AND column_name = 'CentreCode'", 2),
        ("SELECT count(*) FROM xm.certificates c JOIN xm.agency_keys USING (spki_sha256) WHERE c.agency = 107", 2),
        ("SELECT count(*) FROM xm.audit WHERE action = 'agency.import' AND subject = 'agencies 000107 to 000108'", 1),
        ("SELECT jsonb_array_length(detail->'added') FROM xm.audit WHERE action = 'agency.import'", 2),
    ] {
        assert_eq!(value(&mut connection, query).await, expected, "{query}");
    }
    let before = audit::head(&mut connection).await.unwrap();
    let revisions = value(&mut connection, "SELECT sum(revision) FROM xm.agencies").await;
    assert_eq!(imported(&mut connection, &OPERATOR, &file).await, ["2 000107 Same", "3 000108 Same"]);
    recharges::recharge(&mut connection, &OPERATOR, number(108), 1, "").await.unwrap();
    assert_eq!(imported(&mut connection, &OPERATOR, &file).await, ["2 000107 Same", "3 000108 Same balance kept"]);
    assert_eq!(audit::verify(&mut connection, None).await.unwrap().id, before.id + 1, "only the recharge is an act");
    assert_eq!(value(&mut connection, "SELECT sum(revision) FROM xm.agencies").await, revisions);
}

#[tokio::test]
async fn a_row_that_cannot_be_imported_says_why_and_the_others_are_imported() {
    let (_database, mut connection) = centre().await;
    crate::centre::addresses::record(&mut connection, &["centre@example.cm".to_owned()]).await.unwrap();
    let ((der, fingerprint), (_, foreign)) = (certificate(), certificate());
    let text = format!(
        "matricule,name,town,area,email,plan,status,balance,cbc,installation,certificate,fingerprint\n\
         abc,A\n\
         ,A,,,,,,,,,,\n\
         1000000,A,,,,,,,,,,\n\
         10,,,,,,,,,,,\n\
         11,A,,,,,,,,,,\n\
         11,B,,,,,,,,,,\n\
         12,A,,Littoral//Sanaga,,,,,,,,\n\
         13,A,,,no,,,,,,,\n\
         14,A,,,Centre@example.cm,,,,,,,\n\
         15,A,,,,golden,,,,,,\n\
         16,A,,,,,4,,,,,\n\
         17,A,,,,,,1.5,,,,\n\
         18,A,,,,,,1000001,,,,\n\
         19,A,,,,,,,perhaps,,,\n\
         20,A,,,,,,,,PC 1,,\n\
         21,A,,,,,,,,,{der},\n\
         22,A,,,,,,,,,{der},{foreign}\n\
         23,A,,,,,,,,,bm8=,{fingerprint}\n\
         24,A,,,,,,,,,{der},{fingerprint}\n\
         25,A,,,,,,,,,{der},{fingerprint}\n"
    );
    let told = imported(&mut connection, &OPERATOR, &file(&text)).await;
    let expected = [
        "2 Refused import_cells",
        "3 Refused import_matricule",
        "4 Refused import_matricule",
        "5 000010 Refused value_invalid",
        "6 000011 Added",
        "7 000011 Refused import_twice",
        "8 000012 Refused value_invalid",
        "9 000013 Refused value_invalid",
        "10 000014 Refused address_of_centre",
        "11 000015 Refused plan_unknown",
        "12 000016 Refused value_invalid",
        "13 000017 Refused import_amount",
        "14 000018 Refused import_balance",
        "15 000019 Refused import_yes_or_no",
        "16 000020 Refused value_invalid",
        "17 000021 Refused import_fingerprints",
        "18 000022 Refused fingerprint_mismatch",
        "19 000023 Refused import_certificate",
        "20 000024 Added",
        "21 000025 Refused key_of_another_agency",
    ];
    assert_eq!(told, expected);
    assert_eq!(value(&mut connection, "SELECT count(*) FROM xm.agencies").await, 4);
    assert_eq!(value(&mut connection, "SELECT difference FROM xm.ledger_difference").await, 0);
}

#[test]
fn a_file_that_is_none_is_refused_whole() {
    let error = |text: &str| ImportFile::parse(text.as_bytes(), 0).unwrap_err();
    for text in ["", "matricule,name\n", "name,town\nA,B\n"] {
        assert!(matches!(error(text), AdministrationError::Import(ImportError::Empty)), "{text:?}");
    }
    let unknown = error("matricule,Colour,name,nom,scope:\n1,red,a,b,c\n");
    let AdministrationError::Import(ImportError::Columns { unknown, .. }) = unknown else { panic!("{unknown}") };
    assert_eq!(unknown, ["Colour", "nom", "scope:"]);
}

#[test]
fn amounts_are_read_as_spreadsheets_write_them() {
    let read = |cell: &str, digits| {
        let file = ImportFile::parse(format!("matricule;balance\n1;{cell}\n").as_bytes(), digits).unwrap();
        file.rows[0].wanted.as_ref().ok().and_then(|wanted| wanted.balance)
    };
    for (cell, digits, expected) in [
        ("12500", 0, Some(12_500)),
        ("12 500", 0, Some(12_500)),
        ("12\u{202f}500", 0, Some(12_500)),
        ("-3,5", 2, Some(-350)),
        ("3.50", 2, Some(350)),
        ("3.505", 2, None),
        ("3.5", 0, None),
        (".5", 2, None),
        ("1e3", 0, None),
        ("--1", 0, None),
        ("99999999999999999999", 0, None),
    ] {
        assert_eq!(read(cell, digits), expected, "{cell}");
    }
}

#[tokio::test]
async fn what_a_file_changes_of_agencies_that_are_there_is_told_by_column() {
    let (_database, mut connection) = centre().await;
    run_sql(&mut connection, "UPDATE xm.agencies SET status = 2").await;
    let text = "matricule,town,telephone,email,cbc,installation,credit_limit\n1,Kribi,+237 699,-,yes,pc9,700\n2,Ebolowa,,,no,,\n";
    let changed = ["2 000001 Changed town telephone email credit_limit cbc installation", "3 000002 Same"];
    assert_eq!(tried(&mut connection, &OPERATOR, &file(text)).await, changed);
    assert_eq!(imported(&mut connection, &OPERATOR, &file(text)).await, changed);
    let after = agencies::show(&mut connection, number(1)).await.unwrap();
    assert_eq!((after.town.as_str(), after.telephone.as_str(), after.email.as_str()), ("Kribi", "+237 699", ""));
    assert_eq!((after.credit_limit, after.cbc_allowed, after.name.as_str()), (700, true, "Centre 1"));
    let detail = r#"SELECT count(*) FROM xm.audit WHERE action = 'agency.import' AND subject = 'agencies 000001 to 000001'
                AND detail->'changed'->0->'values'->'town' = '{"from": "Ebolowa", "to": "Kribi"}'"#;
    assert_eq!(value(&mut connection, detail).await, 1);
    assert_eq!(imported(&mut connection, &OPERATOR, &file(text)).await, ["2 000001 Same", "3 000002 Same"]);
}

async fn run_sql(connection: &mut Connection, statements: &str) {
    crate::testing::centre::run(connection, statements).await;
}

#[tokio::test]
async fn a_chef_d_agence_changes_no_profile_of_status_3_and_nobody_the_status_of_many() {
    let (_database, mut connection) = centre().await;
    let chef = Operator::pretended("nkolo", Privilege::ChefDAgence);
    run_sql(&mut connection, "UPDATE xm.agencies SET status = 2 WHERE matricule = 2").await;
    let text = "matricule,town,plan\n1,Kribi,\n2,Kribi,\n";
    let told = imported(&mut connection, &chef, &file(text)).await;
    assert_eq!(told, ["2 000001 Refused privilege_missing", "3 000002 Changed town"]);
    assert_eq!(imported(&mut connection, &OPERATOR, &file(text)).await[0], "2 000001 Changed town");

    let rows = |from: u32, to: u32, status: i16| -> String {
        (from..=to).map(|matricule| format!("{matricule},Bureau {matricule},{status}\n")).collect()
    };
    let of = |rows: String| file(&format!("matricule,name,status\n{rows}"));
    let told = imported(&mut connection, &chef, &of(rows(11, 30, 1))).await;
    assert!(told.iter().all(|row| row.ends_with("Added")), "new agencies are added with any status: {told:?}");
    let told = imported(&mut connection, &chef, &of(rows(11, 20, 2))).await;
    assert!(told.iter().all(|row| row.ends_with("Changed status")), "{told:?}");
    // Of the eleven, one is renamed as well, which is left out with its status. A new agency and one that stays are not concerned.
    let many = format!("21,Renamed,0\n{}12,Bureau 12,2\n40,Bureau 40,0\n", rows(22, 31, 0));
    let told = imported(&mut connection, &chef, &of(many.clone())).await;
    assert_eq!(told[0], "2 000021 Changed name status", "there are ten: 31 is new");
    let many = format!("21,Bureau 21,3\n{}", rows(22, 31, 3));
    let told = imported(&mut connection, &OPERATOR, &of(many)).await;
    assert!(told.iter().all(|row| row.ends_with("Refused status_of_many")), "{told:?}");
    assert_eq!(value(&mut connection, "SELECT count(*) FROM xm.agencies WHERE status = 3 AND matricule > 10").await, 0);
}

#[tokio::test]
async fn a_further_key_and_a_revoked_one_need_more_than_a_file() {
    let (_database, mut connection) = centre().await;
    let (first, second, other) = (certificate(), certificate(), certificate());
    let row =
        |(der, fingerprint): &(String, String)| format!("matricule,certificate,fingerprint\n1,{der},{fingerprint}\n");
    assert_eq!(imported(&mut connection, &OPERATOR, &file(&row(&first))).await, ["2 000001 Changed certificate"]);
    assert_eq!(imported(&mut connection, &OPERATOR, &file(&row(&first))).await, ["2 000001 Same"]);
    assert_eq!(
        imported(&mut connection, &OPERATOR, &file(&row(&second))).await,
        ["2 000001 Refused import_further_key"]
    );
    certificates::revoke(&mut connection, &OPERATOR, &first.1, "lost", None).await.unwrap();
    assert_eq!(imported(&mut connection, &OPERATOR, &file(&row(&first))).await, ["2 000001 Refused key_revoked"]);
    let of_another = row(&first).replace("\n1,", "\n2,");
    let told = imported(&mut connection, &OPERATOR, &file(&of_another)).await;
    assert_eq!(told, ["2 000002 Refused key_of_another_agency"]);
    // A certificate in PEM, over several lines of a quoted cell.
    let pem =
        format!("-----BEGIN CERTIFICATE-----\n{}\n{}\n-----END CERTIFICATE-----\n", &other.0[..64], &other.0[64..]);
    let text = format!("matricule,certificate,fingerprint\n2,\"{pem}\",{}\n", other.1.to_uppercase());
    assert_eq!(imported(&mut connection, &OPERATOR, &file(&text)).await, ["2 000002 Changed certificate"]);
    let listed = certificates::list(&mut connection, &CertificateFilter::default()).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.agency).collect::<Vec<_>>(), [number(2)]);
}

async fn exported(connection: &mut Connection) -> String {
    let mut text = String::new();
    let write = |lines: &str| {
        text.push_str(lines);
        Ok::<_, AdministrationError>(true)
    };
    agencies::export(connection, &AgencyFilter::default(), |minor_units| minor_units.to_string(), write).await.unwrap();
    text
}

#[tokio::test]
async fn what_is_exported_is_imported_unchanged_here_and_elsewhere() {
    let (_database, mut connection) = centre().await;
    crate::samples::restore(&mut connection, &OPERATOR, "ecr").await.unwrap();
    let certificate = certificate();
    let hard = format!(
        "matricule,name,town,area,telephone,email,status,balance,installation,scope:CentreCode,certificate,fingerprint\n\
         3,\"=Mairie; d'\"\"Édéa\"\"\",'Ville,Littoral/Sanaga,'+237 699 11 22 33,a@example.cm,1,-250,main|pc2,C 1|C2,{},{}\n",
        certificate.0, certificate.1
    );
    imported(&mut connection, &OPERATOR, &file(&hard)).await;
    let written = exported(&mut connection).await;
    let again = imported(&mut connection, &OPERATOR, &file(&written)).await;
    assert_eq!(again, ["2 000001 Same", "3 000002 Same", "4 000003 Same"], "{written}");

    let database = crate::testing::TestCluster::shared().await.database().await;
    let mut elsewhere = database.get().await.unwrap();
    let server = crate::centre::server::Server::new("elsewhere", sdc::letter::Mode::Test);
    crate::centre::server::initialise(&mut elsewhere, &OPERATOR, &server).await.unwrap();
    crate::samples::restore(&mut elsewhere, &OPERATOR, "ecr").await.unwrap();
    let added = imported(&mut elsewhere, &OPERATOR, &file(&written)).await;
    assert!(added.iter().all(|row| row.ends_with("Added")), "{added:?}");
    // An agency without installations gets the first one, since it could not write otherwise.
    let written = written.replace(",0,,,,\r\n", ",0,main,,,\r\n");
    assert_eq!(exported(&mut elsewhere).await, written);
    let town = agencies::show(&mut elsewhere, number(3)).await.unwrap();
    assert_eq!((town.name.as_str(), town.telephone.as_str()), ("=Mairie; d'\"Édéa\"", "+237 699 11 22 33"));
}

/// Writes a file of agencies from 1001 on, with balances.
fn many(rows: u32) -> ImportFile {
    let body: String =
        (1001..=1000 + rows).map(|matricule| format!("{matricule},Bureau {matricule},{matricule}\n")).collect();
    file(&format!("matricule,name,balance\n{body}"))
}

#[tokio::test]
async fn an_import_that_ended_in_the_middle_is_completed_by_the_next_one() {
    let (_database, mut connection) = centre().await;
    let file = many(2500);
    // The database refuses something in the second batch, after it has taken its agencies and accounts.
    run_sql(
        &mut connection,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'full'; END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON xm.installations FOR EACH ROW WHEN (NEW.agency = 2777) EXECUTE FUNCTION refuse()",
    )
    .await;
    let mut told = 0;
    let ended = super::run(&mut connection, &OPERATOR, &file, "report", |_| {
        told += 1;
        Ok::<_, AdministrationError>(())
    });
    assert!(ended.await.is_err());
    assert_eq!(told, 1000, "only what is committed is told");
    let whole =
        "SELECT count(*) FROM xm.agencies a JOIN xm.accounts k ON k.agency = a.matricule AND k.balance = a.matricule
                   JOIN xm.installations i ON i.agency = a.matricule JOIN xm.entries e ON e.agency = a.matricule
                  WHERE a.matricule > 1000";
    assert_eq!(value(&mut connection, whole).await, 1000);
    assert_eq!(value(&mut connection, "SELECT count(*) FROM xm.agencies WHERE matricule > 1000").await, 1000);
    run_sql(&mut connection, "DROP TRIGGER refuse ON xm.installations").await;
    let rows = imported(&mut connection, &OPERATOR, &file).await;
    assert_eq!(rows.iter().filter(|row| row.ends_with("Same")).count(), 1000);
    assert_eq!(rows.iter().filter(|row| row.ends_with("Added")).count(), 1500);
    assert_eq!(value(&mut connection, whole).await, 2500);
    assert_eq!(value(&mut connection, "SELECT difference FROM xm.ledger_difference").await, 0);
    audit::verify(&mut connection, None).await.unwrap();
}

#[tokio::test]
async fn two_imports_of_one_file_at_once_add_every_agency_once() {
    let (database, mut connection) = centre().await;
    let imports = (0..3).map(|_| {
        let (database, file) = (database.clone(), many(1500));
        tokio::spawn(async move { imported(&mut database.get().await.unwrap(), &OPERATOR, &file).await })
    });
    let rows: Vec<Vec<String>> =
        futures_util::future::join_all(imports).await.into_iter().map(|rows| rows.unwrap()).collect();
    let added = rows.iter().flatten().filter(|row| row.ends_with("Added")).count();
    let same = rows.iter().flatten().filter(|row| row.ends_with("Same")).count();
    assert_eq!((added, same), (1500, 3000));
    assert_eq!(value(&mut connection, "SELECT difference FROM xm.ledger_difference").await, 0);
}

/// Measures a file of a hundred thousand agencies with certificates, and prints the figures:
/// `cargo test --release --package store -- --ignored --nocapture a_hundred_thousand_agencies_are_imported`
#[tokio::test]
#[ignore = "it measures, and judges nothing"]
async fn a_hundred_thousand_agencies_are_imported() {
    let (_database, mut connection) = centre().await;
    let mut text = "matricule,name,town,area,email,status,balance,certificate,fingerprint\n".to_owned();
    for matricule in 1000..101_000 {
        let (der, fingerprint) = certificate();
        let area = format!("Region {}/Departement {}", matricule % 10, matricule % 60);
        let row = format!(
            "{matricule},Mairie {matricule},Ville {},{area},m{matricule}@example.cm,3,500,{der},{fingerprint}\n",
            matricule % 900
        );
        text.push_str(&row);
    }
    println!("{} MB", text.len() >> 20);
    let begun = Instant::now();
    let file = ImportFile::parse(text.as_bytes(), 0).unwrap();
    println!("read: {:?}", begun.elapsed());
    for what in ["dry run", "import", "import again", "dry run again"] {
        let begun = Instant::now();
        let rows = match what {
            "import" | "import again" => imported(&mut connection, &OPERATOR, &file).await,
            _ => tried(&mut connection, &OPERATOR, &file).await,
        };
        println!("{what}: {:?}, first row {:?}", begun.elapsed(), rows[0]);
    }
    let begun = Instant::now();
    let written = exported(&mut connection).await;
    println!("export: {:?}, {} MB", begun.elapsed(), written.len() >> 20);
}
