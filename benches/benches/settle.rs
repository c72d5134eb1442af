//! What settling costs: batches of letters, each of another agency with one birth record, from decision to COMMIT on a
//! private PostgreSQL with fsync and synchronous_commit on. Items are letters.

#![expect(clippy::expect_used, reason = "a benchmark whose sample fails ends at once")]

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use benches::sample::{KeyKind, births, centre_code};
use chrono::Utc;
use divan::Bencher;
use divan::counter::ItemsCount;
use sdc::cms::{ContentCipher, SignerId};
use sdc::digest::Digest;
use sdc::letter::Mode;
use sdc::payload::{PayloadLimits, form, write_letter};
use store::centre::server::{self, Server};
use store::certificates::signers::{Signer, Signers};
use store::database::{Database, DatabaseSettings};
use store::settle::{Arrival, Claimed, Content, Outcome, Settler, SettlingSettings, Source};
use store::testing::{self, TestCluster};
use tokio::runtime::Runtime;

const LETTERS: [u32; 4] = [1, 10, 100, 500];
const AGENCIES: u32 = 500;
/// About what one birth record takes, sealed.
const CONTAINER_BYTES: usize = 1100;

fn main() {
    divan::main();
}

/// A centre with agencies that have a key, a price and no money; letters are given on credit.
struct Centre {
    settler: Settler,
    signers: Vec<Arc<Signer>>,
    sequence: Cell<u64>,
}

impl Centre {
    async fn start() -> Centre {
        let url = TestCluster::shared().await.database_url().await;
        let database = Database::new(DatabaseSettings::new(url.clone())).expect("a database");
        let mut connection = database.get().await.expect("a connection");
        let operator = testing::operator(&mut connection).await;
        server::initialise(&mut connection, &operator, &Server::new("centre", Mode::Live)).await.expect("a server");
        store::samples::restore(&mut connection, &operator, "ecr").await.expect("the sample's tables");
        register(&url).await;
        let signers = Signers::new(u64::from(AGENCIES));
        let ids: Vec<SignerId> = (1..=AGENCIES).map(key_id).collect();
        let found: HashMap<_, _> = signers.look_up(&mut connection, &ids).await.expect("signers");
        let signers = ids.iter().map(|id| Arc::clone(&found[id])).collect();
        drop(connection);
        Centre { settler: Settler::new(database, SettlingSettings::default()), signers, sequence: Cell::new(0) }
    }

    /// Makes the next letter of each of so many agencies.
    fn batch(&self, letters: u32) -> Vec<Arrival> {
        self.sequence.set(self.sequence.get() + 1);
        (1..=letters).zip(&self.signers).map(|(agency, signer)| arrival(agency, self.sequence.get(), signer)).collect()
    }

    async fn settle(&self, batch: Vec<Arrival>) {
        let written = self.settler.write(batch).await.expect("rows are written");
        let settled = written.post().await.expect("a batch is committed");
        assert!(settled.outcomes.iter().all(|outcome| *outcome == Outcome::Accepted), "{:?}", settled.outcomes);
    }
}

fn key_id(agency: u32) -> SignerId {
    SignerId::KeyId(agency.to_be_bytes().repeat(5))
}

fn arrival(agency: u32, sequence: u64, signer: &Arc<Signer>) -> Arrival {
    let letter = births(agency, sequence, 1);
    let octets = write_letter(&letter, &PayloadLimits::default()).expect("a letter");
    let (digest, cipher) = (Digest::of(&octets), ContentCipher::Aes256Gcm);
    Arrival {
        received_at: Utc::now(),
        source: Source {
            transport: "mail",
            mailbox: "main".into(),
            sender_domain: "example.org".to_owned(),
            claimed: Claimed::default(),
            is_fetched_again: false,
        },
        container: vec![b'x'; CONTAINER_BYTES],
        container_bytes: CONTAINER_BYTES,
        rendered_bytes: CONTAINER_BYTES,
        content: Content::Signed {
            signer: Arc::clone(signer),
            digest,
            cipher,
            form: form(&octets),
            letter: Ok(letter),
        },
    }
}

/// Tells PostgreSQL of the agencies, which share one certificate under keys of their own.
async fn register(url: &str) {
    let der = KeyKind::P256.identity().certificate().der().to_vec();
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("a connection");
    let connection = tokio::spawn(connection);
    let scopes = (1..=AGENCIES).map(|agency| format!("({agency}, 'CentreCode', '{}')", centre_code(agency)));
    let scopes = scopes.collect::<Vec<String>>().join(",");
    let text = format!(
        "INSERT INTO xm.agencies (matricule, name, email) SELECT n, 'Office', 'office' || n || '@example.org' FROM generate_series(1, {AGENCIES}) n;
         INSERT INTO xm.accounts (kind, agency) SELECT 'agency', n FROM generate_series(1, {AGENCIES}) n;
         INSERT INTO xm.installations (agency, name) SELECT n, 'pc1' FROM generate_series(1, {AGENCIES}) n;
         INSERT INTO xm.scopes (agency, column_name, code) VALUES {scopes};
         INSERT INTO xm.agency_keys (spki_sha256, agency) SELECT sha256(n::text::bytea), n FROM generate_series(1, {AGENCIES}) n;
         INSERT INTO xm.certificates (agency, spki_sha256, key_id, issuer, serial, der, fingerprint, algorithm, not_before, not_after)
         SELECT n, sha256(n::text::bytea), decode(repeat(lpad(to_hex(n), 8, '0'), 5), 'hex'), '', int4send(n), '\\x{der}',
                sha256(int4send(n)), 'P-256', now() - interval '1 day', now() + interval '1 year' FROM generate_series(1, {AGENCIES}) n;
         INSERT INTO xm.tariffs (service, per_act, per_started_kb, credit, valid_from) VALUES ('export', 100, 0, 'owe', now() - interval '1 day');",
        der = hex::encode(der)
    );
    client.batch_execute(&text).await.expect("agencies are registered");
    drop(client);
    connection.await.expect("a task").expect("a connection that ends well");
}

#[divan::bench(args = LETTERS, sample_size = 1, sample_count = 200, max_time = 10)]
fn batch(bencher: Bencher<'_, '_>, letters: u32) {
    let runtime = Runtime::new().expect("a runtime");
    let centre = runtime.block_on(Centre::start());
    bencher
        .counter(ItemsCount::new(letters))
        .with_inputs(|| centre.batch(letters))
        .bench_local_values(|batch| runtime.block_on(centre.settle(batch)));
}
