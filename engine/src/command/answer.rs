//! `xmserver answer`: what letters were told, and answers that have not been sent.

use anyhow::bail;
use clap::{Args, Subcommand};
use diesel_async::AsyncPgConnection;
use sdc::letter::Matricule;
use serde_json::json;
use store::error::AdministrationError;
use store::letters::answers::{self, Answer, AnswerFilter};

use super::desk::{Desk, read_matricule};
use super::letter::{self, Wanted};
use super::listing::{self, Extent, Listing};
use crate::show;
use crate::speech::{self, said};

/// What to do with answers.
#[derive(Subcommand, Debug)]
pub enum AnswerCommand {
    /// List those that have not been sent, oldest first
    List(ListArguments),
    /// Show what a letter was told, in words, and what became of its receipt
    Show(Wanted),
    /// Send the receipt of a letter again, now, to the agency's address
    Resend(Wanted),
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
    /// Behind this one
    #[arg(long)]
    after: Option<i64>,
    #[command(flatten)]
    extent: Extent,
}

pub(super) async fn run(desk: &mut Desk, command: AnswerCommand) -> anyhow::Result<()> {
    match command {
        AnswerCommand::List(arguments) => {
            let ListArguments { agency, given_up: is_given_up, after, extent } = arguments;
            let filter = AnswerFilter { agency, is_given_up, after: None, limit: None };
            listing::tell(desk, &filter, after, extent).await
        }
        AnswerCommand::Show(wanted) => show_told(desk, &wanted).await,
        AnswerCommand::Resend(wanted) => resend(desk, &wanted).await,
        AnswerCommand::Retry { agency } => {
            let operator = desk.operator.clone();
            let answers = answers::retry(desk.connection(), &operator, agency).await?;
            let words = match answers {
                0 => said!("answer-none"),
                many => said!("answer-sent-now", count = many),
            };
            desk.tell_line(&json!({ "answers": answers }), &words)
        }
    }
}

async fn show_told(desk: &mut Desk, wanted: &Wanted) -> anyhow::Result<()> {
    let stories = wanted.stories(desk).await?;
    if desk.json {
        let told = stories.iter().filter_map(|story| story.decided.as_ref()).map(letter::receipt);
        return show::json(&told.collect::<Vec<_>>());
    }
    for story in &stories {
        let Some(decided) = &story.decided else {
            show::text(&format!("{}\n", said!("answer-unproven")))?;
            continue;
        };
        let (letter, agency) = (decided.letter_id.to_string(), decided.agency.to_string());
        let subject = said!("answer-subject", letter = letter, agency = agency);
        let told = letter::receipt(decided).map(|receipt| desk.receipt_in_words(&receipt)).unwrap_or_default();
        let told: String = told.iter().map(|line| format!("{}\n", show::plain(line))).collect();
        show::text(&format!("{subject}\n{told}{}\n", show::plain(&letter::answer_state(story, desk.clock))))?;
    }
    Ok(())
}

async fn resend(desk: &mut Desk, wanted: &Wanted) -> anyhow::Result<()> {
    let stories = wanted.stories(desk).await?;
    let decided: Vec<_> = stories.into_iter().filter_map(|story| story.decided).collect();
    let [one] = decided.as_slice() else {
        if decided.is_empty() {
            bail!("nobody is answered whose signature is not proven");
        }
        let agencies: Vec<String> = decided.iter().map(|one| one.agency.to_string()).collect();
        bail!("agencies {} have a letter of this id: name one with --agency", agencies.join(", "));
    };
    let operator = desk.operator.clone();
    answers::resend(desk.connection(), &operator, one.agency, one.letter_id).await?;
    let result = json!({ "agency": one.agency, "letter_id": one.letter_id });
    let words = said!("answer-resent", letter = one.letter_id.to_string(), agency = one.agency.to_string());
    desk.tell_line(&result, &words)
}

impl Listing for AnswerFilter {
    type Line = Answer;
    type Cursor = i64;
    const GOES_ON: &'static str = "--after";
    const HEADINGS: &'static [&'static str] =
        &["id", "agency", "queued", "attempts", "next", "address", "the relay said"];

    async fn page(
        &self,
        connection: &mut AsyncPgConnection,
        behind: Option<i64>,
        limit: i64,
    ) -> Result<Vec<Answer>, AdministrationError> {
        answers::list(connection, &AnswerFilter { after: behind, limit: Some(limit), ..self.clone() }).await
    }

    fn cursor(answer: &Answer) -> i64 {
        answer.id
    }

    fn cells(answer: Answer, desk: &Desk) -> Vec<String> {
        let next = if answer.is_given_up { said!("answer-given-up") } else { desk.clock.short(answer.due_at) };
        vec![
            answer.id.to_string(),
            answer.agency.to_string(),
            desk.clock.short(answer.queued_at),
            answer.attempts.to_string(),
            next,
            letter::address(&answer),
            show::or_dash(answer.last_error.map(|error| speech::sentences(&error))),
        ]
    }

    async fn nothing(&self, _: &mut AsyncPgConnection) -> Result<String, AdministrationError> {
        let is_narrowed = self.agency.is_some() || self.is_given_up;
        Ok(if is_narrowed { said!("answer-none-such") } else { said!("answer-none") })
    }
}
