//! Sentences for errors of an import of agencies: of the file, and of one of its rows.

use store::error::ImportError;

/// Returns the sentence of an error.
pub(super) fn sentence(error: &ImportError) -> String {
    match error {
        ImportError::Columns { unknown, known } => {
            let (unknown, known) = (unknown.join(", "), known.join(", "));
            format!("the file has columns that are unknown or stand twice, {unknown}: known are {known}")
        }
        ImportError::Empty => {
            "the file has no agencies: expected CSV with a line of column names, matricule among them, and at least \
                               one row"
                .to_owned()
        }
        ImportError::Cells { expected, found } => {
            format!(
                "the row has {found} cells and the file {expected} columns: quote cells with a separator or a quotation mark in them"
            )
        }
        ImportError::Matricule { found } => {
            format!("expected a matricule of 1 to 999999, such as 000042, found {found:?}")
        }
        ImportError::Twice { line } => format!("line {line} is about the same agency"),
        ImportError::Amount { column, found } => {
            format!(
                "column {column} says {found:?}: expected an amount in the main unit of the currency, such as 12500"
            )
        }
        ImportError::YesOrNo { column, found } => format!("column {column} says {found:?}: expected yes or no"),
        ImportError::Certificate { reason } if reason.is_empty() => {
            "the cell has no certificate: expected PEM, or the base64 of a certificate in DER".to_owned()
        }
        ImportError::Certificate { reason } => format!("the certificate of the row cannot be registered: {reason}"),
        ImportError::Fingerprints { certificates, fingerprints } => format!(
            "the row has {certificates} certificates and {fingerprints} fingerprints: expected the fingerprint of each, as the office told \
             it over another channel"
        ),
        ImportError::FurtherKey { agency } => format!(
            "agency {agency} has or had another key, so that its certificate takes two people: `xmserver cert register {agency} FILE`"
        ),
        ImportError::Balance { limit } => format!(
            "the opening balance is above what one person may recharge alone, {limit} minor units: `xmserver approval limit` raises it"
        ),
    }
}
