//! Metrics that are read from the database. They are the same for every replica, so queries in Prometheus must use `max` across the
//! replicas.
//!
//! A scrape reads them and keeps the values for a while, so that many scrapers cause no more queries than one. While the database does not
//! answer, the metrics are left out, because an old value would look like a current one.
//!
//! There are seven groups, by cost and by subject. Each group is read separately, so that a slow group does not delay the others. A reading
//! that has begun always runs to its end, so that no connection returns to the pool while it still has a query.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::sql_query;
use diesel_async::RunQueryDsl;
use prometheus::{Gauge, IntGauge, IntGaugeVec, Opts, Registry};
use sdc::refusal::RefusalCode;
use store::database::Database;
use store::database::fault::Fault;
use store::elections::STATES;

mod cluster;
mod group;
pub mod program;
mod queries;
mod reader;
mod waiting;
use cluster::ClusterGauges;
use group::Group;
use queries::{
    BY_REASON, BY_STATE, BY_STATUS, ByReason, ByState, ByStatus, CHEAP, Cheap, DEAR, Dear, VOUCHERS, Vouchers,
};
use queries::{HAS_STATIONS, STATUS_EXPECTED, There};
use reader::ReaderGauges;
use waiting::WaitingGauges;

/// Time for which values of cheap gauges are kept.
const KEPT: Duration = Duration::from_secs(5);
/// Time for which values of gauges that look at every agency are kept. Such a look costs a few index entries per agency, and on election
/// night operators want values of the last minute.
const KEPT_AGENCIES: Duration = Duration::from_secs(60);
/// Time for which values of the expensive gauges are kept. These gauges look at all ledger entries, vouchers and certificates, and at a
/// week of the journal.
const KEPT_DEAR: Duration = Duration::from_secs(300);
/// Longest time that a scrape waits for one group.
const PATIENCE: Duration = Duration::from_secs(5);

/// The gauges, in seven groups by cost and subject. The group `reader` exists only where the centre has a login that reads.
pub struct DatabaseGauges {
    cheap: Group<CheapGauges>,
    waiting: Group<WaitingGauges>,
    cluster: Group<ClusterGauges>,
    agencies: Group<AgencyGauges>,
    stations: Group<StationGauges>,
    dear: Group<DearGauges>,
    reader: Option<Group<ReaderGauges>>,
}

impl DatabaseGauges {
    /// Makes the gauges. `centre_expiry` is the time when the first of the centre's own certificates ends. Values are kept for at most
    /// `kept_max`. `reader` is the login that reads for agencies, where the centre has one.
    ///
    /// # Errors
    /// Two metrics have the same name.
    pub fn new(
        (database, reader): (&Database, Option<Database>),
        centre_expiry: Option<DateTime<Utc>>,
        kept_max: Duration,
    ) -> prometheus::Result<DatabaseGauges> {
        let kept = |kept: Duration| kept.min(kept_max);
        Ok(DatabaseGauges {
            cheap: Group::new(kept(KEPT), |registry| CheapGauges::new(database.clone(), centre_expiry, registry))?,
            waiting: Group::new(kept(KEPT), |registry| WaitingGauges::new(database.clone(), registry))?,
            cluster: Group::new(kept(KEPT), |registry| ClusterGauges::new(database.clone(), registry))?,
            agencies: Group::new(kept(KEPT_AGENCIES), |registry| AgencyGauges::new(database.clone(), registry))?,
            stations: Group::new(kept(KEPT_AGENCIES), |registry| StationGauges::new(database.clone(), registry))?,
            dear: Group::new(kept(KEPT_DEAR), |registry| DearGauges::new(database.clone(), registry))?,
            reader: reader
                .map(|login| {
                    Group::new(kept(KEPT_AGENCIES), |registry| ReaderGauges::new(database.clone(), login, registry))
                })
                .transpose()?,
        })
    }

    /// Reads the groups whose values are too old, and returns all values. A group whose reading failed is left out.
    pub async fn gather(&self) -> Vec<prometheus::proto::MetricFamily> {
        let of_reader = async {
            match &self.reader {
                // No scrape waits for a sign-in, which may take long where the login does not work. So this scrape shows the result of the
                // last attempt to sign in, and an attempt that begins now is shown from the next scrape on.
                Some(reader) => reader.gather(Duration::ZERO).await,
                None => Vec::new(),
            }
        };
        let groups: [Vec<_>; 7] = tokio::join!(
            self.cheap.gather(PATIENCE),
            self.waiting.gather(PATIENCE),
            self.cluster.gather(PATIENCE),
            self.agencies.gather(PATIENCE),
            self.stations.gather(PATIENCE),
            self.dear.gather(PATIENCE),
            of_reader
        )
        .into();
        groups.into_iter().flatten().collect()
    }
}

