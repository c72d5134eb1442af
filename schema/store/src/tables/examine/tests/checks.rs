//! Tests of the checks that are computed when a letter is examined: rows refused, rows flagged, and rows that cannot be judged.

use sdc::refusal::{Refusal, RefusalCode, RowFaults};
use serde_json::{Value, json};

use super::column;
use crate::tables::definition::{
    Allowance, Check, Column, ColumnType, Comparison, Corrections, Counted, Definition, Severity, Term,
};
use crate::tables::examine::values::TEXTS_MADE;
use crate::tables::examine::{ColumnValues, Finding, Flags, Holdings, Measure, Sides, TableRows, checks};

/// Makes a letter's rows for a table with columns of whole numbers.
fn whole_numbers(name: &str, columns: &[(&str, Vec<Option<i64>>)], checks: Vec<Check>) -> TableRows {
    let definition = Definition {
        table_id: 1,
        application: "election".to_owned(),
        name: name.to_owned(),
        schema_name: "election".to_owned(),
        relation_name: name.to_owned(),
        version: 1,
        scope_column: None,
        legal_key: Vec::new(),
        corrections: Corrections::Never,
        results: false,
        notes: None,
        checks,
        columns: columns
            .iter()
            .map(|(name, _)| Column { nullable: true, ..column(name, ColumnType::Bigint) })
            .collect(),
    };
    let values = columns.iter().zip(&definition.columns).map(|((_, values), column)| {
        let values: Vec<Value> = values.iter().map(|value| json!(value)).collect();
        ColumnValues::read(column, &values, &mut |_, _, _| panic!("no fault is expected"))
    });
    let numeros = (1..).take(columns[0].1.len()).collect();
    TableRows {
        columns: (0..columns.len()).collect(),
        values: values.collect(),
        numeros,
        flags: Flags::default(),
        definition: definition.into(),
    }
}

/// Rows are surely new only if nothing is stored in a group to which they belong. A row with NULL in the group's column belongs to no
/// group.
#[test]
fn rows_are_surely_new_only_where_nothing_is_stored_of_their_groups() {
    let measure = |table_id| Measure { table_id, column: Some("Voix".to_owned()), on: vec!["Bureau".to_owned()] };
    let rows = |offices: &[Option<i64>]| {
        whole_numbers(
            "VoixCandidat",
            &[("Bureau", offices.to_vec()), ("Voix", vec![Some(3); offices.len()])],
            Vec::new(),
        )
    };
    let mut holdings = Holdings::default();
    for office in ["1", "2"] {
        holdings.ask(&measure(1), vec![office.to_owned()]);
    }
    let groups = holdings.iter_mut().next().unwrap().1;
    groups.get_mut(&["2".to_owned()][..]).unwrap().add(Some(5));
    for (offices, are_new) in [
        (&[Some(1), Some(1)][..], true),
        (&[Some(1), Some(2)], false),
        (&[Some(1), None], false),
        (&[Some(1), Some(3)], false),
    ] {
        assert_eq!(holdings.have_none_of(&rows(offices)), are_new, "{offices:?}");
    }
    let mut of_other = Holdings::default();
    of_other.ask(&measure(2), vec!["1".to_owned()]);
    assert!(!of_other.have_none_of(&rows(&[Some(1)])), "nothing is known of a table that has no groups");
}

#[test]
fn sums_over_another_table_go_by_the_columns_agreed_on_and_take_no_longer_for_being_many() {
    const OFFICES: i64 = 10_000;
    let check = Check {
        code: "C4".to_owned(),
        left: vec![Term::Column("Exprimes".to_owned())],
        comparison: Comparison::Equal,
        right: vec![Term::Sum {
            table: "VoixCandidat".to_owned(),
            sum: "Voix".to_owned(),
            on: vec!["Bureau".to_owned()],
            held: false,
        }],
        severity: Severity::Refuse,
        allowance: None,
    };
    // There are two candidates, and each has 3 or 4 votes in every office. The result of office 5000 states eight votes in all, and office
    // 9999 has no votes.
    let offices: Vec<i64> = (1..=OFFICES).collect();
    let counted = offices.iter().map(|office| Some(if *office == 5000 { 8 } else { 7 })).collect();
    let both: Vec<i64> = offices.iter().chain(&offices).copied().filter(|office| *office != 9999).collect();
    let voices = (0..both.len()).map(|at| Some(if at < both.len() / 2 { 3 } else { 4 })).collect();
    let rows = offices.len() + both.len();
    let (offices, both) = (some(&offices), some(&both));
    let tables = [
        whole_numbers("ResultatBureau", &[("Bureau", offices), ("Exprimes", counted)], vec![check]),
        whole_numbers("VoixCandidat", &[("Bureau", both), ("Voix", voices)], Vec::new()),
    ];
    let mut faults = RowFaults::default();
    let made_before = TEXTS_MADE.get();
    checks::reckon(&tables, &mut faults);
    let refusal = Refusal::new(RefusalCode::CheckFailed).with_faults(faults);
    let found: Vec<(u32, &str)> = refusal.faults.iter().map(|fault| (fault.row, fault.expected.as_str())).collect();
    let expected = [
        (5000, "Exprimes 8 (8) = sum of VoixCandidat.Voix 7 (7)"),
        (9999, "Exprimes 7 (7) = sum of VoixCandidat.Voix 0 (0)"),
    ];
    assert_eq!(found, expected);
    // If every result were compared with every vote, 200 million texts would be made. The check must make only one text for each row, and
    // one more for each row in the refusal.
    assert_eq!(TEXTS_MADE.get() - made_before, rows + expected.len());
}

