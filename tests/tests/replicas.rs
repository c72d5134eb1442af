//! Several replicas of one centre share its mailboxes. Any of them may be killed, frozen or stopped: the others take over, and every letter
//! is settled once. A second program with the same identity is refused.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot get its world ends at once, saying why")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use scenarios::database::OwnDatabase;
use scenarios::engine::Engine;
use scenarios::program::xmserver;
use scenarios::servers::{Dovecot, Postfix, wait_within};
use scenarios::site::Site;
use scenarios::town::{Resident, address};
use serde_json::Value;
use tokio::runtime::Runtime;

const PATIENCE: Duration = Duration::from_secs(120);
const OFFICE: u32 = 1;
/// Exit code of a program that ends because another running program has the same identity.
const TWIN: i32 = 78;

/// Mailboxes of the centre.
fn mailboxes() -> Vec<String> {
    (1..=4).map(|number| format!("centre{number}@example.org")).collect()
}

struct World {
    replicas: Vec<Engine>,
    resident: Resident,
    dovecot: Dovecot,
    _postfix: Postfix,
    _database: OwnDatabase,
    _runtime: Runtime,
}

impl World {
    /// Makes a centre with four mailboxes, and its first replica.
    fn new() -> World {
        World::of(xmserver().unwrap())
    }

    /// Does what [`World::new`] does, with a given program as first replica.
    fn of(program: &Path) -> World {
        let runtime = Runtime::new().unwrap();
        let database = OwnDatabase::start(&runtime).unwrap();
        let site = Site::of(program, &mailboxes(), &[address(OFFICE)], &database.configured()).unwrap();
        let Site { engine: first, postfix, dovecot } = site;
        let resident = Resident::settle(&first, OFFICE).unwrap();
        World { replicas: vec![first], resident, dovecot, _postfix: postfix, _database: database, _runtime: runtime }
    }

    fn list(&self) -> Vec<Value> {
        serde_json::from_str(&self.replicas[0].operate(&["replica", "list", "--json"]).unwrap()).unwrap()
    }

    /// Returns, for each live replica, the number of mailboxes whose lease it has. The numbers are in ascending order.
    fn shares(&self) -> Vec<usize> {
        let live = self.list().into_iter().filter(|replica| replica["gone_at"].is_null());
        let held = live.map(|replica| {
            let leases = replica["leases"].as_array().unwrap().iter();
            leases.filter(|lease| lease.as_str().unwrap().starts_with("mailbox:")).count()
        });
        let mut shares: Vec<usize> = held.collect();
        shares.sort_unstable();
        shares
    }

    /// Sends a letter to each mailbox, and waits until every mailbox is empty.
    fn pass(&mut self, what: &str) {
        for mailbox in mailboxes() {
            let (_, mail) = self.resident.write().unwrap();
            self.dovecot.deliver(&mailbox, &mail.render().unwrap()).unwrap();
        }
        let emptied = || Ok(mailboxes().iter().all(|mailbox| self.dovecot.count(mailbox) == 0));
        let logs = || self.replicas.iter().map(Engine::log_tail).collect::<Vec<_>>().join("\n\n");
        wait_within(PATIENCE, what, emptied).unwrap_or_else(|error| panic!("{error}\n{}", logs()));
        println!("{what}: every mailbox is empty");
    }

    /// Sends a letter to each mailbox. Waits until the live replicas have the leases of these numbers of mailboxes, and every mailbox is
    /// empty.
    fn expect(&mut self, shares: &[usize], after: &str) {
        for mailbox in mailboxes() {
            let (_, mail) = self.resident.write().unwrap();
            self.dovecot.deliver(&mailbox, &mail.render().unwrap()).unwrap();
        }
        let began = Instant::now();
        let waited = wait_within(PATIENCE, after, || Ok(self.shares() == shares));
        assert!(waited.is_ok(), "after {after}: {:?}", self.list());
        println!("after {after}: {shares:?} within {:.1} s", began.elapsed().as_secs_f64());
        let emptied = || Ok(mailboxes().iter().all(|mailbox| self.dovecot.count(mailbox) == 0));
        let waited = wait_within(PATIENCE, "every mailbox is empty", emptied);
        assert!(waited.is_ok(), "after {after}: {}", self.replicas[0].log_tail());
        println!("after {after}: every mailbox is empty within {:.1} s", began.elapsed().as_secs_f64());
    }

    fn accepted(&self) -> usize {
        let newest = self.replicas.last().unwrap();
        let journal = newest.operate(&["journal", "list", "--limit", "10000", "--json"]).unwrap();
        let journal: Vec<Value> = serde_json::from_str(&journal).unwrap();
        journal.iter().filter(|line| line["outcome"] == "accepted").count()
    }
}

