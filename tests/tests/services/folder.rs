//! Tests by the transfer folder: services that read records, and services about the agency itself. One office writes plain JSON, another
//! compresses its letters; each must be answered in its own form.

use std::collections::BTreeMap;
use std::fs;

use sdc::answer::AnswerContent;
use sdc::answer::notice::{NoticeContent, ProfileOutcome};
use sdc::answer::part::PartContent;
use sdc::answer::receipt::Verdict;
use sdc::answer::results::Found;
use sdc::answer::rows::Rows;
use sdc::answer::statement::EntryKind;
use sdc::payload::PayloadForm;
use sdc::refusal::RefusalCode;
use sdc::request::{
    Again, Certified, Import, Message, Period, ProfileChange, ProfileRequest, Recharge, Records, Request, Selection,
    TableRecords, VoucherCode,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::world::{Desk, Sent, World};

const FORMS: [(u32, PayloadForm); 2] = [(42, PayloadForm::Json), (43, PayloadForm::Frame { dictionary: 1 })];
/// Price of an exported act, in minor units.
const PRICE: i64 = 100;

/// Makes a letter with births of an agency, with these record numbers.
pub fn births(agency: u32, numbers: std::ops::RangeInclusive<u32>) -> Request {
    let columns = [
        "Numero",
        "Status",
        "NumeroActe",
        "AnneeRegistre",
        "CentreCode",
        "DateActe",
        "NomEnfant",
        "Sexe",
        "DateNaissance",
        "LieuNaissance",
        "Officier",
        "ActeUid",
    ];
    let each = |value: &dyn Fn(u32) -> Value| -> Vec<Value> { numbers.clone().map(value).collect() };
    let same = |value: Value| each(&move |_| value.clone());
    let values = vec![
        each(&|number| json!(number)),
        same(json!(2)),
        each(&|number| json!(number)),
        same(json!(2026)),
        same(json!(format!("C{agency}"))),
        same(json!("2026-11-02")),
        // The names are random and do not compress. So even a few records are too large for one part, and the answer has several.
        each(&|_| json!([(); 2].map(|()| Uuid::new_v4().simple().to_string()).concat())),
        same(json!("F")),
        same(json!("2026-11-01")),
        same(json!("Édéa")),
        same(json!("Mbome")),
        each(&|_| json!(Uuid::new_v4())),
    ];
    let table =
        TableRecords { table: "ActeNaissance".to_owned(), columns: columns.map(str::to_owned).to_vec(), values };
    Request::Export(Records { application: "ecr".to_owned(), tables: vec![table] })
}

/// Returns the values of a column of a letter with births.
fn sent_column(request: &Request, name: &str) -> Vec<Value> {
    let Request::Export(records) = request else { panic!("no export") };
    let at = records.tables[0].columns.iter().position(|column| column == name).unwrap();
    records.tables[0].values[at].clone()
}

fn select(text: &str, estimate: bool) -> Request {
    Request::Import(Import::Select { select: text.to_owned(), estimate })
}

fn rows(content: PartContent) -> Rows {
    match content {
        PartContent::Rows(rows) => rows,
        other => panic!("{other:?}"),
    }
}

fn column<'r>(rows: &'r Rows, name: &str) -> &'r [Value] {
    &rows.values[rows.columns.iter().position(|column| column == name).unwrap()]
}

/// Asks for records. Returns the letter, and the parts of the answer in their order, each with its signed octets.
fn read(world: &mut World, desk: &mut Desk, request: Request) -> (Sent, Vec<(Rows, Vec<u8>)>) {
    let sent = world.send(desk, request);
    let receipt = world.answer(desk, &sent, 1, 0).receipt;
    let told = receipt.read.unwrap();
    let mut parts = Vec::new();
    for number in 1..=told.parts {
        let name = format!("{}-{}-1-{number}.sdc", desk.installation(), sent.sequence);
        let (part, octets) = world.part(desk, &name, &sent);
        assert_eq!((part.head.part, part.head.last), (number, number == told.parts));
        parts.push((rows(part.content), octets));
    }
    assert_eq!(parts.iter().map(|(rows, _)| rows.row_count() as u64).sum::<u64>(), told.acts);
    (sent, parts)
}

