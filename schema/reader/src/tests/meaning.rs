//! A SELECT must give the rows that it means, and no row that its agency may not read, whatever the SELECT is and whatever the database's
//! collation.
//!
//! The test computes the expected rows by rules of its own: three-valued logic, NULL, ties, accents. It computes them from the random
//! SELECT itself, not from the parser's result. `XM_SELECTS=100000` makes 100 000 SELECTs.

use std::cmp::Ordering;
use std::fmt::Write;

use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use store::database::{Connection, Database, DatabaseSettings};
use store::reading::login;
use store::testing::TestCluster;

use super::dice::Dice;
use super::world::{TABLE, TABLE_ID, columns, definition, permit};
use crate::parse;
use crate::render::{Bounds, Rendered, Statuses, render};

/// Number of SELECTs that are run on each database.
const SELECTS: usize = 1_500;
const ROWS: usize = 120;
const AGENCIES: [u32; 3] = [42, 43, 44];

/// A value of a cell or of a condition, as the test computes with it.
#[derive(Clone, Debug, PartialEq)]
enum Meant {
    Null,
    /// A whole number, or a decimal number in thousandths.
    Number(i64),
    Text(String),
    Boolean(bool),
}

/// The kind of a column's values: how values are made and written.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Number,
    Thousandths,
    Text,
    Padded,
    Boolean,
    /// Values that the test lists in the order in which PostgreSQL sorts them.
    Ordered(&'static [&'static str]),
}

const DAYS: Kind = Kind::Ordered(&["1899-12-31", "2000-02-29", "2026-01-01", "2026-01-02"]);
const HOURS: Kind = Kind::Ordered(&["00:00:00", "06:30:00", "23:59:59"]);
const MOMENTS: Kind = Kind::Ordered(&["2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2026-06-01T12:00:00Z"]);
const UIDS: Kind = Kind::Ordered(&[
    "00000000-0000-4000-8000-000000000001",
    "7f000000-0000-4000-8000-000000000000",
    "ff000000-0000-4000-8000-000000000000",
]);
/// Images in base64, in the ascending order of their octets.
const IMAGES: Kind = Kind::Ordered(&["AAAA", "AQID", "f/8="]);

const COLUMNS: [(&str, Kind); 13] = [
    ("Numero", Kind::Number),
    ("Centre", Kind::Text),
    ("Nom", Kind::Text),
    ("Sexe", Kind::Padded),
    ("Rang", Kind::Number),
    ("Poids", Kind::Number),
    ("Somme", Kind::Number),
    ("Taux", Kind::Thousandths),
    ("Vivant", Kind::Boolean),
    ("Jour", DAYS),
    ("Heure", HOURS),
    ("Instant", MOMENTS),
    ("Uid", UIDS),
];
/// The column of images, which `kinds` puts last; `fill` decodes its values.
const IMAGE: (&str, Kind) = ("Image", IMAGES);

const NAMES: [&str; 14] =
    ["", "a", "A", "b", "e", "é", "E", "É", "éb", "MBARGA", "Mbarga", "mbarga%", "N'Djoya", "Zoé_1"];
const CENTRES: [&str; 3] = ["CE-042", "CE-043", "ÉD-1"];
const SEXES: [&str; 4] = ["M", "F", "FéM", "m"];

struct Row {
    agency: Option<u32>,
    status: i64,
    /// Values in the order of `kinds`; the image is the last.
    values: Vec<Meant>,
}

fn kinds() -> Vec<(&'static str, Kind)> {
    COLUMNS.into_iter().chain([IMAGE]).collect()
}

fn value(dice: &mut Dice, name: &str, kind: Kind) -> Meant {
    match kind {
        Kind::Number => Meant::Number([-1, 0, 1, 2, 3, 32_767][dice.number(6)]),
        Kind::Thousandths => Meant::Number([-1_500, 0, 1, 1_500, 1_501, 2_000][dice.number(6)]),
        Kind::Text if name == "Centre" => Meant::Text((*dice.of(&CENTRES)).to_owned()),
        Kind::Text => Meant::Text((*dice.of(&NAMES)).to_owned()),
        Kind::Padded => Meant::Text((*dice.of(&SEXES)).to_owned()),
        Kind::Boolean => Meant::Boolean(dice.percent(50)),
        Kind::Ordered(texts) => Meant::Text((*dice.of(texts)).to_owned()),
    }
}

fn rows(dice: &mut Dice) -> Vec<Row> {
    let row = |numero: usize| {
        let mut values = Vec::new();
        for (name, kind) in kinds() {
            let is_null = name != "Numero" && dice.percent(20);
            values.push(match (is_null, name) {
                (true, _) => Meant::Null,
                (false, "Numero") => Meant::Number(i64::try_from(numero).unwrap()),
                (false, _) => value(dice, name, kind),
            });
        }
        let agency = dice.percent(90).then(|| *dice.of(&AGENCIES));
        Row { agency, status: *dice.of(&[2, 2, 2, 2, 0, 1]), values }
    };
    (1..=ROWS).map(row).collect()
}

