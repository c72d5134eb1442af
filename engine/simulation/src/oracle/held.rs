//! Reads the contents of the database with plain SQL. The engine's own queries are not used, since the oracle checks their results.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Bytea, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mail::extract::{MailLimits, extract};
use serde_json::Value;
use store::database::fault::Fault;
use uuid::Uuid;

/// The verdict on one letter.
#[derive(Clone, QueryableByName)]
pub struct HeldVerdict {
    #[diesel(sql_type = Integer)]
    pub agency: i32,
    #[diesel(sql_type = Bytea)]
    pub digest: Vec<u8>,
    #[diesel(sql_type = Text)]
    pub verdict: String,
}

/// A row of a table that an agency sent.
#[derive(Clone)]
pub struct HeldRow {
    pub table: String,
    pub agency: i32,
    pub numero: i64,
    pub letter: Uuid,
    pub installation: String,
    pub sequence: i64,
    pub content: Vec<u8>,
}

/// An entry in the ledger of an agency's account. Entries are read in the order in which they took effect.
#[derive(Clone, QueryableByName)]
pub struct HeldEntry {
    #[diesel(sql_type = Integer)]
    pub agency: i32,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub letter_id: Option<Uuid>,
    /// The amount in minor units of money: positive for a credit, negative for a charge.
    #[diesel(sql_type = BigInt)]
    pub amount: i64,
    #[diesel(sql_type = BigInt)]
    pub balance_after: i64,
    #[diesel(sql_type = Text)]
    pub note: String,
}

/// A voucher that a letter has redeemed.
#[derive(Clone, QueryableByName)]
pub struct HeldVoucher {
    #[diesel(sql_type = Integer)]
    pub agency: i32,
    #[diesel(sql_type = SqlUuid)]
    pub letter_id: Uuid,
    #[diesel(sql_type = BigInt)]
    pub amount: i64,
    #[diesel(sql_type = Integer)]
    pub batch: i32,
    #[diesel(sql_type = Integer)]
    pub number: i32,
}

impl HeldVoucher {
    /// Returns the text by which the ledger entry of the voucher's credit names the voucher.
    pub fn name(&self) -> String {
        format!("{}-{}", self.batch, self.number)
    }
}

/// A line of the history of corrections: the version that a correction replaced, or the version that a superseded correction would have
/// written.
#[derive(Clone, QueryableByName)]
pub struct HeldHistory {
    #[diesel(sql_type = Text)]
    pub table: String,
    #[diesel(sql_type = Integer)]
    pub agency: i32,
    #[diesel(sql_type = BigInt)]
    pub numero: i64,
    /// The letter that wrote this version.
    #[diesel(sql_type = SqlUuid)]
    pub letter: Uuid,
    #[diesel(sql_type = SqlUuid)]
    pub replaced_by: Uuid,
    #[diesel(sql_type = Text)]
    pub action: String,
    #[diesel(sql_type = Bool)]
    pub is_superseded: bool,
    #[diesel(sql_type = Jsonb)]
    pub content: Value,
}

/// A message from an agency or from an operator.
#[derive(Clone, QueryableByName)]
pub struct HeldMessage {
    #[diesel(sql_type = Integer)]
    pub agency: i32,
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    pub thread: Uuid,
    /// The installation that wrote the message; none where an operator wrote it.
    #[diesel(sql_type = Nullable<Text>)]
    pub installation: Option<String>,
    #[diesel(sql_type = Text)]
    pub text: String,
}

/// A notice from the centre to an agency.
#[derive(Clone, QueryableByName)]
pub struct HeldNotice {
    #[diesel(sql_type = Integer)]
    pub agency: i32,
    #[diesel(sql_type = Text)]
    pub installation: String,
    #[diesel(sql_type = BigInt)]
    pub number: i64,
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Text)]
    pub kind: String,
}

/// An installation of an agency, with the number of the last notice that it has confirmed.
#[derive(Clone, QueryableByName)]
pub struct HeldInstallation {
    #[diesel(sql_type = Integer)]
    pub agency: i32,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = BigInt)]
    pub seen: i64,
}

/// A certificate registered for an agency.
#[derive(Clone, QueryableByName)]
pub struct HeldCertificate {
    #[diesel(sql_type = Integer)]
    pub agency: i32,
    /// SHA-256 of the public key.
    #[diesel(sql_type = Bytea)]
    pub key: Vec<u8>,
    #[diesel(sql_type = Bytea)]
    pub der: Vec<u8>,
}

/// The data that the centre holds about an agency, such as its name and its town.
#[derive(Clone, QueryableByName)]
pub struct HeldProfile {
    #[diesel(sql_type = Integer)]
    pub agency: i32,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Text)]
    pub town: String,
    #[diesel(sql_type = Text)]
    pub telephone: String,
    #[diesel(sql_type = Text)]
    pub email: String,
}

