//! Output of commands: tables for people, JSON for programs, amounts with their currency, matricules with six digits.

use std::io::{ErrorKind, Write};

use sdc::printable::printable;
use serde::Serialize;
use terminal_size::{Width, terminal_size_of};

use crate::speech;

/// Returns the values of a list joined by commas; a dash for an empty list.
pub fn joined_or_dash(values: &[String]) -> String {
    if values.is_empty() { "-".to_owned() } else { values.join(", ") }
}

/// Writes a whole text to standard output. It is no error where the reader has closed the pipe (`| head`).
///
/// # Errors
/// Standard output cannot be written.
pub fn text(text: &str) -> anyhow::Result<()> {
    part(text).map(drop)
}

/// Writes a part of a longer text to standard output. Returns false where the reader has closed the pipe.
///
/// # Errors
/// Standard output cannot be written.
pub fn part(text: &str) -> anyhow::Result<bool> {
    write(&mut std::io::stdout().lock(), text)
}

fn write(out: &mut impl Write, text: &str) -> anyhow::Result<bool> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        result => Ok(result.map(|()| true)?),
    }
}

/// Writes a value as JSON.
///
/// # Errors
/// Standard output cannot be written.
pub fn json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    text(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// Width below which a terminal is too narrow for the lines of a wide table; the table then has one line for each cell.
const STACKED_BELOW: usize = 60;
/// Least width, in columns, of a table's last column when it is cut to fit the terminal.
const LAST_COLUMN_MIN: usize = 8;

/// A table for people. Each column is as wide as its widest cell; the last column is cut to the remaining width of the terminal.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Makes an empty table with the headings.
    pub fn new(headings: &[&str]) -> Table {
        Table { rows: vec![headings.iter().map(|heading| speech::heading(heading).to_uppercase()).collect()] }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.cells(cells.to_vec());
    }

    /// Adds a row of as many cells as there are headings.
    pub fn cells(&mut self, cells: Vec<String>) {
        // A cell may hold text from an office, whose control characters could control the reader's terminal.
        self.rows.push(cells.iter().map(|cell| plain(cell)).collect());
    }

    /// Writes the table; where it has no rows, writes the sentence `nothing` instead.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn print(&self, nothing: &str) -> anyhow::Result<()> {
        if self.rows.len() == 1 {
            return text(&format!("{nothing}\n"));
        }
        text(&self.render(terminal_width()))
    }

    /// Lays the table out. `terminal` is the width of the terminal, to which the table is cut or stacked; none for a file or a program.
    fn render(&self, terminal: Option<usize>) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..columns).map(width).collect();
        if let (Some(terminal), Some((last, others))) = (terminal, widths.split_last_mut()) {
            let left = terminal.saturating_sub(others.iter().map(|width| width + 2).sum());
            if *last > left && (terminal < STACKED_BELOW || left < LAST_COLUMN_MIN) {
                return self.stacked();
            }
            *last = left.min(*last);
        }
        let line = |row: &Vec<String>| {
            let cells: Vec<String> =
                row.iter().zip(&widths).map(|(cell, width)| format!("{:<width$}", cut(cell, *width))).collect();
            format!("{}\n", cells.join("  ").trim_end())
        };
        self.rows.iter().map(line).collect()
    }

    fn stacked(&self) -> String {
        let Some((headings, rows)) = self.rows.split_first() else { return String::new() };
        let width = headings.iter().map(|heading| heading.chars().count()).max().unwrap_or(0);
        let row = |row: &Vec<String>| {
            let lines = headings.iter().zip(row).map(|(heading, cell)| format!("{heading:<width$}  {cell}\n"));
            lines.collect::<String>()
        };
        rows.iter().map(row).collect::<Vec<_>>().join("\n")
    }
}

