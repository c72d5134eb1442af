//! Metrics that are read from the database: what every replica sees alike. Read them with `max` across replicas.
//!
//! Read when somebody scrapes, and kept for a while: many scrapers cost the database no more than one. When the
//! database does not answer, they are left out: an old value would look like a good one.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Double, Nullable, SmallInt, Text};
use diesel::{QueryableByName, sql_query};
use diesel_async::RunQueryDsl;
use prometheus::{Gauge, GaugeVec, IntGauge, IntGaugeVec, Opts, Registry};
use sdc::refusal::RefusalCode;
use store::database::Database;
use store::fault::Fault;
use tokio::sync::Mutex;

/// How long the cheap ones are kept.
const KEPT: Duration = Duration::from_secs(5);
/// How long those are kept that look at every agency: a few looks into an index for each, and election night is watched
/// by the minute.
const KEPT_AGENCIES: Duration = Duration::from_secs(60);
/// How long those are kept that look at every entry or certificate.
const KEPT_DEAR: Duration = Duration::from_secs(300);
/// Longest that a scrape waits for them.
const PATIENCE: Duration = Duration::from_secs(5);

/// The gauges, and when they were read.
pub struct DatabaseGauges {
    database: Database,
    registry: Registry,
    outbox_waiting: IntGauge,
    outbox_oldest: Gauge,
    outbox_failed: IntGauge,
    unanswered_oldest: Gauge,
    quarantine_open: IntGaugeVec,
    quarantine_bytes: IntGaugeVec,
    ledger_difference: IntGauge,
    certificate_expiry: GaugeVec,
    agencies: IntGaugeVec,
    agencies_settled: IntGauge,
    accounts_owing: IntGauge,
    accounts_owed: IntGauge,
    centre_expiry: Option<DateTime<Utc>>,
    read_at: Mutex<ReadAt>,
}

#[derive(Default)]
struct ReadAt {
    cheap: Option<Instant>,
    agencies: Option<Instant>,
    dear: Option<Instant>,
}

#[derive(QueryableByName)]
struct Cheap {
    #[diesel(sql_type = BigInt)]
    waiting: i64,
    #[diesel(sql_type = Double)]
    oldest: f64,
    #[diesel(sql_type = BigInt)]
    failed: i64,
    #[diesel(sql_type = Double)]
    unanswered: f64,
}

#[derive(QueryableByName)]
struct ByReason {
    #[diesel(sql_type = Text)]
    reason: String,
    #[diesel(sql_type = BigInt)]
    open: i64,
    #[diesel(sql_type = BigInt)]
    bytes: i64,
}

#[derive(QueryableByName)]
struct ByStatus {
    #[diesel(sql_type = SmallInt)]
    status: i16,
    #[diesel(sql_type = BigInt)]
    agencies: i64,
    #[diesel(sql_type = BigInt)]
    settled: i64,
    #[diesel(sql_type = BigInt)]
    owing: i64,
    #[diesel(sql_type = BigInt)]
    owed: i64,
}

#[derive(QueryableByName)]
struct Dear {
    #[diesel(sql_type = BigInt)]
    difference: i64,
    #[diesel(sql_type = Nullable<Double>)]
    expiry: Option<f64>,
}

/// The letter of the oldest answer that waits is among those queued first: to look at the letters of all would take a tenth
/// of a second on election night.
const CHEAP: &str = "
    SELECT count(*) FILTER (WHERE failed_at IS NULL) AS waiting,
           coalesce(extract(epoch FROM now() - min(queued_at) FILTER (WHERE failed_at IS NULL)), 0)::float8 AS oldest,
           count(*) FILTER (WHERE failed_at IS NOT NULL) AS failed,
           (SELECT coalesce(extract(epoch FROM now() - min(l.received_at)), 0)::float8
              FROM (SELECT agency, letter_id FROM xm.outbox WHERE failed_at IS NULL AND letter_id IS NOT NULL ORDER BY id LIMIT 1000) first
              JOIN xm.letters l ON l.agency = first.agency AND l.letter_id = first.letter_id) AS unanswered
      FROM xm.outbox";
