//! The operators of the simulation's centre. They read messages and answer questions, and decide on letters and changes that wait. Each
//! decision depends only on the text that the operators read, so agencies know it in advance.

use diesel_async::{AsyncConnection, AsyncPgConnection};
use nix::unistd::Uid;
use sdc::answer::receipt::HoldCode;
use sdc::request::ProfileChange;
use store::agencies::profiles;
use store::database::Database;
use store::error::AdministrationError;
use store::letters::held::{self, HeldFilter, decision};
use store::letters::messages::{self, Audience, Message, MessageFilter};
use store::letters::quarantine::retry::TakenUp;
use store::people::{Operator, SystemAccount, sign_in_as_system_account};
use store::settle::{Arrival, Settler};

/// The text that operators write to all agencies at the end of a demo.
pub const EVENING: &str = "Toutes les lettres de la soirée sont arrivées. Merci, et bonne nuit.";
/// The beginning of messages that operators answer.
const QUESTION: &str = "Question no";
/// The beginning of references with which operators refuse a correction.
const NO_PROOF: &str = "sans pièce";
/// The beginning of town names with which operators refuse a change of an agency's data.
const NOWHERE: &str = "Ailleurs";
/// Largest number of messages, changes or letters that operators fetch at once.
const TOGETHER: i64 = 100;

/// Writes a message that the operators answer.
pub fn question(number: usize) -> String {
    format!("{QUESTION} {number} : faut-il transmettre à nouveau ?")
}

/// Returns the operators' answer to a message; none where the message is not a question.
pub fn reply(text: &str) -> Option<String> {
    text.starts_with(QUESTION).then(|| format!("Non. (Réponse à : {text})"))
}

/// Writes the reference of a correction that the operators approve.
pub fn proof(number: usize) -> String {
    format!("jugement no {number}")
}

/// Writes the reference of a correction that the operators refuse.
pub fn no_proof(number: usize) -> String {
    format!("{NO_PROOF} no {number}")
}

/// Makes the name of a town; the operators refuse to move an agency there.
pub fn moving_to(number: usize) -> String {
    format!("{NOWHERE} {number}")
}

/// Says whether the operators approve this change of an agency's own data.
pub fn makes(change: &ProfileChange) -> bool {
    !change.town.as_deref().is_some_and(|town| town.starts_with(NOWHERE))
}

/// Access to the centre's keys and settling, with which operators decide on held letters.
pub trait Opener: Sync {
    /// Returns the settler that carries out the decisions.
    fn settler(&self) -> &Settler;

    /// Decrypts the container of a held letter, and returns it like a letter that has just arrived.
    ///
    /// # Errors
    /// The container cannot be decrypted, or the database fails.
    fn open(
        &self,
        connection: &mut AsyncPgConnection,
        taken_up: &TakenUp,
    ) -> impl Future<Output = anyhow::Result<Arrival>> + Send;
}

/// Does all the work that waits for operators at this moment. Returns the number of items done.
///
/// # Errors
/// The database cannot be reached, or failed during the work. Items done before that stay done, and the others still wait.
pub async fn work(database: &Database, opener: &impl Opener) -> anyhow::Result<usize> {
    let mut connection = database.get().await?;
    let operator = signed_in(&mut connection).await?;
    let mut done = answer(&mut connection, &operator).await?;
    done += decide_profiles(&mut connection, &operator).await?;
    done += decide_corrections(&mut connection, &operator, opener).await?;
    Ok(done)
}

/// Writes a text to every agency that has written before, and returns when it has gone to all of them.
///
/// # Errors
/// The database fails.
pub async fn broadcast(database: &Database, text: &str) -> anyhow::Result<()> {
    let mut connection = database.get().await?;
    let operator = signed_in(&mut connection).await?;
    let begun = messages::broadcast(&mut connection, &operator, &Audience::default(), text).await?;
    // A running centre may continue the same broadcast at this moment, and complete it.
    while let Some(step) = messages::go_on(&mut connection, Some(begun)).await? {
        if step.is_ended {
            break;
        }
    }
    Ok(())
}

async fn signed_in(connection: &mut AsyncPgConnection) -> Result<Operator, AdministrationError> {
    sign_in_as_system_account(connection, &SystemAccount::of_this_process(Uid::current())).await
}

async fn answer(connection: &mut AsyncPgConnection, operator: &Operator) -> Result<usize, AdministrationError> {
    let unread = MessageFilter { is_unread: true, limit: Some(TOGETHER), ..MessageFilter::default() };
    let unread = messages::list(connection, &unread).await?;
    // Showing a message marks its thread as read. An office waits for the answer before it writes to the same thread again, so this message
    // is the thread's only unread one.
    for message in unread.iter().rev() {
        answer_one(connection, operator, message).await?;
    }
    Ok(unread.len())
}

/// Marks a message as read and answers it in one transaction, so that it is answered exactly once.
async fn answer_one(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    message: &Message,
) -> Result<(), AdministrationError> {
    connection
        .transaction(async |connection| {
            messages::show(connection, operator, message.number).await?;
            if let Some(text) = reply(&message.text) {
                messages::send(connection, operator, message.agency, Some(message.number), &text).await?;
            }
            Ok(())
        })
        .await
}

async fn decide_profiles(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
) -> Result<usize, AdministrationError> {
    let waiting = profiles::list(connection, false, None, TOGETHER).await?;
    for change in &waiting {
        let set: ProfileChange = serde_json::from_value(change.change.clone()).unwrap_or_default();
        if makes(&set) {
            profiles::confirm(connection, operator, change.id).await?;
        } else {
            profiles::refuse(connection, operator, change.id, "l'agence reste où elle est").await?;
        }
    }
    Ok(waiting.len())
}

async fn decide_corrections(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    opener: &impl Opener,
) -> anyhow::Result<usize> {
    let filter = HeldFilter { code: Some(HoldCode::Approval.as_str().to_owned()), ..HeldFilter::default() };
    let waiting = held::list(connection, &filter).await?;
    for letter in &waiting {
        let (_, rows) = held::show(connection, operator, letter.id).await?;
        let is_proven =
            |row: &held::HeldRow| !row.content["reference"].as_str().unwrap_or_default().starts_with(NO_PROOF);
        let waived: Option<&[String]> = if rows.iter().all(is_proven) { Some(&[]) } else { None };
        let act = decision::act(connection, operator, letter.id, waived, "la pièce a été examinée").await?;
        let taken_up = decision::take_up(connection, operator, letter.id).await?;
        let opened = opener.open(connection, &taken_up).await?;
        decision::decide_alone(opener.settler(), connection, operator, &act, opened).await?;
    }
    Ok(waiting.len())
}
