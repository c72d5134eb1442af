//! An office has papers certified, reads records back in parts, and requests a lost part again, through a whole pipeline.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "the other tests use the rest")]
mod centre;

use std::collections::BTreeMap;

use actors::pipeline::Limits;
use centre::{NOTES, OFFICE_ADDRESS, SETTLED, World, quick};
use sdc::answer::CentreLetter;
use sdc::answer::part::{Part, PartContent};
use sdc::answer::receipt::{ReadReceipt, Receipt, Verdict};
use sdc::answer::results::Found;
use sdc::answer::rows::{Estimate, Rows};
use sdc::letter::Letter;
use sdc::refusal::RefusalCode;
use sdc::request::{Again, Certified, Import, Request, Selection};
use serde_json::{Value, json};

const VERDICTS: &str = "SELECT count(*) FROM xm.letters";
const UNSENT: &str = "SELECT count(*) FROM xm.outbox";

/// SQL that lets each agency read and certify its own records, sets prices, writes births of the offices 42 and 43, and writes one marginal
/// note of office 42.
const RIGHTS: &str = "UPDATE xm.rights SET may_read = 'own', may_certify = 'own', certify_gives = 'record';
     INSERT INTO xm.tariffs (service, per_act, per_started_kb, credit, valid_from)
     VALUES ('certify', 50, 3, 'refuse', now() - interval '1 day'), ('import', 2, 1, 'refuse', now() - interval '1 day');
     INSERT INTO ecr.\"ActeNaissance\" (\"Status\", \"NumeroActe\", \"AnneeRegistre\", \"CentreCode\", \"DateActe\",
                                       \"NomEnfant\", \"Sexe\", \"DateNaissance\", \"LieuNaissance\", \"Officier\", \"ActeUid\",
                                       xm_agency, xm_installation, xm_numero)
     SELECT s.status, n, 2020, s.centre, '2020-02-01', 'MBARGA ' || n, 'F', '2020-01-31', 'Édéa', 'Ngo', gen_random_uuid(),
            s.agency, 'pc1', n
       FROM (VALUES (1, 2, 'CE-042', 42), (2, 2, 'CE-042', 42), (3, 0, 'CE-042', 42), (1, 2, 'CE-043', 43)) s (n, status, centre, agency);
     INSERT INTO ecr.\"MentionMarginale\" (\"Status\", \"CentreCode\", \"ActeUid\", \"TypeMention\", \"DateMention\",
                                          \"Texte\", \"Reference\", \"Officier\", xm_agency, xm_installation, xm_numero)
     SELECT 2, 'CE-042', \"ActeUid\", 'mariage', '2025-05-05', 'Mariée à Édéa', '1', 'Ngo', 42, 'pc1', 9000
       FROM ecr.\"ActeNaissance\" WHERE \"NumeroActe\" = 1 AND \"CentreCode\" = 'CE-042';
     UPDATE xm.agencies SET letter_bytes_max = 8192 WHERE matricule = 42";

/// Answers that the office has received: receipts by letter id, and parts by letter id and part number.
#[derive(Default)]
struct Got {
    receipts: BTreeMap<uuid::Uuid, Receipt>,
    parts: BTreeMap<(uuid::Uuid, u16), Part>,
}

impl Got {
    fn take(&mut self, world: &World) {
        for letter in world.open_all(world.post_office.take(OFFICE_ADDRESS)) {
            match letter {
                CentreLetter::Answer(answer) => {
                    assert!(answer.body.is_none());
                    self.receipts.insert(answer.receipt.letter.unwrap(), answer.receipt);
                }
                CentreLetter::Part(part) => {
                    let key = (part.head.answers.letter, part.head.part);
                    if let Some(before) = self.parts.insert(key, part.clone()) {
                        assert_eq!(before, part, "no part contradicts another");
                    }
                }
                CentreLetter::Notice(notice) => panic!("notice {}", notice.number),
            }
        }
    }

    fn read(&self, letter: &Letter) -> ReadReceipt {
        let receipt = &self.receipts[&letter.id];
        assert_eq!(receipt.verdict, Verdict::Accepted, "{receipt:?}");
        receipt.read.unwrap()
    }

    fn only(&self, letter: &Letter) -> &PartContent {
        assert_eq!(self.read(letter).parts, 1);
        assert!(self.parts[&(letter.id, 1)].head.last);
        &self.parts[&(letter.id, 1)].content
    }

