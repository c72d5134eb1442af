//! Metrics that are read from the database: what every replica sees alike. Read them with `max` across replicas.
//!
//! Read when somebody scrapes, and kept for a while: many scrapers cost the database no more than one. When the
//! database does not answer, they are left out: an old value would look like a good one.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use diesel::sql_query;
use diesel_async::RunQueryDsl;
use prometheus::{Gauge, IntGauge, IntGaugeVec, Opts, Registry};
use sdc::refusal::RefusalCode;
use store::database::Database;
use store::fault::Fault;
use tokio::sync::Mutex;

mod queries;
use queries::{BY_REASON, BY_STATUS, ByReason, ByStatus, CHEAP, Cheap, DEAR, Dear, STATUS_EXPECTED};

/// How long the cheap ones are kept.
const KEPT: Duration = Duration::from_secs(5);
/// How long those are kept that look at every agency: a few looks into an index for each, and election night is watched
/// by the minute.
const KEPT_AGENCIES: Duration = Duration::from_secs(60);
/// How long those are kept that look at every entry, at every certificate, or a week back.
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
    centre_certificate_expiry: Gauge,
    agencies: IntGaugeVec,
    agencies_settled: IntGauge,
    agencies_silent: IntGaugeVec,
    agencies_without_certificate: IntGauge,
    agencies_certificate_ending: IntGaugeVec,
    accounts_owing: IntGauge,
    accounts_owed: IntGauge,
    centre_expiry: Option<DateTime<Utc>>,
    kept_max: Duration,
    read_at: Mutex<ReadAt>,
}

#[derive(Default)]
struct ReadAt {
    cheap: Option<Instant>,
    agencies: Option<Instant>,
    dear: Option<Instant>,
}

impl DatabaseGauges {
    /// Makes the gauges. `centre_expiry` is when the first of the centre's own certificates ends; nothing that was read is
    /// kept for longer than `kept_max`.
    ///
    /// # Errors
    /// A name registered twice.
    pub fn new(
        database: Database,
        centre_expiry: Option<DateTime<Utc>>,
        kept_max: Duration,
    ) -> prometheus::Result<DatabaseGauges> {
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
            centre_certificate_expiry: seconds(
                "xm_centre_certificate_expiry_seconds",
                "Until the first of the centre's own certificates ends",
            )?,
            agencies_silent: labelled(
                "xm_agencies_silent",
                "Agencies of status 3 without an accepted letter for so long",
                "for",
            )?,
            agencies_without_certificate: gauge(
                "xm_agencies_without_certificate",
                "Agencies that are not suspended, and have no certificate that is valid",
            )?,
            agencies_certificate_ending: labelled(
                "xm_agencies_certificate_ending",
                "Agencies that are not suspended, whose last certificate ends within so long",
                "within",
            )?,
            agencies: labelled("xm_agencies", "Agencies, by status", "status")?,
            agencies_settled: gauge(
                "xm_agencies_settled",
                "Agencies of status 3 with a letter accepted in the last 24 hours",
            )?,
            accounts_owing: gauge("xm_accounts_owing", "Accounts of agencies below zero")?,
            accounts_owed: gauge("xm_accounts_owed_minor_units", "Minor units by which they are below zero")?,
            centre_expiry,
            kept_max,
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
        let is_due = |at: Option<Instant>, kept: Duration| at.is_none_or(|at| at.elapsed() >= kept.min(self.kept_max));
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
            self.show_dear(&dear);
            read_at.dear = Some(Instant::now());
        }
        if let Some(end) = self.centre_expiry {
            self.centre_certificate_expiry.set((end - Utc::now()).as_seconds_f64());
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

    fn show_dear(&self, dear: &Dear) {
        self.ledger_difference.set(dear.difference);
        self.agencies_silent.with_label_values(&["7d"]).set(dear.silent);
        self.agencies_without_certificate.set(dear.without_certificate);
        self.agencies_certificate_ending.with_label_values(&["14d"]).set(dear.ending);
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
