//! Receipts in words: as an operator reads them to an officer on the telephone, and as the officer's own program shows them.

use sdc::answer::receipt::{Flag, Hold, HoldCode, Receipt, TableReceipt, Verdict};
use sdc::refusal::{Refusal, RowFault};
use words::{Value, Words};

use crate::said;
use crate::speech;

/// Returns a receipt in words, one line for each statement in it. `amount` writes an amount of minor units with its currency.
pub fn lines(receipt: &Receipt, amount: impl Fn(i64) -> String) -> Vec<String> {
    let mut lines = Vec::new();
    match (&receipt.verdict, &receipt.refusal) {
        (Verdict::Accepted, _) => lines.push(said!("receipt-accepted")),
        (Verdict::Refused, None) => lines.push(said!("receipt-refused")),
        (Verdict::Refused, Some(refusal)) => lines.extend(of_refusal(refusal)),
        (Verdict::Held, _) => lines.extend(receipt.hold.as_ref().map(of_hold).unwrap_or_default()),
    }
    let remedy = receipt.remedy.map(|remedy| speech::words().remedy(remedy));
    lines.extend(remedy.map(|remedy| said!("receipt-to-do", remedy = remedy)));
    let rows =
        |rows: &TableReceipt| said!("receipt-rows", table = &rows.table, new = rows.new, duplicate = rows.duplicate);
    lines.extend(receipt.rows.iter().map(rows));
    lines.extend(receipt.rows.iter().flat_map(of_corrections));
    lines.extend(receipt.flags.iter().flat_map(of_flag));
    let account = &receipt.account;
    let (cost, balance) = (amount(account.cost), amount(account.balance));
    let sequence = receipt.highest_sequence.to_string();
    lines.push(said!("receipt-account", cost = cost, balance = balance, sequence = sequence));
    lines.extend(receipt.skew_seconds.map(|seconds| said!("receipt-skew", seconds = seconds)));
    lines
}

/// Returns one line for each outcome that the corrections of a table had.
fn of_corrections(rows: &TableReceipt) -> Vec<String> {
    let table = &rows.table;
    let mut lines = Vec::new();
    if rows.replaced > 0 {
        lines.push(said!("receipt-replaced", table = table, count = rows.replaced));
    }
    if rows.cancelled > 0 {
        lines.push(said!("receipt-cancelled", table = table, count = rows.cancelled));
    }
    if rows.superseded > 0 {
        lines.push(said!("receipt-superseded", table = table, count = rows.superseded));
    }
    if rows.waiting > 0 {
        lines.push(said!("receipt-waiting", table = table, count = rows.waiting));
    }
    lines
}

/// Returns words that say why a letter is held. Its checks are described in both languages of the offices, English and French.
fn of_hold(hold: &Hold) -> Vec<String> {
    let why = match hold.code {
        HoldCode::Check => said!("receipt-held-check"),
        HoldCode::Approval => said!("receipt-held-approval"),
    };
    let told = |flag| told_in_both(flag, ["receipt-hold-broken", "receipt-hold-unjudged"]);
    std::iter::once(why).chain(hold.checks.iter().flat_map(told)).collect()
}

/// Returns a refusal in words: its meaning, its parameters and its faulty rows.
pub fn of_refusal(refusal: &Refusal) -> Vec<String> {
    let words = speech::words();
    let (code, meaning) = (refusal.code.as_str(), words.refusal(refusal.code));
    let mut lines = vec![said!("receipt-refused-because", code = code, meaning = meaning)];
    lines.extend(refusal.parameters.iter().map(|(name, value)| {
        let value = if name == "reason" { words.named("select", value) } else { words.expected(value) };
        format!("  {}", said!("receipt-parameter", name = words.parameter(name), value = value))
    }));
    lines.extend(refusal.faults.iter().map(|fault| format!("  {}", of_fault(fault))));
    let named = u32::try_from(refusal.faults.len()).unwrap_or(u32::MAX);
    if refusal.faults_total > named {
        lines.push(format!("  {}", said!("receipt-faults-more", count = refusal.faults_total - named)));
    }
    lines
}

/// Returns a faulty row in words.
pub fn of_fault(fault: &RowFault) -> String {
    let words = speech::words();
    let (table, row) = (&fault.table, fault.row.to_string());
    let (rule, expected) = (words.rule(&fault.rule), words.expected(&fault.expected));
    match (&fault.column, expected.is_empty()) {
        (None, true) => said!("receipt-fault", table = table, row = row, rule = rule),
        (None, false) => {
            said!("receipt-fault-expected", table = table, row = row, rule = rule, expected = expected)
        }
        (Some(column), true) => {
            said!("receipt-fault-column", table = table, row = row, column = column, rule = rule)
        }
        (Some(column), false) => said!(
            "receipt-fault-column-expected",
            table = table,
            row = row,
            column = column,
            rule = rule,
            expected = expected
        ),
    }
}

/// Returns a flag in both languages of the offices, because the officer who hears it may have to explain it.
fn of_flag(flag: &Flag) -> Vec<String> {
    told_in_both(flag, ["receipt-flag-broken", "receipt-flag-unjudged"])
}

fn told_in_both(flag: &Flag, [broken, not_judged]: [&'static str; 2]) -> Vec<String> {
    let Flag { table, check, unjudged, rows, rows_total } = flag;
    let found = if *unjudged { not_judged } else { broken };
    let of_table =
        || [("check", Value::from(check)), ("table", Value::from(table)), ("rows", Value::from(*rows_total))];
    let languages = words::offices();
    let mut lines: Vec<String> = languages.map(|language| language.text(found, of_table())).to_vec();
    let row = languages.map(|language| language.text("receipt-flag-row", [])).join(", ");
    lines.extend(rows.iter().map(|one| format!("  {row} {}: {}", one.row, one.arithmetic)));
    let named = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let more = rows_total.saturating_sub(named);
    if more > 0 {
        let more = |language: &Words| language.text("receipt-flag-more", [("count", Value::from(more))]);
        lines.push(format!("  {}", languages.map(more).join(", ")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_told_in_both_languages_with_its_arithmetic() {
        let mut flag = Flag::new("ResultatBureau", "ballots_within_signatures", false);
        flag.add(1, || "BulletinsTrouves 7 (7) <= Emargements 6 (6)".to_owned());
        assert_eq!(
            of_flag(&flag),
            [
                "to explain: check ballots_within_signatures of ResultatBureau does not hold, in 1 row; accepted all the same",
                "à expliquer\u{a0}: le contrôle ballots_within_signatures de ResultatBureau n'est pas respecté, sur 1 ligne\u{202f}; \
                 accepté malgré cela",
                "  row, ligne 1: BulletinsTrouves 7 (7) <= Emargements 6 (6)",
            ]
        );
    }

    #[test]
    fn a_flag_of_many_rows_says_how_many_it_does_not_name() {
        let mut flag = Flag::new("Births", "few_twins", true);
        for row in 1..=103 {
            flag.add(row, || "Jumeaux ? (?) <= Status 2 (2)".to_owned());
        }
        let lines = of_flag(&flag);
        assert!(lines[0].contains("cannot be judged, as a value is missing, in 103 rows"), "{}", lines[0]);
        assert!(lines[1].contains("ne peut être jugé, car une valeur manque, sur 103 lignes"), "{}", lines[1]);
        assert_eq!((lines.len(), lines[102].as_str()), (103, "  and 3 more rows, et 3 autres lignes"));
    }
}
