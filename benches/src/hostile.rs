//! Letters behind mail that is meant to stop the centre: of strangers, and of registered agencies that spend what is others'.
//!
//! Every kind once did harm. A hundred of each lie before the letters, where nothing else is asked for; how much longer these take, how long one agency waits
//! for another, and what memory it all takes, are the figures.

use anyhow::Result;
use serde::Serialize;

use crate::burst;
use crate::centre::Hardship;
use crate::figures::{Figures, Report, number};
use crate::steady::{self, Outcome};
use crate::stock::Stock;

/// A large mail: what a mail server takes by default, and no more.
const LARGE_BYTES: usize = 4_800_000;

/// What the runs measured.
#[derive(Clone, Debug, Serialize)]
pub struct Hostile {
    /// Time for the letters behind mails of strangers, by their time without; starting the engine left out of both.
    pub times_behind_strangers: f64,
    /// The same behind letters of hostile agencies.
    pub times_behind_agencies: f64,
    /// Longest wait of a letter that came at a steady rate beside those of hostile agencies, from lying in the mailbox to the
    /// commit.
    pub neighbour_wait_ms_max: i64,
    /// The engine's largest memory in any of the runs.
    pub rss_mb_max: f64,
    /// Without anything hostile: before the others, and after them.
    pub quiet: Vec<Figures>,
    /// Behind mails of strangers.
    pub behind_strangers: Figures,
    /// Behind letters of hostile agencies.
    pub behind_agencies: Figures,
    /// At a steady rate beside letters of hostile agencies.
    pub beside_agencies: Outcome,
}

impl Report for Hostile {
    fn summary(&self) -> Vec<(&'static str, String)> {
        vec![
            ("times_behind_strangers", number(self.times_behind_strangers)),
            ("times_behind_agencies", number(self.times_behind_agencies)),
            ("neighbour_wait_ms_max", self.neighbour_wait_ms_max.to_string()),
            ("rss_mb_max", number(self.rss_mb_max)),
        ]
    }

    fn runs(&self) -> Vec<(String, &Figures)> {
        let quiet = self.quiet.iter().enumerate().map(|(at, run)| (format!("quiet {}", at + 1), run));
        let others = [
            ("strangers", &self.behind_strangers),
            ("agencies", &self.behind_agencies),
            ("beside", &self.beside_agencies.figures),
        ];
        quiet.chain(others.map(|(name, run)| (name.to_owned(), run))).collect()
    }
}

/// The prepared letters of the runs.
pub struct Stocks<'a> {
    /// Letters alone.
    pub quiet: &'a Stock,
    /// As many, and those of hostile agencies.
    pub hostile: &'a Stock,
    /// The letters that come at a steady rate, and those of hostile agencies.
    pub steady: &'a Stock,
    /// That rate, in letters a second.
    pub rate: f64,
    /// Mails of strangers of every kind.
    pub of_each_kind: usize,
}

/// Runs the letters alone, behind strangers, behind hostile agencies, alone again, and at a steady rate beside hostile agencies.
///
/// # Errors
/// See [`burst::run`] and [`steady::run`].
pub async fn run(stocks: &Stocks<'_>) -> Result<Hostile> {
    let among = Hardship { hostile_mails: stocks.of_each_kind, ..Hardship::default() };
    let before = burst::run(stocks.quiet, Hardship::default(), false).await?;
    let behind_strangers = burst::run(stocks.quiet, among, false).await?;
    let behind_agencies = burst::run(stocks.hostile, Hardship::default(), false).await?;
    let after = burst::run(stocks.quiet, Hardship::default(), true).await?;
    let beside_agencies = steady::run(stocks.steady, stocks.rate).await?;
    let time = |run: &Figures| run.seconds - run.start_seconds;
    let quiet_seconds = (time(&before) + time(&after)) / 2.0;
    let all = [&before, &behind_strangers, &behind_agencies, &after, &beside_agencies.figures];
    Ok(Hostile {
        times_behind_strangers: time(&behind_strangers) / quiet_seconds,
        times_behind_agencies: time(&behind_agencies) / quiet_seconds,
        neighbour_wait_ms_max: beside_agencies.max_ms,
        rss_mb_max: all.iter().map(|run| run.rss_mb_max).fold(0.0, f64::max),
        quiet: vec![before.clone(), after.clone()],
        behind_strangers,
        behind_agencies,
        beside_agencies,
    })
}

