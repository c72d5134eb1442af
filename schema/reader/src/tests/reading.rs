//! Tests of how records are read for a letter, from the letter's arrival to its verdict.

use std::sync::Arc;

use chrono::Utc;
use diesel::sql_types::{BigInt, Bytea};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use rcgen::{CertificateParams, IsCa, KeyPair};
use sdc::answer::part::PartContent;
use sdc::answer::rows::Rows;
use sdc::cms::{ContentCipher, SignerId};
use sdc::digest::Digest;
use sdc::keys::SigningKey;
use sdc::letter::{FORMAT_VERSION, Letter, Mode, Office};
use sdc::payload::{PayloadForm, PayloadLimits, read_part};
use sdc::refusal::RefusalCode;
use sdc::request::{Import, Request, Selection};
use sdc::service::Service;
use store::centre::server::Server;
use store::certificates::CertificateFields;
use store::certificates::signers::Signers;
use store::database::Database;
use store::database::statement::Statement;
use store::reading::Read;
use store::settle::{Arrival, Content, Outcome, Settler, SettlingSettings};
use store::testing::TestCluster;
use store::testing::fixture::{self, Newcomer};
use uuid::Uuid;

use super::world::matricule;
use crate::{ReadLimits, Reader};

struct World {
    database: Database,
    settler: Arc<Settler>,
    reader: Reader,
    signers: Signers,
    key_id: Vec<u8>,
    sequence: u64,
}

