//! Tests of the changes that operators make to plans, on a real PostgreSQL.

use sdc::letter::Mode;

use super::{Plan, PlanEdit, PlanRight, RightEdit, edit, show};
use crate::centre::server::Server;
use crate::database::Connection;
use crate::error::AdministrationError;
use crate::people::Operator;
use crate::tables::rights::{CertifyGives, Whose};
use crate::testing::{TestCluster, fixture};

const TABLE: &str = "ecr.ActeNaissance";

async fn change(
    connection: &mut Connection,
    operator: &Operator,
    plan: &str,
    right: RightEdit,
) -> Result<Plan, AdministrationError> {
    let create = (plan != "standard").then(|| "for tests".to_owned());
    let right = Some(RightEdit { table: TABLE.to_owned(), ..right });
    edit(connection, operator, plan, &PlanEdit { create, right, ..PlanEdit::default() }).await
}

/// Returns a plan's rights to the table: export, read, certify, and what a certify gives.
fn of_table(plan: &Plan) -> (bool, &str, &str, &str) {
    let right: &PlanRight = plan.rights.iter().find(|right| right.table == "ActeNaissance").unwrap();
    (right.may_export, &right.may_read, &right.may_certify, &right.certify_gives)
}

#[tokio::test]
async fn rights_to_a_table_change_one_by_one_and_come_with_a_new_plan() {
    let database = TestCluster::shared().await.database().await;
    let mut connection = database.get().await.unwrap();
    let operator = fixture::found(&mut connection, &Server::new("centre", Mode::Live), &["ecr"]).await.unwrap();
    assert_eq!(of_table(&show(&mut connection, "standard").await.unwrap()), (true, "none", "none", "verdict"));
    // The plan already has rights to the table. Only the given right changes.
    let read = RightEdit { may_read: Some(Whose::Own), ..RightEdit::default() };
    let plan = change(&mut connection, &operator, "standard", read.clone()).await.unwrap();
    assert_eq!(of_table(&plan), (true, "own", "none", "verdict"));
    let certify = RightEdit {
        may_export: Some(false),
        may_certify: Some(Whose::All),
        certify_gives: Some(CertifyGives::Record),
        ..RightEdit::default()
    };
    let plan = change(&mut connection, &operator, "standard", certify).await.unwrap();
    assert_eq!(of_table(&plan), (false, "own", "all", "record"));
    // The new plan has no rights to the table yet. It gets the given right, and no other plan changes.
    let gold = change(&mut connection, &operator, "gold", read).await.unwrap();
    assert_eq!((gold.rights.len(), of_table(&gold).1), (1, "own"));
    assert_eq!(of_table(&show(&mut connection, "standard").await.unwrap()), (false, "own", "all", "record"));
}
