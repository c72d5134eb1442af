//! Metrics that are read from the database, which are the same for every replica: read them with `max` across replicas.
//!
//! They are read at a scrape and kept for a while, so that many scrapers cost the database no more than one. While the database does not
//! answer, they are left out: an old value would look like a good one.
//!
//! There are four groups, by cost. Each group is read by itself, so that a slow one hides no other; and to its end, so that no connection
//! returns to the pool with a query in it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::sql_query;
use diesel_async::RunQueryDsl;
use prometheus::{Gauge, IntGauge, IntGaugeVec, Opts, Registry};
use sdc::answer::receipt::HoldCode;
use sdc::refusal::RefusalCode;
use store::database::Database;
use store::database::fault::Fault;
use store::elections::STATES;

mod group;
mod queries;
use group::Group;
use queries::{BY_REASON, BY_STATE, BY_STATUS, ByReason, ByState, ByStatus, CHEAP, Cheap, DEAR, Dear};
use queries::{HAS_STATIONS, STATUS_EXPECTED, There};

/// How long cheap gauges are kept.
const KEPT: Duration = Duration::from_secs(5);
/// How long gauges are kept that look at every agency: each agency takes a few looks into an index, and election night is watched by the
/// minute.
const KEPT_AGENCIES: Duration = Duration::from_secs(60);
/// How long gauges are kept that look at every entry, at every certificate, or a week back.
const KEPT_DEAR: Duration = Duration::from_secs(300);
/// Longest that a scrape waits for a group.
const PATIENCE: Duration = Duration::from_secs(5);

/// The gauges of the groups.
pub struct DatabaseGauges {
    cheap: Group<CheapGauges>,
    agencies: Group<AgencyGauges>,
    stations: Group<StationGauges>,
    dear: Group<DearGauges>,
}

impl DatabaseGauges {
    /// Makes the gauges. `centre_expiry` is when the first of the centre's own certificates ends; nothing that was read is
    /// kept for longer than `kept_max`.
    ///
    /// # Errors
    /// A name registered twice.
    pub fn new(
        database: &Database,
        centre_expiry: Option<DateTime<Utc>>,
        kept_max: Duration,
    ) -> prometheus::Result<DatabaseGauges> {
        let kept = |kept: Duration| kept.min(kept_max);
        Ok(DatabaseGauges {
            cheap: Group::new(kept(KEPT), |registry| CheapGauges::new(database.clone(), centre_expiry, registry))?,
            agencies: Group::new(kept(KEPT_AGENCIES), |registry| AgencyGauges::new(database.clone(), registry))?,
            stations: Group::new(kept(KEPT_AGENCIES), |registry| StationGauges::new(database.clone(), registry))?,
            dear: Group::new(kept(KEPT_DEAR), |registry| DearGauges::new(database.clone(), registry))?,
        })
    }

    /// Reads what is due and returns all that is known; of a group whose reading failed, nothing.
    pub async fn gather(&self) -> Vec<prometheus::proto::MetricFamily> {
        let (cheap, agencies, stations, dear) = tokio::join!(
            self.cheap.gather(PATIENCE),
            self.agencies.gather(PATIENCE),
            self.stations.gather(PATIENCE),
            self.dear.gather(PATIENCE)
        );
        cheap.into_iter().chain(agencies).chain(stations).chain(dear).collect()
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

/// What a look at the outbox and at quarantine tells.
struct CheapGauges {
    database: Database,
    outbox_waiting: IntGauge,
    outbox_oldest: Gauge,
    outbox_failed: IntGauge,
    unanswered_oldest: Gauge,
    flags_unexplained: IntGauge,
    recharging_locked: IntGauge,
    profile_changes_waiting: IntGauge,
    messages_unread: IntGauge,
    enrolments_locked: IntGauge,
    letters_held: IntGaugeVec,
    letters_held_oldest: Gauge,
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
            unanswered_oldest: seconds(
                registry,
                "xm_letters_unanswered_oldest_seconds",
                "Age of the oldest letter among the answers queued first",
            )?,
            flags_unexplained: whole(
                registry,
                "xm_flags_unexplained",
                "Flags of accepted letters that nobody has explained",
            )?,
            recharging_locked: whole(
                registry,
                "xm_recharging_locked",
                "Agencies whose recharging is locked after five wrong codes",
            )?,
            profile_changes_waiting: whole(
                registry,
                "xm_profile_changes_waiting",
                "Changes of profiles that wait for an operator",
            )?,
            enrolments_locked: whole(
                registry,
                "xm_enrolments_locked",
                "Codes of enrolment that are locked after wrong ones",
            )?,
            messages_unread: whole(registry, "xm_messages_unread", "Messages of offices that nobody has looked at")?,
            letters_held: labelled(registry, "xm_letters_held", "Letters held until people decide", "code")?,
            letters_held_oldest: seconds(
                registry,
                "xm_letters_held_oldest_seconds",
                "Since when the oldest held letter waits",
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
        self.unanswered_oldest.set(cheap.unanswered);
        self.flags_unexplained.set(cheap.flags);
        self.recharging_locked.set(cheap.recharging_locked);
        self.profile_changes_waiting.set(cheap.profile_changes_waiting);
        self.messages_unread.set(cheap.messages_unread);
        self.enrolments_locked.set(cheap.enrolments_locked);
        self.letters_held.with_label_values(&[HoldCode::Check.as_str()]).set(cheap.held_by_check);
        self.letters_held.with_label_values(&[HoldCode::Approval.as_str()]).set(cheap.held_for_approval);
        self.letters_held_oldest.set(cheap.held_oldest);
        // A reason without entries is taken off; a reason that may come begins at 0, so that its growth shows.
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

/// What a look at every agency and account tells.
struct AgencyGauges {
    database: Database,
    agencies: IntGaugeVec,
    agencies_settled: IntGauge,
    accounts_owing: IntGauge,
    accounts_owed: IntGauge,
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
        Ok(())
    }
}

/// What a look at every polling station tells, where the centre has the sample election.
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
        // One query at a time: writers must not lack connections meanwhile.
        let mut connection = self.database.connect_alone().await?;
        let There { is_there } = sql_query(HAS_STATIONS).get_result(&mut connection).await?;
        if !is_there {
            return Ok(());
        }
        let by_state: Vec<ByState> = sql_query(BY_STATE).load(&mut connection).await?;
        self.stations.reset();
        // A state that may come begins at 0, so that its growth shows.
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

/// What a look at every entry, at every certificate, or a week back tells.
struct DearGauges {
    database: Database,
    ledger_difference: IntGauge,
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
        // One query at a time: it may take a minute, and writers must not lack connections meanwhile.
        let mut connection = self.database.connect_alone().await?;
        let dear: Dear = sql_query(DEAR).get_result(&mut connection).await?;
        self.ledger_difference.set(dear.difference);
        self.agencies_silent.with_label_values(&["7d"]).set(dear.silent);
        self.agencies_without_certificate.set(dear.without_certificate);
        self.agencies_certificate_ending.with_label_values(&["14d"]).set(dear.ending);
        Ok(())
    }
}
