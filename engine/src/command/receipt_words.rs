//! A receipt in words: what an officer on the telephone is read.

use sdc::answer::receipt::{Flag, Receipt, Verdict};
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
    lines.extend(receipt.flags.iter().flat_map(of_flag));
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

/// Words a flag in both languages of the offices: it is read to an officer who may be asked for an explanation.
fn of_flag(flag: &Flag) -> Vec<String> {
    let Flag { table, check, unjudged, rows, rows_total } = flag;
    let (english, french) = if *unjudged {
        ("cannot be judged, as a value is missing", "ne peut être jugé, car une valeur manque")
    } else {
        ("does not hold", "n'est pas respecté")
    };
    let (in_rows, aux_lignes) = match rows_total {
        1 => ("1 row".to_owned(), "1 ligne".to_owned()),
        many => (format!("{many} rows"), format!("{many} lignes")),
    };
    let mut lines = vec![
        format!("to explain: check {check} of {table} {english}, in {in_rows}; accepted all the same"),
        format!("à expliquer : le contrôle {check} de {table} {french}, sur {aux_lignes} ; accepté malgré cela"),
    ];
    lines.extend(rows.iter().map(|row| format!("  row, ligne {}: {}", row.row, row.arithmetic)));
    let named = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let more = rows_total.saturating_sub(named);
    if more > 0 {
        lines.push(format!("  and {more} more rows, et {more} autres lignes"));
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
                "à expliquer : le contrôle ballots_within_signatures de ResultatBureau n'est pas respecté, sur 1 ligne ; \
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
