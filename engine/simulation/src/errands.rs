//! An errand is a letter of an office that uses another service than sending records. This module chooses and writes the errands of each
//! office.
//!
//! The next errand and its kind depend only on what the office has written before, never on how fast the centre is. An errand that needs
//! the answer to a former letter waits for that answer.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use agency::identity::{Algorithm, Identity};
use agency::office::{Given, PackError, Received};
use agency::packed::Packed;
use mail::smtp::Outgoing;
use sdc::answer::notice::NoticeContent;
use sdc::answer::part::PartContent;
use sdc::answer::profile::Profile;
use sdc::answer::receipt::Verdict;
use sdc::letter::{Letter, Matricule};
use sdc::request::{EnrolmentCode, Request, VoucherCode};
use sdc::service::Service;
use uuid::Uuid;

use crate::dice::Dice;
use crate::memory::Expected;
use crate::office::Office;
use crate::records::Register;
use crate::rules;

mod correcting;
mod keys;
mod money;
mod reading;
mod shelf;
mod writing;

use correcting::KeptBack;
pub use shelf::Shelf;

/// The services of errands, in the order in which an office uses them.
const ROUND: [Service; 9] = [
    Service::Certify,
    Service::Message,
    Service::Import,
    Service::Recharge,
    Service::Correct,
    Service::Profile,
    Service::Enrol,
    Service::Account,
    Service::Renew,
];
/// One letter in this many is an errand.
const ERRAND_EVERY: usize = 4;

/// A letter that was accepted, or that will be once the centre has settled it.
pub struct Former {
    /// The letter itself.
    pub letter: Letter,
    /// Sealed form of the letter, to be sent again as a duplicate.
    pub packed: Packed,
    /// Whether the office has the receipt of the letter.
    pub is_answered: bool,
}

/// The state of an agency in the simulation: its office program, its registers and its latest letters.
pub struct Desk {
    /// The office program, which seals letters and verifies answers.
    pub office: Office,
    /// The registers of acts and results from which the agency writes records.
    pub register: Register,
    /// The latest letters of the agency that were or will be accepted, the oldest first.
    pub formers: VecDeque<Former>,
    /// The letters of the agency that use other services than sending records.
    pub errands: Errands,
}

/// The errands of an office: those run so far, those due, and those whose answer has not come.
pub struct Errands {
    /// Index of the agency in its town. Agencies start their rounds of errands at different places.
    at: usize,
    /// The algorithm of the agency's key.
    algorithm: Algorithm,
    /// Whether the agency's certificate ends soon and its renewal has not been requested yet.
    is_ending: bool,
    /// Whether the agency's plan lets it read other agencies' registers.
    pub is_prefecture: bool,
    /// Number of letters written so far, of any kind.
    written: usize,
    /// Errands that are due but not yet written.
    due: VecDeque<Service>,
    /// Number of errands written so far, by service.
    run: BTreeMap<Service, usize>,
    /// The answer that the last errand of each service waits for.
    last: BTreeMap<Service, Wait>,
    /// The acts that the office has written lately.
    pub shelf: Shelf,
    vouchers: VecDeque<VoucherCode>,
    spent: Option<VoucherCode>,
    /// Ids of the letters with voucher codes that are not answered yet.
    tries: HashSet<Uuid>,
    profile: Profile,
    thread: Option<Uuid>,
    kept_back: Option<KeptBack>,
    /// Id of the last letter that imported all records of a table.
    table_read: Option<Uuid>,
    positions: HashMap<Uuid, String>,
    /// Id of the last letter that asked for records, and how often the office has asked again for the first part of its answer.
    last_read: Option<(Uuid, u64)>,
    /// The key with which the office will sign, once the centre has registered the key.
    next: Option<Identity>,
    /// The newcomer (an agency that enrols itself) that this agency looks after, if there is one.
    pub newcomer: Option<Newcomer>,
}

/// A newcomer: an agency whose certificate the centre does not know yet, and which enrols itself with a one-time code.
pub struct Newcomer {
    /// The newcomer's office program, which signs with the key to be registered.
    pub office: Office,
    register: Register,
    code: EnrolmentCode,
    /// Whether the newcomer has already tried to enrol with a wrong code.
    has_erred: bool,
    /// Whether the newcomer has already sent the right code.
    has_come: bool,
}

/// A letter whose answer must come before the office writes the next errand of the same service.
struct Wait {
    letter: Uuid,
    on: On,
    is_over: bool,
}

