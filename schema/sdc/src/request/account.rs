//! The body of `account`: the days for which the office asks a statement.

use chrono::NaiveDate;
use serde::Serialize;
use serde_json::Value;

use crate::expected::Expected;
use crate::json::malformed;
use crate::json::members::{optional_members, text};
use crate::refusal::Refusal;

/// A period in days of the centre's calendar; the first and the last day are part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Period {
    /// The first day; where absent, the first day of the last day's month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<NaiveDate>,
    /// The last day; where absent, the day on which the centre handles the letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<NaiveDate>,
}

/// Reads the body from its JSON.
pub(super) fn read(body: Value) -> Result<Period, Refusal> {
    let [from, to] = optional_members(body, "body", &["from", "to"])?;
    let from = from.map(|from| day(from, "body.from")).transpose()?;
    let to = to.map(|to| day(to, "body.to")).transpose()?;
    if from.zip(to).is_some_and(|(from, to)| to < from) {
        return Err(malformed("body.to", Expected::DayNotBefore));
    }
    Ok(Period { from, to })
}

fn day(value: Value, path: &str) -> Result<NaiveDate, Refusal> {
    let read = text(value).and_then(|text| {
        let day: NaiveDate = text.parse().ok()?;
        // chrono also accepts blanks, signs and missing zeros. A day is accepted only if it equals its own text form.
        (("0001-01-01".len() == text.len()) && day.to_string() == text && !text.starts_with("0000")).then_some(day)
    });
    read.ok_or_else(|| malformed(path, Expected::Day))
}
