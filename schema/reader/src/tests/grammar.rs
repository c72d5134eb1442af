//! SELECTs that the grammar admits, each with the `Select` that the parser makes from it.

use crate::grammar::{Condition, Literal, Operator, Ordering, Select, TableName};
use crate::parse;

fn of(text: &str) -> Select {
    parse(text).unwrap_or_else(|unreadable| panic!("{text}: {unreadable}"))
}

fn condition(text: &str) -> Condition {
    of(&format!("SELECT * FROM t WHERE {text}")).condition.unwrap()
}

fn compare(column: &str, operator: Operator, value: Literal) -> Condition {
    Condition::Compare { column: column.to_owned(), operator, value }
}

fn number(digits: &str) -> Literal {
    Literal::Number(digits.to_owned())
}

fn text(text: &str) -> Literal {
    Literal::Text(text.to_owned())
}

#[test]
fn all_of_a_table() {
    let table = TableName { application: Some("ecr".to_owned()), name: "ActeNaissance".to_owned() };
    let all = Select { columns: vec![], table, condition: None, order: vec![], limit: None };
    for text in [
        "SELECT * FROM ecr.ActeNaissance",
        "select * from ecr.\"ActeNaissance\"",
        " \n SELECT\t* FROM ecr . ActeNaissance ",
    ] {
        assert_eq!(of(text), all, "{text}");
    }
    let alone = of("SELECT * FROM t").table;
    assert_eq!(alone, TableName { application: None, name: "t".to_owned() });
}

#[test]
fn columns_order_and_limit() {
    let select =
        of("SELECT Nom, \"Prénoms\", Date FROM t ORDER BY Nom DESC NULLS LAST, \"Prénoms\" ASC, Date LIMIT 20");
    assert_eq!(select.columns, ["Nom", "Prénoms", "Date"]);
    let ordering =
        |column: &str, descending, nulls_first| Ordering { column: column.to_owned(), descending, nulls_first };
    assert_eq!(
        select.order,
        [ordering("Nom", true, Some(false)), ordering("Prénoms", false, None), ordering("Date", false, None)]
    );
    assert_eq!(select.limit, Some(20));
}

#[test]
fn every_kind_of_condition() {
    let cases = [
        ("a = 1", compare("a", Operator::Equal, number("1"))),
        ("a <> -1.50", compare("a", Operator::NotEqual, number("-1.50"))),
        ("a != 'x'", compare("a", Operator::NotEqual, text("x"))),
        ("a < 'l''été'", compare("a", Operator::Less, text("l'été"))),
        ("'2026-01-01' <= a", compare("a", Operator::AtLeast, text("2026-01-01"))),
        ("a > TRUE", compare("a", Operator::Greater, Literal::Boolean(true))),
        ("a >= false", compare("a", Operator::AtLeast, Literal::Boolean(false))),
        (
            "a NOT IN (1, 2)",
            Condition::In { column: "a".to_owned(), values: vec![number("1"), number("2")], negated: true },
        ),
        ("a IN ('x')", Condition::In { column: "a".to_owned(), values: vec![text("x")], negated: false }),
        (
            "a BETWEEN 1 AND 2",
            Condition::Between { column: "a".to_owned(), low: number("1"), high: number("2"), negated: false },
        ),
        (
            "a NOT BETWEEN 1 AND 2",
            Condition::Between { column: "a".to_owned(), low: number("1"), high: number("2"), negated: true },
        ),
        ("a LIKE 'M%'", Condition::Like { column: "a".to_owned(), pattern: "M%".to_owned(), negated: false }),
        ("a NOT LIKE '_\\%'", Condition::Like { column: "a".to_owned(), pattern: "_\\%".to_owned(), negated: true }),
        ("a IS NULL", Condition::IsNull { column: "a".to_owned(), negated: false }),
        ("a IS NOT NULL", Condition::IsNull { column: "a".to_owned(), negated: true }),
    ];
    for (text, wanted) in cases {
        assert_eq!(condition(text), wanted, "{text}");
        assert_eq!(condition(&format!("(({text}))")), wanted, "{text} in brackets");
        assert_eq!(condition(&format!("NOT ({text})")), Condition::Not(Box::new(wanted)), "not {text}");
    }
}

#[test]
fn and_binds_more_than_or_and_not_more_than_both() {
    let of = |name: &str| compare(name, Operator::Equal, number("1"));
    assert_eq!(
        condition("a = 1 OR b = 1 AND NOT c = 1 AND d = 1 OR e = 1"),
        Condition::Or(vec![
            of("a"),
            Condition::And(vec![of("b"), Condition::Not(Box::new(of("c"))), of("d")]),
            of("e")
        ])
    );
    assert_eq!(
        condition("(a = 1 OR b = 1) AND c BETWEEN 1 AND 2 AND d = 1"),
        Condition::And(vec![
            Condition::Or(vec![of("a"), of("b")]),
            Condition::Between { column: "c".to_owned(), low: number("1"), high: number("2"), negated: false },
            of("d")
        ])
    );
}

#[test]
fn what_is_just_within_the_bounds_is_read() {
    let brackets = format!("SELECT * FROM t WHERE {}a = 1{}", "(".repeat(20), ")".repeat(20));
    assert!(parse(&brackets).is_ok());
    let terms = vec!["a = 1"; 499].join(" OR ");
    assert!(parse(&format!("SELECT * FROM t WHERE {terms}")).is_ok());
    let values = vec!["1"; 900].join(", ");
    assert!(parse(&format!("SELECT * FROM t WHERE a IN ({values})")).is_ok());
    let name = "n".repeat(63);
    assert!(parse(&format!("SELECT \"{name}\" FROM t")).is_ok());
}