fn centre() -> World {
    let world = World::found(true);
    let right = ["plan", "edit", "standard", "--table", "ecr.ActeNaissance"];
    let rights = ["--may-read", "own", "--may-certify", "own", "--certify-gives", "record"];
    world.engine.operate(&[&right[..], &rights].concat()).unwrap();
    world.engine.operate(&["tariff", "set", "import", "--per-act", "2"]).unwrap();
    world.engine.operate(&["tariff", "set", "certify", "--per-act", "30"]).unwrap();
    world
}

#[test]
fn records_come_back_in_parts_and_papers_are_certified() {
    let mut world = centre();
    let mut desks = FORMS.map(|(number, form)| (number, world.settle(number, form)));
    for (number, _) in FORMS {
        world.engine.operate(&["agency", "recharge", &number.to_string(), "1000000"]).unwrap();
    }
    world.open();
    for (number, desk) in &mut desks {
        let sent: Vec<Request> = [1..=40, 41..=80, 81..=120].map(|numbers| births(*number, numbers)).to_vec();
        for request in &sent {
            let receipt = world.receipt(desk, request.clone());
            assert_eq!(
                (receipt.verdict, receipt.rows[0].new, receipt.account.cost),
                (Verdict::Accepted, 40, 40 * PRICE)
            );
        }
        world.engine.operate(&["agency", "edit", &number.to_string(), "--letter-limit", "8192"]).unwrap();
        let names: Vec<Value> = sent.iter().flat_map(|request| sent_column(request, "NomEnfant")).collect();
        records_come_back(&mut world, desk, &names);
        papers_are_certified(&mut world, desk, *number, &names);
    }
    assert!(!world.transfer.has_litter().unwrap());
    assert_eq!(world.transfer.waiting().unwrap(), 0);
    world.assert_held("0 = (SELECT difference FROM xm.ledger_difference)");
    world.engine.stop().unwrap();
}

fn records_come_back(world: &mut World, desk: &mut Desk, names: &[Value]) {
    let text = "SELECT NumeroActe, NomEnfant, ActeUid FROM ecr.ActeNaissance ORDER BY NumeroActe";
    let asked = world.send(desk, select(text, true));
    let answer = world.answer(desk, &asked, 1, 0);
    let (part, _) = world.part(desk, &format!("main-{}-1-1.sdc", asked.sequence), &asked);
    let PartContent::Estimate(estimate) = part.content else { panic!("no estimate") };
    assert_eq!((estimate.rows, answer.receipt.account.cost), (120, 0));

    let (asked, parts) = read(world, desk, select(text, false));
    assert!(parts.len() > 1 && parts.len() == usize::from(estimate.parts), "{} parts", parts.len());
    let back: Vec<&Value> = parts.iter().flat_map(|(rows, _)| column(rows, "NomEnfant")).collect();
    assert_eq!(back, names.iter().collect::<Vec<_>>(), "every record, once, in the order that was asked for");

    // A record has changed since the import, but the part that was lost must be sent again with the same octets.
    world.run("UPDATE ecr.\"ActeNaissance\" SET \"LieuNaissance\" = 'Kribi' WHERE \"NumeroActe\" = 41");
    let again = Request::Import(Import::Again { again: Again { letter: asked.letter, parts: vec![2] } });
    let lost = world.send(desk, again);
    let told = world.answer(desk, &lost, 1, 0).receipt;
    assert_eq!((told.read.map(|read| (read.acts, read.parts)), told.account.cost), (Some((0, 1)), 0));
    let (part, octets) = world.part(desk, &format!("main-{}-1-2.sdc", lost.sequence), &asked);
    assert_eq!(part.head.part, 2);
    assert!(octets == parts[1].1, "octet for octet");

    // The office first imports all records, and then those that have changed since the position of that import.
    let table = |changed_since| {
        let (application, table) = ("ecr".to_owned(), "ActeNaissance".to_owned());
        Request::Import(Import::Table { selection: Selection { application, table, changed_since }, estimate: false })
    };
    let (_, all) = read(world, desk, table(None));
    let (last, others) = all.split_last().unwrap();
    assert!(others.iter().all(|(rows, _)| rows.position.is_none()));
    let position = last.0.position.as_ref().unwrap().parse().unwrap();
    world.run(
        "UPDATE ecr.\"ActeNaissance\" SET \"LieuNaissance\" = 'Douala' WHERE \"NumeroActe\" = 7;
         UPDATE ecr.\"ActeNaissance\" SET \"Status\" = 0 WHERE \"NumeroActe\" = 8",
    );
    let (_, changed) = read(world, desk, table(Some(position)));
    let [(changed, _)] = &changed[..] else { panic!("{} parts", changed.len()) };
    let told = |name: &str| column(changed, name).iter().cloned().zip(column(changed, "xm_numero").iter().cloned());
    let places: BTreeMap<String, Value> =
        told("LieuNaissance").map(|(place, numero)| (numero.to_string(), place)).collect();
    assert_eq!(places, BTreeMap::from([("7".to_owned(), json!("Douala")), ("8".to_owned(), json!("Édéa"))]));
    let cancelled: Vec<Value> =
        told("Status").filter(|(status, _)| *status == json!(0)).map(|(_, numero)| numero).collect();
    assert_eq!(cancelled, [json!(8)], "what was cancelled is told to whoever asks what has changed");
    let (_, left) = read(world, desk, select("SELECT NumeroActe FROM ActeNaissance WHERE NumeroActe <= 10", false));
    assert_eq!(left.iter().map(|(rows, _)| rows.row_count()).sum::<usize>(), 9, "and to nobody else");
    world.run("UPDATE ecr.\"ActeNaissance\" SET \"Status\" = 2 WHERE \"NumeroActe\" = 8");

    let refusal = world.receipt(desk, select("SELECT pg_sleep(9) FROM ActeNaissance", false)).refusal.unwrap();
    assert_eq!((refusal.code, refusal.parameters["reason"].as_str()), (RefusalCode::SelectRefused, "function"));
}

