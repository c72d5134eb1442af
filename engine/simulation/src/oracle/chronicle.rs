//! The chronicle of each record: one version for each letter that wrote or corrected it, with the times between which agencies may see it.
//!
//! The centre may hold a version from when its letter was about to be sent, and certainly holds it once the letter's receipt is verified.
//! The version may be gone once the letter with the next version is about to be sent, and certainly is gone once that letter's receipt is
//! verified.

use std::collections::{BTreeMap, HashMap};

use sdc::digest::Digest;

use crate::memory::{ActMemory, Effect, LetterMemory, Memory};

/// The identity of a record: its table, agency, installation, and the number that the installation gave to it.
pub type Origin<'a> = (&'static str, i32, &'a str, i64);

/// One version of a record.
#[derive(Clone, Debug)]
pub struct Version {
    /// The index in memory of the letter that wrote the version.
    pub letter: usize,
    /// SHA-256 of the record's values in this version.
    pub content: Digest,
    /// Whether the record is valid in this version. A version that cancels the record is not.
    pub is_live: bool,
    /// The tick from which the centre may hold the version, and the tick from which it certainly does.
    from: (u64, Option<u64>),
}

/// The versions of one record that an answer may give, when the letter was answered between two moments.
pub struct Sight<'a> {
    /// The versions that may be seen.
    pub possible: Vec<&'a Version>,
    /// Whether the centre certainly held one of the possible versions in that time.
    pub is_certain: bool,
}

impl Sight<'_> {
    /// Says whether the answer must give a valid version: the centre certainly held one of the possible versions, and none of them cancels
    /// the record.
    pub fn must_be_seen(&self) -> bool {
        self.is_certain && self.possible.iter().all(|version| version.is_live)
    }

    /// Says whether the answer may give the record with this content. Cancelled versions count only with `with_cancelled`.
    pub fn may_say(&self, content: Digest, with_cancelled: bool) -> bool {
        let is_seen = |version: &&Version| version.content == content && (version.is_live || with_cancelled);
        self.possible.iter().copied().any(|version| is_seen(&version))
    }
}

/// Versions of one record by the installation that sent them. A record has few installations, so they are searched one by one.
type ByInstallation<'a> = Vec<(&'a str, Vec<Version>)>;
/// Acts of one register by their number, each with the origin of its record.
type Acts<'a> = BTreeMap<i64, (Origin<'a>, &'a ActMemory)>;

/// The versions of all records.
#[derive(Default)]
pub struct Chronicle<'a> {
    /// The versions by table, agency and number.
    versions: HashMap<(&'static str, i32, i64), ByInstallation<'a>>,
    /// The acts by table and agency, and there by their number in the register.
    acts: HashMap<(&'static str, i32), Acts<'a>>,
}

impl<'a> Chronicle<'a> {
    /// Builds the chronicle from the letters that were sent.
    pub fn of(memory: &'a Memory) -> Chronicle<'a> {
        let mut chronicle = Chronicle::default();
        for (at, letter) in memory.letters.iter().enumerate() {
            let (Some(agency), Some((effect, _))) = (letter.signer, letter.expected.effect()) else { continue };
            let from = (letter.sent, letter.answers.verified);
            match effect {
                Effect::Rows(rows) => {
                    for row in rows {
                        let origin = (row.table, agency, letter.installation.as_str(), row.numero);
                        let version = Version { letter: at, content: row.content, is_live: true, from };
                        chronicle.add(origin, version);
                        if let Some(act) = &row.act {
                            chronicle.acts.entry((row.table, agency)).or_default().insert(act.number, (origin, act));
                        }
                    }
                }
                Effect::Correction(correction) if !correction.is_superseded => {
                    let origin = (correction.table, agency, letter.installation.as_str(), correction.numero);
                    let is_live = !correction.is_cancelled;
                    let version = Version { letter: at, content: correction.content, is_live, from };
                    chronicle.add(origin, version);
                }
                _ => {}
            }
        }
        chronicle
    }

    fn add(&mut self, (table, agency, installation, numero): Origin<'a>, version: Version) {
        let known = self.versions.entry((table, agency, numero)).or_default();
        match known.iter_mut().find(|(of, _)| *of == installation) {
            Some((_, versions)) => versions.push(version),
            None => known.push((installation, vec![version])),
        }
    }

    fn versions(&self, (table, agency, installation, numero): &Origin<'_>) -> Option<&Vec<Version>> {
        let known = self.versions.get(&(*table, *agency, *numero))?;
        known.iter().find(|(of, _)| of == installation).map(|(_, versions)| versions)
    }

    /// Returns all records, each with its versions in the order in which they were written.
    pub fn all(&self) -> impl Iterator<Item = (Origin<'a>, &Vec<Version>)> {
        self.versions.iter().flat_map(|((table, agency, numero), known)| {
            known.iter().map(move |(installation, versions)| ((*table, *agency, *installation, *numero), versions))
        })
    }

    /// Returns the version of a record that a correction replaces. `correction` is the index of its letter.
    pub fn before(&self, origin: &Origin<'_>, correction: usize) -> Option<&Version> {
        self.versions(origin)?.iter().rev().find(|version| version.letter < correction)
    }

    /// Returns the versions of a record that the answer to the letter `reading` may give.
    pub fn sight(&self, origin: &Origin<'_>, reading: &LetterMemory) -> Option<Sight<'_>> {
        let versions = self.versions(origin)?;
        let (from, to) = (reading.sent, reading.answers.verified.unwrap_or(u64::MAX));
        let is_certain_at = |version: &Version, moment: u64| version.from.1.is_some_and(|certain| certain < moment);
        let mut possible = Vec::new();
        for (place, version) in versions.iter().enumerate() {
            let is_gone = versions.get(place + 1).is_some_and(|next| is_certain_at(next, from));
            if version.from.0 < to && !is_gone {
                possible.push(version);
            }
        }
        let is_certain = versions.first().is_some_and(|first| is_certain_at(first, from));
        Some(Sight { possible, is_certain })
    }

    /// Returns the act with this number in the register of an agency.
    pub fn act(&self, table: &'static str, agency: i32, number: i64) -> Option<(&Origin<'a>, &'a ActMemory)> {
        self.acts.get(&(table, agency))?.get(&number).map(|(origin, act)| (origin, *act))
    }

    /// Returns the acts of an agency in the order of their register numbers.
    pub fn acts(
        &self,
        table: &'static str,
        agency: i32,
    ) -> impl DoubleEndedIterator<Item = (&Origin<'a>, &'a ActMemory)> {
        self.acts.get(&(table, agency)).into_iter().flatten().map(|(_, (origin, act))| (origin, *act))
    }
}
