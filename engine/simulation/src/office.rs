//! An office of the simulation. Its register of sent letters is in memory, and is lost when the program ends.

use std::collections::{BTreeSet, HashMap};

use agency::office;
use agency::packed::Packed;
use agency::register::{Register, RegisterError, Sent};

/// An office program whose register is in memory.
pub type Office = office::Office<MemoryRegister>;

/// The register of one office: the letters that it has sent, and the notices and certificates that it has received.
#[derive(Clone, Debug)]
pub struct MemoryRegister {
    next_sequence: u64,
    /// The letters that were sent, by the text of their digest, because receipts name letters by this text.
    sent: HashMap<String, Sent>,
    notices: BTreeSet<u64>,
    pinned: BTreeSet<Vec<u8>>,
}

impl MemoryRegister {
    /// Makes an empty register. The first letter gets the sequence number `next_sequence`.
    pub fn new(next_sequence: u64) -> MemoryRegister {
        MemoryRegister { next_sequence, sent: HashMap::new(), notices: BTreeSet::new(), pinned: BTreeSet::new() }
    }
}

impl Register for MemoryRegister {
    fn next_sequence(&mut self) -> Result<u64, RegisterError> {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        Ok(sequence)
    }

    fn remember(&mut self, packed: &Packed) -> Result<(), RegisterError> {
        self.sent.insert(packed.digest.to_string(), Sent::of(packed));
        Ok(())
    }

    fn find_sent(&mut self, digest: &str) -> Result<Option<Sent>, RegisterError> {
        Ok(self.sent.get(digest).cloned())
    }

    fn mark(&mut self, sent: &Sent) -> Result<(), RegisterError> {
        self.sent.insert(sent.digest.to_string(), sent.clone());
        Ok(())
    }

    fn seen(&mut self) -> Result<u64, RegisterError> {
        let gap = (1..).zip(&self.notices).find(|(expected, number)| expected != *number);
        Ok(gap.map_or(self.notices.len() as u64, |(expected, _)| expected - 1))
    }

    fn note(&mut self, number: u64) -> Result<bool, RegisterError> {
        Ok(self.notices.insert(number))
    }

    fn pinned(&mut self) -> Result<Vec<Vec<u8>>, RegisterError> {
        Ok(self.pinned.iter().cloned().collect())
    }

    fn pin(&mut self, certificate: &[u8]) -> Result<(), RegisterError> {
        self.pinned.insert(certificate.to_vec());
        Ok(())
    }
}
