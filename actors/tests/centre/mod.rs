//! A whole pipeline against a real PostgreSQL and the post office, with one office that writes marginal notes.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actors::courier::smtp::SmtpCourier;
use actors::database_tasks::DatabaseTasks;
use actors::metrics::{Handled, Metrics};
use actors::pipeline::{Limits, Pipeline, PipelineParts, PolledSource};
use actors::supervision::{Escalation, Policy};
use actors::transport::NoContainer;
use agency::identity::{Algorithm, Identity};
use chrono::Utc;
use diesel::sql_types::BigInt;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use mail::settings::{MailboxSettings, RelaySettings, Secret, Security};
use mail::smtp::Outgoing;
use sdc::answer::{Answer, CentreLetter};
use sdc::cms::{self, ContentCipher};
use sdc::document::{Document, DocumentLimits};
use sdc::keys::{CentreKeys, RegisteredCertificate, SigningKey};
use sdc::letter::{FORMAT_VERSION, Letter, Matricule, Mode, Office};
use sdc::payload::{self, PayloadLimits};
use sdc::request::{Records, Request, TableRecords, VoucherCode};
use serde_json::{Value, json};
use simulation::post_office::{Mail, PostOffice, PostOfficeSettings};
use store::centre::server::Server;
use store::certificates::CertificateFields;
use store::database::{Connection, Database};
use store::error::AdministrationError;
use store::ledger::voucher_keys::VoucherKeys;
use store::ledger::vouchers::{self, Batch};
use store::ledger::{recharges, tariffs};
use store::people::Operator;
use store::testing::fixture::{self, Newcomer};
use store::testing::{self, TestCluster};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use uuid::Uuid;

pub const CENTRE_ADDRESS: &str = "centre@example.org";
pub const OFFICE_ADDRESS: &str = "office42@example.org";
/// Name of the table of marginal notes.
pub const NOTES: &str = "MentionMarginale";

/// Longest wait for any condition, far more than a loaded machine needs.
const PATIENCE: Duration = Duration::from_secs(180);
/// Pause between two checks of a condition.
const LOOK: Duration = Duration::from_millis(2);
/// SQL that counts the letters whose records are in the tables.
pub const SETTLED: &str = "SELECT count(*) FROM xm.letters WHERE verdict = 'accepted'";
/// SQL that counts the entries of the quarantine.
pub const QUARANTINED: &str = "SELECT count(*) FROM xm.quarantine";
/// SQL that counts the containers rejected before the last letter was accepted. The order is read from the journal, so the count does not
/// depend on the moment at which a test reads it.
pub const REJECTED_BEFORE: &str = "SELECT count(*) FROM xm.journal
    WHERE outcome <> 'accepted' AND id < (SELECT max(id) FROM xm.journal WHERE outcome = 'accepted')";

/// Returns a policy of supervision with short pauses.
pub fn quick() -> Policy {
    Policy {
        backoff_min: Duration::from_millis(5),
        backoff_max: Duration::from_millis(20),
        restarts_max: 1000,
        heartbeat_interval: Duration::from_millis(50),
        ..Policy::default()
    }
}

pub struct World {
    pub runtime: Runtime,
    pub database: Database,
    pub post_office: PostOffice,
    /// Seconds after which a poller gives up a mail server that sends nothing.
    pub read_timeout_seconds: u64,
    centre: SigningKey,
    office: SigningKey,
    sequence: u64,
}

/// Another office that writes marginal notes.
pub struct Neighbour {
    matricule: Matricule,
    code: String,
    key: SigningKey,
    sequence: u64,
}

/// A pipeline on a thread of its own.
pub struct Running {
    drain: Option<oneshot::Sender<()>>,
    ended: Receiver<Result<bool, Escalation>>,
    thread: Option<JoinHandle<()>>,
    metrics: Metrics,
    /// Identifier of the process in leases, both of mailboxes and of answers.
    pub process: Uuid,
}

fn key(name: &str) -> SigningKey {
    Identity::generate(name, Algorithm::P256).unwrap().key().clone()
}

/// Waits until a condition holds; fails the test after 120 s.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not so");
        // The pipeline needs the processors to fulfil the condition, so the waiting thread sleeps between its checks.
        std::thread::park_timeout(LOOK);
    }
}

/// Registers an office with its rights, its key and some money.
async fn register(
    connection: &mut Connection,
    operator: &Operator,
    matricule: Matricule,
    code: &str,
    key: &SigningKey,
) {
    let newcomer = Newcomer::new(matricule, OFFICE_ADDRESS, CertificateFields::from(key.certificate()));
    fixture::enrol(connection, operator, &newcomer.with_scope("CentreCode", code)).await.unwrap();
    recharges::recharge(connection, operator, matricule, 1_000_000, "start").await.unwrap();
}

