//! Tests of the parser with exact octets, with arbitrary cuts, and with noise.

use proptest::prelude::*;

use super::*;

const BODY: Expect = Expect::Body { likely_bytes: 0, keep_bytes_max: 1 << 20, drain_bytes_max: 1 << 21 };

fn parse(expected: &[Expect], chunks: &[&[u8]]) -> Result<Vec<Reply>, ReplyError> {
    let mut parser = ReplyParser::default();
    expected.iter().for_each(|expect| parser.expect(*expect));
    let mut replies = Vec::new();
    for chunk in chunks {
        parser.feed(chunk);
        while let Some(reply) = parser.next_reply()? {
            replies.push(reply);
        }
    }
    parser.end()?;
    Ok(replies)
}

/// Returns a mail as a server sends it, with byte-stuffing (RFC 1939, 3).
fn stuffed(mail: &[u8]) -> Vec<u8> {
    let mut wire = b"+OK\r\n".to_vec();
    let mut line_start = true;
    for (index, byte) in mail.iter().enumerate() {
        if line_start && *byte == b'.' {
            wire.push(b'.');
        }
        wire.push(*byte);
        line_start = mail[..=index].ends_with(b"\r\n");
    }
    if !line_start {
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b".\r\n");
    wire
}

fn body_of(wire: &[u8]) -> Vec<u8> {
    parse(&[BODY], &[wire]).unwrap().remove(0).body.unwrap().bytes
}

#[test]
fn octets_are_kept_and_only_stuffing_is_undone() {
    for (wire, body) in [
        (&b"+OK\r\n.\r\n"[..], &b""[..]),
        (b"+OK\r\n\r\n.\r\n", b"\r\n"),
        (b"+OK\r\n..\r\n.\r\n", b".\r\n"),
        (b"+OK\r\n...\r\n..a\r\n.\r\n", b"..\r\n.a\r\n"),
        (b"+OK x\r\n\xFF\x00\n.\na\r\n.\r\n", b"\xFF\x00\n.\na\r\n"),
        (b"+OK\r\na\n.\r\nb\r\n.\r\n", b"a\n.\r\nb\r\n"),
        (b"+OK\r\n.a\r\n.\r\n", b"a\r\n"),
        (b"+OK\r\na\r\r\n.\r\n", b"a\r\r\n"),
    ] {
        assert_eq!(body_of(wire), body, "{}", printable(wire));
    }
}

#[test]
fn pipelined_replies_come_apart_and_an_error_has_no_body() {
    let wire = b"+OK 1\r\na\r\n.\r\n-ERR gone\r\n+OK 3\r\nc\r\n.\r\n+ \r\n+OK\r\n";
    let replies = parse(&[BODY, BODY, BODY, Expect::Line, Expect::Line], &[wire]).unwrap();
    let bodies: Vec<_> = replies.iter().map(|reply| reply.body.as_ref().map(|body| body.bytes.as_slice())).collect();
    assert_eq!(bodies, [Some(&b"a\r\n"[..]), None, Some(b"c\r\n"), None, None]);
    assert_eq!((replies[1].status, replies[1].text.as_str()), (Status::Err, "gone"));
    assert_eq!(replies[3].status, Status::Continue);
}

#[test]
fn a_body_beyond_the_limit_is_cut_and_counted_and_the_next_reply_is_found() {
    let expect = Expect::Body { likely_bytes: 0, keep_bytes_max: 4, drain_bytes_max: 100 };
    let replies = parse(&[expect, Expect::Line], &[b"+OK\r\n123456789\r\n.\r\n+OK next\r\n"]).unwrap();
    let body = replies[0].body.as_ref().unwrap();
    assert_eq!((body.bytes.as_slice(), body.size_bytes, body.is_cut()), (&b"1234"[..], 11, true));
    assert_eq!(replies[1].text, "next");
    let endless = [b"+OK\r\n".as_slice(), &[b'x'; 200]].concat();
    assert_eq!(parse(&[expect], &[&endless]), Err(ReplyError::BodyTooLong(100)));
}

