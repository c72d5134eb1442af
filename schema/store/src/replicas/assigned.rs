//! Assigns each lease to one of the replicas.
//!
//! Every replica computes the same assignment from the same rows, so no replica has to command the others. Rendezvous hashing would move
//! fewer leases when a replica starts or ends. But a centre has few mailboxes, and with rendezvous hashing three replicas with four
//! mailboxes would often get 3, 1 and 0 of them.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

/// A live replica, and the leases that it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveReplica {
    /// Identity of the process.
    pub process: Uuid,
    /// Leases that the replica may take.
    pub leases: Vec<String>,
}

/// The replica to which each lease is assigned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignment(BTreeMap<String, Uuid>);

impl Assignment {
    /// Returns the replica to which a lease is assigned; `None` if no live replica may take the lease.
    pub fn replica_of(&self, lease: &str) -> Option<Uuid> {
        self.0.get(lease).copied()
    }
}

/// Assigns each lease to one of the live replicas that may take it. The leases are taken in the order of their names. Each goes to the
/// replica that has the fewest leases so far; among equals, to the one with the smallest identity. The order of `live` does not matter.
pub fn assigned(live: &[LiveReplica]) -> Assignment {
    let mut takers: BTreeMap<&str, BTreeSet<Uuid>> = BTreeMap::new();
    for replica in live {
        for lease in &replica.leases {
            takers.entry(lease).or_default().insert(replica.process);
        }
    }
    let mut counts: BTreeMap<Uuid, usize> = BTreeMap::new();
    let mut assignment = BTreeMap::new();
    for (lease, takers) in takers {
        let fewest =
            takers.into_iter().min_by_key(|process| (counts.get(process).copied().unwrap_or_default(), *process));
        if let Some(process) = fewest {
            *counts.entry(process).or_default() += 1;
            assignment.insert(lease.to_owned(), process);
        }
    }
    Assignment(assignment)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica(number: u128, leases: &[&str]) -> LiveReplica {
        LiveReplica { process: Uuid::from_u128(number), leases: leases.iter().map(|&lease| lease.to_owned()).collect() }
    }

    fn counts(assignment: &Assignment) -> Vec<usize> {
        let mut counts: BTreeMap<Uuid, usize> = BTreeMap::new();
        for process in assignment.0.values() {
            *counts.entry(*process).or_default() += 1;
        }
        counts.into_values().collect()
    }

    #[test]
    fn equal_replicas_have_equal_shares_in_whatever_order_they_are_listed() {
        let leases: Vec<String> = (0..64).map(|lease| format!("mailbox:{lease:02}")).collect();
        let leases: Vec<&str> = leases.iter().map(String::as_str).collect();
        for replicas in 1..=5 {
            let mut live: Vec<LiveReplica> = (1..=replicas).map(|number| replica(number, &leases)).collect();
            let assignment = assigned(&live);
            live.reverse();
            assert_eq!(assigned(&live), assignment);
            let counts = counts(&assignment);
            assert_eq!((counts.len() as u128, counts.iter().sum::<usize>()), (replicas, 64));
            assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
        }
    }

    #[test]
    fn a_lease_falls_only_to_a_replica_that_may_take_it() {
        let live = [replica(1, &["a", "b", "c"]), replica(2, &["c", "d"]), replica(3, &[])];
        let assignment = assigned(&live);
        let of = |lease| assignment.replica_of(lease).map(|process| process.as_u128());
        assert_eq!([of("a"), of("b"), of("c"), of("d"), of("e")], [Some(1), Some(1), Some(2), Some(2), None]);
        assert_eq!(assigned(&[]), Assignment::default());
    }
}