/// Makes marginal notes of the registry office with the code `code`. Their column `Numero` counts from `first`.
fn marginal_notes(table: &str, code: &str, first: u64, notes: usize) -> TableRecords {
    let columns =
        ["Numero", "Status", "CentreCode", "ActeUid", "TypeMention", "DateMention", "Texte", "Reference", "Officier"];
    let same = |value: Value| vec![value; notes];
    TableRecords {
        table: table.to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        values: vec![
            (first..).take(notes).map(|numero| json!(numero)).collect(),
            same(json!(2)),
            same(json!(code)),
            (0..notes).map(|_| json!(Uuid::new_v4())).collect(),
            same(json!("mariage")),
            same(json!("2026-11-23")),
            same(json!("Marié à Édéa")),
            same(json!("12/2026")),
            same(json!("Ngo Biyong")),
        ],
    }
}

fn letter(agency: Matricule, sequence: u64, records: TableRecords) -> Letter {
    Letter {
        sdc: FORMAT_VERSION,
        id: Uuid::now_v7(),
        from: Office { agency, installation: "pc1".to_owned() },
        to: "centre".to_owned(),
        sequence,
        time: Utc::now(),
        mode: Mode::Live,
        seen: None,
        request: Request::Export(Records { application: "ecr".to_owned(), tables: vec![records] }),
    }
}

impl World {
    pub fn new() -> World {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (centre, office) = (key("centre"), key("office"));
        let database = runtime.block_on(async {
            let database = TestCluster::shared().await.database().await;
            let mut connection = database.get().await.unwrap();
            let server = Server::new("centre", Mode::Live);
            let operator = fixture::found(&mut connection, &server, &["ecr"]).await.unwrap();
            register(&mut connection, &operator, Matricule::try_from(42).unwrap(), "CE-042", &office).await;
            tariffs::set(&mut connection, &operator, &fixture::tariff(None, 100, "owe")).await.unwrap();
            drop(connection);
            database
        });
        let post_office = PostOffice::start(PostOfficeSettings::default()).unwrap();
        World { runtime, database, post_office, read_timeout_seconds: 5, centre, office, sequence: 0 }
    }

    /// Registers another office, with the same rights and credit as the first one.
    pub fn neighbour(&self, number: u32) -> Neighbour {
        let (matricule, code) = (Matricule::try_from(number).unwrap(), format!("CE-{number:03}"));
        let key = key(&code);
        self.runtime.block_on(async {
            let mut connection = self.database.get().await.unwrap();
            let operator = testing::operator(&mut connection).await;
            register(&mut connection, &operator, matricule, &code, &key).await;
        });
        Neighbour { matricule, code, key, sequence: 0 }
    }

    /// Makes the next letter, with one marginal note, and the mail that carries it.
    pub fn next_mail(&mut self) -> (Letter, Vec<u8>) {
        self.sequence += 1;
        let letter =
            letter(Matricule::try_from(42).unwrap(), self.sequence, marginal_notes(NOTES, "CE-042", self.sequence, 1));
        let mail = self.mail(&letter);
        (letter, mail)
    }

    /// Delivers the next `letters` letters, each in its own mail.
    pub fn deliver_letters(&mut self, letters: usize) {
        for _ in 0..letters {
            let (_, mail) = self.next_mail();
            self.deliver(mail);
        }
    }

    /// Makes the next letter, as the document that a mail carries.
    pub fn next_document(&mut self) -> String {
        let (_, mail) = self.next_mail();
        World::document_of(&mail)
    }

    /// Returns the document that a mail carries.
    pub fn document_of(mail: &[u8]) -> String {
        let found = mail::extract::extract(mail, &mail::extract::MailLimits::default()).unwrap();
        let document = String::from_utf8(found.containers.into_iter().next().unwrap()).unwrap();
        format!("{document}\r\n")
    }

    /// Makes the next letter of another office, with one marginal note for a table, and the mail that carries it.
    pub fn mail_of(&self, neighbour: &mut Neighbour, table: &str) -> Vec<u8> {
        neighbour.sequence += 1;
        let notes = marginal_notes(table, &neighbour.code, neighbour.sequence, 1);
        let letter = letter(neighbour.matricule, neighbour.sequence, notes);
        self.sealed(&letter, &neighbour.key)
    }

    /// Seals a letter and wraps it in a mail. Each call seals the letter again, with another result.
    pub fn mail(&self, letter: &Letter) -> Vec<u8> {
        self.sealed(letter, &self.office)
    }

    fn sealed(&self, letter: &Letter, key: &SigningKey) -> Vec<u8> {
        self.bent(letter, key, |_| {})
    }

    /// Makes the next letter, lets `bend` alter its signed structure before encryption, and returns the mail.
    pub fn bent_mail(&mut self, bend: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let (letter, _) = self.next_mail();
        self.bent(&letter, &self.office, bend)
    }

