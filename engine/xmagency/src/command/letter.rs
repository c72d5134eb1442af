//! `xmagency letter`: letters of the office, and their receipts.

use clap::Subcommand;
use face::receipt_words;
use face::show::Table;
use face::{said, show};
use sdc::answer::receipt::Verdict;
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::letters::Letter;
use crate::not_found::NotFound;

/// Most letters that a list shows.
const LISTED_MAX: u32 = 100;

/// What to do with letters.
#[derive(Subcommand, Debug)]
pub enum LetterCommand {
    /// List letters, newest first
    List,
    /// Show a letter and its receipt
    Show {
        /// Number of the letter
        #[arg(value_name = "NUMBER")]
        sequence: i64,
    },
}

pub(super) fn run(desk: &Desk, command: LetterCommand) -> anyhow::Result<()> {
    match command {
        LetterCommand::List => list(desk),
        LetterCommand::Show { sequence } => {
            let letters = desk.database.letters(Some(sequence), 1)?;
            let letter =
                letters.into_iter().next().ok_or_else(|| NotFound(format!("there is no letter {sequence}")))?;
            one(desk, &letter)
        }
    }
}

fn list(desk: &Desk) -> anyhow::Result<()> {
    let letters = desk.database.letters(None, LISTED_MAX)?;
    if desk.json {
        return show::json(&letters);
    }
    let mut table = Table::new(&["letter", "service", "bytes", "made", "sent", "verdict"]);
    for letter in letters {
        let (sent, verdict) = (show::or_dash(letter.sent_at.clone()), show::or_dash(letter.verdict.map(verdict)));
        table.row([
            letter.sequence.to_string(),
            letter.service,
            letter.bytes.to_string(),
            letter.made_at,
            sent,
            verdict,
        ]);
    }
    table.print(&said!("office-no-letters"))
}

fn one(desk: &Desk, letter: &Letter) -> anyhow::Result<()> {
    let parts = desk.database.parts(letter.sequence)?;
    if desk.json {
        return show::json(&json!({ "letter": letter, "parts": parts }));
    }
    let mut lines = vec![line(letter), said!("office-letter-made", user = &letter.made_by, time = &letter.made_at)];
    lines.extend(letter.sent_at.as_ref().map(|time| said!("office-letter-sent", time = time, count = letter.sends)));
    if let Some(receipt) = &letter.receipt {
        let currency = &receipt.account.currency;
        lines.extend(receipt_words::lines(receipt, |amount| {
            said!("office-amount", amount = amount, currency = currency)
        }));
    }
    lines.extend(parts.iter().flat_map(part));
    show::text(&format!("{}\n", lines.join("\n")))
}

/// Returns what a part of an answer says, in words.
fn part(body: &Value) -> Vec<String> {
    if let Some(price) = body["price"].as_i64() {
        let (rows, bytes) = (body["rows"].as_u64().unwrap_or(0), body["bytes"].as_u64().unwrap_or(0));
        let amount = said!("office-amount", amount = price, currency = body["currency"].as_str().unwrap_or_default());
        return vec![said!("office-estimate", count = rows, bytes = bytes, amount = amount)];
    }
    if let Some(results) = body["results"].as_array() {
        let first = body["first"].as_u64().unwrap_or(1);
        return (first..).zip(results).map(|(number, result)| paper(number, result)).collect();
    }
    if let Some(values) = body["values"].as_array() {
        let count = values.first().and_then(Value::as_array).map_or(0, Vec::len);
        return vec![said!("office-part-records", count = count)];
    }
    let members = body.as_object().into_iter().flatten().filter(|(_, value)| value.is_string());
    members.map(|(name, value)| format!("  {name}: {}", show::plain(value.as_str().unwrap_or_default()))).collect()
}

/// Returns the result for a paper, in words.
fn paper(number: u64, result: &Value) -> String {
    let columns: Vec<String> =
        result["columns"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let number = number.to_string();
    match result["outcome"].as_str().unwrap_or_default() {
        "match" => said!("office-paper-match", paper = number),
        "differs" => said!("office-paper-differs", paper = number, columns = columns.join(", ")),
        "cancelled" => said!("office-paper-cancelled", paper = number),
        _ => said!("office-paper-not-found", paper = number),
    }
}

/// Returns one line about a letter: its number, its service and where it stands.
pub(super) fn line(letter: &Letter) -> String {
    let (number, service) = (letter.sequence.to_string(), &letter.service);
    match letter.verdict {
        None if letter.sent_at.is_none() => said!("office-letter-unsent", letter = number, service = service),
        None => said!("office-letter-unanswered", letter = number, service = service),
        Some(found) => said!("office-letter-answered", letter = number, service = service, verdict = verdict(found)),
    }
}

fn verdict(verdict: Verdict) -> String {
    match verdict {
        Verdict::Accepted => said!("office-verdict-accepted"),
        Verdict::Refused => said!("office-verdict-refused"),
        Verdict::Held => said!("office-verdict-held"),
    }
}

/// Returns the words for a kind of notice.
pub(super) fn kind(code: &str) -> String {
    match code {
        "certificate_ends" => said!("office-notice-certificate-ends"),
        "centre_certificate" => said!("office-notice-centre-certificate"),
        "definitions" => said!("office-notice-definitions"),
        "message" => said!("office-notice-message"),
        "profile" => said!("office-notice-profile"),
        "resend" => said!("office-notice-resend"),
        "statement" => said!("office-notice-statement"),
        other => other.to_owned(),
    }
}
