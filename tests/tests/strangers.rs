//! A flood of mails without a container, and of containers that no registered key signed. They get no answer, use limited space on disk,
//! and are counted by reason. Letters of known offices are still settled meanwhile.
//!
//! `XM_STRANGERS=100000 cargo test --release --workspace --test strangers -- --nocapture` is the long version.

use std::time::Instant;

use agency::identity::{Algorithm, Identity};
use scenarios::site::Site;
use scenarios::size::asked_for;
use scenarios::town::{CENTRE_ADDRESS, Resident, address};
use serde_json::Value;
use simulation::dice::Dice;
use simulation::forgery;
use simulation::records::Register;

const OFFICE: u32 = 7;
/// Mailbox to which an answer to a stranger would be sent. Nobody has registered this address.
const STRANGER: &str = "stranger@example.org";
/// Number of letters of the known office within the flood.
const GOOD: usize = 20;
/// Number of bytes that quarantine may store of strangers' containers.
const KEPT_BYTES_MAX: u64 = 1 << 20;

#[test]
fn strangers_get_no_answer_and_fill_no_disk() {
    let addresses = [STRANGER.to_owned(), address(OFFICE)];
    let limit = format!("[limits]\nquarantine_bytes_max = {KEPT_BYTES_MAX}\n");
    let Site { dovecot, postfix: _postfix, mut engine } = Site::found(&addresses, &limit).unwrap();
    let mut resident = Resident::settle(&engine, OFFICE).unwrap();

    // Forged letters: they name the office as their sender, but are signed with a key that is not registered.
    let forger = Identity::generate("office 7", Algorithm::P256).unwrap();
    let letters = usize::try_from(asked_for("XM_STRANGERS", 3000)).unwrap();
    let mut forged = 0;
    for number in 0..letters {
        let text = if number % 2 == 0 {
            format!("From: {STRANGER}\r\nTo: {CENTRE_ADDRESS}\r\nMessage-ID: <{number}@x>\r\nSubject: offre\r\n\r\nBonjour {number}\r\n")
                .into_bytes()
        } else {
            forged += 1;
            let records = Register::new("C7").births(1, &mut Dice::of(9, number as u64));
            let letter = resident.office.compose(records).unwrap();
            let document = forgery::sealed(&resident.office, &letter, &forger).unwrap();
            let mut mail = resident.office.mail_of(&number.to_string(), &document);
            STRANGER.clone_into(&mut mail.from);
            mail.render().unwrap()
        };
        dovecot.deliver(CENTRE_ADDRESS, &text).unwrap();
        if number % (letters / GOOD) == 0 {
            let (_, mail) = resident.write().unwrap();
            dovecot.deliver(CENTRE_ADDRESS, &mail.render().unwrap()).unwrap();
        }
    }

    let began = Instant::now();
    engine.start().unwrap();
    engine.wait_until_ready().unwrap();
    engine.wait_until("the mailbox is empty", |_| Ok(dovecot.count(CENTRE_ADDRESS) == 0)).unwrap();
    let seconds = began.elapsed().as_secs_f64();
    engine
        .wait_until("the office has its receipts", |_| {
            resident.read(dovecot.mails(&address(OFFICE))?)?;
            Ok(resident.is_answered())
        })
        .unwrap();
    assert_eq!(resident.accepted(), GOOD);
    assert_eq!(dovecot.count(STRANGER), 0, "a stranger was answered");

    let of = |reason: &str| engine.metric(&format!("xm_letters_total{{outcome=\"{reason}\"}}"));
    assert_eq!((of("unknown_signer"), of("no_container")), (forged as f64, (letters - forged) as f64));
    let kept: f64 = ["unknown_signer", "no_container"]
        .iter()
        .map(|reason| engine.metric(&format!("xm_quarantine_bytes{{reason=\"{reason}\"}}")))
        .sum();
    let listed = engine.operate(&["quarantine", "list", "--limit", "100000", "--json"]).unwrap();
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    assert!(!listed.is_empty() && listed.len() < letters / 3 * 2, "{} kept of {letters}", listed.len());
    assert!(kept > 0.0 && kept <= KEPT_BYTES_MAX as f64, "{kept} bytes kept");
    let journal = engine.operate(&["journal", "list", "--limit", "1000000", "--json"]).unwrap();
    let journal: Vec<Value> = serde_json::from_str(&journal).unwrap();
    assert!(journal.len() <= GOOD + listed.len(), "{} lines in the journal", journal.len());
    println!(
        "{letters} mails of strangers and {GOOD} letters in {seconds:.1} s: {} kept in {kept} bytes, no answer",
        listed.len()
    );
    engine.stop().unwrap();
}
