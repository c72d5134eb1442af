//! Tests of users: which account signs in as which user, what each user may do, and which acts need a second person. The real program runs
//! against a real PostgreSQL.

use std::io::Write;
use std::process::{Output, Stdio};

use diesel_async::SimpleAsyncConnection;
use serde_json::{Value, json};
use store::database::{Database, DatabaseSettings};

use crate::centre::{Centre, INIT, Said};

async fn write(centre: &Centre, statements: &str) {
    let database = Database::new(DatabaseSettings::new(centre.url.clone().unwrap())).unwrap();
    database.get().await.unwrap().batch_execute(statements).await.unwrap();
}

/// Makes the account that runs the tests belong to another user, because the test machine has only one account for the tests.
async fn become_user(centre: &Centre, user: &str) {
    let account = account(centre);
    let statements = format!(
        "UPDATE xm.system_accounts SET ended_at = now() WHERE account = '{account}' AND ended_at IS NULL;
         INSERT INTO xm.system_accounts (uid, account, user_name)
         SELECT uid, account, '{user}' FROM xm.system_accounts WHERE account = '{account}' LIMIT 1"
    );
    write(centre, &statements).await;
}

/// Returns the name of the account that runs the tests, as the centre knows it.
fn account(centre: &Centre) -> String {
    std::fs::read_to_string(centre.place.path().join("account")).unwrap()
}

/// Makes a centre with one Superviseur and agency 1.
async fn one() -> Centre {
    let centre = Centre::on_a_database_of_its_own().await;
    centre.done(&INIT);
    let users = centre.json(&["user", "list", "--json"]);
    assert_eq!((&users[0]["name"], &users[0]["privilege"]), (&json!("superviseur"), &json!(3)), "{users}");
    std::fs::write(centre.place.path().join("account"), users[0]["accounts"][0]["name"].as_str().unwrap()).unwrap();
    centre.done(&["agency", "add", "--name", "Office", "--matricule", "1", "--email", "office@example.org"]);
    centre
}

/// Makes the centre of `one`, and adds a second Superviseur, mbome, and a Chef d'Agence, nkolo.
async fn three() -> Centre {
    let centre = one().await;
    // While there is only one Superviseur, nobody has to confirm that a second Superviseur is added.
    let told = centre.done(&["user", "add", "mbome", "--privilege", "3", "--account", "daemon"]);
    assert!(told.contains("privilege 3 (Superviseur)") && told.contains("by account daemon"), "{told}");
    assert_eq!(centre.say(&["user", "add", "zoe", "--privilege", "2"]).code, Some(5), "the third does");
    write(&centre, "INSERT INTO xm.users (name, privilege, password_hash) VALUES ('nkolo', 2, ''), ('clerk', 1, '')")
        .await;
    centre
}

