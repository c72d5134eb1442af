//! Tests of letters: what is packed, and what an answer changes. The centre of these tests is a key that signs.

use std::path::Path;

use agency::identity::{Algorithm, Identity};
use agency::kit::{Kit, KitCentre};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::SubsecRound;
use sdc::answer::certificate::IssuedCertificate;
use sdc::answer::notice::{Notice, NoticeContent};
use sdc::answer::receipt::AccountReceipt;
use sdc::answer::{Addressee, Answer, AnswerBody, AnswerContent};
use sdc::cms::{self, ContentCipher};
use sdc::digest::Digest;
use sdc::document::{Document, DocumentLimits};
use sdc::letter::{self, FORMAT_VERSION, Mode};
use sdc::payload::{self, PayloadForm, PayloadLimits};
use sdc::refusal::{Refusal, RefusalCode, Remedy, RowFault, RowFaults};
use sdc::request::{EnrolmentCode, Period};
use serde_json::Map;
use uuid::Uuid;

mod enrolment;
mod meanwhile;

use super::*;
use crate::desk::now;
use crate::people::{Person, Role};
use crate::records::tests::{births, pairs};
use crate::records::{By, Record, Status, fill_identifiers, read_pairs};
use crate::settings::Setting;
use crate::vault::DatabaseKey;

/// An office whose centre the test plays.
struct World {
    desk: Desk,
    centre: Identity,
    place: tempfile::TempDir,
    key: DatabaseKey,
}

impl World {
    /// Sets up an office that the centre does not know yet.
    fn new(letter_bytes_max: u32) -> World {
        let (place, key) = (tempfile::tempdir().unwrap(), DatabaseKey::generate().unwrap());
        let (centre_key, certificate) = Identity::generate_pem("centre-x", Algorithm::P256).unwrap();
        let centre = Identity::from_pem(centre_key.as_bytes(), certificate.as_bytes()).unwrap();
        let kit = Kit {
            sdc_kit: 1,
            centre: KitCentre {
                name: "centre-x".to_owned(),
                telephone: String::new(),
                email: "centre@example.org".to_owned(),
                certificates: vec![certificate],
            },
            mode: Mode::Test,
            matricule: 42.try_into().unwrap(),
            mail: None,
            https: None,
            letter_bytes_max,
        };
        let desk = desk(place.path(), &key);
        desk.database.set(Setting::Kit, &kit.write()).unwrap();
        desk.database.set(Setting::Installation, "pc-1").unwrap();
        let (own, certificate) = Identity::generate_pem("000042", Algorithm::P256).unwrap();
        desk.database.keep_key(&own, &certificate).unwrap();
        World { desk, centre, place, key }
    }

    /// Sets up an office that the centre knows, with the table of births.
    fn enrolled() -> World {
        let world = World::new(1 << 18);
        let made = world.desk.database.identity("made").unwrap().unwrap();
        world.desk.database.adopt_certificate(made.certificate()).unwrap();
        world.desk.database.define(&births(1)).unwrap();
        world
    }

    /// Ends the program as a power cut does, and starts it anew.
    fn restarted(self) -> World {
        let World { desk, centre, place, key } = self;
        drop(desk);
        World { desk: self::desk(place.path(), &key), centre, place, key }
    }

    /// Adds a validated record.
    fn birth(&self, number: u32) -> i64 {
        let (database, at) = (&self.desk.database, now());
        let (table, by) = (database.table("ActeNaissance").unwrap(), By { name: "mbome", at: &at });
        let mut columns = Map::new();
        read_pairs(&table, pairs(&number.to_string(), "Ngo Biyong"), &mut columns).unwrap();
        fill_identifiers(&table, &mut columns);
        let numero = database.add_record(&table, &columns, by).unwrap();
        database.validate_record(&self.record(numero), by).unwrap();
        numero
    }

    fn record(&self, numero: i64) -> Record {
        self.desk.database.record(numero).unwrap()
    }

    fn status(&self, numero: i64) -> Status {
        self.record(numero).status
    }

    /// Opens a letter as the centre does. Returns the letter and its digest.
    fn read(&self, sequence: i64) -> (letter::Letter, Digest) {
        let document: Vec<u8> = self
            .desk
            .database
            .find("SELECT document FROM letters WHERE sequence = ?1", [sequence], |row| row.get(0))
            .unwrap()
            .unwrap();
        let document = Document::parse(&document, &DocumentLimits::default()).unwrap();
        let identity = self.desk.office(sdc::service::Service::Enrol).unwrap().identity().certificate().clone();
        let verified = cms::open(&document, self.centre.opening()).unwrap().verify(&identity).unwrap();
        (verified.letter(&PayloadLimits::default()).unwrap(), verified.digest())
    }

