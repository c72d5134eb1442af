//! How things are shown: tables for people, JSON for programs, amounts with their currency, matricules with six digits.

use std::io::{ErrorKind, Write};

use anyhow::bail;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use store::administration::server::Server;

/// Writes a text to standard output, once. A reader that has gone away (`| head`) is no error.
///
/// # Errors
/// Standard output cannot be written.
pub fn text(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

/// Writes a value as JSON.
///
/// # Errors
/// Standard output cannot be written.
pub fn json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    text(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// A table for people: columns as wide as their widest cell.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Makes a table with its headings.
    pub fn new(headings: &[&str]) -> Table {
        Table { rows: vec![headings.iter().map(|heading| heading.to_uppercase()).collect()] }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        // What was written at an office may hold anything: a control character would rule the operator's terminal.
        self.rows.push(cells.map(|cell| cell.replace(char::is_control, "\u{fffd}")).to_vec());
    }

    /// Writes the table; a sentence instead where it has no rows.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn print(&self, nothing: &str) -> anyhow::Result<()> {
        if self.rows.len() == 1 {
            return text(&format!("{nothing}\n"));
        }
        text(&self.render())
    }

    fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            format!("{}\n", cells.join("  ").trim_end())
        };
        self.rows.iter().map(line).collect()
    }
}

/// Shows facts, one a line.
///
/// # Errors
/// Standard output cannot be written.
pub fn facts(facts: &[(&str, String)]) -> anyhow::Result<()> {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line =
        |(name, value): &(&str, String)| format!("{name:<width$}  {}\n", value.replace(char::is_control, "\u{fffd}"));
    text(&facts.iter().map(line).collect::<String>())
}

/// Shows an amount of minor units: `12500 XAF`, `-3.50 EUR`.
pub fn amount(minor_units: i64, server: &Server) -> String {
    let digits = usize::try_from(server.currency_digits).unwrap_or(0);
    let sign = if minor_units < 0 { "-" } else { "" };
    let plain = format!("{:0>width$}", minor_units.unsigned_abs(), width = digits + 1);
    let (whole, fraction) = plain.split_at(plain.len() - digits);
    let point = if digits == 0 { "" } else { "." };
    format!("{sign}{whole}{point}{fraction} {}", server.currency)
}

/// Reads an amount as a person writes it, in the currency's main unit, into minor units.
///
/// # Errors
/// What was expected, in words.
pub fn read_amount(written: &str, server: &Server) -> anyhow::Result<i64> {
    let digits = usize::try_from(server.currency_digits).unwrap_or(0);
    let (whole, fraction) = written.split_once('.').unwrap_or((written, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = !whole.is_empty() && is_number(whole) && is_number(fraction) && fraction.len() <= digits;
    let expected = || {
        let example = amount(12_500, server);
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

/// Shows a matricule out of a column.
pub fn matricule(number: i32) -> String {
    format!("{number:06}")
}

/// Shows what may be absent.
pub fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// Shows times in the centre's zone.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Tz);

impl Clock {
    /// Reads the zone's name, such as `Africa/Douala`.
    ///
    /// # Errors
    /// No such zone.
    pub fn of(zone: &str) -> anyhow::Result<Clock> {
        match zone.parse() {
            Ok(zone) => Ok(Clock(zone)),
            Err(_) => bail!("the zone {zone:?} is not known: expected a name such as Africa/Douala, or UTC"),
        }
    }

    /// Shows a time.
    pub fn time(self, time: DateTime<Utc>) -> String {
        time.with_timezone(&self.0).format("%Y-%m-%d %H:%M:%S %Z").to_string()
    }
}

#[cfg(test)]
mod tests {
    use sdc::letter::Mode;

    use super::*;

    fn server(currency: &str, digits: i16) -> Server {
        let mut server = Server::new("x", Mode::Test);
        server.currency = currency.to_owned();
        server.currency_digits = digits;
        server
    }

    #[test]
    fn amounts_are_shown_and_read_in_the_main_unit() {
        let (xaf, eur) = (server("XAF", 0), server("EUR", 2));
        assert_eq!(amount(12_500, &xaf), "12500 XAF");
        assert_eq!([amount(5, &eur), amount(-350, &eur), amount(0, &eur)], ["0.05 EUR", "-3.50 EUR", "0.00 EUR"]);
        assert_eq!(amount(i64::MIN, &xaf), "-9223372036854775808 XAF");
        assert_eq!(read_amount("125", &eur).unwrap(), 12_500);
        assert_eq!(read_amount("125.5", &eur).unwrap(), 12_550);
        assert_eq!(read_amount("12500", &xaf).unwrap(), 12_500);
        for wrong in ["", ".", "-1", "1.5", "1 000", "12,5", "99999999999999999999"] {
            let error = read_amount(wrong, &xaf).unwrap_err().to_string();
            assert!(error.contains("no decimals, such as 12500"), "{error}");
        }
    }

    #[test]
    fn times_are_shown_in_the_centres_zone() {
        let time = "2026-11-30T18:00:00Z".parse().unwrap();
        assert_eq!(Clock::of("Africa/Douala").unwrap().time(time), "2026-11-30 19:00:00 WAT");
        assert_eq!(Clock::of("UTC").unwrap().time(time), "2026-11-30 18:00:00 UTC");
        assert!(Clock::of("Africa/Nowhere").unwrap_err().to_string().contains("such as Africa/Douala"));
    }

    #[test]
    fn a_table_cannot_rule_the_terminal() {
        let mut table = Table::new(&["name", "town"]);
        table.row(["\u{1b}[2Jevil".to_owned(), "Édéa".to_owned()]);
        table.row(["x".to_owned(), "Bafoussam".to_owned()]);
        assert_eq!(table.render(), "NAME      TOWN\n\u{fffd}[2Jevil  Édéa\nx         Bafoussam\n");
    }
}