    fn rows(&self, letter: &Letter) -> Vec<&Rows> {
        let parts = self.read(letter).parts;
        (1..=parts)
            .map(|part| {
                let part = &self.parts[&(letter.id, part)];
                assert_eq!(part.head.last, part.head.part == parts);
                match &part.content {
                    PartContent::Rows(rows) => rows,
                    other => panic!("{other:?}"),
                }
            })
            .collect()
    }

    fn refusal(&self, letter: &Letter) -> (RefusalCode, BTreeMap<String, String>) {
        let receipt = &self.receipts[&letter.id];
        assert!(receipt.read.is_none());
        let refusal = receipt.refusal.clone().unwrap();
        (refusal.code, refusal.parameters)
    }
}

/// Sends letters, waits until they are answered, and returns the answers and the letters.
fn ask(world: &mut World, requests: Vec<Request>) -> (Got, Vec<Letter>) {
    let before = world.count(VERDICTS);
    let mut letters = Vec::new();
    for request in requests {
        let (mut letter, _) = world.next_mail();
        letter.request = request;
        world.deliver(world.mail(&letter));
        letters.push(letter);
    }
    let running = world.start_with(quick(), Limits { window_mails: 8, ..Limits::default() });
    world.wait_for("verdicts", VERDICTS, before + i64::try_from(letters.len()).unwrap());
    world.wait_for("answers sent", UNSENT, 0);
    assert!(running.drain());
    let mut got = Got::default();
    got.take(world);
    (got, letters)
}

fn births(keys: &[(&str, i64)], columns: &[(&str, Vec<Value>)]) -> Request {
    Request::Certify(Certified {
        application: "ecr".to_owned(),
        table: "ActeNaissance".to_owned(),
        key: ["CentreCode", "AnneeRegistre", "NumeroActe"].map(str::to_owned).to_vec(),
        keys: vec![
            keys.iter().map(|(centre, _)| json!(centre)).collect(),
            keys.iter().map(|_| json!(2020)).collect(),
            keys.iter().map(|(_, act)| json!(act)).collect(),
        ],
        columns: columns.iter().map(|(name, _)| (*name).to_owned()).collect(),
        values: columns.iter().map(|(_, values)| values.clone()).collect(),
    })
}

fn select(text: &str, estimate: bool) -> Request {
    Request::Import(Import::Select { select: text.to_owned(), estimate })
}

fn table(changed_since: Option<&str>) -> Request {
    let changed_since = changed_since.map(|position| position.parse().unwrap());
    let selection = Selection { application: "ecr".to_owned(), table: NOTES.to_owned(), changed_since };
    Request::Import(Import::Table { selection, estimate: false })
}

#[test]
fn papers_are_certified_and_paid_for() {
    let mut world = World::new();
    world.sql(RIGHTS);
    let keys = [("CE-042", 1), ("CE-042", 2), ("CE-042", 3), ("CE-042", 4), ("CE-043", 1)];
    let names = vec![json!("MBARGA 1"), json!("Mbarga 2"), json!("x"), json!("x"), json!("MBARGA 1")];
    let days = vec![json!("2020-01-31"); 5];
    let unknown = Request::Certify(Certified { table: "ActeX".to_owned(), ..certified(births(&keys, &[])) });
    let wrong_key = Request::Certify(Certified {
        key: vec!["NumeroActe".to_owned()],
        keys: vec![vec![json!(1)]],
        ..certified(births(&keys, &[]))
    });
    let wrong_value = births(&[("CE-042", 1)], &[("DateNaissance", vec![json!("31.1.2020")])]);
    let asked = vec![births(&keys, &[("NomEnfant", names), ("DateNaissance", days)]), unknown, wrong_key, wrong_value];
    let (got, letters) = ask(&mut world, asked);

    let PartContent::Results(results) = got.only(&letters[0]) else { panic!("no results") };
    let outcomes: Vec<Found> = results.results.iter().map(|result| result.outcome).collect();
    assert_eq!(outcomes, [Found::Match, Found::Differs, Found::Cancelled, Found::NotFound, Found::NotFound]);
    assert_eq!(results.results[1].columns, ["NomEnfant"]);
    let column = |name: &str| results.columns.iter().position(|column| column == name).unwrap();
    let record = results.results[0].record.as_ref().unwrap();
    assert_eq!(record[column("LieuNaissance")], json!("Édéa"));
    assert_eq!((&record[column("Sexe")], &record[column("xm_agency")]), (&json!("F"), &json!(42)));
    let note = |name: &str| results.note_columns.iter().position(|column| column == name).unwrap();
    assert_eq!(results.results[0].notes.len(), 1);
    assert_eq!(results.results[0].notes[0][note("Texte")], json!("Mariée à Édéa"));
    assert!(results.results[1].notes.is_empty() && results.results[2].record.is_none());

    let read = got.read(&letters[0]);
    let receipt = &got.receipts[&letters[0].id];
    let request_kb = i64::try_from(read.bytes.div_ceil(1024)).unwrap();
    assert_eq!(read.acts, 5);
    assert!(receipt.account.cost >= 5 * 50 + 3 * (1 + request_kb), "{receipt:?}");
    let refusals: Vec<RefusalCode> = letters[1..].iter().map(|letter| got.refusal(letter).0).collect();
    assert_eq!(refusals, [RefusalCode::TableUnknown, RefusalCode::ColumnsMismatch, RefusalCode::RowsInvalid]);
    assert_eq!(world.count("SELECT difference FROM xm.ledger_difference"), 0);
}

