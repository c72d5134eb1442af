//! What can go wrong, drawn from a seed: the same seed and cycle are the same fault, in whatever run.

use std::fmt;
use std::time::Duration;

use simulation::dice::Dice;

use crate::proxy::Break;

/// Places around every step with an effect, before and after it, where an engine can die.
const KILL_POINTS: [&str; 17] = [
    // RETR
    "mailbox_poller::recorded",
    "mailbox_poller::retrieved",
    // decryption
    "sdc_decoder::decode",
    "sdc_decoder::opened",
    "signature_verifier::verify",
    // rows
    "table_writer::write",
    "table_writer::written",
    // charge
    "settle::charge",
    "settle::charged",
    // COMMIT
    "settle::commit",
    "billing_ledger::committed",
    // DELE
    "mailbox_poller::delete",
    "mailbox_poller::deleted",
    // QUIT
    "mailbox_poller::quit",
    "mailbox_poller::after_quit",
    // the answer
    "exporter::send",
    "exporter::sent",
];
/// Places where every actor can panic.
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
/// Places that are passed once for each letter. The others are passed once for each batch or session.
const PER_LETTER: [&str; 6] = [
    "mailbox_poller::retrieved",
    "sdc_decoder::decode",
    "sdc_decoder::opened",
    "signature_verifier::looked_up",
    "signature_verifier::verify",
    "table_writer::take",
];
/// Most letters of a burst that pass a place of [`PER_LETTER`] before the one that is hit.
const PASSES_MAX: usize = 12;
/// Bytes that pass a line before it breaks: from within the greeting to within the third mail or so.
const BREAK_BYTES_MAX: usize = 8000;

/// A server beside the engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// Holds the mailboxes.
    Dovecot,
    /// The relay.
    Postfix,
}

/// A line with a proxy on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// From the engines to Dovecot.
    Pop3,
    /// From the engines to Postfix.
    Smtp,
}

/// How PostgreSQL ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseEnd {
    /// SIGINT: sessions are cut, a checkpoint is written.
    Fast,
    /// SIGQUIT: it recovers at its next start.
    Immediate,
    /// SIGKILL to all its processes.
    PowerCut,
}

/// What goes wrong in one cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An engine is killed at any moment.
    Kill {
        /// Which of the engines.
        engine: usize,
        /// How long after the first letters.
        after: Duration,
    },
    /// Whichever engine comes there first dies at a place.
    KillAt {
        /// The place.
        point: &'static str,
        /// Which passing of the place, counted from 1.
        pass: usize,
    },
    /// Engines die just before, or just after, the final dot of an answer.
    KillAtDot {
        /// [`Break::BeforeDot`] or [`Break::AfterDot`].
        dot: Break,
    },
    /// An actor panics at a place.
    PanicAt {
        /// The place.
        point: &'static str,
        /// Which passing of the place, counted from 1.
        pass: usize,
    },
    /// An engine is frozen and thawed. With `lease_passes` another takes its work over meanwhile.
    Freeze {
        /// Which of the engines.
        engine: usize,
        /// How long after the first letters.
        after: Duration,
        /// For how long.
        away: Duration,
        /// Whether its leases and claims run out while it is frozen.
        lease_passes: bool,
    },
    /// Leases and claims run out again and again under engines that are at work: two of them poll the same mailbox, and
    /// send the same answers.
    LeaseLost,
    /// An engine is told to drain, and started again.
    Drain {
        /// Which of the engines.
        engine: usize,
    },
    /// PostgreSQL ends and comes back.
    Database {
        /// How it ends.
        end: DatabaseEnd,
        /// How long it is away.
        away: Duration,
    },
    /// One session of PostgreSQL is killed, which makes it end all others and recover; or only terminated.
    Session {
        /// Whether it is killed.
        is_killed: bool,
    },
    /// A mail server goes and comes back.
    Mail {
        /// Which.
        server: Server,
        /// Whether it is killed, not stopped.
        is_killed: bool,
        /// How long it is away.
        away: Duration,
    },
    /// A line is slow.
    Slow {
        /// Which.
        line: Line,
        /// By how much, for every chunk.
        delay: Duration,
    },
    /// A line breaks.
    Cut {
        /// Which.
        line: Line,
        /// Where.
        at: Break,
    },
}

impl Fault {
    /// Draws the fault of a cycle, for so many engines.
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

    /// Draws a panic.
    pub fn draw_panic(dice: &mut Dice) -> Fault {
        let point = *dice.pick(&PANIC_POINTS);
        Fault::PanicAt { point, pass: pass(point, dice) }
    }

    /// Names its kind, to count by.
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

fn pass(point: &str, dice: &mut Dice) -> usize {
    if PER_LETTER.contains(&point) { 1 + dice.below(PASSES_MAX) } else { 1 }
}

/// In words that a person can follow; `Debug` has everything.
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