/// Returns a value as a SELECT writes it.
fn written(kind: Kind, value: &Meant) -> String {
    match value {
        Meant::Null => "NULL".to_owned(),
        Meant::Number(thousandths) if kind == Kind::Thousandths => {
            let sign = if *thousandths < 0 { "-" } else { "" };
            format!("{sign}{}.{:03}", thousandths.abs() / 1000, thousandths.abs() % 1000)
        }
        Meant::Number(number) => number.to_string(),
        Meant::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Meant::Boolean(truth) => truth.to_string(),
    }
}

async fn fill(connection: &mut Connection, rows: &[Row]) {
    let mut text = String::new();
    for row in rows {
        let mut names = String::new();
        let mut values = String::new();
        for ((name, kind), value) in kinds().into_iter().zip(&row.values) {
            write!(names, "\"{name}\", ").unwrap();
            let written = written(kind, value);
            let is_image = name == "Image" && *value != Meant::Null;
            let written = if is_image { format!("decode({written}, 'base64')") } else { written };
            write!(values, "{written}, ").unwrap();
        }
        let agency = row.agency.map_or("NULL".to_owned(), |agency| agency.to_string());
        writeln!(
            text,
            "INSERT INTO lab.acte ({names}\"Status\", xm_agency) VALUES ({values}{}, {agency});",
            row.status
        )
        .unwrap();
    }
    connection.batch_execute(&text).await.unwrap();
}