/// A container, or a mail without one, in quarantine.
#[derive(Clone)]
pub struct HeldCase {
    pub reason: String,
    pub container: Vec<u8>,
    /// Whether the stored octets have the digest that is stored with them.
    pub is_whole: bool,
    /// Message-ID of the mail, where it was kept because it had no container.
    pub message_id: Option<String>,
}

/// A line of the journal about a letter whose sender was verified.
#[derive(Clone, QueryableByName)]
pub struct HeldLine {
    #[diesel(sql_type = Bytea)]
    pub digest: Vec<u8>,
    #[diesel(sql_type = Text)]
    pub outcome: String,
    #[diesel(sql_type = Timestamptz)]
    pub posted_at: DateTime<Utc>,
    /// SHA-256 of the container that the journal stores with the line.
    #[diesel(sql_type = Nullable<Bytea>)]
    pub container: Option<Vec<u8>>,
}

/// The balance of an agency's account.
#[derive(Clone, QueryableByName)]
pub struct HeldBalance {
    #[diesel(sql_type = Integer)]
    pub agency: i32,
    #[diesel(sql_type = BigInt)]
    pub balance: i64,
}

/// The journal's lines about one letter.
#[derive(Default)]
pub struct Lines {
    /// Number of lines with a final outcome. The next field counts the lines that say that the letter is held.
    pub settled: usize,
    pub held: usize,
    /// Number of lines about a further copy of the letter.
    pub duplicates: usize,
    /// The time at which the final outcome was committed.
    pub posted_at: Option<DateTime<Utc>>,
    /// SHA-256 of each container that the journal stores with these lines.
    pub originals: Vec<Vec<u8>>,
}

impl Lines {
    pub fn add(&mut self, line: HeldLine) {
        let HeldLine { outcome, posted_at, container, .. } = line;
        self.originals.extend(container);
        if outcome == "duplicate" {
            self.duplicates += 1;
        } else {
            self.held += usize::from(outcome == "held");
            self.settled += usize::from(outcome != "held");
            self.posted_at = Some(self.posted_at.map_or(posted_at, |known| known.min(posted_at)));
        }
    }
}

/// The contents of the database that are compared with memory.
#[derive(Clone, Default)]
pub struct Held {
    pub verdicts: Vec<HeldVerdict>,
    pub rows: Vec<HeldRow>,
    pub history: Vec<HeldHistory>,
    pub entries: Vec<HeldEntry>,
    pub vouchers: Vec<HeldVoucher>,
    pub messages: Vec<HeldMessage>,
    pub notices: Vec<HeldNotice>,
    pub installations: Vec<HeldInstallation>,
    pub certificates: Vec<HeldCertificate>,
    pub profiles: Vec<HeldProfile>,
    pub quarantine: Vec<HeldCase>,
    pub journal: Vec<HeldLine>,
    pub balances: Vec<HeldBalance>,
    pub ledger_difference: i64,
}

impl Held {
    pub async fn read(connection: &mut AsyncPgConnection) -> Result<Held, Fault> {
        Ok(Held {
            verdicts: diesel::sql_query("SELECT agency, digest, verdict FROM xm.letters").load(connection).await?,
            rows: rows(connection).await?,
            history: diesel::sql_query(HISTORY).load(connection).await?,
            entries: diesel::sql_query(ENTRIES).load(connection).await?,
            vouchers: diesel::sql_query(VOUCHERS).load(connection).await?,
            messages: diesel::sql_query("SELECT agency, id, thread, installation, text FROM xm.messages")
                .load(connection)
                .await?,
            notices: diesel::sql_query("SELECT agency, installation, number, id, kind FROM xm.notices")
                .load(connection)
                .await?,
            installations: diesel::sql_query("SELECT agency, name, notice_seen AS seen FROM xm.installations")
                .load(connection)
                .await?,
            certificates: diesel::sql_query("SELECT agency, spki_sha256 AS key, der FROM xm.certificates")
                .load(connection)
                .await?,
            profiles: diesel::sql_query("SELECT matricule AS agency, name, town, telephone, email FROM xm.agencies")
                .load(connection)
                .await?,
            quarantine: quarantine(connection).await?,
            journal: diesel::sql_query(JOURNAL).load(connection).await?,
            balances: diesel::sql_query("SELECT agency, balance FROM xm.accounts WHERE agency IS NOT NULL")
                .load(connection)
                .await?,
            ledger_difference: ledger_difference(connection).await?,
        })
    }
}

