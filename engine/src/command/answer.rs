//! `xmserver answer`: answers that have not been sent.

use clap::{Args, Subcommand};
use sdc::letter::Matricule;
use store::administration::answers::{self, AnswerFilter};

use super::{Desk, read_matricule};
use crate::show::{self, Table};

/// What to do with answers that have not been sent.
#[derive(Subcommand, Debug)]
pub enum AnswerCommand {
    /// List them, oldest first
    List(ListArguments),
    /// Send them now: those given up, once the address or the relay is put right, and those that wait for their next attempt
    Retry {
        /// Those for this agency
        #[arg(long, value_parser = read_matricule)]
        agency: Option<Matricule>,
    },
}

/// Which answers to list.
#[derive(Args, Debug)]
pub struct ListArguments {
    /// For this agency
    #[arg(long, value_parser = read_matricule)]
    agency: Option<Matricule>,
    /// Those given up
    #[arg(long)]
    given_up: bool,
    /// At most so many
    #[arg(long, default_value_t = 100)]
    limit: i64,
    /// For programs
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(desk: &mut Desk, command: AnswerCommand) -> anyhow::Result<()> {
    match command {
        AnswerCommand::List(arguments) => list(desk, arguments).await,
        AnswerCommand::Retry { agency } => {
            let operator = desk.operator.clone();
            match answers::retry(desk.connection(), &operator, agency).await? {
                0 => show::text("no answer waits\n"),
                1 => show::text("1 answer is sent now\n"),
                many => show::text(&format!("{many} answers are sent now\n")),
            }
        }
    }
}

async fn list(desk: &mut Desk, arguments: ListArguments) -> anyhow::Result<()> {
    let ListArguments { agency, given_up: is_given_up, limit, json } = arguments;
    let filter = AnswerFilter { agency, is_given_up, limit: Some(limit) };
    let clock = desk.clock;
    let answers = answers::list(desk.connection(), &filter).await?;
    if json {
        return show::json(&answers);
    }
    let mut table = Table::new(&["id", "agency", "address", "queued", "attempts", "next", "the relay said"]);
    for answer in answers {
        let next = if answer.is_given_up { "given up".to_owned() } else { clock.time(answer.due_at) };
        table.row([
            answer.id.to_string(),
            show::matricule(answer.agency),
            answer.email,
            clock.time(answer.queued_at),
            answer.attempts.to_string(),
            next,
            show::or_dash(answer.last_error),
        ]);
    }
    table.print("no answer waits")
}
