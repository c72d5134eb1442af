//! Attacks with connections that end in every phase of a request, with clients that read nothing, and with missing or old TLS.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use agency::packed::Packed;
use scenarios::https_world::{World, opened};
use scenarios::raw_http::{Raw, posting, posting_in_chunks};

/// Phases of a request in which the client ends the connection.
const PHASES: [&str; 8] = [
    "within the head",
    "behind the head",
    "within the body",
    "before the last octet",
    "within a chunk",
    "before the last chunk",
    "while the letter is settled",
    "within the reply",
];

/// Posts a letter over a connection that the client ends in this phase. Says whether the whole letter was sent.
fn cut(world: &World, phase: &str, letter: &Packed) -> bool {
    let mut connection = Raw::connect(world.https).unwrap();
    let octets = posting("", &letter.document);
    let head = octets.len() - letter.document.len();
    let chunks = posting_in_chunks("", &letter.document, 500);
    let sent = match phase {
        "within the head" => &octets[..head / 2],
        "behind the head" => &octets[..head],
        "within the body" => &octets[..head + letter.document.len() / 2],
        "before the last octet" => &octets[..octets.len() - 1],
        "within a chunk" => &chunks[..chunks.len() / 2],
        "before the last chunk" => &chunks[..chunks.len() - 5],
        _ => &octets[..],
    };
    connection.send(sent).unwrap();
    if phase == "within the reply" {
        // The client reads one octet and then closes the connection with octets unread, so TCP resets the connection.
        let mut first = [0];
        connection.another().unwrap().read_exact(&mut first).unwrap();
    }
    sent.len() == octets.len()
}

#[test]
fn a_letter_whose_connection_ends_is_settled_once_or_not_at_all() {
    let (mut world, mut resident) = World::plain("");
    let mut whole = 0;
    let mut letters = Vec::new();
    for phase in PHASES.iter().cycle().take(PHASES.len() * 4) {
        let (letter, _) = resident.write().unwrap();
        whole += usize::from(cut(&world, phase, &letter));
        letters.push((phase, letter));
    }
    // A letter that arrived whole is settled although nobody waits for the reply any more. A letter of which only a part arrived is not.
    let settled = |world: &World| world.journal("accepted");
    world.engine.wait_until("nothing is held", |engine| Ok(engine.metric("xm_intake_connections") == 0.0)).unwrap();
    assert_eq!(settled(&world), whole, "what came in part is no letter");
    for (phase, letter) in &letters {
        let reply = world.post(&letter.document);
        assert_eq!(opened(&mut resident, &reply)[0], letter.digest, "{phase}");
    }
    assert_eq!((settled(&world), world.journal("duplicate")), (letters.len(), whole));
    world.engine.stop().unwrap();
}

/// Many copies of one letter arrive at the same time, and most of their senders end the connection before the reply.
#[test]
fn copies_of_a_letter_at_once_have_one_effect() {
    let (mut world, mut resident) = World::plain("");
    let (letter, _) = resident.write().unwrap();
    std::thread::scope(|scope| {
        for number in 0..24 {
            let (world, letter) = (&world, &letter);
            scope.spawn(move || {
                let mut connection = Raw::connect(world.https).unwrap();
                connection.send(&posting("", &letter.document)).unwrap();
                if number % 3 == 0 {
                    let reply = connection.reply().unwrap().unwrap();
                    assert!(matches!(reply.status, 200 | 503), "{reply:?}");
                }
            });
        }
    });
    let reply = world.post(&letter.document);
    assert_eq!(opened(&mut resident, &reply), [letter.digest]);
    assert_eq!(world.journal("accepted"), 1);
    world.engine.stop().unwrap();
}

/// The answer desk, the actor that hands out answers, panics once while it hands answers out. It must hand out answers to later letters.
#[test]
fn a_panic_at_the_desk_keeps_no_later_answer_back() {
    let (mut world, mut resident) = World::breakable();
    let letters: Vec<Packed> = (0..3).map(|_| resident.write().unwrap().0).collect();
    assert_eq!(opened(&mut resident, &world.post(&letters[0].document)), [letters[0].digest]);
    world.engine.tell("panic answer_desk::leased 1");
    let has_panicked = |world: &World| std::fs::read_to_string(world.engine.log_path()).unwrap().contains("planted");
    for _ in 0..1000 {
        assert_eq!(opened(&mut resident, &world.post(&letters[1].document)), [letters[1].digest]);
        if has_panicked(&world) {
            break;
        }
    }
    assert!(has_panicked(&world));
    // A letter's own answer can reach the reply without the answer desk, but an answer that has waited for the office can not. So one is
    // made to wait, and if the next reply has it, the desk works again.
    world.engine.operate(&["answer", "resend", &letters[0].letter_id.to_string()]).unwrap();
    let reply = world.post(&letters[2].document);
    assert_eq!(opened(&mut resident, &reply), [letters[2].digest, letters[0].digest]);
    world.engine.stop().unwrap();
}

