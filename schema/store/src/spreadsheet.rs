//! CSV files as spreadsheets write and read them: UTF-8 or Windows-1252, separated by commas or semicolons, without formulas.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula, and an office may have such a name. So these cells are
//! written with an apostrophe before them, which is taken away again where they are read.

use std::borrow::Cow;

use serde::Serialize;

/// Byte order mark, by which spreadsheets see that a file is UTF-8.
pub const BOM: char = '\u{feff}';
/// Characters of the octets 0x80 to 0x9F in Windows-1252. The five octets that it leaves open are control characters, as in ISO 8859-1.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];
/// Characters with which a formula begins, in half and full width, and controls that a spreadsheet skips before one.
const BEGINS_FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\0', '＝', '＋', '－', '＠'];
/// What keeps a spreadsheet from reading a cell as a formula.
const GUARD: char = '\'';

/// How the characters of a file are written as octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    #[serde(rename = "UTF-8")]
    Utf8,
    /// Windows-1252, in which Excel of Western Europe and of French-speaking countries writes CSV.
    #[serde(rename = "Windows-1252")]
    Windows1252,
}

impl Encoding {
    /// Returns the name, which is the same in every language.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Utf8 => "UTF-8",
            Encoding::Windows1252 => "Windows-1252",
        }
    }
}

/// A row of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SheetRow {
    /// Number of the line on which the row begins; the first line is 1.
    pub line: u64,
    /// The cells, without blanks around them.
    pub cells: Vec<String>,
}

/// Reads a CSV file. Octets that are not UTF-8 are read as Windows-1252. Cells are separated by semicolons if the first line has one, and
/// otherwise by commas; they are quoted as RFC 4180 says. Rows without any content are left out.
pub fn read(octets: &[u8]) -> (Encoding, Vec<SheetRow>) {
    let (encoding, text) = match std::str::from_utf8(octets) {
        Ok(text) => (Encoding::Utf8, Cow::Borrowed(text)),
        Err(_not_utf8) => {
            (Encoding::Windows1252, Cow::Owned(octets.iter().map(|octet| windows_1252(*octet)).collect()))
        }
    };
    let text = text.strip_prefix(BOM).unwrap_or(&text);
    let head = text.lines().next().unwrap_or_default();
    let delimiter = if head.contains(';') { b';' } else { b',' };
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut lines = Lines { text: text.as_bytes(), at: 0, line: 1 };
    // A text in memory is never unreadable, and a row of any length is taken as it is.
    let rows = reader.records().filter_map(Result::ok).map(|record| SheetRow {
        line: lines.of(record.position().map_or(0, csv::Position::byte)),
        cells: record.iter().map(|cell| unguarded(cell.trim()).to_owned()).collect(),
    });
    (encoding, rows.filter(|row| row.cells.iter().any(|cell| !cell.is_empty())).collect())
}

/// Finds the lines on which rows begin. The reader's own count is that of the row's end before, with the blank lines between.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    fn of(&mut self, byte: u64) -> u64 {
        let start = usize::try_from(byte).unwrap_or(self.at);
        let blank = self.text.iter().skip(start).take_while(|octet| matches!(octet, b'\r' | b'\n')).count();
        let passed = self.text.get(self.at..start + blank).unwrap_or_default();
        self.line += passed.iter().map(|octet| u64::from(*octet == b'\n')).sum::<u64>();
        self.at = start + blank;
        self.line
    }
}

/// Writes a row as a line of CSV, separated by commas, as RFC 4180 says.
pub fn line<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let cells: Vec<String> = cells.into_iter().map(quoted).collect();
    format!("{}\r\n", cells.join(","))
}

fn quoted(cell: &str) -> String {
    let guarded = guarded(cell);
    if guarded.contains([',', ';', '"', '\r', '\n', '\t']) || guarded.trim() != guarded {
        return format!("\"{}\"", guarded.replace('"', "\"\""));
    }
    guarded.into_owned()
}

/// Returns the cell with an apostrophe before it, if a spreadsheet would read it as a formula. A cell that begins with an apostrophe gets
/// another one, so that it is read as it was.
fn guarded(cell: &str) -> Cow<'_, str> {
    let is_number = cell.strip_prefix('-').is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'));
    if !is_number && cell.starts_with(|first: char| first == GUARD || BEGINS_FORMULA.contains(&first)) {
        return Cow::Owned(format!("{GUARD}{cell}"));
    }
    Cow::Borrowed(cell)
}

/// Takes the apostrophe away that [`guarded`] put before the cell.
fn unguarded(cell: &str) -> &str {
    let is_guard = |rest: &&str| rest.starts_with(|first: char| first == GUARD || BEGINS_FORMULA.contains(&first));
    cell.strip_prefix(GUARD).filter(is_guard).unwrap_or(cell)
}

fn windows_1252(octet: u8) -> char {
    match octet {
        0x80..=0x9f => WINDOWS_1252[usize::from(octet - 0x80)],
        other => char::from(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(octets: &[u8]) -> Vec<Vec<String>> {
        read(octets).1.into_iter().map(|row| row.cells).collect()
    }

    #[test]
    fn both_encodings_and_both_separators_are_read_alike() {
        let expected =
            vec![vec!["nom".to_owned(), "ville".to_owned()], vec!["Mairie d’Édéa".to_owned(), "Édéa".to_owned()]];
        let (encoding, rows) = read("\u{feff}nom,ville\r\nMairie d’Édéa, Édéa \r\n\r\n".as_bytes());
        assert_eq!((encoding, rows[1].line), (Encoding::Utf8, 2));
        assert_eq!(rows.into_iter().map(|row| row.cells).collect::<Vec<_>>(), expected);
        let octets = b"nom;ville\nMairie d\x92\xc9d\xe9a;\"\xc9d\xe9a\"";
        assert_eq!(read(octets).0, Encoding::Windows1252);
        assert_eq!(cells(octets), expected);
        assert_eq!(cells(b""), Vec::<Vec<String>>::new());
    }

    #[test]
    fn a_row_of_any_length_is_read_and_told_by_the_line_on_which_it_begins() {
        for text in ["a,b\n\"x\ny\",1,2\n,\n\nz\n", "a,b\r\n\"x\r\ny\",1,2\r\n,\r\n\r\nz"] {
            let (_, rows) = read(text.as_bytes());
            let found: Vec<(u64, usize)> = rows.iter().map(|row| (row.line, row.cells.len())).collect();
            assert_eq!(found, [(1, 2), (2, 3), (6, 1)], "{text:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_as_it_was_and_is_no_formula() {
        let hard = [
            "=1+1",
            "+237 699",
            "-x",
            "@SUM(A1)",
            "'quoted",
            "a,b",
            "say \"x\"",
            "two\nlines",
            "",
            "-",
            "-5",
            "＝1",
            "Édéa",
            "a;b",
        ];
        let written = line(hard);
        assert_eq!(cells(written.as_bytes()), [hard.map(str::to_owned).to_vec()], "{written}");
        for (cell, written) in [
            ("=1+1", "'=1+1"),
            ("-5", "-5"),
            ("-3.50", "-3.50"),
            ("+5", "'+5"),
            ("+237 699", "'+237 699"),
            ("a,b", "\"a,b\""),
        ] {
            assert_eq!(line([cell]), format!("{written}\r\n"));
        }
    }
}
