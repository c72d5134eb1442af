//! SELECTs outside the grammar are refused, each for its own reason, before any statement is made from them.

mod by_hand;
mod lists;

use std::collections::BTreeSet;

use by_hand::BY_HAND;
use lists::{FUNCTIONS, OPERATORS, STATEMENTS, TEXTS};

use super::world::{definition, permit};
use crate::render::{Bounds, Statuses};
use crate::{Reason, Unreadable, parse, render};

fn refused(text: &str) -> Unreadable {
    let permit = permit(None);
    let bounds = Bounds { permit: &permit, statuses: Statuses::Validated, age_max: None };
    let rendered = parse(text).and_then(|select| render(&select, &definition(), &bounds));
    match rendered {
        Ok(rendered) => panic!("{text}\nis taken for {}", rendered.text),
        Err(unreadable) => unreadable,
    }
}

type Case = (String, Vec<Reason>);

fn generated() -> Vec<Case> {
    let mut cases = Vec::new();
    of_functions(&mut cases);
    of_signs(&mut cases);
    of_bounds(&mut cases);
    cases
}

/// Makes cases of functions and of statements other than SELECT.
fn of_functions(cases: &mut Vec<Case>) {
    use Reason::{Function, Statement, Text, Word};

    for function in FUNCTIONS {
        // Some names are keywords of SQL, such as `current_user`, so their reason is `Word`.
        let by_name = vec![Function, Word];
        for text in [
            format!("SELECT {function}(1) FROM lab.Acte"),
            format!("SELECT * FROM lab.Acte WHERE {function} (Nom) = 'a'"),
            format!("SELECT * FROM lab.Acte WHERE Rang = pg_catalog.{function}(1)"),
            format!("SELECT * FROM {function}(1)"),
            format!("SELECT * FROM lab.Acte ORDER BY \"{function}\"(Nom)"),
        ] {
            cases.push((text, by_name.clone()));
        }
    }
    for statement in STATEMENTS {
        let reasons = vec![
            Statement,
            Text,
            Reason::Into,
            Reason::SetOperation,
            Reason::Limit,
            Reason::Locking,
            Reason::Join,
            Function,
            Reason::Subquery,
            Reason::Alias,
            Word,
        ];
        cases.push((statement.to_owned(), reasons));
        cases.push((format!("SELECT * FROM lab.Acte; {statement}"), vec![Statement]));
        cases.push((format!("SELECT * FROM lab.Acte WHERE Nom = 'a';{statement}--"), vec![Statement]));
    }
}

/// Makes cases of operators, texts and names.
fn of_signs(cases: &mut Vec<Case>) {
    use Reason::{Character, Expression, Operator, Placeholder, Syntax, Text, UnknownColumn};
    for operator in OPERATORS {
        let reasons = vec![Operator, Placeholder, Syntax, Character];
        cases.push((format!("SELECT * FROM lab.Acte WHERE Nom {operator} 'a'"), reasons.clone()));
        cases.push((format!("SELECT * FROM lab.Acte WHERE Rang = 1 AND Rang {operator} 1 = 1"), reasons));
    }
    for text in TEXTS {
        let reasons = vec![Text, Placeholder];
        cases.push((format!("SELECT * FROM lab.Acte WHERE Nom = {text}"), reasons.clone()));
        cases.push((format!("SELECT * FROM lab.Acte WHERE Nom IN ('a', {text})"), reasons));
    }
    // Names that look like a column's name but have other letters: Cyrillic, Greek, full width, combining marks, unusual blanks.
    for name in [
        "Nоm",
        "Νom",
        "Ｎom",
        "No\u{301}m",
        "N\u{200b}om",
        "Nom\u{a0}",
        "Rаng",
        "Ѕtatus",
        "Ｓtatus",
        "Numerо",
        "Numéro",
    ] {
        for text in [
            format!("SELECT {name} FROM lab.Acte"),
            format!("SELECT \"{name}\" FROM lab.Acte"),
            format!("SELECT * FROM lab.Acte WHERE \"{name}\" = 'a'"),
            format!("SELECT * FROM lab.Acte ORDER BY \"{name}\""),
        ] {
            cases.push((text, vec![UnknownColumn, Expression, Syntax, Reason::Alias, Character]));
        }
    }
    for name in
        ["xm_sequence", "xm_letter", "xm_change", "ctid", "xmin", "tableoid", "oid", "*", "", "Nom\"", "Nom' OR '1"]
    {
        let quoted = name.replace('"', "\"\"");
        cases.push((format!("SELECT \"{quoted}\" FROM lab.Acte"), vec![UnknownColumn, Syntax]));
        cases.push((format!("SELECT * FROM lab.Acte WHERE \"{quoted}\" IS NULL"), vec![UnknownColumn, Syntax]));
    }
}

