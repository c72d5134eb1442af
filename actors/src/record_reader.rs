//! Reads the records that letters request, outside the main flow. The verifier hands letters that request records to this actor. The actor
//! hands them on to their writer, together with the records, or with the reason why none were read.
//!
//! Reading takes from milliseconds to minutes. Therefore the reader has its own workers and connections, and writing never waits for
//! reading. Only one letter of an agency is served at a time, so that agencies take turns. Letters beyond `waiting_max` stay in their
//! source.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, Context, Handler};
use reader::Reader;
use sdc::letter::Matricule;
use store::database::fault::Fault;
use store::planted::point;
use store::reading::Read;

use crate::database_tasks::DatabaseTasks;
use crate::gate::Gate;
use crate::messages::VerifiedLetters;
use crate::metrics::{ReadMetrics, Waiting};
use crate::provenance::Settleable;
use crate::supervision::{Guard, Guarded, Heartbeat};
use crate::table_writer::TableWriters;

/// Parts that a record reader is built from.
#[derive(Clone)]
pub struct RecordReaderParts {
    /// Reads the records for a letter.
    pub reader: Arc<Reader>,
    /// Runtime on which reading runs.
    pub tasks: DatabaseTasks,
    /// Gate that is closed while the database cannot be reached.
    pub gate: Gate,
    /// Writers that get the letters after their records have been read.
    pub writers: TableWriters,
    /// Metrics that count the reads and measure their time.
    pub metrics: ReadMetrics,
    /// Largest number of letters whose records are read at the same time.
    pub workers: usize,
    /// Largest number of letters that wait in this actor.
    pub waiting_max: usize,
}

/// Actor that reads the records requested by letters.
pub struct RecordReader {
    parts: RecordReaderParts,
    guard: Guard,
    /// Letters whose records are still to be read, in the order of arrival.
    waiting: VecDeque<(Matricule, Settleable, Waiting)>,
    /// Agencies for which records are being read.
    busy: HashSet<Matricule>,
}

impl RecordReader {
    /// Makes a reader.
    pub fn new(parts: RecordReaderParts, guard: Guard) -> RecordReader {
        RecordReader { parts, guard, waiting: VecDeque::new(), busy: HashSet::new() }
    }

    fn take(&mut self, letters: Vec<Settleable>, context: &mut Context<RecordReader>) {
        point("record_reader::take");
        for letter in letters {
            match letter.arrival.agency() {
                Some(agency) if self.waiting.len() < self.parts.waiting_max => {
                    self.waiting.push_back((agency, letter, self.parts.metrics.wait()));
                }
                // The mail stays in its source. It is fetched again after the records of other letters have been read.
                Some(_) => letter.duty.share.defer(),
                // Only letters with a signer can request records. For any other letter the share is dropped here, which returns the mail to
                // its source.
                None => {}
            }
        }
        self.read_next(context);
    }

    /// Takes the oldest letters whose agencies have no reading under way, one for each free worker, and begins to read their records.
    fn read_next(&mut self, context: &mut Context<RecordReader>) {
        while self.busy.len() < self.parts.workers.max(1) {
            let next = self.waiting.iter().position(|(agency, ..)| !self.busy.contains(agency));
            let Some((agency, letter, waiting)) = next.and_then(|next| self.waiting.remove(next)) else { return };
            drop(waiting);
            self.busy.insert(agency);
            let (reader, metrics) = (Arc::clone(&self.parts.reader), self.parts.metrics.clone());
            let work = async move {
                point("record_reader::read");
                // The letter's share is part of this task, so a panic in the task makes the letter's mail a suspect.
                let began = Instant::now();
                let read = reader.read(&letter.arrival).await;
                if let (Ok(Some(_)), Some(written)) = (&read, letter.arrival.letter()) {
                    metrics.took(written.request.service(), began.elapsed());
                }
                (read, letter)
            };
            self.parts.tasks.run(self, context, work, move |actor, (read, letter), context| {
                actor.busy.remove(&agency);
                actor.done(agency, read, letter);
                actor.read_next(context);
            });
        }
    }

    fn done(&mut self, agency: Matricule, read: Result<Option<Read>, Fault>, mut letter: Settleable) {
        match read {
            Ok(read) => {
                letter.arrival.read = read;
                self.parts.writers.send_verified(vec![(agency, letter)]);
            }
            Err(fault) => {
                self.guard.metrics.fault();
                self.parts.gate.fault(&fault);
                // The gate logs once that the database cannot be reached. In that case the mail is fetched again as soon as the database
                // answers.
                if !fault.is_away() {
                    tracing::warn!(%fault, %agency, "a letter could not be read for; its mail stays and comes again");
                    letter.duty.share.withhold();
                }
            }
        }
    }
}

impl Guarded for RecordReader {
    fn guard(&self) -> &Guard {
        &self.guard
    }
}

impl Actor for RecordReader {
    type Context = Context<RecordReader>;

    fn started(&mut self, context: &mut Context<RecordReader>) {
        context.set_mailbox_capacity(crate::MAILBOX_CAPACITY);
    }
}

impl Handler<VerifiedLetters> for RecordReader {
    type Result = ();

    fn handle(&mut self, verified: VerifiedLetters, context: &mut Context<RecordReader>) {
        let guard = self.guard.clone();
        guard.run(context, |context| self.take(verified.0, context));
    }
}

impl Handler<Heartbeat> for RecordReader {
    type Result = ();

    fn handle(&mut self, _: Heartbeat, _: &mut Context<RecordReader>) {}
}
