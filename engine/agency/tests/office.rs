//! Tests of which answers and notices an office accepts.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use agency::identity::{Algorithm, Identity};
use agency::office::{AnswerError, Centre, Received};
use agency::packed::Packed;
use chrono::{SubsecRound, Utc};
use sdc::answer::notice::{Notice, NoticeContent};
use sdc::answer::receipt::{AccountReceipt, Hold, HoldCode, Receipt, Verdict};
use sdc::answer::statement::Statement;
use sdc::answer::{Addressee, Answer, AnswerBody, AnswerContent};
use sdc::cms::{self, ContentCipher};
use sdc::digest::Digest;
use sdc::document::{Document, DocumentLimits};
use sdc::letter::{self, FORMAT_VERSION, Matricule, Mode};
use sdc::payload::{self, PayloadForm, PayloadLimits};
use sdc::request::{Correction, CorrectionAction, Corrections, Period, RecordName, Records, Request};
use simulation::dice::Dice;
use simulation::forgery;
use simulation::office::{MemoryRegister, Office};
use simulation::records::Register;
use uuid::Uuid;

fn matricule(number: u32) -> Matricule {
    Matricule::try_from(number).unwrap()
}

fn centre(identity: &Identity) -> Arc<Centre> {
    Arc::new(Centre {
        name: "centre-x".to_owned(),
        mode: Mode::Test,
        address: "centre@example.org".to_owned(),
        recipient: identity.certificate().clone(),
        signers: vec![identity.certificate().clone()],
    })
}

fn office(centre: &Identity, algorithm: Algorithm) -> Office {
    let sender = letter::Office { agency: matricule(42), installation: "pc-1".to_owned() };
    let identity = Identity::generate("office", algorithm).unwrap();
    Office::new(sender, "office@example.org", identity, self::centre(centre), MemoryRegister::new(1))
}

fn births() -> Records {
    Register::new("C000042").births(1, &mut Dice::new(1))
}

/// Makes the answer of a centre that accepts a letter.
fn answer_to(packed: &Packed) -> Answer {
    Answer {
        sdc: FORMAT_VERSION,
        id: Uuid::now_v7(),
        from: "centre-x".to_owned(),
        to: Addressee { agency: matricule(42), installation: Some("pc-1".to_owned()) },
        time: Utc::now(),
        mode: Mode::Test,
        receipt: Receipt {
            letter: Some(packed.letter_id),
            digest: packed.digest.to_string(),
            sequence: Some(packed.sequence),
            attempt: 1,
            epoch: 1,
            verdict: Verdict::Accepted,
            refusal: None,
            remedy: None,
            hold: None,
            rows: Vec::new(),
            flags: Vec::new(),
            read: None,
            account: AccountReceipt { cost: 0, balance: 0, currency: "XAF".to_owned() },
            highest_sequence: packed.sequence,
            received: Utc::now(),
            skew_seconds: Some(0),
        },
        body: None,
    }
}

fn sealed(answer: &Answer, by: &Identity, to: &Office) -> Vec<u8> {
    sealed_octets(&payload::write_answer(answer, PayloadForm::Frame { dictionary: 1 }), by, to)
}

fn sealed_octets(octets: &[u8], by: &Identity, to: &Office) -> Vec<u8> {
    let der = cms::seal(octets, by.key(), to.identity().certificate(), ContentCipher::Aes256Gcm).unwrap();
    Document::render(&der, None)
}

/// Makes a notice of a centre: the certificate of this office ends in seven days.
fn notice(number: u64) -> Notice {
    let certificate = Digest::of(b"certificate").to_string();
    Notice {
        sdc: FORMAT_VERSION,
        id: Uuid::now_v7(),
        from: "centre-x".to_owned(),
        to: letter::Office { agency: matricule(42), installation: "pc-1".to_owned() },
        time: Utc::now(),
        mode: Mode::Test,
        number,
        content: NoticeContent::CertificateEnds { certificate, ends: Utc::now().trunc_subsecs(0), days: 7 },
    }
}

