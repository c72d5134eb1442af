//! Tests of flags, in the receipts of accepted letters and for the operators.

use sdc::answer::receipt::{FlaggedRow, Verdict};
use sdc::refusal::RefusalCode;
use serde_json::{Value, json};

use super::lab::{AGENCY, Lab, OPERATOR, fault, keyed, row, table};
use crate::agencies::scopes;
use crate::samples;
use crate::tables::examine::{Finding, Sides};

/// Makes a centre with the sample `election`. Its office may send rows about stations B02 and B03.
async fn election() -> Lab {
    let lab = Lab::empty().await;
    let mut connection = lab.world.connection().await;
    samples::restore(&mut connection, &OPERATOR, "election").await.unwrap();
    let codes = ["B02", "B03"].map(str::to_owned);
    scopes::grant(&mut connection, &OPERATOR, AGENCY.try_into().unwrap(), "bureaucode", &codes).await.unwrap();
    drop(connection);
    lab.world
        .sql(
            r#"INSERT INTO election."BureauVote" ("Status", "ElectionCode", "BureauCode", "Libelle", "Region", "Inscrits")
               VALUES (2, 'PR26', 'B02', 'École publique', 'Littoral', 500), (2, 'PR26', 'B03', 'Mairie', 'Littoral', 500);
               INSERT INTO election."CandidatElection" ("Status", "ElectionCode", "CandidatCode", "Nom", "Ordre")
               VALUES (2, 'PR26', 'C1', 'Nom 1', 1)"#,
        )
        .await;
    lab
}

/// Makes the results of stations. Each station has a code, signatures and ballots; all ballots are for one candidate.
fn results(stations: &[(&str, u32, u32)]) -> String {
    let all = |value: Value| vec![value; stations.len()];
    let each = |value: &dyn Fn(&(&str, u32, u32)) -> Value| stations.iter().map(value).collect::<Vec<Value>>();
    let numbers = || (1..=stations.len()).map(Value::from).collect::<Vec<Value>>();
    let (codes, signatures) = (each(&|(code, _, _)| json!(code)), each(&|(_, signatures, _)| json!(signatures)));
    let ballots = || each(&|(_, _, ballots)| json!(ballots));
    let table = |table: &str, columns: &[(&str, Vec<Value>)]| {
        let (names, values): (Vec<&str>, Vec<&Vec<Value>>) = columns.iter().map(|(name, one)| (*name, one)).unzip();
        json!({"table": table, "columns": names, "values": values})
    };
    let head = [("Numero", numbers()), ("Status", all(json!(2))), ("ElectionCode", all(json!("PR26")))];
    let with =
        |more: Vec<(&'static str, Vec<Value>)>| [head.to_vec(), vec![("BureauCode", codes.clone())], more].concat();
    let result = with(vec![
        ("Inscrits", all(json!(500))),
        ("Emargements", signatures),
        ("BulletinsTrouves", ballots()),
        ("Nuls", all(json!(0))),
        ("Blancs", all(json!(0))),
        ("Exprimes", ballots()),
        ("President", all(json!("A. Mbarga"))),
    ]);
    let votes = with(vec![("CandidatCode", all(json!("C1"))), ("Voix", ballots())]);
    let tables = [table("ResultatBureau", &result), table("VoixCandidat", &votes)];
    json!({"application": "election", "tables": tables}).to_string()
}

/// A result with more ballots than signatures is accepted. The flag is in its receipt, and is stored for the operators until somebody
/// explains it.
#[tokio::test]
async fn more_ballots_than_signatures_are_told_in_the_receipt_and_kept_for_the_operators() {
    let told = |row, arithmetic: &str| FlaggedRow { row, arithmetic: arithmetic.to_owned() };
    let two_stations = results(&[("B02", 9, 9), ("B03", 8, 12)]);
    let nobody_signed = results(&[("B02", 0, 7), ("B03", 0, 0)]);
    for (body, row) in [
        (fault!("flagging-check-is-never-told", "body.json"), told(1, "BulletinsTrouves 7 (7) <= Emargements 6 (6)")),
        (&two_stations, told(2, "BulletinsTrouves 12 (12) <= Emargements 8 (8)")),
        (&nobody_signed, told(1, "BulletinsTrouves 7 (7) <= Emargements 0 (0)")),
    ] {
        let mut lab = election().await;
        let receipt = lab.send(body).await;
        assert_eq!((receipt.verdict, &receipt.refusal), (Verdict::Accepted, &None), "{body}");
        let [flag] = receipt.flags.as_slice() else { panic!("{body}: {:?}", receipt.flags) };
        assert_eq!((flag.table.as_str(), flag.check.as_str()), ("ResultatBureau", "ballots_within_signatures"));
        assert_eq!((flag.unjudged, flag.rows_total, flag.rows.as_slice()), (false, 1, &[row][..]), "{body}");
        assert_eq!(lab.world.count("SELECT flag_count FROM xm.journal").await, 1);
        let kept = "SELECT count(*) FROM xm.flags WHERE agency = 42 AND explained_at IS NULL";
        assert_eq!(lab.world.count(kept).await, 1);
        // The same results in a new letter raise no flag, because they were flagged at their first arrival.
        assert_eq!(lab.send(body).await.flags, []);
        assert_eq!(lab.world.count(kept).await, 1);
    }
    let mut lab = election().await;
    assert_eq!(
        lab.send(&results(&[("B02", 9, 9), ("B03", 8, 7)])).await.flags,
        [],
        "as many, or fewer: nothing to tell"
    );
    assert_eq!(lab.world.count("SELECT count(*) FROM xm.flags").await, 0);
}

#[tokio::test]
async fn a_flagging_check_is_reckoned_for_each_row_and_refuses_nobody() {
    let lab = election().await;
    let body = fault!("flagging-check-is-never-told", "body.json");
    let examined = lab.examine(body).await.unwrap();
    let result = &examined[0];
    assert_eq!((result.flags.iter().count(), examined[1].flags.iter().count()), (1, 0));
    let flag = result.flags.iter().next().unwrap();
    let check = &result.definition.checks[flag.check];
    assert_eq!((flag.finding, check.code.as_str()), (Finding::Broken, "ballots_within_signatures"));
    assert_eq!(flag.rows, [0]);
    let figures = Sides::of(check, result, &examined, None).figures(0);
    assert_eq!(figures.arithmetic(check), "BulletinsTrouves 7 (7) <= Emargements 6 (6)");
    // With as many ballots as signatures there is no flag. Checks with severity `refuse` still apply.
    let calm = body.replace("6\n", "7\n");
    assert_ne!(calm, body);
    assert_eq!(lab.examine(&calm).await.unwrap()[0].flags.iter().count(), 0);
    let wrong = body.replacen("7\n", "8\n", 1);
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
        rows.flags.iter().map(|flag| (code(flag.check), flag.finding)).collect::<Vec<_>>()
    };
    let unjudged = |code: &str| (code.to_owned(), Finding::Unjudged);
    assert_eq!(
        told(&[("A", json!(1)), ("B", json!(1)), ("C", json!(2))]).await,
        [("equal".to_owned(), Finding::Broken)]
    );
    assert_eq!(told(&[("A", json!(null)), ("B", json!(1)), ("C", json!(2))]).await, ["within", "equal"].map(unjudged));
    // Examination does not know the value that the table's default will give to a column, so checks on the column are unjudged.
    assert_eq!(told(&[("A", json!(2)), ("C", json!(2))]).await, ["within"].map(unjudged));
    assert_eq!(told(&[]).await, ["within", "equal"].map(unjudged));
}
