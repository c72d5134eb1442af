//! The main task of the program, on real servers. Standard openssl makes letters, and Postfix delivers them to Dovecot. They become rows in
//! PostgreSQL and receipts in the offices' mailboxes, which standard openssl decrypts and verifies.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot get its world ends at once, saying why")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use agency::identity::Identity;
use agency::office::{Centre, Received};
use mail::extract::{MailLimits, extract};
use scenarios::engine::Engine;
use scenarios::servers::{Dovecot, Postfix};
use scenarios::site::Site;
use scenarios::town::{CENTRE_ADDRESS, PRICE, SERVER, address, enrol};
use scenarios::transfer::Transfer;
use sdc::answer::notice::{Notice, NoticeContent};
use sdc::answer::receipt::Verdict;
use sdc::answer::{Answer, CentreLetter};
use sdc::keys::RegisteredCertificate;
use sdc::letter::{Matricule, Mode};
use sdc::payload::{self, PayloadLimits};
use sdc::refusal::RefusalCode;
use serde_json::{Value, json};
use simulation::office::MemoryRegister;
use uuid::Uuid;

/// Script: makes a key and a self-signed certificate, and prints the certificate's fingerprint. `$1` folder, `$2` days, then the arguments
/// that choose the kind of key.
const KEY: &str = r#"set -e; cd "$1"; days="$2"; shift 2
    openssl req -x509 "$@" -nodes -days "$days" -subj /CN=office -keyout office.key -out office.crt 2>/dev/null
    openssl x509 -in office.crt -noout -fingerprint -sha256 | cut -d= -f2"#;
/// Script: signs a letter. `$1` folder.
const SIGN: &str = r#"set -e; cd "$1"
    openssl cms -sign -binary -nodetach -nocerts -keyid -nosmimecap -in letter.json \
        -signer office.crt -inkey office.key -outform DER -out letter.signed"#;
/// Script: encrypts the signed letter. `$1` folder, `$2` the centre's certificate, `$3` the cipher.
const ENVELOPE: &str = r#"set -e; cd "$1"
    openssl cms -encrypt -binary "-$3" -keyid -in letter.signed -outform PEM -out letter.sdc "$2""#;
/// Script: sends the letter as an attachment. `$1` folder, `$2` host:port, `$3` sender, `$4` recipient.
const SEND: &str = r#"swaks --server "$2" --from "$3" --to "$4" --header "Subject: registre" --body "Ci-joint." \
    --attach-type application/octet-stream --attach-name letter.sdc --attach @"$1/letter.sdc" --timeout 20"#;
/// Script: decrypts and verifies a receipt. `$1` folder, `$2` the centre's signing certificate.
const OPEN: &str = r#"set -e; cd "$1"
    openssl cms -decrypt -binary -inform PEM -in receipt.sdc -recip office.crt -inkey office.key -out receipt.signed
    openssl cms -verify -binary -inform DER -in receipt.signed -nointern -certfile "$2" -noverify -out receipt.octets"#;

/// Script: prints the structure of a receipt's envelope. `$1` folder.
const PRINT: &str = r#"openssl cms -cmsout -print -noout -inform PEM -in "$1/receipt.sdc""#;
const GCM: &str = "aes-256-gcm";
const CBC: &str = "aes-256-cbc";
const P256: [&str; 4] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
const RSA: [&str; 2] = ["-newkey", "rsa:2048"];