fn some(values: &[i64]) -> Vec<Option<i64>> {
    values.iter().copied().map(Some).collect()
}

/// Makes the check `left <= right` of two columns.
fn at_most(code: &str, severity: Severity, left: &str, right: &str) -> Check {
    let term = |name: &str| vec![Term::Column(name.to_owned())];
    Check {
        code: code.to_owned(),
        severity,
        left: term(left),
        comparison: Comparison::AtMost,
        right: term(right),
        allowance: None,
    }
}

/// Computes the checks of one table. Returns the refused rows, and the flags as row, finding and arithmetic.
fn reckoned(columns: &[(&str, Vec<Option<i64>>)], check: Check) -> (Vec<u32>, Vec<(usize, Finding, String)>) {
    let tables = [whole_numbers("ResultatBureau", columns, vec![check])];
    let mut faults = RowFaults::default();
    let flags = checks::reckon(&tables, &mut faults).remove(0);
    let refused = Refusal::new(RefusalCode::CheckFailed).with_faults(faults).faults.iter().map(|it| it.row).collect();
    (refused, told(&tables, &flags))
}

/// Returns the flags of the first table as row, finding and arithmetic.
fn told(tables: &[TableRows], flags: &Flags) -> Vec<(usize, Finding, String)> {
    let mut told = Vec::new();
    for flagged in flags.iter() {
        let check = &tables[0].definition.checks[flagged.check];
        let sides = Sides::of(check, &tables[0], tables, None);
        for row in flagged.rows.iter().map(|row| *row as usize) {
            told.push((row, flagged.finding, sides.figures(row).arithmetic(check)));
        }
    }
    told
}

#[test]
fn a_flagging_check_refuses_nobody_and_tells_its_figures() {
    let columns = [("Bulletins", some(&[7, 6, 5])), ("Emargements", some(&[6, 6, 6]))];
    let (refused, flagged) = reckoned(&columns, at_most("c", Severity::Flag, "Bulletins", "Emargements"));
    assert!(refused.is_empty());
    assert_eq!(flagged, [(0, Finding::Broken, "Bulletins 7 (7) <= Emargements 6 (6)".to_owned())]);
    let (refused, flagged) = reckoned(&columns, at_most("c", Severity::Refuse, "Bulletins", "Emargements"));
    assert_eq!((refused, flagged.len()), (vec![1], 0));
}

#[test]
fn what_has_a_figure_missing_is_told_as_unjudged_whatever_the_severity() {
    let columns = [("Bulletins", vec![None, Some(9), Some(9)]), ("Emargements", vec![Some(6), None, Some(9)])];
    for severity in [Severity::Refuse, Severity::Flag] {
        let (refused, flagged) = reckoned(&columns, at_most("c", severity, "Bulletins", "Emargements"));
        assert!(refused.is_empty(), "{severity:?}");
        let expected = [
            (0, Finding::Unjudged, "Bulletins ? (?) <= Emargements 6 (6)".to_owned()),
            (1, Finding::Unjudged, "Bulletins 9 (9) <= Emargements ? (?)".to_owned()),
        ];
        assert_eq!(flagged, expected, "{severity:?}");
        // The letter leaves the column out. The column may have a default, which examination does not know.
        let (refused, flagged) = reckoned(&columns, at_most("c", severity, "Bulletins", "Absent"));
        assert_eq!((refused.len(), flagged.len()), (0, 3), "{severity:?}");
    }
}

