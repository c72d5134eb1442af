//! Outages during traffic: the database, the mail servers and the engine itself stop and start again. Mail waits and is then delivered
//! without anyone's help, and every letter has exactly one effect.
//!
//! `XM_OUTAGE_SECONDS=20 cargo test --workspace --test outages` is the long version.

#![expect(clippy::unwrap_used, reason = "a test that cannot get its world ends at once, saying why")]

use std::time::{Duration, Instant};

use mail::smtp::Relay;
use mail::{RelaySettings, Security};
use scenarios::database::OwnDatabase;
use scenarios::servers::wait_within;
use scenarios::site::Site;
use scenarios::size::asked_for;
use scenarios::town::{CENTRE_ADDRESS, PRICE, Resident, address};
use serde_json::Value;
use tokio::runtime::Runtime;

const OFFICES: [u32; 3] = [1, 2, 3];
/// Number of letters that each office sends before, during and after each outage.
const LETTERS: usize = 5;
/// Pause between two flushes of Postfix's queue while the test waits for answers. Without a flush, a mail whose delivery failed may stay in
/// the queue for five minutes.
const FLUSH_INTERVAL: Duration = Duration::from_secs(10);

/// Returns how long a server is stopped.
fn outage() -> Duration {
    Duration::from_secs(asked_for("XM_OUTAGE_SECONDS", 2))
}

struct World {
    runtime: Runtime,
    relay: Relay,
    residents: Vec<Resident>,
    site: Site,
    database: OwnDatabase,
}

impl World {
    fn new() -> World {
        let runtime = Runtime::new().unwrap();
        let database = OwnDatabase::start(&runtime).unwrap();
        let further = format!("[database]\nurl = \"{}\"\n", database.cluster.url());
        let mut site = Site::found(&OFFICES.map(address), &further).unwrap();
        let residents = OFFICES.map(|number| Resident::settle(&site.engine, number).unwrap()).into();
        site.open().unwrap();
        let mut settings = RelaySettings::new("127.0.0.1");
        settings.port = Some(site.postfix.smtp_address().port());
        settings.security = Security::None;
        let relay = runtime.block_on(async { Relay::new(&settings) }).unwrap();
        World { runtime, relay, residents, site, database }
    }

    /// Makes every office send some letters, the first of them twice.
    fn send(&mut self) {
        for resident in &mut self.residents {
            let mails: Vec<_> = (0..LETTERS).map(|_| resident.write().unwrap().1).collect();
            for mail in mails.iter().chain(&mails[..1]) {
                self.runtime.block_on(self.relay.send(mail)).unwrap();
            }
        }
    }

    fn is_answered(&mut self) -> bool {
        for (resident, number) in self.residents.iter_mut().zip(OFFICES) {
            resident.read(self.site.dovecot.mails(&address(number)).unwrap()).unwrap();
        }
        self.residents.iter().all(Resident::is_answered)
    }

    /// Waits for a condition, and flushes Postfix's queue regularly. Without a flush, a mail whose delivery failed would stay in the queue
    /// for minutes.
    fn wait_while_flushing(&mut self, what: &str, mut condition: impl FnMut(&mut World) -> bool) -> anyhow::Result<()> {
        let mut flushed = Instant::now();
        wait_within(Duration::from_secs(120), what, || {
            if flushed.elapsed() > FLUSH_INTERVAL {
                flushed = Instant::now();
                self.site.postfix.flush()?;
            }
            Ok(condition(self))
        })
    }

    fn wait_until_answered(&mut self, what: &str) {
        let waited = self.wait_while_flushing(what, World::is_answered);
        let (mails, queued) = (self.site.dovecot.count(CENTRE_ADDRESS), self.site.postfix.queued());
        assert!(
            waited.is_ok(),
            "{waited:?}\n{mails} mails lie in the centre's mailbox, {queued} in Postfix's queue\n{}\n{}",
            self.site.postfix.tail_of_logs(),
            self.site.engine.log_tail()
        );
    }

    /// Compares journal, accounts and quarantine with what was sent.
    fn assert_exactly_once(&mut self) {
        // A letter that is sent twice is answered once, so its answer does not show that the second mail has come: that may still be in
        // Postfix's queue.
        let is_settled =
            |world: &mut World| world.site.postfix.queued() == 0 && world.site.dovecot.count(CENTRE_ADDRESS) == 0;
        self.wait_while_flushing("every mail is delivered, settled and deleted", is_settled).unwrap();
        let letters: usize = self.residents.iter().map(|resident| resident.letters.len()).sum();
        let accepted: usize = self.residents.iter().map(Resident::accepted).sum();
        assert_eq!(accepted, letters);
        let list = |arguments: &[&str]| -> Vec<Value> {
            serde_json::from_str(&self.site.engine.operate(arguments).unwrap()).unwrap()
        };
        let journal = list(&["journal", "list", "--limit", "10000", "--json"]);
        let count = |outcome: &str| journal.iter().filter(|line| line["outcome"] == outcome).count();
        assert_eq!(count("accepted"), letters);
        // There may be more duplicates than the test has sent: a mail whose deletion was cut off by an outage is fetched once more, and is
        // then a duplicate.
        assert!(count("duplicate") >= letters / LETTERS, "{}", count("duplicate"));
        assert!(list(&["quarantine", "list", "--json"]).is_empty());
        for (resident, number) in self.residents.iter().zip(OFFICES) {
            let agency = self.site.engine.operate(&["agency", "show", &number.to_string(), "--json"]).unwrap();
            let agency: Value = serde_json::from_str(&agency).unwrap();
            assert_eq!(agency["balance"], -PRICE * i64::try_from(resident.letters.len()).unwrap());
        }
    }
}

/// Waits for the length of an outage. There is no condition to wait for, since nothing may happen meanwhile.
#[expect(clippy::disallowed_methods, reason = "the outage's length is what is tested")]
fn last(outage: Duration) {
    std::thread::sleep(outage);
}

#[test]
fn servers_stop_and_come_back_and_every_letter_has_one_effect() {
    let mut world = World::new();
    world.send();
    world.wait_until_answered("letters before any outage are answered");

    world.runtime.block_on(world.database.cluster.stop());
    let away = Instant::now();
    world.send();
    last(outage());
    assert!(
        !world.is_answered() && world.site.dovecot.count(CENTRE_ADDRESS) > 0,
        "mail waits while the database is away"
    );
    assert!(world.site.engine.get("/live").starts_with("HTTP/1.1 200"));
    assert!(world.site.engine.get("/ready").starts_with("HTTP/1.1 503"));
    world.runtime.block_on(world.database.cluster.restart()).unwrap();
    assert!(away.elapsed() >= outage());
    world.wait_until_answered("letters are answered once the database is back");

    world.send();
    world.site.dovecot.restart().unwrap();
    world.send();
    world.wait_until_answered("letters are answered over a restart of Dovecot");

    world.send();
    world.site.postfix.stop().unwrap();
    last(outage());
    world.site.postfix.start_again().unwrap();
    world.wait_until_answered("answers go out once Postfix is back");

    for _ in 0..3 {
        world.send();
        world.site.engine.kill().unwrap();
        world.site.engine.start().unwrap();
    }
    world.site.engine.wait_until_ready().unwrap();
    world.wait_until_answered("letters are answered over kills of the engine");

    world.assert_exactly_once();
    world.site.engine.stop().unwrap();
}
