//! Days and times as operators write and read them: in the centre's zone. The program reads times in the form in which it shows them.
//!
//! A day begins at the centre's midnight, so a price of the first of the month is valid from that midnight. Where a change of the clocks
//! skips a time or repeats it, the operator gets an error instead of a guess.

use std::str::FromStr;

use anyhow::bail;
use chrono::offset::LocalResult;
use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

const SHOWN: &str = "%Y-%m-%d %H:%M:%S %Z";
const LOCAL: [&str; 4] = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"];
/// Longest time before now that can be read, in seconds: ten years.
const SECONDS_AGO_MAX: i64 = 10 * 366 * 86_400;
/// Minutes after midnight within which the first moment of a day is searched. No change of the clocks has skipped more than a day.
const MINUTES_LEFT_OUT_MAX: i64 = 26 * 60;

/// A moment as an operator wrote it; the centre's [`Clock`] turns it into a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A time with its offset (RFC 3339), or a time of UTC.
    Exact(DateTime<Utc>),
    /// The beginning of a day in the centre's zone.
    Day(NaiveDate),
    /// The beginning of the day that is this number of days after today; -1 is yesterday.
    DayFromToday(i64),
    /// A time in the centre's zone, with the zone's name where the operator wrote it: `2026-11-28 18:55:12 WAT`.
    Local {
        /// The time, without its zone.
        time: NaiveDateTime,
        /// The zone as it was written.
        zone: Option<String>,
    },
    /// This duration before now; zero is now.
    Ago(TimeDelta),
}

impl Moment {
    /// Says whether the moment is now.
    pub fn is_now(&self) -> bool {
        *self == Moment::Ago(TimeDelta::zero())
    }
}

/// Why a moment cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MomentError {
    /// The text is not a moment.
    #[error(
        "expected a day (2026-11-30), a time of the centre (\"2026-11-30 18:00\"), one of RFC 3339 (2026-11-30T17:00:00Z), \
         today, yesterday, or so long ago (2h, 3d); found {0:?}"
    )]
    Unread(String),
    /// The centre's clocks were put forward and skipped this time, so it does not exist.
    #[error("{time} does not exist in {zone}: clocks are put forward there at that time; write a time before or after")]
    Absent {
        /// The time that the operator wrote.
        time: NaiveDateTime,
        /// The centre's zone.
        zone: Tz,
    },
    /// The centre's clocks were put back and repeated this time, so it exists twice.
    #[error("{time} comes twice in {zone}, as clocks are put back: write \"{earlier}\" or \"{later}\"")]
    Twice {
        /// The time that the operator wrote.
        time: NaiveDateTime,
        /// The centre's zone.
        zone: Tz,
        /// The first of the two times, as it must be written.
        earlier: String,
        /// The second of the two times, as it must be written.
        later: String,
    },
    /// The zone's name is not the one that the centre's clock shows at that time.
    #[error("the centre's clock shows {expected:?}, not {found:?}: write it so, or as RFC 3339")]
    OtherZone {
        /// The zone's name that was written.
        found: String,
        /// The zone's name that the centre's clock shows at that time.
        expected: String,
    },
}

impl FromStr for Moment {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Moment, MomentError> {
        let text = text.trim();
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Moment::Exact(time.to_utc()));
        }
        if let Ok(day) = text.parse() {
            return Ok(Moment::Day(day));
        }
        match text.to_lowercase().as_str() {
            "now" | "maintenant" => return Ok(Moment::Ago(TimeDelta::zero())),
            "today" | "aujourd'hui" => return Ok(Moment::DayFromToday(0)),
            "yesterday" | "hier" => return Ok(Moment::DayFromToday(-1)),
            "tomorrow" | "demain" => return Ok(Moment::DayFromToday(1)),
            _ => {}
        }
        ago(text).or_else(|| local(text)).ok_or_else(|| MomentError::Unread(text.to_owned()))
    }
}

/// Reads a duration before now: `90s`, `30m`, `2h`, `3d` (or `3j`), `2w`.
fn ago(text: &str) -> Option<Moment> {
    let (number, unit) = text.split_at(text.find(|character: char| !character.is_ascii_digit())?);
    let seconds = match unit {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" | "j" => 86_400,
        "w" => 7 * 86_400,
        _ => return None,
    };
    let seconds = number.parse::<i64>().ok()?.checked_mul(seconds).filter(|seconds| *seconds <= SECONDS_AGO_MAX)?;
    TimeDelta::try_seconds(seconds).map(Moment::Ago)
}

