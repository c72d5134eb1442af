//! The surface `intake`: what a sender of mail sends by LMTP or SMTP. The replies do not depend on how the octets are divided into pieces,
//! and a mail ends only where RFC 5321 ends it.
//!
//! The first byte of the input selects the session: `L` is LMTP, `S` is SMTP, `T` is SMTP that requires TLS. With a small letter, the
//! program has no room and accepts no mail now.

use std::sync::Arc;

use mail::intake::session::{Event, Rules, Session};
use mail::intake::{Content, Outcome, Protocol};

const MAIL_BYTES_MAX: usize = 64 << 10;
const HEAD_BYTES_MAX: usize = 16 << 10;

/// The result of a session: the replies that the sender gets, the mails that the program gets, and whether the session was closed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    replies: Vec<u8>,
    mails: Vec<Content>,
    is_closed: bool,
}

/// Checks the promises about sessions.
pub fn intake(bytes: &[u8]) {
    let Some((kind, said)) = bytes.split_first() else { return };
    let whole = talk(*kind, said, said.len().max(1));
    // After STARTTLS comes the TLS handshake. Octets that come in one piece with STARTTLS were sent before the handshake, so they are
    // refused; octets in the pieces after it belong to the handshake. So here, and only here, the result depends on the pieces.
    let starts_tls = kind.eq_ignore_ascii_case(&b'T');
    for pieces in [1, 2, 7, 4096].into_iter().filter(|_| !starts_tls) {
        assert_eq!(talk(*kind, said, pieces), whole, "in pieces of {pieces}");
    }
    let has = |octets: &[u8], part: &[u8]| memchr::memmem::find(octets, part).is_some();
    for mail in &whole.mails {
        // A line with only a dot ends a mail. A sender who wants such a line within a mail sends it with two dots, of which one is taken
        // away. So a mail has such a line only if the sender sent one with two.
        assert!(!has(&mail.mail, b"\r\n.\r\n") || has(said, b"\r\n..\r\n"), "a mail goes on behind its end");
    }
}

fn talk(kind: u8, said: &[u8], piece_bytes: usize) -> Seen {
    let protocol = if kind.eq_ignore_ascii_case(&b'L') { Protocol::Lmtp } else { Protocol::Smtp };
    let rules = Rules {
        protocol,
        hello_name: "centre.example.org".to_owned(),
        addresses: vec!["centre@example.org".to_owned()],
        mail_bytes_max: MAIL_BYTES_MAX,
        must_start_tls: kind.eq_ignore_ascii_case(&b'T'),
    };
    let outcome = if kind.is_ascii_lowercase() { Outcome::Later } else { Outcome::Taken };
    let mut session = Session::new(Arc::new(rules), false);
    let mut seen = Seen::default();
    for piece in said.chunks(piece_bytes) {
        let mut input = piece.iter();
        loop {
            let event = session.advance(&mut input);
            seen.replies.extend(session.replies());
            assert!(session.kept_bytes() <= MAIL_BYTES_MAX + piece.len());
            match event {
                Event::Read => break,
                Event::Mail(content) => {
                    let is_whole = content.over_size_bytes.is_none();
                    assert!(content.mail.len() <= if is_whole { MAIL_BYTES_MAX } else { HEAD_BYTES_MAX });
                    seen.mails.push(content);
                    session.tell(outcome);
                }
                // The next octets of the sender are the handshake, which this test does not do.
                Event::StartTls => {
                    assert_eq!(input.len(), 0, "nothing that came before the handshake is read after it");
                    seen.is_closed = true;
                    return seen;
                }
                Event::Close => {
                    seen.is_closed = true;
                    return seen;
                }
            }
        }
    }
    seen
}