fn papers_are_certified(world: &mut World, desk: &mut Desk, number: u32, names: &[Value]) {
    let column = |values: [Value; 3]| values.to_vec();
    let papers = Request::Certify(Certified {
        application: "ecr".to_owned(),
        table: "ActeNaissance".to_owned(),
        key: ["CentreCode", "AnneeRegistre", "NumeroActe"].map(str::to_owned).to_vec(),
        keys: vec![
            vec![json!(format!("C{number}")); 3],
            vec![json!(2026); 3],
            column([json!(1), json!(2), json!(999)]),
        ],
        columns: vec!["NomEnfant".to_owned()],
        // One name for each key. Each name must be compared with the record of its own key: the first differs, the second matches, and for
        // the third there is no record.
        values: vec![column([json!("another"), names[1].clone(), json!("x")])],
    });
    let sent = world.send(desk, papers);
    let receipt = world.answer(desk, &sent, 1, 0).receipt;
    assert_eq!((receipt.read.unwrap().acts, receipt.account.cost), (3, 90));
    let (part, _) = world.part(desk, &format!("main-{}-1-1.sdc", sent.sequence), &sent);
    assert_eq!((part.head.part, part.head.last), (1, true));
    let PartContent::Results(results) = part.content else { panic!("no results") };
    let outcomes: Vec<Found> = results.results.iter().map(|result| result.outcome).collect();
    assert_eq!((results.first, outcomes), (1, vec![Found::Differs, Found::Match, Found::NotFound]));
    assert_eq!(results.results[0].columns, ["NomEnfant"]);
    let name = results.columns.iter().position(|column| column == "NomEnfant").unwrap();
    let record = |at: usize| results.results[at].record.as_ref().map(|record| record[name].clone());
    assert_eq!([record(0), record(1), record(2)], [Some(names[0].clone()), Some(names[1].clone()), None]);
}

/// Makes a voucher, which needs two people, and returns its code from the file that one of them writes.
pub fn voucher(world: &World, amount: &str) -> VoucherCode {
    world.agreed(&["voucher", "make", "1", amount]);
    let batch = world.done(&["voucher", "list"])[0]["id"].to_string();
    let file = world.engine.place().join(format!("vouchers-{batch}.csv"));
    world.engine.operate(&["voucher", "write", &batch, file.to_str().unwrap()]).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    VoucherCode::typed(text.lines().nth(1).unwrap().split_once(',').unwrap().1)
}

