//! Tests of vouchers in letters: each credits its amount once, to the agency whose letter is settled first. All wrong codes get the same
//! refusal, and five wrong codes lock recharging.

use chrono::Utc;
use diesel_async::RunQueryDsl;
use futures_util::future::join_all;
use rcgen::{CertificateParams, IsCa, KeyPair};
use sdc::answer::AnswerContent;
use sdc::answer::statement::EntryKind;
use sdc::keys::{CentreKeys, SigningKey};
use sdc::letter::Letter;
use sdc::refusal::{RefusalCode, Remedy};
use sdc::request::{Period, Recharge, Request, VoucherCode};

use super::REFUSED;
use super::world::World;
use crate::database::statement::{Bind, Statement};
use crate::ledger::voucher_keys::VoucherKeys;
use crate::settle::{Outcome, Retry, Ruling, Settler, SettlingSettings};

/// Makes the voucher keys of a centre, from a new key pair.
pub(crate) fn keys() -> VoucherKeys {
    let pair = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(vec![]).unwrap();
    parameters.is_ca = IsCa::ExplicitNoCa;
    let certificate = parameters.self_signed(&pair).unwrap();
    let key = SigningKey::from_pem(pair.serialize_pem().as_bytes(), certificate.pem().as_bytes()).unwrap();
    VoucherKeys::of(&CentreKeys::new(vec![key])).unwrap()
}

/// Makes a world with a batch of this many vouchers of 5000 minor units, and returns their codes.
async fn with_vouchers(vouchers: i32) -> (World, VoucherKeys, Vec<VoucherCode>) {
    let (mut world, keys) = (World::new().await, keys());
    let settings = SettlingSettings { voucher_keys: keys.clone(), ..SettlingSettings::default() };
    world.settler = Settler::new(world.database.clone(), settings);
    let text = format!(
        "INSERT INTO xm.voucher_batches (vouchers, amount, expires_at, made_by)
         VALUES ({vouchers}, 5000, now() + interval '1 year', 'mbome')"
    );
    world.sql(&text).await;
    let codes: Vec<VoucherCode> =
        (1..=vouchers).map(|number| VoucherCode::with_check_digit(&format!("{number:015}"))).collect();
    let macs: Vec<Vec<u8>> = codes.iter().map(|code| keys.mac(code).unwrap()).collect();
    let binds = [
        Bind::Byteas(macs.iter().map(|mac| Some(mac.as_slice())).collect()),
        Bind::Integers((1..=vouchers).map(Some).collect()),
    ];
    let text = "INSERT INTO xm.vouchers (batch, mac, number) SELECT (SELECT max(id) FROM xm.voucher_batches), unnest(?), unnest(?)";
    Statement::<()>::new(text, &binds).execute(&mut *world.connection().await).await.unwrap();
    (world, keys, codes)
}

fn bringing(world: &World, agency: u32, sequence: u64, code: &VoucherCode) -> Letter {
    let request = Request::Recharge(Recharge { code: code.clone() });
    Letter { request, ..world.births(agency, sequence, &[]) }
}

fn wrong(number: u64) -> VoucherCode {
    VoucherCode::with_check_digit(&format!("9{number:014}"))
}

const CREDITED: &str = "SELECT coalesce(sum(amount), 0) FROM xm.entries WHERE kind = 'voucher'";

#[tokio::test]
async fn a_voucher_credits_the_account_once_and_the_receipt_shows_it() {
    let (world, _, codes) = with_vouchers(1).await;
    world.tariff(100, 0, "refuse").await;
    let (recharge, births) = (bringing(&world, 42, 1, &codes[0]), world.births(42, 2, &[("CE-042", 2)]));
    // The births letter arrives before the recharge but has the higher sequence number. So it takes effect after the recharge and is paid
    // from its credit.
    let batch = vec![world.arrival(&births).await, world.arrival(&recharge).await];
    assert_eq!(world.settle(batch).await, [Outcome::Accepted, Outcome::Accepted]);
    let receipt = world.receipt(&recharge).await;
    assert_eq!((receipt.account.cost, receipt.account.balance), (0, 5000));
    assert_eq!(world.receipt(&births).await.account.balance, 4900);
    assert_eq!((world.count(CREDITED).await, world.ledger_difference().await), (5000, 0));
    let order = "SELECT count(*) FROM xm.entries v JOIN xm.entries l ON l.id > v.id AND l.kind = 'letter'
                  WHERE v.kind = 'voucher' AND v.note = '1-1' AND v.balance_after = 5000 AND l.balance_after = 4900";
    assert_eq!(world.count(order).await, 1, "entries run from balance to balance");
    let redeemed =
        "SELECT count(*) FROM xm.vouchers v JOIN xm.letters l ON l.letter_id = v.letter_id AND l.agency = v.agency
                     WHERE v.redeemed_at IS NOT NULL AND l.sequence = 1 AND l.agency = 42";
    assert_eq!(world.count(redeemed).await, 1);

    // The recharge is delivered again and changes nothing. Another letter with the same code is refused.
    assert_eq!(world.settle(vec![world.arrival(&recharge).await]).await, [Outcome::Duplicate]);
    let late = bringing(&world, 43, 1, &codes[0]);
    assert_eq!(world.settle(vec![world.arrival(&late).await]).await, [REFUSED(RefusalCode::VoucherInvalid)]);
    let receipt = world.receipt(&late).await;
    let refusal = receipt.refusal.unwrap();
    assert_eq!((receipt.remedy, refusal.parameters.len()), (Some(Remedy::Mend), 0), "nothing tells the cause");
    assert_eq!(world.count(CREDITED).await, 5000);
}

