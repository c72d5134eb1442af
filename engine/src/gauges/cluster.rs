//! Gauges of the replicas, of the database's standbys, and of what its busiest tables keep of rows that are done with.

use diesel::QueryableByName;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl;
use prometheus::{IntGauge, IntGaugeVec, Registry};
use store::database::fault::Fault;
use store::database::{Database, Standbys};

use super::{group, labelled, whole};

/// Replicas by state. Those that ended or died are counted for an hour.
const REPLICAS: &str = "
    SELECT count(*) FILTER (WHERE gone_at IS NULL AND NOT drains) AS working,
           count(*) FILTER (WHERE gone_at IS NULL AND drains) AS draining,
           count(*) FILTER (WHERE gone_at > now() - interval '1 hour') AS gone
      FROM xm.replicas";

/// Dead rows of the tables whose rows come and go with each letter. While a transaction is open anywhere, vacuum removes none that it may
/// see.
const DEAD_ROWS: &str = "
    SELECT relname::text AS table_name, n_dead_tup AS dead
      FROM pg_stat_user_tables
     WHERE schemaname = 'xm' AND relname IN ('in_hand', 'outbox')";

#[derive(QueryableByName)]
struct DeadRows {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = BigInt)]
    dead: i64,
}

#[derive(QueryableByName)]
struct Replicas {
    #[diesel(sql_type = BigInt)]
    working: i64,
    #[diesel(sql_type = BigInt)]
    draining: i64,
    #[diesel(sql_type = BigInt)]
    gone: i64,
}

/// The gauges, with the database that they are read from.
pub struct ClusterGauges {
    database: Database,
    replicas: IntGaugeVec,
    dead_rows: IntGaugeVec,
    synchronous_standbys: IntGauge,
}

impl ClusterGauges {
    /// Makes the gauges and registers them.
    ///
    /// # Errors
    /// Two gauges have the same name.
    pub fn new(database: Database, registry: &Registry) -> prometheus::Result<ClusterGauges> {
        Ok(ClusterGauges {
            database,
            replicas: labelled(registry, "xm_replicas", "Replicas of the centre, by state", "state")?,
            dead_rows: labelled(registry, "xm_dead_rows", "Dead rows of busy tables", "table")?,
            synchronous_standbys: whole(
                registry,
                "xm_database_synchronous_standbys",
                "Connected standbys of which a commit waits for at least one; -1 where the login may not see them",
            )?,
        })
    }
}

impl group::Read for ClusterGauges {
    async fn read(&self) -> Result<(), Fault> {
        let (replicas, dead_rows): (Replicas, Vec<DeadRows>) = {
            let mut connection = self.database.get().await?;
            let replicas = sql_query(REPLICAS).get_result(&mut connection).await?;
            (replicas, sql_query(DEAD_ROWS).get_results(&mut connection).await?)
        };
        let synchronous = match self.database.standbys().await? {
            Standbys::Synchronous(count) => count,
            Standbys::Hidden => -1,
        };
        let states = [("working", replicas.working), ("draining", replicas.draining), ("gone", replicas.gone)];
        states.into_iter().for_each(|(state, count)| self.replicas.with_label_values(&[state]).set(count));
        for DeadRows { table_name, dead } in dead_rows {
            self.dead_rows.with_label_values(&[&*table_name]).set(dead);
        }
        self.synchronous_standbys.set(synchronous);
        Ok(())
    }
}
