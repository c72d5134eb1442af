//! `xmserver message`: messages between offices and operators, and broadcasts to many offices.

use anyhow::bail;
use clap::{Args, Subcommand};
use diesel_async::AsyncPgConnection;
use indicatif::ProgressBar;
use sdc::letter::Matricule;
use serde_json::json;
use store::error::AdministrationError;
use store::letters::messages::{self, Audience, Message, MessageFilter};
use store::letters::resending;

use super::desk::{Desk, read_matricule};
use super::listing::{self, Extent, Listing};
use crate::speech::said;
use crate::{ask, show};

/// Largest number of characters of a message that a list shows.
const SHOWN_CHARS: usize = 60;

/// What to do with messages.
#[derive(Subcommand, Debug)]
pub enum MessageCommand {
    /// List messages, newest first
    List(ListArguments),
    /// Show the thread of a message; what its office wrote counts as read from then on
    Show {
        /// The message's number
        number: i64,
    },
    /// Write to an agency: each of its installations is told
    Send {
        /// The agency
        #[arg(value_parser = read_matricule)]
        matricule: Matricule,
        /// What it says
        text: String,
        /// In the thread of this message, by its number
        #[arg(long, value_name = "NUMBER")]
        reply_to: Option<i64>,
    },
    /// Write to many agencies; how many is shown first
    Broadcast(BroadcastArguments),
    /// Ask an agency to send its letters again that the centre has lost
    AskAgain {
        /// The agency
        #[arg(value_parser = read_matricule)]
        matricule: Matricule,
        /// The number of the first letter
        from: i64,
        /// This installation alone
        #[arg(long, value_name = "NAME")]
        installation: Option<String>,
    },
}

/// Which messages to list.
#[derive(Args, Debug)]
pub struct ListArguments {
    /// Of this agency
    #[arg(long, value_parser = read_matricule)]
    agency: Option<Matricule>,
    /// Of offices, which nobody has looked at
    #[arg(long)]
    unread: bool,
    /// Older than this one
    #[arg(long)]
    before: Option<i64>,
    #[command(flatten)]
    extent: Extent,
}

