//! What every refusal is called before people who do not know the codes.

use sdc::refusal::RefusalCode;

/// Names an attack or a mistake in a few words. The match has no rest: a new code needs its words.
pub fn words(code: RefusalCode) -> &'static str {
    match code {
        RefusalCode::OverSize => "a mail larger than any letter may be",
        RefusalCode::MailMalformed => "a mail of too many parts",
        RefusalCode::NoContainer => "a person's mail with no letter in it",
        RefusalCode::DocumentMalformed => "a document damaged on its way",
        RefusalCode::EnvelopeMalformed => "noise where the envelope should be",
        RefusalCode::EnvelopeForbidden => "an envelope of a forbidden kind",
        RefusalCode::NotForThisCentre => "encrypted for another centre",
        RefusalCode::Undecryptable => "an envelope tampered with on its way",
        RefusalCode::SignatureMalformed => "noise where the signature should be",
        RefusalCode::SignatureForbidden => "a signature of a forbidden kind",
        RefusalCode::UnknownSigner => "signed with a stranger's key",
        RefusalCode::SignatureInvalid => "a forged signature or a changed text",
        RefusalCode::CertificateRevoked => "signed with a revoked certificate",
        RefusalCode::Poison => "a letter that made the centre fail",
        RefusalCode::CertificateExpired => "signed with an expired certificate",
        RefusalCode::CipherNotAllowed => "a cipher that the office may not use",
        RefusalCode::LetterTooLarge => "larger than the office's limit",
        RefusalCode::CompressionMalformed => "a compressed text that is damaged",
        RefusalCode::PayloadMalformed => "a text that is not of the format",
        RefusalCode::VersionUnsupported => "a version that the centre does not read",
        RefusalCode::SenderMismatch => "signed in another office's name",
        RefusalCode::WrongServer => "addressed to another server",
        RefusalCode::WrongMode => "a live letter sent to a rehearsal",
        RefusalCode::InstallationUnknown => "from a computer that is not enrolled",
        RefusalCode::LetterConflict => "a former letter's id, other content",
        RefusalCode::SequenceConflict => "a former letter's number, other content",
        RefusalCode::SequenceExpired => "a letter's number far too old",
        RefusalCode::AgencySuspended => "from a suspended office",
        RefusalCode::ServiceUnknown => "asks for a service that there is not",
        RefusalCode::ServiceNotAllowed => "asks for a service not open to it",
        RefusalCode::TableUnknown => "for a table that the centre has not",
        RefusalCode::TableNotGranted => "for a table not open to the office",
        RefusalCode::ColumnsMismatch => "a column missing or unknown",
        RefusalCode::RowsInvalid => "a date that is no date, and the like",
        RefusalCode::OutOfScope => "a record in another office's name",
        RefusalCode::Conflict => "a record sent before, changed",
        RefusalCode::CheckFailed => "votes whose sums are wrong",
        RefusalCode::InsufficientCredit => "no credit for what it costs",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_has_words_of_its_own_that_fit_a_line() {
        let all: HashSet<&str> = RefusalCode::ALL.iter().map(|code| words(*code)).collect();
        assert_eq!(all.len(), RefusalCode::ALL.len());
        for code in RefusalCode::ALL {
            let words = words(*code);
            assert!((10..=40).contains(&words.len()) && !words.contains(code.as_str()), "{code}: {words}");
        }
    }
}
