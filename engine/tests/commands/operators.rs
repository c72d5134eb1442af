//! Commands of a working day: days in the centre's zone, changes of agencies, whole lists, the history of a letter, JSON for programs. The
//! real program runs against a real PostgreSQL.

use diesel_async::SimpleAsyncConnection;
use serde_json::{Value, json};
use store::database::{Database, DatabaseSettings};

use crate::centre::{Centre, INIT};

pub async fn in_douala() -> Centre {
    let centre = Centre::on_a_database_of_its_own().await;
    centre.done(&[&INIT[..], &["--zone", "africa/douala", "--currency", "xaf"]].concat());
    centre
}

/// Runs statements in the centre's database, where a test needs rows that letters would cause.
pub async fn write(centre: &Centre, statements: &str) {
    let database = Database::new(DatabaseSettings::new(centre.url.clone().unwrap())).unwrap();
    database.get().await.unwrap().batch_execute(statements).await.unwrap();
}

pub async fn agencies(centre: &Centre, count: u32) {
    let statements = format!(
        "INSERT INTO xm.agencies (matricule, name, email) SELECT n, 'Mairie ' || n, 'o' || n || '@example.org'
             FROM generate_series(1, {count}) n;
         INSERT INTO xm.accounts (kind, agency) SELECT 'agency', n FROM generate_series(1, {count}) n;"
    );
    write(centre, &statements).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_begins_with_the_first_hour_of_its_day_and_may_be_taken_back_before() {
    let centre = in_douala().await;
    let told = centre.done(&["tariff", "set", "export", "--per-act", "100"]);
    assert!(told.ends_with("from now on; an agency without credit owes it\n"), "{told}");
    for refuses in [&["import"][..], &["correct", "--credit", "refuse"]] {
        let told = centre.done(&[&["tariff", "set"], refuses, &["--per-act", "100", "--from", "2098-12-01"]].concat());
        assert!(told.ends_with("WAT on; an agency without credit is refused\n"), "{told}");
        centre.done(&["tariff", "cancel", told.split([' ', ':']).nth(1).unwrap()]);
    }
    let told = centre.done(&["tariff", "set", "export", "--per-act", "150", "--from", "2099-12-01"]);
    assert!(told.contains("from 2099-12-01 00:00:00 WAT on"), "{told}");
    let listed = centre.json(&["tariff", "list", "--json"]);
    assert_eq!(listed[1]["valid_from"], "2099-11-30T23:00:00Z", "{listed}");
    // The operator types a time as the program shows it, with the zone WAT. The command is refused, because another price is valid from
    // then on. The refusal must give the beginning of that price in the centre's zone.
    let refused = centre.refused(&["tariff", "set", "export", "--per-act", "1", "--from", "2099-12-01 00:00:00 WAT"]);
    assert!(refused.contains("is valid from 2099-12-01 00:00:00 WAT: begin"), "{refused}");
    let refused = centre.refused(&["tariff", "set", "export", "--per-act", "1", "--from", "yesterday"]);
    assert!(refused.contains("a time that is not past"), "{refused}");
    let said = centre.say(&["tariff", "set", "export", "--from", "01/12/2099"]);
    assert!(said.code == Some(2) && said.err.contains("2026-11-30 18:00"), "{}", said.err);

    let told = centre.done(&["tariff", "cancel", &listed[1]["id"].to_string()]);
    assert!(told.contains("would have begun 2099-12-01 00:00:00 WAT"), "{told}");
    let left = centre.json(&["tariff", "list", "--with-ended", "--json"]);
    assert_eq!((left.as_array().unwrap().len(), &left[0]["valid_to"]), (1, &Value::Null), "{left}");
    let refused = centre.refused(&["tariff", "cancel", &left[0]["id"].to_string()]);
    assert!(refused.contains("WAT: a price that was valid stays on record"), "{refused}");
    assert!(centre.absent(&["tariff", "cancel", "999"]).contains("tariff 999 does not exist"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agency_is_changed_and_the_change_is_told() {
    let centre = in_douala().await;
    agencies(&centre, 2).await;
    let told = centre.done(&[
        "agency",
        "edit",
        "2",
        "--email",
        "edea@example.org",
        "--town",
        "Édéa",
        "--credit-limit",
        "5000",
        "--cbc",
        "oui",
    ]);
    assert_eq!(
        told,
        "agency 000002 changed\ntown:  → Édéa\nemail: o2@example.org → edea@example.org\n\
         credit limit: 0 XAF → 5000 XAF\nCBC allowed: no → yes\n\
         next: xmserver answer retry --agency 000002 sends what waits to the new address\n"
    );
    assert_eq!(centre.done(&["agency", "edit", "2", "--town", "Édéa"]), "agency 000002 is as it was\n");
    let shown = centre.done(&["agency", "show", "2"]);
    assert!(shown.contains("5000 XAF (for services that are not owed)\n"), "{shown}");
    let shown = centre.json(&["agency", "show", "2", "--json"]);
    assert_eq!((&shown["credit_limit"], &shown["cbc_allowed"]), (&json!(5000), &json!(true)));
    let changed = centre.json(&["agency", "edit", "1", "--letter-limit", "8192", "--json"]);
    assert_eq!(
        (&changed["before"]["letter_bytes_max"], &changed["after"]["letter_bytes_max"]),
        (&json!(262_144), &json!(8192))
    );
    assert!(centre.ended(2, &["agency", "edit", "1"]).contains("--email"), "something must be changed");
    assert!(centre.refused(&["agency", "edit", "1", "--letter-limit", "1"]).contains("4096 to 16777216 bytes"));
    assert!(
        centre.refused(&["agency", "edit", "1", "--credit-limit", "-5"]).contains("the amount \"-5\" is not valid")
    );
    assert!(centre.refused(&["agency", "edit", "1", "--email", "a b@c"]).contains("local@domain"));
    assert!(centre.absent(&["agency", "edit", "1", "--plan", "nope"]).contains("plan nope does not exist"));
    assert!(centre.absent(&["agency", "edit", "9", "--town", "x"]).contains("agency 000009 does not exist"));
    assert!(centre.refused(&["agency", "recharge", "1", "-5"]).contains("the amount \"-5\" is not valid"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_list_ends_silently() {
    let centre = in_douala().await;
    agencies(&centre, 114).await;
    let listed = centre.done(&["agency", "list"]);
    assert_eq!(listed.lines().count(), 102);
    assert!(listed.ends_with("100 of 114; more: --after 000100, or --all\n"), "{listed}");
    assert!(centre.done(&["agency", "list", "--after", "000100"]).lines().count() == 15);
    assert_eq!(centre.done(&["agency", "list", "--all"]).lines().count(), 115);
    assert_eq!(centre.done(&["agency", "list", "--limit", "114"]).lines().count(), 115);
    assert_eq!(centre.json(&["agency", "list", "--json"]).as_array().unwrap().len(), 114);
    assert_eq!(centre.json(&["agency", "list", "--json", "--limit", "7"]).as_array().unwrap().len(), 7);
    assert_eq!(centre.json(&["agency", "list", "--json", "--text", "000107"])[0]["matricule"], 107);

    let lines = "INSERT INTO xm.journal (received_at, outcome, transport, mailbox, container_bytes)
                 SELECT now(), 'no_container', 'mail', 'main', 5 FROM generate_series(1, 2500);";
    write(&centre, lines).await;
    assert_eq!(centre.json(&["journal", "list", "--json"]).as_array().unwrap().len(), 2500, "pages are put together");
    let listed = centre.done(&["journal", "list", "--limit", "2"]);
    assert!(listed.ends_with("2 of 2500; more: --before 2499, or --all\n"), "{listed}");
    write(&centre, &lines.replace("2500", "9000")).await;
    assert!(
        centre.done(&["journal", "list"]).contains("100 of more than 10"),
        "no more is counted than a person needs"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_of_no_meaning_are_refused_with_the_admitted_ones() {
    let centre = in_douala().await;
    for (arguments, admitted) in [
        (["journal", "list", "--outcome", "nonsense"], "accepted"),
        (["quarantine", "list", "--reason", "nonsense"], "unknown_signer"),
        (["agency", "list", "--status", "9"], "0..=3"),
    ] {
        let told = centre.ended(2, &arguments);
        assert!(told.contains(admitted), "{told}");
    }
    let refused = centre.refused(&["agency", "list", "--plan", "nope"]);
    assert!(refused.contains("expected one of standard"), "{refused}");
    assert_eq!(centre.done(&["quarantine", "list", "--reason", "conflict"]), "the quarantine is empty\n");
    write(
        &centre,
        "INSERT INTO xm.quarantine (received_at, reason, held, digest, transport, mailbox, sender_domain, original, original_bytes)
         VALUES (now(), 'no_container', false, sha256('x'), 'mail', 'main', '', 'x', 1)",
    )
    .await;
    let told = centre.done(&["quarantine", "list", "--reason", "conflict"]);
    assert!(told.starts_with("no entry of the quarantine is such a one"), "{told}");
    assert!(centre.done(&["quarantine", "list"]).contains("no_container"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stranger_claims_is_shown_as_claimed() {
    let centre = in_douala().await;
    write(
        &centre,
        "INSERT INTO xm.quarantine (received_at, reason, held, digest, transport, mailbox, sender_domain, original, original_bytes,
                                    claimed_agency, signer, sender, subject)
         VALUES ('2026-11-30 17:00Z', 'unknown_signer', false, sha256('x'), 'mail', 'main', 'example.org', 'x', 1,
                 101, 'key id 1ac5', 'Mairie <m@example.org>', 'Actes'),
                ('2026-11-30 17:00Z', 'no_container', false, sha256('y'), 'mail', 'main', '', 'x', 1, NULL, NULL, NULL, NULL);
         INSERT INTO xm.journal (received_at, outcome, transport, mailbox, container_bytes)
         VALUES ('2026-11-30 17:00Z', 'unknown_signer', 'mail', 'main', 1)",
    )
    .await;
    let shown = centre.done(&["quarantine", "show", "1"]);
    for line in [
        "reason                signed with a stranger's key [unknown_signer]",
        "What to do: if agency 000101 confirms the certificate, `xmserver cert register 101 FILE`",
        "claimed agency        000101 (claimed, not proven)",
        "claimed signer        key id 1ac5 (claimed, not proven)",
        "sender                Mairie <m@example.org> (claimed, not proven)",
        "subject               Actes",
        "received              2026-11-30 18:00:00 WAT",
        "journal lines         1",
        "state                 open",
    ] {
        assert!(shown.contains(line), "{line} is missing in\n{shown}");
    }
    let french = centre.done(&["--lang", "fr", "quarantine", "show", "1"]).replace('\u{a0}', " ");
    for line in [
        "identifiant de clé 1ac5 (déclaré, non prouvé)",
        "courriel\n",
        "signée avec la clé d'un inconnu [unknown_signer]",
    ] {
        assert!(french.contains(line), "{line} is missing in\n{french}");
    }
    // The list and the command for one entry use the same word for the entry's state.
    write(&centre, "UPDATE xm.quarantine SET held = true WHERE id = 1").await;
    assert!(centre.done(&["quarantine", "list"]).lines().any(|line| line.starts_with("1 ") && line.contains(" held ")));
    assert!(centre.done(&["quarantine", "show", "1"]).contains("state                 held\n"));
    assert!(!centre.done(&["quarantine", "show", "2"]).contains("What to do"), "no certificate is missing there");
    assert!(centre.done(&["quarantine", "list"]).contains("(000101)"));
    assert!(centre.done(&["quarantine", "show", "2"]).contains("claimed agency        -\n"));
    // The journal and the quarantine number their entries separately, and each shows the number of the entry in the other.
    let shown = centre.done(&["journal", "show", "1"]);
    assert!(shown.contains("1 byte, in quarantine as entry 1"), "{shown}");
    let story = centre.done(&["letter", "show", "1"]);
    assert!(story.contains("whom nobody vouches for") && story.contains("entry 1: unknown_signer"), "{story}");
    let digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
    assert_eq!(centre.done(&["letter", "show", digest]), story);
    assert!(centre.refused(&["answer", "resend", "1"]).contains("whose signature is not proven"));
    centre.done(&["quarantine", "drop", "1", "--reason", "advertising"]);
    let dropped = centre.json(&["quarantine", "show", "1", "--json"]);
    assert_eq!((&dropped["sender"], &dropped["claimed_agency"]), (&Value::Null, &json!(101)), "people's words go");
}

pub const LETTER: &str = "019a5f0e-8f3b-7c61-a2d4-5b1e9c3f7a08";

/// Inserts a letter that is refused because of two rows. The relay took its receipt two hours ago.
pub async fn refused_letter(centre: &Centre) {
    let answer = json!({
        "sdc": 1, "id": "019a5f0e-c2f8-7d05-9c0e-6f6a1f0b2c44", "from": "centre-x",
        "to": { "agency": 1, "installation": "main" }, "time": "2026-11-02T08:15:12Z", "mode": "test",
        "receipt": {
            "letter": LETTER, "digest": "11".repeat(32), "sequence": 7, "attempt": 1, "verdict": "refused",
            "refusal": { "code": "rows_invalid", "parameters": { "application": "ecr" }, "faults": [
                { "table": "ActeNaissance", "row": 3, "column": "Sexe", "rule": "enum", "expected": "M or F" },
                { "table": "ActeNaissance", "row": 5, "rule": "not_null" } ], "faults_total": 12 },
            "remedy": "mend", "account": { "cost": 0, "balance": 9900, "currency": "XAF" }, "highest_sequence": 7,
            "received": "2026-11-02T08:15:10Z", "skew_seconds": -10 }
    });
    let statements = format!(
        "INSERT INTO xm.letters (agency, letter_id, installation, sequence, digest, verdict, transport, certificate, receipt,
                                 received_at, answered_at)
         VALUES (1, '{LETTER}', 'main', 7, decode(repeat('11', 32), 'hex'), 'rows_invalid', 'mail', 1,
                 convert_to('{answer}', 'UTF8'), '2026-11-02 08:15:10Z', '2026-11-02 08:16:00Z');
         INSERT INTO xm.journal (received_at, agency, installation, letter_id, sequence, digest, service, outcome, transport,
                                 mailbox, container_bytes)
         SELECT '2026-11-02 08:15:10Z', 1, 'main', '{LETTER}', 7, decode(repeat('11', 32), 'hex'), 'export', outcome, 'mail',
                'main', 900 FROM unnest(ARRAY['rows_invalid', 'duplicate']) outcome;
         INSERT INTO xm.quarantine (received_at, reason, held, agency, installation, letter_id, digest, transport, mailbox,
                                    sender_domain, original, original_bytes)
         VALUES ('2026-11-02 08:15:10Z', 'rows_invalid', false, 1, 'main', '{LETTER}', sha256('x'), 'mail', 'main', '', 'x', 900);
         INSERT INTO xm.entries (debit, credit, amount, kind, agency, letter_id, attempt, balance_after)
         SELECT a.id, i.id, 100, 'letter', 1, '{LETTER}', 1, 9900
           FROM xm.accounts a, xm.accounts i WHERE a.agency = 1 AND i.kind = 'income';"
    );
    write(centre, &statements).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_of_a_letter_is_one_command() {
    let centre = in_douala().await;
    agencies(&centre, 2).await;
    refused_letter(&centre).await;
    let story = centre.done(&["letter", "show", LETTER]);
    for part in [
        "agency     000001, installation main",
        "sequence   7, attempt 1",
        &format!("payload    SHA-256 {}", "11".repeat(32)),
        "verdict    rows_invalid, 2026-11-02 09:15:10 WAT",
        "line 1: rows_invalid by mail main",
        "line 2: duplicate by mail main",
        "quarantine entry 1: rows_invalid, open; container SHA-256 2d711642",
        "receipt    refused rows_invalid: Values break a rule of their column.",
        "receipt      application: ecr",
        "receipt      ActeNaissance row 3, Sexe: rule enum, expected M or F",
        "receipt      ActeNaissance row 5: rule not_null",
        "receipt      and 10 more faulty rows",
        "receipt    to do: the officer mends it",
        "answer     sent 2026-11-02 09:16:00 WAT",
        "of kind letter: 100 XAF, balance after it 9900 XAF",
    ] {
        assert!(story.contains(part), "{part} is missing in\n{story}");
    }
    for other in ["2", &"11".repeat(32), &"11:".repeat(32)[..95]] {
        assert_eq!(centre.done(&["letter", "show", other]), story, "by {other}");
    }
    let french = centre.done(&["--lang", "fr", "letter", "show", LETTER]).replace(['\u{a0}', '\u{202f}'], " ");
    for part in [
        "n° d'ordre  7, tentative 1",
        "ligne 2 : déjà venue [duplicate] par courriel (main)",
        "de genre lettre : 100 XAF",
        "et 10 autres lignes fautives",
    ] {
        assert!(french.contains(part), "{part} is missing in\n{french}");
    }
    let programs = centre.json(&["letter", "show", LETTER, "--json"]);
    assert_eq!(programs[0]["receipt"]["refusal"]["faults"][0]["column"], "Sexe");
    assert_eq!(programs[0]["quarantine"][0]["container_digest"].as_str().unwrap().len(), 64);
    assert_eq!(programs[0]["journal"][0]["payload_digest"], "11".repeat(32));
    assert!(centre.absent(&["letter", "show", LETTER, "--agency", "2"]).contains("no letter is known by"));
    assert!(centre.ended(2, &["letter", "show", "xyz"]).contains("64 hexadecimal digits"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_shown_in_words_and_sent_again_on_request() {
    let centre = in_douala().await;
    agencies(&centre, 1).await;
    refused_letter(&centre).await;
    let told = centre.done(&["answer", "show", LETTER]);
    assert!(told.starts_with(&format!("letter {LETTER} of agency 000001\nrefused rows_invalid")), "{told}");
    assert!(told.ends_with("sent 2026-11-02 09:16:00 WAT\n"), "{told}");
    assert_eq!(centre.json(&["answer", "show", LETTER, "--json"])[0]["verdict"], "refused");

    let told = centre.done(&["answer", "resend", LETTER]);
    assert_eq!(told, format!("the receipt of letter {LETTER} goes to agency 000001 again\n"));
    let waiting = centre.json(&["answer", "list", "--json"]);
    assert_eq!((waiting.as_array().unwrap().len(), &waiting[0]["letter_id"]), (1, &json!(LETTER)));
    // Sending of the receipt was given up. `resend` queues the same answer again, and makes no second answer.
    write(&centre, "UPDATE xm.outbox SET failed_at = now(), attempts = 9, last_error = 'no such user'").await;
    let told = centre.done(&["answer", "show", LETTER]);
    assert!(told.contains("9 attempts, given up") && told.contains("the relay said: no such user"), "{told}");
    centre.done(&["answer", "resend", "1"]);
    let waiting = centre.json(&["answer", "list", "--json"]);
    assert_eq!((waiting.as_array().unwrap().len(), &waiting[0]["is_given_up"]), (1, &json!(false)));
    assert!(
        centre.absent(&["answer", "resend", "019a5f0e-8f3b-7c61-a2d4-000000000000"]).contains("no letter is known")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_get_json_whatever_happens() {
    let centre = in_douala().await;
    agencies(&centre, 1).await;
    let error = |code: i32, arguments: &[&str]| -> Value {
        let told = centre.ended(code, arguments);
        serde_json::from_str(&told).unwrap_or_else(|_| panic!("{arguments:?}: {told}"))
    };
    let absent = error(3, &["agency", "show", "9", "--json"]);
    assert_eq!((&absent["error"]["code"], &absent["error"]["exit_code"]), (&json!("agency_unknown"), &json!(3)));
    assert!(absent["error"]["message"].as_str().unwrap().contains("agency 000009 does not exist"));
    assert_eq!(error(1, &["--json", "agency", "status", "1", "7"])["error"]["code"], "value_invalid");
    assert_eq!(error(2, &["--json", "agency", "lst"])["error"]["code"], "command_line");
    assert_eq!(centre.json(&["agency", "status", "1", "2", "--json"])["status"], 2);
    centre.done(&["sample", "restore", "ecr"]);
    assert_eq!(error(1, &["agency", "grant", "1", "Centre", "C01", "--json"])["error"]["code"], "scope_column_unknown");
    assert_eq!(centre.json(&["agency", "grant", "1", "CentreCode", "C01", "--json"])["changed"], 1);
    assert_eq!(centre.json(&["agency", "install", "1", "laptop", "--json"])["installation"], "laptop");
    assert_eq!(centre.json(&["agency", "recharge", "1", "500", "--json"])["balance"], 500);
    assert_eq!(centre.json(&["tariff", "set", "export", "--per-act", "5", "--json"])["tariff"]["per_act"], 5);
    assert_eq!(centre.json(&["answer", "retry", "--json"])["answers"], 0);
    let away = Centre {
        url: Some("postgresql://xmserver@127.0.0.1:1/xmserver".to_owned()),
        ..Centre::with_nothing_configured()
    };
    let told: Value = serde_json::from_str(&away.ended(4, &["agency", "list", "--json"])).unwrap();
    assert_eq!(told["error"]["code"], "database_away");
}

#[test]
fn a_mistake_of_init_is_told_before_anything_is_made() {
    for (arguments, sentence) in [
        (["--name", "Centre X", "--zone", "UTC"], "the server's name is not valid"),
        (["--name", "centre-x", "--superviseur", "M. Mbarga"], "the user's name is not valid"),
        (["--name", "centre-x", "--currency", "francs"], "an ISO 4217 code of three letters"),
        (["--name", "centre-x", "--zone", "Africa"], "expected a name such as Africa/Douala"),
    ] {
        let centre = Centre::with_nothing_configured();
        let refused = centre.refused(&[&["init", "--mode", "test"], &arguments[..]].concat());
        assert!(refused.contains(sentence), "{refused}");
        assert!(!centre.data_folder().exists(), "nothing is made");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_init_is_told_what_cannot_be_changed() {
    let centre = in_douala().await;
    let kept = "belongs to server centre-x, mode test, currency XAF, zone Africa/Douala";
    for other in [["--zone", "UTC", "--currency", "XAF"], ["--zone", "Africa/Douala", "--currency", "EUR"]] {
        let refused = centre.refused(&[&INIT[..], &other].concat());
        assert!(refused.contains(kept), "{other:?}: {refused}");
    }
    let told = centre.json(&[&INIT[..], &["--zone", "AFRICA/DOUALA", "--json"]].concat());
    assert_eq!(
        (&told["server"], &told["keys_made"], &told["first_user"]),
        (&json!("centre-x"), &json!(false), &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_of_the_platform_stop_nothing() {
    let centre = in_douala().await;
    for name in ["XMSERVER_SERVICE_HOST", "XMSERVER_PORT", "XMSERVER_PORT_9464_TCP_ADDR", "XMSERVER_VERSION"] {
        let output = centre.command(&["agency", "list"]).env(name, "10.0.0.1").output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let broken = || Centre::with_nothing_configured().command(&["sample", "configuration"]);
    assert!(
        broken().env("XMSERVER_SERVER__COLOUR", "blue").output().unwrap().status.success(),
        "it needs no configuration"
    );
    let output = centre.command(&["agency", "list"]).env("XMSERVER_MAILBOX__0__POP3__PORT", "1").output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("no variable sets a key of theirs"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explicit_file_is_above_the_environment_s_data_folder() {
    let centre = in_douala().await;
    let elsewhere = Centre::with_nothing_configured();
    let file = elsewhere.place.path().join("other.toml");
    std::fs::write(&file, format!("[server]\ndata_folder = \"{}\"\n", elsewhere.data_folder().display())).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_xmserver"));
    command.arg("--config").arg(&file).args(["agency", "list"]);
    command.env("XMSERVER_SERVER__DATA_FOLDER", centre.data_folder()).env_remove("XMSERVER_DATABASE__URL");
    let told = String::from_utf8(command.output().unwrap().stderr).unwrap();
    let named = format!("there is no server in {}", elsewhere.data_folder().display());
    assert!(told.contains(&named), "the environment's centre must not be touched: {told}");
}
