//! Tests of sessions with scripted servers that are correct, limited, wrong, silent or hostile.

mod dovecot;
mod tls;

use std::time::Duration;

use cluster::Port;
use simulation::scripted::{self, Peer, serve};
use tempfile::NamedTempFile;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::retrieval::HEAD_BYTES_MAX;
use super::*;
use crate::connect::{Cause, MailError, Step};
use crate::settings::{MailboxSettings, Secret, Security};

const CAPABLE: &str = "+OK\r\nCAPA\r\nTOP\r\nUIDL\r\nUSER\r\nPIPELINING\r\nSASL PLAIN XOAUTH2\r\nSTLS\r\n.\r\n";
const POOR: &str = "-ERR what is CAPA\r\n";

fn settings(port: u16) -> MailboxSettings {
    let mut settings = MailboxSettings::new("127.0.0.1", "centre");
    settings.port = Some(port);
    settings.security = Security::None;
    settings.password = Some(Secret::new("s3cr3t"));
    // These deadlines are long. A test of deadlines sets a shorter one itself.
    settings.read_timeout_seconds = 60;
    settings.connect_timeout_seconds = 60;
    settings
}

/// Makes a self-signed certificate for these names. Returns its file, which clients can trust, and an acceptor that uses it.
fn certificate(names: &[&str]) -> (NamedTempFile, TlsAcceptor) {
    let (pem, acceptor) = scripted::certificate(names);
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), pem).unwrap();
    (file, acceptor)
}

/// Starts a server that accepts any sign-in and answers all other commands by the table. Returns the lines that it received.
async fn mailbox(
    capabilities: &'static str,
    table: Vec<(&'static str, String)>,
) -> (MailboxSettings, tokio::task::JoinHandle<Vec<String>>) {
    let (port, heard) = serve(move |tcp| async move {
        let mut peer = Peer::new(tcp);
        peer.say("+OK ready\r\n").await;
        let mut answers = vec![
            ("CAPA", capabilities),
            ("USER", "+OK\r\n"),
            ("PASS", "+OK\r\n"),
            ("AUTH", "+ \r\n"),
            ("AGNl", "+OK in\r\n"),
            ("QUIT", "+OK bye\r\n"),
        ];
        answers.extend(table.iter().map(|(asked, answer)| (*asked, answer.as_str())));
        peer.answer(&answers).await;
        peer.heard
    })
    .await;
    (settings(port), heard)
}

async fn open(settings: &MailboxSettings) -> Result<Session, MailError> {
    Mailbox::new(settings.clone())?.open().await
}

fn listed(number: u32, size_bytes: u64) -> Listed {
    Listed { number, uidl: Some(format!("u{number}").into()), size_bytes }
}

async fn all(retrieval: &mut Retrieval<'_>) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    while let Some(mail) = retrieval.next().await.unwrap() {
        outcomes.push(mail.outcome);
    }
    outcomes
}

#[tokio::test]
async fn lists_fetches_deletes_and_quits() {
    let table = vec![
        ("UIDL", "+OK\r\n1 a\r\n2 b\r\n.\r\n".into()),
        ("LIST", "+OK\r\n1 10\r\n2 20\r\n.\r\n".into()),
        ("STAT", "+OK 2 30\r\n".into()),
        ("RETR 1", "+OK\r\n..dot\r\n\u{E9}\r\n.\r\n".into()),
        ("RETR 2", "-ERR [SYS/TEMP] busy\r\n".into()),
        ("DELE 1", "+OK\r\n".into()),
        ("NOOP", "+OK\r\n".into()),
        ("RSET", "+OK\r\n".into()),
    ];
    let (settings, heard) = mailbox(CAPABLE, table).await;
    let mut session = open(&settings).await.unwrap();
    assert_eq!(session.stat().await.unwrap(), MailboxSize { mails: 2, size_bytes: 30 });
    let listed = session.listing().await.unwrap().mails;
    let outcomes = all(&mut session.retrieve(&listed, 1000).await.unwrap()).await;
    assert_eq!(outcomes[0], Outcome::Mail(".dot\r\n\u{E9}\r\n".into()));
    assert_eq!(outcomes[1], Outcome::Refused("[SYS/TEMP] busy".into()));
    assert_eq!(session.delete(&[1, 2]).await.unwrap(), [2]);
    session.noop().await.unwrap();
    session.reset().await.unwrap();
    session.quit().await.unwrap();
    assert!(heard.await.unwrap().starts_with(&["CAPA".into(), "AUTH PLAIN".into()]));
}

