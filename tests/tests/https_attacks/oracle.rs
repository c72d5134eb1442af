//! A stranger compares replies by their octets and by their times. Neither may tell him what is wrong with his request. Otherwise he could
//! find out by many requests what he must not know, such as which agencies exist: the centre would be an oracle.
//!
//! For every two kinds of requests, the Kolmogorov-Smirnov test says whether their times can be told apart. It is set so that in one run of
//! a thousand it finds a difference where there is none. The centre holds each reply to a stranger back until a whole number of ticks after
//! the request has passed, so that the reply does not show how long the work took. On a slow machine, long work may take one tick more than
//! short work. So the short version compares only what remains of each time after the whole ticks are taken off. The long version also
//! compares the whole times, and needs a machine that does nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use agency::identity::{Algorithm, Identity};
use scenarios::https_world::{OFFICE, World, opened};
use scenarios::raw_http::{Raw, posting};
use scenarios::size::asked_for;
use scenarios::town::Resident;
use sdc::cms::{self, ContentCipher};
use sdc::document::Document;
use sdc::request::EnrolmentCode;
use simulation::dice::Dice;
use simulation::forgery;
use simulation::records::Register;
use uuid::Uuid;

/// Number of requests of each kind in the short version of the test.
const USUAL: u64 = 150;
/// Maximum number of different documents of each kind.
const DOCUMENTS_MAX: u64 = 200;
/// Number of connections over which the requests are sent.
const CONNECTIONS: usize = 6;
/// Probability that a run of the test finds a difference for some pair of kinds although there is none.
const LEVEL: f64 = 0.001;
/// The centre replies a whole number of these times after a request. The value is that of `TICK` in `actors/src/transport/http/replies.rs`.
const TICK: Duration = Duration::from_millis(250);

/// Matricule of an agency that has an enrolment code but no key yet.
const WAITING: u32 = 9;
/// Matricule of an agency that the centre does not know.
const UNKNOWN: u32 = 999;

/// Requests by their kind.
type Kinds = BTreeMap<&'static str, Vec<Vec<u8>>>;

/// Returns the statistic of the Kolmogorov-Smirnov test: the largest distance between the distribution functions of two samples.
fn distance(one: &[f64], other: &[f64]) -> f64 {
    let sorted = |sample: &[f64]| {
        let mut sorted = sample.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted
    };
    let (one, other) = (sorted(one), sorted(other));
    let share =
        |sample: &[f64], value: f64| sample.partition_point(|found| *found <= value) as f64 / sample.len() as f64;
    one.iter().chain(&other).map(|value| (share(&one, *value) - share(&other, *value)).abs()).fold(0.0, f64::max)
}

/// Returns the critical distance of two samples of these sizes: a larger distance shows that they come from different distributions.
/// `level` is the probability that samples from the same distribution exceed it by chance.
fn critical(one: usize, other: usize, level: f64) -> f64 {
    let (one, other) = (one as f64, other as f64);
    (-(level / 2.0).ln() / 2.0).sqrt() * ((one + other) / (one * other)).sqrt()
}

#[test]
fn samples_of_one_distribution_are_alike_and_others_are_not() {
    let mut dice = Dice::of(4, 2);
    let mut sample = |from: i64, to: i64| (0..300).map(|_| dice.between(from, to) as f64).collect::<Vec<_>>();
    let (one, same, shifted) = (sample(0, 1000), sample(0, 1000), sample(300, 1300));
    let most = critical(300, 300, LEVEL);
    assert!(distance(&one, &same) < most && distance(&one, &shifted) > most);
    assert_eq!((distance(&one, &one), distance(&[1.0, 2.0], &[3.0, 4.0])), (0.0, 1.0));
    // 1.358 is the factor for a level of 5 % in published tables.
    assert!((critical(100, 100, 0.05) - 1.358 * 0.02_f64.sqrt()).abs() < 1e-3);
}