fn whole(registry: &Registry, name: &str, help: &str) -> prometheus::Result<IntGauge> {
    let gauge = IntGauge::new(name, help)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}

fn seconds(registry: &Registry, name: &str, help: &str) -> prometheus::Result<Gauge> {
    let gauge = Gauge::new(name, help)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}

fn labelled(registry: &Registry, name: &str, help: &str, label: &str) -> prometheus::Result<IntGaugeVec> {
    let gauges = IntGaugeVec::new(Opts::new(name, help), &[label])?;
    registry.register(Box::new(gauges.clone()))?;
    Ok(gauges)
}

/// Gauges of the outbox, the quarantine, held letters and everything that waits for operators.
struct CheapGauges {
    database: Database,
    outbox_waiting: IntGauge,
    outbox_oldest: Gauge,
    outbox_failed: IntGauge,
    outbox_to_collect: IntGauge,
    unanswered_oldest: Gauge,
    quarantine_open: IntGaugeVec,
    quarantine_bytes: IntGaugeVec,
    centre_certificate_expiry: Gauge,
    centre_expiry: Option<DateTime<Utc>>,
}

impl CheapGauges {
    fn new(
        database: Database,
        centre_expiry: Option<DateTime<Utc>>,
        registry: &Registry,
    ) -> prometheus::Result<CheapGauges> {
        Ok(CheapGauges {
            outbox_waiting: whole(registry, "xm_outbox_waiting", "Answers that wait to be sent")?,
            outbox_oldest: seconds(registry, "xm_outbox_oldest_seconds", "Age of the oldest answer that waits")?,
            outbox_failed: whole(registry, "xm_outbox_failed", "Answers given up")?,
            outbox_to_collect: whole(
                registry,
                "xm_outbox_to_collect",
                "Answers that wait until their office collects them",
            )?,
            unanswered_oldest: seconds(
                registry,
                "xm_letters_unanswered_oldest_seconds",
                "Age of the oldest letter among the answers queued first",
            )?,
            quarantine_open: labelled(
                registry,
                "xm_quarantine_open",
                "Containers that nobody has decided on",
                "reason",
            )?,
            quarantine_bytes: labelled(
                registry,
                "xm_quarantine_bytes",
                "Bytes kept of senders that nobody vouches for",
                "reason",
            )?,
            centre_certificate_expiry: seconds(
                registry,
                "xm_centre_certificate_expiry_seconds",
                "Until the first of the centre's own certificates ends",
            )?,
            centre_expiry,
            database,
        })
    }
}

impl group::Read for CheapGauges {
    async fn read(&self) -> Result<(), Fault> {
        let mut connection = self.database.get().await?;
        let cheap: Cheap = sql_query(CHEAP).get_result(&mut connection).await?;
        let by_reason: Vec<ByReason> = sql_query(BY_REASON).load(&mut connection).await?;
        if let Some(end) = self.centre_expiry {
            self.centre_certificate_expiry.set((end - Utc::now()).as_seconds_f64());
        }
        self.outbox_waiting.set(cheap.waiting);
        self.outbox_oldest.set(cheap.oldest);
        self.outbox_failed.set(cheap.failed);
        self.outbox_to_collect.set(cheap.to_collect);
        self.unanswered_oldest.set(cheap.unanswered);
        // All series are removed first, because a reason of which no entry is left is not among the rows. Each reason that this program
        // knows then starts at 0: Prometheus sees no growth in a series that begins with its first entry.
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
        Ok(())
    }
}

/// Gauges that look at every agency and account.
struct AgencyGauges {
    database: Database,
    agencies: IntGaugeVec,
    agencies_settled: IntGauge,
    accounts_owing: IntGauge,
    accounts_owed: IntGauge,
    accounts_prepaid: IntGauge,
}

impl AgencyGauges {
    fn new(database: Database, registry: &Registry) -> prometheus::Result<AgencyGauges> {
        Ok(AgencyGauges {
            agencies: labelled(registry, "xm_agencies", "Agencies, by status", "status")?,
            agencies_settled: whole(
                registry,
                "xm_agencies_settled",
                "Agencies of status 3 with a letter accepted in the last 24 hours",
            )?,
            accounts_owing: whole(registry, "xm_accounts_owing", "Accounts of agencies below zero")?,
            accounts_owed: whole(registry, "xm_accounts_owed_minor_units", "Minor units by which they are below zero")?,
            accounts_prepaid: whole(
                registry,
                "xm_accounts_prepaid_minor_units",
                "Minor units that the other accounts of agencies hold",
            )?,
            database,
        })
    }
}