#[tokio::test]
async fn a_server_without_capabilities_is_served_one_by_one_with_user_and_pass() {
    let table = vec![("RETR 1", "+OK\r\na\r\n.\r\n".into()), ("RETR 2", "+OK\r\nb\r\n.\r\n".into())];
    let (settings, heard) = mailbox(POOR, table).await;
    let mut session = open(&settings).await.unwrap();
    assert!(!session.is_pipelining());
    let outcomes = all(&mut session.retrieve(&[listed(1, 3), listed(2, 3)], 100).await.unwrap()).await;
    assert_eq!(outcomes, [Outcome::Mail(b"a\r\n".to_vec()), Outcome::Mail(b"b\r\n".to_vec())]);
    session.quit().await.unwrap();
    let heard = heard.await.unwrap();
    assert_eq!(heard[..4], ["CAPA", "USER centre", "PASS s3cr3t", "CAPA"]);
}

#[tokio::test]
async fn a_token_is_sent_by_xoauth2_and_its_error_is_heard_out() {
    let (port, heard) = serve(|tcp| async move {
        let mut peer = Peer::new(tcp);
        peer.say("+OK\r\n").await;
        let table = [
            ("CAPA", CAPABLE),
            ("AUTH XOAUTH2", "+ \r\n"),
            ("dXNlcj1jZW50cmUBYXV0aD1CZWFyZXIgdG9rZW4BAQ==", "+ eyJzdGF0dXMiOiI0MDEifQ==\r\n"),
        ];
        for _ in 0..3 {
            let line = peer.hear().await;
            peer.say(table.iter().find(|(asked, _)| *asked == line).unwrap().1).await;
        }
        assert_eq!(peer.hear().await, "");
        peer.say("-ERR [AUTH] token expired\r\n").await;
    })
    .await;
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "token\n").unwrap();
    let mut settings = settings(port);
    settings.password = None;
    settings.oauth_token_file = Some(token.path().into());
    let error = open(&settings).await.err().unwrap();
    assert_eq!((error.step, error.to_string().contains("[AUTH] token expired")), (Step::SignIn, true), "{error}");
    heard.await.unwrap();
}

#[tokio::test]
async fn a_mail_over_the_limit_costs_neither_memory_nor_the_mails_behind_it() {
    let large = format!("+OK\r\n{}\r\n.\r\n", "x".repeat(78));
    let lying = format!("+OK\r\n{}.\r\n", format!("{}\r\n", "y".repeat(998)).repeat(40));
    let table = vec![("TOP 1 200", large), ("RETR 2", lying), ("RETR 3", "+OK\r\nc\r\n.\r\n".into())];
    let (settings, _heard) = mailbox(CAPABLE, table).await;
    let mut session = open(&settings).await.unwrap();
    let mails = [listed(1, 5_000_000), listed(2, 10), listed(3, 3)];
    let outcomes = all(&mut session.retrieve(&mails, 30_000).await.unwrap()).await;
    assert!(matches!(&outcomes[0], Outcome::OverSize { head, size_bytes: 5_000_000 } if head.len() == 80));
    assert!(matches!(&outcomes[1], Outcome::OverSize { head, size_bytes: 40_000 } if head.len() == HEAD_BYTES_MAX));
    assert_eq!(outcomes[2], Outcome::Mail(b"c\r\n".to_vec()));
    session.quit().await.unwrap();
}

