//! Uses each service once by mail between real servers. Letters are sent through Postfix, the centre collects them from Dovecot, and the
//! answers arrive in the office's mailbox.

use std::fs;
use std::process::Command;

use agency::identity::{Algorithm, Identity};
use mail::extract::{MailLimits, extract};
use scenarios::town::{CENTRE_ADDRESS, address};
use sdc::answer::notice::NoticeContent;
use sdc::answer::part::PartContent;
use sdc::answer::receipt::Verdict;
use sdc::answer::results::Found;
use sdc::answer::{Answer, AnswerContent, CentreLetter};
use sdc::payload::{self, PayloadForm, PayloadLimits};
use sdc::request::{
    Certified, Enrol, EnrolmentCode, Import, Message, Period, ProfileRequest, Recharge, Renew, Request,
};
use serde_json::json;

use super::folder::{births, voucher};
use super::world::{Desk, Sent, World};

/// Sends a letter as an attachment, through the relay.
fn send(world: &World, number: u32, desk: &mut Desk, request: Request) -> Sent {
    let sent = desk.write(request);
    let file = world.engine.place().join("letter.sdc");
    fs::write(&file, &sent.document).unwrap();
    let (postfix, _) = world.mail.as_ref().unwrap();
    let output = Command::new("swaks")
        .args(["--server", &postfix.smtp_address().to_string(), "--from", &address(number), "--to", CENTRE_ADDRESS])
        .args(["--header", "Subject: registre", "--body", "Ci-joint.", "--timeout", "20"])
        .args(["--attach-type", "application/octet-stream", "--attach-name", "letter.sdc"])
        .args(["--attach", &format!("@{}", file.display())])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    sent
}

/// Waits until the office's mailbox has a letter of the centre for which `find` returns a value, and returns that value.
fn wait<T>(world: &mut World, number: u32, desk: &Desk, what: &str, find: impl Fn(&CentreLetter) -> Option<T>) -> T {
    let World { engine, mail, .. } = world;
    let (_, dovecot) = mail.as_ref().unwrap();
    let mut found = None;
    let waited = engine.wait_until(what, |_| {
        let mails = dovecot.mails(&address(number))?;
        let containers = mails.iter().flat_map(|mail| extract(mail, &MailLimits::default()).unwrap().containers);
        let read = |container: Vec<u8>| {
            payload::read_centre_letter(&desk.open(&container), &PayloadLimits::default()).unwrap()
        };
        found = containers.map(read).find_map(|letter| find(&letter));
        Ok(found.is_some())
    });
    waited.unwrap();
    found.unwrap()
}

/// Sends a request, and waits for the receipt. The letter must be accepted.
fn ask(world: &mut World, number: u32, desk: &mut Desk, request: Request) -> Answer {
    let what = format!("{} is answered", request.service());
    let sent = send(world, number, desk, request);
    let is_answer = |letter: &CentreLetter| match letter {
        CentreLetter::Answer(answer) if answer.receipt.letter == Some(sent.letter) => Some(answer.clone()),
        _ => None,
    };
    let answer = wait(world, number, desk, &what, is_answer);
    assert_eq!(answer.receipt.digest, sent.digest.to_string());
    assert_eq!(answer.receipt.verdict, Verdict::Accepted, "{what}: {:?}", answer.receipt.refusal);
    answer
}

/// Sends a request for records, and waits for the only part of the answer.
fn read(world: &mut World, number: u32, desk: &mut Desk, request: Request) -> PartContent {
    let receipt = ask(world, number, desk, request).receipt;
    assert_eq!(receipt.read.unwrap().parts, 1);
    wait(world, number, desk, "the part comes", |letter| match letter {
        CentreLetter::Part(part) if part.head.answers.digest == receipt.digest => Some(part.content.clone()),
        _ => None,
    })
}

