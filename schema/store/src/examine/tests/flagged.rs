//! Checks of tables that were adopted: what the operators are told of a letter that is accepted.

use sdc::refusal::RefusalCode;
use serde_json::{Value, json};

use super::lab::{AGENCY, Lab, OPERATOR, fault, keyed, row, table};
use crate::administration::scopes;
use crate::examine::Finding;
use crate::samples;

#[tokio::test]
async fn a_flagging_check_is_reckoned_for_each_row_and_refuses_nobody() {
    let lab = Lab::empty().await;
    let mut connection = lab.world.connection().await;
    samples::restore(&mut connection, OPERATOR, "election").await.unwrap();
    let number = AGENCY.try_into().unwrap();
    let codes = ["B02".to_owned()];
    scopes::grant(&mut connection, OPERATOR, number, "bureaucode", &codes).await.unwrap();
    drop(connection);
    let body = fault!("flagging-check-is-never-told", "body.json");
    let examined = lab.examine(body).await.unwrap();
    let result = &examined[0];
    assert_eq!((result.flags.total, result.flags.kept.len(), examined[1].flags.total), (1, 1, 0));
    let flag = &result.flags.kept[0];
    let check = &result.definition.checks[flag.check];
    assert_eq!((flag.row, flag.finding, check.code.as_str()), (0, Finding::Broken, "ballots_within_signatures"));
    assert_eq!(flag.figures.arithmetic(check), "BulletinsTrouves 7 (7) <= Emargements 6 (6)");
    // As many ballots as signatures: nothing to tell. Checks that refuse still do.
    let calm = body.replace("6\n", "7\n");
    assert_ne!(calm, body);
    assert_eq!(lab.examine(&calm).await.unwrap()[0].flags.total, 0);
    let wrong = body.replacen("500", "5", 1);
    assert_eq!(lab.examine(&wrong).await.unwrap_err().code, RefusalCode::CheckFailed);
}

#[tokio::test]
async fn checks_that_cannot_be_judged_are_flagged_whatever_their_severity() {
    let checks = r#"
        [[tables.checks]]
        code = "within"
        severity = "refuse"
        left = ["A", "B"]
        comparison = "<="
        right = ["C"]
        [[tables.checks]]
        code = "equal"
        severity = "flag"
        left = ["A"]
        comparison = "="
        right = ["C"]"#;
    let sql = table(r#""Code" text NOT NULL, "A" integer, "B" smallint DEFAULT 3, "C" bigint"#);
    let lab = Lab::adopting(&sql, &keyed("Code", checks)).await;
    let told = async |values: &[(&str, Value)]| {
        let mut all = vec![("Code", json!("a"))];
        all.extend(values.iter().cloned());
        let rows = lab.examine(&row("T", &all)).await.unwrap().remove(0);
        let code = |at: usize| rows.definition.checks[at].code.clone();
        rows.flags.kept.iter().map(|flag| (code(flag.check), flag.finding)).collect::<Vec<_>>()
    };
    let unjudged = |code: &str| (code.to_owned(), Finding::Unjudged);
    assert_eq!(
        told(&[("A", json!(1)), ("B", json!(1)), ("C", json!(2))]).await,
        [("equal".to_owned(), Finding::Broken)]
    );
    assert_eq!(told(&[("A", json!(null)), ("B", json!(1)), ("C", json!(2))]).await, ["within", "equal"].map(unjudged));
    // What the table fills in is not known here.
    assert_eq!(told(&[("A", json!(2)), ("C", json!(2))]).await, ["within"].map(unjudged));
    assert_eq!(told(&[]).await, ["within", "equal"].map(unjudged));
}