/// An agency redeems a voucher and, in the same batch, requests a statement of account. The statement must already list this credit, with
/// the number of the voucher as its note.
#[tokio::test]
async fn the_entry_of_a_voucher_is_told_with_its_number() {
    let (world, _, codes) = with_vouchers(2).await;
    let asking = Request::Account(Period { from: None, to: None });
    let asked = Letter { request: asking, ..world.births(42, 3, &[]) };
    let (one, two) = (bringing(&world, 42, 1, &codes[0]), bringing(&world, 42, 2, &codes[1]));
    assert_eq!(world.settle(vec![world.arrival(&one).await]).await, [Outcome::Accepted]);
    let batch = vec![world.arrival(&asked).await, world.arrival(&two).await];
    assert_eq!(world.settle(batch).await, [Outcome::Accepted; 2]);
    let (_, body) = super::statements::parts(&world).await.remove(0);
    let AnswerContent::Statement(statement) = body.content else { panic!("no statement") };
    let told: Vec<(i64, i64, Option<&str>)> =
        statement.entries.iter().map(|entry| (entry.amount, entry.balance, entry.note.as_deref())).collect();
    assert_eq!(told, [(5000, 5000, Some("1-1")), (5000, 10_000, Some("1-2"))]);
    assert!(statement.entries.iter().all(|entry| entry.kind == EntryKind::Voucher));
    assert_eq!((statement.closing, statement.entries_total), (10_000, 2));
}

#[tokio::test]
async fn of_two_letters_with_one_voucher_at_once_one_gets_it() {
    let (world, keys, codes) = with_vouchers(8).await;
    // The code arrives twice in one batch. Then two programs settle batches with several codes at the same time, each with the codes in
    // another order.
    let pair = [bringing(&world, 42, 1, &codes[0]), bringing(&world, 43, 1, &codes[0])];
    let outcomes = world.settle(vec![world.arrival(&pair[1]).await, world.arrival(&pair[0]).await]).await;
    assert_eq!(outcomes, [REFUSED(RefusalCode::VoucherInvalid), Outcome::Accepted]);

    let mut programs = Vec::new();
    for (agency, backwards) in [(42, false), (43, true)] {
        let settings = SettlingSettings { voucher_keys: keys.clone(), ..SettlingSettings::default() };
        let settler = Settler::new(world.database.clone(), settings);
        let mut batch = Vec::new();
        for sequence in 0..4_usize {
            let at = if backwards { 4 - sequence } else { 1 + sequence };
            let letter = bringing(&world, agency, 2 + sequence as u64, &codes[at]);
            batch.push(world.arrival(&letter).await);
        }
        programs.push(tokio::spawn(async move { settler.settle(batch).await.unwrap().outcomes }));
    }
    let outcomes: Vec<Outcome> = join_all(programs).await.into_iter().flat_map(Result::unwrap).collect();
    let accepted = outcomes.iter().filter(|outcome| **outcome == Outcome::Accepted).count();
    assert_eq!(accepted, 4, "{outcomes:?}");
    assert_eq!((world.count(CREDITED).await, world.ledger_difference().await), (5 * 5000, 0));
    assert_eq!(world.count("SELECT count(*) FROM xm.vouchers WHERE redeemed_at IS NOT NULL").await, 5);
}

