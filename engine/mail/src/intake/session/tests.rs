//! Tests of the replies of a session, with any octets of a client, cut into pieces at any place.

use proptest::prelude::*;

use super::*;

fn rules(protocol: Protocol, must_start_tls: bool) -> Arc<Rules> {
    Arc::new(Rules {
        protocol,
        hello_name: "centre.example.org".to_owned(),
        addresses: vec!["centre@example.org".to_owned(), "étoile@example.org".to_owned()],
        mail_bytes_max: 20_000,
        must_start_tls,
    })
}

/// A session, with a client that sends what a test says and sees all replies.
struct Talk {
    session: Session,
    outcome: Outcome,
    mails: Vec<Content>,
    seen: String,
    is_closed: bool,
    has_begun_tls: bool,
}

impl Talk {
    fn new(protocol: Protocol, must_start_tls: bool) -> Talk {
        Talk {
            session: Session::new(rules(protocol, must_start_tls), false),
            outcome: Outcome::Taken,
            mails: Vec::new(),
            seen: String::new(),
            is_closed: false,
            has_begun_tls: false,
        }
    }

    fn lmtp() -> Talk {
        Talk::new(Protocol::Lmtp, false)
    }

    /// Sends octets in one piece. Returns the codes of the replies, one for each line that ends a reply.
    fn say(&mut self, octets: impl AsRef<[u8]>) -> Vec<u16> {
        let mut input = octets.as_ref().iter();
        let mut said = String::new();
        loop {
            let event = self.session.advance(&mut input);
            said += &String::from_utf8(self.session.replies()).unwrap();
            match event {
                Event::Read => break,
                Event::Mail(content) => {
                    self.mails.push(content);
                    self.session.tell(self.outcome);
                }
                Event::StartTls => {
                    self.has_begun_tls = true;
                    self.session.secured();
                    break;
                }
                Event::Close => {
                    self.is_closed = true;
                    break;
                }
            }
        }
        self.seen += &said;
        said.lines().filter(|line| line.as_bytes()[3] == b' ').map(|line| line[..3].parse().unwrap()).collect()
    }
}

const MAIL: &str = "MAIL FROM:<office@example.org> SIZE=1000 BODY=8BITMIME\r\nRCPT TO:<Centre@Example.org>\r\nDATA\r\n";

#[test]
fn a_mail_is_taken_and_the_session_goes_on() {
    let mut talk = Talk::lmtp();
    assert_eq!(talk.say("LHLO mx.example.org\r\n"), [220, 250]);
    assert!(
        talk.seen.contains("250-PIPELINING\r\n") && talk.seen.ends_with("250 ENHANCEDSTATUSCODES\r\n"),
        "{}",
        talk.seen
    );
    assert!(!talk.seen.contains("SIZE") && !talk.seen.contains("CHUNKING") && !talk.seen.contains("STARTTLS"));
    for number in 1..=3 {
        assert_eq!(talk.say(MAIL), [250, 250, 354]);
        assert_eq!(talk.say("Subject: x\r\n\r\n..\r\n.\r\n"), [250]);
        assert_eq!(talk.mails.len(), number);
    }
    assert_eq!(talk.mails[0], Content { mail: b"Subject: x\r\n\r\n.\r\n".to_vec(), over_size_bytes: None });
    assert_eq!(talk.say("QUIT\r\n"), [221]);
    assert!(talk.is_closed);
}

#[test]
fn everything_may_come_in_one_piece() {
    let mut talk = Talk::lmtp();
    let all = format!("LHLO x\r\n{MAIL}one\r\n.\r\n{MAIL}two\r\n.\r\nQUIT\r\n");
    assert_eq!(talk.say(all), [220, 250, 250, 250, 354, 250, 250, 250, 354, 250, 221]);
    assert_eq!(talk.mails.iter().map(|mail| &mail.mail[..]).collect::<Vec<_>>(), [b"one\r\n", b"two\r\n"]);
}

