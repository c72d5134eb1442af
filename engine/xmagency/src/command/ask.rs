//! `xmagency account`, `recharge` and `message`: what the office asks of the centre beside its records. Each packs a letter; `transmit`
//! carries it, and the answer is read here or with `letter show`.

use agency::packed::Packed;
use anyhow::{Context, bail};
use chrono::NaiveDate;
use clap::Args;
use face::{said, show};
use rusqlite::OptionalExtension;
use sdc::answer::notice::NoticeContent;
use sdc::request::{Message, Period, Recharge, Request, VoucherCode, message_text};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::desk::Desk;
use crate::letters;

/// Which days of the account.
#[derive(Args, Debug)]
pub struct AccountArguments {
    /// First day, YYYY-MM-DD; by default the first of the month
    #[arg(long, value_name = "DAY")]
    from: Option<NaiveDate>,
    /// Last day, YYYY-MM-DD; by default today
    #[arg(long, value_name = "DAY")]
    to: Option<NaiveDate>,
    /// Do not ask: show the newest statement that came
    #[arg(long, conflicts_with_all = ["from", "to"])]
    show: bool,
}

/// Which voucher.
#[derive(Args, Debug)]
pub struct RechargeArguments {
    /// The 16 digits of the voucher, with or without blanks
    #[arg(value_name = "CODE")]
    code: String,
}

/// What is written.
#[derive(Args, Debug)]
pub struct MessageArguments {
    /// The text; without it the messages of the centre are shown
    #[arg(value_name = "TEXT")]
    text: Option<String>,
    /// Goes on with this thread, as shown beside a message
    #[arg(long, value_name = "THREAD")]
    thread: Option<Uuid>,
}

/// Packs a request, and tells its letter.
pub(super) fn packed(desk: &Desk, request: Request) -> anyhow::Result<()> {
    told(desk, &letters::ask(desk, request)?)
}

/// Tells a letter that was packed.
pub(super) fn told(desk: &Desk, packed: &Packed) -> anyhow::Result<()> {
    let (letter, bytes) = (packed.sequence.to_string(), packed.document.len());
    let result = json!({ "sequence": packed.sequence, "bytes": bytes });
    desk.tell(&result, &said!("office-asked", letter = letter, bytes = bytes))
}

pub(super) fn account(desk: &Desk, arguments: &AccountArguments) -> anyhow::Result<()> {
    if arguments.show {
        return statement(desk);
    }
    packed(desk, Request::Account(Period { from: arguments.from, to: arguments.to }))
}

/// Shows the newest statement, whether it was asked for or came as a notice.
fn statement(desk: &Desk) -> anyhow::Result<()> {
    let statement = "SELECT body FROM parts JOIN letters USING (sequence)
                      WHERE service = 'account' AND body IS NOT NULL ORDER BY sequence DESC, part LIMIT 1";
    let connection = desk.database.connection();
    let text: Option<String> = connection.query_row(statement, [], |row| row.get(0)).optional()?;
    let Some(statement) = text.and_then(|text| serde_json::from_str::<Value>(&text).ok()) else {
        return desk.tell(&Value::Null, &said!("office-no-statement"));
    };
    if desk.json {
        return show::json(&statement);
    }
    let currency = statement["currency"].as_str().unwrap_or_default();
    let amount = |value: &Value| said!("office-amount", amount = value.as_i64().unwrap_or(0), currency = currency);
    let mut table = show::Table::new(&["time", "kind", "amount", "balance", "note"]);
    for entry in statement["entries"].as_array().into_iter().flatten() {
        let text = |name: &str| entry[name].as_str().unwrap_or("-").to_owned();
        table.row([text("at"), text("kind"), amount(&entry["amount"]), amount(&entry["balance"]), text("note")]);
    }
    table.print(&said!("office-no-entries"))?;
    show::text(&format!("{}\n", said!("office-status-balance", amount = amount(&statement["closing"]))))
}

pub(super) fn recharge(desk: &Desk, arguments: &RechargeArguments) -> anyhow::Result<()> {
    desk.require_officer()?;
    let code = VoucherCode::typed(&arguments.code);
    if !code.may_be() {
        bail!("this is no code of a voucher: expected 16 digits, the last of which fits the others");
    }
    packed(desk, Request::Recharge(Recharge { code }))
}

pub(super) fn message(desk: &Desk, arguments: MessageArguments) -> anyhow::Result<()> {
    match arguments.text {
        Some(text) => {
            let text = message_text(&sdc::names::composed(&text));
            let text = text.context(
                "the message cannot be sent: expected 1 to 4000 characters, of lines without other controls",
            )?;
            packed(desk, Request::Message(Message { thread: arguments.thread, text }))
        }
        None => messages(desk),
    }
}

fn messages(desk: &Desk) -> anyhow::Result<()> {
    let statement = "SELECT written_at, content FROM notices WHERE kind = 'message' ORDER BY number DESC LIMIT 100";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?));
    let found = desk.database.list(statement, [], read)?;
    let mut told = Vec::new();
    for (time, content) in &found {
        if let Ok(NoticeContent::Message { thread, text, .. }) = serde_json::from_str(content) {
            told.push((time, thread, text));
        }
    }
    if desk.json {
        let all: Vec<Value> =
            told.iter().map(|(time, thread, text)| json!({ "time": time, "thread": thread, "text": text })).collect();
        return show::json(&all);
    }
    if told.is_empty() {
        return show::text(&format!("{}\n", said!("office-no-messages")));
    }
    for (time, thread, text) in told {
        let head = said!("office-message-head", time = time, thread = thread.to_string());
        show::text(&format!("{head}\n{}\n\n", text.lines().map(show::plain).collect::<Vec<_>>().join("\n")))?;
    }
    Ok(())
}