#[tokio::test]
async fn an_abandoned_retrieval_is_read_away_before_the_next_command() {
    let table =
        (1..=9).map(|_| ("RETR", "+OK\r\nmail\r\n.\r\n".to_owned())).chain([("STAT", "+OK 9 54\r\n".to_owned())]);
    let (settings, _heard) = mailbox(CAPABLE, table.collect()).await;
    let mut session = open(&settings).await.unwrap();
    let mails: Vec<Listed> = (1..=9).map(|number| listed(number, 6)).collect();
    let mut retrieval = session.retrieve(&mails, 100).await.unwrap();
    assert!(retrieval.next().await.unwrap().is_some());
    assert_eq!(session.stat().await.unwrap().mails, 9);
    session.quit().await.unwrap();
}

#[tokio::test]
async fn silence_and_dripping_end_at_their_deadlines() {
    let (port, _task) = serve(|tcp| async move {
        let mut peer = Peer::new(tcp);
        peer.hear().await;
    })
    .await;
    let mut silent = settings(port);
    silent.read_timeout_seconds = 1;
    let error = open(&silent).await.err().unwrap();
    assert!(matches!((error.step, error.cause), (Step::Greeting, Cause::TimedOut(1))));

    let (port, _task) = serve(|tcp| async move {
        let mut peer = Peer::new(tcp);
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        // The server sends single octets for longer than any client waits.
        for byte in "+OK drip ".bytes().cycle().take(1000) {
            tick.tick().await;
            peer.say([byte]).await;
        }
    })
    .await;
    let mut dripping = settings(port);
    dripping.group_timeout_seconds = 1;
    let error = open(&dripping).await.err().unwrap();
    assert!(matches!((error.step, error.cause), (Step::Greeting, Cause::TimedOut(1))));
}

#[tokio::test]
async fn every_end_of_connection_is_an_error_and_none_spins() {
    // Each script sends this text and closes. The error must be of the step that was under way.
    for (said, step, words) in [
        ("", Step::Greeting, "closed the connection"),
        ("+OK rea", Step::Greeting, "ended with 1 replies outstanding"),
        ("-ERR go away\r\n", Step::Greeting, "refused: go away"),
        ("+OK\r\n+OK\r\nCAPA", Step::Greeting, "ended with 1"),
        ("+OK\r\n-ERR\r\n+OK\r\n-ERR [AUTH] wrong\r\n", Step::SignIn, "refused: [AUTH] wrong"),
        ("+OK\r\n-ERR\r\n+OK\r\n", Step::SignIn, "closed the connection"),
        ("220 smtp.example.org ESMTP\r\n", Step::Greeting, "expected a reply beginning with +OK"),
    ] {
        let (port, _task) = serve(move |tcp| async move { Peer::new(tcp).say(said).await }).await;
        let error = open(&settings(port)).await.err().unwrap();
        // A reset may arrive before the last text on a closed connection. The step must be right nevertheless.
        assert_eq!(error.step, step, "{said:?}: {error}");
        assert!(error.to_string().contains(words) || matches!(error.cause, Cause::Io(_)), "{said:?}: {error}");
    }
}

#[tokio::test]
async fn quit_without_an_answer_means_nobody_knows() {
    let (port, _task) = serve(|tcp| async move {
        let mut peer = Peer::new(tcp);
        peer.say("+OK\r\n").await;
        loop {
            match peer.hear().await.as_str() {
                "CAPA" => peer.say(POOR).await,
                "QUIT" => return,
                _ => peer.say("+OK\r\n").await,
            }
        }
    })
    .await;
    let mut session = open(&settings(port)).await.unwrap();
    assert!(session.delete(&[1]).await.unwrap().is_empty());
    assert_eq!(session.quit().await.unwrap_err().step, Step::Quit);
}

