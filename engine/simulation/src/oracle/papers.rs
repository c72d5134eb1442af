//! Checks the results of comparing papers against the records that agencies sent.

use sdc::answer::results::{Found, KeyResult};
use sdc::digest::Digest;

use super::Inquiry;
use crate::memory::rows::name_column;
use crate::memory::{Given, LetterMemory, Paper};

impl Inquiry<'_> {
    /// Checks the results for the papers of one letter: one result for each paper, in order, and one that was possible at that time.
    pub(super) fn certified(
        &mut self,
        letter: &LetterMemory,
        table: &'static str,
        papers: &[Paper],
        gives_record: bool,
    ) {
        let mut found: Vec<&(KeyResult, Option<Digest>)> = Vec::new();
        for part in letter.answers.parts.values() {
            match &part.given {
                Given::Results { first, results } if usize::try_from(*first).ok() == Some(found.len() + 1) => {
                    found.extend(results);
                }
                _ => return self.misread(|| format!("letter {}: results are not in their order", letter.letter_id)),
            }
        }
        let acts = letter.receipt().and_then(|receipt| receipt.read).map(|(acts, _)| acts);
        if found.len() != papers.len() || acts != Some(papers.len() as u64) {
            return self.misread(|| {
                format!("letter {}: {} results of {} papers", letter.letter_id, found.len(), papers.len())
            });
        }
        for (paper, (result, record)) in papers.iter().zip(found) {
            if !self.can_be(letter, table, paper, result, *record, gives_record) {
                let outcome = result.outcome;
                self.misread(|| {
                    format!(
                        "letter {}: act {} of agency {:06} is told as {outcome:?}",
                        letter.letter_id, paper.number, paper.of
                    )
                });
            }
        }
    }

    fn can_be(
        &self,
        letter: &LetterMemory,
        table: &'static str,
        paper: &Paper,
        result: &KeyResult,
        record: Option<Digest>,
        gives_record: bool,
    ) -> bool {
        let act = self.chronicle.act(table, paper.of, paper.number);
        let sight = act.and_then(|(origin, act)| Some((self.chronicle.sight(origin, letter)?, act)));
        let Some((sight, act)) = sight.filter(|(sight, _)| !sight.possible.is_empty()) else {
            return result.outcome == Found::NotFound && record.is_none();
        };
        let is_told = record.is_some() == gives_record;
        let says = |content: Option<Digest>| {
            sight
                .possible
                .iter()
                .any(|version| version.is_live && content.is_none_or(|content| version.content == content))
        };
        let differs = paper.name.as_ref().is_some_and(|name| *name != act.name);
        match result.outcome {
            Found::NotFound => !sight.is_certain && record.is_none(),
            Found::Cancelled => sight.possible.iter().any(|version| !version.is_live) && record.is_none(),
            Found::Match => !differs && is_told && says(record) && result.columns.is_empty(),
            Found::Differs => {
                let is_named = result.columns.iter().map(String::as_str).eq(name_column(table));
                differs && is_told && says(record) && is_named
            }
        }
    }
}
