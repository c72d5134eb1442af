//! Tests of the audit log's chain, and of who may read it.

use chrono::{Duration, Utc};
use diesel_async::{AsyncConnection, SimpleAsyncConnection};
use serde_json::json;

use super::{account, agency, centre, count, last_line, number, user};
use crate::agencies;
use crate::database::Connection;
use crate::error::AdministrationError;
use crate::people::audit::{self, Head};
use crate::people::inspection::{self, Export};
use crate::people::{AuditFilter, Inspection, Operator, Privilege, sign_in_as_system_account, users};

async fn run(connection: &mut Connection, statement: &str) {
    connection.batch_execute(statement).await.unwrap();
}

/// Runs a statement as somebody would who owns the database and has disabled its triggers, verifies the log and returns the first line that
/// is found wrong; afterwards the log is as before.
async fn found_after(connection: &mut Connection, statement: &str) -> Option<i64> {
    let mut found = None;
    let undone = connection
        .transaction(async |connection| {
            connection.batch_execute("ALTER TABLE xm.audit DISABLE TRIGGER USER").await?;
            connection.batch_execute(statement).await?;
            found = Some(audit::verify(connection, None).await);
            Err::<(), _>(diesel::result::Error::RollbackTransaction)
        })
        .await;
    assert!(matches!(undone, Err(diesel::result::Error::RollbackTransaction)), "{statement}: {undone:?}");
    match found.unwrap() {
        Ok(_) => None,
        Err(AdministrationError::AuditBroken(line)) => Some(line),
        Err(error) => panic!("{statement}: {error}"),
    }
}

#[tokio::test]
async fn a_line_changed_removed_swapped_or_put_in_between_is_found() {
    let (_database, mut connection, ekane) = centre().await;
    for matricule in 3..=5 {
        agencies::add(&mut connection, &ekane, &agency(matricule)).await.unwrap();
    }
    let last = audit::verify(&mut connection, None).await.unwrap().id;
    assert!(last >= 7, "{last}");
    for column in ["operator = 'other'", "action = 'other'", "subject = 'other'", "detail = '{}'"] {
        let changed = format!("UPDATE xm.audit SET {column} WHERE id = 4");
        assert_eq!(found_after(&mut connection, &changed).await, Some(4), "{changed}");
    }
    for column in ["at = at - interval '1 day'", "hash = sha256('x')", "previous_hash = sha256('x')"] {
        let changed = format!("UPDATE xm.audit SET {column} WHERE id = 4");
        assert_eq!(found_after(&mut connection, &changed).await, Some(4), "{changed}");
    }
    for (statement, line) in [
        ("DELETE FROM xm.audit WHERE id = 1", 2),
        ("DELETE FROM xm.audit WHERE id = 4", 5),
        // Even if the numbers are closed up again behind the removed line.
        ("DELETE FROM xm.audit WHERE id = 4; UPDATE xm.audit SET id = id - 1 WHERE id = 5", 4),
        ("UPDATE xm.audit SET id = -id WHERE id IN (4, 5); UPDATE xm.audit SET id = 9 + id WHERE id < 0", 4),
        (
            "UPDATE xm.audit a SET (operator, action, subject, detail) = (SELECT operator, action, subject, detail FROM xm.audit b
              WHERE b.id = 11 - a.id) WHERE id IN (5, 6)",
            5,
        ),
        (
            "UPDATE xm.audit SET id = -id WHERE id >= 5; UPDATE xm.audit SET id = 1 - id WHERE id < 0;
             INSERT INTO xm.audit SELECT 5, at, operator, action, subject, detail, previous_hash, hash FROM xm.audit WHERE id = 6",
            6,
        ),
    ] {
        assert_eq!(found_after(&mut connection, statement).await, Some(line), "{statement}");
    }
    audit::verify(&mut connection, None).await.unwrap();
}

