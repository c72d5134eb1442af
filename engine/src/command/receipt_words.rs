//! A receipt in words: what an officer on the telephone is read.

use sdc::receipt::{Receipt, Verdict};
use sdc::refusal::{Refusal, Remedy};

use super::Desk;
use crate::show;

/// Words a receipt, a line for each thing that it says.
pub(super) fn lines(receipt: &Receipt, desk: &Desk) -> Vec<String> {
    let mut lines = Vec::new();
    match (&receipt.verdict, &receipt.refusal) {
        (Verdict::Accepted, _) => lines.push("accepted: every record is in the tables".to_owned()),
        (Verdict::Refused, None) => lines.push("refused".to_owned()),
        (Verdict::Refused, Some(refusal)) => lines.extend(of_refusal(refusal)),
    }
    match receipt.remedy {
        Some(Remedy::Mend) => {
            lines.push("to do: the officer mends it and sends the records in a new letter".to_owned());
        }
        Some(Remedy::Wait) => {
            lines.push("to do: the office waits until it is told or has paid, then sends the records again".to_owned());
        }
        None => {}
    }
    lines.extend(
        receipt.rows.iter().map(|rows| format!("{}: {} new, {} held already", rows.table, rows.new, rows.duplicate)),
    );
    let account = &receipt.account;
    let (cost, balance) = (show::amount(account.cost, &desk.server), show::amount(account.balance, &desk.server));
    lines.push(format!("cost {cost}, balance after it {balance}; highest sequence held {}", receipt.highest_sequence));
    if let Some(seconds) = receipt.skew_seconds {
        lines.push(format!("the office's clock less the centre's: {seconds} s, the letter's way included"));
    }
    lines
}

fn of_refusal(refusal: &Refusal) -> Vec<String> {
    let mut lines = vec![format!("refused {}: {}", refusal.code, refusal.code.meaning())];
    lines.extend(refusal.parameters.iter().map(|(name, value)| format!("  {name}: {value}")));
    for fault in &refusal.faults {
        let column = fault.column.as_ref().map_or_else(String::new, |column| format!(", {column}"));
        let expected = if fault.expected.is_empty() { String::new() } else { format!(", expected {}", fault.expected) };
        lines.push(format!("  {} row {}{column}: rule {}{expected}", fault.table, fault.row, fault.rule));
    }
    let named = u32::try_from(refusal.faults.len()).unwrap_or(u32::MAX);
    if refusal.faults_total > named {
        lines.push(format!("  and {} more faulty rows", refusal.faults_total - named));
    }
    lines
}
