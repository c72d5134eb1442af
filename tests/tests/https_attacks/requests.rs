//! Requests that break the rules of HTTP, or contain a hidden second request (request smuggling).

use std::io::Write;

use scenarios::https_world::{OFFICE, World, opened};
use scenarios::raw_http::{Raw, RawReply, posting, posting_in_chunks};

/// Maximum size of a document at the centre of these tests, in bytes.
const BYTES_MAX: usize = 16 * 1024;
/// Configuration of the centre. A client may make only one request a minute, and all requests come from 127.0.0.1. So the centre is told
/// that 127.0.0.1 is a proxy, and each case names another client behind it, whose allowance is not used up.
const FURTHER: &str = "document_size_max_bytes = 16384\nrequests_per_minute_max = 1\nproxies = [\"127.0.0.1\"]\n";

/// Returns the header field by which a proxy names a client.
fn from_client(number: usize) -> String {
    format!("X-Forwarded-For: 192.0.2.{number}\r\n")
}

/// Sends octets over a new connection, and returns all replies until the connection ends.
fn replies(world: &World, octets: &[u8]) -> Vec<RawReply> {
    let mut connection = Raw::connect(world.https).unwrap();
    // The server may close the connection before everything is written, so errors are ignored.
    connection.send(octets).ok();
    connection.end().ok();
    connection.replies().unwrap()
}

fn statuses(replies: &[RawReply]) -> Vec<u16> {
    replies.iter().map(|reply| reply.status).collect()
}

/// Number of the client that the hidden request names. No other request names it, so if the hidden request is executed, it is not refused
/// for want of allowance, and the test notices it.
const HIDDEN: usize = 250;

/// Makes requests until the allowance of client 1 is used up.
fn exhaust(world: &World) {
    while statuses(&replies(world, &posting(&from_client(1), b"x"))) != [429] {}
}

