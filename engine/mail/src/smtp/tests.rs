//! Tests of sending mails through a relay: one connection is used for several mails, the outcome of a mail is known as soon as the relay
//! replies, each kind of encryption works, and a relay that does not answer or cannot be reached gives an error.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use simulation::post_office::{
    Accounts, Fault, PostOffice, PostOfficeSettings, Protection, Protocol, SignInRule, When,
};
use simulation::scripted::{Peer, serve};

use super::*;
use crate::settings::{Secret, Security};

const CENTRE: &str = "centre@example.org";

fn office(change: impl FnOnce(&mut PostOfficeSettings)) -> PostOffice {
    let accounts = Accounts::listed([(CENTRE, "secret")]);
    let mut settings = PostOfficeSettings { accounts, ..PostOfficeSettings::default() };
    change(&mut settings);
    PostOffice::start(settings).unwrap()
}

fn settings(office: &PostOffice) -> RelaySettings {
    let mut settings = RelaySettings::new("localhost");
    settings.port = Some(office.smtp_address().port());
    settings.security = Security::None;
    settings
}

fn mail(number: usize) -> Outgoing {
    Outgoing {
        message_id: format!("{number}@example.org"),
        from: CENTRE.to_owned(),
        to: CENTRE.to_owned(),
        subject: "SDC 1".to_owned(),
        is_automatic: true,
        documents: vec![("a.sdc".to_owned(), b"-----BEGIN-----\n".repeat(50))],
    }
}

#[tokio::test]
async fn mails_follow_each_other() {
    let office = office(|_| {});
    let relay = Relay::new(&settings(&office)).unwrap();
    for number in 0..100 {
        relay.send(&mail(number)).await.unwrap();
    }
    assert_eq!(office.count(CENTRE), 100);
}

#[tokio::test]
async fn a_connection_is_used_again_and_never_more_than_allowed_are_open() {
    let office = office(|settings| settings.connections_max = 2);
    let mut settings = settings(&office);
    settings.connections_max = 2;
    let relay = Relay::new(&settings).unwrap();
    let mails: Vec<Outgoing> = (0..40).map(mail).collect();
    // Both the simulated relay and the settings allow two connections. The relay would refuse a third connection, and a mail would fail.
    // Every mail must be sent, although four mails are sent at the same time.
    for sent in four_at_a_time(&relay, &mails).await {
        sent.unwrap();
    }
    assert_eq!(office.count(CENTRE), 40);
}

async fn four_at_a_time(relay: &Relay, mails: &[Outgoing]) -> Vec<Result<(), SendFailure>> {
    let mut sent = Vec::new();
    for pair in mails.chunks(4) {
        let [a, b, c, d] = pair else { unreachable!() };
        let four = tokio::join!(relay.send(a), relay.send(b), relay.send(c), relay.send(d));
        sent.extend([four.0, four.1, four.2, four.3]);
    }
    sent
}

#[tokio::test]
async fn every_protection_and_sign_in() {
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = || PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let server =
        Arc::new(server.with_no_client_auth().with_single_cert(vec![issued.cert.der().clone()], key()).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, issued.cert.pem()).unwrap();
    let ways = [
        (Security::Tls, Protection::Implicit(Arc::clone(&server))),
        (Security::Starttls, Protection::Offered(Arc::clone(&server))),
    ];
    for (security, protection) in ways {
        let office = office(|settings| {
            settings.protection = protection.clone();
            settings.sign_in = SignInRule::Required;
        });
        let mut settings = RelaySettings { security, ..settings(&office) };
        settings.username = Some(CENTRE.to_owned());
        settings.password = Some(Secret::new("secret"));
        let untrusted = Relay::new(&settings).unwrap().send(&mail(1)).await.unwrap_err();
        assert_eq!(untrusted.kind, FailureKind::Transient, "{untrusted}");
        settings.ca_file = Some(ca_file.clone());
        Relay::new(&settings).unwrap().send(&mail(2)).await.unwrap();
        Relay::new(&settings).unwrap().test().await.unwrap();
        settings.password = Some(Secret::new("wrong"));
        let refused = Relay::new(&settings).unwrap().send(&mail(3)).await.unwrap_err();
        assert!(refused.kind == FailureKind::Transient && refused.reply.contains("535"), "{refused}");
        assert_eq!(office.count(CENTRE), 1);
    }
    // The settings require STARTTLS and the relay does not offer it: nothing is sent in plain text.
    let office = office(|_| {});
    let bare = RelaySettings { security: Security::Starttls, ..settings(&office) };
    let failure = Relay::new(&bare).unwrap().send(&mail(4)).await.unwrap_err();
    assert!(failure.reply.contains("STARTTLS"), "{failure}");
    assert_eq!(office.count(CENTRE), 0);
}

