//! What a service manager and the program tell each other: ready, well, reloading, stopping; and what a reload changes while letters go on.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use scenarios::engine::Engine;
use scenarios::https_world::{World, opened};
use scenarios::poster::Poster;
use scenarios::servers::Certificate;

/// Longest wait for a message of the program.
const PATIENCE: Duration = Duration::from_secs(60);

/// The end of sd_notify(3) at which systemd listens.
struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    /// Listens, and has the program that starts next report that it is well every second.
    fn watch(engine: &mut Engine) -> Manager {
        let path = engine.place().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        engine.set("NOTIFY_SOCKET", path.to_str().unwrap());
        engine.set("WATCHDOG_USEC", "3000000");
        Manager { socket }
    }

    /// Waits for the next message that has this line, and returns what was told until then.
    fn wait_for(&self, line: &str) -> Vec<String> {
        let (began, mut told) = (Instant::now(), Vec::new());
        loop {
            let left = PATIENCE.checked_sub(began.elapsed()).unwrap_or_else(|| panic!("no {line}; told: {told:?}"));
            self.socket.set_read_timeout(Some(left.max(Duration::from_millis(1)))).unwrap();
            let mut message = [0; 1024];
            let Ok(bytes) = self.socket.recv(&mut message) else { continue };
            let lines: Vec<String> = String::from_utf8_lossy(&message[..bytes]).lines().map(str::to_owned).collect();
            let is_it = lines.iter().any(|own| own == line);
            told.extend(lines);
            if is_it {
                return told;
            }
        }
    }
}

#[test]
fn the_service_manager_is_told_what_the_program_does() {
    let (mut world, _resident) = World::plain("");
    world.engine.stop().unwrap();
    let manager = Manager::watch(&mut world.engine);
    world.engine.start().unwrap();
    let told = manager.wait_for("READY=1");
    assert!(told.iter().any(|line| line.starts_with("STATUS=")), "says meanwhile what it waits for: {told:?}");
    assert!(!told.contains(&"WATCHDOG=1".to_owned()), "{told:?}");
    assert!(world.engine.get("/live").starts_with("HTTP/1.1 200"));
    for _ in 0..3 {
        manager.wait_for("WATCHDOG=1");
    }
    world.engine.signal(Signal::SIGHUP).unwrap();
    let told = manager.wait_for("RELOADING=1");
    assert!(told.iter().any(|line| line.starts_with("MONOTONIC_USEC=")), "{told:?}");
    manager.wait_for("READY=1");
    manager.wait_for("WATCHDOG=1");
    world.engine.stop().unwrap();
    let told = manager.wait_for("STOPPING=1");
    assert!(!told.contains(&"READY=1".to_owned()), "{told:?}");
}

/// A certificate is exchanged under an office that has a connection open, and the log's filter with it. A certificate that is none changes
/// nothing.
#[test]
fn a_reload_exchanges_certificate_and_filter_and_breaks_nothing() {
    let (mut world, mut resident) = World::open("");
    let shown = world.certificate.clone().unwrap();
    let (folder, key) = (tempfile::tempdir().unwrap(), shown.with_extension("key"));
    let former = folder.path().join("former.pem");
    fs::copy(&shown, &former).unwrap();
    let mut before = world.connect();
    let next = Certificate::make(folder.path()).unwrap();
    let log = |engine: &Engine, words: &str| fs::read_to_string(engine.log_path()).unwrap().matches(words).count();

    fs::write(&shown, "no certificate").unwrap();
    world.engine.signal(Signal::SIGHUP).unwrap();
    world.engine.wait_until("it says so", |engine| Ok(log(engine, "the certificate stays as it was") == 1)).unwrap();
    world.runtime.block_on(Poster::connect(world.https, Some(&former))).unwrap();

    fs::copy(&next.certificate_path, &shown).unwrap();
    fs::copy(&next.key_path, &key).unwrap();
    let configuration = world.engine.data().join("xmserver.toml");
    let text = fs::read_to_string(&configuration).unwrap();
    assert!(text.contains("[server]\n") && !text.contains("log_level"), "{text}");
    fs::write(&configuration, text.replacen("[server]\n", "[server]\nlog_level = \"error\"\n", 1)).unwrap();
    world.engine.signal(Signal::SIGHUP).unwrap();
    world.engine.wait_until("it says so", |engine| Ok(log(engine, "the certificate was read again") == 1)).unwrap();

    // Who connects now sees the new certificate alone; who was connected goes on.
    world.runtime.block_on(Poster::connect(world.https, Some(&shown))).unwrap();
    assert!(world.runtime.block_on(Poster::connect(world.https, Some(&former))).is_err());
    let (letter, _) = resident.write().unwrap();
    let reply = world.runtime.block_on(before.post(&letter.document)).unwrap();
    assert_eq!(opened(&mut resident, &reply), [letter.digest]);
    let log_of_end = "stopping: no more mail is fetched";
    world.engine.stop().unwrap();
    assert_eq!(log(&world.engine, log_of_end), 0, "only errors are logged by now");
    world.engine.start().unwrap();
    world.engine.wait_until_ready().unwrap();
    fs::write(&configuration, &text).unwrap();
    world.engine.signal(Signal::SIGHUP).unwrap();
    world
        .engine
        .wait_until("it logs again", |engine| Ok(log(engine, "the configuration was read again") == 1))
        .unwrap();
    world.engine.stop().unwrap();
    assert_eq!(log(&world.engine, log_of_end), 1);
}

/// Whoever tries the program at a terminal, and closes it, leaves no program behind.
#[test]
fn a_closed_terminal_stops_what_it_runs() {
    let (mut world, _resident) = World::plain("");
    world.engine.stop().unwrap();
    let terminal = world.engine.start_at_terminal().unwrap();
    world.engine.wait_until_ready().unwrap();
    world.engine.hang_up().unwrap();
    drop(terminal);
}
