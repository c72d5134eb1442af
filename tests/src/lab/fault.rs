//! The faults of the lab: each row of the failure table. They are drawn from a seed: the same seed and cycle always give the same faults.

use std::fmt;
use std::time::Duration;

use simulation::dice::Dice;

use crate::nemesis::fault::{KILL_POINTS, Server, pass};

/// Number of replicas.
pub const REPLICAS: usize = 3;
/// Number of balancers.
pub const BALANCERS: usize = 2;
/// In one of so many cycles two faults happen at once.
const TWO_IN: u64 = 5;
/// Most draws of a second fault that may happen together with the first.
const DRAWS_MAX: usize = 50;
/// Places in the program, besides those of nemesis, where a replica can be killed: around the answer to pushed mail.
const PUSH_POINTS: [&str; 5] =
    ["push_intake::lend", "push_intake::recorded", "push_intake::reported", "answer_desk::leased", "answer_desk::sent"];

/// The way in which a machine is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Its program is killed.
    Kill,
    /// Its program is stopped with SIGSTOP and continued later.
    Freeze,
    /// Its cable is pulled, and plugged in later.
    Cut,
}

/// What a replica cannot reach any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Everything.
    All,
    /// The PostgreSQLs.
    Databases,
    /// The balancers.
    Balancers,
}

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A replica is killed at a random moment.
    Kill {
        /// Index of the replica.
        replica: usize,
        /// Time from the beginning of the burst to the kill.
        after: Duration,
    },
    /// The first replica that comes to a place in the program is killed there.
    KillAt {
        /// Name of the place.
        point: &'static str,
        /// The kill happens at this passing of the place, counted from 1.
        pass: usize,
    },
    /// A replica is stopped with SIGSTOP, and continued later.
    Freeze {
        /// Index of the replica.
        replica: usize,
        /// Time for which it is stopped.
        away: Duration,
    },
    /// A replica is drained, and started again.
    Drain {
        /// Index of the replica.
        replica: usize,
    },
    /// A replica is cut off.
    Cut {
        /// Index of the replica.
        replica: usize,
        /// What it cannot reach.
        lost: Lost,
        /// Time for which it is cut off.
        away: Duration,
    },
    /// The primary is lost, and a standby is promoted. The former primary goes on for a while, where it can.
    Primary {
        /// The way in which the primary is lost.
        how: How,
    },
    /// The primary is killed and started again, and nobody is promoted.
    PrimaryAway {
        /// Time for which it is away.
        away: Duration,
    },
    /// Primary and standbys lose their power at once, and are started again.
    PowerCut {
        /// Time for which they are away.
        away: Duration,
    },
    /// A standby is lost.
    Standby {
        /// Whether it is the first or the second one.
        number: usize,
        /// The way in which it is lost.
        how: How,
        /// Time for which it is lost.
        away: Duration,
    },
    /// Primary and standbys cannot reach each other, so that every COMMIT waits.
    NoStandbys {
        /// Time for which they are parted.
        away: Duration,
    },
    /// While COMMITs wait for the standbys, an operator cancels them. Then the primary is killed, and a standby is promoted.
    Cancel,
    /// One session of PostgreSQL is ended. If its process is killed, PostgreSQL ends all other sessions too and recovers.
    Session {
        /// Whether the process of the session is killed.
        is_killed: bool,
    },
    /// A balancer is lost.
    Balancer {
        /// Index of the balancer.
        number: usize,
        /// The way in which it is lost.
        how: How,
        /// Time for which it is lost.
        away: Duration,
    },
    /// A mail server is stopped or killed, and started again.
    Mail {
        /// The mail server.
        server: Server,
        /// Whether it is killed; otherwise it is stopped in order.
        is_killed: bool,
        /// Time for which it is away.
        away: Duration,
    },
}

/// Part of the lab that a fault strikes. Two faults at once strike two parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Replica(usize),
    AnyReplica,
    Primary,
    Standby,
    Balancer,
    Mail,
}

/// Draws the faults of a cycle: one, and in every fifth cycle two.
pub fn draw(dice: &mut Dice, cycle: u64) -> Vec<Fault> {
    let mut faults = vec![Fault::draw(dice)];
    if cycle.is_multiple_of(TWO_IN) {
        let second = (0..DRAWS_MAX).map(|_| Fault::draw(dice)).find(|second| second.part() != faults[0].part());
        faults.extend(second);
    }
    faults
}