/// The kinds of mail that strangers once stopped or slowed the centre with, each with its name.
pub fn of_strangers() -> Vec<(&'static str, Vec<u8>)> {
    let mut kinds: Vec<(&'static str, Vec<u8>)> = ["From", "Message-ID", "Auto-Submitted", "Content-Transfer-Encoding"]
        .map(|field| ("encoded words", format!("{field}:{}\r\n\r\nx\r\n", " =?x?=x".repeat(9_100)).into_bytes()))
        .into();
    kinds.extend([
        ("encoded words in a part", in_part(&format!("Content-Transfer-Encoding:{}\r\n", " =?x?=x".repeat(57_000)))),
        ("encoded words, folded", in_part(&folded("Content-Transfer-Encoding:", " =?x?=x", LARGE_BYTES))),
        ("parameters, folded", in_part(&folded("Content-Type: text/plain", "; a*0*=b", LARGE_BYTES))),
        ("content types", in_part(&format!("Content-Type: text/plain; a={}\r\n", "b".repeat(4_000)).repeat(90))),
        ("comments", in_part(&format!("Content-Transfer-Encoding: {}\r\n", "(".repeat(400_000)))),
        ("boundaries", nested(99, 3_500, &"-".repeat(LARGE_BYTES - 99 * 7_200))),
        (
            "parts",
            format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}", "--b\r\n\r\nx\r\n".repeat(LARGE_BYTES / 11))
                .into_bytes(),
        ),
        ("lines", format!("Subject: x\r\n\r\n{}", "\r\n".repeat(LARGE_BYTES / 2)).into_bytes()),
        (
            "a block",
            format!(
                "Subject: SDC 1 agency=000001\r\n\r\n-----BEGIN CMS-----\r\n{}-----END CMS-----\r\n",
                format!("{}\r\n", "A".repeat(76)).repeat(LARGE_BYTES / 78)
            )
            .into_bytes(),
        ),
        (
            "marker lines",
            format!("Subject: x\r\n\r\n{}", "-----BEGIN CMS-----\r\n".repeat(LARGE_BYTES / 21)).into_bytes(),
        ),
    ]);
    kinds
}

/// A mail of one part with these header fields.
fn in_part(fields: &str) -> Vec<u8> {
    format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n{fields}\r\nx\r\n--b--\r\n").into_bytes()
}

/// A header field of many tokens, in lines as long as RFC 5322, 2.1.1 admits.
fn folded(name: &str, token: &str, bytes: usize) -> String {
    let line = format!("{}\r\n ", token.repeat(990 / token.len()));
    format!("{name}{}\r\n", line.repeat(bytes / line.len()).trim_end())
}

/// Multiparts within each other, with long boundaries, around a text.
fn nested(depth: usize, boundary_bytes: usize, text: &str) -> Vec<u8> {
    let boundary = |level: usize| format!("{level:04}{}", "-".repeat(boundary_bytes));
    let mut mail = String::new();
    for level in 0..depth {
        mail.push_str(&format!("Content-Type: multipart/mixed; boundary=\"{0}\"\r\n\r\n--{0}\r\n", boundary(level)));
    }
    mail.push_str(&format!("\r\n{text}\r\n"));
    mail.into_bytes()
}

/// Makes one of many that are alike a mail of its own, so that no two have the same digest.
pub fn numbered(mail: &[u8], number: usize) -> Vec<u8> {
    [format!("X-Number: {number}\r\n").as_bytes(), mail].concat()
}
