//! Faults that a post office commits on request.
//!
//! Tests and the demo switch faults on and off while the post office runs. A fault strikes always, a given number of times, or at random
//! from a seed, so that a failing run can be repeated. The strikes of each fault are counted, so that a test can prove that the fault did
//! strike.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The two protocols of a post office.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// POP3, for collecting mail (RFC 1939).
    Pop3,
    /// SMTP, for submitting mail (RFC 5321).
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

/// The way in which a session breaks when RETR asks for a certain mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// The connection is closed without a reply.
    Drop,
    /// The connection is cut after the mail, before its final dot.
    Cut,
    /// The connection stays, and nothing comes after the mail's first octets.
    Hang,
    /// The connection stays open, but of the line with the final dot only the dot and CR come.
    HalfTerminator,
}

/// A fault of the post office.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A sign-in with the right name and password is refused.
    RefuseSignIn(Protocol),
    /// The connection is cut in the middle of the first line of a reply.
    CutReply(Protocol),
    /// A reply is delayed by this time.
    DelayReply(Protocol, Duration),
    /// The connection is cut after this many octets of the mail that RETR sends, but always before the final dot.
    CutRetrieval {
        /// The octets of the mail, counted as they are sent (with dots doubled), that still arrive.
        after_bytes: usize,
    },
    /// After this many octets of the mail that RETR sends, nothing more comes, but the connection stays open.
    HangRetrieval {
        /// The octets of the mail, counted as they are sent (with dots doubled), that still arrive.
        after_bytes: usize,
    },
    /// `RETR`, `TOP` and `UIDL n` of this mail are answered with `-ERR`, but `DELE` works.
    RefuseMail {
        /// The mail's unique id, as UIDL tells it.
        uidl: String,
    },
    /// Each session that retrieves this mail breaks.
    BreakMail {
        /// The mail's unique id, as UIDL gives it.
        uidl: String,
        /// The way in which the session breaks.
        how: Break,
    },
    /// In a listing of all mails, the line of one mail is replaced or left out.
    OddLine {
        /// The listing that is changed.
        of: ListingOf,
        /// The number of the mail in the session.
        number: usize,
        /// The line that is sent in place of the mail's line, without its line end; `None` leaves the mail out.
        line: Option<String>,
    },
    /// A request to list all mails is answered with `-ERR`.
    RefuseListing(ListingOf),
    /// Replies to commands of POP3 end with LF alone, and so do the lines of a listing.
    BareLineFeeds,
    /// At `QUIT` the connection is cut, and no mail is deleted.
    DropQuitBeforeDeletion,
    /// At `QUIT` the mails are deleted, but the connection is cut before the reply.
    DropQuitAfterDeletion,
    /// `RCPT` is answered with 450.
    DeferRecipient,
    /// `RCPT` is answered with 550.
    RejectRecipient,
    /// `RCPT` is answered with `554 5.7.1`, as by a relay that does not know this sender.
    DenyRelay,
    /// The mail is not accepted: the connection is cut as soon as the first octets of its text have come.
    CutData,
    /// The mail is not accepted: its final dot is answered with 451.
    DeferData,
    /// The mail is accepted, but the connection is cut before the reply to its final dot (RFC 1047).
    LoseDataReply,
}

/// The occasions at which a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// The fault strikes at every occasion, until it is cleared.
    Always,
    /// The fault strikes at this many next occasions.
    Times(u64),
    /// At each occasion with a probability between 0 and 1; the same seed gives the same sequence.
    Chance {
        /// Probability at each occasion.
        probability: f64,
        /// Seed of the random sequence.
        seed: u64,
    },
}

/// The faults of one post office; none at the start.
#[derive(Debug, Default)]
pub struct Faults {
    /// The number of faults that can still strike. While it is 0, sessions need not lock the list.
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
    /// Switches a fault on. If the same fault was set before, the new setting replaces the old one, and its count of strikes stays.
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

    /// Returns how often a fault has struck so far.
    pub fn struck(&self, fault: &Fault) -> u64 {
        self.lock().iter().filter(|entry| entry.fault == *fault).map(|entry| entry.struck).sum()
    }

    /// Finds a fault that strikes on this occasion. Among the faults for which `pick` returns a value, the first whose turn it is to strike
    /// is counted, and its value returned.
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

/// The SplitMix64 generator (Steele, Lea, Flood 2014). It is written here, so that no upgrade of a crate changes what a recorded seed
/// gives.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn unit_interval(bits: u64) -> f64 {
    // A floating-point number holds exactly 53 bits, so the result is always below 1.0.
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