/// A random condition. Columns are indices of `kinds`.
#[derive(Debug)]
enum Term {
    And(Vec<Term>),
    Or(Vec<Term>),
    Not(Box<Term>),
    Compare(usize, &'static str, Meant, bool),
    In(usize, Vec<Meant>, bool),
    Between(usize, Meant, Meant, bool),
    Like(usize, String, bool),
    IsNull(usize, bool),
}

fn term(dice: &mut Dice, depth: usize) -> Term {
    let kinds = kinds();
    if depth > 0 && dice.percent(55) {
        let terms = |dice: &mut Dice| (0..2 + dice.number(3)).map(|_| term(dice, depth - 1)).collect();
        return match dice.number(3) {
            0 => Term::And(terms(dice)),
            1 => Term::Or(terms(dice)),
            _ => Term::Not(Box::new(term(dice, depth - 1))),
        };
    }
    let at = dice.number(kinds.len());
    let (name, kind) = kinds[at];
    let negated = dice.percent(30);
    match dice.number(6) {
        0 => Term::IsNull(at, negated),
        1 => Term::In(at, (0..=dice.number(4)).map(|_| value(dice, name, kind)).collect(), negated),
        2 => Term::Between(at, value(dice, name, kind), value(dice, name, kind), negated),
        3 if matches!(kind, Kind::Text | Kind::Padded) => Term::Like(at, pattern(dice), negated),
        _ => {
            let sign = *dice.of(&["=", "<>", "!=", "<", "<=", ">", ">="]);
            Term::Compare(at, sign, value(dice, name, kind), dice.percent(20))
        }
    }
}

fn pattern(dice: &mut Dice) -> String {
    let pieces = ["%", "_", "a", "é", "É", "M", "b", "\\%", "\\_", "\\\\", "A"];
    (0..dice.number(4)).map(|_| *dice.of(&pieces)).collect()
}

fn text(term: &Term, dice: &mut Dice) -> String {
    let kinds = kinds();
    let not = |negated: &bool| if *negated { "NOT " } else { "" };
    let mut name = |at: &usize| {
        let (name, _) = kinds[*at];
        match dice.number(3) {
            0 => format!("\"{name}\""),
            1 => name.to_lowercase(),
            _ => name.to_uppercase(),
        }
    };
    match term {
        Term::And(terms) | Term::Or(terms) => {
            let word = if matches!(term, Term::And(_)) { " AND " } else { " OR " };
            let texts: Vec<String> = terms.iter().map(|term| text(term, dice)).collect();
            format!("({})", texts.join(word))
        }
        Term::Not(inner) => format!("NOT ({})", text(inner, dice)),
        Term::Compare(at, sign, value, false) => format!("{} {sign} {}", name(at), written(kinds[*at].1, value)),
        Term::Compare(at, sign, value, true) => {
            let turned = match *sign {
                "<" => ">",
                "<=" => ">=",
                ">" => "<",
                ">=" => "<=",
                same => same,
            };
            format!("{} {turned} {}", written(kinds[*at].1, value), name(at))
        }
        Term::In(at, values, negated) => {
            let values: Vec<String> = values.iter().map(|value| written(kinds[*at].1, value)).collect();
            format!("{} {}IN ({})", name(at), not(negated), values.join(", "))
        }
        Term::Between(at, low, high, negated) => {
            let (low, high) = (written(kinds[*at].1, low), written(kinds[*at].1, high));
            format!("{} {}BETWEEN {low} AND {high}", name(at), not(negated))
        }
        Term::Like(at, pattern, negated) => format!("{} {}LIKE '{pattern}'", name(at), not(negated)),
        Term::IsNull(at, negated) => format!("{} IS {}NULL", name(at), not(negated)),
    }
}

/// Compares two values of one kind, neither of them NULL.
fn compared(one: &Meant, other: &Meant) -> Ordering {
    match (one, other) {
        (Meant::Number(one), Meant::Number(other)) => one.cmp(other),
        // Texts are compared by the numbers of their characters.
        (Meant::Text(one), Meant::Text(other)) => one.chars().cmp(other.chars()),
        (Meant::Boolean(one), Meant::Boolean(other)) => one.cmp(other),
        _ => panic!("{one:?} and {other:?} are of two kinds"),
    }
}

/// Says whether a condition is true for a row; `None` where SQL says unknown.
fn holds(term: &Term, row: &Row) -> Option<bool> {
    let value = |at: &usize| Some(&row.values[*at]).filter(|value| **value != Meant::Null);
    let turn = |truth: Option<bool>, negated: &bool| truth.map(|truth| truth != *negated);
    match term {
        Term::And(terms) => {
            let truths: Vec<Option<bool>> = terms.iter().map(|term| holds(term, row)).collect();
            if truths.contains(&Some(false)) {
                Some(false)
            } else {
                truths.into_iter().collect::<Option<Vec<bool>>>().map(|_| true)
            }
        }
        Term::Or(terms) => {
            let truths: Vec<Option<bool>> = terms.iter().map(|term| holds(term, row)).collect();
            if truths.contains(&Some(true)) {
                Some(true)
            } else {
                truths.into_iter().collect::<Option<Vec<bool>>>().map(|_| false)
            }
        }
        Term::Not(inner) => holds(inner, row).map(|truth| !truth),
        Term::Compare(at, sign, other, _) => value(at).map(|value| {
            let order = compared(value, other);
            match *sign {
                "=" => order.is_eq(),
                "<>" | "!=" => order.is_ne(),
                "<" => order.is_lt(),
                "<=" => order.is_le(),
                ">" => order.is_gt(),
                _ => order.is_ge(),
            }
        }),
        Term::In(at, values, negated) => turn(value(at).map(|value| values.contains(value)), negated),
        Term::Between(at, low, high, negated) => {
            let between = |value: &Meant| compared(value, low).is_ge() && compared(value, high).is_le();
            turn(value(at).map(between), negated)
        }
        Term::Like(at, pattern, negated) => {
            let pattern: Vec<char> = pattern.chars().collect();
            let like = |value: &Meant| match value {
                Meant::Text(text) => is_like(&text.chars().collect::<Vec<char>>(), &pattern),
                other => panic!("{other:?} is no text"),
            };
            turn(value(at).map(like), negated)
        }
        Term::IsNull(at, negated) => Some(value(at).is_none() != *negated),
    }
}

fn is_like(text: &[char], pattern: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|skipped| is_like(&text[skipped..], rest)),
        ['_', rest @ ..] => !text.is_empty() && is_like(&text[1..], rest),
        ['\\', literal, rest @ ..] | [literal, rest @ ..] => text.first() == Some(literal) && is_like(&text[1..], rest),
    }
}

/// Orders rows: NULL counts as the largest value, and equal rows are ordered by their numbers.
fn ordered<'r>(mut rows: Vec<&'r Row>, order: &[(usize, bool, Option<bool>)]) -> Vec<&'r Row> {
    rows.sort_by(|one, other| {
        for (at, descending, nulls_first) in order {
            let (one, other) = (&one.values[*at], &other.values[*at]);
            let nulls_first = nulls_first.unwrap_or(*descending);
            let found = match (*one == Meant::Null, *other == Meant::Null) {
                (true, true) => Ordering::Equal,
                (true, false) => {
                    if nulls_first {
                        Ordering::Less
                    } else {
                        Ordering::Greater
                    }
                }
                (false, true) => {
                    if nulls_first {
                        Ordering::Greater
                    } else {
                        Ordering::Less
                    }
                }
                (false, false) => {
                    if *descending {
                        compared(other, one)
                    } else {
                        compared(one, other)
                    }
                }
            };
            if found.is_ne() {
                return found;
            }
        }
        compared(&one.values[0], &other.values[0])
    });
    rows
}

