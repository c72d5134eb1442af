//! The lab: a centre of three replicas behind two balancers, with a primary and two standbys, each on a machine of its own, under traffic.
//! One fault of the failure table after another strikes it, and from time to time two at once. The oracle compares rows, accounts, journal,
//! receipts and quarantine with the letters that were sent, and with what their senders were told.
//!
//! The machines are network namespaces of this one machine. Everything that the lab makes lies in namespaces and in a folder of its own
//! ([`room`]), and is removed when it ends, in whatever way it ends.
//!
//! Everything is drawn from a seed, as with nemesis: the same seed has the same faults in the same order.

pub mod bounds;
pub mod databases;
pub mod fault;
pub mod network;
pub mod offices;
pub mod room;
pub mod senders;
pub mod strike;
pub mod world;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use simulation::dice::Dice;
use store::planted::Bug;

use crate::nemesis;
use crate::servers::{pass_time, wait_within};
use bounds::Longest;
use fault::Fault;
use strike::{Toll, strike};
use world::World;

/// Longest wait until every letter is settled, and longest wait until all letters are answered.
const PATIENCE: Duration = Duration::from_secs(180);
/// Longest wait for missing answers while nothing changes.
const STILL_MAX: Duration = Duration::from_secs(12);
const LOOK: Duration = Duration::from_millis(20);
/// Number of times that offices with HTTPS send a further letter before a check, to get what waits for them.
const ASKED_MAX: u32 = 3;
/// Number of the latest cycles that are printed when the run fails.
const HISTORY_MAX: usize = 30;
/// This number changes the seed for the letters, so that the letters and the faults are drawn independently.
const LETTERS: u64 = 0x1AB;

/// What a run is.
#[derive(Args, Clone, Debug)]
pub struct Plan {
    /// Cycles: a burst of letters with a fault in it, or with two
    #[arg(long, default_value_t = 100)]
    pub cycles: u64,
    /// The same number is the same faults in the same order
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Letters in a burst
    #[arg(long, default_value_t = 30)]
    pub mails: usize,
    /// Cycles after which everything must be answered, and is checked
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub check_every: u64,
    /// Plant a bug, which must then be caught
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(Bug::ALL.map(Bug::as_str)))]
    pub plant: Option<String>,
    /// Write the figures into this file as well
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// The engine, a build with the feature `nemesis`; made by cargo where not given
    #[arg(long, value_name = "FILE")]
    pub engine: Option<PathBuf>,
    /// Databases on disks that forget what was not synced when they lose their power
    #[arg(long)]
    pub forgetful: bool,
    /// Fail where a sender paused for more than 15 s, or was asked for a letter again without need: for a machine that does nothing else
    #[arg(long)]
    pub bounds: bool,
    /// Run in the room that was made for this process
    #[arg(long, hide = true, requires = "engine")]
    pub inside: bool,
}

/// The results of a run: those of nemesis, and what only the lab has.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The results that a run of nemesis has too. Among them is `acknowledged_missing`.
    #[serde(flatten)]
    pub usual: nemesis::Report,
    /// Number of cycles with two faults at once.
    pub doubles: u64,
    /// Number of standbys that were promoted.
    pub promotions: u64,
    /// Number of COMMITs that were cancelled while they waited for the standbys.
    pub cancelled: u64,
    /// Number of replies to senders by code, and of connections that were cut.
    pub replies: BTreeMap<String, u64>,
    /// Longest time in seconds that a pushed letter took to be settled, by the kind of the cycle's only fault.
    pub slowest_seconds: BTreeMap<&'static str, f64>,
    /// Longest pause of a sender in seconds, by the kind of the cycle's only fault ([`senders::Told::paused`]).
    pub paused_seconds: BTreeMap<&'static str, f64>,
    /// What broke the [`bounds`], and in which cycle.
    pub bounds_broken: Vec<String>,
}

impl Report {
    /// Says whether every promise was kept. The bounds count where the plan asks for them.
    pub fn is_sound(&self, plan: &Plan) -> bool {
        self.usual.is_sound() && (!plan.bounds || self.bounds_broken.is_empty())
    }
}

/// Runs the cycles of the plan in the room that was made for this process. Ends early at the first check that finds a broken promise.
///
/// # Errors
/// A server or the lab itself fails. The place of the logs is printed before.
pub fn run(plan: &Plan) -> Result<Report> {
    let program = plan.engine.as_deref().context("the lab needs an engine")?;
    let letters = plan.cycles * plan.mails as u64;
    let mut world = World::start(program, (plan.seed ^ LETTERS, letters), plan.forgetful, plan.plant.as_deref())?;
    println!("lab: seed {}, {} cycles", plan.seed, plan.cycles);
    let report = Report { usual: nemesis::Report { seed: plan.seed, ..Default::default() }, ..Report::default() };
    let mut run = Run { world: &mut world, plan, report, history: VecDeque::new() };
    let done = run.all();
    let (report, history) = (run.report, run.history);
    if done.is_err() || !report.is_sound(plan) {
        println!("the last cycles:\n  {}", Vec::from(history).join("\n  "));
        report.usual.findings.faults.iter().chain(&report.bounds_broken).for_each(|fault| println!("  - {fault}"));
        // A planted bug is expected to fail the run, so nobody needs the logs.
        if plan.plant.is_none() {
            println!("logs are kept in {}", world.keep_logs()?.display());
        }
        done?;
    } else {
        world.stop()?;
    }
    Ok(report)
}