/// The answer that ends the wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    /// The receipt with the final decision on the letter.
    Receipt,
    /// The last part of the records that the centre gives for the letter.
    LastPart,
    /// A notice about the letter or the thread with this id.
    Notice(Uuid),
}

/// A letter of an errand, sealed and ready to be sent.
pub struct Errand {
    /// The letter; none where the centre cannot know its signer.
    pub letter: Option<Letter>,
    /// The sealed letter.
    pub packed: Packed,
    /// The mail that carries the letter.
    pub mail: Outgoing,
    /// The service that the letter uses.
    pub service: Service,
    /// The outcome that the centre must give the letter.
    pub expected: Expected,
    /// Whether a newcomer wrote the letter, and not the agency that looks after the newcomer.
    pub is_of_newcomer: bool,
}

impl Newcomer {
    /// Makes a newcomer, which the centre knows only by a one-time code.
    pub fn new(office: Office, register: Register, code: EnrolmentCode) -> Newcomer {
        Newcomer { office, register, code, has_erred: false, has_come: false }
    }
}

impl Errands {
    /// Makes the state of an office that has written no errand yet.
    pub fn new(at: usize, algorithm: Algorithm, is_ending: bool, is_prefecture: bool, profile: Profile) -> Errands {
        Errands {
            at,
            algorithm,
            is_ending,
            is_prefecture,
            written: 0,
            due: VecDeque::new(),
            run: BTreeMap::new(),
            last: BTreeMap::new(),
            shelf: Shelf::default(),
            vouchers: VecDeque::new(),
            spent: None,
            tries: HashSet::new(),
            profile,
            thread: None,
            kept_back: None,
            table_read: None,
            positions: HashMap::new(),
            last_read: None,
            next: None,
            newcomer: None,
        }
    }

    /// Gives the office the codes of vouchers, which it redeems later.
    pub fn give_vouchers(&mut self, codes: &[VoucherCode]) {
        self.vouchers.extend(codes.iter().cloned());
    }

    /// Counts a letter of any kind that the office writes. Every fourth letter makes the next errand due.
    pub fn count(&mut self) {
        // A round has ten places at a distance of four letters: nine errands, and one place without an errand. So a round takes forty
        // letters.
        let place = self.written + self.at * 7;
        if place.is_multiple_of(ERRAND_EVERY) {
            self.due.extend(ROUND.get(place / ERRAND_EVERY % (ROUND.len() + 1)));
        }
        self.written += 1;
    }

    /// Returns the name of the agency's plan at the centre.
    fn plan(&self) -> &'static str {
        if self.is_prefecture { rules::PREFECTURE } else { "standard" }
    }

    fn times(&self, service: Service) -> usize {
        self.run.get(&service).copied().unwrap_or_default()
    }

    fn is_over(&self, service: Service) -> bool {
        self.last.get(&service).is_none_or(|wait| wait.is_over)
    }

    fn wait(&mut self, service: Service, letter: Uuid, on: On) {
        self.last.insert(service, Wait { letter, on, is_over: false });
    }

    fn end(&mut self, is_ended: impl Fn(&Wait) -> bool) {
        self.last.values_mut().filter(|wait| is_ended(wait)).for_each(|wait| wait.is_over = true);
    }
}

impl Desk {
    /// Returns the first errand that is due. A recharge is passed over while the office has no voucher to send.
    pub fn errand(&self) -> Option<Service> {
        self.errands.due.iter().copied().find(|service| *service != Service::Recharge || self.errands.can_recharge())
    }

    /// Says whether an errand must wait, because the letter on which it builds is not answered yet.
    pub fn must_wait_for(&self, errand: Service) -> bool {
        let errands = &self.errands;
        match errand {
            Service::Correct => errands.must_wait_to_correct(),
            Service::Import => errands.must_wait_to_read(),
            Service::Recharge => errands.must_wait_to_recharge(),
            Service::Profile | Service::Message | Service::Renew | Service::Enrol => !errands.is_over(errand),
            Service::Account => errands.is_newcomers_turn() && !errands.is_over(Service::Enrol),
            Service::Certify | Service::Export => false,
        }
    }