#[test]
fn every_kind_of_office_is_heard_and_hears() {
    for algorithm in [Algorithm::P256, Algorithm::P384, Algorithm::Rsa2048] {
        let centre = Identity::generate("centre", Algorithm::P256).unwrap();
        let mut office = office(&centre, algorithm);
        let packed = office.pack(births()).unwrap();
        let document = Document::parse(&packed.document, &DocumentLimits::default()).unwrap();
        assert_eq!(sdc::document::claim(&office.mail(&packed).render().unwrap()), Some(matricule(42)));
        let verified = cms::open(&document, centre.opening()).unwrap().verify(office.identity().certificate()).unwrap();
        assert_eq!(verified.digest(), packed.digest);
        let letter = verified.letter(&PayloadLimits::default()).unwrap();
        assert_eq!((letter.id, letter.sequence), (packed.letter_id, 1));

        let answer = sealed(&answer_to(&packed), &centre, &office);
        let answered = office.open(&answer).unwrap();
        assert!(answered.is_news && answered.letter == packed.digest, "{algorithm:?}");
    }
}

#[test]
fn an_answer_counts_once_and_the_highest_attempt_wins() {
    let centre = Identity::generate("centre", Algorithm::P256).unwrap();
    let mut office = office(&centre, Algorithm::P256);
    let packed = office.pack(births()).unwrap();
    // Each line has the epoch and the attempt of an answer, and whether the office must count that answer as new. A higher epoch is new
    // whatever its attempt, because a restored centre counts attempts from 1 again.
    for (epoch, attempt, is_news) in [
        (1, 1, true),
        (1, 1, false),
        (1, 3, true),
        (1, 2, false),
        (1, 3, false),
        (2, 1, true),
        (1, 4, false),
        (2, 1, false),
        (2, 2, true),
    ] {
        let mut answer = answer_to(&packed);
        (answer.receipt.epoch, answer.receipt.attempt) = (epoch, attempt);
        let document = sealed(&answer, &centre, &office);
        assert_eq!(office.open(&document).unwrap().is_news, is_news, "epoch {epoch}, attempt {attempt}");
    }
}

#[test]
fn each_part_of_an_answer_is_news_once() {
    let centre = Identity::generate("centre", Algorithm::P256).unwrap();
    let mut office = office(&centre, Algorithm::P256);
    let packed = office.ask(Request::Account(Period { from: None, to: None })).unwrap();
    let day = Utc::now().date_naive();
    let statement = Statement {
        from: day,
        to: day,
        currency: "XAF".to_owned(),
        opening: 0,
        closing: 0,
        credit_limit: 0,
        entries_total: 0,
        entries: Vec::new(),
    };
    // Each line has an attempt, a part (0 for a receipt without a part), and whether the office must count that answer as new.
    for (attempt, part, is_news) in [
        (1, 2, true),
        (1, 0, false),
        (1, 1, true),
        (1, 2, false),
        (2, 0, true),
        (2, 1, true),
        (1, 3, false),
        (2, 1, false),
    ] {
        let mut answer = answer_to(&packed);
        answer.receipt.attempt = attempt;
        let content = AnswerContent::Statement(statement.clone());
        answer.body = (part > 0).then_some(AnswerBody { part, parts: 3, content });
        let answered = office.open(&sealed(&answer, &centre, &office)).unwrap();
        assert_eq!(answered.is_news, is_news, "attempt {attempt}, part {part}");
        assert_eq!(answered.answer.body, answer.body);
    }
}

