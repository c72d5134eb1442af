//! Values that are not valid: which one, and the rule that it breaks. The words are made where they are read.

use serde_json::{Value, json};

macro_rules! invalid_values {
    ($($(#[doc = $rule:literal])* $variant:ident $({ $($(#[doc = $meaning:literal])* $field:ident: $kind:ty),* })? = $name:literal;)*) => {
        /// What is not valid, and by which rule. Names are stable.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum InvalidValue {
            $($(#[doc = $rule])* $variant $({ $($(#[doc = $meaning])* $field: $kind),* })?,)*
        }

        impl InvalidValue {
            /// Returns the rule's name.
            pub fn name(&self) -> &'static str {
                match self { $(InvalidValue::$variant { .. } => $name,)* }
            }

            /// Returns what the rule's words need besides.
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
    /// An amount of money from 1 on.
    Amount {
        /// Most of it, in minor units.
        max: i64
    } = "amount";
    /// An amount of money from 0 on.
    RechargeLimit {
        /// Most of it, in minor units.
        max: i64
    } = "recharge_limit";
    /// How many vouchers.
    Vouchers {
        /// Most of them.
        max: i32
    } = "vouchers";
    /// When vouchers end.
    VoucherEnd = "voucher_end";
    /// The number of a letter.
    LetterNumber = "letter_number";
    /// A message's text.
    Message {
        /// Most characters.
        chars_max: usize
    } = "message";
    /// A note's length.
    Note {
        /// Most characters.
        chars_max: usize
    } = "note";
    /// An agency's limit for a letter, in bytes.
    LetterLimit = "letter_limit";
    /// An agency's status.
    Status = "status";
    /// Not below zero.
    CreditLimit = "credit_limit";
    /// A town on one line.
    Town = "town";
    /// A telephone number on one line.
    Telephone = "telephone";
    /// A name on one line.
    Name = "name";
    /// An address in ASCII.
    EmailAscii = "email_ascii";
    /// An address of two parts.
    EmailParts = "email_parts";
    /// A change of something.
    Change = "change";
    /// A reason on one line.
    Reason = "reason";
    /// An explanation on one line.
    Explanation {
        /// Most characters.
        chars_max: usize
    } = "explanation";
    /// A file of reference data.
    LoadFile = "load_file";
    /// The file that was asked for.
    LoadFileOther {
        /// Its SHA-256.
        sha256: String
    } = "load_file_other";
    /// A check that holds the letter.
    CheckWaived {
        /// Those that there are.
        known: Vec<String>
    } = "check_waived";
    /// An installation's name.
    InstallationName = "installation_name";
    /// A scope with a column and a code.
    Scope = "scope";
    /// Codes as letters have them.
    ScopeCodes = "scope_codes";
    /// A server's name.
    ServerName = "server_name";
    /// A currency in capital letters.
    Currency = "currency";
    /// A currency as people write it.
    CurrencyWritten = "currency_written";
    /// Digits of a currency's minor unit.
    CurrencyDigits = "currency_digits";
    /// A definition file with a table.
    DefinitionFile = "definition_file";
    /// A beginning that is not past.
    TariffBeginning = "tariff_beginning";
    /// A service that may have a price.
    Service {
        /// Those that there are.
        known: Vec<&'static str>
    } = "service";
    /// What happens without credit.
    CreditRule = "credit_rule";
    /// A price in minor units.
    Price = "price";
    /// A user's name.
    UserName = "user_name";
    /// A user's name, with how it begins.
    UserNameBegins = "user_name_begins";
    /// A sample's name.
    SampleName {
        /// Those that there are.
        known: Vec<&'static str>
    } = "sample_name";
}
