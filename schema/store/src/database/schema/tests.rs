//! Tests that compare the declarations in `schema.rs`, which are written by hand, with the tables that the migrations make.

use std::collections::{BTreeMap, BTreeSet};

use diesel::sql_types::{Bool, Text};
use diesel_async::RunQueryDsl;

use crate::database::statement::Statement;
use crate::testing::TestCluster;

/// Columns of each table; the type of each column is written as diesel's.
type Tables = BTreeMap<String, BTreeMap<String, String>>;

/// Reads the declarations from the text of `schema.rs`, since `table!` gives no list of its columns.
fn declared() -> Tables {
    let mut tables = Tables::new();
    let (mut table, mut sql_name) = (None, None);
    for line in include_str!("../schema.rs").lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("xm.").and_then(|rest| rest.split_once(" (")).map(|(name, _)| name) {
            table = Some(name.to_owned());
        } else if let Some(name) = line.strip_prefix("#[sql_name = \"").and_then(|rest| rest.strip_suffix("\"]")) {
            sql_name = Some(name.to_owned());
        } else if let (Some(table), Some((column, kind))) = (&table, line.split_once(" -> ")) {
            let column = sql_name.take().unwrap_or_else(|| column.to_owned());
            tables.entry(table.clone()).or_default().insert(column, kind.trim_end_matches(',').to_owned());
        }
    }
    tables
}

fn diesel_name(data_type: &str, element: &str, nullable: bool) -> String {
    let plain = |name: &str| match name {
        "smallint" => "SmallInt",
        "integer" | "int4" => "Integer",
        "bigint" => "BigInt",
        "boolean" => "Bool",
        "text" => "Text",
        "bytea" => "Bytea",
        "uuid" => "Uuid",
        "jsonb" => "Jsonb",
        "date" => "Date",
        "timestamp with time zone" => "Timestamptz",
        other => panic!("{other}: name it here"),
    };
    let name = if data_type == "ARRAY" {
        format!("Array<{}>", plain(element.trim_start_matches('_')))
    } else {
        plain(data_type).to_owned()
    };
    if nullable { format!("Nullable<{name}>") } else { name }
}

/// Columns that are not declared. Some of them are read with plain SQL, since diesel takes twice as long to compile tables of more than
/// sixteen columns. The columns named `profile` exist for programs of the former version.
const LEFT_OUT: [(&str, &str); 19] = [
    ("agencies", "profile"),
    ("agencies", "searched"),
    ("rights", "profile"),
    ("tariffs", "profile"),
    ("installations", "transport"),
    ("installations", "cipher"),
    ("installations", "dictionary"),
    ("installations", "certificate"),
    ("installations", "notice_highest"),
    ("installations", "notice_seen"),
    ("installations", "heard_at"),
    ("installations", "rhythm_days"),
    ("server", "told_since"),
    ("quarantine", "claimed_agency"),
    ("quarantine", "signer"),
    ("quarantine", "sender"),
    ("quarantine", "subject"),
    ("quarantine", "signer_beside"),
    ("quarantine", "faulty_table"),
];

/// Tables and views that only plain SQL or triggers read and write.
const UNDECLARED: [&str; 32] = [
    "__diesel_schema_migrations",
    "answer_parts",
    "attempts",
    "broadcasts",
    "enrolment_codes",
    "epochs",
    "held",
    "held_rows",
    "history",
    "in_hand",
    "journal",
    "leases",
    "ledger_difference",
    "messages",
    "migrations",
    "notices",
    "outbox",
    "parts_kept",
    "profile_changes",
    // The view exists for programs of the former version, which had profiles instead of plans.
    "profiles",
    "quarantine_counts",
    "quarantine_vouched",
    "read_usage",
    "reading_parts",
    "readings",
    "recharge_tries",
    "replicas",
    "selection_items",
    "selections",
    "suspects",
    "voucher_batches",
    "vouchers",
];

#[tokio::test]
async fn every_table_of_the_migrations_is_declared_or_named_here() {
    let database = TestCluster::shared().await.database().await;
    let text = "SELECT c.relname::text FROM pg_class c
                 WHERE c.relnamespace = 'xm'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition";
    let made: Vec<String> = Statement::<Text>::new(text, &[]).load(&mut *database.get().await.unwrap()).await.unwrap();
    let known: BTreeSet<String> = declared().into_keys().chain(UNDECLARED.into_iter().map(str::to_owned)).collect();
    assert_eq!(made.into_iter().collect::<BTreeSet<String>>(), known);
}

#[tokio::test]
async fn every_table_has_the_columns_that_the_migrations_made() {
    let declared = declared();
    assert!(declared.len() >= 15 && declared.values().all(|columns| columns.len() > 1), "the source is read");
    let database = TestCluster::shared().await.database().await;
    let text = "SELECT table_name::text, column_name::text, data_type::text, udt_name::text, is_nullable = 'YES'
                  FROM information_schema.columns WHERE table_schema = 'xm'";
    let rows: Vec<(String, String, String, String, bool)> = Statement::<(Text, Text, Text, Text, Bool)>::new(text, &[])
        .load(&mut *database.get().await.unwrap())
        .await
        .unwrap();
    let mut made = Tables::new();
    for (table, column, data_type, element, nullable) in rows {
        let is_left_out = LEFT_OUT.contains(&(table.as_str(), column.as_str()));
        if declared.contains_key(&table) && !is_left_out {
            made.entry(table).or_default().insert(column, diesel_name(&data_type, &element, nullable));
        }
    }
    assert_eq!(declared, made);
}