    /// Makes the receipt of an attempt at a letter.
    fn receipt(&self, sequence: i64, attempt: u16, refusal: Option<Refusal>) -> Answer {
        let (letter, digest) = self.read(sequence);
        Answer {
            sdc: FORMAT_VERSION,
            id: Uuid::now_v7(),
            from: "centre-x".to_owned(),
            to: Addressee { agency: letter.from.agency, installation: Some(letter.from.installation) },
            time: Utc::now(),
            mode: Mode::Test,
            receipt: Receipt {
                letter: Some(letter.id),
                digest: digest.to_string(),
                sequence: Some(letter.sequence),
                attempt,
                epoch: 1,
                verdict: if refusal.is_some() { Verdict::Refused } else { Verdict::Accepted },
                remedy: refusal.as_ref().and_then(|refusal| refusal.code.remedy()),
                refusal,
                hold: None,
                rows: Vec::new(),
                flags: Vec::new(),
                read: None,
                account: AccountReceipt { cost: 100, balance: -100, currency: "XAF".to_owned() },
                highest_sequence: letter.sequence,
                received: Utc::now(),
                skew_seconds: Some(0),
            },
            body: None,
        }
    }

    fn sealed(&self, octets: &[u8], by: &Identity) -> Vec<u8> {
        let to = self.desk.office(sdc::service::Service::Enrol).unwrap().identity().certificate().clone();
        Document::render(&cms::seal(octets, by.key(), &to, ContentCipher::Aes256Gcm).unwrap(), None)
    }

    fn answer(&self, answer: &Answer) -> Result<News, LetterError> {
        take(&self.desk, &self.sealed(&payload::write_answer(answer, PayloadForm::Json), &self.centre))
    }

    fn notice(&self, number: u64, content: NoticeContent) -> Result<News, LetterError> {
        let notice = Notice {
            sdc: FORMAT_VERSION,
            id: Uuid::now_v7(),
            from: "centre-x".to_owned(),
            to: letter::Office { agency: 42.try_into().unwrap(), installation: "pc-1".to_owned() },
            time: Utc::now().trunc_subsecs(0),
            mode: Mode::Test,
            number,
            content,
        };
        take(&self.desk, &self.sealed(&payload::write_notice(&notice), &self.centre))
    }

    /// Returns all that an answer may change, to be compared.
    fn state(&self) -> Vec<String> {
        let statement = "SELECT numero || ' ' || status || coalesce(remark, '') FROM records
                          UNION ALL SELECT sequence || coalesce(verdict, '-') || coalesce(receipt, '') FROM letters
                          UNION ALL SELECT number || kind FROM notices UNION ALL SELECT state || id FROM keys";
        self.desk.database.list(statement, [], |row| row.get(0)).unwrap()
    }
}

fn desk(folder: &Path, key: &DatabaseKey) -> Desk {
    let person = Person { name: "mbome".to_owned(), role: Role::Officer };
    Desk { folder: folder.to_path_buf(), database: Database::open(folder, key).unwrap(), person, json: true }
}

fn due(world: &World) -> Vec<i64> {
    world.desk.database.due(Utc::now()).unwrap().into_iter().map(|letter| letter.sequence).collect()
}

#[test]
fn a_record_is_exported_only_on_a_verified_receipt() {
    let world = World::enrolled();
    let (first, second) = (world.birth(118), world.birth(119));
    let exported = export(&world.desk, None, false).unwrap();
    assert_eq!(exported.letters.len(), 1);
    assert_eq!((exported.letters[0].sequence, exported.letters[0].records.clone()), (1, vec![first, second]));
    assert_eq!([world.status(first), world.status(second)], [Status::Packed; 2]);
    let (letter, _) = world.read(1);
    let Request::Export(records) = letter.request else { panic!("{letter:?}") };
    assert_eq!(records.tables[0].columns[..3], ["Numero", "Status", "NumeroActe"]);
    assert_eq!(records.tables[0].values[1], [2, 2]);
    // What is packed is not packed again, and a program that ended knows what it had packed.
    assert_eq!(export(&world.desk, None, false).unwrap().letters.len(), 0);
    let world = world.restarted();
    assert_eq!(due(&world), [1]);
    world.desk.database.note_sent(1, &now()).unwrap();
    assert_eq!((due(&world), world.desk.database.awaited().unwrap()), (vec![], 1));

    let receipt = world.receipt(1, 1, None);
    assert_eq!(world.answer(&receipt).unwrap(), News::Receipt { sequence: 1, verdict: Verdict::Accepted });
    assert_eq!([world.status(first), world.status(second)], [Status::Exported; 2]);
    assert_eq!(world.answer(&receipt).unwrap(), News::Known);
    assert_eq!((due(&world), world.desk.database.awaited().unwrap()), (vec![], 0));
}