/// What to write to whom: all agencies that are not suspended, unless some are named.
#[derive(Args, Debug)]
pub struct BroadcastArguments {
    /// What it says
    text: String,
    /// That may write about a code which begins so
    #[arg(long, value_name = "CODE")]
    area: Option<String>,
    /// Of this town
    #[arg(long)]
    town: Option<String>,
    /// Of this plan
    #[arg(long)]
    plan: Option<String>,
    /// Of this status
    #[arg(long, value_parser = clap::value_parser!(i16).range(1..=3))]
    status: Option<i16>,
    /// Send it without asking
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(desk: &mut Desk, command: MessageCommand) -> anyhow::Result<()> {
    let operator = desk.operator.clone();
    match command {
        MessageCommand::List(ListArguments { agency, unread, before, extent }) => {
            let filter = MessageFilter { agency, is_unread: unread, before: None, limit: None };
            listing::tell(desk, &filter, before, extent).await
        }
        MessageCommand::Show { number } => {
            let thread = messages::show(desk.connection(), &operator, number).await?;
            desk.tell(&thread, &thread.iter().map(|message| whole(message, desk)).collect::<Vec<String>>().join("\n"))
        }
        MessageCommand::Send { matricule, text, reply_to } => {
            let number = messages::send(desk.connection(), &operator, matricule, reply_to, &text).await?;
            let words = said!("message-sent", number = number.to_string(), agency = matricule.to_string());
            desk.tell_line(&json!({ "number": number, "agency": matricule }), &words)
        }
        MessageCommand::Broadcast(arguments) => broadcast(desk, arguments).await,
        MessageCommand::AskAgain { matricule, from, installation } => {
            let installation = installation.as_deref();
            let asked = resending::ask(desk.connection(), &operator, matricule, installation, from).await?;
            let words =
                said!("message-asked-again", count = asked, agency = matricule.to_string(), from = from.to_string());
            desk.tell_line(&json!({ "agency": matricule, "from": from, "installations": asked }), &words)
        }
    }
}

async fn broadcast(desk: &mut Desk, arguments: BroadcastArguments) -> anyhow::Result<()> {
    let BroadcastArguments { text, area, town, plan, status, yes } = arguments;
    let audience = Audience { area, town, plan, status };
    let agencies = messages::count(desk.connection(), &audience).await?;
    let shown = said!("broadcast-shown", count = agencies);
    if agencies > 0 && !yes {
        if !ask::is_possible() {
            bail!("{shown}\nnothing was done: say --yes to send it");
        }
        ask::tell(&format!("{shown}\n"))?;
        if !ask::agrees(&said!("broadcast-ask"))? {
            bail!("nothing was done: nobody is told");
        }
    }
    let operator = desk.operator.clone();
    let id = messages::broadcast(desk.connection(), &operator, &audience, &text).await?;
    let bar = if desk.json { ProgressBar::hidden() } else { ProgressBar::new(agencies.unsigned_abs()) };
    let mut told = 0;
    // Another program of the centre may continue the broadcast meanwhile; this loop then only shows how far the broadcast is.
    while let Some(step) = messages::go_on(desk.connection(), Some(id)).await? {
        told = step.told;
        bar.set_position(told.unsigned_abs().into());
        if step.is_ended {
            break;
        }
    }
    bar.finish_and_clear();
    desk.tell_line(&json!({ "broadcast": id, "agencies": told }), &said!("broadcast-sent", count = told))
}

/// Returns a message in full, with its head.
fn whole(message: &Message, desk: &Desk) -> String {
    let (number, time) = (message.number.to_string(), desk.clock.time(message.written_at));
    let head = match (&message.installation, &message.operator) {
        (Some(installation), _) => said!(
            "message-from",
            number = number,
            agency = message.agency.to_string(),
            name = show::plain(&message.name),
            installation = installation,
            time = time
        ),
        (None, operator) => said!(
            "message-to",
            number = number,
            agency = message.agency.to_string(),
            name = show::plain(&message.name),
            user = show::or_dash(operator.clone()),
            time = time,
            seen = seen(message)
        ),
    };
    let lines: String = message.text.lines().map(|line| format!("  {}\n", show::plain(line))).collect();
    format!("{head}\n{lines}")
}

/// Returns words that say whether the recipient of a message has seen it.
fn seen(message: &Message) -> String {
    match (&message.installation, &message.read_at) {
        (Some(_), None) => said!("message-unread"),
        (Some(_), Some(_)) => said!("message-read"),
        (None, _) if message.is_seen => said!("message-seen"),
        (None, _) => said!("message-unseen"),
    }
}

impl Listing for MessageFilter {
    type Line = Message;
    type Cursor = i64;
    const HEADINGS: &'static [&'static str] = &["id", "time", "agency", "from", "state", "text"];

    async fn page(
        &self,
        connection: &mut AsyncPgConnection,
        behind: Option<i64>,
        limit: i64,
    ) -> Result<Vec<Message>, AdministrationError> {
        messages::list(connection, &MessageFilter { before: behind, limit: Some(limit), ..self.clone() }).await
    }

    fn cursor(message: &Message) -> i64 {
        message.number
    }

    fn cells(message: Message, desk: &Desk) -> Vec<String> {
        let line = message.text.lines().next().unwrap_or_default();
        let text: String = line.chars().take(SHOWN_CHARS).collect();
        let is_cut = text.len() < message.text.len();
        vec![
            message.number.to_string(),
            desk.clock.short(message.written_at),
            message.agency.to_string(),
            show::or_dash(message.installation.clone().or_else(|| message.operator.clone())),
            seen(&message),
            if is_cut { format!("{text}…") } else { text },
        ]
    }

    async fn nothing(&self, _: &mut AsyncPgConnection) -> Result<String, AdministrationError> {
        Ok(if self.is_unread { said!("message-none-unread") } else { said!("message-none") })
    }
}