#[tokio::test]
async fn what_was_written_down_tells_of_last_lines_removed_and_of_a_log_written_anew() {
    let (_database, mut connection, ekane) = centre().await;
    let written = inspection::verify(&mut connection, &ekane, None).await.unwrap();
    assert_eq!(written.to_string().parse::<Head>().unwrap(), written);
    agencies::add(&mut connection, &ekane, &agency(3)).await.unwrap();
    let later = inspection::verify(&mut connection, &ekane, Some(&written)).await.unwrap();
    assert_eq!(later.id, written.id + 2);
    // The chain of what is left is whole: only the line that was written down tells that the last ones are gone.
    run(&mut connection, "ALTER TABLE xm.audit DISABLE TRIGGER audit_immutable").await;
    run(&mut connection, &format!("DELETE FROM xm.audit WHERE id > {}", written.id)).await;
    let error = inspection::verify(&mut connection, &ekane, Some(&later)).await.unwrap_err();
    assert!(
        matches!(error, AdministrationError::AuditHeadOther { line, last } if (line, last) == (later.id, written.id)),
        "{error}"
    );
    let line = last_line(&mut connection).await;
    assert_eq!((line.action.as_str(), &line.detail), ("audit.verify", &json!({ "is_whole": false, "line": later.id })));
    let other = Head { hash: vec![7; 32], ..written };
    let error = inspection::verify(&mut connection, &ekane, Some(&other)).await.unwrap_err();
    assert!(matches!(error, AdministrationError::AuditHeadOther { .. }), "{error}");
    for wrong in ["", "7", "7:12", "0:00", "x:00", "7:zz"] {
        assert!(wrong.parse::<Head>().is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn the_database_takes_a_line_only_behind_the_last_one() {
    let (_database, mut connection, _) = centre().await;
    let head = audit::head(&mut connection).await.unwrap();
    let insert = |id: i64, previous: &str| {
        format!("INSERT INTO xm.audit SELECT {id}, now(), 'x', 'x', 'x', '{{}}', {previous}, sha256('x')")
    };
    let previous = format!("'\\x{}'", hex::encode(&head.hash));
    for wrong in [
        insert(head.id, &previous),
        insert(head.id + 2, &previous),
        insert(0, &previous),
        insert(head.id + 1, "sha256('x')"),
    ] {
        let error = connection.batch_execute(&wrong).await.unwrap_err().to_string();
        assert!(error.contains("does not follow"), "{wrong}: {error}");
    }
    run(&mut connection, &insert(head.id + 1, &previous)).await;
}

#[tokio::test]
async fn who_reads_the_log_is_in_the_log_and_finds_what_he_asks_for() {
    let (_database, mut connection, ekane) = centre().await;
    users::add(&mut connection, &ekane, &user("alice", Privilege::Operateur)).await.unwrap();
    sign_in_as_system_account(&mut connection, &account("bob")).await.unwrap_err();
    agencies::set_status(&mut connection, &ekane, number(2), 1).await.unwrap();
    let found = async |connection: &mut Connection, filter: &AuditFilter| {
        let inspection = Inspection::begin(connection, &ekane, filter.clone()).await.unwrap();
        let lines = inspection.page(connection, None, 100).await.unwrap();
        lines.into_iter().map(|line| format!("{} {}", line.action, line.subject)).collect::<Vec<_>>()
    };
    let all = AuditFilter::default();
    let text = |text: &str| Some(text.to_owned());
    let cases = [
        (
            AuditFilter { subject: text("agency 000002"), ..all.clone() },
            vec!["agency.status agency 000002", "agency.add agency 000002"],
        ),
        (AuditFilter { operator: text("account bob"), ..all.clone() }, vec!["sign_in.refused account bob"]),
        (AuditFilter { action: text("user.map"), ..all.clone() }, vec!["user.map user alice", "user.map user ekane"]),
        (AuditFilter { until: Some(Utc::now() - Duration::hours(1)), ..all.clone() }, vec![]),
        (AuditFilter { since: Some(Utc::now() + Duration::hours(1)), ..all.clone() }, vec![]),
        (AuditFilter { line: Some(1), ..all.clone() }, vec!["user.add user ekane"]),
        (AuditFilter { looks: true, ..all.clone() }, vec![]),
    ];
    for (filter, expected) in cases {
        assert_eq!(found(&mut connection, &filter).await, expected, "{filter:?}");
        let line = last_line(&mut connection).await;
        assert_eq!((line.operator.as_str(), line.action.as_str()), ("ekane", "audit.show"));
        assert_eq!(line.detail, json!(filter), "the line says what was asked for");
    }
    assert_eq!(inspection::show(&mut connection, &ekane, 2).await.unwrap().subject, "user ekane");
    let none = audit::head(&mut connection).await.unwrap().id + 1;
    let error = inspection::show(&mut connection, &ekane, none).await.unwrap_err();
    assert!(matches!(error, AdministrationError::AuditLineUnknown(line) if line == none), "{error}");
    let clerk = Operator::pretended("clerk", Privilege::Operateur);
    let error = Inspection::begin(&mut connection, &clerk, all).await.unwrap_err();
    assert!(matches!(error, AdministrationError::PrivilegeMissing { .. }), "{error}");
}

#[tokio::test]
async fn an_export_is_the_chain_up_to_the_line_of_the_export() {
    let (_database, mut connection, ekane) = centre().await;
    let mut export = Export::begin(&mut connection, &ekane, 0).await.unwrap();
    agencies::add(&mut connection, &ekane, &agency(3)).await.unwrap();
    let lines = export.page(&mut connection).await.unwrap();
    assert!(export.page(&mut connection).await.unwrap().is_empty());
    let last = lines.last().unwrap();
    assert_eq!((last.action.as_str(), last.id), ("audit.export", i64::try_from(lines.len()).unwrap()));
    assert!(lines.windows(2).all(|pair| pair[1].previous_hash == pair[0].hash));
    let mut rest = Export::begin(&mut connection, &ekane, last.id).await.unwrap();
    let further: Vec<i64> = rest.page(&mut connection).await.unwrap().iter().map(|line| line.id).collect();
    assert_eq!(further, [last.id + 1, last.id + 2]);
    let error = Export::begin(&mut connection, &ekane, 999).await.unwrap_err();
    assert!(matches!(error, AdministrationError::AuditLineUnknown(999)), "{error}");
    assert_eq!(count(&mut connection, "SELECT count(*) AS count FROM xm.audit WHERE action = 'audit.export'").await, 2);
}
