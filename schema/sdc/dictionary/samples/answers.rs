//! Invented answers of the centre.

use sdc::answer::receipt::{AccountReceipt, Receipt, TableReceipt, Verdict};
use sdc::answer::{Addressee, Answer};
use sdc::letter::FORMAT_VERSION;
use sdc::refusal::{Refusal, RefusalCode, RowFault};

use super::{Corpus, Dice, Registry, id_of};

/// The refusal codes that existed when the dictionary was made. The dictionary is published and must never change, so later codes are not
/// added here.
const TOLD: [RefusalCode; 24] = [
    RefusalCode::CertificateExpired,
    RefusalCode::CipherNotAllowed,
    RefusalCode::LetterTooLarge,
    RefusalCode::CompressionMalformed,
    RefusalCode::PayloadMalformed,
    RefusalCode::VersionUnsupported,
    RefusalCode::SenderMismatch,
    RefusalCode::WrongServer,
    RefusalCode::WrongMode,
    RefusalCode::InstallationUnknown,
    RefusalCode::LetterConflict,
    RefusalCode::SequenceConflict,
    RefusalCode::SequenceExpired,
    RefusalCode::AgencySuspended,
    RefusalCode::ServiceUnknown,
    RefusalCode::ServiceNotAllowed,
    RefusalCode::TableUnknown,
    RefusalCode::TableNotGranted,
    RefusalCode::ColumnsMismatch,
    RefusalCode::RowsInvalid,
    RefusalCode::OutOfScope,
    RefusalCode::Conflict,
    RefusalCode::CheckFailed,
    RefusalCode::InsufficientCredit,
];

fn refusal(dice: &mut Dice) -> Refusal {
    let code = TOLD[usize::try_from(dice.number(1, TOLD.len() as u64)).expect("an index") - 1];
    let refusal = Refusal::new(code);
    match code {
        RefusalCode::RowsInvalid | RefusalCode::OutOfScope | RefusalCode::Conflict | RefusalCode::CheckFailed => {
            let rules = [
                ("type", "date YYYY-MM-DD"),
                ("not_null", ""),
                ("length", "at most 80 characters"),
                ("scope", ""),
                ("conflict", ""),
                ("type", "an integer"),
            ];
            let (rule, expected) = rules[usize::try_from(dice.number(0, 5)).expect("an index")];
            let fault = RowFault {
                table: dice
                    .of(&["ActeNaissance", "ActeDeces", "ActeMariage", "ResultatBureau", "VoixCandidat"])
                    .to_owned(),
                row: u32::try_from(dice.number(1, 9)).expect("a row"),
                column: Some(
                    dice.of(&["CentreCode", "DateNaissance", "NomEnfant", "BureauCode", "Exprimes"]).to_owned(),
                ),
                rule: rule.to_owned(),
                expected: expected.to_owned(),
            };
            refusal.with_faults(vec![fault])
        }
        RefusalCode::LetterConflict | RefusalCode::SequenceConflict | RefusalCode::AgencySuspended => refusal,
        RefusalCode::InsufficientCredit => {
            refusal.with("balance", dice.number(0, 99)).with("price", dice.number(100, 999))
        }
        _ => refusal.with("expected", dice.number(1, 9)).with("found", dice.number(1, 9)),
    }
}

/// Makes the answer to a letter, which is accepted in four cases of five.
pub fn answer(dice: &mut Dice, corpus: &Corpus) -> Answer {
    let mut registry = Registry::new(dice, corpus);
    registry.sequence += 1;
    let received = dice.time();
    let refusal = if dice.percent(20) { Some(refusal(dice)) } else { None };
    let is_refused = refusal.is_some();
    let tables: &[&str] = match dice.number(0, 4) {
        0 => &["ResultatBureau", "VoixCandidat"],
        1 => &["ActeDeces"],
        2 => &["ActeMariage"],
        _ => &["ActeNaissance"],
    };
    let row = |table: &&str| TableReceipt { table: (*table).to_owned(), new: 1, ..TableReceipt::default() };
    let receipt = Receipt {
        letter: Some(id_of(received, dice)),
        digest: dice.octets::<32>().map(|octet| format!("{octet:02x}")).concat(),
        sequence: Some(registry.sequence),
        attempt: 1,
        epoch: 1,
        verdict: if is_refused { Verdict::Refused } else { Verdict::Accepted },
        remedy: refusal.as_ref().and_then(|refusal| refusal.code.remedy()),
        refusal,
        hold: None,
        rows: if is_refused { Vec::new() } else { tables.iter().map(row).collect() },
        flags: Vec::new(),
        read: None,
        account: AccountReceipt {
            cost: i64::try_from(dice.number(0, 20) * 25).expect("a price"),
            balance: i64::try_from(dice.number(0, 4000) * 25).expect("a balance") - 5000,
            currency: dice
                .of(&["XAF", "XAF", "XOF", "XOF", "CDF", "GNF", "BIF", "RWF", "MGA", "MRU", "DJF", "KMF"])
                .to_owned(),
        },
        highest_sequence: registry.sequence,
        received,
        skew_seconds: Some(i64::try_from(dice.number(0, 400)).expect("seconds") - 200),
    };
    Answer {
        sdc: FORMAT_VERSION,
        id: id_of(received, dice),
        from: registry.server,
        to: Addressee { agency: registry.head.agency, installation: Some(registry.head.installation) },
        time: received,
        mode: registry.mode,
        receipt,
        body: None,
    }
}