fn failure(centre: &Centre, arguments: &[&str]) -> Value {
    let said = centre.say(&[arguments, &["--json"]].concat());
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    serde_json::from_str(&said.err).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_does_what_his_privilege_admits_and_refused_tries_are_on_record() {
    let centre = three().await;
    become_user(&centre, "clerk").await;
    for (arguments, needs) in [
        (&["tariff", "set", "export", "--per-act", "1"][..], 3),
        (&["agency", "add", "--name", "Other", "--email", "other@example.org"][..], 2),
        (&["agency", "recharge", "1", "5"][..], 2),
        (&["user", "add", "friend"][..], 3),
        (&["sample", "restore", "ecr"][..], 3),
    ] {
        let told = failure(&centre, arguments);
        assert_eq!((&told["error"]["code"], &told["error"]["exit_code"]), (&json!("privilege_missing"), &json!(1)));
        let parameters = &told["error"]["parameters"];
        assert_eq!((&parameters["user"], &parameters["required"]), (&json!("clerk"), &json!(needs)), "{told}");
    }
    let refused = centre.refused(&["agency", "status", "1", "0"]);
    assert!(
        refused.contains("user clerk has privilege 1 (Opérateur): agency.status needs 2 (Chef d'Agence)"),
        "{refused}"
    );
    assert!(centre.done(&["agency", "list"]).contains("Office"), "he may look");
    write(
        &centre,
        "DO $$ BEGIN ASSERT 6 = (SELECT count(*) FROM xm.audit WHERE operator = 'clerk' AND action = 'operation.refused'); END $$",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_two_is_asked_and_another_one_confirms_it() {
    let centre = three().await;
    become_user(&centre, "nkolo").await;
    let said = centre.say(&["agency", "recharge", "1", "2000000", "--note", "slip 7"]);
    assert_eq!(said.code, Some(5), "{}{}", said.out, said.err);
    let next = "asked as approval 2; another user of privilege 3 confirms it with `xmserver approval confirm 2` until";
    assert!(
        said.out.starts_with("nothing is done yet: recharging agency 000001 with 2000000 XAF (slip 7)"),
        "{}",
        said.out
    );
    assert!(said.out.contains(next), "{}", said.out);
    let said = centre.say(&["agency", "recharge", "1", "2000000", "--note", "slip 7", "--json"]);
    let again: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, &again["approval"]["id"]), (Some(5), &json!(2)), "it is not asked twice");
    let listed = centre.json(&["approval", "list", "--json"]);
    let second = &listed[0];
    assert_eq!(
        (&second["id"], &second["operation"], &second["state"]),
        (&json!(2), &json!("agency.recharge"), &json!("waiting"))
    );
    assert_eq!(second["parameters"], json!({ "agency": 1, "amount": 2_000_000, "note": "slip 7" }));
    assert!(centre.done(&["approval", "list"]).contains("recharging agency 000001 with 2000000 XAF (slip 7)"));
    let refused = centre.refused(&["approval", "confirm", "2", "--yes"]);
    assert!(refused.contains("approval.confirm needs 3"), "{refused}");

    become_user(&centre, "mbome").await;
    let refused = centre.refused(&["approval", "confirm", "2"]);
    assert!(refused.contains("agency   000001 Office") && refused.contains("say --yes to confirm it"), "{refused}");
    let told = centre.done(&["approval", "confirm", "2", "--yes"]);
    assert!(told.contains("approval 2 confirmed and done: recharging agency 000001"), "{told}");
    assert_eq!(centre.json(&["agency", "show", "1", "--json"])["balance"], 2_000_000);
    assert!(centre.refused(&["approval", "confirm", "2", "--yes"]).contains("approval 2 is confirmed already"));
    assert!(centre.absent(&["approval", "refuse", "99", "--reason", "x"]).contains("approval 99 does not exist"));

    // Approval 1 is a request by superviseur, and mbome refuses it.
    let told = centre.done(&["approval", "refuse", "1", "--reason", "nobody knows zoe"]);
    assert_eq!(told, "approval 1 is refused: nothing was done\n");
    assert_eq!(centre.done(&["approval", "list"]), "nothing waits for a second person\n");
    let all = centre.json(&["approval", "list", "--with-decided", "--json"]);
    assert_eq!(
        (&all[1]["state"], &all[1]["decided_by"], &all[1]["reason"]),
        (&json!("refused"), &json!("mbome"), &json!("nobody knows zoe"))
    );

    // A recharge above a limit needs a second person. Raising the limit needs a second person as well. The person who asked for the higher
    // limit may not confirm it, but may withdraw the request. Lowering the limit needs only one person.
    assert_eq!(centre.say(&["approval", "limit", "5000000"]).code, Some(5));
    let refused = centre.refused(&["approval", "confirm", "3", "--yes"]);
    assert!(refused.contains("approval 3 was asked by you"), "{refused}");
    assert_eq!(
        centre.done(&["approval", "refuse", "3", "--reason", "a mistake"]),
        "approval 3 is withdrawn: nothing was done\n"
    );
    centre.done(&["approval", "limit", "1000"]);
    assert_eq!(centre.json(&["approval", "limit", "--json"]), json!({ "limit": 1000 }));
}

/// Runs a command that asks for secrets, and gives it these lines as what a person would type.
fn typed(centre: &Centre, arguments: &[&str], lines: &[&str]) -> Said {
    let mut command = centre.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    Said { code: status.code(), out: String::from_utf8(stdout).unwrap(), err: String::from_utf8(stderr).unwrap() }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_account_signs_in_by_a_password() {
    const GOOD: &str = "correct horse battery";
    const OTHER: &str = "quatre chevaux verts";
    let centre = three().await;
    let first = centre.json(&["user", "add", "zoe", "--json"])["password"].as_str().unwrap().to_owned();
    let said = typed(&centre, &["login", "zoe"], &["wrong"]);
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    assert!(said.err.contains("the name or the password is not right"), "{}", said.err);
    let said = typed(&centre, &["login", "zoe"], &[&first, "zzzz", "zzzz"]);
    assert!(said.err.contains("expected 12 to 128 characters"), "a first password is changed first: {}", said.err);
    let said = typed(&centre, &["login", "zoe"], &[&first, GOOD, OTHER]);
    assert!(said.err.contains("the two passwords differ: nothing was changed"), "{}", said.err);
    let said = typed(&centre, &["login", "zoe"], &[&first, GOOD, GOOD]);
    assert!(said.out.starts_with("zoe is signed in at this terminal, until 30 minutes"), "{}{}", said.out, said.err);
    assert!(centre.refused(&["agency", "add", "--name", "X"]).contains("user zoe has privilege 1"));
    let said = typed(&centre, &["passwd"], &[GOOD, OTHER, OTHER]);
    assert_eq!(said.out, "the password of zoe is changed, and every other session has ended\n", "{}", said.err);
    assert!(centre.refused(&["agency", "add", "--name", "X"]).contains("user zoe"), "he is signed in still");
    assert_eq!(centre.done(&["logout"]), "zoe is signed out\n");
    assert_eq!(centre.done(&["logout"]), "nobody was signed in at this terminal\n");
    centre.done(&["agency", "add", "--name", "Second", "--matricule", "2"]);

    // A session that ended by itself is told once, since the next command is another user's.
    assert_eq!(typed(&centre, &["login", "zoe"], &[OTHER]).code, Some(0));
    write(&centre, "UPDATE xm.sessions SET used_at = now() - interval '31 minutes'").await;
    assert!(centre.refused(&["agency", "list"]).contains("the session at this terminal has ended"));
    centre.done(&["agency", "status", "2", "1"]);
    assert_eq!(
        centre.done(&["user", "lock", "zoe", "--reason", "has left"]),
        "user zoe is locked, and every session has ended\n"
    );
    assert!(centre.done(&["user", "list"]).contains("locked"));
    assert_eq!(typed(&centre, &["login", "zoe"], &[OTHER]).code, Some(1));
    centre.done(&["user", "unlock", "zoe"]);
    assert_eq!(typed(&centre, &["login", "zoe"], &[OTHER]).code, Some(0));
    centre.done(&["logout"]);

    // The first password of a user of weight has two parts, one for each of the two people who give it.
    let said = centre.say(&["user", "password", "nkolo", "--json"]);
    let asked: Value = serde_json::from_str(&said.out).unwrap();
    let (id, part) = (asked["approval"]["id"].to_string(), asked["first_part"].as_str().unwrap());
    assert_eq!((said.code, &asked["approval"]["parameters"]), (Some(5), &json!({ "user": "nkolo" })));
    become_user(&centre, "mbome").await;
    let told = centre.done(&["approval", "confirm", &id, "--yes"]);
    let second = told.split("second part of the password of nkolo: ").nth(1).unwrap().split(',').next().unwrap();
    let said = typed(&centre, &["login", "nkolo"], &[&format!("{part}{second}"), GOOD, GOOD]);
    assert!(said.out.starts_with("nkolo is signed in"), "{}{}", said.out, said.err);
}

#[test]
fn no_centre_takes_the_name_of_the_demos() {
    let centre = Centre::with_nothing_configured();
    let refused = centre.refused(&["init", "--name", "demo", "--mode", "test"]);
    assert!(refused.contains("the name demo is that of the demo's centre: choose another one"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_is_searched_verified_and_exported() {
    let centre = three().await;
    become_user(&centre, "mbome").await;
    let listed = centre.json(&["audit", "list", "--subject", "user mbome", "--json"]);
    let actions: Vec<_> = listed.as_array().unwrap().iter().map(|line| line["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["user.map", "user.add"], "{listed}");
    let line = listed[1]["id"].to_string();
    let shown = centre.done(&["audit", "show", &line]);
    assert!(shown.contains("user.add") && shown.contains(r#"{"privilege":"superviseur"}"#), "{shown}");
    assert!(centre.absent(&["audit", "show", "9999"]).contains("line 9999 of the audit log does not exist"));

    let verified = centre.json(&["audit", "verify", "--json"]);
    let head = verified["head"].as_str().unwrap();
    let told = centre.done(&["audit", "verify", "--written", head]);
    assert!(told.contains("the audit log is whole: ") && told.contains("write down: "), "{told}");
    let file = centre.place.path().join("audit.jsonl");
    let told = centre.done(&["audit", "export", file.to_str().unwrap()]);
    let lines: Vec<Value> =
        std::fs::read_to_string(&file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(told.starts_with(&format!("{} lines exported to ", lines.len())), "{told}");
    assert!(lines.windows(2).all(|pair| pair[1]["previous_hash"] == pair[0]["hash"]));
    let last = &lines[lines.len() - 1];
    assert_eq!((&last["action"], &last["operator"]), (&json!("audit.export"), &json!("mbome")));
    assert!(centre.refused(&["audit", "export", file.to_str().unwrap()]).contains("cannot write"));

    // Somebody who owns the database changes a line, and then takes the last ones away.
    let force = "ALTER TABLE xm.audit DISABLE TRIGGER USER";
    write(&centre, &format!("{force}; UPDATE xm.audit SET operator = 'clerk' WHERE id = {line}")).await;
    let told = failure(&centre, &["audit", "verify"]);
    assert_eq!(
        (&told["error"]["code"], &told["error"]["parameters"]["line"]),
        (&json!("audit_broken"), &listed[1]["id"])
    );
    write(&centre, &format!("UPDATE xm.audit SET operator = 'superviseur' WHERE id = {line}")).await;
    let written = centre.json(&["audit", "verify", "--json"])["head"].as_str().unwrap().to_owned();
    write(&centre, "DELETE FROM xm.audit WHERE id > 9").await;
    let refused = centre.refused(&["audit", "verify", "--written", &written]);
    assert!(refused.contains("the audit log ends with line 9, before line"), "{refused}");

    become_user(&centre, "clerk").await;
    assert!(centre.refused(&["audit", "list"]).contains("audit.show needs 2 (Chef d'Agence)"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_nobody_mapped_is_told_what_to_do() {
    let centre = one().await;
    let account = account(&centre);
    assert!(centre.refused(&["user", "unmap", &account]).contains("nobody of privilege 3 would be left"));
    centre.done(&["user", "add", "mbome", "--privilege", "3", "--account", "daemon"]);
    assert!(centre.refused(&["user", "map", "mbome", "no-such-account"]).contains("does not exist on this machine"));
    write(&centre, &format!("UPDATE xm.system_accounts SET ended_at = now() WHERE account = '{account}'")).await;
    let told = failure(&centre, &["agency", "list"]);
    assert_eq!(
        (&told["error"]["code"], &told["error"]["parameters"]["account"]),
        (&json!("account_unmapped"), &json!(account))
    );
    let refused = centre.refused(&["user", "map", "superviseur"]);
    assert!(refused.contains(&format!("`xmserver user map USER {account}`")), "{refused}");
    let said = centre.say(&["check"]);
    assert!(
        !said.out.contains("is no user's") && !said.out.is_empty(),
        "who looks after the machine needs no user: {}",
        said.out
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_centre_from_before_accounts_takes_the_first_by_one_command() {
    let centre = one().await;
    write(&centre, "DELETE FROM xm.system_accounts").await;
    let refused = centre.refused(&["agency", "list"]);
    assert!(refused.contains("no account is a user's yet: `xmserver user map superviseur` makes account"), "{refused}");
    let checked = centre.say(&["check"]).out;
    assert!(checked.contains("`xmserver user map superviseur` makes the one that runs it the first"), "{checked}");
    assert!(centre.absent(&["user", "map", "nobody"]).contains("user nobody does not exist"));
    for _again in 0..2 {
        centre.done(&["user", "map", "superviseur"]);
    }
    assert!(centre.done(&["agency", "list"]).contains("Office"));
    write(&centre, "DELETE FROM xm.system_accounts").await;
    centre.done(&INIT);
    assert!(centre.done(&["agency", "list"]).contains("Office"), "init does it, too");
    assert!(centre.say(&["check"]).out.contains("nobody confirms what needs two"));
    centre.done(&["user", "add", "mbome", "--privilege", "3", "--account", "daemon"]);
    let checked = centre.say(&["check"]).out;
    assert!(checked.contains("2 users can sign in, 2 of privilege 3"), "{checked}");
}
