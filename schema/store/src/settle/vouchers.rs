//! Vouchers in the settling transaction. Each code credits its amount once. Five wrong codes within a day lock recharging for the agency
//! that sends them.
//!
//! Vouchers are locked after the accounts, in the order of their MACs, in one statement, so that two transactions with the same vouchers
//! cannot deadlock. The amounts are read before the first round of decisions. So a voucher that another letter has just redeemed leads to
//! an ordinary refusal.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types::{BigInt, Bool, Bytea, Integer, Nullable, SmallInt, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use sdc::refusal::{Refusal, RefusalCode};
use sdc::request::VoucherCode;

use super::batch::{Case, order_of_effect};
use super::decision::Decision;
use super::effect::Redeemed;
use super::work::Work;
use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};
use crate::ledger::voucher_keys::VoucherKeys;

/// Number of wrong codes that lock an agency's recharging (SPEC 4, Billing).
const WRONG_MAX: i16 = 5;

/// Returns one day: so long does recharging stay locked, and so long does a wrong code count.
fn day() -> TimeDelta {
    TimeDelta::days(1)
}

/// The stored data about the codes in a batch, and about the agencies that sent them.
#[derive(Debug, Default)]
pub struct Vouchers {
    by_code: HashMap<VoucherCode, Voucher>,
    tries: HashMap<Matricule, Tries>,
}

/// A row of `xm.vouchers`, locked by this transaction.
#[derive(Clone, Debug)]
struct Voucher {
    mac: Vec<u8>,
    batch: i32,
    number: i32,
    amount: i64,
    expires_at: DateTime<Utc>,
    /// Whether the voucher was redeemed or revoked before this batch.
    has_ended: bool,
}

/// The wrong codes that an agency has sent: their number, the time of the first one, and the end of a lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tries {
    wrong: i16,
    since: Option<DateTime<Utc>>,
    locked_until: Option<DateTime<Utc>>,
}

impl Tries {
    fn is_locked_at(self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.locked_until.filter(|until| at < *until)
    }

    /// Counts a wrong code. The fifth wrong code within a day locks recharging.
    fn wrong_at(self, at: DateTime<Utc>) -> Tries {
        let counting = self.since.filter(|since| at - *since < day());
        let wrong = if counting.is_some() { self.wrong.saturating_add(1) } else { 1 };
        if wrong < WRONG_MAX {
            Tries { wrong, since: Some(counting.unwrap_or(at)), locked_until: self.locked_until }
        } else {
            Tries { wrong: 0, since: None, locked_until: Some(at + day()) }
        }
    }

    /// Resets the count of wrong codes, because a right code was sent.
    fn right(self) -> Tries {
        Tries { wrong: 0, since: None, ..self }
    }
}

/// One round of decisions on vouchers. It knows which vouchers earlier letters of the batch have redeemed, and how many wrong codes were
/// sent so far.
pub struct Redeeming<'a> {
    held: &'a Vouchers,
    redeemed: HashSet<&'a [u8]>,
    tries: HashMap<Matricule, Tries>,
}

/// The times that matter for a code: its arrival and, if there was one, an operator's retry.
#[derive(Clone, Copy)]
pub struct Moments {
    /// Time when the letter arrived. It decides whether a voucher has expired.
    pub received_at: DateTime<Utc>,
    /// Time of an operator's retry; absent if there was none. A retry ignores the lock, and a wrong code in it is not counted.
    pub retried_at: Option<DateTime<Utc>>,
}

impl<'a> Redeeming<'a> {
    pub fn new(held: &'a Vouchers) -> Redeeming<'a> {
        Redeeming { held, redeemed: HashSet::new(), tries: held.tries.clone() }
    }

    /// Redeems a code for an agency, in this round.
    ///
    /// # Errors
    /// `recharge_locked` while wrong codes have locked recharging for the agency; `voucher_invalid` for every code that cannot be redeemed,
    /// whatever the cause.
    pub fn redeem(&mut self, agency: Matricule, code: &VoucherCode, moments: Moments) -> Result<Redeemed, Refusal> {
        let Moments { received_at, retried_at } = moments;
        let tries = self.tries.entry(agency).or_default();
        if let Some(until) = tries.is_locked_at(received_at).filter(|_| retried_at.is_none()) {
            return Err(Refusal::new(RefusalCode::RechargeLocked).with("until", until.to_rfc3339()));
        }
        let held: &'a Vouchers = self.held;
        let voucher = held.by_code.get(code).filter(|voucher| {
            !voucher.has_ended && received_at < voucher.expires_at && !self.redeemed.contains(voucher.mac.as_slice())
        });
        let Some(voucher) = voucher else {
            if retried_at.is_none() {
                *tries = tries.wrong_at(received_at);
            }
            return Err(Refusal::new(RefusalCode::VoucherInvalid));
        };
        *tries = tries.right();
        self.redeemed.insert(&voucher.mac);
        let note = format!("{}-{}", voucher.batch, voucher.number);
        Ok(Redeemed { mac: voucher.mac.clone(), amount: voucher.amount, note })
    }
}

impl Vouchers {
    /// Reads and locks the vouchers of the codes in a batch. The agencies must be locked already.
    ///
    /// # Errors
    /// A fault.
    pub async fn read(connection: &AsyncPgConnection, batch: &[Case], keys: &VoucherKeys) -> Result<Vouchers, Fault> {
        let asking: Vec<(Matricule, &VoucherCode)> = codes(batch).map(|(_, agency, code)| (agency, code)).collect();
        if asking.is_empty() {
            return Ok(Vouchers::default());
        }
        let mut macs: BTreeMap<Vec<u8>, &VoucherCode> = BTreeMap::new();
        for (_, code) in asking.iter().filter(|(_, code)| code.may_be()) {
            macs.extend(keys.macs(code)?.into_iter().map(|mac| (mac, *code)));
        }
        let agencies: BTreeSet<Matricule> = asking.iter().map(|(agency, _)| *agency).collect();
        let tries = read_tries(connection, &agencies).await?;
        let by_code = read_vouchers(connection, &macs).await?;
        Ok(Vouchers { by_code, tries })
    }