#[tokio::test]
async fn a_test_tells_the_steps_passed_and_the_one_that_failed() {
    let (settings, _heard) = mailbox(CAPABLE, vec![("STAT", "-ERR [IN-USE] locked\r\n".into())]).await;
    let report = Mailbox::new(settings.clone()).unwrap().test().await;
    let passed: Vec<Step> = report.passed.iter().map(|(step, _)| *step).collect();
    assert_eq!(passed, [Step::Settings, Step::Dns, Step::Tcp, Step::Greeting, Step::SignIn]);
    assert_eq!(report.failure.unwrap().step, Step::Mailbox);

    let nobody = Port::hold().unwrap();
    let closed = Mailbox::new(MailboxSettings { port: Some(nobody.number()), ..settings }).unwrap().test().await;
    assert_eq!(closed.failure.unwrap().step, Step::Tcp);
}

/// This test covers every server text that is shown: in the log, by `mail test` and by `check`.
#[tokio::test]
async fn no_text_of_a_server_steers_a_terminal() {
    const EVIL: &str = "\x1b[2J \x1b]0;evil\x07 \u{9b}2J \u{202E}no\r\n";
    let mut shown = Vec::new();
    // The server refuses, refuses in the middle of a sign-in, or sends no valid reply.
    for code in ["-ERR ", "+ ", "", "+OK"] {
        let evil = format!("{code}{EVIL}");
        let greeted = evil.clone();
        let (port, _task) = serve(async move |tcp| Peer::new(tcp).say(greeted).await).await;
        shown.push(Mailbox::new(settings(port)).unwrap().test().await.failure);
        for (capabilities, command) in
            [(CAPABLE, "AUTH"), (CAPABLE, "AGNl"), (POOR, "USER"), (POOR, "PASS"), (POOR, "STAT"), (POOR, "QUIT")]
        {
            let (settings, _heard) = evil_mailbox(capabilities, command, &evil).await;
            shown.push(Mailbox::new(settings).unwrap().test().await.failure);
        }
        for command in ["LIST", "RSET", "NOOP", "TOP"] {
            let (settings, _heard) = evil_mailbox(POOR, command, &evil).await;
            let mut session = open(&settings).await.unwrap();
            let failed = match command {
                "LIST" => session.listing().await.map(drop),
                "RSET" => session.reset().await,
                "NOOP" => session.noop().await,
                _ => session.top(1).await.map(drop),
            };
            shown.push(failed.err());
        }
    }
    let failures: Vec<MailError> = shown.into_iter().flatten().collect();
    // A `+OK` with odd text is no failure where only a positive reply was needed, so not every case fails.
    assert!(failures.len() > 30, "{}", failures.len());
    for failure in failures {
        let text = format!("{failure} {failure:?}");
        assert!(!text.contains(|c: char| c.is_control() || c == '\u{202E}'), "{text:?}");
    }
    let (settings, _heard) = evil_mailbox(POOR, "RETR", &format!("-ERR {EVIL}")).await;
    let mut session = open(&settings).await.unwrap();
    let outcomes = all(&mut session.retrieve(&[listed(1, 3)], 100).await.unwrap()).await;
    assert!(matches!(&outcomes[0], Outcome::Refused(words) if !words.contains(char::is_control)), "{outcomes:?}");
}

async fn evil_mailbox(
    capabilities: &'static str,
    command: &'static str,
    evil: &str,
) -> (MailboxSettings, tokio::task::JoinHandle<Vec<String>>) {
    let evil = evil.to_owned();
    let (port, heard) = serve(async move |tcp| {
        let mut peer = Peer::new(tcp);
        peer.say("+OK ready\r\n").await;
        let answers = [
            (command, evil.as_str()),
            ("CAPA", capabilities),
            ("AUTH", "+ \r\n"),
            ("UIDL", "-ERR\r\n"),
            ("STAT", "+OK 0 0\r\n"),
            ("", "+OK\r\n"),
        ];
        peer.answer(&answers).await;
        peer.heard
    })
    .await;
    (settings(port), heard)
}

