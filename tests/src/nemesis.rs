//! Nemesis sends letters to a running centre and makes one fault after another happen meanwhile. From time to time, and at the end, the
//! demo's oracle compares rows, accounts, journal, receipts and quarantine with the letters that were sent.
//!
//! Everything is drawn from a seed, so a second run with the same seed has the same faults in the same order. Only the exact moment of a
//! random kill may differ; the kills at named places in the program do not depend on time.

pub mod centre;
pub mod fault;
pub mod offices;
pub mod strike;
pub mod world;

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use simulation::dice::Dice;
use simulation::oracle::Findings;
use store::planted::Bug;

use crate::program::xmserver_nemesis;
use crate::servers::{pass_time, wait_within};
use fault::Fault;
use strike::strike;
use world::World;

/// Longest wait until the centre's mailbox is empty, and then until all letters are answered.
const PATIENCE: Duration = Duration::from_secs(180);
/// Longest wait for answers that are missing although mailbox and outbox are empty. Then only the relay can still have them, or they are
/// lost.
const RELAY_PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(20);
/// Number of the latest faults that are printed when the run fails.
const HISTORY_MAX: usize = 30;
/// Combined with the run's seed (by XOR) it gives the seed for the letters. With one seed for both, letters and faults would be drawn from
/// the same numbers, and always the same faults would meet the same letters.
const LETTERS: u64 = 0x5DC;
/// As [`LETTERS`], for the cycles in which the transfer folder is taken away.
const FOLDER: u64 = 0xF01D;
/// In one of so many cycles, on average, the transfer folder is taken away while the fault of the cycle happens.
const PULLED_OUT_IN: usize = 4;

/// What a run is.
#[derive(Args, Clone, Debug)]
pub struct Plan {
    /// Cycles: a burst of letters with a fault in it
    #[arg(long, default_value_t = 100)]
    pub cycles: u64,
    /// The same number is the same faults in the same order
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Cycles after these, each with the panic of an actor
    #[arg(long, default_value_t = 0)]
    pub panics: u64,
    /// Mails in a burst
    #[arg(long, default_value_t = 24)]
    pub mails: usize,
    /// Engines on the one database
    #[arg(long, default_value_t = 2, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=4))]
    pub engines: usize,
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
}

/// The results of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Number of cycles that were run.
    pub cycles: u64,
    /// Seed of the run.
    pub seed: u64,
    /// Number of engines that were killed, at random moments or at named places.
    pub kills: usize,
    /// Number of panics that nemesis caused in actors.
    pub panics: usize,
    /// Number of cycles in which the transfer folder was taken away.
    pub pulled_out: u64,
    /// Number of times that an engine ended by itself, because its actors panicked too often, and was started again.
    pub escalations: u64,
    /// Number of letters from verified senders that have no receipt.
    pub unanswered: u64,
    /// Findings of the last check by the oracle.
    #[serde(flatten)]
    pub findings: Findings,
    /// Number of cycles with each kind of fault.
    pub faults_by_kind: BTreeMap<&'static str, u64>,
    /// Number of cycles, by kind of fault, in which the fault could not happen, for example because no engine came to the place at which it
    /// was to be killed.
    pub missed_by_kind: BTreeMap<&'static str, u64>,
    /// The cycle after which a check found a broken promise; `None` where every check passed.
    pub broken_after_cycle: Option<u64>,
    /// Duration of the cycles in seconds, without the start of the servers.
    pub seconds: f64,
}

impl Report {
    /// Says whether the centre kept every promise: no check failed, and every letter is answered.
    pub fn is_sound(&self) -> bool {
        self.broken_after_cycle.is_none() && self.findings.is_sound() && self.unanswered == 0
    }
}