/// Beginning of the statement that inserts marginal notes of office 42; the caller adds the range of their references.
const NOTES: &str =
    "INSERT INTO ecr.\"MentionMarginale\" (\"Status\", \"CentreCode\", \"ActeUid\", \"TypeMention\", \"DateMention\", \"Texte\",
                                         \"Reference\", \"Officier\", xm_agency, xm_installation, xm_numero)
     SELECT 2, 'CE-042', gen_random_uuid(), 'mariage', date '2025-01-01', 'x', n, 'Ngo', 42, 'pc1', n FROM generate_series(";

impl World {
    async fn new() -> World {
        World::on(TestCluster::shared().await, ReadLimits::default()).await
    }

    async fn on(cluster: &TestCluster, limits: ReadLimits) -> World {
        let database = cluster.database().await;
        let mut connection = database.get().await.unwrap();
        let server = Server::new("centre", Mode::Live);
        let operator = fixture::found(&mut connection, &server, &["ecr"]).await.unwrap();
        let pair = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(vec![]).unwrap();
        parameters.is_ca = IsCa::ExplicitNoCa;
        let certificate = parameters.self_signed(&pair).unwrap();
        let key = SigningKey::from_pem(pair.serialize_pem().as_bytes(), certificate.pem().as_bytes()).unwrap();
        let newcomer = Newcomer::new(matricule(42), "office42@example.org", CertificateFields::from(key.certificate()));
        fixture::enrol(&mut connection, &operator, &newcomer.with_scope("CentreCode", "CE-042")).await.unwrap();
        connection.batch_execute("UPDATE xm.rights SET may_read = 'own'").await.unwrap();
        let settler = Arc::new(Settler::new(database.clone(), SettlingSettings::default()));
        let login = cluster.reader_of(&database).await;
        let reader = Reader::new(database.clone(), Some(login), Arc::clone(&settler), limits);
        let key_id = key.certificate().key_id().to_vec();
        World { database, settler, reader, signers: Signers::new(10), key_id, sequence: 0 }
    }

    async fn sql(&self, text: &str) {
        self.database.get().await.unwrap().batch_execute(text).await.unwrap_or_else(|error| panic!("{text}: {error}"));
    }

    async fn count(&self, text: &str) -> i64 {
        let text = format!("SELECT count(*) FROM {text}");
        let rows: Vec<i64> =
            Statement::<BigInt>::of_columns(&text, &[]).load(&mut *self.database.get().await.unwrap()).await.unwrap();
        rows[0]
    }

    /// Makes the arrival of office 42's next letter, which asks for this import.
    async fn arrival(&mut self, import: Import) -> Arrival {
        self.sequence += 1;
        let letter = Letter {
            sdc: FORMAT_VERSION,
            id: Uuid::now_v7(),
            from: Office { agency: matricule(42), installation: "pc1".to_owned() },
            to: "centre".to_owned(),
            sequence: self.sequence,
            time: Utc::now(),
            mode: Mode::Live,
            seen: None,
            request: Request::Import(import),
        };
        let id = SignerId::KeyId(self.key_id.clone());
        let found = self.signers.look_up(&mut self.database.get().await.unwrap(), std::slice::from_ref(&id)).await;
        let content = Content::Signed {
            signer: Arc::clone(&found.unwrap()[&id]),
            digest: Digest::of(letter.id.as_bytes()),
            cipher: ContentCipher::Aes256Gcm,
            form: PayloadForm::Json,
            letter: Ok(letter),
        };
        fixture::arrival(vec![b'x'; 900], content)
    }

    /// Reads the records for a letter, settles the letter, and returns its outcome.
    async fn settle(&mut self, import: Import) -> Outcome {
        let mut arrival = self.arrival(import).await;
        arrival.read = self.reader.read(&arrival).await.unwrap();
        self.settle_read(arrival).await
    }

    async fn settle_read(&self, arrival: Arrival) -> Outcome {
        self.settler.settle(vec![arrival]).await.unwrap_or_else(|unsettled| panic!("{}", unsettled.fault)).outcomes[0]
    }

    /// Imports the table of notes: all rows, or those changed since a position. Returns the rows of the answer's only part.
    async fn rows(&mut self, changed_since: Option<&str>) -> Rows {
        let outcome = self.settle(notes(changed_since)).await;
        assert_eq!(outcome, Outcome::Accepted);
        let text = "SELECT p.payload FROM xm.reading_parts p JOIN xm.readings r ON r.id = p.reading
                     WHERE r.settled_at IS NOT NULL ORDER BY r.made_at DESC, p.part LIMIT 1";
        let payloads: Vec<Vec<u8>> =
            Statement::<Bytea>::new(text, &[]).load(&mut *self.database.get().await.unwrap()).await.unwrap();
        let part = read_part(&payloads[0], &PayloadLimits::default()).unwrap();
        assert!(part.head.last);
        match part.content {
            PartContent::Rows(rows) => rows,
            other => panic!("{other:?}"),
        }
    }
}

fn notes(changed_since: Option<&str>) -> Import {
    let changed_since = changed_since.map(|position| position.parse().unwrap());
    let selection = Selection { application: "ecr".to_owned(), table: "MentionMarginale".to_owned(), changed_since };
    Import::Table { selection, estimate: false }
}

fn references(rows: &Rows) -> Vec<String> {
    let at = rows.columns.iter().position(|column| column == "Reference").unwrap();
    let mut references: Vec<String> = rows.values[at].iter().map(|value| value.as_str().unwrap().to_owned()).collect();
    references.sort();
    references
}

#[tokio::test]
async fn a_transaction_held_open_across_two_imports_loses_nothing() {
    // The test needs its own cluster. The horizon is the oldest transaction that is still open anywhere in the cluster. In a shared one it
    // could be a transaction of another test, and rows that this test has seen would be given a second time.
    let cluster = TestCluster::own().await;
    let mut world = World::on(&cluster, ReadLimits::default()).await;
    world.sql(&format!("{NOTES}1, 2) n")).await;
    let mut held = world.database.get().await.unwrap();
    held.batch_execute(&format!("BEGIN; {NOTES}3, 3) n")).await.unwrap();
    world.sql(&format!("{NOTES}4, 4) n")).await;
    let first = world.rows(None).await;
    assert_eq!(references(&first), ["1", "2", "4"]);

    world.sql(&format!("{NOTES}5, 5) n")).await;
    held.batch_execute("COMMIT").await.unwrap();
    drop(held);
    let second = world.rows(first.position.as_deref()).await;
    let changed = references(&second);
    assert!(changed.contains(&"3".to_owned()) && changed.contains(&"5".to_owned()), "{changed:?}");
    assert!(!changed.contains(&"1".to_owned()), "what was there before is not sent for ever: {changed:?}");

    world.sql("UPDATE ecr.\"MentionMarginale\" SET \"Status\" = 0 WHERE \"Reference\" = '1'").await;
    let third = world.rows(second.position.as_deref()).await;
    assert_eq!(references(&third), ["1"], "and what was cancelled is told");
    assert_eq!(references(&world.rows(third.position.as_deref()).await), [""; 0]);
}

#[tokio::test]
async fn a_position_of_another_life_of_the_database_gives_all() {
    let mut world = World::new().await;
    world.sql(&format!("{NOTES}1, 3) n")).await;
    let position = world.rows(None).await.position.unwrap();
    assert!(position.starts_with("1:"), "{position}");
    // The database gets another epoch, as one that was restored from a backup. The position was told in the first epoch, whose transactions
    // had other numbers. So it means nothing now, and all three rows must be given, also those that the office has.
    world.sql("UPDATE xm.epochs SET life = 'before the restore'").await;
    let after = world.rows(Some(&position)).await;
    assert_eq!(after.row_count(), 3);
    assert!(after.position.as_ref().unwrap().starts_with("2:"), "{after:?}");
    assert_eq!(world.rows(after.position.as_deref()).await.row_count(), 0);
}

#[tokio::test]
async fn what_was_read_by_rights_that_are_gone_is_not_given() {
    let mut world = World::new().await;
    world.sql(&format!("{NOTES}1, 3) n")).await;
    for change in [
        "UPDATE xm.rights SET may_read = 'none'",
        "UPDATE xm.rights SET may_read = 'own'; DELETE FROM xm.scopes",
        "UPDATE xm.rights SET may_read = 'all'",
    ] {
        let mut arrival = world.arrival(notes(None)).await;
        arrival.read = world.reader.read(&arrival).await.unwrap();
        world.sql(change).await;
        if !matches!(arrival.read, Some(Read::Staged(_))) {
            assert!(change.contains("DELETE"), "{change}: it was refused before");
            continue;
        }
        assert_eq!(world.settle_read(arrival).await, Outcome::Deferred, "{change}");
    }
    assert_eq!(world.count("xm.letters").await, 0, "a letter that waits uses no number");
    assert_eq!(world.count("xm.outbox").await, 0);
    world.sql("UPDATE xm.rights SET may_read = 'none'").await;
    assert_eq!(world.settle(notes(None)).await, Outcome::Refused(RefusalCode::TableNotGranted));
}

#[tokio::test]
async fn a_letter_nobody_has_read_for_waits_and_one_with_a_verdict_is_not_read_for() {
    let mut world = World::new().await;
    let arrival = world.arrival(notes(None)).await;
    assert_eq!(world.settle_read(arrival).await, Outcome::Deferred);
    let mut arrival = world.arrival(notes(None)).await;
    arrival.read = world.reader.read(&arrival).await.unwrap();
    let again = Arrival { content: copy(&arrival), ..world.arrival(notes(None)).await };
    assert_eq!(world.settle_read(arrival).await, Outcome::Accepted);
    assert!(world.reader.read(&again).await.unwrap().is_none());
    assert_eq!(world.settle_read(again).await, Outcome::Duplicate);
    assert_eq!(world.count("xm.readings").await, 1);
}

fn copy(arrival: &Arrival) -> Content {
    let Content::Signed { signer, digest, cipher, form, letter } = &arrival.content else { panic!("a stranger") };
    Content::Signed {
        signer: Arc::clone(signer),
        digest: *digest,
        cipher: *cipher,
        form: *form,
        letter: letter.clone(),
    }
}

#[tokio::test]
async fn a_batch_says_what_its_reads_came_to_and_how_they_ended() {
    let mut world = World::new().await;
    world.sql(&format!("{NOTES}1, 3) n")).await;
    let refused = Import::Select { select: "SELECT * FROM pg_authid".to_owned(), estimate: false };
    let mut batch = Vec::new();
    for import in [notes(None), refused] {
        let mut arrival = world.arrival(import).await;
        arrival.read = world.reader.read(&arrival).await.unwrap();
        batch.push(arrival);
    }
    let again = Arrival { content: copy(&batch[0]), ..world.arrival(notes(None)).await };
    let tally = world.settler.settle(batch).await.unwrap().tally;
    let import = tally.sums[&Service::Import];
    assert_eq!((tally.sums.len(), import.acts, import.parts, import.charged), (1, 3, 1, 0));
    assert!(import.bytes > 0);
    let select_refused = Outcome::Refused(RefusalCode::SelectRefused);
    assert_eq!(tally.reads, [(Service::Import, Outcome::Accepted), (Service::Import, select_refused)]);
    let tally = world.settler.settle(vec![again]).await.unwrap().tally;
    assert!(tally.sums.is_empty() && tally.reads.is_empty(), "what came again has ended before");
}

#[tokio::test]
async fn a_letter_tried_again_is_read_for_again_whatever_its_verdict() {
    let mut world = World::new().await;
    world.sql(&format!("{NOTES}1, 3) n; UPDATE xm.plans SET read_acts_per_day = 2")).await;
    let mut arrival = world.arrival(notes(None)).await;
    arrival.read = world.reader.read(&arrival).await.unwrap();
    let again = Arrival { content: copy(&arrival), ..world.arrival(notes(None)).await };
    assert_eq!(world.settle_read(arrival).await, Outcome::Refused(RefusalCode::QuotaExceeded));
    assert!(world.reader.read(&again).await.unwrap().is_none(), "it has its verdict");
    world.sql(&format!("UPDATE xm.plans SET read_acts_per_day = NULL; {NOTES}4, 4) n")).await;
    let Some(Read::Staged(staged)) = world.reader.read_again(&again).await.unwrap() else { panic!("nothing was read") };
    assert_eq!(staged.acts, 4, "as the table is now");
}

#[tokio::test]
async fn a_login_that_cannot_sign_in_is_no_database_that_is_away() {
    // The test needs its own cluster, because it locks the role `xm_reader`, with which other tests read.
    let cluster = TestCluster::own().await;
    let mut world = World::on(&cluster, ReadLimits::default()).await;
    world.sql("ALTER ROLE xm_reader NOLOGIN").await;
    let arrival = world.arrival(notes(None)).await;
    let fault = world.reader.read(&arrival).await.unwrap_err();
    assert!(fault.is_altered() && !fault.is_away(), "all other letters would wait for it: {fault}");
    assert!(fault.to_string().contains("the login that reads"), "{fault}");
    world.sql("ALTER ROLE xm_reader LOGIN").await;
    assert_eq!(world.settle(notes(None)).await, Outcome::Accepted);
}

#[tokio::test]
async fn a_centre_without_the_login_offers_nothing_to_read() {
    let mut world = World::new().await;
    world.reader = Reader::new(world.database.clone(), None, Arc::clone(&world.settler), ReadLimits::default());
    assert_eq!(world.settle(notes(None)).await, Outcome::Refused(RefusalCode::ServiceUnknown));
}

#[tokio::test]
async fn more_than_an_answer_may_have_is_refused_and_memory_is_not_asked() {
    let mut world = World::on(TestCluster::shared().await, ReadLimits { rows_max: 100, ..ReadLimits::default() }).await;
    world.sql(&format!("{NOTES}1, 101) n")).await;
    assert_eq!(world.settle(notes(None)).await, Outcome::Refused(RefusalCode::ReadTooLarge));
    let select = "SELECT * FROM MentionMarginale LIMIT 100".to_owned();
    assert_eq!(world.settle(Import::Select { select, estimate: false }).await, Outcome::Accepted);
    for (select, code) in [
        ("SELECT * FROM pg_authid", RefusalCode::SelectRefused),
        ("SELECT * FROM xm.agencies", RefusalCode::SelectRefused),
        ("SELECT pg_sleep(1) FROM MentionMarginale", RefusalCode::SelectRefused),
    ] {
        let outcome = world.settle(Import::Select { select: select.to_owned(), estimate: false }).await;
        assert_eq!(outcome, Outcome::Refused(code), "{select}");
    }
}

/// An import that fills several parts. `XM_READ_ROWS=1000000` measures how fast a million rows are read.
#[tokio::test]
async fn a_large_table_is_read_in_parts() {
    let rows: u64 = super::told("XM_READ_ROWS", 3_000);
    let mut world = World::new().await;
    world.sql(&format!("{NOTES}1, {rows}) n; ANALYZE ecr.\"MentionMarginale\"")).await;
    let mut arrival = world.arrival(notes(None)).await;
    if let Content::Signed { form, .. } = &mut arrival.content {
        *form = PayloadForm::Frame { dictionary: 1 };
    }
    let began = std::time::Instant::now();
    let read = world.reader.read(&arrival).await.unwrap();
    let seconds = began.elapsed().as_secs_f64();
    let Some(Read::Staged(staged)) = read else { panic!("{read:?}") };
    assert_eq!(u64::try_from(staged.acts).unwrap(), rows);
    eprintln!("{rows} rows in {} parts, {} bytes, {seconds:.2} s", staged.parts, staged.bytes);
    let texts = "(SELECT octet_length(payload) AS octets FROM xm.reading_parts) p WHERE octets > 256 * 1024";
    assert_eq!(world.count(texts).await, 0, "no part is larger than its office's limit");
}