/// Sends a mail again until the relay takes it, because replies may be late on a busy machine.
async fn send_at_last(relay: &Relay, mail: &Outgoing) {
    let mut tries = 0;
    while let Err(failure) = relay.send(mail).await {
        assert_eq!(failure.kind, FailureKind::Transient, "{failure}");
        tries += 1;
        assert!(tries < 100, "{failure}");
    }
}

#[tokio::test]
async fn a_relay_that_hangs_or_goes_away_fails_in_time_and_is_used_again_when_it_is_back() {
    let office = office(|_| {});
    let mut settings = settings(&office);
    settings.read_timeout_seconds = 1;
    let relay = Relay::new(&settings).unwrap();
    send_at_last(&relay, &mail(1)).await;
    office.faults().set(Fault::DelayReply(Protocol::Smtp, Duration::from_secs(3600)), When::Times(1));
    let hung = relay.send(&mail(2)).await.unwrap_err();
    assert_eq!((hung.kind, hung.reply.as_str()), (FailureKind::Transient, "no answer within 1 s"));
    send_at_last(&relay, &mail(3)).await;
    office.go_away();
    assert_eq!(relay.send(&mail(4)).await.unwrap_err().kind, FailureKind::Transient);
    let not_reached = relay.send(&mail(4)).await.unwrap_err();
    assert_eq!(
        (not_reached.kind, not_reached.is_before_mail),
        (FailureKind::Transient, true),
        "any mail would meet it"
    );
    office.come_back();
    send_at_last(&relay, &mail(4)).await;
    let taken = office.take(CENTRE);
    let distinct: HashSet<String> = taken.iter().map(|mail| message_id(&mail.bytes)).collect();
    assert_eq!(distinct, ["1", "3", "4"].map(|number| format!("<{number}@example.org>")).into());
}

fn message_id(mail: &[u8]) -> String {
    let text = String::from_utf8_lossy(mail);
    text.lines().find_map(|line| line.strip_prefix("Message-ID: ")).unwrap().to_owned()
}

#[tokio::test]
async fn only_words_about_the_mail_itself_are_final() {
    let office = office(|_| {});
    let relay = Relay::new(&settings(&office)).unwrap();
    let transient = [Fault::DeferRecipient, Fault::DeferData, Fault::DenyRelay];
    let faults = transient.map(|fault| (fault, FailureKind::Transient));
    for (fault, kind) in faults.into_iter().chain([(Fault::RejectRecipient, FailureKind::Permanent)]) {
        office.faults().set(fault.clone(), When::Times(1));
        let failure = relay.send(&mail(1)).await.unwrap_err();
        assert_eq!((failure.kind, failure.is_before_mail), (kind, false), "{fault:?}: {failure}");
        relay.send(&mail(1)).await.unwrap();
    }
}

