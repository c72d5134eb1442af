//! English sentences for the codes of [`AdministrationError`]: each names the subject, what was expected and what to do.

use chrono::{DateTime, Utc};
use store::certificates::{self, Concern};
use store::error::{AdministrationError, Book, InvalidValue, KeyName};

use crate::words_of_problems;

/// Words an error with its times in UTC, where the centre's zone is not at hand.
pub fn in_utc(error: &AdministrationError) -> String {
    sentence(error, |time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// Words an error with its times as `shown` writes them.
pub fn sentence(error: &AdministrationError, shown: impl Fn(DateTime<Utc>) -> String) -> String {
    match error {
        AdministrationError::Fault(fault) => fault.to_string(),
        AdministrationError::Invalid(value) => {
            let (what, expected) = invalid(value);
            format!("{what} is not valid: expected {expected}")
        }
        AdministrationError::AuditBroken(line) => {
            format!("the audit log is broken at line {line}: somebody changed it outside the program")
        }
        AdministrationError::AgencyUnknown(_)
        | AdministrationError::AgencyExists(_)
        | AdministrationError::MatriculesExhausted
        | AdministrationError::PlanUnknown(_)
        | AdministrationError::InstallationExists { .. }
        | AdministrationError::ScopeColumnUnknown { .. }
        | AdministrationError::AddressOfCentre(_) => of_agencies(error),
        AdministrationError::LetterUnknown(_)
        | AdministrationError::LineUnknown { .. }
        | AdministrationError::QuarantineDecided { .. }
        | AdministrationError::QuarantineIncomplete { .. } => of_lines(error),
        AdministrationError::TariffLater { .. }
        | AdministrationError::TariffUnknown(_)
        | AdministrationError::TariffBegun { .. } => of_tariffs(error, shown),
        AdministrationError::TableUnknown(_)
        | AdministrationError::DefinitionFile(_)
        | AdministrationError::TableThere { .. }
        | AdministrationError::TableUnfit { .. } => of_tables(error),
        AdministrationError::ServerExists { .. }
        | AdministrationError::ServerMissing
        | AdministrationError::KeysForeign { .. }
        | AdministrationError::KeyMissing { .. } => of_centre(error),
        AdministrationError::UserExists(_)
        | AdministrationError::UserUnknown(_)
        | AdministrationError::SuperviseurLast
        | AdministrationError::AccountMapped { .. }
        | AdministrationError::AccountUnknown(_)
        | AdministrationError::AccountUnmapped { .. }
        | AdministrationError::NobodyMapped { .. }
        | AdministrationError::PrivilegeMissing { .. } => of_people(error),
        AdministrationError::ApprovalNeeded(_)
        | AdministrationError::ApprovalUnknown(_)
        | AdministrationError::ApprovalDecided { .. }
        | AdministrationError::ApprovalExpired { .. }
        | AdministrationError::ApprovalOwn(_)
        | AdministrationError::ApprovalChanged(_)
        | AdministrationError::ApprovalAskerMayNot { .. }
        | AdministrationError::ApprovalWithoutCommission(_) => of_approvals(error, shown),
        AdministrationError::KeyOfAnotherAgency { .. }
        | AdministrationError::KeyNameTaken { .. }
        | AdministrationError::KeyOfCentre { .. }
        | AdministrationError::KeyRevoked { .. }
        | AdministrationError::CertificateExists
        | AdministrationError::FingerprintMismatch { .. }
        | AdministrationError::CertificateConcerns(_)
        | AdministrationError::CertificateUnknown(_)
        | AdministrationError::CertificateAmbiguous(_)
        | AdministrationError::CertificateRevoked { .. } => of_certificates(error, shown),
    }
}

fn of_agencies(error: &AdministrationError) -> String {
    match error {
        AdministrationError::AgencyUnknown(agency) => {
            format!("agency {agency} does not exist: `xmserver agency list` shows those that do")
        }
        AdministrationError::AgencyExists(agency) => format!("agency {agency} exists already"),
        AdministrationError::MatriculesExhausted => "all matricules up to 999999 are taken".to_owned(),
        AdministrationError::PlanUnknown(plan) => format!("plan {plan} does not exist"),
        AdministrationError::InstallationExists { agency, name } => {
            format!("installation {name} of agency {agency} exists already")
        }
        AdministrationError::ScopeColumnUnknown { column, known } => scope_column_unknown(column, known),
        AdministrationError::AddressOfCentre(address) => {
            format!("{address} is an address of the centre itself: answers sent there would come back as letters")
        }
        other => other.to_string(),
    }
}

fn of_lines(error: &AdministrationError) -> String {
    match error {
        AdministrationError::LetterUnknown(name) => {
            format!("no letter is known by {name}: expected its id, its digest, or a line's number in the journal")
        }
        AdministrationError::LineUnknown { book: Book::Journal, id } => format!("journal line {id} does not exist"),
        AdministrationError::LineUnknown { book: Book::Quarantine, id } => {
            format!("quarantine entry {id} does not exist")
        }
        AdministrationError::QuarantineDecided { id, state } => format!("quarantine entry {id} is {state} already"),
        AdministrationError::QuarantineIncomplete { id } => {
            format!("quarantine entry {id} cannot be tried again: only its first bytes are kept; have it sent again")
        }
        other => other.to_string(),
    }
}

fn of_tariffs(error: &AdministrationError, shown: impl Fn(DateTime<Utc>) -> String) -> String {
    match error {
        AdministrationError::TariffLater { from } => {
            format!("a tariff for the same is valid from {}: begin the new one later than that", shown(*from))
        }
        AdministrationError::TariffUnknown(id) => {
            format!("tariff {id} does not exist: `xmserver tariff list --with-ended` shows them")
        }
        AdministrationError::TariffBegun { id, from } => format!(
            "tariff {id} is valid since {}: a price that was valid stays on record; set one that follows it",
            shown(*from)
        ),
        other => other.to_string(),
    }
}

fn of_certificates(error: &AdministrationError, shown: impl Fn(DateTime<Utc>) -> String) -> String {
    match error {
        AdministrationError::KeyOfAnotherAgency { owner, agency } => format!(
            "the key of this certificate belongs to agency {owner}, for ever: agency {agency} must make a key of its own"
        ),
        AdministrationError::KeyNameTaken { name, owner } => {
            let name = match name {
                KeyName::KeyId => "subject key identifier",
                KeyName::IssuerSerial => "issuer and serial number",
            };
            format!(
                "another key of agency {owner} is registered under the same {name}: make a certificate with another one"
            )
        }
        AdministrationError::KeyOfCentre { state } => format!(
            "the key of this certificate is one of the centre's own ({state}): an agency makes a key of its own"
        ),
        AdministrationError::KeyRevoked { at } => {
            format!("the key of this certificate was revoked on {}, for good: the agency makes a new key", shown(*at))
        }
        AdministrationError::CertificateExists => "this certificate is registered already".to_owned(),
        AdministrationError::FingerprintMismatch { agency } => format!(
            "the certificate's fingerprint is not the one that was confirmed: ask agency {agency} again over the agreed channel"
        ),
        AdministrationError::CertificateConcerns(concerns) => {
            let lines: String = concerns.iter().map(|one| format!("\n  - {}", concern(one, &shown))).collect();
            format!("the certificate needs a second look:{lines}")
        }
        AdministrationError::CertificateUnknown(name) => format!(
            "no certificate goes by {name}: give its fingerprint, the beginning of it or its number, as `xmserver cert list` shows them"
        ),
        AdministrationError::CertificateAmbiguous(name) if certificates::is_number(name) => format!(
            "{name} is the number of one certificate and the beginning of another's fingerprint: write \"#{name}\", in quotes, \
             for the number, or more of the fingerprint, with its colons"
        ),
        AdministrationError::CertificateAmbiguous(name) => {
            format!("several certificates have fingerprints that begin with {name}: give more of it")
        }
        AdministrationError::CertificateRevoked { fingerprint, at } => {
            format!("certificate {fingerprint} was revoked on {}", shown(*at))
        }
        other => other.to_string(),
    }
}

/// Words what an operator should know of a certificate, with its time as `shown` writes it.
pub fn concern(concern: &Concern, shown: impl Fn(DateTime<Utc>) -> String) -> String {
    match concern {
        Concern::NotYetValid { from } => {
            format!("it is not valid before {}: until then letters are refused", shown(*from))
        }
        Concern::Ended { at } => format!("it ended on {}: letters are refused", shown(*at)),
        Concern::Authority => {
            "it is a certification authority's (CA:TRUE), not one that signs letters: the office has another one"
                .to_owned()
        }
    }
}

fn of_tables(error: &AdministrationError) -> String {
    match error {
        AdministrationError::TableUnknown(table) => {
            format!("table {table} is not adopted: `xmserver table list` shows those that are")
        }
        AdministrationError::DefinitionFile(mistake) => format!("the definition file is not valid: {mistake}"),
        AdministrationError::TableThere { table, relation } => format!(
            "table {table} is not given up: {relation} is in the database; to take no more records of it, set may_export = false \
             in its file and adopt again"
        ),
        AdministrationError::TableUnfit { table, problems } => {
            let lines: String =
                problems.iter().map(|one| format!("\n  - {}", words_of_problems::sentence(one))).collect();
            format!("table {table} cannot be adopted:{lines}")
        }
        other => other.to_string(),
    }
}

fn scope_column_unknown(column: &str, known: &[String]) -> String {
    let known = if known.is_empty() {
        "no table with a scope is adopted yet".to_owned()
    } else {
        format!("expected one of {}", known.join(", "))
    };
    format!("no adopted table has the scope column {column}: {known}")
}

fn of_centre(error: &AdministrationError) -> String {
    match error {
        AdministrationError::ServerExists { name, mode, currency, zone } => format!(
            "this database belongs to server {name}, mode {mode}, currency {currency}, zone {zone}, none of which can be changed: \
             choose another database, or give these"
        ),
        AdministrationError::ServerMissing => "this database has no server yet: run `xmserver init`".to_owned(),
        AdministrationError::KeysForeign { centre, at_hand } => {
            let whose = centre
                .as_ref()
                .map_or_else(|| "whose keys were made before".to_owned(), |key| format!("whose key is {key}"));
            let found = at_hand.as_ref().map_or_else(String::new, |key| {
                format!(" (the key {key} found here is another's and opens none of its letters)")
            });
            format!("this database belongs to a centre {whose}: copy its keys/ folder here{found}")
        }
        AdministrationError::KeyMissing { fingerprint, state } => format!(
            "the centre's key {fingerprint} ({state}) is missing here: copy the keys/ folder of a program that has it"
        ),
        other => other.to_string(),
    }
}

fn of_people(error: &AdministrationError) -> String {
    match error {
        AdministrationError::UserExists(user) => format!("user {user} exists already"),
        AdministrationError::UserUnknown(user) => {
            format!("user {user} does not exist: `xmserver user list` shows those that do")
        }
        AdministrationError::SuperviseurLast => {
            "nobody of privilege 3 would be left who can sign in: give it to another user with an account first"
                .to_owned()
        }
        AdministrationError::AccountMapped { account } => {
            format!("account {account} is a user's already: `xmserver user list` shows whose")
        }
        AdministrationError::AccountUnknown(account) => format!(
            "account {account} is nobody's, and none of this machine: `xmserver user list` shows the accounts of users"
        ),
        AdministrationError::AccountUnmapped { account, uid } => format!(
            "account {account} (uid {uid}) of this machine is no user's: a user of privilege 3 makes it one with \
             `xmserver user map USER {account}`"
        ),
        AdministrationError::NobodyMapped { account, superviseurs } => format!(
            "no account is a user's yet: `xmserver user map {}` makes account {account} the first, once",
            superviseurs.first().map_or("USER", String::as_str)
        ),
        AdministrationError::PrivilegeMissing { user, privilege, operation } => {
            let required = operation.privilege();
            format!(
                "user {user} has privilege {} ({}): {} needs {} ({})",
                privilege.number(),
                privilege.title(),
                operation.name(),
                required.number(),
                required.title()
            )
        }
        other => other.to_string(),
    }
}

fn of_approvals(error: &AdministrationError, shown: impl Fn(DateTime<Utc>) -> String) -> String {
    match error {
        AdministrationError::ApprovalNeeded(act) => {
            format!("{} needs a second person here: it has to be asked first", act.need().name())
        }
        AdministrationError::ApprovalUnknown(id) => {
            format!("approval {id} does not exist: `xmserver approval list --with-decided` shows those that do")
        }
        AdministrationError::ApprovalDecided { id, state } => format!("approval {id} is {state} already"),
        AdministrationError::ApprovalExpired { id, at } => {
            format!("approval {id} ended on {}: it has to be asked anew", shown(*at))
        }
        AdministrationError::ApprovalOwn(id) => {
            format!(
                "approval {id} was asked by you: another user of privilege 3 confirms it; `xmserver approval refuse {id}` takes it back"
            )
        }
        AdministrationError::ApprovalChanged(id) => format!(
            "approval {id} was not done: what it concerns has changed since it was asked, so it has to be asked anew"
        ),
        AdministrationError::ApprovalAskerMayNot { id, user } => {
            format!(
                "approval {id} was not done: user {user}, who asked, may not do it any more; somebody else asks anew"
            )
        }
        AdministrationError::ApprovalWithoutCommission(id) => format!(
            "approval {id} was not done: one of the two must be a member of the election commission; another user confirms it"
        ),
        other => other.to_string(),
    }
}

/// Returns which value is not valid, and what it must be.
fn invalid(value: &InvalidValue) -> (&'static str, String) {
    let (what, expected) = match value {
        InvalidValue::Amount { max } => return ("the amount", format!("1 to {max} minor units")),
        InvalidValue::RechargeLimit { max } => return ("the limit", format!("0 to {max} minor units")),
        InvalidValue::Note { chars_max } => return ("the note", format!("at most {chars_max} characters")),
        InvalidValue::Service { known } => return ("the service", format!("one of {}", known.join(", "))),
        InvalidValue::SampleName { known } => return ("the sample's name", known.join(" or ")),
        InvalidValue::LetterLimit => ("the letter limit", "4096 to 16777216 bytes"),
        InvalidValue::Status => ("the status", "0 suspended, 1 some services, 2 all but export and import, or 3 all"),
        InvalidValue::CreditLimit => ("the credit limit", "an amount of 0 or more"),
        InvalidValue::Town => ("the town", "text on one line"),
        InvalidValue::Telephone => ("the telephone", "text on one line"),
        InvalidValue::Name => ("the name", "text on one line"),
        InvalidValue::EmailAscii => (
            "the e-mail address",
            "plain ASCII, without accents: of a domain with accents write the ASCII form (xn--…), which its registrar tells",
        ),
        InvalidValue::EmailParts => ("the e-mail address", "local@domain, without spaces or quotes"),
        InvalidValue::Change => ("the change", "at least one value"),
        InvalidValue::Reason => ("the reason", "words on one line, such as \"PC stolen\""),
        InvalidValue::InstallationName => {
            ("the installation's name", "1 to 32 of a-z, 0-9 and hyphen, not beginning with a hyphen")
        }
        InvalidValue::Scope => ("the scope", "a column and at least one code"),
        InvalidValue::ScopeCodes => ("the scope", "codes without blanks around them or controls in them"),
        InvalidValue::ServerName => ("the server's name", "1 to 63 of a-z, 0-9, point and hyphen"),
        InvalidValue::Mode => ("the mode", "test or live"),
        InvalidValue::Currency => ("the currency", "an ISO 4217 code of three capital letters"),
        InvalidValue::CurrencyWritten => ("the currency", "an ISO 4217 code of three letters, such as XAF"),
        InvalidValue::CurrencyDigits => ("the currency's digits", "0 to 4"),
        InvalidValue::DefinitionFile => ("the definition file", "at least one table in `tables`"),
        InvalidValue::TariffBeginning => ("the tariff's beginning", "a time that is not past"),
        InvalidValue::CreditRule => ("the credit rule", "owe or refuse"),
        InvalidValue::Price => ("the price", "0 to 1000000000 minor units"),
        InvalidValue::UserName => ("the user's name", "2 to 32 of a-z, 0-9, point, underscore and hyphen"),
        InvalidValue::UserNameBegins => {
            ("the user's name", "2 to 32 of a-z, 0-9, point, hyphen and _, not beginning with one of the last three")
        }
    };
    (what, expected.to_owned())
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use sdc::letter::Matricule;
    use store::database::fault::Fault;
    use store::people::approvals::{Act, Need};
    use store::people::{Account, Operation, Privilege};
    use store::tables::{Problem, ProblemCode};

    use super::*;

    fn number(matricule: u32) -> Matricule {
        Matricule::try_from(matricule).unwrap()
    }

    /// Sentences that operators know, word for word.
    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn each_code_has_its_sentence() {
        let at = Utc.with_ymd_and_hms(2026, 12, 1, 8, 30, 0).unwrap();
        let text = str::to_owned;
        let act = Act::UserUnmap { account: text("alice") };
        let cases: Vec<(AdministrationError, &str)> = vec![
            (
                AdministrationError::AgencyUnknown(number(77)),
                "agency 000077 does not exist: `xmserver agency list` shows those that do",
            ),
            (AdministrationError::AgencyExists(number(1)), "agency 000001 exists already"),
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
                AdministrationError::CertificateConcerns(vec![
                    Concern::Ended { at },
                    Concern::NotYetValid { from: at },
                ]),
                "the certificate needs a second look:\n  - it ended on 2026-12-01 08:30:00 UTC: letters are refused\n  - it is not valid \
                 before 2026-12-01 08:30:00 UTC: until then letters are refused",
            ),
            (
                AdministrationError::CertificateRevoked { fingerprint: text("1ac5"), at },
                "certificate 1ac5 was revoked on 2026-12-01 08:30:00 UTC",
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
            (AdministrationError::LineUnknown { book: Book::Journal, id: 99 }, "journal line 99 does not exist"),
            (AdministrationError::LineUnknown { book: Book::Quarantine, id: 9 }, "quarantine entry 9 does not exist"),
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
                "table ecr.X cannot be adopted:\n  - column \"Status\" must be smallint NOT NULL\n  - legal key column K is named twice, or is one of the server's own columns",
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
        ];
        for (error, sentence) in cases {
            assert_eq!(in_utc(&error), sentence, "{}", error.code());
            for line in sentence.lines().map(|line| line.trim_start_matches("  - ")) {
                assert!(::words::Words::is_sentence(line), "no catalogue has {line}");
            }
        }
    }

    #[test]
    fn whatever_operators_do_has_words() {
        let operations = Operation::ALL.iter().map(|operation| operation.name());
        for name in operations.chain(Need::ALL.iter().map(|need| need.name())) {
            assert!(::words::Words::is_known("error-operation-", name), "no catalogue has {name}");
        }
    }

    /// Parameters are for programs: each is there under its name.
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
}
