//! `xmserver letter`: all that the centre knows of one letter, for an operator who talks with its office on the telephone.

use clap::{Args, Subcommand};
use sdc::answer::receipt::Receipt;
use sdc::letter::Matricule;
use sdc::payload::{self, PayloadLimits};
use serde_json::{Value, json};
use store::letters::answers::Answer;
use store::letters::quarantine::QuarantineEntry;
use store::letters::story::{self, Decided, Named, Story};

use super::desk::{Desk, read_matricule};
use super::{quarantine, terms};
use crate::clock::Clock;
use crate::show::{self, Labels};
use crate::speech::{self, said};

/// Labels of the lines that `letter show` prints.
const LABELS: [&str; 10] = [
    "heading-letter",
    "heading-agency",
    "heading-sequence",
    "heading-payload",
    "heading-verdict",
    "heading-journal",
    "heading-quarantine",
    "heading-receipt",
    "heading-answer",
    "heading-entry",
];

/// What to do with one letter.
#[derive(Subcommand, Debug)]
pub enum LetterCommand {
    /// Tell its story: when it came, what was decided and why, what it cost, what became of its receipt
    Show(Wanted),
}

/// Which letter.
#[derive(Args, Debug)]
pub struct Wanted {
    /// Its id, its digest, or the number of a line of the journal
    #[arg(value_name = "ID|DIGEST|LINE")]
    named: Named,
    /// Of this agency, where two have given their letters the same id
    #[arg(long, value_parser = read_matricule)]
    agency: Option<Matricule>,
}

pub(super) async fn run(desk: &mut Desk, command: LetterCommand) -> anyhow::Result<()> {
    let LetterCommand::Show(wanted) = command;
    let stories = wanted.stories(desk).await?;
    if desk.json {
        return show::json(&stories.iter().map(for_programs).collect::<Vec<Value>>());
    }
    let told: Vec<String> = stories.iter().map(|story| words(story, desk)).collect();
    show::text(&told.join("\n"))
}

impl Wanted {
    pub(super) async fn stories(&self, desk: &mut Desk) -> anyhow::Result<Vec<Story>> {
        Ok(story::stories(desk.connection(), &self.named, self.agency).await?)
    }
}

/// Reads the receipt of a decided letter; none where this program cannot read the form of the receipt.
pub(super) fn receipt(decided: &Decided) -> Option<Receipt> {
    payload::read_answer(&decided.receipt, &PayloadLimits::default()).ok().map(|answer| answer.receipt)
}

pub(super) fn for_programs(story: &Story) -> Value {
    let mut all = json!(story);
    if let (Value::Object(members), Some(decided)) = (&mut all, &story.decided) {
        members.insert("receipt".to_owned(), json!(receipt(decided)));
    }
    all
}

fn words(story: &Story, desk: &Desk) -> String {
    let mut lines = Vec::new();
    match &story.decided {
        Some(decided) => lines.extend(of_decided(decided, desk.clock)),
        None => lines.push(("heading-letter", said!("letter-stranger"))),
    }
    for line in &story.journal {
        let words = said!(
            "letter-journal",
            line = line.id.to_string(),
            outcome = terms::outcome(&line.outcome),
            transport = terms::transport(&line.transport),
            mailbox = &line.mailbox,
            domain = &line.sender_domain,
            bytes = line.container_bytes,
            time = desk.clock.time(line.received_at)
        );
        lines.push(("heading-journal", words));
    }
    lines.extend(story.quarantine.iter().map(|entry| ("heading-quarantine", of_quarantine(entry))));
    if let Some(decided) = &story.decided {
        let told = receipt(decided).map(|receipt| desk.receipt_in_words(&receipt));
        let told = told.unwrap_or_else(|| vec![said!("letter-unreadable")]);
        lines.extend(told.into_iter().map(|line| ("heading-receipt", line)));
        lines.push(("heading-answer", answer_state(story, desk.clock)));
    }
    for entry in &story.entries {
        let words = said!(
            "letter-entry",
            entry = entry.id.to_string(),
            kind = terms::kind(&entry.kind),
            amount = show::amount(entry.amount, &desk.server),
            balance = show::amount(entry.balance_after, &desk.server),
            time = desk.clock.time(entry.posted_at)
        );
        lines.push(("heading-entry", words));
    }
    let labels = Labels::new(&LABELS);
    lines.iter().map(|(label, line)| format!("{}\n", labels.line(label, 1, &show::plain(line)))).collect()
}

fn of_decided(decided: &Decided, clock: Clock) -> Vec<(&'static str, String)> {
    let installation = show::or_dash(Some(&decided.installation).filter(|name| !name.is_empty()));
    let agency = said!("letter-agency", agency = decided.agency.to_string(), installation = installation);
    let (sequence, attempt) = (show::or_dash(decided.sequence), decided.attempt.to_string());
    vec![
        ("heading-letter", decided.letter_id.to_string()),
        ("heading-agency", agency),
        ("heading-sequence", said!("letter-sequence", sequence = sequence, attempt = attempt)),
        ("heading-payload", format!("SHA-256 {}", hex::encode(&decided.digest))),
        ("heading-verdict", format!("{}, {}", terms::outcome(&decided.verdict), clock.time(decided.received_at))),
    ]
}

fn of_quarantine(entry: &QuarantineEntry) -> String {
    let (digest, number) = (hex::encode(&entry.digest), entry.id.to_string());
    let (reason, state) = (&entry.reason, quarantine::state(entry));
    match (entry.agency, entry.claimed_agency.map(|agency| agency.to_string())) {
        (None, Some(claimed)) => said!(
            "letter-quarantine-claimed",
            entry = number,
            reason = reason,
            state = state,
            agency = claimed,
            digest = digest
        ),
        _ => said!("letter-quarantine", entry = number, reason = reason, state = state, digest = digest),
    }
}

/// Returns words that say whether the receipt of a letter waits, was given up, or was sent, and when.
pub(super) fn answer_state(story: &Story, clock: Clock) -> String {
    let sent = story.decided.as_ref().and_then(|decided| decided.answered_at);
    match (&story.waiting, sent) {
        (Some(waiting), _) => of_waiting(waiting, clock),
        (None, Some(sent)) => said!("answer-sent", time = clock.time(sent)),
        (None, None) => said!("answer-not-sent"),
    }
}

/// Returns words that say where an answer goes: an e-mail address, the transfer folder, the office itself, or no address.
pub(super) fn address(answer: &Answer) -> String {
    match (answer.transport.as_str(), answer.email.as_str()) {
        ("folder", _) => said!("answer-folder"),
        ("http", _) => said!("answer-http"),
        (_, "") => said!("answer-no-address"),
        (_, email) => email.to_owned(),
    }
}

fn of_waiting(answer: &Answer, clock: Clock) -> String {
    let queued = clock.time(answer.queued_at);
    let next = if answer.is_given_up {
        said!("answer-next-given-up")
    } else {
        said!("answer-next-attempt", time = clock.time(answer.due_at))
    };
    let (address, attempts) = (address(answer), answer.attempts);
    match &answer.last_error {
        Some(error) => said!(
            "answer-waiting-said",
            queued = queued,
            address = address,
            attempts = attempts,
            next = next,
            reason = speech::sentences(error)
        ),
        None => said!("answer-waiting", queued = queued, address = address, attempts = attempts, next = next),
    }
}