/// Makes cases that are too long, too deep or too many.
fn of_bounds(cases: &mut Vec<Case>) {
    use Reason::{Character, Grouping, Syntax};
    for length in [64, 100, 10_000] {
        cases.push((format!("SELECT \"{}\" FROM lab.Acte", "n".repeat(length)), vec![Reason::Name]));
        cases.push((format!("SELECT * FROM lab.Acte WHERE {} = 1", "n".repeat(length)), vec![Reason::Name]));
    }
    cases.push((format!("SELECT \"{}\" FROM lab.Acte", "é".repeat(32)), vec![Reason::Name]));
    for depth in [21, 100, 4_000] {
        let (open, close) = ("(".repeat(depth), ")".repeat(depth));
        cases.push((format!("SELECT * FROM lab.Acte WHERE {open}Rang = 1{close}"), vec![Reason::TooDeep]));
        cases.push((format!("SELECT * FROM lab.Acte WHERE {open}"), vec![Reason::TooDeep]));
    }
    for count in [60, 900] {
        let nots = "NOT ".repeat(count);
        cases.push((format!("SELECT * FROM lab.Acte WHERE {nots} Rang = 1"), vec![Reason::TooDeep]));
    }
    cases.push((format!("SELECT * FROM lab.Acte WHERE {} Rang = 1", "NOT ".repeat(1_001)), vec![Reason::TooDeep]));
    let terms = vec!["Rang=1"; 600].join(" OR ");
    cases.push((format!("SELECT * FROM lab.Acte WHERE {terms}"), vec![Reason::TooManyTerms]));
    let values = vec!["1"; 1_100].join(",");
    cases.push((format!("SELECT * FROM lab.Acte WHERE Rang IN ({values})"), vec![Reason::TooManyTerms]));
    cases.push((format!("SELECT * FROM lab.Acte WHERE Nom = '{}'", "x".repeat(16 << 10)), vec![Reason::TooLong]));
    cases.push((" ".repeat((16 << 10) + 1), vec![Reason::TooLong]));
    for byte in (0..0x20_u8).filter(|byte| !matches!(byte, b'\t' | b'\n' | b'\r')).chain([0x7f]) {
        let character = char::from(byte);
        cases.push((format!("SELECT * FROM lab.Acte {character}"), vec![Character, Syntax, Reason::Alias, Grouping]));
    }
}

#[test]
fn each_is_refused_by_its_name() {
    let generated = generated();
    assert!(BY_HAND.len() + generated.len() >= 500, "{} and {}", BY_HAND.len(), generated.len());
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for (text, reason) in BY_HAND {
        let unreadable = refused(text);
        seen.insert(unreadable.reason);
        if unreadable.reason != *reason {
            wrong.push(format!("{text}: {unreadable}, not {}", reason.as_str()));
        }
    }
    for (text, reasons) in generated {
        let unreadable = refused(&text);
        seen.insert(unreadable.reason);
        if !reasons.contains(&unreadable.reason) {
            wrong.push(format!("{}: {unreadable}", text.chars().take(100).collect::<String>()));
        }
        assert!(unreadable.found.chars().count() <= 63 && !unreadable.found.contains(char::is_control));
    }
    assert!(wrong.is_empty(), "{} are refused by another name:\n{}", wrong.len(), wrong.join("\n"));
    let unseen: Vec<Reason> = Reason::ALL.iter().copied().filter(|reason| !seen.contains(reason)).collect();
    assert_eq!(unseen, [Reason::UnknownTable], "which needs a catalogue");
}

/// A refusal contains the name of the construct, never a value of the SELECT, because values are personal data.
#[test]
fn no_value_comes_back() {
    for text in [
        "SELECT * FROM t WHERE a = 'MBARGA",
        "SELECT * FROM t WHERE a ~ 'MBARGA'",
        "SELECT * FROM t WHERE a = E'MBARGA'",
    ] {
        let unreadable = refused(text);
        assert!(!unreadable.to_string().contains("MBARGA"), "{unreadable}");
    }
}
