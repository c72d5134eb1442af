//! The faults that nemesis can cause. They are drawn from a seed: the same seed and cycle always give the same fault.

use std::fmt;
use std::time::Duration;

use simulation::dice::Dice;

use crate::proxy::Break;

/// Places in the program where an engine can be killed. They lie before and after each step in the processing of a letter.
pub const KILL_POINTS: [&str; 17] = [
    // fetching of a mail (RETR)
    "mailbox_poller::recorded",
    "mailbox_poller::retrieved",
    // decryption and verification of the letter
    "sdc_decoder::decode",
    "sdc_decoder::opened",
    "signature_verifier::verify",
    // writing of the letter's rows
    "table_writer::write",
    "table_writer::written",
    // charging of the account
    "settle::charge",
    "settle::charged",
    // commit of the transaction (COMMIT)
    "settle::commit",
    "billing_ledger::committed",
    // deletion of the mail (DELE)
    "mailbox_poller::delete",
    "mailbox_poller::deleted",
    // end of the mail session (QUIT)
    "mailbox_poller::quit",
    "mailbox_poller::after_quit",
    // sending of the answer
    "exporter::send",
    "exporter::sent",
];
/// Places in the program where an actor can be made to panic.
const PANIC_POINTS: [&str; 14] = [
    "mailbox_poller::listed",
    "mailbox_poller::recorded",
    "mailbox_poller::retrieved",
    "mailbox_poller::delete",
    "mailbox_poller::quit",
    "sdc_decoder::decode",
    "signature_verifier::looked_up",
    "table_writer::take",
    "table_writer::write",
    "table_writer::written",
    "billing_ledger::post",
    "billing_ledger::posted",
    "exporter::send",
    "exporter::sent",
];
/// Places that an engine passes once for each letter. The other places are passed once for each batch or session.
const PER_LETTER: [&str; 9] = [
    "mailbox_poller::retrieved",
    "sdc_decoder::decode",
    "sdc_decoder::opened",
    "signature_verifier::looked_up",
    "signature_verifier::verify",
    "table_writer::take",
    "push_intake::lend",
    "push_intake::recorded",
    "push_intake::reported",
];
/// At a place of [`PER_LETTER`] the engine is struck when it comes there for the first to the twelfth time, which is drawn. Otherwise only
/// the first letter of a burst would be hit.
const PASSES_MAX: usize = 12;
/// A connection breaks after a drawn number of bytes below this one: in the greeting already, or as late as in about the third mail.
const BREAK_BYTES_MAX: usize = 8000;

/// A mail server that nemesis can stop or kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// Dovecot, which has the mailboxes.
    Dovecot,
    /// Postfix, which is the mail relay.
    Postfix,
}

/// A network connection that goes through a proxy, so that nemesis can slow or break it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// The connection from the engines to Dovecot.
    Pop3,
    /// The connection from the engines to Postfix.
    Smtp,
}

/// The way in which nemesis stops PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseEnd {
    /// SIGINT: PostgreSQL ends its sessions and writes a checkpoint.
    Fast,
    /// SIGQUIT: PostgreSQL ends without a checkpoint, and recovers at its next start.
    Immediate,
    /// SIGKILL to all processes of PostgreSQL, as in a power cut.
    PowerCut,
}

/// The fault of one cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An engine is killed at a random moment.
    Kill {
        /// Index of the engine.
        engine: usize,
        /// Time from the beginning of the burst to the kill.
        after: Duration,
    },
    /// The first engine that comes to a place in the program is killed there.
    KillAt {
        /// Name of the place.
        point: &'static str,
        /// Number of the pass through the place at which the engine is killed, counted from 1.
        pass: usize,
    },
    /// All engines are killed while one of them sends an answer, just before or just after the final dot of the mail.
    KillAtDot {
        /// Moment of the kill: [`Break::BeforeDot`] or [`Break::AfterDot`].
        dot: Break,
    },
    /// An actor panics at a place in the program.
    PanicAt {
        /// Name of the place.
        point: &'static str,
        /// Number of the pass through the place at which the actor panics, counted from 1.
        pass: usize,
    },
    /// An engine is stopped with SIGSTOP and continued after a while, when it does not know how long it was away. With `lease_passes` its
    /// leases run out meanwhile, so that another engine takes over its work.
    Freeze {
        /// Index of the engine.
        engine: usize,
        /// Time from the beginning of the burst to the stop.
        after: Duration,
        /// Time for which the engine is stopped.
        away: Duration,
        /// Whether the engine's leases of mailboxes and answers run out while it is stopped.
        lease_passes: bool,
    },
    /// The leases of mailboxes and answers run out several times while their holders still work. Another engine then takes them, so two
    /// engines poll the same mailbox and send the same answers at the same time.
    LeaseLost,
    /// An engine is drained, that is, told to finish its work and end; then it is started again.
    Drain {
        /// Index of the engine.
        engine: usize,
    },
    /// PostgreSQL is stopped and started again.
    Database {
        /// The way in which PostgreSQL is stopped.
        end: DatabaseEnd,
        /// Time for which PostgreSQL is stopped.
        away: Duration,
    },
    /// One session of PostgreSQL is ended. If its process is killed, PostgreSQL cannot trust the memory that all sessions share, so it ends
    /// the other sessions as well and recovers.
    Session {
        /// Whether the process of the session is killed; otherwise PostgreSQL itself terminates the session.
        is_killed: bool,
    },
    /// A mail server is stopped or killed, and started again.
    Mail {
        /// The mail server.
        server: Server,
        /// Whether the server is killed; otherwise it is stopped in order.
        is_killed: bool,
        /// Time for which the server is stopped.
        away: Duration,
    },
    /// A connection becomes slow.
    Slow {
        /// The connection.
        line: Line,
        /// Delay of each chunk of data.
        delay: Duration,
    },
    /// A connection breaks.
    Cut {
        /// The connection.
        line: Line,
        /// The place in the traffic where the connection breaks.
        at: Break,
    },
}

