//! Checks the rows of the tables, and the history of corrections.

use std::collections::HashMap;

use super::Inquiry;
use super::held::{HeldHistory, HeldRow};
use crate::memory::rows::content;
use crate::memory::{Effect, Memory};

impl Inquiry<'_> {
    /// Checks that every row of every accepted letter exists once, as it was sent or last corrected, and that there is no other row.
    pub(super) fn rows(&mut self, memory: &Memory) {
        let mut held: HashMap<(String, i32, String, i64), Vec<HeldRow>> = HashMap::new();
        for row in std::mem::take(&mut self.held.rows) {
            self.findings.rows += 1;
            let place = (row.table.clone(), row.agency, row.installation.clone(), row.numero);
            held.entry(place).or_default().push(row);
        }
        let chronicle = std::mem::take(&mut self.chronicle);
        for (origin, versions) in chronicle.all() {
            let (table, agency, installation, numero) = origin;
            let (Some(first), Some(last)) = (versions.first(), versions.last()) else { continue };
            let place = (table.to_owned(), agency, installation.to_owned(), numero);
            let found = held.remove(&place).unwrap_or_default();
            let name = || format!("row {numero} of {table} by agency {agency:06}");
            let written = &memory.letters[last.letter];
            let sequence = i64::try_from(written.sequence).unwrap_or(i64::MAX);
            match found.first() {
                None if memory.letters[first.letter].copies > 0 => {
                    self.lose(first.letter, &memory.letters[first.letter], "a row is missing");
                }
                Some(found) if found.letter != written.letter_id || found.content != last.content.as_bytes() => {
                    self.wrong(format!("{}: other content than was sent", name()));
                }
                Some(found) if found.sequence != sequence => {
                    self.wrong(format!("{}: another origin than its letter's", name()));
                }
                _ => {}
            }
            if found.len() > 1 {
                self.double(found.len() - 1, name);
            }
        }
        self.chronicle = chronicle;
        for (table, agency, installation, numero) in held.into_keys() {
            let row = format!("row {numero} of {table} by {installation} of agency {agency:06}");
            self.wrong(format!("{row}: nobody sent it to be accepted"));
        }
    }

    /// Checks that each correction has exactly one line of history. It has the version before the correction, or, for a superseded
    /// correction, the mark that says so.
    pub(super) fn history(&mut self, memory: &Memory) {
        let mut held: HashMap<(i32, uuid::Uuid), Vec<HeldHistory>> = HashMap::new();
        for line in std::mem::take(&mut self.held.history) {
            held.entry((line.agency, line.replaced_by)).or_default().push(line);
        }
        for (at, letter) in memory.letters.iter().enumerate() {
            let (Some(agency), Some((Effect::Correction(correction), _))) = (letter.signer, letter.expected.effect())
            else {
                continue;
            };
            let found = held.remove(&(agency, letter.letter_id)).unwrap_or_default();
            let name = || format!("the history of what letter {} corrected", letter.letter_id);
            let origin = (correction.table, agency, letter.installation.as_str(), correction.numero);
            let before = self
                .chronicle
                .before(&origin, at)
                .map(|version| (memory.letters[version.letter].letter_id, version.content));
            let action = if correction.is_cancelled { "cancel" } else { "replace" };
            match found.first() {
                None if letter.copies > 0 => self.lose(at, letter, "nothing in the history"),
                Some(line)
                    if (line.table.as_str(), line.numero, line.action.as_str())
                        != (correction.table, correction.numero, action) =>
                {
                    self.wrong(format!("{}: another record or act", name()));
                }
                Some(line) if line.is_superseded != correction.is_superseded => {
                    self.wrong(format!("{}: marked as come too late, or not", name()));
                }
                Some(line) if !correction.is_superseded && before != Some((line.letter, as_kept(line))) => {
                    self.wrong(format!("{}: not the version before", name()));
                }
                _ => {}
            }
            if found.len() > 1 {
                self.double(found.len() - 1, name);
            }
        }
        for (agency, letter) in held.into_keys() {
            self.wrong(format!("a line of history by letter {letter} of agency {agency:06}, which corrects nothing"));
        }
    }
}

fn as_kept(line: &HeldHistory) -> sdc::digest::Digest {
    let cells: Vec<(&str, &serde_json::Value)> =
        line.content.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value)).collect();
    content(&cells)
}