    /// Writes the errand of this service. Errands about another agency's records use `other`.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn run(&mut self, errand: Service, other: Matricule, dice: &mut Dice) -> Result<Errand, PackError> {
        let due = &mut self.errands.due;
        if let Some(at) = due.iter().position(|service| *service == errand) {
            due.remove(at);
        }
        let written = match errand {
            Service::Account => self.account(dice),
            Service::Recharge => self.recharge(dice),
            Service::Profile => self.profile(dice),
            Service::Message => self.message(dice),
            Service::Certify => self.certify(other, dice),
            Service::Import => self.import(other, dice),
            Service::Correct => self.correct(dice),
            Service::Renew => self.renew(),
            Service::Enrol | Service::Export => self.enrol(),
        }?;
        *self.errands.run.entry(errand).or_default() += 1;
        Ok(written)
    }

    /// Writes and seals a letter with this request.
    fn ask(&mut self, request: Request, expected: Expected) -> Result<Errand, PackError> {
        let errand = ask(&mut self.office, request, expected)?;
        Ok(errand)
    }

    /// Handles a verified answer or notice: ends the waits for it, and begins to use a key whose renewal was accepted.
    pub fn hear(&mut self, received: &Received) {
        match received {
            Received::Answered(answered) => {
                let receipt = &answered.answer.receipt;
                let Some(letter) = receipt.letter.filter(|_| receipt.verdict != Verdict::Held) else { return };
                let is_accepted = receipt.verdict == Verdict::Accepted;
                self.errands.end(|wait| {
                    wait.letter == letter && (wait.on == On::Receipt || (wait.on == On::LastPart && !is_accepted))
                });
                self.errands.shelf.answered(letter);
                self.errands.tries.remove(&letter);
                self.adopt(letter, is_accepted);
            }
            Received::Given(given) => self.errands.hear_part(given),
            Received::Noticed(noticed) => {
                let about = match &noticed.notice.content {
                    NoticeContent::Message { thread, .. } => *thread,
                    NoticeContent::Profile { letter, .. } => *letter,
                    _ => return,
                };
                self.errands.end(|wait| wait.on == On::Notice(about));
            }
        }
    }
}

impl Errands {
    fn hear_part(&mut self, given: &Given) {
        let head = &given.part.head;
        if !head.last {
            return;
        }
        if let PartContent::Rows(rows) = &given.part.content
            && let Some(position) = &rows.position
        {
            self.positions.insert(head.answers.letter, position.clone());
        }
        self.end(|wait| wait.letter == head.answers.letter && wait.on == On::LastPart);
    }
}

/// Writes and seals a letter of the office with this request, and stores it in the office's register.
fn ask(office: &mut Office, request: Request, expected: Expected) -> Result<Errand, PackError> {
    let letter = office.compose_request(request)?;
    sealed(office, letter, expected)
}

/// Seals a letter of the office, and stores it in the office's register, which later recognises its answers.
fn sealed(office: &mut Office, letter: Letter, expected: Expected) -> Result<Errand, PackError> {
    let packed = office.seal(&letter)?;
    office.remember(&packed)?;
    let (mail, service) = (office.mail(&packed), letter.request.service());
    Ok(Errand { letter: Some(letter), packed, mail, service, expected, is_of_newcomer: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errands(at: usize) -> Errands {
        Errands::new(at, Algorithm::P256, false, false, Profile::new("Mairie", "", "", ""))
    }

    /// Forty letters of an agency are a round, whatever place the agency has in its town. Neighbours begin at different errands. So each
    /// errand occurs even if many agencies send only a few letters each.
    #[test]
    fn a_round_of_forty_letters_has_each_errand_once_and_neighbours_begin_at_different_ones() {
        let mut first_five: BTreeMap<Service, usize> = BTreeMap::new();
        for at in 0..200 {
            let mut errands = errands(at);
            for written in 0..40 {
                if written == 5 {
                    errands.due.iter().for_each(|service| *first_five.entry(*service).or_default() += 1);
                }
                errands.count();
            }
            let mut due: Vec<Service> = errands.due.iter().copied().collect();
            due.sort_unstable();
            let mut round = ROUND.to_vec();
            round.sort_unstable();
            assert_eq!(due, round, "at {at}");
        }
        assert!(first_five.len() == ROUND.len() && first_five.values().all(|times| *times >= 20), "{first_five:?}");
    }

    #[test]
    fn what_is_answered_ends_the_wait_for_it_and_for_nothing_else() {
        let mut errands = errands(0);
        let [one, other] = [Uuid::now_v7(), Uuid::now_v7()];
        errands.wait(Service::Message, one, On::Notice(one));
        errands.wait(Service::Import, other, On::LastPart);
        errands.end(|wait| wait.letter == one && wait.on == On::Receipt);
        assert!(!errands.is_over(Service::Message) && !errands.is_over(Service::Import));
        errands.end(|wait| wait.on == On::Notice(one));
        assert!(errands.is_over(Service::Message) && !errands.is_over(Service::Import));
        assert!(errands.is_over(Service::Correct), "what was never asked is not waited for");
    }
}
