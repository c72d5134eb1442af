//! What the gauges ask of the database, and in what form it answers.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Double, SmallInt, Text};

#[derive(QueryableByName)]
pub struct Cheap {
    #[diesel(sql_type = BigInt)]
    pub waiting: i64,
    #[diesel(sql_type = Double)]
    pub oldest: f64,
    #[diesel(sql_type = BigInt)]
    pub failed: i64,
    #[diesel(sql_type = Double)]
    pub unanswered: f64,
    #[diesel(sql_type = BigInt)]
    pub flags: i64,
    #[diesel(sql_type = BigInt)]
    pub recharging_locked: i64,
    #[diesel(sql_type = BigInt)]
    pub profile_changes_waiting: i64,
    #[diesel(sql_type = BigInt)]
    pub messages_unread: i64,
    #[diesel(sql_type = BigInt)]
    pub enrolments_locked: i64,
    #[diesel(sql_type = BigInt)]
    pub held_by_check: i64,
    #[diesel(sql_type = BigInt)]
    pub held_for_approval: i64,
    #[diesel(sql_type = Double)]
    pub held_oldest: f64,
}

#[derive(QueryableByName)]
pub struct ByReason {
    #[diesel(sql_type = Text)]
    pub reason: String,
    #[diesel(sql_type = BigInt)]
    pub open: i64,
    #[diesel(sql_type = BigInt)]
    pub bytes: i64,
}

#[derive(QueryableByName)]
pub struct ByStatus {
    #[diesel(sql_type = SmallInt)]
    pub status: i16,
    #[diesel(sql_type = BigInt)]
    pub agencies: i64,
    #[diesel(sql_type = BigInt)]
    pub settled: i64,
    #[diesel(sql_type = BigInt)]
    pub owing: i64,
    #[diesel(sql_type = BigInt)]
    pub owed: i64,
}

#[derive(QueryableByName)]
pub struct Dear {
    #[diesel(sql_type = BigInt)]
    pub difference: i64,
    #[diesel(sql_type = BigInt)]
    pub silent: i64,
    #[diesel(sql_type = BigInt)]
    pub without_certificate: i64,
    #[diesel(sql_type = BigInt)]
    pub ending: i64,
}

#[derive(QueryableByName)]
pub struct There {
    #[diesel(sql_type = Bool)]
    pub is_there: bool,
}

#[derive(QueryableByName)]
pub struct ByState {
    #[diesel(sql_type = Text)]
    pub election: String,
    #[diesel(sql_type = Text)]
    pub state: String,
    #[diesel(sql_type = BigInt)]
    pub stations: i64,
}

/// Only a centre with the sample election has stations.
pub const HAS_STATIONS: &str = "SELECT to_regclass('election.states') IS NOT NULL AS is_there";
pub const BY_STATE: &str = "SELECT election, state, count(*) AS stations FROM election.states GROUP BY election, state";
/// The letter of the oldest answer that waits is among those queued first: to look at the letters of all would take a tenth
/// of a second on election night.
pub const CHEAP: &str = "
    SELECT count(*) FILTER (WHERE failed_at IS NULL) AS waiting,
           coalesce(extract(epoch FROM now() - min(queued_at) FILTER (WHERE failed_at IS NULL)), 0)::float8 AS oldest,
           count(*) FILTER (WHERE failed_at IS NOT NULL) AS failed,
           (SELECT coalesce(extract(epoch FROM now() - min(l.received_at)), 0)::float8
              FROM (SELECT agency, letter_id FROM xm.outbox WHERE failed_at IS NULL AND letter_id IS NOT NULL ORDER BY id LIMIT 1000) first
              JOIN xm.letters l ON l.agency = first.agency AND l.letter_id = first.letter_id) AS unanswered,
           (SELECT count(*) FROM xm.flags WHERE explained_at IS NULL) AS flags,
           (SELECT count(*) FROM xm.recharge_tries WHERE locked_until > now()) AS recharging_locked,
           (SELECT count(*) FROM xm.profile_changes WHERE state = 'waiting') AS profile_changes_waiting,
           (SELECT count(*) FROM xm.messages WHERE read_at IS NULL AND installation IS NOT NULL) AS messages_unread,
           (SELECT count(*) FROM xm.enrolment_codes
             WHERE locked_at IS NOT NULL AND used_at IS NULL AND ended_at IS NULL AND expires_at > now()) AS enrolments_locked,
           (SELECT count(*) FROM xm.held WHERE state = 'open' AND code = 'check') AS held_by_check,
           (SELECT count(*) FROM xm.held WHERE state = 'open' AND code = 'approval') AS held_for_approval,
           (SELECT coalesce(extract(epoch FROM now() - min(held_at)), 0)::float8 FROM xm.held WHERE state = 'open') AS held_oldest
      FROM xm.outbox";
pub const BY_REASON: &str = "
    SELECT coalesce(q.reason, u.reason) AS reason, coalesce(q.open, 0) AS open, coalesce(u.bytes_kept, 0) AS bytes
      FROM (SELECT reason, count(*) AS open FROM xm.quarantine WHERE state = 'open' GROUP BY reason) q
      FULL JOIN xm.quarantine_usage u ON u.reason = q.reason";
/// The highest status, whose agencies may send records and so are expected to.
pub const STATUS_EXPECTED: i16 = 3;
pub const BY_STATUS: &str = "
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
/// A certificate that begins before the last one ends is its successor, also while it is not valid yet.
pub const DEAR: &str = "
    SELECT (SELECT difference FROM xm.ledger_difference) AS difference,
           count(*) FILTER (WHERE g.status = 3 AND NOT EXISTS (
                SELECT FROM xm.journal j WHERE j.agency = g.matricule AND j.received_at >= now() - interval '7 days'
                   AND j.outcome = 'accepted')) AS silent,
           count(*) FILTER (WHERE c.valid_to IS NULL OR c.valid_to <= now()) AS without_certificate,
           count(*) FILTER (WHERE c.valid_to > now() AND c.last_end <= now() + interval '14 days') AS ending
      FROM xm.agencies g
      LEFT JOIN (SELECT agency,
                        max(not_after) FILTER (WHERE not_before <= now()) AS valid_to,
                        max(not_after) FILTER (WHERE not_before <= now() + interval '14 days') AS last_end
                   FROM xm.certificates WHERE revoked_at IS NULL GROUP BY agency) c ON c.agency = g.matricule
     WHERE g.status > 0";