fn certified(request: Request) -> Certified {
    match request {
        Request::Certify(certified) => certified,
        other => panic!("{other:?}"),
    }
}

#[test]
fn records_come_in_parts_and_a_part_comes_again_as_it_was() {
    let mut world = World::new();
    world.sql(RIGHTS);
    world.sql(
        "INSERT INTO ecr.\"MentionMarginale\" (\"Status\", \"CentreCode\", \"ActeUid\", \"TypeMention\", \"DateMention\", \"Texte\",
                                               \"Reference\", \"Officier\", xm_agency, xm_installation, xm_numero)
         SELECT 2, 'CE-04' || a, gen_random_uuid(), 'mariage', date '2025-01-01' + n, md5(n::text) || md5((n + 1)::text),
                n::text, 'Ngo', 40 + a, 'pc1', n
           FROM generate_series(1, 1000) n, (VALUES (2), (3)) s (a)",
    );
    // The office will ask for changes since a position. A position lies before the oldest transaction that is open in the whole database
    // cluster, where other tests run too. If such a transaction is older than the records, the office would get the records a second time.
    // So the test waits until none is.
    let written = world.count("SELECT pg_current_xact_id()::text::bigint");
    let is_oldest =
        format!("SELECT (pg_snapshot_xmin(pg_current_snapshot())::text::bigint >= {written})::integer::bigint");
    centre::wait_until("older transactions have ended", || world.count(&is_oldest) == 1);
    let text = "SELECT Reference, Texte, DateMention FROM MentionMarginale \
         WHERE DateMention < '2026-01-01' AND NOT Reference = '7' \
         AND Texte NOT LIKE 'Mari%' ORDER BY DateMention DESC";
    let (got, letters) = ask(&mut world, vec![select(text, true), select(text, false), table(None)]);

    let PartContent::Estimate(estimate) = got.only(&letters[0]) else { panic!("no estimate") };
    assert_eq!(got.receipts[&letters[0].id].account.cost, 0);
    let parts = got.rows(&letters[1]);
    let read = got.read(&letters[1]);
    assert!(parts.len() > 1, "{} parts", parts.len());
    let Estimate { rows, parts: estimated, bytes, price, .. } = estimate.clone();
    assert_eq!((rows, estimated), (read.acts, read.parts));
    // The estimate and the answer differ a little: letters and parts have other ids, which compress to other sizes.
    assert!(bytes.abs_diff(read.bytes) < 64 * u64::from(estimated), "{bytes} and {}", read.bytes);
    let cost = got.receipts[&letters[1].id].account.cost;
    assert!(price.abs_diff(cost) <= u64::from(estimated) + 1, "{price} and {cost}");
    let references: Vec<&Value> = parts.iter().flat_map(|rows| &rows.values[0]).collect();
    // The selection excludes note 7 and asks for the notes before 2026, the latest first. Note n has the date 2025-01-01 plus n days, and n
    // begins at 1, so these are the notes 364 to 1 without 7.
    let meant: Vec<Value> = (1..365).rev().filter(|n| *n != 7).map(|n| json!(n.to_string())).collect();
    assert_eq!(references, meant.iter().collect::<Vec<_>>());

    // A request for the whole table returns the office's own 1 001 records and none of another office.
    let all = got.rows(&letters[2]);
    let agency = all[0].columns.iter().position(|column| column == "xm_agency").unwrap();
    assert_eq!(all.iter().map(|rows| rows.row_count()).sum::<usize>(), 1001);
    assert!(all.iter().flat_map(|rows| &rows.values[agency]).all(|value| *value == json!(42)));
    let (last, others) = all.split_last().unwrap();
    let position = last.position.clone().unwrap();
    assert!(others.iter().all(|rows| rows.position.is_none()));

    // Two records change. The office requests the records that have changed since the import of the whole table, and requests parts of the
    // earlier answer again.
    world.sql(
        "UPDATE ecr.\"MentionMarginale\" SET \"Texte\" = 'changed' WHERE xm_numero = 5;
               UPDATE ecr.\"MentionMarginale\" SET \"Status\" = 0 WHERE xm_numero = 6 AND xm_agency = 42",
    );
    let again = |parts: &[u16]| {
        Request::Import(Import::Again { again: Again { letter: letters[2].id, parts: parts.to_vec() } })
    };
    let (later, asked) = ask(&mut world, vec![table(Some(&position)), again(&[2, 3]), again(&[1, 9999])]);
    let changed = later.rows(&asked[0]);
    let text = changed[0].columns.iter().position(|column| column == "Texte").unwrap();
    assert_eq!(changed[0].row_count(), 2, "{:?}", changed[0].values);
    assert!(changed[0].values[text].contains(&json!("changed")));
    assert_ne!(changed[0].position.as_ref(), Some(&position));
    let read = later.read(&asked[1]);
    assert_eq!((read.acts, read.parts, later.receipts[&asked[1].id].account.cost), (0, 2, 0));
    for part in [2, 3] {
        assert_eq!(later.parts[&(letters[2].id, part)], got.parts[&(letters[2].id, part)], "as it was");
    }
    assert_eq!(later.parts.len(), 3);
    assert_eq!(later.refusal(&asked[2]).0, RefusalCode::PartsUnknown);
    assert_eq!(world.count("SELECT count(*) FROM xm.readings WHERE settled_at IS NULL"), 1, "what was refused");
}

