//! Records the letters that agencies send and the answers that they get, while the demo runs. The oracle later judges by this record.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use agency::office::{AnswerError, Answered, Given, Noticed, Received};
use anyhow::Context;
use chrono::{DateTime, Utc};
use sdc::digest::Digest;
use uuid::Uuid;

use crate::desk::Subject;
use crate::lock::lock;
use crate::memory::{self, Broadcast, Effect, Expected, LetterMemory, Memory, NoticeMemory, ReceiptMemory, Told};
use crate::town::Resident;

/// The events of a demo that has ended.
pub struct Traffic {
    /// Every letter that was sent, and every answer.
    pub memory: Memory,
    /// The time just before the first letter was sent.
    pub began_at: DateTime<Utc>,
    /// The time from `began_at` to the last receipt of the burst, that is, of all letters but the one that is sent alone at the end.
    pub lasted: Duration,
    /// The times at which the centre was killed.
    pub killed_at: Vec<DateTime<Utc>>,
    /// Number of these kills that the user asked for at the keyboard.
    pub kills_by_hand: u64,
}

/// The memory of the run, with an index of the letters whose answers are still missing.
#[derive(Default)]
pub struct Record {
    /// Every letter that was sent, and every answer.
    pub memory: Memory,
    by_digest: HashMap<Digest, usize>,
    by_id: HashMap<Uuid, usize>,
    /// Letters whose answer is not complete yet, by their index in memory.
    open: HashSet<usize>,
    /// The open letters that ask for parts of another letter's answer once more, by their index in memory.
    again: HashSet<usize>,
    notice_at: HashMap<(i32, String, u64), usize>,
    /// Number of notices that agencies wait for; the next field counts those of them that have come.
    awaited: u64,
    noticed: u64,
    /// Number of letters whose receipt was verified.
    pub verified: u64,
    ticks: u64,
}

impl Resident {
    /// Opens a letter of the centre with this agency's office program or, if that fails, with the program of the newcomer (an agency that
    /// enrols itself) that this agency looks after. Once a letter of the agency is answered, the agency may contradict that letter.
    ///
    /// # Errors
    /// Neither of the two programs accepts the letter.
    pub fn receive(&self, document: &[u8]) -> Result<Received, AnswerError> {
        let desk = &mut *lock(&self.desk);
        let received = match (desk.office.receive(document), &mut desk.errands.newcomer) {
            (Err(error), Some(newcomer)) => newcomer.office.receive(document).map_err(|_of_the_newcomer| error)?,
            (received, _) => received?,
        };
        if let Received::Answered(answered) = &received
            && let Some(former) = desk.formers.iter_mut().find(|former| former.packed.digest == answered.letter)
        {
            former.is_answered = true;
        }
        desk.hear(&received);
        Ok(received)
    }
}

impl Record {
    /// Begins the record of a town; it has each agency's credit, data and keys at the start.
    pub fn of(town: &crate::town::Town) -> Record {
        let mut record = Record::default();
        record.memory.recharged.clone_from(&town.recharged);
        record.memory.profiles.clone_from(&town.profiles);
        record.memory.keys.clone_from(&town.keys);
        record
    }

    /// Counts the letters and the notices that agencies still wait for.
    pub fn unanswered(&self) -> u64 {
        self.open.len() as u64 + self.awaited.saturating_sub(self.noticed)
    }

    /// Records that a letter is about to be sent, and returns its index in memory. The caller must then add each copy that the relay
    /// accepts to the letter at this index.
    ///
    /// # Errors
    /// The letter is to be sent again, but was never sent before.
    pub fn begin(&mut self, subject: Subject) -> anyhow::Result<usize> {
        self.ticks += 1;
        match subject {
            Subject::Again { letter, container } => {
                let known = self.by_digest.get(&letter).copied();
                let at = known.context("a letter is sent again that was never sent")?;
                self.memory.letters[at].containers.extend(container);
                Ok(at)
            }
            Subject::New(mut letter) => {
                let at = self.memory.letters.len();
                letter.sent_at = Some(Utc::now());
                letter.sent = self.ticks;
                if let Some(digest) = letter.digest {
                    self.by_digest.insert(digest, at);
                    // A forged or wrong letter may have the id of an earlier letter. The id must keep leading to the earlier one.
                    self.by_id.entry(letter.letter_id).or_insert(at);
                }
                if letter.is_answered() {
                    self.open.insert(at);
                }
                match letter.expected.effect() {
                    Some((Effect::Again { .. }, _)) => drop(self.again.insert(at)),
                    Some((Effect::Message { reply: Some(_), .. } | Effect::Profile { asked: Some(_), .. }, _)) => {
                        self.awaited += 1;
                    }
                    _ => {}
                }
                self.memory.letters.push(*letter);
                Ok(at)
            }
        }
    }

    /// Records that operators send a text to every installation that has been answered. Each must get it.
    pub fn broadcast(&mut self, text: &str) {
        let is_suspended = |letter: &LetterMemory| {
            matches!(letter.expected, Expected::Refused(sdc::refusal::RefusalCode::AgencySuspended))
        };
        let told =
            self.memory.letters.iter().filter(|letter| !letter.answers.receipts.is_empty() && !is_suspended(letter));
        let to: HashSet<(i32, String)> =
            told.filter_map(|letter| Some((letter.signer?, letter.installation.clone()))).collect();
        self.awaited += to.len() as u64;
        self.memory.broadcasts.push(Broadcast { text: text.to_owned(), to: to.into_iter().collect() });
    }