#[test]
fn lmtp_answers_once_for_each_recipient_and_smtp_once() {
    let two = "MAIL FROM:<>\r\nRCPT TO:<centre@example.org>\r\nRCPT TO:<who@example.org>\r\nRCPT TO:<CENTRE@example.org>\r\nDATA\r\n.\r\n";
    for (outcome, code) in [(Outcome::Taken, 250), (Outcome::Later, 451)] {
        let mut talk = Talk { outcome, ..Talk::lmtp() };
        assert_eq!(talk.say(format!("LHLO x\r\n{two}")), [220, 250, 250, 250, 550, 250, 354, code, code]);
        let mut talk = Talk { outcome, ..Talk::new(Protocol::Smtp, false) };
        assert_eq!(talk.say(format!("EHLO x\r\n{two}NOOP\r\n")), [220, 250, 250, 250, 550, 250, 354, code, 250]);
    }
    let mut talk = Talk { outcome: Outcome::Leaving, ..Talk::lmtp() };
    assert_eq!(talk.say(format!("LHLO x\r\n{two}NOOP\r\n")), [220, 250, 250, 250, 550, 250, 354, 421]);
    assert!(talk.is_closed);
}

#[test]
fn each_command_has_its_place() {
    for (said, codes) in [
        ("MAIL FROM:<a@b>\r\n", &[503][..]),
        ("RSET\r\nMAIL FROM:<a@b>\r\n", &[250, 503]),
        ("EHLO x\r\n", &[500]),
        ("HELO x\r\n", &[500]),
        ("LHLO x\r\nRCPT TO:<centre@example.org>\r\n", &[250, 503]),
        ("LHLO x\r\nDATA\r\n", &[250, 503]),
        ("LHLO x\r\nMAIL FROM:<a@b>\r\nDATA\r\n", &[250, 250, 503]),
        ("LHLO x\r\nMAIL FROM:<a@b>\r\nMAIL FROM:<a@b>\r\n", &[250, 250, 503]),
        ("LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<centre@example.org>\r\nRSET\r\nDATA\r\n", &[250, 250, 250, 250, 503]),
        ("LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<étoile@example.org>\r\n", &[250, 250, 250]),
        ("LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<centre@example.org.evil.org>\r\n", &[250, 250, 550]),
        ("LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<>\r\n", &[250, 250, 550]),
        ("LHLO x\r\nMAIL FROM:<a@b> FUTURE=1\r\n", &[250, 555]),
        ("LHLO x\r\nMAIL TO:<a@b>\r\n", &[250, 501]),
        (
            "LHLO x\r\nSTARTTLS\r\nAUTH PLAIN AGEAYg==\r\nVRFY a\r\nEXPN a\r\nHELP\r\nNOOP\r\n",
            &[250, 502, 502, 252, 502, 214, 250],
        ),
        ("LHLO\r\nFOO\r\n\r\n", &[501, 500, 500]),
        ("LHLO x\r\nMAIL FROM\r\nRCPT TO\r\nMAIL FROM:<a@b>\r\nRCPT TO:\r\nNOOP\r\n", &[250, 501, 501, 250, 501, 250]),
        ("LHLO x\r\nBDAT 10\r\nMAIL FROM:", &[250, 503]),
    ] {
        let mut talk = Talk::lmtp();
        assert_eq!(talk.say(said)[1..], *codes, "{said:?}: {}", talk.seen);
        assert!(talk.mails.is_empty());
    }
}

#[test]
fn mail_needs_tls_where_tls_is_asked_for_and_nothing_is_smuggled_into_it() {
    let mut talk = Talk::new(Protocol::Smtp, true);
    assert_eq!(talk.say("EHLO x\r\n"), [220, 250]);
    assert!(talk.seen.contains("250-STARTTLS\r\n"));
    assert_eq!(talk.say("MAIL FROM:<a@b>\r\n"), [530]);
    assert_eq!(talk.say("STARTTLS\r\n"), [220]);
    assert!(talk.has_begun_tls);
    assert_eq!(talk.say("MAIL FROM:<a@b>\r\n"), [503], "what was said before TLS is forgotten");
    assert_eq!(talk.say("EHLO x\r\nMAIL FROM:<a@b>\r\nSTARTTLS\r\n"), [250, 250, 502]);
    assert_eq!(talk.seen.matches("STARTTLS\r\n").count(), 1, "it is offered only before TLS");

    let mut talk = Talk::new(Protocol::Smtp, true);
    assert_eq!(talk.say("EHLO x\r\nSTARTTLS\r\nMAIL FROM:<evil@b>\r\n"), [220, 250, 554]);
    assert!(talk.is_closed && !talk.has_begun_tls);
}

