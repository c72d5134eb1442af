//! Sentences of errors that operators read, word for word.

use chrono::TimeZone;
use sdc::letter::Matricule;
use store::certificates::Concern;
use store::database::fault::Fault;
use store::error::{Book, ImportError, InvalidValue, KeyName};
use store::people::{Account, Act, Need, Operation, Privilege};
use store::tables::definition::{Column, ColumnType};
use store::tables::named_record::NamedRecord;
use store::tables::{Change, Mistake, MistakeProblem, Problem, ProblemCode, Warning};

use super::*;

fn number(matricule: u32) -> Matricule {
    Matricule::try_from(matricule).unwrap()
}

/// The moment that the tested sentences name.
fn moment() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 12, 1, 8, 30, 0).unwrap()
}

/// Checks that each error has exactly its sentence.
fn are_said(cases: Vec<(AdministrationError, &str)>) {
    for (error, sentence) in cases {
        assert_eq!(in_utc(&error), sentence, "{}", error.code());
        for line in sentence.lines().map(|line| line.trim_start_matches("  - ")) {
            assert!(::words::Words::is_sentence(line), "no catalogue has {line}");
        }
    }
}

#[test]
fn each_error_of_an_import_has_its_sentence() {
    let said = |error: ImportError, sentence: &'static str| (AdministrationError::Import(error), sentence);
    are_said(vec![
        said(
            ImportError::Columns { unknown: vec!["colour".to_owned()], known: vec!["matricule", "name"] },
            "the file has columns that are unknown or stand twice, colour: known are matricule, name",
        ),
        said(
            ImportError::Empty,
            "the file has no agencies: expected CSV with a line of column names, matricule among them, and at least one row",
        ),
        said(
            ImportError::Cells { expected: 3, found: 2 },
            "the row has 2 cells and the file 3 columns: quote cells with a separator or a quotation mark in them",
        ),
        said(
            ImportError::Matricule { found: "x".to_owned() },
            "expected a matricule of 1 to 999999, such as 000042, found \"x\"",
        ),
        said(ImportError::Twice { line: 7 }, "line 7 is about the same agency"),
        said(
            ImportError::Amount { column: "balance", found: "x".to_owned() },
            "column balance says \"x\": expected an amount in the main unit of the currency, such as 12500",
        ),
        said(
            ImportError::YesOrNo { column: "cbc", found: "x".to_owned() },
            "column cbc says \"x\": expected yes or no",
        ),
        said(
            ImportError::Certificate { reason: String::new() },
            "the cell has no certificate: expected PEM, or the base64 of a certificate in DER",
        ),
        said(
            ImportError::Fingerprints { certificates: 2, fingerprints: 1 },
            "the row has 2 certificates and 1 fingerprints: expected the fingerprint of each, as the office told it over another channel",
        ),
        said(
            ImportError::FurtherKey { agency: number(42) },
            "agency 000042 has or had another key, so that its certificate takes two people: `xmserver cert register 000042 FILE`",
        ),
        said(
            ImportError::Balance { limit: 1_000_000 },
            "the opening balance is above what one person may recharge alone, 1000000 minor units: `xmserver approval limit` raises it",
        ),
    ]);
}