/// Runs the cycles of the plan. Ends early at the first check that finds a broken promise.
///
/// # Errors
/// A server or nemesis itself fails. The place of the logs is printed before.
pub fn run(plan: &Plan) -> Result<Report> {
    let program = match &plan.engine {
        Some(program) => program.as_path(),
        None => xmserver_nemesis()?,
    };
    let letters = (plan.cycles + plan.panics) * plan.mails as u64;
    let mut world = World::start(program, plan.engines, (plan.seed ^ LETTERS, letters), plan.plant.as_deref())?;
    println!("nemesis: seed {}, {} cycles, {} panics", plan.seed, plan.cycles, plan.panics);
    let mut run = Run {
        world: &mut world,
        plan,
        report: Report { seed: plan.seed, ..Report::default() },
        history: VecDeque::new(),
    };
    let done = run.all();
    let (report, history) = (run.report, run.history);
    if done.is_err() || !report.is_sound() {
        println!("the last faults:\n  {}", Vec::from(history).join("\n  "));
        report.findings.faults.iter().for_each(|fault| println!("  - {fault}"));
        // A run with a planted bug is meant to fail, so nobody needs its logs.
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
        let last = self.plan.cycles + self.plan.panics;
        for cycle in 1..=last {
            let mut dice = Dice::of(self.plan.seed, cycle);
            let fault = if cycle > self.plan.cycles {
                Fault::draw_panic(&mut dice)
            } else {
                Fault::draw(&mut dice, self.plan.engines)
            };
            self.cycle(cycle, fault)?;
            self.report.seconds = began.elapsed().as_secs_f64();
            if cycle % self.plan.check_every == 0 || cycle == last {
                self.check()?;
                if !self.report.findings.is_sound() {
                    self.report.broken_after_cycle = Some(cycle);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn cycle(&mut self, cycle: u64, fault: Fault) -> Result<()> {
        let is_pulled_out = Dice::of(self.plan.seed ^ FOLDER, cycle).below(PULLED_OUT_IN) == 0;
        let also = if is_pulled_out { ", the transfer folder is pulled out" } else { "" };
        let told = format!("cycle {cycle}: {fault}{also}");
        if self.history.len() == HISTORY_MAX {
            self.history.pop_front();
        }
        self.history.push_back(told.clone());
        let began = Instant::now();
        if is_pulled_out {
            self.world.offices.transfer.pull_out()?;
        }
        let toll = strike(self.world, fault, self.plan.mails)?;
        self.world.offices.transfer.put_back()?;
        self.settle()?;
        self.world.operate()?;
        self.world.pop3.mend();
        self.world.smtp.mend();
        let report = &mut self.report;
        report.cycles = cycle;
        report.kills += toll.kills;
        report.panics += toll.panics;
        report.pulled_out += u64::from(is_pulled_out);
        report.escalations = self.world.escalations;
        *report.faults_by_kind.entry(fault.kind()).or_default() += 1;
        if toll.is_missed {
            *report.missed_by_kind.entry(fault.kind()).or_default() += 1;
        }
        let missed = if toll.is_missed { ", missed" } else { "" };
        println!("{told}: {:.1} s{missed}", began.elapsed().as_secs_f64());
        Ok(())
    }

    /// Waits until every mail is fetched, settled and deleted, so that the next cycle's fault does not meet a letter of this one. A letter
    /// that is alone in the engine at three crashes becomes poison, since the centre takes it for their cause. Here nemesis causes them,
    /// and could so turn a good letter into poison.
    fn settle(&mut self) -> Result<()> {
        let world = &mut *self.world;
        wait_within(PATIENCE, "the centre's mailbox is empty", || {
            pass_time(LOOK);
            world.revive()?;
            world.offices.collect(&world.dovecot)?;
            Ok(world.waiting()? == 0)
        })
    }

    /// Waits until every letter is answered, or until nothing has changed for [`RELAY_PATIENCE`]; then the oracle checks the database.
    fn check(&mut self) -> Result<()> {
        let began = Instant::now();
        let mut moved = (Instant::now(), (u64::MAX, 0));
        while !self.world.offices.is_answered() && began.elapsed() < PATIENCE {
            pass_time(LOOK * 5);
            self.settle()?;
            self.world.operate()?;
            let state = (self.world.offices.record.unanswered(), self.world.postfix.queued());
            if state != moved.1 || self.world.ask("SELECT count(*) FROM xm.outbox WHERE failed_at IS NULL")? > 0 {
                moved = (Instant::now(), state);
            } else if state.1 > 0 && moved.0.elapsed() > RELAY_PATIENCE / 4 {
                self.world.postfix.flush()?;
            }
            if moved.0.elapsed() > RELAY_PATIENCE {
                break;
            }
        }
        let findings = self.world.judge()?;
        println!(
            "checked after cycle {}: {} letters, {} accepted, {} refused, {} lost, {} doubled, {} wrong, {} difference, \
             {} unanswered, {} innocent, {} read wrongly",
            self.report.cycles,
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
        );
        self.report.unanswered = findings.receipts_missing;
        self.report.findings = findings;
        Ok(())
    }
}
