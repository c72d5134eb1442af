//! `xmserver letter`: all that the centre knows of one letter, for whoever has its office on the telephone.

use clap::{Args, Subcommand};
use sdc::answer::receipt::Receipt;
use sdc::letter::Matricule;
use sdc::payload::{self, PayloadLimits};
use serde_json::{Value, json};
use store::administration::answers::Answer;
use store::administration::letters::{self, Decided, Named, Story};
use store::administration::quarantine::QuarantineEntry;

use super::{Desk, read_matricule, receipt_words};
use crate::clock::Clock;
use crate::show;

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
        Ok(letters::stories(desk.connection(), &self.named, self.agency).await?)
    }
}

/// Reads what a letter was told; nothing where the receipt is of a form that this program does not read.
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
        None => lines.push("letter     of a sender whom nobody vouches for: its content was not read".to_owned()),
    }
    for line in &story.journal {
        let when = desk.clock.time(line.received_at);
        let from = format!("{} {}, from {}", line.transport, line.mailbox, show::or_dash(Some(&line.sender_domain)));
        lines.push(format!(
            "journal    line {}: {} by {from}, {} bytes, {when}",
            line.id, line.outcome, line.container_bytes
        ));
    }
    lines.extend(story.quarantine.iter().map(of_quarantine));
    if let Some(decided) = &story.decided {
        let told = receipt(decided).map(|receipt| receipt_words::lines(&receipt, desk));
        let told = told.unwrap_or_else(|| vec!["cannot be read by this program".to_owned()]);
        lines.extend(told.iter().map(|line| format!("receipt    {line}")));
        lines.push(format!("answer     {}", answer_state(story, desk.clock)));
    }
    for entry in &story.entries {
        let (amount, balance) =
            (show::amount(entry.amount, &desk.server), show::amount(entry.balance_after, &desk.server));
        let when = desk.clock.time(entry.posted_at);
        lines.push(format!(
            "entry      {} of kind {}: {amount}, balance after it {balance}, {when}",
            entry.id, entry.kind
        ));
    }
    lines.iter().map(|line| format!("{}\n", show::plain(line))).collect()
}

fn of_decided(decided: &Decided, clock: Clock) -> Vec<String> {
    let installation = Some(&decided.installation).filter(|name| !name.is_empty());
    vec![
        format!("letter     {}", decided.letter_id),
        format!("agency     {}, installation {}", show::matricule(decided.agency), show::or_dash(installation)),
        format!("sequence   {}, attempt {}", show::or_dash(decided.sequence), decided.attempt),
        format!("payload    SHA-256 {}", hex::encode(&decided.digest)),
        format!("verdict    {}, {}", decided.verdict, clock.time(decided.received_at)),
    ]
}

fn of_quarantine(entry: &QuarantineEntry) -> String {
    let claimed = match (entry.agency, entry.claimed_agency) {
        (None, Some(claimed)) => format!(", agency {} (claimed, not proven)", show::matricule(claimed)),
        _ => String::new(),
    };
    let digest = hex::encode(&entry.digest);
    format!("quarantine entry {}: {}, {}{claimed}; container SHA-256 {digest}", entry.id, entry.reason, entry.state)
}

/// Says what became of a receipt.
pub(super) fn answer_state(story: &Story, clock: Clock) -> String {
    let sent = story.decided.as_ref().and_then(|decided| decided.answered_at);
    match (&story.waiting, sent) {
        (Some(waiting), _) => of_waiting(waiting, clock),
        (None, Some(sent)) => format!("sent {}", clock.time(sent)),
        (None, None) => "none waits, and none was sent".to_owned(),
    }
}

fn of_waiting(answer: &Answer, clock: Clock) -> String {
    let queued = clock.time(answer.queued_at);
    let said = answer.last_error.as_ref().map_or_else(String::new, |error| format!("; the relay said: {error}"));
    let next = if answer.is_given_up {
        "given up: `xmserver answer resend` sends it after all".to_owned()
    } else {
        format!("next attempt {}", clock.time(answer.due_at))
    };
    format!("queued {queued} for {}, {} attempts, {next}{said}", answer.email, answer.attempts)
}
