//! Logs contain letter ids and matricules, but never a record's content. The tests plant values in records, cause success, refusal, fault
//! and panic, and search for the values in every line that the centre and PostgreSQL write.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "the other tests use the rest")]
mod centre;

use std::time::Duration;

use actors::supervision::Policy;
use centre::World;
use sdc::letter::Letter;
use sdc::request::Request;
use serde_json::{Value, json};
use simulation::log::LogLines;
use store::testing::TestCluster;
use tracing_subscriber::{EnvFilter, fmt};

/// Text that no log line may contain.
const CANARY: &str = "KANARI";

fn set(letter: &mut Letter, column: &str, value: Value) {
    let Request::Export(records) = &mut letter.request else { panic!("not an export") };
    let table = &mut records.tables[0];
    let at = table.columns.iter().position(|name| name == column).unwrap();
    table.values[at][0] = value;
}

#[test]
fn no_value_of_a_record_reaches_a_log() {
    let _scenario = fail::FailScenario::setup();
    let lines = LogLines::default();
    // Libraries log the parameters of statements. The program never enables their logs (`engine::logging`), so only the project's own
    // crates log here.
    let ours = EnvFilter::new("off,actors=trace,mail=trace,sdc=trace,store=trace");
    fmt().with_env_filter(ours).with_writer(lines.writer()).try_init().unwrap();
    let mut world = World::new();
    let no_zorro =
        "ALTER TABLE ecr.\"MentionMarginale\" ADD CONSTRAINT no_zorro CHECK (\"Officier\" NOT LIKE '%ZORRO%')";
    world.sql(no_zorro);
    let policy = Policy { backoff_min: Duration::from_millis(5), restarts_max: 100, ..Policy::default() };
    let running = world.start(policy);

    let changes = [
        ("Officier", json!(format!("{CANARY} accepted")), "accepted"),
        ("DateMention", json!(format!("{CANARY} no date")), "rows_invalid"),
        ("CentreCode", json!(format!("{CANARY}-042")), "out_of_scope"),
        // Only PostgreSQL detects this mistake. Its message quotes the row.
        ("Officier", json!(format!("{CANARY} ZORRO")), "rows_invalid"),
    ];
    let mut refused = Vec::new();
    for (column, value, outcome) in changes {
        let (mut letter, _) = world.next_mail();
        set(&mut letter, column, value);
        set(&mut letter, "Texte", json!(format!("{CANARY} text")));
        let mail = world.mail(&letter);
        world.deliver(mail);
        let settled =
            format!("SELECT count(*) FROM xm.letters WHERE letter_id = '{}' AND verdict = '{outcome}'", letter.id);
        world.wait_for(&format!("letters {outcome}"), &settled, 1);
        if outcome != "accepted" {
            refused.push((letter.id.to_string(), outcome));
        }
    }
    fail::cfg("table_writer::written", &format!("1*panic({CANARY} in a panic)")).unwrap();
    let (mut letter, _) = world.next_mail();
    set(&mut letter, "Texte", json!(format!("{CANARY} text")));
    let mail = world.mail(&letter);
    world.deliver(mail);
    world.wait_for("accepted letters", "SELECT count(*) FROM xm.letters WHERE verdict = 'accepted'", 2);
    assert!(running.drain());

    let ours = lines.text();
    let of_database = world.runtime.block_on(async { TestCluster::shared().await.log() });
    assert!(ours.contains("table_writer") && !of_database.is_empty(), "there are lines to look at");
    for (id, code) in refused {
        let is_told = |line: &str| line.contains("a letter was refused") && line.contains(&id) && line.contains(code);
        assert_eq!(ours.lines().filter(|line| is_told(line)).count(), 1, "{id} {code}");
    }
    let as_octets = format!("{:?}", CANARY.as_bytes());
    let forms = [CANARY, as_octets.trim_matches(['[', ']'])];
    for line in ours.lines().chain(of_database.lines()) {
        assert!(!forms.iter().any(|form| line.contains(form)), "{line}");
    }
}