fn shell(script: &str, arguments: &[&str]) -> String {
    let output = Command::new("sh").args(["-c", script, "sh"]).args(arguments).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Makes a letter of an agency with one birth. `number` is the matricule.
fn letter(number: u32, sequence: u32) -> Value {
    json!({
        "sdc": 1, "id": Uuid::now_v7(), "from": { "agency": number, "installation": "main" }, "to": SERVER,
        "sequence": sequence, "time": "2026-11-02T08:15:00Z", "mode": "test", "service": "export",
        "body": { "application": "ecr", "tables": [{ "table": "ActeNaissance",
            "columns": ["Numero", "Status", "NumeroActe", "AnneeRegistre", "CentreCode", "DateActe", "NomEnfant", "Sexe",
                "DateNaissance", "LieuNaissance", "Officier", "ActeUid"],
            "values": [[6 + sequence], [2], [117 + sequence], [2026], [format!("C{number}")], ["2026-11-02"], ["Ngo Biyong"], ["F"],
                ["2026-11-01"], ["Édéa"], ["Mbome"], [Uuid::new_v4()]] }] }
    })
}

/// Returns the containers of the answers in an office's mailbox.
fn answers(dovecot: &Dovecot, number: u32) -> Vec<Vec<u8>> {
    let mails = dovecot.mails(&address(number)).unwrap();
    mails.iter().flat_map(|mail| extract(mail, &MailLimits::default()).unwrap().containers).collect()
}

struct Office {
    number: u32,
    folder: PathBuf,
    centre: PathBuf,
}

impl Office {
    fn open(engine: &Engine, number: u32, key: &[&str], centre: &str) -> Office {
        Office::open_for(engine, number, key, centre, "800")
    }

    fn open_for(engine: &Engine, number: u32, key: &[&str], centre: &str, days: &str) -> Office {
        let folder = engine.place().join(format!("office-{number}"));
        fs::create_dir(&folder).unwrap();
        let at = folder.to_str().unwrap();
        let fingerprint = shell(KEY, &[&[at, days], key].concat());
        enrol(engine, number, &format!("{at}/office.crt"), fingerprint.trim()).unwrap();
        Office { number, centre: engine.data().join("keys").join(centre), folder }
    }

    fn at(&self) -> &str {
        self.folder.to_str().unwrap()
    }

    fn seal(&self, letter: &Value, cipher: &str) {
        fs::write(self.folder.join("letter.json"), letter.to_string()).unwrap();
        shell(SIGN, &[self.at()]);
        self.envelop(cipher);
    }

    fn envelop(&self, cipher: &str) {
        shell(ENVELOPE, &[self.at(), self.centre.to_str().unwrap(), cipher]);
    }

    fn send(&self, postfix: &Postfix) {
        shell(SEND, &[self.at(), &postfix.smtp_address().to_string(), &address(self.number), CENTRE_ADDRESS]);
    }

    /// Decrypts and verifies the answers in the office's mailbox with standard commands. Returns each with the cipher of its envelope.
    fn read(&self, engine: &Engine, dovecot: &Dovecot) -> Vec<(Answer, &'static str)> {
        let signer = engine.data().join("keys/centre-p256.crt");
        let read = |answer: Vec<u8>| {
            let octets = self.verify(&answer, &signer);
            let answer = payload::read_answer(&octets, &PayloadLimits::default()).unwrap();
            let printed = shell(PRINT, &[self.at()]);
            let is = |structure, cipher| printed.contains(structure) && printed.contains(cipher);
            let is_cbc = is("pkcs7-envelopedData", CBC);
            assert!(is_cbc != is("authEnvelopedData", GCM), "{printed}");
            (answer, if is_cbc { CBC } else { GCM })
        };
        answers(dovecot, self.number).into_iter().map(read).collect()
    }

    /// Decrypts and verifies one answer, and returns its signed octets.
    fn verify(&self, answer: &[u8], signer: &Path) -> Vec<u8> {
        fs::write(self.folder.join("receipt.sdc"), answer).unwrap();
        shell(OPEN, &[self.at(), signer.to_str().unwrap()]);
        fs::read(self.folder.join("receipt.octets")).unwrap()
    }
}

fn journal(engine: &Engine) -> Vec<Value> {
    serde_json::from_str(&engine.operate(&["journal", "list", "--json"]).unwrap()).unwrap()
}

#[test]
fn letters_of_stock_openssl_become_rows_and_receipts() {
    let numbers = [42, 43, 44];
    let Site { dovecot, postfix, mut engine } = Site::found(&numbers.map(address), "").unwrap();
    let offices = [
        Office::open(&engine, 42, &P256, "centre-p256.crt"),
        Office::open(&engine, 43, &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"], "centre-p256.crt"),
        Office::open(&engine, 44, &RSA, "centre-rsa.crt"),
    ];
    engine.start().unwrap();
    engine.wait_until_ready().unwrap();

    for office in &offices {
        office.seal(&letter(office.number, 1), GCM);
        office.send(&postfix);
    }
    let one_each = |dovecot: &Dovecot| numbers.iter().all(|number| answers(dovecot, *number).len() == 1);
    engine.wait_until("every office has its receipt", |_| Ok(one_each(&dovecot))).unwrap();

    // Each office sends the same file again, and then the same signed letter in a new envelope. The centre knows both for letters that it
    // has settled: it does nothing, and sends a receipt again only after an hour.
    for office in &offices {
        office.send(&postfix);
        office.envelop(GCM);
        office.send(&postfix);
    }
    let duplicates = "xm_letters_total{outcome=\"duplicate\"}";
    engine.wait_until("copies are known as such", |engine| Ok(engine.metric(duplicates) == 6.0)).unwrap();
    assert!(one_each(&dovecot));

    // Another letter with a used sequence number is refused, and the office gets an answer with the refusal.
    let office = &offices[0];
    office.seal(&letter(42, 1), GCM);
    office.send(&postfix);
    engine.wait_until("a refusal is told", |_| Ok(answers(&dovecot, 42).len() == 2)).unwrap();

    for office in &offices {
        for (answer, _) in office.read(&engine, &dovecot) {
            assert_eq!(
                (answer.to.agency.as_i32(), answer.from.as_str()),
                (i32::try_from(office.number).unwrap(), SERVER)
            );
            let receipt = answer.receipt;
            match receipt.verdict {
                Verdict::Accepted => assert_eq!((receipt.rows[0].new, receipt.account.cost), (1, PRICE)),
                Verdict::Held => panic!("no check holds a birth"),
                Verdict::Refused => assert_eq!(receipt.refusal.unwrap().code, RefusalCode::SequenceConflict),
            }
        }
    }
    engine.wait_until("every mail is deleted", |_| Ok(dovecot.count(CENTRE_ADDRESS) == 0)).unwrap();
    let journal = journal(&engine);
    let count = |outcome: &str| journal.iter().filter(|line| line["outcome"] == outcome).count();
    assert_eq!((count("accepted"), count("duplicate"), count("sequence_conflict")), (3, 6, 1), "{journal:?}");
    for number in numbers {
        let agency = engine.operate(&["agency", "show", &number.to_string(), "--json"]).unwrap();
        let agency: Value = serde_json::from_str(&agency).unwrap();
        assert_eq!(agency["balance"], -PRICE);
    }
    engine.stop().unwrap();
}

/// Returns, for each receipt in an office's mailbox, the letter's sequence number, the cipher of the answer, and the refusal.
fn ciphers(engine: &Engine, dovecot: &Dovecot, office: &Office) -> Vec<(u64, &'static str, Option<RefusalCode>)> {
    let said = |(Answer { receipt, .. }, cipher)| {
        (receipt.sequence.unwrap(), cipher, receipt.refusal.map(|refusal| refusal.code))
    };
    let mut all: Vec<_> = office.read(engine, dovecot).into_iter().map(said).collect();
    all.sort_unstable_by_key(|(sequence, ..)| *sequence);
    all
}

/// Older software supports only AES-256-CBC. An agency with `cbc_allowed` may use it and gets its answers in this cipher. All other
/// agencies get answers in GCM.
#[test]
fn an_answer_comes_in_the_cipher_of_its_letter_to_those_with_leave_for_cbc() {
    let numbers = [42, 43, 44];
    let Site { dovecot, postfix, mut engine } = Site::found(&numbers.map(address), "").unwrap();
    let offices = [
        Office::open(&engine, 42, &P256, "centre-p256.crt"),
        Office::open(&engine, 43, &P256, "centre-p256.crt"),
        Office::open(&engine, 44, &RSA, "centre-rsa.crt"),
    ];
    for with_leave in ["42", "44"] {
        engine.operate(&["agency", "edit", with_leave, "--cbc", "yes"]).unwrap();
    }
    engine.start().unwrap();
    engine.wait_until_ready().unwrap();
    for (sequence, cipher) in [(1, CBC), (2, GCM)] {
        for office in &offices {
            office.seal(&letter(office.number, sequence), cipher);
            office.send(&postfix);
        }
        let answered = |number: &u32| answers(&dovecot, *number).len() == sequence as usize;
        engine.wait_until("every office is answered", |_| Ok(numbers.iter().all(answered))).unwrap();
    }
    let refused = Some(RefusalCode::CipherNotAllowed);
    for office in [&offices[0], &offices[2]] {
        assert_eq!(ciphers(&engine, &dovecot, office), [(1, CBC, None), (2, GCM, None)], "{}", office.number);
    }
    assert_eq!(ciphers(&engine, &dovecot, &offices[1]), [(1, GCM, refused), (2, GCM, None)]);

    // The operator withdraws the permission. A later letter in CBC is refused, and its receipt is encrypted with GCM.
    engine.operate(&["agency", "edit", "42", "--cbc", "no"]).unwrap();
    offices[0].seal(&letter(42, 3), CBC);
    offices[0].send(&postfix);
    engine.wait_until("a refusal is told", |_| Ok(answers(&dovecot, 42).len() == 3)).unwrap();
    assert_eq!(ciphers(&engine, &dovecot, &offices[0])[2], (3, GCM, refused));
    engine.stop().unwrap();
}

/// Returns attempt and verdict of each receipt in an office's mailbox, in the order of the attempts.
fn told(engine: &Engine, dovecot: &Dovecot, office: &Office) -> Vec<(u16, Verdict)> {
    let said = |(Answer { receipt, .. }, _)| (receipt.attempt, receipt.verdict);
    let mut all: Vec<_> = office.read(engine, dovecot).into_iter().map(said).collect();
    all.sort_unstable_by_key(|(attempt, _)| *attempt);
    all
}

/// Returns the open entries of quarantine that have this reason.
fn quarantined(engine: &Engine, reason: &str) -> Vec<Value> {
    let listed = engine.operate(&["quarantine", "list", "--reason", reason, "--json"]).unwrap();
    serde_json::from_str(&listed).unwrap()
}

/// An operator removes the cause at the centre and has the letters tried again, so the offices need not send them again. One office was
/// suspended, and the certificate of the other was not registered yet.
#[test]
fn an_operator_has_letters_tried_again() {
    let Site { dovecot, postfix, mut engine } = Site::found(&[42, 43].map(address), "").unwrap();
    let suspended = Office::open(&engine, 42, &P256, "centre-p256.crt");
    engine.operate(&["agency", "status", "42", "0"]).unwrap();
    let folder = engine.place().join("office-43");
    fs::create_dir(&folder).unwrap();
    let fingerprint = shell(KEY, &[&[folder.to_str().unwrap(), "800"], &P256[..]].concat());
    let unknown = Office { number: 43, centre: engine.data().join("keys/centre-p256.crt"), folder };
    engine.start().unwrap();
    engine.wait_until_ready().unwrap();
    for office in [&suspended, &unknown] {
        office.seal(&letter(office.number, 1), GCM);
        office.send(&postfix);
    }
    engine
        .wait_until("both are in quarantine, and one is told", |engine| {
            let both = [quarantined(engine, "agency_suspended").len(), quarantined(engine, "unknown_signer").len()];
            Ok(both == [1, 1] && answers(&dovecot, 42).len() == 1)
        })
        .unwrap();
    let entry = |engine: &Engine, reason: &str| quarantined(engine, reason)[0]["id"].to_string();

    // The office is still suspended and the certificate still missing, so both letters fare as before.
    let (first, second) = (entry(&engine, "agency_suspended"), entry(&engine, "unknown_signer"));
    let refused = engine.operate(&["quarantine", "retry", &first, "--reason", "trying"]).unwrap();
    assert!(refused.contains("is refused by attempt 2 too, refused: agency_suspended"), "{refused}");
    // The test waits for the receipt of attempt 2. If it were still unsent when attempt 3 is decided, it would never come: the receipt of
    // attempt 3 takes its place.
    engine.wait_until("the second refusal is told", |_| Ok(answers(&dovecot, 42).len() == 2)).unwrap();
    let stays = engine.operate(&["quarantine", "retry", &second, "--reason", "trying"]).unwrap_err().to_string();
    assert!(stays.contains("stays as it is: no certificate of this key is registered"), "{stays}");
    let shown = engine.operate(&["quarantine", "show", &second]).unwrap();
    // The mail does not mention the agency, so the advice has a placeholder for the matricule.
    let advice =
        format!("`xmserver cert register MATRICULE FILE`, then `xmserver quarantine retry {second} --reason …`");
    assert!(shown.contains("if an agency confirms the certificate as its own") && shown.contains(&advice), "{shown}");
    assert_eq!((entry(&engine, "agency_suspended"), entry(&engine, "unknown_signer")), (first.clone(), second.clone()));

    engine.operate(&["agency", "status", "42", "3"]).unwrap();
    enrol(&engine, 43, &format!("{}/office.crt", unknown.at()), fingerprint.trim()).unwrap();
    for id in [&first, &second] {
        let done = engine.operate(&["quarantine", "retry", id, "--reason", "mended", "--json"]).unwrap();
        let done: Value = serde_json::from_str(&done).unwrap();
        assert_eq!(done["tried"][0]["outcome"], "accepted", "{done}");
    }
    engine
        .wait_until("both are told", |_| Ok(answers(&dovecot, 42).len() == 3 && answers(&dovecot, 43).len() == 1))
        .unwrap();
    let attempts = [(1, Verdict::Refused), (2, Verdict::Refused), (3, Verdict::Accepted)];
    assert_eq!(told(&engine, &dovecot, &suspended), attempts);
    assert_eq!(told(&engine, &dovecot, &unknown), [(1, Verdict::Accepted)]);
    let left = [quarantined(&engine, "agency_suspended"), quarantined(&engine, "unknown_signer")];
    assert!(left.iter().all(Vec::is_empty), "{left:?}");
    let shown = engine.operate(&["letter", "show", journal(&engine)[0]["letter_id"].as_str().unwrap()]).unwrap();
    assert!(shown.contains("accepted"), "{shown}");
    engine.stop().unwrap();
}

/// Returns the office's own program, with the key and the certificate that the standard commands made.
fn program(office: &Office) -> simulation::office::Office {
    let read = |path: PathBuf| fs::read(path).unwrap();
    let [key, certificate] = ["office.key", "office.crt"].map(|name| read(office.folder.join(name)));
    let identity = Identity::from_pem(&key, &certificate).unwrap();
    let own = RegisteredCertificate::from_pem(&read(office.centre.clone())).unwrap();
    let centre = Centre {
        name: SERVER.to_owned(),
        mode: Mode::Test,
        address: CENTRE_ADDRESS.to_owned(),
        recipient: own.clone(),
        signers: vec![own],
    };
    let agency = Matricule::try_from(office.number).unwrap();
    let sender = sdc::letter::Office { agency, installation: "main".to_owned() };
    let register = MemoryRegister::new(2);
    simulation::office::Office::new(sender, &address(office.number), identity, Arc::new(centre), register)
}

/// Checks that a notice is about the office's certificate, and that the certificate ends within twenty days.
fn assert_ends(notice: &Notice, office: &Office) {
    let pem = fs::read(office.folder.join("office.crt")).unwrap();
    let own = RegisteredCertificate::from_pem(&pem).unwrap();
    let NoticeContent::CertificateEnds { certificate, ends, days } = &notice.content else { panic!("another notice") };
    assert_eq!((notice.number, certificate), (1, &own.fingerprint().to_string()));
    assert_eq!((*ends, *days), (own.validity().1, 20));
}

/// An office that sends by mail gets the notice by mail. An office that sends by the transfer folder gets the notice in the folder.
#[test]
fn offices_whose_certificates_end_are_told_by_the_way_that_they_write() {
    let transfer = Transfer::make().unwrap();
    let Site { dovecot, postfix, mut engine } = Site::found(&[address(42)], &transfer.configuration()).unwrap();
    let [by_mail, by_folder] = [42, 43].map(|number| Office::open_for(&engine, number, &P256, "centre-p256.crt", "20"));
    engine.operate(&["agency", "edit", "43", "--no-email"]).unwrap();
    engine.start().unwrap();
    engine.wait_until_ready().unwrap();
    for office in [&by_mail, &by_folder] {
        office.seal(&letter(office.number, 1), GCM);
    }
    by_mail.send(&postfix);
    transfer.send("first", &fs::read(by_folder.folder.join("letter.sdc")).unwrap()).unwrap();
    let mut files = Vec::new();
    engine
        .wait_until("both have their receipts", |_| {
            files.extend(transfer.collect("000043")?);
            Ok(answers(&dovecot, 42).len() == 1 && files.len() == 1)
        })
        .unwrap();

    // The program looks for certificates that end soon when it starts, and then every hour.
    engine.stop().unwrap();
    engine.start().unwrap();
    engine
        .wait_until("both are told", |_| {
            files.extend(transfer.collect("000043")?);
            Ok(answers(&dovecot, 42).len() == 2 && files.len() == 2)
        })
        .unwrap();
    let signer = engine.data().join("keys/centre-p256.crt");
    let notices: Vec<Notice> = answers(&dovecot, 42)
        .iter()
        .filter_map(|answer| {
            let octets = by_mail.verify(answer, &signer);
            match payload::read_centre_letter(&octets, &PayloadLimits::default()).unwrap() {
                CentreLetter::Answer(_) | CentreLetter::Part(_) => None,
                CentreLetter::Notice(notice) => {
                    assert!(octets.starts_with(b"{"), "an office that writes plain JSON reads plain JSON");
                    Some(notice)
                }
            }
        })
        .collect();
    assert_eq!(notices.len(), 1);
    assert_ends(&notices[0], &by_mail);

    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["main-1-1-0.sdc", "main-notice-1.sdc"]);
    let mut program = program(&by_folder);
    let Received::Noticed(noticed) = program.receive(&files[1].1).unwrap() else { panic!("an answer") };
    assert!(noticed.is_news);
    assert_ends(&noticed.notice, &by_folder);
    // The answer can be seen at the relay or in the folder a moment before the exporter notes in the database that it is sent.
    engine
        .wait_until("no answer waits", |engine| Ok(engine.operate(&["answer", "list"])? == "no answer waits\n"))
        .unwrap();
    engine.stop().unwrap();
}