#[tokio::test]
async fn a_server_that_ends_lines_with_lf_alone_is_named_as_such() {
    // The server ends lines with LF alone, either from its first line on or only in its listings. In the listings, only its silence or the
    // end of the connection shows this.
    for (ok, uidl) in [("+OK\n", "+OK\n1 a\n.\n"), ("+OK\r\n", "+OK\r\n1 a\n.\n"), ("+OK\r\n", "+OK\r\n.\n")] {
        let (port, _task) = serve(async move |tcp| {
            let mut peer = Peer::new(tcp);
            peer.say(ok).await;
            loop {
                match peer.hear().await.as_str() {
                    "CAPA" => peer.say("-ERR\r\n").await,
                    "UIDL" => return peer.say(uidl).await,
                    _ => peer.say(ok).await,
                }
            }
        })
        .await;
        let mut session = open(&settings(port)).await.unwrap();
        let error = session.listing().await.unwrap_err();
        assert!(error.to_string().contains("ends its lines with LF alone"), "{error}");
    }
}

#[tokio::test]
async fn either_listing_may_be_missing_and_not_both() {
    for (uidl, list, expected) in [
        ("-ERR what is UIDL\r\n", "+OK\r\n1 10\r\n.\r\n", Some(Listed { number: 1, uidl: None, size_bytes: 10 })),
        ("+OK\r\n1 u1\r\n.\r\n", "-ERR\r\n", Some(listed(1, 0))),
        ("-ERR\r\n", "-ERR [SYS/TEMP] busy\r\n", None),
    ] {
        for capabilities in [CAPABLE, POOR] {
            let (settings, _heard) = mailbox(capabilities, vec![("UIDL", uidl.into()), ("LIST", list.into())]).await;
            let mut session = open(&settings).await.unwrap();
            match (session.listing().await, &expected) {
                (Ok(listing), Some(expected)) => assert_eq!(listing.mails, std::slice::from_ref(expected)),
                (Err(error), None) => assert!(error.to_string().contains("[SYS/TEMP] busy"), "{error}"),
                (other, _) => panic!("{uidl:?} {list:?}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn the_size_of_a_mailbox_is_read_as_servers_write_it() {
    for (answer, expected) in [
        ("+OK 2 30\r\n", Some((2, 30))),
        ("+OK  2\t30 octets\r\n", Some((2, 30))),
        ("+OK 2\r\n", Some((2, 0))),
        ("+OK 2 99999999999999999999999\r\n", Some((2, u64::MAX))),
        ("+OK two\r\n", None),
    ] {
        let (settings, _heard) = mailbox(POOR, vec![("STAT", answer.into())]).await;
        let size = open(&settings).await.unwrap().stat().await;
        let expected = expected.map(|(mails, size_bytes)| MailboxSize { mails, size_bytes });
        assert_eq!(size.ok(), expected, "{answer:?}");
    }
}

#[tokio::test]
async fn the_mail_over_which_a_session_breaks_is_known() {
    for (third, capabilities) in [("+OK\r\nhalf a mail\r\n.\r", CAPABLE), ("", POOR), ("garbage\r\n", CAPABLE)] {
        let (port, _task) = serve(async move |tcp| {
            let mut peer = Peer::new(tcp);
            peer.say("+OK\r\n").await;
            loop {
                match peer.hear().await.as_str() {
                    "CAPA" => peer.say(capabilities).await,
                    "RETR 3" => return peer.say(third).await,
                    retr if retr.starts_with("RETR") => peer.say("+OK\r\nmail\r\n.\r\n").await,
                    "AUTH PLAIN" => peer.say("+ \r\n").await,
                    _ => peer.say("+OK\r\n").await,
                }
            }
        })
        .await;
        let mut session = open(&settings(port)).await.unwrap();
        let mails: Vec<Listed> = (1..=5).map(|number| listed(number, 6)).collect();
        let mut retrieval = session.retrieve(&mails, 100).await.unwrap();
        let mut came = 0;
        while retrieval.next().await.is_ok() {
            came += 1;
        }
        assert_eq!((came, retrieval.under_way()), (2, Some(&mails[2])), "{third:?}");
    }
}
