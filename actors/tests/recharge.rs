//! An office recharges its account with a voucher by mail. The voucher is credited once, however often the letter is delivered.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "the other tests use the rest")]
mod centre;

use centre::{OFFICE_ADDRESS, SETTLED, World, quick};
use sdc::refusal::RefusalCode;
use sdc::request::{Recharge, Request};

const REFUSED: &str = "SELECT count(*) FROM xm.letters WHERE verdict = 'voucher_invalid'";

#[test]
fn a_voucher_in_a_letter_credits_its_office_once() {
    let mut world = World::new();
    let code = world.voucher(5000);
    let (mut recharge, _) = world.next_mail();
    recharge.request = Request::Recharge(Recharge { code: code.clone() });
    let mail = world.mail(&recharge);
    for _ in 0..3 {
        world.deliver(mail.clone());
    }
    let running = world.start(quick());
    world.wait_for("a voucher redeemed", SETTLED, 1);
    world.wait_for("the letter again", "SELECT count(*) FROM xm.journal WHERE outcome = 'duplicate'", 2);
    let (mut again, _) = world.next_mail();
    again.request = Request::Recharge(Recharge { code });
    world.deliver(world.mail(&again));
    world.wait_for("a voucher refused", REFUSED, 1);
    world.wait_for("answers sent", "SELECT count(*) FROM xm.outbox", 0);
    assert!(running.drain());

    let answers = world.open(world.post_office.take(OFFICE_ADDRESS));
    let told = |letter| answers.iter().filter(move |answer| answer.receipt.letter == Some(letter));
    assert!(told(recharge.id).all(|answer| answer.receipt.account.balance == 1_005_000));
    assert_eq!(told(recharge.id).count(), 1);
    let refusal = told(again.id).next().unwrap().receipt.refusal.clone().unwrap();
    assert_eq!(refusal.code, RefusalCode::VoucherInvalid);
    assert_eq!(world.count("SELECT sum(amount) FROM xm.entries WHERE kind = 'voucher'"), 5000);
    assert_eq!(world.count("SELECT difference FROM xm.ledger_difference"), 0);
}
