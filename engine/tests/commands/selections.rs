//! Selections of the quarantine, made and taken by the real program.

use serde_json::{Value, json};

use crate::operators::{in_douala, write};

/// Many entries are chosen, counted and dropped as one job. The job goes on with what has no outcome yet.
#[tokio::test(flavor = "multi_thread")]
async fn many_entries_are_counted_first_and_each_has_an_outcome() {
    let centre = in_douala().await;
    write(
        &centre,
        "INSERT INTO xm.quarantine (received_at, reason, held, digest, transport, mailbox, sender_domain, original, original_bytes,
                                    faulty_table)
         SELECT now(), 'unknown_signer', false, sha256(i::text::bytea), 'mail', 'main', 'relay.example.org', 'x', 1, NULL
           FROM generate_series(1, 120) i;
         INSERT INTO xm.quarantine_usage VALUES ('unknown_signer', 1000000)",
    )
    .await;
    let groups = centre.json(&["quarantine", "groups", "--json"]);
    assert_eq!((&groups[0]["entries"], &groups[0]["sender_domain"]), (&json!(120), &json!("relay.example.org")));
    let made = centre.done(&["quarantine", "select", "--reason", "unknown_signer"]);
    assert!(made.starts_with("selection 1: 120 entries; `xmserver quarantine retry --selection 1"), "{made}");
    let all = ["quarantine", "drop", "--selection", "1", "--reason", "advertising"];
    assert!(centre.refused(&all).contains("selection 1 has 120 entries left: say --count 120 to take them"));
    write(&centre, "UPDATE xm.quarantine SET state = 'dropped' WHERE id = 7").await;
    let dropped = centre.json(&[&all[..], &["--count", "120", "--json"]].concat());
    let outcomes: Vec<&Value> = dropped["taken"].as_array().unwrap().iter().map(|item| &item["outcome"]).collect();
    assert_eq!((outcomes.len(), outcomes[6], outcomes[7]), (120, &json!("decided"), &json!("dropped")));
    assert!(centre.done(&all).contains("no entry has got an outcome, 0 left without one"));
    let items = centre.done(&["quarantine", "selection", "1"]);
    assert!(items.contains("120 entries, 0 without an outcome") && items.contains("superviseur"), "{items}");
    assert!(centre.done(&["quarantine", "groups"]).starts_with("no entry of the quarantine is open"));
}