/// Makes documents of every kind that the centre cannot verify.
fn strangers(world: &World, resident: &mut Resident, size: u64) -> Kinds {
    let identity = |number: u32| Identity::generate(&format!("office {number}"), Algorithm::P256).unwrap();
    let mut impostor = Resident::newcomer(&world.engine, OFFICE).unwrap();
    let mut unknown = Resident::newcomer(&world.engine, UNKNOWN).unwrap();
    let forger = forgery::impersonating(resident.office.identity().certificate()).unwrap();
    let elsewhere = identity(1);
    let recipient = elsewhere.certificate();
    let number = WAITING.to_string();
    world
        .engine
        .operate(&["agency", "add", "--matricule", &number, "--name", "Mairie", "--email", "o@example.org"])
        .unwrap();
    let code = world.engine.operate(&["enrolment", "code", &number, "--json"]).unwrap();
    let code: serde_json::Value = serde_json::from_str(&code).unwrap();
    let right = EnrolmentCode::typed(code["code"].as_str().unwrap());
    let wrong = EnrolmentCode::typed(&right.as_str().chars().rev().collect::<String>());
    assert_ne!(right.as_str(), wrong.as_str());
    let mut newcomer = Resident::newcomer(&world.engine, WAITING).unwrap();
    let mut dice = Dice::of(7, 7);
    let mut register = Register::new("C7");
    let mut kinds = Kinds::new();
    for number in 0..size.min(DOCUMENTS_MAX) {
        let mut add = |kind, document: &[u8]| kinds.entry(kind).or_default().push(posting("", document));
        let letter = resident.office.compose(register.births(1, &mut dice)).unwrap();
        let genuine = forgery::sealed(&resident.office, &letter, resident.office.identity()).unwrap();
        let mut bent = genuine.clone();
        let middle = bent.len() / 2;
        bent[middle] = if bent[middle] == b'A' { b'B' } else { b'A' };
        add("a damaged document", &bent);
        let mut torn = genuine.clone();
        torn.truncate(genuine.len() - 40);
        torn.extend_from_slice(format!("{number:040}").as_bytes());
        add("a document without its end", &torn);
        add("no document", &genuine.iter().map(|octet| octet.wrapping_add(1) & 0x7f).collect::<Vec<_>>());
        let signed = cms::sign(format!("{number}").as_bytes(), resident.office.identity().key()).unwrap();
        let other = cms::encrypt(&signed, recipient, ContentCipher::Aes256Gcm).unwrap();
        add("a document for another centre", &Document::render(&other, None));
        add("an unknown key of a known agency", &impostor.write().unwrap().0.document);
        add("an unknown key of an unknown agency", &unknown.write().unwrap().0.document);
        add("a forged signature", &forgery::sealed(&resident.office, &letter, &forger).unwrap());
        add("a wrong code", &newcomer.office.enrol(wrong.clone()).unwrap().document);
    }
    kinds
}

/// A request and its reply.
struct Answered {
    kind: &'static str,
    octets: Vec<u8>,
    took: Duration,
}