struct Run<'a> {
    world: &'a mut World,
    plan: &'a Plan,
    report: Report,
    history: VecDeque<String>,
}

impl Run<'_> {
    fn all(&mut self) -> Result<()> {
        let began = Instant::now();
        for cycle in 1..=self.plan.cycles {
            let faults = fault::draw(&mut Dice::of(self.plan.seed, cycle), cycle);
            self.cycle(cycle, &faults)?;
            self.report.usual.seconds = began.elapsed().as_secs_f64();
            if cycle % self.plan.check_every == 0 || cycle == self.plan.cycles {
                self.check()?;
                if !self.report.usual.findings.is_sound() {
                    self.report.usual.broken_after_cycle = Some(cycle);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn cycle(&mut self, cycle: u64, faults: &[Fault]) -> Result<()> {
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let told = format!("cycle {cycle}: {}", told.join(" and "));
        if self.history.len() == HISTORY_MAX {
            self.history.pop_front();
        }
        self.history.push_back(told.clone());
        let began = Instant::now();
        let mut toll = strike(self.world, faults, self.plan.mails).with_context(|| told.clone())?;
        toll.longest = toll.longest.max(self.settle().with_context(|| told.clone())?);
        self.world.operate();
        self.count(cycle, faults, toll, &told);
        let missed = if toll.is_missed { ", missed" } else { "" };
        let (took, slowest) = (began.elapsed().as_secs_f64(), toll.longest.took.as_secs_f64());
        let paused = toll.longest.paused.as_secs_f64();
        println!("{told}: {took:.1} s, slowest letter {slowest:.1} s, longest pause {paused:.1} s{missed}");
        Ok(())
    }

    fn count(&mut self, cycle: u64, faults: &[Fault], toll: Toll, told: &str) {
        let report = &mut self.report;
        let replies = self.world.offices.senders.replies();
        let in_cycle = bounds::since(&report.replies, &replies);
        report.usual.cycles = cycle;
        report.usual.kills += toll.kills;
        report.usual.escalations = self.world.escalations;
        report.promotions += toll.promotions;
        report.cancelled += toll.cancelled;
        report.replies = replies;
        for fault in faults {
            *report.usual.faults_by_kind.entry(fault.kind()).or_default() += 1;
            if toll.is_missed {
                *report.usual.missed_by_kind.entry(fault.kind()).or_default() += 1;
            }
        }
        match faults {
            [fault] => {
                let slowest = report.slowest_seconds.entry(fault.kind()).or_default();
                *slowest = slowest.max(toll.longest.took.as_secs_f64());
                let paused = report.paused_seconds.entry(fault.kind()).or_default();
                *paused = paused.max(toll.longest.paused.as_secs_f64());
                let broken = bounds::broken(fault, toll.longest.paused, &in_cycle);
                report.bounds_broken.extend(broken.into_iter().map(|what| format!("{told}: {what}")));
            }
            _ => report.doubles += 1,
        }
    }

    /// Waits until every sender is told that its letter is settled, and every mail in the centre's mailboxes is deleted, so that no letter
    /// is present during the faults of two cycles. Returns the longest times of the letters.
    fn settle(&mut self) -> Result<Longest> {
        let world = &mut *self.world;
        let mut longest = Longest::default();
        wait_within(PATIENCE, "every letter is settled", || {
            pass_time(LOOK);
            world.revive()?;
            longest = longest.max(world.offices.collect(&world.dovecot)?);
            Ok(world.waiting() == 0)
        })?;
        Ok(longest)
    }

    /// Waits until every letter is answered, or until nothing has changed for [`STILL_MAX`]; then the oracle checks the database.
    fn check(&mut self) -> Result<()> {
        let began = Instant::now();
        let (mut moved, mut asked) = ((Instant::now(), (u64::MAX, 0)), 1);
        self.world.offices.ask_for_answers(&self.world.dovecot)?;
        while !self.world.offices.is_answered() && began.elapsed() < PATIENCE {
            pass_time(LOOK * 5);
            self.settle()?;
            self.world.operate();
            let state = (self.world.offices.record.unanswered(), self.world.postfix.queued());
            if state != moved.1 {
                moved = (Instant::now(), state);
            } else if moved.0.elapsed() > STILL_MAX {
                break;
            } else if moved.0.elapsed() > STILL_MAX / 4 {
                self.world.postfix.flush()?;
                if asked < ASKED_MAX {
                    asked += 1;
                    self.world.offices.ask_for_answers(&self.world.dovecot)?;
                }
            }
        }
        self.settle()?;
        let findings = self.world.judge()?;
        println!(
            "checked after cycle {}: {} letters, {} accepted, {} refused, {} lost, {} doubled, {} wrong, {} difference, \
             {} unanswered, {} innocent, {} read wrongly, {} acknowledged and missing",
            self.report.usual.cycles,
            findings.letters_sent,
            findings.accepted,
            findings.refused,
            findings.lost,
            findings.doubled,
            findings.wrong,
            findings.ledger_difference,
            findings.receipts_missing,
            findings.quarantined_innocent,
            findings.reads_wrong,
            findings.acknowledged_missing,
        );
        self.report.usual.unanswered = findings.receipts_missing;
        self.report.usual.findings = findings;
        Ok(())
    }
}
