//! A test centre with fifty agencies, of which half must pay beforehand, and with several programs that settle letters at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::Utc;
use diesel::sql_types::{BigInt, Integer, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use rcgen::{CertificateParams, IsCa, KeyPair};
use sdc::cms::{ContentCipher, SignerId};
use sdc::digest::Digest;
use sdc::keys::{CentreKeys, SigningKey};
use sdc::letter::{FORMAT_VERSION, Letter, Mode, Office};
use sdc::payload::PayloadForm;
use sdc::request::{
    Certified, Correction, CorrectionAction, Corrections, Import, Recharge, RecordName, Records, Request, TableRecords,
    VoucherCode,
};
use serde_json::{Value, json};
use store::centre::server::Server;
use store::certificates::CertificateFields;
use store::certificates::signers::{Signer, Signers};
use store::database::statement::Statement;
use store::database::{Database, DatabaseSettings};
use store::error::AdministrationError;
use store::ledger::tariffs::{self, NewTariff};
use store::ledger::voucher_keys::VoucherKeys;
use store::ledger::{recharges, vouchers};
use store::people::Operator;
use store::settle::{Arrival, Claimed, Content, Outcome, Retry, Ruling, Settler, SettlingSettings, Source};
use store::testing::TestCluster;
use store::testing::fixture::{self, Newcomer};
use uuid::Uuid;

use super::super::dice::Dice;
use super::super::world::matricule;
use super::books::{self, Balance, Books, Entry};
use crate::{ReadLimits, Reader};

const AGENCIES: u32 = 50;
const TABLE: &str = "MentionMarginale";
const DAY: &str = "2025-05-05";
/// Size in bytes that the test gives every container, and the number of units of 1 024 bytes that such a container begins. The tariff
/// charges these units.
const RENDERED_BYTES: usize = 900;
pub const RENDERED_KB: usize = 1;
pub const VOUCHER_AMOUNT: i64 = 120;
const VOUCHERS: i32 = 400;
/// Longest wait for locks, statements and connections. No letter of the test may fail by a timeout, so this is far longer than even a slow
/// machine needs.
const PATIENCE: Duration = Duration::from_secs(300);

/// Says whether the agency is on the plan `prepaid`: exports and corrections of its agencies are refused if the account cannot pay. Imports
/// and certifications are refused in this case under every plan.
pub fn is_prepaid(agency: u32) -> bool {
    agency.is_multiple_of(2)
}

struct Program {
    settler: Arc<Settler>,
    reader: Reader,
}

/// Counters from which an agency's letters and acts get their numbers.
#[derive(Default)]
struct Numbers {
    sequence: AtomicU64,
    acts: AtomicU64,
}

pub struct Centre {
    database: Database,
    operator: Operator,
    programs: Vec<Program>,
    signers: Vec<Arc<Signer>>,
    numbers: Vec<Numbers>,
    codes: Vec<VoucherCode>,
    books: Books,
}

impl Centre {
    /// Makes a centre with `programs` programs. The seed decides the credit limit of each account.
    pub async fn found(programs: usize, seed: u64) -> Centre {
        let cluster = TestCluster::shared().await;
        let settings = DatabaseSettings {
            connections_max: 3 * programs,
            wait: PATIENCE,
            lock_timeout: PATIENCE,
            statement_timeout: PATIENCE,
            ..DatabaseSettings::new(cluster.database_url().await)
        };
        let database = Database::new(settings).unwrap();
        let connection = &mut *database.get().await.unwrap();
        let server = Server::new("centre", Mode::Live);
        let operator = fixture::found(connection, &server, &["ecr"]).await.unwrap();
        let key = signing_key();
        let newcomers = newcomers(&CertificateFields::from(key.certificate()), &mut Dice::new(seed));
        fixture::enrol_all(connection, &newcomers).await.unwrap();
        connection.batch_execute(RIGHTS).await.unwrap();
        for (plan, service, (per_act, per_started_kb), credit) in TARIFFS {
            let tariff = NewTariff {
                plan: plan.map(str::to_owned),
                service: service.to_owned(),
                table: None,
                per_act,
                per_started_kb,
                credit: Some(credit.to_owned()),
                valid_from: None,
            };
            tariffs::set(connection, &operator, &tariff).await.unwrap();
        }
        let voucher_keys = VoucherKeys::of(&CentreKeys::new(vec![key])).unwrap();
        let codes = write_vouchers(connection, &operator, &voucher_keys).await;
        let ids: Vec<SignerId> = (1..=AGENCIES).map(key_id).collect();
        let found = Signers::new(u64::from(AGENCIES)).look_up(connection, &ids).await.unwrap();
        let login = cluster.reader_of(&database).await;
        let program = || {
            let settings = SettlingSettings { voucher_keys: voucher_keys.clone(), ..SettlingSettings::default() };
            let settler = Arc::new(Settler::new(database.clone(), settings));
            let reader =
                Reader::new(database.clone(), Some(login.clone()), Arc::clone(&settler), ReadLimits::default());
            Program { settler, reader }
        };
        Centre {
            programs: (0..programs).map(|_| program()).collect(),
            signers: ids.iter().map(|id| Arc::clone(&found[id])).collect(),
            numbers: (0..AGENCIES).map(|_| Numbers::default()).collect(),
            codes,
            books: Books::default(),
            operator,
            database: database.clone(),
        }
    }

    pub fn books(&self) -> &Books {
        &self.books
    }

    /// Recharges a random account, with the function that operators use. Returns 1, the number of events.
    pub async fn recharge(&self, dice: &mut Dice) -> usize {
        let (agency, amount) = (any_agency(dice), 1 + i64::try_from(dice.number(200)).unwrap());
        let connection = &mut *self.database.get().await.unwrap();
        recharges::recharge(connection, &self.operator, matricule(agency), amount, "").await.unwrap();
        self.books.recharged(agency, amount);
        1
    }

    /// Gives the charge of a random letter back. The program has no command for this yet, so the test writes the entry and the balance
    /// itself, in one statement, which holds the lock of the account.
    pub async fn reverse(&self, dice: &mut Dice) -> usize {
        let Some((agency, letter, amount)) = self.books.reverse_any(dice) else { return 0 };
        let text = format!(
            "WITH given AS (UPDATE xm.accounts SET balance = balance + {amount} WHERE agency = {agency} RETURNING id, balance)
             INSERT INTO xm.entries (debit, credit, amount, kind, agency, balance_after, note)
             SELECT i.id, g.id, {amount}, 'reversal', {agency}, g.balance, '{letter}'
               FROM given g, xm.accounts i WHERE i.kind = 'income' AND i.agency IS NULL"
        );
        self.database.get().await.unwrap().batch_execute(&text).await.unwrap();
        1
    }

    /// Makes the next letter of a random agency: a recharge, an import, a certification, a correction, or an export that may be good, out
    /// of scope or in conflict.
    pub fn letter(&self, dice: &mut Dice) -> Letter {
        let agency = any_agency(dice);
        let request = match dice.number(100) {
            0..10 => Request::Recharge(Recharge { code: self.code(dice) }),
            10..22 => {
                let select = format!("SELECT Reference, Texte FROM {TABLE} LIMIT {}", 1 + dice.number(20));
                Request::Import(Import::Select { select, estimate: false })
            }
            22..34 => Request::Certify(self.papers(agency, dice)),
            34..39 => Request::Correct(self.cancels(agency, dice)),
            39..44 => self.export(agency, &scope(agency % AGENCIES + 1), "x", vec![self.next_act(agency)]),
            44..52 => self.export(agency, &scope(agency), "told otherwise", vec![self.former_act(agency, dice)]),
            _ => {
                let acts = (0..=dice.number(4)).map(|_| self.next_act(agency)).collect();
                self.export(agency, &scope(agency), "x", acts)
            }
        };
        Letter {
            sdc: FORMAT_VERSION,
            id: Uuid::now_v7(),
            from: Office { agency: matricule(agency), installation: "pc1".to_owned() },
            to: "centre".to_owned(),
            sequence: 1 + self.of(agency).sequence.fetch_add(1, Ordering::Relaxed),
            time: Utc::now(),
            mode: Mode::Live,
            seen: None,
            request,
        }
    }

    fn of(&self, agency: u32) -> &Numbers {
        &self.numbers[usize::try_from(agency - 1).unwrap()]
    }

    fn next_act(&self, agency: u32) -> u64 {
        1 + self.of(agency).acts.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns, at random, the number of an act that the agency has exported, or the number of its next act.
    fn former_act(&self, agency: u32, dice: &mut Dice) -> u64 {
        let acts = AtomicU64::load(&self.of(agency).acts, Ordering::Relaxed);
        1 + u64::try_from(dice.number(usize::try_from(acts).unwrap() + 1)).unwrap()
    }

    /// Draws a voucher code. It is usually one of the few codes of the batch, so that several letters use the same code; sometimes it is a
    /// code that does not exist.
    fn code(&self, dice: &mut Dice) -> VoucherCode {
        if dice.percent(8) {
            return VoucherCode::with_check_digit(&format!("9{:014}", dice.number(1_000_000)));
        }
        dice.of(&self.codes).clone()
    }

    fn export(&self, agency: u32, scope: &str, text: &str, acts: Vec<u64>) -> Request {
        let all = |value: &dyn Fn(u64) -> Value| acts.iter().map(|act| value(*act)).collect::<Vec<Value>>();
        let columns: Vec<(&str, Vec<Value>)> = vec![
            ("Numero", all(&|act| json!(act))),
            ("Status", all(&|_| json!(2))),
            ("CentreCode", all(&|_| json!(scope))),
            ("ActeUid", all(&|act| json!(act_uid(agency, act)))),
            ("TypeMention", all(&|_| json!("mariage"))),
            ("DateMention", all(&|_| json!(DAY))),
            ("Texte", all(&|_| json!(text))),
            ("Reference", all(&|act| json!(act.to_string()))),
            ("Officier", all(&|_| json!("Ngo"))),
        ];
        let (columns, values) = columns.into_iter().map(|(name, values)| (name.to_owned(), values)).unzip();
        let table = TableRecords { table: TABLE.to_owned(), columns, values };
        Request::Export(Records { application: "ecr".to_owned(), tables: vec![table] })
    }

    fn papers(&self, agency: u32, dice: &mut Dice) -> Certified {
        let acts: Vec<u64> = (0..=dice.number(5)).map(|_| self.former_act(agency, dice)).collect();
        Certified {
            application: "ecr".to_owned(),
            table: TABLE.to_owned(),
            key: ["ActeUid", "TypeMention", "DateMention", "Reference"].map(str::to_owned).to_vec(),
            keys: vec![
                acts.iter().map(|act| json!(act_uid(agency, *act))).collect(),
                acts.iter().map(|_| json!("mariage")).collect(),
                acts.iter().map(|_| json!(DAY)).collect(),
                acts.iter().map(|act| json!(act.to_string())).collect(),
            ],
            columns: Vec::new(),
            values: Vec::new(),
        }
    }

    fn cancels(&self, agency: u32, dice: &mut Dice) -> Corrections {
        let numero = i64::try_from(self.former_act(agency, dice)).unwrap();
        let correction = Correction {
            table: TABLE.to_owned(),
            record: RecordName::Identity { installation: "pc1".to_owned(), numero },
            action: CorrectionAction::Cancel,
            columns: Vec::new(),
            values: Vec::new(),
            reason: "entered twice".to_owned(),
            reference: "PV 7".to_owned(),
        };
        Corrections { application: "ecr".to_owned(), corrections: vec![correction] }
    }

    fn arrival(&self, letter: &Letter) -> Arrival {
        let signer = &self.signers[usize::try_from(u32::from(letter.from.agency) - 1).unwrap()];
        Arrival {
            received_at: Utc::now(),
            source: Source {
                transport: "mail",
                mailbox: "main".into(),
                sender_domain: "example.org".to_owned(),
                claimed: Claimed::default(),
                is_fetched_again: false,
            },
            container: vec![b'x'; RENDERED_BYTES],
            container_bytes: RENDERED_BYTES,
            rendered_bytes: RENDERED_BYTES,
            content: Content::Signed {
                signer: Arc::clone(signer),
                digest: Digest::of(letter.id.as_bytes()),
                cipher: ContentCipher::Aes256Gcm,
                form: PayloadForm::Json,
                letter: Ok(letter.clone()),
            },
            read: None,
            enrolment: None,
        }
    }

    /// Reads the records for the letters of a batch, settles the batch, and notes the outcome of each letter in the expected accounts.
    pub async fn settle(&self, program: usize, letters: &[Letter]) {
        let Program { settler, reader } = &self.programs[program];
        let (mut batch, mut reads) = (Vec::new(), Vec::new());
        for letter in letters {
            let mut arrival = self.arrival(letter);
            arrival.read = reader.read(&arrival).await.unwrap();
            reads.push(arrival.read.clone());
            batch.push(arrival);
        }
        let settled = settler.settle(batch).await.unwrap_or_else(|unsettled| panic!("{}", unsettled.fault));
        for ((letter, read), outcome) in letters.iter().zip(&reads).zip(settled.outcomes) {
            self.books.note(letter, read.as_ref(), outcome, false);
        }
    }

    /// Tries a refused letter again, as an operator does, and notes its outcome.
    pub async fn try_again(&self, program: usize, letter: &Letter) {
        let decider = self.operator.user().to_owned();
        let retry = Retry { decider, decided_at: Utc::now(), ruling: Ruling::Anew, approval: None };
        let written = self.programs[program].settler.write_again(vec![self.arrival(letter)], retry).await;
        let written = written.unwrap_or_else(|unsettled| panic!("{}", unsettled.fault));
        let settled = written.post().await.unwrap_or_else(|unsettled| panic!("{}", unsettled.fault));
        let outcomes: [Outcome; 1] = settled.outcomes.try_into().unwrap();
        self.books.note(letter, None, outcomes[0], true);
    }

    pub async fn count(&self, text: &str) -> i64 {
        let text = format!("SELECT ({text})::bigint");
        let connection = &mut *self.database.get().await.unwrap();
        let rows: Vec<i64> = Statement::<BigInt>::of_columns(&text, &[]).load(connection).await.unwrap();
        rows[0]
    }

    /// Returns all entries of agencies' accounts, in the order in which they were written.
    pub async fn entries(&self) -> Vec<Entry> {
        let text = "SELECT e.agency, e.letter_id, e.kind, CASE WHEN e.credit = a.id THEN e.amount ELSE -e.amount END, e.balance_after
                      FROM xm.entries e JOIN xm.accounts a ON a.agency = e.agency ORDER BY e.id";
        let connection = &mut *self.database.get().await.unwrap();
        let rows: Vec<(i32, Option<Uuid>, String, i64, i64)> =
            Statement::<(Integer, Nullable<SqlUuid>, Text, BigInt, BigInt)>::new(text, &[])
                .load(connection)
                .await
                .unwrap();
        let entry = |(agency, letter_id, kind, amount, balance_after): (i32, _, _, _, _)| Entry {
            agency: agency.try_into().unwrap(),
            letter_id,
            kind,
            amount,
            balance_after,
        };
        rows.into_iter().map(entry).collect()
    }

    pub async fn balances(&self) -> Vec<Balance> {
        let text = "SELECT agency, balance, credit_limit FROM xm.accounts WHERE agency IS NOT NULL ORDER BY agency";
        let connection = &mut *self.database.get().await.unwrap();
        let rows: Vec<(i32, i64, i64)> =
            Statement::<(Integer, BigInt, BigInt)>::new(text, &[]).load(connection).await.unwrap();
        let balance = |(agency, balance, credit_limit): (i32, _, _)| Balance {
            agency: agency.try_into().unwrap(),
            balance,
            credit_limit,
        };
        rows.into_iter().map(balance).collect()
    }
}

/// Sets the rights of the test: every agency may import and certify its own records and correct what it has sent. Agencies with an odd
/// number keep the usual plan; those with an even number get the plan `prepaid`.
const RIGHTS: &str = "UPDATE xm.tables SET corrections = 'by_agency';
     UPDATE xm.rights SET may_read = 'own', may_certify = 'own';
     INSERT INTO xm.plans (name) VALUES ('prepaid');
     INSERT INTO xm.rights (table_id, plan, may_export, may_read, may_certify)
     SELECT table_id, 'prepaid', may_export, may_read, may_certify FROM xm.rights WHERE plan = 'standard';
     UPDATE xm.agencies SET plan = 'prepaid' WHERE matricule % 2 = 0";

type Tariff = (Option<&'static str>, &'static str, (i64, i64), &'static str);

const TARIFFS: [Tariff; 6] = [
    (None, "export", books::EXPORT, "owe"),
    (Some("prepaid"), "export", books::EXPORT, "refuse"),
    (None, "correct", books::CORRECT, "owe"),
    (Some("prepaid"), "correct", books::CORRECT, "refuse"),
    (None, "import", books::IMPORT, "refuse"),
    (None, "certify", books::CERTIFY, "refuse"),
];

fn any_agency(dice: &mut Dice) -> u32 {
    1 + u32::try_from(dice.number(AGENCIES.try_into().unwrap())).unwrap()
}

fn scope(agency: u32) -> String {
    format!("CE-{agency:03}")
}

fn act_uid(agency: u32, act: u64) -> Uuid {
    Uuid::from_u64_pair(u64::from(agency), act)
}

fn key_id(agency: u32) -> SignerId {
    SignerId::KeyId(agency.to_be_bytes().repeat(5))
}

fn signing_key() -> SigningKey {
    let pair = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(vec![]).unwrap();
    parameters.is_ca = IsCa::ExplicitNoCa;
    let certificate = parameters.self_signed(&pair).unwrap();
    SigningKey::from_pem(pair.serialize_pem().as_bytes(), certificate.pem().as_bytes()).unwrap()
}

/// Makes the agencies of the test. They share one real certificate, but each gets a key identifier of its own, so that the test need not
/// make fifty keys.
fn newcomers(shared: &CertificateFields, dice: &mut Dice) -> Vec<Newcomer> {
    let mut newcomer = |agency: u32| {
        let own = agency.to_be_bytes().repeat(8);
        let certificate = CertificateFields {
            key_id: agency.to_be_bytes().repeat(5),
            serial: agency.to_be_bytes().to_vec(),
            spki_sha256: own.clone(),
            fingerprint: own,
            ..shared.clone()
        };
        let newcomer = Newcomer::new(matricule(agency), &format!("office{agency}@example.org"), certificate);
        let credit_limit = *dice.of(&[0, 0, 40, 250]);
        Newcomer { credit_limit, ..newcomer.with_scope("CentreCode", &scope(agency)) }
    };
    (1..=AGENCIES).map(&mut newcomer).collect()
}

/// Makes the codes of a batch of vouchers. The batch itself is inserted directly, as if two people had agreed on it.
async fn write_vouchers(
    connection: &mut diesel_async::AsyncPgConnection,
    operator: &Operator,
    keys: &VoucherKeys,
) -> Vec<VoucherCode> {
    let agreed = format!(
        "INSERT INTO xm.voucher_batches (vouchers, amount, expires_at, made_by)
         VALUES ({VOUCHERS}, {VOUCHER_AMOUNT}, now() + interval '1 year', 'mbome')"
    );
    connection.batch_execute(&agreed).await.unwrap();
    let batch = vouchers::list(connection, None, 1).await.unwrap().remove(0).id;
    let keep = |_: &vouchers::Batch, codes: &[VoucherCode]| Ok::<_, AdministrationError>(codes.to_vec());
    vouchers::write(connection, operator, keys, batch, keep).await.unwrap()
}