    fn bent(&self, letter: &Letter, key: &SigningKey, bend: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let octets = payload::write_letter(letter, &PayloadLimits::default()).unwrap();
        let mut signed = cms::sign(&octets, key).unwrap();
        bend(&mut signed);
        let der = cms::encrypt(&signed, self.centre.certificate(), ContentCipher::Aes256Gcm).unwrap();
        let outgoing = Outgoing {
            message_id: format!("{}@office", letter.id),
            from: OFFICE_ADDRESS.to_owned(),
            to: CENTRE_ADDRESS.to_owned(),
            subject: format!("SDC 1 agency={}", letter.from.agency),
            is_automatic: false,
            documents: vec![("letter.sdc".to_owned(), Document::render(&der, None))],
        };
        outgoing.render().unwrap()
    }

    /// Makes a batch of one voucher, as one operator who requests it and another who decides would, and returns the voucher's code.
    pub fn voucher(&self, amount: i64) -> VoucherCode {
        self.sql(&format!(
            "INSERT INTO xm.voucher_batches (vouchers, amount, expires_at, made_by)
             VALUES (1, {amount}, now() + interval '1 year', 'mbome')"
        ));
        let keys = VoucherKeys::of(&CentreKeys::new(vec![self.centre.clone()])).unwrap();
        self.runtime.block_on(async {
            let mut connection = self.database.get().await.unwrap();
            let operator = testing::operator(&mut connection).await;
            let first = |_: &Batch, codes: &[VoucherCode]| Ok::<_, AdministrationError>(codes[0].clone());
            vouchers::write(&mut connection, &operator, &keys, 1, first).await.unwrap()
        })
    }

    /// Returns the centre's certificate.
    pub fn certificate(&self) -> RegisteredCertificate {
        self.centre.certificate().clone()
    }

    pub fn deliver(&self, mail: Vec<u8>) {
        self.post_office.deliver(CENTRE_ADDRESS, mail).unwrap();
    }

    /// Starts a pipeline as `xmserver run` does, with faster intervals.
    pub fn start(&self, policy: Policy) -> Running {
        self.start_with(policy, Limits { window_mails: 8, ..Limits::default() })
    }

    pub fn start_with(&self, policy: Policy, limits: Limits) -> Running {
        self.start_on(&[&self.post_office], policy, limits)
    }

    /// Starts a pipeline that polls one mailbox of the centre at each of several post offices.
    pub fn start_on(&self, post_offices: &[&PostOffice], policy: Policy, limits: Limits) -> Running {
        let mailbox = |(number, post_office): (usize, &&PostOffice)| {
            let mut mailbox = MailboxSettings::new("127.0.0.1", CENTRE_ADDRESS);
            mailbox.port = Some(post_office.pop3_address().port());
            mailbox.security = Security::None;
            mailbox.password = Some(Secret::new("secret"));
            mailbox.read_timeout_seconds = self.read_timeout_seconds;
            PolledSource {
                name: if number == 0 { "main".to_owned() } else { format!("main-{number}") },
                transport: Arc::new(mail::pop3::Mailbox::new(mailbox).unwrap()),
                mail_bytes_max: 1 << 20,
                no_container: NoContainer::Quarantine,
                interval: Duration::from_millis(50),
            }
        };
        let sources = post_offices.iter().enumerate().map(mailbox).collect();
        let mut relay = RelaySettings::new("127.0.0.1");
        relay.port = Some(self.post_office.smtp_address().port());
        relay.security = Security::None;
        let relay = self.runtime.block_on(async { mail::smtp::Relay::new(&relay).unwrap() });
        let courier = SmtpCourier {
            relay: Arc::new(relay),
            address: CENTRE_ADDRESS.to_owned(),
            server_name: "centre".to_owned(),
        };
        let metrics = Metrics::new(&prometheus::Registry::new()).unwrap();
        let process = Uuid::now_v7();
        let parts = PipelineParts {
            tasks: DatabaseTasks { database: self.database.clone(), runtime: self.runtime.handle().clone() },
            reading_runtime: self.runtime.handle().clone(),
            reading: Some(self.runtime.block_on(async { TestCluster::shared().await.reader_of(&self.database).await })),
            keys: Arc::new(CentreKeys::new(vec![self.centre.clone()])),
            signing_key: Arc::new(self.centre.clone()),
            issuer: None,
            sources,
            pushed: Vec::new(),
            carrier: None,
            couriers: vec![Arc::new(courier)],
            replica: testing::replica(process),
            mail_limits: mail::extract::MailLimits::default(),
            limits,
            policy,
            metrics: metrics.clone(),
        };
        let (drain, draining) = oneshot::channel::<()>();
        let (end, ended) = channel();
        let thread = std::thread::spawn(move || {
            actix_rt::System::new().block_on(async move {
                let mut pipeline = Pipeline::start(parts);
                let escalation = tokio::select! {
                    _ = draining => None,
                    escalation = pipeline.escalation() => Some(escalation.unwrap()),
                };
                let outcome = match escalation {
                    None => Ok(pipeline.drain(Duration::from_secs(20)).await),
                    Some(escalation) => {
                        // In production the process, and with it its threads, would end here.
                        pipeline.stop();
                        Err(escalation)
                    }
                };
                end.send(outcome).ok();
            });
        });
        Running { drain: Some(drain), ended, thread: Some(thread), metrics, process }
    }