const BY_REASON: &str = "
    SELECT coalesce(q.reason, u.reason) AS reason, coalesce(q.open, 0) AS open, coalesce(u.bytes_kept, 0) AS bytes
      FROM (SELECT reason, count(*) AS open FROM xm.quarantine WHERE state = 'open' GROUP BY reason) q
      FULL JOIN xm.quarantine_usage u ON u.reason = q.reason";
/// The highest status, whose agencies may send records and so are expected to.
const STATUS_EXPECTED: i16 = 3;
const BY_STATUS: &str = "
    SELECT status, count(a.matricule) AS agencies, count(*) FILTER (WHERE has_settled) AS settled,
           count(*) FILTER (WHERE balance < 0) AS owing,
           coalesce(-sum(balance) FILTER (WHERE balance < 0), 0)::bigint AS owed
      FROM unnest('{0,1,2,3}'::smallint[]) AS s (status)
      LEFT JOIN (SELECT g.matricule, g.status, b.balance,
                        EXISTS (SELECT FROM xm.journal j
                                 WHERE j.agency = g.matricule AND j.received_at >= now() - interval '24 hours'
                                   AND j.outcome = 'accepted') AS has_settled
                   FROM xm.agencies g LEFT JOIN xm.accounts b ON b.agency = g.matricule) a USING (status)
     GROUP BY status";
const DEAR: &str = "
    SELECT (SELECT difference FROM xm.ledger_difference) AS difference,
           (SELECT extract(epoch FROM min(not_after) - now())::float8 FROM xm.certificates
             WHERE revoked_at IS NULL AND not_after > now()) AS expiry";

impl DatabaseGauges {
    /// Makes the gauges. `centre_expiry` is when the first of the centre's own certificates ends.
    ///
    /// # Errors
    /// A name registered twice.
    pub fn new(database: Database, centre_expiry: Option<DateTime<Utc>>) -> prometheus::Result<DatabaseGauges> {
        let registry = Registry::new();
        let gauge = |name: &str, help: &str| -> prometheus::Result<IntGauge> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let seconds = |name: &str, help: &str| -> prometheus::Result<Gauge> {
            let gauge = Gauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let labelled = |name: &str, help: &str, label: &str| -> prometheus::Result<IntGaugeVec> {
            let gauges = IntGaugeVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(gauges.clone()))?;
            Ok(gauges)
        };
        let expiry = Opts::new(
            "xm_certificate_expiry_seconds",
            "Until the next certificate ends, of agencies and of the centre",
        );
        let certificate_expiry = GaugeVec::new(expiry, &["of"])?;
        registry.register(Box::new(certificate_expiry.clone()))?;
        Ok(DatabaseGauges {
            outbox_waiting: gauge("xm_outbox_waiting", "Answers that wait to be sent")?,
            outbox_oldest: seconds("xm_outbox_oldest_seconds", "Age of the oldest answer that waits")?,
            outbox_failed: gauge("xm_outbox_failed", "Answers given up")?,
            unanswered_oldest: seconds(
                "xm_letters_unanswered_oldest_seconds",
                "Age of the oldest letter among the answers queued first",
            )?,
            quarantine_open: labelled("xm_quarantine_open", "Containers that nobody has decided on", "reason")?,
            quarantine_bytes: labelled(
                "xm_quarantine_bytes",
                "Bytes kept of senders that nobody vouches for",
                "reason",
            )?,
            ledger_difference: gauge(
                "xm_ledger_difference",
                "Minor units by which balances and entries differ; 0 when all is well",
            )?,
            certificate_expiry,
            agencies: labelled("xm_agencies", "Agencies, by status", "status")?,
            agencies_settled: gauge(
                "xm_agencies_settled",
                "Agencies of status 3 with a letter accepted in the last 24 hours",
            )?,
            accounts_owing: gauge("xm_accounts_owing", "Accounts of agencies below zero")?,
            accounts_owed: gauge("xm_accounts_owed_minor_units", "Minor units by which they are below zero")?,
            centre_expiry,
            database,
            registry,
            read_at: Mutex::default(),
        })
    }