impl group::Read for AgencyGauges {
    async fn read(&self) -> Result<(), Fault> {
        let mut connection = self.database.get().await?;
        let by_status: Vec<ByStatus> = sql_query(BY_STATUS).load(&mut connection).await?;
        for of_status in &by_status {
            self.agencies.with_label_values(&[&of_status.status.to_string()]).set(of_status.agencies);
        }
        let expected = by_status.iter().find(|of_status| of_status.status == STATUS_EXPECTED);
        self.agencies_settled.set(expected.map_or(0, |expected| expected.settled));
        self.accounts_owing.set(by_status.iter().map(|of_status| of_status.owing).sum());
        self.accounts_owed.set(by_status.iter().map(|of_status| of_status.owed).sum());
        self.accounts_prepaid.set(by_status.iter().map(|of_status| of_status.prepaid).sum());
        Ok(())
    }
}

/// Gauges of polling stations by state, where the centre has the sample election.
struct StationGauges {
    database: Database,
    stations: IntGaugeVec,
}

impl StationGauges {
    fn new(database: Database, registry: &Registry) -> prometheus::Result<StationGauges> {
        let help = "Polling stations of the sample election, by state";
        let stations = IntGaugeVec::new(Opts::new("xm_stations", help), &["election", "state"])?;
        registry.register(Box::new(stations.clone()))?;
        Ok(StationGauges { database, stations })
    }
}

impl group::Read for StationGauges {
    async fn read(&self) -> Result<(), Fault> {
        // This connection is not from the pool, so that the query takes no connection from the writers.
        let mut connection = self.database.connect_alone().await?;
        let There { is_there } = sql_query(HAS_STATIONS).get_result(&mut connection).await?;
        if !is_there {
            return Ok(());
        }
        let by_state: Vec<ByState> = sql_query(BY_STATE).load(&mut connection).await?;
        self.stations.reset();
        // Each state starts at 0: Prometheus sees no growth in a series that begins with its first station.
        for ByState { election, .. } in &by_state {
            for state in STATES {
                self.stations.with_label_values(&[election, state]).set(0);
            }
        }
        for ByState { election, state, stations } in &by_state {
            self.stations.with_label_values(&[election, state]).set(*stations);
        }
        Ok(())
    }
}

/// The expensive gauges, which look at all ledger entries, vouchers and certificates, and at a week of the journal.
struct DearGauges {
    database: Database,
    ledger_difference: IntGauge,
    vouchers: IntGaugeVec,
    vouchers_open: IntGauge,
    agencies_silent: IntGaugeVec,
    agencies_without_certificate: IntGauge,
    agencies_certificate_ending: IntGaugeVec,
}

impl DearGauges {
    fn new(database: Database, registry: &Registry) -> prometheus::Result<DearGauges> {
        Ok(DearGauges {
            ledger_difference: whole(
                registry,
                "xm_ledger_difference",
                "Minor units by which balances and entries differ; 0 when all is well",
            )?,
            vouchers: labelled(registry, "xm_vouchers", "Vouchers whose codes are made, by state", "state")?,
            vouchers_open: whole(
                registry,
                "xm_vouchers_open_minor_units",
                "Minor units that the open vouchers are worth",
            )?,
            agencies_silent: labelled(
                registry,
                "xm_agencies_silent",
                "Agencies of status 3 without an accepted letter for so long",
                "for",
            )?,
            agencies_without_certificate: whole(
                registry,
                "xm_agencies_without_certificate",
                "Agencies that are not suspended, and have no certificate that is valid",
            )?,
            agencies_certificate_ending: labelled(
                registry,
                "xm_agencies_certificate_ending",
                "Agencies that are not suspended, whose last certificate ends within so long",
                "within",
            )?,
            database,
        })
    }
}

impl group::Read for DearGauges {
    async fn read(&self) -> Result<(), Fault> {
        // The query may take a minute. Its connection is not from the pool, so that the query takes no connection from the writers.
        let mut connection = self.database.connect_alone().await?;
        let dear: Dear = sql_query(DEAR).get_result(&mut connection).await?;
        let vouchers: Vouchers = sql_query(VOUCHERS).get_result(&mut connection).await?;
        self.ledger_difference.set(dear.difference);
        for (state, number) in vouchers.by_state() {
            self.vouchers.with_label_values(&[state]).set(number);
        }
        self.vouchers_open.set(vouchers.open_minor_units);
        self.agencies_silent.with_label_values(&["7d"]).set(dear.silent);
        self.agencies_without_certificate.set(dear.without_certificate);
        self.agencies_certificate_ending.with_label_values(&["14d"]).set(dear.ending);
        Ok(())
    }
}