#[test]
fn a_letter_without_an_answer_is_sent_again_unchanged_after_an_hour_whatever_the_clock_does() {
    let world = World::enrolled();
    world.birth(118);
    export(&world.desk, None, false).unwrap();
    let document = |time| world.desk.database.due(time).unwrap().into_iter().map(|letter| letter.document).next();
    let (now, first) = (Utc::now(), document(Utc::now()).unwrap());
    world.desk.database.note_sent(1, &now.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)).unwrap();
    assert_eq!(document(now + TimeDelta::minutes(59)), None);
    assert_eq!(document(now + TimeDelta::minutes(61)).as_ref(), Some(&first));
    assert_eq!(document(now - TimeDelta::days(20_000)).as_ref(), Some(&first), "the clock was put back");
}

#[test]
fn a_refusal_gives_the_records_back_with_the_reason_in_view() {
    let world = World::enrolled();
    let (first, second) = (world.birth(118), world.birth(119));
    export(&world.desk, None, false).unwrap();
    let mut faults = RowFaults::default();
    faults.add(|| RowFault {
        table: "ActeNaissance".to_owned(),
        row: 2,
        column: Some("NomEnfant".to_owned()),
        rule: "characters".to_owned(),
        expected: "text of one line".to_owned(),
    });
    let refusal = Refusal::new(RefusalCode::RowsInvalid).with_faults(faults);
    assert_eq!(refusal.code.remedy(), Some(Remedy::Mend));
    world.answer(&world.receipt(1, 1, Some(refusal))).unwrap();
    assert_eq!([world.status(first), world.status(second)], [Status::Validated; 2]);
    let remark = world.record(second).remark.unwrap();
    assert_eq!(
        (remark["code"].as_str(), remark["fault"]["column"].as_str()),
        (Some("rows_invalid"), Some("NomEnfant"))
    );
    assert!(world.record(first).remark.unwrap()["fault"].is_null());

    // An operator's retry accepts the letter after all: what was sent is exported, whoever has reopened it.
    let at = now();
    world.desk.database.reopen_record(&world.record(second), By { name: "mbome", at: &at }).unwrap();
    world.answer(&world.receipt(1, 2, None)).unwrap();
    assert_eq!([world.status(first), world.status(second)], [Status::Exported; 2]);
    assert_eq!(world.record(second).remark, None, "nobody has written anything else");
}

#[test]
fn what_waits_stays_packed_until_it_is_packed_again() {
    let world = World::enrolled();
    let numero = world.birth(118);
    export(&world.desk, None, false).unwrap();
    world.answer(&world.receipt(1, 1, Some(Refusal::new(RefusalCode::AgencySuspended)))).unwrap();
    assert_eq!(world.status(numero), Status::Packed);
    assert_eq!(export(&world.desk, None, false).unwrap().letters.len(), 0);
    let again = export(&world.desk, None, true).unwrap();
    assert_eq!((again.letters[0].sequence, world.record(numero).sequence), (2, Some(2)));
    // The first letter accepted now would be the same record: the centre takes it for a duplicate, and nothing changes here.
    world.answer(&world.receipt(1, 2, None)).unwrap();
    assert_eq!(world.status(numero), Status::Packed);
    world.answer(&world.receipt(2, 1, None)).unwrap();
    assert_eq!(world.status(numero), Status::Exported);
}