impl Fault {
    /// Draws a fault.
    pub fn draw(dice: &mut Dice) -> Fault {
        let (replica, number) = (dice.below(REPLICAS), dice.below(BALANCERS));
        let how = *dice.pick(&[How::Kill, How::Freeze, How::Cut]);
        let mut ms = |least, most| Duration::from_millis(u64::try_from(dice.between(least, most)).unwrap_or(0));
        // Every tenth absence is longer than a replica is believed to live.
        let (after, short, long, endless) = (ms(0, 600), ms(200, 1500), ms(1000, 5000), ms(16_000, 20_000));
        let long = if dice.below(10) == 0 { endless } else { long };
        match dice.below(100) {
            0..10 => Fault::Kill { replica, after },
            10..32 => {
                let points = [&KILL_POINTS[..], &PUSH_POINTS[..], &PUSH_POINTS[..]].concat();
                let point = *dice.pick(&points);
                Fault::KillAt { point, pass: pass(point, dice) }
            }
            32..40 => Fault::Freeze { replica, away: long },
            40..44 => Fault::Drain { replica },
            44..54 => {
                let lost = *dice.pick(&[Lost::All, Lost::Databases, Lost::Balancers]);
                Fault::Cut { replica, lost, away: long }
            }
            54..67 => Fault::Primary { how },
            67..69 => Fault::PrimaryAway { away: short },
            69..71 => Fault::PowerCut { away: short },
            71..77 => Fault::Standby { number, how, away: long.min(short * 4) },
            77..81 => Fault::NoStandbys { away: short * 3 },
            81..88 => Fault::Cancel,
            88..91 => Fault::Session { is_killed: dice.below(2) == 0 },
            91..96 => Fault::Balancer { number, how, away: short * 3 },
            _ => {
                let server = *dice.pick(&[Server::Dovecot, Server::Postfix]);
                Fault::Mail { server, is_killed: dice.below(2) == 0, away: short / 2 }
            }
        }
    }

    /// Returns the name of the fault's kind, under which the report counts the fault.
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::Kill { .. } => "kill",
            Fault::KillAt { .. } => "kill at a point",
            Fault::Freeze { .. } => "replica frozen",
            Fault::Drain { .. } => "drain",
            Fault::Cut { lost: Lost::All, .. } => "replica cut off",
            Fault::Cut { lost: Lost::Databases, .. } => "replica without database",
            Fault::Cut { lost: Lost::Balancers, .. } => "replica without balancers",
            Fault::Primary { how: How::Kill } => "primary killed",
            Fault::Primary { how: How::Freeze } => "primary frozen",
            Fault::Primary { how: How::Cut } => "primary cut off",
            Fault::PrimaryAway { .. } => "primary away",
            Fault::PowerCut { .. } => "databases without power",
            Fault::Standby { .. } => "standby lost",
            Fault::NoStandbys { .. } => "both standbys lost",
            Fault::Cancel => "commits cancelled",
            Fault::Session { .. } => "session ended",
            Fault::Balancer { .. } => "balancer lost",
            Fault::Mail { server: Server::Dovecot, .. } => "dovecot away",
            Fault::Mail { server: Server::Postfix, .. } => "postfix away",
        }
    }

    /// Returns the time for which something is away.
    pub fn away(&self) -> Duration {
        match *self {
            Fault::Freeze { away, .. }
            | Fault::Cut { away, .. }
            | Fault::PrimaryAway { away }
            | Fault::PowerCut { away }
            | Fault::Standby { away, .. }
            | Fault::NoStandbys { away }
            | Fault::Balancer { away, .. }
            | Fault::Mail { away, .. } => away,
            Fault::Kill { .. }
            | Fault::KillAt { .. }
            | Fault::Drain { .. }
            | Fault::Primary { .. }
            | Fault::Cancel
            | Fault::Session { .. } => Duration::ZERO,
        }
    }

    /// Says whether the fault strikes a replica, which loses the letters in its hands.
    pub fn strikes_a_replica(&self) -> bool {
        matches!(self.part(), Part::Replica(_) | Part::AnyReplica)
    }

    fn part(&self) -> Part {
        match *self {
            Fault::Kill { replica, .. } | Fault::Freeze { replica, .. } | Fault::Drain { replica } => {
                Part::Replica(replica)
            }
            Fault::Cut { replica, .. } => Part::Replica(replica),
            Fault::KillAt { .. } => Part::AnyReplica,
            Fault::Primary { .. }
            | Fault::PrimaryAway { .. }
            | Fault::PowerCut { .. }
            | Fault::NoStandbys { .. }
            | Fault::Cancel
            | Fault::Session { .. } => Part::Primary,
            Fault::Standby { .. } => Part::Standby,
            Fault::Balancer { .. } => Part::Balancer,
            Fault::Mail { .. } => Part::Mail,
        }
    }
}

/// The text of a fault in the printed list of cycles. It is the same as that of `Debug`, which has all fields.
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
    fn a_seed_draws_the_same_faults_and_every_kind_and_two_that_strike_two_parts() {
        let of = |seed| (1..=1000).map(|cycle| draw(&mut Dice::of(seed, cycle), cycle)).collect::<Vec<_>>();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        let kinds: HashSet<&str> = of(1).iter().flatten().map(Fault::kind).collect();
        assert_eq!(kinds.len(), 19, "{kinds:?}");
        let double = of(1).into_iter().filter(|faults| faults.len() == 2).collect::<Vec<_>>();
        assert_eq!(double.len(), 200);
        assert!(double.iter().all(|faults| faults[0].part() != faults[1].part()));
    }
}
