//! `xmagency letter`: letters of the office, and their receipts.

use clap::Subcommand;
use face::receipt_words;
use face::show::Table;
use face::{said, show};
use sdc::answer::receipt::Verdict;

use crate::desk::Desk;
use crate::failure::NotFound;
use crate::letters::Letter;

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
    if desk.json {
        return show::json(letter);
    }
    let mut lines = vec![line(letter), said!("office-letter-made", user = &letter.made_by, time = &letter.made_at)];
    lines.extend(letter.sent_at.as_ref().map(|time| said!("office-letter-sent", time = time, count = letter.sends)));
    if let Some(receipt) = &letter.receipt {
        let currency = &receipt.account.currency;
        lines.extend(receipt_words::lines(receipt, |amount| {
            said!("office-amount", amount = amount, currency = currency)
        }));
    }
    show::text(&format!("{}\n", lines.join("\n")))
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
