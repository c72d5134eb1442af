//! The surface `pop3`: the replies of a POP3 server. The parser reads them in the same way in whatever pieces they arrive, and as a simple
//! reference reader after RFC 1939 does.
//!
//! The first line of the input says which replies are expected, with one letter for each: `L` is a status line, `S` is a body of which only
//! a few octets are kept, `B` is a body. If the line is `J`, two listings follow, with a NUL between them, which are joined.

use mail::pop3::listing::{SIZE_BYTES_MAX, UIDL_BYTES_MAX, join};
use mail::pop3::reply::{Body, Expect, LINE_BYTES_MAX, Reply, ReplyError, ReplyParser, Status};
use mail::pop3::{Listed, Listing};
use memchr::memmem;

const EXPECTED_MAX: usize = 16;
const LISTED_MAX: usize = 10;

/// Checks the promises about replies and listings.
pub fn pop3(bytes: &[u8]) {
    let Some(end) = memchr::memchr(b'\n', bytes) else { return };
    let (order, stream) = (&bytes[..end], &bytes[end + 1..]);
    if order == b"J" {
        return check_listings(stream);
    }
    let expected: Vec<Expect> = order.iter().take(EXPECTED_MAX).map(|letter| expect(*letter)).collect();
    let (replies, error) = read(&expected, stream, stream.len().max(1));
    for pieces in [1, 2, 7] {
        assert_eq!(read(&expected, stream, pieces), (replies.clone(), error.clone()), "in pieces of {pieces}");
    }
    replies.iter().zip(&expected).for_each(|(reply, expect)| check_bounds(reply, *expect));
    check_against_reference(&expected, stream, &replies);
}

fn expect(letter: u8) -> Expect {
    match letter {
        b'S' => Expect::Body { likely_bytes: 0, keep_bytes_max: 16, drain_bytes_max: 256 },
        b'B' => Expect::Body { likely_bytes: 0, keep_bytes_max: 4 << 10, drain_bytes_max: 16 << 10 },
        _ => Expect::Line,
    }
}

/// Feeds the stream to the parser in pieces of this length, and takes every reply as soon as it is complete.
fn read(expected: &[Expect], stream: &[u8], piece_bytes: usize) -> (Vec<Reply>, Option<ReplyError>) {
    let mut parser = ReplyParser::default();
    expected.iter().for_each(|expect| parser.expect(*expect));
    let mut replies = Vec::new();
    for piece in stream.chunks(piece_bytes) {
        parser.feed(piece);
        loop {
            match parser.next_reply() {
                Ok(Some(reply)) => replies.push(reply),
                Ok(None) => break,
                Err(error) => return (replies, Some(error)),
            }
        }
    }
    assert_eq!(parser.outstanding(), expected.len() - replies.len());
    assert_eq!(parser.end().is_ok(), parser.outstanding() == 0, "an end before the last reply is an error");
    (replies, None)
}

fn check_bounds(reply: &Reply, expect: Expect) {
    assert!(reply.text.chars().count() <= LINE_BYTES_MAX && !reply.text.contains(char::is_control));
    match (&reply.body, expect) {
        (Some(body), Expect::Body { keep_bytes_max, drain_bytes_max, .. }) => {
            assert!(body.bytes.len() <= keep_bytes_max && body.size_bytes <= drain_bytes_max);
            assert_eq!(body.is_cut(), body.size_bytes > keep_bytes_max, "what fits is kept whole");
        }
        (Some(_), Expect::Line) => panic!("a body that nobody expects"),
        (None, _) => {}
    }
}

/// Reads the whole stream line by line, as RFC 1939 describes it, and compares the result with the parser's replies.
fn check_against_reference(expected: &[Expect], stream: &[u8], replies: &[Reply]) {
    let mut rest = stream;
    for (reply, expect) in replies.iter().zip(expected) {
        let end = memchr::memchr(b'\n', rest).expect("a status line ends");
        rest = &rest[end + 1..];
        if *expect == Expect::Line || reply.status != Status::Ok {
            assert_eq!(reply.body, None);
            continue;
        }
        let mut lines = Vec::new();
        loop {
            let end = memmem::find(rest, b"\r\n").expect("a body ends");
            let line = &rest[..end];
            rest = &rest[end + 2..];
            if line == b"." {
                break;
            }
            lines.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
            lines.extend_from_slice(b"\r\n");
        }
        let body = reply.body.as_ref().expect("a body");
        assert_eq!(body.size_bytes, lines.len());
        assert_eq!(body.bytes, lines[..body.bytes.len()]);
    }
}

fn check_listings(stream: &[u8]) {
    let at = memchr::memchr(0, stream).unwrap_or(stream.len());
    let body = |bytes: &[u8]| Body { bytes: bytes.to_vec(), size_bytes: bytes.len() };
    let (uidl, list) = (body(&stream[..at]), body(stream.get(at + 1..).unwrap_or_default()));
    let Listing { mails, first_odd_line, odd_lines } = join(Some(&uidl), Some(&list), LISTED_MAX);
    assert!(mails.len() <= LISTED_MAX);
    assert!(mails.windows(2).all(|pair| pair[0].number < pair[1].number), "in order, none twice");
    let mut ids: Vec<&str> = mails.iter().filter_map(|mail| mail.uidl.as_deref()).collect();
    let is_one =
        |id: &&str| (1..=UIDL_BYTES_MAX).contains(&id.len()) && id.bytes().all(|octet| octet.is_ascii_graphic());
    assert!(ids.iter().all(is_one) && mails.iter().all(|mail| mail.number > 0 && mail.size_bytes <= SIZE_BYTES_MAX));
    ids.sort_unstable();
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "an id of its own, or none");
    assert_eq!(first_odd_line.is_some(), odd_lines > 0);
    assert!(first_odd_line.is_none_or(|line| !line.contains(char::is_control)));
    let lines = |line: &dyn Fn(&Listed) -> String| body(mails.iter().map(line).collect::<String>().as_bytes());
    let uidl = lines(&|mail| format!("{} {}\r\n", mail.number, mail.uidl.as_deref().unwrap_or_default()));
    let list = lines(&|mail| format!("{} {}\r\n", mail.number, mail.size_bytes));
    let again = join(Some(&uidl), Some(&list), LISTED_MAX);
    assert_eq!(again.mails, mails, "what was listed is listed the same again");
}
