//! Queries of the gauges, and the rows that they return.

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
    #[diesel(sql_type = BigInt)]
    pub to_collect: i64,
    #[diesel(sql_type = Double)]
    pub unanswered: f64,
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
    #[diesel(sql_type = BigInt)]
    pub prepaid: i64,
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
pub struct Vouchers {
    #[diesel(sql_type = BigInt)]
    pub open: i64,
    #[diesel(sql_type = BigInt)]
    pub redeemed: i64,
    #[diesel(sql_type = BigInt)]
    pub revoked: i64,
    #[diesel(sql_type = BigInt)]
    pub expired: i64,
    #[diesel(sql_type = BigInt)]
    pub open_minor_units: i64,
}

impl Vouchers {
    /// Returns the number of vouchers in each state, by its word.
    pub fn by_state(&self) -> [(&'static str, i64); 4] {
        [("open", self.open), ("redeemed", self.redeemed), ("revoked", self.revoked), ("expired", self.expired)]
    }
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

/// Says whether the centre has the sample election: other centres have no polling stations.
pub const HAS_STATIONS: &str = "SELECT to_regclass('election.states') IS NOT NULL AS is_there";
pub const BY_STATE: &str = "SELECT election, state, count(*) AS stations FROM election.states GROUP BY election, state";
/// Figures of the outbox. Answers that offices collect over HTTPS wait for the offices, so they are counted separately. `unanswered` looks
/// only at the letters of the first 1000 queued answers, because a look at all letters would take a tenth of a second on election night.
pub const CHEAP: &str = "
    SELECT count(*) FILTER (WHERE failed_at IS NULL AND NOT is_collected) AS waiting,
           coalesce(extract(epoch FROM now() - min(queued_at) FILTER (WHERE failed_at IS NULL AND NOT is_collected)), 0)::float8 AS oldest,
           count(*) FILTER (WHERE failed_at IS NOT NULL) AS failed,
           count(*) FILTER (WHERE failed_at IS NULL AND is_collected) AS to_collect,
           (SELECT coalesce(extract(epoch FROM now() - min(l.received_at)), 0)::float8
              FROM (SELECT agency, letter_id FROM xm.outbox
                     WHERE failed_at IS NULL AND letter_id IS NOT NULL AND transport NOT IN ('http', 'http-parts')
                     ORDER BY id LIMIT 1000) first
              JOIN xm.letters l ON l.agency = first.agency AND l.letter_id = first.letter_id) AS unanswered
      FROM (SELECT o.failed_at, o.queued_at, o.transport IN ('http', 'http-parts') OR n.outbox IS NOT NULL AS is_collected
              FROM xm.outbox o
              LEFT JOIN (SELECT n.outbox FROM xm.notices n
                           JOIN xm.installations i ON i.agency = n.agency AND i.name = n.installation AND i.transport = 'http'
                          WHERE n.outbox IS NOT NULL) n ON n.outbox = o.id) o";
pub const BY_REASON: &str = "
    SELECT coalesce(q.reason, u.reason) AS reason, coalesce(q.open, 0) AS open, coalesce(u.bytes_kept, 0) AS bytes
      FROM (SELECT reason, count(*) AS open FROM xm.quarantine WHERE state = 'open' GROUP BY reason) q
      FULL JOIN xm.quarantine_usage u ON u.reason = q.reason";
/// Status of agencies that may use every service: operators expect letters from these agencies.
pub const STATUS_EXPECTED: i16 = 3;
pub const BY_STATUS: &str = "
    SELECT status, count(a.matricule) AS agencies, count(*) FILTER (WHERE has_settled) AS settled,
           count(*) FILTER (WHERE balance < 0) AS owing,
           coalesce(-sum(balance) FILTER (WHERE balance < 0), 0)::bigint AS owed,
           coalesce(sum(balance) FILTER (WHERE balance > 0), 0)::bigint AS prepaid
      FROM unnest('{0,1,2,3}'::smallint[]) AS s (status)
      LEFT JOIN (SELECT g.matricule, g.status, b.balance,
                        EXISTS (SELECT FROM xm.journal j
                                 WHERE j.agency = g.matricule AND j.received_at >= now() - interval '24 hours'
                                   AND j.outcome = 'accepted') AS has_settled
                   FROM xm.agencies g LEFT JOIN xm.accounts b ON b.agency = g.matricule) a USING (status)
     GROUP BY status";
/// Query whose result needs a look at all certificates and at a week of the journal, so it runs rarely. `ending` counts agencies whose last
/// certificate ends within 14 days. A certificate that becomes valid within these 14 days counts as the last one.
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
/// Counts the vouchers by state. Each voucher is counted in exactly one of the four states, so the four numbers add up to all vouchers.
pub const VOUCHERS: &str = "
    SELECT coalesce(sum(open), 0)::bigint AS open, coalesce(sum(redeemed), 0)::bigint AS redeemed,
           coalesce(sum(revoked), 0)::bigint AS revoked, coalesce(sum(expired), 0)::bigint AS expired,
           coalesce(sum(open * amount), 0)::bigint AS open_minor_units
      FROM (SELECT b.amount, count(v.redeemed_at) AS redeemed, count(v.revoked_at) AS revoked,
                   count(*) FILTER (WHERE v.redeemed_at IS NULL AND v.revoked_at IS NULL AND b.expires_at > now()) AS open,
                   count(*) FILTER (WHERE v.redeemed_at IS NULL AND v.revoked_at IS NULL AND b.expires_at <= now()) AS expired
              FROM xm.vouchers v JOIN xm.voucher_batches b ON b.id = v.batch GROUP BY b.id) by_batch";