#[test]
fn a_client_that_only_disturbs_is_cut_off() {
    let mut talk = Talk::lmtp();
    let codes = talk.say("FOO\r\n".repeat(1000));
    assert!(talk.is_closed && codes.len() < 30 && codes.last() == Some(&421), "{codes:?}");

    let mut talk = Talk::lmtp();
    let codes = talk.say("NOOP\r\n".repeat(10_000));
    assert!(talk.is_closed && codes.len() < 600 && codes.last() == Some(&421), "{}", codes.len());

    let mut talk = Talk::lmtp();
    talk.say("LHLO x\r\nMAIL FROM:<a@b>\r\n");
    let codes = talk.say("RCPT TO:<centre@example.org>\r\n".repeat(101));
    assert_eq!((codes.iter().filter(|code| **code == 250).count(), codes.last()), (100, Some(&452)));
}

#[test]
fn a_line_without_an_end_is_cut_off() {
    for step in [1, 100, 4000, 16_384] {
        let mut talk = Talk::lmtp();
        let mut sent = 0;
        while !talk.is_closed && sent < 1 << 20 {
            talk.say("x".repeat(step));
            sent += step;
        }
        assert!(talk.is_closed && sent <= 4096 + 16_384, "{sent} octets in steps of {step}: {}", talk.seen);
    }
}

#[test]
fn a_stopping_program_says_so() {
    let mut talk = Talk::lmtp();
    talk.say("LHLO x\r\nMAIL FROM:<a@b>\r\n");
    assert!(talk.session.is_idle());
    talk.session.leave();
    assert_eq!(talk.say(""), [421]);
    assert!(talk.is_closed);

    let mut talk = Talk::lmtp();
    talk.say(format!("LHLO x\r\n{MAIL}half a mail"));
    assert!(!talk.session.is_idle(), "a mail that is under way is received to its end");
}

proptest! {
    #[test]
    fn the_cuts_between_octets_change_nothing(
        lines in prop::collection::vec(prop_oneof![
            Just("LHLO x\r\n".to_owned()),
            Just(MAIL.to_owned()),
            Just("MAIL FROM:<a@b>\r\n".to_owned()),
            Just("RCPT TO:<centre@example.org>\r\n".to_owned()),
            Just("DATA\r\n".to_owned()),
            Just(".\r\n".to_owned()),
            Just("\r\n.\r\n".to_owned()),
            Just("\n.\n".to_owned()),
            Just("RSET\r\nNOOP\r\n".to_owned()),
            "[ -~]{0,40}\r\n",
            "\\PC{0,10}\n",
        ], 0..30),
        cuts in prop::collection::vec(1_usize..40, 1..20),
    ) {
        let octets = lines.concat().into_bytes();
        let mut whole = Talk::lmtp();
        whole.say(&octets);
        let mut cut = Talk::lmtp();
        let mut at = 0;
        for step in cuts.iter().cycle() {
            if at >= octets.len() {
                break;
            }
            let end = (at + step).min(octets.len());
            cut.say(&octets[at..end]);
            at = end;
        }
        if octets.is_empty() {
            cut.say("");
        }
        prop_assert_eq!(&cut.mails, &whole.mails);
        prop_assert_eq!(&cut.seen, &whole.seen);
    }

    #[test]
    fn no_octets_break_a_session(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2000), 0..20)) {
        for protocol in [Protocol::Lmtp, Protocol::Smtp] {
            let mut talk = Talk::new(protocol, false);
            pieces.iter().for_each(|piece| drop(talk.say(piece)));
            prop_assert!(talk.session.kept_bytes() <= 20_000 + 2000);
        }
    }
}
