//! Records: no table or column may be repeated, all columns have the same length, every reader must read the same values, and everything
//! is bounded.

use serde_json::json;

use super::*;

const TABLE: &str = r#"{"table":"Acte","columns":["Numero","Nom"],"values":[[7,8],["Épée",null]]}"#;
const VALUES: &str = r#"[[7,8],["Épée",null]]"#;
const COLUMNS: &str = r#"["Numero","Nom"]"#;

#[test]
fn values_are_what_every_reader_holds_alike() {
    for value in [
        "0",
        "-9223372036854775808",
        "9223372036854775807",
        "true",
        "null",
        r#""""#,
        r#""12.50""#,
        r#""\u00c9\ud83d\ude00\n\"""#,
        r#""É 😀 \t""#,
    ] {
        let letter = read_letter(with(LETTER, "7,", &format!("{value},")).as_bytes(), &LIMITS);
        let Request::Export(records) = letter.unwrap_or_else(|unreadable| panic!("{value}: {unreadable}")).request
        else {
            panic!("not an export")
        };
        assert_eq!(records.tables[0].values[0][0], serde_json::from_str::<serde_json::Value>(value).unwrap());
    }
    let (integer, syntax) = ("an integer of 64 bits; fractions travel as text", "JSON of RFC 8259");
    for (value, expected) in [
        ("9223372036854775808", integer),
        ("18446744073709551615", integer),
        ("18446744073709551616", integer),
        ("-9223372036854775809", integer),
        ("1.0", integer),
        ("1e3", integer),
        ("-0", integer),
        ("1e400", integer),
        ("-1e400", integer),
        ("NaN", syntax),
        ("Infinity", syntax),
        ("-Infinity", syntax),
        ("-", syntax),
        ("01", syntax),
        ("+1", syntax),
        ("0x1", syntax),
        (".5", syntax),
        ("1.", syntax),
        ("1_000", syntax),
        ("True", syntax),
        ("undefined", syntax),
        ("'Ngo Biyong'", syntax),
        (r#""Ngo Biyong \x""#, syntax),
        (r#""Ngo Biyong \u12""#, syntax),
        ("\"Ngo Biyong \u{1}\"", syntax),
        ("\"Ngo Biyong \n\"", syntax),
        (r#""Ngo Biyong \ud800""#, syntax),
        (r#""Ngo Biyong \udc00\ud800""#, syntax),
        (r#""Ngo Biyong \u0000""#, "text without U+0000"),
        (r#""Ngo Biyong E\u0301""#, "Unicode normalization form C"),
        ("\"Ngo Biyong e\u{301}\"", "Unicode normalization form C"),
        ("\"Ngo Biyong \u{212b}\"", "Unicode normalization form C"),
        ("[]", "text, an integer, true, false or null"),
        ("{}", "text, an integer, true, false or null"),
        (r#"{"$serde_json::private::Number":"1"}"#, "text, an integer, true, false or null"),
        (r#"{"Ngo Biyong":0,"Ngo Biyong":0}"#, "each member once"),
        (r#"{"Ngo Biyong \u0000":0}"#, "text without U+0000"),
        (r#"{"Ngo Biyong E\u0301":0}"#, "Unicode normalization form C"),
    ] {
        let refusal = refused(with(LETTER, "7,", &format!("{value},")).as_bytes());
        assert_eq!(refusal.code, RefusalCode::PayloadMalformed, "{value}");
        assert!(parameter(&refusal, "expected").contains(expected), "{value}: {refusal}");
    }
}

#[test]
fn a_refusal_says_where() {
    let letter = with(LETTER, "null]", "1.5]");
    let column = letter.find("1.5]").unwrap() + "1.5".len();
    let refusal = refused(letter.as_bytes());
    assert_eq!((parameter(&refusal, "line"), parameter(&refusal, "column")), ("1", column.to_string().as_str()));
    let letter = with(LETTER, "\"body\"", "\n  \"body\"");
    let letter = with(&letter, "null]", "\n1.5]");
    let refusal = refused(letter.as_bytes());
    assert_eq!(parameter(&refusal, "path"), "body.tables[0].values[1][1]");
    assert_eq!((parameter(&refusal, "line"), parameter(&refusal, "column")), ("3", "3"));
    let letter = with(LETTER, "7,8", &format!("{{\"{SECRET}\":1.5}},8"));
    assert_malformed(&letter, "body.tables[0].values[0][0].?", "an integer");
    for (length, shown) in [(32, "a".repeat(32)), (33, "?".to_owned())] {
        let letter = with(LETTER, "7,8", &format!("{{\"{}\":1.5}},8", "a".repeat(length)));
        assert_malformed(&letter, &format!("body.tables[0].values[0][0].{shown}"), "an integer");
    }
    assert_malformed(&with(LETTER, "7,8", "[],8"), "body.tables[0].values[0][0]", "text, an integer");
    assert_malformed(&with(LETTER, "7,8", "7,{\"a\":0}"), "body.tables[0].values[0][1]", "text, an integer");
}

#[test]
fn a_body_has_this_shape() {
    let name = "a name of 1 to 63 octets";
    let long_name = format!("\"{}\"", "é".repeat(32));
    let (body, table) = ("body", "body.tables[0]");
    let cases = [
        ("\"application\":\"ecr\",", "", body, "an object of application, tables"),
        ("\"application\":\"ecr\",", "\"application\":\"ecr\",\"a\":0,", body, "an object of application, tables"),
        ("\"application\":\"ecr\"", "\"Application\":\"ecr\"", body, "an object of application, tables"),
        ("\"ecr\"", "\"ecr\",\"application\":\"ecr\"", body, "each member once"),
        ("\"ecr\"", "\"\"", "body.application", name),
        ("\"ecr\"", "7", "body.application", name),
        ("\"ecr\"", "\"\\u0007\"", "body.application", name),
        ("\"table\":\"Acte\",", "", table, "an object of table, columns, values"),
        ("\"table\":\"Acte\"", "\"table\":\"Acte\",\"rows\":2", table, "an object of table, columns, values"),
        ("\"table\":\"Acte\"", "\"table\":\"Acte\",\"table\":\"Acte\"", table, "each member once"),
        (TABLE, "null", table, "an object of table, columns, values"),
        (TABLE, "[\"Acte\",[],[]]", table, "an object of table, columns, values"),
        (TABLE, "", "body.tables", "an array of 1 to 50"),
        ("\"Acte\"", "\"\"", "body.tables[0].table", name),
        ("\"Acte\"", "null", "body.tables[0].table", name),
        ("\"Acte\"", &long_name, "body.tables[0].table", name),
        ("\"Acte\"", "\"E\\u0301\"", "body.tables[0].table", "normalization form C"),
        (COLUMNS, "[]", "body.tables[0].columns", "an array of 1 to 200"),
        (COLUMNS, "{}", "body.tables[0].columns", "an array of 1 to 200"),
        (COLUMNS, "[\"Numero\",7]", "body.tables[0].columns[1]", name),
        (COLUMNS, "[\"Numero\",\"Numero\"]", "body.tables[0].columns[1]", "each column once"),
        (COLUMNS, "[\"É\",\"é\"]", "body.tables[0].columns[1]", "each column once"),
        (COLUMNS, "[\"Straße\",\"STRASSE\"]", "body.tables[0].columns[1]", "each column once"),
        (COLUMNS, "[\"ΝΟΜΌΣ\",\"νομός\"]", "body.tables[0].columns[1]", "each column once"),
        (COLUMNS, "[\"Numero\"]", "body.tables[0].values", "1 arrays, one per column"),
        (VALUES, "[]", "body.tables[0].values", "2 arrays, one per column"),
        (VALUES, "[[7,8]]", "body.tables[0].values", "2 arrays, one per column"),
        (VALUES, "[[7],[8],[9]]", "body.tables[0].values", "2 arrays, one per column"),
        (VALUES, "{\"0\":[7]}", "body.tables[0].values", "an array per column"),
        (VALUES, "[[],[]]", "body.tables[0].values[0]", "an array of 1 to 20000"),
        (VALUES, "[7,8]", "body.tables[0].values[0]", "an array of 1 to 20000"),
        (VALUES, "[[7,8],[9]]", "body.tables[0].values[1]", "2 values as in [0]"),
        (VALUES, "[[7],[8,9]]", "body.tables[0].values[1]", "1 values as in [0]"),
    ];
    for (good, bad, path, expected) in cases {
        assert_malformed(&with(LETTER, good, bad), path, expected);
    }
    for (first, second) in [("Acte", "Acte"), ("acte", "ACTE"), ("É", "é")] {
        let two = [TABLE.replace("Acte", first), TABLE.replace("Acte", second)].join(",");
        assert_malformed(&with(LETTER, TABLE, &two), "body.tables[1].table", "each table once");
    }
    let start = LETTER.find("{\"application\"").unwrap();
    for body in ["null", "[]", "\"ecr\"", "[\"ecr\",[]]"] {
        assert_malformed(&format!("{}{body}}}", &LETTER[..start]), "body", "an object of application, tables");
    }
}

/// Makes a letter with this number of tables, each with this number of columns and rows.
fn letter_of(tables: usize, columns: usize, rows: usize) -> String {
    let columns_named: Vec<String> = (0..columns).map(|number| format!("c{number}")).collect();
    let values = vec![vec![0; rows]; columns];
    let tables: Vec<serde_json::Value> = (0..tables)
        .map(|number| json!({"table": format!("t{number}"), "columns": columns_named, "values": values}))
        .collect();
    with(LETTER, TABLE, serde_json::to_string(&tables).unwrap().trim_matches(['[', ']']))
}

#[test]
fn records_are_as_many_as_the_limits_and_no_more() {
    for (tables, columns, rows) in [(50, 1, 1), (1, 200, 1), (1, 1, 20_000), (2, 1, 10_000), (1, 24, 20_000)] {
        assert!(read_letter(letter_of(tables, columns, rows).as_bytes(), &LIMITS).is_ok(), "{tables} {columns} {rows}");
    }
    assert_malformed(&letter_of(51, 1, 1), "body.tables", "an array of 1 to 50");
    assert_malformed(&letter_of(1, 201, 1), "body.tables[0].columns", "an array of 1 to 200");
    assert_malformed(&letter_of(1, 1, 20_001), "body.tables[0].values[0]", "an array of 1 to 20000");
    assert_malformed(&letter_of(2, 1, 12_000), "body.tables[1].values[0]", "an array of 1 to 8000");
    assert_malformed(&letter_of(1, 25, 20_000), "body.tables[0].values[24][19945]", "fewer values");
    let objects = with(LETTER, "7,", &"{},".repeat(1001));
    assert_malformed(&objects, "body.tables[0].values[0][998]", "fewer objects");
}

#[test]
fn nesting_is_bounded_everywhere() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    // Eight levels of nesting are admitted, and the values of records are on the sixth. Two arrays within each other, in the place of a
    // value, reach the eighth level: they are not too deep, but are refused because a value may not be an array. Three arrays are too deep.
    assert_malformed(
        &with(LETTER, "7,", &format!("{},", nested(2))),
        "body.tables[0].values[0][0]",
        "text, an integer",
    );
    for levels in [3, 100, 200_000] {
        let refusal = refused(with(LETTER, "7,", &format!("{},", nested(levels))).as_bytes());
        assert_eq!((refusal.code, parameter(&refusal, "expected")), (RefusalCode::PayloadMalformed, "less nesting"));
        assert_malformed(
            &with(LETTER, "\"sdc\":1", &format!("\"sdc\":1,\"a\":{}", nested(levels))),
            "",
            "no members but",
        );
    }
    assert_malformed(&with(LETTER, "\"sdc\":1", &format!("\"sdc\":{}", nested(7))), "sdc", "a format version");
    assert_eq!(
        parameter(&refused(with(LETTER, "\"sdc\":1", &format!("\"sdc\":{}", nested(8))).as_bytes()), "expected"),
        "less nesting"
    );
    assert_eq!(parameter(&refused("[".repeat(4 << 20).as_bytes()), "expected"), "JSON of RFC 8259");
}

/// For texts whose characters are all below U+0300, the reader skips the check of the normalization form. This test shows that they are
/// always in that form.
#[test]
fn what_is_below_u0300_is_in_normal_form_whatever_stands_beside_it() {
    use unicode_normalization::char::canonical_combining_class;
    use unicode_normalization::{IsNormalized, is_nfc_quick};
    for character in '\0'..'\u{300}' {
        assert_eq!(canonical_combining_class(character), 0, "{character:?}");
        assert_eq!(is_nfc_quick([character].into_iter()), IsNormalized::Yes, "{character:?}");
        assert!(character.to_string().bytes().all(|octet| octet < 0xCC), "{character:?}");
    }
    assert!("\u{300}".bytes().any(|octet| octet == 0xCC));
}