    /// Writes the redeemed vouchers and the counts of wrong codes of a decided batch. Returns the agencies whose recharging is locked
    /// because of this batch.
    ///
    /// # Errors
    /// A fault.
    pub async fn write(
        &self,
        mut connection: &AsyncPgConnection,
        batch: &[Case],
        is_retry: bool,
    ) -> Result<Vec<Matricule>, Fault> {
        let redeemed: Vec<(&Case, &Redeemed)> =
            batch.iter().filter_map(|case| Some((case, case.acceptance()?.effect.credit()?))).collect();
        if !redeemed.is_empty() {
            let text = "UPDATE xm.vouchers v SET redeemed_at = n.at, agency = n.agency, letter_id = n.letter_id
                          FROM unnest(?, ?, ?, ?) AS n (mac, at, agency, letter_id)
                         WHERE v.mac = n.mac AND v.redeemed_at IS NULL AND v.revoked_at IS NULL";
            let letter = |case: &Case| match &case.decision {
                Decision::Accepted { key, .. } => Some(key.letter_id),
                _ => None,
            };
            let binds = [
                Bind::Byteas(redeemed.iter().map(|(_, credit)| Some(credit.mac.as_slice())).collect()),
                Bind::Timestamptzs(redeemed.iter().map(|(case, _)| Some(case.arrival.received_at)).collect()),
                Bind::Matricules(redeemed.iter().map(|(case, _)| case.agency()).collect()),
                Bind::Uuids(redeemed.iter().map(|(case, _)| letter(case)).collect()),
            ];
            let changed = Statement::<()>::new(text, &binds).execute(&mut connection).await?;
            if changed != redeemed.len() {
                return Err(Fault::Bug("a voucher under lock was not there to be redeemed".to_owned()));
            }
        }
        if is_retry { Ok(Vec::new()) } else { self.write_tries(connection, batch).await }
    }

    async fn write_tries(&self, mut connection: &AsyncPgConnection, batch: &[Case]) -> Result<Vec<Matricule>, Fault> {
        let after = self.tries_after(batch);
        let changed: Vec<(Matricule, Tries)> = after
            .into_iter()
            .filter(|(agency, tries)| self.tries.get(agency).copied().unwrap_or_default() != *tries)
            .collect();
        if changed.is_empty() {
            return Ok(Vec::new());
        }
        let text = "INSERT INTO xm.recharge_tries AS t (agency, wrong, since, locked_until)
                    SELECT n.agency, n.wrong, coalesce(n.since, now()), n.locked_until
                      FROM unnest(?, ?, ?, ?) AS n (agency, wrong, since, locked_until)
                    ON CONFLICT (agency) DO UPDATE
                       SET wrong = excluded.wrong, since = excluded.since, locked_until = excluded.locked_until";
        let binds = [
            Bind::Matricules(changed.iter().map(|(agency, _)| Some(*agency)).collect()),
            Bind::Smallints(changed.iter().map(|(_, tries)| Some(tries.wrong)).collect()),
            Bind::Timestamptzs(changed.iter().map(|(_, tries)| tries.since).collect()),
            Bind::Timestamptzs(changed.iter().map(|(_, tries)| tries.locked_until).collect()),
        ];
        Statement::<()>::new(text, &binds).execute(&mut connection).await?;
        let is_news = |(agency, tries): &(Matricule, Tries)| {
            tries.locked_until.is_some()
                && self.tries.get(agency).is_none_or(|before| before.locked_until != tries.locked_until)
        };
        Ok(changed.iter().filter(|change| is_news(change)).map(|(agency, _)| *agency).collect())
    }

