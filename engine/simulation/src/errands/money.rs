//! Errands about money: the office asks for a statement of its account, or redeems a voucher.

use agency::office::PackError;
use sdc::refusal::RefusalCode;
use sdc::request::{Period, Recharge, Request, VOUCHER_DIGITS, VoucherCode};
use sdc::service::Service;

use super::{Desk, Errand, Errands, On, ask};
use crate::dice::Dice;
use crate::memory::{self, Effect, Expected};
use crate::rules::{self, VOUCHER};

/// The number of wrong codes in succession after which the centre locks an agency's recharging.
const WRONG_MAX: usize = 5;
/// The index of the agency that sends wrong codes until the centre locks it.
const LOCKS_ITSELF: usize = 2;

impl Errands {
    fn locks_itself(&self) -> bool {
        self.at == LOCKS_ITSELF
    }

    /// Says whether the next code must wait for the answer to an earlier code. The order of the wrong codes that lead to the lock does not
    /// matter, but the letter that the lock refuses must come after all of them.
    pub(super) fn must_wait_to_recharge(&self) -> bool {
        let is_leading_to_a_lock = self.locks_itself() && self.times(Service::Recharge) < WRONG_MAX;
        let is_answered = self.tries.is_empty() && self.is_over(Service::Recharge);
        !is_leading_to_a_lock && !is_answered
    }

    /// Says whether the office may send a code: it has a voucher, or is the agency that must be locked. Any other office without a voucher
    /// would send only wrong codes, and would in time be locked too.
    pub(super) fn can_recharge(&self) -> bool {
        self.locks_itself() || !self.vouchers.is_empty()
    }

    /// Says whether the next letter of this service comes from the newcomer (an agency that enrols itself) that this agency looks after.
    /// Once the newcomer is enrolled, two of every three such letters do.
    pub(super) fn is_newcomers_turn(&self) -> bool {
        self.newcomer.as_ref().is_some_and(|newcomer| newcomer.has_come)
            && !self.times(Service::Account).is_multiple_of(3)
    }
}

impl Desk {
    /// Asks for the statement of the current month. Two of three such errands are the newcomer's, which this agency looks after: the
    /// newcomer first sends a birth, then asks for its own statement.
    pub(super) fn account(&mut self, dice: &mut Dice) -> Result<Errand, PackError> {
        let request = Request::Account(Period { from: None, to: None });
        let expected = Expected::Accepted { effect: Effect::Statement, cost: 0 };
        let (is_newcomers, is_birth) =
            (self.errands.is_newcomers_turn(), self.errands.times(Service::Account) % 3 == 1);
        let Some(newcomer) = self.errands.newcomer.as_mut().filter(|_| is_newcomers) else {
            return self.ask(request, expected);
        };
        let (request, expected) = if is_birth {
            let records = newcomer.register.births(1, dice);
            let cost = rules::price("standard", "export", rules::BIRTHS);
            let effect = Effect::Rows(memory::rows(&records));
            (Request::Export(records), Expected::Accepted { effect, cost })
        } else {
            (request, expected)
        };
        Ok(Errand { is_of_newcomer: true, ..ask(&mut newcomer.office, request, expected)? })
    }

    /// Sends the code of a voucher: a good one, one that is already redeemed, or one that does not exist. One agency sends wrong codes
    /// until the centre locks it.
    pub(super) fn recharge(&mut self, dice: &mut Dice) -> Result<Errand, PackError> {
        let errands = &mut self.errands;
        let times = errands.times(Service::Recharge);
        let wrong = |code| (code, Expected::Refused(RefusalCode::VoucherInvalid));
        let (code, expected) = if errands.locks_itself() {
            // This agency exists to test the lock, so it sends its wrong codes one after another, with no other errand between them.
            if times < WRONG_MAX {
                errands.due.push_front(Service::Recharge);
            }
            let refusal = if times < WRONG_MAX { RefusalCode::VoucherInvalid } else { RefusalCode::RechargeLocked };
            (made_up(dice), Expected::Refused(refusal))
        } else {
            match (times % 4, &errands.spent) {
                (1, Some(spent)) => wrong(spent.clone()),
                (3, _) => wrong(if dice.below(2) == 0 { made_up(dice) } else { VoucherCode::typed("4012") }),
                _ => {
                    let code = errands.vouchers.pop_front().unwrap_or_else(|| made_up(dice));
                    errands.spent = Some(code.clone());
                    (code, Expected::Accepted { effect: Effect::Credit(VOUCHER), cost: 0 })
                }
            }
        };
        let errand = self.ask(Request::Recharge(Recharge { code }), expected)?;
        let letter = errand.packed.letter_id;
        self.errands.tries.insert(letter);
        self.errands.wait(Service::Recharge, letter, On::Receipt);
        Ok(errand)
    }
}

/// Makes up a well-formed code that belongs to no voucher.
fn made_up(dice: &mut Dice) -> VoucherCode {
    let digits: String =
        (1..VOUCHER_DIGITS).map(|_| char::from(b'0' + u8::try_from(dice.below(10)).unwrap_or(0))).collect();
    VoucherCode::with_check_digit(&digits)
}
