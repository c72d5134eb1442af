//! Mails through a relay: kept connections, nothing held back, every protection, and relays that hang or go away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::*;
use crate::post_office::{Accounts, Fault, PostOffice, PostOfficeSettings, Protection, Protocol, SignInRule, When};
use crate::scripted::{Peer, serve};
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
async fn mails_follow_each_other_without_waiting_for_acknowledgements() {
    let office = office(|_| {});
    let relay = Relay::new(&settings(&office)).unwrap();
    let began = Instant::now();
    for number in 0..100 {
        relay.send(&mail(number)).await.unwrap();
    }
    let took = began.elapsed();
    assert_eq!(office.count(CENTRE), 100);
    // Were each held for a delayed acknowledgement, this would take four seconds.
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn a_connection_is_used_again_and_never_more_than_allowed_are_open() {
    let office = office(|settings| settings.connections_max = 2);
    let mut settings = settings(&office);
    settings.connections_max = 2;
    let relay = Relay::new(&settings).unwrap();
    let mails: Vec<Outgoing> = (0..40).map(mail).collect();
    // The post office would close a third connection at once.
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
    // Asked for and not offered: nothing is said in clear.
    let office = office(|_| {});
    let bare = RelaySettings { security: Security::Starttls, ..settings(&office) };
    let failure = Relay::new(&bare).unwrap().send(&mail(4)).await.unwrap_err();
    assert!(failure.reply.contains("STARTTLS"), "{failure}");
    assert_eq!(office.count(CENTRE), 0);
}

#[tokio::test]
async fn a_relay_that_hangs_or_goes_away_fails_in_time_and_is_used_again_when_it_is_back() {
    let office = office(|_| {});
    let mut settings = settings(&office);
    settings.read_timeout_seconds = 1;
    let relay = Relay::new(&settings).unwrap();
    relay.send(&mail(1)).await.unwrap();
    office.faults().set(Fault::DelayReply(Protocol::Smtp, Duration::from_secs(3)), When::Times(1));
    let hung = relay.send(&mail(2)).await.unwrap_err();
    assert_eq!((hung.kind, hung.reply.as_str()), (FailureKind::Transient, "no answer within 1 s"));
    relay.send(&mail(3)).await.unwrap();
    office.go_away();
    assert_eq!(relay.send(&mail(4)).await.unwrap_err().kind, FailureKind::Transient);
    assert_eq!(relay.send(&mail(4)).await.unwrap_err().kind, FailureKind::Transient);
    office.come_back();
    relay.send(&mail(4)).await.unwrap();
    assert_eq!(office.count(CENTRE), 3);
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
        assert_eq!(failure.kind, kind, "{fault:?}: {failure}");
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
    // The connection was to take one more, and is dead.
    assert_eq!(relay.send(&mail(2)).await.unwrap_err().kind, FailureKind::Transient);
    relay.send(&mail(3)).await.unwrap();
    relay.send(&mail(4)).await.unwrap();
    office.go_away();
    office.come_back();
    // The connection has taken its two mails: a new one is dialled.
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
