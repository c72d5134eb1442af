//! A PostgreSQL on a file system that forgets what was not synced keeps every row that it has committed, over a power cut. Where it does
//! not sync, it keeps none: so the file system forgets.

#![expect(clippy::unwrap_used, reason = "a test that cannot get its world ends at once, saying why")]

use std::fs;
use std::time::Duration;

use cluster::Port;
use scenarios::forgetful::{self, Forgetful};
use scenarios::servers::postgres::Postgres;
use scenarios::servers::{Certificate, Place, wait_within};
use tokio::runtime::Runtime;
use tokio_postgres::NoTls;

const PATIENCE: Duration = Duration::from_secs(60);
/// Rows that are committed one by one before each power cut.
const ROWS: i64 = 50;

struct World {
    postgres: Postgres,
    disk: Forgetful,
    runtime: Runtime,
}

impl World {
    fn ask(&self, database: &str, text: &str) -> anyhow::Result<i64> {
        let url = format!("postgresql://xmserver@{}/{database}", self.postgres.address());
        self.runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
            let asked = async move { client.query_opt(text, &[]).await?.map_or(Ok(0), |row| row.try_get(0)) };
            let (asked, _ended) = tokio::join!(asked, connection);
            Ok(asked?)
        })
    }

    fn start(&mut self) {
        self.postgres.start().unwrap();
        let waited =
            wait_within(PATIENCE, "PostgreSQL answers", || Ok(self.ask("postgres", "SELECT 1::bigint").is_ok()));
        assert!(waited.is_ok(), "{waited:?}\n{}", self.postgres.tail_of_log());
    }

    fn commit_rows(&self) {
        for row in 0..ROWS {
            self.ask("postgres", &format!("INSERT INTO kept VALUES ({row})")).unwrap();
        }
    }

    fn cut_power(&mut self) {
        self.postgres.kill();
        self.disk.forget().unwrap();
    }

    fn rows(&self) -> i64 {
        self.ask("postgres", "SELECT count(*) FROM kept").unwrap()
    }
}

#[test]
fn what_was_synced_is_kept_over_a_power_cut_and_nothing_else() {
    if let Some(hindrance) = forgetful::hindrance() {
        println!("skipped: {hindrance}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let place = folder.path().join("disk");
    fs::create_dir(&place).unwrap();
    let disk = Forgetful::mount(&place).unwrap();
    fs::write(place.join("written"), "never synced").unwrap();

    let (certificate, port) = (Certificate::make(folder.path()).unwrap(), Port::hold().unwrap());
    let data = place.join("data");
    let where_it_is = ("alone", Place::default(), port.number());
    let postgres = Postgres::make(where_it_is, &[], &certificate, Some(&data)).unwrap();
    postgres.initialise().unwrap();
    let mut world = World { postgres, disk, runtime: Runtime::new().unwrap() };
    world.start();
    world.ask("postgres", "CREATE TABLE kept (number bigint)").unwrap();
    for cuts in 1..=3 {
        world.commit_rows();
        world.cut_power();
        world.start();
        assert_eq!(world.rows(), ROWS * cuts, "every row was committed");
    }
    assert_eq!(fs::read(place.join("written")).unwrap(), b"", "nobody synced it");

    // A PostgreSQL that does not sync says that it has committed all the same.
    world.postgres.stop().unwrap();
    world.postgres.set("fsync", "off").unwrap();
    world.start();
    world.commit_rows();
    assert_eq!(world.rows(), ROWS * 4);
    world.cut_power();
    world.postgres.set("fsync", "on").unwrap();
    world.start();
    assert_eq!(world.rows(), ROWS * 3, "what was not synced is forgotten");
    world.postgres.kill();
}