#[test]
fn replicas_share_the_mailboxes_whatever_becomes_of_one() {
    let mut world = World::new();
    world.replicas[0].start().unwrap();
    world.replicas[0].wait_until_ready().unwrap();
    world.expect(&[4], "the start of the first");
    for number in 2..=3 {
        let mut replica = world.replicas[0].twin().unwrap();
        replica.set("XMSERVER_SERVER__PROCESS_NAME", &format!("replica-{number}"));
        replica.start().unwrap();
        world.replicas.push(replica);
    }
    world.expect(&[1, 1, 2], "the start of two further ones");
    world.replicas[2].kill().unwrap();
    world.expect(&[2, 2], "the death of one");
    world.replicas[2].start().unwrap();
    world.expect(&[1, 1, 2], "its new start");
    world.replicas[1].signal(Signal::SIGSTOP).unwrap();
    world.expect(&[2, 2], "one is frozen");
    world.replicas[1].signal(Signal::SIGCONT).unwrap();
    world.expect(&[1, 1, 2], "it goes on");
    world.replicas[1].stop().unwrap();
    world.expect(&[2, 2], "one is stopped");
    assert_eq!(world.accepted(), world.resident.letters.len());
    let gone = world.list().iter().filter(|replica| !replica["gone_at"].is_null()).count();
    assert_eq!(gone, 1, "{:?}", world.list());
    let shown = world.replicas[0].operate(&["replica", "list"]).unwrap();
    assert!(shown.contains("replica-3") && !shown.contains("not configured alike"), "{shown}");
}

#[test]
fn a_program_with_the_identity_of_another_is_refused_and_that_one_runs_on() {
    let mut world = World::new();
    world.replicas[0].start().unwrap();
    world.replicas[0].wait_until_ready().unwrap();
    let mut copy = world.replicas[0].twin().unwrap();
    fs::copy(world.replicas[0].data().join("process"), copy.data().join("process")).unwrap();
    copy.start().unwrap();
    let mut status = None;
    let ended = || {
        status = copy.ended()?;
        Ok(status.is_some())
    };
    wait_within(PATIENCE, "the copy ends", ended).unwrap();
    assert_eq!(status.unwrap().code(), Some(TWIN), "{}", copy.log_tail());
    let folder = world.replicas[0].data();
    let said = copy.log_tail();
    assert!(said.contains("another xmserver runs") && said.contains(&*folder.to_string_lossy()), "{said}");
    world.expect(&[4], "the refusal of a copy");
    assert_eq!(world.accepted(), world.resident.letters.len());
}

/// During an upgrade, a program of the former version must work beside this one. `tests/beside_former.sh` builds the former version and
/// puts its path into XM_FORMER. Without this variable the test does nothing.
#[test]
#[expect(clippy::disallowed_methods, reason = "the script that runs this test names the former program")]
fn a_program_of_the_former_version_works_beside_this_one() {
    let Some(former) = std::env::var_os("XM_FORMER") else {
        println!("skipped: XM_FORMER names no program of the former version; tests/beside_former.sh builds one");
        return;
    };
    let mut world = World::of(Path::new(&former));
    world.replicas[0].start().unwrap();
    world.replicas[0].wait_until_ready().unwrap();
    world.pass("the former program alone");

    let mut new = world.replicas[0].twin_of(xmserver().unwrap()).unwrap();
    new.start().unwrap();
    new.wait_until_ready().unwrap();
    world.replicas.push(new);
    world.pass("both");
    world.pass("both, again");

    world.replicas[0].kill().unwrap();
    world.pass("this one alone, after the former one's death");

    // The new program has changed the database. A former program of today starts on it, if all changes are expansions (migrations that
    // begin with `-- expand`). One from before there were expansions may refuse it.
    world.replicas[0].start().unwrap();
    let mut ended = None;
    let waited = wait_within(PATIENCE, "the former program is ready again, or refuses", || {
        ended = world.replicas[0].ended()?;
        Ok(ended.is_some() || world.replicas[0].get("/ready").starts_with("HTTP/1.1 200"))
    });
    waited.unwrap();
    match ended {
        Some(_) => {
            let said = world.replicas[0].log_tail();
            assert!(said.contains("which this program does not know"), "{said}");
            println!("the former program does not start again: it does not know expansions");
        }
        None => world.pass("both, after the former one's new start"),
    }
    world.pass("the end");
    assert_eq!(world.accepted(), world.resident.letters.len());
}