fn numero(row: &Row) -> String {
    match row.values[0] {
        Meant::Number(number) => number.to_string(),
        _ => panic!("no number"),
    }
}

/// Makes a random SELECT for a random agency, runs it, and compares the rows with the expected rows. Returns the number of rows.
async fn throw(connection: &mut Connection, dice: &mut Dice, rows: &[Row]) -> usize {
    let own = dice.percent(70).then(|| {
        let codes: Vec<&str> = CENTRES.into_iter().filter(|_| dice.percent(60)).collect();
        (*dice.of(&AGENCIES), codes)
    });
    let permit = permit(own.as_ref().map(|(agency, codes)| (*agency, codes.as_slice())));
    let may_read = |row: &&Row| {
        let is_own = own.as_ref().is_none_or(|(agency, codes)| {
            let has_code = matches!(&row.values[1], Meant::Text(code) if codes.contains(&code.as_str()));
            row.agency == Some(*agency) && has_code
        });
        row.status == 2 && is_own
    };
    let condition = dice.percent(95).then(|| term(dice, 3));
    let order: Vec<(usize, bool, Option<bool>)> = (0..dice.number(3))
        .map(|_| (dice.number(kinds().len()), dice.percent(50), [None, Some(true), Some(false)][dice.number(3)]))
        .collect();
    let limit = dice.percent(30).then(|| dice.number(10));

    let mut select = "SELECT Numero, Nom FROM lab.acte".to_owned();
    if let Some(condition) = &condition {
        write!(select, " WHERE {}", text(condition, dice)).unwrap();
    }
    for (place, (at, descending, nulls_first)) in order.iter().enumerate() {
        let word = if place == 0 { " ORDER BY " } else { ", " };
        let nulls = match nulls_first {
            Some(true) => " NULLS FIRST",
            Some(false) => " NULLS LAST",
            None => "",
        };
        write!(select, "{word}{}{}{nulls}", kinds()[*at].0, if *descending { " DESC" } else { " ASC" }).unwrap();
    }
    limit.iter().for_each(|limit| write!(select, " LIMIT {limit}").unwrap());

    let bounds = Bounds { permit: &permit, statuses: Statuses::Validated, age_max: None };
    let parsed = parse(&select).unwrap_or_else(|unreadable| panic!("{select}: {unreadable}"));
    let rendered =
        render(&parsed, &definition(), &bounds).unwrap_or_else(|unreadable| panic!("{select}: {unreadable}"));
    let binds = rendered.binds();
    let found: Vec<Vec<Option<String>>> = Rendered::statement(&rendered.text, &binds)
        .load(connection)
        .await
        .unwrap_or_else(|error| panic!("{}: {error}", rendered.text));
    let mut found: Vec<String> = found.into_iter().map(|mut row| row.swap_remove(0).unwrap()).collect();

    let allowed: Vec<String> = rows.iter().filter(may_read).map(numero).collect();
    assert!(found.iter().all(|numero| allowed.contains(numero)), "{select}\nfor {own:?} gives {found:?}");
    let meant = rows
        .iter()
        .filter(may_read)
        .filter(|row| condition.as_ref().is_none_or(|condition| holds(condition, row) == Some(true)));
    let mut meant: Vec<String> = ordered(meant.collect(), &order).into_iter().map(numero).collect();
    meant.truncate(limit.unwrap_or(usize::MAX));
    if order.is_empty() && limit.is_none() {
        found.sort();
        meant.sort();
    }
    assert_eq!(found, meant, "{select}\nfor {own:?} as {}", rendered.text);
    found.len()
}

async fn throw_all(database: &Database, seed: u64) {
    let count = super::told("XM_SELECTS", SELECTS);
    let mut connection = database.get().await.unwrap();
    connection.batch_execute(TABLE).await.unwrap();
    login::adopt(&mut connection, TABLE_ID, "lab", "acte", &columns()).await.unwrap();
    let mut dice = Dice::new(seed);
    let rows = rows(&mut dice);
    fill(&mut connection, &rows).await;
    let mut given = 0;
    for _ in 0..count {
        given += throw(&mut connection, &mut dice, &rows).await;
    }
    assert!(given > count, "{given} rows of {count} SELECTs: the dice ask for next to nothing");
}

#[tokio::test]
async fn what_is_meant_is_given_and_nothing_else() {
    throw_all(&TestCluster::shared().await.database().await, 1).await;
}

#[tokio::test]
async fn a_french_database_gives_the_same() {
    let cluster = &TestCluster::shared().await.cluster;
    let text = "CREATE DATABASE french TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'fr-FR' LOCALE 'C.UTF-8'";
    cluster::testing::run(cluster, "postgres", text).await;
    let database = Database::new(DatabaseSettings::new(cluster.url_of("french"))).unwrap();
    database.migrate().await.unwrap();
    throw_all(&database, 2).await;
}
