//! Tests of letters that offices post over HTTPS and of answers that they collect: what an office gets, what a stranger gets, and what
//! remains when a connection breaks.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot get its world ends at once, saying why")]

use agency::identity::{Algorithm, Identity};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use scenarios::engine::Engine;
use scenarios::https_world::{World, opened};
use scenarios::poster::Reply;
use scenarios::town::Resident;
use serde_json::Value;
use simulation::dice::Dice;
use simulation::forgery;
use simulation::records::Register;
use uuid::Uuid;

/// Status of the reply to a stranger, whatever document the stranger sends.
const RECEIVED: u16 = 202;

#[test]
fn an_office_posts_its_letter_and_has_its_receipt_in_the_reply() {
    let (mut world, mut resident) = World::open("");
    let (first, _) = resident.write().unwrap();
    let reply = world.post(&first.document);
    assert_eq!(opened(&mut resident, &reply), [first.digest]);
    assert_eq!(reply.header("cache-control"), "no-store");

    // An office whose reply is lost sends the same octets again. It gets the same receipt, and the letter is not settled twice.
    let again = world.post(&first.document);
    assert_eq!(opened(&mut resident, &again), [first.digest]);

    // The answer was given over HTTPS, so it does not wait to be sent in another way.
    let waiting = world.engine.operate(&["answer", "list", "--json"]).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Value>>(&waiting).unwrap(), Vec::<Value>::new(), "{waiting}");

    // The answer can also be fetched by the letter's id, but only with the letter's digest.
    let named = world.answer(first.letter_id, "", &first.digest.to_string());
    assert_eq!(opened(&mut resident, &named), [first.digest]);
    let exact = world.answer(first.letter_id, "?attempt=1&part=0", &first.digest.to_string());
    assert_eq!(opened(&mut resident, &exact), [first.digest]);
    let refused: Vec<Reply> = [
        world.answer(first.letter_id, "", &sdc::digest::Digest::of(b"x").to_string()),
        world.answer(first.letter_id, "", "no digest"),
        world.answer(first.letter_id, "?attempt=2", &first.digest.to_string()),
        world.answer(first.letter_id, "?part=1", &first.digest.to_string()),
        world.answer(first.letter_id, "?other=1", &first.digest.to_string()),
        world.answer(Uuid::now_v7(), "", &first.digest.to_string()),
    ]
    .into();
    for reply in &refused {
        assert_eq!((reply.status, &reply.body), (404, &refused[0].body));
    }

    // Several letters over one connection are all answered.
    let mut connection = world.connect();
    for _ in 0..5 {
        let (letter, _) = resident.write().unwrap();
        let reply = world.runtime.block_on(connection.post(&letter.document)).unwrap();
        assert_eq!(opened(&mut resident, &reply), [letter.digest]);
    }
    let journal = world.engine.operate(&["journal", "list", "--limit", "100", "--json"]).unwrap();
    let journal: Vec<Value> = serde_json::from_str(&journal).unwrap();
    let count = |outcome: &str| journal.iter().filter(|line| line["outcome"] == outcome).count();
    assert_eq!((count("accepted"), count("duplicate")), (6, 1), "{journal:?}");
    assert!(journal.iter().all(|line| line["transport"] == "http"), "{journal:?}");
    world.engine.stop().unwrap();
}

/// An answer waits for its office, which gets it in the reply to its next letter. That reply is lost on the way. So when the office sends
/// the letter again, the reply must again have both answers: the one to the letter, and the one that waited.
#[test]
fn what_waits_for_an_installation_comes_with_the_answer_to_its_next_letter() {
    let (mut world, mut resident) = World::open("");
    let (first, _) = resident.write().unwrap();
    assert_eq!(opened(&mut resident, &world.post(&first.document)), [first.digest]);
    world.engine.operate(&["answer", "resend", &first.letter_id.to_string()]).unwrap();

    let (next, _) = resident.write().unwrap();
    let mut cut = world.connect();
    let sending = world.runtime.spawn({
        let document = next.document.clone();
        async move { drop(cut.post(&document).await) }
    });
    let settled = |engine: &Engine| {
        let journal = engine.operate(&["journal", "list", "--limit", "100", "--json"])?;
        Ok(journal.matches("\"accepted\"").count() == 2)
    };
    world.engine.wait_until("the letter is settled", settled).unwrap();
    // The connection is cut just now. The reply may have come or not; in either case the office has not read it.
    sending.abort();
    assert_eq!(opened(&mut resident, &world.post(&next.document)), [next.digest, first.digest]);
    assert_eq!(opened(&mut resident, &world.post(&next.document)), [next.digest, first.digest]);
    world.engine.stop().unwrap();
}

