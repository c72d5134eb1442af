//! The contract of transports. A source holds the only copy of a mail until the last share of it is settled, whatever happens to the
//! actor over it, to the way to it, to the database, or beside it.

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

/// A promise that was not kept.
#[derive(Debug)]
pub struct Breach {
    /// Which clause it is of.
    pub clause: &'static str,
    /// How it was broken.
    pub how: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.clause, self.how)
    }
}

/// What all cases share. The scenario of fail points belongs to one test at a time.
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

/// How mail comes from a source.
pub enum Way {
    Listed(Arc<dyn Transport>),
    Pushed(Arc<dyn Pushed>),
}

/// A source, as its senders know it.
pub trait Stand {
    /// Leaves a mail with it.
    fn put(&self, mail: &[u8]);
    /// Counts the mails that the source holds, or its senders while they are not told that these are done with.
    fn held(&self) -> usize;
    /// Cuts the way to it.
    fn cut(&self);
    /// Mends the way to it.
    fn mend(&self);
    /// Says how mail comes from it.
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

/// Holds a transport to its contract. Each clause has a source of its own.
pub fn hold(world: &World, stand: &dyn Fn() -> Box<dyn Stand>) -> Result<(), Breach> {
    CLAUSES.iter().try_for_each(|(clause, _)| hold_to(clause, world, stand))
}

/// Holds a transport to one clause.
pub fn hold_to(clause: &'static str, world: &World, stand: &dyn Fn() -> Box<dyn Stand>) -> Result<(), Breach> {
    let (_, check) = CLAUSES.into_iter().find(|(name, _)| *name == clause).unwrap();
    let mut case = Case::new(world, stand());
    let outcome = check(&mut case);
    case.kill();
    fail::list().iter().for_each(|(place, _)| fail::remove(place));
    outcome.map_err(|how| Breach { clause, how })
}
