//! Tests of tariffs that are set, followed by others and cancelled.

use chrono::{Duration, SubsecRound, Utc};

use crate::error::ErrorKind;
use crate::ledger::tariffs::{self, NewTariff};
use crate::samples;
use crate::testing::centre::*;

fn tariff(per_act: i64) -> NewTariff {
    NewTariff {
        plan: None,
        service: "export".to_owned(),
        table: None,
        per_act,
        per_started_kb: 5,
        credit: None,
        valid_from: None,
    }
}

#[tokio::test]
async fn a_tariff_ends_where_the_next_begins() {
    let (_database, mut connection) = centre().await;
    samples::restore(&mut connection, &OPERATOR, "ecr").await.unwrap();
    let first = tariffs::set(&mut connection, &OPERATOR, &tariff(10)).await.unwrap();
    let second = tariffs::set(&mut connection, &OPERATOR, &tariff(20)).await.unwrap();
    let table = NewTariff { table: Some("ecr.ActeNaissance".into()), ..tariff(30) };
    let other = tariffs::set(&mut connection, &OPERATOR, &table).await.unwrap();
    let all = tariffs::list(&mut connection, true).await.unwrap();
    let find = |id: i32| all.iter().find(|tariff| tariff.id == id).unwrap();
    assert_eq!(find(first).valid_to, Some(find(second).valid_from));
    assert_eq!((find(second).valid_to, find(second).credit.as_str()), (None, "owe"));
    assert_eq!((find(other).table.as_deref(), find(other).valid_to), (Some("ActeNaissance"), None));
    assert_eq!(tariffs::list(&mut connection, false).await.unwrap().len(), 2);
    let import = NewTariff { service: "import".into(), ..tariff(1) };
    let import = tariffs::set(&mut connection, &OPERATOR, &import).await.unwrap();
    let all = tariffs::list(&mut connection, true).await.unwrap();
    assert_eq!(all.iter().find(|tariff| tariff.id == import).unwrap().credit, "refuse");
}

#[tokio::test]
async fn a_tariff_with_mistakes_is_explained() {
    let (_database, mut connection) = centre().await;
    let later = NewTariff { valid_from: Some(Utc::now() + Duration::days(30)), ..tariff(10) };
    tariffs::set(&mut connection, &OPERATOR, &later).await.unwrap();
    for (new, expected) in [
        (tariff(10), "tariff_later {\"from\":"),
        (NewTariff { service: "recharge".into(), ..tariff(1) }, "\"known\":[\"export\""),
        (NewTariff { credit: Some("maybe".into()), ..tariff(1) }, "\"credit_rule\""),
        (NewTariff { table: Some("ecr.Nothing".into()), ..tariff(1) }, "table_unknown {\"table\":\"ecr.Nothing\"}"),
        (NewTariff { plan: Some("golden".into()), ..tariff(1) }, "golden"),
        (NewTariff { valid_from: Some(Utc::now() - Duration::days(1)), ..tariff(1) }, "\"tariff_beginning\""),
        (NewTariff { service: "certify".into(), ..tariff(-1) }, "\"price\""),
    ] {
        let error = tariffs::set(&mut connection, &OPERATOR, &new).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    assert_eq!(value(&mut connection, "SELECT count(*) FROM xm.tariffs").await, 1);
}

#[tokio::test]
async fn a_price_that_has_not_begun_is_taken_back_as_if_it_had_never_been() {
    let (_database, mut connection) = centre().await;
    // PostgreSQL stores times in microseconds.
    let begins = |days: i64| Some((Utc::now() + Duration::days(days)).trunc_subsecs(6));
    let mut ids = Vec::new();
    for (service, valid_from) in
        [("export", None), ("export", begins(10)), ("export", begins(20)), ("import", begins(10))]
    {
        let new = NewTariff { service: service.to_owned(), valid_from, ..tariff(5) };
        ids.push(tariffs::set(&mut connection, &OPERATOR, &new).await.unwrap());
    }
    tariffs::cancel(&mut connection, &OPERATOR, ids[1]).await.unwrap();
    let left = tariffs::list(&mut connection, true).await.unwrap();
    let of = |id: i32| left.iter().find(|tariff| tariff.id == id).unwrap();
    assert_eq!(left.len(), 3);
    assert_eq!(of(ids[0]).valid_to, Some(of(ids[2]).valid_from), "the first goes on until the third begins");
    assert_eq!(of(ids[3]).valid_to, None, "another service's price is left alone");
    let begun = tariffs::cancel(&mut connection, &OPERATOR, ids[0]).await.unwrap_err();
    assert_eq!((begun.code(), begun.kind()), ("tariff_begun", ErrorKind::Refused));
    let absent = tariffs::cancel(&mut connection, &OPERATOR, ids[1]).await.unwrap_err();
    assert_eq!(absent.kind(), ErrorKind::NotFound);
    let audited = "SELECT count(*) FROM xm.audit WHERE action = 'tariff.cancel' AND detail->>'per_act' = '5'";
    assert_eq!(value(&mut connection, audited).await, 1);
}
