//! Hands out the answers that offices collect over HTTPS. A process with a database does it itself ([`here`]); a process without one asks
//! another process by way of the carrier.

use std::sync::Arc;
use std::time::Duration;

use ::carrier::{Carrier, Letter, Question, Reply};
use sdc::digest::Digest;
use sdc::letter::Matricule;
use store::database::fault::Fault;
use store::letters::collected::{AnsweredLetter, Which};
use uuid::Uuid;

pub use self::here::{AnswerDeskParts, HereDesk};

mod here;

/// Longest wait for another process's reply.
const REPLY_WAIT_MAX: Duration = Duration::from_secs(5);

/// The answer desk of a process. Cheap to clone.
#[derive(Clone)]
pub struct AnswerDesk(Desk);

#[derive(Clone)]
enum Desk {
    Here(HereDesk),
    Asking(Box<Carrier>),
}

impl AnswerDesk {
    /// Opens the desk of a process with a database.
    pub fn open(parts: AnswerDeskParts) -> AnswerDesk {
        AnswerDesk(Desk::Here(HereDesk::open(parts)))
    }

    /// Opens the desk of a process without a database.
    pub fn asking(carrier: Carrier) -> AnswerDesk {
        AnswerDesk(Desk::Asking(Box::new(carrier)))
    }

    /// Returns the sealed answer to a letter, followed by the other answers and notices that wait for its installation, as one text of
    /// documents. The text is empty where the answer cannot be sealed, because the key of the letter is revoked.
    ///
    /// # Errors
    /// A fault of the database or of the carrier. The letter's verdict is committed even then.
    pub async fn answers_to(&self, letter: AnsweredLetter) -> Result<Vec<u8>, Fault> {
        match &self.0 {
            Desk::Here(desk) => desk.answers_to(letter).await,
            Desk::Asking(carrier) => {
                let AnsweredLetter { agency, installation, letter_id } = letter;
                let letter = Letter { agency: agency.into(), installation, letter_id };
                Ok(asked(carrier, Question::AnswersTo(letter)).await?.unwrap_or_default())
            }
        }
    }

    /// Returns the sealed answer to a letter; `None` where it is not there, or where `digest` is not the digest of the letter's signed
    /// octets, which only the office and the centre know.
    ///
    /// # Errors
    /// A fault of the database or of the carrier.
    pub async fn answer(
        &self,
        agency: Matricule,
        letter_id: Uuid,
        digest: Digest,
        which: Which,
    ) -> Result<Option<Arc<[u8]>>, Fault> {
        match &self.0 {
            Desk::Here(desk) => desk.answer(agency, letter_id, digest, which).await,
            Desk::Asking(carrier) => {
                let Which { attempt, part } = which;
                let digest = digest.to_string();
                let question = Question::Answer { agency: agency.into(), letter_id, digest, attempt, part };
                Ok(asked(carrier, question).await?.map(Arc::from))
            }
        }
    }
}

async fn asked(carrier: &Carrier, question: Question) -> Result<Option<Vec<u8>>, Fault> {
    match carrier.ask(&question, REPLY_WAIT_MAX).await {
        Ok(Reply::Documents(text)) => Ok(Some(text)),
        Ok(Reply::Nothing) => Ok(None),
        Ok(Reply::Later) => Err(Fault::Away("the process that was asked does not reach the database".to_owned())),
        Err(fault) => Err(Fault::Away(fault.to_string())),
    }
}