#[test]
fn a_sum_over_no_rows_is_nothing_and_a_sum_with_an_unknown_addend_is_unknown() {
    let sum = Term::Sum {
        table: "voixcandidat".to_owned(),
        sum: "Voix".to_owned(),
        on: vec!["Bureau".to_owned()],
        held: false,
    };
    let check = Check {
        code: "c".to_owned(),
        severity: Severity::Flag,
        left: vec![sum],
        comparison: Comparison::Equal,
        right: vec![Term::Column("Exprimes".to_owned())],
        allowance: None,
    };
    let results = [("Bureau", vec![Some(1), Some(2), Some(3), None]), ("Exprimes", some(&[0, 5, 5, 0]))];
    let voices = [("Bureau", vec![Some(2), Some(3), Some(3), None]), ("Voix", vec![Some(5), Some(5), None, Some(8)])];
    let tables =
        [whole_numbers("ResultatBureau", &results, vec![check]), whole_numbers("VoixCandidat", &voices, Vec::new())];
    let flags = checks::reckon(&tables, &mut RowFaults::default()).remove(0);
    let expected = [
        (2, Finding::Unjudged, "sum of VoixCandidat.Voix ? (?) = Exprimes 5 (5)"),
        (3, Finding::Unjudged, "sum of VoixCandidat.Voix ? (?) = Exprimes 0 (0)"),
    ];
    let expected = expected.map(|(row, finding, text)| (row, finding, text.replace("VoixCandidat", "voixcandidat")));
    assert_eq!(told(&tables, &flags), expected);
}

#[test]
fn a_letter_has_a_flag_for_every_row_and_check_however_many() {
    let rows = 20_000;
    let columns = [("A", vec![Some(1); rows]), ("B", vec![Some(0); rows])];
    let twice = vec![at_most("one", Severity::Flag, "A", "B"), at_most("two", Severity::Flag, "A", "Absent")];
    let tables = [
        whole_numbers("T", &columns, twice),
        whole_numbers("U", &columns, vec![at_most("x", Severity::Flag, "A", "B")]),
    ];
    let flags = checks::reckon(&tables, &mut RowFaults::default());
    let counts = |flags: &Flags| flags.iter().map(|it| (it.check, it.finding, it.rows.len())).collect::<Vec<_>>();
    assert_eq!(counts(&flags[0]), [(0, Finding::Broken, rows), (1, Finding::Unjudged, rows)]);
    assert_eq!(counts(&flags[1]), [(0, Finding::Broken, rows)]);
    assert!(flags[0].iter().all(|flagged| flagged.rows.iter().copied().eq(0..20_000)));
}

#[test]
fn an_allowance_is_the_larger_of_a_number_and_a_part_and_stands_in_the_arithmetic() {
    let columns = [("Bulletins", some(&[15, 16, 1020, 1021])), ("Emargements", some(&[0, 0, 1000, 1000]))];
    let allowance = |of: Option<&str>| {
        let of = of.map(|of| Term::Column(of.to_owned()));
        Some(Allowance { fixed: 15, percent: if of.is_some() { 2 } else { 0 }, of })
    };
    let mut check = at_most("c", Severity::Refuse, "Bulletins", "Emargements");
    check.allowance = allowance(Some("Emargements"));
    assert_eq!(reckoned(&columns, check.clone()), (vec![2, 4], vec![]));
    check.severity = Severity::Hold;
    let (refused, held) = reckoned(&columns, check);
    assert_eq!((refused.len(), held.len()), (0, 2));
    assert_eq!(held[1].2, "Bulletins 1021 (1021) <= Emargements 1000 + allowance 20 (1020)");
    let equal = Check {
        comparison: Comparison::Equal,
        allowance: allowance(None),
        ..at_most("c", Severity::Flag, "Bulletins", "Emargements")
    };
    let (_, flagged) = reckoned(&columns, equal);
    assert_eq!(flagged.iter().map(|(row, ..)| *row).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(flagged[0].2, "Bulletins 16 (16) = Emargements 0 (0) +/- allowance 15");
}

#[test]
fn rows_of_the_letter_are_counted_and_a_number_is_itself() {
    let check = Check {
        code: "c".to_owned(),
        severity: Severity::Flag,
        left: vec![Term::Count {
            table: "VoixCandidat".to_owned(),
            count: Counted::Letter,
            on: vec!["Bureau".to_owned()],
        }],
        comparison: Comparison::Equal,
        right: vec![Term::Number(1)],
        allowance: None,
    };
    let results = [("Bureau", vec![Some(1), Some(2), Some(3), None])];
    let voices = [("Bureau", vec![Some(2), Some(3), Some(3), None])];
    let tables =
        [whole_numbers("ResultatBureau", &results, vec![check]), whole_numbers("VoixCandidat", &voices, Vec::new())];
    let flags = checks::reckon(&tables, &mut RowFaults::default()).remove(0);
    let expected = [
        (0, Finding::Broken, "rows of VoixCandidat 0 (0) = 1 (1)".to_owned()),
        (2, Finding::Broken, "rows of VoixCandidat 2 (2) = 1 (1)".to_owned()),
        (3, Finding::Unjudged, "rows of VoixCandidat ? (?) = 1 (1)".to_owned()),
    ];
    let mut told = told(&tables, &flags);
    told.sort_by_key(|(row, ..)| *row);
    assert_eq!(told, expected);
}
