//! Tests of enrolments with a mistyped code, and of a record that no letter can carry.

use super::*;

#[test]
fn only_the_newest_enrolment_is_carried_and_three_times_at_most() {
    let world = World::new(1 << 18);
    let database = &world.desk.database;
    let hours = |hours| Utc::now() + TimeDelta::hours(hours);
    let due = |time| database.due(time).unwrap().into_iter().map(|letter| letter.sequence).collect::<Vec<_>>();
    assert_eq!(database.pending_enrolment().unwrap(), None);
    enrol(&world.desk, EnrolmentCode::typed("ABCD-EFGH-JKMN-PQRS-TVWX-0114")).unwrap();
    for _ in 0..3 {
        assert_eq!(due(hours(2)), [1]);
        database.note_sent(1, &now()).unwrap();
    }
    assert_eq!((due(hours(2)), database.awaited().unwrap()), (vec![], 1));
    assert_eq!(database.pending_enrolment().unwrap(), Some(1));
    // Another code withdraws the former one, which would count against it at the centre.
    enrol(&world.desk, EnrolmentCode::typed("ABCD-EFGH-JKMN-PQRS-TVWX-0113")).unwrap();
    assert_eq!(due(hours(2)), [2]);
    database.note_sent(2, &now()).unwrap();
    assert_eq!((due(hours(2)), database.awaited().unwrap()), (vec![2], 1));
    assert_eq!(database.pending_enrolment().unwrap(), Some(2));
}

#[test]
fn a_record_that_is_too_large_stops_no_other() {
    let world = World::new(4096);
    let database = &world.desk.database;
    let made = database.identity("made").unwrap().unwrap();
    database.adopt_certificate(made.certificate()).unwrap();
    database.define(&births(1)).unwrap();
    let (large, small) = (world.birth(118), world.birth(119));
    // Nothing compresses this text; in Base64 it exceeds the limit.
    let noise: String = (0..300).map(|_| Uuid::new_v4().to_string()).collect();
    let mut definition = births(2);
    definition.columns[5]["length_chars_max"] = 20_000.into();
    database.define(&definition).unwrap();
    let statement = "UPDATE records SET columns = json_set(columns, '$.NomEnfant', ?2) WHERE numero = ?1";
    database.change(statement, params![large, noise]).unwrap();
    let exported = export(&world.desk, None, false).unwrap();
    assert_eq!(exported.letters.iter().flat_map(|letter| letter.records.clone()).collect::<Vec<_>>(), [small]);
    assert_eq!(exported.too_large.iter().map(|one| one.numero).collect::<Vec<_>>(), [large]);
    assert_eq!([world.status(large), world.status(small)], [Status::Validated, Status::Packed]);
}
