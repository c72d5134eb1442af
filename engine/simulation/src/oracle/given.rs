//! Checks the answers to letters that ask for records: each record given must have been sent, by the right agency, and have been at the
//! centre at that time. The simulation remembers the meaning of each selection, so no SELECT is parsed here.

use std::collections::HashSet;

use super::Inquiry;
use super::chronicle::Origin;
use crate::memory::rows::number_and_name;
use crate::memory::{ActMemory, Effect, Given, GivenRow, LetterMemory, Memory, Wanted};

impl Inquiry<'_> {
    /// Checks everything that accepted letters were given.
    pub(super) fn given(&mut self, memory: &Memory) {
        self.findings.reads_wrong += memory.contradictions_total;
        for what in memory.contradictions.iter().take(3) {
            self.findings.tell(|| what.clone());
        }
        for (at, letter) in memory.letters.iter().enumerate() {
            let Some((effect, _)) = letter.expected.effect() else {
                if !letter.answers.parts.is_empty() {
                    self.misread(|| format!("letter {}: is refused, and given something", letter.letter_id));
                }
                continue;
            };
            // A letter without its receipt is counted as lost elsewhere.
            let Some(receipt) = letter.receipt() else { continue };
            let parts = receipt.read.map_or(letter.answers.parts_total, |(_, parts)| Some(parts));
            if !matches!(effect, Effect::Again { .. }) && !letter.answers.has_parts(parts.unwrap_or_default()) {
                self.lose(at, letter, "a part of its answer is missing");
                continue;
            }
            match effect {
                Effect::Read(wanted) => self.read(memory, letter, wanted),
                Effect::Estimated(wanted) => self.estimated(letter, wanted),
                Effect::Certified { table, papers, gives_record } => {
                    self.certified(letter, table, papers, *gives_record);
                }
                Effect::Again { letter: of, parts, times } => self.again(memory, letter, (*of, parts, *times)),
                Effect::Statement => self.statement(at, memory, letter),
                Effect::Profile { .. } => self.profile(letter),
                Effect::Certificate { key } => self.certificate(letter, *key),
                Effect::Rows(_) | Effect::Correction(_) | Effect::Credit(_) | Effect::Message { .. } => {
                    if !letter.answers.parts.is_empty() {
                        self.misread(|| format!("letter {}: asked for nothing, and is given it", letter.letter_id));
                    }
                }
            }
        }
    }

    /// Checks an answer with records: it must give all records that the centre certainly held, none that the agency may not read, and each
    /// once with the content that was sent.
    fn read(&mut self, memory: &Memory, letter: &LetterMemory, wanted: &Wanted) {
        let rows = rows_of(letter, wanted.table);
        let Some(rows) = rows else {
            return self.misread(|| format!("letter {}: is given records of another table", letter.letter_id));
        };
        let receipt_says = letter.receipt().and_then(|receipt| receipt.read).map(|(acts, _)| acts);
        if receipt_says != Some(rows.len() as u64) {
            self.misread(|| format!("letter {}: its receipt tells of another number of records", letter.letter_id));
        }
        let fault =
            if wanted.is_brief { self.brief(letter, wanted, &rows) } else { self.whole(memory, letter, wanted, &rows) };
        if let Some(fault) = fault {
            self.misread(|| format!("what letter {} read: {fault}", letter.letter_id));
        }
    }

    fn whole(&self, memory: &Memory, letter: &LetterMemory, wanted: &Wanted, rows: &[&GivenRow]) -> Option<String> {
        let mut seen: HashSet<(i32, &str, i64)> = HashSet::new();
        for row in rows {
            let Some((agency, installation, numero)) = &row.origin else {
                return Some("a record without origin".to_owned());
            };
            let place = (*agency, installation.as_str(), *numero);
            let name = || format!("record {numero} by agency {agency:06}");
            if !seen.insert(place) {
                return Some(format!("{} twice", name()));
            }
            let origin = (wanted.table, *agency, installation.as_str(), *numero);
            let act = row.number.and_then(|number| self.chronicle.act(wanted.table, *agency, number));
            let act = act.filter(|(found, _)| **found == origin).map(|(_, act)| act);
            if *agency != wanted.of || !act.is_some_and(|act| is_wanted(wanted, act)) {
                return Some(format!("{}, which was not asked for or may not be read", name()));
            }
            let sight = self.chronicle.sight(&origin, letter);
            if !sight.is_some_and(|sight| sight.may_say(row.content, wanted.since.is_some())) {
                return Some(format!("{}, which cannot have said so then", name()));
            }
        }
        // An answer that gives only changes may leave out a record that a former answer already gave, unless the record has changed since.
        let before = wanted.since.and_then(|since| self.letter_of(memory, letter, since));
        let missing = self.certain(letter, wanted).into_iter().find(|(origin, _)| {
            let is_known = before.is_some_and(|before| self.is_held_from(before, letter, origin));
            !seen.contains(&(origin.1, origin.2, origin.3)) && !is_known
        });
        missing.map(|(origin, _)| format!("record {} by agency {:06} is missing", origin.3, origin.1))
    }

    /// Says whether an office already has the record from a former answer: every version that the new answer may give was already possible
    /// in the former one.
    fn is_held_from(&self, before: &LetterMemory, letter: &LetterMemory, origin: &Origin<'_>) -> bool {
        let (Some(then), Some(now)) = (self.chronicle.sight(origin, before), self.chronicle.sight(origin, letter))
        else {
            return false;
        };
        now.possible.iter().all(|version| then.possible.iter().any(|known| known.letter == version.letter))
    }

    fn letter_of<'m>(&self, memory: &'m Memory, letter: &LetterMemory, id: uuid::Uuid) -> Option<&'m LetterMemory> {
        self.by_id.get(&(letter.signer?, id)).and_then(|&at| memory.letters.get(at))
    }

    /// Returns the records that the answer to a letter must give.
    fn certain(&self, letter: &LetterMemory, wanted: &Wanted) -> Vec<(Origin<'_>, &ActMemory)> {
        let acts = self.chronicle.acts(wanted.table, wanted.of).filter(|(_, act)| is_wanted(wanted, act));
        let is_certain =
            |origin: &Origin<'_>| self.chronicle.sight(origin, letter).is_some_and(|sight| sight.must_be_seen());
        acts.filter(|(origin, _)| is_certain(origin)).map(|(origin, act)| (*origin, act)).collect()
    }

    /// Returns the largest number of records that the answer to a letter may give.
    fn possible(&self, letter: &LetterMemory, wanted: &Wanted) -> usize {
        let acts = self.chronicle.acts(wanted.table, wanted.of).filter(|(_, act)| is_wanted(wanted, act));
        let may_be = |origin: &Origin<'_>| {
            self.chronicle
                .sight(origin, letter)
                .is_some_and(|sight| sight.possible.iter().any(|version| version.is_live))
        };
        acts.filter(|(origin, _)| may_be(origin)).count()
    }

    /// Checks an answer that gives only numbers and names: it must have the acts with the highest numbers, in descending order. Returns a
    /// description of the first fault.
    fn brief(&self, letter: &LetterMemory, wanted: &Wanted, rows: &[&GivenRow]) -> Option<String> {
        let mut least = i64::MAX;
        for row in rows {
            let Some(number) = row.number else { return Some("a record without its number".to_owned()) };
            if number >= least {
                return Some(format!("act {number} is not in its order"));
            }
            least = number;
            let Some((origin, act)) = self.chronicle.act(wanted.table, wanted.of, number) else {
                return Some(format!("act {number}, which nobody sent"));
            };
            let may_be = self
                .chronicle
                .sight(origin, letter)
                .is_some_and(|sight| sight.possible.iter().any(|version| version.is_live));
            if !is_wanted(wanted, act) || !may_be || row.content != number_and_name(wanted.table, act) {
                return Some(format!("act {number}, which was not asked for or does not say so"));
            }
        }
        let limit = wanted.limit.unwrap_or(usize::MAX);
        if rows.len() > limit {
            return Some("more records than were asked for".to_owned());
        }
        // An answer that reaches the limit may leave out only acts with lower numbers than those it gives.
        let from = if rows.len() == limit { least } else { i64::MIN };
        let missing = self
            .certain(letter, wanted)
            .into_iter()
            .filter(|(_, act)| act.number > from)
            .find(|(_, act)| !rows.iter().any(|row| row.number == Some(act.number)));
        missing.map(|(_, act)| format!("act {} is missing", act.number))
    }

    fn estimated(&mut self, letter: &LetterMemory, wanted: &Wanted) {
        let estimate = letter.answers.parts.get(&1).and_then(|part| match &part.given {
            Given::Estimate(estimate) => Some(estimate),
            _ => None,
        });
        let (least, most) = (self.certain(letter, wanted).len() as u64, self.possible(letter, wanted) as u64);
        let is_right = estimate.is_some_and(|estimate| {
            let price = i64::try_from(estimate.rows).unwrap_or(i64::MAX).saturating_mul(wanted.per_act);
            (least..=most).contains(&estimate.rows) && estimate.price == price
        });
        if !is_right {
            self.misread(|| {
                format!("the estimate of letter {}: {estimate:?}, expected {least} to {most} records", letter.letter_id)
            });
        }
    }

    fn again(&mut self, memory: &Memory, letter: &LetterMemory, (of, parts, times): (uuid::Uuid, &[u16], u64)) {
        let answered = self.letter_of(memory, letter, of);
        let has_come = |part: &u16| {
            answered.and_then(|answered| answered.answers.parts.get(part)).is_some_and(|part| part.times >= times)
        };
        let told = letter.receipt().and_then(|receipt| receipt.read).map(|(_, parts)| usize::from(parts));
        if !parts.iter().all(has_come) || told != Some(parts.len()) {
            self.misread(|| format!("letter {}: a part that it asked for has not come again", letter.letter_id));
        }
    }
}

/// Returns the records of all parts of an answer; none where a part has records of another table.
fn rows_of<'a>(letter: &'a LetterMemory, wanted: &str) -> Option<Vec<&'a GivenRow>> {
    let mut all = Vec::new();
    for part in letter.answers.parts.values() {
        match &part.given {
            Given::Rows { table, rows, .. } if *table == Some(wanted) => all.extend(rows),
            _ => return None,
        }
    }
    Some(all)
}

fn is_wanted(wanted: &Wanted, act: &ActMemory) -> bool {
    wanted.numbers.is_none_or(|(from, to)| (from..=to).contains(&act.number))
        && wanted.name_prefix.as_ref().is_none_or(|prefix| act.name.starts_with(prefix.as_str()))
}