/// Sends a request again and again and reads no reply, until the centre reads no more requests.
fn deaf_client(world: &World, ask: &str) -> Raw {
    let connection = Raw::connect(world.https).unwrap();
    let mut stream: TcpStream = connection.another().unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let ask = ask.repeat(50);
    let mut sent = 0;
    while stream.write_all(ask.as_bytes()).is_ok() {
        sent += ask.len();
        assert!(sent < 64 << 20, "the centre read on and on, although nobody reads its replies");
    }
    connection
}

/// Clients that send requests and read no reply must not use up the centre's memory.
#[test]
fn a_client_that_reads_no_reply_takes_no_memory() {
    let (mut world, mut resident) = World::plain("requests_per_minute_max = 1000000\n");
    let (letter, _) = resident.write().unwrap();
    assert_eq!(opened(&mut resident, &world.post(&letter.document)), [letter.digest]);
    let path = format!("/v1/answers/7/{}", letter.letter_id);
    let ask = format!("GET {path} HTTP/1.1\r\nHost: x\r\nX-Letter-Digest: {}\r\n\r\n", letter.digest);
    let memory = |world: &World| world.engine.metric("process_resident_memory_bytes");
    // The first ten clients are not counted: they make the centre allocate what it needs however many clients there are.
    let mut deaf: Vec<Raw> = (0..10).map(|_| deaf_client(&world, &ask)).collect();
    let before = memory(&world);
    deaf.extend((0..40).map(|_| deaf_client(&world, &ask)));
    let (letter, _) = resident.write().unwrap();
    assert_eq!(opened(&mut resident, &world.post(&letter.document)), [letter.digest]);
    let grown = memory(&world) - before;
    println!("40 connections: the memory grew by {} KB", grown / 1e3);
    assert!(grown < 64e6, "{grown} octets for 40 connections");
    drop(deaf);
    world.engine.stop().unwrap();
}

/// Returns the ClientHello of TLS 1.0 (`minor` is 1) or TLS 1.1 (`minor` is 2).
fn old_hello(minor: u8) -> Vec<u8> {
    let mut hello = vec![0x03, minor];
    hello.extend([7; 32]);
    // No session id, two cipher suites of these versions, and no compression.
    hello.extend([0, 0, 4, 0xc0, 0x13, 0x00, 0x2f, 1, 0]);
    let length = u8::try_from(hello.len()).unwrap();
    [&[22, 3, 1, 0, length + 4, 1, 0, 0, length][..], &hello].concat()
}

#[test]
fn old_tls_and_plain_text_get_nothing() {
    let (mut world, mut resident) = World::open("");
    let (letter, _) = resident.write().unwrap();
    for minor in [1, 2] {
        let mut connection = Raw::connect(world.https).unwrap();
        connection.send(&old_hello(minor)).unwrap();
        let said = connection.all().unwrap();
        // The server supports neither these versions nor these cipher suites. It must say so by a fatal alert of TLS and nothing else.
        assert!(said.len() == 7 && said[0] == 21 && said[5] == 2, "TLS 1.{}: {said:?}", minor - 1);
    }
    for octets in [posting("", &letter.document), b"\r\n\r\n".to_vec(), vec![0; 4096], vec![22; 4096]] {
        let mut connection = Raw::connect(world.https).unwrap();
        connection.send(&octets).unwrap();
        let said = connection.all().unwrap();
        assert!(said.len() <= 7 && said.first().is_none_or(|first| *first == 21), "{said:?}");
    }
    assert_eq!(world.journal("accepted"), 0);
    assert_eq!(opened(&mut resident, &world.post(&letter.document)), [letter.digest]);
    world.engine.stop().unwrap();
}
