//! Messages in the settling transaction: texts that offices write to the operators. The number of unread messages of an agency is limited,
//! so that one agency cannot bury the messages of others.

use std::collections::{BTreeSet, HashMap, HashSet};

use diesel::sql_types::{BigInt, Integer, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use sdc::refusal::{Refusal, RefusalCode};
use sdc::request::Message;
use uuid::Uuid;

use super::batch::{Case, order_of_effect};
use super::decision::Decision;
use super::effect::Effect;
use super::work::Work;
use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};

/// Largest number of unread messages of one agency.
const UNREAD_MAX: i64 = 100;

/// The numbers of unread messages, and the existing threads, of the agencies that send messages.
#[derive(Debug, Default)]
pub struct Messages {
    unread: HashMap<Matricule, i64>,
    /// Existing threads that letters of the batch continue.
    threads: HashSet<(Matricule, Uuid)>,
}

/// One round of decisions on messages. It counts the messages that the letters of the batch have written so far.
pub struct Writing<'a> {
    held: &'a Messages,
    unread: HashMap<Matricule, i64>,
    begun: HashSet<(Matricule, Uuid)>,
}

impl<'a> Writing<'a> {
    pub fn new(held: &'a Messages) -> Writing<'a> {
        Writing { held, unread: HashMap::new(), begun: HashSet::new() }
    }

    /// Decides about the message in the letter with this id. Returns the id of the message's thread.
    ///
    /// # Errors
    /// `messages_full`, `thread_unknown`.
    pub fn write(&mut self, agency: Matricule, letter_id: Uuid, message: &Message) -> Result<Uuid, Refusal> {
        let held = self.held.unread.get(&agency).copied().unwrap_or_default();
        let unread = self.unread.entry(agency).or_insert(held);
        let thread = message.thread.unwrap_or(letter_id);
        let place = (agency, thread);
        if message.thread.is_some() && !self.held.threads.contains(&place) && !self.begun.contains(&place) {
            return Err(Refusal::new(RefusalCode::ThreadUnknown).with("thread", thread));
        }
        if *unread >= UNREAD_MAX {
            return Err(Refusal::new(RefusalCode::MessagesFull).with("limit", UNREAD_MAX));
        }
        *unread += 1;
        self.begun.insert(place);
        Ok(thread)
    }
}

impl Messages {
    /// Reads the numbers of unread messages, and the threads, of the agencies that send messages. The agencies must be locked already.
    ///
    /// # Errors
    /// A fault.
    pub async fn read(mut connection: &AsyncPgConnection, batch: &[Case]) -> Result<Messages, Fault> {
        let writing: Vec<(Matricule, Option<Uuid>)> = batch
            .iter()
            .filter_map(|case| match case.judged.work()? {
                Work::Message(message) => Some((case.agency()?, message.thread)),
                _ => None,
            })
            .collect();
        if writing.is_empty() {
            return Ok(Messages::default());
        }
        let agencies: BTreeSet<Matricule> = writing.iter().map(|(agency, _)| *agency).collect();
        let text = "SELECT agency, count(*) FROM xm.messages
                     WHERE agency = ANY(?) AND read_at IS NULL AND installation IS NOT NULL GROUP BY agency";
        let binds = [Bind::Matricules(agencies.into_iter().map(Some).collect())];
        let unread: Vec<(Matricule, i64)> =
            Statement::<(Integer, BigInt)>::new(text, &binds).load(&mut connection).await?;
        let named: BTreeSet<(Matricule, Uuid)> =
            writing.into_iter().filter_map(|(agency, thread)| Some((agency, thread?))).collect();
        let (of, threads) = named.into_iter().map(|(agency, thread)| (Some(agency), Some(thread))).unzip();
        let text = "SELECT n.agency, n.thread FROM unnest(?, ?) AS n (agency, thread)
                     WHERE EXISTS (SELECT FROM xm.messages m WHERE m.agency = n.agency AND m.thread = n.thread)";
        let binds = [Bind::Matricules(of), Bind::Uuids(threads)];
        let threads: Vec<(Matricule, Uuid)> =
            Statement::<(Integer, SqlUuid)>::new(text, &binds).load(&mut connection).await?;
        Ok(Messages { unread: unread.into_iter().collect(), threads: threads.into_iter().collect() })
    }

    /// Stores the messages of the accepted letters of a decided batch, in the order in which the letters take effect. Operators read them
    /// in this order.
    ///
    /// # Errors
    /// A fault.
    pub async fn write(&self, mut connection: &AsyncPgConnection, batch: &[Case]) -> Result<(), Fault> {
        let written = |place: &usize| {
            let case = &batch[*place];
            match (&case.decision, case.judged.work()?) {
                (Decision::Accepted { key, acceptance, .. }, Work::Message(message)) => match &acceptance.effect {
                    Effect::Message { thread } => Some((case, key, *thread, message)),
                    _ => None,
                },
                _ => None,
            }
        };
        let written: Vec<_> = order_of_effect(batch).iter().filter_map(written).collect();
        if written.is_empty() {
            return Ok(());
        }
        let text = "INSERT INTO xm.messages (agency, id, thread, installation, text, written_at)
                    SELECT unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?)";
        let binds = [
            Bind::Matricules(written.iter().map(|(case, ..)| case.agency()).collect()),
            Bind::Uuids(written.iter().map(|(_, key, ..)| Some(key.letter_id)).collect()),
            Bind::Uuids(written.iter().map(|(_, _, thread, _)| Some(*thread)).collect()),
            Bind::Texts(written.iter().map(|(_, key, ..)| Some(key.installation.as_str())).collect()),
            Bind::Texts(written.iter().map(|(.., message)| Some(message.text.as_str())).collect()),
            Bind::Timestamptzs(written.iter().map(|(case, ..)| Some(case.arrival.received_at)).collect()),
        ];
        Statement::<()>::new(text, &binds).execute(&mut connection).await?;
        Ok(())
    }
}