/// Returns requests whose length can be read in two ways, each with the request `hidden` after or within it.
fn ambiguous(hidden: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let whole = |head: &str, body: &[u8]| [head.as_bytes(), body].concat();
    let with = |fields: &str| whole(&format!("POST /v1/letters HTTP/1.1\r\nHost: x\r\n{fields}\r\n"), b"0\r\n\r\n");
    let chunk = |size: &str| {
        whole("POST /v1/letters HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", size.as_bytes())
    };
    let mut cases = vec![
        ("both lengths", with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")),
        ("both lengths, the other way", with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")),
        ("two lengths", with("Content-Length: 5\r\nContent-Length: 0\r\n")),
        ("one length twice", with("Content-Length: 5\r\nContent-Length: 5\r\n")),
        ("a list of lengths", with("Content-Length: 5, 5\r\n")),
        ("a signed length", with("Content-Length: +5\r\n")),
        ("a negative length", with("Content-Length: -5\r\n")),
        ("a hexadecimal length", with("Content-Length: 0x5\r\n")),
        ("an empty length", with("Content-Length: \r\n")),
        ("a length beyond all numbers", with("Content-Length: 18446744073709551621\r\n")),
        ("a folded field", with("Content-Length:\r\n 5\r\n")),
        ("a folded field of no meaning", with("X-Filler: a\r\n b\r\nContent-Length: 5\r\n")),
        ("a blank before the colon", with("Content-Length : 5\r\n")),
        ("a blank before the coding's colon", with("Transfer-Encoding : chunked\r\n")),
        ("an unknown coding", with("Transfer-Encoding: xchunked\r\n")),
        ("two codings", with("Transfer-Encoding: gzip, chunked\r\n")),
        ("chunked, and then not", with("Transfer-Encoding: chunked, identity\r\n")),
        ("two fields of codings", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n")),
        ("a coding that is none", with("Transfer-Encoding: identity\r\nContent-Length: 5\r\n")),
        ("a coding behind a tab of another kind", with("Transfer-Encoding: \x0bchunked\r\n")),
        ("a length with a zero octet", with("Content-Length: 5\0\r\n")),
        ("a bare CR", with("X-Filler: a\rContent-Length: 5\r\n")),
        ("no host", whole("POST /v1/letters HTTP/1.1\r\nContent-Length: 5\r\n\r\n", b"0\r\n\r\n")),
        ("two hosts", with("Host: y\r\nContent-Length: 5\r\n")),
        (
            "a coding in HTTP/1.0",
            whole("POST /v1/letters HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"0\r\n\r\n"),
        ),
        ("a version that is none", whole("POST /v1/letters HTTP/3.7\r\nHost: x\r\n\r\n", b"")),
        ("a blank in the path", whole("POST /v1/ letters HTTP/1.1\r\nHost: x\r\n\r\n", b"")),
        ("TLS", whole("\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03", b"")),
        ("HTTP/2", whole("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"")),
    ];
    for (case, size) in [
        ("a chunk of a size beyond all numbers", "FFFFFFFFFFFFFFFFF\r\n"),
        ("a chunk of a signed size", "+5\r\nhello\r\n0\r\n\r\n"),
        ("a chunk of a size in another notation", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("a chunk that is longer than its size", "1\r\nhello\r\n0\r\n\r\n"),
        ("a chunk without its line's end", "5\r\nhello0\r\n\r\n"),
        ("a chunk of no size", "\r\nhello\r\n0\r\n\r\n"),
    ] {
        cases.push((case, chunk(size)));
    }
    for (_, octets) in &mut cases {
        octets.extend_from_slice(hidden);
    }
    cases
}

#[test]
fn a_request_that_can_be_read_in_two_ways_is_refused_and_ends_its_connection() {
    let (mut world, mut resident) = World::plain("");
    let (letter, _) = resident.write().unwrap();
    let hidden = posting("", &letter.document);
    for (case, octets) in ambiguous(&hidden) {
        let found = replies(&world, &octets);
        assert!(found.len() == 1 && matches!(found[0].status, 400 | 408), "{case}: {found:?}");
    }
    assert_eq!(world.journal("accepted"), 0, "a hidden letter was taken");
    // Sent by itself, the hidden request is accepted. So if it had been executed above, the test would have noticed it.
    let served = replies(&world, &hidden);
    assert_eq!(statuses(&served), [200]);
    assert_eq!(world.journal("accepted"), 1);
    world.engine.stop().unwrap();
}

/// Some servers take a bare LF for the end of a line, others do not. Between two that differ, a request can be hidden. This server may do
/// either, but must find only one request.
#[test]
fn requests_within_the_body_of_another_are_never_executed() {
    let (mut world, mut resident) = World::plain(FURTHER);
    let (letter, _) = resident.write().unwrap();
    let hidden = posting(&from_client(HIDDEN), &letter.document);
    let long = [vec![b'A'; BYTES_MAX], hidden.clone()].concat();
    let any = "GET /v1/answers/7/x HTTP/1.1\r\nHost: x\r\n";
    let nowhere = "POST /v1/nowhere HTTP/1.1\r\nHost: x\r\n";
    let length = format!("Content-Length: {}\r\n\r\n", hidden.len());
    let within = |head: &str| [head.as_bytes(), length.as_bytes(), &hidden].concat();
    let chunks = |head: &str| {
        let posted = posting_in_chunks("", &hidden, 100);
        let body = posted.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        [head.as_bytes(), b"Transfer-Encoding: chunked\r\n\r\n", &posted[body..]].concat()
    };
    let cases: Vec<(&str, Vec<u8>, &[u16])> = vec![
        ("too large", posting(&from_client(2), &long), &[413]),
        ("too large in chunks", posting_in_chunks(&from_client(3), &long, 1000), &[413]),
        ("too large in one chunk", posting_in_chunks(&from_client(4), &long, long.len()), &[413]),
        ("too many", posting(&from_client(1), &hidden), &[429]),
        ("too many in chunks", posting_in_chunks(&from_client(1), &hidden, 1000), &[429]),
        ("a question with a body", within(&format!("{any}{}", from_client(5))), &[404]),
        ("a question with a body in chunks", chunks(&format!("{any}{}", from_client(6))), &[404]),
        ("too many questions", within(&format!("{any}{}", from_client(1))), &[429]),
        ("another path", within(nowhere), &[404]),
        ("another path, in chunks", chunks(nowhere), &[404]),
        ("another method", within("PUT /v1/letters HTTP/1.1\r\nHost: x\r\n"), &[405]),
        (
            "lines that end with LF",
            [b"POST /v1/letters HTTP/1.1\nHost: x\nContent-Length: 5\n\nhello", &b"\n"[..]].concat(),
            &[202],
        ),
        (
            "another protocol",
            within("POST /v1/nowhere HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"),
            &[404],
        ),
    ];
    for (case, octets, expected) in cases {
        exhaust(&world);
        assert_eq!(statuses(&replies(&world, &octets)), expected, "{case}");
        assert_eq!(world.journal("accepted"), 0, "{case}: the hidden letter was taken");
    }
    world.engine.stop().unwrap();
}

/// After a reply that says `Connection: close`, the server must execute nothing more that arrives over the connection (RFC 9112, 9.6).
#[test]
fn nothing_is_executed_behind_a_reply_that_closes_the_connection() {
    let (mut world, mut resident) = World::plain(FURTHER);
    let (letter, _) = resident.write().unwrap();
    let hidden = posting(&from_client(HIDDEN), &letter.document);
    let long = vec![b'A'; BYTES_MAX + 1];
    for (case, first) in [
        ("too large in chunks", posting_in_chunks(&from_client(2), &long, 1000)),
        ("too large", posting(&from_client(3), &long)),
        ("too many in chunks", posting_in_chunks(&from_client(1), b"hello", 5)),
        ("too many", posting(&from_client(1), b"hello")),
        (
            "too many questions",
            format!("GET /v1/answers/7/x HTTP/1.1\r\nHost: x\r\n{}\r\n", from_client(1)).into_bytes(),
        ),
    ] {
        exhaust(&world);
        let found = replies(&world, &[first, hidden.clone()].concat());
        assert_eq!(found.len(), 1, "{case}: {found:?}");
        assert!(found[0].closes(), "{case}: {found:?}");
        assert_eq!(world.journal("accepted"), 0, "{case}: a letter behind the last reply was taken");
    }
    world.engine.stop().unwrap();
}

#[test]
fn a_hundred_letters_at_once_over_one_connection_are_settled_in_order_and_once() {
    let (mut world, mut resident) = World::plain("");
    let letters: Vec<_> = (0..100).map(|_| resident.write().unwrap().0).collect();
    let mut connection = Raw::connect(world.https).unwrap();
    let mut writing = connection.another().unwrap();
    let octets: Vec<u8> = letters.iter().flat_map(|letter| posting("", &letter.document)).collect();
    let writer = std::thread::spawn(move || writing.write_all(&octets));
    for letter in &letters {
        let reply = connection.reply().unwrap().unwrap();
        let reply = scenarios::poster::Reply { status: reply.status, headers: Default::default(), body: reply.body };
        assert_eq!(opened(&mut resident, &reply), [letter.digest]);
    }
    writer.join().unwrap().unwrap();
    assert_eq!((world.journal("accepted"), world.journal("duplicate")), (100, 0));
    world.engine.stop().unwrap();
}

#[test]
fn heads_are_bounded() {
    let (mut world, _) = World::plain("");
    let many = "X-Filler: y\r\n".repeat(97);
    let huge = format!("X-Filler: {}\r\n", "y".repeat(200 * 1024));
    for (case, fields) in [("many fields", &many), ("a giant field", &huge)] {
        let mut connection = Raw::connect(world.https).unwrap();
        connection.send(&posting(fields, b"hello")).ok();
        let found = connection.replies().unwrap();
        // The server closes the connection with octets unread, so TCP resets it, and the reset may overtake the reply. So it is no fault if
        // no reply arrives.
        assert!(found.iter().all(|reply| matches!(reply.status, 400 | 431)) && found.len() <= 1, "{case}: {found:?}");
    }
    let mut connection = Raw::connect(world.https).unwrap();
    connection.send(&[b"POST ".to_vec(), vec![b'/'; 200 * 1024]].concat()).ok();
    let found = connection.replies().unwrap();
    assert!(found.iter().all(|reply| matches!(reply.status, 400 | 414 | 431)), "a giant path: {found:?}");
    world.engine.stop().unwrap();
}

/// A document that is announced as too large is refused before it arrives. A document in chunks is refused as soon as it is too large.
#[test]
fn a_document_that_is_too_large_is_refused_without_reading_it_all() {
    let (mut world, _) = World::plain("document_size_max_bytes = 65536\n");
    let mut connection = Raw::connect(world.https).unwrap();
    let head = |length: &str| format!("POST /v1/letters HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    for length in ["65537", "1000000000000", "18446744073709551615"] {
        let mut connection = Raw::connect(world.https).unwrap();
        connection.send(head(length).as_bytes()).unwrap();
        let reply = connection.reply().unwrap().unwrap();
        assert_eq!((reply.status, reply.closes()), (413, true), "{length}");
    }
    connection
        .send(b"POST /v1/letters HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFF\r\n")
        .unwrap();
    connection.send(&[b'A'; 65537]).unwrap();
    let reply = connection.reply().unwrap().unwrap();
    assert_eq!((reply.status, reply.closes()), (413, true));
    // The announced chunk has a terabyte, but the server must close the connection, whatever arrives.
    let chunk = [b'A'; 16 * 1024];
    let mut sent = 0_u64;
    while connection.send(&chunk).is_ok() {
        sent += 1;
        assert!(sent < 1_000_000, "16 GB were read behind the last reply");
    }
    world.engine.stop().unwrap();
}

#[test]
fn only_a_proxy_names_the_client() {
    let (mut world, _) = World::plain("requests_per_minute_max = 1\n");
    let asks = |fields: &str| format!("GET /v1/answers/{OFFICE}/x HTTP/1.1\r\nHost: x\r\n{fields}\r\n").into_bytes();
    let status = |world: &World, fields: &str| statuses(&replies(world, &asks(fields)))[0];
    let found: Vec<u16> = (0..4).map(|client| status(&world, &from_client(client))).collect();
    assert_eq!(found[0], 404);
    assert!(found.contains(&429), "a client chose its own address: {found:?}");
    world.engine.stop().unwrap();

    let (mut world, _) = World::plain("requests_per_minute_max = 1\nproxies = [\"127.0.0.1\"]\n");
    let found: Vec<u16> = (0..6).map(|client| status(&world, &from_client(client))).collect();
    assert_eq!(found, [404; 6], "clients of a proxy share one allowance");
    // A client can send this field too, with whatever it likes. The proxy appends the true address, so only the last entry may count.
    let spoofed = |first: usize| format!("X-Forwarded-For: 198.51.100.{first}, 192.0.2.77\r\n");
    let twice = |first: usize| format!("X-Forwarded-For: 198.51.100.{first}\r\n{}", from_client(78));
    for fields in [&spoofed as &dyn Fn(usize) -> String, &twice] {
        let found: Vec<u16> = (0..5).map(|client| status(&world, &fields(client))).collect();
        assert!(found.contains(&429), "a client chose its own address behind a proxy: {found:?}");
    }
    world.engine.stop().unwrap();
}