    /// Records an answer or a notice that an office has verified.
    pub fn note(&mut self, received: &Received) {
        self.ticks += 1;
        match received {
            Received::Answered(answered) => self.note_answer(answered),
            Received::Given(given) => self.note_part(given),
            Received::Noticed(noticed) => self.note_notice(noticed),
        }
    }

    /// Records a receipt that its office has verified. If a receipt of the same letter and attempt came before, both must have the same
    /// content.
    fn note_answer(&mut self, answered: &Answered) {
        let Some(&at) = self.by_digest.get(&answered.letter) else {
            return self.memory.disbelieve("an answer to a letter that was never sent".to_owned());
        };
        let ticks = self.ticks;
        let letter = &mut self.memory.letters[at];
        let receipt = &answered.answer.receipt;
        let (said, attempt, letter_id) = (ReceiptMemory::of(receipt), receipt.attempt, letter.letter_id);
        let body = answered.answer.body.as_ref();
        let is_known = letter.answers.receipts.get(&attempt);
        let is_repeated = match body {
            Some(body) => letter.answers.parts.contains_key(&body.part),
            None => is_known.is_some(),
        };
        let contradicted = is_known.filter(|first| **first != said).cloned();
        letter.answers.receipts.entry(attempt).or_insert_with(|| said.clone());
        letter.answers.repeated += u64::from(is_repeated);
        if letter.answers.verified.is_none() && letter.answers.decided().is_some() {
            letter.answers.verified = Some(ticks);
            self.verified += 1;
        }
        let mut is_same = true;
        if let Some(body) = body {
            letter.answers.parts_total = Some(body.parts);
            let digest = Digest::of(&serde_json::to_vec(&body.content).unwrap_or_default());
            is_same = letter.answers.add(body.part, digest, || memory::Given::of_body(body));
        }
        if let Some(first) = contradicted {
            self.memory.disbelieve(format!("letter {letter_id}: answered with {first:?}, then with {said:?}"));
        }
        if !is_same {
            self.memory.contradict(format!("letter {letter_id}: a part of its answer came with other content"));
        }
        self.close(at);
    }

    fn note_part(&mut self, given: &Given) {
        let Some(&at) = self.by_digest.get(&given.letter) else {
            return self.memory.disbelieve("a part of what was read for a letter that was never sent".to_owned());
        };
        let letter = &mut self.memory.letters[at];
        let (number, letter_id) = (given.part.head.part, letter.letter_id);
        let body = serde_json::to_string(&given.part.content).unwrap_or_default();
        let digest = Digest::of(format!("{:?} {body}", given.part.head).as_bytes());
        if !letter.answers.add(number, digest, || memory::Given::of_part(&given.part.content)) {
            self.memory.contradict(format!("letter {letter_id}: part {number} came with other content"));
        }
        self.close(at);
    }

    fn note_notice(&mut self, noticed: &Noticed) {
        let notice = &noticed.notice;
        let (agency, installation) = (notice.to.agency.as_i32(), notice.to.installation.clone());
        let digest = Digest::of(format!("{notice:?}").as_bytes());
        let place = (agency, installation.clone(), notice.number);
        if let Some(&at) = self.notice_at.get(&place) {
            let known = &mut self.memory.notices[at];
            known.times += 1;
            if known.digest != digest {
                self.memory.contradict(format!("notice {} to agency {agency:06}: another content", notice.number));
            }
            return;
        }
        let told = Told::of(&notice.content);
        self.noticed += u64::from(told.is_awaited());
        self.notice_at.insert(place, self.memory.notices.len());
        let (number, id) = (notice.number, notice.id);
        self.memory.notices.push(NoticeMemory { agency, installation, number, id, digest, times: 1, told });
    }

    /// Removes a letter from the open ones if its answer is complete. Does the same with each letter that asks for parts of that answer
    /// once more.
    fn close(&mut self, at: usize) {
        let asking = self.again.iter().copied().filter(|asking| self.is_about(*asking, at)).collect::<Vec<_>>();
        for at in asking.into_iter().chain([at]) {
            if self.is_whole(at) {
                self.open.remove(&at);
                self.again.remove(&at);
            }
        }
    }

    fn is_about(&self, asking: usize, at: usize) -> bool {
        let letter = &self.memory.letters[asking];
        matches!(letter.expected.effect(), Some((Effect::Again { letter, .. }, _)) if *letter == self.memory.letters[at].letter_id)
    }

    fn is_whole(&self, at: usize) -> bool {
        let letter = &self.memory.letters[at];
        let Some((Effect::Again { letter: of, parts, times }, _)) = letter.expected.effect() else {
            return letter.is_complete();
        };
        let answers = self.by_id.get(of).map(|&of| &self.memory.letters[of].answers);
        let has_come =
            |part: &u16| answers.and_then(|answers| answers.parts.get(part)).is_some_and(|part| part.times >= *times);
        letter.is_complete()
            && (letter.receipt().is_some_and(|receipt| receipt.refusal.is_some()) || parts.iter().all(has_come))
    }
}