#[tokio::test]
async fn a_connection_takes_so_many_mails_and_no_more() {
    let office = office(|_| {});
    let mut settings = settings(&office);
    settings.mails_per_connection_max = 2;
    let relay = Relay::new(&settings).unwrap();
    relay.send(&mail(1)).await.unwrap();
    office.go_away();
    office.come_back();
    // The connection has carried one of its two mails, so mail 2 goes over it. The relay has closed the connection meanwhile, so mail 2
    // fails, and mails 3 and 4 go over a new connection.
    assert_eq!(relay.send(&mail(2)).await.unwrap_err().kind, FailureKind::Transient);
    relay.send(&mail(3)).await.unwrap();
    relay.send(&mail(4)).await.unwrap();
    office.go_away();
    office.come_back();
    // The second connection carried mails 3 and 4, which are all that it may carry, so it was not kept. Mail 5 goes over a new connection,
    // and does not notice that the relay has closed the others.
    relay.send(&mail(5)).await.unwrap();
}

#[tokio::test]
async fn plain_text_cannot_slip_in_before_tls() {
    let relays: [(&str, &str); 4] = [
        ("250-x\r\n250 STARTTLS\r\n", "220 go\r\n250 injected\r\n"),
        ("250-x\r\n250 STARTTLS\r\n", "454 not now\r\n"),
        ("250 x\r\n", "220 go\r\n"),
        (&"250-x".repeat(3000), ""),
    ];
    let said = ["plain text after the answer", "the server refused: 454", "does not offer STARTTLS", "without an end"];
    for ((hello, answer), said) in relays.into_iter().zip(said) {
        let (hello, answer) = (hello.to_owned(), answer.to_owned());
        let (port, _script) = serve(async move |tcp| {
            let mut peer = Peer::new(tcp);
            peer.say("220 x\r\n").await;
            peer.answer(&[("EHLO", hello.as_str()), ("STARTTLS", answer.as_str())]).await;
        })
        .await;
        let mut settings = RelaySettings::new("localhost");
        (settings.port, settings.security) = (Some(port), Security::Starttls);
        let failure = Relay::new(&settings).unwrap().send(&mail(1)).await.unwrap_err();
        assert!(failure.kind == FailureKind::Transient && failure.reply.contains(said), "{said}: {failure}");
    }
}

