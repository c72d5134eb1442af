//! Checks what the centre holds about agencies themselves: their own data, keys and messages, and the notices to them.

use std::collections::{BTreeMap, HashMap, HashSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sdc::digest::Digest;
use sdc::keys::RegisteredCertificate;

use super::Inquiry;
use super::held::{HeldMessage, HeldNotice};
use crate::memory::{Effect, Given, LetterMemory, Memory, NoticeMemory, Told};

impl Inquiry<'_> {
    /// Checks each agency's own data: it must have every change that an operator approved, and no other.
    pub(super) fn profiles(&mut self, memory: &Memory) {
        let mut expected = memory.profiles.clone();
        for letter in memory.letters.iter().filter(|letter| letter.copies > 0) {
            let Some((Effect::Profile { asked: Some(asked), .. }, _)) = letter.expected.effect() else { continue };
            let profile = letter.signer.and_then(|agency| expected.get_mut(&agency));
            if let Some(profile) = profile.filter(|_| asked.is_made) {
                profile.make(&asked.change);
            }
        }
        for held in std::mem::take(&mut self.held.profiles) {
            let found = [&held.name, &held.town, &held.telephone, &held.email];
            let is_right = expected
                .get(&held.agency)
                .is_some_and(|profile| found == [&profile.name, &profile.town, &profile.telephone, &profile.email]);
            if !is_right && expected.contains_key(&held.agency) {
                self.wrong(format!("agency {:06} is held to be {found:?}", held.agency));
            }
        }
    }

    /// Checks the answer to a letter about the agency's own data: it must give the data as it was at that time.
    pub(super) fn profile(&mut self, letter: &LetterMemory) {
        let Some((Effect::Profile { told, .. }, _)) = letter.expected.effect() else { return };
        let found = letter.answers.parts.get(&1).map(|part| &part.given);
        if !matches!(found, Some(Given::Profile(profile)) if profile == told) {
            self.misread(|| format!("letter {}: the agency's own data is told otherwise", letter.letter_id));
        }
    }

    /// Checks that each message exists once with its text, that each question is answered once, and that there is no other message.
    pub(super) fn messages(&mut self, memory: &Memory) {
        let mut held: HashMap<(i32, uuid::Uuid), HeldMessage> = HashMap::new();
        let mut replies: HashMap<(i32, uuid::Uuid, String), usize> = HashMap::new();
        for message in std::mem::take(&mut self.held.messages) {
            if message.installation.is_some() {
                held.insert((message.agency, message.id), message);
            } else {
                *replies.entry((message.agency, message.thread, message.text)).or_default() += 1;
            }
        }
        for (at, letter) in memory.letters.iter().enumerate() {
            let (Some(agency), Some((Effect::Message { thread, text, reply }, _))) =
                (letter.signer, letter.expected.effect())
            else {
                continue;
            };
            let thread = thread.unwrap_or(letter.letter_id);
            match held.remove(&(agency, letter.letter_id)) {
                None if letter.copies > 0 => self.lose(at, letter, "its message is not there"),
                Some(found) if found.text != *text || found.thread != thread => {
                    self.wrong(format!("message {}: another text or thread", letter.letter_id));
                }
                _ => {}
            }
            if let Some(reply) = reply {
                let replied = replies.remove(&(agency, thread, reply.clone())).unwrap_or_default();
                if replied == 0 {
                    self.lose(at, letter, "its question is not answered");
                } else if replied > 1 {
                    self.double(replied - 1, || format!("the answer to question {}", letter.letter_id));
                }
            }
        }
        let is_broadcast = |text: &String| memory.broadcasts.iter().any(|broadcast| broadcast.text == *text);
        for (agency, id) in held.into_keys() {
            self.wrong(format!("agency {agency:06}: message {id}, which it did not write"));
        }
        for ((agency, _, text), _) in replies.into_iter().filter(|((_, _, text), _)| !is_broadcast(text)) {
            self.wrong(format!("agency {agency:06} is written to, and nobody did: {text}"));
        }
    }

    /// Checks the notices. Those that an agency waits for must have been verified, each as the centre wrote it. The numbers of the notices
    /// to one installation must have no gap. The centre must know which notices each installation confirmed.
    pub(super) fn notices(&mut self, memory: &Memory) {
        let place = |notice: &NoticeMemory| (notice.agency, notice.installation.clone(), notice.number);
        let mut verified: HashMap<(i32, String, u64), &NoticeMemory> =
            memory.notices.iter().map(|notice| (place(notice), notice)).collect();
        let mut numbers: BTreeMap<(i32, String), Vec<u64>> = BTreeMap::new();
        for HeldNotice { agency, installation, number, id, kind } in std::mem::take(&mut self.held.notices) {
            let number = number.unsigned_abs();
            numbers.entry((agency, installation.clone())).or_default().push(number);
            let awaited = ["message", "profile"].contains(&kind.as_str());
            match verified.remove(&(agency, installation, number)) {
                // Only notices that an agency waits for must have been verified. The centre also sends notices at regular times, and one of
                // these may still be on its way.
                None if awaited => self.wrong(format!("notice {number} of agency {agency:06} was never verified")),
                Some(notice) if notice.id != id => {
                    self.wrong(format!("notice {number} of agency {agency:06} is another"));
                }
                _ => {}
            }
        }
        for (agency, _, number) in verified.into_keys() {
            self.wrong(format!("notice {number} to agency {agency:06}, which the centre has not written"));
        }
        for ((agency, installation), mut numbers) in numbers {
            numbers.sort_unstable();
            if !numbers.iter().copied().eq(1..=numbers.len() as u64) {
                self.wrong(format!(
                    "notices to {installation} of agency {agency:06} are not numbered in a row: {numbers:?}"
                ));
            }
        }
        self.awaited(memory);
        self.seen(memory);
    }

    /// Checks that there is exactly one notice for each answered question, for each decided change, and for each broadcast to each
    /// installation.
    fn awaited(&mut self, memory: &Memory) {
        let mut by_agency: HashMap<i32, Vec<&NoticeMemory>> = HashMap::new();
        for notice in &memory.notices {
            by_agency.entry(notice.agency).or_default().push(notice);
        }
        let of = |agency: i32| by_agency.get(&agency).map_or(&[][..], Vec::as_slice).iter();
        let count =
            |agency: i32, is_it: &dyn Fn(&Told) -> bool| of(agency).filter(|notice| is_it(&notice.told)).count();
        for (at, letter) in memory.letters.iter().enumerate().filter(|(_, letter)| letter.copies > 0) {
            let Some((effect, _)) = letter.expected.effect() else { continue };
            let agency = letter.signer.unwrap_or_default();
            let (found, what) = match effect {
                Effect::Message { thread, reply: Some(reply), .. } => {
                    let of = thread.unwrap_or(letter.letter_id);
                    let is_it = |told: &Told| matches!(told, Told::Message { thread, text, .. } if *thread == of && text == reply);
                    (count(agency, &is_it), "the answer to its question")
                }
                Effect::Profile { asked: Some(asked), .. } => {
                    let told_of = (letter.letter_id, asked.is_made);
                    let is_it = |told: &Told| matches!(told, Told::Profile { letter, is_made, .. } if (*letter, *is_made) == told_of);
                    (count(agency, &is_it), "what became of its change")
                }
                _ => continue,
            };
            match found {
                0 => self.lose(at, letter, &format!("the office was not told {what}")),
                1 => {}
                found => self.double(found - 1, || format!("a notice of {what}, to agency {agency:06}")),
            }
        }
        for broadcast in &memory.broadcasts {
            for (agency, installation) in &broadcast.to {
                let is_it = |notice: &&&NoticeMemory| {
                    notice.installation == *installation
                        && matches!(&notice.told, Told::Message { text, .. } if *text == broadcast.text)
                };
                let found = of(*agency).filter(is_it).count();
                if found != 1 {
                    self.wrong(format!("agency {agency:06} has {found} times what was written to all"));
                }
            }
        }
    }

    /// Checks the notices that the centre regards as seen by an installation: all that verified letters have confirmed, and none that has
    /// not come.
    fn seen(&mut self, memory: &Memory) {
        let mut said: HashMap<(i32, &str), u64> = HashMap::new();
        for letter in memory.letters.iter().filter(|letter| letter.answers.verified.is_some()) {
            if let (Some(agency), Some(seen)) = (letter.signer, letter.seen) {
                let known = said.entry((agency, letter.installation.as_str())).or_default();
                *known = seen.max(*known);
            }
        }
        let mut come: HashMap<(i32, &str), u64> = HashMap::new();
        for notice in &memory.notices {
            *come.entry((notice.agency, notice.installation.as_str())).or_default() += 1;
        }
        for held in std::mem::take(&mut self.held.installations) {
            let place = (held.agency, held.name.as_str());
            let (least, most) = (said.get(&place).copied().unwrap_or(0), come.get(&place).copied().unwrap_or(0));
            let seen = held.seen.unsigned_abs();
            if !(least..=most.max(least)).contains(&seen) {
                let agency = held.agency;
                self.wrong(format!(
                    "agency {agency:06} is held to have seen {seen} notices, and said {least} of {most}"
                ));
            }
        }
    }

    /// Checks the registered keys: each key that was registered at the start, renewed or enrolled belongs to the agency that brought it,
    /// and there is no other key.
    pub(super) fn certificates(&mut self, memory: &Memory) {
        let mut held: HashMap<(i32, Vec<u8>), usize> = HashMap::new();
        for certificate in &self.held.certificates {
            *held.entry((certificate.agency, certificate.key.clone())).or_default() += 1;
        }
        let mut expected: HashSet<(i32, Vec<u8>)> =
            memory.keys.iter().map(|(agency, key)| (*agency, key.as_bytes().to_vec())).collect();
        for (at, letter) in memory.letters.iter().enumerate() {
            let (Some(agency), Some((Effect::Certificate { key }, _))) = (letter.signer, letter.expected.effect())
            else {
                continue;
            };
            let key = (agency, key.as_bytes().to_vec());
            if letter.copies > 0 && !held.contains_key(&key) {
                self.lose(at, letter, "its key is not registered");
            }
            expected.insert(key);
        }
        for ((agency, key), certificates) in held {
            if !expected.contains(&(agency, key)) {
                self.wrong(format!("agency {agency:06} has a key that nobody brought"));
            } else if certificates > 1 {
                self.double(certificates - 1, || format!("the certificate of a key of agency {agency:06}"));
            }
        }
    }

    /// Checks the certificate in an answer: it must be the registered one, and have the key that the letter brought.
    pub(super) fn certificate(&mut self, letter: &LetterMemory, key: Digest) {
        let given = letter.answers.parts.get(&1).and_then(|part| match &part.given {
            Given::Certificate(certificate) => BASE64.decode(certificate).ok(),
            _ => None,
        });
        let is_of_key = given.as_ref().is_some_and(|der| {
            RegisteredCertificate::from_der(der).is_ok_and(|certificate| certificate.spki_sha256() == key)
        });
        let is_registered = self
            .held
            .certificates
            .iter()
            .any(|held| Some(held.agency) == letter.signer && Some(&held.der) == given.as_ref());
        if !is_of_key || !is_registered {
            self.misread(|| {
                format!("letter {}: the certificate that it was given is not in the register", letter.letter_id)
            });
        }
    }
}
