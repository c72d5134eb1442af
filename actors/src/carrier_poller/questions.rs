//! Answers the questions of processes without a database: they hand answers out to the offices that are connected to them.

use std::sync::Arc;

use ::carrier::{AskedOne, Letter, Question, Reply};
use sdc::digest::Digest;
use sdc::letter::Matricule;
use store::database::fault::Fault;
use store::letters::collected::{AnsweredLetter, Which};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Life, PAUSE};
use crate::answer_desk::AnswerDesk;

/// Largest number of questions that are answered at once. The others wait in the connection.
const ANSWERING_MAX: usize = 64;

/// Answers questions until the future is dropped. A process that drains answers too, as long as its mail is being settled.
pub(super) async fn answer(life: Arc<Life>) {
    let answering = Arc::new(Semaphore::new(ANSWERING_MAX));
    let mut tasks = JoinSet::new();
    loop {
        match life.parts.carrier.asked().await {
            Ok(mut asked) => {
                while let Some(one) = asked.next().await {
                    while tasks.try_join_next().is_some() {}
                    let place = Arc::clone(&answering).acquire_owned().await;
                    let desk = life.parts.desk.clone();
                    tasks.spawn(async move {
                        answer_one(&desk, one).await;
                        drop(place);
                    });
                }
            }
            Err(fault) => tracing::debug!(%fault, "questions cannot be taken from the carrier"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn answer_one(desk: &AnswerDesk, one: AskedOne) {
    let reply = match reply(desk, &one.question).await {
        Ok(Some(text)) => Reply::Documents(text),
        Ok(None) => Reply::Nothing,
        Err(fault) => {
            tracing::debug!(%fault, "a question could not be answered");
            Reply::Later
        }
    };
    if let Err(fault) = one.reply(reply).await {
        tracing::debug!(%fault, "a question's reply is lost: it is asked again");
    }
}

/// Finds the reply to a question. Returns `None` where there is no such answer, or the question makes no sense.
async fn reply(desk: &AnswerDesk, question: &Question) -> Result<Option<Vec<u8>>, Fault> {
    match question {
        Question::AnswersTo(Letter { agency, installation, letter_id }) => {
            let Ok(agency) = Matricule::try_from(*agency) else { return Ok(None) };
            let letter = AnsweredLetter { agency, installation: installation.clone(), letter_id: *letter_id };
            desk.answers_to(letter).await.map(Some)
        }
        Question::Answer { agency, letter_id, digest, attempt, part } => {
            let (Ok(agency), Some(digest)) = (Matricule::try_from(*agency), Digest::parse(digest)) else {
                return Ok(None);
            };
            let which = Which { attempt: *attempt, part: *part };
            Ok(desk.answer(agency, *letter_id, digest, which).await?.map(|document| document.to_vec()))
        }
    }
}
