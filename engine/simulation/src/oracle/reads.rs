//! What the database holds, read with plain SQL and without the engine's own queries.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Bytea, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mail::extract::{MailLimits, extract};
use store::database::fault::Fault;
use uuid::Uuid;

/// A verdict.
#[derive(Clone, QueryableByName)]
pub struct HeldVerdict {
    #[diesel(sql_type = Integer)]
    pub agency: i32,
    #[diesel(sql_type = Bytea)]
    pub digest: Vec<u8>,
    #[diesel(sql_type = Text)]
    pub verdict: String,
}

/// A row that an agency sent.
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

/// A charge for a letter.
#[derive(Clone, QueryableByName)]
pub struct HeldEntry {
    #[diesel(sql_type = Integer)]
    pub agency: i32,
    #[diesel(sql_type = SqlUuid)]
    pub letter_id: Uuid,
    #[diesel(sql_type = BigInt)]
    pub amount: i64,
}

/// A container in quarantine.
#[derive(Clone)]
pub struct HeldCase {
    pub reason: String,
    pub container: Vec<u8>,
    /// Whether the octets that are kept have this digest.
    pub is_whole: bool,
    /// Message-ID of the mail, where a mail without a container was kept.
    pub message_id: Option<String>,
}

/// A line of the journal about a verified sender.
#[derive(Clone, QueryableByName)]
pub struct HeldLine {
    #[diesel(sql_type = Bytea)]
    pub digest: Vec<u8>,
    #[diesel(sql_type = Text)]
    pub outcome: String,
    #[diesel(sql_type = Timestamptz)]
    pub posted_at: DateTime<Utc>,
    /// SHA-256 of the container that the journal keeps with the line.
    #[diesel(sql_type = Nullable<Bytea>)]
    pub container: Option<Vec<u8>>,
}

/// An agency's account.
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
    /// Lines that tell a verdict.
    pub settled: usize,
    /// Lines that tell of a further copy.
    pub duplicates: usize,
    /// When the verdict was committed.
    pub posted_at: Option<DateTime<Utc>>,
    /// SHA-256 of the containers that the journal keeps with these lines.
    pub originals: Vec<Vec<u8>>,
}

impl Lines {
    pub fn add(&mut self, line: HeldLine) {
        let HeldLine { outcome, posted_at, container, .. } = line;
        self.originals.extend(container);
        if outcome == "duplicate" {
            self.duplicates += 1;
        } else {
            self.settled += 1;
            self.posted_at = Some(self.posted_at.map_or(posted_at, |known| known.min(posted_at)));
        }
    }
}

/// Everything in the database that is compared with memory.
#[derive(Clone)]
pub struct Held {
    pub verdicts: Vec<HeldVerdict>,
    pub rows: Vec<HeldRow>,
    pub entries: Vec<HeldEntry>,
    pub quarantine: Vec<HeldCase>,
    pub journal: Vec<HeldLine>,
    pub balances: Vec<HeldBalance>,
    pub ledger_difference: i64,
}

impl Held {
    pub async fn read(connection: &mut AsyncPgConnection) -> Result<Held, Fault> {
        let verdicts = diesel::sql_query("SELECT agency, digest, verdict FROM xm.letters").load(connection).await?;
        let entries = "SELECT agency, letter_id, amount FROM xm.entries WHERE kind = 'letter'";
        let entries = diesel::sql_query(entries).load(connection).await?;
        let journal = "SELECT j.digest, j.outcome, j.posted_at, sha256(o.container) AS container
                         FROM xm.journal j LEFT JOIN xm.originals o ON o.journal_id = j.id AND o.received_at = j.received_at
                        WHERE j.digest IS NOT NULL";
        let journal = diesel::sql_query(journal).load(connection).await?;
        let balances = "SELECT agency, balance FROM xm.accounts WHERE agency IS NOT NULL";
        let balances = diesel::sql_query(balances).load(connection).await?;
        Ok(Held {
            verdicts,
            rows: rows(connection).await?,
            entries,
            quarantine: quarantine(connection).await?,
            journal,
            balances,
            ledger_difference: ledger_difference(connection).await?,
        })
    }
}

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

/// Reads the rows of every adopted table, each with a digest of its values as memory has it.
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