#[test]
fn each_service_is_given_by_mail() {
    let mut world = World::with_mail(&[42, 44]);
    let right = ["plan", "edit", "standard", "--table", "ecr.ActeNaissance"];
    world.engine.operate(&[&right[..], &["--may-read", "own", "--may-certify", "own"]].concat()).unwrap();
    let form = PayloadForm::Frame { dictionary: 1 };
    let mut desk = world.settle(42, form);
    world.add_agency(44);
    for number in [42, 44] {
        world.engine.operate(&["agency", "edit", &number.to_string(), "--email", &address(number)]).unwrap();
    }
    world.open();
    let desk = &mut desk;
    assert_eq!(ask(&mut world, 42, desk, births(42, 1..=2)).receipt.rows[0].new, 2);

    let select = "SELECT NumeroActe FROM ecr.ActeNaissance ORDER BY NumeroActe DESC".to_owned();
    let content = read(&mut world, 42, desk, Request::Import(Import::Select { select, estimate: false }));
    let PartContent::Rows(rows) = content else { panic!("no rows") };
    assert_eq!(rows.values, [[json!(2), json!(1)]]);
    let papers = Certified {
        application: "ecr".to_owned(),
        table: "ActeNaissance".to_owned(),
        key: ["CentreCode", "AnneeRegistre", "NumeroActe"].map(str::to_owned).to_vec(),
        keys: vec![vec![json!("C42"); 2], vec![json!(2026); 2], vec![json!(1), json!(3)]],
        columns: Vec::new(),
        values: Vec::new(),
    };
    let content = read(&mut world, 42, desk, Request::Certify(papers));
    let PartContent::Results(results) = content else { panic!("no results") };
    let outcomes: Vec<Found> = results.results.iter().map(|result| result.outcome).collect();
    assert_eq!(outcomes, [Found::Match, Found::NotFound]);

    let code = voucher(&world, "5000");
    let credited = ask(&mut world, 42, desk, Request::Recharge(Recharge { code }));
    assert_eq!(credited.receipt.account.balance, 4800);
    let body = |answer: Answer| answer.body.unwrap().content;
    let content = body(ask(&mut world, 42, desk, Request::Account(Period { from: None, to: None })));
    let AnswerContent::Statement(statement) = content else { panic!("no statement") };
    assert_eq!((statement.closing, statement.entries.len()), (4800, 2));
    let content = body(ask(&mut world, 42, desk, Request::Profile(ProfileRequest { set: None })));
    let AnswerContent::Profile(profile) = content else { panic!("no profile") };
    assert_eq!((profile.name, profile.email), ("Mairie".to_owned(), address(42)));
    ask(&mut world, 42, desk, Request::Message(Message { thread: None, text: "Bonjour".to_owned() }));
    world.engine.operate(&["message", "send", "42", "Bonjour à vous"]).unwrap();
    let told = wait(&mut world, 42, desk, "the notice comes", |letter| match letter {
        CentreLetter::Notice(notice) => Some(notice.content.clone()),
        _ => None,
    });
    assert!(matches!(told, NoticeContent::Message { text, .. } if text == "Bonjour à vous"));

    world.run("UPDATE xm.certificates SET not_after = now() + interval '30 days'");
    let next = Identity::generate("office 42", Algorithm::P256).unwrap();
    let certificate = next.certificate().der().to_vec();
    let content = body(ask(&mut world, 42, desk, Request::Renew(Renew { certificate })));
    assert!(matches!(content, AnswerContent::Renewed(_)));
    desk.adopt(next);
    ask(&mut world, 42, desk, births(42, 3..=3));

    let newcomer = Identity::generate("office 44", Algorithm::P256).unwrap();
    let certificate = newcomer.certificate().der().to_vec();
    let code = world.done(&["enrolment", "code", "44"])["code"].as_str().map(EnrolmentCode::typed).unwrap();
    let mut desk = world.desk(44, "pc1", form, newcomer);
    let content = body(ask(&mut world, 44, &mut desk, Request::Enrol(Enrol { code, certificate })));
    assert!(matches!(content, AnswerContent::Enrolled(_)));
    ask(&mut world, 44, &mut desk, births(44, 1..=1));
    world.engine.stop().unwrap();
}