#[tokio::test]
async fn whatever_is_wrong_with_a_code_the_refusal_is_the_same() {
    let (world, _, codes) = with_vouchers(4).await;
    world.sql("UPDATE xm.vouchers SET revoked_at = now() WHERE number = 1").await;
    world
        .sql("UPDATE xm.vouchers SET redeemed_at = now(), agency = 43, letter_id = gen_random_uuid() WHERE number = 2")
        .await;
    let mut receipts = Vec::new();
    let no_digits = VoucherCode::typed("no code at all");
    for (sequence, code) in [(1, &codes[0]), (2, &codes[1]), (3, &no_digits), (4, &wrong(1))] {
        let letter = bringing(&world, 42, sequence, code);
        assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [REFUSED(RefusalCode::VoucherInvalid)]);
        receipts.push(world.receipt(&letter).await.refusal);
    }
    assert!(receipts.windows(2).all(|pair| pair[0] == pair[1]), "{receipts:?}");
    // A right code is accepted, and the count of wrong codes starts again at zero.
    let right = bringing(&world, 42, 5, &codes[2]);
    assert_eq!(world.settle(vec![world.arrival(&right).await]).await, [Outcome::Accepted]);
    world.sql("UPDATE xm.voucher_batches SET expires_at = now()").await;
    let expired = bringing(&world, 42, 6, &codes[3]);
    assert_eq!(world.settle(vec![world.arrival(&expired).await]).await, [REFUSED(RefusalCode::VoucherInvalid)]);
    assert_eq!(world.receipt(&expired).await.refusal, receipts[0]);
    assert_eq!(world.count("SELECT wrong FROM xm.recharge_tries WHERE agency = 42 AND locked_until IS NULL").await, 1);
}

#[tokio::test]
async fn a_thousand_wrong_codes_get_one_refusal_lock_and_give_nothing() {
    let (world, keys, codes) = with_vouchers(1).await;
    let mut outcomes = Vec::new();
    let mut sequence = 0;
    for _ in 0..10 {
        let mut batch = Vec::new();
        for _ in 0..100 {
            sequence += 1;
            batch.push(world.arrival(&bringing(&world, 42, sequence, &wrong(sequence))).await);
        }
        outcomes.extend(world.settle(batch).await);
    }
    assert_eq!(outcomes[..5], [REFUSED(RefusalCode::VoucherInvalid); 5]);
    assert!(outcomes[5..].iter().all(|outcome| *outcome == REFUSED(RefusalCode::RechargeLocked)));
    let right = bringing(&world, 42, sequence + 1, &codes[0]);
    assert_eq!(world.settle(vec![world.arrival(&right).await]).await, [REFUSED(RefusalCode::RechargeLocked)]);
    let receipt = world.receipt(&right).await;
    assert_eq!(receipt.remedy, Some(Remedy::Wait));
    assert!(receipt.refusal.unwrap().parameters.contains_key("until"));
    // A lock applies to one agency only, so another agency that sends the code is not locked.
    let other = bringing(&world, 43, 1, &wrong(1));
    assert_eq!(world.settle(vec![world.arrival(&other).await]).await, [REFUSED(RefusalCode::VoucherInvalid)]);
    let locks = "SELECT count(*) FROM xm.recharge_tries WHERE locked_until > now() + interval '23 hours'";
    assert_eq!(world.count(locks).await, 1);

    // A right code was refused because recharging is locked for a day. It is accepted in an operator's retry in spite of the lock, and in
    // a letter once that day is over or an operator has ended the lock.
    let settings = SettlingSettings { voucher_keys: keys, ..SettlingSettings::default() };
    let settler = Settler::new(world.database.clone(), settings);
    let retry = Retry { decider: "mbome".to_owned(), decided_at: Utc::now(), ruling: Ruling::Anew, approval: None };
    let written = settler.write_again(vec![world.arrival(&right).await], retry).await.unwrap();
    assert_eq!(written.post().await.unwrap().outcomes, [Outcome::Accepted]);
    assert_eq!((world.count(CREDITED).await, world.ledger_difference().await), (5000, 0));
    world.sql("UPDATE xm.recharge_tries SET locked_until = now() WHERE agency = 42").await;
    let after = bringing(&world, 42, sequence + 2, &wrong(7));
    assert_eq!(world.settle(vec![world.arrival(&after).await]).await, [REFUSED(RefusalCode::VoucherInvalid)]);
}

#[tokio::test]
async fn without_the_centres_keys_a_recharge_waits_and_burns_nothing() {
    let (mut world, keys, codes) = with_vouchers(1).await;
    world.settler = Settler::new(world.database.clone(), SettlingSettings::default());
    let letter = bringing(&world, 42, 1, &codes[0]);
    assert_eq!(world.settle_or_apart(&[&letter]).await, [Outcome::Deferred]);
    assert_eq!(world.count("SELECT count(*) FROM xm.letters").await, 0);
    let settings = SettlingSettings { voucher_keys: keys, ..SettlingSettings::default() };
    world.settler = Settler::new(world.database.clone(), settings);
    assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [Outcome::Accepted]);
}
