//! Tests of how an office fetches the answers from its maildrop, at the in-memory post office.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use agency::collect::{Collected, Then, collect};
use mail::pop3::Mailbox;
use mail::smtp::Outgoing;
use mail::{MailboxSettings, Secret, Security};
use sdc::document::Document;
use simulation::post_office::{PostOffice, PostOfficeSettings};

const OFFICE: &str = "office@example.org";

fn maildrop(post_office: &PostOffice) -> Mailbox {
    let mut settings = MailboxSettings::new("127.0.0.1", OFFICE);
    settings.port = Some(post_office.pop3_address().port());
    settings.security = Security::None;
    settings.password = Some(Secret::new("any"));
    settings.read_timeout_seconds = 60;
    Mailbox::new(settings).unwrap()
}

fn mail(name: &str, document: Vec<u8>) -> Vec<u8> {
    let mail = Outgoing {
        message_id: format!("{name}@example.org"),
        from: "centre@example.org".to_owned(),
        to: OFFICE.to_owned(),
        subject: name.to_owned(),
        is_automatic: true,
        documents: vec![(format!("{name}.sdc"), document)],
    };
    mail.render().unwrap()
}

#[tokio::test]
async fn what_is_not_the_offices_stays_where_it_is() {
    let post_office = PostOffice::start(PostOfficeSettings::default()).unwrap();
    let (own, other) = (Document::render(b"\x30\x03own", None), Document::render(b"\x30\x05other", None));
    post_office.deliver(OFFICE, mail("own", own)).unwrap();
    post_office.deliver(OFFICE, mail("other", other)).unwrap();
    post_office.deliver(OFFICE, "Subject: lunch\r\n\r\nBonjour\r\n").unwrap();

    let mailbox = maildrop(&post_office);
    let mut taken = Vec::new();
    let take = async |documents: Vec<Vec<u8>>| {
        let then = if taken.is_empty() { Then::Delete } else { Then::Leave };
        taken.push(then);
        assert_eq!(documents.len(), 1);
        then
    };
    let collected = collect(&mailbox, take).await.unwrap();
    assert_eq!(collected, Collected { mails: 1, left: 2, documents: 2 });
    assert_eq!(taken, [Then::Delete, Then::Leave]);
    let left: Vec<String> =
        post_office.take(OFFICE).iter().map(|mail| String::from_utf8_lossy(&mail.bytes).into_owned()).collect();
    assert_eq!(left.len(), 2);
    assert!(left[0].contains("Subject: other") && left[1].contains("Subject: lunch"), "{left:?}");
}