/// A relay that answers by a table: the first entry with which a command begins gives the answer. A mail's text is answered once, at its
/// final dot.
async fn scripted(greeting: impl Into<String>, table: Vec<(&'static str, String)>) -> RelaySettings {
    let greeting = greeting.into();
    let (port, _script) = serve(async move |tcp| {
        let mut peer = Peer::new(tcp);
        peer.say(greeting).await;
        let mut is_text = false;
        while let Some(line) = peer.hear_any().await {
            if is_text && line != "." {
                continue;
            }
            let answer = table.iter().find(|(asked, _)| line.starts_with(asked)).map(|(_, answer)| answer.as_str());
            let answer = answer.unwrap_or("500 unknown\r\n");
            is_text = line == "DATA" && answer.starts_with("354");
            peer.say(answer).await;
        }
    })
    .await;
    let mut settings = RelaySettings::new("localhost");
    (settings.port, settings.security) = (Some(port), Security::None);
    settings
}

const GREETING: &str = "220 ready\r\n";

/// Answers of a correct relay. The test's own answers come before them and replace them.
fn answers(other: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let honest = [
        ("EHLO", "250-x\r\n250 AUTH PLAIN LOGIN\r\n"),
        ("AUTH", "235 in\r\n"),
        ("NOOP", "250 ok\r\n"),
        ("MAIL", "250 ok\r\n"),
        ("RCPT", "250 ok\r\n"),
        ("DATA", "354 go\r\n"),
        (".", "250 taken\r\n"),
        ("QUIT", "221 bye\r\n"),
    ];
    other.iter().chain(&honest).map(|(asked, answer)| (*asked, (*answer).to_owned())).collect()
}

fn signing_in(settings: RelaySettings) -> RelaySettings {
    RelaySettings { username: Some(CENTRE.to_owned()), password: Some(Secret::new("secret")), ..settings }
}

/// The deadline is five minutes, so the limits on length end the reply here, not the deadline.
#[tokio::test]
async fn a_reply_without_an_end_is_let_go_wherever_it_stands() {
    let endless = "250-".to_owned() + &"x".repeat(1 << 20);
    let lines = "250-x\r\n".repeat(100_000);
    for command in ["EHLO", "AUTH", "MAIL", "RCPT", "DATA", "."] {
        for (answer, said) in [(&endless, "a line without an end"), (&lines, "a reply without an end")] {
            let table = answers(&[(command, answer.as_str())]);
            let relay = Relay::new(&signing_in(scripted(GREETING, table).await)).unwrap();
            let failure = relay.send(&mail(1)).await.unwrap_err();
            assert!(failure.kind == FailureKind::Transient && failure.reply.contains(said), "{command}: {failure}");
        }
    }
    let relay = Relay::new(&scripted(format!("220 {}", "x".repeat(1 << 20)), answers(&[])).await).unwrap();
    let failure = relay.test().await.unwrap_err();
    assert!(failure.reply.contains("a line without an end"), "{failure}");
}

/// A surplus reply to DATA must not count as the reply to the final dot: the mail would count as sent.
#[tokio::test]
async fn a_reply_too_many_is_not_the_answer_to_what_comes_next() {
    for command in ["EHLO", "AUTH", "MAIL", "RCPT", "DATA"] {
        let code = if command == "DATA" { "354" } else { "250" };
        let code = if command == "AUTH" { "235" } else { code };
        let twice = format!("{code} one\r\n250 two\r\n");
        let mut settings = scripted(GREETING, answers(&[(command, &twice)])).await;
        if command == "AUTH" {
            settings = signing_in(settings);
        }
        let failure = Relay::new(&settings).unwrap().send(&mail(1)).await.unwrap_err();
        assert!(failure.reply.contains("a reply came that no command asked for"), "{command}: {failure}");
    }
    // A 2xx reply after the final dot proves that the relay took the mail, whatever the relay says later.
    let taken = answers(&[(".", "250 taken\r\n421 too many mails\r\n")]);
    Relay::new(&scripted(GREETING, taken).await).unwrap().send(&mail(1)).await.unwrap();
}

#[tokio::test]
async fn only_2xx_after_the_final_dot_is_a_yes() {
    for (answer, is_taken) in
        [("250 taken", true), ("251 ok", true), ("354 go on", false), ("334 ", false), ("451 no", false)]
    {
        let table = answers(&[(".", &format!("{answer}\r\n"))]);
        let sent = Relay::new(&scripted(GREETING, table).await).unwrap().send(&mail(1)).await;
        assert_eq!(sent.is_ok(), is_taken, "{answer}: {sent:?}");
    }
}

#[tokio::test]
async fn words_in_another_character_set_do_not_hide_the_code() {
    let (port, _script) = serve(async move |tcp| {
        let mut peer = Peer::new(tcp);
        peer.say(GREETING).await;
        loop {
            match peer.hear().await.split(' ').next() {
                Some("RCPT") => peer.say(b"550 5.1.1 Bo\xEEte inconnue\r\n").await,
                Some("") | None => return,
                Some(_) => peer.say("250 ok\r\n").await,
            }
        }
    })
    .await;
    let mut settings = RelaySettings::new("localhost");
    (settings.port, settings.security) = (Some(port), Security::None);
    let failure = Relay::new(&settings).unwrap().send(&mail(1)).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Permanent, "{failure}");
    assert!(failure.reply.contains("5.1.1 Bo?te inconnue"), "{failure}");
}

