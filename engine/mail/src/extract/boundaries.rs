//! The boundaries of the open multiparts around a line (RFC 2046, 5.1.1).
//!
//! A line is compared with all boundaries in one pass, by a hash of its beginning. So ten boundaries that differ only in their last
//! character cost no more than one.

use super::cost::Cost;

/// Longest boundary, in octets (RFC 2046, 5.1.1).
pub const BOUNDARY_BYTES_MAX: usize = 70;

/// The boundaries of the multiparts that are open, the outermost first.
#[derive(Debug, Default)]
pub struct Boundaries(Vec<Boundary>);

#[derive(Debug)]
struct Boundary {
    octets: Vec<u8>,
    hash: u64,
}

/// A line that ends a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delimiter {
    /// The multipart that the delimiter belongs to, counted from the outermost, which is 0.
    pub level: usize,
    /// Whether the delimiter ends the multipart, so that no further part follows.
    pub is_last: bool,
}

impl Boundaries {
    /// Opens a multipart.
    pub fn open(&mut self, octets: Vec<u8>) {
        let hash = octets.iter().fold(HASH_START, |hash, octet| step(hash, *octet));
        self.0.push(Boundary { octets, hash });
    }

    /// Keeps only the `count` outermost multiparts open.
    pub fn keep(&mut self, count: usize) {
        self.0.truncate(count);
    }

    /// Reads a line as a delimiter. It is one if the line begins with a boundary (RFC 2046, 5.1.1). If several boundaries match, the
    /// longest counts, and of equal boundaries the innermost.
    pub fn delimiter(&self, line: &[u8], cost: &mut Cost) -> Option<Delimiter> {
        let rest = line.strip_prefix(b"--").filter(|_| !self.0.is_empty())?;
        let mut found = None;
        let mut hash = HASH_START;
        let beginning = &rest[..rest.len().min(BOUNDARY_BYTES_MAX)];
        cost.add(2 + beginning.len());
        for (length, octet) in (1..).zip(beginning) {
            hash = step(hash, *octet);
            // The octets are compared as well, since a hash can be forged.
            let is_same = |boundary: &Boundary| {
                let is_hashed = boundary.octets.len() == length && boundary.hash == hash;
                cost.add(if is_hashed { length } else { 0 });
                is_hashed && rest.starts_with(&boundary.octets)
            };
            found = self.0.iter().rposition(is_same).map(|level| (level, length)).or(found);
        }
        let (level, length) = found?;
        Some(Delimiter { level, is_last: rest[length..].starts_with(b"--") })
    }
}

/// Start value of the hash function FNV-1a.
const HASH_START: u64 = 0xcbf2_9ce4_8422_2325;

fn step(hash: u64, octet: u8) -> u64 {
    (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_belongs_to_the_longest_boundary_that_it_begins_with() {
        let mut boundaries = Boundaries::default();
        let longest = "x".repeat(BOUNDARY_BYTES_MAX);
        for boundary in ["b", "b1", "b1", &longest] {
            boundaries.open(boundary.as_bytes().to_vec());
        }
        let delimiter = |line: &str| {
            let found = boundaries.delimiter(line.as_bytes(), &mut Cost::default());
            found.map(|Delimiter { level, is_last }| (level, is_last))
        };
        assert_eq!(delimiter("--b"), Some((0, false)));
        assert_eq!(delimiter("--b--  "), Some((0, true)));
        assert_eq!(delimiter("--b1--"), Some((2, true)));
        assert_eq!(delimiter("--b2"), Some((0, false)), "what follows the boundary does not matter");
        assert_eq!(delimiter(&format!("--{longest}--")), Some((3, true)));
        assert_eq!(["-b", "b", "--", "--c", "", " --b"].map(delimiter), [None; 6]);
    }

    #[test]
    fn ten_boundaries_cost_no_more_than_one() {
        let mut boundaries = Boundaries::default();
        for number in 0..10 {
            boundaries.open(format!("{}{number}", "-".repeat(69)).into_bytes());
        }
        let mut cost = Cost::default();
        let line = "-".repeat(72);
        assert_eq!(boundaries.delimiter(line.as_bytes(), &mut cost), None);
        assert_eq!(cost.octets(), line.len());
    }
}
