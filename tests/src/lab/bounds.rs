//! What a single fault may cost the senders: a pause of [`PAUSE_MAX`] at most, and a reply that asks for the letter again only for letters
//! in the hands of the replica that was struck. Two faults at once are not held to it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::fault::Fault;

/// The name under which connections are counted that were refused or ended before a letter was begun.
pub const CUT_BEFORE: &str = "cut before a letter";
/// The name under which connections are counted that ended with a letter in the server's hands.
pub const CUT_OVER: &str = "cut over a letter";
/// Longest pause of a sender.
pub const PAUSE_MAX: Duration = Duration::from_secs(15);
/// Replies to a letter that was in the server's hands and is to be sent again: the temporary ones of LMTP, and that of HTTPS.
const AGAIN: [&str; 3] = ["451", "452", "503"];

/// The longest times of some letters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Longest {
    /// Time from the first attempt to the reply that the letter is settled.
    pub took: Duration,
    /// The same, but from the last attempt that failed with the letter in a server's hands.
    pub paused: Duration,
}

impl Longest {
    /// Returns the longer ones of both.
    pub fn max(self, other: Longest) -> Longest {
        Longest { took: self.took.max(other.took), paused: self.paused.max(other.paused) }
    }
}

/// Says whether a reply by this name means that the letter was in the hands of a server, which did not settle it.
pub fn was_in_hands(reply: &str) -> bool {
    reply == CUT_OVER || AGAIN.contains(&reply)
}

/// Returns what broke the bounds in a cycle with this single fault: its longest pause, and its replies by name.
pub fn broken(fault: &Fault, paused: Duration, replies: &BTreeMap<String, u64>) -> Vec<String> {
    let mut broken = Vec::new();
    if paused > PAUSE_MAX {
        let (paused, most) = (paused.as_secs_f64(), PAUSE_MAX.as_secs());
        broken.push(format!("a sender paused for {paused:.1} s, where {most} s at most are allowed"));
    }
    let is_drain = matches!(fault, Fault::Drain { .. });
    for (reply, count) in replies.iter().filter(|(_, count)| **count > 0) {
        // A replica that drains ends what is in its hands first. The balancer may close a connection on which nothing was sent yet.
        let is_asked_again = AGAIN.contains(&reply.as_str()) && (is_drain || !fault.strikes_a_replica());
        if is_asked_again || (is_drain && reply == CUT_OVER) {
            broken.push(format!("{count} × {reply}, although the fault strikes no letter in a replica's hands"));
        }
    }
    broken
}

/// Returns what was counted since `before`.
pub fn since(before: &BTreeMap<String, u64>, now: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    now.iter().map(|(reply, count)| (reply.clone(), count - before.get(reply).copied().unwrap_or_default())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(replies: &[(&str, u64)]) -> BTreeMap<String, u64> {
        replies.iter().map(|(reply, count)| ((*reply).to_owned(), *count)).collect()
    }

    #[test]
    fn a_reply_that_asks_again_is_allowed_to_the_replica_that_was_struck_alone() {
        let struck = Fault::Freeze { replica: 1, away: Duration::from_secs(3) };
        let away = Fault::PrimaryAway { away: Duration::from_secs(1) };
        let drain = Fault::Drain { replica: 0 };
        let second = Duration::from_secs(1);
        for again in AGAIN {
            let replies = counted(&[("250", 20), (again, 1)]);
            assert!(broken(&struck, second, &replies).is_empty());
            assert_eq!(broken(&away, second, &replies).len(), 1);
            assert_eq!(broken(&drain, second, &replies).len(), 1);
        }
        let fine = counted(&[("250", 20), ("200", 3), ("421", 4), (CUT_BEFORE, 2), ("451", 0)]);
        assert!(broken(&drain, second, &fine).is_empty());
        assert!(broken(&away, second, &counted(&[(CUT_OVER, 1)])).is_empty());
        assert_eq!(broken(&drain, second, &counted(&[(CUT_OVER, 1)])).len(), 1);
        assert_eq!(broken(&away, PAUSE_MAX + second, &fine).len(), 1);
    }

    #[test]
    fn a_cycle_has_its_own_replies() {
        let (before, now) = (counted(&[("250", 3)]), counted(&[("250", 5), ("421", 1)]));
        assert_eq!(since(&before, &now), counted(&[("250", 2), ("421", 1)]));
    }
}
