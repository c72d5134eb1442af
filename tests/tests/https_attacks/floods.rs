//! Attacks with many connections, slow connections and connections that never end.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use agency::packed::Packed;
use scenarios::https_world::{World, opened};
use scenarios::raw_http::{Raw, posting};
use scenarios::servers::pass_time;
use scenarios::town::Resident;

/// Longest time until an office is served during a flood. When the centre has no connection left, it closes one to admit another, but none
/// in its first 10 s. So an office may have to wait that long; the rest is for a slow machine.
const SERVED_WITHIN: Duration = Duration::from_secs(60);
/// Greatest growth of the centre's memory during a flood, in bytes.
const FLOOD_BYTES_MAX: f64 = 150e6;
/// Greatest growth of memory by one connection, in bytes. A connection holds up to 64 KB of a document, in a buffer that doubles as it
/// grows and so may take twice that. A head, a piece of the body and octets that were read ahead come on top.
const CONNECTION_BYTES_MAX: f64 = 192.0 * 1024.0;

/// Returns how many connections this process may open, at most `wanted`.
fn connections(wanted: usize) -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let files: usize = files.split_whitespace().nth(3).unwrap().parse().unwrap();
    let possible = wanted.min(files.saturating_sub(300));
    if possible < wanted {
        println!("{possible} connections instead of {wanted}: this process may have no more");
    }
    possible
}

/// Opens a connection. Returns `None` if the centre refuses it; the centre may also close it at once.
fn opened_connection(world: &World) -> Option<TcpStream> {
    let stream = TcpStream::connect_timeout(&world.https, Duration::from_secs(5)).ok()?;
    stream.set_nonblocking(true).ok()?;
    Some(stream)
}

/// Posts a letter, and posts it again after a refusal or a broken connection, as an office does. Returns the time until the receipt
/// arrived.
fn served(world: &World, resident: &mut Resident, letter: &Packed) -> Duration {
    let began = Instant::now();
    loop {
        let posted = Raw::connect(world.https).and_then(|mut connection| {
            connection.send(&posting("", &letter.document))?;
            connection.reply()
        });
        if let Ok(Some(reply)) = posted
            && reply.status == 200
        {
            let reply = scenarios::poster::Reply { status: 200, headers: Default::default(), body: reply.body };
            assert_eq!(opened(resident, &reply), [letter.digest]);
            return began.elapsed();
        }
        assert!(began.elapsed() < SERVED_WITHIN, "an office was not served");
        pass_time(Duration::from_millis(200));
    }
}

/// Sends as many of these octets as the connection takes without waiting.
fn drip(mut stream: &TcpStream, octets: &[u8]) {
    use std::io::Write;
    // An error is ignored: the connection has ended, or takes no octets now.
    drop(stream.write(octets));
}

#[test]
fn ten_thousand_idle_connections_keep_no_office_out() {
    let (mut world, mut resident) = World::plain("");
    let before = world.engine.metric("process_resident_memory_bytes");
    let idle: Vec<_> = (0..connections(10_000)).filter_map(|_| opened_connection(&world)).collect();
    assert!(
        world.engine.metric("xm_intake_connections") <= 1000.0 + 64.0,
        "{}",
        world.engine.metric("xm_intake_connections")
    );
    let (letter, _) = resident.write().unwrap();
    let took = served(&world, &mut resident, &letter);
    let grown = world.engine.metric("process_resident_memory_bytes") - before;
    println!("{} connections: an office was served after {took:?}, the memory grew by {} KB", idle.len(), grown / 1e3);
    assert!(grown < FLOOD_BYTES_MAX, "{grown} octets");
    drop(idle);
    world.engine.stop().unwrap();
}

/// Clients take all connections that the centre allows. Some send a head that never ends, some a body that never ends, one octet at a time.
#[test]
fn dripped_heads_and_bodies_keep_no_office_out() {
    let (mut world, mut resident) = World::plain("connections_max = 600\n");
    let before = world.engine.metric("process_resident_memory_bytes");
    let head = b"POST /v1/letters HTTP/1.1\r\nHost: x\r\n";
    let begun = [
        head.to_vec(),
        [&head[..], b"X-Filler: "].concat(),
        [&head[..], b"Content-Length: 60000\r\n\r\n-----BEGIN"].concat(),
        [&head[..], b"Transfer-Encoding: chunked\r\n\r\nEA60\r\n"].concat(),
    ];
    let slow: Vec<_> = (0..600)
        .filter_map(|number| {
            let stream = opened_connection(&world)?;
            drip(&stream, &begun[number % begun.len()]);
            Some(stream)
        })
        .collect();
    let ends = AtomicBool::new(false);
    let (letter, _) = resident.write().unwrap();
    let took = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ends.load(Ordering::Relaxed) {
                slow.iter().for_each(|stream| drip(stream, b"A"));
                pass_time(Duration::from_millis(300));
            }
        });
        let took = served(&world, &mut resident, &letter);
        ends.store(true, Ordering::Relaxed);
        took
    });
    let grown = world.engine.metric("process_resident_memory_bytes") - before;
    println!("an office was served after {took:?}, the memory grew by {} KB", grown / 1e3);
    assert!(grown < FLOOD_BYTES_MAX, "{grown} octets");
    drop(slow);
    world.engine.stop().unwrap();
}

/// Clients send as much as the centre reads: heads just below the limit, bodies of which less arrives than is announced, bodies that never
/// end, and many requests one after another.
#[test]
fn connections_that_send_all_they_can_take_little_memory() {
    let (mut world, mut resident) = World::plain("");
    let before = world.engine.metric("process_resident_memory_bytes");
    let head = "POST /v1/letters HTTP/1.1\r\nHost: x\r\n";
    let filler = "A".repeat(127 * 1024);
    let begun = [
        format!("{head}X-Filler: {filler}"),
        format!("{head}Content-Length: 5000000\r\n\r\n{filler}{filler}"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n4C4B40\r\n{filler}{filler}"),
        "GET /v1/answers/7/x HTTP/1.1\r\nHost: x\r\n\r\n".repeat(5000),
    ];
    let mut kept = Vec::new();
    for number in 0..990 {
        let Some(stream) = opened_connection(&world) else { continue };
        drip(&stream, begun[number % begun.len()].as_bytes());
        kept.push(stream);
    }
    let mut most = 0.0_f64;
    for _ in 0..20 {
        most = most.max(world.engine.metric("process_resident_memory_bytes") - before);
        for (number, stream) in kept.iter().enumerate() {
            drip(stream, &begun[number % begun.len()].as_bytes()[head.len()..]);
        }
        pass_time(Duration::from_millis(100));
    }
    println!("{} connections: the memory grew by {} KB", kept.len(), most / 1e3);
    let (letter, _) = resident.write().unwrap();
    served(&world, &mut resident, &letter);
    assert!(most < kept.len() as f64 * CONNECTION_BYTES_MAX, "{most} octets");
    drop(kept);
    world.engine.stop().unwrap();
}
