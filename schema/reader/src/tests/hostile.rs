//! What has no place in a restricted SELECT is refused, each by its name, and none of it is ever a statement.

mod lists;

use std::collections::BTreeSet;

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

/// Text, and why it is refused.
fn by_hand() -> Vec<(&'static str, Reason)> {
    use Reason::*;
    vec![
        ("", Statement),
        (" ", Statement),
        ("SELECT", Syntax),
        ("FROM lab.Acte", Statement),
        ("SELECT FROM lab.Acte", Syntax),
        ("SELECT *", Join),
        ("SELECT * FROM", Syntax),
        ("SELECT * FROM lab.Acte WHERE", Syntax),
        ("SELECT * FROM lab.Acte WHERE Nom", Expression),
        ("SELECT * FROM lab.Acte WHERE Vivant", Expression),
        ("SELECT * FROM lab.Acte WHERE TRUE", Expression),
        ("SELECT * FROM lab.Acte WHERE 1 = 1", Expression),
        ("SELECT * FROM lab.Acte WHERE Nom = Centre", Expression),
        ("SELECT * FROM lab.Acte WHERE Rang + 1 = 2", Operator),
        ("SELECT * FROM lab.Acte WHERE Rang = 1 + 1", Operator),
        ("SELECT * FROM lab.Acte WHERE Rang = -Rang", Operator),
        ("SELECT * FROM lab.Acte WHERE Rang = +1", Operator),
        ("SELECT * FROM lab.Acte WHERE Rang = 2 * 3", Operator),
        ("SELECT * FROM lab.Acte WHERE (Rang, Poids) = (1, 2)", Expression),
        ("SELECT * FROM lab.Acte WHERE (Rang, Poids) IN ((1, 2))", Expression),
        ("SELECT * FROM lab.Acte WHERE Rang IN ()", Syntax),
        ("SELECT * FROM lab.Acte WHERE Rang IN (SELECT 1)", Subquery),
        ("SELECT * FROM lab.Acte WHERE Rang = (SELECT 1)", Subquery),
        ("SELECT * FROM lab.Acte WHERE EXISTS (SELECT 1)", Subquery),
        ("SELECT * FROM lab.Acte WHERE Rang = ANY (ARRAY[1])", Subquery),
        ("SELECT * FROM lab.Acte WHERE Rang = ALL ('{1}')", Subquery),
        ("SELECT (SELECT Nom FROM lab.Acte) FROM lab.Acte", Subquery),
        ("SELECT * FROM (SELECT * FROM lab.Acte) x", Subquery),
        ("SELECT * FROM (lab.Acte)", Syntax),
        ("SELECT * FROM lab.Acte; DROP TABLE lab.Acte", Statement),
        ("SELECT * FROM lab.Acte;", Statement),
        ("DROP TABLE lab.Acte", Statement),
        ("(SELECT * FROM lab.Acte)", Subquery),
        ("SELECT * FROM lab.Acte -- all", Comment),
        ("SELECT * FROM lab.Acte # all", Operator),
        ("SELECT /* all */ * FROM lab.Acte", Comment),
        ("SELECT /*/* deep */*/ * FROM lab.Acte", Comment),
        ("SELECT * FROM lab.Acte /*! WHERE 1=1 */", Comment),
        ("SELECT * FROM lab.Acte WHERE Nom = 'a' --'", Comment),
        ("SELECT * FROM lab.Acte UNION SELECT * FROM lab.Acte", SetOperation),
        ("SELECT * FROM lab.Acte UNION ALL TABLE lab.Acte", SetOperation),
        ("SELECT * FROM lab.Acte INTERSECT SELECT 1", SetOperation),
        ("SELECT * FROM lab.Acte EXCEPT SELECT 1", SetOperation),
        ("WITH x AS (SELECT 1) SELECT * FROM x", CommonTable),
        ("WITH RECURSIVE x AS (SELECT 1) SELECT * FROM x", CommonTable),
        ("SELECT * FROM lab.Acte, lab.Acte", Join),
        ("SELECT * FROM lab.Acte JOIN xm.agencies ON TRUE", Join),
        ("SELECT * FROM lab.Acte NATURAL JOIN xm.agencies", Join),
        ("SELECT * FROM lab.Acte CROSS JOIN xm.agencies", Join),
        ("SELECT * FROM lab.Acte LEFT JOIN xm.agencies USING (a)", Join),
        ("SELECT * FROM lab.Acte a", Alias),
        ("SELECT * FROM lab.Acte AS a", Alias),
        ("SELECT Nom AS n FROM lab.Acte", Alias),
        ("SELECT Nom n FROM lab.Acte", Alias),
        ("SELECT a.* FROM lab.Acte a", Name),
        ("SELECT Acte.Nom FROM lab.Acte", Name),
        ("SELECT *, Nom FROM lab.Acte", Expression),
        ("SELECT Nom, * FROM lab.Acte", Expression),
        ("SELECT 1 FROM lab.Acte", Expression),
        ("SELECT 'a' FROM lab.Acte", Expression),
        ("SELECT NULL FROM lab.Acte", Expression),
        ("SELECT Nom, Nom FROM lab.Acte", ColumnTwice),
        ("SELECT Nom, nom FROM lab.Acte", ColumnTwice),
        ("SELECT DISTINCT Nom FROM lab.Acte", Grouping),
        ("SELECT ALL Nom FROM lab.Acte", Subquery),
        ("SELECT Nom FROM lab.Acte GROUP BY Nom", Grouping),
        ("SELECT Nom FROM lab.Acte GROUP BY ALL", Grouping),
        ("SELECT Nom FROM lab.Acte HAVING Nom = 'a'", Grouping),
        ("SELECT Nom FROM lab.Acte WINDOW w AS ()", Grouping),
        ("SELECT * FROM lab.Acte LIMIT 1 OFFSET 1", Limit),
        ("SELECT * FROM lab.Acte OFFSET 1", Limit),
        ("SELECT * FROM lab.Acte LIMIT 1, 2", Syntax),
        ("SELECT * FROM lab.Acte LIMIT -1", Limit),
        ("SELECT * FROM lab.Acte LIMIT 1.5", Limit),
        ("SELECT * FROM lab.Acte LIMIT 99999999999999999999", Limit),
        ("SELECT * FROM lab.Acte LIMIT NULL", Limit),
        ("SELECT * FROM lab.Acte LIMIT ALL", Subquery),
        ("SELECT * FROM lab.Acte LIMIT (SELECT 1)", Subquery),
        ("SELECT * FROM lab.Acte FETCH FIRST 1 ROWS ONLY", Limit),
        ("SELECT * FROM lab.Acte FOR UPDATE", Locking),
        ("SELECT * FROM lab.Acte FOR SHARE NOWAIT", Locking),
        ("SELECT * INTO x FROM lab.Acte", Into),
        ("SELECT * FROM lab.Acte INTO OUTFILE '/tmp/x'", Into),
        ("SELECT * FROM ONLY lab.Acte", Limit),
        ("SELECT * FROM lab.Acte TABLESAMPLE SYSTEM (1)", Word),
        ("SELECT * FROM LATERAL lab.Acte", Join),
        ("SELECT * FROM lab.Acte ORDER BY 1", Expression),
        ("SELECT * FROM lab.Acte ORDER BY Nom USING <", Join),
        ("SELECT * FROM lab.Acte ORDER BY Nom COLLATE \"C\"", Operator),
        ("SELECT * FROM lab.Acte ORDER BY Rang + 1", Operator),
        ("SELECT * FROM lab.Acte ORDER BY ALL", Subquery),
        ("SELECT * FROM lab.Acte WHERE Nom = NULL", NullCompared),
        ("SELECT * FROM lab.Acte WHERE Nom IN ('a', NULL)", NullCompared),
        ("SELECT * FROM lab.Acte WHERE Nom IS TRUE", Expression),
        ("SELECT * FROM lab.Acte WHERE Nom IS DISTINCT FROM 'a'", Grouping),
        ("SELECT * FROM lab.Acte WHERE Nom ISNULL", Syntax),
        ("SELECT * FROM lab.Acte WHERE Nom ILIKE 'a'", Operator),
        ("SELECT * FROM lab.Acte WHERE Nom SIMILAR TO 'a'", Operator),
        ("SELECT * FROM lab.Acte WHERE Nom LIKE 'a' ESCAPE '!'", Operator),
        ("SELECT * FROM lab.Acte WHERE Nom LIKE 'a\\'", Pattern),
        ("SELECT * FROM lab.Acte WHERE Nom LIKE 1", Pattern),
        ("SELECT * FROM lab.Acte WHERE Nom LIKE Nom", Expression),
        ("SELECT * FROM lab.Acte WHERE Rang LIKE '1%'", Pattern),
        ("SELECT * FROM lab.Acte WHERE Jour LIKE '2026%'", Pattern),
        ("SELECT * FROM lab.Acte WHERE Rang = '1'", Value),
        ("SELECT * FROM lab.Acte WHERE Rang = 40000", Value),
        ("SELECT * FROM lab.Acte WHERE Rang = 1.5", Value),
        ("SELECT * FROM lab.Acte WHERE Somme = 99999999999999999999", Value),
        ("SELECT * FROM lab.Acte WHERE Taux = 1.2345", Value),
        ("SELECT * FROM lab.Acte WHERE Nom = 1", Value),
        ("SELECT * FROM lab.Acte WHERE Nom = 1.5", Value),
        ("SELECT * FROM lab.Acte WHERE Nom = TRUE", Value),
        ("SELECT * FROM lab.Acte WHERE Vivant = 1", Value),
        ("SELECT * FROM lab.Acte WHERE Vivant = 1.5", Value),
        ("SELECT * FROM lab.Acte WHERE Vivant = 'true'", Value),
        ("SELECT * FROM lab.Acte WHERE Jour = '1.2.2026'", Value),
        ("SELECT * FROM lab.Acte WHERE Jour = 'infinity'", Value),
        ("SELECT * FROM lab.Acte WHERE Jour = 'now'", Value),
        ("SELECT * FROM lab.Acte WHERE Heure = '24:00'", Value),
        ("SELECT * FROM lab.Acte WHERE Instant = 'yesterday'", Value),
        ("SELECT * FROM lab.Acte WHERE Uid = 'x'", Value),
        ("SELECT * FROM lab.Acte WHERE Image = '\\x00'", Value),
        ("SELECT * FROM lab.Acte WHERE Centre = 'longer than twelve'", Value),
        ("SELECT * FROM lab.Acte WHERE Nom = 'a\u{0}b'", Value),
        ("SELECT * FROM lab.Acte WHERE Nom = 'two\nlines'", Value),
        ("SELECT * FROM lab.Acte WHERE Nom = 'a\u{202e}b'", Value),
        ("SELECT * FROM lab.Acte WHERE Rang = 1e3", Number),
        ("SELECT * FROM lab.Acte WHERE Rang = 1_000", Number),
        ("SELECT * FROM lab.Acte WHERE Taux = .5", Number),
        ("SELECT * FROM lab.Acte WHERE Taux = 5.", Number),
        ("SELECT * FROM lab.Acte WHERE Nom = \"a\"", Expression),
        ("SELECT * FROM lab.Acte WHERE Nom = `a`", Character),
        ("SELECT * FROM lab.Acte WHERE Nom = ’a’", Expression),
        ("SELECT * FROM lab.Acte WHERE Nom == 'a'", Operator),
        ("SELECT * FROM lab.Acte WHERE Nom = 'a' AND", Syntax),
        ("SELECT * FROM lab.Acte WHERE Nom = 'a", Syntax),
        ("SELECT * FROM lab.Acte WHERE (Nom = 'a'", Syntax),
        ("SELECT * FROM lab.Acte WHERE Nom = 'a')", Syntax),
        ("SELECT * FROM lab.Acte WHERE Nom = 'a' 'b'", Syntax),
        ("SELECT * FROM lab.Acte WHERE Nom = $1", Placeholder),
        ("SELECT * FROM lab.Acte WHERE Nom = ?", Placeholder),
        ("SELECT * FROM lab.Acte WHERE Nom = :n", Placeholder),
        ("SELECT * FROM lab.Acte WHERE Nom = @n", Placeholder),
        ("SELECT * FROM lab.Acte WHERE DATE '2026-01-01' = Jour", Cast),
        ("SELECT * FROM lab.Acte WHERE Jour = DATE '2026-01-01'", Cast),
        ("SELECT * FROM lab.Acte WHERE Jour = '2026-01-01'::date", Cast),
        ("SELECT * FROM lab.Acte WHERE Jour::text = 'a'", Cast),
        ("SELECT * FROM lab.Acte WHERE CAST(Jour AS text) = 'a'", Cast),
        ("SELECT * FROM lab.Acte WHERE Jour = INTERVAL '1 day'", Word),
        ("SELECT * FROM lab.Acte WHERE CASE WHEN TRUE THEN TRUE END", Word),
        ("SELECT * FROM lab.Acte WHERE Rang = ARRAY[1]", Word),
        ("SELECT * FROM lab.Acte WHERE Nom = CURRENT_USER", Word),
        ("SELECT * FROM lab.Acte WHERE Image[1] = 1", Operator),
        ("SELECT * FROM lab.Acte WHERE Nom -> 'a' = 'b'", Operator),
        ("TABLE lab.Acte", Statement),
        ("VALUES (1)", Subquery),
    ]
}

fn generated() -> Vec<(String, Vec<Reason>)> {
    use Reason::{
        Character, Expression, Function, Grouping, Operator, Placeholder, Statement, Syntax, Text, UnknownColumn, Word,
    };
    let mut cases = Vec::new();
    for function in FUNCTIONS {
        // The last three are words of the grammar of their own, by which they are refused as well.
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
    // The same to the eye, other letters: Cyrillic, Greek, full width, with marks that combine, blanks that are none.
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
    cases
}

#[test]
fn each_is_refused_by_its_name() {
    let by_hand = by_hand();
    let generated = generated();
    assert!(by_hand.len() + generated.len() >= 500, "{} and {}", by_hand.len(), generated.len());
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for (text, reason) in by_hand {
        let unreadable = refused(text);
        seen.insert(unreadable.reason);
        if unreadable.reason != reason {
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

/// What is refused names what it is, never a value: that is personal data.
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