/// Makes `size` requests of each kind in random order, and returns their replies.
fn answered(world: &World, kinds: &Kinds, size: u64) -> Vec<Answered> {
    let mut order: Vec<(&'static str, &[u8])> = Vec::new();
    for (kind, requests) in kinds {
        order.extend(requests.iter().cycle().take(usize::try_from(size).unwrap()).map(|request| (*kind, &**request)));
    }
    let mut dice = Dice::of(11, 13);
    for at in (1..order.len()).rev() {
        order.swap(at, dice.below(at + 1));
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut connection = Raw::connect(world.https).unwrap();
        let mut answered = Vec::new();
        while let Some((kind, request)) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let began = Instant::now();
            connection.send(request).unwrap();
            let reply = connection.reply().unwrap().unwrap();
            answered.push(Answered { kind, octets: reply.without_date(), took: began.elapsed() });
        }
        answered
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

/// Compares the times of each pair of kinds. Returns a message for each pair that differs.
fn compare(what: &str, answered: &[Answered], time: impl Fn(&Answered) -> f64) -> Vec<String> {
    let mut times: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for answered in answered {
        times.entry(answered.kind).or_default().push(time(answered));
    }
    let pairs = times.len() * (times.len() - 1) / 2;
    let (mut different, mut largest) = (Vec::new(), 0.0_f64);
    for (at, (one, of_one)) in times.iter().enumerate() {
        for (other, of_other) in times.iter().skip(at + 1) {
            let found = distance(of_one, of_other);
            let most = critical(of_one.len(), of_other.len(), LEVEL / pairs as f64);
            largest = largest.max(found / most);
            if found > most {
                different.push(format!("{what}: {one} and {other}: {found:.3}, more than {most:.3}"));
            }
        }
    }
    println!(
        "{what}: {} requests, {pairs} pairs of kinds, at most {largest:.2} of the critical distance",
        answered.len()
    );
    different
}

/// Asserts that all replies have the same octets, and that their times do not show the kind of the request.
fn demand_alike(answered: &[Answered], size: u64) {
    for reply in answered {
        let (found, expected) = (String::from_utf8_lossy(&reply.octets), String::from_utf8_lossy(&answered[0].octets));
        assert_eq!(found, expected, "{} and {}", reply.kind, answered[0].kind);
    }
    let beyond = |answered: &Answered| (answered.took.as_secs_f64() * 1e3) % (TICK.as_secs_f64() * 1e3);
    let mut different = compare("beyond whole ticks", answered, beyond);
    let whole = compare("whole times", answered, |answered| answered.took.as_secs_f64());
    if size > USUAL {
        different.extend(whole);
    }
    assert!(different.is_empty(), "{different:#?}");
}

#[test]
fn an_oracle_learns_nothing_from_what_it_posts() {
    let size = asked_for("XM_ORACLE", USUAL);
    let (mut world, mut resident) = World::plain("requests_per_minute_max = 1000000\n");
    let kinds = strangers(&world, &mut resident, size);
    let answered = answered(&world, &kinds, size);
    assert!(answered[0].octets.starts_with(b"HTTP/1.1 202"), "{:?}", String::from_utf8_lossy(&answered[0].octets));
    demand_alike(&answered, size);
    assert_eq!(world.journal("accepted"), 0);
    world.engine.stop().unwrap();
}

#[test]
fn an_oracle_learns_nothing_from_what_it_asks_for() {
    let size = asked_for("XM_ORACLE", USUAL);
    let (mut world, mut resident) = World::plain("requests_per_minute_max = 1000000\n");
    let (letter, _) = resident.write().unwrap();
    assert_eq!(opened(&mut resident, &world.post(&letter.document)), [letter.digest]);
    let digest = letter.digest.to_string();
    let mut near = digest.clone();
    near.replace_range(63.., if digest.ends_with('0') { "1" } else { "0" });
    let far = sdc::digest::Digest::of(b"another letter").to_string();
    let (known, none) = (letter.letter_id, Uuid::now_v7());
    let ask = |agency: u32, letter: Uuid, query: &str, digest: &str| {
        format!("GET /v1/answers/{agency}/{letter}{query} HTTP/1.1\r\nHost: x\r\nX-Letter-Digest: {digest}\r\n\r\n")
            .into_bytes()
    };
    let kinds: Kinds = [
        ("a wrong digest", ask(OFFICE, known, "", &far)),
        ("an almost right digest", ask(OFFICE, known, "", &near)),
        ("no such attempt", ask(OFFICE, known, "?attempt=2", &digest)),
        ("no such letter", ask(OFFICE, none, "", &far)),
        ("an unknown agency", ask(UNKNOWN, known, "", &digest)),
        ("no digest", ask(OFFICE, known, "", "x")),
    ]
    .into_iter()
    .map(|(kind, request)| (kind, vec![request]))
    .collect();
    demand_alike(&answered(&world, &kinds, size), size);
    world.engine.stop().unwrap();
}

/// Posts documents all at once, each over a connection of its own, and returns the different status codes of the replies.
fn codes_at_once(world: &World, documents: &[Vec<u8>]) -> BTreeSet<u16> {
    let mut connections: Vec<Raw> = documents.iter().map(|_| Raw::connect(world.https).unwrap()).collect();
    for (connection, document) in connections.iter_mut().zip(documents) {
        connection.send(&posting("", document)).unwrap();
    }
    connections.iter_mut().map(|connection| connection.reply().unwrap().unwrap().status).collect()
}

/// Documents that claim one agency wait for each other. They must do so whether the agency is known or not; otherwise many documents at
/// once would show which agencies a centre has.
#[test]
fn an_oracle_that_posts_many_documents_at_once_does_not_learn_which_agencies_are_known() {
    const AT_ONCE: usize = 60;
    let (mut world, _resident) = World::plain("requests_per_minute_max = 1000000\n");
    let codes: Vec<BTreeSet<u16>> = [OFFICE, UNKNOWN]
        .into_iter()
        .map(|number| {
            let mut impostor = Resident::newcomer(&world.engine, number).unwrap();
            let documents: Vec<Vec<u8>> = (0..AT_ONCE)
                .map(|_| {
                    [format!("SDC 1 agency={number:06}\n").as_bytes(), &impostor.write().unwrap().0.document].concat()
                })
                .collect();
            codes_at_once(&world, &documents)
        })
        .collect();
    // The first document is tried and answered, and at least one of the others waited for it.
    assert_eq!(codes[0], BTreeSet::from([202, 503]));
    assert_eq!(codes[1], codes[0]);
    world.engine.stop().unwrap();
}
