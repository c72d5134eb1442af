//! Runs a short nemesis, and proves that it finds bugs: bugs are planted into the engine, and the nemesis must catch them.
//!
//! `make nemesis ARGS="--cycles 1000 --seed 1"` is the long version.

#![expect(clippy::unwrap_used, reason = "a test that cannot get its world ends at once, saying why")]

use scenarios::nemesis::{self, Plan, Report};
use store::planted::Bug;

/// The seed of the short run.
const SEED: u64 = 1;
/// A seed whose first faults bring the planted bugs out early: an engine is killed just before the charge, another between the writing of
/// rows and the commit, and a connection breaks.
const SEED_OF_BUGS: u64 = 2634;
/// Number of cycles within which a planted bug must be caught.
const CAUGHT_WITHIN: u64 = 100;

fn plan(cycles: u64) -> Plan {
    Plan { cycles, seed: SEED, panics: 0, mails: 24, engines: 2, check_every: 5, plant: None, json: None, engine: None }
}

fn catch(bug: Bug) -> Report {
    let planted =
        Plan { seed: SEED_OF_BUGS, plant: Some(bug.as_str().to_owned()), check_every: 1, ..plan(CAUGHT_WITHIN) };
    let report = nemesis::run(&planted).unwrap();
    assert!(report.broken_after_cycle.is_some(), "{} was not caught in {CAUGHT_WITHIN} cycles", bug.as_str());
    report
}

/// All of this is one test: several would run at the same time, each with servers of its own, and slow each other down.
#[test]
fn every_letter_has_one_effect_whatever_is_struck_and_planted_bugs_are_caught() {
    let report = nemesis::run(&Plan { panics: 5, ..plan(15) }).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert!(report.kills > 0 && report.panics > 0, "{report:?}");
    assert_eq!(report.cycles, 20);
    // Many letters must have been settled, otherwise the result would prove nothing.
    assert!(report.findings.accepted > 200 && report.findings.refused > 40, "{report:?}");

    let report = catch(Bug::DeleteBeforeCommit);
    assert!(report.findings.lost > 0 && report.unanswered > 0, "{report:?}");
    let report = catch(Bug::NoUniqueKey);
    assert!(report.findings.doubled > 0, "{report:?}");
    let report = catch(Bug::ChargeOutside);
    assert!(report.findings.ledger_difference != 0, "{report:?}");
}
