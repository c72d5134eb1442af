//! Faults that a post office commits on request.
//!
//! Tests and the demo switch them at run time. Each strikes always, a number of times, or by chance from a seed, so that
//! a failing run can be repeated; how often each one struck is counted, so that a test can show that it did.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The two protocols of a post office.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Collecting mail, RFC 1939.
    Pop3,
    /// Submitting mail, RFC 5321.
    Smtp,
}

/// The two listings of POP3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListingOf {
    /// `LIST`: sizes.
    Sizes,
    /// `UIDL`: unique ids.
    Ids,
}

/// How a session breaks over a mail that RETR asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// The connection is closed without a reply.
    Drop,
    /// The connection is cut after the mail, before its final dot.
    Cut,
    /// The connection stays, and nothing comes after the mail's first octets.
    Hang,
    /// The connection stays, and of the final dot's line only dot and CR come.
    HalfTerminator,
}

/// One way of failing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A right name and password are refused.
    RefuseSignIn(Protocol),
    /// The connection is cut in the middle of the first line of a reply.
    CutReply(Protocol),
    /// A reply comes late.
    DelayReply(Protocol, Duration),
    /// The connection is cut after this many octets of the mail that RETR sends, at the latest before its final dot.
    CutRetrieval {
        /// Octets of the mail, as they travel, that still arrive.
        after_bytes: usize,
    },
    /// The connection stays, and after this many octets of the mail that RETR sends nothing more comes.
    HangRetrieval {
        /// Octets of the mail, as they travel, that still arrive.
        after_bytes: usize,
    },
    /// `RETR`, `TOP` and `UIDL n` of this mail are answered `-ERR`; `DELE` works.
    RefuseMail {
        /// The mail's unique id, as UIDL tells it.
        uidl: String,
    },
    /// Every session breaks over this mail.
    BreakMail {
        /// The mail's unique id, as the post office has it.
        uidl: String,
        /// How.
        how: Break,
    },
    /// In a listing of all mails, the line of one mail is replaced.
    OddLine {
        /// In which listing.
        of: ListingOf,
        /// The mail's number.
        number: usize,
        /// The line in its place, without its end; `None` leaves the mail out.
        line: Option<String>,
    },
    /// A listing of all mails is answered `-ERR`.
    RefuseListing(ListingOf),
    /// Replies to commands of POP3 end with LF alone, and so do the lines of a listing.
    BareLineFeeds,
    /// `QUIT` cuts the connection and deletes nothing.
    DropQuitBeforeDeletion,
    /// `QUIT` deletes, and cuts the connection before it says so.
    DropQuitAfterDeletion,
    /// `RCPT` is answered 450.
    DeferRecipient,
    /// `RCPT` is answered 550.
    RejectRecipient,
    /// `RCPT` is answered `554 5.7.1`, as by a relay that does not know this sender.
    DenyRelay,
    /// The mail is not taken: the connection is cut when the first octets of its text have come.
    CutData,
    /// The mail is not taken, and its final dot is answered 451.
    DeferData,
    /// The mail is taken, and the connection cut before the reply to its final dot (RFC 1047).
    LoseDataReply,
}

/// How often a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// At every occasion, until cleared.
    Always,
    /// At the next occasions, this many.
    Times(u64),
    /// At each occasion with a probability between 0 and 1; the same seed gives the same sequence.
    Chance {
        /// Probability at each occasion.
        probability: f64,
        /// Start of the sequence.
        seed: u64,
    },
}

/// The faults of one post office; none at the start.
#[derive(Debug, Default)]
pub struct Faults {
    /// Number of faults that can still strike: lets a healthy post office pass without taking the lock.
    armed: AtomicUsize,
    entries: Mutex<Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    fault: Fault,
    rule: Rule,
    struck: u64,
}

#[derive(Debug)]
enum Rule {
    Always,
    Times(u64),
    Chance { probability: f64, state: u64 },
}