#[test]
fn a_stranger_gets_one_reply_whatever_it_sends() {
    let (mut world, mut resident) = World::open("");
    let forger = Identity::generate("office 7", Algorithm::P256).unwrap();
    let (good, _) = resident.write().unwrap();
    let letter = resident.office.compose(Register::new("C7").births(1, &mut Dice::of(9, 1))).unwrap();
    let forged = forgery::sealed(&resident.office, &letter, &forger).unwrap();
    let mut bent = good.document.clone();
    let middle = bent.len() / 2;
    bent[middle] = if bent[middle] == b'A' { b'B' } else { b'A' };
    let mut newcomer = Resident::newcomer(&world.engine, 9).unwrap();
    let (unknown, _) = newcomer.write().unwrap();
    let replies: Vec<Reply> =
        [&forged[..], &bent, &unknown.document, b"", b"hello", &good.document[..good.document.len() / 2]]
            .into_iter()
            .map(|document| world.post(document))
            .collect();
    for reply in &replies {
        assert_eq!((reply.status, &reply.body), (RECEIVED, &replies[0].body));
        let names = |reply: &Reply| reply.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(reply), names(&replies[0]));
    }
    // A known office is still served.
    assert_eq!(opened(&mut resident, &world.post(&good.document)), [good.digest]);
    world.engine.stop().unwrap();
}

#[test]
fn limits_are_told_and_bound() {
    let (mut world, mut resident) = World::open("document_size_max_bytes = 16384\nrequests_per_minute_max = 5\n");
    let large = world.post(&vec![b'A'; 16385]);
    assert_eq!((large.status, large.header("connection")), (413, "close"));
    let (letter, _) = resident.write().unwrap();
    assert_eq!(opened(&mut resident, &world.post(&letter.document)), [letter.digest]);
    let statuses: Vec<u16> = (0..6).map(|_| world.answer(letter.letter_id, "", "x").status).collect();
    assert!(statuses[..3].iter().all(|status| *status == 404) && statuses.contains(&429), "{statuses:?}");
    let told = world.post(&letter.document);
    assert_eq!(told.status, 429);
    let wait: u64 = told.header("retry-after").parse().unwrap();
    assert!((1..=12).contains(&wait), "{wait}");
    let told: Value = serde_json::from_slice(&told.body).unwrap();
    assert_eq!(told["code"], "too_many");
    world.engine.stop().unwrap();
}

/// A program that is told to stop announces it before it stops, so that senders use another replica. Until then it still takes letters.
#[test]
fn a_stop_is_announced_and_senders_are_asked_to_send_again() {
    let (mut world, mut resident) = World::open("");
    let (letter, _) = resident.write().unwrap();
    let mut connection = world.connect();
    let reply = world.runtime.block_on(connection.post(&letter.document)).unwrap();
    assert_eq!(opened(&mut resident, &reply), [letter.digest]);
    world.engine.signal(Signal::SIGTERM).unwrap();
    world
        .engine
        .wait_until("it says that it leaves", |engine| Ok(engine.get("/accept/http").starts_with("HTTP/1.1 404")))
        .unwrap();
    // The program still takes letters.
    let (letter, _) = resident.write().unwrap();
    let reply = world.runtime.block_on(connection.post(&letter.document)).unwrap();
    assert_eq!(opened(&mut resident, &reply), [letter.digest]);
    world.engine.stop().unwrap();
}

/// The OpenAPI description of the requests, and its replies for each path and method.
struct Description(Value);

impl Description {
    fn read() -> Description {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
        Description(serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap())
    }

    /// Follows a `$ref` within the description.
    fn resolved<'d>(&'d self, value: &'d Value) -> &'d Value {
        match value["$ref"].as_str() {
            Some(place) => self.0.pointer(place.strip_prefix('#').unwrap()).unwrap(),
            None => value,
        }
    }

