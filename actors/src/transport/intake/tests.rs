//! Tests of the replies that a sender gets over its connection.

use std::time::Duration;

use cluster::Port;
use mail::intake::{IntakeSettings, Protocol};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;
use crate::admission::lender::Patience;
use crate::admission::testing::{PATIENCE, Source, eventually, letter};

const ADDRESS: &str = "centre@example.org";

/// A sender that waits for each reply.
struct Sender(BufReader<TcpStream>);

impl Sender {
    /// Connects once the intake listens.
    async fn connect(port: &Port) -> Sender {
        let mut stream = None;
        eventually("somebody listens", async || {
            stream = TcpStream::connect(port.address()).await.ok();
            stream.is_some()
        })
        .await;
        let mut sender = Sender(BufReader::new(stream.unwrap()));
        assert_eq!(sender.reply().await, "220");
        sender
    }

    async fn reply(&mut self) -> String {
        loop {
            let mut line = String::new();
            timeout(PATIENCE, self.0.read_line(&mut line)).await.expect("an answer").unwrap();
            if line.as_bytes().get(3) != Some(&b'-') {
                return line.chars().take(3).collect();
            }
        }
    }

    async fn say(&mut self, said: &str) -> String {
        self.0.write_all(format!("{said}\r\n").as_bytes()).await.unwrap();
        self.reply().await
    }

    /// Sends a mail, and returns the reply code that the mail gets.
    async fn push(&mut self, number: usize) -> String {
        for (said, code) in
            [("MAIL FROM:<>".to_owned(), "250"), (format!("RCPT TO:<{ADDRESS}>"), "250"), ("DATA".to_owned(), "354")]
        {
            assert_eq!(self.say(&said).await, code, "{said}");
        }
        let mail = String::from_utf8(letter(number).mail).unwrap();
        self.say(&format!("{mail}.")).await
    }
}

#[tokio::test]
async fn a_sender_whose_mail_nobody_ends_hears_451_and_may_go_on() {
    let mut source = Source::new().await;
    let patience = Patience { hold: Duration::ZERO, answer: Duration::from_millis(50) };
    let lender = source.reception(patience).await;
    let port = Port::hold().unwrap();
    let mut settings = IntakeSettings::new(Protocol::Lmtp, port.address());
    settings.addresses = vec![ADDRESS.to_owned()];
    let listener = Listener::new(settings).unwrap();
    let intake = MailIntake { name: "lmtp".to_owned(), listener, runtime: Handle::current() };
    let desk = source.desk();
    let listening = tokio::spawn(async move { intake.listen(lender, desk).await });
    let mut sender = Sender::connect(&port).await;
    assert_eq!(sender.say("LHLO sender.example.org").await, "250");
    assert_eq!(sender.push(1).await, "451");
    let first = source.next().await;
    assert_eq!(sender.push(1).await, "451", "the work on it has not ended");
    let second = source.next().await;
    first.share.settle();
    second.share.settle();
    source.until("NOT EXISTS (SELECT FROM xm.in_hand)").await;
    source.drain.tell();
    let end = sender.reply().await;
    assert_eq!(end, "421", "the program stops");
    listening.abort();
}
