//! Benchmark of settling letters in batches, from the decision to COMMIT, on a private PostgreSQL with fsync and synchronous_commit on.
//! Each letter of a batch comes from another agency and has one birth record. The items that Divan counts are letters.

#![expect(clippy::expect_used, reason = "a benchmark whose sample fails ends at once")]

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use benches::sample::{KeyKind, births, centre_code};
use divan::Bencher;
use divan::counter::ItemsCount;
use sdc::cms::{ContentCipher, SignerId};
use sdc::digest::Digest;
use sdc::letter::Mode;
use sdc::payload::{PayloadLimits, form, write_letter};
use store::centre::server::Server;
use store::certificates::CertificateFields;
use store::certificates::signers::{Signer, Signers};
use store::ledger::tariffs;
use store::settle::{Arrival, Content, Outcome, Settler, SettlingSettings};
use store::testing::TestCluster;
use store::testing::fixture::{self, Newcomer};
use tokio::runtime::Runtime;

const LETTERS: [u32; 4] = [1, 10, 100, 500];
const AGENCIES: u32 = 500;
/// The approximate size, in octets, of an encrypted letter with one birth record.
const CONTAINER_BYTES: usize = 1100;

fn main() {
    divan::main();
}

/// A centre whose agencies each have a key and a price but no money: it accepts their letters on credit.
struct Centre {
    settler: Settler,
    signers: Vec<Arc<Signer>>,
    sequence: Cell<u64>,
}

impl Centre {
    async fn start() -> Centre {
        let database = TestCluster::shared().await.database().await;
        let mut connection = database.get().await.expect("a connection");
        let server = Server::new("centre", Mode::Live);
        let operator =
            fixture::found(&mut connection, &server, &["ecr"]).await.expect("a server with the sample's tables");
        fixture::enrol_all(&mut connection, &newcomers()).await.expect("agencies");
        tariffs::set(&mut connection, &operator, &fixture::tariff(None, 100, "owe")).await.expect("a tariff");
        let signers = Signers::new(u64::from(AGENCIES));
        let ids: Vec<SignerId> = (1..=AGENCIES).map(key_id).collect();
        let found: HashMap<_, _> = signers.look_up(&mut connection, &ids).await.expect("signers");
        let signers = ids.iter().map(|id| Arc::clone(&found[id])).collect();
        drop(connection);
        Centre { settler: Settler::new(database, SettlingSettings::default()), signers, sequence: Cell::new(0) }
    }

    /// Makes one new letter for each of the first `letters` agencies. Each batch has the next sequence number, which all its letters bear,
    /// since each is of another agency.
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
    let signer = Arc::clone(signer);
    let content = Content::Signed { signer, digest, cipher, form: form(&octets), letter: Ok(letter) };
    fixture::arrival(vec![b'x'; CONTAINER_BYTES], content)
}

/// Returns the agencies to register. They share the fields of one certificate, but each has a key identifier, a serial number and a
/// fingerprint of its own.
fn newcomers() -> Vec<Newcomer> {
    let shared = CertificateFields::from(KeyKind::P256.identity().certificate());
    let newcomer = |agency: u32| {
        let own = agency.to_be_bytes().repeat(8);
        let certificate = CertificateFields {
            key_id: agency.to_be_bytes().repeat(5),
            serial: agency.to_be_bytes().to_vec(),
            spki_sha256: own.clone(),
            fingerprint: own,
            ..shared.clone()
        };
        let matricule = agency.try_into().expect("a matricule");
        Newcomer::new(matricule, &format!("office{agency}@example.org"), certificate)
            .with_scope("CentreCode", &centre_code(agency))
    };
    (1..=AGENCIES).map(newcomer).collect()
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