/// The failure's text is the only text of a relay that is shown: in the log, in tables, by `mail test` and by `check`.
#[tokio::test]
async fn no_text_of_a_relay_steers_a_terminal() {
    const EVIL: &str = "\x1b[2J \x1b]0;evil\x07 \u{9b}2J \u{202E}no\r\n";
    let mut shown = Vec::new();
    for command in ["EHLO", "AUTH", "MAIL", "RCPT", "DATA", ".", "NOOP"] {
        for code in ["550 5.7.1", "451", "5"] {
            let evil = format!("{code} {EVIL}");
            let settings = signing_in(scripted(GREETING, answers(&[(command, &evil)])).await);
            let relay = Relay::new(&settings).unwrap();
            shown.push(if command == "NOOP" { relay.test().await } else { relay.send(&mail(1)).await });
        }
    }
    for greeting in ["554 \x1b[2J no\r\n", "\x1b[2J\r\n"] {
        shown.push(Relay::new(&scripted(greeting, answers(&[])).await).unwrap().test().await);
    }
    // Before TLS this crate reads the relay's replies itself, without lettre. Control characters in these replies must not be shown either.
    for table in [
        answers(&[("EHLO", "550 \x1b[2J\r\n")]),
        answers(&[("EHLO", "250 STARTTLS\r\n"), ("STARTTLS", "454 \x1b[2J\r\n")]),
    ] {
        let settings = RelaySettings { security: Security::Starttls, ..scripted(GREETING, table).await };
        shown.push(Relay::new(&settings).unwrap().test().await);
    }
    assert_eq!(shown.len(), 25);
    for outcome in shown {
        let failure = outcome.expect_err("every answer is a refusal");
        let text = format!("{failure} {failure:?}");
        assert!(!text.contains(|c: char| c.is_control() || c == '\u{202E}'), "{text:?}");
    }
}

/// Builds the same mail with lettre's own builder, and with as few headers as that builder allows.
fn built_by_lettre(mail: &Outgoing) -> Vec<u8> {
    use lettre::message::header::{ContentDisposition, ContentTransferEncoding, ContentType};
    use lettre::message::{Body, Message, MultiPart, SinglePart};

    let part = |(name, document): &(String, Vec<u8>)| {
        let text = String::from_utf8(document.clone()).unwrap();
        let body = Body::new_with_encoding(text, ContentTransferEncoding::SevenBit).unwrap();
        SinglePart::builder()
            .header(ContentType::parse("text/plain; charset=us-ascii").unwrap())
            .header(ContentDisposition::attachment(name))
            .body(body)
    };
    let message = Message::builder()
        .message_id(Some(format!("<{}>", mail.message_id)))
        .date_now()
        .from(mail.from.parse().unwrap())
        .to(mail.to.parse().unwrap())
        .subject(&mail.subject);
    let message = match mail.documents.as_slice() {
        [one] => message.singlepart(part(one)),
        [first, others @ ..] => {
            let first = MultiPart::mixed().singlepart(part(first));
            message.multipart(others.iter().fold(first, |parts, other| parts.singlepart(part(other))))
        }
        [] => panic!("it has no document"),
    };
    message.unwrap().formatted()
}

/// This crate writes mails itself, because lettre's builder makes longer mails, and offices with a satellite link pay for every octet. The
/// mails of both must have the same containers. If this crate's mails are no longer shorter, use lettre's builder instead.
#[test]
fn what_is_written_here_says_the_same_in_fewer_octets_than_lettres_own() {
    let one = Outgoing { is_automatic: false, ..mail(1) };
    let document = one.documents[0].clone();
    let several = Outgoing { documents: vec![document; 3], ..one.clone() };
    for (mail, spared) in [(one, 30), (several, 200)] {
        let (ours, theirs) = (mail.render().unwrap(), built_by_lettre(&mail));
        assert!(ours.len() + spared <= theirs.len(), "{} and {} octets", ours.len(), theirs.len());
        let [ours, theirs] = [ours, theirs]
            .map(|mail| crate::extract::extract(&mail, &crate::extract::MailLimits::default()).unwrap().containers);
        assert_eq!(ours, theirs);
    }
}
