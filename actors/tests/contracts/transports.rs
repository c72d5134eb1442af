//! Tests of the contract of transports. A source keeps its copy of a mail until every letter of the mail is settled. This holds whatever
//! happens to the actor that serves the source, to the connection, to the database, or to another process.

mod case;
mod clauses;
pub mod listed;

use std::fmt;
use std::sync::Arc;

use actors::transport::Transport;
use actors::transport::pushed::Pushed;
use fail::FailScenario;
use tokio::runtime::Runtime;

use case::Case;

/// A promise of the contract that was not kept.
#[derive(Debug)]
pub struct Breach {
    /// Name of the clause.
    pub clause: &'static str,
    /// How the clause was broken.
    pub how: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.clause, self.how)
    }
}

/// What all cases share. Fail points are global, so only one test at a time may have the scenario.
pub struct World {
    pub runtime: Runtime,
    _scenario: FailScenario<'static>,
}

impl World {
    pub fn new() -> World {
        let scenario = FailScenario::setup();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        World { runtime, _scenario: scenario }
    }
}

/// How the mail of a source reaches the actors.
pub enum Way {
    Listed(Arc<dyn Transport>),
    Pushed(Arc<dyn Pushed>),
}

/// A source from the view of its senders.
pub trait Stand {
    /// Delivers a mail to the source.
    fn put(&self, mail: &[u8]);
    /// Counts the mails that the source still keeps. Of a pushed source, counts the mails whose senders have no positive answer.
    fn held(&self) -> usize;
    /// Cuts the connection to the source.
    fn cut(&self);
    /// Mends the connection to the source.
    fn mend(&self);
    /// Says whether the source handles each mail in a task of its own, apart from the actor.
    fn has_tasks(&self) -> bool {
        false
    }
    /// Returns how the source's mail reaches the actors.
    fn way(&self) -> Way;
}

/// The check of one promise of a transport.
type Clause = fn(&mut Case<'_>) -> Result<(), String>;

const CLAUSES: [(&str, Clause); 14] = [
    ("lends", clauses::lends),
    ("settles", clauses::settles),
    ("waits for every share", clauses::waits_for_every_share),
    ("returns", clauses::returns),
    ("defers", clauses::defers),
    ("leaves", clauses::leaves),
    ("sets poison aside", clauses::sets_poison_aside),
    ("survives a panic", clauses::survives_a_panic),
    ("survives a kill", clauses::survives_a_kill),
    ("survives a cut", clauses::survives_a_cut),
    ("survives a database without room", clauses::survives_a_database_without_room),
    ("two with one lease", clauses::two_with_one_lease),
    ("two at once", clauses::two_at_once),
    ("drains", clauses::drains),
];

/// Checks that a transport keeps its contract. Each clause is checked with a new source.
pub fn hold(world: &World, stand: &dyn Fn() -> Box<dyn Stand>) -> Result<(), Breach> {
    CLAUSES.iter().try_for_each(|(clause, _)| hold_to(clause, world, stand))
}

/// Checks one clause of a transport's contract.
pub fn hold_to(clause: &'static str, world: &World, stand: &dyn Fn() -> Box<dyn Stand>) -> Result<(), Breach> {
    let (_, check) = CLAUSES.into_iter().find(|(name, _)| *name == clause).unwrap();
    let mut case = Case::new(world, stand());
    let outcome = check(&mut case);
    case.kill();
    fail::list().iter().for_each(|(place, _)| fail::remove(place));
    outcome.map_err(|how| Breach { clause, how })
}
