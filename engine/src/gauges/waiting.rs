//! Gauges of everything that waits for a person: held letters, unexplained flags, approvals, locked recharging and enrolment codes, changes
//! of profiles, and unread messages.

use diesel::sql_types::{BigInt, Double, Text};
use diesel::{QueryableByName, sql_query};
use diesel_async::RunQueryDsl;
use prometheus::{Gauge, GaugeVec, IntGauge, IntGaugeVec, Opts, Registry};
use sdc::answer::receipt::HoldCode;
use store::database::Database;
use store::database::fault::Fault;
use store::people::Need;

use super::{group, labelled, seconds, whole};

#[derive(QueryableByName)]
struct Waiting {
    #[diesel(sql_type = BigInt)]
    flags: i64,
    #[diesel(sql_type = Double)]
    flags_oldest: f64,
    #[diesel(sql_type = BigInt)]
    recharging_locked: i64,
    #[diesel(sql_type = BigInt)]
    profile_changes: i64,
    #[diesel(sql_type = BigInt)]
    messages_unread: i64,
    #[diesel(sql_type = BigInt)]
    enrolments_locked: i64,
    #[diesel(sql_type = BigInt)]
    held_by_check: i64,
    #[diesel(sql_type = BigInt)]
    held_for_approval: i64,
    #[diesel(sql_type = Double)]
    held_oldest: f64,
    #[diesel(sql_type = Double)]
    results_held_oldest: f64,
}

const WAITING: &str = "
    SELECT (SELECT count(*) FROM xm.flags WHERE explained_at IS NULL) AS flags,
           (SELECT coalesce(extract(epoch FROM now() - min(flagged_at)), 0)::float8
              FROM xm.flags WHERE explained_at IS NULL) AS flags_oldest,
           (SELECT count(*) FROM xm.recharge_tries WHERE locked_until > now()) AS recharging_locked,
           (SELECT count(*) FROM xm.profile_changes WHERE state = 'waiting') AS profile_changes,
           (SELECT count(*) FROM xm.messages WHERE read_at IS NULL AND installation IS NOT NULL) AS messages_unread,
           (SELECT count(*) FROM xm.enrolment_codes
             WHERE locked_at IS NOT NULL AND used_at IS NULL AND ended_at IS NULL AND expires_at > now()) AS enrolments_locked,
           count(*) FILTER (WHERE code = 'check') AS held_by_check,
           count(*) FILTER (WHERE code = 'approval') AS held_for_approval,
           coalesce(extract(epoch FROM now() - min(held_at)), 0)::float8 AS held_oldest,
           coalesce(extract(epoch FROM now() - min(held_at) FILTER (WHERE is_of_results)), 0)::float8 AS results_held_oldest
      FROM xm.held WHERE state = 'open'";

#[derive(QueryableByName)]
struct Asked {
    #[diesel(sql_type = Text)]
    operation: String,
    #[diesel(sql_type = BigInt)]
    waiting: i64,
    #[diesel(sql_type = Double)]
    oldest: f64,
}

/// Counts the waiting approvals by operation. An expired approval is not counted, because nobody can confirm it any more: the asker has to
/// ask again.
const ASKED: &str = "
    SELECT operation, count(*) AS waiting, extract(epoch FROM now() - min(asked_at))::float8 AS oldest
      FROM xm.approvals WHERE state = 'waiting' AND expires_at > now() GROUP BY operation";

/// Gauges of everything that waits for a person.
pub struct WaitingGauges {
    database: Database,
    flags_unexplained: IntGauge,
    flags_oldest: Gauge,
    recharging_locked: IntGauge,
    profile_changes: IntGauge,
    messages_unread: IntGauge,
    enrolments_locked: IntGauge,
    letters_held: IntGaugeVec,
    letters_held_oldest: Gauge,
    results_held_oldest: Gauge,
    approvals: IntGaugeVec,
    approvals_oldest: GaugeVec,
}

impl WaitingGauges {
    /// Makes the gauges and registers them.
    pub fn new(database: Database, registry: &Registry) -> prometheus::Result<WaitingGauges> {
        let whole = |name: &str, help: &str| whole(registry, name, help);
        let seconds = |name: &str, help: &str| seconds(registry, name, help);
        let asked = Opts::new("xm_approvals_waiting_oldest_seconds", "Since when the oldest of them waits");
        let approvals_oldest = GaugeVec::new(asked, &["operation"])?;
        registry.register(Box::new(approvals_oldest.clone()))?;
        let flags = "Flags of accepted letters that nobody has explained";
        Ok(WaitingGauges {
            database,
            flags_unexplained: whole("xm_flags_unexplained", flags)?,
            flags_oldest: seconds("xm_flags_unexplained_oldest_seconds", "Age of the oldest of these flags")?,
            recharging_locked: whole(
                "xm_recharging_locked",
                "Agencies whose recharging is locked after five wrong codes",
            )?,
            profile_changes: whole("xm_profile_changes_waiting", "Changes of profiles that wait for an operator")?,
            messages_unread: whole("xm_messages_unread", "Messages of offices that nobody has looked at")?,
            enrolments_locked: whole("xm_enrolments_locked", "Codes of enrolment that are locked after wrong ones")?,
            letters_held: labelled(registry, "xm_letters_held", "Letters held until people decide", "code")?,
            letters_held_oldest: seconds("xm_letters_held_oldest_seconds", "Since when the oldest held letter waits")?,
            results_held_oldest: seconds(
                "xm_results_held_oldest_seconds",
                "Since when the oldest held letter with results waits",
            )?,
            approvals: labelled(
                registry,
                "xm_approvals_waiting",
                "What one person has asked and another one is to decide",
                "operation",
            )?,
            approvals_oldest,
        })
    }

    /// Sets the gauges of approvals. An operation without a waiting approval gets 0, so that Prometheus sees the first increase. An
    /// operation that only a newer program knows is shown too.
    fn show_approvals(&self, asked: &[Asked]) {
        self.approvals.reset();
        self.approvals_oldest.reset();
        for need in Need::ALL.iter().filter(|need| need.is_offered()) {
            self.approvals.with_label_values(&[need.name()]).set(0);
            self.approvals_oldest.with_label_values(&[need.name()]).set(0.0);
        }
        for Asked { operation, waiting, oldest } in asked {
            self.approvals.with_label_values(&[operation]).set(*waiting);
            self.approvals_oldest.with_label_values(&[operation]).set(*oldest);
        }
    }
}

impl group::Read for WaitingGauges {
    async fn read(&self) -> Result<(), Fault> {
        let mut connection = self.database.get().await?;
        let waiting: Waiting = sql_query(WAITING).get_result(&mut connection).await?;
        let asked: Vec<Asked> = sql_query(ASKED).load(&mut connection).await?;
        self.flags_unexplained.set(waiting.flags);
        self.flags_oldest.set(waiting.flags_oldest);
        self.recharging_locked.set(waiting.recharging_locked);
        self.profile_changes.set(waiting.profile_changes);
        self.messages_unread.set(waiting.messages_unread);
        self.enrolments_locked.set(waiting.enrolments_locked);
        self.letters_held.with_label_values(&[HoldCode::Check.as_str()]).set(waiting.held_by_check);
        self.letters_held.with_label_values(&[HoldCode::Approval.as_str()]).set(waiting.held_for_approval);
        self.letters_held_oldest.set(waiting.held_oldest);
        self.results_held_oldest.set(waiting.results_held_oldest);
        self.show_approvals(&asked);
        Ok(())
    }
}
