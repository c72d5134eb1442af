//! Agencies without e-mail, plans of agencies and statements: commands of the real program against a real PostgreSQL.

use serde_json::json;

use crate::operators::{agencies, in_douala, write};

/// An agency without e-mail can send letters only through the transfer folder.
#[tokio::test(flavor = "multi_thread")]
async fn an_agency_may_have_no_e_mail() {
    let centre = in_douala().await;
    centre.done(&["agency", "add", "--matricule", "7", "--name", "Sans poste", "--plan", "standard"]);
    assert!(centre.done(&["agency", "show", "7"]).lines().any(|line| line == "email          none"));
    assert_eq!(centre.json(&["agency", "show", "7", "--json"])["email"], "");
    assert!(centre.done(&["agency", "list"]).lines().any(|line| line.ends_with("Sans poste        -")));
    let told = centre.done(&["agency", "edit", "7", "--email", "poste@example.org"]);
    assert!(told.contains("email: none → poste@example.org\nnext: xmserver answer retry"), "{told}");
    assert_eq!(
        centre.done(&["agency", "edit", "7", "--no-email"]),
        "agency 000007 changed\nemail: poste@example.org → none\n"
    );
    assert_eq!(centre.done(&["agency", "edit", "7", "--email", ""]), "agency 000007 is as it was\n");
    centre.ended(2, &["agency", "edit", "7", "--no-email", "--email", "poste@example.org"]);

    // An agency without an e-mail address gets no answers by mail. `check` warns of this only after an installation of the agency has
    // written by mail.
    let check = || centre.say(&["check"]).out;
    assert!(!check().contains("no e-mail address"));
    let waits = "UPDATE xm.installations SET transport = 'mail' WHERE agency = 7;
        INSERT INTO xm.outbox (agency, letter_id, transport, failed_at, last_error, attempts) VALUES
            (7, gen_random_uuid(), 'mail', now(),
             'the agency has no e-mail address: `xmserver agency edit` gives it one, then `xmserver answer retry` sends this', 1),
            (7, gen_random_uuid(), 'folder-parts', NULL, NULL, 0)";
    write(&centre, waits).await;
    assert!(check().contains("1 writes by mail and has no e-mail address, so its answers are given up"));
    let listed = centre.done(&["answer", "list"]);
    let line = |words: [&str; 2]| listed.lines().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(line(["no address", "the agency has no e-mail address"]) && line(["the transfer folder", "-"]), "{listed}");
    let listed = centre.done(&["--lang", "fr", "answer", "list"]);
    assert!(listed.contains("sans adresse") && listed.contains("n'a pas d'adresse électronique"), "{listed}");
    let listed = centre.json(&["answer", "list", "--json"]);
    assert_eq!((&listed[0]["transport"], &listed[1]["transport"]), (&json!("mail"), &json!("folder")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_former_name_of_a_plan_is_still_read() {
    let centre = in_douala().await;
    write(&centre, "INSERT INTO xm.plans (name) VALUES ('gold')").await;
    centre.done(&["agency", "add", "--matricule", "1", "--name", "a", "--profile", "gold"]);
    assert_eq!(centre.json(&["agency", "list", "--profile", "gold", "--json"])[0]["plan"], "gold");
    assert!(centre.done(&["agency", "edit", "1", "--profile", "standard"]).contains("plan: gold → standard"));
    centre.done(&["tariff", "set", "export", "--per-act", "1", "--profile", "gold"]);
    assert_eq!(centre.json(&["tariff", "list", "--json"])[0]["plan"], "gold");
    let help = centre.done(&["agency", "add", "--help"]);
    assert!(help.contains("--plan <PLAN>") && !help.contains("profile"), "{help}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_what_the_office_would_be_told() {
    let centre = in_douala().await;
    agencies(&centre, 2).await;
    let posted = "INSERT INTO xm.entries (debit, credit, amount, kind, agency, letter_id, balance_after, note, posted_at)
        SELECT CASE WHEN m < 0 THEN a.id ELSE o.id END, CASE WHEN m < 0 THEN o.id ELSE a.id END, abs(m), k, 1, l, b, n, t::timestamptz
          FROM xm.accounts a, xm.accounts o,
               (VALUES (1000, 'recharge', NULL::uuid, 1000, '', '2026-10-31 22:59Z'),
                       (-300, 'manual', NULL, 700, 'Imprimés', '2026-10-31 23:00Z'),
                       (-50, 'letter', '019a5f0e-8f3b-7c61-a2d4-5b1e9c3f7a08', 650, '', '2026-11-30 22:59Z')) v (m, k, l, b, n, t)
         WHERE a.agency = 1 AND o.kind = 'adjustment' ORDER BY t;
        UPDATE xm.accounts SET balance = 650, credit_limit = 500 WHERE agency = 1";
    write(&centre, posted).await;
    let of_november = ["agency", "statement", "1", "--from", "2026-11-01", "--to", "2026-11-30"];
    assert_eq!(
        centre.done(&of_november),
        "account of agency 000001 Mairie 1, from 2026-11-01 to 2026-11-30\nbalance before: 1000 XAF\n\n\
         TIME                 ENTRY   AMOUNT    BALANCE  LETTER                                NOTE\n\
         2026-11-01 00:00:00  bill    -300 XAF  700 XAF  -                                     Imprimés\n\
         2026-11-30 23:59:00  letter  -50 XAF   650 XAF  019a5f0e-8f3b-7c61-a2d4-5b1e9c3f7a08  -\n\n\
         balance after: 650 XAF; credit limit 500 XAF\n"
    );
    assert_eq!(centre.done(&["agency", "statement", "1", "--to", "2026-11-30"]), centre.done(&of_november));
    let told = centre.json(&[&of_november[..], &["--json"]].concat());
    assert_eq!((&told["agency"], &told["opening"], &told["closing"]), (&json!(1), &json!(1000), &json!(650)));
    assert_eq!((&told["entries"][1]["balance"], &told["entries_total"]), (&json!(650), &json!(2)));
    let french = centre.done(&[&of_november[..], &["--lang", "fr"]].concat());
    assert!(french.contains("solde avant\u{a0}: 1000 XAF") && french.contains("facture"), "{french}");
    let nothing = centre.done(&["agency", "statement", "2", "--from", "2026-11-01", "--to", "2026-11-02"]);
    assert!(nothing.contains("no entry\n\nbalance after: 0 XAF"), "{nothing}");
    let all = centre.json(&["agency", "statement", "1", "--from", "0001-01-01", "--to", "2026-11-30", "--json"]);
    assert_eq!((&all["entries_total"], &all["closing"]), (&json!(3), &json!(650)));
    let refused = centre.refused(&["agency", "statement", "1", "--from", "2026-11-02", "--to", "2026-11-01"]);
    assert!(refused.contains("ends on 2026-11-01 and begins on 2026-11-02"), "{refused}");
    assert!(centre.absent(&["agency", "statement", "9"]).contains("agency 000009 does not exist"));
}