const HISTORY: &str = r#"SELECT t.application || '.' || t.name AS "table", h.agency, h.xm_numero AS numero, h.letter_id AS letter,
                                h.replaced_by, h.action, h.superseded AS is_superseded, h.content
                           FROM xm.history h JOIN xm.tables t ON t.id = h.table_id"#;
const ENTRIES: &str =
    "SELECT e.agency, e.kind, e.letter_id, CASE WHEN e.credit = a.id THEN e.amount ELSE -e.amount END AS amount,
                              e.balance_after, e.note
                         FROM xm.entries e JOIN xm.accounts a ON a.agency = e.agency ORDER BY e.agency, e.id";
const VOUCHERS: &str = "SELECT v.agency, v.letter_id, b.amount, v.batch, v.number
                          FROM xm.vouchers v JOIN xm.voucher_batches b ON b.id = v.batch WHERE v.letter_id IS NOT NULL";
const JOURNAL: &str = "SELECT j.digest, j.outcome, j.posted_at, sha256(o.container) AS container
                         FROM xm.journal j LEFT JOIN xm.originals o ON o.journal_id = j.id AND o.received_at = j.received_at
                        WHERE j.digest IS NOT NULL";

async fn ledger_difference(connection: &mut AsyncPgConnection) -> Result<i64, Fault> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        difference: i64,
    }
    let row: Row = diesel::sql_query("SELECT difference FROM xm.ledger_difference").get_result(connection).await?;
    Ok(row.difference)
}

async fn quarantine(connection: &mut AsyncPgConnection) -> Result<Vec<HeldCase>, Fault> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        reason: String,
        #[diesel(sql_type = Bytea)]
        digest: Vec<u8>,
        #[diesel(sql_type = Bool)]
        is_whole: bool,
        #[diesel(sql_type = Nullable<Bytea>)]
        mail: Option<Vec<u8>>,
    }
    let text = "SELECT reason, digest, sha256(original) = digest AS is_whole,
                       CASE reason WHEN 'no_container' THEN original END AS mail FROM xm.quarantine";
    let rows: Vec<Row> = diesel::sql_query(text).load(connection).await?;
    let case = |row: Row| {
        let message_id = row.mail.map(|mail| {
            let mail = extract(&mail, &MailLimits::default()).unwrap_or_default();
            mail.message_id.unwrap_or_default().trim_matches(['<', '>']).to_owned()
        });
        HeldCase { reason: row.reason, container: row.digest, is_whole: row.is_whole, message_id }
    };
    Ok(rows.into_iter().map(case).collect())
}

/// Reads the rows of every adopted table, each with a digest of its values, computed as the memory does.
async fn rows(connection: &mut AsyncPgConnection) -> Result<Vec<HeldRow>, Fault> {
    #[derive(QueryableByName)]
    struct Table {
        #[diesel(sql_type = Text)]
        name: String,
        #[diesel(sql_type = Text)]
        relation: String,
        #[diesel(sql_type = Text)]
        values: String,
    }
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Integer)]
        agency: i32,
        #[diesel(sql_type = BigInt)]
        numero: i64,
        #[diesel(sql_type = SqlUuid)]
        letter: Uuid,
        #[diesel(sql_type = Text)]
        installation: String,
        #[diesel(sql_type = BigInt)]
        sequence: i64,
        #[diesel(sql_type = Bytea)]
        content: Vec<u8>,
    }
    let text = r#"SELECT t.application || '.' || t.name AS name, format('%I.%I', t.schema_name, t.relation_name) AS relation,
                         string_agg(format('%L || %I::text', c.column_name || '=', c.column_name), ', '
                                    ORDER BY c.column_name COLLATE "C") AS "values"
                    FROM xm.tables t
                    JOIN information_schema.columns c ON c.table_schema = t.schema_name AND c.table_name = t.relation_name
                   WHERE c.column_name NOT LIKE 'xm\_%' AND c.column_name <> 'Numero'
                   GROUP BY t.id"#;
    let tables: Vec<Table> = diesel::sql_query(text).load(connection).await?;
    let mut held = Vec::new();
    for table in tables {
        let text = format!(
            r"SELECT xm_agency AS agency, xm_numero AS numero, xm_letter AS letter,
                     xm_installation AS installation, xm_sequence AS sequence,
                     sha256(convert_to(concat_ws(E'\x1f', {}), 'UTF8')) AS content
                FROM {} WHERE xm_agency IS NOT NULL",
            table.values, table.relation
        );
        let rows: Vec<Row> = diesel::sql_query(text).load(connection).await?;
        held.extend(rows.into_iter().map(|row| HeldRow {
            table: table.name.clone(),
            agency: row.agency,
            numero: row.numero,
            letter: row.letter,
            installation: row.installation,
            sequence: row.sequence,
            content: row.content,
        }));
    }
    Ok(held)
}