    pub fn sql(&self, text: &str) {
        self.runtime.block_on(async {
            self.database.get().await.unwrap().batch_execute(text).await.unwrap();
        });
    }

    pub fn count(&self, text: &str) -> i64 {
        #[derive(diesel::QueryableByName)]
        struct Count {
            #[diesel(sql_type = BigInt)]
            count: i64,
        }
        let text = format!("SELECT coalesce(({text}), 0)::bigint AS count");
        self.runtime.block_on(async {
            let mut connection = self.database.get().await.unwrap();
            let row: Count = diesel::sql_query(text).get_result(&mut connection).await.unwrap();
            row.count
        })
    }

    pub fn wait_for(&self, what: &str, text: &str, expected: i64) {
        let deadline = Instant::now() + PATIENCE;
        let mut found = self.count(text);
        while found != expected {
            assert!(Instant::now() < deadline, "{what}: {found} where {expected} is expected");
            std::thread::park_timeout(LOOK);
            found = self.count(text);
        }
    }

    /// Waits until the centre's mailbox contains `expected` mails.
    pub fn wait_for_mails(&self, expected: usize) {
        wait_until(&format!("{expected} mails in the mailbox"), || self.post_office.count(CENTRE_ADDRESS) == expected);
    }

    /// Opens every receipt that has reached the office, with the office's own key and the pinned certificate of the centre.
    pub fn receipts(&self) -> Vec<Answer> {
        self.open(self.post_office.take(OFFICE_ADDRESS))
    }

    /// Opens mails and returns their answers. A part of an answer, or a notice, fails the test.
    pub fn open(&self, mails: Vec<Mail>) -> Vec<Answer> {
        let answer = |letter| match letter {
            CentreLetter::Answer(answer) => answer,
            CentreLetter::Part(part) => unreachable!("part {}", part.head.part),
            CentreLetter::Notice(notice) => unreachable!("notice {}", notice.number),
        };
        self.open_all(mails).into_iter().map(answer).collect()
    }

    /// Opens mails and returns the letters of the centre in them: answers, parts and notices.
    pub fn open_all(&self, mails: Vec<Mail>) -> Vec<CentreLetter> {
        let keys = CentreKeys::new(vec![self.office.clone()]);
        let mut letters = Vec::new();
        for mail in mails {
            let extracted = mail::extract::extract(&mail.bytes, &mail::extract::MailLimits::default()).unwrap();
            assert!(extracted.is_automatic, "no program answers a receipt");
            for container in extracted.containers {
                let document = Document::parse(&container, &DocumentLimits::default()).unwrap();
                let verified = cms::open(&document, &keys).unwrap().verify(self.centre.certificate()).unwrap();
                letters.push(verified.centre_letter(&PayloadLimits::default()).unwrap());
            }
        }
        letters
    }
}

impl Running {
    /// Returns how many letters an actor has handled with the outcome `handled`.
    pub fn handled(&self, actor: &'static str, handled: Handled) -> u64 {
        self.metrics.actor(actor).counts(handled).1
    }

    /// Returns the metrics, which stay readable after the pipeline has ended.
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// Returns how many polls of a mailbox ended with this outcome.
    pub fn polls(&self, mailbox: &str, outcome: &str) -> u64 {
        self.metrics.polls.with_label_values(&[mailbox, outcome]).get()
    }

    /// Returns how many mails of a mailbox cannot be fetched.
    pub fn unfetchable(&self, mailbox: &str) -> i64 {
        self.metrics.unfetchable.with_label_values(&[mailbox]).get()
    }

    /// Drains the pipeline. Returns whether all lent mail was reported before the deadline.
    pub fn drain(mut self) -> bool {
        self.drain.take().unwrap().send(()).expect("the pipeline listens");
        let outcome = self.ended.recv_timeout(PATIENCE).expect("the pipeline drains");
        self.thread.take().unwrap().join().unwrap();
        outcome.expect("no escalation")
    }

    /// Waits until the supervisor gives an actor up, stops the other actors, and returns the reason.
    pub fn escalation(mut self) -> Escalation {
        let outcome = self.ended.recv_timeout(PATIENCE).expect("the pipeline escalates");
        drop(self.thread.take().unwrap().join());
        outcome.expect_err("an escalation")
    }
}
