//! Reads what letters ask for, beside the flow: those that ask for records come here from the verifier, and go on to their writer with
//! what was read, or with why nothing was.
//!
//! Reading takes from milliseconds to minutes, so it has workers and connections of its own, and writing never waits for it. An agency
//! is read for once at a time, and takes turns with others. Letters beyond a bound stay in their source.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use actix::{Actor, Context, Handler};
use reader::Reader;
use sdc::letter::Matricule;
use store::database::fault::Fault;
use store::planted::point;
use store::reading::Read;

use crate::database_tasks::DatabaseTasks;
use crate::gate::Gate;
use crate::messages::VerifiedLetters;
use crate::provenance::Settleable;
use crate::supervision::{Guard, Guarded, Heartbeat};
use crate::table_writer::TableWriters;

/// What a reader is built with.
#[derive(Clone)]
pub struct RecordReaderParts {
    /// Reads for letters.
    pub reader: Arc<Reader>,
    /// Where reading runs.
    pub tasks: DatabaseTasks,
    /// Closed when the database is away.
    pub gate: Gate,
    /// Where letters go.
    pub writers: TableWriters,
    /// Letters that are read for at a time.
    pub workers: usize,
    /// Most letters that wait here.
    pub waiting_max: usize,
}

/// See the module.
pub struct RecordReader {
    parts: RecordReaderParts,
    guard: Guard,
    /// In the order of arrival.
    waiting: VecDeque<(Matricule, Settleable)>,
    /// Agencies that are being read for.
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
                Some(agency) if self.waiting.len() < self.parts.waiting_max => self.waiting.push_back((agency, letter)),
                // It comes again once others have been read for.
                Some(_) => letter.duty.share.defer(),
                // Without a signer nobody asks for anything: its mail returns to its source with the share that is dropped here.
                None => {}
            }
        }
        self.read_next(context);
    }

    /// Begins to read for the eldest letters whose agencies are not being read for, as many as there are workers.
    fn read_next(&mut self, context: &mut Context<RecordReader>) {
        while self.busy.len() < self.parts.workers.max(1) {
            let next = self.waiting.iter().position(|(agency, _)| !self.busy.contains(agency));
            let Some((agency, letter)) = next.and_then(|next| self.waiting.remove(next)) else { return };
            self.busy.insert(agency);
            let reader = Arc::clone(&self.parts.reader);
            let work = async move {
                point("record_reader::read");
                // The duty travels with the letter: a panic in here makes a suspect of it.
                (reader.read(&letter.arrival).await, letter)
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
                // The gate logs a database that is away, once; the mail then comes again as soon as it answers.
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
