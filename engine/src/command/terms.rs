//! Words for the codes that journal, quarantine and ledger keep. A code that operators use in options is shown beside its words.

use sdc::refusal::RefusalCode;

use crate::speech::{self, said};

/// Returns the words of a letter's outcome. The code of a refusal stays as it is: FORMAT.md, lists and options use the code.
pub fn outcome(code: &str) -> String {
    match code {
        "accepted" => said!("outcome-accepted"),
        "duplicate" => said!("outcome-duplicate"),
        "held" => said!("outcome-held"),
        other => other.to_owned(),
    }
}

/// Returns the words of what became of an entry that was retried or dropped with others. The code of a refusal stays as it is.
pub fn taken(code: &str) -> String {
    match code {
        "dropped" => said!("taken-dropped"),
        "decided" => said!("taken-decided"),
        "incomplete" => said!("taken-incomplete"),
        "gone" => said!("taken-gone"),
        "not_opened" => said!("taken-not-opened"),
        "deferred" => said!("taken-deferred"),
        "accepted_before" => said!("taken-accepted-before"),
        other => outcome(other),
    }
}

/// Returns a few words that say why a container was not accepted, with the code in brackets.
pub fn reason(code: &str) -> String {
    match RefusalCode::parse(code) {
        Some(refusal) => format!("{} [{code}]", speech::words().refusal_short(refusal)),
        None => code.to_owned(),
    }
}

/// Returns the words of the transport by which a letter came.
pub fn transport(name: &str) -> String {
    match name {
        "mail" => said!("transport-mail"),
        "folder" => said!("transport-folder"),
        "http" => said!("transport-http"),
        other => other.to_owned(),
    }
}

/// Returns the words of a ledger entry's kind.
pub fn kind(code: &str) -> String {
    match code {
        "letter" => said!("entry-letter"),
        "recharge" => said!("entry-recharge"),
        "voucher" => said!("entry-voucher"),
        "manual" => said!("entry-manual"),
        "reversal" => said!("entry-reversal"),
        other => other.to_owned(),
    }
}

/// Returns the meaning of an agency's status.
pub(super) fn status(status: i16) -> String {
    match status {
        0 => said!("status-0"),
        1 => said!("status-1"),
        2 => said!("status-2"),
        _ => said!("status-3"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_said_and_what_is_unknown_is_shown_as_it_is() {
        assert_eq!(reason("unknown_signer"), "signed with a stranger's key [unknown_signer]");
        assert_eq!([outcome("accepted"), outcome("rows_invalid")], ["accepted", "rows_invalid"]);
        assert_eq!([transport("folder"), transport("pigeon"), kind("letter")], ["folder", "pigeon", "letter"]);
        assert_eq!(transport("http"), "over HTTPS");
        assert_eq!(reason("of a newer program"), "of a newer program");
    }
}