impl Faults {
    /// Switches a fault on; the same fault set before is replaced, its count of strikes stays.
    pub fn set(&self, fault: Fault, when: When) {
        let rule = match when {
            When::Always => Rule::Always,
            When::Times(times) => Rule::Times(times),
            When::Chance { probability, seed } => Rule::Chance { probability, state: seed },
        };
        let mut entries = self.lock();
        match entries.iter_mut().find(|entry| entry.fault == fault) {
            Some(entry) => entry.rule = rule,
            None => entries.push(Entry { fault, rule, struck: 0 }),
        }
        self.count_armed(&entries);
    }

    /// Switches a fault off; its count of strikes stays.
    pub fn clear(&self, fault: &Fault) {
        let mut entries = self.lock();
        entries.iter_mut().filter(|entry| entry.fault == *fault).for_each(|entry| entry.rule = Rule::Times(0));
        self.count_armed(&entries);
    }

    /// Switches every fault off; the counts of strikes stay.
    pub fn clear_all(&self) {
        let mut entries = self.lock();
        entries.iter_mut().for_each(|entry| entry.rule = Rule::Times(0));
        self.count_armed(&entries);
    }

    /// Tells how often a fault has struck so far.
    pub fn struck(&self, fault: &Fault) -> u64 {
        self.lock().iter().filter(|entry| entry.fault == *fault).map(|entry| entry.struck).sum()
    }

    /// Asks which fault strikes on this occasion. Returns what `pick` makes of the first fault that it picks and that strikes now.
    pub(super) fn strike<T>(&self, pick: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        if self.armed.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut entries = self.lock();
        let found = entries.iter_mut().find_map(|entry| {
            let picked = pick(&entry.fault)?;
            entry.rule.strikes().then(|| {
                entry.struck += 1;
                picked
            })
        });
        self.count_armed(&entries);
        found
    }

    /// Says whether this one fault strikes on this occasion, where the fault carries no data.
    pub(super) fn strikes(&self, wanted: &Fault) -> bool {
        self.strike(|fault| (fault == wanted).then_some(())).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count_armed(&self, entries: &[Entry]) {
        let armed = entries.iter().filter(|entry| !matches!(entry.rule, Rule::Times(0))).count();
        self.armed.store(armed, Ordering::Release);
    }
}

impl Rule {
    fn strikes(&mut self) -> bool {
        match self {
            Rule::Always => true,
            Rule::Times(0) => false,
            Rule::Times(left) => {
                *left -= 1;
                true
            }
            Rule::Chance { probability, state } => unit_interval(split_mix(state)) < *probability,
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): a sequence that no upgrade of a crate changes under a recorded seed.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn unit_interval(bits: u64) -> f64 {
    // 53 bits are what the mantissa holds, so 1.0 is never reached.
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counted_fault_strikes_that_often_and_no_more() {
        let faults = Faults::default();
        assert!(!faults.strikes(&Fault::DeferData));
        faults.set(Fault::DeferData, When::Times(2));
        let strikes: Vec<bool> = (0..4).map(|_| faults.strikes(&Fault::DeferData)).collect();
        assert_eq!(strikes, [true, true, false, false]);
        assert_eq!((faults.struck(&Fault::DeferData), faults.armed.load(Ordering::Acquire)), (2, 0));
    }

    #[test]
    fn a_seed_repeats_its_sequence_near_its_probability() {
        let run = |seed| {
            let faults = Faults::default();
            faults.set(Fault::DeferData, When::Chance { probability: 0.25, seed });
            (0..4000).map(|_| faults.strikes(&Fault::DeferData)).collect::<Vec<bool>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        let struck = run(7).into_iter().filter(|strikes| *strikes).count();
        assert!((900..1100).contains(&struck), "{struck} of 4000 at a quarter");
    }

    #[test]
    fn faults_are_told_apart_and_cleared() {
        let faults = Faults::default();
        faults.set(Fault::RefuseSignIn(Protocol::Pop3), When::Always);
        assert!(!faults.strikes(&Fault::RefuseSignIn(Protocol::Smtp)));
        assert!(faults.strikes(&Fault::RefuseSignIn(Protocol::Pop3)));
        faults.clear(&Fault::RefuseSignIn(Protocol::Pop3));
        assert!(!faults.strikes(&Fault::RefuseSignIn(Protocol::Pop3)));
        assert_eq!(faults.struck(&Fault::RefuseSignIn(Protocol::Pop3)), 1);
    }
}
