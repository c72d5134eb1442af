//! Invalid values: each error contains the rule that the value breaks. The console and the commands turn it into words.

use serde_json::{Value, json};

macro_rules! invalid_values {
    ($($(#[doc = $rule:literal])* $variant:ident $({ $($(#[doc = $meaning:literal])* $field:ident: $kind:ty),* })? = $name:literal;)*) => {
        /// A value that is not valid, with the rule that it breaks. The names of the rules never change.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum InvalidValue {
            $($(#[doc = $rule])* $variant $({ $($(#[doc = $meaning])* $field: $kind),* })?,)*
        }

        impl InvalidValue {
            /// Returns the name of the rule.
            pub fn name(&self) -> &'static str {
                match self { $(InvalidValue::$variant { .. } => $name,)* }
            }

            /// Returns the name of the rule and its parameters, as JSON.
            pub fn parameters(&self) -> Value {
                match self {
                    $(InvalidValue::$variant $({ $($field),* })? => {
                        json!({ "rule": $name $($(, stringify!($field): $field)*)? })
                    })*
                }
            }
        }
    };
}

invalid_values! {
    /// An amount of money is from 1 to a maximum.
    Amount {
        /// Largest amount, in minor units.
        max: i64
    } = "amount";
    /// A limit of recharges is an amount from 0 to a maximum.
    RechargeLimit {
        /// Largest limit, in minor units.
        max: i64
    } = "recharge_limit";
    /// A batch has from 1 to a maximum of vouchers.
    Vouchers {
        /// Largest number of vouchers of a batch.
        max: i32
    } = "vouchers";
    /// Vouchers expire at a time in the future, within five years.
    VoucherEnd = "voucher_end";
    /// The sequence number of a letter is 1 or more.
    LetterNumber = "letter_number";
    /// The text of a message is not empty, and its only control characters are line breaks.
    Message {
        /// Largest number of characters of the text.
        chars_max: usize
    } = "message";
    /// A note has a limited length.
    Note {
        /// Largest number of characters of the note.
        chars_max: usize
    } = "note";
    /// An agency's limit for a letter, in bytes, is within the server's bounds.
    LetterLimit = "letter_limit";
    /// An agency's status is 0 to 3.
    Status = "status";
    /// A credit limit is 0 or more minor units.
    CreditLimit = "credit_limit";
    /// A town is text on one line.
    Town = "town";
    /// Areas are names on one line, separated by `/`.
    Area = "area";
    /// A telephone number is text on one line.
    Telephone = "telephone";
    /// A name is text on one line, and not empty.
    Name = "name";
    /// An e-mail address is ASCII.
    EmailAscii = "email_ascii";
    /// An e-mail address is `local@domain`.
    EmailParts = "email_parts";
    /// A change of an agency changes at least one value.
    Change = "change";
    /// A reason is text on one line, and not empty.
    Reason = "reason";
    /// An explanation is text on one line, and not empty.
    Explanation {
        /// Largest number of characters of the explanation.
        chars_max: usize
    } = "explanation";
    /// A file of reference data is CSV in UTF-8, with names of columns and at least one row.
    LoadFile = "load_file";
    /// The file to be loaded is the file that the approval names.
    LoadFileOther {
        /// SHA-256 of the file that the approval names, in hexadecimal.
        sha256: String
    } = "load_file_other";
    /// A check to be waived is one of the checks that hold the letter.
    CheckWaived {
        /// Checks that hold the letter.
        known: Vec<String>
    } = "check_waived";
    /// A record is named by one value for each column of its table's legal key.
    RecordKey {
        /// Columns of the legal key.
        columns: Vec<String>
    } = "record_key";
    /// An installation's name has 1 to 32 characters of a-z, 0-9 and hyphen.
    InstallationName = "installation_name";
    /// A scope has a column and at least one code.
    Scope = "scope";
    /// Codes of a scope have no blanks around them and no control characters.
    ScopeCodes = "scope_codes";
    /// A server's name has 1 to 63 characters of a-z, 0-9, point and hyphen.
    ServerName = "server_name";
    /// A currency is an ISO 4217 code of three capital letters.
    Currency = "currency";
    /// A currency that a person types is an ISO 4217 code of three letters, small or capital.
    CurrencyWritten = "currency_written";
    /// A currency's minor unit has 0 to 4 digits.
    CurrencyDigits = "currency_digits";
    /// A definition file has at least one table.
    DefinitionFile = "definition_file";
    /// A tariff begins at a time that is not past.
    TariffBeginning = "tariff_beginning";
    /// A tariff's service is one that may have a price.
    Service {
        /// Services that may have a price.
        known: Vec<&'static str>
    } = "service";
    /// A credit rule is `owe` or `refuse`.
    CreditRule = "credit_rule";
    /// A price is an amount of minor units from 0 to a maximum.
    Price = "price";
    /// A password that a user chooses has a least length, several different characters, and not the user's name in it.
    Password {
        /// Least number of characters.
        chars_min: usize,
        /// Largest number of characters.
        chars_max: usize,
        /// Least number of different characters.
        different_min: usize
    } = "password";
    /// A new password is another one than the former.
    PasswordSame = "password_same";
    /// The sample user exists in the demo's centre alone.
    SampleUser = "sample_user";
    /// A user's name has 2 to 32 characters of a-z, 0-9, point, underscore and hyphen.
    UserName = "user_name";
    /// The first user's name has the characters of every user's name, and begins with a letter or digit.
    UserNameBegins = "user_name_begins";
    /// A sample has one of the known names.
    SampleName {
        /// Names of the samples.
        known: Vec<&'static str>
    } = "sample_name";
}
