//! Sentences for values that are not valid: each names the value and says what it must be.

use store::error::InvalidValue;

/// Returns the sentence of an invalid value.
pub(super) fn sentence(value: &InvalidValue) -> String {
    let (what, expected) = invalid(value);
    format!("{what} is not valid: expected {expected}")
}

/// Returns the name of the invalid value, and what was expected.
fn invalid(value: &InvalidValue) -> (&'static str, String) {
    let (what, expected) = match value {
        InvalidValue::Amount { max } => return ("the amount", format!("1 to {max} minor units")),
        InvalidValue::Vouchers { max } => return ("the number of vouchers", format!("1 to {max}")),
        InvalidValue::LetterNumber => ("the number of the letter", "1 or more"),
        InvalidValue::Message { chars_max } => {
            return ("the message", format!("1 to {chars_max} characters, of lines without other controls"));
        }
        InvalidValue::RechargeLimit { max } => return ("the limit", format!("0 to {max} minor units")),
        InvalidValue::Note { chars_max } => return ("the note", format!("at most {chars_max} characters")),
        InvalidValue::Service { known } => return ("the service", format!("one of {}", known.join(", "))),
        InvalidValue::Explanation { chars_max } => {
            return ("the explanation", format!("1 to {chars_max} characters on one line"));
        }
        InvalidValue::LoadFileOther { sha256 } => {
            return ("the file", format!("the one that was asked for, of SHA-256 {sha256}"));
        }
        InvalidValue::RecordKey { columns } => {
            return ("the record", format!("one value for each of {}", columns.join(", ")));
        }
        InvalidValue::LoadFile => ("the file", "CSV in UTF-8, with a line of column names and at least one of values"),
        InvalidValue::CheckWaived { known } => return ("the check to be waived", known.join(" or ")),
        InvalidValue::SampleName { known } => return ("the sample's name", known.join(" or ")),
        InvalidValue::VoucherEnd => ("the end of the vouchers", "a time to come, of the next five years"),
        InvalidValue::LetterLimit => ("the letter limit", "4096 to 16777216 bytes"),
        InvalidValue::Status => {
            ("the status", "0 suspended, 1 some services, 2 all but export, correct and import, or 3 all")
        }
        InvalidValue::CreditLimit => ("the credit limit", "an amount of 0 or more"),
        InvalidValue::Town => ("the town", "text on one line"),
        InvalidValue::Area => ("the area", "names separated by strokes, as in Littoral/Sanaga-Maritime"),
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
        InvalidValue::Currency => ("the currency", "an ISO 4217 code of three capital letters"),
        InvalidValue::CurrencyWritten => ("the currency", "an ISO 4217 code of three letters, such as XAF"),
        InvalidValue::CurrencyDigits => ("the currency's digits", "0 to 4"),
        InvalidValue::DefinitionFile => ("the definition file", "at least one table in `tables`"),
        InvalidValue::TariffBeginning => ("the tariff's beginning", "a time that is not past"),
        InvalidValue::CreditRule => ("the credit rule", "owe or refuse"),
        InvalidValue::Price => ("the price", "0 to 1000000000 minor units"),
        InvalidValue::Password { chars_min, chars_max, different_min } => {
            return (
                "the password",
                format!(
                    "{chars_min} to {chars_max} characters, {different_min} of them different, without the user's name"
                ),
            );
        }
        InvalidValue::PasswordSame => ("the password", "another one than before"),
        InvalidValue::SampleUser => ("the sample user", "the demo's centre, which alone has him"),
        InvalidValue::UserName => ("the user's name", "2 to 32 of a-z, 0-9, point, underscore and hyphen"),
        InvalidValue::UserNameBegins => {
            ("the user's name", "2 to 32 of a-z, 0-9, point, hyphen and _, not beginning with one of the last three")
        }
    };
    (what, expected.to_owned())
}