#[test]
fn an_answer_that_is_not_exactly_its_own_is_not_believed() {
    let centre = Identity::generate("centre", Algorithm::P256).unwrap();
    let mut office = office(&centre, Algorithm::P256);
    let packed = office.pack(births()).unwrap();
    type Change = fn(&mut Answer);
    let changes: [(&str, Change); 8] = [
        ("from", |answer| answer.from = "centre-y".to_owned()),
        ("mode", |answer| answer.mode = Mode::Live),
        ("to.agency", |answer| answer.to.agency = matricule(43)),
        ("to.installation", |answer| answer.to.installation = Some("pc-2".to_owned())),
        ("letter", |answer| answer.receipt.letter = Some(Uuid::now_v7())),
        ("sequence", |answer| answer.receipt.sequence = Some(2)),
        ("not sent", |answer| answer.receipt.digest = Digest::of(b"other").to_string()),
        ("not sent", |answer| answer.receipt.digest = String::new()),
    ];
    for (expected, change) in changes {
        let mut answer = answer_to(&packed);
        change(&mut answer);
        let document = sealed(&answer, &centre, &office);
        let error = office.open(&document).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let forger = Identity::generate("centre", Algorithm::P256).unwrap();
    let forged = sealed(&answer_to(&packed), &forger, &office);
    assert!(matches!(office.open(&forged), Err(AnswerError::NotTheCentre)));
    let impostor = forgery::impersonating(centre.certificate()).unwrap();
    let forged = sealed(&answer_to(&packed), &impostor, &office);
    assert!(matches!(office.open(&forged), Err(AnswerError::Unopenable(_))));
    let document = sealed(&answer_to(&packed), &centre, &office);
    assert!(office.open(&document).unwrap().is_news, "none of those used the answer up");
}

#[test]
fn a_notice_of_the_centre_is_news_once_whatever_order_the_post_brings() {
    let centre = Identity::generate("centre", Algorithm::P256).unwrap();
    let mut office = office(&centre, Algorithm::P256);
    let packed = office.pack(births()).unwrap();
    let sealed_notice = |notice: &Notice, by: &Identity, to: &Office| {
        sealed_octets(&payload::pack_as(payload::write_notice(notice), PayloadForm::Json), by, to)
    };
    for (number, is_news) in [(2, true), (1, true), (2, false), (1, false), (3, true)] {
        let notice = notice(number);
        let document = sealed_notice(&notice, &centre, &office);
        assert!(matches!(office.open(&document), Err(AnswerError::NoAnswer(found)) if found == number));
        let Received::Noticed(noticed) = office.receive(&document).unwrap() else { panic!("an answer") };
        assert_eq!(noticed.is_news, is_news, "{number}");
        assert_eq!((noticed.notice.number, noticed.notice.content), (number, notice.content));
    }
    type Change = fn(&mut Notice);
    let changes: [(&str, Change); 4] = [
        ("from", |notice| notice.from = "centre-y".to_owned()),
        ("mode", |notice| notice.mode = Mode::Live),
        ("to.agency", |notice| notice.to.agency = matricule(43)),
        ("to.installation", |notice| notice.to.installation = "pc-2".to_owned()),
    ];
    for (expected, change) in changes {
        let mut notice = notice(4);
        change(&mut notice);
        let error = office.receive(&sealed_notice(&notice, &centre, &office)).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let impostor = forgery::impersonating(centre.certificate()).unwrap();
    let forged = sealed_notice(&notice(4), &impostor, &office);
    assert!(matches!(office.receive(&forged), Err(AnswerError::Unopenable(_))));
    let document = sealed_notice(&notice(4), &centre, &office);
    let Received::Noticed(noticed) = office.receive(&document).unwrap() else { panic!("an answer") };
    assert!(noticed.is_news, "none of those used the number up");
    let Received::Answered(answered) = office.receive(&sealed(&answer_to(&packed), &centre, &office)).unwrap() else {
        panic!("a notice")
    };
    assert!(answered.is_news);
}

/// The centre announces its next certificate in a notice signed with the present key. From then on the office accepts both certificates,
/// and no other.
#[test]
fn a_certificate_that_the_centre_announces_is_believed_and_seen() {
    let (centre, next) =
        (Identity::generate("centre", Algorithm::P256).unwrap(), Identity::generate("next", Algorithm::P256).unwrap());
    let mut office = office(&centre, Algorithm::P256);
    let sealed_notice = |notice: &Notice, by: &Identity, to: &Office| {
        sealed_octets(&payload::pack_as(payload::write_notice(notice), PayloadForm::Json), by, to)
    };
    let announced = NoticeContent::announcing(next.certificate().der());
    let announcement = Notice { content: announced, ..notice(1) };
    let by_next = sealed_notice(&notice(2), &next, &office);
    assert!(matches!(office.receive(&by_next), Err(AnswerError::NotTheCentre)));
    // A certificate must not be accepted if the notice that announces it is signed with the key of that very certificate.
    let itself = sealed_notice(&announcement, &next, &office);
    assert!(matches!(office.receive(&itself), Err(AnswerError::NotTheCentre)));
    let broken = Notice { content: NoticeContent::CentreCertificate { certificate: "AQID".to_owned() }, ..notice(1) };
    let broken = sealed_notice(&broken, &centre, &office);
    assert!(matches!(office.receive(&broken), Err(AnswerError::Unreadable(_))));
    let genuine = sealed_notice(&announcement, &centre, &office);
    let Received::Noticed(noticed) = office.receive(&genuine).unwrap() else { panic!("an answer") };
    assert!(noticed.is_news, "what could not be read did not count");
    for by in [&centre, &next] {
        let document = sealed_notice(&notice(2), by, &office);
        office.receive(&document).unwrap();
    }
    let letter = office.compose(births()).unwrap();
    assert_eq!(letter.seen, Some(2));
}

#[test]
fn after_a_renewal_answers_to_either_key_are_opened() {
    let centre = Identity::generate("centre", Algorithm::P256).unwrap();
    let mut office = office(&centre, Algorithm::P256);
    let next = Identity::generate("office", Algorithm::P256).unwrap();
    let renewal = office.renew(&next).unwrap();
    let to_former = sealed(&answer_to(&renewal), &centre, &office);
    office.adopt(next.clone());
    let packed = office.pack(births()).unwrap();
    let to_next = sealed(&answer_to(&packed), &centre, &office);
    for document in [to_former, to_next] {
        assert!(office.open(&document).unwrap().is_news);
    }
    assert_eq!(office.identity().certificate().fingerprint(), next.certificate().fingerprint());
}

/// A held letter gets two receipts: the first says that it is held, the second states what the centre has decided. The register keeps the
/// decision, even if the second receipt arrives first.
#[test]
fn the_register_keeps_that_a_letter_is_held_until_a_further_attempt_says_more() {
    let centre = Identity::generate("centre", Algorithm::P256).unwrap();
    for order in [[1, 2], [2, 1]] {
        let mut office = office(&centre, Algorithm::P256);
        let correction = Correction {
            table: "ActeNaissance".to_owned(),
            record: RecordName::Identity { installation: "pc-1".to_owned(), numero: 1 },
            action: CorrectionAction::Cancel,
            columns: Vec::new(),
            values: Vec::new(),
            reason: "written twice".to_owned(),
            reference: "act 1".to_owned(),
        };
        let corrections = Corrections { application: "ecr".to_owned(), corrections: vec![correction] };
        let packed = office.correct(corrections).unwrap();
        let verdicts = order.map(|attempt| {
            let mut answer = answer_to(&packed);
            answer.receipt.attempt = attempt;
            if attempt == 1 {
                answer.receipt.verdict = Verdict::Held;
                answer.receipt.hold = Some(Hold { code: HoldCode::Approval, checks: Vec::new() });
            }
            office.open(&sealed(&answer, &centre, &office)).unwrap();
            let sent = office.find_sent(&packed.digest.to_string()).unwrap().unwrap();
            (sent.verdict, sent.is_decided())
        });
        let held = (Some(Verdict::Held), false);
        let accepted = (Some(Verdict::Accepted), true);
        assert_eq!(verdicts, if order[0] == 1 { [held, accepted] } else { [accepted, accepted] });
    }
}

#[test]
fn a_letter_is_resent_unchanged_or_in_a_new_envelope() {
    let centre = Identity::generate("centre", Algorithm::P256).unwrap();
    let mut office = office(&centre, Algorithm::P256);
    let packed = office.pack(births()).unwrap();
    let again = office.seal_again(&packed).unwrap();
    assert_ne!(again.document, packed.document);
    assert_eq!((again.digest, again.letter_id), (packed.digest, packed.letter_id));
    let mail = office.mail(&packed);
    assert_eq!(mail.message_id, office.mail(&again).message_id);
    let found = mail::extract::extract(&mail.render().unwrap(), &mail::extract::MailLimits::default()).unwrap();
    assert_eq!(found.containers.len(), 1);
    assert_eq!(office.pack(births()).unwrap().sequence, 2);
}