impl Fault {
    /// Draws the fault of a cycle. `engines` is the number of engines among which one may be drawn.
    pub fn draw(dice: &mut Dice, engines: usize) -> Fault {
        let engine = dice.below(engines);
        let mut ms = |least, most| Duration::from_millis(u64::try_from(dice.between(least, most)).unwrap_or(0));
        let (moment, away, delay) = (ms(0, 1200), ms(50, 800), ms(5, 120));
        match dice.below(100) {
            0..14 => Fault::Kill { engine, after: moment },
            14..42 => {
                let point = *dice.pick(&KILL_POINTS);
                Fault::KillAt { point, pass: pass(point, dice) }
            }
            42..48 => Fault::KillAtDot { dot: *dice.pick(&[Break::BeforeDot, Break::AfterDot]) },
            48..58 => Fault::draw_panic(dice),
            58..64 => Fault::Freeze { engine, after: moment, away, lease_passes: dice.below(2) == 0 },
            64..67 => Fault::Drain { engine },
            67..75 => {
                let ends = [DatabaseEnd::Fast, DatabaseEnd::Immediate, DatabaseEnd::PowerCut];
                Fault::Database { end: *dice.pick(&ends), away: away / 2 }
            }
            75..79 => Fault::Session { is_killed: dice.below(2) == 0 },
            79..85 => {
                let server = *dice.pick(&[Server::Dovecot, Server::Postfix]);
                Fault::Mail { server, is_killed: dice.below(2) == 0, away: away / 2 }
            }
            85..87 => Fault::LeaseLost,
            87..89 => Fault::Slow { line: *dice.pick(&[Line::Pop3, Line::Smtp]), delay },
            _ => {
                let after_bytes = dice.below(BREAK_BYTES_MAX);
                let breaks = [
                    (Line::Pop3, Break::Answer { after_bytes }),
                    (Line::Pop3, Break::Request { after_bytes: after_bytes / 16 }),
                    (Line::Smtp, Break::Answer { after_bytes: after_bytes / 16 }),
                    (Line::Smtp, Break::Request { after_bytes }),
                    (Line::Smtp, Break::BeforeDot),
                    (Line::Smtp, Break::AfterDot),
                ];
                let (line, at) = *dice.pick(&breaks);
                Fault::Cut { line, at }
            }
        }
    }

    /// Draws a panic of an actor: the place in the program, and the number of the pass through the place.
    pub fn draw_panic(dice: &mut Dice) -> Fault {
        let point = *dice.pick(&PANIC_POINTS);
        Fault::PanicAt { point, pass: pass(point, dice) }
    }

    /// Returns the name of the fault's kind, under which the report counts the fault.
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::Kill { .. } => "kill",
            Fault::KillAt { .. } => "kill at a point",
            Fault::KillAtDot { .. } => "kill at the final dot",
            Fault::PanicAt { .. } => "panic",
            Fault::Freeze { lease_passes: false, .. } => "freeze",
            Fault::Freeze { lease_passes: true, .. } => "freeze past the lease",
            Fault::LeaseLost => "lease lost",
            Fault::Drain { .. } => "drain",
            Fault::Database { .. } => "database away",
            Fault::Session { .. } => "session ended",
            Fault::Mail { server: Server::Dovecot, .. } => "dovecot away",
            Fault::Mail { server: Server::Postfix, .. } => "postfix away",
            Fault::Slow { .. } => "slow line",
            Fault::Cut { .. } => "line cut",
        }
    }
}

/// Draws the passing of a place at which the process is killed there, counted from 1.
pub fn pass(point: &str, dice: &mut Dice) -> usize {
    if PER_LETTER.contains(&point) { 1 + dice.below(PASSES_MAX) } else { 1 }
}

/// The text of a fault in the list that a failed run prints. `Debug` is good enough, because it shows all fields.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_seed_draws_the_same_faults_and_every_kind_of_them() {
        let draw = |seed| (0..400).map(|cycle| Fault::draw(&mut Dice::of(seed, cycle), 2)).collect::<Vec<_>>();
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let kinds: HashSet<&str> = draw(1).iter().map(Fault::kind).collect();
        assert_eq!(kinds.len(), 14, "{kinds:?}");
        let points: HashSet<&str> = draw(1)
            .iter()
            .filter_map(|fault| match fault {
                Fault::KillAt { point, .. } => Some(*point),
                _ => None,
            })
            .collect();
        assert_eq!(points.len(), KILL_POINTS.len());
    }
}
