//! A centre with neither mailbox nor relay: letters and answers are exchanged through the transfer folder.

#![expect(clippy::unwrap_used, reason = "a test that cannot get its world ends at once, saying why")]

use std::time::Duration;

use scenarios::engine::Engine;
use scenarios::program::xmserver;
use scenarios::servers::{pass_time, wait_within};
use scenarios::town::{PASSWORD, Resident, found};
use scenarios::transfer::Transfer;
use sdc::answer::receipt::Verdict;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

fn centre(transfer: &Transfer) -> Engine {
    let configuration = transfer.configuration();
    let engine = Engine::of(xmserver().unwrap(), PASSWORD, |http| {
        format!("[server]\nhttp_address = \"{http}\"\n{configuration}")
    });
    let engine = engine.unwrap();
    found(&engine).unwrap();
    engine
}

/// Waits for the answer with this name, and returns the verdict on its letter.
fn verdict(transfer: &Transfer, office: &mut Resident, name: &str) -> Verdict {
    let mut found = Vec::new();
    wait_within(PATIENCE, "the office is answered", || {
        pass_time(LOOK);
        found.extend(transfer.collect("000042")?);
        Ok(!found.is_empty())
    })
    .unwrap();
    assert_eq!(found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), [name]);
    let answered = office.office.open(&found[0].1).unwrap();
    assert!(office.letters.contains_key(&answered.letter));
    answered.answer.receipt.verdict
}

fn wait_until_taken(transfer: &Transfer) {
    wait_within(PATIENCE, "every letter is settled and gone", || {
        pass_time(LOOK);
        Ok(transfer.waiting()? == 0)
    })
    .unwrap();
}

#[test]
fn letters_come_and_answers_go_as_files_and_no_mail_is_needed() {
    let transfer = Transfer::make().unwrap();
    let mut engine = centre(&transfer);
    let mut office = Resident::settle(&engine, 42).unwrap();
    engine.operate(&["check"]).unwrap();
    engine.operate(&["mail", "test", "--mailbox", "folder"]).unwrap();
    engine.start().unwrap();
    engine.wait_until_ready().unwrap();

    let (packed, _) = office.write().unwrap();
    transfer.send("first", &packed.document).unwrap();
    assert_eq!(verdict(&transfer, &mut office, "main-1-1-0.sdc"), Verdict::Accepted);
    wait_until_taken(&transfer);
    assert!(!transfer.has_litter().unwrap());

    // The same letter under another name is a duplicate. A file that is no letter goes to quarantine and gets no answer.
    transfer.send("first-again", &packed.document).unwrap();
    transfer.send("prose", b"Bonjour.\n").unwrap();
    wait_until_taken(&transfer);
    let lines = engine.operate(&["--json", "journal", "list"]).unwrap();
    let lines: Value = serde_json::from_str(&lines).unwrap();
    let of = |key: &str| -> Vec<String> {
        let texts = lines.as_array().unwrap().iter().filter_map(|line| line[key].as_str());
        let mut texts: Vec<String> = texts.map(str::to_owned).collect();
        texts.sort();
        texts
    };
    assert_eq!(of("outcome"), ["accepted", "document_malformed", "duplicate"], "{lines}");
    assert_eq!((of("transport"), of("mailbox")), (vec!["folder".to_owned(); 3], vec!["folder".to_owned(); 3]));
    engine.stop().unwrap();
}

#[test]
fn a_folder_that_is_pulled_out_is_told_of_once_and_its_letters_wait() {
    let transfer = Transfer::make().unwrap();
    let mut engine = centre(&transfer);
    let mut office = Resident::settle(&engine, 42).unwrap();
    engine.start().unwrap();
    engine.wait_until_ready().unwrap();

    transfer.pull_out().unwrap();
    engine.wait_until("readiness tells of it", |engine| Ok(engine.get("/ready").starts_with("HTTP/1.1 503"))).unwrap();
    engine.operate(&["check"]).unwrap_err();
    engine.operate(&["mail", "test"]).unwrap_err();
    let (packed, _) = office.write().unwrap();
    transfer.send("first", &packed.document).unwrap();
    let polls = |engine: &Engine| engine.metric("xm_polls_total{mailbox=\"folder\",outcome=\"folder\"}");
    engine.wait_until("it is looked for again and again", |engine| Ok(polls(engine) > 3.0)).unwrap();
    assert!(engine.metric("xm_mailbox_up{mailbox=\"folder\"}") < 1.0);

    transfer.put_back().unwrap();
    assert_eq!(verdict(&transfer, &mut office, "main-1-1-0.sdc"), Verdict::Accepted);
    engine.wait_until_ready().unwrap();
    let log = std::fs::read_to_string(engine.log_path()).unwrap();
    assert_eq!(log.matches("a poll failed").count(), 1, "{log}");
    assert_eq!(log.matches("the folder is polled again").count(), 1, "{log}");
    engine.stop().unwrap();
}