#[test]
fn forged_foreign_and_misdirected_answers_change_nothing() {
    let world = World::enrolled();
    world.birth(118);
    export(&world.desk, None, false).unwrap();
    let before = world.state();
    let genuine = world.receipt(1, 1, None);
    let octets = |answer: &Answer| payload::write_answer(answer, PayloadForm::Json);
    let stranger = Identity::generate("centre-x", Algorithm::P256).unwrap();
    let changed = |change: &dyn Fn(&mut Answer)| {
        let mut answer = genuine.clone();
        change(&mut answer);
        world.sealed(&octets(&answer), &world.centre)
    };
    let mut cut = world.sealed(&octets(&genuine), &world.centre);
    cut.truncate(cut.len() / 2);
    let documents = [
        world.sealed(&octets(&genuine), &stranger),
        cut,
        b"-----BEGIN CMS-----\nAAAA\n-----END CMS-----\n".to_vec(),
        changed(&|answer| answer.to.agency = 43.try_into().unwrap()),
        changed(&|answer| answer.to.installation = Some("pc-2".to_owned())),
        changed(&|answer| answer.from = "centre-y".to_owned()),
        changed(&|answer| answer.mode = Mode::Live),
        changed(&|answer| answer.receipt.digest = Digest::of(b"another letter").to_string()),
        changed(&|answer| answer.receipt.sequence = Some(7)),
        changed(&|answer| answer.receipt.letter = Some(Uuid::now_v7())),
    ];
    for (at, document) in documents.iter().enumerate() {
        take(&world.desk, document).map(|_| ()).expect_err(&at.to_string());
        assert_eq!(world.state(), before, "document {at}");
    }
    // The same receipt from the right hand is taken.
    world.answer(&genuine).unwrap();
    assert_ne!(world.state(), before);
}

#[test]
fn an_office_is_enrolled_by_the_answer_and_sends_nothing_else_before() {
    let world = World::new(1 << 18);
    let asking = || ask(&world.desk, Request::Account(Period { from: None, to: None }));
    assert!(matches!(asking(), Err(LetterError::Key(KeyError::NotEnrolled))));
    enrol(&world.desk, EnrolmentCode::typed("ABCD-EFGH-JKMN-PQRS-TVWX-0113")).unwrap();
    assert_eq!(due(&world), [1]);
    let made = world.desk.database.identity("made").unwrap().unwrap().certificate().clone();
    let body = |der: &[u8]| {
        let issued = IssuedCertificate { certificate: BASE64.encode(der) };
        Some(AnswerBody { part: 1, parts: 1, content: AnswerContent::Enrolled(issued) })
    };
    let mut answer = world.receipt(1, 1, None);
    // A certificate of another key would make the office mute.
    let before = world.state();
    answer.body = body(Identity::generate("x", Algorithm::P256).unwrap().certificate().der());
    assert!(matches!(world.answer(&answer), Err(LetterError::Key(KeyError::OtherKey))));
    assert_eq!(world.state(), before);
    answer.body = body(made.der());
    world.answer(&answer).unwrap();
    assert!(world.desk.database.identity("made").unwrap().is_none());
    let world = world.restarted();
    assert_eq!(ask(&world.desk, Request::Account(Period { from: None, to: None })).unwrap().sequence, 2);
    let again = enrol(&world.desk, EnrolmentCode::typed("ABCD")).map(|_| ()).unwrap_err();
    assert!(matches!(again, LetterError::Key(KeyError::Enrolled)), "{again}");
}

#[test]
fn tables_come_by_notices_and_lost_letters_are_sent_again() {
    let world = World::enrolled();
    let news = world.notice(1, NoticeContent::Definitions(births(2))).unwrap();
    assert_eq!(news, News::Notice { number: 1, kind: "definitions" });
    assert_eq!(world.desk.database.table("ActeNaissance").unwrap().definition.version, 2);
    let numero = world.birth(118);
    export(&world.desk, None, false).unwrap();
    world.desk.database.note_sent(1, &now()).unwrap();
    world.answer(&world.receipt(1, 1, None)).unwrap();
    assert_eq!(due(&world), Vec::<i64>::new());
    world.notice(2, NoticeContent::Resend { from: 1 }).unwrap();
    assert_eq!(world.notice(2, NoticeContent::Resend { from: 1 }).unwrap(), News::Known);
    assert_eq!((due(&world), world.status(numero)), (vec![1], Status::Exported));
    let (letter, _) = world.read(
        ask(&world.desk, Request::Account(Period { from: None, to: None })).unwrap().sequence.try_into().unwrap(),
    );
    assert_eq!(letter.seen, Some(2));
}

#[test]
fn an_export_is_cut_into_letters_that_the_centre_takes() {
    let world = World::new(4096);
    let made = world.desk.database.identity("made").unwrap().unwrap();
    world.desk.database.adopt_certificate(made.certificate()).unwrap();
    world.desk.database.define(&births(1)).unwrap();
    let numeros: Vec<i64> = (1..=150).map(|number| world.birth(number)).collect();
    let exported = export(&world.desk, None, false).unwrap();
    assert!(exported.letters.len() > 1);
    assert!(exported.letters.iter().all(|letter| letter.bytes <= 4096), "{:?}", exported.letters);
    let packed: Vec<i64> = exported.letters.iter().flat_map(|letter| letter.records.clone()).collect();
    assert_eq!(packed, numeros);
}
