//! Metrics of this program and its machine that are read at each scrape, and cost nothing: its connections to the database, what it saw of
//! the database's hosts, and the disk of its data folder.

use std::path::PathBuf;

use prometheus::process_collector::ProcessCollector;
use prometheus::{IntCounter, IntGauge, IntGaugeVec, Opts, Registry};
use store::database::Database;

use crate::disk;

/// The commit that the program is built from, if the build sets the variable. The build does not ask git, because the result would depend
/// on the build's folder.
const COMMIT: Option<&str> = option_env!("XMSERVER_COMMIT");

/// The metrics, and the objects that they are read from.
pub struct ProgramGauges {
    database: Option<Database>,
    data_folder: PathBuf,
    connections: IntGaugeVec,
    hosts: IntGauge,
    primary_changes: IntCounter,
    unknown_commits: IntCounter,
    disk_free_bytes: IntGauge,
    disk_size_bytes: IntGauge,
}

impl ProgramGauges {
    /// Makes the metrics and registers them. Those that never change, such as the version, are set here.
    ///
    /// # Errors
    /// Two metrics have the same name.
    pub fn new(
        registry: &Registry,
        database: Option<Database>,
        data_folder: PathBuf,
        quarantine_bytes_max: u64,
    ) -> prometheus::Result<ProgramGauges> {
        registry.register(Box::new(ProcessCollector::for_self()))?;
        let gauge = |name: &str, help: &str| -> prometheus::Result<IntGauge> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let counter = |name: &str, help: &str| -> prometheus::Result<IntCounter> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let labelled = |name: &str, help: &str, labels: &[&str]| -> prometheus::Result<IntGaugeVec> {
            let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauges.clone()))?;
            Ok(gauges)
        };
        labelled("xm_build_info", "1; version and commit are labels", &["version", "commit"])?
            .with_label_values(&[env!("CARGO_PKG_VERSION"), COMMIT.unwrap_or("unknown")])
            .set(1);
        gauge("xm_quarantine_bytes_max", "Bytes that quarantine keeps of strangers, for each reason")?
            .set(whole(quarantine_bytes_max));
        Ok(ProgramGauges {
            connections: labelled("xm_database_connections", "Connections to the database, by state", &["state"])?,
            hosts: gauge("xm_database_hosts", "Hosts of the database that this program may use")?,
            primary_changes: counter(
                "xm_database_primary_changes_total",
                "Times that the primary was found at another host than before",
            )?,
            unknown_commits: counter(
                "xm_commit_unknown_total",
                "COMMITs whose answer never came: their letters stay with their senders and are looked up when they come again",
            )?,
            disk_free_bytes: gauge("xm_data_folder_free_bytes", "Room left on the disk of the data folder")?,
            disk_size_bytes: gauge("xm_data_folder_size_bytes", "Size of the disk of the data folder")?,
            database,
            data_folder,
        })
    }

    /// Reads the metrics.
    pub fn read(&self) {
        if let Some(database) = &self.database {
            let (connections, idle) = database.connections();
            for (state, connections) in [("idle", idle), ("used", connections.saturating_sub(idle))] {
                self.connections.with_label_values(&[state]).set(whole(connections as u64));
            }
            self.hosts.set(whole(database.hosts() as u64));
            raise(&self.primary_changes, database.primary_changes());
            raise(&self.unknown_commits, database.unknown_commits());
        }
        if let Some(room) = disk::room(&self.data_folder) {
            self.disk_free_bytes.set(whole(room.free_bytes));
            self.disk_size_bytes.set(whole(room.size_bytes));
        }
    }
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Raises a counter to a number that is counted elsewhere. If two scrapes run at the same time, both may add the same difference. The
/// counter is then too high until the number has caught up, but it never goes back.
fn raise(counter: &IntCounter, to: u64) {
    counter.inc_by(to.saturating_sub(counter.get()));
}