    /// Returns the count of wrong codes of each agency after the decisions of a batch.
    fn tries_after(&self, batch: &[Case]) -> BTreeMap<Matricule, Tries> {
        let sent: HashMap<usize, Matricule> = codes(batch).map(|(place, agency, _)| (place, agency)).collect();
        let mut after = BTreeMap::new();
        for place in order_of_effect(batch) {
            let Some(agency) = sent.get(&place) else { continue };
            let tries = after.entry(*agency).or_insert_with(|| self.tries.get(agency).copied().unwrap_or_default());
            match &batch[place].decision {
                Decision::Accepted { .. } => *tries = tries.right(),
                Decision::Refused { refusal, .. } if refusal.code == RefusalCode::VoucherInvalid => {
                    *tries = tries.wrong_at(batch[place].arrival.received_at);
                }
                _ => {}
            }
        }
        after
    }
}

/// Returns place, agency and code of each letter of a batch that has a voucher code.
fn codes(batch: &[Case]) -> impl Iterator<Item = (usize, Matricule, &VoucherCode)> {
    batch.iter().enumerate().filter_map(|(place, case)| match case.judged.work()? {
        Work::Voucher(code) => Some((place, case.agency()?, code)),
        _ => None,
    })
}

async fn read_tries(
    mut connection: &AsyncPgConnection,
    agencies: &BTreeSet<Matricule>,
) -> Result<HashMap<Matricule, Tries>, Fault> {
    type Row = (Matricule, i16, DateTime<Utc>, Option<DateTime<Utc>>);
    let text = "SELECT agency, wrong, since, locked_until FROM xm.recharge_tries WHERE agency = ANY(?)";
    let binds = [Bind::Matricules(agencies.iter().copied().map(Some).collect())];
    let rows: Vec<Row> = Statement::<(Integer, SmallInt, Timestamptz, Nullable<Timestamptz>)>::new(text, &binds)
        .load(&mut connection)
        .await?;
    let tries = |(agency, wrong, since, locked_until)| {
        let since = Some(since).filter(|_| wrong > 0);
        (agency, Tries { wrong, since, locked_until })
    };
    Ok(rows.into_iter().map(tries).collect())
}

async fn read_vouchers(
    mut connection: &AsyncPgConnection,
    macs: &BTreeMap<Vec<u8>, &VoucherCode>,
) -> Result<HashMap<VoucherCode, Voucher>, Fault> {
    type Row = (Bytea, Integer, Integer, BigInt, Timestamptz, Bool);
    type Loaded = (Vec<u8>, i32, i32, i64, DateTime<Utc>, bool);
    let text = "SELECT v.mac, v.batch, v.number, b.amount, b.expires_at,
                       v.redeemed_at IS NOT NULL OR v.revoked_at IS NOT NULL
                  FROM xm.vouchers v JOIN xm.voucher_batches b ON b.id = v.batch
                 WHERE v.mac = ANY(?) ORDER BY v.mac FOR UPDATE OF v";
    let binds = [Bind::Byteas(macs.keys().map(|mac| Some(mac.as_slice())).collect())];
    let rows: Vec<Loaded> = Statement::<Row>::new(text, &binds).load(&mut connection).await?;
    let voucher = |(mac, batch, number, amount, expires_at, has_ended): Loaded| {
        let code = macs.get(&mac).map(|code| (*code).clone())?;
        Some((code, Voucher { mac, batch, number, amount, expires_at, has_ended }))
    };
    Ok(rows.into_iter().filter_map(voucher).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_wrong_codes_within_a_day_lock_for_a_day() {
        let begin: DateTime<Utc> = "2026-11-02T08:00:00Z".parse().unwrap();
        let at = |hours: i64| begin + TimeDelta::hours(hours);
        let after = |hours: &[i64]| hours.iter().fold(Tries::default(), |tries, hour| tries.wrong_at(at(*hour)));
        for (hours, locked_until) in [
            (&[0, 0, 0, 0][..], None),
            (&[0, 1, 2, 3, 4], Some(at(28))),
            (&[0, 1, 2, 3, 25], None),
            (&[0, 1, 2, 3, 25, 26, 27, 28], None),
            (&[0, 1, 2, 3, 25, 26, 27, 28, 29], Some(at(53))),
        ] {
            assert_eq!(after(hours).locked_until, locked_until, "{hours:?}");
        }
        let locked = after(&[0, 0, 0, 0, 0]);
        assert_eq!((locked.is_locked_at(at(23)), locked.is_locked_at(at(24))), (Some(at(24)), None));
        assert_eq!(after(&[0, 0, 0, 0]).right().wrong_at(at(1)).wrong, 1, "a right one begins anew");
    }
}