    /// Reads what is due and returns all of them; none where the database does not answer.
    pub async fn gather(&self) -> Vec<prometheus::proto::MetricFamily> {
        match tokio::time::timeout(PATIENCE, self.read()).await {
            Ok(Ok(())) => self.registry.gather(),
            Ok(Err(fault)) => {
                tracing::debug!(%fault, "metrics of the database are left out");
                Vec::new()
            }
            Err(_elapsed) => Vec::new(),
        }
    }

    async fn read(&self) -> Result<(), Fault> {
        // One reader at a time; those that waited find it done.
        let mut read_at = self.read_at.lock().await;
        let is_due = |at: Option<Instant>, kept: Duration| at.is_none_or(|at| at.elapsed() >= kept);
        if !is_due(read_at.cheap, KEPT) {
            return Ok(());
        }
        // While a reading fails, nothing older is shown.
        read_at.cheap = None;
        let mut connection = self.database.get().await?;
        let cheap: Cheap = sql_query(CHEAP).get_result(&mut connection).await?;
        let by_reason: Vec<ByReason> = sql_query(BY_REASON).load(&mut connection).await?;
        if is_due(read_at.agencies, KEPT_AGENCIES) {
            let by_status: Vec<ByStatus> = sql_query(BY_STATUS).load(&mut connection).await?;
            self.show_agencies(&by_status);
            read_at.agencies = Some(Instant::now());
        }
        if is_due(read_at.dear, KEPT_DEAR) {
            let dear: Dear = sql_query(DEAR).get_result(&mut connection).await?;
            self.ledger_difference.set(dear.difference);
            self.certificate_expiry.reset();
            if let Some(seconds) = dear.expiry {
                self.certificate_expiry.with_label_values(&["agency"]).set(seconds);
            }
            read_at.dear = Some(Instant::now());
        }
        if let Some(end) = self.centre_expiry {
            self.certificate_expiry.with_label_values(&["centre"]).set((end - Utc::now()).as_seconds_f64());
        }
        self.outbox_waiting.set(cheap.waiting);
        self.outbox_oldest.set(cheap.oldest);
        self.outbox_failed.set(cheap.failed);
        self.unanswered_oldest.set(cheap.unanswered);
        // A reason that has gone must not stay; one that may come begins at 0, so that its growth shows.
        self.quarantine_open.reset();
        self.quarantine_bytes.reset();
        for code in RefusalCode::ALL {
            self.quarantine_open.with_label_values(&[code.as_str()]).set(0);
            self.quarantine_bytes.with_label_values(&[code.as_str()]).set(0);
        }
        for ByReason { reason, open, bytes } in by_reason {
            self.quarantine_open.with_label_values(&[&reason]).set(open);
            self.quarantine_bytes.with_label_values(&[&reason]).set(bytes);
        }
        read_at.cheap = Some(Instant::now());
        Ok(())
    }

    fn show_agencies(&self, by_status: &[ByStatus]) {
        for of_status in by_status {
            self.agencies.with_label_values(&[&of_status.status.to_string()]).set(of_status.agencies);
        }
        let expected = by_status.iter().find(|of_status| of_status.status == STATUS_EXPECTED);
        self.agencies_settled.set(expected.map_or(0, |expected| expected.settled));
        self.accounts_owing.set(by_status.iter().map(|of_status| of_status.owing).sum());
        self.accounts_owed.set(by_status.iter().map(|of_status| of_status.owed).sum());
    }
}
