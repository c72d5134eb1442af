//! Tests that FORMAT.md agrees with the code: they compare its table of refusals and its limits with the code, and run its worked example.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use sdc::answer::notice::NoticeContent;
use sdc::answer::part::PartContent;
use sdc::answer::receipt::{AccountReceipt, Receipt, TableReceipt, Verdict};
use sdc::answer::{Addressee, Answer, AnswerContent, CentreLetter};
use sdc::cms::{self, ContentCipher};
use sdc::digest::Digest;
use sdc::document::{Document, DocumentLimits};
use sdc::keys::CentreKeys;
use sdc::letter::FORMAT_VERSION;
use sdc::payload::{PayloadLimits, read_answer, read_centre_letter, read_letter, read_part, write_answer};
use sdc::refusal::{RefusalCode, Remedy};
use sdc::request::Request;

use crate::workshop::{Workshop, receive};

fn format() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../FORMAT.md")).unwrap()
}

#[test]
fn the_table_of_refusals_is_the_list() {
    let mut table = String::from("| code | remedy | meaning |\n|---|---|---|\n");
    for code in RefusalCode::ALL {
        let remedy = match code.remedy() {
            Some(Remedy::Mend) => "`mend`",
            Some(Remedy::Wait) => "`wait`",
            None => "–",
        };
        writeln!(table, "| `{code}` | {remedy} | {} |", code.meaning()).unwrap();
    }
    let format = format();
    let start = format.find("| code | remedy |").unwrap();
    let written: String = format[start..]
        .lines()
        .take_while(|line| line.starts_with('|'))
        .fold(String::new(), |all, line| all + line + "\n");
    assert_eq!(written, table, "FORMAT.md, Refusals, should have this table:\n{table}");
}

#[test]
fn the_limits_are_those_of_the_code() {
    let limits = DocumentLimits::default();
    let payload = PayloadLimits::default();
    let thousands = |number: usize| format!("{} {:03}", number / 1000, number % 1000);
    let format = format();
    for row in [
        format!("| whole document | {} MiB |", limits.document_bytes_max >> 20),
        format!("| text before the block | {} KiB |", limits.preamble_bytes_max >> 10),
        format!("nesting of at most {}", sdc::der::DEPTH_MAX),
        format!("| JSON, compressed or not | {} MiB |", payload.decompressed_bytes_max >> 20),
        format!(
            "| {} times, once the JSON is larger than {} KiB |",
            payload.ratio_max,
            payload.decompressed_bytes_free >> 10
        ),
        format!("| window of a frame | {} MiB |", payload.window_bytes_max >> 20),
        format!("| nesting, the outermost object included | {} |", payload.depth_max),
        format!("| numbers, texts, booleans, nulls and arrays in the body | {} |", thousands(payload.values_max)),
        format!("| objects in the body | {} |", thousands(payload.objects_max)),
        format!("| tables in a letter | {} |", payload.tables_max),
        format!("| columns of a table | {} |", payload.columns_max),
        format!("| rows in a letter, all tables together | {} |", thousands(payload.rows_max)),
        format!("`{}`", Digest::of(include_bytes!("../../dictionary/v1.zdict"))),
    ] {
        assert!(format.contains(&row), "FORMAT.md should say: {row}");
    }
}

