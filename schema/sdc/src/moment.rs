//! A moment as a letter writes it. The letter's own time and the cells of its records use the same reader.

use chrono::{DateTime, Datelike, Utc};

/// Years that both RFC 3339 (5.6) and PostgreSQL can write; PostgreSQL has no year 0.
const YEARS: std::ops::RangeInclusive<i32> = 1..=9999;

/// Maximum number of digits of a fraction. A reader would ignore further digits, so two different texts would have the same meaning.
const FRACTION_DIGITS_MAX: usize = 9;

/// Reads `YYYY-MM-DDTHH:MM:SS`, then an optional fraction of one to nine digits, then `Z`, `+HH:MM` or `-HH:MM`.
///
/// RFC 3339 (5.6) lets each reader decide whether a blank or a lower-case letter may replace `T` and `Z`. It also admits second 60, which
/// PostgreSQL turns into the next minute. Readers that differ here would differ about what was signed, so all of these forms are refused.
pub fn read(text: &str) -> Option<DateTime<Utc>> {
    let (day_and_time, rest) = text.split_at_checked("YYYY-MM-DDTHH:MM:SS".len())?;
    let is_plain = day_and_time.as_bytes().get(10) == Some(&b'T') && !day_and_time.ends_with("60");
    let zone = match rest.strip_prefix('.') {
        None => rest,
        Some(fraction) => {
            let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
            (1..=FRACTION_DIGITS_MAX).contains(&digits).then(|| &fraction[digits..])?
        }
    };
    let is_zone = zone == "Z" || (zone.len() == "+HH:MM".len() && zone.starts_with(['+', '-']));
    if !is_plain || !is_zone {
        return None;
    }
    // An offset from UTC can move the first and last days out of these years.
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc()).filter(|time| YEARS.contains(&time.year()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_one_form() {
        for (text, read_as) in [
            ("2026-11-23T14:05:00Z", "2026-11-23T14:05:00Z"),
            ("2026-11-23T14:05:00.5Z", "2026-11-23T14:05:00.500Z"),
            ("2026-11-23T14:05:59.999999999+01:00", "2026-11-23T13:05:59.999999999Z"),
            ("2024-02-29T23:59:59-11:30", "2024-03-01T11:29:59Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(read(text), read_as.parse().ok(), "{text}");
        }
        for text in [
            "",
            "2026-11-23",
            "2026-11-23T14:05Z",
            "2026-11-23 14:05:00Z",
            "2026-11-23t14:05:00Z",
            "2026-11-23_14:05:00Z",
            "2026-11-23T14:05:00z",
            "2026-11-23T14:05:00",
            "2026-11-23T14:05:60Z",
            "2016-12-31T23:59:60Z",
            "2026-11-23T24:00:00Z",
            "2026-02-29T14:05:00Z",
            "2026-11-23T14:05:00.Z",
            "2026-11-23T14:05:00.0000000000Z",
            "2026-11-23T14:05:00,5Z",
            "2026-11-23T14:05:00+0100",
            "2026-11-23T14:05:00+01",
            "2026-11-23T14:05:00+01:60",
            "2026-11-23T14:05:00+24:00",
            "2026-11-23T14:05:00\u{2212}01:00",
            "2026-11-23T14:05:00 Z",
            " 2026-11-23T14:05:00Z",
            "2026-11-23T14:05:00Z ",
            "+2026-11-23T14:05:00Z",
            "12026-11-23T14:05:00Z",
            "0000-12-31T14:05:00Z",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "\u{661}\u{660}26-11-23T14:05:00Z",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