fn cut(cell: &str, width: usize) -> String {
    if cell.chars().count() <= width {
        return cell.to_owned();
    }
    cell.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

fn terminal_width() -> Option<usize> {
    terminal_size_of(std::io::stdout()).map(|(Width(columns), _)| usize::from(columns))
}

/// Writes pairs of a name and a value, such as the fields of one record, one pair on each line. The names are in the user's language.
///
/// # Errors
/// Standard output cannot be written.
pub fn facts(facts: &[(&str, String)]) -> anyhow::Result<()> {
    let names: Vec<String> = facts.iter().map(|(name, _)| speech::heading(name)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let line = |(name, (_, value)): (&String, &(&str, String))| format!("{name:<width$}  {}\n", plain(value));
    text(&names.iter().zip(facts).map(line).collect::<String>())
}

/// Labels at the beginning of lines, all padded to the width of the widest label in the user's language.
#[derive(Clone, Copy)]
pub struct Labels {
    width: usize,
}

impl Labels {
    /// Measures the labels, which are given by the names of their messages.
    pub fn new(labels: &[&str]) -> Labels {
        let width = labels.iter().map(|label| speech::words().text(label, []).chars().count()).max().unwrap_or(0);
        Labels { width }
    }

    /// Returns a line: the label, then the text. The text begins `gap` columns after the widest label.
    pub fn line(self, label: &str, gap: usize, text: &str) -> String {
        let label = if label.is_empty() { String::new() } else { speech::words().text(label, []) };
        format!("{label:<width$}{text}", width = self.width + gap)
    }
}

/// A currency, as amounts are written in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Currency<'a> {
    /// ISO 4217 code.
    pub code: &'a str,
    /// Number of digits after the point of the main unit.
    pub digits: usize,
}

/// Returns an amount in the main unit with the currency: `12500 XAF`, `-3.50 EUR`.
pub fn amount(minor_units: i64, currency: Currency<'_>) -> String {
    format!("{} {}", bare_amount(minor_units, currency), currency.code)
}

/// Returns an amount in the main unit, without the currency: `12500`, `-3.50`.
pub fn bare_amount(minor_units: i64, currency: Currency<'_>) -> String {
    let digits = currency.digits;
    let sign = if minor_units < 0 { "-" } else { "" };
    let plain = format!("{:0>width$}", minor_units.unsigned_abs(), width = digits + 1);
    let (whole, fraction) = plain.split_at(plain.len() - digits);
    let point = if digits == 0 { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

/// Reads an amount that a person wrote in the currency's main unit, and returns it in minor units.
///
/// # Errors
/// A sentence that says what was expected.
pub fn read_amount(written: &str, currency: Currency<'_>) -> anyhow::Result<i64> {
    let digits = currency.digits;
    let (whole, fraction) = written.split_once('.').unwrap_or((written, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = !whole.is_empty() && is_number(whole) && is_number(fraction) && fraction.len() <= digits;
    let expected = || {
        let example = amount(12_500, currency);
        let decimals = if digits == 0 { "no decimals".to_owned() } else { format!("at most {digits} decimals") };
        anyhow::anyhow!(
            "the amount {written:?} is not valid: expected digits and {decimals}, such as {}",
            example.split(' ').next().unwrap_or_default()
        )
    };
    if !fits {
        return Err(expected());
    }
    format!("{whole}{fraction:0<digits$}").parse().map_err(|_too_large: std::num::ParseIntError| expected())
}

/// Replaces the characters of a text that could control the reader's terminal or change the order of writing.
pub fn plain(text: &str) -> String {
    printable(text)
}

/// Returns a value as text; a dash where it is absent.
pub fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_shown_and_read_in_the_main_unit() {
        let (xaf, eur) = (Currency { code: "XAF", digits: 0 }, Currency { code: "EUR", digits: 2 });
        assert_eq!(amount(12_500, xaf), "12500 XAF");
        assert_eq!([amount(5, eur), amount(-350, eur), amount(0, eur)], ["0.05 EUR", "-3.50 EUR", "0.00 EUR"]);
        assert_eq!(amount(i64::MIN, xaf), "-9223372036854775808 XAF");
        assert_eq!(read_amount("125", eur).unwrap(), 12_500);
        assert_eq!(read_amount("125.5", eur).unwrap(), 12_550);
        assert_eq!(read_amount("12500", xaf).unwrap(), 12_500);
        for wrong in ["", ".", "-1", "1.5", "1 000", "12,5", "99999999999999999999"] {
            let error = read_amount(wrong, xaf).unwrap_err().to_string();
            assert!(error.contains("no decimals, such as 12500"), "{error}");
        }
    }

    #[test]
    fn a_table_cannot_rule_the_terminal() {
        let mut table = Table::new(&["name", "town"]);
        table.row(["\u{1b}[2Jevil".to_owned(), "Édéa".to_owned()]);
        table.row(["x".to_owned(), "Bafoussam".to_owned()]);
        assert_eq!(table.render(None), "NAME      TOWN\n\u{fffd}[2Jevil  Édéa\nx         Bafoussam\n");
        for steering in ["\u{7}", "\u{9b}", "\u{202a}", "\u{202e}", "\u{2066}", "\u{2069}"] {
            assert_eq!(plain(&format!("a{steering}b")), "a\u{fffd}b", "{steering:?}");
        }
    }

    /// A writer that takes this number of octets, and then fails with this error.
    struct Reader(usize, ErrorKind);

    impl Write for Reader {
        fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(octets.len()).ok_or(self.1)?;
            Ok(octets.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn whoever_writes_on_learns_that_the_reader_has_gone() {
        let mut head = Reader(5, ErrorKind::BrokenPipe);
        assert_eq!([write(&mut head, "four").unwrap(), write(&mut head, "five").unwrap()], [true, false]);
        assert!(write(&mut Reader(0, ErrorKind::StorageFull), "x").is_err());
    }

    #[test]
    fn a_table_fits_the_terminal() {
        let mut table = Table::new(&["id", "outcome", "detail"]);
        table.row(["1".to_owned(), "accepted".to_owned(), "é".repeat(100)]);
        let whole = table.render(None);
        assert!(whole.contains(&"é".repeat(100)), "{whole}");
        let cut = table.render(Some(80));
        assert!(cut.lines().all(|line| line.chars().count() <= 80) && cut.contains("é…"), "{cut}");
        assert_eq!(table.render(Some(200)), whole);
        let stacked = format!("ID       1\nOUTCOME  accepted\nDETAIL   {}\n", "é".repeat(100));
        assert_eq!(table.render(Some(59)), stacked);
        // A table that fits the terminal is not stacked, however narrow the terminal is.
        let mut narrow = Table::new(&["id", "town"]);
        narrow.row(["1".to_owned(), "Édéa".to_owned()]);
        assert_eq!(narrow.render(Some(20)), "ID  TOWN\n1   Édéa\n");
        // The first column takes the whole width, so the rows are stacked.
        let mut wide = Table::new(&["a", "b"]);
        wide.row(["x".repeat(90), "yyyyyyyyy".to_owned()]);
        assert!(wide.render(Some(80)).starts_with("A  xxx"));
    }
}