#[test]
fn an_agency_asks_for_its_account_profile_credit_and_writes_to_the_operators() {
    let mut world = World::found(true);
    let mut desks = FORMS.map(|(number, form)| (number, world.settle(number, form)));
    world.open();
    for (number, desk) in &mut desks {
        assert_eq!(world.receipt(desk, births(*number, 1..=2)).account.balance, -200);
        credit(&mut world, desk);
        account(&mut world, desk);
        profile(&mut world, desk, *number);
        message(&mut world, desk, *number);
    }
    world.assert_held("0 = (SELECT difference FROM xm.ledger_difference)");
    world.engine.stop().unwrap();
}

fn credit(world: &mut World, desk: &mut Desk) {
    let code = voucher(world, "5000");
    let redeem = |code: &VoucherCode| Request::Recharge(Recharge { code: code.clone() });
    let receipt = world.receipt(desk, redeem(&code));
    assert_eq!((receipt.verdict, receipt.account.cost, receipt.account.balance), (Verdict::Accepted, 0, 4800));
    let again = world.receipt(desk, redeem(&code));
    assert_eq!(again.refusal.map(|refusal| refusal.code), Some(RefusalCode::VoucherInvalid));
    assert_eq!(again.account.balance, 4800);
}

fn account(world: &mut World, desk: &mut Desk) {
    let sent = world.send(desk, Request::Account(Period { from: None, to: None }));
    let answer = world.answer(desk, &sent, 1, 1);
    let body = answer.body.unwrap();
    let AnswerContent::Statement(statement) = body.content else { panic!("no statement") };
    assert_eq!((body.part, body.parts, answer.receipt.account.cost), (1, 1, 0));
    assert_eq!((statement.opening, statement.closing, statement.currency.as_str()), (0, 4800, "XAF"));
    let entries: Vec<_> = statement.entries.iter().map(|entry| (entry.kind, entry.amount, entry.balance)).collect();
    assert_eq!(entries, [(EntryKind::Letter, -200, -200), (EntryKind::Voucher, 5000, 4800)]);
}

fn profile(world: &mut World, desk: &mut Desk, number: u32) {
    let telephone = Some("222 22 22 22".to_owned());
    let set = ProfileChange { telephone: telephone.clone(), ..ProfileChange::default() };
    let asking = world.send(desk, Request::Profile(ProfileRequest { set: Some(set) }));
    let AnswerContent::Profile(held) = world.answer(desk, &asking, 1, 1).body.unwrap().content else { panic!("none") };
    assert_eq!((held.name.as_str(), held.telephone.as_str()), ("Mairie", ""), "status 3: it waits");
    assert_eq!(held.waiting.unwrap().telephone, telephone);

    let change = world.done(&["profile", "list"])[0].clone();
    assert_eq!(change["agency"], number);
    world.engine.operate(&["profile", "confirm", &change["id"].to_string(), "--yes"]).unwrap();
    let NoticeContent::Profile { letter, outcome, profile, .. } = world.notice(desk, 1) else {
        panic!("another notice")
    };
    assert_eq!((letter, outcome, profile.telephone.as_str()), (asking.letter, ProfileOutcome::Made, "222 22 22 22"));
    let reading = world.send(desk, Request::Profile(ProfileRequest { set: None }));
    let AnswerContent::Profile(read) = world.answer(desk, &reading, 1, 1).body.unwrap().content else { panic!("none") };
    assert_eq!(read, profile);
}

fn message(world: &mut World, desk: &mut Desk, number: u32) {
    let text = "Bonjour\nQuand fermez-vous ?".to_owned();
    let question = world.send(desk, Request::Message(Message { thread: None, text: text.clone() }));
    assert_eq!(world.answer(desk, &question, 1, 0).receipt.verdict, Verdict::Accepted);
    let listed = world.done(&["message", "list", "--agency", &number.to_string()]);
    let shown = world.done(&["message", "show", &listed[0]["number"].to_string()]);
    assert_eq!(shown[0]["text"], text, "{shown}");
    let (matricule, asked) = (number.to_string(), listed[0]["number"].to_string());
    world.engine.operate(&["message", "send", &matricule, "À midi.", "--reply-to", &asked]).unwrap();
    let NoticeContent::Message { thread, text, .. } = world.notice(desk, 2) else { panic!("another notice") };
    assert_eq!((thread, text.as_str()), (question.letter, "À midi."));
    let unknown = Request::Message(Message { thread: Some(Uuid::now_v7()), text });
    let refusal = world.receipt(desk, unknown).refusal.unwrap();
    assert_eq!(refusal.code, RefusalCode::ThreadUnknown);
}