#[test]
fn each_code_of_agencies_certificates_and_the_centre_has_its_sentence() {
    let (at, text) = (moment(), str::to_owned);
    are_said(vec![
        (
            AdministrationError::AgencyUnknown(number(77)),
            "agency 000077 does not exist: `xmserver agency list` shows those that do",
        ),
        (AdministrationError::AgencyExists(number(1)), "agency 000001 exists already"),
        (
            AdministrationError::StatusOfMany { agencies: 11, most: 10 },
            "the status of 11 agencies would change, and a second person has to confirm it for more than 10 at once: \
             set it by `xmserver agency status`, which asks for one",
        ),
        (AdministrationError::PlanUnknown(text("no")), "plan no does not exist"),
        (
            AdministrationError::KeyNameTaken { name: KeyName::IssuerSerial, owner: number(1) },
            "another key of agency 000001 is registered under the same issuer and serial number: make a certificate with another one",
        ),
        (
            AdministrationError::CertificateAmbiguous(text("2048")),
            "2048 is the number of one certificate and the beginning of another's fingerprint: write \"#2048\", in quotes, \
             for the number, or more of the fingerprint, with its colons",
        ),
        (
            AdministrationError::CertificateAmbiguous(text("ab:ab")),
            "several certificates have fingerprints that begin with ab:ab: give more of it",
        ),
        (
            AdministrationError::CertificateConcerns(vec![Concern::Ended { at }, Concern::NotYetValid { from: at }]),
            "the certificate needs a second look:\n  - it ended on 2026-12-01 08:30:00 UTC: letters are refused\n  - it is not valid \
             before 2026-12-01 08:30:00 UTC: until then letters are refused",
        ),
        (
            AdministrationError::CertificateRevoked { fingerprint: text("1ac5"), at },
            "certificate 1A:C5 was revoked on 2026-12-01 08:30:00 UTC",
        ),
        (
            AdministrationError::KeysForeign { centre: Some(text("F1:F1")), at_hand: Some(text("AB")) },
            "this database belongs to a centre whose key is F1:F1: copy its keys/ folder here (the key AB found here is another's and \
             opens none of its letters)",
        ),
        (
            AdministrationError::KeysForeign { centre: None, at_hand: None },
            "this database belongs to a centre whose keys were made before: copy its keys/ folder here",
        ),
        (
            AdministrationError::ServerExists {
                name: text("x"),
                mode: text("test"),
                currency: text("XAF"),
                zone: text("UTC"),
            },
            "this database belongs to server x, mode test, currency XAF, zone UTC, none of which can be changed: choose another \
             database, or give these",
        ),
    ]);
}

#[test]
fn each_code_of_lines_and_records_has_its_sentence() {
    let text = str::to_owned;
    are_said(vec![
        (AdministrationError::LineUnknown { book: Book::Journal, id: 99 }, "journal line 99 does not exist"),
        (
            AdministrationError::RecordUnknown(NamedRecord {
                table: text("ecr.ActeNaissance"),
                key: [(text("CentreCode"), text("C01")), (text("NumeroActe"), text("17"))].into(),
            }),
            "no record of table ecr.ActeNaissance has the legal key C01, 17",
        ),
        (AdministrationError::LineUnknown { book: Book::Quarantine, id: 9 }, "quarantine entry 9 does not exist"),
        (AdministrationError::LineUnknown { book: Book::Selections, id: 9 }, "selection 9 does not exist"),
        (
            AdministrationError::NothingSelected,
            "no open entry of the quarantine is of this group: `xmserver quarantine groups` lists them",
        ),
    ]);
}

#[test]
fn each_code_of_tables_values_and_people_has_its_sentence() {
    let (at, text) = (moment(), str::to_owned);
    let act = Act::UserUnmap { account: text("alice") };
    are_said(vec![
        (
            AdministrationError::TableUnknown(text("ecr.X")),
            "table ecr.X is not adopted: `xmserver table list` shows those that are",
        ),
        (
            AdministrationError::TableUnfit {
                table: text("ecr.X"),
                problems: vec![
                    Problem::new(ProblemCode::StatusUnfit),
                    Problem::new(ProblemCode::LegalKeyTwice).with("column", "K"),
                ],
            },
            "table ecr.X cannot be adopted:\n  - column \"Status\" must be smallint NOT NULL\n  \
             - legal key column K is named twice, or is one of the server's own columns",
        ),
        (
            AdministrationError::ScopeColumnUnknown { column: text("C"), known: vec![] },
            "no adopted table has the scope column C: no table with a scope is adopted yet",
        ),
        (
            AdministrationError::TariffLater { from: at },
            "a tariff for the same is valid from 2026-12-01 08:30:00 UTC: begin the new one later than that",
        ),
        (
            InvalidValue::EmailParts.into(),
            "the e-mail address is not valid: expected local@domain, without spaces or quotes",
        ),
        (
            InvalidValue::Service { known: vec!["export", "correct"] }.into(),
            "the service is not valid: expected one of export, correct",
        ),
        (
            InvalidValue::SampleName { known: vec!["ecr", "election"] }.into(),
            "the sample's name is not valid: expected ecr or election",
        ),
        (InvalidValue::Price.into(), "the price is not valid: expected 0 to 1000000000 minor units"),
        (AdministrationError::Fault(Fault::Away(text("x"))), "the database is away: x"),
        (
            AdministrationError::PrivilegeMissing {
                user: text("zoe"),
                privilege: Privilege::Operateur,
                operation: Operation::TariffSet,
            },
            "user zoe has privilege 1 (Opérateur): tariff.set needs 3 (Superviseur)",
        ),
        (
            AdministrationError::ApprovalNeeded(Box::new(act)),
            "user.unmap needs a second person here: it has to be asked first",
        ),
        (
            AdministrationError::ApprovalExpired { id: 7, at },
            "approval 7 ended on 2026-12-01 08:30:00 UTC: it has to be asked anew",
        ),
    ]);
}