fn local(text: &str) -> Option<Moment> {
    let read = |text: &str| LOCAL.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    if let Some(time) = read(text) {
        return Some(Moment::Local { time, zone: None });
    }
    let (before, zone) = text.rsplit_once(' ')?;
    let time = read(before.trim_end())?;
    match zone {
        "UTC" | "GMT" | "Z" => Some(Moment::Exact(time.and_utc())),
        zone => Some(Moment::Local { time, zone: Some(zone.to_owned()) }),
    }
}

/// Shows and reads times in the centre's zone.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Tz);

impl Clock {
    /// The clock for a centre whose zone is not known.
    pub const UTC: Clock = Clock(Tz::UTC);

    /// Returns the clock of a zone, such as `Africa/Douala`, in upper or lower case.
    ///
    /// # Errors
    /// No zone has this name.
    pub fn of(zone: &str) -> anyhow::Result<Clock> {
        match chrono_tz::TZ_VARIANTS.iter().find(|known| known.name().eq_ignore_ascii_case(zone)) {
            Some(zone) => Ok(Clock(*zone)),
            None => bail!("the zone {zone:?} is not known: expected a name such as Africa/Douala, or UTC"),
        }
    }

    /// Returns the zone's name in its usual spelling.
    pub fn zone(self) -> &'static str {
        self.0.name()
    }

    /// Shows a time with the zone's name.
    pub fn time(self, time: DateTime<Utc>) -> String {
        time.with_timezone(&self.0).format(SHOWN).to_string()
    }

    /// Returns the centre's day to which a time belongs.
    pub fn day(self, time: DateTime<Utc>) -> NaiveDate {
        time.with_timezone(&self.0).date_naive()
    }

    /// Shows a time in the centre's zone without the zone's name, for lists.
    pub fn short(self, time: DateTime<Utc>) -> String {
        time.with_timezone(&self.0).format(LOCAL[0]).to_string()
    }

    /// Turns a moment into a time.
    ///
    /// # Errors
    /// The centre's clocks skip or repeat the time, or the moment has the name of another zone.
    pub fn read(self, moment: &Moment) -> Result<DateTime<Utc>, MomentError> {
        self.read_at(moment, Utc::now())
    }

    fn read_at(self, moment: &Moment, now: DateTime<Utc>) -> Result<DateTime<Utc>, MomentError> {
        match moment {
            Moment::Exact(time) => Ok(*time),
            Moment::Ago(span) => Ok(now - *span),
            Moment::Day(day) => self.beginning(*day),
            Moment::DayFromToday(days) => {
                let today = now.with_timezone(&self.0).date_naive();
                let span = Days::new(days.unsigned_abs());
                let day = if *days < 0 { today.checked_sub_days(span) } else { today.checked_add_days(span) };
                self.beginning(day.unwrap_or(today))
            }
            Moment::Local { time, zone } => self.local(*time, zone.as_deref()),
        }
    }

    /// Returns the first moment of a day: midnight, or the first of two midnights. Where the clocks skip midnight, it is the first time
    /// after the gap.
    fn beginning(self, day: NaiveDate) -> Result<DateTime<Utc>, MomentError> {
        let midnight = day.and_time(chrono::NaiveTime::MIN);
        let minutes = (0..=MINUTES_LEFT_OUT_MAX).map(|minutes| midnight + TimeDelta::minutes(minutes));
        minutes
            .filter_map(|time| self.0.from_local_datetime(&time).earliest())
            .next()
            .map(|time| time.to_utc())
            .ok_or(MomentError::Absent { time: midnight, zone: self.0 })
    }

    fn local(self, time: NaiveDateTime, zone: Option<&str>) -> Result<DateTime<Utc>, MomentError> {
        let candidates = match self.0.from_local_datetime(&time) {
            LocalResult::None => return Err(MomentError::Absent { time, zone: self.0 }),
            LocalResult::Single(only) => vec![only],
            LocalResult::Ambiguous(earlier, later) => vec![earlier, later],
        };
        let shown = |candidate: &DateTime<Tz>| candidate.format(SHOWN).to_string();
        match (zone, candidates.as_slice()) {
            (None, [earlier, later]) => {
                Err(MomentError::Twice { time, zone: self.0, earlier: shown(earlier), later: shown(later) })
            }
            (None, candidates) => {
                candidates.first().map(DateTime::to_utc).ok_or(MomentError::Absent { time, zone: self.0 })
            }
            (Some(zone), candidates) => {
                let expected =
                    || candidates.iter().map(|one| one.format("%Z").to_string()).collect::<Vec<_>>().join(" or ");
                candidates
                    .iter()
                    .find(|candidate| candidate.format("%Z").to_string().eq_ignore_ascii_case(zone))
                    .map(DateTime::to_utc)
                    .ok_or_else(|| MomentError::OtherZone { found: zone.to_owned(), expected: expected() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(zone: &str, text: &str) -> Result<String, MomentError> {
        let now = "2026-11-30T23:30:00Z".parse().unwrap();
        let time = Clock::of(zone).unwrap().read_at(&text.parse()?, now)?;
        Ok(time.format("%Y-%m-%dT%H:%M:%SZ").to_string())
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for zone in ["Africa/Douala", "UTC", "Europe/Paris", "America/Sao_Paulo", "Asia/Kathmandu"] {
            let clock = Clock::of(zone).unwrap();
            for time in ["2026-11-28T17:55:12Z", "2026-07-01T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]
            {
                let time: DateTime<Utc> = time.parse().unwrap();
                let shown = clock.time(time);
                assert_eq!(clock.read(&shown.parse().unwrap()), Ok(time), "{shown} in {zone}");
            }
        }
        assert_eq!(
            Clock::of("Africa/Douala").unwrap().time("2026-11-30T18:00:00Z".parse().unwrap()),
            "2026-11-30 19:00:00 WAT"
        );
        // At 23:30 UTC on 30 November it is already 1 December in Douala.
        let late = "2026-11-30T23:30:00Z".parse().unwrap();
        let days = [Clock::UTC, Clock::of("Africa/Douala").unwrap()].map(|clock| clock.day(late).to_string());
        assert_eq!(days, ["2026-11-30", "2026-12-01"]);
        assert_eq!(Clock::of("africa/douala").unwrap().zone(), "Africa/Douala");
        assert!(Clock::of("Africa/Nowhere").unwrap_err().to_string().contains("such as Africa/Douala"));
    }

    #[test]
    fn days_and_times_are_the_centres() {
        let cases = [
            ("2026-12-01", "2026-11-30T23:00:00Z"),
            ("2026-12-01 08:30", "2026-12-01T07:30:00Z"),
            ("2026-12-01T08:30:15", "2026-12-01T07:30:15Z"),
            ("2026-12-01 08:30:15 wat", "2026-12-01T07:30:15Z"),
            ("2026-12-01 08:30:15 UTC", "2026-12-01T08:30:15Z"),
            ("2026-12-01T08:30:15+05:30", "2026-12-01T03:00:15Z"),
            // At 23:30 UTC the next day has begun in Douala.
            ("today", "2026-11-30T23:00:00Z"),
            ("Hier", "2026-11-29T23:00:00Z"),
            ("demain", "2026-12-01T23:00:00Z"),
            ("2h", "2026-11-30T21:30:00Z"),
            ("3d", "2026-11-27T23:30:00Z"),
            ("3j", "2026-11-27T23:30:00Z"),
            ("now", "2026-11-30T23:30:00Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(read("Africa/Douala", text).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(read("UTC", "2026-12-01").as_deref(), Ok("2026-12-01T00:00:00Z"));
    }

    #[test]
    fn what_clocks_leave_out_or_show_twice_is_told() {
        let told = |zone: &str, text: &str| read(zone, text).unwrap_err().to_string();
        assert!(told("Europe/Paris", "2026-03-29 02:30").contains("does not exist in Europe/Paris"));
        let twice = told("Europe/Paris", "2026-10-25 02:30");
        assert!(twice.contains("2026-10-25 02:30:00 CEST") && twice.contains("2026-10-25 02:30:00 CET"), "{twice}");
        assert_eq!(read("Europe/Paris", "2026-10-25 02:30:00 CEST").as_deref(), Ok("2026-10-25T00:30:00Z"));
        assert_eq!(read("Europe/Paris", "2026-10-25 02:30:00 CET").as_deref(), Ok("2026-10-25T01:30:00Z"));
        assert!(told("Africa/Douala", "2026-12-01 08:30 CET").contains("shows \"WAT\", not \"CET\""));
        // Cairo's clocks skip midnight, and Samoa skipped a whole day: the day begins at the first time that exists.
        assert_eq!(read("Africa/Cairo", "2026-04-24").as_deref(), Ok("2026-04-23T22:00:00Z"));
        assert_eq!(read("Pacific/Apia", "2011-12-30").as_deref(), Ok("2011-12-30T10:00:00Z"));
    }

    #[test]
    fn what_is_no_time_is_told_with_what_is() {
        for wrong in [
            "",
            "30/11/2026",
            "2026-13-01",
            "-2h",
            "2x",
            "99999999999999999999d",
            "9000000d",
            "soon",
            "2026-12-01 25:00",
        ] {
            let error = wrong.parse::<Moment>().unwrap_err().to_string();
            assert!(error.contains("2026-11-30 18:00") && error.contains("yesterday"), "{error}");
        }
    }
}
