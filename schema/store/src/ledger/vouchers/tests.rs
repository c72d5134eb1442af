//! Tests of operators' operations on vouchers, on a real PostgreSQL.

use std::collections::BTreeSet;

use chrono::{Duration, Utc};
use diesel_async::SimpleAsyncConnection;
use sdc::request::VoucherCode;

use super::{Batch, list, locked, make, revoke, show, unlock, write};
use crate::approvals::{ask, confirm};
use crate::database::Connection;
use crate::error::AdministrationError;
use crate::ledger::voucher_keys::VoucherKeys;
use crate::people::tests::{centre, count, last_line, number, user};
use crate::people::{Operator, Privilege, users};
use crate::settle::tests::vouchers::keys;

/// Makes a batch that two people agreed on. Returns its number.
async fn made(connection: &mut Connection, asker: &Operator, vouchers: i32) -> i32 {
    let end = Utc::now() + Duration::days(365);
    let Err(AdministrationError::ApprovalNeeded(act)) = make(connection, asker, vouchers, 5000, end).await else {
        panic!("one person alone made vouchers")
    };
    let asked = ask(connection, asker, &act).await.unwrap();
    let second = Operator::pretended("mbome", Privilege::Superviseur);
    let done = confirm(connection, &second, asked.id).await.unwrap();
    i32::try_from(done.result["batch"].as_i64().unwrap()).unwrap()
}

async fn codes(
    connection: &mut Connection,
    operator: &Operator,
    keys: &VoucherKeys,
    batch: i32,
) -> Result<Vec<VoucherCode>, AdministrationError> {
    write(connection, operator, keys, batch, |_: &Batch, codes: &[VoucherCode]| Ok(codes.to_vec())).await
}

#[tokio::test]
async fn two_people_make_vouchers_and_their_codes_are_written_once() {
    let (_database, mut connection, ekane) = centre().await;
    users::add(&mut connection, &ekane, &user("mbome", Privilege::Superviseur)).await.unwrap();
    let keys = keys();
    let batch = made(&mut connection, &ekane, 300).await;
    assert_eq!(count(&mut connection, "SELECT count(*) AS count FROM xm.vouchers").await, 0, "no code yet");
    let full = write(&mut connection, &ekane, &keys, batch, |_: &Batch, _: &[VoucherCode]| {
        Err::<(), AdministrationError>(AdministrationError::ServerMissing)
    });
    assert!(full.await.is_err(), "a disk that is full");
    let written = codes(&mut connection, &ekane, &keys, batch).await.unwrap();
    assert_eq!(written.iter().collect::<BTreeSet<_>>().len(), 300);
    assert!(written.iter().all(VoucherCode::may_be));
    let line = last_line(&mut connection).await;
    assert_eq!((line.action.as_str(), line.subject.as_str()), ("voucher.write", format!("vouchers {batch}").as_str()));
    let again = codes(&mut connection, &ekane, &keys, batch).await.unwrap_err();
    assert!(matches!(again, AdministrationError::VouchersWritten(of) if of == batch), "{again}");
    assert!(matches!(codes(&mut connection, &ekane, &keys, 77).await, Err(AdministrationError::VouchersUnknown(77))));
    // The database contains no code in plain text.
    let dump = "SELECT count(*) AS count FROM xm.vouchers v WHERE encode(v.mac, 'escape') ~ '[0-9]{16}'";
    assert_eq!(count(&mut connection, dump).await, 0);

    assert_eq!(revoke(&mut connection, &ekane, batch, Some(7), "lost").await.unwrap(), 1);
    assert!(matches!(
        revoke(&mut connection, &ekane, batch, Some(7), "lost").await,
        Err(AdministrationError::VouchersEnded { .. })
    ));
    assert_eq!(revoke(&mut connection, &ekane, batch, None, "stolen").await.unwrap(), 299);
    let shown = show(&mut connection, batch).await.unwrap();
    assert_eq!((shown.vouchers, shown.revoked, shown.redeemed, shown.amount), (300, 300, 0, 5000));
    assert_eq!(list(&mut connection, None, 10).await.unwrap(), [shown]);
}

#[tokio::test]
async fn a_voucher_ends_once_whatever_program_writes() {
    let (_database, mut connection, ekane) = centre().await;
    users::add(&mut connection, &ekane, &user("mbome", Privilege::Superviseur)).await.unwrap();
    let batch = made(&mut connection, &ekane, 2).await;
    codes(&mut connection, &ekane, &keys(), batch).await.unwrap();
    let redeem =
        "UPDATE xm.vouchers SET redeemed_at = now(), agency = 1, letter_id = gen_random_uuid() WHERE number = 1";
    connection.batch_execute(redeem).await.unwrap();
    for statement in [
        redeem,
        "UPDATE xm.vouchers SET redeemed_at = NULL, agency = NULL, letter_id = NULL WHERE number = 1",
        "UPDATE xm.vouchers SET revoked_at = now() WHERE number = 1",
        "UPDATE xm.vouchers SET number = 9 WHERE number = 2",
        "UPDATE xm.vouchers SET redeemed_at = now() WHERE number = 2",
        "DELETE FROM xm.vouchers",
        "TRUNCATE xm.vouchers",
    ] {
        assert!(connection.batch_execute(statement).await.is_err(), "{statement}");
    }
}

#[tokio::test]
async fn a_lock_is_listed_and_ended_by_an_operator() {
    let (_database, mut connection, ekane) = centre().await;
    let lock = "INSERT INTO xm.recharge_tries (agency, wrong, since, locked_until)
                VALUES (1, 0, now(), now() + interval '1 hour'), (2, 0, now(), now() - interval '1 hour')";
    connection.batch_execute(lock).await.unwrap();
    let told: Vec<u32> = locked(&mut connection).await.unwrap().iter().map(|one| one.agency.into()).collect();
    assert_eq!(told, [1]);
    unlock(&mut connection, &ekane, number(1), "a child at the keyboard").await.unwrap();
    assert!(locked(&mut connection).await.unwrap().is_empty());
    assert_eq!(last_line(&mut connection).await.action, "voucher.unlock");
    let error = unlock(&mut connection, &ekane, number(1), "again").await.unwrap_err();
    assert!(matches!(error, AdministrationError::RechargeNotLocked(_)), "{error}");
}