    /// Checks a reply against the description of the reply's path, method and status.
    fn check(&self, path: &str, method: &str, reply: &Reply) {
        let whole = &self.0["paths"][path][method]["responses"][reply.status.to_string()];
        assert!(!whole.is_null(), "{method} {path}: {} is not described", reply.status);
        let described = self.resolved(whole);
        let contents = described["content"].as_object().unwrap();
        let schema = &contents
            .get(reply.header("content-type"))
            .unwrap_or_else(|| panic!("{method} {path} {}: found {:?}", reply.status, reply.header("content-type")))["schema"];
        let schema = self.resolved(schema);
        if schema["type"] == "object" {
            let body: Value = serde_json::from_slice(&reply.body).unwrap();
            let members: Vec<&String> = body.as_object().unwrap().keys().collect();
            assert_eq!(serde_json::json!(members), schema["required"], "{body}");
            assert!(schema["properties"]["code"]["enum"].as_array().unwrap().contains(&body["code"]), "{body}");
        } else {
            assert!(!reply.documents().is_empty());
        }
        let headers = described["headers"].as_object().cloned().unwrap_or_default();
        assert_eq!(headers.contains_key("Retry-After"), !reply.header("retry-after").is_empty());
    }

    /// Returns every status that is described, with its path and method.
    fn all(&self) -> Vec<(String, String, u16)> {
        let mut all = Vec::new();
        for (path, methods) in self.0["paths"].as_object().unwrap() {
            for (method, described) in methods.as_object().unwrap() {
                for status in described["responses"].as_object().unwrap().keys() {
                    all.push((path.clone(), method.clone(), status.parse().unwrap()));
                }
            }
        }
        all
    }
}

/// Stopped processes: all processes of the centre's private PostgreSQL, as on a frozen machine. When this value is dropped, the processes
/// continue.
struct Frozen(Vec<Pid>);

impl Frozen {
    fn freeze(engine: &Engine) -> Frozen {
        let file = engine.data().join("database/data/postmaster.pid");
        let postmaster = std::fs::read_to_string(file).unwrap().lines().next().unwrap().parse().unwrap();
        let list = std::fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children")).unwrap();
        let children = list.split_whitespace().map(|child| child.parse().unwrap());
        let pids: Vec<Pid> = [postmaster].into_iter().chain(children).map(Pid::from_raw).collect();
        let pids = pids.into_iter().filter(|pid| kill(*pid, Signal::SIGSTOP).is_ok()).collect();
        Frozen(pids)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for pid in &self.0 {
            // The process may have ended, and then nothing is to be continued.
            kill(*pid, Signal::SIGCONT).ok();
        }
    }
}

/// Compares the description with the server: each reply of the server is as described, and each described reply occurs. Only the reply 408
/// is not provoked, because the server gives it after a minute of silence.
#[test]
fn the_description_says_what_the_server_does() {
    const LETTERS: &str = "/v1/letters";
    const ANSWERS: &str = "/v1/answers/{matricule}/{letter}";
    let description = Description::read();
    let further = "document_size_max_bytes = 16384\nrequests_per_minute_max = 10\nhold_seconds_max = 1\n";
    let (mut world, mut resident) = World::open(further);
    let (letter, _) = resident.write().unwrap();
    let digest = letter.digest.to_string();
    let mut seen = Vec::new();
    let mut note = |path: &str, method: &str, reply: Reply| {
        description.check(path, method, &reply);
        seen.push((path.to_owned(), method.to_owned(), reply.status));
    };
    note(LETTERS, "post", world.post(&letter.document));
    note(LETTERS, "post", world.post(b"hello"));
    note(LETTERS, "post", world.post(&vec![b'A'; 16385]));
    note(ANSWERS, "get", world.answer(letter.letter_id, "", &digest));
    note(ANSWERS, "get", world.answer(letter.letter_id, "", "x"));
    let (next, _) = resident.write().unwrap();
    let frozen = Frozen::freeze(&world.engine);
    note(LETTERS, "post", world.post(&next.document));
    note(ANSWERS, "get", world.answer(letter.letter_id, "", &digest));
    drop(frozen);
    while seen_last(&mut note, ANSWERS, world.answer(letter.letter_id, "", "x")) != 429 {}
    note(LETTERS, "post", world.post(&next.document));
    seen.sort();
    seen.dedup();
    let mut described = description.all();
    described.retain(|(_, _, status)| *status != 408);
    described.sort();
    assert_eq!(seen, described);
    world.engine.stop().unwrap();
}

fn seen_last(note: &mut impl FnMut(&str, &str, Reply), path: &str, reply: Reply) -> u16 {
    let status = reply.status;
    note(path, "get", reply);
    status
}