#[test]
fn each_code_of_signing_in_and_of_the_audit_log_has_its_sentence() {
    let text = str::to_owned;
    are_said(vec![
        (
            AdministrationError::SignInFailed,
            "the name or the password is not right, or the user is locked: after 5 wrong passwords he waits for 15 minutes, then longer",
        ),
        (
            AdministrationError::UserLocked(text("zoe")),
            "user zoe is locked: another user of privilege 3 unlocks him with `xmserver user unlock zoe`",
        ),
        (
            AdministrationError::SessionEnded,
            "the session at this terminal has ended: sign in again with `xmserver login USER`",
        ),
        (
            AdministrationError::PasswordFirst(text("zoe")),
            "user zoe has a first password, and chooses one of his own first: `xmserver login zoe`",
        ),
        (
            AdministrationError::AccountUnmapped { account: text("alice"), uid: 1000 },
            "account alice (uid 1000) of this machine is no user's: a user of privilege 3 makes it one with `xmserver user map USER \
             alice`, or sign in by a password with `xmserver login USER`",
        ),
        (
            InvalidValue::Password { chars_min: 12, chars_max: 128, different_min: 5 }.into(),
            "the password is not valid: expected 12 to 128 characters, 5 of them different, without the user's name",
        ),
        (InvalidValue::PasswordSame.into(), "the password is not valid: expected another one than before"),
        (
            InvalidValue::SampleUser.into(),
            "the sample user is not valid: expected the demo's centre, which alone has him",
        ),
        (
            InvalidValue::RecordKey { columns: vec![text("CentreCode"), text("NumeroActe")] }.into(),
            "the record is not valid: expected one value for each of CentreCode, NumeroActe",
        ),
        (
            AdministrationError::AuditBroken(7),
            "the audit log is broken at line 7: somebody changed it outside the program",
        ),
        (
            AdministrationError::AuditHeadOther { line: 9, last: 7 },
            "the audit log ends with line 7, before line 9, which was written down: its last lines were removed",
        ),
        (
            AdministrationError::AuditHeadOther { line: 7, last: 9 },
            "line 7 of the audit log has another hash than was written down: somebody wrote the log anew, or the line is of another centre",
        ),
        (
            AdministrationError::AuditLineUnknown(9),
            "line 9 of the audit log does not exist: `xmserver audit list` shows those that do",
        ),
    ]);
}

#[test]
fn whatever_operators_do_has_words() {
    let operations = Operation::ALL.iter().map(|operation| operation.name());
    for name in operations.chain(Need::ALL.iter().map(|need| need.name())) {
        assert!(::words::Words::is_known("error-operation-", name), "no catalogue has {name}");
    }
}