#[test]
fn the_payloads_shown_are_read_and_belong_together() {
    let format = format();
    let blocks: Vec<&str> =
        format.split("```json\n").skip(1).map(|block| block.split_once("\n```").unwrap().0).collect();
    let [letter, answer, corrections, imports, part, certify, results, statement, profile, notice] = blocks[..] else {
        panic!("ten blocks, not {}", blocks.len())
    };
    let letter = format!("{letter}\n");
    let read = read_letter(letter.as_bytes(), &PayloadLimits::default()).unwrap();
    let receipt = read_answer(answer.as_bytes(), &PayloadLimits::default()).unwrap().receipt;
    assert_eq!((receipt.letter, receipt.sequence), (Some(read.id), Some(read.sequence)));
    assert_eq!(receipt.digest, Digest::of(letter.as_bytes()).to_string());
    assert!(format.contains(&format!("<< 'END'\n{letter}END\n")), "the worked example writes the same letter");
    assert_eq!(receipt.skew_seconds, Some((read.time - receipt.received).num_seconds()));

    let (before, _) = letter.split_once("\"service\"").unwrap();
    let asking = |service: &str, body: &str| format!("{before}\"service\":\"{service}\",\"body\":{body}}}");
    for (service, body) in imports.lines().map(|body| ("import", body)).chain([("certify", certify)]) {
        let asked = read_letter(asking(service, body).as_bytes(), &PayloadLimits::default());
        assert_eq!(asked.unwrap_or_else(|wrong| panic!("{body}: {wrong}")).request.service().name(), service);
    }
    let given = read_part(part.as_bytes(), &PayloadLimits::default()).unwrap();
    assert_eq!((given.head.answers.letter, &given.head.answers.digest), (read.id, &receipt.digest));
    let (before, _) = part.split_once("\"service\"").unwrap();
    let part = format!("{before}\"service\":\"certify\",\"part\":1,\"last\":true,\"body\":{results}}}");
    let PartContent::Results(results) = read_part(part.as_bytes(), &PayloadLimits::default()).unwrap().content else {
        panic!("no results")
    };
    assert_eq!(results.results[1].columns, ["NomEnfant"]);

    let (head, _) = letter.split_once("\"service\":").unwrap();
    let correcting = format!("{head}\"service\":\"correct\",\"body\":{corrections}}}");
    let asked = read_letter(correcting.as_bytes(), &PayloadLimits::default()).unwrap().request;
    let Request::Correct(asked) = asked else { panic!("not corrections") };
    assert_eq!(asked.corrections.len(), 1);

    let body = |service: &str, body: &str| {
        let with_body = format!(
            "{},\"service\":\"{service}\",\"part\":1,\"parts\":1,\"body\":{body}}}",
            answer.strip_suffix('}').unwrap()
        );
        read_answer(with_body.as_bytes(), &PayloadLimits::default()).unwrap().body.unwrap()
    };
    let AnswerContent::Profile(profile) = body("profile", profile).content else { panic!("no profile") };
    assert!(profile.waiting.is_some_and(|waiting| Some(&profile.telephone) != waiting.telephone.as_ref()));
    let body = body("account", statement);
    let AnswerContent::Statement(statement) = body.content else { panic!("no statement") };
    let [entry] = &statement.entries[..] else { panic!("one entry, not {}", statement.entries.len()) };
    assert_eq!((entry.letter, entry.amount, entry.at), (Some(read.id), -receipt.account.cost, receipt.received));
    assert_eq!((entry.balance, statement.closing), (receipt.account.balance, receipt.account.balance));
    assert_eq!(statement.opening + entry.amount, statement.closing);

    let told = read_centre_letter(notice.as_bytes(), &PayloadLimits::default()).unwrap();
    let CentreLetter::Notice(notice) = told else { panic!("an answer") };
    assert_eq!((notice.to, notice.from), (read.from, read.to));
    let NoticeContent::CertificateEnds { ends, days, .. } = notice.content else { panic!("another notice") };
    assert_eq!((ends - notice.time).num_days() + 1, i64::from(days), "the begun day is one");
}

/// Makes the answer of a centre to the letter of the worked example.
fn answer(letter: &sdc::letter::Letter, digest: String) -> Answer {
    let Request::Export(records) = &letter.request else { panic!("not an export") };
    Answer {
        sdc: FORMAT_VERSION,
        id: uuid::Uuid::now_v7(),
        from: letter.to.clone(),
        to: Addressee { agency: letter.from.agency, installation: Some(letter.from.installation.clone()) },
        time: letter.time,
        mode: letter.mode,
        receipt: Receipt {
            letter: Some(letter.id),
            digest,
            sequence: Some(letter.sequence),
            attempt: 1,
            epoch: 1,
            verdict: Verdict::Accepted,
            refusal: None,
            remedy: None,
            hold: None,
            rows: vec![TableReceipt { table: records.tables[0].table.clone(), new: 2, ..TableReceipt::default() }],
            flags: Vec::new(),
            read: None,
            account: AccountReceipt { cost: 100, balance: 9900, currency: "XAF".to_owned() },
            highest_sequence: letter.sequence,
            received: letter.time,
            skew_seconds: Some(0),
        },
        body: None,
    }
}

/// Runs the worked example's commands for an office against a centre made in this test; `tests/tests/readme.rs` runs them against the real
/// program.
#[test]
fn the_worked_example_works_with_any_centre() {
    let format = format();
    let (_, example) = format.split_once("\n## Worked example\n").unwrap();
    let blocks: Vec<&str> = example.split("```sh\n").skip(1).map(|block| block.split_once("```").unwrap().0).collect();
    let [keys, _centre, letter, _mail, receipt, ..] = blocks[..] else { panic!("{} blocks", blocks.len()) };
    let workshop = Workshop::new();
    let run = |block: &str| {
        let output = Command::new("sh").args(["-euc", block]).current_dir(workshop.path(".")).output().unwrap();
        assert!(output.status.success(), "{block}\n{}", String::from_utf8_lossy(&output.stderr));
    };

    run(keys);
    let (office_key, centre_key) = (workshop.pair("office"), workshop.key("centre", "P-256"));
    run(letter);
    let document = workshop.read("letter.sdc");
    assert_eq!(Document::parse(&document, &DocumentLimits::default()).unwrap().claim().map(u32::from), Some(42));
    let verified = receive(&document, &CentreKeys::new(vec![centre_key.clone()]), office_key.certificate()).unwrap();
    assert_eq!(verified.octets(), workshop.read("letter.json"));
    let read = read_letter(verified.octets(), &PayloadLimits::default()).unwrap();
    assert_eq!((read.sequence, u32::from(read.from.agency)), (2, 42));

    let octets = write_answer(&answer(&read, verified.digest().to_string()), verified.form());
    let der = cms::seal(&octets, &centre_key, office_key.certificate(), ContentCipher::Aes256Gcm).unwrap();
    let mail = [b"Subject: SDC 1\r\n\r\n", &Document::render(&der, None)[..]].concat();
    workshop.write("receipt.eml", &mail);
    run(receipt);
    assert_eq!(workshop.read("receipt.json"), octets);
}