#[test]
fn what_cannot_be_paid_or_is_beyond_the_quota_is_not_given() {
    let mut world = World::new();
    world.sql(RIGHTS);
    world.sql("UPDATE xm.plans SET read_acts_per_day = 3");
    let one = || births(&[("CE-042", 1), ("CE-042", 2)], &[]);
    let (got, letters) = ask(&mut world, vec![one()]);
    assert_eq!(got.read(&letters[0]).acts, 2);
    let (got, letters) = ask(&mut world, vec![one()]);
    let (code, parameters) = got.refusal(&letters[0]);
    assert_eq!(
        (code, parameters["acts_used"].as_str(), parameters["acts_max"].as_str()),
        (RefusalCode::QuotaExceeded, "2", "3")
    );

    // The balance pays for one act and not for two. So the records of a letter for two acts are read, but not sent.
    world.sql(
        "UPDATE xm.plans SET read_acts_per_day = NULL;
         INSERT INTO xm.entries (debit, credit, amount, kind, agency, balance_after)
         SELECT a.id, r.id, a.balance - 70, 'manual', 42, 70 
           FROM xm.accounts a, xm.accounts r WHERE a.agency = 42 AND r.kind = 'income' AND r.agency IS NULL;
         UPDATE xm.accounts SET balance = 70 WHERE agency = 42",
    );
    let (got, letters) = ask(&mut world, vec![one(), births(&[("CE-042", 1)], &[]), one()]);
    let codes: Vec<Option<RefusalCode>> =
        letters.iter().map(|letter| got.receipts[&letter.id].refusal.as_ref().map(|refusal| refusal.code)).collect();
    assert_eq!(codes, [Some(RefusalCode::InsufficientCredit), None, Some(RefusalCode::InsufficientCredit)]);
    assert_eq!(got.parts.len(), 1);
    assert_eq!(world.count("SELECT difference FROM xm.ledger_difference"), 0);
    assert!(world.count("SELECT balance FROM xm.accounts WHERE agency = 42") >= 0);
    assert_eq!(world.count(SETTLED), 2);
}