/// Programs read an error's parameters: each value in the sentence is a parameter with a name.
#[test]
fn an_error_s_parameters_are_those_of_its_sentence() {
    let account = Account { uid: 1000, name: "alice".to_owned() };
    let act = Act::UserMap { user: "zoe".to_owned(), account };
    for (error, parameters) in [
        (AdministrationError::AgencyUnknown(number(42)), r#"{"agency":42}"#),
        (AdministrationError::from(InvalidValue::Amount { max: 9 }), r#"{"max":9,"rule":"amount"}"#),
        (
            AdministrationError::ApprovalNeeded(Box::new(act)),
            r#"{"operation":"user.map","parameters":{"account":{"name":"alice","uid":1000},"user":"zoe"}}"#,
        ),
        (AdministrationError::ServerMissing, "null"),
    ] {
        assert_eq!(error.parameters().to_string(), parameters);
    }
}

/// Checks that the catalogues have a message for this English sentence. Where the message only joins other sentences, they must have
/// messages too.
fn has_words(sentence: &str) {
    assert!(::words::Words::is_sentence(sentence), "no catalogue has {sentence}");
}

#[test]
fn each_mistake_in_a_definition_file_has_its_sentence() {
    let text = str::to_owned;
    for (file, key, problem, sentence) in [
        (
            None,
            Some("tables 1: scop"),
            MistakeProblem::KeyUnknown { name: text("`scop`"), expected: text("one of `name`, `scope`") },
            "line 5: tables 1: scop: unknown key `scop`: expected one of `name`, `scope`",
        ),
        (
            None,
            Some("tables 1: corrections"),
            MistakeProblem::ValueUnknown {
                expected: text("one of `never`, `after_approval`, `by_agency`"),
                found: text("`maybe`"),
            },
            "line 5: tables 1: corrections: expected one of `never`, `after_approval`, `by_agency`, found `maybe`",
        ),
        (None, None, MistakeProblem::KeyMissing { name: text("`name`") }, "line 5: key `name` is missing"),
        (
            Some("tables.toml"),
            Some("tables 1: name"),
            MistakeProblem::KindUnexpected { expected: text("a string"), found: text("integer `5`") },
            "tables.toml: line 5: tables 1: name: expected text in quotes, found integer `5`",
        ),
        (
            None,
            Some("tables 1: rights.standard.may_export"),
            MistakeProblem::KindUnexpected { expected: text("a boolean"), found: text("integer `1`") },
            "line 5: tables 1: rights.standard.may_export: expected true or false, found integer `1`",
        ),
        (
            None,
            Some("tables 1: legal_key"),
            MistakeProblem::KindUnexpected { expected: text("a sequence"), found: text("string \"K\"") },
            "line 5: tables 1: legal_key: expected a list, found string \"K\"",
        ),
        (
            None,
            Some("tables 1: checks 1"),
            MistakeProblem::KindUnexpected { expected: text("struct Check"), found: text("integer `1`") },
            "line 5: tables 1: checks 1: expected a table of keys, found integer `1`",
        ),
        (
            None,
            Some("tables 1: checks 1: left"),
            MistakeProblem::FormUnknown {
                expected: text(
                    "a number, a column's name, { table, sum, on }, { table, count, on } or { table, column, on }",
                ),
            },
            "line 5: tables 1: checks 1: left: expected a number, a column's name, { table, sum, on }, { table, count, on } or \
             { table, column, on }",
        ),
        (None, None, MistakeProblem::Unreadable { reader: text("unclosed table") }, "line 5: unclosed table"),
    ] {
        let mistake = Mistake { file: file.map(text), line: 5, key: key.map(text), problem };
        let error = AdministrationError::DefinitionFile(mistake);
        assert_eq!(in_utc(&error), format!("the definition file is not valid: {sentence}"), "{error}");
    }
}

#[test]
fn what_adoption_changed_and_what_it_warns_of_have_their_sentences() {
    let column = |name: &str, kind, nullable, has_default, multiline| Column {
        name: name.to_owned(),
        kind,
        nullable,
        has_default,
        multiline,
    };
    let text = |length_chars_max, padded| ColumnType::Text { length_chars_max, padded };
    let seen = |fraction_digits| column("Seen", ColumnType::Timestamptz { fraction_digits }, true, false, false);
    for (change, sentence) in [
        (Change::Setting { key: "corrections" }, "corrections changed"),
        (
            Change::ColumnChanged {
                was: column("Shop", text(Some(12), false), false, false, false),
                is: column("Shop", text(Some(20), true), false, false, false),
            },
            "column Shop was varchar(12) NOT NULL, is char(20) NOT NULL",
        ),
        (
            Change::ColumnChanged { was: seen(None), is: seen(Some(0)) },
            "column Seen was timestamptz, is timestamptz(0)",
        ),
        (
            Change::ColumnAdded { column: column("Colour", text(None, false), false, true, true) },
            "column Colour is new: text NOT NULL, with a default, of several lines",
        ),
        (Change::ColumnGone { name: "Ok".to_owned() }, "column Ok is gone: letters that name it are refused"),
    ] {
        assert_eq!(tables::change(&change), sentence, "{}", change.code());
        has_words(sentence);
    }
    let warning = tables::warning(&Warning::TriggerBeforeRow { trigger: "skip".to_owned() });
    assert_eq!(
        warning,
        "trigger skip runs before each row is written: if it changes what a letter brings, the same record sent again is refused as \
         another one (conflict), and if it keeps a row out, the letter is refused (rows_invalid)"
    );
    has_words(&warning);
}