#[test]
fn hostile_servers_get_a_named_error() {
    let long = vec![b'+'; LINE_BYTES_MAX];
    for (expected, wire, error) in [
        (1, &long[..], ReplyError::LineTooLong),
        (1, b"HTTP/1.1 400 Bad\r\n", ReplyError::NotAReply("HTTP/1.1 400 Bad".into())),
        (1, b"+OKAY\r\n", ReplyError::NotAReply("+OKAY".into())),
        (1, b"\r\n", ReplyError::NotAReply(String::new())),
        (1, b"\x00\x1B[2J\n", ReplyError::NotAReply("\u{FFFD}\u{FFFD}[2J".into())),
        (1, b"+OK\r\n+OK\r\n", ReplyError::Unasked),
        (0, b"x", ReplyError::Unasked),
        (1, b"", ReplyError::Ended(1)),
        (1, b"+OK half", ReplyError::Ended(1)),
        (2, b"+OK\r\n", ReplyError::Ended(1)),
    ] {
        assert_eq!(parse(&vec![Expect::Line; expected], &[wire]), Err(error), "{}", printable(wire));
    }
    assert_eq!(parse(&[BODY], &[b"+OK\r\nhalf a mail\r\n."]), Err(ReplyError::Ended(1)));
}

#[test]
fn a_server_that_ends_lines_with_lf_alone_is_named_as_such() {
    // A body after a status line with LF alone would never end. A status line without a body is accepted.
    assert_eq!(parse(&[BODY], &[b"+OK\n1 a\n.\n"]), Err(ReplyError::BareLineFeed));
    assert_eq!(parse(&[Expect::Line, BODY], &[b"+OK x\n+OK\n"]), Err(ReplyError::BareLineFeed));
    assert_eq!(parse(&[Expect::Line, BODY], &[b"+OK x\n-ERR no\n"]).unwrap().len(), 2);
    // If the status line ends with CRLF, the bare line feeds are noticed only because the body never ends.
    for (wire, is_bare) in [
        (&b"+OK\r\n1 a\n2 b\n.\n"[..], true),
        (b"+OK\r\n.\n", true),
        (b"+OK\r\na mail\r\n.\n", false),
        (b"+OK\r\na mail\n", false),
        (b"+OK\r\na mail\r\n.\r", false),
    ] {
        let mut parser = ReplyParser::default();
        parser.expect(BODY);
        parser.feed(wire);
        assert_eq!(parser.next_reply(), Ok(None), "{}", printable(wire));
        assert_eq!(parser.ends_with_bare_line_feed(), is_bare, "{}", printable(wire));
    }
}

#[test]
fn surplus_after_a_reply_is_seen() {
    let mut parser = ReplyParser::default();
    parser.expect(Expect::Line);
    parser.feed(b"+OK begin TLS\r\n+OK injected\r\n");
    assert!(parser.next_reply().unwrap().is_some());
    assert!(parser.has_surplus());
}

/// Octets in which stuffing, line ends and 8-bit text are frequent.
fn mail_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(b"\r\n..\r\n\r\na \xFF\x00+-".to_vec()), 0..200)
}

proptest! {
    #[test]
    fn what_was_stuffed_comes_back_whatever_the_cuts(mail in mail_bytes(), cut in 1_usize..9) {
        let wire = [stuffed(&mail), b"+OK next\r\n".to_vec()].concat();
        let chunks: Vec<&[u8]> = wire.chunks(cut).collect();
        let replies = parse(&[BODY, Expect::Line], &chunks).unwrap();
        let mut expected = mail;
        if !expected.is_empty() && !expected.ends_with(b"\r\n") {
            expected.extend_from_slice(b"\r\n");
        }
        prop_assert_eq!(&replies[0].body.as_ref().unwrap().bytes, &expected);
        prop_assert_eq!(&replies[1].text, "next");
    }

    #[test]
    fn noise_never_panics_and_never_costs_more_memory_than_was_agreed(
        noise in prop::collection::vec(mail_bytes(), 0..8),
        cut in 1_usize..50,
    ) {
        let expect = Expect::Body { likely_bytes: 0, keep_bytes_max: 64, drain_bytes_max: 4096 };
        let mut parser = ReplyParser::default();
        for _ in 0..8 {
            parser.expect(expect);
        }
        let mut wire = b"+OK\r\n".to_vec();
        wire.extend(noise.join(&b"\r\n.\r\n+OK\r\n"[..]));
        'fed: for chunk in wire.chunks(cut) {
            parser.feed(chunk);
            loop {
                match parser.next_reply() {
                    Ok(Some(reply)) => prop_assert!(reply.body.is_none_or(|body| body.bytes.len() <= 64)),
                    Ok(None) => break,
                    Err(_) => break 'fed,
                }
            }
            prop_assert!(parser.buffer.len() <= 2 * (LINE_BYTES_MAX + cut + 4));
        }
    }
}
